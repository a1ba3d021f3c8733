//! What tools ask of scripts: types of stacks, traces, views, other forms; answers as recorded from the reference.

use super::world::World;
use super::{CALLER, PREFIX, contract, data, deploy};
use serde_json::json;
use soru_michelson::context::StoredScript;
use soru_michelson::gas::Gas;
use soru_michelson::run::{self, ViewCall};
use soru_michelson::syntax::{parse_script, print_line};
use soru_michelson::types::{Allow, Type};
use soru_michelson::value::Mode;
use soru_michelson::{Call, ScriptError};
use soru_tezos::contract::Destination;
use soru_tezos::hash::ContractHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::scalar::Mutez;

const ADDER: &str = "parameter int ; storage int ; code { UNPAIR ; ADD ; NIL operation ; PAIR }";

fn script(text: &str) -> Micheline {
    parse_script(text).unwrap().expr
}

fn caller() -> Destination {
    CALLER.parse().unwrap()
}

#[test]
fn the_type_map_as_recorded() {
    let mut gas = Gas::unlimited();
    let map = run::typecheck_code(&mut World::default(), &script(ADDER), false, true, &mut gas).unwrap();
    let (int, list) = (json!({"prim": "int"}), json!({"prim": "list", "args": [{"prim": "operation"}]}));
    assert_eq!(
        serde_json::to_value(map).unwrap(),
        json!([
            {"location": 11, "stack_before": [list, int], "stack_after": [{"prim": "pair", "args": [list, int]}]},
            {"location": 9, "stack_before": [int], "stack_after": [list, int]},
            {"location": 8, "stack_before": [int, int], "stack_after": [int]},
            {"location": 7, "stack_before": [{"prim": "pair", "args": [int, int]}], "stack_after": [int, int]}
        ])
    );
    let wrong = script("parameter int ; storage int ; code { UNPAIR ; ADD ; PUSH nat 1 ; PAIR }");
    let error = run::typecheck_code(&mut World::default(), &wrong, false, true, &mut gas).unwrap_err();
    let shown = error.to_json(PREFIX);
    assert_eq!(shown[0]["id"], "proto.025-PsUshuai.michelson_v1.ill_typed_contract");
    let places: Vec<_> =
        shown[0]["type_map"].as_array().unwrap().iter().map(|entry| entry["location"].clone()).collect();
    assert_eq!(places, [12, 9, 8, 7]);
    assert_eq!(shown[1]["id"], "proto.025-PsUshuai.michelson_v1.bad_return");
}

#[test]
fn the_trace_as_recorded() {
    let stored = StoredScript { code: script(ADDER), storage: data("4") };
    let call = Call {
        contract: contract(),
        sender: caller(),
        source: CALLER.parse().unwrap(),
        amount: Mutez(0),
        entrypoint: "default".parse().unwrap(),
        parameter: data("38"),
        internal: true,
    };
    let mut gas = Gas::new(1_040_000_000);
    let (outcome, steps) = run::trace_script(&mut World::default(), &stored, &call, Mode::Readable, &mut gas).unwrap();
    assert_eq!(print_line(&outcome.storage), "42");
    let shown: Vec<_> = steps
        .iter()
        .map(|step| (step.location, step.stack.iter().map(print_line).collect::<Vec<_>>().join(" : ")))
        .collect();
    let wanted = [(7, "Pair 38 4"), (7, "38 : 4"), (8, "42"), (9, "{} : 42"), (11, "Pair {} 42")];
    assert_eq!(shown, wanted.map(|(location, stack)| (location, stack.to_owned())));
    assert!(steps[1..].iter().all(|step| step.gas > 0));
    let loop_code = "parameter int ; storage int ; code { CAR ; DUP ; GT ; LOOP { PUSH int -1 ; ADD ; DUP ; GT } ; NIL operation ; PAIR }";
    let stored = StoredScript { code: script(loop_code), storage: data("0") };
    let (_, steps) = run::trace_script(
        &mut World::default(),
        &stored,
        &Call { parameter: data("3"), ..call },
        Mode::Readable,
        &mut gas,
    )
    .unwrap();
    // the loop itself is written down once, when it is over
    assert_eq!(steps.iter().filter(|step| step.location == 10).count(), 1);
    assert_eq!(steps.len(), 4 + 3 * 4 + 1 + 2);
}

#[test]
fn errors_are_told_at_every_level() {
    let mut world = World::default();
    let code = "parameter unit ; storage (pair nat (map string nat)) ; code { CDR ; NIL operation ; PAIR }";
    let ids = |error: ScriptError| {
        error
            .trace
            .iter()
            .map(|problem| problem.parts().0.trim_start_matches("michelson_v1.").to_owned())
            .collect::<Vec<_>>()
    };
    let error = deploy(&mut world, code, "Pair 1 { Elt \"a\" -3 }").unwrap_err();
    assert_eq!(
        ids(error),
        ["ill_typed_data", "invalid_constant", "invalid_constant", "invalid_constant", "invalid_syntactic_constant"]
    );
    let error = deploy(&mut world, code, "Pair 1 { Elt \"b\" 3 ; Elt \"a\" 3 }").unwrap_err();
    assert_eq!(ids(error), ["ill_typed_data", "invalid_constant", "invalid_constant", "unordered_map_literal"]);
    let error = deploy(&mut world, code, "Pair (list nat) {}").unwrap_err();
    assert_eq!(ids(error), ["ill_typed_data", "invalid_constant", "invalid_constant", "invalid_expression_kind"]);
    let error = deploy(&mut world, code, "int").unwrap_err();
    assert_eq!(ids(error), ["ill_typed_data", "invalid_constant", "invalid_primitive_namespace"]);
    let error =
        deploy(&mut world, "parameter unit ; storage (lst nat) ; code {}".replace("lst", "Some").as_str(), "{}");
    let shown = error.unwrap_err().to_json(PREFIX);
    assert_eq!((&shown[0]["identifier"], &shown[0]["location"]), (&json!("storage"), &json!(4)));
}

#[test]
fn views_of_both_kinds() {
    let mut world = World::default();
    let code = "parameter (or (pair %get (nat) (contract nat)) (unit %two)) ; storage nat ;
        view \"times\" nat nat { UNPAIR ; MUL } ; view \"no\" unit nat { CDR ; FAILWITH } ;
        code { UNPAIR ; IF_LEFT { UNPAIR ; DUP 3 ; ADD ; SWAP ; PUSH mutez 0 ; DIG 2 ; TRANSFER_TOKENS ;
                                  NIL operation ; SWAP ; CONS ; PAIR }
                                { DROP ; NIL operation ; PAIR } }";
    deploy(&mut world, code, "5").unwrap();
    let asked = |name: &str, argument: &str| ViewCall {
        contract: contract(),
        name: name.to_owned(),
        argument: data(argument),
        sender: caller(),
        source: CALLER.parse().unwrap(),
    };
    let mut gas = Gas::new(1_040_000_000);
    let mut view = |name: &str, argument: &str| run::view(&mut world, &asked(name, argument), Mode::Readable, &mut gas);
    assert_eq!(print_line(&view("times", "3").unwrap()), "15");
    let failed = view("no", "Unit").unwrap_err();
    assert_eq!(failed.rejected_with().map(print_line).as_deref(), Some("5"));
    assert_eq!(view("none", "Unit").unwrap_err().trace[0].parts().0, "viewNotFound");
    assert_eq!(view("times", "Unit").unwrap_err().trace[0].parts().0, "michelson_v1.ill_typed_contract");

    let callback: ContractHash = "KT1BEqzn5Wx8uJrZNvuS9DVHmLvG9td3fDLi".parse().unwrap();
    let mut called = |name: &str| {
        let place = |world: &mut World, viewer| {
            world.scripts.insert(callback, viewer);
        };
        let argument = if name == "get" { "4" } else { "Unit" };
        run::callback_view(&mut world, &asked(name, argument), callback, place, Mode::Readable, &mut gas)
    };
    assert_eq!(print_line(&called("get").unwrap()), "9");
    assert_eq!(called("two").unwrap_err().trace[0].parts().0, "illformedViewType");
    assert_eq!(called("three").unwrap_err().trace[0].parts().0, "michelson_v1.no_such_entrypoint");
}

#[test]
fn forms_of_values_and_types() {
    let mut world = World::default();
    let mut normal = |ty: &str, value: &str, mode| {
        let ty = Type::of(&data(ty), Allow::ANY).unwrap();
        print_line(&run::normalize_untyped(&mut world, &data(value), &ty, mode))
    };
    assert_eq!(normal("pair int int int", "Pair 1 (Pair 2 3)", Mode::Optimized), "Pair 1 (Pair 2 3)");
    assert_eq!(normal("pair int int int", "Pair 1 (Pair 2 3)", Mode::Readable), "Pair 1 2 3");
    assert_eq!(normal("pair int int int int", "Pair 1 2 3 4", Mode::Optimized), "{ 1 ; 2 ; 3 ; 4 }");
    assert_eq!(normal("timestamp", "0", Mode::Readable), "\"1970-01-01T00:00:00Z\"");
    assert_eq!(
        normal("list timestamp", "{ 0 ; \"x\" ; Unit }", Mode::Readable),
        "{ \"1970-01-01T00:00:00Z\" ; \"x\" ; Unit }"
    );
    let address = format!("\"{CALLER}\"");
    let bytes = normal("contract nat", &address, Mode::Optimized);
    assert_eq!(normal("address", &bytes, Mode::Readable), address);
    assert_eq!(
        normal("big_map address nat", &format!("Pair 1 {{ Elt {bytes} (Some 1) }}"), Mode::Readable),
        format!("Pair 1 {{ Elt {address} (Some 1) }}")
    );
    let pair = Type::of(&data("pair int (list (pair nat nat nat)) int"), Allow::ANY).unwrap();
    assert_eq!(print_line(&pair.unfolded()), "pair int (pair (list (pair nat (pair nat nat))) int)");
}
