//! `soru pvm`: looking into the PVM without a chain.

use super::conformance;
use crate::grammar::{CliError, Command, Invocation, Opt};
use serde::Deserialize;
use serde_json::json;
use soru_pvm::exact::trace::Wanted;
use soru_pvm::fast::{FastConfig, FastEngine, TickPolicy};
use soru_pvm::trace::{Case, Line};
use soru_tezos::blake2b;

const TRACE: &[Opt] = &[
    Opt::value(
        "engine",
        None,
        "exact|fast",
        "exact (default) answers at every tick; fast only between kernel_runs, but at once",
    ),
    Opt::switch(
        "proofs",
        None,
        "add the size and hash of the proofs of the ticks in the file's proofs[].tick (exact engine)",
    ),
];

/// The proofs a case asks for; what it records of them is not read.
#[derive(Deserialize)]
struct ProofTicks {
    #[serde(default)]
    proofs: Vec<ProofTick>,
}

#[derive(Deserialize)]
struct ProofTick {
    tick: u64,
}

fn print(line: &Line) -> Result<(), CliError> {
    println!("{}", serde_json::to_string(line).map_err(CliError::failed)?);
    Ok(())
}

async fn trace(invocation: Invocation) -> Result<(), CliError> {
    let path = invocation.param("file");
    let text =
        std::fs::read_to_string(path).map_err(|error| CliError::failed(format!("cannot read {path}: {error}")))?;
    let not_a_case = |error: serde_json::Error| CliError::failed(format!("{path} is not a PVM case: {error}"));
    let case: Case = serde_json::from_str(&text).map_err(not_a_case)?;
    match invocation.option("engine").unwrap_or("exact") {
        "exact" => {
            let asked: ProofTicks = serde_json::from_str(&text).map_err(not_a_case)?;
            let proofs = if invocation.switch("proofs") { asked.proofs } else { Vec::new() };
            exact(&case, proofs.into_iter().map(|proof| proof.tick).collect())
        }
        "fast" => fast(&case),
        other => Err(CliError::option("engine", other, "give exact or fast")),
    }
}

fn exact(case: &Case, proofs: std::collections::BTreeSet<u64>) -> Result<(), CliError> {
    let wanted = Wanted { ticks: case.checkpoints.iter().map(|it| it.tick).collect(), proofs, every_hash: false };
    let trace = case.trace_exact(&wanted).map_err(CliError::failed)?;
    for line in &trace.lines {
        print(line)?;
        if let Some(proof) = trace.proofs.get(&line.tick) {
            print_proof(line.tick, proof);
        }
    }
    for (tick, proof) in trace.proofs.iter().filter(|(tick, _)| !trace.lines.iter().any(|line| line.tick == **tick)) {
        print_proof(*tick, proof);
    }
    let missing = wanted.ticks.iter().filter(|tick| !trace.lines.iter().any(|line| line.tick == **tick)).count();
    match (missing, trace.stopped) {
        (0, _) => Ok(()),
        (_, Some(reason)) => Err(CliError::failed(format!("{missing} ticks were not reached: {reason}"))),
        (_, None) => Err(CliError::failed(format!("{missing} ticks lie beyond the end of the case"))),
    }
}

fn print_proof(tick: u64, proof: &[u8]) {
    let hash = hex::encode(blake2b::hash256(proof));
    println!("{}", json!({ "tick": tick, "proof": { "size": proof.len(), "blake2b": hash } }));
}

fn fast(case: &Case) -> Result<(), CliError> {
    // the vectors have small limits of ticks, which the fast engine does not count
    let engine = FastEngine::new(FastConfig { ticks: TickPolicy::Assumed, ..FastConfig::default() })
        .map_err(CliError::failed)?;
    let trace = case.trace(&engine).map_err(CliError::failed)?;
    let mut refused = 0;
    for answer in &trace.answers {
        match answer {
            Ok(line) => print(line)?,
            Err(not_yet) => {
                refused += 1;
                eprintln!("not yet: {not_yet}");
            }
        }
    }
    if refused == 0 {
        Ok(())
    } else {
        Err(CliError::failed(format!("{refused} ticks were not answered; --engine exact answers them")))
    }
}

/// The commands of `soru` itself.
pub fn commands() -> Vec<Command> {
    vec![
        Command::new(
            "PVM",
            "pvm trace <file>",
            &[TRACE],
            "Play a case (kernel, inboxes, preimages in JSON) and print the state at each tick of its checkpoints, a JSON line each.",
            |i| Box::pin(trace(i)),
        ),
        Command::new(
            "PVM",
            "pvm conformance [path]",
            &[],
            "Play every case below the paths, and compare states and proofs with what the cases record.",
            |i| Box::pin(conformance::run(i)),
        ),
    ]
}
