//! Recorded chains of the reference, replayed: each block's operations, applied in order to a ledger that was activated
//! with the recording's parameters, end with the recorded statuses, errors and balance updates, and the inbox is the
//! recorded one at every level. Where a recording says what the RPCs answered about games, ours answer the same.
//!
//! `SORU_ALL_RECORDINGS=1` replays all shared recordings; otherwise those of `tests/data`, and one game.

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use soru_protocol::constants::Parametric;
use soru_sandbox::FundedAccount;
use soru_sandbox::answer_on;
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

pub fn lines(file: &Path) -> Vec<Value> {
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

/// What a recorded chain began with.
pub fn chain_start(meta: &Value, chain: &[Value]) -> ChainStart {
    let mut parameters = meta["activation_parameters"].clone();
    let accounts = parameters.as_object_mut().unwrap().shift_remove("bootstrap_accounts").unwrap();
    let constants: Parametric = serde_json::from_value(parameters).unwrap();
    // the reference freezes a twentieth of the bootstrap balances as deposits
    let accounts = accounts.as_array().unwrap().iter().map(|account| FundedAccount {
        public_key: serde_json::from_value(account[0].clone()).unwrap(),
        balance: "3800000000000".parse().unwrap(),
    });
    let timestamp: Timestamp = serde_json::from_value(chain[0]["block"]["header"]["timestamp"].clone()).unwrap();
    let accounts = accounts.collect();
    ChainStart { timestamp, constants, accounts, protocol: None, upgrades: vec![], imported: chain.len() as u32 }
}

/// Replays a chain; gives the ledger after each level.
pub fn replay(folder: &Path) -> BTreeMap<i64, Ledger> {
    let meta: Value = serde_json::from_slice(&std::fs::read(folder.join("meta.json")).unwrap()).unwrap();
    let chain = lines(&folder.join("l1.jsonl.gz"));
    let start = chain_start(&meta, &chain);
    let mut ledger = Ledger::new(&start, Baker::well_known().unwrap().public_key());
    assert_eq!(json!(ledger.inbox), chain[0]["inbox"], "inbox of level 1");

    let games = folder.join("games.jsonl.gz");
    let states: BTreeMap<i64, Value> = match games.exists() {
        true => lines(&games).into_iter().map(|line| (line["level"].as_i64().unwrap(), line)).collect(),
        false => BTreeMap::new(),
    };
    let rollups = meta["rollups"].as_object().into_iter().flat_map(|rollups| rollups.values());
    let rollup = rollups.filter_map(|rollup| rollup["address"].as_str()).next().unwrap_or_default().to_owned();

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
        if let Some(recorded) = states.get(&level) {
            compare_answers(&format!("{} level {level}", folder.display()), &ledger, &rollup, recorded);
        }
        ledgers.insert(level, ledger.clone());
    }
    println!("{}: {} levels, {operations} operations", folder.display(), chain.len());
    ledgers
}

/// The members of a recorded object; some recordings leave it out.
fn entries<'a>(recorded: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    recorded[name].as_object().into_iter().flatten()
}

/// What the RPCs answer about a rollup, and what they answered.
fn compare_answers(place: &str, ledger: &Ledger, rollup: &str, recorded: &Value) {
    let base = format!("smart_rollups/smart_rollup/{rollup}");
    let compare = |path: String, wanted: &Value| {
        let (status, answer) = answer_on(ledger, &path, None);
        let refused = wanted.as_array().and_then(|trace| trace.first()).is_some_and(|error| error.get("id").is_some());
        assert_eq!(status, if refused { 500 } else { 200 }, "{place}: {path}: {answer}");
        assert_eq!(answer, *wanted, "{place}: {path}");
    };
    compare(format!("{base}/stakers"), &recorded["stakers"]);
    if !recorded["lcc"].is_null() {
        compare(format!("{base}/last_cemented_commitment_hash_with_level"), &recorded["lcc"]);
    }
    for (what, table) in [("games", "games"), ("conflicts", "conflicts"), ("staked_on_commitment", "staked_on")] {
        for (staker, wanted) in entries(recorded, table) {
            compare(format!("{base}/staker/{staker}/{what}"), wanted);
        }
    }
    for (staker, bond) in entries(recorded, "frozen_bonds") {
        compare(format!("contracts/{staker}/frozen_bonds"), bond);
    }
    let pair = |one: &str, two: &str, what: &str| format!("{base}/staker1/{one}/staker2/{two}/{what}");
    for (stakers, wanted) in entries(recorded, "timeouts") {
        let (one, two) = stakers.split_once('-').unwrap();
        compare(pair(one, two, "timeout"), &wanted["timeout"]);
        compare(pair(two, one, "timeout_reached"), &wanted["reached"]);
    }
    // the hand-made games are between the only two stakers
    let stakers: Vec<&String> = entries(recorded, "frozen_bonds").map(|(staker, _)| staker).collect();
    if let (Some(games), [one, two]) = (recorded["games"].as_array(), &stakers[..]) {
        compare(format!("{base}/staker/{one}/games"), &json!(games));
        compare(pair(one, two, "timeout"), recorded.get("timeout").unwrap_or(&Value::Null));
    }
}

/// Requests about rollups and tickets that were recorded on the way, in the order of time: the answers are ours after one
/// block or another, and these blocks are in the order of the chain.
fn compare_requests(folder: &Path, ledgers: &BTreeMap<i64, Ledger>) {
    let mut level = *ledgers.keys().next().unwrap();
    let mut compared = 0;
    for request in lines(&folder.join("rpc.jsonl.gz")) {
        let path = request["path"].as_str().unwrap();
        let Some(path) = path.strip_prefix("/chains/main/blocks/head/context/") else { continue };
        let about =
            path.starts_with("smart_rollups") || path.ends_with("ticket_balance") || path.ends_with("/frozen_bonds");
        if request["to"] != "l1" || !about || request["status"] == 400 {
            continue;
        }
        let post = request["method"] == "POST";
        let answered = |ledger: &Ledger| answer_on(ledger, path, post.then(|| &request["body"]));
        let recorded = (request["status"].as_u64().unwrap() as u16, request["response"].clone());
        let found = ledgers.range(level..).find(|(_, ledger)| answered(ledger) == recorded);
        level = *found
            .unwrap_or_else(|| {
                panic!("{} {path}: {recorded:?}, after {level}: {:?}", folder.display(), answered(&ledgers[&level]))
            })
            .0;
        compared += 1;
    }
    println!("{}: {compared} answers", folder.display());
}

/// Whether all shared recordings are replayed.
fn all_recordings() -> bool {
    std::env::var_os("SORU_ALL_RECORDINGS").is_some_and(|value| value == "1")
}

/// A recording that comes with the project.
pub fn own(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../protocol/tests/data/recorded").join(name)
}

pub fn recorded(name: &str) -> Option<PathBuf> {
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
    compare_requests(&folder, &ledgers);

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

/// Games that were won and lost, with all their moves, proofs included.
#[test]
fn games() {
    replay(&own("s3_game_inbox_3_0_0"));
    let some = ["s3_tick_eval", "s3_game_reveal_metadata"];
    let more = [
        "s3_game_inbox_3_1_0",
        "s3_game_pvm_5_7_11000000001",
        "s3_game_pvm_7_7_22000002000",
        "s3_game_pvm_7_7_50000000000000",
        "s3_tick_beyond_the_inbox",
        "s3_tick_decode",
        "s3_tick_info_message",
    ];
    let more = if all_recordings() { &more[..] } else { &[] };
    for name in some.iter().chain(more) {
        if let Some(folder) = recorded(name) {
            replay(&folder);
        }
    }
}

#[test]
fn the_busy_chain() {
    if let Some(folder) = recorded("s2_busy_a") {
        compare_requests(&folder, &replay(&folder));
    }
}

#[test]
fn private_rollups() {
    for name in ["s5_whitelist", "s5_whitelist_manual"] {
        if let Some(folder) = recorded(name) {
            compare_requests(&folder, &replay(&folder));
        }
    }
}

#[test]
fn what_clients_did() {
    for name in ["s8_cli", "s8_client_and_events"] {
        if let Some(folder) = recorded(name).filter(|_| all_recordings()) {
            replay(&folder);
        }
    }
}
