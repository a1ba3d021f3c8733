//! Where values are written: to a tree, or, where nobody will look into it, to its hash alone.

use bytes::Bytes;

use super::value::{ContainerError, TreeValue};
use crate::digest::{Digester, Hashed};
use crate::error::TreeError;
use crate::hash::{self, Kind, NodeHash};
use crate::node::{Inode, Leaf, Node, Source};
use crate::{Step, Tree};

/// Takes the parts of a value, each at its path.
pub trait Writer: Sized {
    /// Puts the leaf with the bytes that `put` appends to an empty vector at `path`.
    fn leaf(&mut self, path: &[&str], put: impl FnOnce(&mut Vec<u8>)) -> Result<(), TreeError>;

    /// Puts the leaf with these bytes at `path`.
    fn bytes(&mut self, path: &[&str], bytes: &Bytes) -> Result<(), TreeError>;

    /// Puts a tree that is there already at `path`; nothing if it is empty.
    fn tree(&mut self, path: &[&str], tree: Tree) -> Result<(), TreeError>;

    /// Puts the directory of what `fill` writes at `path`, which is not empty and where nothing stands; nothing if that is empty.
    fn subdirectory(
        &mut self,
        path: &[&str],
        fill: impl FnOnce(&mut Self) -> Result<(), ContainerError>,
    ) -> Result<(), ContainerError>;

    /// [`Writer::subdirectory`], or, without a path, the present directory.
    fn directory(
        &mut self,
        path: &[&str],
        fill: impl FnOnce(&mut Self) -> Result<(), ContainerError>,
    ) -> Result<(), ContainerError> {
        if path.is_empty() { fill(self) } else { self.subdirectory(path, fill) }
    }

    /// Puts `value` under `step` into the directory `to`, where it has no entry.
    fn bind(&mut self, to: &mut Tree, step: &str, value: &impl TreeValue) -> Result<(), ContainerError>;
}

impl Writer for Tree {
    fn leaf(&mut self, path: &[&str], put: impl FnOnce(&mut Vec<u8>)) -> Result<(), TreeError> {
        self.write(path, put)
    }

    fn bytes(&mut self, path: &[&str], bytes: &Bytes) -> Result<(), TreeError> {
        self.add(path, bytes.clone())
    }

    fn tree(&mut self, path: &[&str], tree: Tree) -> Result<(), TreeError> {
        self.add_tree(path, tree)
    }

    fn subdirectory(
        &mut self,
        path: &[&str],
        fill: impl FnOnce(&mut Self) -> Result<(), ContainerError>,
    ) -> Result<(), ContainerError> {
        let mut directory = Tree::empty();
        fill(&mut directory)?;
        Ok(self.add_tree(path, directory)?)
    }

    fn bind(&mut self, to: &mut Tree, step: &str, value: &impl TreeValue) -> Result<(), ContainerError> {
        value.write(to, &[step])
    }
}

/// Hashes what is written, without making it.
pub struct HashWriter<'a> {
    digester: &'a mut Digester,
    /// The entries of the directories that are being written, the innermost last.
    entries: Vec<Written>,
}

/// An entry of a directory being written, some directories below it.
struct Written {
    hashed: Hashed<Step>,
    /// The steps of `path` behind the first, the last one first.
    below: Vec<Step>,
}

impl<'a> HashWriter<'a> {
    /// Writes the hash of what comes.
    pub fn new(digester: &'a mut Digester) -> HashWriter<'a> {
        digester.prepare();
        HashWriter { digester, entries: Vec::with_capacity(32) }
    }

    /// The tree of what was written: only its hash is known, it cannot be read.
    pub fn finish(mut self) -> Result<Tree, TreeError> {
        Ok(match self.close(0)? {
            None => Tree::empty(),
            Some(hash) => unread(Kind::Directory, hash),
        })
    }

    fn put(&mut self, path: &[&str], kind: Kind, hash: NodeHash) {
        if let Some((step, below)) = path.split_first() {
            let below = below.iter().rev().map(|step| Step::from(*step)).collect();
            self.entries.push(Written { hashed: Hashed { step: Step::from(*step), kind, hash }, below });
        }
    }

    /// The hash of the directory whose entries are those from `start` on.
    fn close(&mut self, start: usize) -> Result<Option<NodeHash>, TreeError> {
        if self.entries.len() == start {
            return Ok(None);
        }
        self.entries[start..].sort_by(|a, b| a.hashed.step.cmp(&b.hashed.step));
        let deep = self.entries[start..].iter().any(|entry| !entry.below.is_empty());
        if deep {
            self.gather(start)?;
        }
        let entries = self.entries.drain(start..).map(|entry| entry.hashed);
        self.digester.directory(entries).map(Some)
    }

    /// Hashes the directories that hold entries below those from `start` on, which are in order.
    fn gather(&mut self, start: usize) -> Result<(), TreeError> {
        let mut entries = self.entries.split_off(start).into_iter().peekable();
        while let Some(mut entry) = entries.next() {
            let Some(next) = entry.below.pop() else {
                self.entries.push(entry);
                continue;
            };
            let step = std::mem::replace(&mut entry.hashed.step, next);
            let inside = self.entries.len();
            self.entries.push(entry);
            while let Some(mut entry) = entries.next_if(|entry| entry.hashed.step == step) {
                if let Some(next) = entry.below.pop() {
                    entry.hashed.step = next;
                    self.entries.push(entry);
                }
            }
            if let Some(hash) = self.close(inside)? {
                let hashed = Hashed { step, kind: Kind::Directory, hash };
                self.entries.push(Written { hashed, below: Vec::new() });
            }
        }
        Ok(())
    }
}

/// A tree of which nothing is known but its hash.
fn unread(kind: Kind, hash: NodeHash) -> Tree {
    let node = match kind {
        Kind::Leaf => Node::Leaf(Leaf::lazy(hash, Source::Memory)),
        Kind::Directory => Node::Dir(Inode::lazy(hash, true, Source::Memory)),
    };
    Tree { node }
}

impl Writer for HashWriter<'_> {
    fn leaf(&mut self, path: &[&str], put: impl FnOnce(&mut Vec<u8>)) -> Result<(), TreeError> {
        let hash = hash::written(put, Leaf::hash_of);
        self.put(path, Kind::Leaf, hash);
        Ok(())
    }

    fn bytes(&mut self, path: &[&str], bytes: &Bytes) -> Result<(), TreeError> {
        self.put(path, Kind::Leaf, Leaf::hash_of(bytes));
        Ok(())
    }

    fn tree(&mut self, path: &[&str], tree: Tree) -> Result<(), TreeError> {
        if !tree.is_empty()? {
            let hash = self.digester.tree(&tree)?;
            self.put(path, tree.node.kind(), hash);
        }
        Ok(())
    }

    fn subdirectory(
        &mut self,
        path: &[&str],
        fill: impl FnOnce(&mut Self) -> Result<(), ContainerError>,
    ) -> Result<(), ContainerError> {
        let start = self.entries.len();
        fill(self)?;
        if let Some(hash) = self.close(start)? {
            self.put(path, Kind::Directory, hash);
        }
        Ok(())
    }

    fn bind(&mut self, to: &mut Tree, step: &str, value: &impl TreeValue) -> Result<(), ContainerError> {
        let start = self.entries.len();
        value.write(self, &[step])?;
        self.gather(start)?;
        for Written { hashed, .. } in self.entries.drain(start..) {
            to.add_tree(&[&hashed.step], unread(hashed.kind, hashed.hash))?;
        }
        Ok(())
    }
}
