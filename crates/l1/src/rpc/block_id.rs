//! How requests name a block (`spec/protocol.md` §9.1).

use soru_tezos::hash::BlockHash;
use soru_tezos::header::BlockRef;
use soru_tezos::scalar::Level;
use std::fmt;

/// A block as requests name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockId {
    /// The newest block, or so many before it.
    Head(u32),
    /// A block by its hash, or so many before it.
    Hash(BlockHash, u32),
    /// The block of the present chain at a level.
    Level(Level),
    /// The first block.
    Genesis,
}

impl BlockId {
    /// The newest block.
    pub const HEAD: BlockId = BlockId::Head(0);
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BlockId::Head(0) => f.write_str("head"),
            BlockId::Head(before) => write!(f, "head~{before}"),
            BlockId::Hash(hash, 0) => write!(f, "{hash}"),
            BlockId::Hash(hash, before) => write!(f, "{hash}~{before}"),
            BlockId::Level(level) => write!(f, "{level}"),
            BlockId::Genesis => f.write_str("genesis"),
        }
    }
}

impl From<BlockHash> for BlockId {
    fn from(hash: BlockHash) -> Self {
        BlockId::Hash(hash, 0)
    }
}

impl From<BlockRef> for BlockId {
    fn from(block: BlockRef) -> Self {
        BlockId::Hash(block.hash, 0)
    }
}

impl From<Level> for BlockId {
    fn from(level: Level) -> Self {
        BlockId::Level(level)
    }
}
