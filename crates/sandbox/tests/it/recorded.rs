//! Every recorded request that reads or simulates, sent to a sandbox that holds the recorded blocks: the same status and
//! content type, and a body of the same shape (keys, types, kinds of text), errors with the same ids and kinds.
//!
//! `SORU_SHOW_DIFFERENCES=1` prints everything that differs, with counts, what is known to differ included.

use crate::replay::{chain_start, lines, recorded};
use crate::support::Layer1;
use crate::support::shape::{Difference, differences};
use serde_json::Value;
use soru_sandbox::block::encode_record;
use soru_sandbox::store::Store;
use soru_tezos::block::Block;
use std::collections::BTreeMap;
use std::path::Path;

/// What differs and why it stays so: (end of a path pattern, place in the answer, reason). `*` in a place stands for any.
const KNOWN: &[(&str, &str, &str)] = &[
    ("/metadata_hash", "status", "receipts are kept as JSON, not in the binary form that is hashed"),
    ("/operations_metadata_hash", "status", "receipts are kept as JSON, not in the binary form that is hashed"),
    ("/operation_metadata_hashes", "status", "receipts are kept as JSON, not in the binary form that is hashed"),
    ("/config", "status", "the configuration is that of the peer-to-peer network, which is not there"),
    ("/network/self", "status", "there is no identity in a peer-to-peer network"),
    ("/liquidity_baking/cpmm_address", "status", "there are no contracts of liquidity baking"),
    ("/seed_computation", "*", "no seed is computed: one baker makes all blocks"),
];

/// A path with what is particular to a chain left out: hashes, addresses, numbers.
fn pattern(path: &str) -> String {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let shown = path.split('/').map(|segment| {
        let hash = segment.len() > 30 && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'~');
        match segment {
            _ if hash => format!("<{}>", &segment[..3]),
            _ if !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_digit()) => "<n>".to_owned(),
            other => other.to_owned(),
        }
    });
    shown.collect::<Vec<_>>().join("/")
}

/// Whether a recorded request changes the chain that answers it.
fn changes_something(request: &Value) -> bool {
    request["path"].as_str().unwrap().starts_with("/injection/") && request["status"] == 200
}

/// A sandbox that holds a recorded chain.
async fn sandbox_of(folder: &Path, directory: &Path) -> Layer1 {
    let meta: Value = serde_json::from_slice(&std::fs::read(folder.join("meta.json")).unwrap()).unwrap();
    let chain = lines(&folder.join("l1.jsonl.gz"));
    let start = chain_start(&meta, &chain);
    let genesis = start.genesis().unwrap();
    let store = Store::open(directory).unwrap();
    let bytes = serde_json::to_vec(&start).unwrap();
    store.start(&bytes, [(0, &genesis.hash, encode_record(&genesis).unwrap())]).unwrap();
    for (index, line) in chain.iter().enumerate() {
        let block: Block = serde_json::from_value(line["block"].clone()).unwrap();
        store.append(index as u32 + 1, &block.hash, encode_record(&block).unwrap()).unwrap();
    }
    drop(store);
    Layer1::manual(directory).await
}

/// The levels at which each request may have been answered: between the levels that inboxes tell before and after it.
fn spans(requests: &[Value], last: u64) -> Vec<(u64, u64)> {
    let told = |request: &Value| {
        request["path"].as_str().unwrap().ends_with("all/inbox").then(|| request["response"]["level"].as_u64().unwrap())
    };
    let mut spans = vec![(2, last); requests.len()];
    let mut level = requests.iter().find_map(told).unwrap_or(2);
    if requests.iter().filter_map(told).count() < 2 {
        level = 2;
    }
    for (span, request) in spans.iter_mut().zip(requests) {
        level = told(request).unwrap_or(level);
        span.0 = level;
    }
    let mut level = last;
    for (span, request) in spans.iter_mut().zip(requests).rev() {
        level = told(request).unwrap_or(level);
        span.1 = level;
    }
    spans
}

/// A count and an example for each kind of difference.
type Report = BTreeMap<(String, String), (u32, String)>;

async fn compare(folder: &Path, report: &mut Report) -> (usize, usize) {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = sandbox_of(folder, directory.path()).await;
    let last = layer1.value("/chains/main/blocks/head/header").await["level"].as_u64().unwrap();
    let requests: Vec<Value> = lines(&folder.join("rpc.jsonl.gz"))
        .into_iter()
        .filter(|request| request["to"] == "l1" && !changes_something(request))
        .collect();
    let (mut same, mut equal) = (0, 0);
    for (request, (from, to)) in requests.iter().zip(spans(&requests, last)) {
        let path = request["path"].as_str().unwrap();
        let of_head = path.starts_with("/chains/main/blocks/head");
        // the head of then is a level of now
        let at = |level: u64| path.replacen("/blocks/head", &format!("/blocks/{level}"), 1);
        let mut best: Option<Vec<Difference>> = None;
        for level in from..=if of_head { to } else { from } {
            let answer = layer1.replay(request, &at(level)).await;
            let found = differences(request, &answer);
            if found.is_empty() && answer.json == request["response"] {
                equal += 1;
            }
            if best.as_ref().is_none_or(|best| found.len() < best.len()) {
                best = Some(found);
            }
            if best.as_ref().is_some_and(Vec::is_empty) {
                break;
            }
        }
        let found = best.unwrap_or_default();
        same += usize::from(found.is_empty());
        for difference in found {
            let method = request["method"].as_str().unwrap();
            let key = (format!("{method} {}", pattern(path)), difference.place);
            report.entry(key).or_insert((0, difference.what)).0 += 1;
        }
    }
    println!("{}: {} requests, {same} answers of the same shape, {equal} equal", folder.display(), requests.len());
    (requests.len(), same)
}

fn reason(path: &str, place: &str) -> Option<&'static str> {
    let known = KNOWN.iter().find(|(end, wanted, _)| {
        path.ends_with(end)
            && match wanted.strip_suffix('*') {
                Some(start) => place.starts_with(start),
                None => place == *wanted,
            }
    });
    known.map(|(.., reason)| *reason)
}

#[tokio::test]
async fn recorded_requests_are_answered_in_the_same_shape() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/s1_tour");
    let mut report = Report::new();
    compare(&own, &mut report).await;
    for name in ["s2_busy_a", "s5_whitelist", "s5_whitelist_manual"] {
        if let Some(folder) = recorded(name) {
            compare(&folder, &mut report).await;
        }
    }
    let show = std::env::var_os("SORU_SHOW_DIFFERENCES").is_some();
    let mut unknown = Vec::new();
    for ((path, place), (count, what)) in &report {
        match reason(path, place) {
            None => unknown.push(format!("{count:4} {path}  {place}: {what}")),
            Some(reason) if show => println!("known: {path}  {place}: {what} ({reason})"),
            Some(_) => {}
        }
    }
    assert!(unknown.is_empty(), "{} kinds of differences:\n{}", unknown.len(), unknown.join("\n"));
}
