//! What a request adds to the chain its script sees: contracts and big maps that are not there, another level or time.

use super::{TRIAL_GAS, script_error};
use crate::ledger::{BigMap, BigMapEntry, BigMapKey, BlockContext, Ledger, ScriptChain, with_script_chain};
use crate::rpc::answer::Answer;
use serde::Deserialize;
use soru_michelson::ScriptError;
use soru_michelson::context::StoredScript;
use soru_michelson::gas::Gas;
use soru_michelson::run;
use soru_tezos::codec::Encode;
use soru_tezos::hash::{ChainId, ContractHash};
use soru_tezos::micheline::{Micheline, Prim};
use soru_tezos::number::{N, Z};
use soru_tezos::scalar::{Level, Mutez, Timestamp};

/// The fields that most requests have.
#[derive(Deserialize, Default)]
pub(super) struct World {
    #[serde(default)]
    chain_id: Option<ChainId>,
    #[serde(default)]
    now: Option<Timestamp>,
    #[serde(default)]
    level: Option<N>,
    #[serde(default)]
    other_contracts: Option<Vec<OtherContract>>,
    #[serde(default, alias = "big_maps")]
    extra_big_maps: Option<Vec<ExtraBigMap>>,
}

#[derive(Deserialize)]
struct OtherContract {
    address: ContractHash,
    #[serde(rename = "type")]
    ty: Micheline,
}

#[derive(Deserialize)]
struct ExtraBigMap {
    id: Z,
    key_type: Micheline,
    val_type: Micheline,
    map_literal: Micheline,
}

impl World {
    /// Runs something on a copy of the chain with all that added.
    pub(super) fn run<T>(
        &self,
        ledger: &Ledger,
        block: &BlockContext,
        run: impl FnOnce(&mut ScriptChain<'_>) -> Result<T, ScriptError>,
    ) -> Result<T, Answer> {
        let mut block = block.clone();
        block.chain_id = self.chain_id.unwrap_or(block.chain_id);
        if let Some(level) = &self.level {
            let level = i32::try_from(&level.0).map_err(|_| Answer::bad_body("level: too large"))?;
            block.level = Level(level);
        }
        if let Some(now) = self.now {
            let delay = i64::try_from(ledger.constants.minimal_block_delay.0).unwrap_or(0);
            block.predecessor_timestamp = now.plus(-delay);
        }
        with_script_chain(ledger, &block, |chain| {
            self.build(chain)?;
            run(chain).map_err(script_error)
        })
    }

    fn build(&self, chain: &mut ScriptChain<'_>) -> Result<(), Answer> {
        for other in self.other_contracts.iter().flatten() {
            chain.place(other.address, Mutez(0), accepting(&other.ty));
        }
        for map in self.extra_big_maps.iter().flatten() {
            let id = i64::try_from(&map.id.0).map_err(|_| Answer::bad_body("extra_big_maps: id too large"))?;
            let mut gas = Gas::new(TRIAL_GAS);
            let entries = run::big_map_entries(chain, &map.key_type, &map.val_type, &map.map_literal, &mut gas);
            let (key_type, value_type) = (map.key_type.clone(), map.val_type.clone());
            let mut size = 0;
            for update in entries.map_err(script_error)? {
                let Some(value) = update.value else { continue };
                size += soru_michelson::lazy::KEY_SIZE + i64::try_from(value.to_bytes().len()).unwrap_or(0);
                let entry = BigMapEntry { key: update.key, value };
                chain.ledger.big_map_entries.insert(BigMapKey(id, update.key_hash), entry);
            }
            chain.ledger.big_maps.insert(id, BigMap { key_type, value_type, size });
        }
        Ok(())
    }
}

/// A script that takes values of a type, and that nobody runs.
fn accepting(ty: &Micheline) -> StoredScript {
    let of = |prim, arg: Micheline| Micheline::prim(prim, vec![arg]);
    let sections = vec![
        of(Prim::parameter, ty.clone()),
        of(Prim::storage, Micheline::word(Prim::unit)),
        of(Prim::code, Micheline::word(Prim::FAILWITH)),
    ];
    StoredScript { code: Micheline::Seq(sections), storage: Micheline::unit() }
}
