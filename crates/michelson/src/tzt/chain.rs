//! The little chain a unit test describes.

use super::{TztError, form};
use crate::context::{Chain, StoredScript};
use crate::error::Result as ScriptResult;
use crate::gas::Gas;
use crate::typecheck::Typer;
use crate::types::{Allow, Type};
use soru_tezos::contract::{Contract, Destination};
use soru_tezos::hash::{ChainId, ContractHash, OperationHash, ScriptExprHash, SmartRollupAddress};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::micheline::{Micheline, Prim};
use soru_tezos::number::{N, Z};
use soru_tezos::scalar::{Level, Mutez, Timestamp};
use std::collections::BTreeMap;

#[derive(Default)]
pub(super) struct TestChain {
    pub(super) now: Timestamp,
    pub(super) level: i32,
    pub(super) chain_id: Option<ChainId>,
    pub(super) min_block_time: u64,
    pub(super) total_voting_power: u64,
    pub(super) voting_power: BTreeMap<PublicKeyHash, u64>,
    pub(super) balance: Mutez,
    contracts: BTreeMap<ContractHash, TestContract>,
    rollups: BTreeMap<SmartRollupAddress, Micheline>,
    big_maps: BTreeMap<Z, TestBigMap>,
    addresses: Vec<Destination>,
    next_big_map: i64,
    nonce: u16,
    originated: i32,
}

struct TestContract {
    parameter: Micheline,
    storage_type: Micheline,
    storage: Micheline,
    views: Vec<Vec<Micheline>>,
}

impl Default for TestContract {
    fn default() -> Self {
        let unit = Micheline::word(Prim::unit);
        TestContract { parameter: unit.clone(), storage_type: unit, storage: Micheline::unit(), views: Vec::new() }
    }
}

struct TestBigMap {
    key: Micheline,
    value: Micheline,
    entries: BTreeMap<ScriptExprHash, Micheline>,
}

impl TestChain {
    pub(super) fn add_contract(&mut self, address: Destination, ty: Micheline) -> Result<(), TztError> {
        match address {
            Destination::Contract(Contract::Originated(hash)) => {
                self.contracts.entry(hash).or_default().parameter = ty;
            }
            Destination::SmartRollup(rollup) => {
                self.rollups.insert(rollup, ty);
            }
            Destination::Contract(Contract::Implicit(_)) => {
                return Err(form("an implicit account has no parameter type"));
            }
        }
        Ok(())
    }

    pub(super) fn set_storage(&mut self, address: ContractHash, ty: Micheline, value: Micheline) {
        let contract = self.contracts.entry(address).or_default();
        contract.storage_type = ty;
        contract.storage = value;
    }

    pub(super) fn add_view(&mut self, address: ContractHash, parts: Vec<Micheline>) {
        self.contracts.entry(address).or_default().views.push(parts);
    }

    pub(super) fn add_big_map(
        &mut self,
        id: Z,
        key: Micheline,
        value: Micheline,
        entries: &Micheline,
    ) -> ScriptResult<()> {
        let mut hashes = BTreeMap::new();
        let mut gas = Gas::unlimited();
        let mut typer = Typer::new(self, &mut gas);
        let key_type = Type::of(&key, Allow::ANY)?;
        if let Micheline::Seq(items) = entries {
            for item in items {
                if let Some((Prim::Elt, [key, value])) = item.as_prim() {
                    let key = typer.parse_data(key, &key_type, false)?;
                    hashes.insert(typer.key_hash(&key, &key_type)?, value.clone());
                }
            }
        }
        self.big_maps.insert(id, TestBigMap { key, value, entries: hashes });
        Ok(())
    }
}

impl Chain for TestChain {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn level(&self) -> Level {
        Level(self.level)
    }

    fn chain_id(&self) -> ChainId {
        self.chain_id.unwrap_or(ChainId::ZERO)
    }

    fn min_block_time(&self) -> u64 {
        self.min_block_time
    }

    fn total_voting_power(&self) -> u64 {
        self.total_voting_power
    }

    fn voting_power(&self, delegate: &PublicKeyHash) -> u64 {
        self.voting_power.get(delegate).copied().unwrap_or(0)
    }

    fn balance(&self, _: &ContractHash) -> Mutez {
        self.balance
    }

    fn script(&self, contract: &ContractHash) -> Option<StoredScript> {
        let contract = self.contracts.get(contract)?;
        let section = |prim, content: &Micheline| Micheline::prim(prim, vec![content.clone()]);
        let body = [Micheline::word(Prim::CDR), Micheline::prim(Prim::NIL, vec![Micheline::word(Prim::operation)])];
        let body = Micheline::Seq(body.into_iter().chain([Micheline::word(Prim::PAIR)]).collect());
        let mut code = vec![
            section(Prim::parameter, &contract.parameter),
            section(Prim::storage, &contract.storage_type),
            section(Prim::code, &body),
        ];
        code.extend(contract.views.iter().map(|parts| Micheline::prim(Prim::view, parts.clone())));
        Some(StoredScript { code: Micheline::Seq(code), storage: contract.storage.clone() })
    }

    fn rollup_parameter(&self, rollup: &SmartRollupAddress) -> Option<Micheline> {
        self.rollups.get(rollup).cloned()
    }

    fn global_constant(&self, _: &ScriptExprHash) -> Option<Micheline> {
        None
    }

    fn big_map_types(&self, id: &Z) -> Option<(Micheline, Micheline)> {
        self.big_maps.get(id).map(|map| (map.key.clone(), map.value.clone()))
    }

    fn big_map_get(&self, id: &Z, key: &ScriptExprHash) -> Option<Micheline> {
        self.big_maps.get(id)?.entries.get(key).cloned()
    }

    fn big_map_size(&self, id: &Z) -> Option<i64> {
        self.big_maps.get(id).map(|_| 0)
    }

    fn address_index(&self, address: &Destination) -> Option<N> {
        self.addresses.iter().position(|other| other == address).map(|index| N::from(index as u64))
    }

    fn index_address(&mut self, address: &Destination) -> N {
        if let Some(index) = self.address_index(address) {
            return index;
        }
        self.addresses.push(*address);
        N::from(self.addresses.len() as u64 - 1)
    }

    fn fresh_big_map(&mut self, temporary: bool) -> Z {
        self.next_big_map += 1;
        Z::from(if temporary { -self.next_big_map } else { self.next_big_map })
    }

    fn fresh_nonce(&mut self) -> u16 {
        let nonce = self.nonce;
        self.nonce = nonce.wrapping_add(1);
        nonce
    }

    fn fresh_contract(&mut self) -> ContractHash {
        self.originated += 1;
        ContractHash::originated_by(&OperationHash::ZERO, self.originated - 1)
    }
}
