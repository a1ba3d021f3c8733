//! Messages through the batcher of a node, seen from outside (`spec/node.md` §4.12, §4.15): whatever happens to the node
//! and to the layer 1, each is included once.

use crate::common::manual::ManualLayer1;
use crate::common::{PATIENCE, Program, SORU, ask, echo_kernel, eventually, free_port, send, word_after};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A layer 1 that makes blocks when told to, a rollup, and a node that sends messages to it.
struct Scene {
    layer1: ManualLayer1,
    node: String,
    words: Vec<String>,
    program: Option<Program>,
}

impl Scene {
    /// `node`: how the node is started after `run`, with `--rpc-port` and the like added.
    fn new(constants: Value, node: &[&str]) -> Scene {
        let port = free_port().to_string();
        let mut scene = Scene {
            layer1: ManualLayer1::new(&constants),
            node: format!("http://127.0.0.1:{port}"),
            words: vec![],
            program: None,
        };
        let kernel = echo_kernel();
        let words = ["originate", "smart", "rollup", "echo", "from", "b5", "of", "kind", "wasm_2_0_0", "of", "type"];
        let words = [&words[..], &["bytes", "with", "kernel", &kernel, "--burn-cap", "9"]].concat();
        let output = scene.layer1.while_baking(&words);
        assert!(word_after(&output, "Operation found in block:").starts_with('B'), "{output}");
        let words = [&["node", "-d", "w", "-E", &scene.layer1.endpoint, "run"], node].concat();
        let further = ["--data-dir", "node", "--rpc-port", &port, "--reconnection-delay", "0.1", "--stop-with-stdin"];
        scene.words = words.into_iter().chain(further).map(str::to_owned).collect();
        scene.start_node();
        scene
    }

    fn start_node(&mut self) {
        let program = Program::start(SORU, &self.layer1.dir(), &self.words);
        program.says("node is listening to");
        self.program = Some(program);
    }

    /// As `kill -9` does.
    fn kill_node(&mut self) {
        self.program.take();
    }

    /// Makes a block and waits until the node has processed it.
    fn step(&self) {
        self.layer1.bake();
        let (path, head) =
            (format!("/global/block/{}/hash", self.layer1.level()), self.layer1.get("/chains/main/blocks/head/hash"));
        let begin = Instant::now();
        while ask(&self.node, "GET", &path).is_none_or(|reached| reached != head) {
            assert!(begin.elapsed() < PATIENCE, "the node does not reach {head}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until so many operations wait for a block.
    fn wait_for_operations(&self, count: usize) {
        eventually("operations are injected", || {
            let pending = self.layer1.get("/chains/main/mempool/pending_operations");
            (pending["validated"].as_array().unwrap().len() >= count).then_some(())
        });
    }

    /// Gives messages to the batcher until it has answered for them; each counts once.
    fn inject(&self, messages: &[String]) -> Vec<String> {
        let body: Vec<String> = messages.iter().map(hex::encode).collect();
        let path = "/local/batcher/injection?drop_duplicate=true";
        let ids = eventually("the batcher answers", || send(&self.node, "POST", path, &json!(body).to_string()));
        ids.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    }

    fn status(&self, id: &str) -> Value {
        self.get(&format!("/local/batcher/queue/{id}"))
    }

    fn get(&self, path: &str) -> Value {
        ask(&self.node, "GET", path).unwrap_or_else(|| panic!("no answer to {path}"))
    }
}

/// A thousand messages by three keys, while the node is killed four times, once between the signature and the block, and
/// the layer 1 twice leaves blocks that hold some of them.
#[test]
fn each_message_is_included_once() {
    let node = ["batcher", "for", "echo", "with", "operators", "batching:b2", "batching:b3", "batching:b4"];
    let mut scene = Scene::new(json!({}), &node);
    let begin = Instant::now();
    let mut ids = vec![];
    for round in 0..20 {
        // a batch of these fills a layer 1 operation, so that the keys have to share the work
        let messages: Vec<String> = (0..50).map(|index| format!("{:>600}", round * 50 + index)).collect();
        ids.extend(scene.inject(&messages));
        match round {
            3 | 11 => {
                // answered for, but not yet in an operation
                scene.kill_node();
                scene.start_node();
                scene.step();
            }
            6 | 14 => scene.layer1.copy_chain("l1", "saved"),
            8 | 17 => {
                scene.wait_for_operations(1);
                scene.step();
                let before = scene.layer1.included().0.len();
                if round == 8 {
                    // the node learns only later that layer 1 has left these blocks
                    scene.kill_node();
                    scene.layer1.copy_chain("saved", "l1");
                    scene.start_node();
                } else {
                    scene.layer1.copy_chain("saved", "l1");
                }
                assert!(scene.layer1.included().0.len() < before, "layer 1 leaves some messages");
                scene.layer1.bake();
                scene.step();
            }
            10 => {
                scene.step();
                scene.wait_for_operations(1);
                scene.kill_node();
                scene.layer1.bake();
                scene.start_node();
                scene.step();
            }
            _ => scene.step(),
        }
    }
    let limit = scene.layer1.level() + 200;
    let is_final = |id: &String| scene.status(id)["finalized"] == true;
    while !ids.iter().rev().step_by(49).all(is_final) {
        assert!(scene.layer1.level() < limit, "{}", scene.get("/admin/injector/queues/total"));
        scene.step();
        std::thread::sleep(Duration::from_millis(100));
    }
    let (messages, senders) = scene.layer1.included();
    let twice: Vec<_> = messages.iter().filter(|(_, count)| **count != 1).collect();
    assert_eq!(twice, [], "more than once");
    assert_eq!(messages.len(), 1000);
    assert_eq!(senders.len(), 3, "{senders:?}");
    assert!(ids.iter().step_by(37).all(is_final));
    println!("{:?}, {} blocks, {senders:?}", begin.elapsed(), scene.layer1.level());
}

/// The life of a message, as the reference's node was recorded to tell it.
#[test]
fn the_life_of_a_message() {
    let constants = json!({
        "smart_rollup_commitment_period_in_blocks": 3,
        "smart_rollup_challenge_window_in_blocks": 4,
    });
    let scene = Scene::new(constants, &["operator", "for", "echo", "with", "operators", "b1"]);
    scene.step();
    let workers = scene.get("/health")["active_workers"].to_string();
    let kinds =
        "injector (publish, add_messages, cement, timeout, refute, execute_outbox_message, publish_dal_commitment)";
    assert!(workers.contains("[\"batcher\",\"running\"]") && workers.contains(kinds), "{workers}");
    // what comes while the node is still at what the last head wants is batched for that one
    let waits = |text: &String| {
        let content = hex::encode(text);
        let path = "/local/batcher/injection?order=7";
        let id =
            send(&scene.node, "POST", path, &json!([content]).to_string()).unwrap()[0].as_str().unwrap().to_owned();
        let (status, queue) = (scene.status(&id), scene.get("/local/batcher/queue"));
        (status["status"] == "pending_batch" && queue != json!([])).then_some((id, content, status, queue))
    };
    let texts: Vec<_> = (0..10).map(|number| format!("message {number}")).collect();
    let (id, content, status, queue) = texts.iter().find_map(waits).unwrap();
    assert_eq!(status, json!({"content": content, "status": "pending_batch"}));
    let counter = &queue[0]["message"]["counter"];
    assert_eq!(queue, json!([{"order": "7", "id": id, "message": {"content": content, "counter": counter}}]));

    scene.step();
    let operation = json!({"kind": "add_messages", "message": [content]});
    let injected = eventually("it is injected", || Some(scene.status(&id)).filter(|s| s["status"] == "injected"));
    assert_eq!((&injected["operation"], &injected["content"]), (&operation, &json!(content)));
    assert_eq!(scene.get("/local/batcher/queue"), json!([]));
    let hash = injected["layer1"]["operation_hash"].as_str().unwrap().to_owned();
    let pending = scene.layer1.get("/chains/main/mempool/pending_operations").to_string();
    assert!(pending.contains(&hash), "{pending}");

    scene.step();
    let (level, block) = (scene.layer1.level(), scene.layer1.get("/chains/main/blocks/head/hash"));
    let included = eventually("it is included", || Some(scene.status(&id)).filter(|s| s["status"] == "included"));
    let layer1 = json!({
        "operation_hash": hash, "operation_index": injected["layer1"]["operation_index"],
        "block_hash": block, "level": level,
    });
    let expected = json!({
        "content": content, "status": "included", "operation": operation, "layer1": layer1,
        "finalized": false, "cemented": false,
    });
    assert_eq!(included, expected);
    scene.step();
    scene.step();
    assert_eq!(scene.status(&id)["finalized"], true);
    let limit = level + 30;
    let until = |what: &str, holds: &dyn Fn(&Value) -> bool| {
        while !holds(&scene.status(&id)) {
            assert!(scene.layer1.level() < limit, "not {what}: {}", scene.status(&id));
            scene.step();
            std::thread::sleep(Duration::from_millis(100));
        }
        scene.status(&id)
    };
    let committed = until("committed", &|status| status["status"] == "committed");
    assert!(committed["commitment"]["inbox_level"].as_i64().unwrap() >= level, "{committed}");
    let path = format!("/local/commitments/{}", committed["hash"].as_str().unwrap());
    assert_eq!(scene.get(&path)["published_at_level"], committed["published_at_level"]);
    until("cemented", &|status| status["cemented"] == true);

    let total = scene.get("/admin/injector/queues/total");
    assert_eq!(total["injectors"][0]["tags"].as_array().unwrap().len(), 7, "{total}");
    send(&scene.node, "POST", "/local/batcher/injection", &json!(["00"]).to_string()).unwrap();
    send(&scene.node, "DELETE", "/admin/batcher/queue", "").unwrap();
    assert_eq!(scene.get("/local/batcher/queue"), json!([]));
    assert_eq!(send(&scene.node, "POST", "/local/batcher/injection", "[\"zz\"]"), None);
}
