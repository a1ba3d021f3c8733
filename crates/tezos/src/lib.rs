//! What Tezos itself defines and all other rooms speak: hashes and keys, base58check, the binary codec,
//! Micheline, operations, receipts, block headers (`spec/protocol.md` §0–2).
//!
//! No rules live here: a value that decodes is well-formed, not necessarily valid.
#![forbid(unsafe_code)]

pub mod base58;
pub mod blake2b;
pub mod block;
pub mod codec;
pub mod contract;
pub mod fields;
pub mod hash;
pub mod header;
pub mod json;
pub mod key;
pub mod micheline;
pub mod number;
pub mod operation;
pub mod prim;
pub mod receipt;
pub mod rollup;
pub mod rpc_error;
pub mod scalar;
pub mod sign;
