//! Micheline with the number of each node, as typechecking errors name them.

use crate::error::{Location, Problem, Result};
use soru_tezos::micheline::{Micheline, Prim, PrimApp};

/// Deepest expression that is looked at.
pub const MAX_DEPTH: usize = 1_000;

/// An expression with the prefix-order number of each of its nodes.
#[derive(Debug, Clone)]
pub struct Node<'a> {
    /// The number of this node.
    pub location: Location,
    /// The expression.
    pub expr: &'a Micheline,
    /// Items of a sequence, or arguments of a primitive.
    pub children: Vec<Node<'a>>,
}

impl<'a> Node<'a> {
    /// Numbers the nodes of `expr`, which gets 0.
    pub fn new(expr: &'a Micheline) -> Result<Node<'a>> {
        Self::build(expr, &mut 0, 0)
    }

    fn build(expr: &'a Micheline, next: &mut Location, depth: usize) -> Result<Node<'a>> {
        if depth > MAX_DEPTH {
            return Err(Problem::TypecheckingTooDeep.into());
        }
        let location = *next;
        *next += 1;
        let below: &'a [Micheline] = match expr {
            Micheline::Seq(items) => items,
            Micheline::Prim(app) => &app.args,
            _ => &[],
        };
        let children = below.iter().map(|child| Self::build(child, next, depth + 1)).collect::<Result<_>>()?;
        Ok(Node { location, expr, children })
    }

    /// The primitive applied here, when this is an application.
    pub fn app(&self) -> Option<&'a PrimApp> {
        match self.expr {
            Micheline::Prim(app) => Some(app),
            _ => None,
        }
    }

    /// The primitive and the numbered arguments, when this is an application.
    pub fn as_prim(&self) -> Option<(Prim, &[Node<'a>])> {
        self.app().map(|app| (app.prim, self.children.as_slice()))
    }

    /// The numbered items, when this is a sequence.
    pub fn as_seq(&self) -> Option<&[Node<'a>]> {
        matches!(self.expr, Micheline::Seq(_)).then_some(self.children.as_slice())
    }

    /// The annotations.
    pub fn annots(&self) -> &'a [String] {
        self.app().map_or(&[], |app| &app.annots)
    }

    /// The name of the kind of this node, as errors say it.
    pub fn kind(&self) -> &'static str {
        match self.expr {
            Micheline::Int(_) => "integer",
            Micheline::String(_) => "string",
            Micheline::Bytes(_) => "bytes",
            Micheline::Seq(_) => "sequence",
            Micheline::Prim(_) => "primitiveApplication",
        }
    }

    /// The error that another kind of node is wanted here.
    pub fn wrong_kind(&self, expected: &[&'static str]) -> Problem {
        Problem::InvalidExpressionKind { location: self.location, expected: expected.to_vec(), given: self.kind() }
    }

    /// The error that another number of arguments is wanted here.
    pub fn wrong_arity(&self, expected: usize) -> Problem {
        match self.app() {
            Some(app) => {
                Problem::InvalidArity { location: self.location, prim: app.prim, expected, given: self.children.len() }
            }
            None => self.wrong_kind(&["primitiveApplication"]),
        }
    }

    /// Exactly `N` arguments.
    pub fn args<const N: usize>(&self) -> Result<&[Node<'a>; N]> {
        self.children.as_slice().try_into().map_err(|_| self.wrong_arity(N).into())
    }
}
