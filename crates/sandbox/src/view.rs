//! The chain as a request sees it: an immutable value that shares its parts with the next one, so that reading never
//! waits for a block being made.

use crate::block;
use crate::error::SandboxError;
use crate::ledger::{Change, Ledger};
use crate::make;
use crate::rpc::{Anchor, BlockId};
use crate::store::Store;
use imbl::OrdMap;
use soru_tezos::block::Block;
use soru_tezos::hash::BlockHash;
use std::sync::Arc;

/// Levels whose block and ledger stay in memory.
const RECENT: u32 = 1_024;
/// Of older levels, one in so many keeps its ledger; the others are computed from it when asked for.
const LANDMARK: u32 = 128;
/// Blocks on top of a block that make it final: Tenderbake's two.
const FINALITY: u32 = 2;

fn up_to<T: Clone>(table: &OrdMap<u32, T>, level: u32) -> OrdMap<u32, T> {
    table.range(..=level).map(|(level, value)| (*level, value.clone())).collect()
}

/// The chain up to one head.
#[derive(Clone)]
pub struct View {
    store: Arc<Store>,
    head: Arc<Block>,
    blocks: OrdMap<u32, Arc<Block>>,
    ledgers: OrdMap<u32, Arc<Ledger>>,
    /// Changes of the state that a block begins with, for the few that have some.
    changes: OrdMap<u32, Arc<Vec<Change>>>,
}

impl View {
    /// A chain of the genesis block alone.
    pub fn new(store: Arc<Store>, genesis: Arc<Block>, ledger: Arc<Ledger>) -> View {
        View {
            store,
            head: genesis.clone(),
            blocks: OrdMap::unit(0, genesis),
            ledgers: OrdMap::unit(0, ledger),
            changes: OrdMap::new(),
        }
    }

    /// The chain with one block more, the changes it began with, and the ledger after it.
    pub fn extended(&self, block: Arc<Block>, changes: Vec<Change>, ledger: Arc<Ledger>) -> View {
        let mut next = self.clone();
        let level = block::number(&block);
        if !changes.is_empty() {
            next.changes.insert(level, Arc::new(changes));
        }
        next.head = block.clone();
        next.blocks.insert(level, block);
        next.ledgers.insert(level, ledger);
        if let Some(old) = level.checked_sub(RECENT) {
            if old != 0 {
                next.blocks.remove(&old);
            }
            if !old.is_multiple_of(LANDMARK) {
                next.ledgers.remove(&old);
            }
        }
        next
    }

    /// The chain up to the block at a level.
    ///
    /// # Errors
    /// When there is no such block.
    pub fn truncated(&self, level: u32) -> Result<View, SandboxError> {
        let head = self.block_at(level)?.ok_or(SandboxError::NoBlock { level })?;
        let ledger = self.ledger_at(level)?;
        let mut cut = self.clone();
        cut.head = head.clone();
        cut.blocks = up_to(&self.blocks, level);
        cut.ledgers = up_to(&self.ledgers, level);
        cut.changes = up_to(&self.changes, level);
        cut.blocks.insert(level, head);
        cut.ledgers.insert(level, ledger);
        Ok(cut)
    }

    /// The changes that the block at a level began with.
    pub fn changes_at(&self, level: u32) -> &[Change] {
        self.changes.get(&level).map_or(&[], |changes| changes)
    }

    /// The newest block.
    pub fn head(&self) -> Arc<Block> {
        self.head.clone()
    }

    /// The ledger after the newest block.
    pub fn head_ledger(&self) -> Result<Arc<Ledger>, SandboxError> {
        self.ledger_at(block::number(&self.head))
    }

    /// The level of the newest block that is final.
    pub fn checkpoint(&self) -> u32 {
        block::number(&self.head).saturating_sub(FINALITY)
    }

    /// The block at a level; none above the head.
    pub fn block_at(&self, level: u32) -> Result<Option<Arc<Block>>, SandboxError> {
        if level > block::number(&self.head) {
            return Ok(None);
        }
        if let Some(block) = self.blocks.get(&level) {
            return Ok(Some(block.clone()));
        }
        match self.store.block(level)? {
            Some(bytes) => Ok(Some(Arc::new(block::decode_record(&bytes)?))),
            None => Ok(None),
        }
    }

    /// The level of the block with this hash.
    pub fn level_of(&self, hash: &BlockHash) -> Result<Option<u32>, SandboxError> {
        if *hash == self.head.hash {
            return Ok(Some(block::number(&self.head)));
        }
        Ok(self.store.level_of(hash)?.filter(|level| *level <= block::number(&self.head)))
    }

    /// The block a path names.
    pub fn find(&self, id: BlockId) -> Result<Option<Arc<Block>>, SandboxError> {
        let level = match id.anchor {
            Anchor::Head => Some(block::number(&self.head)),
            Anchor::Genesis => Some(0),
            Anchor::Checkpoint => Some(self.checkpoint()),
            Anchor::Level(level) => Some(level),
            Anchor::Hash(hash) => self.level_of(&hash)?,
        };
        match level {
            Some(level) => self.block_at(level.saturating_sub(id.back)),
            None => Ok(None),
        }
    }

    /// The ledger after the block at a level.
    pub fn ledger_at(&self, level: u32) -> Result<Arc<Ledger>, SandboxError> {
        let landmark = self.ledgers.get_prev(&level).map(|(level, ledger)| (*level, ledger.clone()));
        let (mut reached, mut ledger) = landmark.ok_or(SandboxError::NoBlock { level })?;
        while reached < level {
            reached += 1;
            let predecessor = self.block_at(reached - 1)?.ok_or(SandboxError::NoBlock { level: reached - 1 })?;
            let block = self.block_at(reached)?.ok_or(SandboxError::NoBlock { level: reached })?;
            ledger = Arc::new(make::reapply(&ledger, &predecessor, &block, self.changes_at(reached))?);
        }
        Ok(ledger)
    }

    /// Blocks for which an operation's branch is good.
    pub fn time_to_live(&self) -> u32 {
        let constant = self.head_ledger().map_or(0, |ledger| ledger.constants.max_operations_time_to_live);
        u32::try_from(constant).unwrap_or(0)
    }

    /// Hashes of the blocks an operation in the block after `level` may name as its branch, newest first.
    pub fn live_blocks(&self, level: u32) -> Result<Vec<BlockHash>, SandboxError> {
        self.hashes(level, self.time_to_live().saturating_add(1))
    }

    /// Hashes of `count` blocks back from `level`, newest first.
    pub fn hashes(&self, level: u32, count: u32) -> Result<Vec<BlockHash>, SandboxError> {
        let mut hashes = Vec::new();
        for level in (level.saturating_sub(count.saturating_sub(1))..=level).rev().take(count as usize) {
            if let Some(block) = self.block_at(level)? {
                hashes.push(block.hash);
            }
        }
        Ok(hashes)
    }
}
