//! Verifying a proof (`spec/pvm.md` §2.5): rebuild what it shows, compare the hash, run the computation on the partial tree.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;

use super::{Children, InodeProof, Proof, ProofError, ProofTree};
use crate::digest::Digester;
use crate::error::TreeError;
use crate::hash::{Kind, NodeHash, NodeTable};
use crate::inode;
use crate::node::{Body, Bucket, Entry, Inode, Leaf, Node, Source};
use crate::step::Step;
use crate::tree::Tree;

impl Proof {
    /// Checks the proof by running `f` on what it shows. Returns the result of `f` and the hash of the tree that `f` leaves.
    ///
    /// # Errors
    /// Whatever is wrong with the proof; [`ProofError::Tree`] with [`TreeError::Blinded`] when it shows less than `f` reads and
    /// `f` passed over it. An error of `f` itself is [`ProofError::Step`].
    pub fn verify<T, E>(&self, f: impl FnOnce(&mut Tree) -> Result<T, E>) -> Result<(T, NodeHash), ProofError<E>> {
        self.check_binary()?;
        let (session, root, mut digester) = self.rebuild()?;
        let mut tree = Tree { node: root };
        let result = f(&mut tree).map_err(ProofError::Step)?;
        let actual = digester.tree(&tree)?;
        if actual != self.after || tree.node.kind() != self.after_kind {
            return Err(ProofError::After { claimed: self.after, actual });
        }
        drop(session);
        Ok((result, actual))
    }

    /// Checks only that the shown tree has the hash it claims.
    pub fn check_before(&self) -> Result<(), ProofError<std::convert::Infallible>> {
        self.check_binary()?;
        self.rebuild().map(|_| ())
    }

    fn check_binary<E>(&self) -> Result<(), ProofError<E>> {
        if self.version & 2 == 0 { Err(ProofError::NotBinary(self.version)) } else { Ok(()) }
    }

    fn rebuild<E>(&self) -> Result<(Session, Node, Digester), ProofError<E>> {
        let (session, root, digester) = match Rebuilder::run(&self.state, false) {
            Err(Wrong::Ambiguous) => Rebuilder::run(&self.state, true),
            done => done,
        }
        .map_err(|wrong| match wrong {
            Wrong::Shape(reason) => ProofError::Malformed(reason),
            Wrong::Tree(error) => ProofError::Tree(error),
            Wrong::Ambiguous => ProofError::Malformed("a directory shown in two ways"),
        })?;
        if root.known_hash() != self.before || root.kind() != self.before_kind {
            return Err(ProofError::Before { claimed: self.before, actual: root.known_hash() });
        }
        Ok((session, root, digester))
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
    Shape(&'static str),
    Tree(TreeError),
    /// Of a node more is shown in one place than in another.
    Ambiguous,
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

impl Rebuilder {
    fn run(state: &ProofTree, by_hash: bool) -> Result<(Session, Node, Digester), Wrong> {
        let mut rebuilder = Rebuilder { by_hash: by_hash.then(Arc::default), ..Rebuilder::default() };
        // as many as the proof of a step commonly shows
        rebuilder.nodes.directories.reserve(COMMONLY);
        rebuilder.leaves.reserve(COMMONLY);
        rebuilder.blinded.reserve(COMMONLY);
        let root = rebuilder.tree(state)?;
        let Rebuilder { nodes, by_hash, leaves, blinded, digester } = rebuilder;
        let mut blinded_leaves = NodeTable::default();
        for (kind, hash) in blinded {
            match kind {
                Kind::Directory if nodes.directories.contains_key(&hash) => return Err(Wrong::Ambiguous),
                Kind::Directory => {}
                Kind::Leaf => _ = blinded_leaves.insert(hash, ()),
            }
        }
        if leaves.iter().any(|hash| blinded_leaves.contains_key(hash)) {
            return Err(Wrong::Ambiguous);
        }
        if let Some(shown) = &by_hash {
            *shown.nodes.write().unwrap_or_else(PoisonError::into_inner) = nodes;
        }
        Ok((Session { shown: by_hash }, root, digester))
    }

    fn tree(&mut self, proof: &ProofTree) -> Result<Node, Wrong> {
        let Part { inode: body, entries, complete } = match proof {
            ProofTree::Value(bytes) => {
                let leaf = Leaf::short(bytes).unwrap_or_else(|| Leaf::new(bytes.clone()));
                match &self.by_hash {
                    None => self.leaves.push(leaf.hash()),
                    Some(_) => _ = self.nodes.leaves.insert(leaf.hash(), leaf.clone()),
                }
                return Ok(Node::Leaf(leaf));
            }
            ProofTree::BlindedValue(hash) => {
                self.note_blinded(Kind::Leaf, *hash);
                return Ok(Node::Leaf(Leaf::lazy(*hash, self.blinded())));
            }
            ProofTree::BlindedNode(hash) => {
                self.note_blinded(Kind::Directory, *hash);
                return Ok(self.directory(*hash));
            }
            ProofTree::Node(entries) if entries.len() <= 2 && entries.is_sorted_by(|a, b| a.0 < b.0) => {
                let bucket = self.entries(entries)?;
                return self.show(Body::Bucket(bucket));
            }
            ProofTree::Node(entries) => {
                // as the reference does: whatever the entries are, they are added one by one
                let mut root = Inode::empty();
                for (step, entry) in entries {
                    let node = self.tree(entry)?;
                    inode::add(&mut root, step, node)?;
                }
                return self.show(root.body()?.clone());
            }
            ProofTree::Inode { length, children } => self.fork(*length, children, 0)?,
            ProofTree::Extender { length, segment, inner } => {
                let Part { inode, entries, complete } = self.extender(*length, segment, inner, 0)?;
                let body = inode.loaded().cloned().ok_or(Wrong::Shape("a directory without root inode"))?;
                Part { inode: body, entries, complete }
            }
        };
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

    fn inode(&mut self, proof: &InodeProof, depth: usize) -> Result<Inner, Wrong> {
        match proof {
            InodeProof::Blinded(hash) => {
                Ok(Part { inode: Inode::lazy(*hash, false, self.blinded()), entries: 0, complete: false })
            }
            InodeProof::Values(entries) => self.bucket(entries),
            InodeProof::Tree { length, children } => Ok(self.fork(*length, children, depth)?.below(&mut self.digester)),
            InodeProof::Extender { length, segment, inner } => self.extender(*length, segment, inner, depth),
        }
    }

    fn bucket(&mut self, proofs: &[(Step, ProofTree)]) -> Result<Inner, Wrong> {
        if proofs.is_empty() || proofs.len() > 2 {
            return Err(Wrong::Shape("a bucket must have one or two entries"));
        }
        if proofs.len() == 2 && proofs[0].0 >= proofs[1].0 {
            return Err(Wrong::Shape("the entries of a bucket must be different and in byte order"));
        }
        let body = Body::Bucket(self.entries(proofs)?);
        Ok(Part { inode: body, entries: proofs.len() as u64, complete: true }.below(&mut self.digester))
    }

    /// At most two entries, in byte order.
    fn entries(&mut self, proofs: &[(Step, ProofTree)]) -> Result<Bucket, Wrong> {
        let mut entry =
            |(step, proof): &(Step, ProofTree)| Ok::<_, Wrong>(Entry { step: step.clone(), node: self.tree(proof)? });
        Ok(match proofs {
            [first, second, ..] => Bucket::Two([entry(first)?, entry(second)?]),
            [only] => Bucket::One(entry(only)?),
            [] => Bucket::Empty,
        })
    }

    fn fork(&mut self, length: u64, proofs: &Children, depth: usize) -> Result<Part<Body>, Wrong> {
        let mut parts = [None, None];
        for (proof, part) in proofs.iter().zip(&mut parts) {
            *part = proof.as_ref().map(|proof| self.inode(proof, depth + 1)).transpose()?;
        }
        join(length, parts, depth)
    }

    fn extender(&mut self, length: u64, segment: &[bool], inner: &InodeProof, depth: usize) -> Result<Inner, Wrong> {
        if depth + segment.len() > MAX_DEPTH {
            return Err(Wrong::Shape("an inode deeper than 50"));
        }
        let mut part = self.inode(inner, depth + segment.len())?;
        for (level, index) in segment.iter().enumerate().rev() {
            let parts = if *index { [None, Some(part)] } else { [Some(part), None] };
            part = join(length, parts, depth + level)?.below(&mut self.digester);
        }
        Ok(part)
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
