//! Rebuilding what the bytes of a proof show, with all hashes (`spec/pvm.md` §2.5).

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::decode::{Build, Reader, Reason};
use super::shown::{Content, Place, Role, Row, Shown, ShownEntry, ShownNode};
use crate::digest::{Digester, Noted};
use crate::error::TreeError;
use crate::hash::NodeHash;
use crate::inode::{self, Trie};
use crate::node::Leaf;

/// Why what is shown belongs to no tree.
pub(super) enum Wrong {
    Bytes(Reason),
    Shape(&'static str),
    Tree(TreeError),
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

/// The root of what the proof in `bytes` shows, and the digester that hashed it; or what is wrong, and up to which byte it was
/// read.
pub(super) fn rebuild(bytes: &Bytes) -> Result<(ShownNode, Digester), (Wrong, usize)> {
    if bytes.len() > Shown::MAX_SIZE {
        return Err((Wrong::Shape("a proof of more than 256 MB"), Shown::MAX_SIZE));
    }
    let mut rebuilder = Rebuilder {
        bytes,
        shown: Shown::new(bytes),
        digester: Digester::default(),
        blinded: Blinded::default(),
        is_ambiguous: false,
    };
    let root = Reader::tree_of(bytes, &mut rebuilder)?;
    let Rebuilder { mut shown, digester, blinded, is_ambiguous, .. } = rebuilder;
    if is_ambiguous || blinded.may_hold_any(&shown) {
        shown.index();
    }
    Ok((ShownNode::new(Arc::new(shown), root), digester))
}

struct Rebuilder<'a> {
    bytes: &'a [u8],
    shown: Shown,
    digester: Digester,
    /// The leaves and directories of which nothing is shown.
    blinded: Blinded,
    /// Whether a directory is shown twice, and not the same of it; or perhaps so.
    is_ambiguous: bool,
}

/// An inode, with the number of entries below as far as it is shown.
struct Part<I> {
    inode: I,
    entries: u64,
    /// Whether all below is shown.
    complete: bool,
}

/// An inode below others.
type Inner = Part<Place>;

/// Deepest inode (§1.4).
const MAX_DEPTH: usize = 50;

/// The entries of a directory or bucket: at most two in byte order, or any.
#[derive(Default)]
struct Entries {
    first: Option<ShownEntry>,
    second: Option<ShownEntry>,
    /// All of them, unless there are at most two in byte order.
    any: Vec<ShownEntry>,
}

impl Build for Rebuilder<'_> {
    type Tree = Place;
    type Inode = Inner;
    type Entries = Entries;
    type Error = Wrong;

    fn value(&mut self, bytes: Range<usize>) -> Place {
        let hash = Leaf::hash_of(self.bytes.get(bytes.clone()).unwrap_or_default());
        self.shown.push(hash, Role::Leaf, Content::bytes(bytes))
    }

    fn blinded_value(&mut self, hash: NodeHash) -> Place {
        self.blinded.push(hash);
        self.shown.push(hash, Role::Leaf, Content::Blinded)
    }

    fn blinded_node(&mut self, hash: NodeHash) -> Place {
        self.blinded.push(hash);
        self.shown.push(hash, Role::Directory, Content::Blinded)
    }

    fn entry(&mut self, entries: &mut Entries, step: Range<usize>, node: Place) {
        let entry = ShownEntry::new(step, node);
        match (&entries.first, &entries.second) {
            (None, _) if entries.any.is_empty() => entries.first = Some(entry),
            (Some(first), None) if self.shown.step(first) < self.shown.step(&entry) => entries.second = Some(entry),
            _ => {
                entries.any.extend(entries.first.take());
                entries.any.extend(entries.second.take());
                entries.any.push(entry);
            }
        }
    }

    fn node(&mut self, entries: Entries) -> Result<Place, Wrong> {
        let content = match entries {
            Entries { first: Some(first), second: Some(second), .. } => self.shown.push_entries(&[first, second]),
            Entries { first: Some(only), .. } => self.shown.push_entries(&[only]),
            Entries { any, .. } => self.added(&any)?,
        };
        Ok(self.directory(content))
    }

    fn root_fork(&mut self, length: u64, children: [Option<Inner>; 2]) -> Result<Place, Wrong> {
        let part = join(length, children, 0)?;
        self.root(part, None)
    }

    fn root_extender(&mut self, length: u64, segment: Vec<bool>, inner: Inner) -> Result<Place, Wrong> {
        let Part { inode, entries, complete } = self.extender(0, length, segment, inner)?;
        let Row { hash, content, .. } = *self.shown.row(inode);
        match content {
            Content::Blinded => Err(Wrong::Shape("a directory without root inode")),
            content => self.root(Part { inode: content, entries, complete }, Some(hash)),
        }
    }

    fn blinded_inode(&mut self, hash: NodeHash) -> Inner {
        Part { inode: self.shown.push(hash, Role::Inner, Content::Blinded), entries: 0, complete: false }
    }

    fn bucket(&mut self, entries: Entries) -> Result<Inner, Wrong> {
        let entries: &[ShownEntry] = match &entries {
            Entries { first: Some(first), second: Some(second), .. } => &[*first, *second],
            Entries { first: Some(only), .. } => &[*only],
            _ => return Err(Wrong::Shape("a bucket must have one or two different entries, in byte order")),
        };
        let content = self.shown.push_entries(entries);
        Ok(self.below(Part { inode: content, entries: entries.len() as u64, complete: true }))
    }

    fn fork(&mut self, depth: usize, length: u64, children: [Option<Inner>; 2]) -> Result<Inner, Wrong> {
        let part = join(length, children, depth)?;
        Ok(self.below(part))
    }

    fn extender(&mut self, depth: usize, length: u64, segment: Vec<bool>, inner: Inner) -> Result<Inner, Wrong> {
        if depth + segment.len() > MAX_DEPTH {
            return Err(Wrong::Shape("an inode deeper than 50"));
        }
        let mut part = inner;
        for (level, index) in segment.into_iter().enumerate().rev() {
            let parts = if index { [None, Some(part)] } else { [Some(part), None] };
            let joined = join(length, parts, depth + level)?;
            part = self.below(joined);
        }
        Ok(part)
    }
}

impl Rebuilder<'_> {
    /// A directory with this root inode.
    fn directory(&mut self, content: Content) -> Place {
        let (hash, noted) = self.digester.note(self.shown.next(), |out| self.shown.put(content, true, out));
        self.compare(noted, content);
        self.shown.push(hash, Role::Directory, content)
    }

    /// An inode below others.
    fn below(&mut self, Part { inode: content, entries, complete }: Part<Content>) -> Inner {
        let (hash, noted) = self.digester.note(self.shown.next(), |out| self.shown.put(content, false, out));
        if let Content::Fork { depth: 0, .. } = content {
            // the root inode of a directory
            self.compare(noted, content);
        }
        Part { inode: self.shown.push(hash, Role::Inner, content), entries, complete }
    }

    /// Whether the same is shown of a directory where it was hashed before.
    fn compare(&mut self, noted: Noted, content: Content) {
        let alike = match noted {
            Noted::New => true,
            Noted::At(place) => self.shown.is_shown_alike(place, content),
            Noted::Unsure => false,
        };
        self.is_ambiguous |= !alike;
    }

    /// The directory with this root inode, shown as an inode, and perhaps hashed as one.
    fn root(&mut self, part: Part<Content>, hashed: Option<NodeHash>) -> Result<Place, Wrong> {
        let Part { inode: content, entries, complete } = part;
        match content {
            Content::Fork { .. } if complete && entries <= 2 => {
                // such a directory hashes flat, whatever its trie looks like
                let mut entries = Vec::new();
                self.shown.entries_below(content, &mut entries);
                entries.sort_by(|a, b| self.shown.step(a).cmp(self.shown.step(b)));
                entries.dedup_by(|a, b| self.shown.step(a) == self.shown.step(b));
                let content = self.shown.push_entries(&entries);
                Ok(self.directory(content))
            }
            Content::Fork { count: 0..=2, .. } => {
                Err(Wrong::Shape("a fork over at most two entries, not all of them shown"))
            }
            Content::Fork { .. } if let Some(hash) = hashed => Ok(self.shown.push(hash, Role::Directory, content)),
            content => Ok(self.directory(content)),
        }
    }

    /// The root inode to which adding any entries one by one leads, as the reference does.
    fn added(&mut self, entries: &[ShownEntry]) -> Result<Content, Wrong> {
        let bytes = self.bytes;
        let last: BTreeMap<&[u8], ShownEntry> = entries.iter().map(|entry| (entry.step(bytes), *entry)).collect();
        if last.len() <= 2 {
            let entries: Vec<_> = last.into_values().collect();
            return Ok(self.shown.push_entries(&entries));
        }
        let root = inode::grow(self, last.into_iter().map(|(step, entry)| Named { step, entry }), 0)?;
        Ok(self.shown.row(root).content)
    }
}

/// Hashes of leaves and directories of which nothing is shown, by their first bytes.
#[derive(Default)]
struct Blinded {
    hashes: Vec<u64>,
    /// A bit for each last byte of these.
    filter: [u64; 4],
}

impl Blinded {
    fn key(NodeHash(hash): NodeHash) -> u64 {
        hash.first_chunk().copied().map_or(0, u64::from_be_bytes)
    }

    fn bit(key: u64) -> (usize, u64) {
        (key as usize >> 6 & 3, 1 << (key & 63))
    }

    fn push(&mut self, hash: NodeHash) {
        let key = Blinded::key(hash);
        let (word, bit) = Blinded::bit(key);
        self.filter[word] |= bit;
        self.hashes.push(key);
    }

    /// Whether one of these is shown elsewhere; or perhaps so.
    fn may_hold_any(mut self, shown: &Shown) -> bool {
        self.hashes.sort_unstable();
        shown.rows().iter().any(|row| {
            let key = Blinded::key(row.hash);
            let (word, bit) = Blinded::bit(key);
            self.filter[word] & bit != 0
                && row.role != Role::Inner
                && !matches!(row.content, Content::Blinded)
                && self.hashes.binary_search(&key).is_ok()
        })
    }
}

/// An entry and its step.
struct Named<'a> {
    step: &'a [u8],
    entry: ShownEntry,
}

impl AsRef<[u8]> for Named<'_> {
    fn as_ref(&self) -> &[u8] {
        self.step
    }
}

impl Trie<Named<'_>> for Rebuilder<'_> {
    type Inode = Place;

    fn bucket(&mut self, entries: [Option<Named<'_>>; 2]) -> Place {
        let entries: Vec<_> = entries.into_iter().flatten().map(|named| named.entry).collect();
        let content = self.shown.push_entries(&entries);
        self.below(Part { inode: content, entries: 0, complete: true }).inode
    }

    fn fork(&mut self, depth: u8, count: u64, children: [Option<Place>; 2]) -> Place {
        self.below(Part { inode: Content::Fork { depth, count, children }, entries: 0, complete: true }).inode
    }
}

/// The fork over these children.
fn join(length: u64, parts: [Option<Inner>; 2], depth: usize) -> Result<Part<Content>, Wrong> {
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
            let fork = Content::Fork { depth: depth as u8, count: length, children };
            Ok(Part { inode: fork, entries, complete })
        }
        _ => Err(Wrong::Shape("a fork whose length does not fit its entries")),
    }
}
