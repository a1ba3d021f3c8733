//! `/global/block/<id>` and below (`spec/node.md` §6.2, R15–R34).

use super::reply::Reply;
use super::{Arguments, block_id, durable, outbox, shapes};
use crate::node::Node;
use crate::pipeline::{self, evaluation::decodable};
use crate::store::StoredBlock;
use serde_json::json;
use soru_pvm::Pvm;
use soru_tezos::scalar::Level;
use std::time::{SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::macros::format_description;

/// Whether a path below a block exists.
pub(super) fn known(rest: &[&str]) -> bool {
    matches!(
        rest,
        [] | ["hash"
            | "level"
            | "inbox"
            | "ticks"
            | "total_ticks"
            | "num_messages"
            | "state_hash"
            | "state_current_level"
            | "state"
            | "status"
            | "committed_status"
            | "outbox"]
            | ["outbox", _, "messages"]
            | ["helpers", "proofs", "outbox", _, "messages"]
            | ["durable", "wasm_2_0_0", "value" | "length" | "subkeys" | "values"]
    )
}

pub(super) fn answer(node: &Node, id: &str, rest: &[&str], arguments: &Arguments) -> Result<Reply, Reply> {
    // the hash of a level that is being processed is known before the rest of it
    let block = block_id::resolve(node, id)?;
    match rest {
        [] => whole(node, &block, arguments),
        ["hash"] => Reply::json(&block.hash),
        ["level"] => Reply::json(&block.level),
        ["inbox"] => Reply::json(&block.inbox),
        ["ticks"] => Reply::json(&block.ticks),
        ["total_ticks"] => Reply::json(&block.final_tick().0.to_string()),
        ["num_messages"] => Reply::json(&block.message_count.to_string()),
        ["state_hash"] => Reply::json(&block.state_hash),
        ["status"] => Reply::json(&block.status),
        ["state_current_level"] => {
            let last_input = machine(node, &block)?.info()?.last_input;
            Reply::json(&last_input.map(|place| place.level))
        }
        ["state"] => state(node, &block, arguments),
        ["committed_status"] => committed_status(node, &block),
        ["outbox"] => {
            let level = arguments
                .get("outbox_level")
                .ok_or_else(|| Reply::bad_query("Query parameter outbox_level is required"))?;
            let level =
                level.parse().map_err(|_| Reply::bad_argument("outbox_level", level, "Cannot parse int32 value"))?;
            outbox::of_level(node, &block, Level(level))
        }
        ["outbox", level, "messages"] => {
            let level = outbox::level_in_path(id, &["outbox"], level)?;
            outbox::of_level(node, &block, level)
        }
        ["helpers", "proofs", "outbox", level, "messages"] => {
            let level = outbox::level_in_path(id, &["helpers", "proofs", "outbox"], level)?;
            outbox::proof(node, level, arguments)
        }
        ["durable", "wasm_2_0_0", what] => durable::answer(&machine(node, &block)?, what, arguments),
        _ => Err(Reply::failure("no such service")),
    }
}

/// The machine after a block.
pub(super) fn machine(node: &Node, block: &StoredBlock) -> Result<Pvm, Reply> {
    Ok(pipeline::machine(&node.store, block)?)
}

fn whole(node: &Node, block: &StoredBlock, arguments: &Arguments) -> Result<Reply, Reply> {
    let with_outbox = super::switch(arguments, "outbox")?;
    let outbox = match with_outbox {
        true => Some(decodable(&machine(node, block)?.outbox(block.level)?)),
        false => None,
    };
    let messages = node.store.messages(&block.witness())?.unwrap_or_default();
    let commitment = match &block.commitment {
        Some(hash) => node.store.commitment(hash)?,
        None => None,
    };
    let content = shapes::Content { messages: &messages, commitment: commitment.as_ref(), outbox };
    Reply::json(&shapes::block(block, Some(content)))
}

/// A leaf of the state tree.
fn state(node: &Node, block: &StoredBlock, arguments: &Arguments) -> Result<Reply, Reply> {
    let key = arguments.get("key").map_or("", String::as_str);
    let steps: Vec<&str> = key.split('/').filter(|step| !step.is_empty()).collect();
    let leaf = pipeline::state_tree(&node.store, block).find(&steps).map_err(|e| Reply::failure(&e.to_string()))?;
    match leaf {
        Some(bytes) => Reply::json(&hex::encode(bytes)),
        None => Err(Reply::failure("No such key in PVM state")),
    }
}

/// How far a block is on its way to be cemented.
fn committed_status(node: &Node, block: &StoredBlock) -> Result<Reply, Reply> {
    let store = &node.store;
    let constants = node.current_constants();
    let head = store.head()?.ok_or_else(|| Reply::failure("No head"))?;
    let genesis = store.metadata().genesis_info;
    let (_, cemented) = store.last_cemented()?.unwrap_or((genesis.commitment_hash, genesis.level));
    let previous = store
        .commitment(&block.previous_commitment)?
        .ok_or_else(|| Reply::failure(&format!("Could not retrieve commitment {}", block.previous_commitment)))?;
    let commitment_level = previous.inbox_level.after(constants.rollup.commitment_period_in_blocks);
    let next = store.block_of_level(commitment_level)?.and_then(|block| block.commitment);
    let publication = match &next {
        Some(hash) => store.publication(hash)?.map(|publication| (*hash, publication)),
        None => None,
    };
    let window = constants.rollup.challenge_window_in_blocks;
    let delay = i64::try_from(constants.minimal_block_delay.0).unwrap_or(i64::MAX);
    let time_of = |level: Level| estimated_time(i64::from(level.since(head.level)).saturating_mul(delay));
    let status = match publication {
        Some((hash, publication)) if block.level <= cemented => json!({"cemented": {
            "commitment_hash": hash,
            "commitment_level": commitment_level,
            "first_published_level": publication.first,
            "published_level": publication.own,
            "blocks_since_cemented": cemented.since(block.level),
        }}),
        Some((hash, publication)) => json!({"committed": {
            "commitment_hash": hash,
            "commitment_level": commitment_level,
            "first_published_level": publication.first,
            "published_level": publication.own,
            "estimated_cementation_time": time_of(publication.first.after(window)),
        }}),
        None => json!({"uncommitted": {
            "commitment_level": commitment_level,
            "estimated_commitment_time": time_of(commitment_level.after(2)),
            "estimated_cementation_time": time_of(commitment_level.after(window)),
        }}),
    };
    Reply::json(&status)
}

/// So many seconds from now, as the reference prints times.
fn estimated_time(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs() as i64);
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].000-00:00");
    let time = OffsetDateTime::from_unix_timestamp(now.saturating_add(seconds)).ok();
    time.and_then(|time| time.format(format).ok()).unwrap_or_default()
}
