//! The conformance cases: every checkpoint that the fast engine can decide, the outboxes and the durable storage at the end.

use crate::files;
use serde_json::Value;
use soru_pvm::durable::Key;
use soru_pvm::trace::{Case, NotYet};
use soru_pvm::{FastConfig, FastEngine, TickPolicy};
use soru_tezos::scalar::Level;
use std::path::Path;

/// What became of a case.
#[derive(Default)]
struct Outcome {
    agreed: usize,
    waiting: usize,
    stopped: Option<String>,
    errors: Vec<String>,
}

fn play(path: &Path, engine: &FastEngine) -> Outcome {
    let json: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let case: Case = serde_json::from_value(json.clone()).unwrap();
    let trace = case.trace(engine).unwrap();
    let mut outcome = Outcome { stopped: trace.stopped.clone(), ..Outcome::default() };
    let checkpoints = json["checkpoints"].as_array().unwrap();
    let recorded = |tick: u64| checkpoints.iter().find(|c| c["tick"] == tick).unwrap();
    for answer in &trace.answers {
        match answer {
            Err(NotYet::Beyond { .. }) => outcome.errors.push(answer.as_ref().unwrap_err().to_string()),
            Err(_) => outcome.waiting += 1,
            Ok(line) => {
                let mut expected = recorded(line.tick).clone();
                let mut got = serde_json::to_value(line).unwrap();
                if expected.get("state_hash").is_none() {
                    got.as_object_mut().unwrap().remove("state_hash");
                }
                for object in [&mut expected, &mut got] {
                    object.as_object_mut().unwrap().retain(|key, _| {
                        ["tick", "status", "request", "context_hash", "state_hash"].contains(&key.as_str())
                    });
                }
                if expected == got {
                    outcome.agreed += 1;
                } else {
                    outcome.errors.push(format!("at tick {}:\n  recorded {expected}\n  got      {got}", line.tick));
                }
            }
        }
    }
    if trace.stopped.is_none() {
        outcome.errors.extend(compare_end(&json, &trace.pvm));
    }
    outcome
}

fn compare_end(json: &Value, pvm: &soru_pvm::Pvm) -> Vec<String> {
    let mut errors = Vec::new();
    for (level, messages) in json["outbox"].as_object().into_iter().flatten() {
        let got = pvm.outbox(Level(level.parse().unwrap())).unwrap();
        let got: Value = got.iter().map(hex::encode).collect::<Vec<_>>().into();
        if &got != messages {
            errors.push(format!("outbox of level {level}:\n  recorded {messages}\n  got      {got}"));
        }
    }
    for (key, expected) in json["final_durable"].as_object().into_iter().flatten() {
        let value = pvm.durable().value(&Key::parse(key.as_bytes()).unwrap()).unwrap();
        let Some(value) = value else {
            errors.push(format!("no durable value {key}"));
            continue;
        };
        let agrees = match expected {
            Value::String(text) if text.starts_with('(') => *text == format!("(length {})", value.length()),
            Value::String(hex) => value.read(0, 1 << 24).unwrap() == hex::decode(hex).unwrap(),
            other => {
                let bytes = value.read(0, 1 << 24).unwrap();
                other["length"] == value.length()
                    && other["blake2b"] == hex::encode(soru_tezos::blake2b::hash256(&bytes))
            }
        };
        if !agrees {
            errors.push(format!("durable value {key} differs"));
        }
    }
    errors
}

fn play_all(folder: &Path) -> (usize, usize) {
    let engine = FastEngine::new(FastConfig { ticks: TickPolicy::Assumed, ..FastConfig::default() }).unwrap();
    let mut failed = Vec::new();
    let (mut cases, mut agreed, mut waiting) = (0, 0, 0);
    for path in files::json_files(folder) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let outcome = play(&path, &engine);
        cases += 1;
        agreed += outcome.agreed;
        waiting += outcome.waiting;
        if let Some(reason) = &outcome.stopped {
            println!("{name}: waits for the exact machine: {reason}");
        }
        if !outcome.errors.is_empty() {
            failed.push(format!("{name}: {}", outcome.errors.join("\n")));
        }
    }
    println!(
        "{cases} cases, {agreed} checkpoints agree, {waiting} wait for the exact machine, {} cases fail",
        failed.len()
    );
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    (cases, agreed)
}

#[test]
fn boundaries_of_the_shared_cases() {
    let Some(folder) = files::shared_vectors("pvm") else { return };
    let (cases, agreed) = play_all(&folder);
    assert!(cases > 100 && agreed > 1000);
}

#[test]
fn boundaries_of_the_shared_malformed_cases() {
    let Some(folder) = files::shared_vectors("pvm/malformed") else { return };
    play_all(&folder);
}

#[test]
fn boundaries_of_the_cases_kept_here() {
    let (cases, agreed) = play_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data"));
    assert!(cases >= 8 && agreed > 150);
}
