//! What players of a refutation game send (`spec/protocol.md` §5.2).

use super::{DalPageId, DissectionChunk};
use crate::binary_struct;
use crate::codec::{Decode, Decoded, Encode, HexBytes, Problem, Reader, put_dynamic, put_list};
use crate::hash::CommitmentHash;
use crate::number::N;
use crate::scalar::Level;
use serde::{Deserialize, Serialize};

/// A move in a game, or its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "refutation_kind", rename_all = "snake_case")]
pub enum Refutation {
    /// Starts a game on two commitments with the same predecessor.
    Start {
        /// The commitment the source stands for.
        player_commitment_hash: CommitmentHash,
        /// The commitment it attacks.
        opponent_commitment_hash: CommitmentHash,
    },
    /// Continues a game.
    Move {
        /// First tick of the section of the current dissection that is refused.
        choice: N,
        /// A finer dissection, or the proof of one tick.
        step: Step,
    },
}

/// What a move claims about the chosen section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Step {
    /// States inside the section.
    Dissection(Vec<DissectionChunk>),
    /// Proof of the one tick of the section.
    Proof(Proof),
}

/// Proof of one tick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Proof by the PVM: the parts of the state that the tick touches.
    pub pvm_step: HexBytes,
    /// Proof of the input, when the tick reads one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_proof: Option<InputProof>,
}

binary_struct!(Proof { pvm_step, input_proof });

/// Proof of what a tick reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "input_proof_kind", rename_all = "snake_case")]
pub enum InputProof {
    /// The message after (level, counter) of the inbox.
    InboxProof {
        /// Level of the message read before.
        level: Level,
        /// Its index.
        message_counter: N,
        /// Proof of inclusion (`spec/protocol.md` §3.6).
        serialized_proof: HexBytes,
    },
    /// The answer to a reveal.
    RevealProof {
        /// Proof of the answer.
        reveal_proof: RevealProof,
    },
    /// The first message after the origination.
    FirstInput,
}

/// Proof of the answer to a reveal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reveal_proof_kind", rename_all = "snake_case")]
pub enum RevealProof {
    /// The data itself, at most 4,096 bytes.
    RawDataProof {
        /// The data.
        raw_data: HexBytes,
    },
    /// Nothing: the protocol knows the rollup's metadata.
    MetadataProof,
    /// A DAL page.
    DalPageProof {
        /// Which page.
        dal_page_id: DalPageId,
        /// Proof of its content.
        dal_proof: HexBytes,
    },
    /// Nothing: the protocol knows the parameters.
    DalParametersProof,
}

/// Most bytes a revealed preimage may have.
const MAX_RAW_DATA: usize = 4096;

impl Encode for RevealProof {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            RevealProof::RawDataProof { raw_data } => {
                out.push(0);
                let length = u16::try_from(raw_data.0.len()).unwrap_or(u16::MAX);
                length.encode(out);
                out.extend_from_slice(&raw_data.0[..usize::from(length)]);
            }
            RevealProof::MetadataProof => out.push(1),
            RevealProof::DalPageProof { dal_page_id, dal_proof } => {
                out.push(2);
                dal_page_id.encode(out);
                put_dynamic(out, dal_proof.as_ref());
            }
            RevealProof::DalParametersProof => out.push(3),
        }
    }
}

impl Decode for RevealProof {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        Ok(
            match reader
                .tag("reveal proof", &["raw data proof", "metadata proof", "dal page proof", "dal parameters proof"])?
            {
                0 => {
                    let length = usize::from(u16::decode(reader)?);
                    reader.note_name("dynamic length", length);
                    if length > MAX_RAW_DATA {
                        return Err(at.error("revealed data", Problem::Limit));
                    }
                    RevealProof::RawDataProof {
                        raw_data: HexBytes(
                            reader.field("raw_data", |reader| reader.take(length, "revealed data"))?.to_vec(),
                        ),
                    }
                }
                1 => RevealProof::MetadataProof,
                2 => RevealProof::DalPageProof {
                    dal_page_id: reader.field("dal_page_id", Decode::decode)?,
                    dal_proof: reader.field("dal_proof", Decode::decode)?,
                },
                3 => RevealProof::DalParametersProof,
                tag => return Err(at.error("reveal proof", Problem::Tag(tag))),
            },
        )
    }
}

impl Encode for InputProof {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            InputProof::InboxProof { level, message_counter, serialized_proof } => {
                out.push(0);
                level.encode(out);
                message_counter.encode(out);
                serialized_proof.encode(out);
            }
            InputProof::RevealProof { reveal_proof } => {
                out.push(1);
                reveal_proof.encode(out);
            }
            InputProof::FirstInput => out.push(2),
        }
    }
}

impl Decode for InputProof {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        Ok(match reader.tag("input proof", &["inbox proof", "reveal proof", "first input"])? {
            0 => InputProof::InboxProof {
                level: reader.field("level", Decode::decode)?,
                message_counter: reader.field("message_counter", Decode::decode)?,
                serialized_proof: reader.field("serialized_proof", Decode::decode)?,
            },
            1 => InputProof::RevealProof { reveal_proof: reader.field("reveal_proof", Decode::decode)? },
            2 => InputProof::FirstInput,
            tag => return Err(at.error("input proof", Problem::Tag(tag))),
        })
    }
}

impl Encode for Step {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Step::Dissection(chunks) => {
                out.push(0);
                put_list(out, chunks);
            }
            Step::Proof(proof) => {
                out.push(1);
                proof.encode(out);
            }
        }
    }
}

impl Decode for Step {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        match reader.tag("step of a move", &["Dissection", "Proof"])? {
            0 => Decode::decode(reader).map(Step::Dissection),
            1 => Decode::decode(reader).map(Step::Proof),
            tag => Err(at.error("step of a move", Problem::Tag(tag))),
        }
    }
}

impl Encode for Refutation {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Refutation::Start { player_commitment_hash, opponent_commitment_hash } => {
                out.push(0);
                player_commitment_hash.encode(out);
                opponent_commitment_hash.encode(out);
            }
            Refutation::Move { choice, step } => {
                out.push(1);
                choice.encode(out);
                step.encode(out);
            }
        }
    }
}

impl Decode for Refutation {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        Ok(match reader.tag("refutation", &["Start", "Move"])? {
            0 => Refutation::Start {
                player_commitment_hash: reader.field("player_commitment_hash", Decode::decode)?,
                opponent_commitment_hash: reader.field("opponent_commitment_hash", Decode::decode)?,
            },
            1 => Refutation::Move {
                choice: reader.field("choice", Decode::decode)?,
                step: reader.field("step", Decode::decode)?,
            },
            tag => return Err(at.error("refutation", Problem::Tag(tag))),
        })
    }
}
