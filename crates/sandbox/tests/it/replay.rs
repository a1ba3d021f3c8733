//! Recorded chains of the reference, replayed: each block's operations, applied in order to a ledger that was activated
//! with the recording's parameters, end with the recorded statuses, errors and balance updates, and the inbox is the
//! recorded one at every level.

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use soru_protocol::constants::Parametric;
use soru_sandbox::FundedAccount;
use soru_sandbox::block::{Baker, ChainStart};
use soru_sandbox::ledger::{Application, BlockContext, Ledger, Signed};
use soru_tezos::block::Block;
use soru_tezos::codec::Encode;
use soru_tezos::operation::Operation;
use soru_tezos::receipt::Content;
use soru_tezos::scalar::{Nat, Timestamp};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

fn lines(file: &Path) -> Vec<Value> {
    let reader = BufReader::new(GzDecoder::new(std::fs::File::open(file).unwrap()));
    reader.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

/// The parts of a receipt that must be equal: everything but gas and the subsidies nobody signed.
fn comparable(mut value: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(object) => {
                object.remove("consumed_milligas");
                object.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut value);
    value
}

/// Replays a chain; gives the ledger after each level.
fn replay(folder: &Path) -> BTreeMap<i64, Ledger> {
    let meta: Value = serde_json::from_slice(&std::fs::read(folder.join("meta.json")).unwrap()).unwrap();
    let chain = lines(&folder.join("l1.jsonl.gz"));
    let mut parameters = meta["activation_parameters"].clone();
    let accounts = parameters.as_object_mut().unwrap().shift_remove("bootstrap_accounts").unwrap();
    let constants: Parametric = serde_json::from_value(parameters).unwrap();
    // the reference freezes a twentieth of the bootstrap balances as deposits
    let accounts = accounts.as_array().unwrap().iter().map(|account| FundedAccount {
        public_key: serde_json::from_value(account[0].clone()).unwrap(),
        balance: "3800000000000".parse().unwrap(),
    });
    let timestamp: Timestamp = serde_json::from_value(chain[0]["block"]["header"]["timestamp"].clone()).unwrap();
    let start = ChainStart { timestamp, constants, accounts: accounts.collect() };
    let mut ledger = Ledger::new(&start, Baker::well_known().unwrap().public_key());
    assert_eq!(json!(ledger.inbox), chain[0]["inbox"], "inbox of level 1");

    let mut ledgers = BTreeMap::new();
    let mut operations = 0;
    for pair in chain.windows(2) {
        let [before, line] = pair else { continue };
        let level = line["level"].as_i64().unwrap();
        let block: Block = serde_json::from_value(line["block"].clone()).unwrap();
        let predecessor: Block = serde_json::from_value(before["block"].clone()).unwrap();
        let application = block.metadata.as_ref().unwrap().application.as_ref().unwrap();
        let context = BlockContext {
            chain_id: block.chain_id,
            level: block.level(),
            timestamp: block.header.shell.timestamp,
            predecessor: predecessor.hash,
            predecessor_timestamp: predecessor.header.shell.timestamp,
            baker: application.baker,
        };
        let mut next = Application::begin(&ledger, context);
        for (index, recorded) in block.manager_operations().iter().enumerate() {
            let raw = hex::decode(line["operations_raw"][index]["raw"].as_str().unwrap()).unwrap();
            let (operation, signed) = Operation::from_signed_bytes(&raw).unwrap();
            assert_eq!(operation.to_bytes(), raw);
            let place = format!("{} level {level} operation {}", folder.display(), recorded.hash);
            next.check(&operation, Signed::Bytes(&raw[..signed]))
                .unwrap_or_else(|trace| panic!("{place}: refused: {trace:?}"));
            let receipts = next.apply(&operation, recorded.hash).unwrap();
            assert_eq!(receipts.len(), recorded.contents.len());
            for (ours, theirs) in receipts.into_iter().zip(&recorded.contents) {
                let ours = comparable(serde_json::to_value(Content::from(ours)).unwrap());
                let theirs = comparable(serde_json::to_value(theirs).unwrap());
                assert_eq!(
                    serde_json::to_string_pretty(&ours).unwrap(),
                    serde_json::to_string_pretty(&theirs).unwrap(),
                    "{place}"
                );
                operations += 1;
            }
        }
        let (after, outcome) = next.finish().unwrap();
        assert_eq!(outcome.consumed_milligas, application.consumed_milligas, "{} level {level}", folder.display());
        ledger = after;
        assert_eq!(json!(ledger.inbox), line["inbox"], "{} level {level}", folder.display());
        ledgers.insert(level, ledger.clone());
    }
    println!("{}: {} levels, {operations} operations", folder.display(), chain.len());
    ledgers
}

fn recorded(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/recorded").join(name);
    let found = folder.join("l1.jsonl.gz").exists();
    if !found {
        println!("skipped: {} is not there", folder.display());
    }
    found.then_some(folder)
}

/// A tour: contracts, a rollup, messages, commitments, outbox messages, a bond given back. Kept with the project.
#[test]
fn the_tour() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/s1_tour");
    let ledgers = replay(&folder);

    // what was executed at level 42 is neither executed again, nor before its commitment was cemented at level 41
    let line = lines(&folder.join("l1.jsonl.gz")).into_iter().find(|line| line["level"] == 42).unwrap();
    let block: Block = serde_json::from_value(line["block"].clone()).unwrap();
    let execution = block.manager_operations()[0].to_operation().unwrap();
    assert_eq!(execution.contents[0].body.kind(), "smart_rollup_execute_outbox_message");
    for (level, error) in
        [(42, "smart_rollup_outbox_message_already_applied"), (40, "smart_rollup_invalid_last_cemented_commitment")]
    {
        let ledger = &ledgers[&level];
        let context = BlockContext {
            chain_id: block.chain_id,
            level: ledger.level.after(1),
            timestamp: block.header.shell.timestamp,
            predecessor: block.hash,
            predecessor_timestamp: block.header.shell.timestamp,
            baker: Baker::well_known().unwrap().address(),
        };
        let mut operation = execution.clone();
        let source = operation.contents[0].source;
        operation.contents[0].counter = Nat(ledger.accounts[&source].counter + 1);
        let mut next = Application::begin(ledger, context);
        next.check(&operation, Signed::Unchecked).unwrap();
        let receipts = next.apply(&operation, operation.hash()).unwrap();
        let result = &receipts[0].metadata.as_ref().unwrap().operation_result;
        assert_eq!(result.status(), "failed");
        assert_eq!(result.errors()[0].name(), error, "level {level}");
        let storage =
            |ledger: &Ledger| ledger.contracts.values().map(|contract| contract.storage.clone()).collect::<Vec<_>>();
        assert_eq!(storage(next.ledger()), storage(ledger));
    }
}

#[test]
fn the_busy_chain() {
    if let Some(folder) = recorded("s2_busy_a") {
        replay(&folder);
    }
}

#[test]
fn private_rollups() {
    for name in ["s5_whitelist", "s5_whitelist_manual"] {
        if let Some(folder) = recorded(name) {
            replay(&folder);
        }
    }
}

#[test]
fn what_clients_did() {
    for name in ["s8_cli", "s8_client_and_events"] {
        if let Some(folder) = recorded(name) {
            replay(&folder);
        }
    }
}
