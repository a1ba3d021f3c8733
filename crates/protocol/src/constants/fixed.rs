//! The constants no network can choose (`spec/protocol.md` §8.3), and the sizes that follow from them.

use serde::{Deserialize, Serialize};
use soru_tezos::scalar::Nat;

/// Largest serialized inbox message, in bytes.
pub const MESSAGE_SIZE_LIMIT: usize = 4096;
/// Index of the last message the inbox of a level can take besides those of the protocol.
pub const MAX_MESSAGES_PER_LEVEL: u64 = 1_000_000;
/// Largest output proof an operation is meant to carry, in bytes.
pub const MAX_WRAPPED_PROOF_SIZE: usize = 30_000;
/// Largest operation, in bytes.
pub const MAX_OPERATION_SIZE: usize = 32_768;

/// The fixed constants as the node shows them, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Fixed {
    pub proof_of_work_nonce_size: u8,
    pub nonce_length: u8,
    pub max_anon_ops_per_block: u8,
    pub max_operation_data_length: i32,
    pub max_proposals_per_delegate: u8,
    pub max_micheline_node_count: i32,
    pub max_micheline_bytes_limit: i32,
    pub max_allowed_global_constants_depth: i32,
    pub cache_layout_size: u8,
    pub michelson_maximum_type_size: u16,
    pub denunciation_period: u8,
    pub slashing_delay: u8,
    pub smart_rollup_max_wrapped_proof_binary_size: i32,
    pub smart_rollup_message_size_limit: i32,
    pub smart_rollup_max_number_of_messages_per_level: Nat,
}

impl Default for Fixed {
    fn default() -> Self {
        Fixed {
            proof_of_work_nonce_size: 8,
            nonce_length: 32,
            max_anon_ops_per_block: 132,
            max_operation_data_length: MAX_OPERATION_SIZE as i32,
            max_proposals_per_delegate: 20,
            max_micheline_node_count: 50_000,
            max_micheline_bytes_limit: 50_000,
            max_allowed_global_constants_depth: 10_000,
            cache_layout_size: 5,
            michelson_maximum_type_size: 2_001,
            denunciation_period: 1,
            slashing_delay: 1,
            smart_rollup_max_wrapped_proof_binary_size: MAX_WRAPPED_PROOF_SIZE as i32,
            smart_rollup_message_size_limit: MESSAGE_SIZE_LIMIT as i32,
            smart_rollup_max_number_of_messages_per_level: Nat(MAX_MESSAGES_PER_LEVEL),
        }
    }
}
