//! `/chains/…` and the small services beside it: version, configuration, protocols.

use super::answer::Answer;
use super::request::Request;
use super::{block, chain_error, mempool, routes};
use crate::block::next_protocol;
use crate::error::SandboxError;
use crate::node::Node;
use serde::Deserialize;
use serde_json::json;
use soru_protocol::protocol::Protocol;
use soru_tezos::hash::ProtocolHash;

/// The name of the network: clients take a chain whose name contains `SANDBOXED` for a development one.
const CHAIN_NAME: &str = "SANDBOXED_TEZOS";

/// Answers everything that is neither a stream nor changes anything. The request is one of the table of routes.
pub fn answer(node: &Node, request: &Request) -> Answer {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["chains", chain, rest @ ..] => match chain_error(node, chain, request) {
            Some(error) => error,
            None => chain_answer(node, rest, request),
        },
        path => service(node, path),
    }
}

fn service(node: &Node, path: &[&str]) -> Answer {
    match path {
        ["openapi.json"] => Answer::json(&routes::document()),
        ["version"] => Answer::json(&json!({
            "version": {"major": 25, "minor": 1, "build": 0, "additional_info": "release"},
            "network_version": {"chain_name": CHAIN_NAME, "distributed_db_version": 2, "p2p_version": 1},
            "commit_info": {"commit_hash": "unknown", "commit_date": "not-available"},
        })),
        ["protocols"] => {
            let mut known: Vec<String> = Protocol::ALL.iter().map(|protocol| protocol.hash_text().to_owned()).collect();
            known.sort();
            Answer::json(&known)
        }
        ["config", "history_mode"] => Answer::json(&json!({"history_mode": "archive"})),
        ["config", "network", "user_activated_upgrades"] => {
            let upgrade = |(level, hash): &(u32, ProtocolHash)| json!({"level": level, "replacement_protocol": hash});
            Answer::json(&node.start().upgrades.iter().map(upgrade).collect::<Vec<_>>())
        }
        ["config", "network", "user_activated_protocol_overrides"]
        | ["network", "connections" | "peers" | "points"] => Answer::json(&json!([])),
        ["health"] => Answer::json(&json!({"healthy": true, "level": node.view().head().level()})),
        _ => Answer::NotFound,
    }
}

fn chain_answer(node: &Node, path: &[&str], request: &Request) -> Answer {
    match path {
        [] => match request.json() {
            Ok(Bootstrapped { .. }) => Answer::json(&json!({})),
            Err(answer) => answer,
        },
        ["blocks"] => block::list(node, request),
        ["blocks", id, rest @ ..] => block::answer(node, id, rest, request),
        ["mempool", rest @ ..] => mempool::answer(node, rest, request),
        ["chain_id"] => Answer::json(&node.chain_id()),
        ["is_bootstrapped"] => Answer::json(&json!({"bootstrapped": true, "sync_state": "synced"})),
        ["invalid_blocks"] => Answer::json(&json!([])),
        ["protocols"] => protocols(node).unwrap_or_else(|error| Answer::failure(error.to_string())),
        ["levels", name] => {
            let view = node.view();
            let level = if *name == "checkpoint" { view.checkpoint() } else { 0 };
            match view.block_at(level) {
                Ok(Some(block)) => Answer::json(&json!({"block_hash": block.hash, "level": block.level()})),
                Ok(None) => Answer::NotFound,
                Err(error) => Answer::failure(error.to_string()),
            }
        }
        _ => Answer::NotFound,
    }
}

#[derive(Deserialize)]
struct Bootstrapped {
    #[serde(rename = "bootstrapped")]
    _bootstrapped: bool,
}

/// The protocols of the chain so far, each with the block that activated it.
fn protocols(node: &Node) -> Result<Answer, SandboxError> {
    let view = node.view();
    let head = view.head_ledger()?;
    let first = Some(&0).into_iter().chain(Some(&1));
    let mut listed = Vec::new();
    for (proto, level) in
        first.copied().chain(head.upgrades.range(..=head.level.0).map(|(level, _)| *level)).enumerate()
    {
        if let Some(block) = view.block_at(level.unsigned_abs())? {
            let protocol = next_protocol(&block);
            let activation_block = json!([block.level(), block.hash]);
            listed.push(json!({"protocol": protocol, "proto_level": proto, "activation_block": activation_block}));
        }
    }
    Ok(Answer::json(&listed))
}
