//! Reading the binary encoding of proofs (`spec/pvm.md` §2.4), into whatever is to be made of it: a tree to look at, or (in
//! [`super::verify`]) the nodes to run a computation on.

use std::ops::Range;

use bytes::Bytes;

use super::encode::tag::*;
use super::{Children, Head, InodeProof, MAX_NESTING, Proof, ProofTree};
use crate::hash::{Kind, NodeHash};
use crate::step::Step;

/// Why bytes are not the encoding of a proof, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a proof: {reason}, at byte {offset}")]
pub struct DecodeError {
    /// Offset of the first byte that does not fit.
    pub offset: usize,
    /// What does not fit.
    pub reason: &'static str,
}

impl Proof {
    /// Reads the binary encoding. What is accepted is bounded by the size of `bytes`, in depth and in allocation; values stay
    /// slices of `bytes`.
    pub fn decode(bytes: impl Into<Bytes>) -> Result<Proof, DecodeError> {
        let bytes = bytes.into();
        let mut reader = Reader::new(&bytes);
        reader.proof().and_then(|proof| reader.finish().map(|()| proof)).map_err(|reason| reader.error(reason))
    }

    /// Reads a proof that other bytes may follow, as in an output proof; gives them too.
    pub fn decode_prefix(bytes: impl Into<Bytes>) -> Result<(Proof, Bytes), DecodeError> {
        let bytes = bytes.into();
        let mut reader = Reader::new(&bytes);
        match reader.proof() {
            Ok(proof) => Ok((proof, bytes.slice_ref(reader.rest))),
            Err(reason) => Err(reader.error(reason)),
        }
    }
}

/// What is made of the tree of a proof, node by node in the order of its bytes, each after those below it.
pub(super) trait Build {
    /// What is made of a leaf or a directory.
    type Tree;
    /// What is made of an inode below others.
    type Inode;
    /// The entries of a directory or bucket, as they come.
    type Entries: Default;
    /// Why nothing can be made.
    type Error: From<Reason>;

    /// A leaf whose bytes stand here in the proof.
    fn value(&mut self, bytes: Range<usize>) -> Self::Tree;
    /// A leaf of which only the hash is shown.
    fn blinded_value(&mut self, hash: NodeHash) -> Self::Tree;
    /// A directory of which only the hash is shown.
    fn blinded_node(&mut self, hash: NodeHash) -> Self::Tree;
    /// Notes one entry, whose step stands here in the proof.
    fn entry(&mut self, entries: &mut Self::Entries, step: Range<usize>, tree: Self::Tree);
    /// A directory shown as its entries.
    fn node(&mut self, entries: Self::Entries) -> Result<Self::Tree, Self::Error>;
    /// A directory shown as its root inode, a fork.
    fn root_fork(&mut self, length: u64, children: [Option<Self::Inode>; 2]) -> Result<Self::Tree, Self::Error>;
    /// A directory shown as the inode that these indices lead to.
    fn root_extender(&mut self, length: u64, segment: Vec<bool>, inner: Self::Inode)
    -> Result<Self::Tree, Self::Error>;
    /// An inode of which only the hash is shown.
    fn blinded_inode(&mut self, hash: NodeHash) -> Self::Inode;
    /// A bucket.
    fn bucket(&mut self, entries: Self::Entries) -> Result<Self::Inode, Self::Error>;
    /// A fork, `depth` indices below the root inode.
    fn fork(
        &mut self,
        depth: usize,
        length: u64,
        children: [Option<Self::Inode>; 2],
    ) -> Result<Self::Inode, Self::Error>;
    /// Forks of one child each, the topmost `depth` indices below the root inode.
    fn extender(
        &mut self,
        depth: usize,
        length: u64,
        segment: Vec<bool>,
        inner: Self::Inode,
    ) -> Result<Self::Inode, Self::Error>;
}

/// Makes the tree of the proof in these bytes that can be looked at.
struct ToShow<'a>(&'a Bytes);

impl Build for ToShow<'_> {
    type Tree = ProofTree;
    type Inode = Box<InodeProof>;
    type Entries = Vec<(Step, ProofTree)>;
    type Error = Reason;

    fn value(&mut self, bytes: Range<usize>) -> ProofTree {
        ProofTree::Value(self.0.slice(bytes))
    }

    fn blinded_value(&mut self, hash: NodeHash) -> ProofTree {
        ProofTree::BlindedValue(hash)
    }

    fn blinded_node(&mut self, hash: NodeHash) -> ProofTree {
        ProofTree::BlindedNode(hash)
    }

    fn entry(&mut self, entries: &mut Self::Entries, step: Range<usize>, tree: ProofTree) {
        entries.push((Step::from(&self.0[step]), tree));
    }

    fn node(&mut self, entries: Self::Entries) -> Result<ProofTree, Reason> {
        Ok(ProofTree::Node(entries))
    }

    fn root_fork(&mut self, length: u64, children: Children) -> Result<ProofTree, Reason> {
        Ok(ProofTree::Inode { length, children })
    }

    fn root_extender(&mut self, length: u64, segment: Vec<bool>, inner: Box<InodeProof>) -> Result<ProofTree, Reason> {
        Ok(ProofTree::Extender { length, segment, inner })
    }

    fn blinded_inode(&mut self, hash: NodeHash) -> Box<InodeProof> {
        Box::new(InodeProof::Blinded(hash))
    }

    fn bucket(&mut self, entries: Self::Entries) -> Result<Box<InodeProof>, Reason> {
        Ok(Box::new(InodeProof::Values(entries)))
    }

    fn fork(&mut self, _: usize, length: u64, children: Children) -> Result<Box<InodeProof>, Reason> {
        Ok(Box::new(InodeProof::Tree { length, children }))
    }

    fn extender(
        &mut self,
        _: usize,
        length: u64,
        segment: Vec<bool>,
        inner: Box<InodeProof>,
    ) -> Result<Box<InodeProof>, Reason> {
        Ok(Box::new(InodeProof::Extender { length, segment, inner }))
    }
}

/// Reads a proof.
pub(super) struct Reader<'a> {
    whole: &'a Bytes,
    rest: &'a [u8],
    depth: usize,
}

/// Why bytes are not the encoding of a proof.
pub(super) type Reason = &'static str;

/// The children of a fork.
type Pair<T> = [Option<T>; 2];

const CUT: Reason = "the bytes end early";

impl<'a> Reader<'a> {
    fn new(whole: &'a Bytes) -> Self {
        Reader { whole, rest: whole, depth: 0 }
    }

    /// What stands in front of the proof in `whole`.
    pub(super) fn head_of(whole: &'a Bytes) -> Result<Head, DecodeError> {
        let mut reader = Reader::new(whole);
        reader.head().map_err(|reason| reader.error(reason))
    }

    /// What `to` makes of the tree of the proof in `whole`, which must be all that stands behind the head; or why it makes
    /// nothing, and the offset it got to.
    pub(super) fn tree_of<B: Build>(whole: &'a Bytes, to: &mut B) -> Result<B::Tree, (B::Error, usize)> {
        let mut reader = Reader::new(whole);
        let mut read = || {
            reader.head()?;
            let tree = reader.tree(to)?;
            reader.finish()?;
            Ok(tree)
        };
        read().map_err(|error| (error, reader.offset()))
    }

    fn offset(&self) -> usize {
        self.whole.len() - self.rest.len()
    }

    fn error(&self, reason: Reason) -> DecodeError {
        DecodeError { offset: self.offset(), reason }
    }

    fn finish(&self) -> Result<(), Reason> {
        if self.rest.is_empty() { Ok(()) } else { Err("bytes after the end of the proof") }
    }

    fn proof(&mut self) -> Result<Proof, Reason> {
        let Head { version, before_kind, before, after_kind, after } = self.head()?;
        Ok(Proof { version, before_kind, before, after_kind, after, state: self.tree(&mut ToShow(self.whole))? })
    }

    fn head(&mut self) -> Result<Head, Reason> {
        let tag = self.u8()?;
        if tag > 3 {
            return Err("unknown tag of a proof");
        }
        let kind = |bit: u8| if tag & bit == 0 { Kind::Leaf } else { Kind::Directory };
        let version = self.u16()? as i16;
        let (before, after) = (self.hash()?, self.hash()?);
        Ok(Head { version, before_kind: kind(1), before, after_kind: kind(2), after })
    }

    fn enter<T, E: From<Reason>>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        if self.depth == MAX_NESTING {
            return Err("nodes nest too deep".into());
        }
        self.depth += 1;
        let result = f(self)?;
        self.depth -= 1;
        Ok(result)
    }

    fn tree<B: Build>(&mut self, to: &mut B) -> Result<B::Tree, B::Error> {
        match self.u8()? {
            tag @ 0x00..=0x03 => {
                let (length, children) = self.fork(to, tag, 0)?;
                to.root_fork(length, children)
            }
            tag @ NODE..=NODE_LONG => {
                let entries = self.entries(to, tag)?;
                to.node(entries)
            }
            tag @ (VALUE_SHORT | VALUE_MEDIUM | VALUE_LONG) => Ok(to.value(self.value(tag)?)),
            BLINDED_VALUE => Ok(to.blinded_value(self.hash()?)),
            BLINDED_NODE => Ok(to.blinded_node(self.hash()?)),
            tag @ 0xd8..=0xdb => {
                let (length, segment, inner) = self.extender(to, tag, 0)?;
                to.root_extender(length, segment, inner)
            }
            ABSENT => Err("an absent node where there must be one".into()),
            _ => Err("unknown tag of a node".into()),
        }
    }

    /// An inode, or none if it is absent.
    fn inode<B: Build>(&mut self, to: &mut B, depth: usize) -> Result<Option<B::Inode>, B::Error> {
        Ok(Some(match self.u8()? {
            tag @ 0x00..=0x03 => {
                let (length, children) = self.fork(to, tag, depth)?;
                to.fork(depth, length, children)?
            }
            tag @ NODE..=NODE_LONG => {
                let entries = self.entries(to, tag)?;
                to.bucket(entries)?
            }
            BLINDED_INODE => to.blinded_inode(self.hash()?),
            tag @ 0xd0..=0xd3 => {
                let (length, segment, inner) = self.extender(to, tag, depth)?;
                to.extender(depth, length, segment, inner)?
            }
            ABSENT => return Ok(None),
            _ => return Err("unknown tag of an inode".into()),
        }))
    }

    fn value(&mut self, tag: u8) -> Result<Range<usize>, Reason> {
        let (length, least) = match tag {
            VALUE_SHORT => (usize::from(self.u8()?), 0),
            VALUE_MEDIUM => (usize::from(self.u16()?), 0x100),
            _ => (self.u32()? as usize, 0x1_0000),
        };
        if length < least {
            return Err("the length of a value is not in its shortest form");
        }
        self.range(length)
    }

    fn entries<B: Build>(&mut self, to: &mut B, tag: u8) -> Result<B::Entries, B::Error> {
        let mut entries = B::Entries::default();
        if tag != NODE_LONG {
            for _ in NODE..tag {
                self.enter(|reader| reader.entry(to, &mut entries))?;
            }
            return Ok(entries);
        }
        let size = self.u32()? as usize;
        let end = self.rest.len().checked_sub(size).ok_or(CUT)?;
        while self.rest.len() > end {
            self.enter(|reader| reader.entry(to, &mut entries))?;
        }
        if self.rest.len() < end {
            return Err("the last entry is longer than the list".into());
        }
        Ok(entries)
    }

    fn entry<B: Build>(&mut self, to: &mut B, entries: &mut B::Entries) -> Result<(), B::Error> {
        let length = usize::from(self.u8()?);
        let step = self.range(length)?;
        let tree = self.tree(to)?;
        to.entry(entries, step, tree);
        Ok(())
    }

    fn fork<B: Build>(&mut self, to: &mut B, tag: u8, depth: usize) -> Result<(u64, Pair<B::Inode>), B::Error> {
        let length = self.length(tag)?;
        let mut child = || self.enter(|reader| reader.inode(to, depth + 1));
        let children = [child()?, child()?];
        if children.iter().all(Option::is_none) {
            return Err("a fork without children".into());
        }
        Ok((length, children))
    }

    fn extender<B: Build>(
        &mut self,
        to: &mut B,
        tag: u8,
        depth: usize,
    ) -> Result<(u64, Vec<bool>, B::Inode), B::Error> {
        let length = self.length(tag)?;
        let size = usize::from(self.u8()?);
        let bytes = self.chunk(size)?;
        let bits = match bytes.last() {
            None | Some(0) => return Err("a segment without its end mark".into()),
            Some(last) => bytes.len() * 8 - 1 - last.trailing_zeros() as usize,
        };
        let segment: Vec<bool> = (0..bits).map(|i| bytes[i / 8] >> (7 - i % 8) & 1 == 1).collect();
        let inner = self.enter(|reader| reader.inode(to, depth + bits))?;
        Ok((length, segment, inner.ok_or("an extender that leads nowhere")?))
    }

    /// A length, in the width that the low bits of its node's tag tell. As the reference, this takes wider forms than needed.
    fn length(&mut self, tag: u8) -> Result<u64, Reason> {
        let length = match tag & 3 {
            0 => u64::from(self.u8()?),
            1 => u64::from(self.u16()?),
            2 => i64::from(self.u32()? as i32) as u64,
            _ => u64::from_be_bytes(self.array()?),
        };
        // lengths are OCaml integers
        if length < 1 << 62 { Ok(length) } else { Err("a length out of range") }
    }

    fn range(&mut self, length: usize) -> Result<Range<usize>, Reason> {
        let start = self.offset();
        self.chunk(length).map(|_| start..start + length)
    }

    fn chunk(&mut self, length: usize) -> Result<&'a [u8], Reason> {
        let (chunk, rest) = self.rest.split_at_checked(length).ok_or(CUT)?;
        self.rest = rest;
        Ok(chunk)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Reason> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(CUT)?;
        self.rest = rest;
        Ok(*array)
    }

    fn u8(&mut self) -> Result<u8, Reason> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16, Reason> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Reason> {
        self.array().map(u32::from_be_bytes)
    }

    fn hash(&mut self) -> Result<NodeHash, Reason> {
        self.array().map(NodeHash)
    }
}
