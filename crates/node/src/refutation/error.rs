//! Why a move cannot be made (`spec/node.md` Appendix B).

use crate::store::StoreError;
use soru_l1::rpc::RpcError;
use soru_protocol::inbox::InboxProofError;
use soru_pvm::PvmError;
use soru_pvm::Tick;
use soru_tezos::hash::CommitmentHash;
use soru_tezos::scalar::Level;

/// Why a move cannot be made now.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RefutationError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Layer 1 does not answer.
    #[error(transparent)]
    LayerOne(#[from] RpcError),
    /// A state of the period could not be computed.
    #[error("cannot compute the state at tick {tick} (inbox level {level}): {source}")]
    State {
        /// Inbox level.
        level: Level,
        /// Tick since the origination.
        tick: Tick,
        /// Why.
        source: PvmError,
    },
    /// The commitment to defend is none of this node's.
    #[error("this node did not make commitment {hash} for inbox level {level}, so it cannot defend it")]
    NotOurs {
        /// The commitment.
        hash: CommitmentHash,
        /// Its inbox level.
        level: Level,
    },
    /// Data of the period is gone.
    #[error("the store holds no {what} of level {level}, which the game needs")]
    Missing {
        /// What.
        what: &'static str,
        /// Inbox level.
        level: Level,
    },
    /// A game that cannot be.
    #[error(
        "The Tezos node that we are connected to has returned a refutation game that is inconsistent ({0}). It should not be trusted."
    )]
    Inconsistent(&'static str),
    /// The message that the last step reads could not be proven.
    #[error("cannot prove the message that the step at tick {tick} reads: {source}")]
    Inbox {
        /// Tick since the origination.
        tick: Tick,
        /// Why.
        source: InboxProofError,
    },
    /// The step could not be proven, or its own verification failed.
    #[error("Cannot produce a proof for inbox level {level} at tick {tick}: {reason}")]
    Proof {
        /// Inbox level of the commitment.
        level: Level,
        /// Tick since the origination.
        tick: Tick,
        /// Why.
        reason: String,
    },
}
