//! The rollup rules of the protocol as pure functions on plain state (`spec/protocol.md`): constants, the shared inbox,
//! commitments and stakes, the outbox, reveals, refutation games.
//!
//! Nothing here reads a clock, a file or a network: the caller says which block is being applied and keeps the state.
#![forbid(unsafe_code)]

pub mod constants;
pub mod protocol;

pub use protocol::Protocol;
