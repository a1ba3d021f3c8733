//! Everyday commands of the client on the sandbox, and what it says of scripts that are wrong.

use crate::common::manual::{ACCOUNTS, ManualLayer1};
use crate::common::{Ran, SORU, run};
use serde_json::json;

fn client(layer1: &ManualLayer1, words: &[&str]) -> Ran {
    run(SORU, &layer1.dir(), &layer1.client(&[&["-w", "none"], words].concat()))
}

/// Runs a sentence and makes a block.
fn does(layer1: &ManualLayer1, sentence: &str) -> String {
    let printed = client(layer1, &sentence.split(' ').collect::<Vec<_>>()).ok();
    layer1.bake();
    printed
}

fn says(layer1: &ManualLayer1, sentence: &str) -> String {
    client(layer1, &sentence.split(' ').collect::<Vec<_>>()).ok()
}

#[test]
fn keys_are_revealed_and_delegates_set() {
    let layer1 = ManualLayer1::new(&json!({}));
    does(&layer1, "gen keys new");
    does(&layer1, "transfer 10 from b1 to new --burn-cap 1");
    assert_eq!(says(&layer1, "get delegate for new"), "none\n");
    let receipt = does(&layer1, "reveal key for new");
    assert_eq!(receipt.matches("Revelation of manager public key:").count(), 1, "{receipt}");
    client(&layer1, &["reveal", "key", "for", "new"]).fails_saying(&["previously_revealed"]);
    let receipt = does(&layer1, &format!("set delegate for new to {}", ACCOUNTS[1].0));
    assert!(!receipt.contains("Revelation") && receipt.contains(&format!("To: {}", ACCOUNTS[1].0)), "{receipt}");
    assert_eq!(says(&layer1, "get delegate for new"), format!("{} (known as b2)\n", ACCOUNTS[1].0));
    assert!(does(&layer1, "withdraw delegate from new").contains("To: nobody"));
    assert_eq!(says(&layer1, "get delegate for new"), "none\n");
}

#[test]
fn contracts_are_shown_and_services_listed() {
    let layer1 = ManualLayer1::new(&json!({}));
    let code = "parameter (or (unit %stop) (nat %add)); storage nat; code { CDR; NIL operation; PAIR }";
    client(
        &layer1,
        &[
            "originate",
            "contract",
            "c",
            "transferring",
            "0",
            "from",
            "b1",
            "running",
            code,
            "--init",
            "1",
            "--burn-cap",
            "1",
        ],
    )
    .ok();
    layer1.bake();
    let address = says(&layer1, "show known contract c");
    let listed = says(&layer1, "get contract entrypoints for c");
    let rows = "  default: (or (unit %stop) (nat %add))\n  add: nat\n  stop: unit\n";
    assert_eq!(listed, format!("Entrypoints for contract {}: \n{rows}", address.trim()));
    assert!(says(&layer1, "get contract code for c").starts_with("{ parameter (or (unit %stop) (nat %add)) ;"));

    let known = says(&layer1, "list understood protocols");
    assert_eq!(known.lines().count(), 10);
    assert!(known.contains("PtMumbai2Tms\n"), "{known}");
    let all = says(&layer1, "rpc list");
    assert!(all.starts_with("\nAvailable services:\n  \n  + chains/<chain>/\n"), "{all}");
    assert!(all.contains("      - GET /chains/<chain>/blocks/<block>/hash\n"), "{all}");
    assert!(all.contains("\n\n\nDynamic parameter description:\n  \n") && all.contains("  <chain>\n      "), "{all}");
    let some = says(&layer1, "rpc list /chains/main/blocks/head/helpers/forge");
    let wanted = "\nAvailable services:\n  \n  - POST /chains/main/blocks/head/helpers/forge/operations\n      ";
    assert!(some.starts_with(wanted), "{some}");
    assert!(some.lines().count() < all.lines().count() / 10);
    let schema = says(&layer1, "rpc schema post /chains/main/blocks/head/helpers/forge/operations");
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert!(schema["input"]["components"]["schemas"]["Content"].is_object(), "{schema}");
    let format = says(&layer1, "rpc format get /chains/main/blocks/head/hash");
    assert!(format.starts_with("Output format:\n  string"), "{format}");
    for (path, text) in [
        ("/chains/main/blocks", "No service found at this URL (but this is a valid prefix)"),
        ("/nowhere", "No service found at this URL"),
    ] {
        client(&layer1, &["rpc", "schema", "delete", path]).fails_saying(&[text]);
    }
    client(&layer1, &["-m", "binary", "bootstrapped"]).fails_saying(&["--media-type (binary)", "give json or any"]);
    says(&layer1, "-m any bootstrapped");
    client(&layer1, &["gen", "keys", "k", "-s", "rsa"])
        .fails_saying(&["Unknown signature algorithm (rsa). Available: 'ed25519', 'secp256k1','p256' or 'bls'"]);
}

#[test]
fn errors_show_the_lines_of_scripts() {
    let layer1 = ManualLayer1::new(&json!({}));
    let script = "parameter string;\nstorage nat;\ncode { UNPAIR;\n       ADD;\n       NIL operation;\n       PAIR }";
    let shown = "Ill typed contract:\n  1: parameter string;\n  2: storage nat;\n  3: code { UNPAIR;\n  4:        ADD;\n  5:        NIL operation;\n  6:        PAIR }\nAt line 4 characters 7 to 10, operator ADD is undefined between string\nand nat.\n";
    let failed = client(&layer1, &["typecheck", "script", script]);
    assert_eq!((failed.code, failed.stderr), (Some(1), format!("{shown}Fatal error:\n  ill-typed script\n")));
    let words = ["run", "script", script, "on", "storage", "1", "and", "input", "\"a\""];
    assert_eq!(client(&layer1, &words).stderr, format!("{shown}Fatal error:\n  error running script\n"));

    // as it was written, in an origination too; so is its first storage
    let from = ["originate", "contract", "c", "transferring", "0", "from", "b1", "running"];
    let failed = client(&layer1, &[&from[..], &[script, "--init", "1", "--burn-cap", "1"]].concat());
    let indented: String = shown.lines().map(|line| format!("  {line}\n")).collect();
    assert!(failed.code == Some(1) && failed.stderr.contains(&indented), "{}", failed.stderr);
    let right = "parameter nat; storage nat; code { CDR; NIL operation; PAIR }";
    let failed = client(&layer1, &[&from[..], &[right, "--init", "(Pair  1 2)", "--burn-cap", "1"]].concat());
    assert!(failed.stderr.contains("Ill typed data: 1: (Pair  1 2)"), "{}", failed.stderr);
    let words = ["transfer", "1", "from", "b1", "to", "b2", "-C", "18446744073709551616"];
    client(&layer1, &words).fails_saying(&["--counter (18446744073709551616)", "a natural number below 2^64"]);

    let script = "parameter nat;\nstorage nat;\ncode { CAR;\n       PUSH nat 1;\n       FAILWITH }";
    let words = ["run", "script", script, "on", "storage", "1", "and", "input", "1"];
    let failed = client(&layer1, &words).stderr;
    assert!(
        failed.contains("At line 5 characters 7 to 15,\nscript reached FAILWITH instruction\nwith 1\n"),
        "{failed}"
    );
    assert!(failed.contains("Runtime error in contract KT1") && failed.contains("\n  1: parameter nat;\n"), "{failed}");

    let failed = client(&layer1, &["typecheck", "data", "\"x\"", "against", "type", "nat"]).stderr;
    assert_eq!(
        failed,
        "Ill typed data: 1: \"x\" is not an expression of type nat\n\
         At line 1 characters 0 to 3, value \"x\" is invalid for type nat.\n\
         At line 1 characters 0 to 3, unexpected string, only an int can be used here.\n\
         Fatal error:\n  ill-typed data\n"
    );
}
