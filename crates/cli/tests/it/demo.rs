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
