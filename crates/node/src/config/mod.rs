//! What the node is told: its configuration file, the command line's options, and how both combine
//! (`spec/node.md` §1.3, §1.4, §1.6, §2, §3).

mod filters;
mod mode;
mod operators;
mod options;
mod parts;
mod patches;
mod settings;

pub use filters::{Among, Any, OutboxFilter, TransactionFilter};
pub use mode::{Mode, OperationKind, Purpose};
pub use operators::{OperatorArgument, Operators};
pub use options::Options;
pub use parts::{
    AclEntry, AclKind, AclRules, Batcher, CommitOn, Cors, FailurePoint, FeeSettings, GcParameters, HistoryMode,
    Injector, LoserMode, Telemetry, WrongDalParameters,
};
pub use patches::{DurablePatch, PatchError, PvmPatch};
pub use settings::{Config, Display};

use soru_tezos::key::PublicKeyHash;
use std::path::PathBuf;

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A mode that does not exist.
    #[error(
        "Invalid mode '{0}' (observer, accuser, bailout, batcher, maintenance, operator, custom:<kind>[,<kind>…] are known)"
    )]
    UnknownMode(String),
    /// An operation kind that does not exist.
    #[error("operation_kind_of_string {0}")]
    UnknownOperationKind(String),
    /// `custom` without kinds.
    #[error("Operation kinds for custom mode are empty.")]
    EmptyCustomMode,
    /// Two operators without purpose.
    #[error("Multiple default operators")]
    MultipleDefaultOperators,
    /// Purposes that the mode needs and nobody serves.
    #[error("Missing operators for purposes {}.", list(.0))]
    MissingOperators(Vec<Purpose>),
    /// The file asks for patches, the command line does not confirm.
    #[error(
        "Configuration is registered to apply unsafe PVM patches. Flag --apply-unsafe-patches must always be given on command line."
    )]
    UnconfirmedPatches,
    /// An option needed because there is no file.
    #[error("Argument --{0} is required when configuration file is not present.")]
    RequiredArgument(&'static str),
    /// A failure plan that does not read.
    #[error("Invalid syntax for failure points")]
    FailurePoints,
    /// A value out of range.
    #[error("{0}")]
    Range(String),
    /// A configuration file that exists already.
    #[error("Configuration file {0:?} already exists. Use --force to overwrite.")]
    Exists(PathBuf),
    /// A file that cannot be read or written.
    #[error("cannot {action} configuration file {}: {reason}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A file that is not a configuration.
    #[error("configuration file {} is not valid: {reason}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What and where.
        reason: String,
    },
    /// One of several batching keys has another purpose too.
    #[error(
        "Key {key} is one of several keys for purpose batching and cannot be used for {purpose} too: they take turns, and its other operations would have to wait. Use a key of its own for {purpose}"
    )]
    SharedBatchingKey {
        /// The key.
        key: PublicKeyHash,
        /// The other purpose.
        purpose: Purpose,
    },
    /// Something the reference knows and this node does not do yet.
    #[error("{0} is not supported by this node yet")]
    Unsupported(&'static str),
}

fn list(purposes: &[Purpose]) -> String {
    let names: Vec<_> = purposes.iter().map(|purpose| purpose.name()).collect();
    names.join(", ")
}
