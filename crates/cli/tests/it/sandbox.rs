//! The sandbox on the command line: conveniences of a chain of one's own.

use crate::common::manual::ManualLayer1;
use crate::common::{Program, SORU, User, echo_kernel, eventually, json, run, words};
use serde_json::{Value, json};
use soru_sandbox::made_account;

#[test]
fn a_chain_is_controlled_from_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let options = ["sandbox", "run", "--data-dir", "l1", "--rpc-addr", "127.0.0.1:0", "--block-time", "manual"];
    let more = ["--accounts", "3", "--protocol", "023", "--migrate-at", "4:024", "--migrate-at", "5:025"];
    let program = Program::start(SORU, dir, &[&options[..], &more, &["--stop-with-stdin"]].concat());
    let url = program.says("RPC server listening on");
    let soru = |words: &[&str]| run(SORU, dir, &[&["sandbox"], words, &["-E", &url]].concat());
    let get = |path: &str| json(&run(SORU, dir, &["client", "-E", &url, "rpc", "get", path]).ok());
    let head = "/chains/main/blocks/head";

    let account = made_account(3).unwrap().public_key_hash().to_string();
    let balance = format!("{head}/context/contracts/{account}/balance");
    assert_eq!(get(&balance), "4000000000000");
    let snapshot = json(&soru(&["snapshot"]).ok());
    soru(&["fund", &account, "with", "1.5"]).ok();
    assert_eq!(get(&balance), "4000001500000");
    soru(&["set", "constants", r#"{"smart_rollup_timeout_period_in_blocks": 77}"#]).ok();
    assert_eq!(get(&format!("{head}/context/constants"))["smart_rollup_timeout_period_in_blocks"], 77);
    soru(&["time", "set", "2040-01-01T00:00:00Z"]).ok();
    soru(&["time", "advance", "60"]).ok();
    let made = json(&soru(&["bake", "3"]).ok());
    assert_eq!(made["blocks"].as_array().unwrap().len(), 3);
    assert!(get(&format!("{head}/header"))["timestamp"].as_str().unwrap().starts_with("2040-01-01T00:01:"));
    let protocols = |level: u32| get(&format!("/chains/main/blocks/{level}/protocols"))["next_protocol"].to_string();
    assert!(protocols(3).contains("PtSeou") && protocols(4).contains("PtTALL") && protocols(5).contains("PsUshuai"));
    let made = json(&soru(&["reorg", "2", "--drop-operations"]).ok());
    assert_eq!(get(&format!("{head}/hash")), made["head"]["hash"]);
    assert_eq!(json(&soru(&["list", "snapshots"]).ok())[0], snapshot);
    soru(&["revert", "to", &snapshot["id"].to_string()]).ok();
    assert_eq!(get(&format!("{head}/hash")), snapshot["hash"]);
    assert_eq!(get(&balance), "4000000000000");
    soru(&["time"]).ok();

    soru(&["revert", "to", "9"]).fails_saying(&["there is no snapshot 9"]);
    soru(&["reorg", "100"]).fails_saying(&["cannot replace 100 blocks"]);
    soru(&["fund", "tz1", "with", "1"]).fails_saying(&["argument 3 (tz1)"]);
    soru(&["fund", &account, "with", "x"]).fails_saying(&["argument 5 (x)"]);
    soru(&["time", "set", "yesterday"]).fails_saying(&["argument 4 (yesterday)"]);
    soru(&["bake", "x"]).fails_saying(&["argument 3 (x)"]);
    soru(&["set", "constants", "{\"no_such\": 1}"]).fails_saying(&["there is no constant 'no_such'"]);
    assert_eq!(program.stop(), Some(0));
}

#[test]
fn chains_that_cannot_be_started_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let start = |more: &[&str]| {
        run(SORU, dir.path(), &[&["sandbox", "run", "-d", "l1", "--rpc-addr", "127.0.0.1:0"][..], more].concat())
    };
    start(&["--protocol", "015"]).fails_saying(&["'015' is not a protocol"]);
    start(&["--migrate-at", "5"]).fails_saying(&["'5' is not LEVEL:PROTOCOL"]);
    start(&["--migrate-at", "5:024"]).fails_saying(&["5:024 goes back"]);
    start(&["--accounts", "10001"]).fails_saying(&["at most 10000"]);
    start(&["--accounts", "-1"]).fails_saying(&["accounts"]);
}

/// The levels a rollup node knows, compared with the layer 1's.
struct Followed<'a> {
    user: User<'a>,
    rollup_node: &'a str,
}

impl Followed<'_> {
    fn layer1(&self, level: i64) -> Value {
        json(&self.user.client(&["rpc", "get", &format!("/chains/main/blocks/{level}/hash")]))
    }

    /// Waits until the node has the layer 1's block at a level.
    fn follows(&self, level: i64) {
        let wanted = self.layer1(level);
        eventually("the node has the layer 1's block", || {
            let shown = self.user.ask(self.rollup_node, &format!("/global/block/{level}/hash"));
            (shown.code == Some(0) && json(&shown.stdout) == wanted).then_some(())
        });
    }
}

#[test]
fn a_rollup_node_follows_to_another_branch() {
    let layer1 = ManualLayer1::new(&json!({}));
    let dir = layer1.dir();
    let sentence = "originate smart rollup echo from b1 of kind wasm_2_0_0 of type bytes with kernel _ --burn-cap 9";
    let kernel = echo_kernel();
    layer1.while_baking(&words(sentence, &[&kernel]));
    let soru = |words: &[&str]| json(&run(SORU, &dir, &[&["sandbox"], words, &["-E", &layer1.endpoint]].concat()).ok());
    let head = soru(&["bake", "5"])["head"]["level"].as_i64().unwrap();
    let user = User { dir: &dir, endpoint: &layer1.endpoint };
    let (mut node, rollup_node) = user.observe("echo");
    let followed = Followed { user, rollup_node: &rollup_node };
    followed.follows(head);
    let old = followed.layer1(head);
    let made = soru(&["reorg", "2"]);
    assert_ne!(followed.layer1(head), old);
    followed.follows(made["head"]["level"].as_i64().unwrap());
    followed.follows(head);
    assert!(node.is_running());
    assert_eq!(node.stop(), Some(0));
}

#[test]
fn a_rollup_node_follows_over_an_upgrade() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let options = ["sandbox", "run", "--data-dir", "l1", "--rpc-addr", "127.0.0.1:0", "--block-time", "0.25"];
    let more = ["--protocol", "024", "--migrate-at", "14:025", "--stop-with-stdin"];
    let program = Program::start(SORU, dir, &[&options[..], &more].concat());
    let endpoint = program.says("RPC server listening on");
    let user = User { dir, endpoint: &endpoint };
    user.originate("echo", &echo_kernel());
    let (mut node, rollup_node) = user.observe("echo");
    let level = || user.ask(&rollup_node, "/global/block/head/level").stdout.trim().parse::<i64>().ok();
    eventually("the node is past the upgrade", || level().filter(|level| *level > 17));
    let followed = Followed { user, rollup_node: &rollup_node };
    (14..18).for_each(|level| followed.follows(level));
    assert!(node.is_running());
    assert_eq!(node.stop(), Some(0));
    assert_eq!(program.stop(), Some(0));
}
