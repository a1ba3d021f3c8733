//! `soru pvm`: looking into the PVM without a chain: playing cases, proving and verifying steps, conformance.

mod conformance;
mod input;
mod proof;
mod trace;

use crate::grammar::{CliError, Command, Opt};
use soru_pvm::case::Case;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Largest case that is read: hexadecimal of kernels and messages, far below this in practice.
const MAX_CASE: u64 = 1 << 28;

const TRACE: &[Opt] = &[
    Opt::value(
        "every",
        None,
        "N",
        "the state at each N-th tick, instead of the ticks in the file's checkpoints[].tick",
    ),
    Opt::value("tick", None, "T", "the state at tick T only"),
    Opt::value(
        "dump",
        None,
        "TICK",
        "instead of hashes, the whole state at TICK: a line with path and bytes for each leaf",
    ),
    Opt::switch(
        "proofs",
        None,
        "add the size and hash of the proofs of the steps that start at the file's proofs[].tick",
    ),
    Opt::value(
        "engine",
        None,
        "exact|fast",
        "exact (default): every tick by the exact machine. fast: the runs of the kernel inside which nothing is asked for by the \
         fast engine, where it is certain of their result",
    ),
];

const PROVE: &[Opt] = &[
    Opt::value("tick", None, "T", "the tick at which the step starts"),
    Opt::value("output", Some('o'), "FILE", "the file to write the proof to"),
];

const VERIFY: &[Opt] = &[Opt::value("input", None, "INPUT", input::DOC)];

const CONFORMANCE: &[Opt] = &[Opt::switch(
    "every-tick",
    None,
    "hash the state at every tick, and compare with the hash over all of them where a case records it (slow)",
)];

/// Reads at most `limit` bytes; more is an error.
fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let cannot = |error| format!("cannot read {}: {error}", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(cannot)?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > limit {
        return Err(format!("{} is larger than {limit} bytes, the most that is read", path.display()));
    }
    Ok(bytes)
}

/// Reads a JSON file about a case: the case itself, or what it records.
fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, String> {
    let bytes = read_file(path, MAX_CASE)?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{} is not a PVM case: {error}", path.display()))
}

fn read_case(path: &str) -> Result<Case, CliError> {
    read_json(Path::new(path)).map_err(CliError::failed)
}

/// The commands of `soru` itself.
pub fn commands() -> Vec<Command> {
    vec![
        Command::new(
            "PVM",
            "pvm trace <file>",
            &[TRACE],
            "Play a case (kernel, inboxes, preimages in JSON) and print the state at each tick of its checkpoints, a JSON line each.",
            |i| Box::pin(trace::run(i)),
        ),
        Command::new(
            "PVM",
            "pvm prove <file>",
            &[PROVE],
            "Play a case up to a tick and write the proof of the step that starts there. Prints what the proof is about, and the input \
             that 'pvm verify' is to be given, if there is one.",
            |i| Box::pin(proof::prove(i)),
        ),
        Command::new(
            "PVM",
            "pvm verify <proof>",
            &[VERIFY],
            "Check the proof of a step from its bytes alone, and print the hashes of the states before and after.",
            |i| Box::pin(proof::verify(i)),
        ),
        Command::new(
            "PVM",
            "pvm show-proof <proof>",
            &[],
            "Print what a proof shows of the state: a line for each directory and leaf, hashes for what it leaves out.",
            |i| Box::pin(proof::show(i)),
        ),
        Command::new(
            "PVM",
            "pvm conformance [path]",
            &[CONFORMANCE],
            "Play every case below the paths, and compare states, proofs and outboxes with what the cases record.",
            |i| Box::pin(conformance::run(i)),
        ),
    ]
}
