//! Producing a proof: the computation runs on a tree that notes what is loaded (`spec/pvm.md` §2.2), by hash for directories
//! and leaves, and by one representative per directory for the inodes below its root inode.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::{Children, InodeProof, MAX_NESTING, Proof, ProofError, ProofTree};
use crate::digest::Digester;
use crate::error::TreeError;
use crate::hash::{Kind, NodeHash, NodeTable};
use crate::node::{Body, Bucket, Entry, Inode, Leaf, Node, Source};
use crate::tree::Tree;

/// Runs `f` on a copy of `tree` and proves it: from the proof alone, [`Proof::verify`] can run `f` again, with the same result.
///
/// `tree` itself stays as it is. The copy that `f` gets must not be used after `f` returned: its unloaded parts are then
/// [`TreeError::Missing`].
///
/// # Errors
/// [`ProofError::Step`] with the error of `f`, [`ProofError::Tree`] when loading a part of `tree` fails,
/// [`ProofError::TooDeep`] when `f` looks into more than 1024 nested nodes.
pub fn produce_proof<T, E>(
    tree: &Tree,
    f: impl FnOnce(&mut Tree) -> Result<T, E>,
) -> Result<(Proof, T), ProofError<E>> {
    produce_proof_hashing(tree, |tree, _| f(tree))
}

/// [`produce_proof`] for an `f` that may leave parts of which only the hash is known, in the tree that nobody looks into any
/// more: with a [`HashWriter`](crate::containers::HashWriter) on the digester.
///
/// # Errors
/// Those of [`produce_proof`].
pub fn produce_proof_hashing<T, E>(
    tree: &Tree,
    f: impl FnOnce(&mut Tree, &mut Digester) -> Result<T, E>,
) -> Result<(Proof, T), ProofError<E>> {
    let before = tree.hash()?;
    let session = Session(Arc::default());
    let recorder = &session.0;
    let original = match &tree.node {
        Node::Dirty(dirty) => Node::Dir(dirty.fold()?.clone()),
        Node::Shown(shown) => shown.unfolded(),
        node => node.clone(),
    };
    let root = recorder.wrap(&original);
    let mut copy = Tree { node: root.clone() };
    let mut digester = Digester::recording(recorder.clone());
    let result = f(&mut copy, &mut digester).map_err(ProofError::Step)?;
    let after = digester.tree(&copy)?;
    let state =
        Seen { directories: &lock(&recorder.directories), leaves: &lock(&recorder.leaves), depth: 0 }.tree(&root)?;
    let proof =
        Proof { version: Proof::VERSION, before_kind: root.kind(), before, after_kind: copy.node.kind(), after, state };
    Ok((proof, result))
}

/// What was loaded so far.
#[derive(Default)]
pub(crate) struct Recorder {
    directories: Mutex<NodeTable<Body>>,
    leaves: Mutex<NodeTable<Bytes>>,
}

/// Empties the recorder in the end: its nodes and itself hold each other.
struct Session(Arc<Recorder>);

impl Drop for Session {
    fn drop(&mut self) {
        // the bodies die outside of the lock
        let directories = std::mem::take(&mut *lock(&self.0.directories));
        drop(directories);
        lock(&self.0.leaves).clear();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    pub(crate) fn for_each_directory(&self, mut f: impl FnMut(NodeHash, &Body)) {
        lock(&self.directories).iter().for_each(|(hash, body)| f(*hash, body));
    }

    /// Loads a leaf.
    pub(crate) fn leaf(&self, hash: NodeHash, original: &Leaf) -> Result<Bytes, TreeError> {
        let bytes = original.bytes()?;
        lock(&self.leaves).insert(hash, bytes.clone());
        Ok(bytes.clone())
    }

    /// Loads a directory: all with the same hash share the inodes of one representative.
    pub(crate) fn directory(self: &Arc<Self>, hash: NodeHash, original: &Inode) -> Result<Body, TreeError> {
        if let Some(body) = lock(&self.directories).get(&hash) {
            return Ok(body.clone());
        }
        let body = self.inode(original)?;
        Ok(lock(&self.directories).entry(hash).or_insert(body).clone())
    }

    /// Loads an inode.
    pub(crate) fn inode(self: &Arc<Self>, original: &Inode) -> Result<Body, TreeError> {
        Ok(match original.body()? {
            Body::Bucket(bucket) => {
                let wrap = |entry: &Entry| Entry { step: entry.step.clone(), node: self.wrap(&entry.node) };
                Body::Bucket(bucket.as_slice().iter().map(wrap).collect::<Bucket>())
            }
            Body::Fork { depth, count, children } => {
                let wrap = |child: &Option<Arc<Inode>>| child.as_ref().map(|child| self.wrap_inode(child, false));
                Body::Fork { depth: *depth, count: *count, children: children.each_ref().map(wrap) }
            }
        })
    }

    fn wrap(self: &Arc<Self>, original: &Node) -> Node {
        match original {
            Node::Leaf(leaf) => Node::Leaf(Leaf::lazy(leaf.hash(), Source::Recording(self.clone(), leaf.clone()))),
            Node::Dir(inode) => Node::Dir(self.wrap_inode(inode, true)),
            Node::Shown(shown) => self.wrap(&shown.unfolded()),
            // inodes hold no dirty directories
            Node::Dirty(dirty) => Node::Dirty(dirty.clone()),
        }
    }

    fn wrap_inode(self: &Arc<Self>, original: &Arc<Inode>, root: bool) -> Arc<Inode> {
        Inode::lazy(original.hash(), root, Source::Recording(self.clone(), original.clone()))
    }
}

/// Walks what was seen.
struct Seen<'a> {
    directories: &'a NodeTable<Body>,
    leaves: &'a NodeTable<Bytes>,
    depth: usize,
}

impl Seen<'_> {
    // these two call each other once per nested node: their frames are kept small

    fn tree<E>(&mut self, node: &Node) -> Result<ProofTree, ProofError<E>> {
        let hash = node.known_hash();
        if node.kind() == Kind::Leaf {
            let bytes = self.leaves.get(&hash).cloned();
            return Ok(bytes.map_or(ProofTree::BlindedValue(hash), ProofTree::Value));
        }
        match self.directories.get(&hash) {
            None => Ok(ProofTree::BlindedNode(hash)),
            Some(body) => Ok(match *self.body(body)? {
                InodeProof::Blinded(hash) => ProofTree::BlindedNode(hash),
                InodeProof::Values(entries) => ProofTree::Node(entries),
                InodeProof::Tree { length, children } => ProofTree::Inode { length, children },
                InodeProof::Extender { length, segment, inner } => ProofTree::Extender { length, segment, inner },
            }),
        }
    }

    fn body<E>(&mut self, body: &Body) -> Result<Box<InodeProof>, ProofError<E>> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(ProofError::TooDeep);
        }
        let proof = match body {
            Body::Bucket(bucket) => {
                let mut entries = Vec::with_capacity(bucket.as_slice().len());
                for entry in bucket.as_slice() {
                    let tree = self.tree(&entry.node)?;
                    entries.push((entry.step.clone(), tree));
                }
                Box::new(InodeProof::Values(entries))
            }
            Body::Fork { count, children, .. } => {
                let mut proofs = [None, None];
                for (child, proof) in children.iter().zip(&mut proofs) {
                    if let Some(child) = child {
                        *proof = Some(match child.loaded() {
                            None => Box::new(InodeProof::Blinded(child.hash())),
                            Some(body) => self.body(body)?,
                        });
                    }
                }
                compress(*count, proofs)
            }
        };
        self.depth -= 1;
        Ok(proof)
    }
}

/// A fork, or an extender for a chain of at least two forks with one child each (§2.3).
fn compress(length: u64, children: Children) -> Box<InodeProof> {
    let (index, child) = match children {
        [Some(child), None] => (false, child),
        [None, Some(child)] => (true, child),
        children => return Box::new(InodeProof::Tree { length, children }),
    };
    Box::new(match *child {
        InodeProof::Tree { children: [Some(inner), None], .. } => {
            InodeProof::Extender { length, segment: vec![index, false], inner }
        }
        InodeProof::Tree { children: [None, Some(inner)], .. } => {
            InodeProof::Extender { length, segment: vec![index, true], inner }
        }
        InodeProof::Extender { mut segment, inner, .. } => {
            segment.insert(0, index);
            InodeProof::Extender { length, segment, inner }
        }
        child => {
            let mut children = [None, None];
            children[usize::from(index)] = Some(Box::new(child));
            InodeProof::Tree { length, children }
        }
    })
}
