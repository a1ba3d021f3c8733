//! What a proof shows, as it was read: all nodes in one table, which trees refer to by their places.

use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::digest::Hashed;
use crate::error::TreeError;
use crate::hash::{self, Kind, NodeHash, NodeTable, TrieKey};
use crate::node::{Body, Entry, Inode, Leaf, Node, Source};
use crate::step::Step;

/// What a proof shows.
pub(crate) struct Shown {
    /// The proof.
    bytes: Bytes,
    /// Nodes, each behind those below it.
    rows: Vec<Row>,
    /// Entries of buckets and small directories, those of each together.
    entries: Vec<ShownEntry>,
    /// Where nodes are found by their hashes. Without it each holds what is shown in its place, which comes to the same as
    /// long as the same is shown of a node wherever it occurs, as in every proof made by a recording.
    by_hash: Option<ByHash>,
}

/// A node of which something is shown in one place can be read wherever it occurs.
#[derive(Default)]
struct ByHash {
    directories: NodeTable<Place>,
    leaves: NodeTable<Place>,
}

/// Place of a node in the table, plus one.
#[derive(Clone, Copy)]
pub(crate) struct Place(NonZeroU32);

/// What is known of a node.
#[derive(Clone, Copy)]
pub(super) struct Row {
    pub(super) hash: NodeHash,
    pub(super) role: Role,
    pub(super) content: Content,
}

/// What a node is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Leaf,
    /// The root inode of a directory.
    Directory,
    /// An inode below others.
    Inner,
}

/// What is shown of a node.
#[derive(Clone, Copy)]
pub(super) enum Content {
    /// Nothing.
    Blinded,
    /// Where the bytes of a leaf stand in the proof.
    Bytes(Span),
    /// A directory or inode with at most two entries: where these stand in the table of entries.
    Bucket(Span),
    /// An inode with more entries.
    Fork { depth: u8, count: u64, children: [Option<Place>; 2] },
}

/// A part of the proof, or of a table.
#[derive(Clone, Copy)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

/// An entry of a directory.
#[derive(Clone, Copy)]
pub(super) struct ShownEntry {
    step: Span,
    node: Place,
}

impl Place {
    fn nth(index: usize) -> Place {
        Place(NonZeroU32::MIN.saturating_add(index as u32))
    }

    fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl Span {
    /// `range`, which lies in a proof or table of [`Shown`].
    fn new(range: Range<usize>) -> Span {
        Span { start: range.start as u32, end: range.end as u32 }
    }

    fn of<T>(self, all: &[T]) -> &[T] {
        all.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    fn len(self) -> u32 {
        self.end - self.start
    }
}

impl Content {
    pub(super) fn bytes(range: Range<usize>) -> Content {
        Content::Bytes(Span::new(range))
    }

    /// The number of entries, where it is known.
    fn count(self) -> Option<u64> {
        match self {
            Content::Bucket(entries) => Some(entries.len().into()),
            Content::Fork { count, .. } => Some(count),
            Content::Blinded | Content::Bytes(_) => None,
        }
    }
}

impl ShownEntry {
    pub(super) fn new(step: Range<usize>, node: Place) -> ShownEntry {
        ShownEntry { step: Span::new(step), node }
    }

    /// The step, in the bytes of the proof.
    pub(super) fn step(self, proof: &[u8]) -> &[u8] {
        self.step.of(proof)
    }
}

impl Shown {
    /// Largest proof that is read, in bytes: numbers of nodes (at most eight for each byte, in extenders) fit 32 bits.
    pub(super) const MAX_SIZE: usize = 1 << 28;

    /// The empty table of what the proof in `bytes` shows, which are at most [`Shown::MAX_SIZE`].
    pub(super) fn new(bytes: &Bytes) -> Shown {
        // room for as much as the proof of a step commonly shows
        let (rows, entries) = (bytes.len() / 12, bytes.len() / 16);
        Shown {
            bytes: bytes.clone(),
            rows: Vec::with_capacity(rows),
            entries: Vec::with_capacity(entries),
            by_hash: None,
        }
    }

    pub(super) fn push(&mut self, hash: NodeHash, role: Role, content: Content) -> Place {
        let place = Place::nth(self.rows.len());
        self.rows.push(Row { hash, role, content });
        place
    }

    /// The number of the next node.
    pub(super) fn next(&self) -> u32 {
        self.rows.len() as u32
    }

    /// Notes the entries of a bucket.
    pub(super) fn push_entries(&mut self, entries: &[ShownEntry]) -> Content {
        let start = self.entries.len();
        self.entries.extend_from_slice(entries);
        Content::Bucket(Span::new(start..self.entries.len()))
    }

    pub(super) fn row(&self, at: Place) -> &Row {
        &self.rows[at.index()]
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(super) fn step(&self, entry: &ShownEntry) -> &[u8] {
        entry.step(&self.bytes)
    }

    /// Writes what is hashed of a node with this content.
    pub(super) fn put(&self, content: Content, root: bool, out: &mut Vec<u8>) {
        match content {
            Content::Bucket(span) => {
                let entries = span.of(&self.entries).iter().map(|entry| {
                    let node = self.row(entry.node);
                    (self.step(entry), node.role.kind(), node.hash)
                });
                let count = entries.len();
                if root { hash::put_flat(out, count, entries) } else { hash::put_bucket(out, count, entries) }
            }
            Content::Fork { depth, count, children } => {
                hash::put_fork(out, depth, count, children.map(|child| child.map(|child| self.row(child).hash)))
            }
            Content::Blinded | Content::Bytes(_) => {}
        }
    }

    /// The entries below an inode that is shown with all inodes below it.
    pub(super) fn entries_below(&self, content: Content, entries: &mut Vec<ShownEntry>) {
        match content {
            Content::Bucket(span) => entries.extend_from_slice(span.of(&self.entries)),
            Content::Fork { children, .. } => {
                children.into_iter().flatten().for_each(|child| self.entries_below(self.row(child).content, entries))
            }
            Content::Blinded | Content::Bytes(_) => {}
        }
    }

    /// Whether of the directory with this root inode the same is shown as of the one, with the same hash, that is node number
    /// `before`, supposing it is of the directories in them.
    pub(super) fn is_shown_alike(&self, before: u32, now: Content) -> bool {
        self.rows.get(before as usize).is_some_and(|before| self.are_alike(before.content, now))
    }

    fn are_alike(&self, a: Content, b: Content) -> bool {
        let is_shown = |place: Place| !matches!(self.row(place).content, Content::Blinded);
        match (a, b) {
            (Content::Bucket(a), Content::Bucket(b)) => {
                let shown_directory =
                    |entry: &ShownEntry| self.row(entry.node).role == Role::Directory && is_shown(entry.node);
                let (a, b) = (a.of(&self.entries), b.of(&self.entries));
                a.iter().map(shown_directory).eq(b.iter().map(shown_directory))
            }
            (Content::Fork { children: a, .. }, Content::Fork { children: b, .. }) => {
                a.into_iter().zip(b).all(|pair| match pair {
                    (Some(a), Some(b)) => match (is_shown(a), is_shown(b)) {
                        (true, true) => self.are_alike(self.row(a).content, self.row(b).content),
                        (a, b) => a == b,
                    },
                    (a, b) => a.is_none() && b.is_none(),
                })
            }
            _ => false,
        }
    }

    /// Finds nodes by their hashes from now on. Where the same directory is shown twice, the reference believes the last.
    pub(super) fn index(&mut self) {
        let mut by_hash = ByHash::default();
        for (index, row) in self.rows.iter().enumerate() {
            let place = Place::nth(index);
            match (row.role, row.content) {
                (_, Content::Blinded) | (Role::Inner, _) => {}
                (Role::Leaf, _) => _ = by_hash.leaves.insert(row.hash, place),
                (Role::Directory, _) => _ = by_hash.directories.insert(row.hash, place),
            }
        }
        self.by_hash = Some(by_hash);
    }

    /// What is shown of a node that stands in the tree at `at`.
    fn seen(&self, at: Place) -> &Row {
        let row = self.row(at);
        match &self.by_hash {
            None => row,
            Some(by_hash) => {
                let place = match row.role {
                    Role::Leaf => by_hash.leaves.get(&row.hash),
                    Role::Directory => by_hash.directories.get(&row.hash),
                    Role::Inner => None,
                };
                place.map_or(row, |place| self.row(*place))
            }
        }
    }

    /// The node under `step` in a directory; none in a leaf.
    fn child(&self, directory: Place, step: &[u8]) -> Result<Option<Place>, TreeError> {
        let mut row = self.seen(directory);
        let mut key = None;
        loop {
            match row.content {
                Content::Bytes(_) => return Ok(None),
                Content::Blinded if row.role == Role::Leaf => return Ok(None),
                Content::Blinded => return Err(TreeError::Blinded(row.hash)),
                Content::Bucket(span) => {
                    let mut entries = span.of(&self.entries).iter();
                    return Ok(entries.find(|entry| self.step(entry) == step).map(|entry| entry.node));
                }
                Content::Fork { depth, children, .. } => {
                    let key = key.get_or_insert_with(|| TrieKey::of(step));
                    match children[key.index(depth)] {
                        Some(child) => row = self.row(child),
                        None => return Ok(None),
                    }
                }
            }
        }
    }

    fn at<S: AsRef<[u8]>>(&self, mut node: Place, path: &[S]) -> Result<Option<Place>, TreeError> {
        for step in path {
            match self.child(node, step.as_ref())? {
                Some(child) => node = child,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }
}

impl Role {
    fn kind(self) -> Kind {
        match self {
            Role::Leaf => Kind::Leaf,
            Role::Directory | Role::Inner => Kind::Directory,
        }
    }
}

/// A node as a proof shows it.
#[derive(Clone)]
pub(crate) struct ShownNode {
    shown: Arc<Shown>,
    place: Place,
}

impl ShownNode {
    pub(super) fn new(shown: Arc<Shown>, place: Place) -> ShownNode {
        ShownNode { shown, place }
    }

    fn beside(&self, place: Place) -> ShownNode {
        ShownNode { shown: self.shown.clone(), place }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.shown.row(self.place).role.kind()
    }

    pub(crate) fn hash(&self) -> NodeHash {
        self.shown.row(self.place).hash
    }

    /// The leaf or directory at `path` below a leaf or directory.
    pub(crate) fn at<S: AsRef<[u8]>>(&self, path: &[S]) -> Result<Option<ShownNode>, TreeError> {
        Ok(self.shown.at(self.place, path)?.map(|place| self.beside(place)))
    }

    /// What `read` makes of the bytes of the leaf at `path`; none where there is nothing or a directory.
    pub(crate) fn read<S: AsRef<[u8]>, T>(
        &self,
        path: &[S],
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, TreeError> {
        match self.shown.at(self.place, path)? {
            Some(place) if self.shown.row(place).role == Role::Leaf => {
                self.shown.leaf(place).map(|leaf| Some(read(leaf)))
            }
            _ => Ok(None),
        }
    }

    /// The bytes of a leaf.
    pub(crate) fn bytes(&self) -> Result<Bytes, TreeError> {
        Ok(self.shown.bytes.slice_ref(self.shown.leaf(self.place)?))
    }

    /// The number of entries of a directory.
    pub(crate) fn count(&self) -> Result<u64, TreeError> {
        let row = self.shown.seen(self.place);
        row.content.count().ok_or(TreeError::Blinded(row.hash))
    }

    /// All entries of a small directory if all of them are shown, in the trie that they would come to one by one.
    pub(crate) fn small(&self) -> Option<Vec<Hashed<&[u8]>>> {
        let row = self.shown.seen(self.place);
        let count = row.content.count().filter(|count| *count <= SMALL)?;
        let mut entries = Vec::with_capacity(count as usize + 2);
        self.shown.collect(row.content, TrieKey::default(), 0, &mut entries).then_some(entries)
    }

    /// The content of a directory or inode.
    pub(crate) fn body(&self) -> Result<Body, TreeError> {
        let row = self.shown.seen(self.place);
        match row.content {
            Content::Bucket(span) => {
                let entry = |entry: &ShownEntry| {
                    let step = Step::from(self.shown.step(entry));
                    Entry { step, node: Node::Shown(self.beside(entry.node)) }
                };
                Ok(Body::Bucket(span.of(&self.shown.entries).iter().map(entry).collect()))
            }
            Content::Fork { depth, count, children } => {
                let inner = |place| self.beside(place).inode_below(false);
                Ok(Body::Fork { depth, count, children: children.map(|child| child.map(inner)) })
            }
            Content::Blinded | Content::Bytes(_) => Err(TreeError::Blinded(row.hash)),
        }
    }

    /// The node as one that can be changed.
    pub(crate) fn unfolded(&self) -> Node {
        match self.kind() {
            Kind::Leaf => Node::Leaf(Leaf::lazy(self.hash(), Source::Proof(self.clone()))),
            Kind::Directory => Node::Dir(self.inode()),
        }
    }

    /// The root inode of a directory, as one that can be changed.
    pub(crate) fn inode(&self) -> Arc<Inode> {
        self.clone().inode_below(true)
    }

    fn inode_below(self, root: bool) -> Arc<Inode> {
        Inode::lazy(self.hash(), root, Source::Proof(self))
    }
}

/// Entries of directories that are taken all together to be changed.
const SMALL: u64 = 32;

impl Shown {
    /// Adds the entries below an inode that the first `depth` indices of `path` lead to; false if not all of them are shown,
    /// or one is not where it belongs.
    fn collect<'a>(&'a self, content: Content, path: TrieKey, depth: u8, entries: &mut Vec<Hashed<&'a [u8]>>) -> bool {
        match content {
            Content::Blinded | Content::Bytes(_) => false,
            Content::Bucket(span) => span.of(&self.entries).iter().all(|entry| {
                let (step, node) = (self.step(entry), self.row(entry.node));
                entries.push(Hashed { step, kind: node.role.kind(), hash: node.hash });
                depth == 0 || TrieKey::of(step).agrees(path, depth)
            }),
            Content::Fork { depth: at, count, children } => {
                at == depth
                    && count > 2
                    && children.into_iter().enumerate().all(|(index, child)| match child {
                        None => true,
                        Some(child) => {
                            self.collect(self.row(child).content, path.with(depth, index), depth + 1, entries)
                        }
                    })
            }
        }
    }

    fn leaf(&self, place: Place) -> Result<&[u8], TreeError> {
        let row = self.seen(place);
        match row.content {
            Content::Bytes(span) => Ok(span.of(&self.bytes)),
            _ => Err(TreeError::Blinded(row.hash)),
        }
    }
}
