//! What the owner of a chain can do to it, over HTTP.

use crate::support::{Layer1, address, transfer};
use serde_json::{Value, json};
use soru_sandbox::made_account;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::operation::Transaction;
use soru_tezos::scalar::Mutez;

const HEAD: &str = "/chains/main/blocks/head";

async fn done(layer1: &Layer1, service: &str, body: Value) -> Value {
    let answer = layer1.post(&format!("/sandbox/{service}"), &body).await;
    assert_eq!(answer.status, 200, "{service} {body}: {}", answer.text);
    answer.json()
}

async fn refused(layer1: &Layer1, service: &str, body: Value, why: &str) {
    let answer = layer1.post(&format!("/sandbox/{service}"), &body).await;
    assert_eq!(answer.status, 400, "{service} {body}: {}", answer.text);
    assert!(answer.text.contains(why), "{service} {body}: {}", answer.text);
}

/// The head, balances and counters: what a revert brings back.
async fn state(layer1: &Layer1) -> Value {
    let mut accounts = Vec::new();
    for number in 1..=5 {
        accounts.push(layer1.value(&format!("{HEAD}/context/contracts/{}", address(number))).await);
    }
    let context = layer1.value(&format!("{HEAD}/resulting_context_hash")).await;
    json!([layer1.value(HEAD).await, accounts, context])
}

#[tokio::test]
async fn a_snapshot_is_taken_back_to_and_survives_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    layer1.include(1, transfer(address(2), 5_000_000)).await;
    let before = state(&layer1).await;
    let snapshot = done(&layer1, "snapshot", json!({})).await;
    assert_eq!(snapshot["hash"], before[0]["hash"]);
    layer1.include(1, transfer(address(3), 7_000_000)).await;
    layer1.include(2, transfer(address(1), 1_000)).await;
    let waiting = layer1.signed(4, vec![transfer(address(5), 1)]).await;
    assert_eq!(layer1.inject(&waiting).await.status, 200);
    let later = done(&layer1, "snapshot", json!({})).await;
    let after = layer1.value(&format!("{HEAD}/hash")).await;

    let back = done(&layer1, "revert", json!({"id": snapshot["id"]})).await;
    assert_eq!(back["head"]["hash"], before[0]["hash"]);
    assert_eq!(state(&layer1).await, before);
    assert_eq!(layer1.value("/chains/main/mempool/pending_operations").await["validated"], json!([]));
    assert_eq!(layer1.get(&format!("/chains/main/blocks/{}/hash", after.as_str().unwrap())).await.status, 404);
    refused(&layer1, "revert", json!({"id": later["id"]}), "there is no snapshot").await;

    // the same transfer again is in another block than before
    layer1.include(1, transfer(address(3), 7_000_000)).await;
    layer1.sandbox.stop().await;
    let layer1 = Layer1::manual(directory.path()).await;
    done(&layer1, "revert", json!({"id": snapshot["id"]})).await;
    assert_eq!(state(&layer1).await, before);
    layer1.sandbox.stop().await;
    let layer1 = Layer1::manual(directory.path()).await;
    assert_eq!(state(&layer1).await, before);
    assert_eq!(layer1.value("/sandbox/snapshot").await, json!([snapshot]));
    layer1.sandbox.stop().await;
}

#[tokio::test]
async fn a_reorganisation_is_told_to_who_listens() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    done(&layer1, "bake", json!({"blocks": 3})).await;
    // branched below the fork: it comes back; branched above it: it is lost
    let low = layer1.signed(1, vec![transfer(address(2), 11)]).await;
    assert_eq!(layer1.inject(&low).await.status, 200);
    layer1.bake().await;
    done(&layer1, "bake", json!({"blocks": 2})).await;
    let high = layer1.signed(3, vec![transfer(address(2), 13)]).await;
    assert_eq!(layer1.inject(&high).await.status, 200);
    let old = layer1.bake().await;
    let old_level = old["header"]["level"].as_i64().unwrap();
    let balance = layer1.balance(&address(2).to_string()).await;

    let mut heads = layer1.stream("/monitor/heads/main").await;
    assert_eq!(heads.next().await["hash"], old["hash"]);
    let made = done(&layer1, "reorg", json!({"depth": 4})).await;
    assert_eq!(made["blocks"].as_array().unwrap().len(), 5);
    assert_eq!(made["head"]["level"], old_level + 1);
    let told = heads.next().await;
    assert_eq!((&told["hash"], &told["level"]), (&made["head"]["hash"], &json!(old_level + 1)));
    let replaced = layer1.value(&format!("/chains/main/blocks/{old_level}/hash")).await;
    assert_ne!(replaced, old["hash"]);
    let fork = old_level - 4;
    let first = layer1.value(&format!("/chains/main/blocks/{}", fork + 1)).await;
    assert_eq!(first["hash"], made["blocks"][0]);
    assert_eq!(first["operations"][3][0]["hash"], json!(low.hash()));
    assert_eq!(layer1.balance(&address(2).to_string()).await, balance - 13);
    // blocks go on, and the stream with them
    let next = layer1.bake().await;
    assert_eq!(heads.next().await["hash"], next["hash"]);

    done(&layer1, "reorg", json!({"depth": 6, "operations": "drop"})).await;
    assert_eq!(layer1.balance(&address(2).to_string()).await, balance - 24);
    let head = layer1.value(HEAD).await;
    refused(&layer1, "reorg", json!({"depth": 0}), "cannot replace 0").await;
    refused(&layer1, "reorg", json!({"depth": 9_999}), "cannot replace 9999").await;
    refused(&layer1, "reorg", json!({"depth": 10_001}), "between 1 and 10000").await;
    refused(&layer1, "reorg", json!({"depth": -1}), "invalid value").await;
    refused(&layer1, "reorg", json!({"depth": 1, "operations": "eat"}), "unknown variant").await;
    assert_eq!(layer1.value(HEAD).await, head);
    layer1.sandbox.stop().await;
    let layer1 = Layer1::manual(directory.path()).await;
    assert_eq!(layer1.value(HEAD).await, head);
    layer1.sandbox.stop().await;
}

#[tokio::test]
async fn time_moves_timestamps() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    let time = |block: &Value| block["header"]["timestamp"].as_str().unwrap().to_owned();
    assert_eq!(done(&layer1, "time", json!({"set": "2050-06-01T00:00:00Z"})).await["now"], "2050-06-01T00:00:00Z");
    assert!(time(&layer1.bake().await).starts_with("2050-06-01T00:0"));
    let now = done(&layer1, "time", json!({"advance": 86_400})).await["now"].as_str().unwrap().to_owned();
    assert!(now.starts_with("2050-06-02T00:0"), "{now}");
    layer1.sandbox.stop().await;
    let layer1 = Layer1::manual(directory.path()).await;
    assert!(time(&layer1.bake().await).starts_with("2050-06-02T00:0"));
    refused(&layer1, "time", json!({"set": "2030-01-01T00:00:00Z"}), "cannot go back").await;
    refused(&layer1, "time", json!({"advance": u64::MAX}), "year 9999").await;
    refused(&layer1, "time", json!({"advance": -1}), "invalid value").await;
    refused(&layer1, "time", json!({"set": "tomorrow"}), "Failed to parse the request body").await;
    refused(&layer1, "time", json!({"advance": 1, "set": "2060-01-01T00:00:00Z"}), "either").await;
    refused(&layer1, "time", json!({}), "either").await;
    assert!(layer1.value("/sandbox/time").await["now"].as_str().unwrap().starts_with("2050-06-02"));
    layer1.sandbox.stop().await;
}

#[tokio::test]
async fn tez_and_constants_come_from_nowhere_and_stay() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    let stranger: PublicKeyHash = made_account(7).unwrap().public_key_hash();
    let funded = done(&layer1, "fund", json!({"account": stranger, "amount": "2500000"})).await;
    assert_eq!(funded["balance"], "2500000");
    assert_eq!(layer1.balance(&stranger.to_string()).await, 2_500_000);
    let updates = layer1.value(&format!("{HEAD}/metadata")).await["balance_updates"].clone();
    assert_eq!(updates[0]["category"], "invoice");
    assert_eq!((&updates[1]["contract"], &updates[1]["change"]), (&json!(stranger), &json!("2500000")));
    assert_eq!(layer1.value(&format!("{HEAD}~1/context/contracts/{stranger}/balance")).await, "0");

    done(&layer1, "set-constants", json!({"smart_rollup_challenge_window_in_blocks": 7})).await;
    let constants = |block: &'static str| format!("/chains/main/blocks/{block}/context/constants");
    let window = "smart_rollup_challenge_window_in_blocks";
    assert_eq!(layer1.value(&constants("head")).await[window], 7);
    assert_eq!(layer1.value(&constants("head~1")).await[window], 40);
    let head = layer1.bake().await;

    let missing = "KT1WTww7kWqJXsLAF8Erfp47t5meXepWQfe2";
    refused(&layer1, "fund", json!({"account": missing, "amount": "1"}), "there is no contract").await;
    refused(&layer1, "fund", json!({"account": stranger, "amount": "0"}), "the amount is 0").await;
    refused(&layer1, "fund", json!({"account": stranger, "amount": "-1"}), "request body").await;
    let most = i64::MAX.to_string();
    refused(&layer1, "fund", json!({"account": stranger, "amount": most}), "2^63").await;
    refused(&layer1, "fund", json!({"account": "tz1", "amount": "1"}), "request body").await;
    refused(&layer1, "fund", json!({"account": stranger, "amount": "1", "to": 1}), "unknown field").await;
    refused(&layer1, "set-constants", json!({"smart_rollup_timeout": 1}), "there is no constant").await;
    refused(&layer1, "set-constants", json!({window: "x"}), window).await;
    refused(&layer1, "set-constants", json!({"blocks_per_cycle": 0}), "at least 1").await;
    refused(&layer1, "set-constants", json!([]), "give an object").await;
    assert_eq!(layer1.value(HEAD).await, head);

    // what was given stays after a restart, and when the blocks in which it was given are replaced
    layer1.sandbox.stop().await;
    let layer1 = Layer1::manual(directory.path()).await;
    assert_eq!(layer1.value(HEAD).await, head);
    assert_eq!(layer1.balance(&stranger.to_string()).await, 2_500_000);
    done(&layer1, "reorg", json!({"depth": 3})).await;
    assert_eq!(layer1.balance(&stranger.to_string()).await, 2_500_000);
    assert_eq!(layer1.value(&constants("head")).await[window], 7);
    layer1.sandbox.stop().await;
}

#[tokio::test]
async fn contracts_are_funded_too() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    let contract =
        layer1.originate(1, "{ parameter unit ; storage unit ; code { CDR ; NIL operation ; PAIR } }", "Unit").await;
    let funded = done(&layer1, "fund", json!({"account": contract, "amount": "9"})).await;
    assert_eq!(funded["balance"], "9");
    let call = Transaction { amount: Mutez(1), destination: contract, parameters: Default::default() };
    assert_eq!(layer1.include(2, call.into()).await["operation_result"]["status"], "applied");
    assert_eq!(layer1.value(&format!("{HEAD}/context/contracts/{contract}/balance")).await, "10");
    layer1.sandbox.stop().await;
}

/// Blocks of two branches are not equal, even when they are made in the same second of the same parts.
#[tokio::test]
async fn branches_differ() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    done(&layer1, "snapshot", json!({})).await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..5 {
        let head = layer1.bake().await;
        assert!(seen.insert(head["hash"].as_str().unwrap().to_owned()));
        done(&layer1, "revert", json!({"id": 1})).await;
    }
    layer1.sandbox.stop().await;
}
