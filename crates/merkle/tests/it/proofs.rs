//! Recorded proofs: every one decodes, encodes back to the same bytes, and shows the tree it claims to start from.

use std::path::{Path, PathBuf};

use crate::common::{context_hash, data, shared};
use serde_json::Value;
use soru_merkle::Proof;

fn check(name: &str, bytes: &[u8]) {
    let proof = Proof::decode(bytes.to_vec()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(hex::encode(proof.encode().unwrap()), hex::encode(bytes), "{name}");
    proof.check_before().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(proof.to_string().lines().count() > 3, "{name}");
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(json_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn check_files(files: &[PathBuf]) -> usize {
    let mut checked = 0;
    for file in files {
        for proof in json(file)["proofs"].as_array().into_iter().flatten() {
            if let Some(text) = proof["hex"].as_str() {
                check(&format!("{} tick {}", file.display(), proof["tick"]), &hex::decode(text).unwrap());
                checked += 1;
            }
        }
    }
    checked
}

#[test]
fn recorded_step_proofs() {
    if let Some(folder) = shared("pvm") {
        let checked = check_files(&json_files(&folder));
        println!("{checked} recorded proofs");
        assert!(checked >= 418);
    }
}

#[test]
fn own_recorded_proofs() {
    assert_eq!(check_files(&[data("proofs.json")]), 8);
}

#[test]
fn recorded_refutation_proofs() {
    let Some(file) = shared("upstream/refutation_proofs.json") else { return };
    let recorded = json(&file);
    let proofs = recorded["proofs"].as_array().unwrap();
    for recorded in proofs {
        // the proof stands behind its length, and an input proof may follow
        let bytes = hex::decode(recorded["hex"].as_str().unwrap()).unwrap();
        let size = u32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
        let name = format!("refutation proof {}", recorded["index"]);
        check(&name, &bytes[4..4 + size]);
        let proof = Proof::decode(bytes[4..4 + size].to_vec()).unwrap();
        assert_eq!(proof.before, context_hash(recorded["before"].as_str().unwrap()), "{name}");
        assert_eq!(proof.after, context_hash(recorded["after"].as_str().unwrap()), "{name}");
    }
    assert_eq!(proofs.len(), 18);
}
