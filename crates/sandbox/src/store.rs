//! Chain data on disk: one redb file in the data directory, one atomic transaction a block.
//!
//! What is kept is the chain itself (how it was started, and every block with its operations and receipts). The ledger
//! is a function of that and is computed again when the sandbox starts; each header's context hash proves that it came
//! out equal. A process killed at any instant loses at most the block it was making.

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition};
use soru_tezos::hash::BlockHash;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Version of the format of the file. Another version is refused.
const FORMAT: u64 = 2;
const FILE: &str = "chain.redb";

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const BLOCKS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("blocks");
const LEVELS: TableDefinition<'_, &[u8; 32], u32> = TableDefinition::new("levels");
const CHANGES: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("changes");

const META_FORMAT: &str = "format";
const META_START: &str = "chain start";
const META_CONTROLS: &str = "controls";

/// Why chain data cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory cannot be made or is not writable.
    #[error(
        "cannot write chain data in '{}': {reason}; choose another directory with --data-dir or correct its permissions",
        .directory.display()
    )]
    Directory {
        /// The data directory.
        directory: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// Another process has the file open.
    #[error("the data directory '{}' is in use by another process; stop it, or choose another directory with --data-dir", .0.display())]
    InUse(PathBuf),
    /// The file was written by another version of this program.
    #[error("chain data in '{}' has format {found}, this program reads format {FORMAT}; choose another --data-dir", .file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// The format found.
        found: String,
    },
    /// The file is damaged or the system refuses to read or write it.
    #[error("chain data in '{}': {reason}", .file.display())]
    Database {
        /// The file.
        file: PathBuf,
        /// What the database says.
        reason: String,
    },
}

/// A block to be written.
pub struct Record<'a> {
    /// Its level.
    pub level: u32,
    /// Its hash.
    pub hash: &'a BlockHash,
    /// Its form on disk.
    pub block: Vec<u8>,
    /// Changes of the state it began with.
    pub changes: Option<Vec<u8>>,
}

/// Opens the database, or makes one: under another name, so that a process killed meanwhile does not leave half a file. Of
/// two processes that make one, the second finds that of the first.
fn database(file: &Path) -> Result<Database, DatabaseError> {
    if !file.exists() {
        let beside = file.with_extension(std::process::id().to_string());
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(StorageError::from(error).into()),
            _ => drop(Database::create(&beside)?),
        }
        let linked = std::fs::hard_link(&beside, file);
        if linked.is_err() && !file.exists() {
            // not all file systems have links
            std::fs::rename(&beside, file).map_err(StorageError::from)?;
        } else {
            std::fs::remove_file(&beside).map_err(StorageError::from)?;
        }
    }
    Database::open(file)
}

/// The chain's file, open for this process alone.
pub struct Store {
    file: PathBuf,
    database: Database,
}

impl Store {
    /// Opens the chain data of `directory`, which is made if needed.
    pub fn open(directory: &Path) -> Result<Store, StoreError> {
        let refuse = |reason: String| StoreError::Directory { directory: directory.to_owned(), reason };
        std::fs::create_dir_all(directory).map_err(|error| refuse(error.to_string()))?;
        let file = directory.join(FILE);
        let database = database(&file).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(directory.to_owned()),
            DatabaseError::Storage(StorageError::Io(error)) if error.kind() != ErrorKind::InvalidData => {
                refuse(error.to_string())
            }
            error => StoreError::Database { file: file.clone(), reason: error.to_string() },
        })?;
        let store = Store { file, database };
        store.check_format()?;
        Ok(store)
    }

    fn error(&self, error: impl Into<redb::Error>) -> StoreError {
        StoreError::Database { file: self.file.clone(), reason: error.into().to_string() }
    }

    fn check_format(&self) -> Result<(), StoreError> {
        let transaction = self.database.begin_write().map_err(|e| self.error(e))?;
        {
            let mut meta = transaction.open_table(META).map_err(|e| self.error(e))?;
            transaction.open_table(BLOCKS).map_err(|e| self.error(e))?;
            transaction.open_table(LEVELS).map_err(|e| self.error(e))?;
            transaction.open_table(CHANGES).map_err(|e| self.error(e))?;
            let found = meta.get(META_FORMAT).map_err(|e| self.error(e))?.map(|value| value.value().to_vec());
            match found {
                Some(found) if found == FORMAT.to_be_bytes() => {}
                Some(found) => {
                    return Err(StoreError::Format { file: self.file.clone(), found: hex::encode(found) });
                }
                None => {
                    meta.insert(META_FORMAT, &FORMAT.to_be_bytes()[..]).map_err(|e| self.error(e))?;
                }
            }
        }
        transaction.commit().map_err(|e| self.error(e))
    }

    /// How the chain was started, as written by [`Store::start`]; nothing in a new directory.
    pub fn chain_start(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let transaction = self.database.begin_read().map_err(|e| self.error(e))?;
        let meta = transaction.open_table(META).map_err(|e| self.error(e))?;
        Ok(meta.get(META_START).map_err(|e| self.error(e))?.map(|value| value.value().to_vec()))
    }

    /// Writes down how the chain starts, with its first blocks, in one transaction.
    pub fn start<'a>(
        &self,
        start: &[u8],
        blocks: impl IntoIterator<Item = (u32, &'a BlockHash, Vec<u8>)>,
    ) -> Result<(), StoreError> {
        self.write(Some(start), blocks)
    }

    /// Adds a block.
    pub fn append(&self, level: u32, hash: &BlockHash, block: Vec<u8>) -> Result<(), StoreError> {
        self.write(None, [(level, hash, block)])
    }

    fn write<'a>(
        &self,
        start: Option<&[u8]>,
        blocks: impl IntoIterator<Item = (u32, &'a BlockHash, Vec<u8>)>,
    ) -> Result<(), StoreError> {
        let blocks = blocks.into_iter().map(|(level, hash, block)| Record { level, hash, block, changes: None });
        self.commit(start, None, None, blocks)
    }

    /// Keeps the blocks up to a level (all, without one), adds others, and writes down the controls, in one transaction.
    pub fn replace<'a>(
        &self,
        keep: Option<u32>,
        controls: Option<&[u8]>,
        blocks: impl IntoIterator<Item = Record<'a>>,
    ) -> Result<(), StoreError> {
        self.commit(None, keep, controls, blocks)
    }

    fn commit<'a>(
        &self,
        start: Option<&[u8]>,
        keep: Option<u32>,
        controls: Option<&[u8]>,
        blocks: impl IntoIterator<Item = Record<'a>>,
    ) -> Result<(), StoreError> {
        let transaction = self.database.begin_write().map_err(|e| self.error(e))?;
        {
            let mut meta = transaction.open_table(META).map_err(|e| self.error(e))?;
            for (key, value) in [(META_START, start), (META_CONTROLS, controls)] {
                if let Some(value) = value {
                    meta.insert(key, value).map_err(|e| self.error(e))?;
                }
            }
            let mut table = transaction.open_table(BLOCKS).map_err(|e| self.error(e))?;
            let mut levels = transaction.open_table(LEVELS).map_err(|e| self.error(e))?;
            let mut changes = transaction.open_table(CHANGES).map_err(|e| self.error(e))?;
            if let Some(keep) = keep {
                table.retain(|level, _| level <= keep).map_err(|e| self.error(e))?;
                levels.retain(|_, level| level <= keep).map_err(|e| self.error(e))?;
                changes.retain(|level, _| level <= keep).map_err(|e| self.error(e))?;
            }
            for record in blocks {
                table.insert(record.level, record.block.as_slice()).map_err(|e| self.error(e))?;
                levels.insert(&record.hash.0, record.level).map_err(|e| self.error(e))?;
                if let Some(made) = record.changes {
                    changes.insert(record.level, made.as_slice()).map_err(|e| self.error(e))?;
                }
            }
        }
        transaction.commit().map_err(|e| self.error(e))
    }

    /// What was written down last about the controls.
    pub fn controls(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let transaction = self.database.begin_read().map_err(|e| self.error(e))?;
        let meta = transaction.open_table(META).map_err(|e| self.error(e))?;
        Ok(meta.get(META_CONTROLS).map_err(|e| self.error(e))?.map(|value| value.value().to_vec()))
    }

    /// The changes of the state that blocks began with, by level.
    pub fn changes(&self) -> Result<Vec<(u32, Vec<u8>)>, StoreError> {
        let transaction = self.database.begin_read().map_err(|e| self.error(e))?;
        let changes = transaction.open_table(CHANGES).map_err(|e| self.error(e))?;
        let mut all = Vec::new();
        for entry in changes.iter().map_err(|e| self.error(e))? {
            let (level, made) = entry.map_err(|e| self.error(e))?;
            all.push((level.value(), made.value().to_vec()));
        }
        Ok(all)
    }

    /// The block at a level, as it was written.
    pub fn block(&self, level: u32) -> Result<Option<Vec<u8>>, StoreError> {
        let transaction = self.database.begin_read().map_err(|e| self.error(e))?;
        let blocks = transaction.open_table(BLOCKS).map_err(|e| self.error(e))?;
        Ok(blocks.get(level).map_err(|e| self.error(e))?.map(|value| value.value().to_vec()))
    }

    /// The level of the block with this hash.
    pub fn level_of(&self, hash: &BlockHash) -> Result<Option<u32>, StoreError> {
        let transaction = self.database.begin_read().map_err(|e| self.error(e))?;
        let levels = transaction.open_table(LEVELS).map_err(|e| self.error(e))?;
        Ok(levels.get(&hash.0).map_err(|e| self.error(e))?.map(|value| value.value()))
    }

    /// The level of the newest block.
    pub fn last_level(&self) -> Result<Option<u32>, StoreError> {
        let transaction = self.database.begin_read().map_err(|e| self.error(e))?;
        let blocks = transaction.open_table(BLOCKS).map_err(|e| self.error(e))?;
        Ok(blocks.last().map_err(|e| self.error(e))?.map(|(level, _)| level.value()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_survive_and_a_second_process_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let hash = BlockHash([7; 32]);
        let store = Store::open(directory.path()).unwrap();
        assert_eq!(store.chain_start().unwrap(), None);
        store.start(b"start", [(0, &BlockHash::ZERO, vec![0])]).unwrap();
        store.append(1, &hash, vec![1, 2]).unwrap();
        assert!(matches!(Store::open(directory.path()), Err(StoreError::InUse(_))));
        drop(store);
        let store = Store::open(directory.path()).unwrap();
        assert_eq!(store.chain_start().unwrap().as_deref(), Some(&b"start"[..]));
        assert_eq!(store.last_level().unwrap(), Some(1));
        assert_eq!(store.level_of(&hash).unwrap(), Some(1));
        assert_eq!(store.block(1).unwrap(), Some(vec![1, 2]));
        assert_eq!(store.block(2).unwrap(), None);

        let second = BlockHash([8; 32]);
        let record = Record { level: 2, hash: &second, block: vec![3], changes: Some(vec![4]) };
        store.replace(None, None, [record]).unwrap();
        assert_eq!(store.changes().unwrap(), [(2, vec![4])]);
        let other = BlockHash([9; 32]);
        let record = Record { level: 1, hash: &other, block: vec![5], changes: None };
        store.replace(Some(0), Some(b"controls"), [record]).unwrap();
        assert_eq!((store.level_of(&hash).unwrap(), store.level_of(&other).unwrap()), (None, Some(1)));
        assert_eq!((store.block(1).unwrap(), store.block(2).unwrap()), (Some(vec![5]), None));
        assert_eq!((store.changes().unwrap(), store.last_level().unwrap()), (vec![], Some(1)));
        assert_eq!(store.controls().unwrap().as_deref(), Some(&b"controls"[..]));
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "in the way").unwrap();
        let error = Store::open(&file.join("data")).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(file.to_str().unwrap()) && error.contains("--data-dir"), "{error}");
    }
}
