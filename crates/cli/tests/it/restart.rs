//! A rollup node whose layer 1 is killed and comes back: it waits, then goes on where it was.

use crate::common::{Program, SORU, User, echo_kernel, eventually, free_port, json, word_after};
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
