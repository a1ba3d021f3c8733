//! What a user is told when something is wrong: exit code 1, and an error that names the culprit.

use crate::common::{BOOTSTRAP1, Program, Ran, SORU, echo_kernel, run, word_after};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const BOOTSTRAP1_ADDRESS: &str = "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx";
/// An account whose key is not in the wallet.
const STRANGER: &str = "tz1gjaF81ZRRvdzjobyfVNsAeSC6PScjfQwN";
const ROLLUP: &str = "sr1E7RK7Dh1MVJWjyeoWNeTrjT9eX4d6oJRK";
const COMMITMENT: &str = "src13yHt53c4tJfA8pEJK1uyMzN5oz2eBRwDrho1igXCa8x6Kkqgcd";
/// Port 1 is reserved: nothing listens there.
const NOBODY: &str = "http://127.0.0.1:1";

/// A running layer 1 with the wallet of `bootstrap1`, in a directory of its own.
struct Sandbox {
    program: Program,
    url: String,
    dir: TempDir,
}

impl Sandbox {
    fn start() -> Sandbox {
        let dir = tempfile::tempdir().unwrap();
        let options = ["sandbox", "run", "--data-dir", "D", "--rpc-addr", "127.0.0.1:0", "--block-time", "0.2"];
        let program = Program::start(SORU, dir.path(), &[&options[..], &["--stop-with-stdin"]].concat());
        let url = program.says("RPC server listening on");
        let sandbox = Sandbox { program, url, dir };
        sandbox.client(&["import", "secret", "key", "bootstrap1", BOOTSTRAP1]).ok();
        sandbox
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn client(&self, words: &[&str]) -> Ran {
        soru(self.dir(), &[&["client", "-E", &self.url], words].concat())
    }

    /// The client's answer to a sentence, whose words hold no spaces except the one that stands for `_`.
    fn sentence(&self, sentence: &str, blank: &str) -> Ran {
        let words: Vec<&str> = sentence.split(' ').map(|word| if word == "_" { blank } else { word }).collect();
        self.client(&words)
    }

    fn originate(&self, alias: &str, kernel: &str) -> Ran {
        let sentence =
            format!("originate smart rollup {alias} from bootstrap1 of kind wasm_2_0_0 of type bytes with kernel _");
        self.sentence(&format!("{sentence} --burn-cap 999"), kernel)
    }
}

#[track_caller]
fn soru(dir: &Path, words: &[&str]) -> Ran {
    run(SORU, dir, words)
}

#[test]
fn malformed_arguments_are_named() {
    let sandbox = Sandbox::start();
    let long = format!("hex:[\"{}\"]", "00".repeat(4096));
    let typo = BOOTSTRAP1_ADDRESS.replace("xZSx", "xZSy");
    let send = "send smart rollup message _ from bootstrap1";
    let execute = "execute outbox message of smart rollup";
    let cases: Vec<(String, &str, &[&str])> = vec![
        // JSON
        (send.into(), "hex:[ \"00", &["argument 5 (hex:[ \"00)", "not valid JSON"]),
        (send.into(), "text:[1]", &["expected list of bytes"]),
        // hexadecimal
        (send.into(), "hex:[\"zz\"]", &["'zz' is not a valid hex encoded message"]),
        (
            "originate smart rollup r from bootstrap1 of kind wasm_2_0_0 of type bytes with kernel _".into(),
            "0g",
            &["Invalid kernel", "argument '0g'"],
        ),
        (
            format!("{execute} {ROLLUP} from bootstrap1 for commitment hash {COMMITMENT} and output proof _"),
            "0xabc",
            &["argument 17 (0xabc)", "hexadecimal"],
        ),
        // base58
        ("get balance for _".into(), &typo, &["argument 4 (tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSy)"]),
        (
            format!("{execute} {ROLLUP} from bootstrap1 for commitment hash _ and output proof 0x00"),
            "src1nope",
            &["argument 13 (src1nope)", "checksum"],
        ),
        (
            format!("{execute} _ from bootstrap1 for commitment hash {COMMITMENT} and output proof 0x00"),
            "sr1nope",
            &["argument 7 (sr1nope)", "no smart rollup alias named sr1nope"],
        ),
        // Michelson
        ("transfer 0 from bootstrap1 to bootstrap1 --arg _".into(), "(Pair", &["--arg ((Pair)"]),
        // amounts and sizes
        ("transfer _ from bootstrap1 to bootstrap1".into(), "1.2.3", &["argument 2 (1.2.3)"]),
        ("transfer 1 from bootstrap1 to bootstrap1 --fee _".into(), "much", &["--fee (much)"]),
        (send.into(), &long, &["message of 4096 bytes is too long", "at most 4095"]),
    ];
    for (sentence, blank, signs) in cases {
        sandbox.sentence(&sentence, blank).fails_saying(signs);
    }
}

#[test]
fn offline_tools_name_the_argument() {
    let dir = tempfile::tempdir().unwrap();
    let encode = ["rollup-client", "encode", "outbox", "message"];
    let json = "[{\"destination\":\"KT1nope\",\"parameters\":\"Unit\"}]";
    for (message, signs) in [("{", ["argument 4 ({)", "EOF"]), (json, [json, "'KT1nope'"])] {
        soru(dir.path(), &[&encode[..], &[message]].concat()).fails_saying(&signs);
    }
    soru(dir.path(), &["client", "import", "secret", "key", "a", "unencrypted:edsk1"])
        .fails_saying(&["argument 'uri' is not a secret key"]);
}

#[test]
fn unknown_accounts_and_missing_keys_are_named() {
    let sandbox = Sandbox::start();
    sandbox.client(&["get", "balance", "for", "nobody"]).fails_saying(&["argument 4 (nobody)", "no contract or key"]);
    let said = sandbox.client(&["transfer", "1", "from", STRANGER, "to", "bootstrap1"]);
    said.fails_saying(&["argument 4", &format!("no secret key for {STRANGER}")]);
    sandbox.client(&["transfer", "1", "from", "nobody", "to", "bootstrap1"]).fails_saying(&["argument 4 (nobody)"]);
    sandbox.client(&["show", "known", "smart", "rollup", "nothing"]).fails_saying(&["argument 5 (nothing)"]);
}

#[test]
fn operations_that_cannot_succeed_are_not_injected() {
    let sandbox = Sandbox::start();
    sandbox.client(&["gen", "keys", "poor"]).ok();
    let transfer = |amount: &str, options: &[&str]| {
        let words = ["transfer", amount, "from", "bootstrap1", "to", "poor"];
        sandbox.client(&[&words[..], options].concat())
    };
    let account = BOOTSTRAP1_ADDRESS;
    transfer("99999999", &["--burn-cap", "1"])
        .fails_saying(&[&format!("Balance of contract {account} too low (4000000) to spend 99999999")]);
    transfer("1", &["--burn-cap", "1", "--counter", "0"])
        .fails_saying(&[&format!("Counter 0 already used for contract {account} (expected 1)")]);
    transfer("1", &["--burn-cap", "1", "--counter", "1000"])
        .fails_saying(&[&format!("Counter 1000 not yet reached for contract {account} (expected 1)")]);
    transfer("1", &[]).fails_saying(&["ꜩ0.06425", "burn cap (ꜩ0)", "--burn-cap 0.06425"]);
    let poor = sandbox.client(&["transfer", "1", "from", "poor", "to", "bootstrap1"]);
    poor.fails_saying(&["Empty implicit contract (tz1"]);
    assert_eq!(sandbox.client(&["get", "balance", "for", "bootstrap1"]).ok().trim(), "4000000 ꜩ");
}

#[test]
fn a_kernel_that_is_not_webassembly_is_originated_with_a_warning() {
    let sandbox = Sandbox::start();
    let ran = sandbox.originate("stuck", "00");
    assert!(ran.stderr.contains("this kernel is not WebAssembly"), "{}", ran.stderr);
    assert!(ran.ok().contains("memorized as \"stuck\""));
    let sane = sandbox.originate("echo", &echo_kernel());
    assert_eq!(sane.stderr, "");
    sane.ok();
    // an alias is not given twice
    sandbox.originate("echo", "00").fails_saying(&["The smart rollup alias echo already exists", "--force"]);
}

#[test]
fn a_proof_needs_a_cemented_commitment() {
    let sandbox = Sandbox::start();
    sandbox.originate("echo", &echo_kernel()).ok();
    let sentence = "execute outbox message of smart rollup echo from bootstrap1 for commitment hash _ and output proof";
    let ran = sandbox.sentence(&format!("{sentence} 0x00 --burn-cap 1"), COMMITMENT);
    assert!(ran.stdout.contains(&format!("Cemented commitment: {COMMITMENT}")), "{}", ran.stdout);
    ran.fails_saying(&["The commitment is not cemented"]);
}

#[test]
fn a_layer_1_says_why_it_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let start = |data_dir: &str, address: &str| {
        soru(dir.path(), &["sandbox", "run", "--data-dir", data_dir, "--rpc-addr", address])
    };
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    start("D", &address).fails_saying(&[&address, "the port is in use", "--rpc-addr"]);
    std::fs::write(dir.path().join("file"), "").unwrap();
    start("file", "127.0.0.1:0").fails_saying(&["'file'", "--data-dir"]);
    // not even the superuser may make directories there
    start("/sys/soru", "127.0.0.1:0").fails_saying(&["cannot write", "'/sys/soru'", "--data-dir"]);
    start("D", "127.0.0.1:99999").fails_saying(&["--rpc-addr (127.0.0.1:99999)", "not a port"]);
    let never = ["sandbox", "run", "--data-dir", "D", "--block-time", "never"];
    soru(dir.path(), &never).fails_saying(&["--block-time (never)"]);

    let sandbox = Sandbox::start();
    let second = ["sandbox", "run", "--data-dir", "D", "--rpc-addr", "127.0.0.1:0"];
    soru(sandbox.dir(), &second).fails_saying(&["'D' is in use by another process"]);
    assert_eq!(sandbox.program.stop(), Some(0));
}

#[test]
fn a_client_without_layer_1_says_whom_it_cannot_reach() {
    let dir = tempfile::tempdir().unwrap();
    soru(dir.path(), &["client", "-E", NOBODY, "bootstrapped"]).fails_saying(&["cannot reach the node at", NOBODY]);
    let balance = ["client", "-E", NOBODY, "get", "balance", "for", STRANGER];
    soru(dir.path(), &balance).fails_saying(&["cannot reach the node at", NOBODY]);
    let wrong = ["client", "-E", "not a url", "bootstrapped"];
    soru(dir.path(), &wrong).fails_saying(&["--endpoint (not a url)"]);
}

#[test]
fn a_rollup_node_without_layer_1_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let words = ["node", "-E", NOBODY, "run", "observer", "for", ROLLUP, "--data-dir", "R", "--rpc-port", "0"];
    let mut node = Program::start(SORU, dir.path(), &[&words[..], &["--reconnection-delay", "0.2"]].concat());
    node.says("cannot reach the node at");
    node.says("cannot reach the node at");
    std::thread::sleep(Duration::from_secs(1));
    assert!(node.is_running());
}

#[test]
fn a_rollup_node_keeps_to_its_rollup() {
    let sandbox = Sandbox::start();
    let address = |alias| word_after(&sandbox.originate(alias, &echo_kernel()).ok(), "Address:").to_owned();
    let (one, other) = (address("one"), address("other"));
    let words = |rollup: &str| {
        let words =
            ["node", "-E", &sandbox.url, "run", "observer", "for", rollup, "--data-dir", "R", "--rpc-port", "0"];
        words.map(str::to_owned)
    };
    let first = Program::start(SORU, sandbox.dir(), &[&words(&one)[..], &["--stop-with-stdin".to_owned()]].concat());
    first.says("node is listening to");
    run(SORU, sandbox.dir(), &words(&one)).fails_saying(&["another rollup node may already be running"]);
    assert_eq!(first.stop(), Some(0));
    run(SORU, sandbox.dir(), &words(&other)).fails_saying(&[&one, &other]);
    // a file where the directory should be
    let mut elsewhere = words(&one);
    std::fs::write(sandbox.dir().join("file"), "").unwrap();
    elsewhere[8] = "file".to_owned();
    run(SORU, sandbox.dir(), &elsewhere).fails_saying(&["file"]);
}

#[test]
fn unknown_commands_and_options_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &[&str]); 6] = [
        (&["frobnicate"], &["Unrecognized command", "man"]),
        (&["client", "gen", "keyz", "a"], &["Unrecognized command", "gen keys <new>"]),
        (&["client", "transfer", "1", "from", "a"], &["Unterminated command", "transfer <qty> from <src> to <dst>"]),
        (&["client", "gen", "keys", "a", "--nope"], &["Unexpected command line option --nope"]),
        (&["sandbox", "run", "--data-dir"], &["--data-dir expects an argument"]),
        (&["client", "-p", "PtNobody", "bootstrapped"], &["--protocol", "PtNobody"]),
    ];
    for (words, signs) in cases {
        soru(dir.path(), words).fails_saying(signs);
    }
}
