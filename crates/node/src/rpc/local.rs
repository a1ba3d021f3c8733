//! `/local/…`: what this node knows beyond what all nodes agree on (`spec/node.md` §6.2, R35–R40).

use super::Arguments;
use super::outbox;
use super::reply::Reply;
use super::shapes::CommitmentInfo;
use crate::node::Node;
use crate::refutation::{GameRecord, journal};
use serde_json::{Value, json};
use soru_tezos::hash::CommitmentHash;

pub(super) fn answer(node: &Node, rest: &[&str], arguments: &Arguments) -> Result<Reply, Reply> {
    match rest {
        ["last_published_commitment"] => match node.store.last_published()? {
            Some((hash, _)) => commitment(node, &hash),
            None => Reply::json(&Value::Null),
        },
        ["commitments", text] => {
            let hash: CommitmentHash = text.parse().map_err(|_| {
                Reply::bad_path(&format!("local/commitments/{text}"), "Invalid commitment hash", "commitment_hash")
            })?;
            commitment(node, &hash)
        }
        ["refutations"] => {
            let (running, past): (Vec<GameRecord>, _) =
                journal::of_store(&node.store)?.into_iter().partition(GameRecord::is_running);
            Reply::json(&json!({"running": running, "past": past}))
        }
        ["gc_info"] => gc_info(node),
        ["outbox", "pending"] => outbox::pending(node, outbox::Filter::All, arguments),
        ["outbox", "pending", "executable"] => outbox::pending(node, outbox::Filter::Executable, arguments),
        _ => outbox::pending(node, outbox::Filter::Unexecutable, arguments),
    }
}

fn gc_info(node: &Node) -> Result<Reply, Reply> {
    let collected = node.store.collected()?;
    let mut info = json!({"first_available_level": node.store.first_available_level()});
    if let Some(level) = collected.triggered_at {
        info["last_gc_level"] = json!(level);
    }
    if let Some(level) = collected.successful_target {
        info["last_successful_gc_target"] = json!(level);
    }
    Reply::json(&info)
}

fn commitment(node: &Node, hash: &CommitmentHash) -> Result<Reply, Reply> {
    let commitment = node.store.commitment(hash)?;
    let publication = node.store.publication(hash)?;
    Reply::json(&commitment.map(|commitment| CommitmentInfo::new(*hash, commitment, publication)))
}
