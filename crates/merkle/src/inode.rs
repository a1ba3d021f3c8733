//! The trie of one directory (`spec/pvm.md` §1.4): look up, list, add, remove. Every inode that these walk through is loaded,
//! and nothing else, which is what §2.2 wants recorded.

use std::sync::Arc;

use crate::error::TreeError;
use crate::hash::TrieKey;
use crate::node::{Body, Bucket, Entry, Inode, Node};
use crate::step::Step;

/// Largest number of entries of a bucket.
const BUCKET: u64 = 2;
/// The reference refuses tries at or beyond this depth.
const MAX_DEPTH: u8 = 50;

impl Inode {
    /// The node under `step` in the directory whose root inode this is.
    pub(crate) fn find(&self, step: &[u8]) -> Result<Option<&Node>, TreeError> {
        let mut body = self.body()?;
        let mut key = None;
        loop {
            match body {
                Body::Bucket(bucket) => return Ok(bucket.get(step).map(|entry| &entry.node)),
                Body::Fork { depth, children, .. } => {
                    let key = key.get_or_insert_with(|| TrieKey::of(step));
                    match &children[key.index(*depth)] {
                        Some(child) => body = child.body()?,
                        None => return Ok(None),
                    }
                }
            }
        }
    }

    /// Visits entries in listing order (§1.5), leaving out the first `skip`, until `visit` returns false.
    pub(crate) fn visit(&self, skip: u64, take: u64, visit: &mut dyn FnMut(&Entry) -> bool) -> Result<(), TreeError> {
        let (mut skip, mut take) = (skip, take);
        // a directory that is listed is loaded, even if nothing is asked for
        self.body()?;
        if take > 0 {
            self.visit_from(&mut skip, &mut take, visit)?;
        }
        Ok(())
    }

    fn visit_from(
        &self,
        skip: &mut u64,
        take: &mut u64,
        visit: &mut dyn FnMut(&Entry) -> bool,
    ) -> Result<(), TreeError> {
        match self.body()? {
            Body::Bucket(bucket) => {
                for entry in bucket.as_slice() {
                    if *skip > 0 {
                        *skip -= 1;
                    } else if *take > 0 {
                        *take = if visit(entry) { *take - 1 } else { 0 };
                    }
                }
            }
            Body::Fork { children, .. } => {
                for child in children.iter().flatten() {
                    if *take == 0 {
                        break;
                    }
                    // skipping a child loads it, for its number of entries
                    let count = child.count()?;
                    if *skip >= count {
                        *skip -= count;
                    } else {
                        child.visit_from(skip, take, visit)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Binds `step` to `node` in the directory with root inode `root`. An equal node changes nothing.
pub(crate) fn add(root: &mut Arc<Inode>, step: &Step, node: Node) -> Result<(), TreeError> {
    let replaced = match root.find(step)? {
        Some(old) if old.is_same(&node) => return Ok(()),
        old => old.is_some(),
    };
    let mut key = None;
    let mut level = 0u8;
    let mut at = root;
    loop {
        match Inode::own(at)? {
            Body::Fork { depth, count, children } => {
                *count += u64::from(!replaced);
                level = *depth + 1;
                let index = key.get_or_insert_with(|| TrieKey::of(step)).index(*depth);
                at = children[index].get_or_insert_with(|| Arc::new(Inode::new(Body::Bucket(Bucket::Empty), false)));
            }
            body => {
                let mut entries = body.take_bucket();
                match entries.binary_search_by(|entry| entry.step.cmp(step)) {
                    Ok(i) => entries[i].node = node,
                    Err(i) => {
                        let step = step.clone();
                        entries.insert(i, Entry { step, node });
                    }
                }
                *body = grown(entries, level)?;
                return Ok(());
            }
        }
    }
}

/// The body at `depth` for `entries`, which are in byte order: a bucket, or a fork when there are too many. It is the one that
/// adding them one by one leads to.
pub(crate) fn grown(entries: Vec<Entry>, depth: u8) -> Result<Body, TreeError> {
    if entries.len() as u64 <= BUCKET {
        return Ok(Body::Bucket(entries.into_iter().collect()));
    }
    grow(&mut Bodies, entries, depth)
}

/// What a trie is made of.
pub(crate) trait Trie<E> {
    /// An inode below others.
    type Inode;

    /// A bucket of entries in byte order.
    fn bucket(&mut self, entries: [Option<E>; 2]) -> Self::Inode;

    /// A fork of `count` entries below.
    fn fork(&mut self, depth: u8, count: u64, children: [Option<Self::Inode>; 2]) -> Self::Inode;
}

/// The inode at `depth` for more `entries` (that give their steps) than a bucket takes.
pub(crate) fn grow<E, T>(trie: &mut T, entries: impl IntoIterator<Item = E>, depth: u8) -> Result<T::Inode, TreeError>
where
    E: AsRef<[u8]>,
    T: Trie<E>,
{
    let mut keyed: Vec<_> = entries.into_iter().map(|entry| (TrieKey::of(entry.as_ref()), Some(entry))).collect();
    keyed.sort_unstable_by_key(|(key, _)| *key);
    split(trie, &mut keyed, depth)
}

/// [`grow`] for entries in the order of their keys.
fn split<E, T>(trie: &mut T, keyed: &mut [(TrieKey, Option<E>)], depth: u8) -> Result<T::Inode, TreeError>
where
    E: AsRef<[u8]>,
    T: Trie<E>,
{
    if keyed.len() as u64 <= BUCKET {
        let mut entries = keyed.iter_mut().filter_map(|(_, entry)| entry.take());
        let entries = match (entries.next(), entries.next()) {
            (Some(a), Some(b)) if b.as_ref() < a.as_ref() => [Some(b), Some(a)],
            (first, second) => [first, second],
        };
        return Ok(trie.bucket(entries));
    }
    if depth >= MAX_DEPTH {
        return Err(TreeError::TrieTooDeep);
    }
    let count = keyed.len() as u64;
    let middle = keyed.partition_point(|(key, _)| key.index(depth) == 0);
    let (left, right) = keyed.split_at_mut(middle);
    let mut child = |keyed: &mut [(TrieKey, Option<E>)]| match keyed {
        [] => Ok(None),
        keyed => split(trie, keyed, depth + 1).map(Some),
    };
    let children = [child(left)?, child(right)?];
    Ok(trie.fork(depth, count, children))
}

/// The trie of nodes.
struct Bodies;

impl Trie<Entry> for Bodies {
    type Inode = Body;

    fn bucket(&mut self, entries: [Option<Entry>; 2]) -> Body {
        Body::Bucket(entries.into_iter().flatten().collect())
    }

    fn fork(&mut self, depth: u8, count: u64, children: [Option<Body>; 2]) -> Body {
        let children = children.map(|child| child.map(|body| Arc::new(Inode::new(body, false))));
        Body::Fork { depth, count, children }
    }
}

impl AsRef<[u8]> for Entry {
    fn as_ref(&self) -> &[u8] {
        &self.step
    }
}

/// Removes `step` from the directory with root inode `root`, if it is there.
pub(crate) fn remove(root: &mut Arc<Inode>, step: &Step) -> Result<(), TreeError> {
    if root.find(step)?.is_none() {
        return Ok(());
    }
    let mut key = None;
    let mut at = root;
    loop {
        if let Body::Fork { count, .. } = at.body()?
            && *count <= BUCKET + 1
        {
            // too small for a fork from now on: everything below comes together in a bucket
            let mut rest = Vec::with_capacity(2);
            at.visit(0, u64::MAX, &mut |entry| {
                if entry.step != *step {
                    rest.push(entry.clone());
                }
                true
            })?;
            rest.sort_by(|a, b| a.step.cmp(&b.step));
            *Inode::own(at)? = Body::Bucket(rest.into_iter().collect());
            return Ok(());
        }
        match Inode::own(at)? {
            Body::Bucket(bucket) => {
                *bucket = std::mem::take(bucket).into_entries().filter(|entry| entry.step != *step).collect();
                return Ok(());
            }
            Body::Fork { depth, count, children } => {
                *count -= 1;
                let index = key.get_or_insert_with(|| TrieKey::of(step)).index(*depth);
                let slot = &mut children[index];
                if let Some(child) = slot
                    && child.count()? == 1
                {
                    *slot = None;
                }
                match slot {
                    Some(child) => at = child,
                    None => return Ok(()),
                }
            }
        }
    }
}
