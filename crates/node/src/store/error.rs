//! What can go wrong with the store.

use soru_tezos::codec::DecodeError;
use soru_tezos::hash::SmartRollupAddress;
use soru_tezos::rollup::GenesisInfo;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why the store refuses or fails.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The data directory cannot be used.
    #[error("data directory {} is not usable: cannot {action}: {reason}", path.display())]
    DataDir {
        /// The directory, or the file in it.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        reason: String,
    },
    /// A layer 1 node lives there.
    #[error("{} is the data directory of a Tezos node (it contains identity.json): choose another one", .0.display())]
    LayerOneDirectory(PathBuf),
    /// Another process has it.
    #[error(
        "Could not acquire lock on data directory, another rollup node may already be running with this data directory (lock file {})",
        .0.display()
    )]
    Locked(PathBuf),
    /// Another rollup's.
    #[error(
        "This rollup node was already set up for rollup {stored}, it cannot be run for a different rollup {wanted}."
    )]
    OtherRollup {
        /// Of the directory.
        stored: SmartRollupAddress,
        /// Asked for.
        wanted: SmartRollupAddress,
    },
    /// Another chain's.
    #[error(
        "the data directory holds the rollup originated at level {} with commitment {}, but layer 1 has it at level {} with commitment {}: is this another chain?",
        stored.level, stored.commitment_hash, wanted.level, wanted.commitment_hash
    )]
    OtherGenesis {
        /// Of the directory.
        stored: GenesisInfo,
        /// Of layer 1.
        wanted: GenesisInfo,
    },
    /// What was collected does not come back.
    #[error("Cannot transform a full rollup node into an archive one.")]
    FullToArchive,
    /// A file of another release.
    #[error(
        "the store {} was made by another release: it has format {found}, and this release reads format {read}. Run the release \
         that made it, or begin again in an empty data directory, from layer 1 or from a snapshot (snapshot import)",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The one that is read.
        read: u32,
    },
    /// Metadata that does not read.
    #[error("the store's metadata is damaged: {reason}")]
    Metadata {
        /// What is wrong.
        reason: String,
    },
    /// A record that does not decode.
    #[error("a {what} in the store is damaged: {reason}")]
    Damaged {
        /// Kind of record.
        what: &'static str,
        /// What is wrong.
        reason: DecodeError,
    },
    /// A record that cannot belong to a store.
    #[error("this is no content of a store: the {0} is wrong")]
    Record(&'static str),
    /// What lies in the place of the store is none, or is damaged.
    #[error(
        "the store {} cannot be opened: {reason}. Move it away, then begin again from layer 1 or from a snapshot \
         (snapshot import)",
        path.display()
    )]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the database said.
        reason: String,
    },
    /// The disk failed. The database takes nothing more from this process.
    #[error(
        "the store cannot be read or written: {0}. Once that is mended start again: it goes on from the last whole block"
    )]
    Disk(String),
    /// The database failed.
    #[error("the store failed: {0}")]
    Database(Arc<redb::Error>),
    /// The merkle layer failed.
    #[error(transparent)]
    Nodes(#[from] soru_merkle::StoreError),
}

impl StoreError {
    pub(super) fn damaged(what: &'static str, reason: DecodeError) -> Self {
        StoreError::Damaged { what, reason }
    }

    pub(super) fn open(path: &Path, error: redb::DatabaseError) -> Self {
        match error {
            redb::DatabaseError::DatabaseAlreadyOpen => StoreError::Locked(path.to_owned()),
            redb::DatabaseError::Storage(redb::StorageError::Io(error)) if error.kind() != ErrorKind::InvalidData => {
                StoreError::DataDir { path: path.to_owned(), action: "open the store", reason: error.to_string() }
            }
            error => StoreError::Unusable { path: path.to_owned(), reason: error.to_string() },
        }
    }
}

impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Io(error) => StoreError::Disk(error.to_string()),
            redb::Error::PreviousIo => StoreError::Disk("it failed before".to_owned()),
            error => StoreError::Database(Arc::new(error)),
        }
    }
}

macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self { redb::Error::from(error).into() }
        }
    )*};
}
from_redb!(TransactionError, TableError, StorageError, CommitError, CompactionError, SetDurabilityError);
