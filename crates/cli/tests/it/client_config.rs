//! The client's configuration file, and that of the node, which is another one.

use crate::common::{Ran, SORU, json, run};
use std::path::Path;

const ROLLUP: &str = "sr163Lv22CdE8QagCwf48PWDTquk6isQwv57";

fn client(dir: &Path, words: &[&str]) -> Ran {
    run(SORU, dir, &[&["client"], words].concat())
}

#[test]
fn what_the_file_says_need_not_be_typed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let shown = client(dir, &["-d", "w", "config", "show"]);
    assert!(shown.stderr.contains("no config file at w/config"), "{}", shown.stderr);
    assert_eq!(json(&shown.ok())["base_dir"], "w");

    // nobody listens there: the error names the endpoint that was used
    client(dir, &["-d", "w", "-E", "http://127.0.0.1:1", "-w", "none", "config", "init"]).ok();
    let again = client(dir, &["-d", "w", "config", "init"]);
    again.fails_saying(&["Config file already exists at location: w/config"]);
    let ask = ["-d", "w", "get", "balance", "for", "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx"];
    client(dir, &ask).fails_saying(&["http://127.0.0.1:1/"]);
    client(dir, &[&["-E", "http://127.0.0.1:2"], &ask[..]].concat()).fails_saying(&["http://127.0.0.1:2/"]);
    client(dir, &["-d", "w", "-E", "http://127.0.0.1:3", "config", "update"]).ok();
    client(dir, &ask).fails_saying(&["http://127.0.0.1:3/"]);
    let shown = json(&client(dir, &["-c", "w/config", "config", "show"]).ok());
    assert_eq!((&shown["endpoint"], &shown["base_dir"]), (&"http://127.0.0.1:3".into(), &"w".into()));

    client(dir, &["-c", "nowhere", "list", "known", "addresses"]).fails_saying(&["nowhere"]);
    std::fs::write(dir.join("broken"), r#"{"base_dir": "w", "colour": "green"}"#).unwrap();
    client(dir, &["-c", "broken", "list", "known", "addresses"]).fails_saying(&["broken", "colour"]);
    client(dir, &["-d", "w", "config", "reset"]).ok();
    assert_eq!(json(&client(dir, &["-d", "w", "config", "show"]).ok()).get("endpoint"), None);
}

#[test]
fn the_node_takes_its_own_file_for_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let sentence = format!("node -d w init observer config for {ROLLUP} with operators --config-file own.json");
    let init: Vec<&str> = sentence.split(' ').collect();
    run(SORU, dir, &init).ok();
    // it is there now, and still not the client's
    run(SORU, dir, &[&init[..], &["--force"]].concat()).ok();
    assert_eq!(json(&std::fs::read_to_string(dir.join("own.json")).unwrap())["smart-rollup-address"], ROLLUP);
    std::fs::create_dir(dir.join("w")).unwrap();
    std::fs::write(dir.join("w/config"), "{").unwrap();
    run(SORU, dir, &[&init[..], &["--force"]].concat()).fails_saying(&["w/config"]);
}
