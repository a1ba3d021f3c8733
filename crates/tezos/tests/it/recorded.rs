//! Recorded chains of the reference: every operation, header and block must read and write back unchanged.

use flate2::read::GzDecoder;
use serde_json::Value;
use soru_tezos::block::Block;
use soru_tezos::codec::{Decode, Encode};
use soru_tezos::hash::{OperationHash, OperationListHash, OperationListListHash};
use soru_tezos::header::{Header, ProtocolData, RawHeader};
use soru_tezos::key::{PublicKey, PublicKeyHash};
use soru_tezos::operation::Operation;
use soru_tezos::receipt::Content;
use soru_tezos::rollup::{Game, Inbox};
use soru_tezos::sign::{SecretKey, Watermark};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

/// Secret keys of the accounts `bootstrap1` to `bootstrap5`, known to everybody.
const BOOTSTRAP: [&str; 5] = [
    "edsk3gUfUPyBSfrS9CCgmCiQsTCHGkviBDusMxDJstFtojtc1zcpsh",
    "edsk39qAm1fiMjgmPkw1EgQYkMzkJezLNewd7PLNHTkr6w9XA2zdfo",
    "edsk4ArLQgBTLWG5FJmnGnT689VKoqhXwmDPBuGx3z4cvwU9MmrPZZ",
    "edsk2uqQB9AY4FvioK2YMdfmyMrer5R8mGFyuaLLFfSRo8EoyNdht3",
    "edsk4QLrcijEffxV31gGdN2HU7UpyJjA8drFoNcmnB28n89YjPNRFm",
];

/// The recordings beside the repository, and the small one inside it.
fn recordings(name: &str) -> Vec<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = vec![here.join("tests/data").join(name)];
    match std::fs::read_dir(here.join("../../../shared/vectors/recorded")) {
        Ok(folders) => files.extend(folders.map(|folder| folder.unwrap().path().join(name))),
        Err(_) => println!("skipped: no recordings beside the repository"),
    }
    files.retain(|file| file.exists());
    files
}

fn lines(file: &Path) -> impl Iterator<Item = Value> + use<> {
    let reader = BufReader::new(GzDecoder::new(File::open(file).unwrap()));
    reader.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap())
}

/// The first place where two JSON values differ.
fn difference(path: &str, left: &Value, right: &Value) -> Option<String> {
    match (left, right) {
        (Value::Object(a), Value::Object(b)) => {
            let keys = |o: &serde_json::Map<String, Value>| o.keys().cloned().collect::<Vec<_>>();
            if keys(a) != keys(b) {
                return Some(format!("{path}: fields {:?} against {:?}", keys(a), keys(b)));
            }
            a.iter().find_map(|(key, value)| difference(&format!("{path}.{key}"), value, &b[key]))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(index, (a, b))| difference(&format!("{path}[{index}]"), a, b))
        }
        _ if left == right => None,
        _ => Some(format!("{path}: {left} against {right}")),
    }
}

fn assert_same(what: &str, recorded: &Value, ours: &Value) {
    if let Some(difference) = difference("", recorded, ours) {
        panic!("{what}{}", difference.chars().take(1000).collect::<String>());
    }
}

fn hex_field(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

#[test]
fn blocks_headers_and_operations() {
    let (mut blocks, mut operations, mut signatures) = (0, 0, 0);
    let keys: HashMap<PublicKeyHash, PublicKey> = BOOTSTRAP
        .iter()
        .map(|text| text.parse::<SecretKey>().unwrap().public_key())
        .map(|key| (key.hash(), key))
        .collect();
    for file in recordings("l1.jsonl.gz") {
        for line in lines(&file) {
            let at = format!("{}, level {}: ", file.display(), line["level"]);
            let block: Block = serde_json::from_value(line["block"].clone()).unwrap_or_else(|e| panic!("{at}{e}"));
            assert_same(&at, &line["block"], &serde_json::to_value(&block).unwrap());

            let raw = hex_field(&line["header_raw"]);
            let header = RawHeader::from_bytes(&raw).unwrap();
            assert_eq!(header.to_bytes(), raw, "{at}");
            assert_eq!(header.hash(), block.hash, "{at}");
            let data = if block.level().0 == 1 {
                ProtocolData::activation(header.protocol_data.as_ref())
            } else {
                ProtocolData::tenderbake(header.protocol_data.as_ref())
            };
            let read = Header { shell: header.shell, protocol_data: data.unwrap() };
            assert_eq!(read.to_bytes(), raw, "{at}");
            // the JSON names the scheme of a signature that binary does not
            assert_same(&at, &line["block"]["header"], &serde_json::to_value(&read).unwrap());
            assert_eq!(block.header, read, "{at}");

            let passes: Vec<_> = block
                .operations
                .iter()
                .map(|pass| OperationListHash::of_operations(&pass.iter().map(|o| o.hash).collect::<Vec<_>>()))
                .collect();
            assert_eq!(OperationListListHash::of_passes(&passes), block.header.shell.operations_hash, "{at}");

            let raws = line["operations_raw"].as_array().unwrap();
            assert_eq!(raws.len(), block.manager_operations().len(), "{at}");
            for (raw, shown) in raws.iter().zip(block.manager_operations()) {
                let bytes = hex_field(&raw["raw"]);
                let (operation, signed) = Operation::from_signed_bytes(&bytes).unwrap();
                assert_eq!(operation.to_bytes(), bytes, "{at}{}", raw["hash"]);
                assert_eq!(operation.unsigned_bytes(), bytes[..signed], "{at}");
                assert_eq!(operation.hash(), OperationHash::of_bytes(&bytes));
                assert_eq!(operation.hash().to_string(), raw["hash"].as_str().unwrap(), "{at}");
                assert_eq!(shown.hash, operation.hash(), "{at}");
                let shown_operation = shown.to_operation().unwrap();
                assert_eq!(shown_operation.contents, operation.contents, "{at}");
                assert_eq!(shown_operation.unsigned_bytes(), bytes[..signed], "{at}");
                let json = serde_json::to_value(&operation).unwrap();
                let again: Operation = serde_json::from_value(json).unwrap();
                assert_eq!(again, operation, "{at}");
                // where the key is known, the signature is right
                let source = operation.contents[0].source;
                if let Some(key) = keys.get(&source) {
                    let signature = operation.signature.as_ref().unwrap();
                    assert!(key.verify(Watermark::Operation, &bytes[..signed], signature), "{at}");
                    assert!(!key.verify(Watermark::Operation, &bytes[..signed - 1], signature), "{at}");
                    signatures += 1;
                }
                assert!(shown.contents.iter().all(|content| matches!(content, Content::Manager(_))), "{at}");
                operations += 1;
            }
            if line["inbox"].is_object() {
                let inbox: Inbox = serde_json::from_value(line["inbox"].clone()).unwrap();
                assert_same(&at, &line["inbox"], &serde_json::to_value(&inbox).unwrap());
                assert_eq!(Inbox::from_bytes(&inbox.to_bytes()).unwrap(), inbox, "{at}");
            }
            blocks += 1;
        }
    }
    println!("{blocks} blocks, {operations} operations, {signatures} signatures");
    assert!(blocks > 0 && operations > 0 && signatures > 0);
}

#[test]
fn games() {
    let mut count = 0;
    for file in recordings("games.jsonl.gz") {
        for line in lines(&file) {
            for list in
                line["games"].as_object().into_iter().flat_map(|games| games.values()).filter_map(Value::as_array)
            {
                for entry in list {
                    let game: Game = serde_json::from_value(entry["game"].clone()).unwrap();
                    assert_same(&file.display().to_string(), &entry["game"], &serde_json::to_value(&game).unwrap());
                    assert_eq!(Game::from_bytes(&game.to_bytes()).unwrap(), game);
                    count += 1;
                }
            }
        }
    }
    println!("{count} games");
    assert!(count > 0);
}
