//! The nodes of PVM states: `soru-merkle`'s node store over redb.

use super::Inner;
use super::tables::NODES;
use bytes::Bytes;
use redb::{ReadableDatabase, Table};
use soru_merkle::{NodeHash, NodeSink, NodeStore, StoreId};
use std::sync::{Arc, PoisonError};

/// Reads nodes. Each read sees the latest transaction: a reader held for long would keep the file from reusing space.
pub struct NodeReader(pub(super) Arc<Inner>);

impl NodeStore for NodeReader {
    fn id(&self) -> StoreId {
        self.0.nodes_id()
    }

    fn get(&self, hash: &NodeHash) -> Result<Option<Bytes>, soru_merkle::StoreError> {
        let read = || -> Result<Option<Bytes>, super::StoreError> {
            let view = self.0.database.begin_read()?;
            let found = view.open_table(NODES)?.get(&hash_bytes(hash))?;
            Ok(found.map(|bytes| Bytes::copy_from_slice(bytes.value())))
        };
        read().map_err(soru_merkle::StoreError::new)
    }
}

fn hash_bytes(hash: &NodeHash) -> [u8; 32] {
    hash.0
}

/// Writes nodes inside a transaction.
pub struct NodeWriter<'a> {
    pub(super) inner: &'a Inner,
    pub(super) id: StoreId,
    pub(super) table: Table<'a, &'static [u8; 32], &'static [u8]>,
}

impl NodeSink for NodeWriter<'_> {
    fn id(&self) -> StoreId {
        self.id
    }

    fn put(&mut self, hash: &NodeHash, record: &[u8]) -> Result<(), soru_merkle::StoreError> {
        self.table.insert(&hash_bytes(hash), record).map_err(soru_merkle::StoreError::new)?;
        // a collection keeps what is written while it runs
        if let Some(written) = self.inner.written.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            written.push(hash_bytes(hash));
        }
        Ok(())
    }
}
