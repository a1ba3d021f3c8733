//! `soru pvm`: recorded cases through the command line.

use serde_json::Value;
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
fn both_engines_answer_the_same_between_runs() {
    let path = cases().join("reboot_too_many.json");
    let lines = |engine| -> Vec<Value> {
        let output = pvm(&["trace", path.to_str().unwrap(), "--engine", engine]);
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (exact, fast) = (lines("exact"), lines("fast"));
    assert!(fast.len() > 10 && exact.len() > fast.len(), "{} and {}", fast.len(), exact.len());
    assert!(fast.iter().all(|line| exact.contains(line)));
}

#[test]
fn what_is_no_case_is_refused() {
    for (words, sign) in [
        (vec!["trace", "/no/such/file"], "cannot read /no/such/file"),
        (vec!["trace", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")], "is not a PVM case"),
        (vec!["conformance"], "no JSON file was found"),
    ] {
        let output = pvm(&words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(sign), "{words:?}");
    }
}
