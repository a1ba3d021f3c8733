//! Small vectors recorded in the reference's own repository: contents, signatures, JSON against binary.

use serde_json::{Value, json};
use soru_tezos::codec::{Decode, Encode};
use soru_tezos::contract::Contract;
use soru_tezos::hash::{
    BlockPayloadHash, CommitmentHash, ContractHash, OperationHash, OperationListHash, SmartRollupAddress,
};
use soru_tezos::header::{Header, ProtocolData, RawHeader};
use soru_tezos::key::{PublicKey, Signature};
use soru_tezos::operation::{ManagerBody, ManagerOperation, Operation};
use soru_tezos::receipt::{BalanceUpdate, InternalReceipt, SimulationResult};
use soru_tezos::rollup::{Commitment, InboxMessage, OutboxMessage, Refutation, RevealRequest};
use soru_tezos::sign::Watermark;
use std::path::Path;

fn vectors(name: &str) -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/upstream").join(name);
    let Ok(text) = std::fs::read_to_string(file) else {
        println!("skipped: {name} is not beside the repository");
        return Vec::new();
    };
    let mut whole: Value = serde_json::from_str(&text).unwrap();
    let list = if whole["vectors"].is_array() { whole["vectors"].take() } else { whole["samples"].take() };
    serde_json::from_value(list).unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

/// The JSON of an operation from the input of a vector, which writes all numbers as numbers.
fn contents(kind: &str, input: &Value) -> Value {
    let mut object = json!({ "kind": kind });
    for (key, value) in input.as_object().unwrap() {
        let text = value.as_u64().map(|number| Value::String(number.to_string()));
        object[key] = text.unwrap_or_else(|| value.clone());
    }
    if let Some(ticks) = input["commitment"]["number_of_ticks"].as_u64() {
        object["commitment"]["number_of_ticks"] = json!(ticks.to_string());
    }
    if input["entrypoint"].is_string() {
        object["parameters"] = json!({ "entrypoint": input["entrypoint"], "value": input["value"] });
    }
    object
}

#[test]
fn literal_vectors() {
    let mut checked = Vec::new();
    for vector in vectors("literal_vectors.json") {
        let id = vector["id"].as_str().unwrap().to_owned();
        let what = vector["what"].as_str().unwrap();
        let (input, expected) = (&vector["input"], &vector["expected"]);
        if let Some(rest) = what.strip_prefix("operation contents ") {
            let kind = rest.split([' ', ',']).next().unwrap();
            if input.is_object() {
                let operation: ManagerOperation = serde_json::from_value(contents(kind, input)).unwrap();
                assert_eq!(hex::encode(operation.to_bytes()), expected.as_str().unwrap(), "{id}");
            }
            let read = ManagerOperation::from_bytes(&hex(expected)).unwrap();
            assert_eq!(read.to_bytes(), hex(expected), "{id}");
            assert_eq!(read.body.kind(), kind, "{id}");
        } else if what.starts_with("the same with a whitelist") {
            let operation: ManagerOperation =
                serde_json::from_value(contents("smart_rollup_originate", input)).unwrap();
            assert_eq!(hex::encode(operation.to_bytes()), expected.as_str().unwrap(), "{id}");
        } else if what.starts_with("smart_rollup_originate, arith") {
            let operation = ManagerOperation::from_bytes(&hex(expected)).unwrap();
            let again: ManagerOperation = serde_json::from_value(contents("smart_rollup_originate", input)).unwrap();
            assert_eq!(operation, again, "{id}");
        } else if what.starts_with("hash of the commitment") {
            let commitment = Commitment::from_bytes(&hex(input)).unwrap();
            assert_eq!(commitment.hash(), expected.as_str().unwrap().parse::<CommitmentHash>().unwrap(), "{id}");
        } else if what.starts_with("refutation move") {
            let refutation = Refutation::from_bytes(&hex(expected)).unwrap();
            assert_eq!(refutation.to_bytes(), hex(expected), "{id}");
            let json = serde_json::to_value(&refutation).unwrap();
            assert_eq!(serde_json::from_value::<Refutation>(json).unwrap(), refutation, "{id}");
        } else if what.starts_with("signed batch") {
            let bytes = hex(&input["operation"]);
            let (operation, signed) = Operation::from_signed_bytes(&bytes).unwrap();
            assert_eq!(operation.hash().to_string(), expected["operation_hash"].as_str().unwrap(), "{id}");
            let key: PublicKey = input["public_key"].as_str().unwrap().parse().unwrap();
            let signature = operation.signature.unwrap();
            assert!(key.verify(Watermark::Operation, &bytes[..signed], &signature), "{id}");
            assert!(!key.verify(Watermark::None, &bytes[..signed], &signature), "{id}");
        } else if what.starts_with("block payload hash") {
            let operations: Vec<OperationHash> = serde_json::from_value(input["operations"].clone()).unwrap();
            let list = OperationListHash::of_operations(&operations);
            assert_eq!(json!(list), expected["operation_list_hash"], "{id}");
            let predecessor = serde_json::from_value(input["predecessor"].clone()).unwrap();
            let round = i32::try_from(input["round"].as_i64().unwrap()).unwrap();
            let payload = BlockPayloadHash::of_payload(&predecessor, round, &operations);
            assert_eq!(json!(payload), expected["payload_hash"], "{id}");
        } else if what.starts_with("rollup address originated") {
            let operation: OperationHash = serde_json::from_value(input["operation"].clone()).unwrap();
            let index = i32::try_from(input["index"].as_i64().unwrap()).unwrap();
            assert_eq!(json!(SmartRollupAddress::originated_by(&operation, index)), *expected, "{id}");
            if vector["contract"].is_string() {
                assert_eq!(json!(ContractHash::originated_by(&operation, index)), vector["contract"], "{id}");
            }
        } else if what.starts_with("outbox message") || what.starts_with("the same, typed") {
            let message = OutboxMessage::from_bytes(&hex(expected)).unwrap();
            assert_eq!(message.to_bytes(), hex(expected), "{id}");
            let json = serde_json::to_value(&message).unwrap();
            assert_eq!(serde_json::from_value::<OutboxMessage>(json).unwrap(), message, "{id}");
        } else if what == "inbox message: attested DAL slots" {
            let message = InboxMessage::from_bytes(&hex(expected)).unwrap();
            assert_eq!(message.to_bytes(), hex(expected), "{id}");
            let json = serde_json::to_value(&message).unwrap();
            assert_eq!(json["published_level"], input["published_level"], "{id}");
            assert_eq!(json["slot_size"], input["slot_size"], "{id}");
        } else if what.starts_with("serialized inbox message") && input.is_string() {
            let message = InboxMessage::from_bytes(&hex(input)).unwrap();
            assert_eq!(message.to_bytes(), hex(input), "{id}");
            let json = serde_json::to_value(&message).unwrap();
            assert_eq!(serde_json::from_value::<InboxMessage>(json).unwrap(), message, "{id}");
        } else {
            println!("{id} is not for this crate: {what}");
            continue;
        }
        checked.push(id);
    }
    println!("{} literal vectors: {}", checked.len(), checked.join(" "));
}

#[test]
fn encoding_samples() {
    let (mut checked, mut left) = (0, 0);
    for sample in vectors("encoding_samples.json") {
        let (encoding, json) = (sample["encoding"].as_str().unwrap(), &sample["json"]);
        let name = sample["name"].as_str().unwrap();
        let bytes = sample["hex"].as_str().map(|text| hex::decode(text).unwrap());
        let manager = || {
            json["contents"]
                .as_array()
                .unwrap()
                .iter()
                .all(|content| ManagerBody::KINDS.contains(&content["kind"].as_str().unwrap()))
        };
        match (encoding, bytes) {
            ("operation.unsigned", Some(bytes)) if manager() => {
                let operation: Operation = serde_json::from_value(json.clone()).unwrap();
                assert_eq!(hex::encode(operation.unsigned_bytes()), hex::encode(&bytes), "{name}");
                let read = Operation::from_unsigned_bytes(&bytes).unwrap();
                assert_eq!(&serde_json::to_value(&read).unwrap(), json, "{name}");
            }
            ("operation", Some(bytes)) if manager() => {
                let operation: Operation = serde_json::from_value(json.clone()).unwrap();
                assert_eq!(hex::encode(operation.to_bytes()), hex::encode(&bytes), "{name}");
                let read = Operation::from_bytes(&bytes).unwrap();
                assert_eq!(&serde_json::to_value(&read).unwrap(), json, "{name}");
            }
            ("block_header", Some(bytes)) => {
                let header: Header = serde_json::from_value(json.clone()).unwrap();
                assert_eq!(header.to_bytes(), bytes, "{name}");
                let raw = RawHeader::from_bytes(&bytes).unwrap();
                let data = ProtocolData::tenderbake(raw.protocol_data.as_ref()).unwrap();
                assert_eq!(Header { shell: raw.shell, protocol_data: data }, header, "{name}");
            }
            ("contract", Some(bytes)) => {
                let contract: Contract = serde_json::from_value(json.clone()).unwrap();
                assert_eq!(contract.to_bytes(), bytes, "{name}");
                assert_eq!(Contract::from_bytes(&bytes).unwrap(), contract, "{name}");
            }
            ("operation.data_and_metadata", _) => {
                let receipt: SimulationResult = serde_json::from_value(json.clone()).unwrap();
                assert_eq!(&serde_json::to_value(&receipt).unwrap(), json, "{name}");
            }
            ("operation.internal_and_metadata", _) => {
                let receipt: InternalReceipt = serde_json::from_value(json.clone()).unwrap();
                assert_eq!(&serde_json::to_value(&receipt).unwrap(), json, "{name}");
            }
            ("receipt.balance_updates", _) => {
                let updates: Vec<BalanceUpdate> = serde_json::from_value(json.clone()).unwrap();
                assert_eq!(&serde_json::to_value(&updates).unwrap(), json, "{name}");
            }
            _ => {
                left += 1;
                continue;
            }
        }
        checked += 1;
    }
    println!("{checked} samples checked, {left} of encodings that are not here");
}

#[test]
fn bls_reveal_with_its_proof() {
    for sample in vectors("encoding_samples.json") {
        if sample["name"] != "operation-reveal-with-proof" {
            continue;
        }
        let bytes = hex(&sample["hex"]);
        let (operation, signed) = Operation::from_signed_bytes(&bytes).unwrap();
        let ManagerBody::Reveal(reveal) = &operation.contents[0].body else { panic!("not a reveal") };
        assert_eq!(reveal.public_key.hash(), operation.contents[0].source);
        assert!(reveal.public_key.verify_possession(reveal.proof.as_ref().unwrap()));
        // the signature of the sample is of something else; its place in the bytes is what counts
        assert!(matches!(operation.signature, Some(Signature::Bls(_))));
        assert_eq!(signed, bytes.len() - 64 - 34);
    }
}

#[test]
fn the_well_known_reveal() {
    let request = RevealRequest::from_bytes(
        &hex::decode("00000e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8").unwrap(),
    )
    .unwrap();
    assert_eq!(
        serde_json::to_string(&request).unwrap(),
        r#"{"reveal_kind":"reveal_raw_data","input_hash":"scrrh12qH6GWo3N8cAhJLQYHktNnVmQrCunrwxixKeUeDLScsrBRVFfX"}"#
    );
    assert_eq!(serde_json::from_value::<RevealRequest>(serde_json::to_value(&request).unwrap()).unwrap(), request);
}
