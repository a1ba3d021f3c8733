//! The concrete syntax of Michelson: text to Micheline and back (`spec/protocol.md` §10).
//!
//! [`parse_expression`] and [`parse_script`] read text with macros expanded; [`print`] and [`print_line`] write it in the
//! layout of the reference client.

mod ast;
mod lexer;
mod macros;
mod parser;
mod printer;

pub use ast::{Ast, Node};
pub use macros::MacroProblem;
pub use printer::{print, print_argument, print_line};

use soru_tezos::micheline::Micheline;
use std::fmt;

/// Deepest nesting of a text, before and after macro expansion.
pub const MAX_DEPTH: usize = 1_000;
/// Longest text that is read, in bytes: far above what an operation can carry.
pub const MAX_TEXT: usize = 4 << 20;
/// Longest annotation, in bytes.
pub const MAX_ANNOTATION: usize = 255;

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 0.
    pub column: usize,
    /// The offset in bytes.
    pub offset: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// From where to where (exclusive) something stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First character.
    pub start: Position,
    /// Behind the last character.
    pub stop: Position,
}

impl fmt::Display for Span {
    /// In the reference client's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, stop) = (self.start, self.stop);
        if start.line != stop.line {
            let (from, to) = (start.line, stop.line);
            write!(f, "From line {from} character {} to line {to} character {}", start.column, stop.column)
        } else if start.column == stop.column {
            write!(f, "At line {} character {}", start.line, start.column)
        } else {
            write!(f, "At line {} characters {} to {}", start.line, start.column, stop.column)
        }
    }
}

/// Why a text is no Michelson, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{span}, {problem}")]
pub struct SyntaxError {
    /// Where.
    pub span: Span,
    /// What is wrong.
    pub problem: SyntaxProblem,
}

/// The ways in which a text can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum SyntaxProblem {
    #[error("unexpected character `{0}`")]
    Character(char),
    #[error("undefined escape sequence \"\\{0}\"")]
    Escape(char),
    #[error("unterminated string")]
    UnterminatedString,
    #[error("unterminated comment")]
    UnterminatedComment,
    #[error("unterminated integer")]
    LoneMinus,
    #[error("missing break after number")]
    BreakAfterNumber,
    #[error("invalid hex bytes: an even number of digits is wanted")]
    OddHex,
    #[error("annotation exceeded maximum length ({MAX_ANNOTATION} chars)")]
    LongAnnotation,
    #[error("unexpected annotation: it must follow a primitive")]
    MisplacedAnnotation,
    #[error("unexpected {}", token(.0))]
    Token(&'static str),
    #[error("unclosed {}", token(.0))]
    Unclosed(&'static str),
    #[error("missing expression")]
    Missing,
    #[error("a ';' is missing before this expression")]
    MissingSemicolon,
    #[error("more text after the expression")]
    Trailing,
    #[error("nested deeper than {MAX_DEPTH} levels")]
    Deep,
    #[error("the text is longer than {MAX_TEXT} bytes")]
    Long,
    #[error("unknown primitive {0}")]
    UnknownPrimitive(String),
    #[error(transparent)]
    Macro(MacroProblem),
}

/// What punctuation is called.
fn token(text: &str) -> &'static str {
    match text {
        "(" | ")" => "parenthesis",
        "{" | "}" => "curly brace",
        _ => "semi colon",
    }
}

/// A parsed text: the expression with macros expanded, and where each of its nodes stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The expression.
    pub expr: Micheline,
    /// The place of each node, by its number in prefix order (the `location` of typechecking errors). What a macro
    /// expands to stands where the macro stands.
    pub spans: Vec<Span>,
}

/// Reads one expression, such as a type or a value; the outermost parentheses may be left out.
pub fn parse_expression(text: &str) -> Result<Parsed, SyntaxError> {
    parse_expression_ast(text)?.expand()?.to_micheline()
}

/// Reads a script: its statements `parameter …; storage …; code {…}` with or without enclosing braces. The result is
/// a sequence.
pub fn parse_script(text: &str) -> Result<Parsed, SyntaxError> {
    parse_script_ast(text)?.expand()?.to_micheline()
}

/// Reads one expression without expanding macros or looking primitives up.
pub fn parse_expression_ast(text: &str) -> Result<Ast, SyntaxError> {
    parser::expression(lexer::tokens(text)?)
}

/// Reads statements without expanding macros or looking primitives up.
pub fn parse_script_ast(text: &str) -> Result<Ast, SyntaxError> {
    parser::script(lexer::tokens(text)?)
}
