//! Proofs of single ticks (`spec/protocol.md` §5.7, `spec/pvm.md` §11.4): the tick is made again on the parts of the state
//! that the proof shows, by the very machine that a node runs.

use crate::game::{Ends, Input, StepProofs};
use crate::inbox::Located;
use bytes::Bytes;
use num_bigint::BigUint;
use soru_merkle::{Proof, ProofBytes};
use soru_pvm::exact::{StepInput, step_transition};
use soru_pvm::reveal::{self, RevealKind, RevealRequest as Wanted, dal_parameters_answer, metadata_answer};
use soru_pvm::state::{InputRequest as Awaited, State};
use soru_pvm::step::NdsGate;
use soru_pvm::{InputPlace, PvmError};
use soru_tezos::hash::StateHash;
use soru_tezos::number::N;
use soru_tezos::rollup::{DalPageId, InputRequest, PvmKind, RevealRequest};
use soru_tezos::scalar::Level;

/// Step proofs of `wasm_2_0_0` rollups. Those of other kinds do not decode.
#[derive(Debug, Clone, Copy, Default)]
pub struct WasmSteps;

fn proof(kind: PvmKind, pvm_step: &[u8]) -> Option<ProofBytes> {
    (kind == PvmKind::Wasm200).then(|| ProofBytes::new(Bytes::copy_from_slice(pvm_step)).ok())?
}

impl StepProofs for WasmSteps {
    fn ends(&self, kind: PvmKind, pvm_step: &[u8]) -> Option<Ends> {
        // all of it must be a proof, before anything is said of its ends
        let proof = (kind == PvmKind::Wasm200).then(|| Proof::decode(Bytes::copy_from_slice(pvm_step)).ok())??;
        Some(Ends { start: StateHash(proof.before.0), stop: StateHash(proof.after.0) })
    }

    fn level(&self, kind: PvmKind, pvm_step: &[u8]) -> Option<Option<Level>> {
        let shown = proof(kind, pvm_step)?.cast_read_only();
        let (last_input, _) = shown.verify(|tree| Ok::<_, PvmError>(State::decode(tree)?.last_input)).ok()?;
        Some(last_input.map(|place| place.level))
    }

    fn verify(
        &self,
        kind: PvmKind,
        pvm_step: &[u8],
        input: Option<&Input>,
        reveals: &dyn Fn(Level, RevealKind) -> bool,
    ) -> Option<InputRequest> {
        let input = match input {
            Some(input) => Some(step_input(input)?),
            None => None,
        };
        let made = proof(kind, pvm_step)?.verify_hashing(|tree, digester| {
            let last_input = State::decode(tree)?.last_input;
            Ok::<_, PvmError>((last_input, step_transition(tree, digester, input, NdsGate::default())?))
        });
        let ((last_input, awaited), _) = made.ok()?;
        Some(request(&awaited, last_input, reveals))
    }
}

/// An input as the machine is given it; nothing for a place beyond all inboxes.
fn step_input(input: &Input) -> Option<StepInput> {
    Some(match input {
        Input::Message(Located { level, counter, payload }) => {
            let counter = u64::try_from(&counter.0).ok()?;
            StepInput::Message { place: InputPlace { level: *level, counter }, payload: payload.clone().into() }
        }
        Input::RawData(data) => StepInput::Reveal(data.clone().into()),
        Input::Metadata(metadata) => StepInput::Reveal(metadata_answer(&metadata.address, metadata.origination_level)),
        Input::DalPage(page) => StepInput::Reveal(page.clone().unwrap_or_default().into()),
        Input::DalParameters(parameters) => StepInput::Reveal(dal_parameters_answer(parameters)),
    })
}

/// What a machine waits for, as the protocol names it. `last_input` is the place of the last message it has read.
pub fn request(
    awaited: &Awaited,
    last_input: Option<InputPlace>,
    reveals: &dyn Fn(Level, RevealKind) -> bool,
) -> InputRequest {
    match awaited {
        Awaited::None => InputRequest::NoInputRequired,
        Awaited::Input => match last_input {
            None => InputRequest::Initial,
            Some(InputPlace { level, counter }) => {
                InputRequest::FirstAfter { level, counter: N(BigUint::from(counter)) }
            }
        },
        Awaited::Reveal(raw) => {
            let level = last_input.map(|place| place.level);
            let reveal = match Wanted::effective(raw, level, reveals) {
                Wanted::Preimage(hash) => RevealRequest::RawData { hash },
                Wanted::Metadata => RevealRequest::Metadata,
                Wanted::DalPage(reveal::DalPage { published_level, slot, page }) => RevealRequest::DalPage {
                    page_id: DalPageId { published_level, slot_index: slot, page_index: page },
                },
                Wanted::DalParameters => RevealRequest::DalParameters,
            };
            InputRequest::NeedsReveal { reveal }
        }
    }
}
