//! Operations on smart rollups: the rules are those of `soru-protocol`; here they meet accounts, contracts, the inbox and
//! the PVM (`spec/protocol.md` §2.3, §3–6).

use super::content::{Emitted, Outcome, Run};
use super::errors::{permanent, script_trace, temporary, unsupported};
use super::tickets::shown;
use num_bigint::BigInt;
use soru_michelson::context::TicketToken;
use soru_michelson::types::check_rollup_parameter;
use soru_protocol::constants::Parametric;
use soru_protocol::gas::{self, Work};
use soru_protocol::inbox::{MessageError, serialize};
use soru_protocol::pvm::{GenesisError, WasmOutputs, genesis_state};
use soru_protocol::rollup::{Origination, OutboxCall, origination_size};
use soru_protocol::{Env, Protocol, Rollup, RollupError};
use soru_tezos::contract::{Contract, Destination};
use soru_tezos::hash::SmartRollupAddress;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::number::N;
use soru_tezos::operation::{AddMessages, ExecuteOutboxMessage, Originate, Parameters, Publish, RecoverBond};
use soru_tezos::receipt::{
    Applied, Balance, BalanceUpdate, CementResult, ExecuteOutboxResult, GasResult, InternalBody, InternalTransaction,
    OriginateResult, PublishResult, RecoverBondResult, RollupTransactionResult, TicketAccountUpdate, TicketUpdate,
};
use soru_tezos::rollup::{InboxMessage, InternalMessage, Transfer, WhitelistUpdate};
use soru_tezos::rpc_error::{TezosError, Trace};
use soru_tezos::scalar::{Level, Mutez, Nat};

/// The protocol of the sandbox.
pub const PROTOCOL: Protocol = Protocol::Ushuaia;

pub(super) fn refused(error: RollupError) -> Trace {
    error.trace(PROTOCOL)
}

/// What the rules have to know of a block at `level`.
pub fn env(constants: &Parametric, level: Level) -> Env<'_> {
    Env { protocol: PROTOCOL, level, constants: &constants.rollup, past_periods: &[] }
}

impl Run<'_> {
    fn rollup(&self, address: &SmartRollupAddress) -> Result<Rollup, Trace> {
        let found = self.ledger.rollups.get(address).cloned();
        found.ok_or_else(|| refused(RollupError::DoesNotExist { rollup: *address }))
    }

    /// Runs a rule on a rollup; what it does to balances is done to the accounts.
    pub(super) fn with_rollup<T>(
        &mut self,
        address: &SmartRollupAddress,
        rule: impl FnOnce(&mut Rollup, &Env<'_>) -> Result<T, RollupError>,
        updates: impl FnOnce(&T) -> &[BalanceUpdate],
    ) -> Result<T, Trace> {
        let mut rollup = self.rollup(address)?;
        let constants = self.ledger.constants.clone();
        let env = env(&constants, self.block.level);
        let done = rule(&mut rollup, &env).map_err(refused)?;
        for update in updates(&done) {
            self.apply_update(update)?;
        }
        self.ledger.rollups.insert(*address, rollup);
        Ok(done)
    }

    /// Does to an account what a balance update says.
    fn apply_update(&mut self, update: &BalanceUpdate) -> Result<(), Trace> {
        let amount = Mutez(update.change.0.unsigned_abs());
        match &update.balance {
            Balance::Contract(contract) if update.change.0 < 0 => self.ledger.debit(contract, amount),
            Balance::Contract(contract) => self.ledger.credit(contract, amount),
            Balance::FrozenBonds { contract: Contract::Implicit(staker), rollup } => {
                self.ledger.change_bond(staker, rollup, update.change.0);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn originate_rollup(&mut self, originate: &Originate) -> Outcome {
        let kernel = originate.kernel.as_ref();
        let listed = originate.whitelist.as_ref().map(|keys| keys.len() as u64);
        self.gas.consume(gas::work(Work::Originate { kernel: kernel.len() as u64, whitelist: listed }))?;
        check_rollup_parameter(&originate.parameters_ty).map_err(|error| script_trace(&error))?;
        let genesis_state = genesis_state(PROTOCOL, originate.pvm_kind, kernel).map_err(|error| match error {
            GenesisError::Kind(kind) => unsupported(&format!("smart_rollup_originate of kind {kind}")),
            GenesisError::Pvm(error) => vec![TezosError::failure(error.to_string())],
        })?;
        let address = {
            let index = self.nonces.next_origination();
            SmartRollupAddress::originated_by(&self.nonces.operation, index)
        };
        let origination = Origination {
            address,
            kind: originate.pvm_kind,
            parameters_type: &originate.parameters_ty,
            genesis_state,
            whitelist: originate.whitelist.as_deref(),
        };
        let constants = self.ledger.constants.clone();
        let env = env(&constants, self.block.level);
        let rollup = Rollup::originate(&env, &origination).map_err(refused)?;
        let genesis_commitment_hash = rollup.genesis_info.commitment_hash;
        self.ledger.rollups.insert(address, rollup);
        Ok((
            Applied::SmartRollupOriginate(OriginateResult {
                balance_updates: Vec::new(),
                address,
                genesis_commitment_hash,
                consumed_milligas: Default::default(),
                size: Nat(origination_size(&constants.rollup, &originate.parameters_ty)),
            }),
            Vec::new(),
        ))
    }

    pub(super) fn add_messages(&mut self, messages: &AddMessages) -> Outcome {
        for message in &messages.message {
            self.gas.consume(gas::add_external_message(message.as_ref().len() as u64))?;
            self.add_message(InboxMessage::External(message.clone()))?;
        }
        Ok((Applied::Gas(GasResult::default()), Vec::new()))
    }

    /// Puts a message aside for the inbox: it enters when the operation is through.
    fn add_message(&mut self, message: InboxMessage) -> Result<(), Trace> {
        serialize(&message).map_err(|error| refused(error.into()))?;
        if self.messages.len() >= self.room_for_messages {
            return Err(refused(MessageError::LevelFull.into()));
        }
        self.messages.push(message);
        Ok(())
    }

    pub(super) fn publish(&mut self, source: PublicKeyHash, publish: &Publish) -> Outcome {
        let balance = self.ledger.balance(&Contract::Implicit(source));
        let published = self.with_rollup(
            &publish.rollup,
            |rollup, env| rollup.publish(env, source, balance, &publish.commitment),
            |published| &published.balance_updates,
        )?;
        self.gas.consume(gas::work(published.work))?;
        Ok((
            Applied::SmartRollupPublish(PublishResult {
                consumed_milligas: Default::default(),
                staked_hash: published.staked_hash,
                published_at_level: published.published_at_level,
                balance_updates: published.balance_updates,
            }),
            Vec::new(),
        ))
    }

    pub(super) fn cement(&mut self, rollup: &SmartRollupAddress) -> Outcome {
        let cemented = self.with_rollup(rollup, |rollup, env| rollup.cement(env), |_| &[])?;
        self.gas.consume(gas::work(cemented.work))?;
        Ok((
            Applied::SmartRollupCement(CementResult {
                consumed_milligas: Default::default(),
                inbox_level: cemented.inbox_level,
                commitment_hash: cemented.commitment_hash,
            }),
            Vec::new(),
        ))
    }

    pub(super) fn recover_bond(&mut self, recover: &RecoverBond) -> Outcome {
        self.gas.consume(gas::work(Work::RecoverBond))?;
        let recovered = self.with_rollup(
            &recover.rollup,
            |rollup, _| rollup.recover_bond(recover.staker),
            |recovered| &recovered.balance_updates,
        )?;
        let result =
            RecoverBondResult { balance_updates: recovered.balance_updates, consumed_milligas: Default::default() };
        Ok((Applied::SmartRollupRecoverBond(result), Vec::new()))
    }

    pub(super) fn execute_outbox_message(&mut self, execute: &ExecuteOutboxMessage) -> Outcome {
        let mut rollup = self.rollup(&execute.rollup)?;
        let constants = self.ledger.constants.clone();
        let env = env(&constants, self.block.level);
        let proof = execute.output_proof.as_ref();
        let ledger = &*self.ledger;
        let executed = rollup
            .execute_outbox_message(&env, &execute.cemented_commitment, proof, &WasmOutputs, |calls| {
                calls.iter().try_for_each(|call| check_call(ledger, call))
            })
            .map_err(|CheckError(trace)| trace)?;
        // becoming public costs much less than the rules' price of a new list
        let whitelist = match &executed.whitelist_update {
            Some(WhitelistUpdate::Update { whitelist }) => Some(whitelist.len() as u64),
            _ => None,
        };
        self.gas.consume(gas::work(Work::ExecuteOutboxMessage {
            proof: proof.len() as u64,
            calls: executed.calls.len() as u64,
            whitelist,
        }))?;
        self.ledger.rollups.insert(execute.rollup, rollup);
        let mut emitted = Vec::new();
        for call in executed.calls {
            let nonce = self.nonces.internal;
            self.nonces.internal = nonce.saturating_add(1);
            emitted.push(Emitted {
                source: Destination::SmartRollup(execute.rollup),
                nonce: u16::try_from(nonce).unwrap_or(u16::MAX),
                body: InternalBody::Transaction(InternalTransaction {
                    amount: Mutez(0),
                    destination: Contract::Originated(call.destination).into(),
                    parameters: Parameters { entrypoint: call.entrypoint, value: call.parameters },
                }),
                tickets: Vec::new(),
                contract: None,
            });
        }
        let result = ExecuteOutboxResult {
            whitelist_update: executed.whitelist_update,
            paid_storage_size_diff: Nat(u64::try_from(executed.paid_storage_size_diff).unwrap_or(0)),
            ..Default::default()
        };
        Ok((Applied::SmartRollupExecuteOutboxMessage(result), emitted))
    }

    /// A transfer of a contract to a rollup: a message in the inbox. The tickets were credited when it was emitted.
    pub(super) fn send_to_rollup(
        &mut self,
        sender: Destination,
        rollup: SmartRollupAddress,
        payload: &Micheline,
        tickets: &[(TicketToken, N)],
    ) -> Outcome {
        let Destination::Contract(Contract::Originated(sender)) = sender else {
            return Err(vec![permanent("operations.invalid_transfer_to_smart_rollup_from_implicit_account")]);
        };
        let transfer = Transfer { payload: payload.clone(), sender, source: self.payer, destination: rollup };
        let message = InboxMessage::Internal(InternalMessage::Transfer(transfer));
        let bytes = serialize(&message).map_err(|error| refused(error.into()))?;
        self.gas.consume(gas::add_message(bytes.len() as u64))?;
        self.add_message(message)?;
        let account = Destination::SmartRollup(rollup).to_string();
        let mut ticket_updates: Vec<TicketUpdate> = Vec::new();
        for (token, amount) in tickets {
            let amount = soru_tezos::number::Z(BigInt::from(amount.0.clone()));
            ticket_updates.push(TicketUpdate {
                ticket_token: shown(token),
                updates: vec![TicketAccountUpdate { account: account.clone(), amount }],
            });
        }
        let result = RollupTransactionResult { consumed_milligas: Default::default(), ticket_updates };
        Ok((Applied::RollupTransaction(result), Vec::new()))
    }
}

/// Errors of the rules and of the checks on calls, as one trace.
struct CheckError(Trace);

impl From<RollupError> for CheckError {
    fn from(error: RollupError) -> Self {
        CheckError(refused(error))
    }
}

/// Whether a call of an outbox message can be made: the contract exists, has the entrypoint, and the type is one that
/// rollups may send.
fn check_call(ledger: &super::Ledger, call: &OutboxCall) -> Result<(), CheckError> {
    let script = |error: soru_michelson::ScriptError| CheckError(script_trace(&error));
    let ty = match &call.parameters_type {
        Some(ty) => ty.clone(),
        None => {
            let contract =
                ledger.contracts.get(&call.destination).ok_or(CheckError::from(RollupError::InvalidDestination))?;
            super::entrypoints::parameter_of(&contract.code)
                .and_then(|p| p.find(&call.entrypoint))
                .map_err(script)?
                .expr
        }
    };
    let ty = check_rollup_parameter(&ty).map_err(script)?;
    if ty.has_ticket() {
        let error = temporary("sandbox.operation_not_supported").with("operation_kind", "outbox message with tickets");
        return Err(CheckError(vec![error]));
    }
    Ok(())
}
