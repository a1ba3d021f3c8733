//! The rollup node: follow layer 1, rebuild the inbox, evaluate, commit, publish, cement, serve (`spec/node.md`).
//!
//! [`start`] gives a handle on a node that runs in the background, [`run`] runs one to its end.

pub mod batcher;
pub mod config;
mod follow;
mod inject;
pub mod metrics;
mod node;
pub mod pipeline;
pub mod refutation;
pub mod reveals;
mod rpc;
pub mod snapshot;
pub mod store;

/// Name and version of this program, as the node tells them.
pub(crate) const VERSION: &str = concat!("soru ", env!("CARGO_PKG_VERSION"));

pub use follow::{Due, NodeHandle, due, run, start};
pub use node::{Connection, Node, NodeConfig, NodeError, Status};
