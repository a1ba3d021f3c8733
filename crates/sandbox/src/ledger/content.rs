//! One operation at work: what it reads and changes, and the dispatch on its kind.

use super::Ledger;
use super::apply::{BlockContext, Nonces};
use super::errors::{branch, permanent, temporary, unregistered_delegate, unsupported};
use super::gas::GasMeter;
use soru_michelson::context::TicketToken;
use soru_michelson::types::Type;
use soru_tezos::contract::{Contract, Destination};
use soru_tezos::hash::ContractHash;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::number::N;
use soru_tezos::operation::{ManagerBody, ManagerOperation, Reveal};
use soru_tezos::receipt::{
    Applied, DelegationResult, GasResult, InternalBody, InternalReceipt, OperationResult, Origin,
};
use soru_tezos::rollup::InboxMessage;
use soru_tezos::rpc_error::Trace;

/// An internal operation waiting to be applied.
#[derive(Debug, Clone)]
pub(super) struct Emitted {
    /// Who emitted it.
    pub source: Destination,
    /// Its number in the block.
    pub nonce: u16,
    /// What it does.
    pub body: InternalBody,
    /// The type its argument was read with, if no script has made it: a contract takes no other than its own.
    pub declared: Option<Type>,
    /// Tickets sent along.
    pub tickets: Vec<(TicketToken, N)>,
    /// The address of the contract it creates.
    pub contract: Option<ContractHash>,
}

impl Emitted {
    /// Its receipt.
    pub fn receipt(self, result: OperationResult) -> InternalReceipt {
        InternalReceipt { source: self.source, nonce: self.nonce, body: self.body, result }
    }
}

/// What an operation works on.
pub(super) struct Run<'a> {
    pub ledger: &'a mut Ledger,
    pub block: &'a BlockContext,
    pub gas: GasMeter,
    /// The account that signed: it pays for everything.
    pub payer: PublicKeyHash,
    pub nonces: &'a mut Nonces,
    pub origin: Origin,
    /// Messages for the inbox, from this operation so far.
    pub messages: &'a mut Vec<InboxMessage>,
    /// How many messages the inbox still takes.
    pub room_for_messages: usize,
}

/// A result, and the internal operations it causes.
pub(super) type Outcome = Result<(Applied, Vec<Emitted>), Trace>;

impl Run<'_> {
    /// Applies an operation of an account.
    pub fn manager(&mut self, content: &ManagerOperation) -> Outcome {
        let source = Contract::Implicit(content.source);
        match &content.body {
            ManagerBody::Reveal(reveal) => self.reveal(content.source, reveal),
            ManagerBody::Transaction(transaction) => self.transaction(
                source.into(),
                transaction.amount,
                transaction.destination.into(),
                &transaction.parameters,
                None,
            ),
            ManagerBody::Origination(origination) => self.origination(&source, origination),
            ManagerBody::Delegation(delegation) => self.delegation(&source, delegation.delegate),
            ManagerBody::RegisterGlobalConstant(register) => self.register_constant(&register.value),
            ManagerBody::IncreasePaidStorage(increase) => self.increase_paid_storage(increase),
            ManagerBody::TransferTicket(transfer) => self.transfer_ticket(&source, transfer),
            ManagerBody::SmartRollupOriginate(originate) => self.originate_rollup(originate),
            ManagerBody::SmartRollupAddMessages(messages) => self.add_messages(messages),
            ManagerBody::SmartRollupPublish(publish) => self.publish(content.source, publish),
            ManagerBody::SmartRollupCement(cement) => self.cement(&cement.rollup),
            ManagerBody::SmartRollupRefute(refute) => self.refute(content.source, refute),
            ManagerBody::SmartRollupTimeout(timeout) => self.time_out(timeout),
            ManagerBody::SmartRollupRecoverBond(recover) => self.recover_bond(recover),
            ManagerBody::SmartRollupExecuteOutboxMessage(execute) => self.execute_outbox_message(execute),
            other => Err(unsupported(other.kind())),
        }
    }

    /// Applies an operation emitted by a contract or rollup.
    pub fn internal(&mut self, operation: &Emitted) -> Outcome {
        match &operation.body {
            InternalBody::Transaction(transaction) => {
                if let Some(declared) = &operation.declared {
                    self.check_declared(&transaction.destination, &transaction.parameters.entrypoint, declared)?;
                }
                self.transaction(
                    operation.source,
                    transaction.amount,
                    transaction.destination,
                    &transaction.parameters,
                    Some(&operation.tickets),
                )
            }
            InternalBody::Delegation(delegation) => {
                let Destination::Contract(source) = operation.source else {
                    return Err(vec![
                        permanent("operations.invalid_sender").with("contract", operation.source.to_string()),
                    ]);
                };
                self.delegation(&source, delegation.delegate)
            }
            InternalBody::Event(_) => Ok((Applied::Gas(GasResult::default()), Vec::new())),
            InternalBody::Origination(_) => self.internal_origination(operation.source, operation),
        }
    }

    fn reveal(&mut self, source: PublicKeyHash, reveal: &Reveal) -> Outcome {
        if let Some(proof) = &reveal.proof
            && !reveal.public_key.verify_possession(proof)
        {
            return Err(vec![
                permanent("validate.operation.incorrect_bls_proof")
                    .with("kind", "manager")
                    .with("public_key", reveal.public_key.to_string())
                    .with("proof", proof.to_string()),
            ]);
        }
        let account = self.ledger.accounts.get_mut(&source);
        let account = account.ok_or_else(|| vec![super::errors::empty_account(&source)])?;
        if account.key.is_some() {
            return Err(vec![branch("contract.previously_revealed_key").with("contract", source.to_string())]);
        }
        account.key = Some(reveal.public_key.clone());
        Ok((Applied::Gas(GasResult::default()), Vec::new()))
    }

    /// Sets or removes a delegate. Nobody bakes here but the sandbox: delegates are accounts that delegate to themselves.
    fn delegation(&mut self, source: &Contract, delegate: Option<PublicKeyHash>) -> Outcome {
        self.gas.consume(super::gas::DELEGATION)?;
        if let Some(delegate) = delegate
            && *source != Contract::Implicit(delegate)
            && !self.ledger.is_delegate(&delegate)
        {
            return Err(unregistered_delegate(&delegate));
        }
        match source {
            Contract::Implicit(source) => {
                let registered = self.ledger.is_delegate(source);
                if registered && delegate == Some(*source) {
                    return Err(vec![temporary("delegate.already_active")]);
                }
                if registered {
                    return Err(vec![permanent("delegate.no_deletion").with("delegate", source.to_string())]);
                }
                if let Some(account) = self.ledger.accounts.get_mut(source) {
                    account.delegate = delegate;
                }
            }
            Contract::Originated(source) => {
                if let Some(contract) = self.ledger.contracts.get_mut(source) {
                    contract.delegate = delegate;
                }
            }
        }
        Ok((Applied::Delegation(DelegationResult::default()), Vec::new()))
    }
}
