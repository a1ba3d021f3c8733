//! A rollup node whose layer 1 is killed and comes back, or is behind: it waits, then goes on where it was.

use crate::common::manual::ManualLayer1;
use crate::common::{Program, SORU, User, ask, echo_kernel, eventually, free_port, json, run, word_after, words};
use serde_json::json as object;
use std::path::Path;

/// The layer 1, on the same address and data at each start.
fn layer1(dir: &Path, address: &str) -> Program {
    let words =
        ["sandbox", "run", "--data-dir", "l1", "--rpc-addr", address, "--block-time", "0.2", "--stop-with-stdin"];
    let program = Program::start(SORU, dir, &words);
    program.says("RPC server listening on");
    program
}

#[test]
fn the_node_goes_on_after_its_layer_1_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let address = format!("127.0.0.1:{}", free_port());
    let endpoint = format!("http://{address}");
    let first = layer1(dir, &address);
    let user = User { dir, endpoint: &endpoint };
    user.originate("echo", &echo_kernel());
    let (mut node, rollup_node) = user.observe("echo");
    let level = || user.ask(&rollup_node, "/global/block/head/level").stdout.trim().parse::<i64>().ok();
    let before = eventually("the node has a head", level);
    // dropping kills with SIGKILL
    drop(first);
    let output = user.ask(&rollup_node, "/health").ok();
    assert!(json(&output)["l1"].is_object(), "{output}");
    assert!(node.is_running());
    let second = layer1(dir, &address);
    let sent = user.client(&["send", "smart", "rollup", "message", "text:[\"after the restart\"]", "from", "b1"]);
    let block = word_after(&sent, "Operation found in block:");
    let header = json(&user.client(&["rpc", "get", &format!("/chains/main/blocks/{block}/header/shell")]));
    let sent_at = header["level"].as_i64().unwrap();
    assert!(sent_at > before, "the chain goes on: {sent_at} after {before}");
    eventually("the node is past the message's level", || level().filter(|level| *level > sent_at));
    let path = format!("/global/block/{sent_at}/num_messages");
    let count = user.ask(&rollup_node, &path).ok();
    assert_eq!(count.trim(), "\"4\"");
    assert_eq!(node.stop(), Some(0));
    assert_eq!(second.stop(), Some(0));
}

/// The layer 1 comes back with an older chain, which may not even have the rollup yet.
#[test]
fn a_layer_1_that_is_behind_is_waited_for() {
    let mut layer1 = ManualLayer1::new(&object!({}));
    let dir = layer1.dir();
    layer1.copy_chain("l1", "early");
    let kernel = echo_kernel();
    let origination = ["-w", "none", "originate", "smart", "rollup", "echo", "from", "b5", "of", "kind", "wasm_2_0_0"];
    let origination =
        [&origination[..], &["of", "type", "bytes", "with", "kernel", &kernel, "--burn-cap", "9"]].concat();
    run(SORU, &dir, &layer1.client(&origination)).ok();
    layer1.bake();
    let rollup = layer1.get("/chains/main/blocks/head/context/smart_rollups/all")[0].as_str().unwrap().to_owned();
    layer1.bake();
    layer1.copy_chain("l1", "middle");
    let behind = layer1.level();
    (0..3).for_each(|_| layer1.bake());

    let address = format!("127.0.0.1:{}", free_port());
    let (_, port) = address.split_once(':').unwrap();
    let endpoint = layer1.endpoint.clone();
    let start = || {
        let sentence = "node -d w -E _ run observer for _ --data-dir r --rpc-port _ --reconnection-delay 0.1 \
                        --stop-with-stdin";
        Program::start(SORU, &dir, &words(sentence, &[&endpoint, &rollup, port]))
    };
    let level = || ask(&address, "GET", "/global/block/head/level").and_then(|level| level.as_i64());
    let node = start();
    let known = behind + 3;
    eventually("the node has processed the chain", || level().filter(|level| *level == known));
    assert_eq!(node.stop(), Some(0));
    layer1.copy_chain("l1", "late");

    layer1.copy_chain("middle", "l1");
    let mut node = start();
    node.says(&format!("Layer 1 is at level {behind}, behind the node's {known}: waiting"));
    assert_eq!(level(), Some(known));
    layer1.copy_chain("late", "l1");
    layer1.bake();
    eventually("the node goes on", || level().filter(|level| *level == known + 1));
    assert!(node.is_running());
    assert_eq!(node.stop(), Some(0));
    layer1.copy_chain("l1", "late");

    layer1.copy_chain("early", "l1");
    let mut node = start();
    node.says("waiting");
    assert!(node.is_running());
    layer1.copy_chain("late", "l1");
    layer1.bake();
    eventually("the node goes on", || level().filter(|level| *level == known + 2));
    assert_eq!(node.stop(), Some(0));
}
