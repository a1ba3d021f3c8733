//! The README's tour, run as it is written: every block marked `sh tour`, in order, in one shell and an empty
//! directory.

use std::process::{Command, Stdio};

/// The blocks of the README that are marked `sh tour`.
fn tour() -> String {
    let readme = include_str!("../../../../README.md");
    let blocks = readme.split("```").skip(1).step_by(2);
    blocks.filter_map(|block| block.strip_prefix("sh tour\n")).collect()
}

#[test]
fn the_tour_runs_as_written() {
    let home = tempfile::tempdir().unwrap();
    let kernel = wat::parse_str(include_str!("../../src/demo/echo.wat")).unwrap();
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_soru"));
    // what runs in the background ends with the shell
    let script = format!(
        "set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{}\nsleep 3\nclient get balance for bootstrap1\n",
        tour()
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(home.path())
        .env("HOME", home.path())
        .env("PATH", format!("{}:{}", binary.parent().unwrap().display(), std::env::var("PATH").unwrap()))
        .env("KERNEL", hex::encode(kernel))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let log = |name: &str| std::fs::read_to_string(home.path().join(name)).unwrap_or_default();
    assert!(
        output.status.success(),
        "{text}\n{}\n{}\n{}",
        String::from_utf8_lossy(&output.stderr),
        log("layer1.log"),
        log("rollup.log")
    );
    for sign in [
        "Node is bootstrapped.",
        "4000000 ꜩ",
        "memorized as \"echo\"",
        "Smart rollup node configuration written in rollup/config.json",
        "Contract memorized as go.",
        "This smart rollup messages submission was successfully applied",
    ] {
        assert!(text.contains(sign), "'{sign}' is missing in:\n{text}");
    }
}
