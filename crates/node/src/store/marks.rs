//! Which nodes a collection keeps: sets of hashes in a file beside the store, so that the memory they take does not grow with
//! the store. The file lives no longer than the collection; one that a killed process left is removed at the next start.

use super::StoreError;
use redb::{Builder, Database, Durability, ReadOnlyTable, ReadableDatabase, Table, TableDefinition, WriteTransaction};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

type Hashes = TableDefinition<'static, &'static [u8; 32], ()>;

/// Nodes that the states kept need, found by walking them.
const REACHED: Hashes = TableDefinition::new("reached");
/// Nodes written since the collection began. They are no part of [`REACHED`]: a node may be written again while only its
/// old copy leads to what lies below.
const WRITTEN: Hashes = TableDefinition::new("written");

/// Bytes of the page cache.
const CACHE: usize = 16 << 20;

/// Sets of hashes in a file of their own.
pub(super) struct Marks {
    path: PathBuf,
    database: Database,
}

/// Where the sets of a store's collection are.
fn place(store: &Path) -> PathBuf {
    store.with_extension("marks")
}

fn remove(path: PathBuf) -> Result<(), StoreError> {
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StoreError::DataDir { path, action: "remove what was left there", reason: error.to_string() })
        }
        _ => Ok(()),
    }
}

/// Removes what a process left that was killed while it collected.
pub(super) fn clean(store: &Path) -> Result<(), StoreError> {
    remove(place(store))
}

impl Marks {
    /// Empty sets for a collection of a store.
    pub fn new(store: &Path) -> Result<Marks, StoreError> {
        Self::at(place(store))
    }

    /// Empty sets in a file.
    pub fn at(path: PathBuf) -> Result<Marks, StoreError> {
        remove(path.clone())?;
        let database = Builder::new().set_cache_size(CACHE).create(&path).map_err(|e| StoreError::open(&path, e))?;
        let marks = Marks { path, database };
        let transaction = marks.begin()?;
        transaction.open_table(REACHED)?;
        transaction.open_table(WRITTEN)?;
        transaction.commit()?;
        Ok(marks)
    }

    fn begin(&self) -> Result<WriteTransaction, StoreError> {
        let mut transaction = self.database.begin_write()?;
        // nobody reads the file after this process
        transaction.set_durability(Durability::None)?;
        Ok(transaction)
    }

    /// Adds nodes to those that are reached, in one transaction: `work` is given the set.
    pub fn reach<T>(
        &self,
        work: impl FnOnce(&mut Table<'_, &'static [u8; 32], ()>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let transaction = self.begin()?;
        let result = work(&mut transaction.open_table(REACHED)?)?;
        transaction.commit()?;
        Ok(result)
    }

    /// Adds nodes to those that were written.
    pub fn write(&self, hashes: &[[u8; 32]]) -> Result<(), StoreError> {
        if hashes.is_empty() {
            return Ok(());
        }
        let transaction = self.begin()?;
        {
            let mut table = transaction.open_table(WRITTEN)?;
            for hash in hashes {
                table.insert(hash, ())?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// What is kept, as of now.
    pub fn kept(&self) -> Result<Kept, StoreError> {
        let view = self.database.begin_read()?;
        Ok(Kept { reached: view.open_table(REACHED)?, written: view.open_table(WRITTEN)? })
    }
}

impl Drop for Marks {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A view of the sets.
pub(super) struct Kept {
    reached: ReadOnlyTable<&'static [u8; 32], ()>,
    written: ReadOnlyTable<&'static [u8; 32], ()>,
}

impl Kept {
    /// Whether a node is kept.
    pub fn contains(&self, hash: &[u8; 32]) -> Result<bool, StoreError> {
        Ok(self.reached.get(hash)?.is_some() || self.written.get(hash)?.is_some())
    }
}
