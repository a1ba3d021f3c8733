//! The conformance cases: every checkpoint between two `kernel_run`s, those made by the fast engine as far as it decides them, the outboxes and the durable storage at the end.

use crate::files;
use serde_json::Value;
use soru_pvm::case::Case;
use soru_pvm::durable::Key;
use soru_pvm::trace::{Event, Line, Wanted};
use soru_pvm::{FastConfig, FastEngine, TickPolicy};
use soru_tezos::scalar::Level;
use std::ops::ControlFlow;
use std::path::Path;

/// What became of a case.
#[derive(Default)]
struct Outcome {
    agreed: usize,
    fast: u64,
    undecided: u64,
    errors: Vec<String>,
}

/// Whether a checkpoint lies between two `kernel_run`s, so that the fast engine can be left to make those.
fn is_between_runs(checkpoint: &Value, cycle: u64) -> bool {
    let status = checkpoint["status"].as_str().unwrap();
    let last_of_cycle = (checkpoint["tick"].as_u64().unwrap() + 1).is_multiple_of(cycle);
    !["decode", "link", "init", "eval"].contains(&status) && (status != "padding" || last_of_cycle)
}

fn play(path: &Path, engine: &FastEngine) -> Outcome {
    let json: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let case: Case = serde_json::from_value(json.clone()).unwrap();
    let checkpoints = json["checkpoints"].as_array().unwrap();
    let between: Vec<&Value> = checkpoints.iter().filter(|it| is_between_runs(it, case.ticks_per_snapshot)).collect();
    let ticks = between.iter().map(|it| it["tick"].as_u64().unwrap()).collect();
    let mut outcome = Outcome::default();
    let mut seen = 0;
    let wanted = Wanted { ticks, ..Wanted::default() };
    let played = case.play(&wanted, Some(engine), &mut |event| {
        let Event::State { tick, pvm, hash, .. } = event else { return ControlFlow::Continue(()) };
        seen += 1;
        let mut expected = (*between.iter().find(|it| it["tick"] == tick).unwrap()).clone();
        let mut got = serde_json::to_value(Line::of(pvm, hash).unwrap()).unwrap();
        if expected.get("state_hash").is_none() {
            got.as_object_mut().unwrap().remove("state_hash");
        }
        for object in [&mut expected, &mut got] {
            object
                .as_object_mut()
                .unwrap()
                .retain(|key, _| ["tick", "status", "request", "context_hash", "state_hash"].contains(&key.as_str()));
        }
        if expected == got {
            outcome.agreed += 1;
        } else {
            outcome.errors.push(format!("at tick {tick}:\n  recorded {expected}\n  got      {got}"));
        }
        ControlFlow::Continue(())
    });
    let played = played.unwrap();
    (outcome.fast, outcome.undecided) = (played.fast_runs, played.undecided_runs);
    if seen != between.len() {
        outcome.errors.push(format!("{seen} of {} ticks reached: {:?}", between.len(), played.stopped));
    }
    if played.stopped.is_none() {
        outcome.errors.extend(compare_end(&json, &played.pvm));
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

fn play_all(folder: &Path) -> (usize, usize, u64) {
    // the cases have small limits of ticks, which is what the fast engine cannot count
    let engine = FastEngine::new(FastConfig { ticks: TickPolicy::Assumed, ..FastConfig::default() }).unwrap();
    let mut failed = Vec::new();
    let (mut cases, mut agreed, mut fast, mut undecided) = (0, 0, 0, 0);
    for path in files::json_files(folder) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let outcome = play(&path, &engine);
        cases += 1;
        (agreed, fast, undecided) = (agreed + outcome.agreed, fast + outcome.fast, undecided + outcome.undecided);
        if !outcome.errors.is_empty() {
            failed.push(format!("{name}: {}", outcome.errors.join("\n")));
        }
    }
    println!(
        "{cases} cases, {agreed} checkpoints agree, {fast} runs by the fast engine, {undecided} undecided by it, {} cases fail",
        failed.len()
    );
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    (cases, agreed, fast)
}

#[test]
fn boundaries_of_the_shared_cases() {
    let Some(folder) = files::shared_vectors("pvm") else { return };
    let (cases, agreed, fast) = play_all(&folder);
    assert!(cases > 100 && agreed > 500 && fast > 100);
}

#[test]
fn boundaries_of_the_shared_malformed_cases() {
    let Some(folder) = files::shared_vectors("pvm/malformed") else { return };
    play_all(&folder);
}

#[test]
fn boundaries_of_the_cases_kept_here() {
    let (cases, agreed, fast) = play_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data"));
    assert!(cases >= 8 && agreed > 100 && fast > 20);
}
