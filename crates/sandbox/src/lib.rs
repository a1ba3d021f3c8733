//! The embedded layer 1: a Tezos chain of protocol 025 (or an older one) on one machine, with its ledger, block production, persistence
//! and the RPC of a node. Programs talk to it as they talk to any Tezos node.
#![forbid(unsafe_code)]

pub mod block;
pub mod config;
mod controls;
pub mod error;
pub mod ledger;
pub mod make;
pub mod mempool;
mod nesting;
pub mod node;
mod produce;
mod rpc;
mod server;
pub mod store;
pub mod view;

pub use config::{
    BOOTSTRAP, BOOTSTRAP_BALANCE, BlockTime, DEFAULT_MAX_CONNECTIONS, DEFAULT_RPC_ADDRESS, FundedAccount, MAX_ACCOUNTS,
    SandboxConfig, Upgrade, made_account, parse_protocol,
};
pub use error::SandboxError;
pub use rpc::{answer_on, script_answer_on};
pub use server::{Sandbox, run};
