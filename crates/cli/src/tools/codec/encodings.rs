//! The table of encodings, and what differs between protocols (`spec/node.md` Appendix C).

use super::output_proof::OutputProof;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use soru_protocol::protocol::Protocol;
use soru_protocol::wire::{Contents, Dated};
use soru_tezos::codec::{Decode, Decoded, Encode, Problem, Reader, Slice, Trace};
use soru_tezos::contract::{Contract, Destination};
use soru_tezos::hash::{BlockHash, SmartRollupAddress};
use soru_tezos::json::pretty;
use soru_tezos::key::{PublicKeyHash, Signature};
use soru_tezos::micheline::Micheline;
use soru_tezos::operation::{decode_signed, put_signature};
use soru_tezos::rollup::{Commitment, Game, Inbox, InboxMessage, OutboxMessage, Output, Proof, PvmKind, RevealRequest};
use soru_tezos::scalar::Level;

/// An encoding: its name behind the protocol's, what it is, the first protocol that has it, and both directions.
pub(super) struct Encoding {
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    pub(super) since: Protocol,
    encode: fn(Protocol, &str) -> Result<Vec<u8>, String>,
    decode: fn(Protocol, &mut Reader<'_>) -> Result<Value, String>,
}

/// An encoding with the protocol it is asked for, and its whole name.
#[derive(Clone)]
pub(super) struct Chosen {
    pub(super) id: String,
    encoding: &'static Encoding,
    protocol: Protocol,
}

impl Chosen {
    /// The binary form of a JSON text.
    pub(super) fn encode(&self, json: &str) -> Result<Vec<u8>, String> {
        (self.encoding.encode)(self.protocol, json)
    }

    /// The JSON form of bytes.
    pub(super) fn decode(&self, bytes: &[u8]) -> Result<Value, String> {
        self.read(&mut Reader::new(bytes))
    }

    /// The pieces of bytes.
    pub(super) fn slice(&self, bytes: &[u8]) -> Result<Vec<Slice>, String> {
        let protocol = self.id.split_once('.').map_or("", |(protocol, _)| protocol);
        let trace = Trace::new(format!("{protocol}."));
        Reader::traced(bytes, &trace).described(&self.id, |reader| Ok(self.read(reader))).map_err(text)??;
        Ok(trace.into_slices())
    }

    fn read(&self, reader: &mut Reader<'_>) -> Result<Value, String> {
        let value = (self.encoding.decode)(self.protocol, reader)?;
        reader.finish("value").map_err(text)?;
        Ok(value)
    }

    /// A value as a person reads it, from its JSON form.
    pub(super) fn show(&self, value: &Value) -> String {
        match (self.encoding.name, value) {
            ("smart_rollup.metadata", value) => {
                let address = value["address"].as_str().unwrap_or_default();
                format!("address: {address} ; origination_level: {}", value["origination_level"])
            }
            ("smart_rollup.whitelist", Value::Array(stakers)) => {
                let short = stakers.iter().filter_map(|staker| staker.as_str()?.get(..SHORT_ADDRESS));
                show_list(&short.collect::<Vec<_>>())
            }
            (_, Value::String(text)) => text.clone(),
            _ => pretty(value),
        }
    }
}

/// Letters of a staker's address that are shown in lists.
const SHORT_ADDRESS: usize = 13;
/// Columns of a list on one line.
const WIDTH: usize = 78;

fn show_list(items: &[&str]) -> String {
    let line = format!("[{}]", items.join("; "));
    if line.len() < WIDTH { line } else { format!("[\n  {}\n]", items.join(";\n  ")) }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// An encoding that is the same in all protocols that have it.
const fn constant<T: Encode + Decode + Serialize + DeserializeOwned>(
    name: &'static str,
    doc: &'static str,
    since: Protocol,
) -> Encoding {
    Encoding {
        name,
        doc,
        since,
        encode: |_, json| Ok(serde_json::from_str::<T>(json).map_err(text)?.to_bytes()),
        decode: |_, reader| serde_json::to_value(T::decode(reader).map_err(text)?).map_err(text),
    }
}

/// An encoding that grew: every protocol knows a part of the values.
const fn growing<T: Encode + Decode + Serialize + DeserializeOwned + Dated>(
    name: &'static str,
    doc: &'static str,
    since: Protocol,
) -> Encoding {
    Encoding {
        name,
        doc,
        since,
        encode: |protocol, json| {
            let value: T = serde_json::from_str(json).map_err(text)?;
            value.check(protocol).map_err(text)?;
            Ok(value.to_bytes())
        },
        decode: |protocol, reader| {
            let value = T::decode(reader).map_err(text)?;
            value.check(protocol).map_err(text)?;
            serde_json::to_value(value).map_err(text)
        },
    }
}

/// Reads a value that a protocol must know.
pub(super) fn checked<T: Decode + Dated>(protocol: Protocol, reader: &mut Reader<'_>) -> Decoded<T> {
    let at = reader.clone();
    let value = T::decode(reader)?;
    match value.check(protocol) {
        Ok(()) => Ok(value),
        Err(error) => Err(at.error(error.since.what, Problem::Other("unknown to the protocol"))),
    }
}

const ALL: Protocol = Protocol::Mumbai;
/// The reference registers the encodings of rollups from here on.
const ROLLUPS: Protocol = Protocol::Nairobi;

const ENCODINGS: &[Encoding] = &[
    constant::<Contract>("contract", "an account: implicit or originated", ALL),
    constant::<Destination>("destination", "an account or a rollup", ALL),
    Encoding {
        name: "operation",
        doc: "a signed batch of manager operations",
        since: ALL,
        encode: |protocol, json| {
            let batch = Batch::from_json(protocol, json)?;
            let mut out = batch.unsigned_bytes(protocol)?;
            put_signature(&mut out, batch.signature.as_ref());
            Ok(out)
        },
        decode: |protocol, reader| {
            let signed = decode_signed(reader, |reader| Contents::decode(protocol, reader)).map_err(text)?;
            let (branch, contents, signature, _) = signed;
            Batch { branch, contents, signature }.to_json(protocol)
        },
    },
    Encoding {
        name: "operation.contents",
        doc: "one manager operation of a batch",
        since: ALL,
        encode: |protocol, json| {
            let json = serde_json::from_str(json).map_err(text)?;
            let mut out = Vec::new();
            Contents::from_json(protocol, json)
                .and_then(|contents| contents.encode(protocol, &mut out))
                .map_err(text)?;
            Ok(out)
        },
        decode: |protocol, reader| Contents::decode(protocol, reader).map_err(text)?.to_json(protocol).map_err(text),
    },
    Encoding {
        name: "operation.unsigned",
        doc: "a batch of manager operations without signature",
        since: ALL,
        encode: |protocol, json| Batch::from_json(protocol, json)?.unsigned_bytes(protocol),
        decode: |protocol, reader| {
            let branch = reader.field("branch", BlockHash::decode).map_err(text)?;
            let contents = reader.until_end(|reader| Contents::decode(protocol, reader)).map_err(text)?;
            Batch { branch, contents, signature: None }.to_json(protocol)
        },
    },
    growing::<Micheline>("script.expr", "a Micheline expression", ALL),
    constant::<SmartRollupAddress>("smart_rollup.address", "the address of a rollup", ROLLUPS),
    constant::<Commitment>("smart_rollup.commitment", "a commitment to a rollup's state", ROLLUPS),
    constant::<Commitment>("smart_rollup.commmitment", "the same, under the name the reference gives it", ROLLUPS),
    growing::<Game>("smart_rollup.game", "a refutation game", ROLLUPS),
    constant::<Inbox>("smart_rollup.inbox", "the inbox: its level and the newest cell of its history", ROLLUPS),
    growing::<InboxMessage>("smart_rollup.inbox.message", "a message of the inbox, as kernels read it", ROLLUPS),
    growing::<PvmKind>("smart_rollup.kind", "a kind of PVM", ROLLUPS),
    constant::<Metadata>(
        "smart_rollup.metadata",
        "what reveal_metadata answers: address and origination level",
        ROLLUPS,
    ),
    growing::<OutboxMessage>("smart_rollup.outbox.message", "a message of the outbox, as kernels write it", ROLLUPS),
    growing::<Output>("smart_rollup.output", "an outbox message with its place", ROLLUPS),
    growing::<Proof>("smart_rollup.proof", "the proof of a tick, as a move of a game carries it", ROLLUPS),
    growing::<RevealRequest>("smart_rollup.reveal", "a request of a kernel for data", Protocol::Oxford),
    Encoding {
        name: "smart_rollup.wasm_2_0_0.output.proof",
        doc: "the proof of an output, as its execution carries it",
        since: ROLLUPS,
        encode: |protocol, json| {
            OutputProof::from_json(protocol, &serde_json::from_str(json).map_err(text)?)?.to_bytes()
        },
        decode: |protocol, reader| OutputProof::decode(protocol, reader).map_err(text)?.to_json().map_err(text),
    },
    constant::<Vec<PublicKeyHash>>("smart_rollup.whitelist", "the stakers of a private rollup", Protocol::Oxford),
];

/// What `reveal_metadata` answers a kernel (`spec/protocol.md` §7.2).
#[derive(Serialize, Deserialize)]
struct Metadata {
    address: SmartRollupAddress,
    origination_level: Level,
}

soru_tezos::binary_struct!(Metadata { address, origination_level });

/// A batch of operations in a protocol's form.
struct Batch {
    branch: BlockHash,
    contents: Vec<Contents>,
    signature: Option<Signature>,
}

#[derive(Serialize, Deserialize)]
struct BatchJson {
    branch: BlockHash,
    contents: Vec<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<Signature>,
}

impl Batch {
    fn from_json(protocol: Protocol, json: &str) -> Result<Batch, String> {
        let BatchJson { branch, contents, signature } = serde_json::from_str(json).map_err(text)?;
        let contents = contents.into_iter().map(|json| Contents::from_json(protocol, json)).collect::<Result<_, _>>();
        Ok(Batch { branch, contents: contents.map_err(text)?, signature })
    }

    fn to_json(&self, protocol: Protocol) -> Result<Value, String> {
        let contents = self.contents.iter().map(|contents| contents.to_json(protocol)).collect::<Result<_, _>>();
        let json =
            BatchJson { branch: self.branch, contents: contents.map_err(text)?, signature: self.signature.clone() };
        serde_json::to_value(json).map_err(text)
    }

    fn unsigned_bytes(&self, protocol: Protocol) -> Result<Vec<u8>, String> {
        let mut out = self.branch.to_bytes();
        for contents in &self.contents {
            contents.encode(protocol, &mut out).map_err(text)?;
        }
        Ok(out)
    }
}

/// The protocols with the names that stand before an encoding's. What is in development has the encodings of the newest.
fn protocols() -> impl Iterator<Item = (String, Protocol)> {
    let numbered = Protocol::ALL.into_iter().map(|protocol| (protocol.error_name(), protocol));
    numbered.chain([("alpha".to_owned(), Protocol::Ushuaia)])
}

/// Finds an encoding by its whole name.
pub(super) fn find(id: &str) -> Result<Chosen, String> {
    let unknown = || format!("Unknown encoding id: {id}");
    let (name, rest) = id.split_once('.').ok_or_else(unknown)?;
    let (_, protocol) = protocols().find(|(known, _)| known == name).ok_or_else(unknown)?;
    let encoding = ENCODINGS.iter().find(|encoding| encoding.name == rest).ok_or_else(unknown)?;
    if protocol < encoding.since {
        return Err(format!(
            "{}\n{name} has no such encoding: it came with {}",
            unknown(),
            encoding.since.error_name()
        ));
    }
    Ok(Chosen { id: id.to_owned(), encoding, protocol })
}

/// All encodings, in alphabetical order of their whole names.
pub(super) fn all() -> Vec<Chosen> {
    let mut all: Vec<Chosen> = protocols()
        .flat_map(|(name, protocol)| {
            let known = ENCODINGS.iter().filter(move |encoding| encoding.since <= protocol);
            known.map(move |encoding| Chosen { id: format!("{name}.{}", encoding.name), encoding, protocol })
        })
        .collect();
    all.sort_by(|one, other| one.id.cmp(&other.id));
    all
}

impl Chosen {
    /// What the encoding is.
    pub(super) fn doc(&self) -> &'static str {
        self.encoding.doc
    }
}
