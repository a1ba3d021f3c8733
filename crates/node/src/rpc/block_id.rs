//! Names of blocks in paths: `head`, `finalized`, `cemented`, a level, a hash (`spec/node.md` §6.1).

use super::reply::Reply;
use crate::node::Node;
use crate::store::StoredBlock;
use soru_tezos::hash::BlockHash;
use soru_tezos::scalar::Level;

/// The block that `id` names.
pub(super) fn resolve(node: &Node, id: &str) -> Result<StoredBlock, Reply> {
    let store = &node.store;
    let level = match id {
        "head" => return store.head()?.ok_or_else(|| Reply::failure("No head")),
        "finalized" => match store.finalized_level()? {
            Some(level) => level,
            None => return Err(Reply::failure("No finalized block")),
        },
        "cemented" => store.last_cemented()?.map_or(store.metadata().genesis_info.level, |(_, level)| level),
        _ => match id.parse::<i32>() {
            Ok(level) => Level(level),
            Err(_) => {
                let hash: BlockHash = id
                    .parse()
                    .map_err(|_| Reply::bad_path(&format!("global/block/{id}"), "Cannot parse block id", "block_id"))?;
                return store.block(&hash)?.ok_or_else(|| {
                    Reply::exception(&format!(
                        "Could not load block directory for block {id}: \nError:\n  Block with hash {id} was not processed by this node.\n"
                    ))
                });
            }
        },
    };
    let first = store.first_available_level();
    if level < first {
        let place = format!("Could not load block directory for block {id}: ");
        let indent = " ".repeat(place.len() + 2);
        return Err(Reply::exception(&format!(
            "{place}Error:\n{indent}Attempting to access data for level {level}, which is before the first available level {first}\n"
        )));
    }
    store.block_of_level(level)?.ok_or_else(|| Reply::failure(&format!("Cannot retrieve hash of level {level}")))
}
