//! `soru pvm conformance`: the exact machine against recorded states and proofs.

use crate::grammar::{CliError, Invocation};
use serde::Deserialize;
use soru_pvm::exact::trace::{ExactTrace, Wanted};
use soru_pvm::trace::Case;
use soru_tezos::blake2b;
use soru_tezos::hash::ContextHash;
use std::path::{Path, PathBuf};

/// What a case records besides what is fed to the machine.
#[derive(Deserialize)]
struct Recorded {
    #[serde(default)]
    checkpoints: Vec<Checkpoint>,
    #[serde(default)]
    proofs: Vec<RecordedProof>,
}

#[derive(Deserialize)]
struct Checkpoint {
    tick: u64,
    request: Option<String>,
    context_hash: ContextHash,
}

#[derive(Deserialize)]
struct RecordedProof {
    tick: u64,
    size: usize,
    blake2b: String,
}

/// Deepest folder looked into.
const DEPTH: usize = 16;

/// All JSON files below a path, in the order of their names.
fn files(path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if path.is_dir() {
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        entries.sort();
        if depth < DEPTH {
            entries.iter().try_for_each(|entry| files(entry, depth + 1, found))?;
        }
    } else if path.extension().is_some_and(|extension| extension == "json") || depth == 0 {
        found.push(path.to_owned());
    }
    Ok(())
}

/// The number of states and proofs of a case that agree, or where it first differs.
fn play(path: &Path) -> Result<(usize, usize), String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let case: Case = serde_json::from_str(&text).map_err(|error| format!("not a PVM case: {error}"))?;
    let recorded: Recorded = serde_json::from_str(&text).map_err(|error| format!("not a PVM case: {error}"))?;
    let wanted = Wanted {
        ticks: recorded.checkpoints.iter().map(|it| it.tick).collect(),
        proofs: recorded.proofs.iter().map(|it| it.tick).collect(),
        every_hash: false,
    };
    let trace = case.trace_exact(&wanted).map_err(|error| error.to_string())?;
    recorded.checkpoints.iter().try_for_each(|checkpoint| check_state(&trace, checkpoint))?;
    recorded.proofs.iter().try_for_each(|proof| check_proof(&trace, proof))?;
    Ok((recorded.checkpoints.len(), recorded.proofs.len()))
}

fn check_state(trace: &ExactTrace, checkpoint: &Checkpoint) -> Result<(), String> {
    let tick = checkpoint.tick;
    let stopped = || trace.stopped.clone().unwrap_or_else(|| "the case ends before".to_owned());
    let line = trace
        .lines
        .iter()
        .find(|line| line.tick == tick)
        .ok_or_else(|| format!("tick {tick} is not reached: {}", stopped()))?;
    if line.context_hash != checkpoint.context_hash {
        return Err(format!(
            "tick {tick} ({}): state {} instead of {}",
            line.status, line.context_hash, checkpoint.context_hash
        ));
    }
    if line.request != checkpoint.request {
        return Err(format!("tick {tick}: asks for {:?} instead of {:?}", line.request, checkpoint.request));
    }
    Ok(())
}

fn check_proof(trace: &ExactTrace, recorded: &RecordedProof) -> Result<(), String> {
    let tick = recorded.tick;
    let proof = trace.proofs.get(&tick).ok_or_else(|| format!("no proof of tick {tick}"))?;
    let hash = hex::encode(blake2b::hash256(proof));
    if (proof.len(), &hash) != (recorded.size, &recorded.blake2b) {
        return Err(format!(
            "proof of tick {tick}: {} bytes with hash {hash} instead of {} with {}",
            proof.len(),
            recorded.size,
            recorded.blake2b
        ));
    }
    Ok(())
}

/// Runs `pvm conformance [path…]`.
pub async fn run(invocation: Invocation) -> Result<(), CliError> {
    let mut cases = Vec::new();
    for (index, path) in invocation.rest() {
        files(Path::new(path), 0, &mut cases).map_err(|error| CliError::argument(*index, path, error))?;
    }
    if cases.is_empty() {
        return Err(CliError::Usage("Give files or folders with cases: no JSON file was found.".to_owned()));
    }
    let bar = indicatif::ProgressBar::new(cases.len() as u64);
    let (mut passed, mut failed, mut states, mut proofs) = (0, 0, 0, 0);
    for path in &cases {
        match play(path) {
            Ok((some_states, some_proofs)) => {
                passed += 1;
                states += some_states;
                proofs += some_proofs;
            }
            Err(why) => {
                failed += 1;
                bar.suspend(|| println!("FAILED {}: {why}", path.display()));
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    println!("{states} states and {proofs} proofs agree");
    println!("{passed} passed, {failed} failed");
    if failed == 0 { Ok(()) } else { Err(CliError::failed(format!("{failed} of {} cases differ", cases.len()))) }
}
