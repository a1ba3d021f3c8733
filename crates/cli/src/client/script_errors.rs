//! What errors about scripts and their data say to people: the lines they are about, numbered, and the place of each in them, in
//! the reference client's words (`spec/node.md` §10.3).

use super::errors;
use super::literal::Source;
use serde_json::Value;
use soru_michelson::syntax::{Span, print, print_argument, print_line};
use soru_tezos::micheline::Micheline;
use soru_tezos::rpc_error::TezosError;

/// Longest line of a report, where it can be broken.
const WIDTH: usize = 77;

/// Whether a trace is about a script or its data, so that there are lines to show.
pub fn concerns(trace: &[TezosError]) -> bool {
    trace.iter().any(|error| {
        matches!(
            error.name(),
            "michelson_v1.ill_typed_contract" | "michelson_v1.ill_typed_data" | "michelson_v1.ill_formed_type"
        )
    })
}

/// The whole trace. `given` is what the user wrote; what errors say of other expressions is shown as we print those.
pub fn report(trace: &[TezosError], given: &[Source]) -> String {
    let mut shown = given.first().cloned();
    let mut lines = Vec::new();
    for error in trace {
        match error.name() {
            "michelson_v1.ill_typed_contract" => {
                shown = source_of(given, expression(error, "ill_typed_code"), print, Source::script);
                lines.push(with_source("Ill typed contract", shown.as_ref()));
            }
            "michelson_v1.runtime_error" => {
                shown = source_of(given, expression(error, "contract_code"), print, Source::script);
                let contract = field(error, "contract_handle");
                lines.push(with_source(&format!("Runtime error in contract {contract}"), shown.as_ref()));
            }
            "michelson_v1.ill_typed_data" => {
                shown = source_of(given, expression(error, "ill_typed_expression"), print_argument, Source::data);
                let name = match field(error, "identifier") {
                    "?" => String::new(),
                    name => format!("{name} "),
                };
                let head = format!("Ill typed {name}data: ");
                let text =
                    shown.as_ref().map(|source| aligned(&numbered(&source.text), head.len())).unwrap_or_default();
                lines.push(fill(
                    &[
                        format!("{head}{text}"),
                        "is not an expression of type".to_owned() + " " + &ty(error, "expected_type"),
                    ],
                    0,
                ));
            }
            "michelson_v1.ill_formed_type" => {
                let place = place(error, shown.as_ref());
                shown = source_of(given, expression(error, "ill_formed_expression"), print_argument, Source::data);
                lines.push(with_source(&format!("{place}, ill formed type"), shown.as_ref()));
            }
            _ => lines.push(located(error, shown.as_ref())),
        }
    }
    lines.join("\n")
}

fn field<'e>(error: &'e TezosError, name: &str) -> &'e str {
    error.fields.get(name).and_then(Value::as_str).unwrap_or("?")
}

fn expression(error: &TezosError, name: &str) -> Option<Micheline> {
    serde_json::from_value(error.fields.get(name)?.clone()).ok()
}

/// A type on one line.
fn ty(error: &TezosError, name: &str) -> String {
    expression(error, name).map_or_else(|| "?".to_owned(), |expression| print_line(&expression))
}

/// A value, in parentheses where it needs them as an argument.
fn value(error: &TezosError, name: &str) -> String {
    expression(error, name).map_or_else(|| "?".to_owned(), |expression| print_argument(&expression))
}

/// A type of a stack, its top first.
fn stack(error: &TezosError, name: &str) -> String {
    let types = error.fields.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let types: Vec<String> = types
        .iter()
        .map(|ty| serde_json::from_value(ty.clone()).map_or_else(|_| ty.to_string(), |ty| print_line(&ty)))
        .collect();
    if types.is_empty() { "[]".to_owned() } else { format!("[ {} ]", types.join(" : ")) }
}

/// The text an expression stands in: what the user gave, if it is there, else the expression as we print it.
fn source_of<E>(
    given: &[Source],
    expression: Option<Micheline>,
    print: fn(&Micheline) -> String,
    read: fn(&str) -> Result<Source, E>,
) -> Option<Source> {
    let Some(expression) = expression else { return given.first().cloned() };
    let known = given.iter().find(|source| source.parsed.expr == expression);
    known.cloned().or_else(|| read(&print(&expression)).ok())
}

/// Lines with their numbers, all of the same width.
fn numbered(text: &str) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    let digits = lines.len().to_string().len();
    let number = |(index, line): (usize, &&str)| format!("{:0digits$}: {line}", index + 1);
    lines.iter().enumerate().map(number).collect::<Vec<_>>().join("\n")
}

/// Lines behind the first, moved to the column of the first.
fn aligned(text: &str, column: usize) -> String {
    text.replace('\n', &format!("\n{:column$}", ""))
}

fn with_source(head: &str, source: Option<&Source>) -> String {
    match source {
        Some(source) => format!("{head}:\n  {}", aligned(&numbered(&source.text), 2)),
        None => format!("{head}."),
    }
}

/// Pieces on one line, broken between pieces where that line would be too long; further lines are indented.
fn fill(pieces: &[String], indent: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for piece in pieces {
        let width = piece.split('\n').next().unwrap_or_default().chars().count();
        if out.is_empty() {
            column = 0;
        } else if column + 1 + width > WIDTH {
            out.push_str(&format!("\n{:indent$}", ""));
            column = indent;
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(piece);
        column = piece.rsplit_once('\n').map_or(column + width, |(_, last)| last.chars().count());
    }
    out
}

/// Where an error is.
fn place(error: &TezosError, source: Option<&Source>) -> String {
    let number = error.fields.get("location").or_else(|| error.fields.get("loc")).and_then(Value::as_u64);
    let span = number.and_then(|number| usize::try_from(number).ok()).and_then(|number| {
        let spans: &[Span] = &source?.parsed.spans;
        spans.get(number)
    });
    match (span, number) {
        (Some(span), _) => span.to_string(),
        (None, Some(number)) => format!("At (unshown) location {number}"),
        (None, None) => String::new(),
    }
}

fn located(error: &TezosError, source: Option<&Source>) -> String {
    let place = place(error, source);
    if place.is_empty() {
        return errors::describe(error);
    }
    let name = |field: &'static str| self::field(error, field).to_owned();
    let fill_from = |indent: usize, pieces: &[String]| fill(&[&[format!("{place},")], pieces].concat(), indent);
    let (said, plainly) = (|pieces: &[String]| fill_from(2, pieces), |pieces: &[String]| fill_from(0, pieces));
    // several lines, or a line of its own below the place
    let below = |text: String| format!("{place},\n  {}", aligned(&text, 2));
    match error.name() {
        "michelson_v1.undefined_binop" => plainly(&[
            format!("operator {} is undefined between {}", name("operator_name"), ty(error, "wrong_left_operand_type")),
            format!("and {}.", ty(error, "wrong_right_operand_type")),
        ]),
        "michelson_v1.undefined_unop" => {
            said(&[format!("operator {} is undefined on", name("operator_name")), ty(error, "wrong_operand_type")])
        }
        "michelson_v1.bad_stack" => said(&[
            format!("wrong stack type for instruction {}:", name("primitive_name")),
            stack(error, "wrong_stack_type") + ".",
        ]),
        "michelson_v1.bad_return" => below(format!(
            "wrong stack type at end of body:\n- expected return stack type:\n  [ {} ],\n- actual stack type:\n  {}.",
            ty(error, "expected_return_type"),
            stack(error, "wrong_stack_type")
        )),
        "michelson_v1.unmatched_branches" => below(format!(
            "two branches don't end with the same stack type:\n- first stack type: {},\n- other stack type: {}.",
            stack(error, "first_stack_type"),
            stack(error, "other_stack_type")
        )),
        "michelson_v1.invalid_constant" => plainly(&[
            format!("value {}", value(error, "wrong_expression")),
            format!("is invalid for type {}.", ty(error, "expected_type")),
        ]),
        "michelson_v1.invalid_syntactic_constant" => plainly(&[
            format!("value {}", value(error, "wrong_expression")),
            format!("is invalid, expected {}", name("expected_form")),
        ]),
        "michelson_v1.inconsistent_types" => plainly(&[
            format!("Type {}", ty(error, "first_type")),
            format!("is not compatible with type {}.", ty(error, "other_type")),
        ]),
        "michelson_v1.invalid_expression_kind" => plainly(&[
            format!("unexpected {}, only", kind(&name("wrong_kind")).1),
            enumeration(
                &names(error, "expected_kinds")
                    .iter()
                    .map(|wanted| {
                        let (article, noun) = kind(wanted);
                        format!("{article} {noun}")
                    })
                    .collect::<Vec<_>>(),
            ),
            "can be used here.".to_owned(),
        ]),
        "michelson_v1.invalid_primitive" => plainly(&[
            format!("invalid primitive {}, only", name("wrong_primitive_name")),
            enumeration(&names(error, "expected_primitive_names")),
            "can be used here.".to_owned(),
        ]),
        "michelson_v1.invalid_primitive_namespace" => {
            let expected = name("expected_namespace");
            let (article, wanted) = namespace(&expected);
            plainly(&[format!(
                "unexpected {} {}, only {article} {wanted} can be used here.",
                namespace(&name("wrong_namespace")).1,
                name("primitive_name")
            )])
        }
        "michelson_v1.invalid_arity" => {
            let number = |field| error.fields.get(field).map_or_else(|| "?".to_owned(), Value::to_string);
            let (wanted, given) = (number("expected_arity"), number("wrong_arity"));
            said(&[format!("primitive {} expects {wanted} arguments but is given {given}.", name("primitive_name"))])
        }
        "michelson_v1.fail_not_in_tail_position" => {
            format!("{place},\nThe FAIL instruction must appear in a tail position.")
        }
        "michelson_v1.unexpected_annotation" => below("unexpected annotation.".to_owned()),
        "michelson_v1.unexpected_forged_value" => format!("{place},\nUnexpected forged value."),
        "michelson_v1.comparable_type_expected" => {
            format!("{place},\ncomparable type expected.\nType {} is not comparable.", ty(error, "wrong_type"))
        }
        "michelson_v1.script_overflow" => format!("{place},\nunexpected arithmetic overflow"),
        _ => format!("{place},\n{}", errors::describe(error)),
    }
}

fn names(error: &TezosError, field: &str) -> Vec<String> {
    let list = error.fields.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// `a, b or c`.
fn enumeration(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [front @ .., last] => format!("{} or {last}", front.join(", ")),
    }
}

/// A kind of expression with its article.
fn kind(name: &str) -> (&'static str, &str) {
    match name {
        "integer" => ("an", "int"),
        "bytes" => ("a", "byte sequence"),
        "primitiveApplication" => ("a", "primitive"),
        other => ("a", other),
    }
}

/// What a primitive is for, with its article.
fn namespace(name: &str) -> (&'static str, &str) {
    match name {
        "instruction" => ("an", "instruction"),
        "type" => ("a", "type name"),
        "constant" => ("a", "constant constructor"),
        other => ("a", other),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    fn trace(errors: &[Value]) -> Vec<TezosError> {
        errors.iter().map(|error| serde_json::from_value(error.clone()).unwrap()).collect()
    }

    /// As the reference's client said (its regression test of BLS12-381 contracts, and that of big map originations).
    #[test]
    fn data_that_is_ill_typed() {
        let given = Source::data("0").unwrap();
        let (zero, unit) = (json!({"int": "0"}), json!({"prim": "unit"}));
        let id = |name: &str| format!("proto.025-PsUshuai.michelson_v1.{name}");
        let errors = trace(&[
            json!({"kind": "permanent", "id": id("ill_typed_data"), "expected_type": unit, "ill_typed_expression": zero}),
            json!({"kind": "permanent", "id": id("invalid_constant"), "location": 0, "expected_type": unit, "wrong_expression": zero}),
            json!({"kind": "permanent", "id": id("invalid_expression_kind"), "location": 0,
                "expected_kinds": ["primitiveApplication"], "wrong_kind": "integer"}),
        ]);
        let said = "Ill typed data: 1: 0 is not an expression of type unit\n\
                    At line 1 characters 0 to 1, value 0 is invalid for type unit.\n\
                    At line 1 characters 0 to 1, unexpected int, only a primitive\ncan be used here.";
        assert_eq!(report(&errors, &[given]), said);

        let big = json!({"prim": "big_map", "args": [{"prim": "int"}, {"prim": "int"}]});
        let elt = json!([{"prim": "Elt", "args": [{"int": "1"}, {"prim": "Some", "args": [{"int": "4"}]}]}]);
        let pair = json!({"prim": "Pair", "args": [{"int": "0"}, elt]});
        let errors = trace(&[
            json!({"kind": "permanent", "id": id("ill_typed_data"), "expected_type": big, "ill_typed_expression": pair}),
            json!({"kind": "permanent", "id": id("unexpected_forged_value"), "location": 1}),
        ]);
        let said = "Ill typed data: 1: (Pair 0 { Elt 1 (Some 4) })\n\
                    is not an expression of type big_map int int\n\
                    At line 1 characters 6 to 7,\nUnexpected forged value.";
        assert_eq!(report(&errors, &[]), said);
    }
}
