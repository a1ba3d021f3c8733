//! Contracts: creating them, calling them, and what their scripts see of the chain.

use super::apply::{BlockContext, Nonces};
use super::content::{Emitted, Outcome, Run};
use super::errors::{non_existing_contract, script_trace};
use super::{BigMap, BigMapEntry, BigMapKey, ContractState, Ledger};
use soru_michelson::context::{InternalKind, InternalOperation, StoredScript, TicketToken};
use soru_michelson::gas::Gas;
use soru_michelson::lazy::{self, BigMapDiff, BigMapUpdate, LazyStorageItem};
use soru_michelson::run::{Originated, originate_emitted};
use soru_michelson::{Call, Chain};
use soru_tezos::codec::Encode;
use soru_tezos::contract::{Contract, Destination, Entrypoint};
use soru_tezos::hash::{ChainId, ContractHash, ScriptExprHash, SmartRollupAddress};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::number::{N, Z};
use soru_tezos::operation::{Origination, Parameters, Script};
use soru_tezos::receipt::{Applied, Event, InternalBody, InternalTransaction, OriginationResult, TransactionResult};
use soru_tezos::rpc_error::Trace;
use soru_tezos::scalar::{Level, Milligas, Mutez, Nat, Timestamp};
use std::sync::Arc;

/// The chain as a script sees it.
pub struct ScriptChain<'a> {
    /// The ledger.
    pub ledger: &'a mut Ledger,
    /// The block being made.
    pub block: &'a BlockContext,
    /// Numbers to give out.
    pub(super) nonces: &'a mut Nonces,
}

fn id_of(id: &Z) -> Option<i64> {
    i64::try_from(&id.0).ok()
}

impl Chain for ScriptChain<'_> {
    fn now(&self) -> Timestamp {
        self.block.predecessor_timestamp.plus(i64::try_from(self.min_block_time()).unwrap_or(i64::MAX))
    }

    fn level(&self) -> Level {
        self.block.level
    }

    fn chain_id(&self) -> ChainId {
        self.block.chain_id
    }

    fn min_block_time(&self) -> u64 {
        self.ledger.constants.minimal_block_delay.0
    }

    fn total_voting_power(&self) -> u64 {
        let delegates = self.ledger.accounts.iter().filter(|(hash, account)| account.delegate == Some(**hash));
        delegates.fold(0, |sum, (_, account)| sum.saturating_add(account.balance.0))
    }

    fn voting_power(&self, delegate: &PublicKeyHash) -> u64 {
        let account = self.ledger.accounts.get(delegate).filter(|account| account.delegate == Some(*delegate));
        account.map_or(0, |account| account.balance.0)
    }

    fn balance(&self, contract: &ContractHash) -> Mutez {
        self.ledger.balance(&Contract::Originated(*contract))
    }

    fn script(&self, contract: &ContractHash) -> Option<StoredScript> {
        let found = self.ledger.contracts.get(contract)?;
        Some(StoredScript { code: found.code.as_ref().clone(), storage: found.storage.as_ref().clone() })
    }

    fn rollup_parameter(&self, rollup: &SmartRollupAddress) -> Option<Micheline> {
        self.ledger.rollups.get(rollup).map(|rollup| rollup.parameters_type.clone())
    }

    fn global_constant(&self, name: &ScriptExprHash) -> Option<Micheline> {
        self.ledger.global_constant(name)
    }

    fn big_map_types(&self, id: &Z) -> Option<(Micheline, Micheline)> {
        let map = self.ledger.big_maps.get(&id_of(id)?)?;
        Some((map.key_type.clone(), map.value_type.clone()))
    }

    fn big_map_get(&self, id: &Z, key: &ScriptExprHash) -> Option<Micheline> {
        self.ledger.big_map_entries.get(&BigMapKey(id_of(id)?, *key)).map(|entry| entry.value.clone())
    }

    fn big_map_size(&self, id: &Z) -> Option<i64> {
        self.ledger.big_maps.get(&id_of(id)?).map(|map| map.size)
    }

    fn address_index(&self, address: &Destination) -> Option<N> {
        self.ledger.addresses.get(address).map(|index| N::from(*index))
    }

    fn index_address(&mut self, address: &Destination) -> N {
        let next = self.ledger.addresses.len() as u64;
        N::from(*self.ledger.addresses.entry(*address).or_insert(next))
    }

    fn fresh_big_map(&mut self, temporary: bool) -> Z {
        if temporary {
            self.nonces.temporary -= 1;
            Z::from(self.nonces.temporary)
        } else {
            let id = self.ledger.next_big_map;
            self.ledger.next_big_map = id.saturating_add(1);
            Z::from(id)
        }
    }

    fn fresh_nonce(&mut self) -> u16 {
        self.nonces.next_internal()
    }

    fn fresh_contract(&mut self) -> ContractHash {
        let index = self.nonces.next_origination();
        ContractHash::originated_by(&self.nonces.operation, index)
    }
}

/// Bytes of an expression as it is stored, behind its length.
fn stored_size(expression: &Micheline) -> i64 {
    i64::try_from(expression.to_bytes().len().saturating_add(4)).unwrap_or(i64::MAX)
}

impl Run<'_> {
    pub(super) fn chain(&mut self) -> ScriptChain<'_> {
        ScriptChain { ledger: self.ledger, block: self.block, nonces: self.nonces }
    }

    /// A call of a contract, after the tez that come with it. `tickets` came with the argument.
    pub(super) fn call_contract(
        &mut self,
        sender: Destination,
        amount: Mutez,
        contract: ContractHash,
        parameters: &Parameters,
        tickets: &[(TicketToken, N)],
        internal: bool,
    ) -> Outcome {
        let destination = Contract::Originated(contract);
        if !self.ledger.contracts.contains_key(&contract) {
            return Err(non_existing_contract(&destination));
        }
        let balance_updates = self.move_tez(sender, &destination, amount)?;
        let call = Call {
            contract,
            sender,
            source: self.payer,
            amount,
            entrypoint: parameters.entrypoint.clone(),
            parameter: parameters.value.clone(),
            internal,
        };
        let first_origination = self.nonces.origination;
        let mut gas = Gas::new(self.gas.left().0);
        let executed = soru_michelson::execute(&mut self.chain(), &call, &mut gas);
        self.gas.consume(Milligas(gas.used()))?;
        let executed = executed.map_err(|error| script_trace(&error))?;
        let originated_contracts = (first_origination..self.nonces.origination)
            .map(|index| ContractHash::originated_by(&self.nonces.operation, index))
            .collect();

        let growth = lazy::paid_growth(&self.chain(), &executed.lazy_storage_diff);
        self.apply_big_maps(&executed.lazy_storage_diff);
        let (storage_size, contract_paid) = self.store(&contract, &executed.storage, growth);
        let emitted: Vec<Emitted> = executed.operations.into_iter().map(Emitted::from).collect();
        let (ticket_updates, tickets_paid) =
            self.account_tickets(contract, &executed.ticket_diff, tickets, &emitted)?;
        let shown: Vec<&LazyStorageItem> = executed.lazy_storage_diff.iter().collect();
        let result = TransactionResult {
            storage: Some(executed.storage),
            balance_updates,
            ticket_updates,
            originated_contracts,
            storage_size: Nat(storage_size),
            paid_storage_size_diff: Nat(contract_paid.saturating_add(tickets_paid)),
            lazy_storage_diff: (!shown.is_empty()).then(|| serde_json::to_value(&shown).unwrap_or_default()),
            ..Default::default()
        };
        Ok((Applied::Transaction(result), emitted))
    }

    /// Writes a contract's storage. Gives the size of all it stores, and the bytes that are not paid for yet.
    fn store(&mut self, contract: &ContractHash, storage: &Micheline, big_map_growth: i64) -> (u64, u64) {
        let Some(found) = self.ledger.contracts.get_mut(contract) else { return (0, 0) };
        let growth = stored_size(storage) - stored_size(&found.storage) + big_map_growth;
        found.storage = Arc::new(storage.clone());
        found.used_space = found.used_space.saturating_add_signed(growth);
        let unpaid = found.used_space.saturating_sub(found.paid_space);
        found.paid_space = found.paid_space.max(found.used_space);
        (found.used_space, unpaid)
    }

    fn apply_big_maps(&mut self, changes: &[LazyStorageItem]) {
        for change in changes {
            let Some(id) = id_of(&change.id) else { continue };
            match &change.diff {
                BigMapDiff::Remove => self.ledger.remove_big_map(id),
                BigMapDiff::Alloc { updates, key_type, value_type } => {
                    let (key_type, value_type) = (key_type.clone(), value_type.clone());
                    self.ledger.big_maps.insert(id, BigMap { key_type, value_type, size: 0 });
                    self.update_big_map(id, updates);
                }
                BigMapDiff::Copy { source, updates } => {
                    if let Some(source) = id_of(source) {
                        self.ledger.copy_big_map(source, id);
                    }
                    self.update_big_map(id, updates);
                }
                BigMapDiff::Update { updates } => self.update_big_map(id, updates),
            }
        }
    }

    fn update_big_map(&mut self, id: i64, updates: &[BigMapUpdate]) {
        let size = |value: &Micheline| lazy::KEY_SIZE + i64::try_from(value.to_bytes().len()).unwrap_or(i64::MAX);
        let mut growth = 0;
        for update in updates {
            let key = BigMapKey(id, update.key_hash);
            let old = match &update.value {
                Some(value) => {
                    growth += size(value);
                    self.ledger
                        .big_map_entries
                        .insert(key, BigMapEntry { key: update.key.clone(), value: value.clone() })
                }
                None => self.ledger.big_map_entries.remove(&key),
            };
            growth -= old.map_or(0, |entry| size(&entry.value));
        }
        if let Some(map) = self.ledger.big_maps.get_mut(&id) {
            map.size += growth;
        }
    }

    /// An origination by an account.
    pub(super) fn origination(&mut self, source: &Contract, origination: &Origination) -> Outcome {
        self.check_delegate(origination)?;
        let mut gas = Gas::new(self.gas.left().0);
        let Script { code, storage } = &origination.script;
        let checked = soru_michelson::originate(&mut self.chain(), code, storage, &mut gas);
        self.gas.consume(Milligas(gas.used()))?;
        let checked = checked.map_err(|error| script_trace(&error))?;
        let contract = self.chain().fresh_contract();
        let result = self.create((*source).into(), contract, origination, checked)?;
        Ok((Applied::Origination(result), Vec::new()))
    }

    /// An origination by a contract, whose address was given when it was emitted.
    pub(super) fn internal_origination(&mut self, source: Destination, emitted: &Emitted) -> Outcome {
        let (InternalBody::Origination(origination), Some(contract)) = (&emitted.body, emitted.contract) else {
            return Err(super::errors::unsupported(emitted.body.kind()));
        };
        self.check_delegate(origination)?;
        let mut gas = Gas::new(self.gas.left().0);
        let Script { code, storage } = &origination.script;
        let checked = originate_emitted(&mut self.chain(), code, storage, &mut gas);
        self.gas.consume(Milligas(gas.used()))?;
        let checked = checked.map_err(|error| script_trace(&error))?;
        let result = self.create(source, contract, origination, checked)?;
        Ok((Applied::Origination(result), Vec::new()))
    }

    fn check_delegate(&self, origination: &Origination) -> Result<(), Trace> {
        match &origination.delegate {
            Some(delegate) if !self.ledger.is_delegate(delegate) => Err(super::errors::unregistered_delegate(delegate)),
            _ => Ok(()),
        }
    }

    fn create(
        &mut self,
        source: Destination,
        contract: ContractHash,
        origination: &Origination,
        checked: Originated,
    ) -> Result<OriginationResult, Trace> {
        self.gas.consume(super::gas::ORIGINATION)?;
        let shown = &checked.lazy_storage_diff;
        let lazy_storage_diff = (!shown.is_empty()).then(|| serde_json::to_value(shown).unwrap_or_default());
        let growth = lazy::paid_growth(&self.chain(), shown);
        self.apply_big_maps(shown);
        let size = stored_size(&checked.code).saturating_add(stored_size(&checked.storage)).saturating_add(growth);
        let size = u64::try_from(size).unwrap_or(0);
        let state = ContractState {
            balance: Mutez(0),
            delegate: origination.delegate,
            code: Arc::new(checked.code),
            storage: Arc::new(checked.storage),
            used_space: size,
            paid_space: size,
        };
        self.ledger.contracts.insert(contract, state);
        let balance_updates = self.move_tez(source, &Contract::Originated(contract), origination.balance)?;
        Ok(OriginationResult {
            balance_updates,
            originated_contracts: vec![contract],
            storage_size: Nat(size),
            paid_storage_size_diff: Nat(size),
            lazy_storage_diff,
            ..Default::default()
        })
    }
}

impl From<InternalOperation> for Emitted {
    fn from(operation: InternalOperation) -> Self {
        let source = Destination::Contract(Contract::Originated(operation.source));
        let (body, tickets, contract) = match operation.kind {
            InternalKind::Transaction { amount, destination, entrypoint, parameter, tickets, .. } => {
                let parameters = Parameters { entrypoint, value: parameter };
                (InternalBody::Transaction(InternalTransaction { amount, destination, parameters }), tickets, None)
            }
            InternalKind::Origination { balance, delegate, code, storage, contract, tickets } => {
                let script = Script { code, storage };
                (InternalBody::Origination(Origination { balance, delegate, script }), tickets, Some(contract))
            }
            InternalKind::Delegation { delegate } => {
                (InternalBody::Delegation(soru_tezos::operation::Delegation { delegate }), Vec::new(), None)
            }
            InternalKind::Event { ty, tag, payload } => {
                let tag = Some(tag).filter(|tag: &Entrypoint| !tag.is_default());
                (InternalBody::Event(Event { ty, tag, payload: Some(payload) }), Vec::new(), None)
            }
        };
        Emitted { source, nonce: operation.nonce, body, declared: None, tickets, contract }
    }
}
