//! `octez-codec`: JSON to binary and back for the encodings that rollups use (`spec/node.md` Appendix C).

use crate::grammar::{CliError, Command, Invocation, Tool};
use serde::Serialize;
use serde::de::DeserializeOwned;
use soru_tezos::codec::{Decode, Encode};
use soru_tezos::contract::{Contract, Destination};
use soru_tezos::hash::SmartRollupAddress;
use soru_tezos::json::pretty;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::operation::{ManagerOperation, Operation};
use soru_tezos::rollup::{Commitment, Game, Inbox, InboxMessage, OutboxMessage, Output, Proof, PvmKind, RevealRequest};
use soru_tezos::scalar::Level;

/// An encoding: its name behind the protocol's, what it is, and both directions.
struct Encoding {
    name: &'static str,
    doc: &'static str,
    encode: fn(&str) -> Result<Vec<u8>, String>,
    decode: fn(&[u8]) -> Result<serde_json::Value, String>,
}

const fn encoding<T: Encode + Decode + Serialize + DeserializeOwned>(
    name: &'static str,
    doc: &'static str,
) -> Encoding {
    Encoding {
        name,
        doc,
        encode: |json| {
            let value: T = serde_json::from_str(json).map_err(|error| error.to_string())?;
            Ok(value.to_bytes())
        },
        decode: |bytes| {
            let value = T::from_bytes(bytes).map_err(|error| error.to_string())?;
            serde_json::to_value(value).map_err(|error| error.to_string())
        },
    }
}

const ENCODINGS: &[Encoding] = &[
    encoding::<Contract>("contract", "an account: implicit or originated"),
    Encoding { name: "operation", doc: "a signed batch of manager operations", ..encoding::<Operation>("", "") },
    encoding::<ManagerOperation>("operation.contents", "one manager operation of a batch"),
    Encoding {
        name: "operation.unsigned",
        doc: "a batch of manager operations without signature",
        encode: |json| {
            let operation: Operation = serde_json::from_str(json).map_err(|error| error.to_string())?;
            Ok(operation.unsigned_bytes())
        },
        decode: |bytes| {
            let operation = Operation::from_unsigned_bytes(bytes).map_err(|error| error.to_string())?;
            serde_json::to_value(operation).map_err(|error| error.to_string())
        },
    },
    encoding::<Micheline>("script.expr", "a Micheline expression"),
    encoding::<SmartRollupAddress>("smart_rollup.address", "the address of a rollup"),
    encoding::<Commitment>("smart_rollup.commitment", "a commitment to a rollup's state"),
    encoding::<Commitment>("smart_rollup.commmitment", "the same, under the name the reference gives it"),
    encoding::<Game>("smart_rollup.game", "a refutation game"),
    encoding::<Inbox>("smart_rollup.inbox", "the inbox: its level and the newest cell of its history"),
    encoding::<InboxMessage>("smart_rollup.inbox.message", "a message of the inbox, as kernels read it"),
    encoding::<PvmKind>("smart_rollup.kind", "a kind of PVM"),
    encoding::<Metadata>("smart_rollup.metadata", "what reveal_metadata answers: address and origination level"),
    encoding::<OutboxMessage>("smart_rollup.outbox.message", "a message of the outbox, as kernels write it"),
    encoding::<Output>("smart_rollup.output", "an outbox message with its place"),
    encoding::<Proof>("smart_rollup.proof", "the proof of a tick, as a move of a game carries it"),
    encoding::<RevealRequest>("smart_rollup.reveal", "a request of a kernel for data"),
    encoding::<Vec<PublicKeyHash>>("smart_rollup.whitelist", "the stakers of a private rollup"),
    encoding::<Destination>("destination", "an account or a rollup"),
];

/// What `reveal_metadata` answers a kernel (`spec/protocol.md` §7.2).
#[derive(Serialize, serde::Deserialize)]
struct Metadata {
    address: SmartRollupAddress,
    origination_level: Level,
}

soru_tezos::binary_struct!(Metadata { address, origination_level });

/// The protocol names that may stand before an encoding's: all share these encodings.
const PROTOCOLS: &[&str] = &["025-PsUshuai", "alpha"];

fn find(id: &str) -> Result<&'static Encoding, String> {
    let (protocol, name) = id.split_once('.').unwrap_or(("", id));
    let known = PROTOCOLS.contains(&protocol);
    ENCODINGS.iter().find(|encoding| known && encoding.name == name).ok_or_else(|| format!("Unknown encoding id: {id}"))
}

/// The text of an argument: a literal, or the content of the file it names.
fn literal_or_file(text: &str) -> Result<String, CliError> {
    match text.strip_prefix("file:").or_else(|| std::path::Path::new(text).is_file().then_some(text)) {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|error| CliError::failed(format!("cannot read {path}: {error}")))
        }
        None => Ok(text.to_owned()),
    }
}

async fn encode(invocation: Invocation) -> Result<(), CliError> {
    let encoding = invocation.read_param("id", find)?;
    let json = literal_or_file(invocation.param("json"))?;
    let bytes = (encoding.encode)(&json).map_err(CliError::Usage)?;
    println!("{}", hex::encode(bytes));
    Ok(())
}

async fn decode(invocation: Invocation) -> Result<(), CliError> {
    let encoding = invocation.read_param("id", find)?;
    let text: String = literal_or_file(invocation.param("hex"))?.split_whitespace().collect();
    let bytes = hex::decode(&text).map_err(|error| CliError::Usage(format!("Invalid hex string: {text}\n{error}")))?;
    let value = (encoding.decode)(&bytes)
        .map_err(|error| CliError::Usage(format!("Cannot parse the binary with the given encoding\n{error}")))?;
    println!("{}", pretty(&value));
    Ok(())
}

async fn list(_: Invocation) -> Result<(), CliError> {
    let mut rows: Vec<String> = PROTOCOLS
        .iter()
        .flat_map(|protocol| ENCODINGS.iter().map(move |it| format!("{protocol}.{}:\n  {}", it.name, it.doc)))
        .collect();
    rows.sort();
    rows.iter().for_each(|row| println!("{row}"));
    Ok(())
}

/// The tool `octez-codec`.
pub fn tool(name: String) -> Tool {
    Tool {
        name,
        doc: "Encodes and decodes values of Tezos and its rollups.",
        version: super::version(),
        globals: &[],
        commands: vec![
            Command::new("Encodings", "list encodings", &[], "List the encodings.", |i| Box::pin(list(i))),
            Command::new(
                "Encodings",
                "encode <id> from <json>",
                &[],
                "Binary form (hexadecimal) of a JSON value or file.",
                |i| Box::pin(encode(i)),
            ),
            Command::new(
                "Encodings",
                "decode <id> from <hex>",
                &[],
                "JSON form of hexadecimal bytes, given or in a file.",
                |i| Box::pin(decode(i)),
            ),
        ],
    }
}
