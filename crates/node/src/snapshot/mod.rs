//! Snapshots (`spec/node.md` §4.14): all that a node needs to go on from, in one file. The header is the reference's; what
//! follows is ours, because the reference's are built around its own state store (Irmin), which nobody else has.

mod check;
mod export;
mod header;
mod import;
mod layer1;
mod outboxes;
mod rebuild;
mod stream;

pub use export::{default_name, export, write};
pub use header::Header;
pub use import::{Import, import, verify};
pub use layer1::check_published;
pub use stream::{Output, SnapshotReader, SnapshotWriter};

use crate::config::HistoryMode;
use crate::pipeline::PipelineError;
use crate::store::{CollectError, DumpError, StoreError};
use soru_l1::rpc::RpcError;
use soru_tezos::codec::DecodeError;
use soru_tezos::hash::{CommitmentHash, SmartRollupAddress};
use soru_tezos::scalar::Level;
use std::path::PathBuf;

/// Why a snapshot cannot be exported or imported. Texts as the reference's where it has them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum SnapshotError {
    #[error("cannot read the snapshot: {0}")]
    Read(String),
    #[error("this is not a snapshot of a smart rollup node: {0}")]
    Header(DecodeError),
    #[error(
        "this snapshot was not made by soru. It holds the reference's own state store (Irmin), which only the reference reads: \
         import it there, or let this node build its state from layer 1"
    )]
    NotOurs,
    #[error(
        "this snapshot was made by another release of soru, of a store with format {0}: import it with that release, or take one that \
         this release made"
    )]
    OtherFormat(u32),
    #[error("The snapshot is truncated.")]
    Truncated,
    #[error("The snapshot is corrupted: {0} cannot be right.")]
    Corrupted(&'static str),
    #[error("The snapshot is corrupted: {0}")]
    Inconsistent(String),
    #[error("The snapshot is corrupted: {0}")]
    States(CollectError),
    #[error("the states that the snapshot leaves out cannot be made again: {0}")]
    Evaluation(Box<PipelineError>),
    #[error("the engine that runs kernels cannot be started: {0}")]
    Engine(String),
    #[error(
        "The rollup node data dir {} is already populated. If you want to overwrite its non-local content use the --force option.",
        .0.display()
    )]
    Populated(PathBuf),
    #[error("The existing rollup node is for {existing}, but the snapshot is for rollup {snapshot}.")]
    OtherRollup { existing: SmartRollupAddress, snapshot: SmartRollupAddress },
    #[error("Cannot import {} snapshot into {} rollup node.", with_article(*snapshot), with_article(*existing))]
    HistoryMode { existing: HistoryMode, snapshot: HistoryMode },
    #[error("The rollup node is already at level {existing} but the snapshot is only for level {snapshot}.")]
    NotFresher { existing: Level, snapshot: Level },
    #[error("Cannot import a snapshot for level {head} at level {level}.")]
    AboveHead { level: Level, head: Level },
    #[error("Requested level {level} is below the first available level {first}.")]
    BelowFirst { level: Level, first: Level },
    #[error("Last commitment in snapshot is {found} but should be {expected}.")]
    LastCommitment { found: CommitmentHash, expected: CommitmentHash },
    #[error("Commitment of snapshot is not published on L1. ({0})")]
    NotPublished(CommitmentHash),
    #[error(
        "Cannot verify the commitment publication of the snapshot: the snapshot's head level {head} is at or below the L1 node's savepoint {savepoint}. Use an archive L1 node, or skip the check with --no-checks."
    )]
    BeforeSavepoint { head: Level, savepoint: Level },
    #[error("Snapshot contains {found} for LCC at level {level} but was expected to be {expected}.")]
    Cemented { found: CommitmentHash, level: Level, expected: CommitmentHash },
    #[error("the snapshot's rollup begins otherwise than on this layer 1: is it one of another chain?")]
    OtherChain,
    #[error(transparent)]
    LayerOne(#[from] RpcError),
    #[error(transparent)]
    Dump(#[from] DumpError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn with_article(mode: HistoryMode) -> &'static str {
    match mode {
        HistoryMode::Archive => "an archive",
        HistoryMode::Full => "a full",
    }
}
