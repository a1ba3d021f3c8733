//! Scripts nobody would write: random ones, and good ones broken at random. Typechecking and running them ends without panic,
//! within their gas.

use crate::scripts::world::World;
use crate::syntax::node;
use proptest::prelude::*;
use soru_michelson::context::StoredScript;
use soru_michelson::gas::Gas;
use soru_michelson::run::{execute_script, trace_script, typecheck_code, typecheck_data};
use soru_michelson::syntax::{parse_expression, parse_script};
use soru_michelson::value::Mode;
use soru_michelson::{Call, originate};
use soru_tezos::micheline::{Micheline, Prim, PrimApp};
use soru_tezos::scalar::Mutez;

const CALLER: &str = "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx";
const CONTRACT: &str = "KT1WTww7kWqJXsLAF8Erfp47t5meXepWQfe2";

/// Scripts with their storage and an argument.
const GOOD: &[(&str, &str, &str)] = &[
    (
        "parameter (or (pair %set string (option nat)) (unit %reset)) ; storage (big_map string nat) ;
         code { UNPAIR ; IF_LEFT { UNPAIR ; UPDATE } { DROP 2 ; EMPTY_BIG_MAP string nat } ; NIL operation ; PAIR }",
        "{ Elt \"a\" 1 }",
        "Left (Pair \"b\" (Some 2))",
    ),
    (
        "parameter (list int) ; storage (map int (list int)) ; view \"sum\" int int { CAR } ;
         code { UNPAIR ; DUP ; MAP { PUSH int 3 ; MUL ; DUP ; LE ; IF { NEG } {} } ; SWAP ; SIZE ; INT ;
                DIP { SOME } ; UPDATE ; NIL operation ; PAIR }",
        "{}",
        "{ 1 ; 2 ; -3 }",
    ),
    (
        "parameter nat ; storage (list (ticket string)) ;
         code { UNPAIR ; PUSH string \"gold\" ; TICKET ; IF_NONE {} { CONS } ; NIL operation ; PAIR }",
        "{}",
        "5",
    ),
    (
        "parameter (lambda nat nat) ; storage (pair nat bytes) ;
         code { UNPAIR ; SWAP ; UNPAIR ; DIG 2 ; SWAP ; EXEC ; DUP ; PACK ; SHA256 ; DIG 2 ; DROP ; SWAP ; PAIR ;
                NIL operation ; PAIR }",
        "Pair 0 0x",
        "{ PUSH nat 3 ; ADD ; LAMBDA (pair nat nat) nat { UNPAIR ; MUL } ; PUSH nat 2 ; APPLY ; SWAP ; EXEC }",
    ),
    (
        "parameter address ; storage unit ;
         code { CAR ; CONTRACT %x nat ; IF_NONE {} { PUSH mutez 1 ; PUSH nat 2 ; TRANSFER_TOKENS ; DROP } ;
                UNIT ; DUP ; EMIT %done ; DIP { NONE key_hash ; SET_DELEGATE } ; NIL operation ; SWAP ; CONS ;
                SWAP ; CONS ; PAIR }",
        "Unit",
        "\"tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx\"",
    ),
];

fn nodes(expr: &Micheline) -> usize {
    let below = match expr {
        Micheline::Seq(items) => items,
        Micheline::Prim(app) => &app.args,
        _ => return 1,
    };
    1 + below.iter().map(nodes).sum::<usize>()
}

/// Changes the node of this number in prefix order.
fn change(expr: &mut Micheline, place: &mut usize, with: &mut dyn FnMut(&mut Micheline)) {
    if *place == 0 {
        with(expr);
        *place = usize::MAX;
        return;
    }
    *place -= 1;
    let below = match expr {
        Micheline::Seq(items) => items,
        Micheline::Prim(app) => &mut app.args,
        _ => return,
    };
    for item in below {
        if *place == usize::MAX {
            return;
        }
        change(item, place, with);
    }
}

#[derive(Debug, Clone)]
enum Mutation {
    Replace(Micheline),
    Rename(usize),
    Drop,
    Double,
    Annotate(String),
}

fn mutation() -> impl Strategy<Value = (usize, Mutation)> {
    let kind = prop_oneof![
        2 => node().prop_map(Mutation::Replace),
        4 => (0..Prim::ALL.len()).prop_map(Mutation::Rename),
        1 => Just(Mutation::Drop),
        1 => Just(Mutation::Double),
        1 => "[@:%][a-z%@]{0,3}".prop_map(Mutation::Annotate),
    ];
    (any::<usize>(), kind)
}

fn mutate(expr: &mut Micheline, (place, mutation): &(usize, Mutation)) {
    let mut place = place % nodes(expr);
    change(expr, &mut place, &mut |found| match (mutation, &mut *found) {
        (Mutation::Replace(other), _) => *found = other.clone(),
        (Mutation::Rename(code), Micheline::Prim(app)) => app.prim = Prim::ALL[*code],
        (Mutation::Rename(code), other) => {
            let args = vec![other.clone()];
            *found = Micheline::Prim(Box::new(PrimApp { prim: Prim::ALL[*code], args, annots: Vec::new() }));
        }
        (Mutation::Drop, Micheline::Seq(items)) => {
            items.pop();
        }
        (Mutation::Double, Micheline::Seq(items)) => items.extend(items.last().cloned()),
        (Mutation::Annotate(annot), Micheline::Prim(app)) => app.annots.push(annot.clone()),
        _ => {}
    });
}

/// Checks, originates, runs and traces; what comes of it does not matter.
fn try_all(code: &Micheline, storage: &Micheline, argument: &Micheline) {
    let mut world = World::default();
    let gas = || Gas::new(30_000_000);
    let _ = typecheck_code(&mut world, code, true, true, &mut gas());
    if let Ok(made) = originate(&mut world, code, storage, &mut gas()) {
        world.apply(&made.lazy_storage_diff);
    }
    let stored = StoredScript { code: code.clone(), storage: storage.clone() };
    let call = Call {
        contract: CONTRACT.parse().unwrap(),
        sender: CALLER.parse().unwrap(),
        source: CALLER.parse().unwrap(),
        amount: Mutez(1),
        entrypoint: "default".parse().unwrap(),
        parameter: argument.clone(),
        internal: true,
    };
    let ran = execute_script(&mut world, &stored, &call, Mode::Readable, &mut gas());
    let traced = trace_script(&mut world, &stored, &call, Mode::Readable, &mut gas());
    assert_eq!(ran.is_ok(), traced.is_ok());
}

#[test]
fn the_good_ones_run() {
    for (code, storage, argument) in GOOD {
        let expr = |text: &str| parse_expression(text).unwrap().expr;
        let mut world = World::default();
        let code = parse_script(code).unwrap().expr;
        originate(&mut world, &code, &expr(storage), &mut Gas::unlimited()).unwrap();
        try_all(&code, &expr(storage), &expr(argument));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn broken_scripts_are_refused_or_end(
        which in 0..GOOD.len(),
        of_code in prop::collection::vec(mutation(), 1..4),
        of_data in prop::collection::vec(mutation(), 0..2),
    ) {
        let (code, storage, argument) = GOOD[which];
        let mut code = parse_script(code).unwrap().expr;
        let mut storage = parse_expression(storage).unwrap().expr;
        let mut argument = parse_expression(argument).unwrap().expr;
        of_code.iter().for_each(|change| mutate(&mut code, change));
        of_data.iter().for_each(|change| mutate(&mut argument, change));
        of_data.iter().skip(1).for_each(|change| mutate(&mut storage, change));
        try_all(&code, &storage, &argument);
    }

    #[test]
    fn random_expressions_are_no_scripts(code in node(), storage in node()) {
        let sections = [(Prim::parameter, storage.clone()), (Prim::storage, storage.clone()), (Prim::code, code)];
        let script = sections.map(|(prim, content)| Micheline::prim(prim, vec![content]));
        try_all(&Micheline::Seq(script.into()), &storage, &storage);
    }
}

#[test]
fn deep_nesting_is_refused() {
    let deep = |open: &str, inner: &str, close: &str, depth: usize| {
        parse_expression(&format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))).unwrap().expr
    };
    let unit = Micheline::unit();
    for code in [deep("{ ", "", " }", 900), deep("{ DIP ", "{}", " }", 400), deep("(Pair 1 ", "2", ")", 900)] {
        try_all(&code, &unit, &unit);
        let sections = [(Prim::parameter, Micheline::word(Prim::unit)), (Prim::storage, Micheline::word(Prim::unit))];
        let sections = sections.into_iter().chain([(Prim::code, code)]);
        let script = Micheline::Seq(sections.map(|(prim, content)| Micheline::prim(prim, vec![content])).collect());
        assert!(typecheck_code(&mut World::default(), &script, false, false, &mut Gas::unlimited()).is_err());
    }
}

/// Answers of tools do not grow with the square of what is asked.
#[test]
fn what_is_told_is_bounded() {
    let units = "UNIT ; ".repeat(3_000);
    let script = parse_script(&format!("parameter unit ; storage unit ; code {{ {units} FAILWITH }}")).unwrap().expr;
    let mut world = World::default();
    assert!(typecheck_code(&mut world, &script, false, false, &mut Gas::unlimited()).is_ok());
    let told = typecheck_code(&mut world, &script, false, true, &mut Gas::unlimited()).unwrap_err();
    assert_eq!(told.to_string(), "cannot serialize log");

    let (depth, items) = (100, "1 ; ".repeat(20_000));
    let ty = parse_expression(&format!("{}list int{}", "option (".repeat(depth), ")".repeat(depth))).unwrap().expr;
    let data = format!("{}{{ {items} \"x\" }}{}", "Some (".repeat(depth), ")".repeat(depth));
    let data = parse_expression(&data).unwrap().expr;
    let error = typecheck_data(&mut world, &data, &ty, false, &mut Gas::unlimited()).unwrap_err();
    assert!(error.trace.len() > 10 && error.trace.len() < 40, "{}", error.trace.len());
}
