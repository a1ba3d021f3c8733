//! `/helpers/scripts/…`: the recorded questions get the recorded answers, and the others answers of their shape.

use crate::contracts::Chain;
use serde_json::{Value, json};
use soru_michelson::syntax::{parse_expression, parse_script, print_line};
use soru_sandbox::script_answer_on;
use soru_tezos::micheline::Micheline;

fn expr(text: &str) -> Value {
    json!(parse_expression(text).unwrap().expr)
}

fn script(text: &str) -> Value {
    json!(parse_script(text).unwrap().expr)
}

fn shown(value: &Value) -> String {
    print_line(&serde_json::from_value::<Micheline>(value.clone()).unwrap())
}

/// Asks one of the services; status and answer.
fn ask(chain: &Chain, service: &str, body: Value) -> (u16, Value) {
    script_answer_on(&chain.ledger, &chain.next(), service, &body)
}

#[track_caller]
fn answers(chain: &Chain, service: &str, body: Value) -> Value {
    let (status, answer) = ask(chain, service, body);
    assert_eq!(status, 200, "{service}: {answer}");
    answer
}

/// The ids of an error, without prefix.
#[track_caller]
fn refused(chain: &Chain, service: &str, body: Value) -> Vec<String> {
    let (status, answer) = ask(chain, service, body);
    assert_eq!(status, 500, "{service}: {answer}");
    let ids = answer.as_array().unwrap().iter().map(|error| error["id"].as_str().unwrap());
    ids.map(|id| id.trim_start_matches("proto.025-PsUshuai.").trim_start_matches("michelson_v1.").to_owned()).collect()
}

const ADDER: &str = "parameter int ; storage int ; code { UNPAIR ; ADD ; NIL operation ; PAIR }";
const CHAIN: &str = "NetXdQprcVkpaWU";

fn running(code: &str, storage: &str, input: &str) -> Value {
    json!({"script": script(code), "storage": expr(storage), "input": expr(input), "amount": "0", "chain_id": CHAIN})
}

fn with(mut body: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[test]
fn as_recorded() {
    let chain = Chain::new();
    assert_eq!(
        answers(&chain, "run_code", running(ADDER, "4", "38")),
        json!({"storage": {"int": "42"}, "operations": []})
    );
    assert_eq!(
        ask(&chain, "run_code", running(ADDER, "4", "\"x\"")),
        (
            500,
            json!([
                {"kind": "permanent", "id": "proto.025-PsUshuai.michelson_v1.bad_contract_parameter",
                 "contract": "KT1BEqzn5Wx8uJrZNvuS9DVHmLvG9td3fDLi"},
                {"kind": "permanent", "id": "proto.025-PsUshuai.michelson_v1.invalid_constant", "location": 0,
                 "expected_type": {"prim": "int"}, "wrong_expression": {"string": "x"}},
                {"kind": "permanent", "id": "proto.025-PsUshuai.michelson_v1.invalid_expression_kind", "location": 0,
                 "expected_kinds": ["integer"], "wrong_kind": "string"}
            ])
        )
    );
    let mut traced = answers(&chain, "trace_code", running(ADDER, "4", "38"));
    for step in traced["trace"].as_array_mut().unwrap() {
        assert!(step.as_object_mut().unwrap().shift_remove("gas").unwrap().is_string());
    }
    assert_eq!(
        traced,
        json!({"storage": {"int": "42"}, "operations": [], "trace": [
            {"location": 7, "stack": [{"prim": "Pair", "args": [{"int": "38"}, {"int": "4"}]}]},
            {"location": 7, "stack": [{"int": "38"}, {"int": "4"}]},
            {"location": 8, "stack": [{"int": "42"}]},
            {"location": 9, "stack": [[], {"int": "42"}]},
            {"location": 11, "stack": [{"prim": "Pair", "args": [[], {"int": "42"}]}]}
        ]})
    );
    let checked =
        answers(&chain, "typecheck_code", json!({"program": script(ADDER), "gas": "100000", "show_types": true}));
    assert_eq!(checked["type_map"].as_array().unwrap().len(), 4);
    assert_eq!(checked["type_map"][0]["location"], 11);
    let left: u64 = checked["gas"].as_str().unwrap().parse().unwrap();
    assert!(left > 99_000_000 && left < 100_000_000);
    let unshown = answers(&chain, "typecheck_code", json!({"program": script(ADDER), "show_types": false}));
    assert_eq!(unshown, json!({"type_map": [], "gas": "unaccounted"}));

    assert_eq!(
        answers(&chain, "typecheck_data", json!({"data": expr("3"), "type": expr("nat")})),
        json!({"gas": "unaccounted"})
    );
    assert_eq!(
        refused(&chain, "typecheck_data", json!({"data": expr("-3"), "type": expr("nat")})),
        ["ill_typed_data", "invalid_constant", "invalid_syntactic_constant"]
    );
    let pair =
        json!({"data": expr("Pair 1 (Pair 2 3)"), "type": expr("pair int int int"), "unparsing_mode": "Optimized"});
    let normalized = answers(&chain, "normalize_data", pair.clone());
    assert_eq!(normalized, json!({"normalized": expr("Pair 1 (Pair 2 3)")}));
    let readable = answers(&chain, "normalize_data", with(pair, json!({"unparsing_mode": "Readable"})));
    assert_eq!(shown(&readable["normalized"]), "Pair 1 2 3");
    let unfolded = answers(&chain, "normalize_type", json!({"type": expr("pair int int int")}));
    assert_eq!(shown(&unfolded["normalized"]), "pair int (pair int int)");
    let packed = answers(&chain, "pack_data", json!({"data": expr("Pair 3 \"abc\""), "type": expr("pair nat string")}));
    assert_eq!(packed, json!({"packed": "05070700030100000003616263", "gas": "unaccounted"}));
    let entry = answers(&chain, "entrypoint", json!({"script": script(ADDER), "entrypoint": "default"}));
    assert_eq!(entry, json!({"entrypoint_type": {"prim": "int"}}));
    assert!(
        answers(&chain, "script_size", json!({"program": script(ADDER), "storage": expr("0")}))["script_size"].is_u64()
    );
}

#[test]
fn wrong_scripts_and_values() {
    let chain = Chain::new();
    let code = |text: &str| json!({"program": script(text)});
    for (text, ids) in [
        ("parameter int ; storage int ; code { ADD }", vec!["ill_typed_contract", "bad_stack"]),
        ("parameter int ; storage int", vec!["ill_typed_contract", "missing_script_field"]),
        ("parameter int ; storage operation ; code {}", vec!["ill_formed_type", "unexpected_operation"]),
        (
            "parameter int ; storage int ; code { PUSH nat -1 }",
            vec!["ill_typed_contract", "invalid_constant", "invalid_syntactic_constant"],
        ),
        (
            "parameter int ; storage int ; code { SAPLING_EMPTY_STATE 8 }",
            vec!["ill_typed_contract", "unsupported_by_soru"],
        ),
        (
            "parameter int ; storage int ; code { constant \"expruQN5r2umbZVHy6WynYM8f71F8zS4AERz9bugF8UkPBEqrHLuU8\" }",
            vec!["Nonexistent_global"],
        ),
    ] {
        assert_eq!(refused(&chain, "typecheck_code", code(text)), ids, "{text}");
    }
    let failing = running("parameter unit ; storage unit ; code { CDR ; FAILWITH }", "Unit", "Unit");
    assert_eq!(refused(&chain, "run_code", failing), ["runtime_error", "script_rejected"]);
    let endless = "parameter unit ; storage unit ; code { DROP ; PUSH bool True ; LOOP { PUSH bool True } ; UNIT ; NIL operation ; PAIR }";
    let endless = with(running(endless, "Unit", "Unit"), json!({"gas": "1000"}));
    assert_eq!(refused(&chain, "run_code", endless.clone()), ["runtime_error", "gas_exhausted.operation"]);
    let long = with(endless, json!({"gas": "1000000"}));
    assert_eq!(refused(&chain, "trace_code", long), ["runtime_error", "cannot_serialize_log"]);
    let ill_formed = json!({"data": expr("1"), "type": expr("Some 1")});
    assert_eq!(refused(&chain, "typecheck_data", ill_formed.clone()), ["ill_formed_type", "invalid_primitive"]);
    assert_eq!(
        refused(&chain, "pack_data", json!({"data": expr("{}"), "type": expr("big_map int int")})),
        ["unexpected_lazy_storage"]
    );
    assert_eq!(ask(&chain, "nothing", json!({})).0, 404);
    assert_eq!(ask(&chain, "run_code", json!({"script": 1})).0, 400);
}

#[test]
fn contracts_and_big_maps_only_for_a_run() {
    let chain = Chain::new();
    let code = "parameter (pair (big_map string nat) address) ; storage (option nat) ;
        code { CAR ; UNPAIR ; PUSH string \"a\" ; GET ; SWAP ; CONTRACT %in nat ; ASSERT_SOME ; PUSH mutez 0 ;
               DUP 3 ; ASSERT_SOME ; TRANSFER_TOKENS ; NIL operation ; SWAP ; CONS ; PAIR }";
    let other = "KT1WTww7kWqJXsLAF8Erfp47t5meXepWQfe2";
    let added = json!({
        "other_contracts": [{"address": other, "type": expr("or (nat %in) unit")}],
        "extra_big_maps": [{"id": "7", "key_type": expr("string"), "val_type": expr("nat"), "map_literal": expr("{ Elt \"a\" 5 }")}],
        "self": other, "balance": "10", "now": "2020-01-01T00:00:00Z", "level": "77"
    });
    let body = with(running(code, "None", &format!("Pair 7 \"{other}\"")), added);
    let ran = answers(&chain, "run_code", body);
    assert_eq!(shown(&ran["storage"]), "Some 5");
    assert_eq!(
        ran["operations"],
        json!([{"kind": "transaction", "source": other, "nonce": 0, "amount": "0", "destination": other,
                "parameters": {"entrypoint": "in", "value": {"int": "5"}}}])
    );
    let about = "parameter unit ; storage (pair nat timestamp address mutez) ;
        code { DROP ; BALANCE ; SENDER ; NOW ; LEVEL ; PAIR 4 ; NIL operation ; PAIR }";
    let body = with(
        running(about, "Pair 0 0 \"tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx\" 0", "Unit"),
        json!({"now": "2020-01-01T00:00:00Z", "level": "77", "balance": "3"}),
    );
    let ran = answers(&chain, "run_code", body);
    assert_eq!(shown(&ran["storage"]), "Pair 77 \"2020-01-01T00:00:00Z\" \"KT1BEqzn5Wx8uJrZNvuS9DVHmLvG9td3fDLi\" 3");
    let instruction = json!({
        "input": [{"type": expr("nat"), "val": expr("2")}, {"type": expr("nat"), "val": expr("3")}],
        "code": expr("{ MUL ; SELF_ADDRESS }"), "chain_id": CHAIN, "amount": "0"
    });
    let ran = answers(&chain, "run_instruction", instruction);
    assert_eq!(ran["output"][1], json!({"type": {"prim": "nat"}, "val": {"int": "6"}}));
    assert_eq!(ran["output"][0]["type"], json!({"prim": "address"}));
    let stack = json!({"input": [{"type": expr("pair nat (pair nat nat)"), "val": expr("Pair 1 (Pair 2 3)")}], "unparsing_mode": "Readable"});
    let normalized = answers(&chain, "normalize_stack", stack);
    assert_eq!(normalized, json!({"output": [{"type": expr("pair nat nat nat"), "val": expr("Pair 1 2 3")}]}));
    let code = "parameter unit ; storage unit ; code { PUSH timestamp 0 ; DROP ; CDR ; NIL operation ; PAIR }";
    let normalized = answers(&chain, "normalize_script", json!({"script": script(code), "unparsing_mode": "Readable"}));
    assert!(shown(&normalized["normalized"]).contains("PUSH timestamp \"1970-01-01T00:00:00Z\""));
}

#[test]
fn views_and_entrypoints() {
    let mut chain = Chain::new();
    let code = "parameter (or (pair %get nat (contract nat)) (or nat (unit %two))) ; storage nat ;
        view \"times\" nat nat { UNPAIR ; MUL } ;
        code { UNPAIR ; IF_LEFT { UNPAIR ; DUP 3 ; ADD ; SWAP ; PUSH mutez 0 ; DIG 2 ; TRANSFER_TOKENS ;
                                  NIL operation ; SWAP ; CONS ; PAIR }
                                { DROP ; NIL operation ; PAIR } }";
    let contract = chain.originate(code, "5");
    let asked = json!({"contract": contract, "input": expr("3"), "chain_id": CHAIN, "unparsing_mode": "Readable"});
    let answer = answers(&chain, "run_script_view", with(asked.clone(), json!({"view": "times"})));
    assert_eq!(answer, json!({"data": {"int": "15"}}));
    let answer = answers(&chain, "run_view", with(asked.clone(), json!({"entrypoint": "get"})));
    assert_eq!(answer, json!({"data": {"int": "8"}}));
    assert_eq!(refused(&chain, "run_script_view", with(asked.clone(), json!({"view": "no"}))), ["viewNotFound"]);
    assert_eq!(refused(&chain, "run_view", with(asked.clone(), json!({"entrypoint": "two"}))), ["illformedViewType"]);
    let missing = with(asked, json!({"view": "times", "contract": "KT1WTww7kWqJXsLAF8Erfp47t5meXepWQfe2"}));
    assert_eq!(refused(&chain, "run_script_view", missing), ["viewedContractHasNoScript"]);
    let listed = answers(&chain, "entrypoints", json!({"script": script(code)}));
    assert_eq!(listed["unreachable"], json!([{"path": ["Right", "Left"]}]));
    assert_eq!(shown(&listed["entrypoints"]["get"]), "pair nat (contract nat)");
}
