//! The commands of the reference's Smart Optimistic Rollups page, in its order and under its program names.

use crate::common::{BOOTSTRAP1, Program, SORU, echo_kernel, eventually, free_port, json, run, word_after};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const BOOTSTRAP1_ADDRESS: &str = "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx";
const OPERATOR: &str = "unencrypted:edsk39qAm1fiMjgmPkw1EgQYkMzkJezLNewd7PLNHTkr6w9XA2zdfo";
const OPERATOR_ADDRESS: &str = "tz1gjaF81ZRRvdzjobyfVNsAeSC6PScjfQwN";

/// Where the user of the page works: an empty directory, with the linked programs in `bin`.
struct Desk<'a> {
    dir: &'a Path,
    layer1: String,
    rollup_node: String,
}

impl Desk<'_> {
    fn bin(&self, program: &str) -> PathBuf {
        self.dir.join("bin").join(program)
    }

    #[track_caller]
    fn client(&self, words: &[&str]) -> String {
        run(self.bin("octez-client"), self.dir, &[&["-E", &self.layer1], words].concat()).ok()
    }

    #[track_caller]
    fn rollup_client(&self, words: &[&str]) -> String {
        let program = self.bin("octez-smart-rollup-client-PtMumbai");
        run(program, self.dir, &[&["-E", &self.rollup_node], words].concat()).ok()
    }

    /// Level of the block that an operation's output names.
    fn level_of(&self, output: &str) -> i64 {
        let block = word_after(output, "Operation found in block:");
        let header = json(&self.client(&["rpc", "get", &format!("/chains/main/blocks/{block}/header/shell")]));
        header["level"].as_i64().unwrap()
    }

    /// Keys, made and imported as the page does.
    fn wallet(&self) {
        let added = self.client(&["import", "secret", "key", "bootstrap1", BOOTSTRAP1]);
        assert_eq!(added.trim(), format!("Tezos address added: {BOOTSTRAP1_ADDRESS}"));
        self.client(&["import", "secret", "key", "operator", OPERATOR]);
        self.client(&["gen", "keys", "alice"]);
        let shown = self.client(&["show", "address", "alice"]);
        let alice = word_after(&shown, "Hash:");
        assert!(alice.starts_with("tz1") && shown.contains("Public Key: edpk"), "{shown}");
        let known = self.client(&["list", "known", "addresses"]);
        assert!(known.contains(&format!("alice: {alice} (unencrypted sk known)")), "{known}");
        assert!(known.contains(&format!("operator: {OPERATOR_ADDRESS} (unencrypted sk known)")), "{known}");
        assert_eq!(self.client(&["get", "balance", "for", "alice"]).trim(), "0 ꜩ");
        assert_eq!(self.client(&["get", "balance", "for", "operator"]).trim(), "4000000 ꜩ");
    }

    /// The rollup's address.
    fn originate_rollup(&self) -> String {
        let sentence = "originate smart rollup echo from bootstrap1 of kind wasm_2_0_0 of type bytes with kernel";
        let kernel = echo_kernel();
        let words: Vec<&str> = sentence.split(' ').chain([kernel.as_str(), "--burn-cap", "999"]).collect();
        let receipt = self.client(&words);
        for line in [
            "Node is bootstrapped.",
            "Operation successfully injected in the node.",
            "Waiting for the operation to be included...",
            "This sequence of operations was run:",
            "Smart rollup origination:",
            "Kind: wasm_2_0_0",
            "Parameter type: bytes",
            "Kernel Blake2B hash: '",
            "This smart rollup origination was successfully applied",
            "Consumed gas: ",
            "Storage size: 6552 bytes",
            "Address: sr1",
            "Genesis commitment hash: src1",
            "Balance updates:",
            "storage fees ...",
        ] {
            assert!(receipt.contains(line), "'{line}' is not in:\n{receipt}");
        }
        let address = word_after(&receipt, "Address:").to_owned();
        assert!(receipt.contains(&format!("Smart rollup {address} memorized as \"echo\"")), "{receipt}");
        assert_eq!(self.client(&["show", "known", "smart", "rollup", "echo"]).trim(), address);
        address
    }

    /// The address of a contract that keeps what it is called with.
    fn originate_contract(&self) -> String {
        let code = "parameter string; storage string; code {CAR; NIL operation; PAIR};";
        let sentence = "originate contract go transferring 1 from bootstrap1 running";
        let words: Vec<&str> = sentence.split(' ').chain([code, "--init", "\"\"", "--burn-cap", "0.4"]).collect();
        let receipt = self.client(&words);
        assert!(receipt.contains("Contract memorized as go."), "{receipt}");
        assert_eq!(self.client(&["get", "contract", "storage", "for", "go"]).trim(), "\"\"");
        word_after(&receipt, "New contract").to_owned()
    }

    fn start_rollup_node(&self, rollup: &str, port: &str) -> Program {
        let node = self.bin("octez-smart-rollup-node-alpha");
        let global = ["-E", self.layer1.as_str()];
        let init: Vec<&str> = ["init", "operator", "config", "for", rollup, "with", "operators", "operator"].into();
        let written = run(&node, self.dir, &[&global[..], &init, &["--data-dir", "R"]].concat()).ok();
        assert!(written.contains("Smart rollup node configuration written in R/config.json"), "{written}");
        let config = json(&std::fs::read_to_string(self.dir.join("R/config.json")).unwrap());
        assert_eq!(config["smart-rollup-address"], rollup);
        let options = ["run", "--data-dir", "R", "--rpc-port", port, "--stop-with-stdin"];
        let node = Program::start(&node, self.dir, &[&global[..], &options].concat());
        node.says("node is listening to");
        node
    }

    /// Waits until the rollup node knows a cemented commitment that covers `level`.
    fn wait_until_cemented(&self, level: i64) {
        eventually("the outbox level is cemented", || {
            let lcc = json(&self.rollup_client(&["rpc", "get", "/global/last_cemented_commitment"]));
            lcc["level"].as_i64().filter(|cemented| *cemented >= level)
        });
    }
}

#[test]
fn from_an_empty_directory_to_an_executed_outbox_message() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let linked = run(SORU, dir, &["link", "bin"]).ok();
    assert!(linked.contains("links to"), "{linked}");
    let (port, rollup_port) = (free_port(), free_port().to_string());
    let address = format!("127.0.0.1:{port}");
    let desk =
        Desk { dir, layer1: format!("http://{address}"), rollup_node: format!("http://127.0.0.1:{rollup_port}") };

    run(desk.bin("octez-node"), dir, &["config", "init", "--data-dir", "D", "--network", "sandbox"]).ok();
    assert!(dir.join("D/config.json").is_file());
    let options = ["run", "--data-dir", "D", "--network", "sandbox", "--rpc-addr", &address, "--block-time", "0.2"];
    let layer1 = Program::start(desk.bin("octez-node"), dir, &options);
    assert_eq!(layer1.says("RPC server listening on"), desk.layer1);
    assert!(desk.client(&["bootstrapped"]).contains("Node is bootstrapped."));
    let protocols = json(&desk.client(&["rpc", "get", "/chains/main/blocks/head/protocols"]));
    assert!(protocols["protocol"].as_str().unwrap().starts_with("PsUshuai"), "{protocols}");
    desk.wallet();

    let rollup = desk.originate_rollup();
    let contract = desk.originate_contract();
    let node = desk.start_rollup_node(&rollup, &rollup_port);
    assert_eq!(desk.rollup_client(&["get", "smart", "rollup", "address"]).trim(), rollup);

    let call = json!([{ "destination": contract, "parameters": "\"Hello world\"" }]).to_string();
    let message = desk.rollup_client(&["encode", "outbox", "message", &call]);
    let messages = format!("hex:[ \"{}\" ]", message.trim());
    let sent = desk.client(&["send", "smart", "rollup", "message", &messages, "from", "bootstrap1"]);
    assert!(sent.contains("This smart rollup messages submission was successfully applied"), "{sent}");
    let level = desk.level_of(&sent);
    desk.wait_until_cemented(level);

    let outbox = json(&desk.rollup_client(&["rpc", "get", &format!("/global/block/cemented/outbox/{level}/messages")]));
    assert_eq!(outbox.as_array().map(Vec::len), Some(1), "{outbox}");
    let message = &outbox[0];
    assert_eq!((&message["outbox_level"], &message["message_index"]), (&json!(level), &json!("0")));
    let transaction = &message["message"]["transactions"][0];
    assert_eq!(transaction["destination"], contract.as_str());
    assert_eq!(transaction["parameters"], json!({ "string": "Hello world" }));

    let level = level.to_string();
    let sentence =
        ["get", "proof", "for", "message", "0", "of", "outbox", "at", "level", &level, "transferring", &call];
    let proof: Value = json(&desk.rollup_client(&sentence));
    let (hex, commitment) = (proof["proof"].as_str().unwrap(), proof["commitment_hash"].as_str().unwrap());
    assert!(hex.starts_with("0x") && commitment.starts_with("src1"), "{proof}");
    let sentence = "execute outbox message of smart rollup echo from bootstrap1 for commitment hash";
    let words: Vec<&str> =
        sentence.split(' ').chain([commitment, "and", "output", "proof", hex, "--burn-cap", "1"]).collect();
    let executed = desk.client(&words);
    assert!(executed.contains("This smart output message execution was successfully applied"), "{executed}");
    assert_eq!(desk.client(&["get", "contract", "storage", "for", "go"]).trim(), "\"Hello world\"");

    // once only
    let again = run(desk.bin("octez-client"), dir, &[&["-E", desk.layer1.as_str()][..], &words].concat());
    again.fails_saying(&["Outbox message already applied"]);
    assert_eq!(node.stop(), Some(0));
}
