//! Reading the shared vectors.
#![allow(dead_code)]

use serde_json::Value;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A folder of the shared vectors, or nothing (said on stdout) where they are not.
pub fn vectors(part: &str) -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some(path) = here.ancestors().map(|up| up.join("shared/vectors").join(part)).find(|path| path.exists()) else {
        println!("skipped: no shared/vectors/{part} beside the workspace");
        return None;
    };
    Some(path)
}

/// Folders of recorded chains: those that come with the crate, and all shared ones where these are.
pub fn recordings() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recorded");
    let all = vectors("recorded").unwrap_or(own);
    let folders = folders(&all).into_iter().map(|name| all.join(name));
    folders.filter(|folder| folder.join("l1.jsonl.gz").exists()).collect()
}

/// Names of the folders in a folder, sorted.
pub fn folders(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(path)
        .unwrap()
        .filter_map(|entry| {
            let entry = entry.unwrap();
            entry.file_type().unwrap().is_dir().then(|| entry.file_name().into_string().unwrap())
        })
        .collect();
    names.sort();
    names
}

/// A JSON file.
pub fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A compressed file of JSON lines.
pub fn json_lines(path: &Path) -> Vec<Value> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
