//! `/chains/main/mempool/…`: what waits for a block.

use super::answer::Answer;
use super::request::Request;
use crate::mempool::{MAX_BYTES, MAX_OPERATIONS};
use crate::node::Node;
use serde_json::json;
use soru_tezos::key::PublicKeyHash;

/// Answers a path below `mempool`. Streams are answered elsewhere.
pub fn answer(node: &Node, path: &[&str], request: &Request) -> Answer {
    match path {
        ["pending_operations"] => pending(node, request),
        ["filter"] => Answer::json(&json!({
            "minimal_fees": "100",
            "minimal_nanotez_per_gas_unit": ["100", "1"],
            "minimal_nanotez_per_byte": ["1000", "1"],
            "replace_by_fee_factor": ["21", "20"],
            "max_operations": MAX_OPERATIONS,
            "max_total_bytes": MAX_BYTES,
        })),
        _ => Answer::NotFound,
    }
}

fn pending(node: &Node, request: &Request) -> Answer {
    match request.query("version") {
        None | Some("2") => {}
        Some(other) => {
            return Answer::Bad(format!(
                "Failed to parse the query string: Failed to parse argument 'version' (\"{other}\"): Unsupported version {other} (supported versions  version \"2\" (default))"
            ));
        }
    }
    let source = match request.query("source").or(request.query("sources")).map(str::parse::<PublicKeyHash>) {
        None => None,
        Some(Ok(source)) => Some(source),
        Some(Err(error)) => {
            return Answer::Bad(format!("Failed to parse the query string: argument 'source': {error}"));
        }
    };
    let all_passes = request.query("validation_pass").is_none_or(|pass| pass == "3");
    Answer::json(&node.mempool().to_json(source.as_ref(), |class| all_passes && request.flag(class).unwrap_or(true)))
}
