//! What can go wrong while reading or changing a tree.

use std::sync::Arc;

use crate::NodeHash;

/// A failure of the node store itself (disk, database).
#[derive(Clone, Debug, thiserror::Error)]
#[error("node store: {0}")]
pub struct StoreError(Arc<dyn std::error::Error + Send + Sync>);

impl StoreError {
    /// Wraps the store's own error.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        StoreError(error.into().into())
    }
}

/// Why an operation on a tree failed. A tree whose mutation failed must be dropped.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// The tree was rebuilt from a proof, and the operation reads a part that the proof does not show.
    #[error("the proof does not show node {0}, which this operation reads")]
    Blinded(NodeHash),
    /// The node store has no such node.
    #[error("node {0} is missing from the node store: the store is damaged, or the node was collected as garbage")]
    Missing(NodeHash),
    /// The node store holds something else under this hash.
    #[error("node {hash} in the node store is damaged: {reason}")]
    Corrupt {
        /// The hash under which the node was asked for.
        hash: NodeHash,
        /// What does not fit.
        reason: &'static str,
    },
    /// The node store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The path has more steps than [`Tree::MAX_PATH`](crate::Tree::MAX_PATH).
    #[error("a path of {0} steps is longer than the {max} a tree accepts", max = crate::Tree::MAX_PATH)]
    PathTooLong(usize),
    /// Three steps of one directory share the first 50 bits of their hashes (`spec/pvm.md` §1.4).
    #[error("steps of one directory collide on the first 50 bits of their hashes")]
    TrieTooDeep,
}
