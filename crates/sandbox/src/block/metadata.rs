//! Metadata of a block: what the shell and protocol 025 tell about it (`spec/protocol.md` §9.2).

use serde_json::json;
use soru_protocol::constants::Parametric;
use soru_tezos::blake2b;
use soru_tezos::block::{ApplicationMetadata, BlockMetadata, LevelInfo, PassLimits, VotingPeriod, VotingPeriodInfo};
use soru_tezos::hash::{NonceHash, ProtocolHash};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::receipt::BalanceUpdate;
use soru_tezos::scalar::{Level, Milligas};

const MAX_OPERATION_SIZE: i32 = 32_768;
const MAX_HEADER_SIZE: i32 = 289;

/// Most bytes of the manager operations of one block.
pub const MAX_MANAGER_BYTES: usize = 524_288;

/// The shell's part, for a block of a protocol; `max_operations_ttl` grows with the level up to its constant.
pub fn shell_metadata(protocol: ProtocolHash, next_protocol: ProtocolHash, ttl: i32) -> BlockMetadata {
    let limits = |max_size, max_op| PassLimits { max_size, max_op };
    BlockMetadata {
        protocol,
        next_protocol,
        test_chain_status: json!({"status": "not_running"}),
        max_operations_ttl: ttl,
        max_operation_data_length: MAX_OPERATION_SIZE,
        max_block_header_length: MAX_HEADER_SIZE,
        max_operation_list_length: vec![
            limits(4_194_304, Some(2_048)),
            limits(32_768, None),
            limits(135_168, Some(132)),
            limits(MAX_MANAGER_BYTES as i32, None),
        ],
        application: None,
        other: Default::default(),
    }
}

/// Where a level stands in its cycle. The protocol's first block, level 1, begins cycle 0.
pub fn level_info(constants: &Parametric, level: Level) -> LevelInfo {
    let parametric = constants;
    let position = level.0.saturating_sub(1).max(0);
    let cycle_position = position % parametric.blocks_per_cycle;
    LevelInfo {
        level,
        level_position: position,
        cycle: position / parametric.blocks_per_cycle,
        cycle_position,
        expected_commitment: cycle_position % parametric.blocks_per_commitment == parametric.blocks_per_commitment - 1,
    }
}

/// Where a level stands in its voting period.
pub fn voting_period_info(constants: &Parametric, level: Level) -> VotingPeriodInfo {
    let parametric = constants;
    let length = parametric.blocks_per_cycle.saturating_mul(parametric.cycles_per_voting_period).max(1);
    let blocks = level.0.saturating_sub(1).max(0);
    let (index, position) = (blocks / length, blocks % length);
    VotingPeriodInfo {
        voting_period: VotingPeriod { index, kind: "proposal".to_owned(), start_position: index * length },
        position,
        remaining: length - position - 1,
    }
}

/// The nonce hash a block commits to, at levels where one is expected.
pub fn seed_nonce_hash(constants: &Parametric, level: Level) -> Option<NonceHash> {
    level_info(constants, level)
        .expected_commitment
        .then(|| NonceHash(blake2b::hash256(&blake2b::digest::<32>(&[b"seed nonce", &level.0.to_be_bytes()]))))
}

/// The protocol's part.
pub fn application(
    constants: &Parametric,
    level: Level,
    baker: PublicKeyHash,
    balance_updates: Vec<BalanceUpdate>,
    consumed_milligas: Milligas,
) -> ApplicationMetadata {
    let attestations = (level.0 > 2).then(|| {
        json!({
            "total_committee_power": constants.consensus_committee_size.to_string(),
            "threshold": constants.consensus_threshold_size.to_string(),
            "recorded_power": "0",
        })
    });
    ApplicationMetadata {
        proposer: baker,
        baker,
        level_info: level_info(constants, level),
        voting_period_info: voting_period_info(constants, level),
        nonce_hash: seed_nonce_hash(constants, level),
        deactivated: Vec::new(),
        balance_updates,
        liquidity_baking_toggle_ema: 0,
        implicit_operations_results: Vec::new(),
        proposer_consensus_key: baker,
        baker_consensus_key: baker,
        consumed_milligas,
        dal_attestation: "0".to_owned(),
        all_bakers_attest_activation_level: None,
        attestations,
        preattestations: None,
    }
}
