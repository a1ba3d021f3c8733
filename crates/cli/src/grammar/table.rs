//! What a tool offers: its commands and options.

use super::{CliError, Invocation};
use std::future::Future;
use std::pin::Pin;

/// One word of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// A fixed word.
    Literal(&'static str),
    /// One value, named for help and for the handler.
    Param(&'static str),
    /// Any number of values up to the end of the sentence.
    Rest(&'static str),
}

/// An option: `--long`, maybe `-s`, with or without a value.
#[derive(Debug, Clone, Copy)]
pub struct Opt {
    /// Long name without dashes.
    pub long: &'static str,
    /// Short name without dash.
    pub short: Option<char>,
    /// Name of the value in help; a switch has none.
    pub value: Option<&'static str>,
    /// What it does, with its default.
    pub doc: &'static str,
    /// Left out of help: for tests and for names kept for old scripts.
    pub hidden: bool,
    /// May be given several times.
    pub repeats: bool,
}

impl Opt {
    /// A switch.
    pub const fn switch(long: &'static str, short: Option<char>, doc: &'static str) -> Opt {
        Opt { long, short, value: None, doc, hidden: false, repeats: false }
    }

    /// An option with a value.
    pub const fn value(long: &'static str, short: Option<char>, value: &'static str, doc: &'static str) -> Opt {
        Opt { long, short, value: Some(value), doc, hidden: false, repeats: false }
    }

    /// The same option, left out of help.
    pub const fn hide(self) -> Opt {
        Opt { hidden: true, ..self }
    }

    /// The same option, which may be given several times.
    pub const fn repeat(self) -> Opt {
        Opt { repeats: true, ..self }
    }
}

/// What a handler returns: the command's work.
pub type Running = Pin<Box<dyn Future<Output = Result<(), CliError>> + Send>>;
/// The function behind a command.
pub type Handler = fn(Invocation) -> Running;

/// A command of a tool.
pub struct Command {
    /// Heading in the manual.
    pub group: &'static str,
    /// The sentence.
    pub words: Vec<Word>,
    /// Its own options, in groups that commands share.
    pub options: &'static [&'static [Opt]],
    /// One line of help.
    pub doc: &'static str,
    /// What it does.
    pub run: Handler,
}

impl Command {
    /// A command from its sentence: words, `<param>` and, at the end, `[rest…]`. Parameter names may contain blanks.
    pub fn new(
        group: &'static str,
        sentence: &'static str,
        options: &'static [&'static [Opt]],
        doc: &'static str,
        run: Handler,
    ) -> Command {
        let mut words = Vec::new();
        let mut left = sentence.trim();
        while !left.is_empty() {
            let (word, rest) = match left.as_bytes()[0] {
                b'<' => split_closed(left, '>', Word::Param),
                b'[' => split_closed(left, ']', Word::Rest),
                _ => {
                    let (word, rest) = left.split_once(' ').unwrap_or((left, ""));
                    (Word::Literal(word), rest)
                }
            };
            words.push(word);
            left = rest.trim_start();
        }
        Command { group, words, options, doc, run }
    }

    /// All options of the command.
    pub fn all_options(&self) -> impl Iterator<Item = &'static Opt> {
        self.options.iter().flat_map(|group| group.iter())
    }

    /// The sentence as help prints it.
    pub fn sentence(&self) -> String {
        let words: Vec<String> = self
            .words
            .iter()
            .map(|word| match word {
                Word::Literal(text) => (*text).to_owned(),
                Word::Param(name) => format!("<{name}>"),
                Word::Rest(name) => format!("[<{name}>...]"),
            })
            .collect();
        words.join(" ")
    }
}

fn split_closed(text: &'static str, close: char, word: fn(&'static str) -> Word) -> (Word, &'static str) {
    let end = text.find(close).unwrap_or(text.len() - 1);
    (word(&text[1..end]), &text[end + 1..])
}

/// A tool: a name under which the binary acts.
pub struct Tool {
    /// The name printed in help.
    pub name: String,
    /// What it is, in one line.
    pub doc: &'static str,
    /// Text of `--version`.
    pub version: String,
    /// Options that every command takes; they may stand before the sentence or within it.
    pub globals: &'static [Opt],
    /// Its commands.
    pub commands: Vec<Command>,
}
