//! What a node goes through: reorganisations, a layer 1 that is late, refusals at the start, and being killed.

use crate::support::recording::{Chain, folder, lines};
use crate::support::replay::Replay;
use crate::support::{json as ask, observer, reach};
use serde_json::Value;
use soru_node::NodeHandle;
use soru_node::store::DataDirLock;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROLLUP: &str = "sr1KEsdg3ivZmc3YgdhJFDbhmQmY5wT9Nd2D";

fn tour() -> Option<(Chain, Vec<Value>)> {
    let folder = folder("s1_tour")?;
    Some((Chain::load(&folder), lines(&folder.join("node.jsonl.gz"))))
}

fn hash(chain: &Chain, level: i64) -> &str {
    chain.row(level).unwrap()["hash"].as_str().unwrap()
}

async fn same_states(node: &NodeHandle, rows: &[Value]) {
    for row in rows {
        let level = row["level"].as_i64().unwrap();
        let block = ask(node.address(), &format!("/global/block/{level}?outbox=true")).await;
        for name in ["block_hash", "state_hash", "inbox_hash", "initial_tick", "commitment_hash", "messages", "outbox"]
        {
            assert_eq!(block[name], row["block"][name], "level {level}: {name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorganisation_leaves_no_trace() {
    let Some((chain, rows)) = tour() else { return };
    let replay = Replay::new(&chain, 20);
    let (layer1, _) = replay.serve(0).await;
    let data = tempfile::tempdir().unwrap();
    let node = soru_node::start(observer(ROLLUP, data.path(), layer1)).await.unwrap();
    reach(&node, 20, hash(&chain, 20)).await;
    for (level, depth) in [(20, 3), (22, 5), (23, 1)] {
        let fork = replay.fork(level, depth);
        reach(&node, level, &fork).await;
        let messages = ask(node.address(), "/global/block/head/num_messages").await;
        assert_eq!(messages, "3", "the fork has no operations");
        // back on the recorded chain, one block further
        replay.set_head(level + 1);
        reach(&node, level + 1, hash(&chain, level + 1)).await;
    }
    let last = replay.last_level();
    replay.set_head(last);
    reach(&node, last, hash(&chain, last)).await;
    same_states(&node, &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn layer_1_may_come_later() {
    let Some((chain, rows)) = tour() else { return };
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let data = tempfile::tempdir().unwrap();
    let starting = tokio::spawn(soru_node::start(observer(ROLLUP, data.path(), free)));
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(!starting.is_finished(), "it waits");
    let replay = Replay::new(&chain, 46);
    replay.serve(free.port()).await;
    let node = starting.await.unwrap().unwrap();
    reach(&node, 46, hash(&chain, 46)).await;
    same_states(&node, &rows).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_at_the_start() {
    let Some((chain, _)) = tour() else { return };
    let (layer1, _) = Replay::new(&chain, 10).serve(0).await;
    let data = tempfile::tempdir().unwrap();
    let refused = async |config| soru_node::start(config).await.err().unwrap().to_string();

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = observer(ROLLUP, data.path(), layer1);
    config.config.rpc_port = taken.local_addr().unwrap().port();
    let text = refused(config).await;
    assert!(text.contains(&taken.local_addr().unwrap().to_string()) && text.contains("--rpc-port"), "{text}");

    let lock = DataDirLock::acquire(data.path()).unwrap();
    let text = refused(observer(ROLLUP, data.path(), layer1)).await;
    assert!(text.starts_with("Could not acquire lock on data directory"), "{text}");
    drop(lock);

    let file = data.path().join("a_file");
    std::fs::write(&file, "").unwrap();
    let text = refused(observer(ROLLUP, &file.join("below"), layer1)).await;
    assert!(text.contains("not usable"), "{text}");

    // a directory that another rollup's node made
    let Some(busy) = folder("s2_busy_a").map(|folder| Chain::load(&folder)) else { return };
    let node = soru_node::start(observer(ROLLUP, data.path(), layer1)).await.unwrap();
    node.stop();
    node.join().await.unwrap();
    let other = busy.meta["rollups"]["echo"]["address"].as_str().unwrap();
    let (layer1, _) = Replay::new(&busy, busy.rows.len() as i64).serve(0).await;
    let text = refused(observer(other, data.path(), layer1)).await;
    let expected = format!(
        "This rollup node was already set up for rollup {ROLLUP}, it cannot be run for a different rollup {other}."
    );
    assert_eq!(text, expected);
}

/// Not a test: the process that [`killed_at_any_moment`] kills.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by another test, in a process of its own"]
async fn child() {
    let Some(data) = std::env::var_os("SORU_TEST_DATA") else { return };
    let layer1: SocketAddr = std::env::var("SORU_TEST_LAYER1").unwrap().parse().unwrap();
    let node = soru_node::start(observer(ROLLUP, Path::new(&data), layer1)).await.unwrap();
    node.join().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment() {
    let Some((chain, rows)) = tour() else { return };
    let replay = Replay::new(&chain, 5);
    let (layer1, _) = replay.serve(0).await;
    let data = tempfile::tempdir().unwrap();
    let program: PathBuf = std::env::current_exe().unwrap();
    let start = Instant::now();
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let kills = 25;
    for kill in 0..kills {
        let mut child = Command::new(&program)
            .args(["life::child", "--exact", "--ignored"])
            .env("SORU_TEST_DATA", data.path())
            .env("SORU_TEST_LAYER1", layer1.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // the chain grows, by jumps, while the node runs
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_millis(30 + (seed >> 33) % 200)).await;
        replay.set_head(5 + (46 - 5) * (kill + 1) / kills);
        tokio::time::sleep(Duration::from_millis((seed >> 45) % 120)).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let node = soru_node::start(observer(ROLLUP, data.path(), layer1)).await.unwrap();
    reach(&node, 46, hash(&chain, 46)).await;
    same_states(&node, &rows).await;
    println!("{kills} kills in {:?}", start.elapsed());
}
