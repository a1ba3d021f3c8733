//! `run unit tests from` (TZT): what passes, what fails and how that is told.

use crate::common::{SORU, run};

const PASSES: &str = "code { PUSH nat 2 ; ADD } ; input { Stack_elt nat 40 } ; output { Stack_elt nat 42 }";
const FAILS: &str = "code ADD ; input { Stack_elt nat 1 ; Stack_elt nat 2 } ; output { Stack_elt nat 4 }";
const REJECTED: &str = "code FAILWITH ; input { Stack_elt string \"no\" } ; output (Failed \"no\")";

fn client(dir: &tempfile::TempDir, files: &[&str]) -> crate::common::Ran {
    run(SORU, dir.path(), &[&["client", "run", "unit", "tests", "from"], files].concat())
}

#[test]
fn passing_failing_and_malformed() {
    let dir = tempfile::tempdir().unwrap();
    let malformed = "code ADD ;\n  input { Stack_elt nat 1 ;\n";
    let nameless = "code ADD ; input {}";
    let files = [("good", PASSES), ("bad", FAILS), ("open", malformed), ("half", nameless), ("no", REJECTED)];
    for (name, text) in files {
        std::fs::write(dir.path().join(format!("{name}.tzt")), text).unwrap();
    }
    std::fs::write(dir.path().join("bytes.tzt"), [0xff, 0xfe]).unwrap();

    let said = client(&dir, &["good.tzt", "no.tzt", &format!("text:{PASSES}")]).ok();
    assert_eq!(said, "Test results: Passed:3 Failed:0 Total:3\nAll tests have passed\n");

    let failed = client(&dir, &["good.tzt", "bad.tzt"]);
    assert_eq!(failed.code, Some(1));
    assert_eq!(
        failed.stdout,
        "bad.tzt:\nGot output: { (Stack_elt nat 3) }\nExpected: { (Stack_elt nat 4) }\n\n\
         Test results: Passed:1 Failed:1 Total:2\n"
    );
    assert!(failed.stderr.contains("Some tests have failed"), "{}", failed.stderr);

    let failed = client(&dir, &["open.tzt", "half.tzt", "bytes.tzt", FAILS]);
    assert_eq!(failed.code, Some(1));
    for sign in [
        "open.tzt:\nAt line 2 characters 8 to 9, unclosed curly brace\n",
        "half.tzt:\nnot a unit test: field 'output' is missing\n",
        "bytes.tzt:\ncannot read this file",
        "Literal script 1:\nGot output:",
        "Passed:0 Failed:4 Total:4",
    ] {
        assert!(failed.stdout.contains(sign), "{sign}: {}", failed.stdout);
    }

    let all = client(&dir, &["."]);
    assert!(all.stdout.contains("Passed:2 Failed:4 Total:6"), "{}", all.stdout);
    let failed = client(&dir, &["file:nowhere.tzt"]);
    assert_eq!(failed.code, Some(1));
    assert!(failed.stderr.contains("Erroneous command line argument 5 (file:nowhere.tzt)"), "{}", failed.stderr);
    assert!(client(&dir, &[]).stderr.contains("No test file was specified"));
}
