//! The sentences of the command line: one small grammar for all tools, for their help and their error messages
//! (`spec/node.md` §1.1, §10).
//!
//! A tool is a table of commands; a command is a sentence of fixed words and `<parameters>`, with options that may
//! stand anywhere.

mod complete;
mod help;
mod parse;
mod table;

pub use complete::complete;
pub use parse::{Invocation, Request, parse};
pub use table::{Command, Handler, Opt, Tool};

use std::fmt;

/// Why a command did not run, or failed. Printed on the error stream; the exit code is 1.
#[derive(Debug)]
pub enum CliError {
    /// The command line itself is wrong, or a value the user gave: printed under `Error:`.
    Usage(String),
    /// Something went wrong while running: printed under `Fatal error:`.
    Failed(String),
}

impl CliError {
    /// A usage error about the argument at place `index` (counted from 1) of the sentence.
    pub fn argument(index: usize, text: &str, why: impl fmt::Display) -> Self {
        CliError::Usage(format!("Erroneous command line argument {index} ({text}).\n{why}"))
    }

    /// A usage error about an option.
    pub fn option(name: &str, text: &str, why: impl fmt::Display) -> Self {
        CliError::Usage(format!("Wrong value for command line option --{name} ({text}).\n{why}"))
    }

    /// A failure, in words.
    pub fn failed(why: impl fmt::Display) -> Self {
        CliError::Failed(why.to_string())
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (head, text) = match self {
            CliError::Usage(text) => ("Error:", text),
            CliError::Failed(text) => ("Fatal error:", text),
        };
        f.write_str(head)?;
        for line in text.lines() {
            write!(f, "\n  {line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CliError {}

impl From<eyre::Report> for CliError {
    fn from(report: eyre::Report) -> Self {
        let chain: Vec<String> = report.chain().map(ToString::to_string).collect();
        CliError::Failed(chain.join("\n"))
    }
}
