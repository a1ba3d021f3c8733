//! The way of an operation from a command to a block: estimate, sign, try, inject, wait, show the receipt
//! (`spec/node.md` §10.5–10.6).

use super::context::{Context, rpc_failed};
use super::literal::Source;
use super::{confirm, errors, receipt, script_errors};
use crate::grammar::{CliError, Invocation};
use soru_l1::fees::{
    BatchError, BatchOptions, Estimate, FeeParameters, Item, Signed, inject, prepare_batch, sign_and_check, simulate,
};
use soru_l1::wallet::Signer;
use soru_tezos::base58;
use soru_tezos::blake2b;
use soru_tezos::codec::Encode;
use soru_tezos::hash::OperationHash;
use soru_tezos::json::pretty;
use soru_tezos::operation::{ManagerBody, Operation};
use soru_tezos::receipt::{Applied, ManagerReceipt, SimulationResult};
use soru_tezos::scalar::Mutez;
use soru_tezos::sign::Watermark;
use std::sync::Arc;

/// What became of an operation.
pub struct Outcome {
    /// Receipts, those of added reveals included.
    receipts: Vec<ManagerReceipt>,
    /// Whether the operation was given to the node.
    pub injected: bool,
}

impl Outcome {
    /// What the operation itself (the last content) answered.
    pub fn applied(&self) -> Option<&Applied> {
        self.receipts.last()?.metadata.as_ref()?.operation_result.applied()
    }
}

fn fees(invocation: &Invocation) -> Result<FeeParameters, CliError> {
    let tez = |name| invocation.read_option(name, Mutez::parse_tez);
    let mut fees = FeeParameters::default();
    if let Some(value) = tez("minimal-fees")? {
        fees.minimal_fees = value;
    }
    if let Some(value) = invocation.parse_option("minimal-nanotez-per-byte")? {
        fees.nanotez_per_byte = value;
    }
    if let Some(value) = invocation.parse_option("minimal-nanotez-per-gas-unit")? {
        fees.nanotez_per_gas = value;
    }
    if let Some(value) = tez("fee-cap")? {
        fees.fee_cap = value;
    }
    if let Some(value) = tez("burn-cap")? {
        fees.burn_cap = value;
    }
    fees.force_low_fee = invocation.switch("force-low-fee");
    Ok(fees)
}

/// An operation with what the options fix.
pub fn item(invocation: &Invocation, body: ManagerBody) -> Result<Item, CliError> {
    Ok(Item {
        body,
        fee: invocation.read_option("fee", Mutez::parse_tez)?,
        gas_limit: invocation.parse_option("gas-limit")?,
        storage_limit: invocation.parse_option("storage-limit")?,
        safety_gas: invocation.parse_option("safety-guard")?,
    })
}

/// Does all that a command which injects an operation does, printing as the reference's client prints.
pub async fn send(
    context: &Context,
    invocation: &Invocation,
    signer: Arc<dyn Signer>,
    body: impl Into<ManagerBody>,
) -> Result<Outcome, CliError> {
    send_written(context, invocation, signer, body, &[]).await
}

/// The same, with the scripts and values in the operation as the user wrote them, for errors to show.
pub async fn send_written(
    context: &Context,
    invocation: &Invocation,
    signer: Arc<dyn Signer>,
    body: impl Into<ManagerBody>,
    written: &[Source],
) -> Result<Outcome, CliError> {
    send_items(context, invocation, signer, &[item(invocation, body.into())?], written).await
}

/// The same with a batch.
pub async fn send_all(
    context: &Context,
    invocation: &Invocation,
    signer: Arc<dyn Signer>,
    items: &[Item],
) -> Result<Outcome, CliError> {
    send_items(context, invocation, signer, items, &[]).await
}

async fn send_items(
    context: &Context,
    invocation: &Invocation,
    signer: Arc<dyn Signer>,
    items: &[Item],
    written: &[Source],
) -> Result<Outcome, CliError> {
    let refused = |error| refused(error, written);
    let fees = fees(invocation)?;
    let counter = invocation.parse_option("counter")?;
    confirm::bootstrapped(context).await?;
    let options = BatchOptions { counter, ..BatchOptions::client(fees) };
    let started_at = context.rpc.shell_header(options.at).await.map_err(rpc_failed)?.level;
    let prepared = prepare_batch(&context.rpc, signer.as_ref(), items, &options).await.map_err(refused)?;
    prepared.estimates.iter().for_each(print_estimate);
    if invocation.switch("simulation") {
        let simulated = simulate(&context.rpc, signer.as_ref(), prepared, &options).await.map_err(refused)?;
        return Ok(show_trial(&simulated));
    }
    if invocation.switch("verbose-signing") {
        print_signed_bytes(&prepared.operation);
    }
    let signed = sign_and_check(&context.rpc, signer.as_ref(), prepared, &options).await.map_err(refused)?;
    if invocation.switch("dry-run") {
        return Ok(show_trial(&signed));
    }
    let receipts = managers(&signed.result);
    let hash = inject(&context.rpc, &signed.operation).await.map_err(rpc_failed)?;
    println!("Operation successfully injected in the node.");
    println!("Operation hash is '{hash}'");
    let suggestion = Suggestion { tool: &context.tool, hash, branch: signed.operation.branch };
    let receipts = match context.wait {
        None => {
            println!("NOT waiting for the operation to be included.\nUse command\n  {suggestion}");
            println!("and/or an external block explorer to make sure that it has been included.");
            receipts
        }
        Some(confirmations) => {
            println!("Waiting for the operation to be included...");
            let found = confirm::wait(context, &hash, started_at, confirmations).await?;
            found.operation.contents.iter().filter_map(|content| content.manager().cloned()).collect()
        }
    };
    println!("This sequence of operations was run:\n{}", receipt::text(receipts.iter(), 2));
    if let Some(confirmations) = context.wait {
        println!("The operation has only been included {confirmations} blocks ago.\nWe recommend to wait more.");
        println!("Use command\n  {suggestion}\nand/or an external block explorer.");
    }
    check_applied(&receipts)?;
    Ok(Outcome { receipts, injected: true })
}

fn managers(result: &SimulationResult) -> Vec<ManagerReceipt> {
    result.managers().cloned().collect()
}

/// Shows an operation that was tried, not injected.
fn show_trial(tried: &Signed) -> Outcome {
    let receipts = managers(&tried.result);
    println!("Operation: 0x{}", hex::encode(tried.operation.to_bytes()));
    println!("Operation hash is '{}'", tried.hash);
    println!("Simulation result:\n{}", receipt::text(receipts.iter(), 2));
    Outcome { receipts, injected: false }
}

/// An operation that was fine on trial can still fail in its block.
fn check_applied(receipts: &[ManagerReceipt]) -> Result<(), CliError> {
    let mut results = receipts.iter().filter_map(|receipt| Some(&receipt.metadata.as_ref()?.operation_result));
    match results.find(|result| result.applied().is_none()) {
        None => Ok(()),
        Some(result) if result.errors().is_empty() => {
            Err(CliError::Usage(format!("The operation was included, but {}", result.status())))
        }
        Some(result) => Err(CliError::Usage(errors::describe_all(result.errors()))),
    }
}

struct Suggestion<'a> {
    tool: &'a str,
    hash: OperationHash,
    branch: soru_tezos::hash::BlockHash,
}

impl std::fmt::Display for Suggestion<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Suggestion { tool, hash, branch } = self;
        write!(f, "{tool} wait for {hash} to be included --confirmations 1 --branch {branch}")
    }
}

/// Shows a failed trial, and gives the error to report.
fn refused(error: BatchError, written: &[Source]) -> CliError {
    match error {
        BatchError::Simulation { result, trace, .. } => {
            println!("This simulation failed:\n{}", receipt::text(result.managers(), 2));
            match script_errors::concerns(&trace) {
                true => CliError::Usage(script_errors::report(&trace, written)),
                false => CliError::Usage(errors::describe_all(&trace)),
            }
        }
        BatchError::Rpc(error) => rpc_failed(error),
        other => CliError::failed(other),
    }
}

fn print_estimate(estimate: &Estimate) {
    if let Some(gas) = estimate.gas {
        println!("Estimated gas: {} units (will add {} for safety)", receipt::gas(gas), estimate.safety_gas);
    }
    match estimate.storage {
        Some(0) => println!("Estimated storage: no bytes added"),
        Some(bytes) => println!("Estimated storage: {bytes} bytes added (will add 20 for safety)"),
        None => {}
    }
}

fn print_signed_bytes(operation: &Operation) {
    println!("Pre-signature information (verbose signing):\n  * Branch: {}", operation.branch);
    println!("  * Watermark: `Generic-operation` (0x03)\n  * Operation bytes:");
    let bytes = operation.unsigned_bytes();
    let digits = hex::encode(&bytes);
    digits.as_bytes().chunks(73).for_each(|line| println!("    {}", String::from_utf8_lossy(line)));
    let watermark = Watermark::Operation.to_bytes();
    println!("  * Blake 2B Hash (raw): {}", base58::encode_raw(&blake2b::digest::<32>(&[&bytes])));
    println!("  * Blake 2B Hash (ledger-style, with operation watermark):");
    println!("    {}", base58::encode_raw(&blake2b::digest::<32>(&[&watermark, &bytes])));
    if let Ok(json) = serde_json::to_value(operation) {
        println!("  * JSON encoding:");
        pretty(&json).lines().for_each(|line| println!("    {line}"));
    }
    println!();
}
