//! The records of a node store: one node each, with its small children inside.
//!
//! ```text
//! record = 00 bytes                                             leaf
//!        | 01 count (varint length, step, child)*               bucket
//!        | 02 depth, varint entries below, child, child         fork
//! child  = 00 absent | 01 leaf hash | 02 inode hash | 03 varint length, record
//! ```
//!
//! A child whose record has at most [`INLINE`] bytes travels inside its parent's record and has no record of its own. Every
//! record is checked against its hash when it is loaded: a damaged store is an error, never a wrong state.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::{Buf, Bytes};

use crate::error::{StoreError, TreeError};
use crate::hash::{self, NodeHash, put_varint};
use crate::node::{Body, Bucket, Entry, Inode, Leaf, Node, Source};
use crate::step::Step;
use crate::store::{NodeSink, NodeStore, StoreHandle, StoreId};

/// Largest record that is kept inside its parent's.
const INLINE: usize = 256;

const LEAF: u8 = 0;
const BUCKET: u8 = 1;
const FORK: u8 = 2;

const ABSENT: u8 = 0;
const LEAF_REF: u8 = 1;
const INODE_REF: u8 = 2;
const INSIDE: u8 = 3;

/// Writes every node below `root` that `sink` does not hold yet, children before parents.
pub(crate) fn commit(root: &Node, sink: &mut dyn NodeSink) -> Result<NodeHash, TreeError> {
    let store = sink.id();
    let mut writer = Writer { sink, store, small: HashMap::new() };
    match root {
        Node::Leaf(leaf) => {
            if !leaf.stored().is_in(store) {
                writer.put_leaf(leaf)?;
            }
            Ok(leaf.hash())
        }
        Node::Dir(inode) => writer.commit(inode),
        Node::Dirty(dirty) => writer.commit(dirty.fold()?),
        Node::Shown(shown) => Err(TreeError::Blinded(shown.hash())),
    }
}

struct Writer<'a> {
    sink: &'a mut dyn NodeSink,
    store: StoreId,
    /// Records of directories that are small enough to travel inside their parents.
    small: HashMap<*const Inode, Vec<u8>>,
}

impl Writer<'_> {
    /// Without recursion over paths: a directory is written once all directories below it are.
    fn commit(&mut self, root: &Arc<Inode>) -> Result<NodeHash, TreeError> {
        let mut stack = vec![root.clone()];
        while let Some(top) = stack.last().cloned() {
            let height = stack.len();
            if !self.is_done(&top) {
                self.missing_below(&top, &mut stack)?;
                if stack.len() > height {
                    continue;
                }
                let record = self.record(&top)?;
                if record.len() > INLINE || Arc::ptr_eq(&top, root) {
                    self.put(&top, &record)?;
                } else {
                    self.small.insert(Arc::as_ptr(&top), record);
                }
            }
            stack.truncate(height - 1);
        }
        Ok(root.hash())
    }

    fn is_done(&self, inode: &Arc<Inode>) -> bool {
        inode.stored().is_in(self.store) || self.small.contains_key(&Arc::as_ptr(inode))
    }

    /// Pushes the directories below `inode`, within its own trie, that are still to be written.
    fn missing_below(&self, inode: &Inode, stack: &mut Vec<Arc<Inode>>) -> Result<(), TreeError> {
        match inode.body()? {
            Body::Bucket(bucket) => {
                for entry in bucket.as_slice() {
                    if let Node::Dir(child) = &entry.node
                        && !self.is_done(child)
                    {
                        stack.push(child.clone());
                    }
                }
            }
            Body::Fork { children, .. } => {
                for child in children.iter().flatten() {
                    if !child.stored().is_in(self.store) {
                        self.missing_below(child, stack)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn record(&mut self, inode: &Inode) -> Result<Vec<u8>, TreeError> {
        let mut out = Vec::new();
        match inode.body()? {
            Body::Bucket(bucket) => {
                let entries = bucket.as_slice();
                out.extend([BUCKET, entries.len() as u8]);
                for entry in entries {
                    put_varint(&mut out, entry.step.len() as u64);
                    out.extend_from_slice(&entry.step);
                    self.child(&mut out, &entry.node)?;
                }
            }
            Body::Fork { depth, count, children } => {
                out.extend([FORK, *depth]);
                put_varint(&mut out, *count);
                for child in children {
                    match child {
                        None => out.push(ABSENT),
                        Some(child) if child.stored().is_in(self.store) => put_ref(&mut out, INODE_REF, child.hash()),
                        Some(child) => {
                            let record = self.record(child)?;
                            if record.len() > INLINE {
                                self.put(child, &record)?;
                                put_ref(&mut out, INODE_REF, child.hash());
                            } else {
                                put_inside(&mut out, &record);
                            }
                        }
                    }
                }
            }
        }
        Ok(out)
    }

    fn child(&mut self, out: &mut Vec<u8>, node: &Node) -> Result<(), TreeError> {
        let inode = match node {
            Node::Leaf(leaf) => {
                if !leaf.stored().is_in(self.store) {
                    let bytes = leaf.bytes()?;
                    if bytes.len() < INLINE {
                        out.push(INSIDE);
                        put_varint(out, bytes.len() as u64 + 1);
                        out.push(LEAF);
                        out.extend_from_slice(bytes);
                        return Ok(());
                    }
                    self.put_leaf(leaf)?;
                }
                put_ref(out, LEAF_REF, leaf.hash());
                return Ok(());
            }
            Node::Dir(inode) => inode,
            Node::Dirty(dirty) => dirty.fold()?,
            // what is below may not be shown
            Node::Shown(shown) => return Err(TreeError::Blinded(shown.hash())),
        };
        match self.small.get(&Arc::as_ptr(inode)) {
            Some(record) => put_inside(out, record),
            None => put_ref(out, INODE_REF, inode.hash()),
        }
        Ok(())
    }

    fn put(&mut self, inode: &Inode, record: &[u8]) -> Result<(), TreeError> {
        self.sink.put(&inode.hash(), record)?;
        inode.stored().set(self.store);
        Ok(())
    }

    fn put_leaf(&mut self, leaf: &Leaf) -> Result<(), TreeError> {
        let bytes = leaf.bytes()?;
        let mut record = Vec::with_capacity(bytes.len() + 1);
        record.push(LEAF);
        record.extend_from_slice(bytes);
        self.sink.put(&leaf.hash(), &record)?;
        // small leaves may stand in trees that have nothing to do with each other
        if bytes.len() >= INLINE {
            leaf.stored().set(self.store);
        }
        Ok(())
    }
}

fn put_ref(out: &mut Vec<u8>, tag: u8, hash: NodeHash) {
    out.push(tag);
    out.extend_from_slice(&hash.0);
}

fn put_inside(out: &mut Vec<u8>, record: &[u8]) {
    out.push(INSIDE);
    put_varint(out, record.len() as u64);
    out.extend_from_slice(record);
}

/// Reads the record of leaf `hash`.
pub(crate) fn leaf(hash: &NodeHash, mut record: Bytes) -> Result<Bytes, TreeError> {
    let corrupt = |reason| TreeError::Corrupt { hash: *hash, reason };
    if record.is_empty() || record.get_u8() != LEAF {
        return Err(corrupt("not a leaf"));
    }
    if hash::leaf(&record) != *hash {
        return Err(corrupt("the content does not have this hash"));
    }
    Ok(record)
}

/// Reads the record of inode `hash`, which is the root inode of its directory if `root`.
pub(crate) fn body(hash: &NodeHash, record: Bytes, root: bool, handle: &Arc<StoreHandle>) -> Result<Body, TreeError> {
    let corrupt = |reason| TreeError::Corrupt { hash: *hash, reason };
    let body = Reader { record, handle }.body().map_err(corrupt)?;
    if body.hash(root) != *hash {
        return Err(corrupt("the content does not have this hash"));
    }
    Ok(body)
}

struct Reader<'a> {
    record: Bytes,
    handle: &'a Arc<StoreHandle>,
}

/// What does not fit in a record.
type Reason = &'static str;

impl Reader<'_> {
    fn body(mut self) -> Result<Body, Reason> {
        let body = match self.u8()? {
            BUCKET => {
                let count = self.u8()?;
                if count > 2 {
                    return Err("a bucket with more than two entries");
                }
                let mut bucket = Bucket::Empty;
                for _ in 0..count {
                    let step = self.chunk()?;
                    let node = self.child(true)?.ok_or("an entry without node")?;
                    bucket.push(Entry { step: Step::from(step.as_ref()), node });
                }
                Body::Bucket(bucket)
            }
            FORK => {
                let depth = self.u8()?;
                let count = self.varint()?;
                let mut children = [None, None];
                for child in &mut children {
                    *child = match self.child(false)? {
                        None => None,
                        Some(Node::Dir(inode)) => Some(inode),
                        Some(_) => return Err("a leaf in place of an inode"),
                    };
                }
                Body::Fork { depth, count, children }
            }
            LEAF => return Err("a leaf in place of a directory"),
            _ => return Err("unknown kind of record"),
        };
        if !self.record.is_empty() {
            return Err("bytes after the end of the record");
        }
        Ok(body)
    }

    /// A child of a bucket (a leaf or the `root` inode of a directory), or of a fork.
    fn child(&mut self, root: bool) -> Result<Option<Node>, Reason> {
        match self.u8()? {
            ABSENT => Ok(None),
            LEAF_REF => Ok(Some(Node::Leaf(Leaf::lazy(self.hash()?, Source::Store(self.handle.clone()))))),
            INODE_REF => Ok(Some(Node::Dir(Inode::lazy(self.hash()?, root, Source::Store(self.handle.clone()))))),
            INSIDE => {
                let record = self.chunk()?;
                // what is inside is small, so nesting is bounded too
                if record.is_empty() || record.len() > INLINE {
                    return Err("an inner record of a size that is not kept inside");
                }
                if record[0] == LEAF {
                    return Ok(Some(Node::Leaf(Leaf::new(record.slice(1..)))));
                }
                let body = Reader { record, handle: self.handle }.body()?;
                Ok(Some(Node::Dir(Arc::new(Inode::new(body, root)))))
            }
            _ => Err("unknown kind of child"),
        }
    }

    fn u8(&mut self) -> Result<u8, Reason> {
        self.record.try_get_u8().map_err(|_| CUT)
    }

    fn varint(&mut self) -> Result<u64, Reason> {
        let mut value = 0u64;
        for shift in (0..63).step_by(7) {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number that is too large")
    }

    fn chunk(&mut self) -> Result<Bytes, Reason> {
        let length = usize::try_from(self.varint()?).map_err(|_| CUT)?;
        if length > self.record.len() {
            return Err(CUT);
        }
        Ok(self.record.split_to(length))
    }

    fn hash(&mut self) -> Result<NodeHash, Reason> {
        let mut hash = [0; 32];
        self.record.try_copy_to_slice(&mut hash).map_err(|_| CUT)?;
        Ok(NodeHash(hash))
    }
}

const CUT: Reason = "the record ends early";

/// A walk over the records that some trees need, which its owner may interrupt between any two of them. Its memory does not
/// grow with the trees: who walks remembers where it has been.
pub struct LiveRecords {
    handle: Arc<StoreHandle>,
    checked: bool,
    /// What is still to be read, and whether it is a directory's root inode.
    todo: Vec<(NodeHash, bool)>,
}

impl LiveRecords {
    /// The walk over the trees in `store` with root hashes `roots`.
    pub fn new(store: Arc<dyn NodeStore + Send + Sync>, roots: impl IntoIterator<Item = NodeHash>) -> LiveRecords {
        let todo = roots.into_iter().filter(|root| *root != NodeHash::EMPTY).map(|root| (root, true)).collect();
        LiveRecords { handle: StoreHandle::new(store), checked: false, todo }
    }

    /// The same walk, which checks each record against its hash, as trees do when they load it.
    pub fn checked(store: Arc<dyn NodeStore + Send + Sync>, roots: impl IntoIterator<Item = NodeHash>) -> LiveRecords {
        LiveRecords { checked: true, ..LiveRecords::new(store, roots) }
    }

    /// The next record that `enter` lets in; below one that it turns away the walk does not go. Nothing at the end.
    ///
    /// # Errors
    /// [`TreeError::Missing`] and [`TreeError::Corrupt`] name the first record that is not as it should be; an error of
    /// `enter` ends the walk.
    pub fn advance(
        &mut self,
        mut enter: impl FnMut(&NodeHash) -> Result<bool, StoreError>,
    ) -> Result<Option<(NodeHash, Bytes)>, TreeError> {
        while let Some((hash, root)) = self.todo.pop() {
            if !enter(&hash)? {
                continue;
            }
            let record = self.handle.record(&hash)?;
            if record.first() == Some(&LEAF) {
                if self.checked {
                    leaf(&hash, record.clone())?;
                }
            } else if self.checked {
                references(&body(&hash, record.clone(), root, &self.handle)?, &mut self.todo);
            } else {
                let corrupt = |reason| TreeError::Corrupt { hash, reason };
                let body = Reader { record: record.clone(), handle: &self.handle }.body().map_err(corrupt)?;
                references(&body, &mut self.todo);
            }
            return Ok(Some((hash, record)));
        }
        Ok(None)
    }
}

/// Visits every record of `store` that the trees with root hashes `roots` need, each once: what remains is garbage.
///
/// Copying what is visited to a fresh store is a garbage collection.
///
/// # Errors
/// Those of [`LiveRecords::advance`]; an error of `visit` ends the walk.
pub fn live_records(
    store: &Arc<dyn NodeStore + Send + Sync>,
    roots: impl IntoIterator<Item = NodeHash>,
    mut visit: impl FnMut(&NodeHash, &Bytes) -> Result<(), StoreError>,
) -> Result<(), TreeError> {
    let mut seen = HashSet::new();
    let mut walk = LiveRecords::new(store.clone(), roots);
    while let Some((hash, record)) = walk.advance(|hash| Ok(seen.insert(*hash)))? {
        visit(&hash, &record)?;
    }
    Ok(())
}

/// The records that `body`, just read from its own record, refers to.
fn references(body: &Body, todo: &mut Vec<(NodeHash, bool)>) {
    let mut inodes: Vec<(&Arc<Inode>, bool)> = Vec::new();
    match body {
        Body::Fork { children, .. } => inodes.extend(children.iter().flatten().map(|child| (child, false))),
        Body::Bucket(bucket) => {
            for entry in bucket.as_slice() {
                match &entry.node {
                    Node::Leaf(leaf) if leaf.loaded().is_none() => todo.push((leaf.hash(), false)),
                    Node::Dir(child) => inodes.push((child, true)),
                    Node::Leaf(_) | Node::Dirty(_) | Node::Shown(_) => {}
                }
            }
        }
    }
    for (inode, root) in inodes {
        match inode.loaded() {
            None => todo.push((inode.hash(), root)),
            Some(body) => references(body, todo),
        }
    }
}
