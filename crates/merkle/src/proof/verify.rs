//! Verifying a proof (`spec/pvm.md` §2.5): rebuild what its bytes show, compare the hash, run the computation on the partial
//! tree.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;

use super::decode::{Build, Reader, Reason};
use super::{DecodeError, Head, Proof, ProofBytes, ProofError};
use crate::digest::Digester;
use crate::error::TreeError;
use crate::hash::{Kind, NodeHash, NodeTable};
use crate::inode;
use crate::node::{Body, Bucket, Entry, Inode, Leaf, Node, Source};
use crate::step::Step;
use crate::tree::Tree;

impl ProofBytes {
    /// Checks the proof by running `f` on what it shows. Returns the result of `f` and the hash of the tree that `f` leaves.
    ///
    /// # Errors
    /// Whatever is wrong with the proof; [`ProofError::Tree`] with [`TreeError::Blinded`] when it shows less than `f` reads and
    /// `f` passed over it. An error of `f` itself is [`ProofError::Step`].
    pub fn verify<T, E>(&self, f: impl FnOnce(&mut Tree) -> Result<T, E>) -> Result<(T, NodeHash), ProofError<E>> {
        self.verify_hashing(|tree, _| f(tree))
    }

    /// [`ProofBytes::verify`] for an `f` that may leave parts of which only the hash is known, in the tree that nobody looks
    /// into any more: with a [`HashWriter`](crate::containers::HashWriter) on the digester.
    ///
    /// # Errors
    /// Those of [`ProofBytes::verify`].
    pub fn verify_hashing<T, E>(
        &self,
        f: impl FnOnce(&mut Tree, &mut Digester) -> Result<T, E>,
    ) -> Result<(T, NodeHash), ProofError<E>> {
        let (session, root, mut digester) = self.rebuild()?;
        let mut tree = Tree { node: root };
        let result = f(&mut tree, &mut digester).map_err(ProofError::Step)?;
        let actual = digester.tree(&tree)?;
        if actual != self.head.after || tree.node.kind() != self.head.after_kind {
            return Err(ProofError::After { claimed: self.head.after, actual });
        }
        drop(session);
        Ok((result, actual))
    }

    /// Checks only that the shown tree has the hash it claims.
    pub fn check_before(&self) -> Result<(), ProofError<std::convert::Infallible>> {
        self.rebuild().map(|_| ())
    }

    fn rebuild<E>(&self) -> Result<(Session, Node, Digester), ProofError<E>> {
        let Head { version, before, before_kind, .. } = self.head;
        if version & 2 == 0 {
            return Err(ProofError::NotBinary(version));
        }
        let rebuilt = match Rebuilder::run(&self.bytes, false) {
            Err((Wrong::Ambiguous, _)) => Rebuilder::run(&self.bytes, true),
            done => done,
        };
        let (session, root, digester) = rebuilt.map_err(|(wrong, offset)| match wrong {
            Wrong::Bytes(reason) => ProofError::Decode(DecodeError { offset, reason }),
            Wrong::Shape(reason) => ProofError::Malformed(reason),
            Wrong::Tree(error) => ProofError::Tree(error),
            Wrong::Ambiguous => ProofError::Malformed("a directory shown in two ways"),
        })?;
        if root.known_hash() != before || root.kind() != before_kind {
            return Err(ProofError::Before { claimed: before, actual: root.known_hash() });
        }
        Ok((session, root, digester))
    }
}

impl Proof {
    /// [`ProofBytes::verify`] of its encoding.
    ///
    /// # Errors
    /// Those, and [`ProofError::Encode`] where it has none.
    pub fn verify<T, E>(&self, f: impl FnOnce(&mut Tree) -> Result<T, E>) -> Result<(T, NodeHash), ProofError<E>> {
        self.to_bytes()?.verify(f)
    }

    /// [`ProofBytes::check_before`] of its encoding.
    ///
    /// # Errors
    /// Those, and [`ProofError::Encode`] where it has none.
    pub fn check_before(&self) -> Result<(), ProofError<std::convert::Infallible>> {
        self.to_bytes()?.check_before()
    }
}

/// What a proof shows, by hash: a node that is shown in one place can be read wherever it occurs.
#[derive(Default)]
pub(crate) struct Shown {
    nodes: RwLock<Nodes>,
}

#[derive(Default)]
struct Nodes {
    directories: NodeTable<Arc<Inode>>,
    leaves: NodeTable<Arc<Leaf>>,
}

impl Shown {
    pub(crate) fn directory(&self, hash: &NodeHash) -> Result<Body, TreeError> {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        let body = nodes.directories.get(hash).and_then(|inode| inode.loaded());
        body.cloned().ok_or(TreeError::Blinded(*hash))
    }

    pub(crate) fn leaf(&self, hash: &NodeHash) -> Result<Bytes, TreeError> {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        let bytes = nodes.leaves.get(hash).and_then(|leaf| leaf.loaded());
        bytes.cloned().ok_or(TreeError::Blinded(*hash))
    }
}

/// What the nodes of a proof need as long as they are used. Forgets all in the end: the nodes and their table hold each other.
#[derive(Default)]
struct Session {
    shown: Option<Arc<Shown>>,
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(shown) = &self.shown {
            // the nodes die outside of the lock
            let nodes = std::mem::take(&mut *shown.nodes.write().unwrap_or_else(PoisonError::into_inner));
            drop(nodes);
        }
    }
}

enum Wrong {
    Bytes(Reason),
    Shape(&'static str),
    Tree(TreeError),
    /// Of a node more is shown in one place than in another.
    Ambiguous,
}

impl From<Reason> for Wrong {
    fn from(reason: Reason) -> Self {
        Wrong::Bytes(reason)
    }
}

impl From<TreeError> for Wrong {
    fn from(error: TreeError) -> Self {
        Wrong::Tree(error)
    }
}

#[derive(Default)]
struct Rebuilder {
    nodes: Nodes,
    /// Where nodes are found by their hashes. Without it each holds what is shown in its place, which comes to the same as
    /// long as the same is shown of a node wherever it occurs, as in every proof made by a recording.
    by_hash: Option<Arc<Shown>>,
    /// Without `by_hash`: the leaves that are shown, and the nodes of which nothing is shown.
    leaves: Vec<NodeHash>,
    blinded: Vec<(Kind, NodeHash)>,
    digester: Digester,
}

/// What is shown of an inode, with the number of entries below as far as it shows.
struct Part<I> {
    inode: I,
    entries: u64,
    complete: bool,
}

/// An inode below others.
type Inner = Part<Arc<Inode>>;

/// Nodes of a kind that the proof of a step shows.
const COMMONLY: usize = 112;

/// Deepest inode (§1.4).
const MAX_DEPTH: usize = 50;

/// Whether of two directories with the same hash the same is shown, supposing it is of the directories in them.
fn is_shown_alike(a: &Body, b: &Body) -> bool {
    let directory = |entry: &Entry| matches!(&entry.node, Node::Dir(inode) if inode.loaded().is_some());
    match (a, b) {
        (Body::Bucket(a), Body::Bucket(b)) => a.as_slice().iter().map(directory).eq(b.as_slice().iter().map(directory)),
        (Body::Fork { children: a, .. }, Body::Fork { children: b, .. }) => a.iter().zip(b).all(|pair| match pair {
            (Some(a), Some(b)) => match (a.loaded(), b.loaded()) {
                (Some(a), Some(b)) => is_shown_alike(a, b),
                (None, None) => true,
                _ => false,
            },
            (None, None) => true,
            _ => false,
        }),
        _ => false,
    }
}

/// The entries of a directory or bucket: at most two in byte order, or any.
#[derive(Default)]
struct Entries {
    first: Option<Entry>,
    second: Option<Entry>,
    /// All of them, unless there are at most two in byte order.
    any: Vec<Entry>,
}

impl Entries {
    fn push(&mut self, entry: Entry) {
        match (&self.first, &self.second) {
            (None, _) if self.any.is_empty() => self.first = Some(entry),
            (Some(first), None) if first.step < entry.step => self.second = Some(entry),
            _ => {
                self.any.extend(self.first.take());
                self.any.extend(self.second.take());
                self.any.push(entry);
            }
        }
    }

    /// Those that are at most two in byte order; or the others.
    fn ordered(self) -> Result<Bucket, Vec<Entry>> {
        match (self.first, self.second) {
            (Some(first), Some(second)) => Ok(Bucket::Two([first, second])),
            (Some(only), None) => Ok(Bucket::One(only)),
            (None, _) if self.any.is_empty() => Ok(Bucket::Empty),
            (None, _) => Err(self.any),
        }
    }
}

impl Build for Rebuilder {
    type Tree = Node;
    type Inode = Inner;
    type Entries = Entries;
    type Error = Wrong;

    fn value(&mut self, bytes: &[u8], whole: &Bytes) -> Node {
        let leaf = Leaf::short(bytes).unwrap_or_else(|| Leaf::new(whole.slice_ref(bytes)));
        match &self.by_hash {
            None => self.leaves.push(leaf.hash()),
            Some(_) => _ = self.nodes.leaves.insert(leaf.hash(), leaf.clone()),
        }
        Node::Leaf(leaf)
    }

    fn blinded_value(&mut self, hash: NodeHash) -> Node {
        self.note_blinded(Kind::Leaf, hash);
        Node::Leaf(Leaf::lazy(hash, self.blinded()))
    }

    fn blinded_node(&mut self, hash: NodeHash) -> Node {
        self.note_blinded(Kind::Directory, hash);
        self.directory(hash)
    }

    fn entry(&mut self, entries: &mut Entries, step: &[u8], node: Node) {
        entries.push(Entry { step: Step::from(step), node });
    }

    fn node(&mut self, entries: Entries) -> Result<Node, Wrong> {
        match entries.ordered() {
            Ok(bucket) => self.show(Body::Bucket(bucket)),
            Err(entries) => {
                // as the reference does: whatever the entries are, they are added one by one
                let mut root = Inode::empty();
                for Entry { step, node } in entries {
                    inode::add(&mut root, &step, node)?;
                }
                self.show(root.body()?.clone())
            }
        }
    }

    fn root_fork(&mut self, length: u64, children: [Option<Inner>; 2]) -> Result<Node, Wrong> {
        let part = join(length, children, 0)?;
        self.root(part)
    }

    fn root_extender(&mut self, length: u64, segment: Vec<bool>, inner: Inner) -> Result<Node, Wrong> {
        let Part { inode, entries, complete } = self.extender(0, length, segment, inner)?;
        let body = inode.loaded().cloned().ok_or(Wrong::Shape("a directory without root inode"))?;
        self.root(Part { inode: body, entries, complete })
    }

    fn blinded_inode(&mut self, hash: NodeHash) -> Inner {
        Part { inode: Inode::lazy(hash, false, self.blinded()), entries: 0, complete: false }
    }

    fn bucket(&mut self, entries: Entries) -> Result<Inner, Wrong> {
        match entries.ordered() {
            Ok(bucket) if !bucket.as_slice().is_empty() => {
                let entries = bucket.as_slice().len() as u64;
                Ok(Part { inode: Body::Bucket(bucket), entries, complete: true }.below(&mut self.digester))
            }
            _ => Err(Wrong::Shape("a bucket must have one or two different entries, in byte order")),
        }
    }

    fn fork(&mut self, depth: usize, length: u64, children: [Option<Inner>; 2]) -> Result<Inner, Wrong> {
        Ok(join(length, children, depth)?.below(&mut self.digester))
    }

    fn extender(&mut self, depth: usize, length: u64, segment: Vec<bool>, inner: Inner) -> Result<Inner, Wrong> {
        if depth + segment.len() > MAX_DEPTH {
            return Err(Wrong::Shape("an inode deeper than 50"));
        }
        let mut part = inner;
        for (level, index) in segment.into_iter().enumerate().rev() {
            let parts = if index { [None, Some(part)] } else { [Some(part), None] };
            part = join(length, parts, depth + level)?.below(&mut self.digester);
        }
        Ok(part)
    }
}

impl Rebuilder {
    /// What the proof in `bytes` shows; or what is wrong, and up to which byte it was read.
    fn run(bytes: &Bytes, by_hash: bool) -> Result<(Session, Node, Digester), (Wrong, usize)> {
        let mut rebuilder = Rebuilder { by_hash: by_hash.then(Arc::default), ..Rebuilder::default() };
        // as many as the proof of a step commonly shows
        rebuilder.nodes.directories.reserve(COMMONLY);
        rebuilder.leaves.reserve(COMMONLY);
        rebuilder.blinded.reserve(COMMONLY);
        let root = Reader::tree_of(bytes, &mut rebuilder)?;
        if rebuilder.is_ambiguous() {
            return Err((Wrong::Ambiguous, bytes.len()));
        }
        let Rebuilder { nodes, by_hash, digester, .. } = rebuilder;
        if let Some(shown) = &by_hash {
            *shown.nodes.write().unwrap_or_else(PoisonError::into_inner) = nodes;
        }
        Ok((Session { shown: by_hash }, root, digester))
    }

    /// Whether something is shown in one place and not in another.
    fn is_ambiguous(&self) -> bool {
        let mut blinded_leaves = NodeTable::default();
        for (kind, hash) in &self.blinded {
            match kind {
                Kind::Directory if self.nodes.directories.contains_key(hash) => return true,
                Kind::Directory => {}
                Kind::Leaf => _ = blinded_leaves.insert(*hash, ()),
            }
        }
        self.leaves.iter().any(|hash| blinded_leaves.contains_key(hash))
    }

    /// The directory with this root inode.
    fn root(&mut self, Part { inode: body, entries, complete }: Part<Body>) -> Result<Node, Wrong> {
        if complete && entries <= 2 && matches!(body, Body::Fork { .. }) {
            // such a directory hashes flat, whatever its trie looks like
            let mut entries = Vec::new();
            Inode::new(body, true).visit(0, u64::MAX, &mut |entry| {
                entries.push(entry.clone());
                true
            })?;
            entries.sort_by(|a, b| a.step.cmp(&b.step));
            entries.dedup_by(|a, b| a.step == b.step);
            return self.show(Body::Bucket(entries.into_iter().collect()));
        }
        if body.count() <= 2 && matches!(body, Body::Fork { .. }) {
            return Err(Wrong::Shape("a fork over at most two entries, not all of them shown"));
        }
        self.show(body)
    }

    fn note_blinded(&mut self, kind: Kind, hash: NodeHash) {
        if self.by_hash.is_none() {
            self.blinded.push((kind, hash));
        }
    }

    fn blinded<N>(&self) -> Source<N> {
        Source::Proof(self.by_hash.clone())
    }

    fn directory(&self, hash: NodeHash) -> Node {
        Node::Dir(Inode::lazy(hash, true, self.blinded()))
    }

    fn show(&mut self, body: Body) -> Result<Node, Wrong> {
        let hash = self.digester.body(&body, true);
        let inode = Inode::shown(body, hash, true, self.blinded());
        // where the same directory is shown twice, the reference believes the last
        let last = self.nodes.directories.insert(hash, inode.clone());
        if self.by_hash.is_some() {
            return Ok(self.directory(hash));
        }
        match last.as_ref().and_then(|last| last.loaded()).zip(inode.loaded()) {
            Some((last, now)) if !is_shown_alike(last, now) => Err(Wrong::Ambiguous),
            _ => Ok(Node::Dir(inode)),
        }
    }
}

impl Part<Body> {
    /// The inode as one below others.
    fn below(self, digester: &mut Digester) -> Inner {
        let hash = digester.body(&self.inode, false);
        let inode = Inode::shown(self.inode, hash, false, Source::Memory);
        Part { inode, entries: self.entries, complete: self.complete }
    }
}

/// The fork over these children.
fn join(length: u64, parts: [Option<Inner>; 2], depth: usize) -> Result<Part<Body>, Wrong> {
    if depth >= MAX_DEPTH {
        return Err(Wrong::Shape("an inode deeper than 50"));
    }
    if parts.iter().all(Option::is_none) {
        return Err(Wrong::Shape("a fork without children"));
    }
    let complete = parts.iter().flatten().all(|part| part.complete);
    let entries = parts.iter().flatten().try_fold(0u64, |sum, part| sum.checked_add(part.entries));
    match entries {
        Some(entries) if entries == length || (entries < length && !complete) => {
            let children = parts.map(|part| part.map(|part| part.inode));
            Ok(Part { inode: Body::Fork { depth: depth as u8, count: length, children }, entries, complete })
        }
        _ => Err(Wrong::Shape("a fork whose length does not fit its entries")),
    }
}
