//! `soru codec` against what the reference's codec printed (`tests/data/codec.json`, recorded).

use crate::common::{json, upstream};
use serde::Deserialize;
use serde_json::Value;
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

/// What the codec prints, without the end of the line.
fn codec(command: &str, id: &str, input: &str) -> Option<String> {
    let ran = Command::new(env!("CARGO_BIN_EXE_soru")).args(["codec", command, id, "from", input]).output().unwrap();
    ran.status.success().then(|| String::from_utf8(ran.stdout).unwrap().trim_end().to_owned())
}

/// Kinds of operations that are not a manager's, which rollups do not need.
fn is_foreign(operation: &Value) -> bool {
    let kinds = operation["contents"].as_array().into_iter().flatten().map(|content| content["kind"].as_str().unwrap());
    const MANAGER: [&str; 7] = [
        "reveal",
        "transaction",
        "origination",
        "delegation",
        "update_consensus_key",
        "update_companion_key",
        "transfer_ticket",
    ];
    kinds.into_iter().any(|kind| !MANAGER.contains(&kind))
}

#[test]
fn samples_of_the_reference_go_both_ways() {
    let Some(text) = upstream("encoding_samples.json") else { return };
    let samples = json(&text);
    let (mut compared, mut foreign) = (0, 0);
    for sample in samples["samples"].as_array().unwrap() {
        let name = sample["encoding"].as_str().unwrap();
        if !["contract", "operation", "operation.unsigned"].contains(&name) {
            continue;
        }
        let (value, bytes) = (&sample["json"], sample["hex"].as_str().unwrap());
        let id = format!("025-PsUshuai.{name}");
        let (encoded, decoded) = (codec("encode", &id, &value.to_string()), codec("decode", &id, bytes));
        if is_foreign(value) {
            foreign += 1;
            assert_eq!((encoded, decoded), (None, None), "{}", sample["name"]);
        } else {
            compared += 1;
            assert_eq!(encoded.as_deref(), Some(bytes), "{}", sample["name"]);
            assert_eq!(&json(&decoded.unwrap()), value, "{}", sample["name"]);
        }
    }
    println!("{compared} samples are alike, {foreign} are of operations that are not a manager's");
    assert!(compared > 20);
}

#[test]
fn proofs_of_the_reference_go_both_ways() {
    let Some(text) = upstream("refutation_proofs.json") else { return };
    let proofs = json(&text);
    let proofs = proofs["proofs"].as_array().unwrap();
    for proof in proofs {
        let bytes = proof["hex"].as_str().unwrap();
        let decoded = codec("decode", "alpha.smart_rollup.proof", bytes).unwrap();
        assert_eq!(json(&decoded)["input_proof"].is_null(), proof["input_proof"] == "none", "{}", proof["index"]);
        assert_eq!(codec("encode", "alpha.smart_rollup.proof", &decoded).as_deref(), Some(bytes), "{}", proof["index"]);
    }
    println!("{} proofs are alike", proofs.len());
}

#[test]
fn contents_go_both_ways() {
    let rollup = "sr163Lv22CdE8QagCwf48PWDTquk6isQwv57";
    let cement = format!(
        r#"{{"kind":"smart_rollup_cement","source":"tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx","fee":"1","counter":"2","gas_limit":"3","storage_limit":"0","rollup":"{rollup}"}}"#
    );
    let bytes = codec("encode", "alpha.operation.contents", &cement).unwrap();
    assert!(bytes.starts_with("ca0002298c03ed7d454a101eb7022bc95f7e5f41ac7801020300"), "{bytes}");
    assert_eq!(json(&codec("decode", "alpha.operation.contents", &bytes).unwrap()), json(&cement));
}

/// What the codec says when it refuses.
fn refusal(command: &str, id: &str, input: &str) -> String {
    let ran = Command::new(env!("CARGO_BIN_EXE_soru")).args(["codec", command, id, "from", input]).output().unwrap();
    assert_eq!(ran.status.code(), Some(1), "{id} {input}");
    String::from_utf8(ran.stderr).unwrap()
}

#[test]
fn each_protocol_knows_its_own_encodings() {
    let signal = r#"{"payload":"x","kind":"canonical_rollup_signal"}"#;
    let id = |protocol: &str| format!("{protocol}.smart_rollup.outbox.message");
    assert_eq!(codec("encode", &id("025-PsUshuai"), signal).as_deref(), Some("030000000178"));
    let refused = refusal("encode", &id("024-PtTALLiN"), signal);
    assert!(refused.contains("024-PtTALLiN does not know the outbox message canonical_rollup_signal"), "{refused}");
    let refused = refusal("decode", &id("024-PtTALLiN"), "030000000178");
    assert!(refused.contains("which came with 025-PsUshuai"), "{refused}");
    assert_eq!(codec("encode", "018-Proxford.smart_rollup.whitelist", "[]").as_deref(), Some("00000000"));
    for id in ["017-PtNairob.smart_rollup.whitelist", "016-PtMumbai.smart_rollup.kind"] {
        let refused = refusal("encode", id, "[]");
        assert!(
            refused.contains(&format!("Unknown encoding id: {id}")) && refused.contains("it came with"),
            "{refused}"
        );
    }
    for id in ["015-PtLimaPt.contract", "alpha", "alpha.nothing"] {
        assert!(refusal("decode", id, "00").contains(&format!("Unknown encoding id: {id}")));
    }
    // what no protocol changed is alike in all
    let commitment = r#"{"compressed_state":"srs11Z9V76SGd97kGmDQXV8tEF67C48GMy77RuaHdF1kWLk6UTmMfj","inbox_level":1,"predecessor":"src12UJzB8mg7yU6nWPzicH7ofJbFjyJEbHvwtZdfRXi8DQHNp1LY8","number_of_ticks":"2"}"#;
    let forms: Vec<Option<String>> = ["017-PtNairob", "021-PsQuebec", "alpha"]
        .iter()
        .map(|protocol| codec("encode", &format!("{protocol}.smart_rollup.commmitment"), commitment))
        .collect();
    assert!(forms[0].is_some() && forms.iter().all(|form| *form == forms[0]));
}

#[test]
fn operations_of_016_carry_what_later_ones_do_not() {
    let contents = r#"{"kind":"smart_rollup_cement","source":"tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx","fee":"1","counter":"2","gas_limit":"3","storage_limit":"0","rollup":"sr163Lv22CdE8QagCwf48PWDTquk6isQwv57","commitment":"src12UJzB8mg7yU6nWPzicH7ofJbFjyJEbHvwtZdfRXi8DQHNp1LY8"}"#;
    let batch =
        format!(r#"{{"branch":"BKiHLREqU3JkXfzEDYAkmmfX48gBDtYhMrpA98s7Aq4SzbUAB6M","contents":[{contents}]}}"#);
    for (name, length) in [("operation.unsigned", 110), ("operation", 174)] {
        let old = codec("encode", &format!("016-PtMumbai.{name}"), &batch).unwrap();
        assert_eq!(old.len(), 2 * length, "{name}");
        assert_eq!(json(&codec("decode", &format!("016-PtMumbai.{name}"), &old).unwrap()), json(&batch));
        let new = codec("encode", &format!("018-Proxford.{name}"), &batch).unwrap();
        assert_eq!(new.len(), 2 * (length - 32), "{name}");
    }
}

#[test]
fn output_proofs_go_both_ways() {
    // recorded from the reference's rollup node
    let bytes = include_str!("../data/output_proof.hex");
    let id = "025-PsUshuai.smart_rollup.wasm_2_0_0.output.proof";
    let shown = codec("decode", id, bytes).unwrap();
    let value = json(&shown);
    assert_eq!(value["output_proof"]["version"], 2);
    assert!(value["output_proof"]["before"]["node"].as_str().unwrap().starts_with("Co"), "{shown}");
    assert!(value["output_proof_output"]["outbox_level"].is_number(), "{shown}");
    assert_eq!(codec("encode", id, &shown).as_deref(), Some(bytes.trim()));
    // 017 says which state it is about, too
    let (old, state) =
        (id.replace("025-PsUshuai", "017-PtNairob"), "srs11Z9V76SGd97kGmDQXV8tEF67C48GMy77RuaHdF1kWLk6UTmMfj");
    assert!(refusal("encode", &old, &shown).contains("missing field `output_proof_state`"));
    let mut dated = value.clone();
    dated["output_proof_state"] = state.into();
    let encoded = codec("encode", &old, &dated.to_string()).unwrap();
    assert_eq!(encoded.len(), bytes.trim().len() + 64);
    assert_eq!(json(&codec("decode", &old, &encoded).unwrap()), dated);
    for end in [0, 2, 100, 600, bytes.trim().len() - 2] {
        assert!(refusal("decode", id, &bytes[..end]).contains("Cannot parse the binary"), "{end}");
    }
    assert!(refusal("encode", id, "{}").contains("missing field `output_proof_output`"));
}

/// Runs the codec; gives its exit code and both outputs.
fn run(words: &[&str]) -> (i32, String, String) {
    let ran = Command::new(env!("CARGO_BIN_EXE_soru")).arg("codec").args(words).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ran.status.code().unwrap(), text(ran.stdout), text(ran.stderr))
}

#[test]
fn bytes_in_pieces() {
    // untyped, one call of 36 bytes: 37 for default of a contract
    let message = "0000000023002501e23f94166aa518a037d11c2af05984c36b08f7cc000000000764656661756c74";
    let id = "025-PsUshuai.smart_rollup.outbox.message";
    let (code, shown, _) = run(&["slice", message, "with", "encoding", id]);
    assert_eq!(code, 0);
    let wanted = r#"00                  Atomic_transaction_batch tag = 0
00000023            dynamic length = 35
00                  Int tag = 0
25                  "int" (Z) = 37
01                  Originated tag = 1
e23f94166aa518a037d11c2af05984c36b08f7cc
                    "Contract_hash" (bytes)
00                  padding = "\000"
00000007            dynamic length = 7
64656661756c74      "entrypoint" (string) = "default"

"#;
    assert_eq!(shown, wanted);
    let (code, shown, _) = run(&["slice", message, "with", "encoding", id, "--format", "waterfall"]);
    assert_eq!(code, 0);
    assert!(
        shown.starts_with("00   Atomic_transaction_batch tag = 0\n  00000023   dynamic length = 35\n          00   ")
    );
    let (code, shown, _) = run(&["slice", message, "with", "encoding", id, "--format", "json"]);
    let shown = json(&shown);
    assert_eq!((code, shown.as_array().unwrap().len()), (0, 9));
    assert_eq!(shown[1]["hex-slice"], "00000023");
    assert_eq!(shown[3]["pretty"], "37");
    assert_eq!(shown[8]["raw-slice"], "default");
    // together the pieces are the whole
    let pieces: String = shown.as_array().unwrap().iter().map(|piece| piece["hex-slice"].as_str().unwrap()).collect();
    assert_eq!(pieces, message);

    let refused = run(&["slice", message, "with", "encoding", id, "--format", "pie"]);
    assert!(refused.0 == 1 && refused.2.contains("use 'json', 'pretty', or 'waterfall'"), "{}", refused.2);
    let cut = run(&["slice", &message[..20], "with", "encoding", id]);
    assert!(cut.0 == 1 && cut.2.contains("cannot decode"), "{}", cut.2);
    assert!(run(&["slice", "0x00", "with", "encoding", id]).2.contains("Invalid hex string"));

    // newest names first, as the reference has them; each protocol with this message is there
    let (code, all, _) = run(&["slice", message]);
    assert_eq!(code, 0);
    assert_eq!(all.matches(".smart_rollup.outbox.message:\n").count(), 10, "{all}");
    assert!(all.find("alpha.").unwrap() < all.find("017-PtNairob.").unwrap());
    assert!(run(&["slice", "ffffff"]).2.contains("No matching encoding found"));
}

#[test]
fn pieces_are_the_whole() {
    let recorded: Vec<Recorded> = serde_json::from_str(include_str!("../data/codec.json")).unwrap();
    let mut sliced = 0;
    for case in recorded.iter().filter(|case| case.command == "decode" && case.exit == 0) {
        let (code, shown, error) = run(&["slice", &case.input, "with", "encoding", &case.id, "--format", "json"]);
        assert_eq!(code, 0, "{}: {error}", case.id);
        let shown = json(&shown);
        let pieces = shown.as_array().unwrap().iter().map(|piece| piece["hex-slice"].as_str().unwrap());
        assert_eq!(pieces.collect::<String>(), case.input.to_lowercase(), "{}", case.id);
        sliced += 1;
    }
    assert!(sliced > 15, "{sliced}");
}

#[test]
fn operations_in_pieces() {
    let cement = "ca0002298c03ed7d454a101eb7022bc95f7e5f41ac7801020300".to_owned() + &"00".repeat(20);
    let (code, shown, _) = run(&["slice", &cement, "with", "encoding", "alpha.operation.contents"]);
    assert_eq!(code, 0);
    let wanted = r#"ca                  Smart_rollup_cement tag = 202
00                  Ed25519 tag = 0
02298c03ed7d454a101eb7022bc95f7e5f41ac78
                    "Ed25519.Public_key_hash" (bytes)
01                  "\"fee\" (alpha.mutez)" (N) = 1
02                  "counter" (N) = 2
03                  "gas_limit" (N) = 3
00                  "storage_limit" (N) = 0
0000000000000000000000000000000000000000
                    "smart_rollup_address" (bytes)

"#;
    assert_eq!(shown, wanted);
}

#[test]
fn values_are_displayed() {
    let rollup = "sr163Lv22CdE8QagCwf48PWDTquk6isQwv57";
    let zero = "00".repeat(20);
    for (id, binary, json, shown) in [
        ("alpha.smart_rollup.address", zero.as_str(), format!("{rollup:?}"), rollup.to_owned()),
        ("alpha.smart_rollup.kind", "01", "\"wasm_2_0_0\"".to_owned(), "wasm_2_0_0".to_owned()),
        (
            "alpha.smart_rollup.metadata",
            &format!("{zero}00000007"),
            format!(r#"{{"address":"{rollup}","origination_level":7}}"#),
            format!("address: {rollup} ; origination_level: 7"),
        ),
        (
            "alpha.smart_rollup.whitelist",
            "000000150002298c03ed7d454a101eb7022bc95f7e5f41ac78",
            r#"["tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx"]"#.to_owned(),
            "[tz1KqTpEZ7Yob]".to_owned(),
        ),
        ("alpha.script.expr", "0025", r#"{"int":"37"}"#.to_owned(), r#"{ "int": "37" }"#.to_owned()),
    ] {
        let from_binary = run(&["display", id, "from", "binary", binary]);
        assert_eq!((from_binary.0, from_binary.1.trim_end()), (0, shown.as_str()), "{id}: {}", from_binary.2);
        let from_json = run(&["display", id, "from", "json", &json]);
        assert_eq!((from_json.0, from_json.1.trim_end()), (0, shown.as_str()), "{id}: {}", from_json.2);
    }
    assert!(run(&["display", "alpha.smart_rollup.kind", "from", "binary", "09"]).2.contains("unknown tag 9"));
    assert!(run(&["display", "alpha.smart_rollup.kind", "from", "json", "\"x\""]).2.contains("'x' is not a kind"));
}
