//! What can go wrong while the sandbox starts or runs. Errors of operations are of the ledger's own kind.

use crate::store::StoreError;
use soru_protocol::constants::ConstantsError;
use std::net::SocketAddr;

/// Why the sandbox cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The RPC address cannot be listened on.
    #[error("cannot listen on {address}: {reason}; choose another address with --rpc-addr")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        reason: String,
    },
    /// Chain data cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Constants were refused.
    #[error("constants: {0}")]
    Constants(#[from] ConstantsError),
    /// Upgrades of the protocol that do not follow each other.
    #[error("the upgrade {upgrade} goes back: levels and protocols must both go up from one --migrate-at to the next")]
    Upgrade {
        /// The upgrade, as it was given.
        upgrade: String,
    },
    /// A block of the chain data does not decode.
    #[error("chain data is damaged: {0}")]
    Record(String),
    /// Applying a stored block again leads elsewhere.
    #[error(
        "applying block {level} again gives another state ({computed}) than when it was made ({recorded}): the chain was made by another version of this program; choose another --data-dir"
    )]
    Diverged {
        /// The level of the block.
        level: u32,
        /// The context hash now.
        computed: String,
        /// The context hash in the header of the next block.
        recorded: String,
    },
    /// A block that should be there is not.
    #[error("chain data has no block at level {level}")]
    NoBlock {
        /// The level.
        level: u32,
    },
    /// A secret key or a signature cannot be made.
    #[error("cannot sign the block: {0}")]
    Sign(String),
    /// The system refuses something.
    #[error("{what}: {reason}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        reason: String,
    },
}
