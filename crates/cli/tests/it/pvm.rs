//! `soru pvm`: recorded cases through the command line.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pvm/tests/data")
}

fn pvm(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_soru")).arg("pvm").args(words).output().unwrap()
}

#[test]
fn conformance_counts_what_agrees() {
    let output = pvm(&["conformance", cases().to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.trim_end().ends_with(" passed, 0 failed") && !text.contains("\n0 passed"), "{text}");
}

#[test]
fn conformance_names_the_first_tick_that_differs() {
    let path = cases().join("reboot_too_many.json");
    let mut case: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let other = case["checkpoints"][4]["context_hash"].clone();
    let tick = case["checkpoints"][7]["tick"].clone();
    case["checkpoints"][7]["context_hash"] = other;
    let dir = tempfile::tempdir().unwrap();
    let wrong = dir.path().join("wrong.json");
    std::fs::write(&wrong, case.to_string()).unwrap();
    let output = pvm(&["conformance", wrong.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains(&format!("tick {tick} ")) && text.contains("0 passed, 1 failed"), "{text}");
}

#[test]
fn conformance_plays_on_after_what_fails_and_looks_at_every_tick_on_request() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("below")).unwrap();
    std::fs::write(dir.path().join("below/broken.json"), "{}").unwrap();
    std::fs::copy(cases().join("exact/malformed_import_name_bad_utf8.json"), dir.path().join("good.json")).unwrap();
    let path = dir.path().join("good.json");
    let mut case: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    case["trace"]["blake2b"] = Value::from("00".repeat(32));
    std::fs::write(dir.path().join("other.json"), case.to_string()).unwrap();
    let words = ["conformance", dir.path().to_str().unwrap()];
    let text = String::from_utf8(pvm(&words).stdout).unwrap();
    assert!(text.contains("broken.json is not a PVM case") && text.contains("2 passed, 1 failed"), "{text}");
    let text = String::from_utf8(pvm(&[words[0], words[1], "--every-tick"]).stdout).unwrap();
    assert!(text.contains("a state between tick 0 and tick") && text.contains("1 passed, 2 failed"), "{text}");
}

/// The JSON lines of a command that must succeed.
#[track_caller]
fn lines(words: &[&str]) -> Vec<Value> {
    let output = pvm(words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The errors of a command that must fail.
#[track_caller]
fn fails(words: &[&str]) -> String {
    let output = pvm(words);
    assert_eq!(output.status.code(), Some(1), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

fn case(name: &str) -> (String, Value) {
    let path = cases().join(name).to_str().unwrap().to_owned();
    let json = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    (path, json)
}

#[test]
fn both_engines_give_the_same_trace() {
    for name in ["reboot_too_many.json", "mainnet_11e9.json"] {
        let (path, json) = case(name);
        let exact = lines(&["trace", &path]);
        assert_eq!(exact, lines(&["trace", &path, "--engine", "fast"]));
        assert_eq!(exact.len(), json["checkpoints"].as_array().unwrap().len());
        // nothing is wanted inside the runs, so that the fast engine makes them
        let cycle = json["ticks_per_snapshot"].to_string();
        let every = ["trace", &path, "--every", &cycle];
        assert_eq!(lines(&every), lines(&[&every[..], &["--engine", "fast"]].concat()));
    }
}

#[test]
fn a_trace_tells_any_tick_and_proofs() {
    let (path, json) = case("exact/reveal_preimage.json");
    let ticks = |lines: &[Value]| lines.iter().map(|line| line["tick"].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(ticks(&lines(&["trace", &path, "--every", "10000"])), [0, 10_000, 20_000, 30_000, 40_000]);
    let checkpoint = json["checkpoints"].as_array().unwrap().iter().find(|it| it["tick"] == 22_102).unwrap();
    let one = lines(&["trace", &path, "--tick", "22102"]);
    assert_eq!((&one[0]["context_hash"], &one[0]["request"]), (&checkpoint["context_hash"], &checkpoint["request"]));
    let told = lines(&["trace", &path, "--proofs"]);
    let proofs: Vec<Value> = told.into_iter().filter(|line| line.get("proof").is_some()).collect();
    let recorded = json["proofs"].as_array().unwrap().iter();
    let recorded: Vec<Value> = recorded
        .map(|it| json!({ "tick": it["tick"], "proof": { "size": it["size"], "blake2b": it["blake2b"] } }))
        .collect();
    assert_eq!(proofs, recorded);
    assert!(fails(&["trace", &path, "--tick", "40001"]).contains("the case ends at tick 40000"));
    assert!(fails(&["trace", &path, "--every", "0"]).contains("--every"));
    assert!(fails(&["trace", &path, "--engine", "other"]).contains("Give exact or fast"));
}

#[test]
fn a_dump_is_the_whole_state() {
    let (path, json) = case("exact/reveal_preimage.json");
    let leaves = lines(&["trace", &path, "--dump", "3"]);
    let leaf = |path: &str| leaves.iter().find(|leaf| leaf["path"] == path).map(|leaf| leaf["hex"].as_str().unwrap());
    assert_eq!(leaf("wasm/tag"), Some("0000000770616464696e67"), "padding");
    assert_eq!(leaf("wasm/current_tick"), Some("03"));
    assert_eq!(leaf("durable/readonly/wasm_version/@/length"), Some("0000000000000008"));
    let kernel = leaf("durable/kernel/boot.wasm/@/contents/0").unwrap();
    assert!(kernel.starts_with(json["kernel_wasm_hex"].as_str().unwrap()));
    let paths: Vec<&str> = leaves.iter().map(|leaf| leaf["path"].as_str().unwrap()).collect();
    assert!(paths.len() > 20 && paths.is_sorted(), "{paths:?}");
}

/// Proves a step; gives the file and the line about it.
fn prove(dir: &Path, case: &str, tick: u64) -> (String, Value) {
    let proof = dir.join(format!("{tick}.proof")).to_str().unwrap().to_owned();
    let about = lines(&["prove", case, "--tick", &tick.to_string(), "-o", &proof]).remove(0);
    (proof, about)
}

#[test]
fn proofs_are_made_shown_and_verified() {
    let (path, json) = case("exact/reveal_preimage.json");
    let dir = tempfile::tempdir().unwrap();
    let state = |tick: u64| lines(&["trace", &path, "--tick", &tick.to_string()])[0]["state_hash"].clone();
    // a message, a computation, a reveal
    for tick in [1, 20_001, 22_102] {
        let (proof, about) = prove(dir.path(), &path, tick);
        let recorded = json["proofs"].as_array().unwrap().iter().find(|it| it["tick"] == tick).unwrap();
        assert_eq!(about["proof"], json!({ "size": recorded["size"], "blake2b": recorded["blake2b"] }));
        assert_eq!((&about["before"], &about["after"]), (&state(tick), &state(tick + 1)));
        let mut words = vec!["verify", &proof];
        if let Some(input) = about["input"].as_str() {
            let reason = fails(&words);
            assert!(reason.contains("does not hold") || reason.contains("--input"), "{reason}");
            words.extend(["--input", input]);
        }
        let output = pvm(&words);
        let text = String::from_utf8(output.stdout).unwrap();
        let hashes = [&about["before"], &about["after"]].map(|hash| hash.as_str().unwrap());
        assert_eq!(text, format!("before {}\nafter  {}\n", hashes[0], hashes[1]));
        let shown = String::from_utf8(pvm(&["show-proof", &proof]).stdout).unwrap();
        assert!(hashes.iter().all(|hash| shown.contains(hash)) && shown.contains("\ndurable "), "{shown}");
        assert!(shown.contains("current_tick = "), "{shown}");
    }
    let (proof, about) = prove(dir.path(), &path, 0);
    assert!(about["input"].as_str().unwrap().ends_with(":0:0001"));
    assert!(pvm(&["verify", &proof, "--input", "first:0"]).status.success());
    assert!(fails(&["verify", &proof, "--input", "first:1"]).contains("the proof does not hold"));
    assert!(fails(&["prove", &path, "--tick", "40000", "-o", &proof]).contains("no step starts at tick 40000"));
    assert!(fails(&["prove", &path, "-o", &proof]).contains("--tick"));
}

#[test]
fn proofs_that_do_not_hold_are_refused_with_the_reason() {
    let (path, _) = case("exact/reveal_preimage.json");
    let dir = tempfile::tempdir().unwrap();
    let (proof, _) = prove(dir.path(), &path, 20_001);
    let good = std::fs::read(&proof).unwrap();
    let verify = |bytes: &[u8], more: &[&str]| {
        let bad = dir.path().join("bad.proof");
        std::fs::write(&bad, bytes).unwrap();
        fails(&[&["verify", bad.to_str().unwrap()], more].concat())
    };
    let changed = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        bytes
    };
    assert!(verify(&changed(3), &[]).contains("claims to start from"));
    assert!(verify(&changed(35), &[]).contains("claims to end in"));
    assert!(verify(&changed(good.len() - 1), &[]).contains("the proof"));
    assert!(verify(&good[..good.len() - 1], &[]).contains("is not a proof"));
    assert!(verify(&[], &[]).contains("is not a proof"));
    assert!(verify(&good, &["--input", "reveal:00"]).contains("takes no input"));
    for (input, sign) in [
        ("inbox:1:2", "message is missing"),
        ("inbox:x:2:00", "level 'x' is no number"),
        ("inbox:1:-2:00", "counter '-2' is no number"),
        ("reveal:0", "not hexadecimal"),
        ("outbox:1", "inbox:LEVEL:COUNTER:HEX"),
    ] {
        assert!(verify(&good, &["--input", input]).contains(sign), "{input}");
    }
    // another answer than the preimage of the hash
    let (proof, about) = prove(dir.path(), &path, 22_102);
    let short = &about["input"].as_str().unwrap()[.."reveal:".len() + 34];
    let reason = fails(&["verify", &proof, "--input", short]);
    assert!(reason.contains("does not hold") || reason.contains("not the preimage"), "{reason}");
}

#[test]
fn what_is_no_case_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (_, good) = case("exact/reveal_preimage.json");
    let with = |field: &str, value: Value| {
        let mut case = good.clone();
        case[field] = value;
        let path = dir.path().join(format!("{field}.json"));
        std::fs::write(&path, case.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let hostile = [
        (with("pvm_version", json!("9.9.9")), "unknown PVM version '9.9.9'"),
        (with("kernel_wasm_hex", json!("0x")), "is not a PVM case"),
        (with("ticks_per_snapshot", json!(-1)), "is not a PVM case"),
        (with("inboxes", json!([{ "level": 1_u64 << 40 }])), "is not a PVM case"),
        (with("checkpoints", json!("[".repeat(10_000))), "is not a PVM case"),
        (dir.path().to_str().unwrap().to_owned(), "cannot read"),
        ("/no/such/file".to_owned(), "cannot read /no/such/file"),
        (concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").to_owned(), "is not a PVM case"),
    ];
    for (path, sign) in &hostile {
        let errors = fails(&["trace", path]);
        assert!(errors.contains(sign), "{path}: {errors}");
    }
    // numbers at their ends are answered, not died of
    for (field, value) in [
        ("ticks_per_snapshot", json!(0)),
        ("ticks_per_snapshot", json!(u64::MAX)),
        ("outbox_message_limit", json!(i64::MIN)),
        ("outbox_validity_period", json!(i32::MIN)),
        ("maximum_reboots_per_input", json!(u64::MAX)),
    ] {
        let output = pvm(&["trace", &with(field, value.clone()), "--tick", "3"]);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(
            matches!(output.status.code(), Some(0 | 1)) && !errors.contains("panicked"),
            "{field} {value}: {errors}"
        );
    }
    assert!(fails(&["conformance"]).contains("no JSON file was found"));
}
