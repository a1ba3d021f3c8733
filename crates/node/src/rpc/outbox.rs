//! Outboxes: their messages, proofs of them, and what waits for execution (`spec/node.md` §4.11, §6.2 R27–R29, R37–R39).

use super::reply::Reply;
use super::{Arguments, block, shapes};
use crate::node::Node;
use crate::pipeline::{self, evaluation::decodable};
use crate::store::StoredBlock;
use serde_json::{Value, json};
use soru_pvm::output_proof::{OutputProofError, produce_output_proof};
use soru_tezos::codec::Decode;
use soru_tezos::rollup::OutboxMessage;
use soru_tezos::scalar::Level;

/// A level in a path.
pub(super) fn level_in_path(id: &str, before: &[&str], text: &str) -> Result<Level, Reply> {
    let path = format!("global/block/{id}/{}/{text}", before.join("/"));
    text.parse().map(Level).map_err(|_| Reply::bad_path(&path, "Cannot parse level", "level"))
}

/// The messages of a level's outbox in the state after a block.
pub(super) fn of_level(node: &Node, at: &StoredBlock, level: Level) -> Result<Reply, Reply> {
    if level > at.level {
        return Err(Reply::failure(&format!("Outbox level {level} is not known at level {}\n", at.level)));
    }
    let messages = block::machine(node, at)?.outbox(level)?;
    Reply::json(&shapes::outputs(level, decodable(&messages)))
}

/// The proof that a message is in the state of the last cemented commitment.
pub(super) fn proof(node: &Node, level: Level, arguments: &Arguments) -> Result<Reply, Reply> {
    let index = arguments.get("index").ok_or_else(|| Reply::bad_query("Query parameter index is required"))?;
    let index: u64 = index.parse().map_err(|_| Reply::bad_argument("index", index, "Cannot parse integer value"))?;
    let store = &node.store;
    let genesis = store.metadata().genesis_info;
    let (commitment, cemented) = store.last_cemented()?.unwrap_or((genesis.commitment_hash, genesis.level));
    if level > cemented {
        return Err(Reply::error(json!({
            "kind": "temporary",
            "id": "sc_rollup.node.outbox_level_not_cemented",
            "outbox_level": level,
            "lcc_level": cemented,
        })));
    }
    let block =
        store.block_of_level(cemented)?.filter(|block| block.commitment == Some(commitment)).ok_or_else(|| {
            Reply::failure(&format!("Cannot retrieve the state of commitment {commitment} at level {cemented}"))
        })?;
    let none = || {
        Reply::failure(&format!("No message at index {index} in outbox at level {level} registered in cemented state"))
    };
    // what is no outbox message cannot be executed: a proof of it would be of no use
    let message = block::machine(node, &block)?.get_output(level, index)?;
    message.filter(|message| OutboxMessage::from_bytes(message).is_ok()).ok_or_else(none)?;
    match produce_output_proof(&pipeline::state_tree(store, &block), level, index) {
        Ok(proof) => Reply::json(&json!({"commitment": commitment, "proof": hex::encode(proof)})),
        Err(OutputProofError::NoMessage { .. }) => Err(none()),
        Err(e) => Err(Reply::failure(&e.to_string())),
    }
}

/// Which messages are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filter {
    All,
    Executable,
    Unexecutable,
}

/// Messages not executed yet, by level, with what can be done about them.
pub(super) fn pending(node: &Node, filter: Filter, arguments: &Arguments) -> Result<Reply, Reply> {
    let wanted = match arguments.get("outbox_level") {
        None => None,
        Some(text) => {
            let level =
                text.parse().map_err(|_| Reply::bad_argument("outbox_level", text, "Cannot parse int32 value"))?;
            Some(Level(level))
        }
    };
    let store = &node.store;
    let genesis = store.metadata().genesis_info;
    let (_, cemented) = store.last_cemented()?.unwrap_or((genesis.commitment_hash, genesis.level));
    let active = node.current_constants().rollup.max_active_outbox_levels;
    let Some(head) = store.head()? else { return Reply::json(&Value::Array(vec![])) };
    let machine = block::machine(node, &head)?;
    let mut pending = vec![];
    let levels = match (filter, wanted) {
        (_, Some(wanted)) => wanted..=wanted,
        (Filter::All, None) => Level(0)..=head.level,
        (Filter::Executable, None) => cemented.before(active.saturating_sub(1))..=cemented,
        (Filter::Unexecutable, None) => cemented.after(1)..=head.level,
    };
    for (level, record) in store.pending_outboxes(levels)? {
        let status = match level {
            level if cemented.since(level) >= active => "lost",
            level if level <= cemented => "executable",
            _ => "pending",
        };
        let asked = match filter {
            Filter::All => true,
            Filter::Executable => status == "executable",
            Filter::Unexecutable => status == "pending",
        };
        if !asked {
            continue;
        }
        let known = decodable(&machine.outbox(level)?);
        let message = |index: u32| {
            let found = known.iter().find(|(known, _)| *known == index);
            match found {
                Some((_, message)) => json!({"message_index": index, "message": shapes::message_summary(message)}),
                None => json!({"message_index": index}),
            }
        };
        let messages: Vec<Value> = record.pending().map(message).collect();
        let mut entry = json!({"outbox_level": level, "messages": messages});
        if filter == Filter::All {
            entry["status"] = json!(status);
        }
        pending.push(entry);
    }
    Reply::json(&pending)
}
