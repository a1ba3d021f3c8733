//! The last move: the proof of one tick with what it reads (`spec/node.md` §4.9, `spec/protocol.md` §5.7).

use super::RefutationError;
use super::states::PeriodStates;
use crate::store::Store;
use bytes::Bytes;
use num_bigint::BigUint;
use soru_protocol::inbox::{Located, SerializedInboxProof, start_of};
use soru_pvm::exact::{StepInput, verify_step};
use soru_pvm::step::NdsGate;
use soru_pvm::{InputPlace, InputRequest, Pvm, RevealRequest, Reveals, Tick};
use soru_tezos::codec::{Encode, HexBytes};
use soru_tezos::number::N;
use soru_tezos::rollup::{DalPageId, Game, InputProof, Proof, RevealProof};
use soru_tezos::scalar::Level;
use std::sync::Arc;

/// Where the inputs of a step come from.
#[derive(Clone)]
pub struct ProofInputs {
    /// Inbox history and messages.
    pub store: Store,
    /// Answers to reveals, the true ones.
    pub reveals: Arc<dyn Reveals>,
    /// Level of the rollup's origination.
    pub origination: Level,
}

/// What a step is given, and how it is shown.
struct Given {
    input: Option<StepInput>,
    proof: Option<InputProof>,
}

/// Proves the step that starts at a tick of the period, and verifies the proof.
///
/// # Errors
/// When the state, the proof or its input cannot be made.
pub fn prove(game: &Game, states: &mut PeriodStates, tick: &N, inputs: &ProofInputs) -> Result<Proof, RefutationError> {
    let machine = states.machine_at(tick)?;
    let machine = machine.ok_or(RefutationError::Inconsistent("a last step beyond the end of the period"))?;
    let at = machine.state().current_tick;
    let failed = |reason: String| RefutationError::Proof { level: game.inbox_level, tick: at, reason };
    let request = machine.info().map_err(|e| failed(e.to_string()))?.request;
    let given = given(&machine, &request, game, inputs, at)?;
    let step = machine.prove_step(given.input.clone()).map_err(|e| failed(e.to_string()))?;
    let step = step.to_bytes().map_err(|e| failed(e.to_string()))?;
    verify_step(&step, given.input, NdsGate::default()).map_err(|e| failed(format!("it does not verify: {e}")))?;
    Ok(Proof { pvm_step: HexBytes(step.as_bytes().to_vec()), input_proof: given.proof })
}

fn given(
    machine: &Pvm,
    request: &InputRequest,
    game: &Game,
    inputs: &ProofInputs,
    at: Tick,
) -> Result<Given, RefutationError> {
    let last = machine.state().last_input;
    match (request, last) {
        (InputRequest::None, _) => Ok(Given { input: None, proof: None }),
        (InputRequest::Input, None) => {
            let input = message(start_of(inputs.origination.after(1)), game, inputs);
            Ok(Given { input, proof: Some(InputProof::FirstInput) })
        }
        (InputRequest::Input, Some(last)) => inbox(last, game, inputs, at),
        (InputRequest::Reveal(raw), last) => reveal(raw, last.map(|last| last.level), game, inputs, at),
    }
}

/// A message as the step takes it; none of those that do not belong to the period.
fn message(located: Located, game: &Game, inputs: &ProofInputs) -> Option<StepInput> {
    let counter = u64::try_from(&located.counter.0).ok()?;
    let within = located.level > inputs.origination && located.level <= game.inbox_level;
    let place = InputPlace { level: located.level, counter };
    within.then(|| StepInput::Message { place, payload: located.payload.into() })
}

/// The message after the last one read, proven in the inbox as it was when the game started.
fn inbox(last: InputPlace, game: &Game, inputs: &ProofInputs, at: Tick) -> Result<Given, RefutationError> {
    let level = last.level;
    let missing = |what| RefutationError::Missing { what, level };
    let block = inputs.store.block_of_level(level)?.ok_or_else(|| missing("block"))?;
    let payloads = inputs.store.messages(&block.witness())?.ok_or_else(|| missing("messages"))?;
    let mut broken = None;
    let history = |hash: &_| match inputs.store.inbox_cell(hash) {
        Ok(cell) => cell,
        Err(e) => {
            broken = Some(e);
            None
        }
    };
    let next = last.counter.saturating_add(1);
    let payloads = payloads.iter().map(|payload| payload.as_ref());
    let made = SerializedInboxProof::produce(level, next, &game.inbox_snapshot, history, payloads);
    if let Some(error) = broken {
        return Err(error.into());
    }
    let (proof, located) = made.map_err(|source| RefutationError::Inbox { tick: at, source })?;
    let proof = InputProof::InboxProof {
        level,
        message_counter: N(BigUint::from(last.counter)),
        serialized_proof: HexBytes(proof.to_bytes()),
    };
    Ok(Given { input: located.and_then(|located| message(located, game, inputs)), proof: Some(proof) })
}

/// The answer to a reveal.
fn reveal(
    raw: &[u8],
    level: Option<Level>,
    game: &Game,
    inputs: &ProofInputs,
    at: Tick,
) -> Result<Given, RefutationError> {
    let reveals = &inputs.reveals;
    let request = RevealRequest::effective(raw, level, |level, kind| reveals.is_enabled(level, kind));
    let answer = reveals.answer_raw(raw, level).map_err(|e| RefutationError::Proof {
        level: game.inbox_level,
        tick: at,
        reason: e.to_string(),
    })?;
    let proof = match request {
        RevealRequest::Preimage(_) => RevealProof::RawDataProof { raw_data: HexBytes(answer.to_vec()) },
        RevealRequest::Metadata => RevealProof::MetadataProof,
        RevealRequest::DalParameters => RevealProof::DalParametersProof,
        // answered only when there can be no such page: the proof says so
        RevealRequest::DalPage(page) => RevealProof::DalPageProof {
            dal_page_id: DalPageId {
                published_level: page.published_level,
                slot_index: page.slot,
                page_index: page.page,
            },
            dal_proof: HexBytes(vec![2, 0, 0, 0]),
        },
    };
    let input = Some(StepInput::Reveal(Bytes::copy_from_slice(&answer)));
    Ok(Given { input, proof: Some(InputProof::RevealProof { reveal_proof: proof }) })
}
