//! The rollup rules of the protocol as pure functions on plain state (`spec/protocol.md`): constants, the shared inbox,
//! commitments and stakes, the outbox, reveals, refutation games.
//!
//! Nothing here reads a clock, a file or a network: the caller says which block is being applied and keeps the state.
#![forbid(unsafe_code)]

pub mod constants;
pub mod dal;
pub mod error;
pub mod game;
pub mod gas;
pub mod inbox;
pub mod protocol;
pub mod pvm;
pub mod reveal;
pub mod rollup;
pub mod skip_list;
pub mod wire;

pub use error::RollupError;
pub use protocol::Protocol;
pub use rollup::{Env, Rollup};
