//! `/helpers/…` of a block: forging and parsing operations, simulating them, rights and levels.

use super::answer::Answer;
use super::request::Request;
use super::scripts;
use crate::block::{self, level_info};
use crate::ledger::{Application, Ledger, Signed};
use crate::make;
use crate::node::Node;
use serde::Deserialize;
use serde_json::{Value, json};
use soru_tezos::block::Block;
use soru_tezos::codec::{Encode, HexBytes};
use soru_tezos::hash::{BlockHash, ChainId, OperationHash, ProtocolHash};
use soru_tezos::operation::{ManagerOperation, Operation};
use soru_tezos::receipt::{Content, SimulationResult};
use soru_tezos::rpc_error::Trace;
use soru_tezos::scalar::Level;

/// Answers a path below `helpers`.
pub fn answer(node: &Node, ledger: &Ledger, block: &Block, path: &[&str], request: &Request) -> Answer {
    let job = Job { node, block, ledger, request };
    let done = match path {
        ["forge", "operations"] => forge(&job),
        ["parse", "operations"] => parse(&job),
        ["preapply", "operations"] => preapply(&job),
        ["preapply", "block"] => preapply_block(&job),
        ["scripts", "run_operation" | "simulate_operation"] => simulate(&job),
        ["scripts", rest @ ..] => {
            let timestamp = make::next_timestamp(block, node.time());
            let context = make::context_after(block, timestamp, node.baker().address());
            Ok(scripts::answer(ledger, &context, rest, request))
        }
        path => Ok(rights(node, ledger, block, path, request)),
    };
    done.unwrap_or_else(|refusal| refusal)
}

/// A request that is computed on the ledger after a block.
struct Job<'a> {
    node: &'a Node,
    block: &'a Block,
    ledger: &'a Ledger,
    request: &'a Request,
}

fn forge(job: &Job<'_>) -> Result<Answer, Answer> {
    let given: Value = job.request.json()?;
    let operation: Operation = job.request.json()?;
    strict(&given, &operation)?;
    Ok(Answer::json(&HexBytes(operation.unsigned_bytes())))
}

/// Refuses what reading an operation leaves unread: fields it does not have, and numbers where texts are wanted.
fn strict(given: &Value, read: &Operation) -> Result<(), Answer> {
    if read.contents.is_empty() {
        return Err(Answer::bad_body("Operation lists should not be empty."));
    }
    let contents = given["contents"].as_array().into_iter().flatten();
    for (given, read) in contents.zip(&read.contents) {
        let read = serde_json::to_value(read).unwrap_or_default();
        for (name, value) in given.as_object().into_iter().flatten() {
            // a call of the default entrypoint with Unit is written without parameters
            if value.is_null() || name == "parameters" {
                continue;
            }
            match read.get(name) {
                None => return Err(Answer::bad_body(format!("Unexpected object field {name}"))),
                Some(wanted) if wanted.is_string() != value.is_string() => {
                    return Err(Answer::bad_body(format!("At /{name}, unexpected {value} instead of {wanted}")));
                }
                Some(_) => {}
            }
        }
    }
    Ok(())
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
    let timestamp = make::next_timestamp(job.block, job.node.time());
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
    let given: Value = job.request.json()?;
    let body: SimulateBody = job.request.json()?;
    strict(&given["operation"], &body.operation)?;
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

#[derive(Deserialize)]
struct NewBlock {
    protocol_data: Value,
    operations: Vec<Vec<PreapplyItem>>,
}

/// The header that a block of these operations would have, as a baker wants it; what cannot be applied is named with why.
fn preapply_block(job: &Job<'_>) -> Result<Answer, Answer> {
    let body: NewBlock = job.request.json()?;
    if !body.protocol_data.is_object() || body.operations.len() != 4 {
        return Err(Answer::bad_body("a block has protocol_data, and operations of 4 passes"));
    }
    let failed = |error: crate::error::SandboxError| Answer::failure(error.to_string());
    let mut application = begin(job);
    let mut hashes: Vec<Vec<OperationHash>> = Vec::new();
    let mut passes = Vec::new();
    for pass in body.operations {
        let (mut applied, mut refused, mut of_pass) = (Vec::new(), Vec::new(), Vec::new());
        for item in pass {
            let operation = Operation { branch: item.branch, contents: item.contents, signature: Some(item.signature) };
            let bytes = operation.to_bytes();
            let hash = OperationHash::of_bytes(&bytes);
            let data = HexBytes(bytes.get(BlockHash::SIZE..).unwrap_or_default().to_vec());
            let checked = application.check(&operation, Signed::Bytes(&operation.unsigned_bytes()));
            match checked.and_then(|()| application.apply(&operation, hash)) {
                Ok(_) => {
                    of_pass.push(hash);
                    applied.push(json!({"hash": hash, "branch": operation.branch, "data": data}));
                }
                Err(trace) => {
                    refused.push(json!({"hash": hash, "branch": operation.branch, "data": data, "error": trace}));
                }
            }
        }
        hashes.push(of_pass);
        passes.push(json!({
            "applied": applied, "refused": refused, "outdated": [], "branch_refused": [], "branch_delayed": [],
        }));
    }
    let level = job.block.level().after(1);
    let parts = block::Parts {
        level,
        protocol: job.ledger.protocol,
        proto: job.ledger.activations(level),
        predecessor: job.block.hash,
        timestamp: make::next_timestamp(job.block, job.node.time()),
        context: job.ledger.context_hash(),
        operations: &hashes,
        seed_nonce_hash: block::seed_nonce_hash(&job.ledger.constants, level),
        fork: 0,
    };
    let header = block::seal(&parts, job.node.baker(), &job.node.chain_id()).map_err(failed)?;
    Ok(Answer::json(&json!({"shell_header": header.shell, "operations": passes})))
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
