//! `octez-client`: the commands of the layer 1's client that rollups need, with the reference's grammar and outputs
//! (`spec/node.md` §10).

mod chain;
mod confirm;
pub mod context;
mod contracts;
mod errors;
mod keys;
mod messages;
mod operate;
mod options;
mod receipt;
mod rollups;
mod unit_tests;

use crate::grammar::Tool;

/// The tool.
pub fn tool(name: String) -> Tool {
    let groups =
        [keys::commands(), contracts::commands(), unit_tests::commands(), rollups::commands(), chain::commands()];
    Tool {
        name,
        doc: "A client of the layer 1: keys, transfers, contracts, smart rollups.",
        version: crate::tools::version(),
        globals: options::GLOBALS,
        commands: groups.into_iter().flatten().collect(),
    }
}
