//! Operations on smart rollups: the rules are those of `soru-protocol`; here they meet accounts, contracts, the inbox and
//! the PVM (`spec/protocol.md` §2.3, §3–6).

use super::content::{Outcome, Run};
use super::errors::{permanent, script_trace, unsupported};
use super::tickets::shown;
use num_bigint::BigInt;
use soru_michelson::context::TicketToken;
use soru_michelson::types::check_rollup_parameter;
use soru_protocol::constants::Parametric;
use soru_protocol::gas::{self, Work};
use soru_protocol::inbox::{MessageError, serialize};
use soru_protocol::pvm::{GenesisError, genesis_state};
use soru_protocol::rollup::{Origination, origination_size};
use soru_protocol::{Env, Protocol, Rollup, RollupError};
use soru_tezos::contract::{Contract, Destination};
use soru_tezos::hash::SmartRollupAddress;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::number::N;
use soru_tezos::operation::{AddMessages, Originate, Publish, RecoverBond};
use soru_tezos::receipt::{
    Applied, Balance, BalanceUpdate, CementResult, GasResult, OriginateResult, PublishResult, RecoverBondResult,
    RollupTransactionResult, TicketAccountUpdate, TicketUpdate,
};
use soru_tezos::rollup::{InboxMessage, InternalMessage, Transfer};
use soru_tezos::rpc_error::{TezosError, Trace};
use soru_tezos::scalar::{Level, Mutez, Nat};

pub(super) fn refused(error: RollupError) -> Trace {
    // ids carry the name of the newest protocol until the trace leaves the ledger
    error.trace(Protocol::Ushuaia)
}

/// What the rules have to know of a block at `level`.
pub fn env(protocol: Protocol, constants: &Parametric, level: Level) -> Env<'_> {
    Env { protocol, level, constants: &constants.rollup, past_periods: &[] }
}

impl Run<'_> {
    pub(super) fn rollup(&self, address: &SmartRollupAddress) -> Result<Rollup, Trace> {
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
        let env = env(self.ledger.protocol, &constants, self.block.level);
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
        let genesis_state =
            genesis_state(self.ledger.protocol, originate.pvm_kind, kernel).map_err(|error| match error {
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
        let env = env(self.ledger.protocol, &constants, self.block.level);
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
