//! Michelson, the language of the layer 1's contracts: parse, print, typecheck, interpret, pack
//! (`spec/protocol.md` §10).
//!
//! Chain state stays outside: scripts see it through [`context::Chain`].
#![forbid(unsafe_code)]

pub mod context;
pub mod error;
pub mod lazy;
pub mod node;
pub mod syntax;
pub mod types;
