//! A layer 1 that makes blocks when told to, in a directory of its own, with a wallet of its accounts.

use super::{Program, SORU, ask, free_port, run};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Accounts of the sandbox, `b1` to `b5` in the wallet: address and secret key.
pub const ACCOUNTS: [(&str, &str); 5] = [
    ("tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx", "edsk3gUfUPyBSfrS9CCgmCiQsTCHGkviBDusMxDJstFtojtc1zcpsh"),
    ("tz1gjaF81ZRRvdzjobyfVNsAeSC6PScjfQwN", "edsk39qAm1fiMjgmPkw1EgQYkMzkJezLNewd7PLNHTkr6w9XA2zdfo"),
    ("tz1faswCTDciRzE4oJ9jn2Vm2dvjeyA9fUzU", "edsk4ArLQgBTLWG5FJmnGnT689VKoqhXwmDPBuGx3z4cvwU9MmrPZZ"),
    ("tz1b7tUupMgCNw2cCLpKTkSD1NZzB5TkP2sv", "edsk2uqQB9AY4FvioK2YMdfmyMrer5R8mGFyuaLLFfSRo8EoyNdht3"),
    ("tz1ddb9NMYHZi5UzPdzTZMYQQZoMub195zgv", "edsk4QLrcijEffxV31gGdN2HU7UpyJjA8drFoNcmnB28n89YjPNRFm"),
];

pub struct ManualLayer1 {
    home: tempfile::TempDir,
    pub endpoint: String,
    program: Option<Program>,
}

impl ManualLayer1 {
    /// A new chain with these constants.
    pub fn new(constants: &Value) -> ManualLayer1 {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("constants.json"), constants.to_string()).unwrap();
        let endpoint = format!("http://127.0.0.1:{}", free_port());
        let mut layer1 = ManualLayer1 { home, endpoint, program: None };
        layer1.start();
        for (index, (_, secret)) in ACCOUNTS.iter().enumerate() {
            let (alias, secret) = (format!("b{}", index + 1), format!("unencrypted:{secret}"));
            run(SORU, &layer1.dir(), &layer1.client(&["import", "secret", "key", &alias, &secret])).ok();
        }
        layer1
    }

    fn start(&mut self) {
        let address = self.endpoint.trim_start_matches("http://");
        let words = ["sandbox", "run", "--data-dir", "l1", "--rpc-addr", address, "--block-time", "manual"];
        let words = [&words[..], &["--constants", "constants.json", "--stop-with-stdin"]].concat();
        let program = Program::start(SORU, &self.dir(), &words);
        program.says("RPC server listening on");
        self.program = Some(program);
    }

    /// Stops it, puts `from`'s chain into `to`'s place, and starts it again, its mempool empty.
    pub fn copy_chain(&mut self, from: &str, to: &str) {
        assert_eq!(self.program.take().unwrap().stop(), Some(0));
        let (from, to) = (self.dir().join(from), self.dir().join(to));
        let _ = std::fs::remove_dir_all(&to);
        std::fs::create_dir(&to).unwrap();
        for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
        self.start();
    }

    pub fn dir(&self) -> PathBuf {
        self.home.path().to_owned()
    }

    /// A command of the client, as words.
    pub fn client(&self, words: &[&str]) -> Vec<String> {
        ["client", "-d", "w", "-E", &self.endpoint].iter().chain(words).map(|word| (*word).to_owned()).collect()
    }

    /// Runs a command of the client that waits for blocks.
    pub fn while_baking(&self, words: &[&str]) -> String {
        let (dir, words) = (self.dir(), self.client(words));
        let command = std::thread::spawn(move || run(SORU, &dir, &words));
        while !command.is_finished() {
            self.bake();
            std::thread::sleep(Duration::from_millis(300));
        }
        command.join().unwrap().ok()
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        ask(&self.endpoint, "GET", path).unwrap_or_else(|| panic!("no answer to {path}"))
    }

    pub fn level(&self) -> i64 {
        self.get("/chains/main/blocks/head/header/shell")["level"].as_i64().unwrap()
    }

    /// The contents of a block's manager operations, with their receipts.
    pub fn contents(&self, level: i64) -> Vec<Value> {
        let operations = self.get(&format!("/chains/main/blocks/{level}/operations/3"));
        operations.as_array().unwrap().iter().flat_map(|o| o["contents"].as_array().unwrap().clone()).collect()
    }

    /// How often each message is in the chain, with the senders.
    pub fn included(&self) -> (BTreeMap<String, usize>, BTreeMap<String, usize>) {
        let (mut messages, mut senders) = (BTreeMap::new(), BTreeMap::new());
        for content in (2..=self.level()).flat_map(|level| self.contents(level)) {
            let applied = content["metadata"]["operation_result"]["status"] == "applied";
            if applied && content["kind"] == "smart_rollup_add_messages" {
                *senders.entry(content["source"].as_str().unwrap().to_owned()).or_default() += 1;
                for message in content["message"].as_array().unwrap() {
                    let text = hex::decode(message.as_str().unwrap()).unwrap();
                    *messages.entry(String::from_utf8(text).unwrap()).or_default() += 1;
                }
            }
        }
        (messages, senders)
    }

    pub fn bake(&self) {
        ask(&self.endpoint, "POST", "/sandbox/bake").unwrap();
    }
}
