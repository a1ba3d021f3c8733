//! Fees that the reference's client and node computed for recorded operations, computed again.

use flate2::read::GzDecoder;
use serde_json::Value;
use soru_l1::fees::{FeeParameters, set_minimal_fee};
use soru_tezos::block::Block;
use soru_tezos::key::Scheme;
use soru_tezos::scalar::Mutez;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Fee of operations that were made by hand.
const BY_HAND: Mutez = Mutez(100_000);

fn recordings() -> Vec<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![here.join("../tezos/tests/data/l1.jsonl.gz")];
    match std::fs::read_dir(here.join("../../../shared/vectors/recorded")) {
        Ok(folders) => files.extend(folders.map(|folder| folder.unwrap().path().join("l1.jsonl.gz"))),
        Err(_) => println!("skipped: no recordings beside the repository"),
    }
    files.retain(|file| file.exists());
    files
}

#[test]
fn fees_of_recorded_operations() {
    let (mut checked, mut batches) = (0, 0);
    for file in recordings() {
        for line in BufReader::new(GzDecoder::new(File::open(&file).unwrap())).lines() {
            let mut line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let block: Block = serde_json::from_value(line["block"].take()).unwrap();
            for operation in block.manager_operations() {
                let contents = operation.to_operation().unwrap().contents;
                if contents.iter().any(|content| content.fee == BY_HAND) {
                    continue;
                }
                batches += usize::from(contents.len() > 1);
                for (index, recorded) in contents.iter().enumerate() {
                    let mut ours = recorded.clone();
                    set_minimal_fee(&mut ours, &FeeParameters::default(), index == 0, Scheme::Ed25519);
                    assert_eq!(ours.fee, recorded.fee, "{}, {}", file.display(), operation.hash);
                    checked += 1;
                }
            }
        }
    }
    println!("{checked} fees, {batches} batches of several operations");
    assert!(checked > 0);
}
