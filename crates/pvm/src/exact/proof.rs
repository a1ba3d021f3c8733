//! Proofs of single steps (`spec/pvm.md` §2.1, §11.4): the step is run on the tree, and what it reads becomes the proof.

use super::step::{compute_step_of, hash_running, reveal_step, running_of};
use crate::error::PvmError;
use crate::input::InputPlace;
use crate::state::{InputRequest, State};
use crate::step::{NdsGate, input_step};
use bytes::Bytes;
use soru_merkle::{Digester, Proof, ProofBytes, ProofError, Tree, produce_proof_hashing};

/// What a step is given from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepInput {
    /// An inbox message.
    Message {
        /// Its place.
        place: InputPlace,
        /// Its bytes.
        payload: Bytes,
    },
    /// The answer to a reveal.
    Reveal(Bytes),
}

/// One step of the state in `tree`, whatever it waits for; the tree becomes that of the next state, good for its hash alone. A
/// state that waits for something else than `input` stays as it is. Gives what the state before waited for.
pub fn step_transition(
    tree: &mut Tree,
    digester: &mut Digester,
    input: Option<StepInput>,
    gate: NdsGate,
) -> Result<InputRequest, PvmError> {
    let mut state = State::decode(tree)?;
    // whatever the step does, the reference reads the whole tick state first
    let running = running_of(&state)?;
    let request = state.input_request()?;
    match (&request, input) {
        (InputRequest::None, _) => {
            compute_step_of(&mut state, running, gate, &mut |running| hash_running(running, digester))?
        }
        (InputRequest::Input, Some(StepInput::Message { place, payload })) => input_step(&mut state, place, payload)?,
        (InputRequest::Reveal(_), Some(StepInput::Reveal(answer))) => reveal_step(&mut state, &answer)?,
        _ => return Ok(request),
    }
    *tree = state.encode()?;
    Ok(request)
}

/// Proves the step of the state in `tree`. Gives the proof and what the state waits for.
pub fn prove_step(
    tree: &Tree,
    input: Option<StepInput>,
    gate: NdsGate,
) -> Result<(Proof, InputRequest), ProofError<PvmError>> {
    produce_proof_hashing(tree, |tree, digester| step_transition(tree, digester, input, gate))
}

/// Checks the proof of a step with this input. Gives what the state before waits for.
pub fn verify_step(
    proof: &ProofBytes,
    input: Option<StepInput>,
    gate: NdsGate,
) -> Result<InputRequest, ProofError<PvmError>> {
    let (request, _) = proof.verify_hashing(|tree, digester| step_transition(tree, digester, input, gate))?;
    Ok(request)
}
