//! The exact machine against the reference: every tick's hash, every recorded checkpoint, every recorded proof.

use crate::files;
use serde_json::Value;
use soru_merkle::ProofBytes;
use soru_pvm::case::Case;
use soru_pvm::exact::verify_step;
use soru_pvm::step::NdsGate;
use soru_pvm::trace::{Event, Line, Wanted};
use soru_tezos::blake2b::hash256;
use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::ops::ControlFlow;
use std::path::Path;

fn tick(entry: &Value) -> u64 {
    entry["tick"].as_u64().unwrap()
}

/// The first difference from what was recorded, if there is one. Gives the numbers of checkpoints and of proofs.
fn play(path: &Path) -> Result<(usize, usize), String> {
    let json: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let case: Case = serde_json::from_value(json.clone()).unwrap();
    let empty = Vec::new();
    let checkpoints = json["checkpoints"].as_array().unwrap();
    let proofs = json["proofs"].as_array().unwrap_or(&empty);
    let recorded = json.get("trace").filter(|trace| trace.is_object());
    let every = recorded.and_then(|_| NonZeroU64::new(1));
    let wanted = Wanted { every, ..Wanted::of_case(&case) };
    let range = recorded.map(|trace| trace["from"].as_u64().unwrap()..=trace["to"].as_u64().unwrap());
    let at = |list: &[Value], wanted: u64| list.iter().find(|entry| tick(entry) == wanted).cloned();
    let (mut hashes, mut states, mut steps, mut first) = (Vec::new(), 0, 0, None);
    let played = case.play(&wanted, None, &mut |event| {
        let differs = match event {
            Event::State { tick, pvm, hash, .. } => {
                if range.as_ref().is_some_and(|range| range.contains(&tick)) {
                    hashes.extend(hash.0);
                }
                at(checkpoints, tick).and_then(|checkpoint| {
                    states += 1;
                    let got = serde_json::to_value(Line::of(pvm, hash).unwrap()).unwrap();
                    let differs = |field: &&str| got.get(field) != checkpoint.get(field).filter(|it| !it.is_null());
                    let field = ["status", "request", "context_hash"].into_iter().find(differs)?;
                    Some(format!("at tick {tick}: {field} is {:?}", got.get(field)))
                })
            }
            Event::Step { tick, proof, .. } => at(proofs, tick).and_then(|recorded| {
                steps += 1;
                let bytes = proof.encode().unwrap();
                let agrees = recorded["blake2b"] == hex::encode(hash256(&bytes));
                (!agrees).then(|| format!("the proof at tick {tick} differs: {} bytes", bytes.len()))
            }),
        };
        first = differs;
        if first.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let played = played.map_err(|error| error.to_string())?;
    if let Some(first) = first {
        return Err(first);
    }
    if (states, steps) != (checkpoints.len(), proofs.len()) {
        return Err(format!("{states} states and {steps} proofs were reached: {:?}", played.stopped));
    }
    if recorded.is_some_and(|recorded| recorded["blake2b"] != hex::encode(hash256(&hashes))) {
        return Err(format!("the hashes of ticks {range:?} differ"));
    }
    Ok((states, steps))
}

fn play_all(folder: &Path) {
    let only = std::env::var("SORU_CASE").ok();
    let (mut cases, mut checkpoints, mut proofs, mut failed) = (0, 0, 0, Vec::new());
    for path in files::json_files(folder) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        cases += 1;
        match play(&path) {
            Ok((c, p)) => (checkpoints, proofs) = (checkpoints + c, proofs + p),
            Err(error) => failed.push(format!("{name}: {error}")),
        }
    }
    println!("{cases} cases, {checkpoints} checkpoints, {proofs} proofs, {} failed", failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn carried_cases_agree_at_every_tick() {
    play_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/exact"));
}

#[test]
#[ignore = "minutes long: all recorded cases, tick by tick; run with --release"]
fn all_cases_agree_at_every_tick() {
    for folder in ["pvm/malformed", "pvm"] {
        if let Some(folder) = files::shared_vectors(folder) {
            play_all(&folder);
        }
    }
}

/// Whether runs that stop at `stops` ticks drawn by lot come to the states of single steps there.
fn stop_anywhere(path: &Path, stops: u64) -> Option<u64> {
    let json: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let to = json.get("trace").filter(|trace| trace.is_object())?["to"].as_u64()?;
    let case: Case = serde_json::from_value(json).unwrap();
    let states = |wanted: &Wanted| {
        let mut states = BTreeMap::new();
        case.play(wanted, None, &mut |event| {
            if let Event::State { tick, hash, .. } = event {
                states.insert(tick, hash);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
        states
    };
    let single = states(&Wanted { every: NonZeroU64::new(1), ..Wanted::default() });
    let mut seed = to;
    let mut lot = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % (to + 1)
    };
    let many = states(&Wanted { ticks: (0..stops).map(|_| lot()).collect(), ..Wanted::default() });
    for (tick, hash) in &many {
        assert_eq!(single[tick], *hash, "{} at tick {tick}", path.display());
    }
    Some(many.len() as u64)
}

#[test]
fn carried_cases_may_stop_anywhere() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/exact");
    let compared: u64 = files::json_files(&folder).iter().filter_map(|path| stop_anywhere(path, 100)).sum();
    assert!(compared > 200, "{compared}");
}

#[test]
#[ignore = "minutes long: all recorded cases, twice; run with --release"]
fn all_cases_may_stop_anywhere() {
    for folder in ["pvm/malformed", "pvm"] {
        let Some(folder) = files::shared_vectors(folder) else { continue };
        let compared: u64 = files::json_files(&folder).iter().filter_map(|path| stop_anywhere(path, 400)).sum();
        println!("{compared} states compared");
    }
}

#[test]
fn recorded_proofs_verify_and_changed_ones_do_not() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/exact");
    let mut verified = 0;
    for path in files::json_files(&folder) {
        let json: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for expected in json["proofs"].as_array().unwrap() {
            let Some(bytes) = expected["hex"].as_str().map(|text| hex::decode(text).unwrap()) else { continue };
            let proof = ProofBytes::new(bytes.clone()).unwrap();
            // the proofs of computation steps; the others need their input
            if verify_step(&proof, None, NdsGate::default()).is_err() {
                continue;
            }
            verified += 1;
            // the first three bytes hold the version, of which one bit is all that counts
            for at in (3..bytes.len()).step_by(97) {
                let mut changed = bytes.clone();
                changed[at] ^= 1;
                let holds =
                    ProofBytes::new(changed).is_ok_and(|proof| verify_step(&proof, None, NdsGate::default()).is_ok());
                assert!(!holds, "byte {at} of the proof at tick {} can be changed", tick(expected));
            }
        }
    }
    assert!(verified > 0);
}
