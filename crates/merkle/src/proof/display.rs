//! A proof for people to read: one line per node, indented by its place in the tree.

use std::fmt::{self, Display, Formatter};

use super::{Children, InodeProof, Proof, ProofTree};
use crate::step::Step;

impl Display for Proof {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "before {}", self.before)?;
        writeln!(f, "after  {}", self.after)?;
        write!(f, "/ ")?;
        tree(f, &self.state, 1)
    }
}

impl Display for ProofTree {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        tree(f, self, 0)
    }
}

fn tree(f: &mut Formatter<'_>, proof: &ProofTree, level: usize) -> fmt::Result {
    match proof {
        ProofTree::Value(bytes) if bytes.len() <= 64 => writeln!(f, "= {}", hex::encode(bytes)),
        ProofTree::Value(bytes) => writeln!(f, "= {}… ({} bytes)", hex::encode(&bytes[..32]), bytes.len()),
        ProofTree::BlindedValue(hash) => writeln!(f, "leaf {hash}"),
        ProofTree::BlindedNode(hash) => writeln!(f, "directory {hash}"),
        ProofTree::Node(list) => {
            writeln!(f, "({} entries)", list.len())?;
            entries(f, list, level)
        }
        ProofTree::Inode { length, children } => {
            writeln!(f, "({length} entries)")?;
            children_of(f, children, level, &mut String::new())
        }
        ProofTree::Extender { length, segment, inner } => {
            writeln!(f, "({length} entries)")?;
            inode(f, inner, level, &mut bits(segment))
        }
    }
}

/// Entries stand directly below their directory: the trie shows only in the positions of what is blinded.
fn inode(f: &mut Formatter<'_>, proof: &InodeProof, level: usize, at: &mut String) -> fmt::Result {
    match proof {
        InodeProof::Blinded(hash) => writeln!(f, "{:1$}[{at}] blinded {hash}", "", 2 * level),
        InodeProof::Values(list) => entries(f, list, level),
        InodeProof::Tree { children, .. } => children_of(f, children, level, at),
        InodeProof::Extender { segment, inner, .. } => {
            let length = at.len();
            at.push_str(&bits(segment));
            inode(f, inner, level, at)?;
            at.truncate(length);
            Ok(())
        }
    }
}

fn children_of(f: &mut Formatter<'_>, children: &Children, level: usize, at: &mut String) -> fmt::Result {
    for (index, child) in ['0', '1'].into_iter().zip(children) {
        if let Some(child) = child {
            at.push(index);
            inode(f, child, level, at)?;
            at.pop();
        }
    }
    Ok(())
}

fn entries(f: &mut Formatter<'_>, entries: &[(Step, ProofTree)], level: usize) -> fmt::Result {
    for (step, proof) in entries {
        write!(f, "{:1$}{step} ", "", 2 * level)?;
        tree(f, proof, level + 1)?;
    }
    Ok(())
}

fn bits(segment: &[bool]) -> String {
    segment.iter().map(|bit| if *bit { '1' } else { '0' }).collect()
}
