//! Building the inbox of one level, message by message (`spec/protocol.md` §3.1, §3.2).

use super::{message_hash, payload_hash};
use crate::constants::{MAX_MESSAGES_PER_LEVEL, MESSAGE_SIZE_LIMIT};
use crate::protocol::Protocol;
use crate::skip_list;
use soru_tezos::codec::{Encode, HexBytes};
use soru_tezos::hash::{BlockHash, PayloadHashesHash};
use soru_tezos::rollup::{InboxMessage, InternalMessage};
use soru_tezos::scalar::Timestamp;

/// Why a message cannot enter the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Too long.
    #[error("the serialized inbox message has {size} bytes, at most {MESSAGE_SIZE_LIMIT} are allowed")]
    TooLarge {
        /// Its length when serialized.
        size: usize,
    },
    /// The level is full.
    #[error("the inbox of this level takes no more messages")]
    LevelFull,
}

/// The bytes of a message as the inbox holds it.
///
/// # Errors
/// When it has more than 4,096 bytes.
pub fn serialize(message: &InboxMessage) -> Result<Vec<u8>, MessageError> {
    let bytes = message.to_bytes();
    if bytes.len() > MESSAGE_SIZE_LIMIT { Err(MessageError::TooLarge { size: bytes.len() }) } else { Ok(bytes) }
}

/// What a level begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelStart {
    /// Time of the block before.
    pub predecessor_timestamp: Timestamp,
    /// Hash of the block before.
    pub predecessor: BlockHash,
    /// The protocol, if this is the first block it executes and it announces itself.
    pub migration: Option<Protocol>,
}

impl LevelStart {
    fn messages(&self) -> Vec<InternalMessage> {
        let mut messages = vec![
            InternalMessage::StartOfLevel,
            InternalMessage::InfoPerLevel {
                predecessor_timestamp: self.predecessor_timestamp,
                predecessor: self.predecessor,
            },
        ];
        if let Some(protocol) = self.migration.filter(|protocol| protocol.sends_migration_message()) {
            let protocol = HexBytes(protocol.version_value().as_bytes().to_vec());
            messages.push(InternalMessage::ProtocolMigration { protocol });
        }
        messages
    }
}

/// The inbox of the level being built: the serialized messages so far and the newest cell of their skip list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LevelInbox {
    payloads: Vec<Vec<u8>>,
    head: PayloadHashesHash,
    back_pointers: Vec<PayloadHashesHash>,
}

impl LevelInbox {
    /// A level with the messages it begins with: start of level, information on the block before, migration.
    pub fn start(start: &LevelStart) -> Self {
        let mut level = LevelInbox { payloads: Vec::new(), head: PayloadHashesHash::ZERO, back_pointers: Vec::new() };
        for message in start.messages() {
            level.push(InboxMessage::Internal(message).to_bytes());
        }
        level
    }

    /// A level from all its serialized messages, end of level included.
    pub fn of_payloads(payloads: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut level = LevelInbox { payloads: Vec::new(), head: PayloadHashesHash::ZERO, back_pointers: Vec::new() };
        payloads.into_iter().for_each(|payload| level.push(payload));
        level
    }

    fn push(&mut self, payload: Vec<u8>) {
        let content = message_hash(&payload);
        if let Some(last) = self.payloads.len().checked_sub(1) {
            self.back_pointers = skip_list::next_pointers(last as u64, &self.head, &self.back_pointers);
        }
        self.head = payload_hash(&content, &self.back_pointers);
        self.payloads.push(payload);
    }

    /// Adds a message: external ones and transfers during the block, in the order of their application.
    ///
    /// # Errors
    /// When it is too long, or the level is full.
    pub fn add(&mut self, message: &InboxMessage) -> Result<(), MessageError> {
        let payload = serialize(message)?;
        // The limit is on the index of the newest message.
        if self.payloads.len() as u64 > MAX_MESSAGES_PER_LEVEL + 1 {
            return Err(MessageError::LevelFull);
        }
        self.push(payload);
        Ok(())
    }

    /// Closes the level with its last message.
    pub fn end(&mut self) {
        self.push(InboxMessage::Internal(InternalMessage::EndOfLevel).to_bytes());
    }

    /// The serialized messages so far, in order.
    pub fn payloads(&self) -> &[Vec<u8>] {
        &self.payloads
    }

    /// The serialized messages, when nothing else of the level is needed.
    pub fn into_payloads(self) -> Vec<Vec<u8>> {
        self.payloads
    }

    /// Pointer of the newest cell: the level's witness once it is closed.
    pub fn witness(&self) -> PayloadHashesHash {
        self.head
    }
}
