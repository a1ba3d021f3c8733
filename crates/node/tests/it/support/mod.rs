//! What the node's tests share.
#![allow(dead_code)]

pub mod busy;
pub mod recording;
pub mod replay;

use serde_json::Value;
use soru_node::config::{Config, HistoryMode, Mode};
use soru_node::{NodeConfig, NodeHandle};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// An observer of a rollup on a free port. It keeps everything, as the nodes did whose answers were recorded.
pub fn observer(rollup: &str, data_dir: &Path, layer1: SocketAddr) -> NodeConfig {
    let mut config = Config::new(rollup.parse().unwrap(), Mode::Observer);
    config.rpc_port = 0;
    config.reconnection_delay = 0.1;
    config.loop_retry_delay = 0.2;
    config.history_mode = Some(HistoryMode::Archive);
    NodeConfig {
        config,
        data_dir: data_dir.to_owned(),
        endpoint: format!("http://{layer1}"),
        wallet: soru_l1::wallet::Wallet::new(data_dir),
    }
}

/// A request's status, content type and body.
pub async fn get(address: SocketAddr, path: &str) -> (u16, String, String) {
    // one client for all requests, but no connection that outlives a test's runtime
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    let client = CLIENT.get_or_init(|| reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap());
    let answer = client.get(format!("http://{address}{path}")).send().await.unwrap();
    let status = answer.status().as_u16();
    let content_type = answer.headers().get("content-type").map_or("", |value| value.to_str().unwrap()).to_owned();
    (status, content_type, answer.text().await.unwrap())
}

/// The JSON of a request that succeeds.
pub async fn json(address: SocketAddr, path: &str) -> Value {
    let (status, _, body) = get(address, path).await;
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// Waits until the node has processed the recorded block of a level.
pub async fn reach(node: &NodeHandle, level: i64, hash: &str) {
    let start = Instant::now();
    loop {
        let head = node.node().store.head().unwrap();
        if head.as_ref().is_some_and(|head| i64::from(head.level.0) == level && head.hash.to_string() == hash) {
            return;
        }
        let level_now = head.map(|head| head.level.0);
        assert!(start.elapsed() < Duration::from_secs(120), "stays at {level_now:?}: {:?}", node.node().status());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
