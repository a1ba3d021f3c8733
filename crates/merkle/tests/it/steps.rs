//! The first tick after a snapshot, played by hand: the reads of one step (`spec/pvm.md` §12.5) and the writes that lead from
//! one recorded state to the next give the recorded proof, byte for byte.

use std::path::Path;

use crate::common::{State, data, shared, states_of, steps, tree_of};
use serde_json::Value;
use soru_merkle::{Proof, Tree, TreeError, produce_proof};

/// Leaves that the step reads, and subtrees that it takes without looking into them.
const READ: [&str; 16] = [
    "wasm/input",
    "wasm/current_tick",
    "wasm/reboot_counter",
    "tag",
    "value/pvm/buffers/input/length",
    "value/pvm/buffers/input/head",
    "value/pvm/buffers/output/2/last_level",
    "value/pvm/buffers/output/3/validity_period",
    "value/pvm/buffers/output/4/message_limit",
    "wasm/tag",
    "pvm/last_top_level_call",
    "pvm/max_nb_ticks",
    "pvm/maximum_reboots_per_input",
    "pvm/outbox_validity_period",
    "pvm/outbox_message_limit",
    "durable/readonly/wasm_version/@/length",
];
const TAKEN: [&str; 3] = ["durable", "value/pvm/buffers/input/contents", "value/pvm/buffers/output/1/outboxes"];

fn step(tree: &mut Tree, next: &State) -> Result<(), TreeError> {
    for path in READ {
        tree.find(&steps(path))?;
    }
    tree.find(&steps("durable/readonly/wasm_version/@/contents/0"))?;
    let mut taken = Vec::new();
    for path in TAKEN {
        taken.push((path, tree.find_tree(&steps(path))?));
    }
    tree.remove(&["wasm"])?;
    for (path, subtree) in taken {
        match subtree {
            Some(subtree) => tree.add_tree(&steps(path), subtree)?,
            None => tree.remove(&steps(path))?,
        }
    }
    for (path, value) in &next.leaves {
        let taken = TAKEN.iter().any(|taken| path[1..].starts_with(taken));
        if !taken {
            tree.add(&steps(path), value.clone())?;
        }
    }
    Ok(())
}

/// Checks the proofs of all recorded steps from a snapshot to the first state of the decoder.
fn check(states: &[State], recorded: &Value, case: &str) -> usize {
    let mut checked = 0;
    for pair in states.windows(2) {
        let [state, next] = pair else { continue };
        let wasm_tag = |state: &State| state.leaves["/wasm/tag"][4..].to_vec();
        if next.tick != state.tick + 1 || wasm_tag(state) != b"snapshot" || wasm_tag(next) != b"decode" {
            continue;
        }
        let proofs = recorded["proofs"].as_array().unwrap();
        let Some(recorded) = proofs.iter().find(|proof| proof["tick"] == state.tick) else { continue };
        let tree = tree_of(&state.leaves);
        let (proof, ()) = produce_proof(&tree, |tree| step(tree, next)).unwrap();
        let bytes = proof.encode().unwrap();
        let name = format!("{case} tick {}\n{proof}", state.tick);
        assert_eq!((proof.before, proof.after), (state.hash, next.hash), "{name}");
        assert_eq!(bytes.len() as u64, recorded["size"].as_u64().unwrap(), "{name}");
        let hash = blake2b_simd::Params::new().hash_length(32).hash(&bytes);
        assert_eq!(hash.to_hex().as_str(), recorded["blake2b"].as_str().unwrap(), "{name}");
        let ((), after) = Proof::decode(bytes).unwrap().verify(|tree| step(tree, next)).unwrap();
        assert_eq!(after, next.hash, "{name}");
        checked += 1;
    }
    checked
}

fn check_case(states: &Path, recorded: &Path) -> usize {
    let (case, states) = states_of(states);
    let recorded: Value = serde_json::from_slice(&std::fs::read(recorded).unwrap()).unwrap();
    check(&states, &recorded, &case)
}

#[test]
fn first_decoding_steps_of_all_cases() {
    let (Some(trees), Some(pvm)) = (shared("trees"), shared("pvm")) else { return };
    let mut checked = 0;
    for entry in std::fs::read_dir(trees).unwrap() {
        let states = entry.unwrap().path();
        let name = states.file_name().unwrap().to_string_lossy().into_owned();
        if let Some(case) = name.strip_suffix(".json.gz") {
            checked += check_case(&states, &pvm.join(format!("{case}.json")));
        }
    }
    println!("{checked} proofs produced as recorded");
    assert!(checked >= 18);
}

#[test]
fn first_decoding_step_of_the_own_case() {
    assert_eq!(check_case(&data("states.json.gz"), &data("proofs.json")), 1);
}
