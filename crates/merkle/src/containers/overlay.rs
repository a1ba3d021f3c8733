//! The changed bindings of a lazy container: a persistent ordered map. Almost all of them hold a handful of bindings (the
//! operand stacks of the evaluator), so small ones are a sorted array that is copied when shared; large ones share structure.

use std::sync::Arc;

use imbl::OrdMap;

const SMALL: usize = 24;

/// Bindings in the order of their keys.
type Sorted<K, V> = Arc<Vec<(K, Option<V>)>>;

pub(super) enum Overlay<K, V> {
    /// None until the first change.
    Small(Option<Sorted<K, V>>),
    Large(OrdMap<K, Option<V>>),
}

impl<K, V> std::fmt::Debug for Overlay<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("changes")
    }
}

impl<K, V> Clone for Overlay<K, V> {
    fn clone(&self) -> Self {
        match self {
            Overlay::Small(small) => Overlay::Small(small.clone()),
            Overlay::Large(large) => Overlay::Large(large.clone()),
        }
    }
}

impl<K: Ord + Clone, V: Clone> Overlay<K, V> {
    pub(super) fn new() -> Self {
        Overlay::Small(None)
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Overlay::Small(small) => small.as_ref().is_none_or(|small| small.is_empty()),
            Overlay::Large(large) => large.is_empty(),
        }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Overlay::Small(Some(a)), Overlay::Small(Some(b))) => Arc::ptr_eq(a, b),
            (Overlay::Small(None), Overlay::Small(None)) => true,
            (Overlay::Large(a), Overlay::Large(b)) => a.ptr_eq(b),
            _ => false,
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<&Option<V>> {
        match self {
            Overlay::Small(small) => {
                let small = small.as_ref()?;
                let at = small.binary_search_by(|(k, _)| k.cmp(key)).ok()?;
                Some(&small[at].1)
            }
            Overlay::Large(large) => large.get(key),
        }
    }

    pub(super) fn insert(&mut self, key: K, value: Option<V>) {
        match self {
            Overlay::Small(small) => {
                let small = Arc::make_mut(small.get_or_insert_default());
                match small.binary_search_by(|(k, _)| k.cmp(&key)) {
                    Ok(at) => small[at].1 = value,
                    Err(at) => small.insert(at, (key, value)),
                }
                if small.len() > SMALL {
                    let large = std::mem::take(small).into_iter().collect();
                    *self = Overlay::Large(large);
                }
            }
            Overlay::Large(large) => {
                large.insert(key, value);
            }
        }
    }

    pub(super) fn remove(&mut self, key: &K) {
        match self {
            Overlay::Small(None) => {}
            Overlay::Small(Some(small)) => {
                if let Ok(at) = small.binary_search_by(|(k, _)| k.cmp(key)) {
                    Arc::make_mut(small).remove(at);
                }
            }
            Overlay::Large(large) => {
                large.remove(key);
            }
        }
    }

    pub(super) fn for_each<E>(&self, mut f: impl FnMut(&K, &Option<V>) -> Result<(), E>) -> Result<(), E> {
        match self {
            Overlay::Small(small) => small.iter().flat_map(|small| small.iter()).try_for_each(|(k, v)| f(k, v)),
            Overlay::Large(large) => large.iter().try_for_each(|(k, v)| f(k, v)),
        }
    }
}
