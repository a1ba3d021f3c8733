//! Recorded chains: `tests/data/<name>`, or `../shared/vectors/recorded/<name>` beside the repository.

use flate2::read::GzDecoder;
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// The folder of a recording, if this machine has it.
pub fn folder(name: &str) -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/recorded").join(name);
    let found = [own, shared].into_iter().find(|folder| folder.is_dir());
    if found.is_none() {
        println!("skipped: no recording {name} here");
    }
    found
}

/// The lines of a compressed file of JSON objects.
pub fn lines(path: &Path) -> Vec<Value> {
    let file = BufReader::new(GzDecoder::new(File::open(path).unwrap()));
    file.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

/// A recorded layer 1.
pub struct Chain {
    pub meta: Value,
    /// One row a level, from level 1.
    pub rows: Vec<Value>,
}

impl Chain {
    pub fn load(folder: &Path) -> Chain {
        let meta = serde_json::from_slice(&std::fs::read(folder.join("meta.json")).unwrap()).unwrap();
        Chain { meta, rows: lines(&folder.join("l1.jsonl.gz")) }
    }

    pub fn row(&self, level: i64) -> Option<&Value> {
        self.rows.get(usize::try_from(level - self.rows[0]["level"].as_i64()?).ok()?)
    }
}
