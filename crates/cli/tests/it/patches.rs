//! Unsafe changes of a rollup's first state (`spec/node.md` §2, §4.7): confirmed on the command line, and of private rollups
//! only.

use crate::common::manual::{ACCOUNTS, ManualLayer1};
use crate::common::{Program, SORU, ask, echo_kernel, eventually, free_port, run};
use serde_json::{Value, json};

/// Ticks of a run of the kernel, more than the protocol gives.
const TICKS: i64 = 60_000_000_000_000;

#[test]
fn only_private_rollups_have_their_first_state_patched() {
    let layer1 = ManualLayer1::new(&json!({}));
    let dir = layer1.dir();
    let members = json!([ACCOUNTS[0].0]).to_string();
    let kernel = echo_kernel();
    for (name, author, further) in [("private", "b4", &["--whitelist", &*members][..]), ("public", "b5", &[])] {
        let words = ["-w", "none", "originate", "smart", "rollup", name, "from", author, "of", "kind", "wasm_2_0_0"];
        let words =
            [&words[..], &["of", "type", "bytes", "with", "kernel", &kernel, "--burn-cap", "9"], further].concat();
        run(SORU, &dir, &layer1.client(&words)).ok();
    }
    layer1.bake();
    let rollups = |path: &str| layer1.get(&format!("/chains/main/blocks/head/context/smart_rollups/{path}"));
    let addresses = rollups("all");
    let of = |private: bool| {
        let mut addresses = addresses.as_array().unwrap().iter().map(|address| address.as_str().unwrap());
        addresses.find(|rollup| rollups(&format!("smart_rollup/{rollup}/whitelist")).is_array() == private).unwrap()
    };
    let address = format!("127.0.0.1:{}", free_port());
    let (_, port) = address.split_once(':').unwrap();
    let node = |data: &str, rollup: &str| {
        let config = json!({
            "smart-rollup-address": rollup,
            "mode": "observer",
            "unsafe-pvm-patches": [
                {"increase_max_nb_tick": TICKS.to_string()},
                {"patch_durable_storage": {"key": "/patched/value", "value": "beef"}},
            ],
        });
        std::fs::create_dir_all(dir.join(data)).unwrap();
        std::fs::write(dir.join(data).join("config.json"), config.to_string()).unwrap();
        let words = ["node", "-d", "w", "-E", &layer1.endpoint, "run", "--data-dir", data, "--rpc-port", port];
        words.map(str::to_owned).to_vec()
    };

    let mut public = node("public", of(false));
    public.push("--apply-unsafe-patches".to_owned());
    run(SORU, &dir, &public).fails_saying(&["Unsafe PVM patches can only be applied in private rollups"]);

    let mut private = node("private", of(true));
    run(SORU, &dir, &private).fails_saying(&[
        "must be started with option --apply-unsafe-patches",
        &format!("Increase maximum number of ticks to {TICKS}"),
        "Rewrites value at /patched/value with beef",
    ]);
    private.push("--apply-unsafe-patches".to_owned());
    private.push("--stop-with-stdin".to_owned());
    let program = Program::start(SORU, &dir, &private);
    layer1.bake();
    let level = layer1.level();
    let block: Value =
        eventually("the node has processed a level", || ask(&address, "GET", &format!("/global/block/{level}")));
    assert_eq!(block["num_ticks"], (2 * TICKS).to_string());
    let value = ask(&address, "GET", "/global/block/head/durable/wasm_2_0_0/value?key=/patched/value");
    assert_eq!(value, Some(json!("beef")));
    // layer 1 knows nothing of it
    let first = ask(&address, "GET", &format!("/global/block/{}", level - 1)).unwrap();
    let genesis = rollups(&format!("smart_rollup/{}/genesis_info", of(true)));
    assert_eq!(first["commitment_hash"], genesis["commitment_hash"]);
    assert_ne!(first["commitment"]["compressed_state"], first["state_hash"]);
    assert_eq!(program.stop(), Some(0));
}
