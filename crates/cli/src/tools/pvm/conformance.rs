//! `soru pvm conformance`: the exact machine against recorded states and proofs.

use super::{read_json, trace};
use crate::grammar::{CliError, Invocation};
use serde::Deserialize;
use soru_pvm::case::Case;
use soru_pvm::trace::{Event, Line, Wanted};
use soru_tezos::blake2b;
use soru_tezos::codec::HexBytes;
use soru_tezos::hash::ContextHash;
use soru_tezos::scalar::Level;
use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// What a case records besides what is fed to the machine.
#[derive(Deserialize)]
struct Recorded {
    #[serde(default)]
    checkpoints: Vec<Checkpoint>,
    #[serde(default)]
    proofs: Vec<RecordedProof>,
    #[serde(default)]
    outbox: BTreeMap<i32, Vec<HexBytes>>,
    #[serde(default)]
    trace: Option<RecordedTrace>,
}

#[derive(Deserialize)]
struct Checkpoint {
    tick: u64,
    #[serde(default)]
    status: Option<String>,
    request: Option<String>,
    context_hash: ContextHash,
}

#[derive(Deserialize)]
struct RecordedProof {
    tick: u64,
    size: usize,
    blake2b: String,
}

/// The hash over the states of all ticks from one to another.
#[derive(Deserialize)]
struct RecordedTrace {
    from: u64,
    to: u64,
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

/// Compares a case, as it is played, with what it records.
struct Comparison<'a> {
    checkpoints: BTreeMap<u64, &'a Checkpoint>,
    proofs: BTreeMap<u64, &'a RecordedProof>,
    trace: Option<&'a RecordedTrace>,
    hashes: Vec<u8>,
    states: usize,
    steps: usize,
}

impl Comparison<'_> {
    /// The first difference at this event.
    fn look(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event {
            Event::State { tick, pvm, hash, .. } => {
                if self.trace.is_some_and(|trace| (trace.from..=trace.to).contains(tick)) {
                    self.hashes.extend(hash.0);
                }
                let Some(checkpoint) = self.checkpoints.get(tick) else { return Ok(()) };
                self.states += 1;
                compare_state(&Line::of(pvm, *hash).map_err(|error| format!("tick {tick}: {error}"))?, checkpoint)
            }
            Event::Step { tick, proof, .. } => {
                let Some(recorded) = self.proofs.get(tick) else { return Ok(()) };
                self.steps += 1;
                let proof = proof.encode().map_err(|error| format!("proof of tick {tick}: {error}"))?;
                compare_proof(&proof, recorded)
            }
        }
    }
}

fn compare_state(line: &Line, checkpoint: &Checkpoint) -> Result<(), String> {
    let tick = checkpoint.tick;
    if line.context_hash != checkpoint.context_hash {
        return Err(format!(
            "tick {tick} ({}): state {} instead of {}",
            line.status, line.context_hash, checkpoint.context_hash
        ));
    }
    if line.request != checkpoint.request {
        return Err(format!("tick {tick}: asks for {:?} instead of {:?}", line.request, checkpoint.request));
    }
    match &checkpoint.status {
        Some(status) if *status != line.status => {
            Err(format!("tick {tick}: is in '{}' instead of '{status}'", line.status))
        }
        _ => Ok(()),
    }
}

fn compare_proof(proof: &[u8], recorded: &RecordedProof) -> Result<(), String> {
    let hash = hex::encode(blake2b::hash256(proof));
    if (proof.len(), &hash) == (recorded.size, &recorded.blake2b) {
        return Ok(());
    }
    Err(format!(
        "proof of tick {}: {} bytes with hash {hash} instead of {} with {}",
        recorded.tick,
        proof.len(),
        recorded.size,
        recorded.blake2b
    ))
}

/// The number of states and proofs of a case that agree, or where it first differs.
fn play(path: &Path, every_tick: bool) -> Result<(usize, usize), String> {
    let case: Case = read_json(path)?;
    let recorded: Recorded = read_json(path)?;
    let trace = recorded.trace.as_ref().filter(|_| every_tick);
    let wanted = Wanted { every: trace.and(NonZeroU64::new(1)), ..Wanted::of_case(&case) };
    let mut comparison = Comparison {
        checkpoints: recorded.checkpoints.iter().map(|it| (it.tick, it)).collect(),
        proofs: recorded.proofs.iter().map(|it| (it.tick, it)).collect(),
        trace,
        hashes: Vec::new(),
        states: 0,
        steps: 0,
    };
    let mut first = Ok(());
    let played = case.play(&wanted, None, &mut |event| {
        first = comparison.look(&event);
        if first.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    first?;
    let played = played.map_err(|error| error.to_string())?;
    let Comparison { states, steps, hashes, checkpoints, proofs, .. } = comparison;
    if (states, steps) != (checkpoints.len(), proofs.len()) {
        let (states, steps) = (checkpoints.len() - states, proofs.len() - steps);
        return Err(format!("{states} states and {steps} proofs are not reached: {}", trace::end_of(&played)));
    }
    if let Some(trace) = trace
        && trace.blake2b != hex::encode(blake2b::hash256(&hashes))
    {
        return Err(format!("a state between tick {} and tick {} differs", trace.from, trace.to));
    }
    for (level, messages) in &recorded.outbox {
        let ours = played.pvm.outbox(Level(*level)).map_err(|error| format!("outbox of level {level}: {error}"))?;
        if !ours.iter().map(|message| &message[..]).eq(messages.iter().map(|message| &message.0[..])) {
            return Err(format!(
                "outbox of level {level}: {} messages that differ from the {} recorded",
                ours.len(),
                messages.len()
            ));
        }
    }
    Ok((states, steps))
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
    let every_tick = invocation.switch("every-tick");
    let style = indicatif::ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}").map_err(CliError::failed)?;
    let bar = indicatif::ProgressBar::new(cases.len() as u64).with_style(style);
    let (mut passed, mut failed, mut states, mut proofs) = (0, 0, 0, 0);
    for path in &cases {
        bar.set_message(path.display().to_string());
        match play(path, every_tick) {
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
