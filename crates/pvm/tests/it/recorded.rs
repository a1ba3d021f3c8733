//! Recorded chains: the state at every level, the outboxes, and the output proofs, from the inbox messages alone.

use crate::files;
use flate2::read::GzDecoder;
use serde_json::Value;
use soru_merkle::MemoryStore;
use soru_pvm::output_proof::{OutputProofError, produce_output_proof, verify_output_proof};
use soru_pvm::reveal::NoReveals;
use soru_pvm::{FastConfig, FastEngine, Parameters, Pvm, Reveals, Version};
use soru_tezos::scalar::Level;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;

fn lines(path: &Path) -> impl Iterator<Item = Value> {
    let file = std::fs::File::open(path).unwrap();
    BufReader::new(GzDecoder::new(file)).lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap())
}

/// Replays a rollup node's levels; gives the trees by state hash.
fn replay(folder: &Path, node: &str, kernel: &str) -> BTreeMap<String, soru_merkle::Tree> {
    let meta: Value = serde_json::from_slice(&std::fs::read(folder.join("meta.json")).unwrap()).unwrap();
    let kernel = hex::decode(meta["kernels"][kernel]["hex"].as_str().unwrap()).unwrap();
    let engine = FastEngine::new(FastConfig::default()).unwrap();
    let reveals: Arc<dyn Reveals> = Arc::new(NoReveals);
    let mut store = MemoryStore::new();
    let mut trees = BTreeMap::new();
    let mut pvm: Option<Pvm> = None;
    let mut levels = 0;
    for line in lines(&folder.join(node)) {
        let block = &line["block"];
        let level = Level(block["level"].as_i64().unwrap() as i32);
        let messages = block["messages"].as_array().unwrap();
        let mut ticks = 0;
        let pvm = match &mut pvm {
            // the first level is that of the origination
            None => pvm.insert(Pvm::originate(Version::V6, &kernel, Parameters::of_version(Version::V6)).unwrap()),
            Some(pvm) => {
                let messages = messages.iter().map(|message| hex::decode(message.as_str().unwrap()).unwrap().into());
                ticks = pvm.eval_inbox_level(&engine, &reveals, level, messages).unwrap().ticks.0;
                pvm
            }
        };
        pvm.commit(&mut store).unwrap();
        let hash = pvm.state_hash().unwrap().to_string();
        assert_eq!(hash, block["state_hash"].as_str().unwrap(), "{node}: state at level {level}");
        assert_eq!(ticks.to_string(), block["num_ticks"].as_str().unwrap(), "{node}: ticks of level {level}");
        // the node leaves out what is no outbox message of the protocol
        let outbox = pvm.outbox(level).unwrap().len() as u64;
        for message in line["outbox"].as_array().into_iter().flatten() {
            let index: u64 = message["message_index"].as_str().unwrap().parse().unwrap();
            assert!(index < outbox, "{node}: outbox of level {level}");
        }
        trees.insert(hash, pvm.tree().unwrap());
        levels += 1;
    }
    println!("{node}: {levels} levels agree");
    assert!(levels > 20);
    trees
}

#[test]
fn every_level_and_output_proof_of_the_tour() {
    let Some(folder) = files::shared_vectors("recorded/s1_tour") else { return };
    let trees = replay(&folder, "node.jsonl.gz", "echo");
    let mut proofs = 0;
    for call in lines(&folder.join("rpc.jsonl.gz")) {
        let Some(expected) = call["response"]["proof"].as_str() else { continue };
        let path = call["path"].as_str().unwrap();
        let Some((_, place)) = path.split_once("/helpers/proofs/outbox/") else { continue };
        let (level, index) = place.split_once("/messages?index=").unwrap();
        let (level, index) = (Level(level.parse().unwrap()), index.parse().unwrap());
        let bytes = hex::decode(expected).unwrap();
        let (state, output) = verify_output_proof(bytes.clone()).unwrap();
        assert_eq!((output.level, output.index), (level, index));
        let tree = &trees[&state.to_string()];
        assert_eq!(hex::encode(produce_output_proof(tree, level, index).unwrap()), expected, "proof of {path}");
        // of the version, in bytes 1 and 2, only one bit counts
        for at in (0..bytes.len()).filter(|at| !matches!(at, 1 | 2)) {
            let mut broken = bytes.clone();
            broken[at] ^= 1;
            assert!(verify_output_proof(broken).is_err(), "byte {at} of the proof of {path} does not matter");
        }
        assert!(matches!(produce_output_proof(tree, level, 1 << 40), Err(OutputProofError::NoMessage { .. })));
        proofs += 1;
    }
    println!("{proofs} output proofs agree");
    assert!(proofs > 3);
}

#[test]
fn every_level_of_the_busy_chain() {
    let Some(folder) = files::shared_vectors("recorded/s2_busy_a") else { return };
    for kernel in ["echo", "counter", "reboot"] {
        replay(&folder, &format!("node_{kernel}.jsonl.gz"), kernel);
    }
}
