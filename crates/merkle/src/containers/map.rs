//! Lazy maps (`spec/pvm.md` §3.2): an origin in the tree, and the bindings changed since.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::key::Key;
use super::overlay::Overlay;
use super::value::{ContainerError, TreeValue, subtree};
use crate::Tree;

/// A map whose bindings are read from the tree when asked for. Persistent: a clone is O(1) and independent.
#[derive(Debug)]
pub struct LazyMap<K, V> {
    origin: Option<Arc<Origin<K, V>>>,
    changes: Overlay<K, V>,
}

#[derive(Debug)]
struct Origin<K, V> {
    tree: Tree,
    /// What was read already; shared by all maps that stem from this origin.
    seen: Mutex<BTreeMap<K, V>>,
}

impl<K, V> Clone for LazyMap<K, V> {
    fn clone(&self) -> Self {
        LazyMap { origin: self.origin.clone(), changes: self.changes.clone() }
    }
}

impl<K: Key, V: TreeValue + Clone> Default for LazyMap<K, V> {
    fn default() -> Self {
        LazyMap::new()
    }
}

impl<K: Key, V: TreeValue + Clone> LazyMap<K, V> {
    /// The empty map.
    pub fn new() -> Self {
        LazyMap { origin: None, changes: Overlay::new() }
    }

    /// The value bound to `key`; an error where nothing is bound.
    pub fn get(&self, key: &K) -> Result<V, ContainerError> {
        match (self.changes.get(key), &self.origin) {
            (Some(Some(value)), _) => Ok(value.clone()),
            (None, Some(origin)) => origin.get(key),
            (Some(None), _) | (None, None) => {
                let mut step = String::new();
                key.step(&mut step);
                Err(ContainerError::KeyNotFound(step))
            }
        }
    }

    /// Whether both are known to be the same map without looking at bindings: one is an unchanged clone of the other.
    pub fn is_same(&self, other: &Self) -> bool {
        let origins = match (&self.origin, &other.origin) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        origins && self.changes.is_same(&other.changes)
    }

    /// Binds `key`.
    pub fn set(&mut self, key: K, value: V) {
        self.changes.insert(key, Some(value));
    }

    /// Unbinds `key`.
    pub fn remove(&mut self, key: &K) {
        match self.origin {
            Some(_) => self.changes.insert(key.clone(), None),
            None => self.changes.remove(key),
        }
    }
}

impl<K: Key, V: TreeValue + Clone> Origin<K, V> {
    fn get(&self, key: &K) -> Result<V, ContainerError> {
        if let Some(value) = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(key) {
            return Ok(value.clone());
        }
        let mut step = String::new();
        key.step(&mut step);
        let value = V::read(&self.tree, &[&step])?;
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), value.clone());
        Ok(value)
    }
}

impl<K: Key, V: TreeValue + Clone> TreeValue for LazyMap<K, V> {
    fn write(&self, tree: &mut Tree, path: &[&str]) -> Result<(), ContainerError> {
        let mut contents = match &self.origin {
            Some(origin) => origin.tree.clone(),
            None => Tree::empty(),
        };
        let mut step = String::new();
        self.changes.for_each(|key, change| {
            step.clear();
            key.step(&mut step);
            if self.origin.is_some() {
                contents.remove(&[&step])?;
            }
            match change {
                Some(value) => value.write(&mut contents, &[&step]),
                None => Ok(()),
            }
        })?;
        Ok(tree.add_tree(path, contents)?)
    }

    fn read(tree: &Tree, path: &[&str]) -> Result<Self, ContainerError> {
        let tree = subtree(tree, path)?;
        let origin = Origin { tree, seen: Mutex::new(BTreeMap::new()) };
        Ok(LazyMap { origin: Some(Arc::new(origin)), changes: Overlay::new() })
    }
}
