//! Writing the binary encoding of proofs used by the PVM, "V2, Tree2" (`spec/pvm.md` §2.4).

use super::{Children, InodeProof, Proof, ProofTree};
use crate::hash::{Kind, NodeHash};
use crate::step::Step;

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

/// The tags of nodes. The low bits of those of forks, lists and extenders tell the width of their lengths.
pub(super) mod tag {
    pub(in crate::proof) const INODE: u8 = 0x00;
    pub(in crate::proof) const NODE: u8 = 0x80;
    pub(in crate::proof) const NODE_LONG: u8 = 0x83;
    pub(in crate::proof) const VALUE_SHORT: u8 = 0xc0;
    pub(in crate::proof) const VALUE_MEDIUM: u8 = 0xc1;
    pub(in crate::proof) const VALUE_LONG: u8 = 0xc3;
    pub(in crate::proof) const BLINDED_VALUE: u8 = 0xc8;
    pub(in crate::proof) const BLINDED_NODE: u8 = 0xd0;
    pub(in crate::proof) const EXTENDER: u8 = 0xd8;
    pub(in crate::proof) const BLINDED_INODE: u8 = 0xc0;
    pub(in crate::proof) const INODE_EXTENDER: u8 = 0xd0;
    pub(in crate::proof) const ABSENT: u8 = 0xe0;
}
use tag::*;

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
