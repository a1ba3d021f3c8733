//! The JSON of blocks, commitments and outbox messages (`spec/node.md` §6.4, Appendix F.6).

use crate::store::{Publication, StoredBlock};
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value, json};
use soru_tezos::base58_bytes;
use soru_tezos::hash::CommitmentHash;
use soru_tezos::number::N;
use soru_tezos::rollup::{Commitment, OutboxMessage, Output};
use soru_tezos::scalar::Level;

base58_bytes!(
    /// Where the node keeps a state, in the form the reference prints it.
    StateReference, 32, [8, 209, 216, 166], "state reference (SRCo1…)"
);

/// What a block holds besides its header.
pub(super) struct Content<'a> {
    pub messages: &'a [Bytes],
    pub commitment: Option<&'a Commitment>,
    /// Asked for with `outbox=true`.
    pub outbox: Option<Vec<(u32, OutboxMessage)>>,
}

/// A block, with its content or without.
pub(super) fn block(block: &StoredBlock, content: Option<Content<'_>>) -> Value {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| drop(object.insert(name.to_owned(), value));
    put("block_hash", json!(block.hash));
    put("level", json!(block.level));
    put("predecessor", json!(block.predecessor));
    put("commitment_hash", json!(block.commitment));
    put("previous_commitment_hash", json!(block.previous_commitment));
    put("context", json!(StateReference(block.state_hash.0)));
    put("inbox_witness", json!(block.witness()));
    put("inbox_hash", json!(block.inbox_hash));
    if let Some(content) = content {
        put("inbox", json!(block.inbox));
        put("messages", content.messages.iter().map(hex::encode).collect());
        if let Some(commitment) = content.commitment {
            put("commitment", json!(commitment));
        }
        if let Some(outbox) = content.outbox {
            put("outbox", outbox.iter().map(|(index, message)| indexed_message(*index, message)).collect());
        }
    }
    put("initial_tick", json!(block.initial_tick.0.to_string()));
    put("num_ticks", json!(block.ticks));
    put("state_hash", json!(block.state_hash));
    put("pvm_status", json!(block.status));
    Value::Object(object)
}

/// A commitment as `local/commitments` shows it.
#[derive(Debug, Serialize)]
pub(super) struct CommitmentInfo {
    pub commitment: Commitment,
    pub hash: CommitmentHash,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_published_at_level: Option<Level>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_at_level: Option<Level>,
}

impl CommitmentInfo {
    pub(super) fn new(hash: CommitmentHash, commitment: Commitment, publication: Option<Publication>) -> Self {
        CommitmentInfo {
            commitment,
            hash,
            first_published_at_level: publication.map(|publication| publication.first),
            published_at_level: publication.and_then(|publication| publication.own),
        }
    }
}

/// An outbox message without its level: its index is a number and its kind shows in the name of its field.
fn indexed_message(index: u32, message: &OutboxMessage) -> Value {
    let mut object = Map::new();
    object.insert("message_index".to_owned(), json!(index));
    if let Value::Object(fields) = message_summary(message) {
        object.extend(fields);
    }
    Value::Object(object)
}

/// An outbox message by the name of its one field.
pub(super) fn message_summary(message: &OutboxMessage) -> Value {
    match message {
        OutboxMessage::AtomicTransactionBatch(transactions) => json!({"transactions": transactions}),
        OutboxMessage::AtomicTransactionBatchTyped(transactions) => json!({"transactions": transactions}),
        OutboxMessage::WhitelistUpdate(whitelist) => json!({"whitelist_update": whitelist}),
        OutboxMessage::CanonicalRollupSignal(payload) => json!({"canonical_rollup_signal": payload}),
    }
}

/// The same messages as the protocol's outputs.
pub(super) fn outputs(level: Level, messages: Vec<(u32, OutboxMessage)>) -> Vec<Output> {
    let output = |(index, message)| Output { outbox_level: level, message_index: N::from(u64::from(index)), message };
    messages.into_iter().map(output).collect()
}
