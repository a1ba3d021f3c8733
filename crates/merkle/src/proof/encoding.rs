//! The binary encoding of proofs used by the PVM, "V2, Tree2" (`spec/pvm.md` §2.4).

use bytes::Bytes;

use super::{Children, InodeProof, MAX_NESTING, Proof, ProofTree};
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

/// Why a proof cannot be encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The length of a step has one byte.
    #[error("a step of {0} bytes cannot be encoded in a proof, which takes 255 at most")]
    LongStep(usize),
    /// The length of a segment has one byte; the tries of real directories are at most 50 deep.
    #[error("a segment of {0} indices cannot be encoded in a proof, which takes 2039 at most")]
    LongSegment(usize),
    /// The length of a value is a signed 32-bit number of at most 30 bits.
    #[error("a value of {0} bytes cannot be encoded in a proof, which takes 1073741823 at most")]
    LongValue(usize),
}

const INODE: u8 = 0x00;
const NODE: u8 = 0x80;
const NODE_LONG: u8 = 0x83;
const VALUE_SHORT: u8 = 0xc0;
const VALUE_MEDIUM: u8 = 0xc1;
const VALUE_LONG: u8 = 0xc3;
const BLINDED_VALUE: u8 = 0xc8;
const BLINDED_NODE: u8 = 0xd0;
const EXTENDER: u8 = 0xd8;
const BLINDED_INODE: u8 = 0xc0;
const INODE_EXTENDER: u8 = 0xd0;
const ABSENT: u8 = 0xe0;

impl Proof {
    /// The binary encoding.
    ///
    /// # Errors
    /// When a shown step is longer than 255 bytes, above all.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::with_capacity(2048);
        let bit = |kind: Kind| u8::from(kind == Kind::Directory);
        out.push(bit(self.before_kind) | bit(self.after_kind) << 1);
        out.extend(self.version.to_be_bytes());
        out.extend(self.before.0);
        out.extend(self.after.0);
        put_tree(&mut out, &self.state)?;
        Ok(out)
    }

    /// Reads the binary encoding. What is accepted is bounded by the size of `bytes`, in depth and in allocation; values stay
    /// slices of `bytes`.
    pub fn decode(bytes: impl Into<Bytes>) -> Result<Proof, DecodeError> {
        let bytes = bytes.into();
        let total = bytes.len();
        let (proof, rest) = Proof::decode_prefix(bytes)?;
        if !rest.is_empty() {
            return Err(DecodeError { offset: total - rest.len(), reason: "bytes after the end of the proof" });
        }
        Ok(proof)
    }

    /// Reads a proof that other bytes may follow, as in an output proof; gives them too.
    pub fn decode_prefix(bytes: impl Into<Bytes>) -> Result<(Proof, Bytes), DecodeError> {
        let bytes = bytes.into();
        let mut reader = Reader { whole: &bytes, rest: &bytes, depth: 0 };
        match reader.proof() {
            Ok(proof) => Ok((proof, bytes.slice_ref(reader.rest))),
            Err(reason) => Err(DecodeError { offset: bytes.len() - reader.rest.len(), reason }),
        }
    }
}

fn put_tree(out: &mut Vec<u8>, tree: &ProofTree) -> Result<(), EncodeError> {
    match tree {
        ProofTree::Value(bytes) => {
            match bytes.len() {
                n @ 0..=0xff => out.extend([VALUE_SHORT, n as u8]),
                n @ 0x100..=0xffff => {
                    out.push(VALUE_MEDIUM);
                    out.extend((n as u16).to_be_bytes());
                }
                n @ 0x4000_0000.. => return Err(EncodeError::LongValue(n)),
                n => {
                    out.push(VALUE_LONG);
                    out.extend((n as u32).to_be_bytes());
                }
            }
            out.extend_from_slice(bytes);
        }
        ProofTree::BlindedValue(hash) => put_hash(out, BLINDED_VALUE, hash),
        ProofTree::BlindedNode(hash) => put_hash(out, BLINDED_NODE, hash),
        ProofTree::Node(entries) => put_entries(out, entries)?,
        ProofTree::Inode { length, children } => put_fork(out, *length, children)?,
        ProofTree::Extender { length, segment, inner } => put_extender(out, EXTENDER, *length, segment, inner)?,
    }
    Ok(())
}

fn put_inode(out: &mut Vec<u8>, inode: &InodeProof) -> Result<(), EncodeError> {
    match inode {
        InodeProof::Blinded(hash) => put_hash(out, BLINDED_INODE, hash),
        InodeProof::Values(entries) => put_entries(out, entries)?,
        InodeProof::Tree { length, children } => put_fork(out, *length, children)?,
        InodeProof::Extender { length, segment, inner } => {
            put_extender(out, INODE_EXTENDER, *length, segment, inner)?;
        }
    }
    Ok(())
}

fn put_hash(out: &mut Vec<u8>, tag: u8, hash: &NodeHash) {
    out.push(tag);
    out.extend(hash.0);
}

fn put_entries(out: &mut Vec<u8>, entries: &[(Step, ProofTree)]) -> Result<(), EncodeError> {
    let start = out.len() + 1;
    if entries.len() < 3 {
        out.push(NODE + entries.len() as u8);
    } else {
        out.extend([NODE_LONG, 0, 0, 0, 0]);
    }
    for (step, tree) in entries {
        let length = u8::try_from(step.len()).map_err(|_| EncodeError::LongStep(step.len()))?;
        out.push(length);
        out.extend_from_slice(step);
        put_tree(out, tree)?;
    }
    if entries.len() >= 3 {
        let size = (out.len() - start - 4) as u32;
        out[start..start + 4].copy_from_slice(&size.to_be_bytes());
    }
    Ok(())
}

fn put_fork(out: &mut Vec<u8>, length: u64, children: &Children) -> Result<(), EncodeError> {
    put_length(out, INODE, length);
    for child in children {
        match child {
            Some(child) => put_inode(out, child)?,
            None => out.push(ABSENT),
        }
    }
    Ok(())
}

fn put_extender(
    out: &mut Vec<u8>,
    tag: u8,
    length: u64,
    segment: &[bool],
    inner: &InodeProof,
) -> Result<(), EncodeError> {
    put_length(out, tag, length);
    let size = u8::try_from(segment.len() / 8 + 1).map_err(|_| EncodeError::LongSegment(segment.len()))?;
    out.push(size);
    let start = out.len();
    out.resize(start + usize::from(size), 0);
    for (i, bit) in segment.iter().chain([&true]).enumerate() {
        out[start + i / 8] |= u8::from(*bit) << (7 - i % 8);
    }
    put_inode(out, inner)
}

fn put_length(out: &mut Vec<u8>, tag: u8, length: u64) {
    match length {
        0..=0xff => out.extend([tag, length as u8]),
        0x100..=0xffff => {
            out.push(tag + 1);
            out.extend((length as u16).to_be_bytes());
        }
        0x1_0000..=0x7fff_ffff => {
            out.push(tag + 2);
            out.extend((length as u32).to_be_bytes());
        }
        _ => {
            out.push(tag + 3);
            out.extend(length.to_be_bytes());
        }
    }
}

struct Reader<'a> {
    whole: &'a Bytes,
    rest: &'a [u8],
    depth: usize,
}

type Reason = &'static str;
const CUT: Reason = "the bytes end early";

impl<'a> Reader<'a> {
    fn proof(&mut self) -> Result<Proof, Reason> {
        let tag = self.u8()?;
        if tag > 3 {
            return Err("unknown tag of a proof");
        }
        let kind = |bit: u8| if tag & bit == 0 { Kind::Leaf } else { Kind::Directory };
        let version = self.u16()? as i16;
        let (before, after) = (self.hash()?, self.hash()?);
        let state = self.tree()?;
        Ok(Proof { version, before_kind: kind(1), before, after_kind: kind(2), after, state })
    }

    fn enter<T>(&mut self, f: impl FnOnce(&mut Self) -> Result<T, Reason>) -> Result<T, Reason> {
        if self.depth == MAX_NESTING {
            return Err("nodes nest too deep");
        }
        self.depth += 1;
        let result = f(self)?;
        self.depth -= 1;
        Ok(result)
    }

    fn tree(&mut self) -> Result<ProofTree, Reason> {
        Ok(match self.u8()? {
            tag @ 0x00..=0x03 => {
                let (length, children) = self.fork(tag)?;
                ProofTree::Inode { length, children }
            }
            tag @ NODE..=NODE_LONG => ProofTree::Node(self.entries(tag)?),
            tag @ (VALUE_SHORT | VALUE_MEDIUM | VALUE_LONG) => ProofTree::Value(self.value(tag)?),
            BLINDED_VALUE => ProofTree::BlindedValue(self.hash()?),
            BLINDED_NODE => ProofTree::BlindedNode(self.hash()?),
            tag @ 0xd8..=0xdb => {
                let (length, segment, inner) = self.extender(tag)?;
                ProofTree::Extender { length, segment, inner }
            }
            ABSENT => return Err("an absent node where there must be one"),
            _ => return Err("unknown tag of a node"),
        })
    }

    /// An inode, or none if it is absent.
    fn inode(&mut self) -> Result<Option<Box<InodeProof>>, Reason> {
        Ok(Some(Box::new(match self.u8()? {
            tag @ 0x00..=0x03 => {
                let (length, children) = self.fork(tag)?;
                InodeProof::Tree { length, children }
            }
            tag @ NODE..=NODE_LONG => InodeProof::Values(self.entries(tag)?),
            BLINDED_INODE => InodeProof::Blinded(self.hash()?),
            tag @ 0xd0..=0xd3 => {
                let (length, segment, inner) = self.extender(tag)?;
                InodeProof::Extender { length, segment, inner }
            }
            ABSENT => return Ok(None),
            _ => return Err("unknown tag of an inode"),
        })))
    }

    fn value(&mut self, tag: u8) -> Result<Bytes, Reason> {
        let (length, least) = match tag {
            VALUE_SHORT => (usize::from(self.u8()?), 0),
            VALUE_MEDIUM => (usize::from(self.u16()?), 0x100),
            _ => (self.u32()? as usize, 0x1_0000),
        };
        if length < least {
            return Err("the length of a value is not in its shortest form");
        }
        // values stay slices of the proof
        self.chunk(length).map(|value| self.whole.slice_ref(value))
    }

    fn entries(&mut self, tag: u8) -> Result<Vec<(Step, ProofTree)>, Reason> {
        if tag != NODE_LONG {
            let mut entries = Vec::with_capacity(usize::from(tag - NODE));
            for _ in NODE..tag {
                entries.push(self.enter(Self::entry)?);
            }
            return Ok(entries);
        }
        let mut entries = Vec::new();
        let size = self.u32()? as usize;
        let end = self.rest.len().checked_sub(size).ok_or(CUT)?;
        while self.rest.len() > end {
            entries.push(self.enter(Self::entry)?);
        }
        if self.rest.len() < end {
            return Err("the last entry is longer than the list");
        }
        Ok(entries)
    }

    fn entry(&mut self) -> Result<(Step, ProofTree), Reason> {
        let length = usize::from(self.u8()?);
        let step = self.chunk(length)?;
        Ok((Step::from(step), self.tree()?))
    }

    fn fork(&mut self, tag: u8) -> Result<(u64, Children), Reason> {
        let length = self.length(tag)?;
        let children = [self.enter(Self::inode)?, self.enter(Self::inode)?];
        if children.iter().all(Option::is_none) {
            return Err("a fork without children");
        }
        Ok((length, children))
    }

    fn extender(&mut self, tag: u8) -> Result<(u64, Vec<bool>, Box<InodeProof>), Reason> {
        let length = self.length(tag)?;
        let size = usize::from(self.u8()?);
        let bytes = self.chunk(size)?;
        let bits = match bytes.last() {
            None | Some(0) => return Err("a segment without its end mark"),
            Some(last) => bytes.len() * 8 - 1 - last.trailing_zeros() as usize,
        };
        let segment = (0..bits).map(|i| bytes[i / 8] >> (7 - i % 8) & 1 == 1).collect();
        let inner = self.enter(Self::inode)?.ok_or("an extender that leads nowhere")?;
        Ok((length, segment, inner))
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
