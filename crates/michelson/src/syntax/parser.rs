//! Tokens to the tree of [`Ast`].

use super::lexer::{Kind, Token};
use super::{Ast, MAX_DEPTH, Node, Position, Span, SyntaxError, SyntaxProblem};
use std::iter::Peekable;
use std::vec::IntoIter;

struct Parser {
    tokens: Peekable<IntoIter<Token>>,
    end: Position,
    depth: usize,
}

/// One expression and nothing more.
pub(super) fn expression((tokens, end): (Vec<Token>, Position)) -> Result<Ast, SyntaxError> {
    let mut parser = Parser { tokens: tokens.into_iter().peekable(), end, depth: 0 };
    let ast = parser.item()?;
    match parser.tokens.next() {
        None => Ok(ast),
        Some(token) => Err(SyntaxError { span: token.span, problem: SyntaxProblem::Trailing }),
    }
}

/// Statements with or without braces, as one sequence.
pub(super) fn script((tokens, end): (Vec<Token>, Position)) -> Result<Ast, SyntaxError> {
    let start = tokens.first().map_or(end, |token| token.span.start);
    let mut parser = Parser { tokens: tokens.into_iter().peekable(), end, depth: 0 };
    let mut items = parser.items()?;
    if let Some(token) = parser.tokens.next() {
        return Err(unexpected(token));
    }
    if items.len() == 1
        && items[0].as_seq().is_some()
        && let Some(only) = items.pop()
    {
        return Ok(only);
    }
    Ok(Ast::seq(Span { start, stop: end }, items))
}

fn unexpected(token: Token) -> SyntaxError {
    let problem = match token.kind {
        Kind::Punctuation(text) => SyntaxProblem::Token(text),
        Kind::Annotation(_) => SyntaxProblem::MisplacedAnnotation,
        _ => SyntaxProblem::MissingSemicolon,
    };
    SyntaxError { span: token.span, problem }
}

impl Parser {
    fn at(&mut self, text: &str) -> bool {
        matches!(self.tokens.peek(), Some(Token { kind: Kind::Punctuation(p), .. }) if *p == text)
    }

    fn missing(&self) -> SyntaxError {
        SyntaxError { span: Span { start: self.end, stop: self.end }, problem: SyntaxProblem::Missing }
    }

    /// Items separated by `;` up to a closing bracket or the end.
    fn items(&mut self) -> Result<Vec<Ast>, SyntaxError> {
        let mut items = Vec::new();
        loop {
            while self.at(";") {
                self.tokens.next();
            }
            if self.tokens.peek().is_none() || self.at("}") {
                return Ok(items);
            }
            items.push(self.item()?);
            if !self.at(";")
                && !self.at("}")
                && let Some(token) = self.tokens.next()
            {
                return Err(unexpected(token));
            }
        }
    }

    /// An expression that may be an application without parentheses.
    fn item(&mut self) -> Result<Ast, SyntaxError> {
        match self.tokens.peek() {
            Some(Token { kind: Kind::Word(_), .. }) => self.application(),
            _ => self.argument(),
        }
    }

    fn application(&mut self) -> Result<Ast, SyntaxError> {
        let (mut span, name) = match self.tokens.next() {
            Some(Token { span, kind: Kind::Word(name) }) => (span, name),
            Some(token) => return Err(unexpected(token)),
            None => return Err(self.missing()),
        };
        let (mut args, mut annots) = (Vec::new(), Vec::new());
        loop {
            match self.tokens.peek() {
                Some(Token { kind: Kind::Annotation(text), span: place }) => {
                    annots.push(text.clone());
                    span.stop = place.stop;
                    self.tokens.next();
                }
                None | Some(Token { kind: Kind::Punctuation(";" | ")" | "}"), .. }) => break,
                Some(_) => {
                    let arg = self.argument()?;
                    span.stop = arg.span.stop;
                    args.push(arg);
                }
            }
        }
        Ok(Ast { span, node: Node::Prim { name, args, annots } })
    }

    /// An expression that stands for itself: a literal, a word, or something in brackets.
    fn argument(&mut self) -> Result<Ast, SyntaxError> {
        let Some(token) = self.tokens.next() else { return Err(self.missing()) };
        let mut span = token.span;
        let node = match token.kind {
            Kind::Int(value) => Node::Int(value),
            Kind::String(text) => Node::String(text),
            Kind::Bytes(bytes) => Node::Bytes(bytes),
            Kind::Word(name) => Node::Prim { name, args: Vec::new(), annots: Vec::new() },
            Kind::Punctuation(open @ ("{" | "(")) => {
                if self.depth >= MAX_DEPTH {
                    return Err(SyntaxError { span, problem: SyntaxProblem::Deep });
                }
                self.depth += 1;
                let (node, close) =
                    if open == "{" { (Node::Seq(self.items()?), "}") } else { (self.item()?.node, ")") };
                self.depth -= 1;
                if !self.at(close) {
                    return Err(match self.tokens.next() {
                        Some(token) => unexpected(token),
                        None => SyntaxError { span, problem: SyntaxProblem::Unclosed(open) },
                    });
                }
                if let Some(token) = self.tokens.next() {
                    span.stop = token.span.stop;
                }
                node
            }
            _ => return Err(unexpected(token)),
        };
        Ok(Ast { span, node })
    }
}
