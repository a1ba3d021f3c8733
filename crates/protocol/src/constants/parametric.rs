//! The constants a network chooses at activation: the complete object of protocol 025, in its order and with its JSON
//! types (`spec/protocol.md` §8.3).

use crate::protocol::Protocol;
use serde::{Deserialize, Serialize};
use soru_tezos::hash::SmartRollupAddress;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::number::Z;
use soru_tezos::scalar::{Level, Mutez, Nat};

/// A ratio of two small numbers; JSON numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ratio {
    /// What stands above.
    pub numerator: u16,
    /// What stands below.
    pub denominator: u16,
}

/// A ratio of two numbers of any size; decimal strings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rational {
    /// What stands above.
    pub numerator: Z,
    /// What stands below.
    pub denominator: Z,
}

impl Rational {
    pub(super) fn of(numerator: i64, denominator: i64) -> Self {
        Rational { numerator: numerator.into(), denominator: denominator.into() }
    }
}

/// How newly issued tez is divided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct IssuanceWeights {
    pub base_total_issued_per_minute: Mutez,
    pub baking_reward_fixed_portion_weight: i32,
    pub baking_reward_bonus_weight: i32,
    pub attesting_reward_weight: i32,
    pub seed_nonce_revelation_tip_weight: i32,
    pub vdf_revelation_tip_weight: i32,
    pub dal_rewards_weight: i32,
}

/// The data availability layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct DalParametric {
    pub feature_enable: bool,
    pub incentives_enable: bool,
    pub dynamic_lag_enable: bool,
    pub number_of_slots: u16,
    pub attestation_lag: u8,
    pub attestation_lags: Vec<u8>,
    pub attestation_threshold: u8,
    pub minimal_participation_ratio: Rational,
    pub rewards_ratio: Rational,
    pub traps_fraction: Rational,
    pub redundancy_factor: u8,
    pub page_size: u16,
    pub slot_size: i32,
    pub number_of_shards: u16,
}

/// First levels at which reveals by hash are answered, by hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawDataActivation {
    /// BLAKE2b.
    #[serde(rename = "Blake2B")]
    pub blake2b: Level,
}

/// First levels at which each kind of reveal is answered (`spec/protocol.md` §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevealActivation {
    /// Data by hash.
    pub raw_data: RawDataActivation,
    /// Address and origination level.
    pub metadata: Level,
    /// Pages of the data availability layer.
    pub dal_page: Level,
    /// Parameters of the data availability layer.
    pub dal_parameters: Level,
    /// Levels for which an attested page can be imported; 018 does not tell.
    #[serde(default = "attested_slots_validity_lag")]
    pub dal_attested_slots_validity_lag: i32,
}

const fn attested_slots_validity_lag() -> i32 {
    241_920
}

impl RevealActivation {
    /// What holds in 016 and 017, which have no such constant: data and metadata are answered, the data availability layer
    /// is not there.
    pub const fn before_oxford() -> RevealActivation {
        RevealActivation {
            raw_data: RawDataActivation { blake2b: Level(0) },
            metadata: Level(0),
            dal_page: NEVER,
            dal_parameters: NEVER,
            dal_attested_slots_validity_lag: attested_slots_validity_lag(),
        }
    }
}

/// First level that never comes: the switch for what is off.
pub(super) const NEVER: Level = Level(i32::MAX - 1);

/// Everything that governs smart rollups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollupConstants {
    /// Whether the `arith` PVM can be originated.
    #[serde(rename = "smart_rollup_arith_pvm_enable")]
    pub arith_pvm_enable: bool,
    /// Bytes charged for an origination besides what it stores.
    #[serde(rename = "smart_rollup_origination_size")]
    pub origination_size: i32,
    /// Blocks between the publication of a commitment and its cementation.
    #[serde(rename = "smart_rollup_challenge_window_in_blocks")]
    pub challenge_window_in_blocks: i32,
    /// The bond of a staker.
    #[serde(rename = "smart_rollup_stake_amount")]
    pub stake_amount: Mutez,
    /// Levels covered by one commitment.
    #[serde(rename = "smart_rollup_commitment_period_in_blocks")]
    pub commitment_period_in_blocks: i32,
    /// How far above the last cemented commitment one can publish.
    #[serde(rename = "smart_rollup_max_lookahead_in_blocks")]
    pub max_lookahead_in_blocks: i32,
    /// Levels whose outbox messages can be executed.
    #[serde(rename = "smart_rollup_max_active_outbox_levels")]
    pub max_active_outbox_levels: i32,
    /// Outbox messages of one level that can be executed.
    #[serde(rename = "smart_rollup_max_outbox_messages_per_level")]
    pub max_outbox_messages_per_level: i32,
    /// Sections of a dissection.
    #[serde(rename = "smart_rollup_number_of_sections_in_dissection")]
    pub number_of_sections_in_dissection: u8,
    /// Blocks a player has for all moves of a game.
    #[serde(rename = "smart_rollup_timeout_period_in_blocks")]
    pub timeout_period_in_blocks: i32,
    /// Cemented commitments kept.
    #[serde(rename = "smart_rollup_max_number_of_cemented_commitments")]
    pub max_number_of_cemented_commitments: i32,
    /// Games a staker can be in at a time.
    #[serde(rename = "smart_rollup_max_number_of_parallel_games")]
    pub max_number_of_parallel_games: i32,
    /// First levels of the kinds of reveals. A constant since 018.
    #[serde(rename = "smart_rollup_reveal_activation_level", default = "RevealActivation::before_oxford")]
    pub reveal_activation_level: RevealActivation,
    /// Whether rollups can be private. A constant since 018.
    #[serde(rename = "smart_rollup_private_enable", default)]
    pub private_enable: bool,
    /// Whether the `riscv` PVM can be originated. A constant since 018.
    #[serde(rename = "smart_rollup_riscv_pvm_enable", default)]
    pub riscv_pvm_enable: bool,
    /// The rollup whose outbox signals the protocol listens to.
    #[serde(rename = "smart_rollup_canonical_rollup_address", default, skip_serializing_if = "Option::is_none")]
    pub canonical_rollup_address: Option<SmartRollupAddress>,
}

impl RollupConstants {
    /// The activation levels that hold under a protocol.
    pub fn reveals_under(&self, protocol: Protocol) -> RevealActivation {
        if protocol < Protocol::Oxford { RevealActivation::before_oxford() } else { self.reveal_activation_level }
    }
}

/// Parameters of adaptive issuance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct AdaptiveRewards {
    pub issuance_ratio_final_min: Rational,
    pub issuance_ratio_final_max: Rational,
    pub issuance_ratio_initial_min: Rational,
    pub issuance_ratio_initial_max: Rational,
    pub initial_period: u8,
    pub transition_period: u8,
    pub max_bonus: Z,
    pub growth_rate: Rational,
    pub center_dz: Rational,
    pub radius_dz: Rational,
}

/// All constants chosen at activation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Parametric {
    pub consensus_rights_delay: u8,
    pub blocks_preservation_cycles: u8,
    pub delegate_parameters_activation_delay: u8,
    pub tolerated_inactivity_period: u8,
    pub blocks_per_cycle: i32,
    pub blocks_per_commitment: i32,
    pub nonce_revelation_threshold: i32,
    pub cycles_per_voting_period: i32,
    /// In gas units.
    pub hard_gas_limit_per_operation: Nat,
    /// In gas units.
    pub hard_gas_limit_per_block: Nat,
    pub proof_of_work_threshold: Z,
    pub minimal_stake: Mutez,
    pub minimal_frozen_stake: Mutez,
    pub vdf_difficulty: Z,
    /// Bytes charged for a new account or contract.
    pub origination_size: i32,
    pub issuance_weights: IssuanceWeights,
    /// Price of a byte of storage.
    pub cost_per_byte: Mutez,
    pub hard_storage_limit_per_operation: Nat,
    pub quorum_min: i32,
    pub quorum_max: i32,
    pub min_proposal_quorum: i32,
    pub liquidity_baking_subsidy: Mutez,
    pub liquidity_baking_toggle_ema_threshold: i32,
    pub max_operations_time_to_live: i16,
    /// In seconds.
    pub minimal_block_delay: Nat,
    /// In seconds.
    pub delay_increment_per_round: Nat,
    pub consensus_committee_size: i32,
    pub consensus_threshold_size: i32,
    pub minimal_participation_ratio: Ratio,
    pub limit_of_delegation_over_baking: u8,
    /// In hundredths of a percent.
    pub percentage_of_frozen_deposits_slashed_per_double_baking: u16,
    /// In hundredths of a percent.
    pub max_slashing_per_block: u16,
    pub max_slashing_threshold: Ratio,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub testnet_dictator: Option<PublicKeyHash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_seed: Option<String>,
    pub cache_script_size: i32,
    pub cache_stake_distribution_cycles: i8,
    pub cache_sampler_state_cycles: i8,
    pub cache_stake_info_cycles: i8,
    pub cache_swrr_selected_distribution_cycles: i8,
    #[serde(rename = "dal_parametric")]
    pub dal: DalParametric,
    #[serde(flatten)]
    pub rollup: RollupConstants,
    pub zk_rollup_enable: bool,
    pub zk_rollup_origination_size: i32,
    pub zk_rollup_min_pending_to_process: i32,
    pub zk_rollup_max_ticket_payload_size: i32,
    pub global_limit_of_staking_over_baking: u8,
    pub edge_of_staking_over_delegation: u8,
    pub adaptive_rewards_params: AdaptiveRewards,
    pub direct_ticket_spending_enable: bool,
    pub aggregate_attestation: bool,
    pub allow_tz4_delegate_enable: bool,
    pub all_bakers_attest_activation_threshold: Ratio,
    pub native_contracts_enable: bool,
    pub swrr_new_baker_lottery_enable: bool,
    pub tz5_account_enable: bool,
}
