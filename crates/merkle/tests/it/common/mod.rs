//! What the integration tests share: the recorded vectors and their formats.
#![allow(dead_code)]

pub mod model;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use soru_merkle::{NodeHash, Tree};

/// A folder of recorded vectors beside the workspace, if they are there.
pub fn shared(name: &str) -> Option<PathBuf> {
    let mut folder = Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf();
    loop {
        let candidate = folder.join("shared/vectors").join(name);
        if candidate.exists() {
            return Some(candidate);
        }
        if !folder.pop() {
            println!("skipped: no recorded vectors ({name}) beside this workspace");
            return None;
        }
    }
}

#[derive(serde::Deserialize)]
struct Recorded {
    case: String,
    states: Vec<RecordedState>,
}

#[derive(serde::Deserialize)]
struct RecordedState {
    tick: u64,
    context_hash: String,
    leaves: BTreeMap<String, String>,
}

pub struct State {
    pub tick: u64,
    pub hash: NodeHash,
    pub leaves: BTreeMap<String, Vec<u8>>,
}

/// The recorded whole states of a folder, by case.
pub fn trees_in(folder: &Path) -> Vec<(String, Vec<State>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".json.gz"))
        .collect();
    files.sort();
    files.iter().map(|file| states_of(file)).collect()
}

pub fn states_of(file: &Path) -> (String, Vec<State>) {
    let mut text = String::new();
    GzDecoder::new(File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    let recorded: Recorded = serde_json::from_str(&text).unwrap();
    let states = recorded.states.into_iter().map(|state| State {
        tick: state.tick,
        hash: context_hash(&state.context_hash),
        leaves: state.leaves.into_iter().map(|(path, value)| (path, hex::decode(value).unwrap())).collect(),
    });
    (recorded.case, states.collect())
}

pub fn steps(path: &str) -> Vec<&str> {
    path.split('/').filter(|step| !step.is_empty()).collect()
}

pub fn tree_of(leaves: &BTreeMap<String, Vec<u8>>) -> Tree {
    let mut tree = Tree::empty();
    for (path, value) in leaves {
        tree.add(&steps(path), value.clone()).unwrap();
    }
    tree
}

/// Base58check without the check, which other rooms test: `Co…` and `srs1…` to their 32 bytes.
pub fn context_hash(text: &str) -> NodeHash {
    const ALPHABET: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes: Vec<u8> = Vec::new();
    for c in text.chars() {
        let mut carry = ALPHABET.find(c).unwrap();
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = carry as u8;
            carry >>= 8;
        }
        if carry > 0 {
            bytes.insert(0, carry as u8);
        }
    }
    let end = bytes.len() - 4;
    NodeHash(bytes[end - 32..end].try_into().unwrap())
}

/// A file of this crate's own test data.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}
