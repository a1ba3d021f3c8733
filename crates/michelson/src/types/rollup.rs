//! Which types a smart rollup may have as its parameter (`spec/protocol.md` §10.1).

use super::{Allow, Kind, Type};
use crate::error::{Problem, Result};
use crate::node::Node;
use soru_tezos::micheline::{Micheline, Prim};

/// Reads the parameter type of a rollup, or says why it is refused: `smart_rollup_invalid_parameters_type` for types and
/// entrypoint annotations that are not allowed, errors of Michelson for what is no type.
pub fn check_rollup_parameter(expr: &Micheline) -> Result<Type> {
    let node = Node::new(expr)?;
    let ty = Type::parse_at(&node, Allow::PASSABLE, true)?;
    if allowed(&ty) && !has_entrypoint(&node) { Ok(ty) } else { Err(Problem::InvalidRollupParameter.into()) }
}

/// Refuses types of which a rollup cannot send values to contracts. Here entrypoints do not matter.
pub fn check_outbox_parameter(ty: &Type) -> Result<()> {
    if allowed(ty) { Ok(()) } else { Err(Problem::InvalidRollupParameter.into()) }
}

fn allowed(ty: &Type) -> bool {
    match ty.kind() {
        Kind::Mutez
        | Kind::Operation
        | Kind::Chest
        | Kind::ChestKey
        | Kind::SaplingState(_)
        | Kind::SaplingTransaction(_)
        | Kind::BigMap(..)
        | Kind::Lambda(..) => false,
        Kind::Pair(a, b) | Kind::Or(a, b) | Kind::Map(a, b) => allowed(a) && allowed(b),
        Kind::Option(a) | Kind::List(a) | Kind::Set(a) | Kind::Ticket(a) => allowed(a),
        _ => true,
    }
}

/// Whether the root, or a side of an `or` reached through `or`s alone, has a field annotation.
fn has_entrypoint(node: &Node<'_>) -> bool {
    let named = node.annots().iter().any(|annot| annot.len() > 1 && annot.starts_with('%'));
    named || matches!(node.as_prim(), Some((Prim::or, sides)) if sides.iter().any(has_entrypoint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::parse_expression;

    fn check(text: &str) -> Result<Type> {
        check_rollup_parameter(&parse_expression(text).unwrap().expr)
    }

    #[test]
    fn allowed_and_refused() {
        for good in ["bytes", "pair int (ticket string)", "or (list nat) (map string bool)", "contract mutez"] {
            assert_eq!(check(good).unwrap().to_string(), good);
        }
        for bad in ["mutez", "list mutez", "big_map int int", "lambda unit unit", "or (int %a) int", "int %x"] {
            assert_eq!(check(bad), Err(Problem::InvalidRollupParameter.into()), "{bad}");
        }
        assert_eq!(check("operation"), Err(Problem::UnexpectedOperation { location: 0 }.into()));
        let arity = Problem::InvalidArity { location: 0, prim: Prim::pair, expected: 2, given: 0 };
        assert_eq!(check("pair int"), Err(arity.into()));
    }
}
