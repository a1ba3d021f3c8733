//! `soru pvm prove`, `verify` and `show-proof`: the proof of a step as a file.

use super::{input, read_case, read_file, trace};
use crate::grammar::{CliError, Invocation};
use bytes::Bytes;
use serde_json::json;
use soru_merkle::{Proof, ProofBytes};
use soru_pvm::exact::{StepInput, verify_step};
use soru_pvm::step::NdsGate;
use soru_pvm::trace::{Event, Wanted};
use soru_pvm::{InputRequest, RevealRequest};
use soru_tezos::blake2b;
use soru_tezos::hash::{RevealHash, StateHash};
use std::ops::ControlFlow;
use std::path::Path;

/// Largest proof that is read. A layer 1 operation has room for 32 kB.
const MAX_PROOF: u64 = 1 << 24;

/// Runs `pvm prove`.
pub async fn prove(invocation: Invocation) -> Result<(), CliError> {
    let case = read_case(invocation.param("file"))?;
    let needed = |name| CliError::Usage(format!("Give the option --{name}; see soru pvm prove --help."));
    let tick: u64 = invocation.parse_option("tick")?.ok_or_else(|| needed("tick"))?;
    let output = invocation.option("output").ok_or_else(|| needed("output"))?;
    let mut proven = None;
    let wanted = Wanted { proofs: [tick].into(), ..Wanted::default() };
    let played = case.play(&wanted, None, &mut |event| match event {
        Event::Step { proof, input, .. } => {
            proven = Some((proof.clone(), input.map(input::print)));
            ControlFlow::Break(())
        }
        Event::State { .. } => ControlFlow::Continue(()),
    });
    let played = played.map_err(CliError::failed)?;
    let Some((proof, input)) = proven else {
        return Err(CliError::failed(format!("no step starts at tick {tick}: {}", trace::end_of(&played))));
    };
    let bytes = proof.encode().map_err(CliError::failed)?;
    std::fs::write(output, &bytes).map_err(|error| CliError::failed(format!("cannot write {output}: {error}")))?;
    let about = json!({
        "tick": tick,
        "proof": { "size": bytes.len(), "blake2b": hex::encode(blake2b::hash256(&bytes)) },
        "before": StateHash(proof.before.0),
        "after": StateHash(proof.after.0),
        "input": input,
    });
    println!("{about}");
    Ok(())
}

/// The file of a proof, all of which is one.
fn read_proof(invocation: &Invocation) -> Result<(ProofBytes, Proof), CliError> {
    let path = invocation.param("proof");
    let bytes = Bytes::from(read_file(Path::new(path), MAX_PROOF).map_err(CliError::failed)?);
    let proof = Proof::decode(bytes.clone()).and_then(|proof| Ok((ProofBytes::new(bytes)?, proof)));
    proof.map_err(|error| CliError::failed(format!("{path} is not a proof: {error}")))
}

fn print_hashes(proof: &ProofBytes) {
    println!("before {}\nafter  {}", StateHash(proof.before().0), StateHash(proof.after().0));
}

/// Runs `pvm verify`.
pub async fn verify(invocation: Invocation) -> Result<(), CliError> {
    let given = invocation.read_option("input", input::parse)?;
    let (proof, _) = read_proof(&invocation)?;
    let request = verify_step(&proof, given.clone(), NdsGate::default());
    let request = request.map_err(|error| CliError::failed(format!("the proof does not hold: {error}")))?;
    fits(&request, given.as_ref()).map_err(CliError::failed)?;
    print_hashes(&proof);
    Ok(())
}

/// Whether the input given is what the state before waits for. The step of a state that is given something else is no step
/// that the layer 1 would accept, though its proof may hold.
fn fits(request: &InputRequest, given: Option<&StepInput>) -> Result<(), String> {
    match (request, given) {
        (InputRequest::None, None) | (InputRequest::Input, Some(StepInput::Message { .. })) => Ok(()),
        (InputRequest::None, Some(_)) => Err("the state computes and takes no input: leave --input out".to_owned()),
        (InputRequest::Input, _) => {
            Err("the state waits for an inbox message: give it as --input inbox:LEVEL:COUNTER:HEX".to_owned())
        }
        (InputRequest::Reveal(raw), Some(StepInput::Reveal(answer))) => match RevealRequest::decode(raw) {
            Ok(RevealRequest::Preimage(hash)) if hash != RevealHash::of_data(answer) => {
                Err(format!("the answer is not the preimage of {hash}, which the state waits for"))
            }
            _ => Ok(()),
        },
        (InputRequest::Reveal(raw), _) => {
            let raw = hex::encode(raw);
            Err(format!("the state waits for the answer to the reveal {raw}: give it as --input reveal:HEX"))
        }
    }
}

/// Runs `pvm show-proof`.
pub async fn show(invocation: Invocation) -> Result<(), CliError> {
    let (bytes, proof) = read_proof(&invocation)?;
    print_hashes(&bytes);
    println!("{} bytes, version {}", bytes.as_bytes().len(), proof.version);
    print!("/ {}", proof.state);
    Ok(())
}
