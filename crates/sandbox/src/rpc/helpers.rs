//! `/helpers/…` of a block: forging and parsing operations, simulating them, rights and levels.

use super::answer::Answer;
use super::request::Request;
use super::scripts;
use crate::block::{self, level_info};
use crate::ledger::{Application, Ledger, Signed};
use crate::make;
use crate::node::Node;
use crate::view::View;
use serde::Deserialize;
use serde_json::{Value, json};
use soru_tezos::block::Block;
use soru_tezos::codec::HexBytes;
use soru_tezos::hash::{BlockHash, ChainId, ProtocolHash};
use soru_tezos::operation::{ManagerOperation, Operation};
use soru_tezos::receipt::{Content, SimulationResult};
use soru_tezos::rpc_error::Trace;
use soru_tezos::scalar::Level;

/// Answers a path below `helpers`.
pub fn answer(node: &Node, view: &View, block: &Block, path: &[&str], request: &Request) -> Answer {
    if block.level().0 == 0 {
        return Answer::NotFound;
    }
    let ledger = match view.ledger_at(block::number(block)) {
        Ok(ledger) => ledger,
        Err(error) => return Answer::failure(error.to_string()),
    };
    let posted = match path {
        ["forge", "operations"] => Some(forge as fn(&Job<'_>) -> Result<Answer, Answer>),
        ["parse", "operations"] => Some(parse as fn(&Job<'_>) -> Result<Answer, Answer>),
        ["preapply", "operations"] => Some(preapply as fn(&Job<'_>) -> Result<Answer, Answer>),
        ["scripts", "run_operation" | "simulate_operation"] => Some(simulate as fn(&Job<'_>) -> Result<Answer, Answer>),
        _ => None,
    };
    if let Some(run) = posted {
        if !request.is_post() {
            return Answer::Method("POST");
        }
        let job = Job { node, block, ledger: &ledger, request };
        return run(&job).unwrap_or_else(|refusal| refusal);
    }
    match path {
        ["scripts", rest @ ..] => {
            let timestamp = make::next_timestamp(block, crate::node::now());
            let context = make::context_after(block, timestamp, node.baker().address());
            return scripts::answer(&ledger, &context, rest, request);
        }
        _ if !request.is_get() => {
            return match rights(node, &ledger, block, path, request) {
                Answer::NotFound => Answer::NotFound,
                _ => Answer::Method("GET"),
            };
        }
        _ => {}
    }
    rights(node, &ledger, block, path, request)
}

/// A request that is computed on the ledger after a block.
struct Job<'a> {
    node: &'a Node,
    block: &'a Block,
    ledger: &'a Ledger,
    request: &'a Request,
}

fn forge(job: &Job<'_>) -> Result<Answer, Answer> {
    let operation: Operation = job.request.json()?;
    if operation.contents.is_empty() {
        return Err(Answer::bad_body("an operation has contents"));
    }
    Ok(Answer::json(&HexBytes(operation.unsigned_bytes())))
}

#[derive(Deserialize)]
struct RawOperation {
    branch: BlockHash,
    data: HexBytes,
}

#[derive(Deserialize)]
struct ParseBody {
    operations: Vec<RawOperation>,
    #[serde(default)]
    check_signature: Option<bool>,
}

fn parse(job: &Job<'_>) -> Result<Answer, Answer> {
    let body: ParseBody = job.request.json()?;
    let mut parsed = Vec::new();
    for raw in body.operations {
        let bytes = [raw.branch.as_ref(), raw.data.as_ref()].concat();
        let (operation, signed) = Operation::from_signed_bytes(&bytes)
            .map_err(|error| Answer::failure(format!("Cannot parse operation: {error}")))?;
        if body.check_signature == Some(true) {
            let signed = Signed::Bytes(bytes.get(..signed).unwrap_or(&bytes));
            begin(job).check(&operation, signed).map_err(|trace| Answer::trace(&trace))?;
        }
        parsed.push(operation);
    }
    Ok(Answer::json(&parsed))
}

/// The block that would come next, for trying operations in.
fn begin(job: &Job<'_>) -> Application {
    let timestamp = make::next_timestamp(job.block, crate::node::now());
    let context = make::context_after(job.block, timestamp, job.node.baker().address());
    Application::begin(job.ledger, context)
}

#[derive(Deserialize)]
struct SimulateBody {
    operation: Operation,
    chain_id: ChainId,
}

/// Applies an operation to the state after the block without looking at its signature.
fn simulate(job: &Job<'_>) -> Result<Answer, Answer> {
    let body: SimulateBody = job.request.json()?;
    if body.chain_id != job.node.chain_id() {
        return Err(Answer::failure(format!(
            "the chain is {}, not {}: simulate for the chain you ask",
            job.node.chain_id(),
            body.chain_id
        )));
    }
    let mut application = begin(job);
    application.check(&body.operation, Signed::Unchecked).map_err(|trace| Answer::trace(&trace))?;
    run(&mut application, &body.operation).map(|result| Answer::json(&result)).map_err(|trace| Answer::trace(&trace))
}

fn run(application: &mut Application, operation: &Operation) -> Result<SimulationResult, Trace> {
    let receipts = application.apply(operation, operation.hash())?;
    Ok(SimulationResult {
        contents: receipts.into_iter().map(Content::from).collect(),
        signature: operation.signature.clone(),
    })
}

#[derive(Deserialize)]
struct PreapplyItem {
    protocol: ProtocolHash,
    branch: BlockHash,
    contents: Vec<ManagerOperation>,
    signature: soru_tezos::key::Signature,
}

/// Applies signed operations one after the other, as the next block would.
fn preapply(job: &Job<'_>) -> Result<Answer, Answer> {
    let items: Vec<PreapplyItem> = job.request.json()?;
    let mut application = begin(job);
    let protocol = block::next_protocol(job.block);
    let mut results = Vec::new();
    for item in items {
        if item.protocol != protocol {
            return Err(Answer::failure(format!(
                "the protocol of the next block is {protocol}, not {}",
                item.protocol
            )));
        }
        let operation = Operation { branch: item.branch, contents: item.contents, signature: Some(item.signature) };
        let bytes = operation.unsigned_bytes();
        application.check(&operation, Signed::Bytes(&bytes)).map_err(|trace| Answer::trace(&trace))?;
        results.push(run(&mut application, &operation).map_err(|trace| Answer::trace(&trace))?);
    }
    Ok(Answer::json(&results))
}

fn rights(node: &Node, ledger: &Ledger, block: &Block, path: &[&str], request: &Request) -> Answer {
    let number = |name: &str| request.query(name).map(str::parse::<i32>).transpose();
    let baker = node.baker().address();
    match path {
        ["current_level"] => match number("offset") {
            Ok(offset) => {
                let level = block.level().0.saturating_add(offset.unwrap_or(0)).max(1);
                Answer::json(&level_info(&ledger.constants, Level(level)))
            }
            Err(_) => Answer::Bad("Failed to parse the query string: argument 'offset'".to_owned()),
        },
        ["levels_in_current_cycle"] => {
            let info = level_info(&ledger.constants, block.level());
            let first = info.level.0 - info.cycle_position;
            let last = first.saturating_add(ledger.constants.blocks_per_cycle - 1);
            Answer::json(&json!({"first": first, "last": last}))
        }
        ["baking_rights"] => {
            let Ok(level) = number("level") else {
                return Answer::Bad("Failed to parse the query string: argument 'level'".to_owned());
            };
            let level = level.unwrap_or(block.level().after(1).0);
            let delay = i64::from(level.saturating_sub(block.level().0).max(0));
            let mut right = json!({"level": level, "delegate": baker, "round": 0, "consensus_key": baker});
            if delay > 0 {
                right["estimated_time"] = json!(block.header.shell.timestamp.plus(delay));
            }
            Answer::json(&[right])
        }
        ["attestation_rights"] => Answer::json(&json!([{
            "level": block.level(),
            "delegates": [{
                "delegate": baker,
                "first_slot": 0,
                "attesting_power": ledger.constants.consensus_committee_size,
                "consensus_key": baker,
            }],
        }])),
        ["validators"] => {
            let rounds: Vec<i32> = (0..ledger.constants.consensus_committee_size.min(256)).collect();
            Answer::json(&json!([{
                "level": block.level(),
                "consensus_threshold": ledger.constants.consensus_threshold_size.to_string(),
                "consensus_committee": ledger.constants.consensus_committee_size.to_string(),
                "all_bakers_attest_activated": false,
                "delegates": [{
                    "delegate": baker,
                    "rounds": rounds,
                    "consensus_key": baker,
                    "attesting_power": ledger.constants.consensus_committee_size.to_string(),
                    "attestation_slot": 0,
                }],
            }]))
        }
        ["round"] => Answer::json(&0),
        ["total_baking_power"] => Answer::json(&"0"),
        ["consecutive_round_zero"] => Answer::json(&(block.level().0 - 1)),
        ["complete", prefix] => Answer::json(&complete(ledger, prefix)),
        _ => Answer::NotFound,
    }
}

/// Addresses that begin with a text.
fn complete(ledger: &Ledger, prefix: &str) -> Vec<Value> {
    const MAX: usize = 100;
    let accounts = ledger.accounts.keys().map(ToString::to_string);
    let contracts = ledger.contracts.keys().map(ToString::to_string);
    accounts.chain(contracts).filter(|address| address.starts_with(prefix)).take(MAX).map(Value::String).collect()
}
