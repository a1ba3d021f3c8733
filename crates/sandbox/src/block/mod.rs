//! Blocks: how a chain starts, headers with real hashes and signatures, metadata, and how they are kept.

mod bson;
mod header;
mod metadata;
mod start;

pub use header::{Baker, Parts, seal};
pub use metadata::{MAX_MANAGER_BYTES, application, level_info, seed_nonce_hash, shell_metadata, voting_period_info};
pub use start::{ChainStart, GENESIS_HASH, genesis_protocol};

use crate::error::SandboxError;
use serde::Deserialize;
use soru_tezos::block::Block;
use soru_tezos::hash::ProtocolHash;

/// The level of a block as a number from 0.
pub fn number(block: &Block) -> u32 {
    block.level().0.unsigned_abs()
}

/// The protocol that applies the next block.
pub fn next_protocol(block: &Block) -> ProtocolHash {
    block.metadata.as_ref().map_or(block.protocol, |metadata| metadata.next_protocol)
}

/// The form in which a block is kept: its JSON.
pub fn encode_record(block: &Block) -> Result<Vec<u8>, SandboxError> {
    serde_json::to_vec(block).map_err(|error| SandboxError::Record(error.to_string()))
}

/// Reads a kept block.
pub fn decode_record(bytes: &[u8]) -> Result<Block, SandboxError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    // scripts nest deeper than JSON usually does; what was kept was bounded when it was injected
    reader.disable_recursion_limit();
    Block::deserialize(&mut reader).map_err(|error| SandboxError::Record(error.to_string()))
}
