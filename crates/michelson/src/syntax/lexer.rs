//! Text to tokens.

use super::{MAX_ANNOTATION, MAX_TEXT, Position, Span, SyntaxError, SyntaxProblem};
use num_bigint::BigInt;
use soru_tezos::number::MAX_DIGITS;

/// A token with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) span: Span,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Word(String),
    Annotation(String),
    Int(BigInt),
    String(String),
    Bytes(Vec<u8>),
    Punctuation(&'static str),
}

struct Cursor<'a> {
    text: &'a str,
    at: Position,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<char> {
        self.text[self.at.offset..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at.offset += c.len_utf8();
        if c == '\n' {
            self.at.line += 1;
            self.at.column = 0;
        } else {
            self.at.column += 1;
        }
        Some(c)
    }

    fn skip_while(&mut self, mut keep: impl FnMut(char) -> bool) {
        while self.peek().is_some_and(&mut keep) {
            self.next();
        }
    }

    fn since(&self, start: Position) -> &'a str {
        &self.text[start.offset..self.at.offset]
    }

    fn fail<T>(&self, start: Position, problem: SyntaxProblem) -> Result<T, SyntaxError> {
        Err(SyntaxError { span: Span { start, stop: self.at }, problem })
    }

    fn string(&mut self, start: Position) -> Result<Kind, SyntaxError> {
        let mut text = String::new();
        loop {
            let here = self.at;
            match self.next() {
                Some('"') => return Ok(Kind::String(text)),
                None | Some('\n' | '\r') => return self.fail(start, SyntaxProblem::UnterminatedString),
                Some('\\') => text.push(match self.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('b') => '\u{8}',
                    Some('r') => '\r',
                    Some(c @ ('\\' | '"')) => c,
                    Some(other) => return self.fail(here, SyntaxProblem::Escape(other)),
                    None => return self.fail(start, SyntaxProblem::UnterminatedString),
                }),
                Some(c) => text.push(c),
            }
        }
    }

    fn number(&mut self, start: Position) -> Result<Kind, SyntaxError> {
        if self.since(start) == "0" && self.peek() == Some('x') {
            self.next();
            self.skip_while(|c| c.is_ascii_hexdigit());
            if self.peek().is_some_and(word_char) {
                return self.fail(self.at, SyntaxProblem::BreakAfterNumber);
            }
            return match hex::decode(&self.since(start)[2..]) {
                Ok(bytes) => Ok(Kind::Bytes(bytes)),
                Err(_) => self.fail(start, SyntaxProblem::OddHex),
            };
        }
        self.skip_while(|c| c.is_ascii_digit());
        if self.peek().is_some_and(word_char) {
            return self.fail(self.at, SyntaxProblem::BreakAfterNumber);
        }
        let digits = self.since(start);
        match digits.parse() {
            Ok(value) if digits.len() <= MAX_DIGITS => Ok(Kind::Int(value)),
            _ if digits == "-" => self.fail(start, SyntaxProblem::LoneMinus),
            _ => self.fail(start, SyntaxProblem::Long),
        }
    }

    fn block_comment(&mut self, start: Position) -> Result<(), SyntaxError> {
        let mut open = 1usize;
        while open > 0 {
            match (self.next(), self.peek()) {
                (Some('*'), Some('/')) => {
                    self.next();
                    open -= 1;
                }
                (Some('/'), Some('*')) => {
                    self.next();
                    open += 1;
                }
                (None, _) => return self.fail(start, SyntaxProblem::UnterminatedComment),
                _ => {}
            }
        }
        Ok(())
    }

    /// The next token's kind, or nothing for blanks and comments.
    fn token(&mut self, first: char, start: Position) -> Result<Option<Kind>, SyntaxError> {
        Ok(Some(match first {
            'a'..='z' | 'A'..='Z' | '_' => {
                self.skip_while(word_char);
                Kind::Word(self.since(start).to_owned())
            }
            '@' | ':' | '$' | '&' | '%' | '!' | '?' => {
                self.skip_while(|c| word_char(c) || matches!(c, '.' | '%' | '@'));
                if self.since(start).len() > MAX_ANNOTATION {
                    return self.fail(start, SyntaxProblem::LongAnnotation);
                }
                Kind::Annotation(self.since(start).to_owned())
            }
            '-' | '0'..='9' => self.number(start)?,
            '"' => self.string(start)?,
            '{' => Kind::Punctuation("{"),
            '}' => Kind::Punctuation("}"),
            '(' => Kind::Punctuation("("),
            ')' => Kind::Punctuation(")"),
            ';' => Kind::Punctuation(";"),
            '#' => {
                self.skip_while(|c| c != '\n');
                return Ok(None);
            }
            '/' if self.peek() == Some('*') => {
                self.next();
                self.block_comment(start)?;
                return Ok(None);
            }
            ' ' | '\n' | '\t' | '\r' => return Ok(None),
            other => return self.fail(start, SyntaxProblem::Character(other)),
        }))
    }
}

fn word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// All tokens of `text`, with the position behind the last one.
pub(super) fn tokens(text: &str) -> Result<(Vec<Token>, Position), SyntaxError> {
    let mut cursor = Cursor { text, at: Position { line: 1, column: 0, offset: 0 } };
    if text.len() > MAX_TEXT {
        return cursor.fail(cursor.at, SyntaxProblem::Long);
    }
    let mut tokens = Vec::new();
    loop {
        let start = cursor.at;
        let Some(first) = cursor.next() else { return Ok((tokens, cursor.at)) };
        if let Some(kind) = cursor.token(first, start)? {
            tokens.push(Token { span: Span { start, stop: cursor.at }, kind });
        }
    }
}
