//! `soru pvm trace`: the states of a case on the way, a line each as soon as it is known.

use super::read_case;
use crate::grammar::{CliError, Invocation};
use serde_json::json;
use soru_merkle::{Proof, Tree};
use soru_pvm::case::Case;
use soru_pvm::fast::{FastConfig, FastEngine};
use soru_pvm::trace::{Event, Line, Played, Wanted};
use soru_tezos::blake2b;
use std::num::NonZeroU64;
use std::ops::ControlFlow;

/// Runs `pvm trace`.
pub async fn run(invocation: Invocation) -> Result<(), CliError> {
    let case = read_case(invocation.param("file"))?;
    let engine = match invocation.option("engine").unwrap_or("exact") {
        "exact" => None,
        "fast" => Some(FastEngine::new(FastConfig::default()).map_err(CliError::failed)?),
        other => return Err(CliError::option("engine", other, "Give exact or fast.")),
    };
    let dumped: Option<u64> = invocation.parse_option("dump")?;
    let mut wanted = wanted(&case, &invocation)?;
    if let Some(tick) = dumped {
        wanted = Wanted { ticks: [tick].into(), ..Wanted::default() };
    }
    let mut printer = Printer { dump: dumped.is_some(), left: wanted.ticks.len() + wanted.proofs.len(), failure: None };
    // once all single ticks are told the rest of the case does not matter
    let endless = wanted.every.is_some();
    let played = case.play(&wanted, engine.as_ref(), &mut |event| {
        let told = printer.tell(&event, &wanted);
        match told {
            Ok(()) if endless || printer.left > 0 => ControlFlow::Continue(()),
            Ok(()) => ControlFlow::Break(()),
            Err(error) => {
                printer.failure = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    let played = played.map_err(CliError::failed)?;
    match printer {
        Printer { failure: Some(error), .. } => Err(error),
        Printer { left: 0, .. } => Ok(()),
        Printer { left, .. } => Err(CliError::failed(format!("{left} ticks were not reached: {}", end_of(&played)))),
    }
}

fn wanted(case: &Case, invocation: &Invocation) -> Result<Wanted, CliError> {
    let mut wanted = Wanted::of_case(case);
    if !invocation.switch("proofs") {
        wanted.proofs.clear();
    }
    wanted.every = invocation.parse_option::<NonZeroU64>("every")?;
    if wanted.every.is_some() {
        wanted.ticks.clear();
    }
    if let Some(tick) = invocation.parse_option("tick")? {
        wanted.ticks = [tick].into();
    }
    Ok(wanted)
}

/// Where a case ended, for a message about ticks beyond.
pub fn end_of(played: &Played) -> String {
    let end = played.pvm.state().current_tick;
    match &played.stopped {
        Some(reason) => format!("the case stops at tick {end}: {reason}"),
        None => format!("the case ends at tick {end}"),
    }
}

struct Printer {
    dump: bool,
    left: usize,
    failure: Option<CliError>,
}

impl Printer {
    fn tell(&mut self, event: &Event<'_>, wanted: &Wanted) -> Result<(), CliError> {
        match event {
            Event::State { tick, tree, pvm, hash } => {
                self.left -= usize::from(wanted.ticks.contains(tick));
                if self.dump {
                    return print_leaves(tree);
                }
                let line = Line::of(pvm, *hash).map_err(CliError::failed)?;
                println!("{}", serde_json::to_string(&line).map_err(CliError::failed)?);
            }
            Event::Step { tick, proof, .. } => {
                self.left -= 1;
                print_proof(*tick, proof)?;
            }
        }
        Ok(())
    }
}

fn print_proof(tick: u64, proof: &Proof) -> Result<(), CliError> {
    let bytes = proof.encode().map_err(CliError::failed)?;
    let hash = hex::encode(blake2b::hash256(&bytes));
    println!("{}", json!({ "tick": tick, "proof": { "size": bytes.len(), "blake2b": hash } }));
    Ok(())
}

fn print_leaves(tree: &Tree) -> Result<(), CliError> {
    for leaf in tree.leaves() {
        let (path, bytes) = leaf.map_err(CliError::failed)?;
        let steps: Vec<String> = path.iter().map(ToString::to_string).collect();
        println!("{}", json!({ "path": steps.join("/"), "hex": hex::encode(bytes) }));
    }
    Ok(())
}
