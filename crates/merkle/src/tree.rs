//! The tree as its users see it: paths of steps to leaves and directories (`spec/pvm.md` §1.5).

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

use crate::dirty::{Base, Dirty};
use crate::error::TreeError;
use crate::hash::{self, Kind, NodeHash};
use crate::node::{Inode, Leaf, Node, Source};
use crate::proof::ShownNode;
use crate::record;
use crate::step::Step;
use crate::store::{NodeSink, NodeStore, StoreHandle};

/// A persistent tree: a directory, or a leaf. Cloning is O(1), changing copies only the path that changes.
///
/// Where its nodes come from makes no difference to these operations: all in memory, loaded from a [`NodeStore`] when first
/// read ([`Tree::open`]), recorded while a proof is produced, or rebuilt from a proof, when reading what the proof does not
/// show is [`TreeError::Blinded`].
///
/// Rules that show (§1.5): no empty directory below the root; adding what is already there changes nothing; a leaf in the
/// middle of a path is replaced by a directory; directories with more than two entries list in trie order, always.
#[derive(Clone)]
pub struct Tree {
    pub(crate) node: Node,
}

/// Whether an update did anything.
#[derive(PartialEq, Eq)]
enum Updated {
    Changed,
    Unchanged,
}

impl Tree {
    /// Longest path that is accepted, in steps; keys of the durable storage need about 125.
    pub const MAX_PATH: usize = 1024;

    /// The empty directory.
    pub fn empty() -> Tree {
        Tree { node: Node::Dir(Inode::empty()) }
    }

    /// A tree that is a single leaf.
    pub fn leaf(bytes: impl Into<Bytes>) -> Tree {
        Tree { node: Node::Leaf(Leaf::new(bytes.into())) }
    }

    /// The directory with hash `root` in `store`. Nothing is loaded yet.
    pub fn open(store: Arc<dyn NodeStore + Send + Sync>, root: NodeHash) -> Tree {
        if root == NodeHash::EMPTY {
            return Tree::empty();
        }
        Tree { node: Node::Dir(Inode::lazy(root, true, Source::Store(StoreHandle::new(store)))) }
    }

    /// Whether the tree is a single leaf.
    pub fn is_leaf(&self) -> bool {
        self.node.kind() == Kind::Leaf
    }

    /// Whether the tree is the empty directory.
    pub fn is_empty(&self) -> Result<bool, TreeError> {
        self.node.is_empty()
    }

    /// The bytes of the leaf at `path`; none where there is nothing or a directory.
    pub fn find<S: AsRef<[u8]>>(&self, path: &[S]) -> Result<Option<Bytes>, TreeError> {
        match self.node.at(path)?.as_deref() {
            Some(Node::Leaf(leaf)) => Ok(Some(leaf.bytes()?.clone())),
            Some(Node::Shown(shown)) if shown.kind() == Kind::Leaf => shown.bytes().map(Some),
            _ => Ok(None),
        }
    }

    /// What `read` makes of the bytes of the leaf at `path`; none where there is nothing or a directory.
    pub fn read<S: AsRef<[u8]>, T>(&self, path: &[S], read: impl FnOnce(&[u8]) -> T) -> Result<Option<T>, TreeError> {
        if let Node::Shown(shown) = &self.node {
            return shown.read(path, read);
        }
        match self.node.at(path)?.as_deref() {
            Some(Node::Leaf(leaf)) => Ok(Some(read(leaf.bytes()?))),
            Some(Node::Shown(shown)) => shown.read::<S, T>(&[], read),
            _ => Ok(None),
        }
    }

    /// The leaf or directory at `path`.
    pub fn find_tree<S: AsRef<[u8]>>(&self, path: &[S]) -> Result<Option<Tree>, TreeError> {
        Ok(self.node.at(path)?.map(|node| Tree { node: node.into_owned() }))
    }

    /// Whether `path` holds a leaf. As [`Tree::find`], this reads the leaf.
    pub fn mem<S: AsRef<[u8]>>(&self, path: &[S]) -> Result<bool, TreeError> {
        Ok(self.find(path)?.is_some())
    }

    /// Whether `path` holds a leaf or a directory.
    pub fn mem_tree<S: AsRef<[u8]>>(&self, path: &[S]) -> Result<bool, TreeError> {
        Ok(self.node.at(path)?.is_some())
    }

    /// Number of entries of the directory at `path`; 0 for a leaf or nothing.
    pub fn length<S: AsRef<[u8]>>(&self, path: &[S]) -> Result<u64, TreeError> {
        match self.node.at(path)?.as_deref() {
            None | Some(Node::Leaf(_)) => Ok(0),
            Some(Node::Dir(inode)) => inode.count(),
            Some(Node::Dirty(dirty)) => dirty.count(),
            Some(Node::Shown(shown)) if shown.kind() == Kind::Leaf => Ok(0),
            Some(Node::Shown(shown)) => shown.count(),
        }
    }

    /// The number of entries if that needs no work and no load: of a directory that was looked into and is unchanged.
    pub(crate) fn loaded_length(&self) -> Option<u64> {
        match &self.node {
            Node::Dir(inode) => Some(inode.loaded()?.count()),
            Node::Shown(shown) => shown.count().ok(),
            Node::Leaf(_) | Node::Dirty(_) => None,
        }
    }

    /// Entries of the directory at `path` in listing order, from number `offset` on, at most `length` of them; none for a leaf
    /// or nothing.
    pub fn list<S: AsRef<[u8]>>(
        &self,
        path: &[S],
        offset: u64,
        length: Option<u64>,
    ) -> Result<Vec<(Step, Tree)>, TreeError> {
        let mut entries = Vec::new();
        let Some(node) = self.node.at(path)? else { return Ok(entries) };
        let node = node.into_owned().unfolded();
        let inode = match &node {
            Node::Dir(inode) => inode,
            Node::Dirty(dirty) => {
                // the reference reads a changed directory whole before listing it
                if dirty.base().is_partial() {
                    dirty.base().inode().visit(0, u64::MAX, &mut |_| true)?;
                }
                dirty.fold()?
            }
            Node::Leaf(_) | Node::Shown(_) => return Ok(entries),
        };
        inode.visit(offset, length.unwrap_or(u64::MAX), &mut |entry| {
            entries.push((entry.step.clone(), Tree { node: entry.node.clone() }));
            true
        })?;
        Ok(entries)
    }

    /// Puts the leaf `value` at `path`.
    pub fn add<S: AsRef<[u8]>>(&mut self, path: &[S], value: impl Into<Bytes>) -> Result<(), TreeError> {
        self.update(path, Some(Node::Leaf(Leaf::of(value.into()))))
    }

    /// Puts the leaf with the bytes that `put` appends to an empty vector at `path`.
    pub fn write<S: AsRef<[u8]>>(&mut self, path: &[S], put: impl FnOnce(&mut Vec<u8>)) -> Result<(), TreeError> {
        let leaf =
            hash::written(put, |bytes| Leaf::short(bytes).unwrap_or_else(|| Leaf::new(Bytes::copy_from_slice(bytes))));
        self.update(path, Some(Node::Leaf(leaf)))
    }

    /// Puts `subtree` at `path`, in place of all that was there. An empty `subtree` removes instead.
    pub fn add_tree<S: AsRef<[u8]>>(&mut self, path: &[S], subtree: Tree) -> Result<(), TreeError> {
        self.update(path, Some(subtree.node))
    }

    /// Removes the leaf or directory at `path`, and the directories that this empties.
    pub fn remove<S: AsRef<[u8]>>(&mut self, path: &[S]) -> Result<(), TreeError> {
        self.update(path, None)
    }

    /// The hash of the tree.
    pub fn hash(&self) -> Result<NodeHash, TreeError> {
        match &self.node {
            Node::Leaf(leaf) => Ok(leaf.hash()),
            Node::Dir(inode) => Ok(inode.hash()),
            Node::Dirty(dirty) => Ok(dirty.fold()?.hash()),
            Node::Shown(shown) => Ok(shown.hash()),
        }
    }

    /// Writes all nodes that `sink` does not hold yet, children before parents, and returns the hash of the tree. From then on
    /// the tree knows that `sink` holds them: committing again after few changes writes few records.
    ///
    /// When this fails, or the sink's writes are rolled back later, take a fresh [`StoreId`](crate::StoreId) for the sink.
    pub fn commit(&self, sink: &mut dyn NodeSink) -> Result<NodeHash, TreeError> {
        record::commit(&self.node, sink)
    }

    /// All leaves with their paths, in byte order of the steps. For dumps and comparisons: it reads everything.
    pub fn leaves(&self) -> Leaves {
        Leaves { path: Vec::new(), stack: vec![(0, None, self.node.clone())] }
    }

    fn update<S: AsRef<[u8]>>(&mut self, path: &[S], value: Option<Node>) -> Result<(), TreeError> {
        if path.len() > Tree::MAX_PATH {
            return Err(TreeError::PathTooLong(path.len()));
        }
        match path.split_first() {
            Some((step, rest)) => {
                if self.is_leaf() && value.is_some() {
                    self.node = Node::Dir(Inode::empty());
                }
                if !self.is_leaf() {
                    self.node.update(step.as_ref(), rest, value)?;
                }
            }
            None => self.node = value.unwrap_or(Node::Dir(Inode::empty())),
        }
        Ok(())
    }
}

impl Default for Tree {
    fn default() -> Self {
        Tree::empty()
    }
}

impl std::fmt::Debug for Tree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.node, self.node.cached_hash()) {
            (Node::Leaf(leaf), _) => write!(f, "Leaf({:?})", leaf.loaded()),
            (_, Some(hash)) => write!(f, "Directory({hash})"),
            (_, None) => f.write_str("Directory(changed)"),
        }
    }
}

impl Node {
    fn at<S: AsRef<[u8]>>(&self, path: &[S]) -> Result<Option<Cow<'_, Node>>, TreeError> {
        let mut node = self;
        for (passed, step) in path.iter().enumerate() {
            let child = match node {
                Node::Leaf(_) => None,
                Node::Dir(inode) => inode.find(step.as_ref())?,
                Node::Dirty(dirty) => match (dirty.change(step.as_ref()), dirty.base()) {
                    (Some(change), _) => change.as_ref(),
                    (None, Base::Inode(inode)) => inode.find(step.as_ref())?,
                    (None, Base::Shown(shown)) => return shown.at(&path[passed..]).map(Self::shown),
                },
                Node::Shown(shown) => return shown.at(&path[passed..]).map(Self::shown),
            };
            match child {
                Some(child) => node = child,
                None => return Ok(None),
            }
        }
        Ok(Some(Cow::Borrowed(node)))
    }

    fn shown<'a>(shown: Option<ShownNode>) -> Option<Cow<'a, Node>> {
        shown.map(|shown| Cow::Owned(Node::Shown(shown)))
    }

    /// The entry `step` of a directory.
    fn child(&self, step: &[u8]) -> Result<Option<Cow<'_, Node>>, TreeError> {
        self.at(&[step])
    }

    /// The same node, which is not of the kind that only proofs show.
    fn unfolded(self) -> Node {
        match self {
            Node::Shown(shown) => shown.unfolded(),
            node => node,
        }
    }

    fn is_empty(&self) -> Result<bool, TreeError> {
        match self {
            Node::Leaf(_) => Ok(false),
            Node::Dir(inode) => Ok(inode.hash() == NodeHash::EMPTY),
            Node::Dirty(dirty) => dirty.is_empty(),
            // the empty leaf has the same hash
            Node::Shown(shown) => Ok(shown.kind() == Kind::Directory && shown.hash() == NodeHash::EMPTY),
        }
    }

    /// Binds `step` followed by `rest`, below this directory, to `value`, or unbinds it.
    fn update<S: AsRef<[u8]>>(&mut self, step: &[u8], rest: &[S], value: Option<Node>) -> Result<Updated, TreeError> {
        self.settle();
        // most of a state is written back as it was read
        if let (Node::Shown(shown), Some(value)) = (&*self, &value)
            && let Some(child) = shown.at(&[step])?
            && let Some(found) = child.at(rest)?
            && Node::Shown(found).is_same(value)
        {
            return Ok(Updated::Unchanged);
        }
        let Some((next, rest)) = rest.split_first() else {
            return self.bind(step, value);
        };
        // in place, as long as nobody else holds this directory
        if let Node::Dirty(dirty) = self
            && let Some(dirty) = Arc::get_mut(dirty)
            && let Some(child) = dirty.pending_mut(step)
            && child.kind() == Kind::Directory
        {
            let updated = child.update(next.as_ref(), rest, value)?;
            if updated == Updated::Changed {
                let emptied = child.is_empty()?;
                dirty.touch();
                if emptied {
                    dirty.set(step, None, true);
                }
            }
            return Ok(updated);
        }
        let (existed, mut child) = match self.child(step)? {
            Some(child) if child.kind() == Kind::Directory => (true, child.into_owned()),
            // through a leaf, or through nothing, there is nothing to remove
            _ if value.is_none() => return Ok(Updated::Unchanged),
            other => (other.is_some(), Node::Dir(Inode::empty())),
        };
        if child.update(next.as_ref(), rest, value)? == Updated::Unchanged {
            return Ok(Updated::Unchanged);
        }
        let change = if child.is_empty()? { None } else { Some(child) };
        self.dirty().set(step, change, existed);
        Ok(Updated::Changed)
    }

    /// [`Node::update`] of an entry of this very directory.
    fn bind(&mut self, step: &[u8], value: Option<Node>) -> Result<Updated, TreeError> {
        let value = match value {
            Some(node) if node.is_empty()? => None,
            value => value,
        };
        // the parts of a value being written come to a directory that nobody else has seen
        let new = match &mut *self {
            Node::Dirty(dirty) => Arc::get_mut(dirty).filter(|dirty| dirty.is_new()),
            _ => None,
        };
        let value = match (new, value) {
            (Some(dirty), Some(node)) => {
                return Ok(if dirty.put(step, node) { Updated::Changed } else { Updated::Unchanged });
            }
            (_, value) => value,
        };
        let old = self.child(step)?;
        let existed = old.is_some();
        let unchanged = match (&old, &value) {
            (None, None) => true,
            (Some(old), Some(new)) => old.is_same(new),
            _ => false,
        };
        if unchanged {
            return Ok(Updated::Unchanged);
        }
        self.dirty().set(step, value, existed);
        Ok(Updated::Changed)
    }

    /// Whether replacing one node by the other is known to change nothing. Directories are only compared by hashes that are
    /// already known, as in the reference.
    pub(crate) fn is_same(&self, other: &Node) -> bool {
        match (self, other) {
            (Node::Leaf(a), Node::Leaf(b)) => match (a.loaded(), b.loaded()) {
                (Some(a), Some(b)) => a == b,
                _ => a.hash() == b.hash(),
            },
            (a, b) if a.kind() != b.kind() => false,
            (Node::Dirty(a), Node::Dirty(b)) if Arc::ptr_eq(a, b) => true,
            (Node::Leaf(_), _) | (_, Node::Leaf(_)) => self.known_hash() == other.known_hash(),
            (a, b) => a.cached_hash().is_some() && a.cached_hash() == b.cached_hash(),
        }
    }

    /// Continues from the folded form of a directory, once there is one. Not within a proof: there, the changes replayed for
    /// the final hash are those since the beginning, and so are their loads.
    fn settle(&mut self) {
        if let Node::Dirty(dirty) = self
            && !dirty.base().is_partial()
            && let Some(folded) = dirty.folded()
        {
            *self = Node::Dir(folded.clone());
        }
    }

    /// This directory, ours to change.
    fn dirty(&mut self) -> &mut Dirty {
        let base = match self {
            Node::Dirty(dirty) => return Arc::make_mut(dirty),
            Node::Dir(inode) => Base::Inode(inode.clone()),
            Node::Shown(shown) if shown.kind() == Kind::Directory => Base::Shown(shown.clone()),
            Node::Leaf(_) | Node::Shown(_) => Base::Inode(Inode::empty()),
        };
        *self = Node::Dirty(Arc::new(Dirty::new(base)));
        self.dirty()
    }
}

/// Iterator over the leaves of a tree; see [`Tree::leaves`].
pub struct Leaves {
    path: Vec<Step>,
    /// Nodes to visit: the step to each, and the length of the path to its directory.
    stack: Vec<(usize, Option<Step>, Node)>,
}

impl Iterator for Leaves {
    type Item = Result<(Vec<Step>, Bytes), TreeError>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((above, step, node)) = self.stack.pop() {
            self.path.truncate(above);
            self.path.extend(step);
            match self.enter(&node) {
                Ok(None) => {}
                Ok(Some(leaf)) => return Some(Ok((self.path.clone(), leaf))),
                Err(error) => {
                    self.stack.clear();
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

impl Leaves {
    fn enter(&mut self, node: &Node) -> Result<Option<Bytes>, TreeError> {
        let node = node.clone().unfolded();
        let inode = match &node {
            Node::Leaf(leaf) => return Ok(Some(leaf.bytes()?.clone())),
            Node::Dir(inode) => inode,
            Node::Dirty(dirty) => dirty.fold()?,
            Node::Shown(shown) => return shown.bytes().map(Some),
        };
        let start = self.stack.len();
        let above = self.path.len();
        inode.visit(0, u64::MAX, &mut |entry| {
            self.stack.push((above, Some(entry.step.clone()), entry.node.clone()));
            true
        })?;
        self.stack[start..].sort_by(|a, b| b.1.cmp(&a.1));
        Ok(None)
    }
}
