//! A kernel that asks for data nobody has: the node stops at that level, says so, keeps answering, and goes on when the
//! data appears.

use crate::common::{Program, SORU, User, eventually, json};
use soru_tezos::hash::RevealHash;

const PAGE: &[u8] = b"a page that is not there yet";

/// Asks for the page of a hash and keeps it under `/page`.
fn kernel(hash: &RevealHash) -> String {
    let bytes: String = hash.0.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let text = format!(
        r#"(module
          (import "smart_rollup_core" "reveal_preimage" (func $reveal (param i32 i32 i32 i32) (result i32)))
          (import "smart_rollup_core" "store_write" (func $write (param i32 i32 i32 i32 i32) (result i32)))
          (memory (export "mem") 1)
          (data (i32.const 0) "/page") (data (i32.const 64) "{bytes}")
          (func (export "kernel_run") (local $n i32)
            (local.set $n (call $reveal (i32.const 64) (i32.const 33) (i32.const 256) (i32.const 4096)))
            (drop (call $write (i32.const 0) (i32.const 5) (i32.const 0) (i32.const 256) (local.get $n)))))"#
    );
    hex::encode(wat::parse_str(text).unwrap())
}

#[test]
fn the_node_waits_for_a_missing_preimage() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let words = ["sandbox", "run", "--data-dir", "l1", "--rpc-addr", "127.0.0.1:0", "--block-time", "0.2"];
    let layer1 = Program::start(SORU, dir, &words);
    let endpoint = layer1.says("RPC server listening on");
    let user = User { dir, endpoint: &endpoint };
    let hash = RevealHash::of_data(PAGE);
    user.originate("asker", &kernel(&hash));
    let (mut node, rollup_node) = user.observe("asker");
    let ask = |path: &str| user.ask(&rollup_node, path);
    let health = eventually("the node says why it stopped", || {
        let health = ask("/health").ok();
        health.contains(&hash.to_hex()).then_some(health)
    });
    assert_eq!(json(&health)["healthy"], false, "{health}");
    assert!(node.is_running());
    let level = || ask("/global/block/head/level").ok().trim().parse::<i64>().unwrap();
    let stopped_at = level();
    assert_eq!(level(), stopped_at);
    std::fs::create_dir_all(dir.join("r/wasm_2_0_0")).unwrap();
    std::fs::write(dir.join("r/wasm_2_0_0").join(hash.to_hex()), PAGE).unwrap();
    eventually("the node goes on", || (level() > stopped_at + 2).then_some(()));
    let value = ask("/global/block/head/durable/wasm_2_0_0/value?key=/page").ok();
    assert_eq!(value.trim(), format!("\"{}\"", hex::encode(PAGE)));
    assert_eq!(node.stop(), Some(0));
}
