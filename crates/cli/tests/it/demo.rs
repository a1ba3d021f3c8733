//! `soru demo --json`: a rollup's whole life, and nothing left behind.

use crate::common::{Program, SORU, eventually, json, processes_of, run};

#[test]
fn plays_a_rollups_life_and_ends_what_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("kept");
    let begin = std::time::Instant::now();
    let summary = json(&run(SORU, dir.path(), &["demo", "--json", "--keep", home.to_str().unwrap()]).ok());
    assert!(begin.elapsed().as_secs() < 60, "took {:?}", begin.elapsed());

    assert_eq!(summary["storage_before"], "\"\"");
    assert_eq!(summary["storage_after"], "\"Hello from a contract\"");
    let messages = summary["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 2, "{summary}");
    for (message, (kind, text)) in
        messages.iter().zip([("external", "Hello world"), ("internal", "Hello from a contract")])
    {
        assert_eq!(message["kind"], kind);
        let outbox = message["outbox"].as_array().unwrap();
        assert_eq!(outbox.len(), 1, "{message}");
        let call = &outbox[0]["message"]["transactions"][0];
        assert_eq!(call["parameters"]["string"], text);
        assert_eq!(call["destination"], summary["contract"]);
        assert!(message["commitment"].as_str().unwrap().starts_with("src1"), "{message}");
        assert!(message["proof_bytes"].as_u64().unwrap() > 0, "{message}");
    }
    eventually("the layer 1 and the rollup node end", || processes_of(&home).is_empty().then_some(()));
}

#[test]
fn what_it_started_ends_when_it_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("kept");
    let demo = Program::start(SORU, dir.path(), &["demo", "--keep", home.to_str().unwrap()]);
    demo.says("node is listening to");
    // the demo itself, the layer 1 and the rollup node
    assert!(processes_of(&home).len() >= 3, "{:?}", processes_of(&home));
    drop(demo);
    eventually("the layer 1 and the rollup node end", || processes_of(&home).is_empty().then_some(()));
}

#[test]
fn leaves_no_directory_when_it_cannot_start() {
    let dir = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(SORU)
        .args(["demo", "--block-time", "never"])
        .env("TMPDIR", dir.path())
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("block-time"), "{output:?}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn plays_a_dispute() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("kept");
    let begin = std::time::Instant::now();
    let words = ["demo", "--dispute", "--json", "--keep", home.to_str().unwrap()];
    let summary = json(&run(SORU, dir.path(), &words).ok());
    assert!(begin.elapsed().as_secs() < 60, "took {:?}", begin.elapsed());

    let (honest, liar) = (&summary["honest"], &summary["liar"]);
    assert_eq!(summary["result"]["reason"], "conflict_resolved", "{summary}");
    assert_eq!(summary["result"]["loser"], liar["address"]);
    assert_eq!(summary["liar_exit_code"], 1);
    // the second message of the second level after the origination: a cycle of 50·10¹² ticks for the first level's
    // messages, one for its kernel_run, and the first message
    assert_eq!(summary["tick_of_disagreement"], "100000000000001");
    assert_eq!(summary["proof"]["input_proof_kind"], "inbox_proof");
    assert!(summary["proof"]["pvm_step_bytes"].as_u64().unwrap() > 100, "{summary}");

    let bond = "10000000000";
    assert_eq!((&honest["before"]["frozen_bonds"], &honest["after"]["frozen_bonds"]), (&"0".into(), &bond.into()));
    assert_eq!((&liar["before"]["frozen_bonds"], &liar["after"]["frozen_bonds"]), (&"0".into(), &"0".into()));
    let updates = summary["balance_updates"].as_array().unwrap();
    let changes: Vec<&str> = updates.iter().map(|update| update["change"].as_str().unwrap()).collect();
    assert_eq!(changes, ["-10000000000", "10000000000", "-5000000000", "5000000000"], "{summary}");

    let moves = summary["moves"].as_array().unwrap();
    assert_eq!(moves[0]["step"], "start");
    assert_eq!(moves.last().unwrap()["step"], "proof");
    let mut widths = vec![];
    for cut in moves.iter().filter(|made| made["step"] == "dissection") {
        let ticks: Vec<u64> =
            cut["ticks"].as_array().unwrap().iter().map(|tick| tick.as_str().unwrap().parse().unwrap()).collect();
        assert!(ticks.is_sorted() && ticks.len() <= 33, "{cut}");
        widths.push(ticks.last().unwrap() - ticks[0]);
    }
    assert!(widths.len() > 5 && widths.windows(2).all(|pair| pair[1] < pair[0]), "{widths:?}");
    eventually("everything it started ends", || processes_of(&home).is_empty().then_some(()));
}
