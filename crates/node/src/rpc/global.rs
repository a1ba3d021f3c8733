//! `/global/…` besides blocks and streams (`spec/node.md` §6.2, R8–R12).

use super::reply::Reply;
use crate::node::Node;
use serde_json::{Value, json};

/// The last segments of the paths answered here.
pub(super) const NAMES: [&str; 5] =
    ["smart_rollup_address", "tezos_head", "tezos_level", "last_stored_commitment", "last_cemented_commitment"];

pub(super) fn answer(node: &Node, name: &str) -> Result<Reply, Reply> {
    let store = &node.store;
    match name {
        "tezos_head" => Reply::json(&store.head()?.map(|head| head.hash)),
        "tezos_level" => Reply::json(&store.head()?.map(|head| head.level)),
        "last_stored_commitment" => {
            let Some(head) = store.head()? else { return Reply::json(&Value::Null) };
            let hash = head.last_commitment();
            let commitment = store.commitment(&hash)?;
            Reply::json(&commitment.map(|commitment| json!({"commitment": commitment, "hash": hash})))
        }
        "last_cemented_commitment" => {
            let genesis = store.metadata().genesis_info;
            let (hash, level) = store.last_cemented()?.unwrap_or((genesis.commitment_hash, genesis.level));
            let mut answer = json!({"commitment_hash": hash, "level": level});
            if let Some(commitment) = store.commitment(&hash)? {
                answer["commitment"] = json!(commitment);
            }
            Reply::json(&answer)
        }
        _ => Reply::json(&store.metadata().rollup_address),
    }
}
