//! Lazy maps (`spec/pvm.md` §3.2): an origin in the tree, and the bindings changed since.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::key::Key;
use super::overlay::Overlay;
use super::value::{ContainerError, TreeValue, subtree};
use super::writer::Writer;
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
    /// The container that the map is part of, as it was read.
    whole: Option<Whole>,
    /// What was read already; shared by all maps that stem from this origin.
    seen: Mutex<BTreeMap<K, V>>,
}

/// The directory of a container that holds nothing but the container's `contents` and its two numbers (one of them the same
/// in all chunked byte vectors).
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) tree: Tree,
    pub(super) numbers: [i64; 2],
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

    /// The map with these `contents`, part of the container in the directory `sub`, which keeps `numbers` in `leaves` leaves
    /// beside it.
    pub(super) fn part_of(sub: Tree, contents: Tree, numbers: [i64; 2], leaves: u64) -> Result<Self, ContainerError> {
        let entries = leaves + u64::from(!contents.is_empty()?);
        let whole = (sub.loaded_length() == Some(entries)).then_some(Whole { tree: sub, numbers });
        let origin = Origin { tree: contents, whole, seen: Mutex::default() };
        Ok(LazyMap { origin: Some(Arc::new(origin)), changes: Overlay::new() })
    }

    /// The directory of the container with these numbers that this map was read from, if no binding was changed since.
    pub(super) fn unchanged_whole(&self, numbers: [i64; 2]) -> Option<&Tree> {
        let whole = self.origin.as_ref()?.whole.as_ref()?;
        (self.changes.is_empty() && whole.numbers == numbers).then_some(&whole.tree)
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
    fn write<W: Writer>(&self, to: &mut W, path: &[&str]) -> Result<(), ContainerError> {
        let mut step = String::new();
        let Some(origin) = &self.origin else {
            return to.directory(path, |to| {
                self.changes.for_each(|key, change| {
                    step.clear();
                    key.step(&mut step);
                    change.as_ref().map_or(Ok(()), |value| value.write(to, &[&step]))
                })
            });
        };
        let mut contents = to.change(&origin.tree);
        self.changes.for_each(|key, change| {
            step.clear();
            key.step(&mut step);
            to.unbind(&mut contents, &step)?;
            change.as_ref().map_or(Ok(()), |value| to.bind(&mut contents, &step, value))
        })?;
        Ok(to.changed(path, contents)?)
    }

    fn read(tree: &Tree, path: &[&str]) -> Result<Self, ContainerError> {
        let tree = subtree(tree, path)?;
        Ok(LazyMap {
            origin: Some(Arc::new(Origin { tree, whole: None, seen: Mutex::default() })),
            changes: Overlay::new(),
        })
    }
}
