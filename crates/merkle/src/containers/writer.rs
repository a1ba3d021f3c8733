//! Where values are written: to a tree, or, where nobody will look into it, to its hash alone.

use bytes::Bytes;

use super::value::{ContainerError, TreeValue};
use crate::digest::{Digester, Hashed};
use crate::error::TreeError;
use crate::hash::{self, Kind, NodeHash};
use crate::node::{Leaf, Node};
use crate::{Step, Tree};

/// Takes the parts of a value, each at its path.
pub trait Writer: Sized {
    /// A directory being changed.
    type Changing;

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

    /// Starts to change a directory.
    fn change(&self, directory: &Tree) -> Self::Changing;

    /// Removes the entry `step`.
    fn unbind(&self, directory: &mut Self::Changing, step: &str) -> Result<(), TreeError>;

    /// Puts `value` under `step`, where nothing stands.
    fn bind(
        &mut self,
        directory: &mut Self::Changing,
        step: &str,
        value: &impl TreeValue,
    ) -> Result<(), ContainerError>;

    /// Puts a changed directory at `path`; nothing if it is empty.
    fn changed(&mut self, path: &[&str], directory: Self::Changing) -> Result<(), TreeError>;
}

impl Writer for Tree {
    type Changing = Tree;

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

    fn change(&self, directory: &Tree) -> Tree {
        directory.clone()
    }

    fn unbind(&self, directory: &mut Tree, step: &str) -> Result<(), TreeError> {
        directory.remove(&[step])
    }

    fn bind(&mut self, directory: &mut Tree, step: &str, value: &impl TreeValue) -> Result<(), ContainerError> {
        value.write(directory, &[step])
    }

    fn changed(&mut self, path: &[&str], directory: Tree) -> Result<(), TreeError> {
        self.tree(path, directory)
    }
}

/// Hashes what is written, without making it.
pub struct HashWriter<'a> {
    digester: &'a mut Digester,
    /// The entries of the directories that are being written, the innermost last.
    entries: Vec<Hashed<Step>>,
    /// Likewise, entries that stand some directories below.
    deep: Vec<Deep>,
}

/// An entry some directories below one that is being written.
struct Deep {
    /// The steps to it, the last one first.
    steps: Vec<Step>,
    kind: Kind,
    hash: NodeHash,
}

/// Where the entries of a directory begin that is being written.
#[derive(Clone, Copy)]
struct Mark {
    entries: usize,
    deep: usize,
}

/// A directory being changed of which only the hash is asked.
pub enum ChangingHash {
    /// A small one: all of its entries.
    Small(Vec<Hashed<Step>>),
    /// One whose changes are worked into its trie.
    Tree(Tree),
}

impl<'a> HashWriter<'a> {
    /// Writes the hash of what comes.
    pub fn new(digester: &'a mut Digester) -> HashWriter<'a> {
        digester.prepare();
        HashWriter { digester, entries: Vec::with_capacity(32), deep: Vec::new() }
    }

    /// The tree of what was written: only its hash is known, it cannot be read.
    pub fn finish(mut self) -> Result<Tree, TreeError> {
        Ok(match self.close(Mark { entries: 0, deep: 0 })? {
            None => Tree::empty(),
            Some(hash) => unread(Kind::Directory, hash),
        })
    }

    fn mark(&self) -> Mark {
        Mark { entries: self.entries.len(), deep: self.deep.len() }
    }

    fn put(&mut self, path: &[&str], kind: Kind, hash: NodeHash) {
        match path {
            [] => {}
            [step] => self.entries.push(Hashed { step: Step::from(*step), kind, hash }),
            path => {
                let steps = path.iter().rev().map(|step| Step::from(*step)).collect();
                self.deep.push(Deep { steps, kind, hash });
            }
        }
    }

    /// The hash of the directory whose entries are those from `start` on.
    fn close(&mut self, start: Mark) -> Result<Option<NodeHash>, TreeError> {
        self.gather(start)?;
        if self.entries.len() == start.entries {
            return Ok(None);
        }
        let hash = self.digester.directory(&mut self.entries[start.entries..])?;
        self.entries.truncate(start.entries);
        Ok(Some(hash))
    }

    /// Hashes the directories that hold the deep entries from `start` on.
    fn gather(&mut self, start: Mark) -> Result<(), TreeError> {
        if self.deep.len() == start.deep {
            return Ok(());
        }
        let mut deep = self.deep.split_off(start.deep);
        deep.sort_by(|a, b| a.steps.last().cmp(&b.steps.last()));
        let mut deep = deep.into_iter().peekable();
        while let Some(mut entry) = deep.next() {
            let Some(step) = entry.steps.pop() else { continue };
            let inside = self.mark();
            self.put_below(entry);
            while let Some(mut entry) = deep.next_if(|entry| entry.steps.last() == Some(&step)) {
                entry.steps.pop();
                self.put_below(entry);
            }
            if let Some(hash) = self.close(inside)? {
                self.entries.push(Hashed { step, kind: Kind::Directory, hash });
            }
        }
        Ok(())
    }

    /// Puts an entry into the directory to which the step that was taken off leads.
    fn put_below(&mut self, mut entry: Deep) {
        if entry.steps.len() > 1 {
            self.deep.push(entry);
        } else if let Some(step) = entry.steps.pop() {
            self.entries.push(Hashed { step, kind: entry.kind, hash: entry.hash });
        }
    }
}

/// A tree of which nothing is known but its hash.
fn unread(kind: Kind, hash: NodeHash) -> Tree {
    Tree { node: Node::unread(kind, hash) }
}

impl Writer for HashWriter<'_> {
    type Changing = ChangingHash;

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
        let start = self.mark();
        fill(self)?;
        if let Some(hash) = self.close(start)? {
            self.put(path, Kind::Directory, hash);
        }
        Ok(())
    }

    fn change(&self, directory: &Tree) -> ChangingHash {
        match directory.node.small() {
            Some(entries) => ChangingHash::Small(entries),
            None => ChangingHash::Tree(directory.clone()),
        }
    }

    fn unbind(&self, directory: &mut ChangingHash, step: &str) -> Result<(), TreeError> {
        match directory {
            ChangingHash::Small(entries) => {
                entries.retain(|entry| entry.step.as_bytes() != step.as_bytes());
                Ok(())
            }
            ChangingHash::Tree(tree) => tree.remove(&[step]),
        }
    }

    fn bind(&mut self, directory: &mut ChangingHash, step: &str, value: &impl TreeValue) -> Result<(), ContainerError> {
        let start = self.mark();
        value.write(self, &[step])?;
        self.gather(start)?;
        for Hashed { step, kind, hash } in self.entries.drain(start.entries..) {
            match directory {
                ChangingHash::Small(entries) => entries.push(Hashed { step, kind, hash }),
                ChangingHash::Tree(tree) => tree.add_tree(&[&step], unread(kind, hash))?,
            }
        }
        Ok(())
    }

    fn changed(&mut self, path: &[&str], directory: ChangingHash) -> Result<(), TreeError> {
        match directory {
            ChangingHash::Small(entries) if entries.is_empty() => Ok(()),
            ChangingHash::Small(mut entries) => {
                let hash = self.digester.directory(&mut entries)?;
                self.put(path, Kind::Directory, hash);
                Ok(())
            }
            ChangingHash::Tree(tree) => self.tree(path, tree),
        }
    }
}
