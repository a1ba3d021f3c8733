//! The nodes of a tree: leaves and inodes, immutable once shared, with cached hashes, loaded on demand from wherever they come.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};

use bytes::Bytes;

use crate::digest::Hashed;
use crate::dirty::Dirty;
use crate::error::TreeError;
use crate::hash::{self, Kind, Memory, NodeHash};
use crate::proof::{Recorder, ShownNode};
use crate::step::Step;
use crate::store::{StoreHandle, StoreId};

/// A leaf or a directory. `Dirty` directories carry changes that are not yet worked into their trie; they never occur inside
/// an inode.
#[derive(Clone)]
pub(crate) enum Node {
    Leaf(Arc<Leaf>),
    Dir(Arc<Inode>),
    Dirty(Arc<Dirty>),
    /// A leaf or directory that a proof shows.
    Shown(ShownNode),
}

/// Where the content of a node comes from when it is not there yet.
#[derive(Clone)]
pub(crate) enum Source<N> {
    /// Made in memory: the content is always there.
    Memory,
    /// Loaded on demand from a node store.
    Store(Arc<StoreHandle>),
    /// Taken from a whole node, and the load noted for a proof.
    Recording(Arc<Recorder>, Arc<N>),
    /// From what a proof shows.
    Proof(ShownNode),
}

/// What a node is given at its birth, or finds out once.
enum Slot<T> {
    Given(T),
    Later(OnceLock<T>),
}

impl<T> Slot<T> {
    fn empty() -> Self {
        Slot::Later(OnceLock::new())
    }

    fn get(&self) -> Option<&T> {
        match self {
            Slot::Given(value) => Some(value),
            Slot::Later(later) => later.get(),
        }
    }

    fn get_mut(&mut self) -> Option<&mut T> {
        match self {
            Slot::Given(value) => Some(value),
            Slot::Later(later) => later.get_mut(),
        }
    }

    /// Puts `value` in, unless there is one already; gives the one that stays.
    fn fill(&self, value: T) -> &T {
        match self {
            Slot::Given(given) => given,
            Slot::Later(later) => later.get_or_init(|| value),
        }
    }
}

impl<T: Clone> Clone for Slot<T> {
    fn clone(&self) -> Self {
        self.get().cloned().map_or_else(Slot::empty, Slot::Given)
    }
}

/// A leaf. At least one of `hash` and `bytes` is set; without `bytes` they come from `source`.
pub(crate) struct Leaf {
    hash: Slot<NodeHash>,
    bytes: Slot<Bytes>,
    source: Source<Leaf>,
    stored: Stored,
}

/// A node of the trie of a directory; its root inode (`root`) stands for the directory itself.
/// At least one of `hash` and `body` is set; without `body` it comes from `source`.
pub(crate) struct Inode {
    hash: Slot<NodeHash>,
    body: Slot<Body>,
    root: bool,
    source: Source<Inode>,
    stored: Stored,
}

/// The content of an inode (§1.4).
#[derive(Clone)]
pub(crate) enum Body {
    /// At most two entries, in byte order of their steps.
    Bucket(Bucket),
    /// More than two entries below, split by the bit `depth` of their trie keys.
    Fork { depth: u8, count: u64, children: [Option<Arc<Inode>>; 2] },
}

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) step: Step,
    pub(crate) node: Node,
}

#[derive(Clone, Default)]
pub(crate) enum Bucket {
    #[default]
    Empty,
    One(Entry),
    Two([Entry; 2]),
}

/// The store (0: none) that already holds this node.
#[derive(Default)]
pub(crate) struct Stored(AtomicU64);

impl<N> Source<N> {
    fn stored(&self) -> Stored {
        match self {
            Source::Store(handle) => Stored(handle.id().get().into()),
            Source::Memory | Source::Recording(..) | Source::Proof(_) => Stored::default(),
        }
    }
}

thread_local! {
    /// Most leaves of a machine's state are tags and small numbers, written over and over.
    static SHORT: RefCell<Memory<Arc<Leaf>>> = const { RefCell::new(Memory::new()) };
}

impl Leaf {
    /// A leaf with these bytes, if they are short: of those that are met often there is one only.
    pub(crate) fn short(bytes: &[u8]) -> Option<Arc<Leaf>> {
        Leaf::with_short(bytes, Arc::clone)
    }

    /// The hash of a leaf with these bytes.
    pub(crate) fn hash_of(bytes: &[u8]) -> NodeHash {
        Leaf::with_short(bytes, |leaf| leaf.hash()).unwrap_or_else(|| hash::leaf(bytes))
    }

    fn with_short<T>(bytes: &[u8], f: impl FnOnce(&Arc<Leaf>) -> T) -> Option<T> {
        // a copy: nothing larger is kept for their sake
        let make = || Leaf::new(Bytes::copy_from_slice(bytes));
        let key = hash::short(bytes)?;
        Some(SHORT.with_borrow_mut(|leaves| f(leaves.recall(key, make))))
    }

    pub(crate) fn of(bytes: Bytes) -> Arc<Leaf> {
        Leaf::short(&bytes).unwrap_or_else(|| Leaf::new(bytes))
    }

    pub(crate) fn new(bytes: Bytes) -> Arc<Leaf> {
        Arc::new(Leaf {
            hash: Slot::empty(),
            bytes: Slot::Given(bytes),
            source: Source::Memory,
            stored: Stored::default(),
        })
    }

    pub(crate) fn lazy(hash: NodeHash, source: Source<Leaf>) -> Arc<Leaf> {
        let stored = source.stored();
        Arc::new(Leaf { hash: Slot::Given(hash), bytes: Slot::empty(), source, stored })
    }

    pub(crate) fn stored(&self) -> &Stored {
        &self.stored
    }

    pub(crate) fn hash(&self) -> NodeHash {
        match self.hash.get() {
            Some(hash) => *hash,
            None => *self.hash.fill(hash::leaf(self.loaded().map_or(&[], |bytes| bytes))),
        }
    }

    /// The bytes if they are at hand, without loading (and recording) anything.
    pub(crate) fn loaded(&self) -> Option<&Bytes> {
        self.bytes.get()
    }

    #[inline]
    pub(crate) fn bytes(&self) -> Result<&Bytes, TreeError> {
        match self.bytes.get() {
            Some(bytes) => Ok(bytes),
            None => self.load(),
        }
    }

    #[cold]
    fn load(&self) -> Result<&Bytes, TreeError> {
        let hash = self.hash();
        let bytes = match &self.source {
            Source::Memory => return Err(TreeError::Missing(hash)),
            Source::Store(handle) => handle.leaf(&hash)?,
            Source::Recording(recorder, original) => recorder.leaf(hash, original)?,
            Source::Proof(shown) => shown.bytes()?,
        };
        Ok(self.bytes.fill(bytes))
    }
}

impl Inode {
    pub(crate) fn new(body: Body, root: bool) -> Inode {
        Inode { hash: Slot::empty(), body: Slot::Given(body), root, source: Source::Memory, stored: Stored::default() }
    }

    pub(crate) fn lazy(hash: NodeHash, root: bool, source: Source<Inode>) -> Arc<Inode> {
        let stored = source.stored();
        Arc::new(Inode { hash: Slot::Given(hash), body: Slot::empty(), root, source, stored })
    }

    pub(crate) fn stored(&self) -> &Stored {
        &self.stored
    }

    /// The empty directory.
    pub(crate) fn empty() -> Arc<Inode> {
        static EMPTY: LazyLock<Arc<Inode>> = LazyLock::new(|| Arc::new(Inode::new(Body::Bucket(Bucket::Empty), true)));
        EMPTY.clone()
    }

    /// The body if it is at hand, without loading (and recording) anything.
    pub(crate) fn loaded(&self) -> Option<&Body> {
        self.body.get()
    }

    #[inline]
    pub(crate) fn body(&self) -> Result<&Body, TreeError> {
        match self.body.get() {
            Some(body) => Ok(body),
            None => self.load(),
        }
    }

    #[cold]
    fn load(&self) -> Result<&Body, TreeError> {
        let hash = self.hash();
        let body = match &self.source {
            Source::Memory => return Err(TreeError::Missing(hash)),
            Source::Store(handle) => handle.body(&hash, self.root)?,
            Source::Recording(recorder, original) if self.root => recorder.directory(hash, original)?,
            Source::Recording(recorder, original) => recorder.inode(original)?,
            Source::Proof(shown) => shown.body()?,
        };
        Ok(self.body.fill(body))
    }

    /// The number of entries below.
    pub(crate) fn count(&self) -> Result<u64, TreeError> {
        Ok(self.body()?.count())
    }

    /// Whether this is part of a proof, being produced or verified, where each load counts.
    pub(crate) fn is_partial(&self) -> bool {
        matches!(self.source, Source::Recording(..) | Source::Proof(_))
    }

    pub(crate) fn is_known_empty(&self) -> bool {
        matches!(self.loaded(), Some(Body::Bucket(Bucket::Empty)))
    }

    #[inline]
    pub(crate) fn hash(&self) -> NodeHash {
        self.hash.get().copied().unwrap_or_else(|| self.hash_by(&mut hash::blake2b))
    }

    /// The hash, where `blake2b` hashes what has no hash yet in this trie.
    pub(crate) fn hash_by(&self, blake2b: &mut dyn FnMut(&[u8]) -> NodeHash) -> NodeHash {
        match self.hash.get() {
            Some(hash) => *hash,
            None => *self.hash.fill(self.loaded().map_or(NodeHash::EMPTY, |body| body.hash_by(self.root, blake2b))),
        }
    }

    /// Hashes all that has no hash yet in this trie, many nodes at once, from the leaves up.
    pub(crate) fn hash_all(&self) {
        let mut leaves = Vec::new();
        let mut levels = vec![vec![self]];
        while let Some(level) = levels.last() {
            let mut below = Vec::new();
            for inode in level {
                match inode.loaded() {
                    Some(Body::Fork { children, .. }) => {
                        let children = children.iter().flatten().map(Arc::as_ref);
                        below.extend(children.filter(|child: &&Inode| child.hash.get().is_none()));
                    }
                    Some(Body::Bucket(bucket)) => {
                        leaves.extend(bucket.as_slice().iter().filter_map(|entry| match &entry.node {
                            Node::Leaf(leaf) if leaf.hash.get().is_none() => Some(leaf.as_ref()),
                            _ => None,
                        }))
                    }
                    None => {}
                }
            }
            if below.is_empty() {
                break;
            }
            levels.push(below);
        }
        let bytes = |leaf: &Leaf| leaf.loaded().cloned().unwrap_or_default();
        hash::many(&leaves, |leaf, out| hash::put_leaf(out, &bytes(leaf)), |leaf, hash| _ = leaf.hash.fill(hash));
        for level in levels.iter().rev() {
            let put = |inode: &&Inode, out: &mut Vec<u8>| {
                if let Some(body) = inode.loaded() {
                    body.put(inode.root, out);
                }
            };
            hash::many(level, put, |inode, hash| _ = inode.hash.fill(hash));
        }
    }

    /// Makes the inode ours to change: copied when it is shared, its hash forgotten.
    pub(crate) fn own(this: &mut Arc<Inode>) -> Result<&mut Body, TreeError> {
        this.body()?;
        let inode = Arc::make_mut(this);
        inode.hash = Slot::empty();
        inode.source = Source::Memory;
        inode.stored = Stored::default();
        // the body was loaded above
        inode.body.get_mut().ok_or(TreeError::Missing(NodeHash::EMPTY))
    }
}

impl Clone for Inode {
    fn clone(&self) -> Self {
        Inode {
            hash: self.hash.clone(),
            body: self.body.clone(),
            root: self.root,
            source: self.source.clone(),
            stored: Stored::default(),
        }
    }
}

impl Body {
    pub(crate) fn count(&self) -> u64 {
        match self {
            Body::Bucket(bucket) => bucket.as_slice().len() as u64,
            Body::Fork { count, .. } => *count,
        }
    }

    pub(crate) fn hash(&self, root: bool) -> NodeHash {
        self.hash_by(root, &mut hash::blake2b)
    }

    fn hash_by(&self, root: bool, blake2b: &mut dyn FnMut(&[u8]) -> NodeHash) -> NodeHash {
        // those below first: what is written here is then at hand
        match self {
            Body::Bucket(bucket) => bucket.as_slice().iter().for_each(|entry| _ = entry.node.known_hash()),
            Body::Fork { children, .. } => children.iter().flatten().for_each(|child| _ = child.hash_by(blake2b)),
        }
        hash::written(|out| self.put(root, out), blake2b)
    }

    /// Writes what is hashed, as the root inode of a directory or below it.
    pub(crate) fn put(&self, root: bool, out: &mut Vec<u8>) {
        match self {
            Body::Bucket(bucket) => {
                let entries = bucket.as_slice().iter().map(|e| (e.step.as_bytes(), e.node.kind(), e.node.known_hash()));
                let count = entries.len();
                if root { hash::put_flat(out, count, entries) } else { hash::put_bucket(out, count, entries) }
            }
            Body::Fork { depth, count, children } => {
                let children = children.each_ref().map(|child| child.as_ref().map(|child| child.hash()));
                hash::put_fork(out, *depth, *count, children);
            }
        }
    }

    /// Takes the entries out of a bucket.
    pub(crate) fn take_bucket(&mut self) -> Vec<Entry> {
        match self {
            Body::Bucket(bucket) => std::mem::take(bucket).into_entries().collect(),
            Body::Fork { .. } => Vec::new(),
        }
    }
}

impl Bucket {
    pub(crate) fn as_slice(&self) -> &[Entry] {
        match self {
            Bucket::Empty => &[],
            Bucket::One(entry) => std::slice::from_ref(entry),
            Bucket::Two(entries) => entries,
        }
    }

    /// Appends an entry that comes after those that are there; there must be room.
    pub(crate) fn push(&mut self, entry: Entry) {
        *self = match std::mem::take(self) {
            Bucket::Empty => Bucket::One(entry),
            Bucket::One(first) => Bucket::Two([first, entry]),
            full @ Bucket::Two(_) => full,
        };
    }

    pub(crate) fn into_entries(self) -> impl Iterator<Item = Entry> {
        let [first, second] = match self {
            Bucket::Empty => [None, None],
            Bucket::One(entry) => [Some(entry), None],
            Bucket::Two([first, second]) => [Some(first), Some(second)],
        };
        first.into_iter().chain(second)
    }

    pub(crate) fn get(&self, step: &[u8]) -> Option<&Entry> {
        self.as_slice().iter().find(|entry| entry.step.as_bytes() == step)
    }
}

impl FromIterator<Entry> for Bucket {
    /// At most two entries, in byte order.
    fn from_iter<T: IntoIterator<Item = Entry>>(entries: T) -> Self {
        let mut entries = entries.into_iter();
        match (entries.next(), entries.next()) {
            (None, _) => Bucket::Empty,
            (Some(entry), None) => Bucket::One(entry),
            (Some(first), Some(second)) => Bucket::Two([first, second]),
        }
    }
}

impl Node {
    /// A node of which nothing is known but its hash.
    pub(crate) fn unread(kind: Kind, hash: NodeHash) -> Node {
        match kind {
            Kind::Leaf => Node::Leaf(Leaf::lazy(hash, Source::Memory)),
            Kind::Directory => Node::Dir(Inode::lazy(hash, true, Source::Memory)),
        }
    }

    /// All entries of a small directory that a proof shows, if it shows all of them.
    pub(crate) fn small(&self) -> Option<Vec<Hashed<Step>>> {
        let Node::Shown(shown) = self else { return None };
        let owned = |Hashed { step, kind, hash }: Hashed<&[u8]>| Hashed { step: Step::from(step), kind, hash };
        Some(shown.small()?.into_iter().map(owned).collect())
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Node::Leaf(_) => Kind::Leaf,
            Node::Dir(_) | Node::Dirty(_) => Kind::Directory,
            Node::Shown(shown) => shown.kind(),
        }
    }

    /// The hash of a leaf or of a directory without pending changes.
    pub(crate) fn known_hash(&self) -> NodeHash {
        match self {
            Node::Leaf(leaf) => leaf.hash(),
            Node::Dir(inode) => inode.hash(),
            // inodes hold no dirty directories; were there one, its base is all that is known
            Node::Dirty(dirty) => dirty.folded().map_or_else(|| dirty.base().hash(), |inode| inode.hash()),
            Node::Shown(shown) => shown.hash(),
        }
    }

    /// The hash when it needs no work: the reference compares subtrees only then (§1.5).
    pub(crate) fn cached_hash(&self) -> Option<NodeHash> {
        match self {
            Node::Leaf(leaf) => leaf.hash.get().copied(),
            Node::Dir(inode) => inode.hash.get().copied(),
            Node::Dirty(dirty) => dirty.folded().map(|inode| inode.hash()),
            Node::Shown(shown) => Some(shown.hash()),
        }
    }
}

impl Stored {
    pub(crate) fn is_in(&self, store: StoreId) -> bool {
        self.0.load(Ordering::Relaxed) == store.get()
    }

    pub(crate) fn set(&self, store: StoreId) {
        self.0.store(store.get(), Ordering::Relaxed);
    }
}

/// Takes the directories out of a dying body, so that a deep tree is not freed by recursion.
fn uproot(body: &mut Body, queue: &mut Vec<Node>) {
    match body {
        Body::Bucket(bucket) if bucket.as_slice().iter().any(|entry| !matches!(entry.node, Node::Leaf(_))) => {
            match std::mem::take(bucket) {
                Bucket::Empty => {}
                Bucket::One(entry) => queue.push(entry.node),
                Bucket::Two([first, second]) => queue.extend([first.node, second.node]),
            }
        }
        Body::Bucket(_) => {}
        Body::Fork { children, .. } => queue.extend(children.iter_mut().filter_map(Option::take).map(Node::Dir)),
    }
}

/// Frees nodes one after the other instead of by recursion.
pub(crate) fn bury(mut queue: Vec<Node>) {
    while let Some(node) = queue.pop() {
        match node {
            Node::Leaf(_) | Node::Shown(_) => {}
            Node::Dir(inode) => {
                if let Some(mut inode) = Arc::into_inner(inode)
                    && let Some(body) = inode.body.get_mut()
                {
                    uproot(body, &mut queue);
                }
            }
            Node::Dirty(dirty) => {
                if let Some(mut dirty) = Arc::into_inner(dirty) {
                    dirty.uproot(&mut queue);
                }
            }
        }
    }
}

/// How deep nodes are freed by recursion.
const SHALLOW: usize = 128;

thread_local! {
    static DYING: Cell<usize> = const { Cell::new(0) };
}

/// Frees by recursion, unless that has become too deep.
pub(crate) fn free_here(free: impl FnOnce()) -> bool {
    let depth = DYING.get();
    if depth >= SHALLOW {
        return false;
    }
    DYING.set(depth + 1);
    free();
    DYING.set(depth);
    true
}

impl Drop for Inode {
    fn drop(&mut self) {
        let Some(body) = self.body.get_mut() else { return };
        let freed = free_here(|| match body {
            Body::Bucket(bucket) => drop(std::mem::take(bucket)),
            Body::Fork { children, .. } => *children = [None, None],
        });
        if !freed {
            let mut queue = Vec::new();
            uproot(body, &mut queue);
            bury(queue);
        }
    }
}
