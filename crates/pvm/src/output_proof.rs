//! Proofs that an outbox message is in a state (`spec/pvm.md` §11.5, `spec/protocol.md` §6.2).

use crate::buffers::InputBuffer;
use crate::encoding::{put_natural, read_natural};
use crate::error::PvmError;
use crate::leaf;
use crate::outbox::OutputBuffer;
use bytes::Bytes;
use soru_merkle::{EncodeError, Proof, ProofError, Tree, produce_proof};
use soru_tezos::codec::{Decode, DecodeError, Decoded, Encode, Problem, Reader};
use soru_tezos::hash::StateHash;
use soru_tezos::scalar::Level;

/// A message of an outbox with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Level of the outbox.
    pub level: Level,
    /// Index in the outbox.
    pub index: u64,
    /// The message, as the kernel wrote it.
    pub message: Bytes,
}

impl Encode for Output {
    fn encode(&self, out: &mut Vec<u8>) {
        self.level.encode(out);
        put_natural(out, self.index.into());
        out.extend_from_slice(&self.message);
    }
}

impl Decode for Output {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let level = Level::decode(reader)?;
        let at = reader.clone();
        let index = u64::try_from(read_natural(reader, "message index")?);
        let index = index.map_err(|_| at.error("message index", Problem::Number))?;
        Ok(Output { level, index, message: Bytes::copy_from_slice(reader.take_rest()) })
    }
}

/// Why there is no proof, or it does not hold.
#[derive(Debug, thiserror::Error)]
pub enum OutputProofError {
    /// The outbox has no such message.
    #[error("the outbox of level {level} has no message {index}")]
    NoMessage {
        /// Level of the outbox.
        level: Level,
        /// Index wanted.
        index: u64,
    },
    /// The bytes do not start with a tree proof.
    #[error("not an output proof: {0}")]
    TreeProof(#[from] soru_merkle::DecodeError),
    /// The tree proof is not followed by an output.
    #[error("not an output proof: {0}")]
    Output(#[from] DecodeError),
    /// The proof cannot be written down.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The tree proof does not hold, or does not show what is read.
    #[error("the output proof does not hold: {0}")]
    Proof(#[from] ProofError<PvmError>),
    /// The state proven does not hold the message claimed.
    #[error("the proven state holds another message, or none, at index {index} of the outbox of level {level}")]
    OtherMessage {
        /// Level of the outbox.
        level: Level,
        /// Index claimed.
        index: u64,
    },
}

/// What is proven: reading the message. Reads the tag and the headers of both buffers first, as the reference does, which
/// decides what a proof shows.
fn read_output(tree: &Tree, level: Level, index: u64) -> Result<Option<Bytes>, PvmError> {
    leaf::required(tree, &["tag"], |_| Ok(()))?;
    InputBuffer::decode(tree)?;
    OutputBuffer::decode(tree)?.message(level, index)
}

/// Proves that `tree` holds message `index` in the outbox of `level`: a tree proof followed by the [`Output`].
pub fn produce_output_proof(tree: &Tree, level: Level, index: u64) -> Result<Vec<u8>, OutputProofError> {
    let (proof, message) = produce_proof(tree, |tree| read_output(tree, level, index))?;
    let message = message.ok_or(OutputProofError::NoMessage { level, index })?;
    let mut bytes = proof.encode()?;
    Output { level, index, message }.encode(&mut bytes);
    Ok(bytes)
}

/// Checks an output proof from its bytes alone. Gives the state it is about and the message it proves.
pub fn verify_output_proof(bytes: impl Into<Bytes>) -> Result<(StateHash, Output), OutputProofError> {
    let (proof, rest) = Proof::decode_prefix(bytes)?;
    let output = Output::from_bytes(&rest)?;
    let (level, index) = (output.level, output.index);
    let (message, _) = proof.verify(|tree| read_output(tree, level, index))?;
    match message {
        Some(message) if message == output.message => Ok((StateHash(proof.before.0), output)),
        _ => Err(OutputProofError::OtherMessage { level, index }),
    }
}
