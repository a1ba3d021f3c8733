//! Collecting garbage (`spec/node.md` §4.13, §5.3): the blocks below a level with all that is theirs, and the nodes that no
//! state from that level on needs.
//!
//! The nodes are found by mark and sweep in place, beside readers and writers: every transaction only removes what nobody can
//! ask for any more, so a process killed at any moment leaves a whole store. Nodes written meanwhile are noted by
//! [`NodeWriter`](super::NodeWriter) and kept. A tree in memory that believes a node stored which is garbage would break this:
//! when a collection begins, the store takes a new identity and the pipeline forgets its machine.

use super::marks::Marks;
use super::records::{Mark, Publication, StoredBlock};
use super::tables::*;
use super::{Batch, Flush, Inner, Store, StoreError, read_mark};
use redb::{ReadableDatabase, ReadableTable};
use soru_merkle::{LiveRecords, NodeHash, StoreId, TreeError};
use soru_tezos::codec::Decode;
use soru_tezos::scalar::Level;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// Records looked at in one transaction.
pub(super) const TOGETHER: usize = 2048;
/// Blocks whose states are walked before the notes of what was written are taken over.
const BLOCKS_TOGETHER: usize = 64;
/// Steps of a walk between two looks at whether it is wanted no more.
const STEPS: u64 = 1024;
/// Longest pause after a transaction; others write meanwhile.
const PAUSE: Duration = Duration::from_millis(20);

/// What the store remembers of its collections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Collected {
    /// The first level kept by the last collection that began.
    pub target: Option<Level>,
    /// The head when it began.
    pub triggered_at: Option<Level>,
    /// The first level kept by the last collection that ended well.
    pub successful_target: Option<Level>,
}

/// What a collection removed and kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Blocks removed.
    pub blocks: u64,
    /// Outboxes removed.
    pub outboxes: u64,
    /// Nodes removed.
    pub nodes: u64,
    /// Bytes of these nodes.
    pub bytes: u64,
    /// Nodes kept.
    pub kept_nodes: u64,
    /// Bytes of these nodes.
    pub kept_bytes: u64,
}

/// Why a collection did not go to its end.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A state from the first level kept on.
    #[error("a state of the store cannot be read: {0}")]
    State(#[from] TreeError),
    /// It was told to end.
    #[error("cancelled")]
    Cancelled,
}

macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for CollectError {
            fn from(error: redb::$error) -> Self { CollectError::Store(error.into()) }
        }
    )*};
}
from_redb!(TransactionError, TableError, StorageError, CommitError);

/// A collection that has begun. Dropped before its end it leaves garbage behind, which the next one finds.
pub struct Collection {
    pub(super) inner: Arc<Inner>,
    pub(super) target: Level,
    pub(super) first_active: Level,
}

impl Store {
    /// What the store remembers of its collections.
    pub fn collected(&self) -> Result<Collected, StoreError> {
        let view = self.view()?;
        let level = |name| Ok::<_, StoreError>(read_mark(&view, name)?.map(|mark| mark.level));
        Ok(Collected {
            target: level(GC_TARGET)?,
            triggered_at: level(GC_TRIGGERED)?,
            successful_target: level(GC_SUCCESSFUL)?,
        })
    }

    /// Begins to collect what lies below the canonical block of a level. From now on the levels below do not exist.
    ///
    /// `first_active`: the first level whose outbox messages layer 1 may still execute.
    ///
    /// No tree read from this store before may be committed to it afterwards.
    pub fn begin_collection(
        &self,
        target: &StoredBlock,
        head: &StoredBlock,
        first_active: Level,
    ) -> Result<Collection, StoreError> {
        let inner = &self.0;
        let batch = self.begin(Flush::Now)?;
        batch.set_mark(GC_TARGET, target.hash.0, target.level)?;
        batch.set_mark(GC_TRIGGERED, head.hash.0, head.level)?;
        // in this order: whoever writes under the new identity is noted
        *inner.written.lock().unwrap_or_else(PoisonError::into_inner) = Some(vec![]);
        *inner.nodes_id.lock().unwrap_or_else(PoisonError::into_inner) = StoreId::fresh();
        let collection = Collection { inner: Arc::clone(inner), target: target.level, first_active };
        batch.commit()?;
        inner.first_kept.fetch_max(target.level.0, Ordering::SeqCst);
        Ok(collection)
    }
}

impl Drop for Collection {
    fn drop(&mut self) {
        *self.inner.written.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Collection {
    /// The first level that is kept.
    pub fn target(&self) -> Level {
        self.target
    }

    /// Collects, in the caller's thread, until the end or until `cancelled`.
    pub fn run(self, cancelled: &AtomicBool) -> Result<Removed, CollectError> {
        let mut removed = Removed::default();
        let marks = Marks::new(&self.inner.path)?;
        self.mark(&marks, cancelled)?;
        self.settle_outboxes(&mut removed, cancelled)?;
        self.remove_blocks(&mut removed, cancelled)?;
        self.remove_publications(cancelled)?;
        self.sweep(&marks, &mut removed, cancelled)?;
        let batch = Batch::begin(Arc::clone(&self.inner), Flush::Now)?;
        let target = Mark { hash: [0; 32], level: self.target };
        batch.set_mark(GC_SUCCESSFUL, target.hash, target.level)?;
        if removed.bytes > removed.kept_bytes {
            batch.set_mark(SPARSE, target.hash, target.level)?;
        }
        batch.commit()?;
        Ok(removed)
    }

    pub(super) fn go_on(cancelled: &AtomicBool) -> Result<(), CollectError> {
        if cancelled.load(Ordering::SeqCst) { Err(CollectError::Cancelled) } else { Ok(()) }
    }

    /// Takes over the notes of what was written.
    fn note_written(&self, marks: &Marks) -> Result<(), StoreError> {
        let mut written = self.inner.written.lock().unwrap_or_else(PoisonError::into_inner);
        let hashes = written.as_mut().map(std::mem::take).unwrap_or_default();
        drop(written);
        marks.write(&hashes)
    }

    /// Walks the states of all blocks that are kept, on whatever branch. Those of later blocks are made of these and of what
    /// was written meanwhile.
    fn mark(&self, marks: &Marks, cancelled: &AtomicBool) -> Result<(), CollectError> {
        let mut after = None;
        let store = Store(Arc::clone(&self.inner));
        loop {
            let (roots, last) = self.roots(after)?;
            let mut walk = LiveRecords::new(store.nodes(), roots);
            marks.reach(|reached| {
                let mut steps = 0u64;
                loop {
                    steps += 1;
                    if steps.is_multiple_of(STEPS) && cancelled.load(Ordering::SeqCst) {
                        return Ok(Ok(()));
                    }
                    let enter = |hash: &NodeHash| match reached.insert(hash.as_bytes(), ()) {
                        Ok(known) => Ok(known.is_none()),
                        Err(error) => Err(soru_merkle::StoreError::new(error)),
                    };
                    match walk.advance(enter) {
                        Ok(Some(_)) => {}
                        Ok(None) => return Ok(Ok(())),
                        Err(error) => return Ok(Err(error)),
                    }
                }
            })??;
            Self::go_on(cancelled)?;
            self.note_written(marks)?;
            match last {
                Some(last) => after = Some(last),
                None => return Ok(()),
            }
        }
    }

    /// The states of some blocks that are kept, and the last block looked at, if there may be more.
    fn roots(&self, after: Option<[u8; 32]>) -> Result<(Vec<NodeHash>, Option<[u8; 32]>), StoreError> {
        let view = self.inner.database.begin_read()?;
        let table = view.open_table(BLOCKS)?;
        let mut roots = vec![];
        let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        for entry in table.range::<&[u8; 32]>((from, Bound::Unbounded))? {
            let (hash, bytes) = entry?;
            let block = block(bytes.value())?;
            if block.level >= self.target {
                roots.push(NodeHash::from(block.state_hash.0));
            }
            if roots.len() == BLOCKS_TOGETHER {
                return Ok((roots, Some(*hash.value())));
            }
        }
        Ok((roots, None))
    }

    /// Removes the blocks below the target, whatever branch they are of, with all that is theirs.
    fn remove_blocks(&self, removed: &mut Removed, cancelled: &AtomicBool) -> Result<(), CollectError> {
        let mut after: Option<[u8; 32]> = None;
        loop {
            Self::go_on(cancelled)?;
            let (mut blocks, last) = (vec![], self.keys_after(BLOCKS, after)?);
            let Some(last) = last else { break };
            let started = Instant::now();
            let transaction = self.inner.database.begin_write()?;
            {
                let mut table = transaction.open_table(BLOCKS)?;
                let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
                for entry in table.range::<&[u8; 32]>((from, Bound::Included(&last)))? {
                    let block = block(entry?.1.value())?;
                    if block.level < self.target {
                        blocks.push(block);
                    }
                }
                let mut messages = transaction.open_table(MESSAGES)?;
                let mut cells = transaction.open_table(INBOX_CELLS)?;
                let mut commitments = transaction.open_table(COMMITMENTS)?;
                for block in &blocks {
                    table.remove(&block.hash.0)?;
                    messages.remove(&block.witness().0)?;
                    cells.remove(&block.inbox_hash.0)?;
                    if let Some(commitment) = &block.commitment {
                        commitments.remove(&commitment.0)?;
                    }
                }
                let mut levels = transaction.open_table(LEVELS)?;
                let old: Vec<i32> = levels
                    .range(..self.target.0)?
                    .take(TOGETHER)
                    .map(|entry| Ok(entry?.0.value()))
                    .collect::<Result<_, StoreError>>()?;
                for level in old {
                    levels.remove(level)?;
                }
            }
            transaction.commit()?;
            removed.blocks += blocks.len() as u64;
            after = Some(last);
            pause(started);
        }
        Ok(())
    }

    /// The last of the next keys of a table, [`TOGETHER`] at most.
    fn keys_after(
        &self,
        table: redb::TableDefinition<'static, &'static [u8; 32], &'static [u8]>,
        after: Option<[u8; 32]>,
    ) -> Result<Option<[u8; 32]>, StoreError> {
        let view = self.inner.database.begin_read()?;
        let table = view.open_table(table)?;
        let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut last = None;
        for entry in table.range::<&[u8; 32]>((from, Bound::Unbounded))?.take(TOGETHER) {
            last = Some(*entry?.0.value());
        }
        Ok(last)
    }

    /// Removes what is known of publications before the target.
    fn remove_publications(&self, cancelled: &AtomicBool) -> Result<(), CollectError> {
        let mut after = None;
        while let Some(last) = self.keys_after(PUBLICATIONS, after)? {
            Self::go_on(cancelled)?;
            let started = Instant::now();
            let transaction = self.inner.database.begin_write()?;
            {
                let mut table = transaction.open_table(PUBLICATIONS)?;
                let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
                let mut old = vec![];
                for entry in table.range::<&[u8; 32]>((from, Bound::Included(&last)))? {
                    let (hash, bytes) = entry?;
                    let publication =
                        Publication::from_bytes(bytes.value()).map_err(|e| StoreError::damaged("publication", e))?;
                    if publication.first < self.target {
                        old.push(*hash.value());
                    }
                }
                for hash in old {
                    table.remove(&hash)?;
                }
            }
            transaction.commit()?;
            after = Some(last);
            pause(started);
        }
        Ok(())
    }

    /// Removes the nodes that are not marked.
    fn sweep(&self, marks: &Marks, removed: &mut Removed, cancelled: &AtomicBool) -> Result<(), CollectError> {
        let mut after: Option<[u8; 32]> = None;
        loop {
            Self::go_on(cancelled)?;
            let started = Instant::now();
            let transaction = self.inner.database.begin_write()?;
            // nobody else writes from here on: all that was written is noted
            self.note_written(marks)?;
            let kept = marks.kept()?;
            let mut table = transaction.open_table(NODES)?;
            let from = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
            let (mut garbage, mut last) = (vec![], None);
            for entry in table.range::<&[u8; 32]>((from, Bound::Unbounded))?.take(TOGETHER) {
                let (hash, record) = entry?;
                let (hash, size) = (*hash.value(), (32 + record.value().len()) as u64);
                last = Some(hash);
                if kept.contains(&hash)? {
                    removed.kept_nodes += 1;
                    removed.kept_bytes += size;
                } else {
                    removed.nodes += 1;
                    removed.bytes += size;
                    garbage.push(hash);
                }
            }
            for hash in &garbage {
                table.remove(hash)?;
            }
            drop(table);
            if garbage.is_empty() {
                transaction.abort()?
            } else {
                transaction.commit()?
            }
            match last {
                Some(last) => after = Some(last),
                None => return Ok(()),
            }
            pause(started);
        }
    }
}

fn block(bytes: &[u8]) -> Result<StoredBlock, StoreError> {
    StoredBlock::from_bytes(bytes).map_err(|e| StoreError::damaged("block", e))
}

/// Leaves the store to others for about as long as it was held.
pub(super) fn pause(since: Instant) {
    std::thread::sleep(since.elapsed().min(PAUSE));
}
