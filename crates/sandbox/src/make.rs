//! Making a block from a ledger and operations, and applying a block again.

use crate::block::{self, Baker, Parts};
use crate::error::SandboxError;
use crate::ledger::{Application, BlockContext, Change, Ledger, Signed};
use crate::mempool::Pending;
use soru_tezos::block::{Block, BlockOperation};
use soru_tezos::hash::OperationHash;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::receipt::{Content, ManagerReceipt};
use soru_tezos::rpc_error::Trace;
use soru_tezos::scalar::{Level, Timestamp};
use std::sync::Arc;

/// Most bytes of one operation.
pub const MAX_OPERATION_BYTES: usize = 32_768;

/// A block and the ledger after it.
pub struct MadeBlock {
    /// The block.
    pub block: Block,
    /// The ledger.
    pub ledger: Ledger,
}

/// What the rules know about the block after `predecessor`, made at `timestamp`.
pub fn context_after(predecessor: &Block, timestamp: Timestamp, baker: PublicKeyHash) -> BlockContext {
    BlockContext {
        chain_id: predecessor.chain_id,
        level: predecessor.level().after(1),
        timestamp,
        predecessor: predecessor.hash,
        predecessor_timestamp: predecessor.header.shell.timestamp,
        baker,
    }
}

/// The time of the block after `predecessor`: now, but always at least a second later, as the protocol wants, however
/// fast blocks are made.
pub fn next_timestamp(predecessor: &Block, now: Timestamp) -> Timestamp {
    now.max(predecessor.header.shell.timestamp.plus(1))
}

/// What a block is made of.
pub struct Recipe<'a> {
    /// The block before.
    pub predecessor: &'a Block,
    /// The ledger after it.
    pub ledger: &'a Ledger,
    /// Operations that wait.
    pub waiting: &'a [Arc<Pending>],
    /// Changes of the state to begin with. Each was tried before.
    pub changes: &'a [Change],
    /// The time.
    pub now: Timestamp,
    /// How often the chain was taken back before: what makes the blocks of each branch differ.
    pub fork: u64,
}

/// Makes a block of as many operations as fit, in their order.
///
/// # Errors
/// When it cannot be signed.
pub fn next_block(recipe: &Recipe<'_>, baker: &Baker) -> Result<MadeBlock, SandboxError> {
    let Recipe { predecessor, ledger, waiting, .. } = *recipe;
    let timestamp = next_timestamp(predecessor, recipe.now);
    let context = context_after(predecessor, timestamp, baker.address());
    let mut application = Application::begin(ledger, context);
    change(&mut application, recipe.changes, predecessor.level().after(1))?;
    let protocol = block::next_protocol(predecessor);
    let mut included = Vec::new();
    let mut bytes = 0;
    for pending in waiting {
        if bytes + pending.size > block::MAX_MANAGER_BYTES {
            continue;
        }
        // the signature was checked when the operation was injected
        if application.check(&pending.operation, Signed::Unchecked).is_err()
            || application.check_in_block(&pending.operation).is_err()
        {
            continue;
        }
        let Ok(receipts) = application.apply(&pending.operation, pending.hash) else { continue };
        bytes += pending.size;
        included.push(BlockOperation {
            protocol: Some(protocol),
            chain_id: Some(predecessor.chain_id),
            ..shown(pending, receipts)
        });
    }
    let level = predecessor.level().after(1);
    let (after, outcome) = application.finish().map_err(|trace| broken(level, &trace))?;
    let hashes: Vec<OperationHash> = included.iter().map(|operation| operation.hash).collect();
    let header = block::seal(
        &Parts {
            level,
            protocol: ledger.protocol,
            proto: after.activations(level),
            predecessor: predecessor.hash,
            timestamp,
            context: ledger.context_hash(),
            operations: &[Vec::new(), Vec::new(), Vec::new(), hashes],
            seed_nonce_hash: block::seed_nonce_hash(&ledger.constants, level),
            fork: recipe.fork,
        },
        baker,
        &predecessor.chain_id,
    )?;
    let ttl = level.0.min(i32::from(ledger.constants.max_operations_time_to_live));
    let next = after.protocol.hash().map_err(|error| SandboxError::Record(error.to_string()))?;
    let mut metadata = block::shell_metadata(protocol, next, ttl);
    metadata.application = Some(block::application(
        &ledger.constants,
        level,
        baker.address(),
        outcome.balance_updates,
        outcome.consumed_milligas,
    ));
    let block = Block {
        protocol,
        chain_id: predecessor.chain_id,
        hash: header.hash(),
        header,
        metadata: Some(metadata),
        operations: vec![Vec::new(), Vec::new(), Vec::new(), included],
    };
    Ok(MadeBlock { block, ledger: after })
}

fn shown(pending: &Pending, receipts: Vec<ManagerReceipt>) -> BlockOperation {
    BlockOperation { contents: receipts.into_iter().map(Content::from).collect(), ..pending.to_json() }
}

/// The ledger after a block that was made before.
///
/// # Errors
/// When its operations cannot be applied to this ledger.
pub fn reapply(
    ledger: &Ledger,
    predecessor: &Block,
    block: &Block,
    changes: &[Change],
) -> Result<Ledger, SandboxError> {
    let metadata = block.metadata.as_ref().and_then(|metadata| metadata.application.as_ref());
    let Some(metadata) = metadata else {
        return Ok(ledger.clone());
    };
    let context = context_after(predecessor, block.header.shell.timestamp, metadata.baker);
    let failed = |trace: Trace| broken(block.level(), &trace);
    let mut application = Application::begin(ledger, context);
    change(&mut application, changes, block.level())?;
    for operation in block.manager_operations() {
        let content = operation
            .to_operation()
            .ok_or_else(|| SandboxError::Record(format!("block {} holds an operation of no account", block.level())))?;
        application.apply(&content, operation.hash).map_err(failed)?;
    }
    Ok(application.finish().map_err(failed)?.0)
}

fn change(application: &mut Application, changes: &[Change], level: Level) -> Result<(), SandboxError> {
    for change in changes {
        let made = application.change(change);
        made.map_err(|error| SandboxError::Record(format!("block {level} cannot begin with its changes: {error}")))?;
    }
    Ok(())
}

fn broken(level: Level, trace: &Trace) -> SandboxError {
    let text: Vec<String> = trace.iter().map(ToString::to_string).collect();
    SandboxError::Record(format!("block {level} cannot be applied: {}", text.join("; ")))
}
