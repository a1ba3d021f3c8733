//! Node stores: where trees are kept between runs, content addressed by node hash. A store is a map from hash to record; what a
//! record holds is this crate's affair (`record.rs`).

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;

use crate::error::{StoreError, TreeError};
use crate::hash::NodeHash;
use crate::node::Body;
use crate::record;

/// Tells stores apart within a running program, so that a tree knows what a store already holds.
///
/// Take a fresh one whenever a database is opened, after a transaction with committed trees was rolled back, and after a
/// garbage collection: trees in memory remember what a store held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct StoreId(NonZeroU64);

impl StoreId {
    /// An identity that no other store has.
    pub fn fresh() -> StoreId {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        StoreId(NonZeroU64::new(NEXT.fetch_add(1, Ordering::Relaxed)).unwrap_or(NonZeroU64::MAX))
    }

    pub(crate) fn get(self) -> u64 {
        self.0.get()
    }
}

/// The reading side of a node store.
pub trait NodeStore {
    /// Identity of the store.
    fn id(&self) -> StoreId;
    /// The record kept under `hash`, if any.
    fn get(&self, hash: &NodeHash) -> Result<Option<Bytes>, StoreError>;
}

/// The writing side of a node store.
pub trait NodeSink {
    /// Identity of the store.
    fn id(&self) -> StoreId;
    /// Keeps `record` under `hash`. The same hash may come again, with an equivalent record.
    fn put(&mut self, hash: &NodeHash, record: &[u8]) -> Result<(), StoreError>;
}

/// A node store in memory. Clones share the same content.
#[derive(Clone)]
pub struct MemoryStore {
    id: StoreId,
    nodes: Arc<RwLock<HashMap<NodeHash, Bytes>>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        MemoryStore { id: StoreId::fresh(), nodes: Arc::default() }
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.nodes.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether the store holds no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl NodeStore for MemoryStore {
    fn id(&self) -> StoreId {
        self.id
    }

    fn get(&self, hash: &NodeHash) -> Result<Option<Bytes>, StoreError> {
        Ok(self.nodes.read().unwrap_or_else(PoisonError::into_inner).get(hash).cloned())
    }
}

impl NodeSink for MemoryStore {
    fn id(&self) -> StoreId {
        self.id
    }

    fn put(&mut self, hash: &NodeHash, record: &[u8]) -> Result<(), StoreError> {
        let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
        nodes.insert(*hash, Bytes::copy_from_slice(record));
        Ok(())
    }
}

/// A store as lazy nodes hold it.
pub(crate) struct StoreHandle {
    store: Arc<dyn NodeStore + Send + Sync>,
}

impl StoreHandle {
    pub(crate) fn new(store: Arc<dyn NodeStore + Send + Sync>) -> Arc<StoreHandle> {
        Arc::new(StoreHandle { store })
    }

    pub(crate) fn id(&self) -> StoreId {
        self.store.id()
    }

    pub(crate) fn leaf(&self, hash: &NodeHash) -> Result<Bytes, TreeError> {
        record::leaf(hash, self.record(hash)?)
    }

    pub(crate) fn body(self: &Arc<Self>, hash: &NodeHash, root: bool) -> Result<Body, TreeError> {
        record::body(hash, self.record(hash)?, root, self)
    }

    pub(crate) fn record(&self, hash: &NodeHash) -> Result<Bytes, TreeError> {
        self.store.get(hash)?.ok_or(TreeError::Missing(*hash))
    }
}
