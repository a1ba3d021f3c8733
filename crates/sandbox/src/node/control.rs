//! What only the owner of a chain can do to it: move its clock, take it back, replace its newest blocks, change its state.

use super::{Node, locked, record_of};
use crate::block;
use crate::controls::{Controls, Snapshot};
use crate::error::SandboxError;
use crate::ledger::{Change, ChangeError};
use crate::mempool::{Mempool, Pending};
use crate::view::View;
use soru_tezos::block::Block;
use soru_tezos::codec::Encode;
use soru_tezos::scalar::Timestamp;
use std::collections::HashSet;
use std::sync::Arc;

/// The last second of the year 9999: texts of later times have no form that clients read.
const LAST_TIME: i64 = 253_402_300_799;

/// The first block that can be taken back: 0 and 1 start the chain, and the sandbox always has a head above them.
const FIRST_LOOSE: u32 = 3;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// There is no such snapshot.
    #[error("there is no snapshot {id}: GET /sandbox/snapshot lists those there are")]
    NoSnapshot {
        /// The number given.
        id: u32,
    },
    /// Not so many blocks can be replaced.
    #[error("cannot replace {depth} blocks: the chain has {loose} that can be replaced (not 0, 1 and 2)")]
    TooDeep {
        /// The number given.
        depth: u32,
        /// The number there is.
        loose: u32,
    },
    /// Time does not go back.
    #[error("the clock of the chain cannot go back to {wanted}: it shows {now}")]
    Backwards {
        /// The time given.
        wanted: Timestamp,
        /// The time it is.
        now: Timestamp,
    },
    /// Time does not go so far.
    #[error("the clock of the chain cannot go beyond the year 9999")]
    TooLate,
    /// The state cannot be changed so.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The chain cannot be read or written.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

impl ControlError {
    /// Whether whoever asked can do something about it.
    pub fn is_refusal(&self) -> bool {
        !matches!(self, ControlError::Sandbox(_))
    }
}

fn encode(controls: &Controls) -> Result<Vec<u8>, SandboxError> {
    serde_json::to_vec(controls).map_err(|error| SandboxError::Record(error.to_string()))
}

impl Node {
    /// The clock of the chain.
    pub fn time(&self) -> Timestamp {
        super::now().plus(locked(&self.controls).ahead)
    }

    /// Moves the clock so many seconds forward, from what it shows or from the time of the head if that is later. Gives what
    /// it shows then.
    ///
    /// # Errors
    /// Beyond the year 9999.
    pub fn advance_time(&self, seconds: u64) -> Result<Timestamp, ControlError> {
        let from = self.time().max(self.view().head().header.shell.timestamp);
        let to = i64::try_from(seconds).ok().and_then(|seconds| from.0.checked_add(seconds));
        self.set_time(Timestamp(to.ok_or(ControlError::TooLate)?))
    }

    /// Sets the clock.
    ///
    /// # Errors
    /// Before the time of the head, or beyond the year 9999.
    pub fn set_time(&self, to: Timestamp) -> Result<Timestamp, ControlError> {
        let now = self.view().head().header.shell.timestamp;
        if to < now {
            return Err(ControlError::Backwards { wanted: to, now });
        }
        if to.0 > LAST_TIME {
            return Err(ControlError::TooLate);
        }
        let mut controls = locked(&self.controls);
        let moved = Controls { ahead: to.0.saturating_sub(super::now().0), ..controls.clone() };
        self.store.replace(None, Some(&encode(&moved)?), []).map_err(SandboxError::from)?;
        *controls = moved;
        Ok(to)
    }

    /// The snapshots there are.
    pub fn snapshots(&self) -> Vec<Snapshot> {
        locked(&self.controls).snapshots.values().copied().collect()
    }

    /// Remembers the chain as it is.
    ///
    /// # Errors
    /// When it cannot be written down.
    pub fn snapshot(&self) -> Result<Snapshot, ControlError> {
        let making = locked(&self.making);
        let head = self.view().head();
        let mut controls = locked(&self.controls);
        let mut more = controls.clone();
        let snapshot = more.add(block::number(&head), head.hash);
        self.store.replace(None, Some(&encode(&more)?), []).map_err(SandboxError::from)?;
        *controls = more;
        drop(making);
        Ok(snapshot)
    }

    /// Takes the chain back to a snapshot, which stays; later ones are forgotten, and so is what waits in the mempool.
    ///
    /// # Errors
    /// When there is no such snapshot.
    pub fn revert(&self, id: u32) -> Result<Arc<Block>, ControlError> {
        let making = locked(&self.making);
        let found = locked(&self.controls).snapshots.get(&id).copied();
        let snapshot = found.ok_or(ControlError::NoSnapshot { id })?;
        let view = self.view().truncated(snapshot.level)?;
        *locked(&self.mempool) = Mempool::default();
        self.take_back(snapshot.level, &view, &[])?;
        drop(making);
        Ok(view.head())
    }

    /// Replaces the newest `depth` blocks by one more than that. Their operations are in the mempool again before the new
    /// blocks are made, if `keep` says so and their branch still exists.
    ///
    /// # Errors
    /// When there are not so many blocks.
    pub fn reorganize(&self, depth: u32, keep: bool) -> Result<Vec<Arc<Block>>, ControlError> {
        let making = locked(&self.making);
        let old = self.view();
        let head = block::number(&old.head());
        let loose = head.saturating_sub(FIRST_LOOSE - 1);
        if depth == 0 || depth > loose {
            return Err(ControlError::TooDeep { depth, loose });
        }
        let fork_level = head - depth;
        let mut view = old.truncated(fork_level)?;
        let mut waiting = Vec::new();
        // what the owner did to the state stays done
        let mut changes = Vec::new();
        let mut trial = view.head_ledger()?.as_ref().clone();
        for level in fork_level + 1..=head {
            if keep {
                waiting.extend(operations_of(&old, level)?);
            }
            changes.extend(old.changes_at(level).iter().filter(|change| change.apply(&mut trial).is_ok()).cloned());
        }
        waiting.extend(self.mempool().waiting().cloned());
        let mut good = Vec::new();
        for pending in waiting {
            if view.level_of(&pending.operation.branch)?.is_some() {
                good.push(pending);
            }
        }
        let (now, fork) = (self.time(), locked(&self.controls).forks.saturating_add(1));
        let mut made = Vec::new();
        for _ in 0..=depth {
            let (block, next) = self.next(&view, &first_of_each(&good), std::mem::take(&mut changes), now, fork)?;
            let included: Vec<_> = block.manager_operations().iter().map(|operation| operation.hash).collect();
            good.retain(|pending| !included.contains(&pending.hash));
            view = next;
            made.push(block);
        }
        let mut mempool = locked(&self.mempool);
        *mempool = Mempool::default();
        good.into_iter().for_each(|pending| mempool.add(pending));
        drop(mempool);
        self.take_back(fork_level, &view, &made)?;
        drop(making);
        Ok(made)
    }

    /// Makes a change of the state, in a block of its own that also takes what waits.
    ///
    /// # Errors
    /// When the state cannot be changed so.
    pub fn change(&self, change: Change) -> Result<Arc<Block>, ControlError> {
        let making = locked(&self.making);
        let view = self.view();
        change.apply(&mut view.head_ledger()?.as_ref().clone())?;
        let block = self.make_block(&view, vec![change])?;
        drop(making);
        Ok(block)
    }

    /// Writes a chain that branches off after a level, and shows it.
    fn take_back(&self, fork_level: u32, view: &View, blocks: &[Arc<Block>]) -> Result<(), SandboxError> {
        let mut controls = locked(&self.controls);
        let mut after = controls.clone();
        after.taken_back(fork_level);
        let mut records = Vec::new();
        for block in blocks {
            records.push(record_of(view, block)?);
        }
        self.store.replace(Some(fork_level), Some(&encode(&after)?), records)?;
        *controls = after;
        drop(controls);
        self.show(view)
    }
}

/// The first operation of each account: a block takes one.
fn first_of_each(waiting: &[Arc<Pending>]) -> Vec<Arc<Pending>> {
    let mut seen = HashSet::new();
    waiting.iter().filter(|pending| seen.insert(pending.source())).cloned().collect()
}

/// The operations of a block as they waited before it.
fn operations_of(view: &View, level: u32) -> Result<Vec<Arc<Pending>>, SandboxError> {
    let block = view.block_at(level)?.ok_or(SandboxError::NoBlock { level })?;
    let pending = block.manager_operations().iter().filter_map(|included| {
        let operation = included.to_operation()?;
        let size = operation.to_bytes().len();
        Some(Arc::new(Pending { hash: included.hash, operation, size }))
    });
    Ok(pending.collect())
}
