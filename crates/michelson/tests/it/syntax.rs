//! The concrete syntax: layout as the reference client prints it, round trips, errors with their places.

use proptest::prelude::*;
use soru_michelson::syntax::*;
use soru_tezos::micheline::{Micheline, Prim, PrimApp};

fn script(text: &str) -> Micheline {
    parse_script(text).unwrap().expr
}

fn line(text: &str) -> String {
    print_line(&parse_expression(text).unwrap().expr)
}

#[test]
fn the_reference_clients_layout() {
    let text = "parameter string; storage string; code {CAR; NIL operation; PAIR};";
    let printed = "{ parameter string ;\n  storage string ;\n  code { CAR ; NIL operation ; PAIR } }";
    assert_eq!(print(&script(text)), printed);
    assert_eq!(script(printed), script(text));
    let branches =
        "{ IF_NONE { PUSH string \"a text that is long enough to need a line of its own\" ; FAILWITH } { DROP } }";
    assert_eq!(
        print(&script(branches)),
        "{ IF_NONE\n    { PUSH string \"a text that is long enough to need a line of its own\" ;\n      FAILWITH }\n    { DROP } }"
    );
    let short =
        "{ IF { PUSH string \"a text that is long enough to need a line of its own\" ; FAILWITH } { DROP ; UNIT } }";
    assert_eq!(
        print(&script(short)),
        "{ IF { PUSH string \"a text that is long enough to need a line of its own\" ;\n       FAILWITH }\n     { DROP ; UNIT } }"
    );
}

#[test]
fn literals_comments_annotations() {
    assert_eq!(
        line("Pair 1 # one\n (Pair 0x00Ff \"a\\n\\\"b\\\\\") /* two /* nested */ */"),
        r#"Pair 1 (Pair 0x00ff "a\n\"b\\")"#
    );
    assert_eq!(line("(pair (int %a :b) (string @c))"), "pair (int %a :b) (string @c)");
    assert_eq!(line("{ 1 ; -20 ; {} ; Unit ; }"), "{ 1 ; -20 ; {} ; Unit }");
    assert_eq!(print_argument(&parse_expression("Some 1").unwrap().expr), "(Some 1)");
}

#[test]
fn macros() {
    for (text, expanded) in [
        ("{ CADDR @x }", "{ { CAR ; CDR ; CDR @x } }"),
        ("{ CAR 2 ; CDR 3 }", "{ { GET 5 } ; { GET 6 } }"),
        ("{ DIIIP { DROP } }", "{ DIP 3 { DROP } }"),
        ("{ DUUP ; DUP 3 }", "{ DUP 2 ; DUP 3 }"),
        ("{ PAPPAIIR %a %b %c %d }", "{ { DIP { PAIR %b %c } ; DIP { PAIR % %d } ; PAIR %a } }"),
        ("{ UNPAPAIR }", "{ { UNPAIR ; DIP { UNPAIR } } }"),
        ("{ IF_SOME { FAIL } {} }", "{ { IF_NONE {} { { UNIT ; FAILWITH } } } }"),
        ("{ CMPGE }", "{ { COMPARE ; GE } }"),
        ("{ ASSERT_CMPEQ }", "{ { { COMPARE ; EQ } ; IF {} { { UNIT ; FAILWITH } } } }"),
        ("{ ASSERT_LEFT @y }", "{ { IF_LEFT { RENAME @y } { { UNIT ; FAILWITH } } } }"),
        ("{ SET_CAR %f }", "{ { DUP ; CAR %f ; DROP ; CDR @%% ; SWAP ; PAIR %f %@ } }"),
        ("{ MAP_CDR { NEG } }", "{ { DUP ; CDR ; { NEG } ; SWAP ; CAR @%% ; PAIR %@ % } }"),
    ] {
        let got = print_line(&parse_expression(text).unwrap().expr);
        assert_eq!(got, expanded, "{text}");
    }
}

#[test]
fn errors_say_where() {
    for (text, place, problem) in [
        ("{ DROP ; FOO }", (1, 9), SyntaxProblem::UnknownPrimitive("FOO".into())),
        ("{\n  \"abc\n}", (2, 2), SyntaxProblem::UnterminatedString),
        ("\"a\\q\"", (1, 2), SyntaxProblem::Escape('q')),
        ("{ DROP", (1, 0), SyntaxProblem::Unclosed("{")),
        ("Pair 1 )", (1, 7), SyntaxProblem::Trailing),
        ("12a", (1, 2), SyntaxProblem::BreakAfterNumber),
        ("0x123", (1, 0), SyntaxProblem::OddHex),
        ("{ 1 2 }", (1, 4), SyntaxProblem::MissingSemicolon),
        ("- 1", (1, 0), SyntaxProblem::LoneMinus),
        ("/* x", (1, 0), SyntaxProblem::UnterminatedComment),
        ("", (1, 0), SyntaxProblem::Missing),
        (
            "{ CMPEQ 1 }",
            (1, 2),
            SyntaxProblem::Macro(MacroProblem::Arity { name: "CMPEQ".into(), wanted: 0, given: 1 }),
        ),
    ] {
        let error = parse_expression(text).unwrap_err();
        assert_eq!(error.problem, problem, "{text}");
        assert_eq!((error.span.start.line, error.span.start.column), place, "{text}");
    }
    let told = |text: &str| parse_expression(text).unwrap_err().to_string();
    assert_eq!(told("{ DROP"), "At line 1 characters 0 to 1, unclosed curly brace");
    assert_eq!(told("{ DROP ; FOO }"), "At line 1 characters 9 to 12, unknown primitive FOO");
    assert_eq!(told("\"a\\q\""), "At line 1 characters 2 to 4, undefined escape sequence \"\\q\"");
    assert_eq!(
        told("{ CMPEQ\n 1 }"),
        "From line 1 character 2 to line 2 character 2, macro CMPEQ takes 0 arguments, 1 given"
    );
}

#[test]
fn depth_is_bounded() {
    for deep in ["{".repeat(100_000), "(Pair ".repeat(100_000), format!("SET_C{}R", "A".repeat(100_000))] {
        assert!(parse_expression(&deep).is_err());
    }
    let deep = format!("{}{}", "{".repeat(500), "}".repeat(500));
    assert_eq!(print_line(&parse_expression(&deep).unwrap().expr).matches('{').count(), 500);
}

pub fn node() -> impl Strategy<Value = Micheline> {
    let leaf = prop_oneof![
        any::<i128>().prop_map(Micheline::int),
        "[ -~\\n\\t]{0,8}".prop_map(Micheline::String),
        prop::collection::vec(any::<u8>(), 0..30).prop_map(Micheline::Bytes),
    ];
    leaf.prop_recursive(6, 60, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Micheline::Seq),
            (0..Prim::ALL.len(), prop::collection::vec(inner, 0..4), prop::collection::vec("[:@%][a-z]{1,4}", 0..3))
                .prop_filter_map("words that are macros when used so", |(code, args, annots)| {
                    let prim = Prim::ALL[code];
                    let number = matches!(args[..], [Micheline::Int(_)]);
                    (!(number && matches!(prim, Prim::CAR | Prim::CDR)))
                        .then(|| Micheline::Prim(Box::new(PrimApp { prim, args, annots })))
                }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_the_same(expr in node()) {
        prop_assert_eq!(&parse_expression(&print(&expr)).unwrap().expr, &expr);
        prop_assert_eq!(&parse_expression(&print_line(&expr)).unwrap().expr, &expr);
    }

    #[test]
    fn any_text_parses_or_fails(text in "[{}();A-Z0-9x\"\\\\/*# a-z%-]{0,60}") {
        let _ = parse_expression(&text);
        let _ = parse_script(&text);
    }
}
