//! Receipts of rollup operations as the client prints them, line for line against texts recorded in the reference's own regression tests
//! (`../shared/vectors/upstream/receipts.json`, read where it stands). The same commands run on the sandbox.
//!
//! What may differ: gas by a unit and therefore the gas limit by one and the fee by a mutez; hashes and addresses, which the recording
//! masks. The sandbox has no arith machine, so the boot sector of an arith rollup is originated as a wasm kernel: the row
//! `Kind` says so. Kernels of the recorded wasm rollups are not part of the recording, so one of the same size takes their place
//! and its hash is not compared.

use crate::common::manual::{ACCOUNTS, ManualLayer1};
use crate::common::{SORU, run, send, upstream, word_after};
use serde::Deserialize;
use serde_json::{Value, json};
use soru_tezos::codec::Encode;
use soru_tezos::operation::Operation;
use soru_tezos::sign::SecretKey;

#[derive(Deserialize)]
struct Recording {
    operations: Vec<Recorded>,
}

/// The receipt of an operation.
#[derive(Deserialize)]
struct Recorded {
    source: String,
    operation: String,
    fee: String,
    gas_limit: i64,
    storage_limit: i64,
    lines: Vec<String>,
}

/// What is printed from `Manager signed operations:` to the end of the receipt.
struct Printed {
    operation: String,
    fee: String,
    gas_limit: i64,
    storage_limit: i64,
    lines: Vec<String>,
}

/// Reads the receipt that a command printed.
fn printed(text: &str) -> Printed {
    let (_, receipt) = text.split_once("Manager signed operations:\n").unwrap_or_else(|| panic!("no receipt: {text}"));
    let mut lines = receipt.lines().take_while(|line| line.starts_with(' ')).map(|line| line.trim().to_owned());
    let fee = word_after(receipt, "Fee to the baker: ꜩ").to_owned();
    let number = |label| word_after(receipt, label).parse().unwrap();
    let (gas_limit, storage_limit) = (number("Gas limit: "), number("Storage limit: "));
    let title = lines.find(|line| line.starts_with("Smart rollup") && line.ends_with(':')).unwrap();
    Printed { operation: title.trim_end_matches(':').to_owned(), fee, gas_limit, storage_limit, lines: lines.collect() }
}

/// Prefixes, lengths and masks of what depends on the chain.
const MASKS: [(&str, usize, &str); 5] = [
    ("tz1", 36, "[PUBLIC_KEY_HASH]"),
    ("sr1", 36, "[SMART_ROLLUP_HASH]"),
    ("src1", 54, "[SC_ROLLUP_COMMITMENT_HASH]"),
    ("srs1", 54, "[SC_ROLLUP_PVM_STATE_HASH]"),
    ("o", 51, "[OPERATION_HASH]"),
];

fn masked(line: &str) -> String {
    let (mut out, mut word) = (String::new(), String::new());
    let flush = |out: &mut String, word: &mut String| {
        let mask = MASKS.iter().find(|(prefix, length, _)| word.starts_with(prefix) && word.len() == *length);
        out.push_str(mask.map_or(word.as_str(), |(_, _, mask)| mask));
        word.clear();
    };
    for letter in line.chars() {
        if letter.is_ascii_alphanumeric() {
            word.push(letter);
        } else {
            flush(&mut out, &mut word);
            out.push(letter);
        }
    }
    flush(&mut out, &mut word);
    out
}

/// Whether a line says what the recorded one says, within the tolerance.
fn alike(recorded: &str, line: &str, wasm: bool) -> bool {
    let line = masked(line);
    let number = |text: &str, label| text.strip_prefix(label)?.parse::<f64>().ok();
    if let (Some(a), Some(b)) = (number(recorded, "Consumed gas: "), number(&line, "Consumed gas: ")) {
        return (a - b).abs() <= 1.0;
    }
    let kernel = "Kernel Blake2B hash: '";
    line == recorded
        || recorded == "Kind: arith" && line == "Kind: wasm_2_0_0"
        || wasm && recorded.starts_with(kernel) && line.starts_with(kernel)
}

/// What differs between a receipt and the recorded one.
fn differences(recorded: &Recorded, printed: &Printed) -> Vec<String> {
    let mut found = Vec::new();
    let mut expect = |same: bool, what: &str, wanted: &dyn std::fmt::Debug, given: &dyn std::fmt::Debug| {
        if !same {
            found.push(format!("{}: {what}: wanted {wanted:?}, given {given:?}", recorded.source));
        }
    };
    let mutez = |text: &str| (text.parse::<f64>().unwrap() * 1e6).round();
    let wasm = recorded.lines.iter().any(|line| line == "Kind: wasm_2_0_0");
    let near = (mutez(&recorded.fee) - mutez(&printed.fee)).abs() <= 1.0;
    expect(recorded.operation == printed.operation, "operation", &recorded.operation, &printed.operation);
    expect(near, "fee", &recorded.fee, &printed.fee);
    expect((recorded.gas_limit - printed.gas_limit).abs() <= 1, "gas limit", &recorded.gas_limit, &printed.gas_limit);
    expect(recorded.storage_limit == printed.storage_limit, "storage", &recorded.storage_limit, &printed.storage_limit);
    let mut given = printed.lines.iter();
    for wanted in &recorded.lines {
        let line = given.next().map_or("(end)", String::as_str);
        expect(alike(wanted, line, wasm), "line", wanted, &line);
    }
    expect(given.next().is_none(), "end", &"", &given.as_slice());
    found
}

/// A chain, and what commands printed on it.
struct Scene {
    layer1: ManualLayer1,
    printed: Vec<Printed>,
}

impl Scene {
    fn new(commitment_period: u32) -> Scene {
        let constants = json!({
            "smart_rollup_commitment_period_in_blocks": commitment_period,
            "smart_rollup_challenge_window_in_blocks": 2 * commitment_period,
            "smart_rollup_timeout_period_in_blocks": 3,
        });
        Scene { layer1: ManualLayer1::new(&constants), printed: Vec::new() }
    }

    /// Runs a command that prints a receipt, and makes its block.
    fn does(&mut self, words: &[&str]) {
        let words = self.layer1.client(&[&["-w", "none"], words].concat());
        self.printed.push(printed(&run(SORU, &self.layer1.dir(), &words).ok()));
        self.layer1.bake();
    }

    fn says(&mut self, sentence: &str) {
        self.does(&sentence.split(' ').collect::<Vec<_>>());
    }

    fn originates(&mut self, alias: &str, source: &str, ty: &str, kernel: &[u8]) {
        let kernel = hex::encode(kernel);
        let words = ["of", "kind", "wasm_2_0_0", "of", "type", ty, "with", "kernel", &kernel, "--burn-cap", "9999999"];
        self.does(&[&["originate", "smart", "rollup", alias, "from", source][..], &words[..]].concat());
    }

    fn bake_to(&self, level: i64) {
        while self.layer1.level() < level {
            self.layer1.bake();
        }
    }

    fn rollup(&self) -> String {
        let words = self.layer1.client(&["show", "known", "smart", "rollup", "rollup"]);
        run(SORU, &self.layer1.dir(), &words).ok().trim().to_owned()
    }

    fn of_rollup(&self, path: &str) -> Value {
        self.layer1
            .get(&format!("/chains/main/blocks/head/context/smart_rollups/smart_rollup/{}/{path}", self.rollup()))
    }

    /// Publishes a commitment on the genesis one.
    fn publishes(&mut self, source: &str, state: &str, level: i64, ticks: u32) {
        let genesis = self.of_rollup("genesis_info")["commitment_hash"].as_str().unwrap().to_owned();
        self.says(&format!(
            "publish commitment from {source} for smart rollup rollup with compressed state {state} at inbox level {level} \
             and predecessor {genesis} and number of ticks {ticks}"
        ));
    }

    /// Starts a game of the account at `player` (of `ACCOUNTS`) against another, which no command of the client does.
    fn attacks(&self, player: usize, opponent: usize) {
        let (source, secret) = ACCOUNTS[player];
        let staked = |account: usize| self.of_rollup(&format!("staker/{}/staked_on_commitment", ACCOUNTS[account].0));
        let counter = self.layer1.get(&format!("/chains/main/blocks/head/context/contracts/{source}/counter"));
        let counter = counter.as_str().unwrap().parse::<u64>().unwrap() + 1;
        let refutation = json!({
            "refutation_kind": "start",
            "player_commitment_hash": staked(player)["hash"],
            "opponent_commitment_hash": staked(opponent)["hash"],
        });
        let content = json!({
            "kind": "smart_rollup_refute", "source": source, "fee": "10000", "counter": counter.to_string(),
            "gas_limit": "20000", "storage_limit": "0", "rollup": self.rollup(), "opponent": ACCOUNTS[opponent].0,
            "refutation": refutation,
        });
        let branch = self.layer1.get("/chains/main/blocks/head/hash");
        let mut operation: Operation =
            serde_json::from_value(json!({ "branch": branch, "contents": [content] })).unwrap();
        secret.parse::<SecretKey>().unwrap().sign_operation(&mut operation).unwrap();
        let body = json!(hex::encode(operation.to_bytes())).to_string();
        send(&self.layer1.endpoint, "POST", "/injection/operation", &body).unwrap();
        self.layer1.bake();
    }
}

const STATES: [&str; 2] = [
    "srs11Z9V76SGd97kGmDQXV8tEF67C48GMy77RuaHdF1kWLk6UTmMfj",
    "srs11SRvZcVAX1TvELxdV476eyHsUkeB7LczUJfg91XbBPevaTiTGq",
];

/// Size of the kernels of the recorded wasm rollups.
const KERNEL_SIZE: usize = 408;

/// The commands of a recorded scenario, named as in the recording behind the protocol's name; their receipts.
fn play(scenario: &str) -> Option<Vec<Printed>> {
    let (kind, title) = scenario.split_once(" - ")?;
    let wasm = vec![0; KERNEL_SIZE];
    let kernel: &[u8] = if kind == "arith" { &[] } else { &wasm };
    let mut scene;
    match title {
        "RPC API should work and be stable" | "origination of a SCORU executes without error" => {
            scene = Scene::new(10);
            scene.originates("rollup", "b1", "string", kernel);
        }
        "boot sector is evaluated" => {
            scene = Scene::new(10);
            scene.originates("rollup", "b1", "string", b"10 10 10 + +");
            scene.originates("rollup2", "b2", "string", b"31");
        }
        "node advances PVM state with messages (internal)" => {
            scene = Scene::new(10);
            scene.originates("rollup", "b1", "bytes", kernel);
        }
        "node advances PVM state with messages (external)" => {
            scene = Scene::new(10);
            scene.originates("rollup", "b1", "bytes", kernel);
            for i in 1..=10 {
                let message = json!([format!("{i} {} + value", (i + 2) * 2)]).to_string();
                scene.does(&["send", "smart", "rollup", "message", &message, "from", "b2"]);
            }
        }
        "participant of a refutation game are slashed-rewarded" => {
            scene = Scene::new(1);
            scene.originates("rollup", "b1", "string", kernel);
            scene.bake_to(5);
            scene.publishes("b2", STATES[0], 4, 1);
            scene.publishes("b3", STATES[1], 4, 2);
            scene.attacks(1, 2);
            scene.bake_to(scene.layer1.level() + 4);
            let (mover, other) = (ACCOUNTS[1].0, ACCOUNTS[2].0);
            scene.says(&format!("timeout dispute on smart rollup rollup with {mover} against {other} from b1"));
        }
        "recover bond of stakers" => {
            scene = Scene::new(9);
            scene.originates("rollup", "b1", "string", kernel);
            scene.bake_to(13);
            scene.publishes("b1", STATES[0], 12, 1);
            scene.publishes("b2", STATES[0], 12, 1);
            scene.bake_to(40);
            scene.says("cement commitment from b1 for smart rollup rollup");
            for staker in ["b1", "b2"] {
                scene.says(&format!("recover bond of {staker} for smart rollup rollup from b1 --fee 1"));
            }
        }
        _ => return None,
    }
    Some(scene.printed)
}

#[test]
fn receipts_are_those_the_reference_prints() {
    let Some(text) = upstream("receipts.json") else { return };
    let recording: Recording = serde_json::from_str(&text).unwrap();
    let scenario_of = |recorded: &Recorded| {
        let file = recorded.source.rsplit('/').next().unwrap();
        let name = file.split_once("- ").unwrap().1;
        name.trim_end_matches(".out").to_owned()
    };
    let mut scenarios: Vec<String> = recording.operations.iter().map(scenario_of).collect();
    scenarios.sort();
    scenarios.dedup();
    let played = std::thread::scope(|scope| {
        let running: Vec<_> = scenarios.iter().map(|name| (name, scope.spawn(|| play(name)))).collect();
        running.into_iter().map(|(name, thread)| (name, thread.join().unwrap())).collect::<Vec<_>>()
    });
    let (mut compared, mut found) = (0, Vec::new());
    for (name, printed) in played {
        let printed = printed.unwrap_or_else(|| panic!("a scenario without commands: {name}"));
        // recorded for two protocols, which print the same
        let (alpha, ushuaia): (Vec<_>, Vec<_>) = recording
            .operations
            .iter()
            .filter(|it| scenario_of(it) == *name)
            .partition(|it| it.source.contains("/Alpha"));
        for recorded in [alpha, ushuaia].into_iter().filter(|list| !list.is_empty()) {
            assert_eq!(recorded.len(), printed.len(), "{name}");
            for (recorded, printed) in recorded.into_iter().zip(&printed) {
                compared += 1;
                found.extend(differences(recorded, printed));
            }
        }
    }
    assert!(found.is_empty(), "of {compared} receipts:\n{}", found.join("\n"));
    assert_eq!(compared, recording.operations.len());
    println!("{compared} receipts are alike");
}
