//! The tools the binary can act as, and the names under which it does.

mod codec;
mod completion;
pub mod link;
mod pvm;
mod rollup_client;
mod rollup_node;
pub mod sandbox;
mod snapshot;
mod soru;

use crate::grammar::Tool;
use std::path::Path;

/// What the binary can act as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `soru` itself: the words that belong to no other tool.
    Soru,
    /// `octez-client`.
    Client,
    /// `octez-codec`.
    Codec,
    /// `octez-node`: the embedded layer 1.
    Layer1,
    /// `octez-smart-rollup-node`.
    RollupNode,
    /// `octez-smart-rollup-client`.
    RollupClient,
    /// A program of the reference that this version does not have yet.
    NotYet,
}

/// The names of the reference's programs (without protocol suffix) and the role each means.
const NAMES: &[(&str, Role)] = &[
    ("octez-client", Role::Client),
    ("octez-codec", Role::Codec),
    ("octez-node", Role::Layer1),
    ("octez-smart-rollup-node", Role::RollupNode),
    ("octez-smart-rollup-client", Role::RollupClient),
    ("octez-smart-rollup-wasm-debugger", Role::NotYet),
    ("smart-rollup-installer", Role::NotYet),
];

/// The first words after `soru` and the role each means.
const WORDS: &[(&str, Role)] = &[
    ("client", Role::Client),
    ("codec", Role::Codec),
    ("node", Role::RollupNode),
    ("rollup-client", Role::RollupClient),
    ("debugger", Role::NotYet),
    ("installer", Role::NotYet),
];

/// Text of `--version` for every role.
pub fn version() -> String {
    format!("soru {}", env!("CARGO_PKG_VERSION"))
}

impl Role {
    /// The role of a program name; protocol suffixes (`-alpha`, `-PtMumbai`) do not count.
    fn of_program(name: &str) -> Option<Role> {
        NAMES
            .iter()
            .filter(|(known, _)| {
                name.strip_prefix(known).is_some_and(|suffix| suffix.is_empty() || suffix.starts_with('-'))
            })
            .max_by_key(|(known, _)| known.len())
            .map(|(_, role)| *role)
    }

    /// The role of a first word after `soru`.
    fn of_word(word: &str) -> Option<Role> {
        WORDS.iter().find(|(known, _)| *known == word).map(|(_, role)| *role)
    }

    fn tool(self, name: String) -> Tool {
        match self {
            Role::Soru => soru::tool(name),
            Role::Client => crate::client::tool(name),
            Role::Codec => codec::tool(name),
            Role::Layer1 => sandbox::tool(name),
            Role::RollupNode => rollup_node::tool(name),
            Role::RollupClient => rollup_client::tool(name),
            Role::NotYet => not_yet(name),
        }
    }
}

/// A tool without commands: its help, which is all it has, says that it is not there yet.
fn not_yet(name: String) -> Tool {
    let doc = "This program is not available in this version of soru yet.";
    Tool { name, doc, version: version(), globals: &[], commands: Vec::new() }
}

/// What may follow the words of a line, of which the first is the program.
fn complete(line: &[String]) -> Vec<String> {
    let Some((program, words)) = line.split_first() else { return Vec::new() };
    let (tool, left) = choose(program, words.to_vec());
    let mut next = crate::grammar::complete(&tool, &left);
    if words.is_empty() && tool.name == "soru" {
        next.extend(WORDS.iter().filter(|(_, role)| *role != Role::NotYet).map(|(word, _)| (*word).to_owned()));
    }
    next
}

/// The names under which the binary acts, `soru` included.
fn program_names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().filter(|(_, role)| *role != Role::NotYet).map(|(name, _)| *name).chain(["soru"])
}

/// The tool a command line means, and the words left for it.
pub fn choose(called_as: &str, mut words: Vec<String>) -> (Tool, Vec<String>) {
    let program = Path::new(called_as).file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let left = |role: Role, words: Vec<String>| if role == Role::NotYet { Vec::new() } else { words };
    if let Some(role) = Role::of_program(&program) {
        return (role.tool(program), left(role, words));
    }
    match words.first().and_then(|word| Role::of_word(word)) {
        Some(role) => {
            let name = format!("soru {}", words.remove(0));
            (role.tool(name), left(role, words))
        }
        None => (Role::Soru.tool("soru".to_owned()), words),
    }
}
