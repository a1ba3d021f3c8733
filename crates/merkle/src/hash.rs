//! Hashes of leaves, flat directories, buckets and forks (`spec/pvm.md` §1.2–§1.4).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

use blake2b_simd::Params;
use blake2b_simd::many::{HashManyJob, hash_many};

/// The hash of a leaf or a directory: BLAKE2b-256 of the preimages of `spec/pvm.md` §1.2–§1.4.
///
/// The hash of a state's root is both its context hash (`Co…`) and its state hash (`srs1…`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeHash(pub [u8; 32]);

impl NodeHash {
    /// The hash of the empty directory.
    pub const EMPTY: NodeHash = NodeHash([
        0x81, 0xe4, 0x7a, 0x19, 0xe6, 0xb2, 0x9b, 0x0a, 0x65, 0xb9, 0x59, 0x17, 0x62, 0xce, 0x51, 0x43, 0xed, 0x30,
        0xd0, 0x26, 0x1e, 0x5d, 0x24, 0xa3, 0x20, 0x17, 0x52, 0x50, 0x6b, 0x20, 0xf1, 0x5c,
    ]);

    /// The 32 raw bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for NodeHash {
    fn from(bytes: [u8; 32]) -> Self {
        NodeHash(bytes)
    }
}

impl AsRef<[u8]> for NodeHash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for NodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for NodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeHash({self})")
    }
}

/// What a node is; part of the hash of the directory that holds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A byte string.
    Leaf,
    /// A directory.
    Directory,
}

/// Hashes node hashes for tables of nodes: they are evenly distributed already.
#[derive(Default)]
pub(crate) struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    // the length of the array
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A table of nodes.
pub(crate) type NodeTable<V> = HashMap<NodeHash, V, BuildHasherDefault<FirstBytes>>;

fn params() -> Params {
    let mut params = Params::new();
    params.hash_length(32);
    params
}

fn finish(hash: blake2b_simd::Hash) -> NodeHash {
    // of the length asked for in the parameters
    NodeHash(hash.as_bytes().first_chunk().copied().unwrap_or_default())
}

/// BLAKE2b-256 of `bytes`.
pub(crate) fn blake2b(bytes: &[u8]) -> NodeHash {
    finish(params().hash(bytes))
}

thread_local! {
    static WRITTEN: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What `with` makes of what `put` writes.
pub(crate) fn written<T>(put: impl FnOnce(&mut Vec<u8>), with: impl FnOnce(&[u8]) -> T) -> T {
    let mut bytes = WRITTEN.take();
    bytes.clear();
    put(&mut bytes);
    let result = with(&bytes);
    WRITTEN.set(bytes);
    result
}

/// Position of a step in the trie of its directory: BLAKE2b-256 of the step, read from the most significant bit, as far as
/// tries may be deep.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct TrieKey(u64);

/// How many values a [`Memory`] holds.
const REMEMBERED: usize = 1024;

/// Short bytes with zeros behind and their length at the end.
type Short = [u64; 4];

/// `bytes` as a key of a [`Memory`], if they are short enough.
pub(crate) fn short(bytes: &[u8]) -> Option<Short> {
    let mut short = [0; 32];
    short[..31].get_mut(..bytes.len())?.copy_from_slice(bytes);
    short[31] = bytes.len() as u8;
    let (words, _) = short.as_chunks::<8>();
    Some(std::array::from_fn(|i| words.get(i).copied().map_or(0, u64::from_le_bytes)))
}

/// The last values of a kind that were made from short bytes.
pub(crate) struct Memory<V>(Vec<Option<(Short, V)>>);

impl<V: Clone> Memory<V> {
    pub(crate) const fn new() -> Self {
        Memory(Vec::new())
    }

    /// The value that `make` gives for the bytes of `key`.
    pub(crate) fn recall(&mut self, key: Short, make: impl FnOnce() -> V) -> &V {
        if self.0.is_empty() {
            self.0.resize(REMEMBERED, None);
        }
        let slot = &mut self.0[mixed(key) as usize % REMEMBERED];
        if slot.as_ref().is_some_and(|(known, _)| *known != key) {
            *slot = None;
        }
        &slot.get_or_insert_with(|| (key, make())).1
    }
}

/// Mixes numbers to one, for finding equal things quickly.
pub(crate) fn mixed<const N: usize>(numbers: [u64; N]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = numbers.iter().fold(0u64, |mixed, number| (mixed.rotate_left(29) ^ number).wrapping_mul(ODD));
    mixed ^ mixed >> 32
}

thread_local! {
    /// Most steps are names of fields and small numbers, looked up over and over.
    static KEYS: RefCell<Memory<TrieKey>> = const { RefCell::new(Memory::new()) };
}

impl TrieKey {
    pub(crate) fn of(step: &[u8]) -> TrieKey {
        let make = || TrieKey(blake2b(step).0.first_chunk().copied().map_or(0, u64::from_be_bytes));
        match short(step) {
            Some(short) => KEYS.with_borrow_mut(|keys| *keys.recall(short, make)),
            None => make(),
        }
    }

    /// Index (0 or 1) of the child to follow at `depth`, which is below 50.
    pub(crate) fn index(&self, depth: u8) -> usize {
        usize::from(self.0.checked_shl(depth.into()).unwrap_or(0) >> 63 == 1)
    }

    /// This key, all zeros from `depth` on, with this index there.
    pub(crate) fn with(self, depth: u8, index: usize) -> TrieKey {
        TrieKey(self.0 | (index as u64).checked_shl(63 - u32::from(depth)).unwrap_or(0))
    }

    /// Whether the first `depth` indices are those of `other`.
    pub(crate) fn agrees(self, other: TrieKey, depth: u8) -> bool {
        (self.0 ^ other.0).leading_zeros() >= depth.into()
    }
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// §1.2: what is hashed of a leaf.
pub(crate) fn put_leaf(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// The hash of a leaf.
pub(crate) fn leaf(bytes: &[u8]) -> NodeHash {
    finish(params().to_state().update(&(bytes.len() as u64).to_be_bytes()).update(bytes).finalize())
}

/// §1.3: what is hashed of a directory with at most two entries, given in byte order of their steps.
pub(crate) fn put_flat<'a>(out: &mut Vec<u8>, count: usize, entries: impl Iterator<Item = (&'a [u8], Kind, NodeHash)>) {
    out.extend_from_slice(&(count as u64).to_be_bytes());
    for (step, kind, hash) in entries {
        out.push(match kind {
            Kind::Leaf => 0xff,
            Kind::Directory => 0,
        });
        out.extend_from_slice(&[0; 7]);
        put_varint(out, step.len() as u64);
        out.extend_from_slice(step);
        out.extend_from_slice(&32u64.to_be_bytes());
        out.extend_from_slice(&hash.0);
    }
}

/// §1.4: what is hashed of a bucket below depth 0, its entries given in byte order of their steps.
pub(crate) fn put_bucket<'a>(
    out: &mut Vec<u8>,
    count: usize,
    entries: impl Iterator<Item = (&'a [u8], Kind, NodeHash)>,
) {
    out.push(0);
    put_varint(out, count as u64);
    for (step, kind, hash) in entries {
        put_varint(out, step.len() as u64);
        out.extend_from_slice(step);
        out.push(match kind {
            Kind::Leaf => 1,
            Kind::Directory => 0,
        });
        out.extend_from_slice(&hash.0);
    }
}

/// §1.4: what is hashed of a tree inode (a fork).
pub(crate) fn put_fork(out: &mut Vec<u8>, depth: u8, count: u64, children: [Option<NodeHash>; 2]) {
    out.push(1);
    put_varint(out, u64::from(depth));
    put_varint(out, count);
    put_varint(out, children.iter().flatten().count() as u64);
    for (index, child) in children.iter().enumerate() {
        if let Some(hash) = child {
            out.push(index as u8);
            out.extend_from_slice(&hash.0);
        }
    }
}

/// Hashes many nodes at once: `put` writes what is hashed of each, `set` takes the hash. Several are computed side by side in
/// one vector register.
pub(crate) fn many<T>(nodes: &[T], put: impl Fn(&T, &mut Vec<u8>), set: impl Fn(&T, NodeHash)) {
    if let [node] = nodes {
        return set(node, written(|out| put(node, out), blake2b));
    }
    let params = params();
    let mut bytes = Vec::new();
    let mut ends = Vec::new();
    for nodes in nodes.chunks(64) {
        bytes.clear();
        ends.clear();
        for node in nodes {
            put(node, &mut bytes);
            ends.push(bytes.len());
        }
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let mut jobs: Vec<_> =
            starts.zip(&ends).map(|(start, end)| HashManyJob::new(&params, &bytes[start..*end])).collect();
        hash_many(&mut jobs);
        for (node, job) in nodes.iter().zip(&jobs) {
            set(node, finish(job.to_hash()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_directory_has_the_recorded_hash() {
        let mut out = Vec::new();
        put_flat(&mut out, 0, [].into_iter());
        assert_eq!(blake2b(&out), NodeHash::EMPTY);
    }

    #[test]
    fn one_by_one_and_many_at_once_are_the_same() {
        let leaves: Vec<Vec<u8>> = (0..200usize).map(|n| vec![n as u8; n * n % 700]).collect();
        let leaves: Vec<&[u8]> = leaves.iter().map(Vec::as_slice).collect();
        let hashes = RefCell::new(Vec::new());
        many(&leaves, |leaf, out| put_leaf(out, leaf), |_, hash| hashes.borrow_mut().push(hash));
        assert_eq!(hashes.into_inner(), leaves.iter().map(|bytes| leaf(bytes)).collect::<Vec<_>>());
    }
}
