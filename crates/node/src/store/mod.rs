//! What the node keeps (`spec/node.md` §5.4): blocks by hash, the canonical chain, inboxes, messages, commitments, outbox
//! indexes, protocols, what the batcher and the injector hold, and the nodes of the PVM states, in one redb file under the
//! data directory.
//!
//! All of one block is written in one transaction ([`Batch`]), so the file always holds whole blocks, whenever the
//! process ends. Data of blocks is keyed by block hash: a reorganisation only moves the head and the levels.

mod batch;
mod collect;
mod dump;
mod error;
mod lock;
mod marks;
mod modules;
mod nodes;
mod outboxes;
mod queues;
mod records;
mod tables;

pub use batch::{Batch, Flush};
pub use collect::{CollectError, Collected, Collection, Removed};
pub use dump::{Dump, DumpError, Each, Existing, Kind, Restored, Restoring, States, UpTo};
pub use error::StoreError;
pub use lock::DataDirLock;
pub use modules::ModuleDirectory;
pub use nodes::{NodeReader, NodeWriter};
pub use queues::KeptMessages;
pub use records::{Execution, Mark, OutboxRecord, ProtocolRecord, Publication, StoredBlock};

use crate::config::HistoryMode;
use redb::{Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable, StorageError, WriteTransaction};
use serde::{Deserialize, Serialize};
use soru_merkle::StoreId;
use soru_tezos::codec::Decode;
use soru_tezos::hash::{BlockHash, CommitmentHash, InboxHash, PayloadHashesHash, SmartRollupAddress};
use soru_tezos::rollup::{Commitment, GenesisInfo, HistoryCell};
use soru_tezos::scalar::Level;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tables::*;

/// Version of the file's layout.
const FORMAT: u32 = 2;
/// Bytes of the database's page cache.
const CACHE: usize = 32 << 20;

/// Which rollup a data directory belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Layout of the file.
    pub format: u32,
    /// The rollup.
    pub rollup_address: SmartRollupAddress,
    /// Its first level and commitment.
    pub genesis_info: GenesisInfo,
    /// How much of the past is kept.
    pub history_mode: HistoryMode,
}

/// What can be read of the metadata of every format.
#[derive(Deserialize)]
struct AnyMetadata {
    format: u32,
}

impl Metadata {
    /// Reads the metadata of the store in a file. Those of another format may have other fields.
    fn read(bytes: &[u8], path: &Path) -> Result<Metadata, StoreError> {
        let damaged = |e: serde_json::Error| StoreError::Metadata { reason: e.to_string() };
        let AnyMetadata { format } = serde_json::from_slice(bytes).map_err(damaged)?;
        if format != FORMAT {
            return Err(StoreError::Format { path: path.to_owned(), found: format, read: FORMAT });
        }
        serde_json::from_slice(bytes).map_err(damaged)
    }
}

/// The node's store. Clones share one database.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    path: PathBuf,
    database: Database,
    nodes_id: Mutex<StoreId>,
    metadata: Metadata,
    /// The first level that no collection has removed or is removing.
    first_kept: AtomicI32,
    /// Nodes written while a collection runs.
    written: Mutex<Option<Vec<[u8; 32]>>>,
}

/// Opens the database, or makes one: under another name, so that a process killed meanwhile does not leave half a file.
fn database(path: &Path) -> Result<Database, DatabaseError> {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE);
    if !path.exists() {
        let beside = path.with_extension("new");
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(StorageError::from(error).into()),
            _ => {}
        }
        drop(builder.create(&beside)?);
        std::fs::rename(&beside, path).map_err(StorageError::from)?;
    }
    builder.open(path)
}

/// Makes every table, so that readers need not ask whether there is one.
fn make_tables(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(BLOCKS)?;
    transaction.open_table(LEVELS)?;
    transaction.open_table(INBOX_CELLS)?;
    transaction.open_table(MESSAGES)?;
    transaction.open_table(COMMITMENTS)?;
    transaction.open_table(PUBLICATIONS)?;
    transaction.open_table(OUTBOX)?;
    transaction.open_table(PROTOCOLS)?;
    transaction.open_table(GAMES)?;
    queues::make_tables(transaction)?;
    transaction.open_table(NODES)?;
    Ok(())
}

/// Moves what is in the file to its front and cuts the rest off. Collections only make room inside the file.
fn give_space_back(database: &mut Database) -> Result<(), StoreError> {
    tracing::info!("Compacting the store: collections have left most of it free");
    database.compact()?;
    let transaction = database.begin_write()?;
    transaction.open_table(STATE)?.remove(SPARSE)?;
    transaction.commit()?;
    Ok(())
}

impl Inner {
    fn new(path: PathBuf, database: Database, metadata: Metadata) -> Result<Inner, StoreError> {
        let genesis = metadata.genesis_info.level;
        let collected = read_mark(&database.begin_read()?, GC_TARGET)?.map_or(genesis, |mark| mark.level);
        let first_kept = AtomicI32::new(collected.max(genesis).0);
        let (nodes_id, written) = (Mutex::new(StoreId::fresh()), Mutex::new(None));
        Ok(Inner { path, database, nodes_id, metadata, first_kept, written })
    }

    fn nodes_id(&self) -> StoreId {
        *self.nodes_id.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file of the store in a data directory.
const FILE: &str = "store.redb";

impl Store {
    /// Whether a data directory has a store.
    pub fn exists(data_dir: &Path) -> bool {
        data_dir.join(FILE).exists()
    }

    /// Opens the store of a rollup under `data_dir`, or makes one. The data directory must be locked by the caller.
    ///
    /// `wanted` is the history mode asked for, if any; archive becomes full when asked, the other way is refused.
    pub fn open(
        data_dir: &Path,
        rollup: SmartRollupAddress,
        genesis_info: GenesisInfo,
        wanted: Option<HistoryMode>,
    ) -> Result<Store, StoreError> {
        let path = data_dir.join(FILE);
        marks::clean(&path)?;
        dump::clean(&path)?;
        let mut database = database(&path).map_err(|e| StoreError::open(&path, e))?;
        let metadata = Self::settle_metadata(&database, &path, rollup, genesis_info, wanted)?;
        if read_mark(&database.begin_read()?, SPARSE)?.is_some() {
            give_space_back(&mut database)?;
        }
        Ok(Store(Arc::new(Inner::new(path, database, metadata)?)))
    }

    fn settle_metadata(
        database: &Database,
        path: &Path,
        rollup: SmartRollupAddress,
        genesis_info: GenesisInfo,
        wanted: Option<HistoryMode>,
    ) -> Result<Metadata, StoreError> {
        let transaction = database.begin_write()?;
        let metadata = {
            let mut table = transaction.open_table(STATE)?;
            let stored = table.get(METADATA)?.map(|bytes| Metadata::read(bytes.value(), path));
            let metadata = match stored {
                Some(Err(error)) => return Err(error),
                Some(Ok(stored)) if stored.rollup_address != rollup => {
                    return Err(StoreError::OtherRollup { stored: stored.rollup_address, wanted: rollup });
                }
                Some(Ok(stored)) if stored.genesis_info != genesis_info => {
                    return Err(StoreError::OtherGenesis { stored: stored.genesis_info, wanted: genesis_info });
                }
                Some(Ok(stored)) => match (stored.history_mode, wanted) {
                    (HistoryMode::Full, Some(HistoryMode::Archive)) => return Err(StoreError::FullToArchive),
                    (before, wanted) => {
                        if let Some(wanted) = wanted.filter(|wanted| *wanted != before) {
                            tracing::info!("Converting the {before} rollup node into a {wanted} rollup node");
                        }
                        Metadata { history_mode: wanted.unwrap_or(stored.history_mode), ..stored }
                    }
                },
                None => Metadata {
                    format: FORMAT,
                    rollup_address: rollup,
                    genesis_info,
                    history_mode: wanted.unwrap_or(HistoryMode::Full),
                },
            };
            let bytes = serde_json::to_vec(&metadata).map_err(|e| StoreError::Metadata { reason: e.to_string() })?;
            table.insert(METADATA, bytes.as_slice())?;
            metadata
        };
        make_tables(&transaction)?;
        transaction.commit()?;
        Ok(metadata)
    }

    /// Which rollup this is.
    pub fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Starts a transaction. Only one runs at a time; others wait.
    pub fn begin(&self, flush: Flush) -> Result<Batch, StoreError> {
        Batch::begin(Arc::clone(&self.0), flush)
    }

    /// A consistent view for several reads.
    fn view(&self) -> Result<ReadTransaction, StoreError> {
        Ok(self.0.database.begin_read()?)
    }

    /// Nodes of PVM states.
    pub fn nodes(&self) -> Arc<NodeReader> {
        Arc::new(NodeReader(Arc::clone(&self.0)))
    }

    /// A block by hash.
    pub fn block(&self, hash: &BlockHash) -> Result<Option<StoredBlock>, StoreError> {
        self.read_block(&self.view()?, hash)
    }

    /// A block, unless it was collected or is about to be.
    fn read_block(&self, view: &ReadTransaction, hash: &BlockHash) -> Result<Option<StoredBlock>, StoreError> {
        let block: Option<StoredBlock> = decoded("block", view.open_table(BLOCKS)?.get(&hash.0)?)?;
        Ok(block.filter(|block| block.level >= self.first_available_level()))
    }

    /// The hash of the canonical chain at a level.
    pub fn hash_of_level(&self, level: Level) -> Result<Option<BlockHash>, StoreError> {
        if level < self.first_available_level() {
            return Ok(None);
        }
        Ok(self.view()?.open_table(LEVELS)?.get(level.0)?.map(|hash| BlockHash(*hash.value())))
    }

    /// The canonical block at a level.
    pub fn block_of_level(&self, level: Level) -> Result<Option<StoredBlock>, StoreError> {
        let view = self.view()?;
        let hash = view.open_table(LEVELS)?.get(level.0)?.map(|hash| BlockHash(*hash.value()));
        hash.map_or(Ok(None), |hash| self.read_block(&view, &hash))
    }

    /// The last block processed.
    pub fn head(&self) -> Result<Option<StoredBlock>, StoreError> {
        let view = self.view()?;
        match read_mark(&view, HEAD)? {
            Some(Mark { hash, .. }) => self.read_block(&view, &BlockHash(hash)),
            None => Ok(None),
        }
    }

    /// The highest level known to be final.
    pub fn finalized_level(&self) -> Result<Option<Level>, StoreError> {
        Ok(read_mark(&self.view()?, FINALIZED)?.map(|mark| mark.level))
    }

    /// The last cemented commitment, as far as the blocks processed tell.
    pub fn last_cemented(&self) -> Result<Option<(CommitmentHash, Level)>, StoreError> {
        Ok(read_mark(&self.view()?, CEMENTED)?.map(|mark| (CommitmentHash(mark.hash), mark.level)))
    }

    /// The last commitment published by this node's operator.
    pub fn last_published(&self) -> Result<Option<(CommitmentHash, Level)>, StoreError> {
        Ok(read_mark(&self.view()?, PUBLISHED)?.map(|mark| (CommitmentHash(mark.hash), mark.level)))
    }

    /// A commitment this node made.
    pub fn commitment(&self, hash: &CommitmentHash) -> Result<Option<Commitment>, StoreError> {
        decoded("commitment", self.view()?.open_table(COMMITMENTS)?.get(&hash.0)?)
    }

    /// When a commitment was published on layer 1.
    pub fn publication(&self, hash: &CommitmentHash) -> Result<Option<Publication>, StoreError> {
        decoded("publication", self.view()?.open_table(PUBLICATIONS)?.get(&hash.0)?)
    }

    /// The serialized messages under a level's witness.
    pub fn messages(&self, witness: &PayloadHashesHash) -> Result<Option<Vec<bytes::Bytes>>, StoreError> {
        let view = self.view()?;
        let table = view.open_table(MESSAGES)?;
        let found = table.get(&witness.0)?;
        found.map(|bytes| records::messages_of_bytes(bytes.value())).transpose()
    }

    /// A cell of the inbox's history.
    pub fn inbox_cell(&self, hash: &InboxHash) -> Result<Option<HistoryCell>, StoreError> {
        decoded("inbox history cell", self.view()?.open_table(INBOX_CELLS)?.get(&hash.0)?)
    }

    /// The protocol that executed the block of a level, as far as known.
    pub fn protocol_of_level(&self, level: Level) -> Result<Option<ProtocolRecord>, StoreError> {
        let view = self.view()?;
        let table = view.open_table(PROTOCOLS)?;
        for entry in table.range(..=level.0)?.rev() {
            let record =
                ProtocolRecord::from_bytes(entry?.1.value()).map_err(|e| StoreError::damaged("protocol record", e))?;
            if record.holds_at(level) {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// All games kept, in the order of their keys.
    pub fn games(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let view = self.view()?;
        let table = view.open_table(GAMES)?;
        table.iter()?.map(|entry| Ok(entry?.1.value().to_vec())).collect()
    }

    /// The first level the node has, the rollup's first as long as nothing was collected.
    pub fn first_available_level(&self) -> Level {
        Level(self.0.first_kept.load(Ordering::SeqCst))
    }
}

/// Decodes a record found in a table.
fn decoded<T: Decode>(
    what: &'static str,
    found: Option<redb::AccessGuard<'_, &'static [u8]>>,
) -> Result<Option<T>, StoreError> {
    found.map(|bytes| T::from_bytes(bytes.value()).map_err(|e| StoreError::damaged(what, e))).transpose()
}

fn read_mark(view: &ReadTransaction, name: &str) -> Result<Option<Mark>, StoreError> {
    decoded("mark", view.open_table(STATE)?.get(name)?)
}

#[cfg(test)]
mod tests;
