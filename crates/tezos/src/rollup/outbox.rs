//! Outbox messages and their place in the outbox (`spec/protocol.md` §6.1), and the whitelist they can change.

use crate::binary_struct;
use crate::codec::{Decode, Decoded, Encode, Problem, Reader, put_dynamic, put_list, put_option};
use crate::contract::{Contract, Entrypoint};
use crate::hash::ContractHash;
use crate::key::PublicKeyHash;
use crate::micheline::Micheline;
use crate::number::N;
use crate::scalar::Level;
use serde::{Deserialize, Serialize};

/// A call that an outbox message makes, its parameter untyped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxTransaction {
    /// The parameter.
    pub parameters: Micheline,
    /// The contract called.
    pub destination: ContractHash,
    /// The entrypoint called.
    #[serde(default, skip_serializing_if = "Entrypoint::is_default")]
    pub entrypoint: Entrypoint,
}

/// A call that carries the type of its parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxTypedTransaction {
    /// The parameter.
    pub parameters: Micheline,
    /// Its type.
    pub parameters_ty: Micheline,
    /// The contract called.
    pub destination: ContractHash,
    /// The entrypoint called.
    #[serde(default, skip_serializing_if = "Entrypoint::is_default")]
    pub entrypoint: Entrypoint,
}

/// A message from a rollup to the layer 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Json", into = "Json")]
pub enum OutboxMessage {
    /// Calls that succeed or fail together.
    AtomicTransactionBatch(Vec<OutboxTransaction>),
    /// The same with typed parameters.
    AtomicTransactionBatchTyped(Vec<OutboxTypedTransaction>),
    /// Replaces the whitelist of a private rollup; nothing makes it public.
    WhitelistUpdate(Option<Vec<PublicKeyHash>>),
    /// A payload for whoever watches the rollup (Ushuaia on).
    CanonicalRollupSignal(String),
}

/// In JSON the kind comes last.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Json {
    Untyped {
        transactions: Vec<OutboxTransaction>,
        kind: Untyped,
    },
    Typed {
        transactions: Vec<OutboxTypedTransaction>,
        kind: Typed,
    },
    Whitelist {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        whitelist: Option<Vec<PublicKeyHash>>,
        kind: Whitelist,
    },
    Signal {
        payload: String,
        kind: Signal,
    },
}

macro_rules! words {
    ($($name:ident = $word:literal),*) => {$(
        #[derive(Clone, Copy, Serialize, Deserialize)]
        enum $name { #[serde(rename = $word)] Is }
    )*};
}
words!(Untyped = "untyped", Typed = "typed", Whitelist = "whitelist_update", Signal = "canonical_rollup_signal");

impl From<OutboxMessage> for Json {
    fn from(message: OutboxMessage) -> Self {
        match message {
            OutboxMessage::AtomicTransactionBatch(transactions) => Json::Untyped { transactions, kind: Untyped::Is },
            OutboxMessage::AtomicTransactionBatchTyped(transactions) => Json::Typed { transactions, kind: Typed::Is },
            OutboxMessage::WhitelistUpdate(whitelist) => Json::Whitelist { whitelist, kind: Whitelist::Is },
            OutboxMessage::CanonicalRollupSignal(payload) => Json::Signal { payload, kind: Signal::Is },
        }
    }
}

impl From<Json> for OutboxMessage {
    fn from(json: Json) -> Self {
        match json {
            Json::Untyped { transactions, .. } => OutboxMessage::AtomicTransactionBatch(transactions),
            Json::Typed { transactions, .. } => OutboxMessage::AtomicTransactionBatchTyped(transactions),
            Json::Whitelist { whitelist, .. } => OutboxMessage::WhitelistUpdate(whitelist),
            Json::Signal { payload, .. } => OutboxMessage::CanonicalRollupSignal(payload),
        }
    }
}

impl Encode for OutboxTransaction {
    fn encode(&self, out: &mut Vec<u8>) {
        self.parameters.encode(out);
        Contract::Originated(self.destination).encode(out);
        self.entrypoint.encode_simple(out);
    }
}

impl Decode for OutboxTransaction {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(OutboxTransaction {
            parameters: reader.field("parameters", Decode::decode)?,
            destination: reader.field("destination", ContractHash::decode_contract)?,
            entrypoint: reader.field("entrypoint", Entrypoint::decode_simple)?,
        })
    }
}

impl Encode for OutboxTypedTransaction {
    fn encode(&self, out: &mut Vec<u8>) {
        self.parameters.encode(out);
        self.parameters_ty.encode(out);
        Contract::Originated(self.destination).encode(out);
        self.entrypoint.encode_simple(out);
    }
}

impl Decode for OutboxTypedTransaction {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(OutboxTypedTransaction {
            parameters: reader.field("parameters", Decode::decode)?,
            parameters_ty: reader.field("parameters_ty", Decode::decode)?,
            destination: reader.field("destination", ContractHash::decode_contract)?,
            entrypoint: reader.field("entrypoint", Entrypoint::decode_simple)?,
        })
    }
}

impl Encode for OutboxMessage {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            OutboxMessage::AtomicTransactionBatch(transactions) => {
                out.push(0);
                put_list(out, transactions);
            }
            OutboxMessage::AtomicTransactionBatchTyped(transactions) => {
                out.push(1);
                put_list(out, transactions);
            }
            OutboxMessage::WhitelistUpdate(whitelist) => {
                out.push(2);
                put_option(out, whitelist.as_ref());
            }
            OutboxMessage::CanonicalRollupSignal(payload) => {
                out.push(3);
                put_dynamic(out, payload.as_bytes());
            }
        }
    }
}

impl Decode for OutboxMessage {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        const TITLES: [&str; 4] = [
            "Atomic_transaction_batch",
            "Atomic_transaction_batch_typed",
            "Whitelist_update",
            "Canonical_rollup_signal",
        ];
        let at = reader.clone();
        Ok(match reader.tag("outbox message", &TITLES)? {
            0 => OutboxMessage::AtomicTransactionBatch(reader.field("transactions", Decode::decode)?),
            1 => OutboxMessage::AtomicTransactionBatchTyped(reader.field("transactions", Decode::decode)?),
            2 => OutboxMessage::WhitelistUpdate(reader.field("whitelist", Decode::decode)?),
            3 => {
                let payload = reader.field("payload", |reader| {
                    let payload = reader.dynamic("signal payload")?;
                    reader.note_text(payload);
                    Ok(payload)
                })?;
                let text = String::from_utf8(payload.to_vec());
                OutboxMessage::CanonicalRollupSignal(
                    text.map_err(|_| at.error("signal payload", Problem::Other("not UTF-8 text")))?,
                )
            }
            tag => return Err(at.error("outbox message", Problem::Tag(tag))),
        })
    }
}

/// An outbox message with its place in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Level of the outbox.
    pub outbox_level: Level,
    /// Index of the message in that level.
    pub message_index: N,
    /// The message.
    pub message: OutboxMessage,
}

binary_struct!(Output { outbox_level, message_index, message });

/// What an executed whitelist update did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WhitelistUpdate {
    /// The rollup became public.
    Public,
    /// The whitelist was replaced.
    Update {
        /// The new whitelist.
        whitelist: Vec<PublicKeyHash>,
    },
}
