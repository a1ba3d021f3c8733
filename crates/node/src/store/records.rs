//! What is kept of a block, and of its outbox, publications and protocol (`spec/node.md` §5.2, §5.4).

use super::StoreError;
use bytes::Bytes;
use num_bigint::BigUint;
use num_traits::ToPrimitive;
use soru_pvm::Tick;
use soru_tezos::binary_struct;
use soru_tezos::codec::{Decode, Decoded, Encode, HexBytes, Reader};
use soru_tezos::hash::{BlockHash, CommitmentHash, InboxHash, PayloadHashesHash, ProtocolHash, StateHash};
use soru_tezos::header::BlockRef;
use soru_tezos::number::N;
use soru_tezos::rollup::Inbox;
use soru_tezos::scalar::{Level, Ticks, Timestamp};

/// A processed layer 1 block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBlock {
    /// Hash of the layer 1 block.
    pub hash: BlockHash,
    /// Its level.
    pub level: Level,
    /// The block before.
    pub predecessor: BlockHash,
    /// Time of the block.
    pub timestamp: Timestamp,
    /// The protocol that executed it.
    pub protocol: ProtocolHash,
    /// The commitment made at this block, at the end of a period.
    pub commitment: Option<CommitmentHash>,
    /// The last commitment made before this block; that of the block itself at genesis.
    pub previous_commitment: CommitmentHash,
    /// The inbox after the block.
    pub inbox: Inbox,
    /// Hash of that inbox.
    pub inbox_hash: InboxHash,
    /// Messages of the level, those of the protocol included; none are kept at genesis.
    pub message_count: u32,
    /// Ticks of the rollup before the block.
    pub initial_tick: Tick,
    /// Ticks of the block.
    pub ticks: Ticks,
    /// Hash of the PVM's state after the block: the root of its tree.
    pub state_hash: StateHash,
    /// What the PVM then waits for.
    pub status: String,
}

impl StoredBlock {
    /// Witness of the level: hash of the newest cell of its messages.
    pub fn witness(&self) -> PayloadHashesHash {
        self.inbox.old_levels_messages.content.hash
    }

    /// Ticks of the rollup after the block.
    pub fn final_tick(&self) -> Tick {
        Tick(self.initial_tick.0.saturating_add(u128::try_from(self.ticks.0).unwrap_or(0)))
    }

    /// The last commitment made up to this block.
    pub fn last_commitment(&self) -> CommitmentHash {
        self.commitment.unwrap_or(self.previous_commitment)
    }
}

impl Encode for StoredBlock {
    fn encode(&self, out: &mut Vec<u8>) {
        self.hash.encode(out);
        self.level.encode(out);
        self.predecessor.encode(out);
        self.timestamp.encode(out);
        self.protocol.encode(out);
        self.commitment.encode(out);
        self.previous_commitment.encode(out);
        self.inbox.encode(out);
        self.inbox_hash.encode(out);
        self.message_count.encode(out);
        N(BigUint::from(self.initial_tick.0)).encode(out);
        self.ticks.encode(out);
        self.state_hash.encode(out);
        HexBytes(self.status.clone().into_bytes()).encode(out);
    }
}

impl Decode for StoredBlock {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(StoredBlock {
            hash: Decode::decode(reader)?,
            level: Decode::decode(reader)?,
            predecessor: Decode::decode(reader)?,
            timestamp: Decode::decode(reader)?,
            protocol: Decode::decode(reader)?,
            commitment: Decode::decode(reader)?,
            previous_commitment: Decode::decode(reader)?,
            inbox: Decode::decode(reader)?,
            inbox_hash: Decode::decode(reader)?,
            message_count: Decode::decode(reader)?,
            initial_tick: Tick(N::decode(reader)?.0.to_u128().unwrap_or(u128::MAX)),
            ticks: Decode::decode(reader)?,
            state_hash: Decode::decode(reader)?,
            status: String::from_utf8_lossy(&HexBytes::decode(reader)?.0).into_owned(),
        })
    }
}

/// A named place: a hash and a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Of a block or a commitment.
    pub hash: [u8; 32],
    /// Its level.
    pub level: Level,
}

impl Encode for Mark {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.hash);
        self.level.encode(out);
    }
}

impl Decode for Mark {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(Mark { hash: reader.array("hash")?, level: Decode::decode(reader)? })
    }
}

/// Levels at which a commitment was published on layer 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publication {
    /// By anybody, first.
    pub first: Level,
    /// By this node's operator.
    pub own: Option<Level>,
}

binary_struct!(Publication { first, own });

/// The outbox messages of a level.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutboxRecord {
    /// Indexes of the messages.
    pub messages: Vec<u32>,
    /// Those executed on layer 1.
    pub executed: Vec<Execution>,
}

binary_struct!(OutboxRecord { messages, executed });

/// An execution of an outbox message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execution {
    /// Index of the message.
    pub index: u32,
    /// The block that executed it. On another branch the message still waits.
    pub block: BlockRef,
}

binary_struct!(Execution { index, block });

impl OutboxRecord {
    /// Indexes of the messages not executed.
    pub fn pending(&self) -> impl Iterator<Item = u32> + '_ {
        self.messages.iter().copied().filter(|index| self.executed.iter().all(|execution| execution.index != *index))
    }
}

/// A protocol and the level from which it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProtocolRecord {
    /// The protocol.
    pub protocol: ProtocolHash,
    /// Its number on the chain.
    pub proto_level: u8,
    /// The first level known of it.
    pub first_level: Level,
    /// Whether that level is the block that activated it, itself executed by the protocol before.
    pub is_activation: bool,
}

binary_struct!(ProtocolRecord { protocol, proto_level, first_level, is_activation });

impl ProtocolRecord {
    /// Whether the protocol executes the block of a level, no later record being known.
    pub fn holds_at(&self, level: Level) -> bool {
        if self.is_activation { level > self.first_level } else { level >= self.first_level }
    }
}

/// Messages are kept one after the other, each with its length.
pub(super) fn bytes_of_messages(messages: &[Bytes]) -> Vec<u8> {
    let mut out = Vec::with_capacity(messages.iter().map(|message| message.len() + 4).sum());
    for message in messages {
        soru_tezos::codec::put_dynamic(&mut out, message);
    }
    out
}

pub(super) fn messages_of_bytes(bytes: &[u8]) -> Result<Vec<Bytes>, StoreError> {
    let mut reader = Reader::new(bytes);
    let messages = reader.until_end(|reader| reader.dynamic("message").map(Bytes::copy_from_slice));
    messages.map_err(|e| StoreError::damaged("list of messages", e))
}
