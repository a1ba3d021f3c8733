//! `soru codec` against what the reference's codec printed (`tests/data/codec.json`, recorded).

use serde::Deserialize;
use std::process::Command;

#[derive(Deserialize)]
struct Recorded {
    command: String,
    id: String,
    input: String,
    exit: i32,
    stdout: String,
}

/// The reference knows the misspelt name only; we know the right one too.
const OURS_ONLY: &str = "025-PsUshuai.smart_rollup.commitment";

#[test]
fn prints_what_the_reference_printed() {
    let recorded: Vec<Recorded> = serde_json::from_str(include_str!("../data/codec.json")).unwrap();
    assert!(recorded.len() > 50);
    for case in recorded.iter().filter(|case| case.id != OURS_ONLY) {
        let output = Command::new(env!("CARGO_BIN_EXE_soru"))
            .args(["codec", &case.command, &case.id, "from", &case.input])
            .output()
            .unwrap();
        let name = format!("{} {} {}", case.command, case.id, case.input);
        assert_eq!(output.status.code(), Some(case.exit), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout), case.stdout, "{name}");
        assert_eq!(case.exit != 0, !output.stderr.is_empty(), "{name}");
    }
}

#[test]
fn the_pages_outbox_message() {
    let message = r#"{"transactions":[{"parameters":{"int":"37"},"destination":"KT1VD4SdQF2ruNNTCE1aTWErmGz9tN4Mg8F5","entrypoint":"%default"}],"kind":"untyped"}"#;
    let output = Command::new(env!("CARGO_BIN_EXE_soru"))
        .args(["codec", "encode", "alpha.smart_rollup.outbox.message", "from", message])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // untyped, 36 bytes: int 37, the contract, and "%default", which is a name of its own
    assert_eq!(text, "0000000024002501e23f94166aa518a037d11c2af05984c36b08f7cc00000000082564656661756c74\n");
}
