//! A naive model of the tree: all leaves in an ordered map, hashes computed from scratch by the words of `spec/pvm.md` §1.

use std::collections::{BTreeMap, BTreeSet};

use blake2b_simd::Params;
use proptest::prelude::*;
use soru_merkle::{NodeHash, Tree, TreeError};

pub type Path = Vec<String>;

/// Leaves by path. The empty map is the empty directory; a map with the empty path is a tree that is a leaf.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Model(pub BTreeMap<Path, Vec<u8>>);

fn blake2b(bytes: &[u8]) -> [u8; 32] {
    Params::new().hash_length(32).hash(bytes).as_bytes().try_into().unwrap()
}

fn varint(mut n: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while n > 0x7f {
        out.push((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
    out
}

/// Bit `depth` of the hash of a step.
fn index(step: &str, depth: usize) -> u8 {
    (blake2b(step.as_bytes())[depth / 8] >> (7 - depth % 8)) & 1
}

/// Steps in listing order below `depth`.
fn trie_order(steps: Vec<String>, depth: usize) -> Vec<String> {
    if steps.len() <= 2 {
        return steps;
    }
    let (zero, one): (Vec<_>, Vec<_>) = steps.into_iter().partition(|step| index(step, depth) == 0);
    [trie_order(zero, depth + 1), trie_order(one, depth + 1)].concat()
}

impl Model {
    fn below(&self, path: &[String]) -> Model {
        let inside = self.0.iter().filter(|(leaf, _)| leaf.starts_with(path));
        Model(inside.map(|(leaf, value)| (leaf[path.len()..].to_vec(), value.clone())).collect())
    }

    pub fn exists(&self, path: &[String]) -> bool {
        path.is_empty() || !self.below(path).0.is_empty()
    }

    pub fn find(&self, path: &[String]) -> Option<&Vec<u8>> {
        self.0.get(path)
    }

    pub fn list(&self, path: &[String]) -> Vec<String> {
        let steps: BTreeSet<String> = self.below(path).0.keys().filter_map(|leaf| leaf.first().cloned()).collect();
        trie_order(steps.into_iter().collect(), 0)
    }

    pub fn remove(&mut self, path: &[String]) {
        self.0.retain(|leaf, _| !leaf.starts_with(path));
    }

    pub fn add_tree(&mut self, path: &[String], subtree: &Model) {
        self.remove(path);
        if !subtree.0.is_empty() {
            // a leaf in the middle of the path gives way to a directory
            self.0.retain(|leaf, _| !path.starts_with(leaf));
        }
        for (leaf, value) in &subtree.0 {
            self.0.insert([path, leaf].concat(), value.clone());
        }
    }

    pub fn hash(&self) -> NodeHash {
        NodeHash(self.hash_and_kind().0)
    }

    fn hash_and_kind(&self) -> ([u8; 32], bool) {
        if let Some(value) = self.0.get(&Vec::new()) {
            return (blake2b(&[&(value.len() as u64).to_be_bytes()[..], value].concat()), true);
        }
        let steps: BTreeSet<String> = self.0.keys().map(|leaf| leaf[0].clone()).collect();
        let entries: Vec<_> = steps
            .into_iter()
            .map(|step| {
                let (hash, leaf) = self.below(std::slice::from_ref(&step)).hash_and_kind();
                (step, hash, leaf)
            })
            .collect();
        if entries.len() > 2 {
            return (inode(&entries, 0), false);
        }
        let mut out = (entries.len() as u64).to_be_bytes().to_vec();
        for (step, hash, leaf) in entries {
            out.extend([if leaf { 0xff } else { 0 }, 0, 0, 0, 0, 0, 0, 0]);
            out.extend(varint(step.len()));
            out.extend(step.bytes());
            out.extend(32u64.to_be_bytes());
            out.extend(hash);
        }
        (blake2b(&out), false)
    }
}

fn inode(entries: &[(String, [u8; 32], bool)], depth: usize) -> [u8; 32] {
    let mut out = Vec::new();
    if entries.len() <= 2 {
        out.push(0);
        out.extend(varint(entries.len()));
        for (step, hash, leaf) in entries {
            out.extend(varint(step.len()));
            out.extend(step.bytes());
            out.push(u8::from(*leaf));
            out.extend(hash);
        }
        return blake2b(&out);
    }
    let mut children = Vec::new();
    for bit in [0, 1] {
        let below: Vec<_> = entries.iter().filter(|entry| index(&entry.0, depth) == bit).cloned().collect();
        if !below.is_empty() {
            children.push((bit, inode(&below, depth + 1)));
        }
    }
    out.push(1);
    out.extend(varint(depth));
    out.extend(varint(entries.len()));
    out.extend(varint(children.len()));
    for (bit, hash) in children {
        out.push(bit);
        out.extend(hash);
    }
    blake2b(&out)
}

/// What is done to a tree.
#[derive(Clone, Debug)]
pub enum Op {
    Add(Path, Vec<u8>),
    Remove(Path),
    /// The subtree at the first path is put at the second.
    Copy(Path, Path),
    Find(Path),
    Length(Path),
    List(Path, u64, Option<u64>),
    Hash,
    Fork,
}

fn step() -> impl Strategy<Value = String> {
    prop_oneof![2 => (0..40u32).prop_map(|n| n.to_string()), 1 => "[ab@]", 1 => Just("x".repeat(40))]
}

fn path() -> impl Strategy<Value = Path> {
    prop_oneof![
        6 => (prop::collection::vec(prop_oneof![Just("d"), Just("e")], 0..3), step()).prop_map(|(dirs, step)| {
            dirs.into_iter().map(str::to_string).chain([step]).collect::<Path>()
        }),
        1 => prop::collection::vec(step(), 0..5),
    ]
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => prop::collection::vec(0..3u8, 0..3),
        1 => (0..3u8, 100..600usize).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

pub fn ops(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        8 => (path(), value()).prop_map(|(path, value)| Op::Add(path, value)),
        4 => path().prop_map(Op::Remove),
        2 => (path(), path()).prop_map(|(from, to)| Op::Copy(from, to)),
        2 => path().prop_map(Op::Find),
        1 => path().prop_map(Op::Length),
        1 => (path(), 0..5u64, prop::option::of(0..5u64)).prop_map(|(path, skip, take)| Op::List(path, skip, take)),
        1 => Just(Op::Hash),
        1 => Just(Op::Fork),
    ];
    prop::collection::vec(op, count)
}

/// Does `op` to `tree`; what it reads comes back as text.
pub fn apply(tree: &mut Tree, op: &Op) -> Result<String, TreeError> {
    Ok(match op {
        Op::Add(path, value) => {
            tree.add(path, value.clone())?;
            String::new()
        }
        Op::Remove(path) => {
            tree.remove(path)?;
            String::new()
        }
        Op::Copy(from, to) => {
            if let Some(subtree) = tree.find_tree(from)? {
                tree.add_tree(to, subtree)?;
            }
            String::new()
        }
        Op::Find(path) => format!("{:?} {}", tree.find(path)?, tree.mem_tree(path)?),
        Op::Length(path) => tree.length(path)?.to_string(),
        Op::List(path, skip, take) => {
            let entries = tree.list(path, *skip, *take)?;
            format!("{:?}", entries.into_iter().map(|(step, _)| step.to_string()).collect::<Vec<_>>())
        }
        Op::Hash => tree.hash()?.to_string(),
        Op::Fork => {
            // an older version that lives on must not change what happens
            let older = tree.clone();
            tree.add(&["older"], older.hash()?.0.to_vec())?;
            drop(older);
            tree.remove(&["older"])?;
            String::new()
        }
    })
}

/// The same on the model.
pub fn apply_to_model(model: &mut Model, op: &Op) -> String {
    match op {
        Op::Add(path, value) => {
            model.add_tree(path, &Model([(Vec::new(), value.clone())].into()));
            String::new()
        }
        Op::Remove(path) => {
            model.remove(path);
            String::new()
        }
        Op::Copy(from, to) => {
            if model.exists(from) {
                let subtree = model.below(from);
                model.add_tree(to, &subtree);
            }
            String::new()
        }
        Op::Find(path) => {
            let found = model.find(path).cloned().map(bytes::Bytes::from);
            format!("{found:?} {}", model.exists(path))
        }
        Op::Length(path) => model.list(path).len().to_string(),
        Op::List(path, skip, take) => {
            let entries = model.list(path).into_iter().skip(*skip as usize);
            format!("{:?}", entries.take(take.map_or(usize::MAX, |take| take as usize)).collect::<Vec<_>>())
        }
        Op::Hash => model.hash().to_string(),
        Op::Fork => {
            // removing from a tree that is a leaf does nothing, but adding makes it a directory
            if model.0.contains_key(&Vec::new()) {
                *model = Model::default();
            }
            model.remove(&["older".to_string()]);
            String::new()
        }
    }
}
