//! Waiting for the node and for operations.

use super::context::{Context, rpc_failed};
use crate::grammar::CliError;
use soru_tezos::block::BlockOperation;
use soru_tezos::hash::OperationHash;
use soru_tezos::scalar::Level;

/// Blocks after which an operation that was not included cannot be any more, on any network we know.
const LONGEST_LIFE: i32 = 600;

/// The pass of a block in which manager operations are.
const MANAGER_PASS: usize = 3;

/// Waits until the node is bootstrapped, and says so.
pub async fn bootstrapped(context: &Context) -> Result<(), CliError> {
    let mut stream = context.rpc.monitor_bootstrapped().await.map_err(rpc_failed)?;
    while let Some(block) = stream.next().await.map_err(rpc_failed)? {
        if context.rpc.is_bootstrapped().await.map_err(rpc_failed)?.bootstrapped {
            break;
        }
        println!(
            "Current head: {} (timestamp: {})",
            block["block"].as_str().unwrap_or("?"),
            block["timestamp"].as_str().unwrap_or("?")
        );
    }
    println!("Node is bootstrapped.");
    Ok(())
}

/// An operation in its block.
pub struct Found {
    /// Its level.
    pub level: Level,
    /// The operation with its receipts.
    pub operation: BlockOperation,
}

/// Looks for an operation in one block, and says when it is there.
async fn look(context: &Context, hash: &OperationHash, level: Level) -> Result<Option<Found>, CliError> {
    let hashes = context.rpc.operation_hashes_of(level, MANAGER_PASS).await.map_err(rpc_failed)?;
    let Some(offset) = hashes.iter().position(|known| known == hash) else { return Ok(None) };
    let block = context.rpc.block_hash(level).await.map_err(rpc_failed)?;
    let operation = context.rpc.operation(block, MANAGER_PASS, offset).await.map_err(rpc_failed)?;
    println!("Operation found in block: {block} (pass: {MANAGER_PASS}, offset: {offset})");
    Ok(Some(Found { level, operation }))
}

/// Waits until an operation is in a block after `from` and `confirmations` blocks stand on it.
pub async fn wait(context: &Context, hash: &OperationHash, from: Level, confirmations: u32) -> Result<Found, CliError> {
    let mut heads = context.rpc.monitor_heads(None).await.map_err(rpc_failed)?;
    let mut seen = from;
    let mut found: Option<Found> = None;
    while let Some(head) = heads.next().await.map_err(rpc_failed)? {
        let level = head.shell.level;
        while found.is_none() && seen < level {
            seen = seen.after(1);
            found = look(context, hash, seen).await?;
        }
        match found.take() {
            Some(it) if i64::from(level.since(it.level)) >= i64::from(confirmations) => return Ok(it),
            waiting => found = waiting,
        }
        if found.is_none() && level.since(from) > LONGEST_LIFE {
            return Err(CliError::failed(format!("operation {hash} was not included in {LONGEST_LIFE} blocks")));
        }
    }
    Err(CliError::failed("the node ended the stream of heads before the operation was included"))
}

/// Searches an operation in the last `depth` blocks, newest first.
pub async fn search(context: &Context, hash: &OperationHash, depth: i32) -> Result<Option<Found>, CliError> {
    let head = context.rpc.shell_header(soru_l1::rpc::BlockId::HEAD).await.map_err(rpc_failed)?.level;
    let mut level = head;
    // the first blocks belong to other protocols and have no manager operations
    while level > Level(1) && head.since(level) < depth {
        if let Some(found) = look(context, hash, level).await? {
            return Ok(Some(found));
        }
        level = level.before(1);
    }
    Ok(None)
}
