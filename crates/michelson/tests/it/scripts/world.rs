//! A small layer 1 in memory for tests.

use soru_michelson::context::{Chain, StoredScript};
use soru_michelson::lazy::{BigMapDiff, BigMapUpdate, LazyStorageItem};
use soru_tezos::contract::Destination;
use soru_tezos::hash::{ChainId, ContractHash, OperationHash, ScriptExprHash, SmartRollupAddress};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::number::{N, Z};
use soru_tezos::scalar::{Level, Mutez, Timestamp};
use std::collections::{BTreeMap, HashMap};

#[derive(Clone)]
struct BigMap {
    types: (Micheline, Micheline),
    entries: HashMap<ScriptExprHash, Micheline>,
}

#[derive(Default)]
pub struct World {
    pub scripts: BTreeMap<ContractHash, StoredScript>,
    pub rollups: BTreeMap<SmartRollupAddress, Micheline>,
    pub constants: BTreeMap<ScriptExprHash, Micheline>,
    big_maps: BTreeMap<Z, BigMap>,
    next: i64,
    temporary: i64,
    nonce: u16,
    originated: i32,
}

impl World {
    /// Applies what an execution changed.
    pub fn apply(&mut self, diffs: &[LazyStorageItem]) {
        for item in diffs {
            let (map, updates): (BigMap, &[BigMapUpdate]) = match &item.diff {
                BigMapDiff::Remove => {
                    self.big_maps.remove(&item.id).unwrap();
                    continue;
                }
                BigMapDiff::Update { updates } => (self.big_maps[&item.id].clone(), updates),
                BigMapDiff::Copy { source, updates } => (self.big_maps[source].clone(), updates),
                BigMapDiff::Alloc { updates, key_type, value_type } => {
                    (BigMap { types: (key_type.clone(), value_type.clone()), entries: HashMap::new() }, updates)
                }
            };
            let mut map = map;
            for update in updates {
                match &update.value {
                    Some(value) => map.entries.insert(update.key_hash, value.clone()),
                    None => map.entries.remove(&update.key_hash),
                };
            }
            self.big_maps.insert(item.id.clone(), map);
        }
    }
}

impl Chain for World {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000)
    }
    fn level(&self) -> Level {
        Level(7)
    }
    fn chain_id(&self) -> ChainId {
        ChainId::ZERO
    }
    fn min_block_time(&self) -> u64 {
        1
    }
    fn total_voting_power(&self) -> u64 {
        0
    }
    fn voting_power(&self, _: &PublicKeyHash) -> u64 {
        0
    }
    fn balance(&self, _: &ContractHash) -> Mutez {
        Mutez(0)
    }
    fn script(&self, contract: &ContractHash) -> Option<StoredScript> {
        self.scripts.get(contract).cloned()
    }
    fn rollup_parameter(&self, rollup: &SmartRollupAddress) -> Option<Micheline> {
        self.rollups.get(rollup).cloned()
    }
    fn global_constant(&self, name: &ScriptExprHash) -> Option<Micheline> {
        self.constants.get(name).cloned()
    }
    fn big_map_types(&self, id: &Z) -> Option<(Micheline, Micheline)> {
        self.big_maps.get(id).map(|map| map.types.clone())
    }
    fn big_map_get(&self, id: &Z, key: &ScriptExprHash) -> Option<Micheline> {
        self.big_maps.get(id)?.entries.get(key).cloned()
    }
    fn big_map_size(&self, id: &Z) -> Option<i64> {
        self.big_maps.get(id).map(|_| 0)
    }
    fn address_index(&self, _: &Destination) -> Option<N> {
        None
    }
    fn index_address(&mut self, _: &Destination) -> N {
        N::from(0)
    }
    fn fresh_big_map(&mut self, temporary: bool) -> Z {
        let counter = if temporary { &mut self.temporary } else { &mut self.next };
        *counter += 1;
        Z::from(if temporary { -*counter } else { *counter - 1 })
    }
    fn fresh_nonce(&mut self) -> u16 {
        self.nonce += 1;
        self.nonce - 1
    }
    fn fresh_contract(&mut self) -> ContractHash {
        self.originated += 1;
        ContractHash::originated_by(&OperationHash::ZERO, self.originated - 1)
    }
}
