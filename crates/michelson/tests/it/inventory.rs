//! Every primitive of protocol 025: what the typechecker knows, and what is refused by name.

use crate::scripts::world::World;
use soru_michelson::error::Problem;
use soru_michelson::gas::Gas;
use soru_michelson::run::typecheck_code;
use soru_michelson::syntax::{parse_expression, parse_script};
use soru_michelson::types::{Allow, Type};
use soru_tezos::micheline::Prim;

/// Instructions the protocol itself no longer takes.
const DEPRECATED: &[Prim] = &[Prim::CREATE_ACCOUNT, Prim::STEPS_TO_QUOTA];
/// Instructions this implementation does not have: Sapling, and the time lock, for which there is no maintained library.
const UNSUPPORTED: &[Prim] = &[Prim::SAPLING_EMPTY_STATE, Prim::SAPLING_VERIFY_UPDATE, Prim::OPEN_CHEST];

fn is_instruction(prim: Prim) -> bool {
    prim.name().bytes().filter(u8::is_ascii_alphabetic).all(|c| c.is_ascii_uppercase())
}

/// The errors of a script whose code is one instruction on an empty stack.
fn problems(code: &str) -> Vec<Problem> {
    let script = parse_script(&format!("parameter unit ; storage unit ; code {{ DROP ; {code} }}")).unwrap().expr;
    let checked = typecheck_code(&mut World::default(), &script, false, true, &mut Gas::unlimited());
    checked.err().map(|error| error.trace).unwrap_or_default()
}

#[test]
fn every_instruction_is_known_or_refused_by_name() {
    let instructions: Vec<Prim> = Prim::ALL.iter().copied().filter(|prim| is_instruction(*prim)).collect();
    assert!(instructions.len() > 110, "{}", instructions.len());
    for prim in instructions {
        let found = problems(prim.name());
        let unknown = found.iter().any(|problem| matches!(problem, Problem::InvalidNamespace { .. }));
        assert!(!unknown, "{}", prim.name());
        let unsupported = found.iter().any(|problem| matches!(problem, Problem::Unsupported { .. }));
        assert_eq!(unsupported, UNSUPPORTED.contains(&prim), "{}", prim.name());
        let deprecated = found.iter().any(|problem| matches!(problem, Problem::DeprecatedInstruction { .. }));
        assert_eq!(deprecated, DEPRECATED.contains(&prim), "{}", prim.name());
    }
    let refused = problems("SAPLING_EMPTY_STATE 8").pop().unwrap();
    assert_eq!(refused.to_string(), "unsupported by soru (location: 8, primitive name: SAPLING_EMPTY_STATE)");
}

#[test]
fn every_type_is_known() {
    let of = |name: &str, args: &str| format!("{name} {args}");
    for prim in Prim::ALL.iter().filter(|prim| prim.name().starts_with(|c: char| c.is_ascii_lowercase())) {
        let name = prim.name();
        let text = match name {
            "parameter" | "storage" | "code" | "view" | "constant" => continue,
            // types of older protocols, which no contract may have any more
            "sapling_transaction_deprecated" | "tx_rollup_l2_address" => {
                let arguments = if name == "tx_rollup_l2_address" { "" } else { "8" };
                let refused = parse_expression(&of(name, arguments)).unwrap().expr;
                assert!(Type::of(&refused, Allow::ANY).is_err(), "{name}");
                continue;
            }
            "pair" | "or" | "lambda" | "map" | "big_map" => of(name, "int nat"),
            "list" | "set" | "option" | "contract" | "ticket" => of(name, "string"),
            "sapling_state" | "sapling_transaction" => of(name, "8"),
            atom => atom.to_owned(),
        };
        let ty = Type::of(&parse_expression(&text).unwrap().expr, Allow::ANY).unwrap();
        assert_eq!(ty.to_string(), text);
    }
}

/// What cannot be packed cannot be told in an event or an error, either; contracts can be packed, but not read back.
#[test]
fn packing_is_for_plain_values() {
    let told =
        |code: &str| -> Vec<&'static str> { problems(code).iter().skip(1).map(|problem| problem.parts().0).collect() };
    let operation = ["michelson_v1.unpackable_type", "michelson_v1.unexpected_operation"];
    let contract = ["michelson_v1.unpackable_type", "michelson_v1.unexpected_contract"];
    assert_eq!(told("NIL operation ; PACK ; FAILWITH"), operation);
    assert_eq!(told("SELF ; PACK ; FAILWITH"), [""; 0]);
    assert_eq!(told("SELF ; FAILWITH"), contract);
    assert_eq!(told("SELF ; EMIT ; FAILWITH"), contract);
    assert_eq!(told("PUSH bytes 0x ; UNPACK (contract unit) ; FAILWITH"), ["michelson_v1.unexpected_contract"]);
    let view = "parameter unit ; storage unit ; code { CDR ; NIL operation ; PAIR } ;
                view \"v\" unit unit { CDR ; DUP ; EMIT ; DROP }";
    let view = parse_script(view).unwrap().expr;
    typecheck_code(&mut World::default(), &view, false, false, &mut Gas::unlimited()).unwrap();
}

#[test]
fn annotations_stand_where_they_may() {
    let good = [
        "UNIT @a :b ; FAILWITH",
        "PUSH @a nat 1 ; FAILWITH",
        "UNIT ; UNIT ; PAIR %a %b ; CAR @% %a ; FAILWITH",
        "PUSH (pair (int %a) (nat %b :c)) (Pair 1 2) ; UNPAIR @x @y ; FAILWITH",
        "SELF %default ; ADDRESS ; FAILWITH",
        "UNIT ; EMIT %e unit ; DROP ; UNIT ; FAILWITH",
    ];
    for code in good {
        assert_eq!(problems(code), [], "{code}");
    }
    let bad = [
        ("PUSH %a nat 1 ; FAILWITH", "michelson_v1.unexpected_annotation"),
        ("UNIT ; DROP @a ; UNIT ; FAILWITH", "michelson_v1.unexpected_annotation"),
        ("UNIT @a :b @c ; FAILWITH", "michelson_v1.ungrouped_annotations"),
        ("PUSH (option (nat %a)) None ; FAILWITH", "michelson_v1.unexpected_annotation"),
        ("SENDER ; CONTRACT %default unit ; FAILWITH", "michelson_v1.unexpected_default_entrypoint"),
    ];
    for (code, id) in bad {
        assert_eq!(problems(code).last().unwrap().parts().0, id, "{code}");
    }
}
