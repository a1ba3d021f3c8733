//! Verifying a proof (`spec/pvm.md` §2.5): rebuild what it shows, compare the hash, run the computation on the partial tree.

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;

use super::{Children, InodeProof, Proof, ProofError, ProofTree};
use crate::error::TreeError;
use crate::hash::{NodeHash, NodeTable};
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
        let (session, root) = self.rebuild()?;
        let mut tree = Tree { node: root };
        let result = f(&mut tree).map_err(ProofError::Step)?;
        let actual = tree.hash()?;
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

    fn rebuild<E>(&self) -> Result<(Session, Node), ProofError<E>> {
        let (rebuilder, root) = match Rebuilder::run(&self.state, false) {
            // a directory is shown twice, and not the same of it
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
        let Rebuilder { session, nodes, .. } = rebuilder;
        *session.0.nodes.write().unwrap_or_else(PoisonError::into_inner) = nodes;
        Ok((session, root))
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

/// Forgets all in the end: the nodes and their table hold each other.
struct Session(Arc<Shown>);

impl Drop for Session {
    fn drop(&mut self) {
        // the nodes die outside of the lock
        let nodes = std::mem::take(&mut *self.0.nodes.write().unwrap_or_else(PoisonError::into_inner));
        drop(nodes);
    }
}

enum Wrong {
    Shape(&'static str),
    Tree(TreeError),
    Ambiguous,
}

impl From<TreeError> for Wrong {
    fn from(error: TreeError) -> Self {
        Wrong::Tree(error)
    }
}

struct Rebuilder {
    session: Session,
    nodes: Nodes,
    /// Whether directories are found by their hashes only. Else each holds what is shown in its place, which comes to the same
    /// as long as all that is shown of a directory is the same.
    by_hash: bool,
}

/// What is shown of an inode, with the number of entries below as far as it shows.
struct Part {
    content: Content,
    entries: u64,
    complete: bool,
}

enum Content {
    Shown(Body),
    Blinded(NodeHash),
}

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
    fn run(state: &ProofTree, by_hash: bool) -> Result<(Rebuilder, Node), Wrong> {
        let mut rebuilder = Rebuilder { session: Session(Arc::default()), nodes: Nodes::default(), by_hash };
        let root = rebuilder.tree(state)?;
        Ok((rebuilder, root))
    }

    fn tree(&mut self, proof: &ProofTree) -> Result<Node, Wrong> {
        let part = match proof {
            ProofTree::Value(bytes) => {
                let leaf = Leaf::new(bytes.clone());
                self.nodes.leaves.insert(leaf.hash(), leaf.clone());
                return Ok(Node::Leaf(leaf));
            }
            ProofTree::BlindedValue(hash) => return Ok(Node::Leaf(Leaf::lazy(*hash, self.blinded()))),
            ProofTree::BlindedNode(hash) => return Ok(self.directory(*hash)),
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
            ProofTree::Extender { length, segment, inner } => self.extender(*length, segment, inner, 0)?,
        };
        let Content::Shown(body) = part.content else { return Err(Wrong::Shape("a directory without root inode")) };
        if part.complete && part.entries <= 2 && matches!(body, Body::Fork { .. }) {
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

    fn blinded<N>(&self) -> Source<N> {
        Source::Proof(self.session.0.clone())
    }

    fn directory(&self, hash: NodeHash) -> Node {
        Node::Dir(Inode::lazy(hash, true, self.blinded()))
    }

    fn show(&mut self, body: Body) -> Result<Node, Wrong> {
        let inode = Arc::new(Inode::from_source(body, true, self.blinded()));
        let hash = inode.hash();
        // where the same directory is shown twice, the reference believes the last
        let last = self.nodes.directories.insert(hash, inode.clone());
        if self.by_hash {
            return Ok(self.directory(hash));
        }
        match last.as_ref().and_then(|last| last.loaded()).zip(inode.loaded()) {
            Some((last, now)) if !is_shown_alike(last, now) => Err(Wrong::Ambiguous),
            _ => Ok(Node::Dir(inode)),
        }
    }

    fn inode(&mut self, proof: &InodeProof, depth: usize) -> Result<Part, Wrong> {
        match proof {
            InodeProof::Blinded(hash) => Ok(Part { content: Content::Blinded(*hash), entries: 0, complete: false }),
            InodeProof::Values(entries) => self.bucket(entries),
            InodeProof::Tree { length, children } => self.fork(*length, children, depth),
            InodeProof::Extender { length, segment, inner } => self.extender(*length, segment, inner, depth),
        }
    }

    fn bucket(&mut self, proofs: &[(Step, ProofTree)]) -> Result<Part, Wrong> {
        if proofs.is_empty() || proofs.len() > 2 {
            return Err(Wrong::Shape("a bucket must have one or two entries"));
        }
        if proofs.len() == 2 && proofs[0].0 >= proofs[1].0 {
            return Err(Wrong::Shape("the entries of a bucket must be different and in byte order"));
        }
        let content = Content::Shown(Body::Bucket(self.entries(proofs)?));
        Ok(Part { content, entries: proofs.len() as u64, complete: true })
    }

    /// At most two entries, in byte order.
    fn entries(&mut self, proofs: &[(Step, ProofTree)]) -> Result<Bucket, Wrong> {
        let mut bucket = Bucket::Empty;
        for (step, proof) in proofs {
            bucket.push(Entry { step: step.clone(), node: self.tree(proof)? });
        }
        Ok(bucket)
    }

    fn fork(&mut self, length: u64, proofs: &Children, depth: usize) -> Result<Part, Wrong> {
        let mut parts = [None, None];
        for (proof, part) in proofs.iter().zip(&mut parts) {
            *part = proof.as_ref().map(|proof| self.inode(proof, depth + 1)).transpose()?;
        }
        self.join(length, parts, depth)
    }

    fn extender(&mut self, length: u64, segment: &[bool], inner: &InodeProof, depth: usize) -> Result<Part, Wrong> {
        if depth + segment.len() > MAX_DEPTH {
            return Err(Wrong::Shape("an inode deeper than 50"));
        }
        let mut part = self.inode(inner, depth + segment.len())?;
        for (depth, index) in (depth..).zip(segment).collect::<Vec<_>>().into_iter().rev() {
            let parts = if *index { [None, Some(part)] } else { [Some(part), None] };
            part = self.join(length, parts, depth)?;
        }
        Ok(part)
    }

    fn join(&self, length: u64, parts: [Option<Part>; 2], depth: usize) -> Result<Part, Wrong> {
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
                let children = parts.map(|part| {
                    part.map(|part| match part.content {
                        Content::Blinded(hash) => Inode::lazy(hash, false, self.blinded()),
                        Content::Shown(body) => Arc::new(Inode::new(body, false)),
                    })
                });
                let body = Body::Fork { depth: depth as u8, count: length, children };
                Ok(Part { content: Content::Shown(body), entries, complete })
            }
            _ => Err(Wrong::Shape("a fork whose length does not fit its entries")),
        }
    }
}
