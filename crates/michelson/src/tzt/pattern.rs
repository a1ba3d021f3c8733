//! Results in the words of the test format, and matching them against patterns with wildcards.

use crate::context::InternalKind;
use crate::error::{Problem, Result, ScriptError};
use crate::syntax::{Ast, Node, Span};
use crate::typecheck::Typer;
use crate::types::Type;
use crate::value::Mode;
use num_bigint::BigInt;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::micheline::Micheline;

/// Whether `got` has the shape of `pattern`, in which `_` stands for anything.
pub(super) fn matches(pattern: &Ast, got: &Ast) -> bool {
    let all = |a: &[Ast], b: &[Ast]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| matches(a, b));
    match (&pattern.node, &got.node) {
        (Node::Prim { name, args, .. }, _) if name == "_" && args.is_empty() => true,
        (Node::Seq(a), Node::Seq(b)) => all(a, b),
        (Node::Prim { name, args, annots }, Node::Prim { name: other, args: given, annots: found }) => {
            (name == "_" || name == other) && annots == found && all(args, given)
        }
        (a, b) => a == b,
    }
}

fn prim(name: &str, args: Vec<Ast>) -> Ast {
    Ast { span: Span::default(), node: Node::Prim { name: name.to_owned(), args, annots: Vec::new() } }
}

fn int(value: impl Into<BigInt>) -> Ast {
    Ast { span: Span::default(), node: Node::Int(value.into()) }
}

fn text(text: impl ToString) -> Ast {
    Ast { span: Span::default(), node: Node::String(text.to_string()) }
}

pub(super) fn sequence(items: Vec<Ast>) -> Ast {
    Ast { span: Span::default(), node: Node::Seq(items) }
}

pub(super) fn of_micheline(expr: &Micheline) -> Ast {
    let all = |items: &[Micheline]| items.iter().map(of_micheline).collect();
    let node = match expr {
        Micheline::Int(value) => Node::Int(value.0.clone()),
        Micheline::String(text) => Node::String(text.clone()),
        Micheline::Bytes(bytes) => Node::Bytes(bytes.clone()),
        Micheline::Seq(items) => Node::Seq(all(items)),
        Micheline::Prim(app) => {
            Node::Prim { name: app.prim.name().to_owned(), args: all(&app.args), annots: app.annots.clone() }
        }
    };
    Ast { span: Span::default(), node }
}

/// `Stack_elt type value`.
pub(super) fn element(ty: &Type, value: Ast) -> Ast {
    prim("Stack_elt", vec![of_micheline(&ty.to_micheline()), value])
}

pub(super) fn stack(elements: Vec<(Type, Ast)>) -> Ast {
    sequence(elements.into_iter().map(|(ty, value)| element(&ty, value)).collect())
}

/// The word for an error.
pub(super) fn error(error: &ScriptError) -> Ast {
    for problem in &error.trace {
        match problem {
            Problem::ScriptRejected { with, .. } => return prim("Failed", vec![of_micheline(with)]),
            Problem::ScriptOverflow { .. } | Problem::MutezAddition { .. } | Problem::MutezMultiplication { .. } => {
                return prim("Overflow", Vec::new());
            }
            Problem::MutezSubtraction { a, b } => return prim("MutezUnderflow", vec![int(a.0), int(b.0)]),
            Problem::GasExhausted => return prim("Gas_exhaustion", Vec::new()),
            _ => {}
        }
    }
    prim("StaticError", vec![text(error)])
}

/// An operation as its constructor.
pub(super) fn operation(kind: &InternalKind, typer: &mut Typer<'_>) -> Result<Ast> {
    let delegate = |delegate: &Option<PublicKeyHash>| match delegate {
        None => prim("None", Vec::new()),
        Some(hash) => prim("Some", vec![text(hash)]),
    };
    let nonce = || prim("_", Vec::new());
    Ok(match kind {
        InternalKind::Transaction { amount, destination, entrypoint, parameter, parameter_type, .. } => {
            let ty = typer.parse_type(parameter_type)?;
            let value = typer.parse_data(parameter, &ty, true)?;
            let argument = of_micheline(&typer.unparse(&value, &ty, Mode::Readable)?);
            let suffix = if entrypoint.is_default() { String::new() } else { format!("%{entrypoint}") };
            prim("Transfer_tokens", vec![argument, int(amount.0), text(format!("{destination}{suffix}")), nonce()])
        }
        InternalKind::Origination { balance, delegate: hash, code, storage, .. } => {
            let parts = [of_micheline(code), delegate(hash), int(balance.0), of_micheline(storage), nonce()];
            prim("Create_contract", parts.into())
        }
        InternalKind::Delegation { delegate: hash } => prim("Set_delegate", vec![delegate(hash), nonce()]),
        InternalKind::Event { ty, payload, .. } => prim("Emit", vec![of_micheline(ty), of_micheline(payload)]),
    })
}

/// A result on one line.
pub(super) fn show(ast: &Ast) -> String {
    let all = |items: &[Ast], separator: &str| items.iter().map(show).collect::<Vec<_>>().join(separator);
    match &ast.node {
        Node::Int(value) => value.to_string(),
        Node::String(text) => format!("{text:?}"),
        Node::Bytes(bytes) => format!("0x{}", hex::encode(bytes)),
        Node::Seq(items) => format!("{{ {} }}", all(items, " ; ")),
        Node::Prim { name, args, .. } if args.is_empty() => name.clone(),
        Node::Prim { name, args, .. } => format!("({name} {})", all(args, " ")),
    }
}
