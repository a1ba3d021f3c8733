//! `/sandbox/…`: what a real layer 1 does not have: making blocks, moving the clock, snapshots, reorganisations, tez from
//! nowhere, other constants.

use super::answer::Answer;
use super::request::Request;
use crate::block;
use crate::ledger::Change;
use crate::node::{ControlError, Node};
use serde::Deserialize;
use serde_json::{Value, json};
use soru_tezos::block::Block;
use soru_tezos::contract::Contract;
use soru_tezos::scalar::{Mutez, Timestamp};
use std::sync::Arc;

/// Most blocks made by one request.
const MAX_BLOCKS: u32 = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bake {
    #[serde(default = "one")]
    blocks: u32,
}

fn one() -> u32 {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Time {
    #[serde(default)]
    advance: Option<u64>,
    #[serde(default)]
    set: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Revert {
    id: u32,
}

#[derive(Deserialize, Default, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Operations {
    #[default]
    Keep,
    Drop,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reorg {
    depth: u32,
    #[serde(default)]
    operations: Operations,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fund {
    account: Contract,
    amount: Mutez,
}

/// What is answered by a service, or why it did nothing.
type Done = Result<Value, ControlError>;

/// Answers a path below `/sandbox`. Blocks are made on a thread of their own.
pub async fn answer(node: &Arc<Node>, request: Request) -> Answer {
    let node = node.clone();
    let work = tokio::task::spawn_blocking(move || {
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        let done = match (path.as_slice(), request.is_get()) {
            ([_, "bake"], _) => bake(&node, &request),
            ([_, "time"], true) => Ok(Ok(json!({"now": node.time()}))),
            ([_, "time"], false) => time(&node, &request),
            ([_, "snapshot"], true) => Ok(Ok(json!(node.snapshots()))),
            ([_, "snapshot"], false) => Ok(node.snapshot().map(|snapshot| json!(snapshot))),
            ([_, "revert"], _) => revert(&node, &request),
            ([_, "reorg"], _) => reorg(&node, &request),
            ([_, "fund"], _) => fund(&node, &request),
            ([_, "set-constants"], _) => set_constants(&node, &request),
            _ => return Answer::NotFound,
        };
        match done {
            Ok(Ok(value)) => Answer::json(&value),
            Ok(Err(error)) if error.is_refusal() => Answer::Bad(format!("{error}\n")),
            Ok(Err(error)) => Answer::failure(error.to_string()),
            Err(answer) => answer,
        }
    });
    work.await.unwrap_or_else(|error| Answer::failure(format!("the request could not be answered: {error}")))
}

fn reference(block: &Block) -> Value {
    json!({"hash": block.hash, "level": block::number(block)})
}

fn made(blocks: &[Arc<Block>]) -> Value {
    let hashes: Vec<_> = blocks.iter().map(|block| block.hash).collect();
    json!({"head": blocks.last().map(|block| reference(block)), "blocks": hashes})
}

fn bake(node: &Node, request: &Request) -> Result<Done, Answer> {
    let wanted = if request.body.is_empty() { Bake { blocks: 1 } } else { request.json()? };
    if wanted.blocks == 0 || wanted.blocks > MAX_BLOCKS {
        return Err(Answer::bad_body(format!("between 1 and {MAX_BLOCKS} blocks can be made at a time")));
    }
    let blocks: Result<Vec<_>, _> = (0..wanted.blocks).map(|_| node.bake()).collect();
    Ok(blocks.map(|blocks| made(&blocks)).map_err(ControlError::from))
}

fn time(node: &Node, request: &Request) -> Result<Done, Answer> {
    let done = match request.json()? {
        Time { advance: Some(seconds), set: None } => node.advance_time(seconds),
        Time { advance: None, set: Some(time) } => node.set_time(time),
        _ => {
            return Err(Answer::bad_body(
                "give either 'advance', in seconds, or 'set', a time like 2030-01-01T00:00:00Z",
            ));
        }
    };
    Ok(done.map(|now| json!({"now": now})))
}

fn revert(node: &Node, request: &Request) -> Result<Done, Answer> {
    let Revert { id } = request.json()?;
    Ok(node.revert(id).map(|head| json!({"head": reference(&head)})))
}

fn reorg(node: &Node, request: &Request) -> Result<Done, Answer> {
    let Reorg { depth, operations } = request.json()?;
    if depth > MAX_BLOCKS {
        return Err(Answer::bad_body(format!("between 1 and {MAX_BLOCKS} blocks can be replaced at a time")));
    }
    Ok(node.reorganize(depth, operations == Operations::Keep).map(|blocks| made(&blocks)))
}

fn fund(node: &Node, request: &Request) -> Result<Done, Answer> {
    let Fund { account, amount } = request.json()?;
    if amount == Mutez(0) {
        return Err(Answer::bad_body("the amount is 0"));
    }
    let done = node.change(Change::Fund { account, amount }).and_then(|head| {
        let balance = node.view().ledger_at(block::number(&head))?.balance(&account);
        Ok(json!({"head": reference(&head), "balance": balance}))
    });
    Ok(done)
}

fn set_constants(node: &Node, request: &Request) -> Result<Done, Answer> {
    let constants: Value = request.json()?;
    if constants.as_object().is_none_or(serde_json::Map::is_empty) {
        return Err(Answer::bad_body("give an object of constants by their names in /context/constants"));
    }
    Ok(node.change(Change::Constants(constants)).map(|head| json!({"head": reference(&head)})))
}
