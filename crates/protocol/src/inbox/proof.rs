//! Proofs that a message stands at a place of the inbox, or that a level has no more messages
//! (`spec/protocol.md` §3.6).

use super::{history_hash, message_hash, payload_cell_hash, payload_cells};
use crate::constants::MESSAGE_SIZE_LIMIT;
use crate::skip_list;
use num_bigint::BigUint;
use soru_tezos::binary_struct;
use soru_tezos::codec::{Decode, DecodeError, Encode, HexBytes};
use soru_tezos::hash::InboxHash;
use soru_tezos::number::N;
use soru_tezos::rollup::{HistoryCell, InboxMessage, InternalMessage, PayloadCell};
use soru_tezos::scalar::Level;

/// Proof about one message: the path in the history to its level, then the path in the level to the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerializedInboxProof {
    /// Cells of the history, newest first, the level's last.
    pub inclusion_proof: Vec<HistoryCell>,
    /// The message within its level.
    pub message_proof: MessageProof,
}

/// Proof about a message of a known level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageProof {
    /// Cells of the level, newest first, the message's last.
    pub proof: Vec<PayloadCell>,
    /// The message; none proves that the level ends before it.
    pub payload: Option<HexBytes>,
}

binary_struct!(MessageProof { proof, payload });
binary_struct!(SerializedInboxProof { inclusion_proof, message_proof });

/// A message with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Its level.
    pub level: Level,
    /// Its index in the level.
    pub counter: N,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// Why a proof does not hold, or cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InboxProofError {
    /// Not the bytes of a proof.
    #[error("not an inbox proof: {0}")]
    Encoding(#[from] DecodeError),
    /// No cells.
    #[error("the path to the {0} is empty")]
    Empty(&'static str),
    /// The path in the history is not the shortest from the snapshot.
    #[error("the path to the level is not the shortest one from the inbox's head")]
    Inclusion,
    /// The path in the level is not the shortest.
    #[error("the path to the message is not the shortest one from the level's last")]
    MessagePath,
    /// The level's cells belong to another level.
    #[error("the messages are not those of the level")]
    OtherLevel,
    /// A payload where the level has ended.
    #[error("a message is given beyond the end of the level")]
    Unexpected,
    /// No payload where there is a message.
    #[error("the message itself is missing")]
    Missing,
    /// The payload is not the message of the cell.
    #[error("the message does not hash to its cell")]
    Payload,
    /// Index of another message.
    #[error("the message found is not number {wanted} of its level")]
    Index {
        /// The index asked for.
        wanted: N,
    },
    /// Beyond the end.
    #[error("there is no message number {wanted}, nor is it the one after the last")]
    OutOfRange {
        /// The index asked for.
        wanted: N,
    },
    /// The level is not one of the history.
    #[error("level {0} is not in the history of the inbox, or its cells are missing")]
    UnknownLevel(Level),
}

impl SerializedInboxProof {
    /// Reads a proof from its bytes, which it must use up.
    ///
    /// # Errors
    /// When the bytes are no proof, or hold a message longer than the inbox takes.
    pub fn parse(bytes: &[u8]) -> Result<Self, InboxProofError> {
        Ok(Self::from_bytes(bytes)?)
    }

    /// What the proof says about message `counter` of `level`, in the inbox whose newest cell is `snapshot`: the
    /// message, or the start of the next level when the level ends before it, or nothing when it is the last level.
    ///
    /// That the proven cell belongs to `level` is not checked, as the protocol does not (`spec/protocol.md` §3.6).
    ///
    /// # Errors
    /// When the proof does not hold.
    pub fn verify(
        &self,
        level: Level,
        counter: &N,
        snapshot: &HistoryCell,
    ) -> Result<Option<Located>, InboxProofError> {
        let target = self.inclusion_proof.last().ok_or(InboxProofError::Empty("level"))?;
        if !skip_list::is_path(&self.inclusion_proof, &history_hash(snapshot), history_hash) {
            return Err(InboxProofError::Inclusion);
        }
        match self.message_proof.verify(&target.content.hash, counter)? {
            Some(payload) => Ok(Some(Located { level, counter: counter.clone(), payload })),
            None if target == snapshot => Ok(None),
            None => Ok(Some(start_of(level.after(1)))),
        }
    }

    /// Proves message `counter` of `level` in the inbox whose newest cell is `snapshot`. `history` gives the cells of the
    /// history by their hash, `payloads` are all messages of the level.
    ///
    /// # Errors
    /// When the level is not in the history or the messages are not the level's.
    pub fn produce<'a>(
        level: Level,
        counter: u64,
        snapshot: &HistoryCell,
        history: impl FnMut(&InboxHash) -> Option<HistoryCell>,
        payloads: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<(Self, Option<Located>), InboxProofError> {
        let unknown = || InboxProofError::UnknownLevel(level);
        // Every level has a cell, so the index follows from the level.
        let back = u64::try_from(snapshot.content.level.since(level)).map_err(|_| unknown())?;
        let index = skip_list::small(&snapshot.index).checked_sub(back).ok_or_else(unknown)?;
        let inclusion_proof = skip_list::path_to(snapshot.clone(), index, history).ok_or_else(unknown)?;
        let target = inclusion_proof.last().filter(|cell| cell.content.level == level).ok_or_else(unknown)?;

        let payloads: Vec<&[u8]> = payloads.into_iter().collect();
        let cells = payload_cells(payloads.iter().copied());
        let head = cells.last().ok_or(InboxProofError::Empty("message"))?;
        if payload_cell_hash(head) != target.content.hash {
            return Err(InboxProofError::OtherLevel);
        }
        let last = cells.len() as u64 - 1;
        let by_hash = |hash: &_| cells.iter().find(|cell| payload_cell_hash(cell) == *hash).cloned();
        let proof = skip_list::path_to(head.clone(), counter.min(last), by_hash).ok_or(InboxProofError::MessagePath)?;
        let payload = usize::try_from(counter).ok().and_then(|counter| payloads.get(counter)).map(|p| p.to_vec());
        let message = match &payload {
            Some(payload) => Some(Located { level, counter: N::from(counter), payload: payload.clone() }),
            None if target == snapshot => None,
            None => Some(start_of(level.after(1))),
        };
        let message_proof = MessageProof { proof, payload: payload.map(HexBytes) };
        Ok((SerializedInboxProof { inclusion_proof, message_proof }, message))
    }
}

impl MessageProof {
    /// The message the proof gives for index `counter` of the level with that witness; none when the level ends before.
    fn verify(
        &self,
        witness: &soru_tezos::hash::PayloadHashesHash,
        counter: &N,
    ) -> Result<Option<Vec<u8>>, InboxProofError> {
        let (Some(head), Some(target)) = (self.proof.first(), self.proof.last()) else {
            return Err(InboxProofError::Empty("message"));
        };
        let head_hash = payload_cell_hash(head);
        if !skip_list::is_path(&self.proof, &head_hash, payload_cell_hash) {
            return Err(InboxProofError::MessagePath);
        }
        if head_hash != *witness {
            return Err(InboxProofError::OtherLevel);
        }
        if counter.0 == &head.index.0 + BigUint::from(1u8) {
            if self.payload.is_some() {
                return Err(InboxProofError::Unexpected);
            }
            return if target == head { Ok(None) } else { Err(InboxProofError::Index { wanted: counter.clone() }) };
        }
        if *counter > head.index {
            return Err(InboxProofError::OutOfRange { wanted: counter.clone() });
        }
        let payload = self.payload.as_ref().ok_or(InboxProofError::Missing)?;
        if payload.0.len() > MESSAGE_SIZE_LIMIT || message_hash(&payload.0) != target.content {
            return Err(InboxProofError::Payload);
        }
        if target.index != *counter {
            return Err(InboxProofError::Index { wanted: counter.clone() });
        }
        Ok(Some(payload.0.clone()))
    }
}

/// The first message of a level, which every level has.
pub fn start_of(level: Level) -> Located {
    let payload = InboxMessage::Internal(InternalMessage::StartOfLevel).to_bytes();
    Located { level, counter: N::from(0), payload }
}
