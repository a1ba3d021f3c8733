//! What the reference's node answered to messages and questions about them, asked of ours (`spec/node.md` §4.15, §6.2).

use crate::support::recording::{Chain, folder, lines};
use crate::support::replay::Replay;
use crate::support::{get, observer, reach};
use serde_json::{Value, json};
use soru_node::config::{Mode, OperationKind};
use std::collections::BTreeSet;
use std::path::Path;

const ROLLUP: &str = "sr1KEsdg3ivZmc3YgdhJFDbhmQmY5wT9Nd2D";
/// The account `bootstrap4` of the recorded network.
const ADDRESS: &str = "tz1b7tUupMgCNw2cCLpKTkSD1NZzB5TkP2sv";
const PUBLIC: &str = "edpkuFrRoDSEbJYgxRtLx2ps82UdaYc1WwfS9sE11yhauZt5DgCHbU";
const SECRET: &str = "edsk2uqQB9AY4FvioK2YMdfmyMrer5R8mGFyuaLLFfSRo8EoyNdht3";

fn write_wallet(dir: &Path) {
    let file = |name: &str, value: Value| {
        std::fs::write(dir.join(name), json!([{"name": "batching", "value": value}]).to_string()).unwrap();
    };
    file("public_key_hashs", json!(ADDRESS));
    file("public_keys", json!({"locator": format!("unencrypted:{PUBLIC}"), "key": PUBLIC}));
    file("secret_keys", json!(format!("unencrypted:{SECRET}")));
}

/// Without what ours does not give (traces) or still has (the message that was in a block by then).
fn queue(answer: &Value) -> Value {
    let mut answer = answer.clone();
    if let Some(entries) = answer.as_array_mut() {
        entries.retain(|entry| entry["message"]["content"].as_str().is_none_or(|content| content.len() < 8192));
        for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
            entry.remove("traceparent");
        }
    }
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_answers() {
    let Some(folder) = folder("s1_tour") else { return };
    let chain = Chain::load(&folder);
    let recorded = lines(&folder.join("rpc.jsonl.gz"));
    let (layer1, _) = Replay::new(&chain, 10).serve(0).await;
    let data = tempfile::tempdir().unwrap();
    write_wallet(data.path());
    let mut config = observer(ROLLUP, data.path(), layer1);
    config.config.mode = Mode::Custom(vec![OperationKind::AddMessages, OperationKind::PublishDalCommitment]);
    config.config.operators = serde_json::from_value(json!({"batching": [ADDRESS]})).unwrap();
    let node = soru_node::start(config.clone()).await.unwrap();
    reach(&node, 10, chain.row(10).unwrap()["hash"].as_str().unwrap()).await;
    let address = node.address();

    // up to where a head of the recorded chain took the messages
    let of_batcher = |row: &&Value| {
        let path = row["path"].as_str().unwrap();
        row["to"] == "rollup-node:operator"
            && (path.contains("/batcher/") || path.contains("/injector/") || path.starts_with("/local/dal"))
            // these show the other keys of the recorded node
            && !path.starts_with("/admin/injector/queues?tag=p")
            && !matches!(path, "/admin/injector/queues" | "/admin/injector/queues/total")
    };
    let end = recorded.iter().position(|row| row["body"][0] == hex::encode("more 0")).unwrap();
    let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
    let (mut compared, mut paths) = (0, BTreeSet::new());
    for row in recorded[..end].iter().filter(of_batcher) {
        let (method, path) = (row["method"].as_str().unwrap(), row["path"].as_str().unwrap());
        let body = row["body_raw"].as_str().map(str::to_owned);
        let body = body.or_else(|| row.get("body").map(Value::to_string)).unwrap_or_default();
        let request = client.request(method.parse().unwrap(), format!("http://{address}{path}")).body(body);
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        assert_eq!(row["status"], status, "{method} {path}: {text}");
        assert_eq!(row["headers"]["content-type"], headers["content-type"].to_str().unwrap(), "{method} {path}");
        match row.get("response") {
            Some(expected) => {
                let found: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(queue(&found), queue(expected), "{method} {path}");
            }
            None => assert_eq!(text, row["response_text"], "{method} {path}"),
        }
        compared += 1;
        paths.insert(format!("{method} {}", path.split('?').next().unwrap()));
    }
    println!("{compared} answers agree, of {} paths", paths.len());
    assert!(compared >= 20 && paths.len() >= 9, "{compared} {paths:?}");

    // what was answered for is there after a restart, batched since or not
    let (_, _, before) = get(address, "/local/batcher/queue").await;
    let before: Value = serde_json::from_str(&before).unwrap();
    let before = before.as_array().unwrap();
    assert_eq!(before.len(), 7);
    node.stop();
    node.join().await.unwrap();
    let node = soru_node::start(config).await.unwrap();
    for message in before {
        let path = format!("/local/batcher/queue/{}", message["id"].as_str().unwrap());
        let (_, _, answer) = get(node.address(), &path).await;
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["content"], message["message"]["content"], "{path}: {answer}");
        assert!(
            ["pending_batch", "pending_injection"].contains(&answer["status"].as_str().unwrap()),
            "{path}: {answer}"
        );
    }
}
