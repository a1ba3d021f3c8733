//! `/chains/main/blocks/<id>/…`: blocks, headers, metadata, operations.

use super::answer::Answer;
use super::block_id::BlockId;
use super::request::Request;
use super::{context, helpers};
use crate::block;
use crate::node::Node;
use crate::view::View;
use serde_json::{Map, Value, json};
use soru_tezos::block::{Block, BlockOperation};
use soru_tezos::codec::{Encode, HexBytes};
use soru_tezos::hash::BlockHash;
use soru_tezos::header::MonitoredHead;
use soru_tezos::receipt::Content;
use soru_tezos::scalar::Timestamp;
use std::sync::Arc;

/// Answers a path below a block.
pub fn answer(node: &Node, id: &str, path: &[&str], request: &Request) -> Answer {
    let Ok(id) = id.parse::<BlockId>() else {
        let reason = format!("Cannot parse block identifier: {id}");
        return Answer::bad_segment(&request.path, 4, &reason, "block_id");
    };
    let view = node.view();
    let block = match view.find(id) {
        Ok(Some(block)) => block,
        Ok(None) => return Answer::NotFound,
        Err(error) => return Answer::failure(error.to_string()),
    };
    match path {
        ["context", ..] | ["helpers", ..] | ["votes", ..] if block.level().0 == 0 => {
            // before the protocol is activated there is nothing to ask
            Answer::NotFound
        }
        [part @ ("context" | "helpers" | "votes"), rest @ ..] => {
            let ledger = match view.ledger_at(block::number(&block)) {
                Ok(ledger) => ledger,
                Err(error) => return Answer::failure(error.to_string()),
            };
            let answer = match *part {
                "context" => context::answer(&ledger, &block, rest, request),
                "helpers" => helpers::answer(node, &ledger, &block, rest, request),
                _ => context::votes(&ledger, &block, rest),
            };
            answer.in_names_of(ledger.protocol)
        }
        path => get(&view, &block, path, request),
    }
}

fn get(view: &View, block: &Arc<Block>, path: &[&str], request: &Request) -> Answer {
    let with_metadata = request.query("metadata") != Some("never");
    match path {
        [] => Answer::json(&whole(block, with_metadata)),
        ["hash"] => Answer::json(&block.hash),
        ["header"] => Answer::json(&header(block)),
        ["header", "shell"] => Answer::json(&block.header.shell),
        ["header", "raw"] => Answer::json(&HexBytes(block.header.to_bytes())),
        ["header", "protocol_data"] => {
            let mut data = object(&block.header.protocol_data);
            data.shift_insert(0, "protocol".to_owned(), json!(block.protocol));
            Answer::json(&data)
        }
        ["header", "protocol_data", "raw"] => Answer::json(&HexBytes(block.header.protocol_data.to_bytes())),
        ["metadata"] => Answer::found(block.metadata.as_ref()),
        ["protocols"] => {
            let next = block::next_protocol(block);
            // the reference answers the next protocol twice for the genesis block
            let protocol = if block.level().0 == 0 { next } else { block.protocol };
            Answer::json(&json!({"protocol": protocol, "next_protocol": next}))
        }
        ["resulting_context_hash"] => match view.ledger_at(block::number(block)) {
            Ok(ledger) => Answer::json(&ledger.context_hash()),
            Err(error) => Answer::failure(error.to_string()),
        },
        ["live_blocks"] => match view.live_blocks(block::number(block)) {
            Ok(mut hashes) => {
                hashes.sort_unstable();
                Answer::json(&hashes)
            }
            Err(error) => Answer::failure(error.to_string()),
        },
        ["operations", rest @ ..] => operations(block, rest, with_metadata),
        ["operation_hashes", rest @ ..] => hashes(block, rest),
        _ => Answer::NotFound,
    }
}

/// A block, with or without the receipts of its operations.
fn whole(block: &Block, with_metadata: bool) -> Block {
    let mut shown = block.clone();
    if !with_metadata {
        for operation in shown.operations.iter_mut().flatten() {
            *operation = without_receipts(operation);
        }
    }
    shown
}

fn without_receipts(operation: &BlockOperation) -> BlockOperation {
    let mut shown = operation.clone();
    for content in &mut shown.contents {
        if let Content::Manager(receipt) = content {
            receipt.metadata = None;
        }
    }
    shown
}

fn object(value: &impl serde::Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// The header with its protocol, chain and hash.
pub fn header(block: &Block) -> Value {
    let mut shown = Map::new();
    shown.insert("protocol".to_owned(), json!(block.protocol));
    shown.insert("chain_id".to_owned(), json!(block.chain_id));
    shown.insert("hash".to_owned(), json!(block.hash));
    shown.extend(object(&block.header));
    Value::Object(shown)
}

/// A block as the stream of heads tells it.
pub fn head_line(block: &Block) -> Value {
    let head = MonitoredHead {
        hash: block.hash,
        shell: block.header.shell.clone(),
        protocol_data: HexBytes(block.header.protocol_data.to_bytes()),
    };
    serde_json::to_value(head).unwrap_or_default()
}

/// An index in a path.
enum Index {
    At(usize),
    NotANumber,
}

fn index(text: &str) -> Index {
    text.parse().map_or(Index::NotANumber, Index::At)
}

fn not_an_index(text: &str) -> Answer {
    Answer::Bad(format!("Failed to parse argument '{text}': not a natural number"))
}

fn operations(block: &Block, path: &[&str], with_metadata: bool) -> Answer {
    let show = |operation: &BlockOperation| if with_metadata { operation.clone() } else { without_receipts(operation) };
    // the reference answers this, not 404, for what is not there
    let missing = || Answer::failure("Not_found");
    match path {
        [] => {
            Answer::json(&block.operations.iter().map(|pass| pass.iter().map(show).collect()).collect::<Vec<Vec<_>>>())
        }
        [pass] => match index(pass) {
            Index::NotANumber => not_an_index(pass),
            Index::At(at) => match block.operations.get(at) {
                Some(pass) => Answer::json(&pass.iter().map(show).collect::<Vec<_>>()),
                None => missing(),
            },
        },
        [pass, place] => match (index(pass), index(place)) {
            (Index::NotANumber, _) => not_an_index(pass),
            (_, Index::NotANumber) => not_an_index(place),
            (Index::At(pass), Index::At(at)) => match block.operations.get(pass).and_then(|pass| pass.get(at)) {
                Some(operation) => Answer::json(&show(operation)),
                None => missing(),
            },
        },
        _ => Answer::NotFound,
    }
}

fn hashes(block: &Block, path: &[&str]) -> Answer {
    let passes: Vec<Vec<_>> =
        block.operations.iter().map(|pass| pass.iter().map(|operation| operation.hash).collect()).collect();
    match path {
        [] => Answer::json(&passes),
        [pass] => match index(pass) {
            Index::NotANumber => not_an_index(pass),
            Index::At(at) => Answer::found(passes.get(at)),
        },
        [pass, place] => match (index(pass), index(place)) {
            (Index::NotANumber, _) => not_an_index(pass),
            (_, Index::NotANumber) => not_an_index(place),
            (Index::At(pass), Index::At(at)) => Answer::found(passes.get(pass).and_then(|pass| pass.get(at))),
        },
        _ => Answer::NotFound,
    }
}

/// `/chains/main/blocks`: hashes back from the given heads, or from the head.
pub fn list(node: &Node, request: &Request) -> Answer {
    const MAX_LENGTH: u32 = 10_000;
    let view = node.view();
    let length = match request.query("length").map(str::parse::<u32>) {
        None => 1,
        Some(Ok(length)) => length.min(MAX_LENGTH),
        Some(Err(_)) => return Answer::Bad("Failed to parse the query string: argument 'length'".to_owned()),
    };
    if let Some(min_date) = request.query("min_date") {
        let Ok(min) = min_date.parse::<Timestamp>() else {
            return Answer::Bad("Failed to parse the query string: argument 'min_date'".to_owned());
        };
        if view.head().header.shell.timestamp < min {
            return Answer::json(&json!([]));
        }
    }
    let mut lists = Vec::new();
    let mut heads = Vec::new();
    for text in request.query_all("head") {
        match text.parse::<BlockHash>() {
            Ok(hash) => heads.push(hash),
            Err(error) => return Answer::Bad(format!("Failed to parse the query string: argument 'head': {error}")),
        }
    }
    if heads.is_empty() {
        heads.push(view.head().hash);
    }
    for head in heads {
        match view.level_of(&head).and_then(|level| match level {
            Some(level) => view.hashes(level, length).map(Some),
            None => Ok(None),
        }) {
            Ok(Some(hashes)) => lists.push(hashes),
            Ok(None) => return Answer::NotFound,
            Err(error) => return Answer::failure(error.to_string()),
        }
    }
    Answer::json(&lists)
}
