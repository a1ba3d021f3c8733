//! `/chains/…` and the small services beside it: version, configuration, protocols.

use super::answer::Answer;
use super::request::Request;
use super::{block, chain_error, mempool};
use crate::node::Node;
use serde_json::json;
use soru_protocol::protocol::Protocol;

/// The name of the network: clients take a chain whose name contains `SANDBOXED` for a development one.
const CHAIN_NAME: &str = "SANDBOXED_TEZOS";

/// Answers everything that is neither a stream nor changes anything.
pub fn answer(node: &Node, request: &Request) -> Answer {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["chains", chain, rest @ ..] => match chain_error(node, chain, request) {
            Some(error) => error,
            None => chain_answer(node, rest, request),
        },
        [] => Answer::NotFound,
        _ if !request.is_get() => match service(node, &path) {
            Answer::NotFound => Answer::NotFound,
            _ => Answer::Method("GET"),
        },
        path => service(node, path),
    }
}

fn service(node: &Node, path: &[&str]) -> Answer {
    match path {
        ["version"] => Answer::json(&json!({
            "version": {"major": 25, "minor": 1, "build": 0, "additional_info": "release"},
            "network_version": {"chain_name": CHAIN_NAME, "distributed_db_version": 2, "p2p_version": 1},
            "commit_info": null,
        })),
        ["protocols"] => {
            let mut known: Vec<String> = Protocol::ALL.iter().map(|protocol| protocol.hash_text().to_owned()).collect();
            known.sort();
            Answer::json(&known)
        }
        ["config", "history_mode"] => Answer::json(&json!({"history_mode": "archive"})),
        ["config", "network", "user_activated_upgrades" | "user_activated_protocol_overrides"]
        | ["network", "connections" | "peers" | "points"] => Answer::json(&json!([])),
        ["health"] => Answer::json(&json!({"healthy": true, "level": node.view().head().level()})),
        _ => Answer::NotFound,
    }
}

fn chain_answer(node: &Node, path: &[&str], request: &Request) -> Answer {
    let get = request.is_get();
    match path {
        [] => Answer::Method("PATCH"),
        ["blocks", id, rest @ ..] => block::answer(node, id, rest, request),
        ["mempool", rest @ ..] => mempool::answer(node, rest, request),
        ["chain_id" | "is_bootstrapped" | "invalid_blocks" | "blocks" | "protocols"] | ["levels", _] if !get => {
            Answer::Method("GET")
        }
        ["chain_id"] => Answer::json(&node.chain_id()),
        ["is_bootstrapped"] => Answer::json(&json!({"bootstrapped": true, "sync_state": "synced"})),
        ["invalid_blocks"] => Answer::json(&json!([])),
        ["blocks"] => block::list(node, request),
        ["levels", name @ ("checkpoint" | "savepoint" | "caboose")] => {
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
