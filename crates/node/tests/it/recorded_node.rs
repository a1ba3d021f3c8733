//! A whole observer node on recorded chains served over HTTP: every answer of its RPC is that of the reference node.

use crate::support::recording::{Chain, folder, lines};
use crate::support::replay::Replay;
use crate::support::{get, json as ask, observer, reach};
use serde_json::{Value, json};
use soru_node::NodeHandle;
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// Things of a block that depend on the node: where it keeps the state.
fn common(block: &Value) -> Value {
    let mut block = block.clone();
    block.as_object_mut().unwrap().remove("context");
    block
}

/// A status of commitment without the estimates of time.
fn without_times(status: &Value) -> Value {
    let mut status = status.clone();
    for part in status.as_object_mut().unwrap().values_mut() {
        part.as_object_mut().unwrap().retain(|name, _| !name.starts_with("estimated_"));
    }
    status
}

async fn compare_levels(address: SocketAddr, rows: &[Value], place: &str, own: bool) {
    for row in rows {
        let level = row["level"].as_i64().unwrap();
        let at = format!("/global/block/{level}");
        let block = ask(address, &format!("{at}?outbox=true")).await;
        assert_eq!(common(&block), common(&row["block"]), "{place} level {level}");
        let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&block), names(&row["block"]), "{place} level {level}: order");
        for name in ["state_hash", "ticks", "total_ticks", "num_messages", "inbox", "status", "state_current_level"] {
            assert_eq!(ask(address, &format!("{at}/{name}")).await, row[name], "{place} level {level}: {name}");
        }
        assert_eq!(ask(address, &format!("{at}/outbox/{level}/messages")).await, row["outbox"], "{place} {level}");
        let status = ask(address, &format!("{at}/committed_status")).await;
        let mut expected = without_times(&row["committed_status"]);
        if !own {
            // the recorded node publishes, this one watches
            let parts = expected.as_object_mut().unwrap().values_mut();
            parts
                .filter(|part| part.get("published_level").is_some())
                .for_each(|part| part["published_level"] = Value::Null);
        }
        assert_eq!(without_times(&status), expected, "{place} level {level}");
        if let Some(commitment) = row.get("local_commitment").filter(|commitment| !commitment.is_null()) {
            let hash = commitment["hash"].as_str().unwrap();
            let mut expected = commitment.clone();
            expected.as_object_mut().unwrap().remove("published_at_level").filter(|_| !own);
            assert_eq!(ask(address, &format!("/local/commitments/{hash}")).await, expected, "{place} level {level}");
        }
        compare_durable(address, &at, row).await;
    }
}

/// Values and directories of the durable storage, as far as the row tells.
async fn compare_durable(address: SocketAddr, at: &str, row: &Value) {
    // all values where the recording has them all, else those that changed
    let recorded = row.get("durable_values").map(|recorded| recorded.get("_changed").unwrap_or(recorded));
    for (key, value) in recorded.and_then(Value::as_object).into_iter().flatten() {
        let Some(value) = value.as_str() else { continue };
        let found = ask(address, &format!("{at}/durable/wasm_2_0_0/value?key={key}")).await;
        assert_eq!(found, value, "{at} {key}");
        let length = ask(address, &format!("{at}/durable/wasm_2_0_0/length?key={key}")).await;
        assert_eq!(length, (value.len() / 2).to_string(), "{at} {key}");
    }
    for (key, names) in row.get("durable_subkeys").and_then(Value::as_object).into_iter().flatten() {
        let found = ask(address, &format!("{at}/durable/wasm_2_0_0/subkeys?key={key}")).await;
        let set = |names: &Value| -> BTreeSet<String> { serde_json::from_value(names.clone()).unwrap() };
        assert_eq!(set(&found), set(names), "{at} {key}");
    }
    for (key, children) in row.get("durable_dirs").and_then(Value::as_object).into_iter().flatten() {
        let changed = children.get("_all").or(children.get("_changed"));
        let found = ask(address, &format!("{at}/durable/wasm_2_0_0/values?key={key}")).await;
        for (name, value) in changed.and_then(Value::as_object).into_iter().flatten() {
            let entry = json!({"key": name, "value": value});
            assert!(found.as_array().unwrap().contains(&entry), "{at} {key}: {entry} is not in {found}");
        }
    }
}

async fn follow(name: &str, node_file: &str, step: i64) -> Option<(NodeHandle, tempfile::TempDir, Vec<Value>)> {
    let folder = folder(name)?;
    let chain = Chain::load(&folder);
    let rows = lines(&folder.join(node_file));
    let first = rows[0]["level"].as_i64().unwrap();
    let last = rows.last().unwrap()["level"].as_i64().unwrap();
    let replay = Replay::new(&chain, if step > 0 { first } else { last });
    let (layer1, _) = replay.serve(0).await;
    let data = tempfile::tempdir().unwrap();
    let rollup = rows[0]["rollup"].as_str().unwrap();
    let node = soru_node::start(observer(rollup, data.path(), layer1)).await.unwrap();
    let hash = |level| chain.row(level).unwrap()["hash"].as_str().unwrap().to_owned();
    if step > 0 {
        let mut level = first;
        while level < last {
            level = (level + step).min(last);
            replay.set_head(level);
            reach(&node, level, &hash(level)).await;
        }
    }
    reach(&node, last, &hash(last)).await;
    Some((node, data, rows))
}

#[tokio::test(flavor = "multi_thread")]
async fn tour_head_by_head() {
    let Some((node, _data, rows)) = follow("s1_tour", "node.jsonl.gz", 1).await else { return };
    compare_levels(node.address(), &rows, "s1_tour", false).await;
    node.stop();
    node.join().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tour_answers() {
    let Some((node, _data, _)) = follow("s1_tour", "node.jsonl.gz", 0).await else { return };
    let address = node.address();
    let recorded = lines(&folder("s1_tour").unwrap().join("rpc.jsonl.gz"));
    // the requests made after the last block
    let level_46 = |row: &&Value| row["path"] == "/global/block/head/level" && row["response"] == 46;
    let from = recorded.iter().position(|row| level_46(&row)).unwrap();
    let (mut compared, mut skipped) = (0, BTreeSet::new());
    for row in &recorded[from - 40..] {
        let path = row["path"].as_str().unwrap();
        let get_from_node = row["method"] == "GET" && row["to"] == "rollup-node:operator";
        if !get_from_node
            || row.get("chunks").is_some()
            || row["request_headers"].to_string().to_lowercase().contains("accept")
        {
            continue;
        }
        // what depends on the node, the moment or its role
        const OTHERS: [&str; 14] = [
            "/health",
            "/version",
            "/config",
            "/stats",
            "/admin",
            "/openapi",
            "/describe",
            "/local/batcher",
            "/local/dal",
            "/local/injector",
            "/local/last_published",
            "committed_status",
            "/BKiHLREqU3JkX",
            "/simulate",
        ];
        if OTHERS.iter().any(|other| path.contains(other)) {
            skipped.insert(path.to_owned());
            continue;
        }
        let (status, content_type, body) = get(address, path).await;
        assert_eq!(row["status"], status, "{path}: {body}");
        assert_eq!(row["headers"]["content-type"].as_str().unwrap_or(""), content_type, "{path}");
        match row.get("response").filter(|response| !response.is_null() || body == "null\n") {
            Some(expected) if row.get("response_truncated").is_none() => {
                let found: Value = serde_json::from_str(&body).unwrap();
                if path.ends_with("/subkeys") || path.contains("/subkeys?") || path.contains("/values?") {
                    // our order of listing is the machine's; the reference's depends on how its tree was loaded
                    let set = |value: &Value| -> BTreeSet<String> {
                        value.as_array().unwrap().iter().map(Value::to_string).collect()
                    };
                    assert_eq!(set(&found), set(expected), "{path}");
                } else if found.get("block_hash").is_some() {
                    assert_eq!(common(&found), common(expected), "{path}");
                } else {
                    assert_eq!(found, *expected, "{path}");
                }
            }
            _ => {
                if let Some(text) = row.get("response_text").and_then(Value::as_str) {
                    assert_eq!(body, text, "{path}");
                }
            }
        }
        compared += 1;
    }
    println!("{compared} answers agree; not compared: {skipped:?}");
    assert!(compared > 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_echo() {
    let Some((node, _data, rows)) = follow("s2_busy_a", "node_echo.jsonl.gz", 0).await else { return };
    compare_levels(node.address(), &rows, "s2_busy_a echo", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_counter() {
    let Some((node, _data, rows)) = follow("s2_busy_a", "node_counter.jsonl.gz", 7).await else { return };
    compare_levels(node.address(), &rows, "s2_busy_a counter", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn busy_reboot() {
    let Some((node, _data, rows)) = follow("s2_busy_a", "node_reboot.jsonl.gz", 0).await else { return };
    compare_levels(node.address(), &rows, "s2_busy_a reboot", false).await;
}
