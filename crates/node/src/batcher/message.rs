//! Messages that wait for a batch, and their ids (`spec/node.md` §4.15).

use soru_l1::injector::OperationId;
use soru_tezos::codec::{Encode, HexBytes};
use soru_tezos::number::Z;
use soru_tezos::{base58_bytes, binary_struct, blake2b};

base58_bytes!(
    /// The id of a message.
    MessageId, 32, [3, 250, 179, 247, 196], "l2 message id (scmsg…)"
);

impl MessageId {
    /// The id of a message: with its number where equal messages count as different ones.
    pub fn new(counter: Option<u64>, content: &HexBytes) -> MessageId {
        let counter = counter.map(|counter| Z::from(i64::try_from(counter).unwrap_or(i64::MAX)));
        MessageId(blake2b::digest(&[&counter.to_bytes(), &content.to_bytes()]))
    }
}

/// A message that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Its place: messages with one go first.
    pub order: Option<u64>,
    /// Its number, in the order of arrival.
    pub counter: u64,
    /// What is sent.
    pub content: HexBytes,
}

binary_struct!(Message { id, order, counter, content });

/// A message that was put into a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batched {
    /// Its id.
    pub id: MessageId,
    /// The batch's id in the injector.
    pub operation: OperationId,
    /// What is sent.
    pub content: HexBytes,
}

binary_struct!(Batched { id, operation, content });
