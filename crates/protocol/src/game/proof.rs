//! Verifying the proof of one tick together with its input (`spec/protocol.md` §5.6, §5.7).

use crate::constants::{DalParametric, RevealActivation};
use crate::error::RollupError;
use crate::inbox::{InboxProofError, Located, SerializedInboxProof, start_of};
use crate::reveal::{DalWindow, dal_parameters, is_enabled, is_invalid_page_proof};
use crate::rollup::Rollup;
use soru_pvm::reveal::{DalParameters, RevealKind};
use soru_tezos::blake2b;
use soru_tezos::hash::{SmartRollupAddress, StateHash};
use soru_tezos::number::N;
use soru_tezos::rollup::{DissectionChunk, Game, InputProof, InputRequest, Proof, PvmKind, RevealProof, RevealRequest};
use soru_tezos::scalar::Level;

/// What a rollup can ask about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// Its address.
    pub address: SmartRollupAddress,
    /// Level of its origination.
    pub origination_level: Level,
}

/// What a tick is given to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A message of the inbox.
    Message(Located),
    /// The answer to a reveal: revealed data.
    RawData(Vec<u8>),
    /// The answer to a reveal: the rollup's metadata.
    Metadata(Metadata),
    /// The answer to a reveal: a page of the data availability layer; none when it has no such page.
    DalPage(Option<Vec<u8>>),
    /// The answer to a reveal: parameters of the data availability layer.
    DalParameters(DalParameters),
}

/// First and last state of a step proof, as it claims them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// The state it starts from.
    pub start: StateHash,
    /// The state it ends in.
    pub stop: StateHash,
}

/// Reads and verifies the PVM's part of step proofs.
pub trait StepProofs {
    /// First and last state of a proof; nothing when the bytes are no proof of that kind of PVM.
    fn ends(&self, kind: PvmKind, pvm_step: &[u8]) -> Option<Ends>;

    /// Level of the last message read in the proof's start state; an inner nothing before the first. The outer nothing:
    /// the proof does not show it.
    fn level(&self, kind: PvmKind, pvm_step: &[u8]) -> Option<Option<Level>>;

    /// Replays one tick on the parts of the state that the proof shows, feeding `input` if the machine waits for one.
    /// Gives what the machine waited for; nothing when the proof does not hold. `reveals` says which reveals the
    /// protocol answers at a level.
    fn verify(
        &self,
        kind: PvmKind,
        pvm_step: &[u8],
        input: Option<&Input>,
        reveals: &dyn Fn(Level, RevealKind) -> bool,
    ) -> Option<InputRequest>;
}

/// What the protocol knows when it verifies a proof.
#[derive(Debug, Clone, Copy)]
pub struct ProofContext<'a> {
    /// First levels of the kinds of reveals.
    pub reveals: &'a RevealActivation,
    /// Parameters of the data availability layer.
    pub dal: &'a DalParametric,
}

/// Why the input of a proof is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// The proof of the message does not hold.
    #[error(transparent)]
    Inbox(#[from] InboxProofError),
    /// The proof of the step does not hold.
    #[error("the step does not verify")]
    Step,
    /// The step reads something else.
    #[error("the input that is proven is not the one the step asks for")]
    Dissociated,
    /// Not the data of the hash.
    #[error("the revealed data does not hash to what the step asks for")]
    Reveal,
    /// A kind of proof that is not decided here.
    #[error("proofs of pages of the data availability layer that were published are not verified here")]
    DalPage,
}

/// Judges the proofs of a game.
pub(super) struct Referee<'a, P> {
    pub rollup: &'a Rollup,
    pub game: &'a Game,
    pub context: &'a ProofContext<'a>,
    pub proofs: &'a P,
}

impl<P: StepProofs> Referee<'_, P> {
    /// First and last state of a proof, as it claims them.
    pub(super) fn ends(&self, proof: &Proof) -> Result<Ends, RollupError> {
        self.proofs
            .ends(self.rollup.kind, &proof.pvm_step.0)
            .ok_or_else(|| RollupError::ProofCheck { reason: "Cannot unserialize proof".to_owned() })
    }

    /// Whether a last move holds: the first one must refute the stop chunk, the second one confirm it.
    pub(super) fn holds(
        &self,
        first: bool,
        (start, stop): (&DissectionChunk, &DissectionChunk),
        proof: &Proof,
        ends: Ends,
    ) -> bool {
        if start.state_hash != Some(ends.start) {
            return false;
        }
        let Ok((given, request)) = self.valid(proof) else { return false };
        // A machine that waits for an input it is not given is blocked: it has no next state.
        let goes_on = given != matches!(request, InputRequest::NoInputRequired);
        let state = goes_on.then_some(ends.stop);
        (state == stop.state_hash) != first
    }

    /// Verifies a step with its input. Gives whether an input was given, and what the machine waited for.
    fn valid(&self, proof: &Proof) -> Result<(bool, InputRequest), InputError> {
        let step = proof.pvm_step.0.as_slice();
        let input = match &proof.input_proof {
            None => None,
            Some(claim) => self.proven_input(claim, step)?,
        };
        let input = input.filter(|input| self.within(input));
        let reveals = |level: Level, kind: RevealKind| is_enabled(self.context.reveals, level, kind);
        let request = self.proofs.verify(self.rollup.kind, step, input.as_ref(), &reveals).ok_or(InputError::Step)?;
        check_request(proof.input_proof.as_ref(), &request)?;
        Ok((input.is_some(), request))
    }

    /// Messages up to the origination, or beyond the commitment, are none.
    fn within(&self, input: &Input) -> bool {
        match input {
            Input::Message(message) => {
                message.level > self.rollup.genesis_info.level && message.level <= self.game.inbox_level
            }
            _ => true,
        }
    }

    /// The input that a proof shows; nothing at the end of the inbox.
    fn proven_input(&self, claim: &InputProof, step: &[u8]) -> Result<Option<Input>, InputError> {
        let dal = self.context.dal;
        let origination = self.rollup.genesis_info.level;
        let level_read = || self.proofs.level(self.rollup.kind, step).ok_or(InputError::Step);
        Ok(match claim {
            InputProof::InboxProof { level, message_counter, serialized_proof } => {
                let next = N(&message_counter.0 + 1u8);
                let proof = SerializedInboxProof::parse(&serialized_proof.0)?;
                proof.verify(*level, &next, &self.game.inbox_snapshot)?.map(Input::Message)
            }
            InputProof::FirstInput => Some(Input::Message(start_of(origination.after(1)))),
            InputProof::RevealProof { reveal_proof } => Some(match reveal_proof {
                RevealProof::RawDataProof { raw_data } => Input::RawData(raw_data.0.clone()),
                RevealProof::MetadataProof => {
                    Input::Metadata(Metadata { address: self.rollup.address, origination_level: origination })
                }
                RevealProof::DalParametersProof => {
                    level_read()?;
                    Input::DalParameters(dal_parameters(dal))
                }
                RevealProof::DalPageProof { dal_page_id, dal_proof } => {
                    let window = DalWindow {
                        activation: dal.feature_enable.then_some(self.context.reveals.dal_parameters),
                        origination,
                        import: level_read()?.unwrap_or(origination),
                        validity_lag: self.context.reveals.dal_attested_slots_validity_lag,
                    };
                    if window.can_be_valid(dal, dal_page_id) || !is_invalid_page_proof(&dal_proof.0) {
                        return Err(InputError::DalPage);
                    }
                    Input::DalPage(None)
                }
            }),
        })
    }
}

/// Whether what is proven is what the machine waits for.
fn check_request(claim: Option<&InputProof>, request: &InputRequest) -> Result<(), InputError> {
    let wanted = match (claim, request) {
        (None, InputRequest::NoInputRequired) | (Some(InputProof::FirstInput), InputRequest::Initial) => true,
        (
            Some(InputProof::InboxProof { level, message_counter, .. }),
            InputRequest::FirstAfter { level: l, counter },
        ) => level == l && message_counter == counter,
        (Some(InputProof::RevealProof { reveal_proof }), InputRequest::NeedsReveal { reveal }) => {
            match (reveal_proof, reveal) {
                (RevealProof::RawDataProof { raw_data }, RevealRequest::RawData { hash }) => {
                    if hash.0[0] != 0 || blake2b::hash256(&raw_data.0) != hash.0[1..] {
                        return Err(InputError::Reveal);
                    }
                    true
                }
                (RevealProof::MetadataProof, RevealRequest::Metadata)
                | (RevealProof::DalParametersProof, RevealRequest::DalParameters) => true,
                (RevealProof::DalPageProof { dal_page_id, .. }, RevealRequest::DalPage { page_id }) => {
                    dal_page_id == page_id
                }
                _ => false,
            }
        }
        _ => false,
    };
    if wanted { Ok(()) } else { Err(InputError::Dissociated) }
}
