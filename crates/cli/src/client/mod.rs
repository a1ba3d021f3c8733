//! `octez-client`: the commands of the layer 1's client that rollups need, with the reference's grammar and outputs
//! (`spec/node.md` §10).

mod chain;
pub mod config;
mod confirm;
pub mod context;
mod contracts;
mod delegates;
mod errors;
mod keys;
mod literal;
mod messages;
mod operate;
pub mod options;
mod password;
mod receipt;
mod rollups;
mod rpc_tree;
mod script_errors;
mod scripts;
mod services;
mod transfers;
mod unit_tests;

use crate::grammar::Tool;

/// The tool.
pub fn tool(name: String) -> Tool {
    let groups = [
        keys::commands(),
        contracts::commands(),
        delegates::commands(),
        transfers::commands(),
        rollups::commands(),
        scripts::commands(),
        unit_tests::commands(),
        services::commands(),
        chain::commands(),
        config::commands(),
    ];
    Tool {
        name,
        doc: "A client of the layer 1: keys, transfers, contracts, smart rollups.",
        version: crate::tools::version(),
        globals: options::GLOBALS,
        commands: groups.into_iter().flatten().collect(),
    }
}
