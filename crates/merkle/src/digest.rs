//! The hash of a tree that nobody looks into any more, as at the end of a proof: directories made from nothing are hashed
//! without being made, and what was hashed before (most of a state is the same before and after a step) is found again.

use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use crate::dirty::{Base, Dirty};
use crate::error::TreeError;
use crate::hash::{self, FirstBytes, Kind, NodeHash};
use crate::inode::{self, Trie};
use crate::node::{Body, Inode, Node};
use crate::proof::Recorder;
use crate::step::Step;
use crate::tree::Tree;

/// Deepest nesting of changed directories that is hashed by recursion.
const DEEPEST: usize = 128;

/// Hashes the nodes of one proof.
#[derive(Default)]
pub struct Digester {
    known: Known,
    /// What was loaded for the proof that is being produced, until its hashes are known.
    recorder: Option<Arc<Recorder>>,
}

impl Digester {
    /// Hashes for a proof that is being produced from what `recorder` notes.
    pub(crate) fn recording(recorder: Arc<Recorder>) -> Digester {
        Digester { known: Known::default(), recorder: Some(recorder) }
    }

    /// Notes the hashes of what was loaded so far; the first time only.
    pub(crate) fn prepare(&mut self) {
        if let Some(recorder) = self.recorder.take() {
            recorder.for_each_directory(|hash, body| self.known.learn(body, true, hash));
        }
    }

    /// The hash of what `put` writes, and what else is known of it. Notes that it is hashed at `place`.
    pub(crate) fn note(&mut self, place: u32, put: impl FnOnce(&mut Vec<u8>)) -> (NodeHash, Noted) {
        self.known.note(place, put, hash::blake2b)
    }

    fn inode(&mut self, inode: &Inode) -> NodeHash {
        inode.hash_by(&mut |bytes| self.known.digest(|out| out.extend_from_slice(bytes), hash::blake2b))
    }

    /// The hash of a tree, which must not be used afterwards.
    pub(crate) fn tree(&mut self, tree: &Tree) -> Result<NodeHash, TreeError> {
        self.prepare();
        self.node(&tree.node, 0)
    }

    fn node(&mut self, node: &Node, depth: usize) -> Result<NodeHash, TreeError> {
        match node {
            Node::Leaf(leaf) => Ok(leaf.hash()),
            Node::Dir(inode) => Ok(self.inode(inode)),
            Node::Dirty(dirty) => self.dirty(dirty, depth),
            Node::Shown(shown) => Ok(shown.hash()),
        }
    }

    fn dirty(&mut self, dirty: &Arc<Dirty>, depth: usize) -> Result<NodeHash, TreeError> {
        if dirty.folded().is_some() || depth == DEEPEST {
            return Ok(dirty.fold()?.hash());
        }
        let mut changes = Vec::with_capacity(dirty.changes());
        dirty.for_each(|step, change| {
            let hashed = match change {
                Some(node) => Some((node.kind(), self.node(node, depth + 1)?)),
                None => None,
            };
            changes.push((step, hashed));
            Ok(())
        })?;
        let before = match dirty.base() {
            base if base.is_known_empty() => Some(Vec::new()),
            Base::Shown(shown) => shown.small(),
            Base::Inode(_) => None,
        };
        if let Some(entries) = before {
            return self.directory(&mut with_changes(entries, &changes));
        }
        let mut root = dirty.base().inode();
        for (step, change) in changes {
            match change {
                Some((kind, hash)) => inode::add(&mut root, step, Node::unread(kind, hash))?,
                None => inode::remove(&mut root, step)?,
            }
        }
        Ok(self.inode(&root))
    }

    /// The hash of a directory with these entries, in any order.
    pub(crate) fn directory<S: AsRef<[u8]>>(&mut self, entries: &mut [Hashed<S>]) -> Result<NodeHash, TreeError> {
        if let [a, b] = entries
            && b.as_ref() < a.as_ref()
        {
            std::mem::swap(a, b);
        }
        match entries {
            [] | [_] | [_, _] => {
                let put = |out: &mut Vec<u8>| hash::put_flat(out, entries.len(), entries.iter().map(Hashed::parts));
                Ok(self.known.digest(put, hash::blake2b))
            }
            entries => inode::grow(&mut self.known, entries.iter(), 0),
        }
    }
}

/// The entries of a directory after these changes, which are in byte order of their steps: new nodes, or none.
fn with_changes<'a>(
    mut entries: Vec<Hashed<&'a [u8]>>,
    changes: &[(&'a Step, Option<(Kind, NodeHash)>)],
) -> Vec<Hashed<&'a [u8]>> {
    entries.retain(|entry| changes.binary_search_by(|(step, _)| step.as_bytes().cmp(entry.step)).is_err());
    entries.extend(changes.iter().filter_map(|(step, change)| {
        let (kind, hash) = (*change)?;
        Some(Hashed { step: step.as_bytes(), kind, hash })
    }));
    entries
}

/// An entry of a directory that is hashed without being made.
pub struct Hashed<S> {
    pub(crate) step: S,
    pub(crate) kind: Kind,
    pub(crate) hash: NodeHash,
}

impl<S: AsRef<[u8]>> Hashed<S> {
    fn parts(&self) -> (&[u8], Kind, NodeHash) {
        (self.step.as_ref(), self.kind, self.hash)
    }
}

impl<S: AsRef<[u8]>> AsRef<[u8]> for Hashed<S> {
    fn as_ref(&self) -> &[u8] {
        self.step.as_ref()
    }
}

/// A quick hash of what is hashed of an inode: of its length, of the end of its last hash, of the middle, which is that of its
/// first where there are two, and of its first step in a directory.
fn quick(bytes: &[u8]) -> u64 {
    let word = |end: usize| match bytes.get(..end).and_then(|bytes| bytes.last_chunk()) {
        Some(word) => u64::from_le_bytes(*word),
        None => 0,
    };
    hash::mixed([bytes.len() as u64, word(bytes.len()), word(bytes.len() / 2), word(24)])
}

/// Whether something was hashed before.
#[derive(Clone, Copy)]
pub(crate) enum Noted {
    /// It was not.
    New,
    /// It was, first at this place.
    At(u32),
    /// Perhaps.
    Unsure,
}

/// Where something that was hashed begins and ends, and the place that was noted with it.
#[derive(Clone, Copy)]
struct Found {
    from: u32,
    to: u32,
    place: u32,
}

type Places = HashMap<u64, Found, BuildHasherDefault<FirstBytes>>;

/// What was hashed before, with its hash.
struct Known {
    /// By a quick hash: where the hashed bytes begin and end in `bytes`.
    places: Places,
    /// What was hashed, each with its hash behind.
    bytes: Vec<u8>,
}

thread_local! {
    /// The room of the last proof, for the next.
    static SPARE: Cell<Option<(Places, Vec<u8>)>> = const { Cell::new(None) };
}

/// Most bytes that are kept for the next proof.
const SPARE_BYTES: usize = 1 << 16;

impl Default for Known {
    fn default() -> Self {
        let (places, bytes) = SPARE.take().unwrap_or_default();
        Known { places, bytes }
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        let (mut places, mut bytes) = (std::mem::take(&mut self.places), std::mem::take(&mut self.bytes));
        if bytes.capacity() <= SPARE_BYTES {
            places.clear();
            bytes.clear();
            SPARE.set(Some((places, bytes)));
        }
    }
}

impl Known {
    /// The hash of what `put` writes, where `make` gives it unless it is known.
    fn digest(&mut self, put: impl FnOnce(&mut Vec<u8>), make: impl FnOnce(&[u8]) -> NodeHash) -> NodeHash {
        self.note(0, put, make).0
    }

    /// [`Known::digest`], with what is noted of it: `place` if nothing is yet.
    fn note(
        &mut self,
        place: u32,
        put: impl FnOnce(&mut Vec<u8>),
        make: impl FnOnce(&[u8]) -> NodeHash,
    ) -> (NodeHash, Noted) {
        let start = self.bytes.len();
        put(&mut self.bytes);
        let (before, bytes) = self.bytes.split_at(start);
        match self.places.entry(quick(bytes)) {
            Entry::Occupied(known) => {
                let Found { from, to, place } = *known.get();
                let known = before.get(from as usize..to as usize);
                let result = match (known, before.get(to as usize..).and_then(|behind| behind.first_chunk())) {
                    (Some(known), Some(hash)) if known == bytes => (NodeHash(*hash), Noted::At(place)),
                    _ => (make(bytes), Noted::Unsure),
                };
                self.bytes.truncate(start);
                result
            }
            Entry::Vacant(free) => {
                let hash = make(bytes);
                // what stands beyond 4 GB is not found again
                match (u32::try_from(start), u32::try_from(start + bytes.len())) {
                    (Ok(from), Ok(to)) => {
                        free.insert(Found { from, to, place });
                        self.bytes.extend_from_slice(&hash.0);
                        (hash, Noted::New)
                    }
                    _ => {
                        self.bytes.truncate(start);
                        (hash, Noted::Unsure)
                    }
                }
            }
        }
    }

    fn learn(&mut self, body: &Body, root: bool, hash: NodeHash) {
        if let Body::Fork { children, .. } = body {
            for child in children.iter().flatten() {
                if let Some(body) = child.loaded() {
                    self.learn(body, false, child.hash());
                }
            }
        }
        self.digest(|out| body.put(root, out), |_| hash);
    }
}

impl<S: AsRef<[u8]>> Trie<&Hashed<S>> for Known {
    type Inode = NodeHash;

    fn bucket(&mut self, entries: [Option<&Hashed<S>>; 2]) -> NodeHash {
        let count = entries.iter().flatten().count();
        let put = |out: &mut Vec<u8>| hash::put_bucket(out, count, entries.iter().flatten().map(|entry| entry.parts()));
        self.digest(put, hash::blake2b)
    }

    fn fork(&mut self, depth: u8, count: u64, children: [Option<NodeHash>; 2]) -> NodeHash {
        self.digest(|out| hash::put_fork(out, depth, count, children), hash::blake2b)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Directories of all sizes up to 40 made from nothing, and changes to them, in directories of directories.
    #[test]
    fn digests_are_the_hashes() {
        let mut digester = Digester::default();
        let mut all = Tree::empty();
        for size in 0..40u32 {
            let mut tree = Tree::empty();
            for entry in 0..size {
                let (outer, inner) = ((entry % 7).to_string(), entry.to_string());
                tree.add(&["flat", inner.as_str()], vec![entry as u8; entry as usize]).unwrap();
                tree.add(&["nested", outer.as_str(), inner.as_str()], vec![entry as u8]).unwrap();
            }
            let name = size.to_string();
            all.add_tree(&[name.as_str()], tree.clone()).unwrap();
            for tree in [&tree, &all] {
                assert_eq!(digester.tree(tree).unwrap(), tree.clone().hash().unwrap(), "{size} entries");
            }
            // on top of what is hashed by now
            for entry in (0..size).step_by(3) {
                tree.remove(&["flat", entry.to_string().as_str()]).unwrap();
                tree.add(&["nested", "3", entry.to_string().as_str()], vec![1, 2]).unwrap();
            }
            assert_eq!(digester.tree(&tree).unwrap(), tree.hash().unwrap(), "{size} entries, changed");
        }
    }
}
