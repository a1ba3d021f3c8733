//! Originating and calling contracts: the contracts of the Smart Optimistic Rollups page, errors as recorded from the
//! reference, big maps, tickets.

mod constants;
mod pack;
mod tools;
pub mod world;

use serde_json::json;
use soru_michelson::context::{InternalKind, StoredScript};
use soru_michelson::gas::Gas;
use soru_michelson::syntax::{parse_expression, parse_script, print_line};
use soru_michelson::{Call, Outcome, ScriptError, execute, originate};
use soru_tezos::contract::Destination;
use soru_tezos::hash::ContractHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::scalar::Mutez;
use world::World;

const PREFIX: &str = "proto.025-PsUshuai";
const CALLER: &str = "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx";

fn contract() -> ContractHash {
    "KT1WTww7kWqJXsLAF8Erfp47t5meXepWQfe2".parse().unwrap()
}

fn data(text: &str) -> Micheline {
    parse_expression(text).unwrap().expr
}

/// Originates a script and makes it the contract of the tests.
fn deploy(world: &mut World, code: &str, storage: &str) -> Result<(), ScriptError> {
    let code = parse_script(code).unwrap().expr;
    let made = originate(world, &code, &data(storage), &mut Gas::new(1_040_000_000))?;
    world.apply(&made.lazy_storage_diff);
    world.scripts.insert(contract(), StoredScript { code: made.code, storage: made.storage });
    Ok(())
}

fn call(world: &mut World, entrypoint: &str, argument: &str) -> Result<Outcome, ScriptError> {
    let call = Call {
        contract: contract(),
        sender: CALLER.parse().unwrap(),
        source: CALLER.parse().unwrap(),
        amount: Mutez(0),
        entrypoint: entrypoint.parse().unwrap(),
        parameter: data(argument),
        internal: false,
    };
    let outcome = execute(world, &call, &mut Gas::new(1_040_000_000))?;
    world.apply(&outcome.lazy_storage_diff);
    world.scripts.get_mut(&contract()).unwrap().storage = outcome.storage.clone();
    Ok(outcome)
}

#[test]
fn the_contract_that_stores_a_string() {
    let mut world = World::default();
    deploy(&mut world, "parameter string; storage string; code {CAR; NIL operation; PAIR};", "\"none\"").unwrap();
    let outcome = call(&mut world, "default", "\"Hello world\"").unwrap();
    assert_eq!(print_line(&outcome.storage), "\"Hello world\"");
    assert!(outcome.operations.is_empty() && outcome.lazy_storage_diff.is_empty());
}

#[test]
fn the_contract_that_calls_a_rollup() {
    let mut world = World::default();
    let rollup = "sr163Lv22CdE8QagCwf48PWDTquk6isQwv57";
    let code = "parameter bytes; storage unit; code { UNPAIR ; PUSH address \"sr163Lv22CdE8QagCwf48PWDTquk6isQwv57\" ; \
                CONTRACT bytes ; IF_NONE { PUSH string \"no such rollup\" ; FAILWITH } {} ; PUSH mutez 0 ; DIG 2 ; \
                TRANSFER_TOKENS ; NIL operation ; SWAP ; CONS ; PAIR };";
    deploy(&mut world, code, "Unit").unwrap();
    let error = call(&mut world, "default", "0x01").unwrap_err();
    assert_eq!(print_line(error.rejected_with().unwrap()), "\"no such rollup\"");
    world.rollups.insert(rollup.parse().unwrap(), data("bytes"));
    let outcome = call(&mut world, "default", "0xcafe").unwrap();
    let [operation] = &outcome.operations[..] else { panic!("one operation wanted") };
    let InternalKind::Transaction { amount, destination, parameter, .. } = &operation.kind else { panic!() };
    assert_eq!(*amount, Mutez(0));
    assert_eq!(*destination, Destination::SmartRollup(rollup.parse().unwrap()));
    assert_eq!(print_line(parameter), "0xcafe");
}

#[test]
fn errors_as_recorded() {
    let mut world = World::default();
    let code = "parameter (or (unit %never) (string %say)); storage string; code { CAR; IF_LEFT { DROP ; UNIT ; FAILWITH } {} ; \
                NIL operation; PAIR };";
    deploy(&mut world, code, "\"\"").unwrap();
    let error = call(&mut world, "nope", "Unit").unwrap_err();
    assert_eq!(
        error.to_json(PREFIX),
        json!([
            {"kind": "permanent", "id": "proto.025-PsUshuai.michelson_v1.bad_contract_parameter",
             "contract": "KT1WTww7kWqJXsLAF8Erfp47t5meXepWQfe2"},
            {"kind": "permanent", "id": "proto.025-PsUshuai.michelson_v1.no_such_entrypoint", "entrypoint": "nope"}
        ])
    );
    let error = call(&mut world, "say", "Pair 1").unwrap_err();
    assert_eq!(
        error.to_json(PREFIX),
        json!([
            {"kind": "permanent", "id": "proto.025-PsUshuai.michelson_v1.bad_contract_parameter",
             "contract": "KT1WTww7kWqJXsLAF8Erfp47t5meXepWQfe2"},
            {"kind": "permanent", "id": "proto.025-PsUshuai.michelson_v1.invalid_constant", "location": 0,
             "expected_type": {"prim": "string"}, "wrong_expression": {"prim": "Pair", "args": [{"int": "1"}]}},
            {"kind": "permanent", "id": "proto.025-PsUshuai.michelson_v1.invalid_expression_kind", "location": 0,
             "expected_kinds": ["string"], "wrong_kind": "primitiveApplication"}
        ])
    );
    let error = call(&mut world, "never", "Unit").unwrap_err();
    assert_eq!(
        error.to_json(PREFIX),
        json!([
            {"kind": "temporary", "id": "proto.025-PsUshuai.michelson_v1.runtime_error",
             "contract_handle": "KT1WTww7kWqJXsLAF8Erfp47t5meXepWQfe2", "contract_code": "Deprecated"},
            {"kind": "temporary", "id": "proto.025-PsUshuai.michelson_v1.script_rejected", "location": 14,
             "with": {"prim": "Unit"}}
        ])
    );
    let int = "parameter int; storage int; code { UNPAIR ; ADD ; NIL operation ; PAIR };";
    assert_eq!(
        deploy(&mut world, int, "\"a\"").unwrap_err().to_json(PREFIX),
        json!([
            {"kind": "permanent", "id": "proto.025-PsUshuai.michelson_v1.ill_typed_data",
             "expected_type": {"prim": "int"}, "ill_typed_expression": {"string": "a"}},
            {"kind": "permanent", "id": "proto.025-PsUshuai.michelson_v1.invalid_constant", "location": 0,
             "expected_type": {"prim": "int"}, "wrong_expression": {"string": "a"}},
            {"kind": "permanent", "id": "proto.025-PsUshuai.michelson_v1.invalid_expression_kind", "location": 0,
             "expected_kinds": ["integer"], "wrong_kind": "string"}
        ])
    );
    let twice = deploy(&mut world, &format!("{int} parameter int;"), "1").unwrap_err().to_json(PREFIX);
    assert_eq!(
        twice[1],
        json!({"kind": "permanent", "id": "proto.025-PsUshuai.michelson_v1.duplicate_script_field", "loc": 12,
               "prim": "parameter"})
    );
}

#[test]
fn big_maps_are_made_changed_and_dropped() {
    let mut world = World::default();
    let code = "parameter (or (pair %set string (option nat)) (unit %reset)); storage (big_map string nat); \
                code { UNPAIR ; IF_LEFT { UNPAIR ; UPDATE } \
                { DROP 2 ; EMPTY_BIG_MAP string nat } ; NIL operation ; PAIR };";
    deploy(&mut world, code, "{ Elt \"a\" 1 }").unwrap();
    assert_eq!(print_line(&world.scripts[&contract()].storage), "0");
    let outcome = call(&mut world, "set", "Pair \"b\" (Some 2)").unwrap();
    assert_eq!(print_line(&outcome.storage), "0");
    assert_eq!(
        serde_json::to_value(&outcome.lazy_storage_diff).unwrap(),
        json!([{"kind": "big_map", "id": "0", "diff": {"action": "update", "updates": [
            {"key_hash": "expruCnMrKXn91bot1LENRTMZTXnyooHmQW1zGcSs9AzxQZxSApYUq", "key": {"string": "b"}, "value": {"int": "2"}}
        ]}}])
    );
    let outcome = call(&mut world, "reset", "Unit").unwrap();
    assert_eq!(print_line(&outcome.storage), "1");
    assert_eq!(
        serde_json::to_value(&outcome.lazy_storage_diff).unwrap(),
        json!([
            {"kind": "big_map", "id": "0", "diff": {"action": "remove"}},
            {"kind": "big_map", "id": "1", "diff": {"action": "alloc", "updates": [],
             "key_type": {"prim": "string"}, "value_type": {"prim": "nat"}}}
        ])
    );
    let error = call(&mut world, "default", "Left (Pair 1 None)").unwrap_err();
    assert_eq!(error.trace.len(), 5);
}

#[test]
fn tickets_are_counted_and_never_doubled() {
    let mut world = World::default();
    let code = "parameter nat; storage (list (ticket string)); code { UNPAIR ; PUSH string \"gold\" ; TICKET ; \
                IF_NONE {} { CONS } ; NIL operation ; PAIR };";
    deploy(&mut world, code, "{}").unwrap();
    let outcome = call(&mut world, "default", "5").unwrap();
    let [change] = &outcome.ticket_diff[..] else { panic!("one kind of ticket wanted") };
    assert_eq!(change.amount.to_string(), "5");
    assert_eq!(print_line(&change.token.content), "\"gold\"");
    let doubled = "parameter unit; storage (list (ticket string)); code { CDR ; DUP ; DROP ; NIL operation ; PAIR };";
    let error = deploy(&mut world, doubled, "{}").unwrap_err();
    assert!(error.to_string().contains("non dupable type"), "{error}");
}

#[test]
fn hostile_scripts_end() {
    let mut world = World::default();
    let endless = "parameter unit; storage unit; code { DROP ; PUSH bool True ; LOOP { PUSH bool True } ; UNIT ; \
                   NIL operation ; PAIR };";
    deploy(&mut world, endless, "Unit").unwrap();
    let call = Call {
        contract: contract(),
        sender: CALLER.parse().unwrap(),
        source: CALLER.parse().unwrap(),
        amount: Mutez(0),
        entrypoint: "default".parse().unwrap(),
        parameter: data("Unit"),
        internal: false,
    };
    let mut gas = Gas::new(20_000_000);
    let error = execute(&mut world, &call, &mut gas).unwrap_err();
    assert_eq!(error.to_json(PREFIX)[1]["id"], "proto.025-PsUshuai.gas_exhausted.operation");
    let deep = format!(
        "parameter unit; storage unit; code {{ {} {} ; CDR ; NIL operation ; PAIR }};",
        "{ ".repeat(900),
        "}".repeat(900)
    );
    let error = deploy(&mut world, &deep, "Unit").unwrap_err();
    assert!(error.to_string().contains("too many recursive calls"), "{error}");
}
