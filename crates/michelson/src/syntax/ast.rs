//! The tree of a parsed text before primitives are looked up: words are kept as written.

use super::{MAX_DEPTH, Parsed, Span, SyntaxError, SyntaxProblem, macros};
use num_bigint::BigInt;
use soru_tezos::micheline::{Micheline, PrimApp};
use soru_tezos::number::Z;

/// An expression with its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ast {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub node: Node,
}

/// The kinds of expressions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// An integer.
    Int(BigInt),
    /// A string, unescaped.
    String(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A sequence.
    Seq(Vec<Ast>),
    /// A word applied to arguments.
    Prim {
        /// The word: a primitive, a macro, or a word of a test file.
        name: String,
        /// Arguments.
        args: Vec<Ast>,
        /// Annotations with their sigils.
        annots: Vec<String>,
    },
}

impl Ast {
    /// An application of `name`.
    pub(super) fn prim(span: Span, name: &str, args: Vec<Ast>, annots: Vec<String>) -> Ast {
        Ast { span, node: Node::Prim { name: name.to_owned(), args, annots } }
    }

    /// A sequence.
    pub(super) fn seq(span: Span, items: Vec<Ast>) -> Ast {
        Ast { span, node: Node::Seq(items) }
    }

    /// The word and arguments, when this is an application.
    pub fn as_prim(&self) -> Option<(&str, &[Ast])> {
        match &self.node {
            Node::Prim { name, args, .. } => Some((name, args)),
            _ => None,
        }
    }

    /// The items, when this is a sequence.
    pub fn as_seq(&self) -> Option<&[Ast]> {
        match &self.node {
            Node::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The same expression with all macros expanded.
    pub fn expand(self) -> Result<Ast, SyntaxError> {
        macros::expand(self, 0)
    }

    /// The expression with its primitives looked up.
    pub fn to_micheline(&self) -> Result<Parsed, SyntaxError> {
        let mut spans = Vec::new();
        let expr = self.convert(&mut spans, 0)?;
        Ok(Parsed { expr, spans })
    }

    fn convert(&self, spans: &mut Vec<Span>, depth: usize) -> Result<Micheline, SyntaxError> {
        if depth > MAX_DEPTH {
            return Err(SyntaxError { span: self.span, problem: SyntaxProblem::Deep });
        }
        spans.push(self.span);
        let mut all = |items: &[Ast]| items.iter().map(|item| item.convert(spans, depth + 1)).collect::<Result<_, _>>();
        Ok(match &self.node {
            Node::Int(value) => Micheline::Int(Z(value.clone())),
            Node::String(text) => Micheline::String(text.clone()),
            Node::Bytes(bytes) => Micheline::Bytes(bytes.clone()),
            Node::Seq(items) => Micheline::Seq(all(items)?),
            Node::Prim { name, args, annots } => {
                let prim = name.parse().map_err(|_| SyntaxError {
                    span: self.span,
                    problem: SyntaxProblem::UnknownPrimitive(name.chars().take(40).collect()),
                })?;
                Micheline::Prim(Box::new(PrimApp { prim, args: all(args)?, annots: annots.clone() }))
            }
        })
    }
}
