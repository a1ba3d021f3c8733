//! Ready-made sets of constants: a network like mainnet, a quick one to play on, and the reference's for tests
//! (`spec/protocol.md` §8.1, §8.2).

use super::parametric::*;
use crate::protocol::Protocol;
use soru_tezos::hash::SmartRollupAddress;
use soru_tezos::number::Z;
use soru_tezos::scalar::{Level, Mutez, Nat};
use std::fmt;
use std::str::FromStr;

/// A named set of constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Preset {
    /// As on mainnet: blocks every 6 seconds, two weeks to challenge a commitment.
    Mainnet,
    /// For development: blocks every second, a commitment every 10 levels, 40 levels to challenge it.
    #[default]
    Dailynet,
    /// The reference's own constants for unit tests.
    Test,
}

/// A text that names no preset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a preset: choose mainnet, dailynet or test")]
pub struct UnknownPreset(String);

impl Preset {
    /// All of them.
    pub const ALL: [Preset; 3] = [Preset::Mainnet, Preset::Dailynet, Preset::Test];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Mainnet => "mainnet",
            Preset::Dailynet => "dailynet",
            Preset::Test => "test",
        }
    }

    /// The constants.
    pub fn constants(self) -> Parametric {
        match self {
            Preset::Mainnet => mainnet(),
            Preset::Dailynet => dailynet(),
            Preset::Test => test(),
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = UnknownPreset;
    fn from_str(text: &str) -> Result<Self, UnknownPreset> {
        Preset::ALL
            .into_iter()
            .find(|preset| preset.name() == text)
            .ok_or_else(|| UnknownPreset(text.chars().take(40).collect()))
    }
}

const DAY: i32 = 86_400;

/// The rollup of the protocol's signals on mainnet: `sr1Ghq66tYK9y3r8CC1Tf8i8m5nxh8nTvZEf`.
const CANONICAL_ROLLUP: SmartRollupAddress = SmartRollupAddress([
    0x74, 0xf8, 0x95, 0x2e, 0x7a, 0x28, 0x7d, 0x78, 0xe8, 0xdc, 0xee, 0xc6, 0x75, 0x47, 0xbd, 0x00, 0xa2, 0x78, 0xab,
    0xbf,
]);

/// The rollup constants of `protocol` on mainnet.
pub fn mainnet_rollup(protocol: Protocol) -> RollupConstants {
    let block_time = match protocol {
        Protocol::Mumbai | Protocol::Nairobi | Protocol::Oxford => 15,
        Protocol::ParisB | Protocol::ParisC => 10,
        Protocol::Quebec | Protocol::Rio | Protocol::Seoul => 8,
        Protocol::Tallinn | Protocol::Ushuaia => 6,
    };
    let dal = if protocol >= Protocol::ParisB { Level(1) } else { NEVER };
    RollupConstants {
        arith_pvm_enable: false,
        origination_size: 6_314,
        challenge_window_in_blocks: 14 * DAY / block_time,
        stake_amount: Mutez::of_tez(10_000),
        commitment_period_in_blocks: 900 / block_time,
        max_lookahead_in_blocks: 30 * DAY / block_time,
        // The outbox kept its size when blocks went from 8 to 6 seconds.
        max_active_outbox_levels: 14 * DAY / block_time.max(8),
        max_outbox_messages_per_level: 100,
        number_of_sections_in_dissection: 32,
        timeout_period_in_blocks: 7 * DAY / block_time,
        max_number_of_cemented_commitments: 5,
        max_number_of_parallel_games: 32,
        reveal_activation_level: RevealActivation {
            dal_page: dal,
            dal_parameters: dal,
            ..RevealActivation::before_oxford()
        },
        private_enable: protocol.has_whitelists(),
        riscv_pvm_enable: false,
        canonical_rollup_address: (protocol >= Protocol::Ushuaia).then_some(CANONICAL_ROLLUP),
    }
}

fn mainnet() -> Parametric {
    Parametric {
        consensus_rights_delay: 2,
        blocks_preservation_cycles: 1,
        delegate_parameters_activation_delay: 5,
        tolerated_inactivity_period: 2,
        blocks_per_cycle: 14_400,
        blocks_per_commitment: 112,
        nonce_revelation_threshold: 400,
        cycles_per_voting_period: 14,
        hard_gas_limit_per_operation: Nat(1_040_000),
        hard_gas_limit_per_block: Nat(1_040_000),
        proof_of_work_threshold: Z::from((1 << 48) - 1),
        minimal_stake: Mutez::of_tez(6_000),
        minimal_frozen_stake: Mutez::of_tez(600),
        vdf_difficulty: Z::from(2_400_000_000),
        origination_size: 257,
        issuance_weights: IssuanceWeights {
            base_total_issued_per_minute: Mutez(80_007_812),
            baking_reward_fixed_portion_weight: 5_120,
            baking_reward_bonus_weight: 5_120,
            attesting_reward_weight: 10_240,
            seed_nonce_revelation_tip_weight: 1,
            vdf_revelation_tip_weight: 1,
            dal_rewards_weight: 2_275,
        },
        cost_per_byte: Mutez(250),
        hard_storage_limit_per_operation: Nat(60_000),
        quorum_min: 2_000,
        quorum_max: 7_000,
        min_proposal_quorum: 500,
        liquidity_baking_subsidy: Mutez::of_tez(5),
        liquidity_baking_toggle_ema_threshold: 1_000_000_000,
        max_operations_time_to_live: 600,
        minimal_block_delay: Nat(6),
        delay_increment_per_round: Nat(3),
        consensus_committee_size: 7_000,
        consensus_threshold_size: 4_667,
        minimal_participation_ratio: Ratio { numerator: 2, denominator: 3 },
        limit_of_delegation_over_baking: 9,
        percentage_of_frozen_deposits_slashed_per_double_baking: 500,
        max_slashing_per_block: 10_000,
        max_slashing_threshold: Ratio { numerator: 1, denominator: 3 },
        testnet_dictator: None,
        initial_seed: None,
        cache_script_size: 100_000_000,
        cache_stake_distribution_cycles: 5,
        cache_sampler_state_cycles: 5,
        cache_stake_info_cycles: 5,
        cache_swrr_selected_distribution_cycles: 5,
        dal: DalParametric {
            feature_enable: true,
            incentives_enable: true,
            dynamic_lag_enable: true,
            number_of_slots: 160,
            attestation_lag: 5,
            attestation_lags: vec![1, 2, 3, 4, 5],
            attestation_threshold: 66,
            minimal_participation_ratio: Rational::of(16, 25),
            rewards_ratio: Rational::of(1, 10),
            traps_fraction: Rational::of(1, 2_000),
            redundancy_factor: 8,
            page_size: 3_967,
            slot_size: 380_832,
            number_of_shards: 512,
        },
        rollup: mainnet_rollup(Protocol::Ushuaia),
        zk_rollup_enable: false,
        zk_rollup_origination_size: 4_000,
        zk_rollup_min_pending_to_process: 10,
        zk_rollup_max_ticket_payload_size: 2_048,
        global_limit_of_staking_over_baking: 9,
        edge_of_staking_over_delegation: 3,
        adaptive_rewards_params: AdaptiveRewards {
            issuance_ratio_final_min: Rational::of(1, 400),
            issuance_ratio_final_max: Rational::of(1, 10),
            issuance_ratio_initial_min: Rational::of(9, 200),
            issuance_ratio_initial_max: Rational::of(11, 200),
            initial_period: 10,
            transition_period: 50,
            max_bonus: Z::from(50_000_000_000_000),
            growth_rate: Rational::of(1, 100),
            center_dz: Rational::of(1, 2),
            radius_dz: Rational::of(1, 50),
        },
        direct_ticket_spending_enable: false,
        aggregate_attestation: true,
        allow_tz4_delegate_enable: true,
        all_bakers_attest_activation_threshold: Ratio { numerator: 1, denominator: 2 },
        native_contracts_enable: false,
        swrr_new_baker_lottery_enable: false,
        tz5_account_enable: false,
    }
}

/// The reference's sandbox constants. Rollup constants are mainnet's.
pub fn reference_sandbox() -> Parametric {
    let base = mainnet();
    Parametric {
        delegate_parameters_activation_delay: 2,
        blocks_per_cycle: 8,
        blocks_per_commitment: 4,
        nonce_revelation_threshold: 4,
        cycles_per_voting_period: 8,
        proof_of_work_threshold: Z::from((1 << 62) - 1),
        vdf_difficulty: Z::from(50_000),
        max_operations_time_to_live: 8,
        minimal_block_delay: Nat(1),
        delay_increment_per_round: Nat(1),
        consensus_committee_size: 256,
        consensus_threshold_size: 0,
        limit_of_delegation_over_baking: 19,
        dal: DalParametric { number_of_slots: 16, number_of_shards: 256, ..base.dal },
        native_contracts_enable: true,
        tz5_account_enable: true,
        ..base
    }
}

fn dailynet() -> Parametric {
    let base = reference_sandbox();
    Parametric {
        rollup: RollupConstants {
            commitment_period_in_blocks: 10,
            challenge_window_in_blocks: 40,
            timeout_period_in_blocks: 40,
            arith_pvm_enable: true,
            ..base.rollup
        },
        ..base
    }
}

fn test() -> Parametric {
    let base = mainnet();
    Parametric {
        delegate_parameters_activation_delay: 3,
        blocks_per_cycle: 12,
        blocks_per_commitment: 4,
        nonce_revelation_threshold: 4,
        cycles_per_voting_period: 2,
        proof_of_work_threshold: Z::from((1 << 62) - 1),
        vdf_difficulty: Z::from(50_000),
        max_operations_time_to_live: 8,
        consensus_committee_size: 67,
        consensus_threshold_size: 45,
        limit_of_delegation_over_baking: 19,
        dal: DalParametric { number_of_slots: 8, number_of_shards: 64, redundancy_factor: 2, ..base.dal },
        native_contracts_enable: true,
        tz5_account_enable: true,
        ..base
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mainnet_values_by_protocol() {
        let row = |protocol| {
            let rollup = mainnet_rollup(protocol);
            [
                rollup.commitment_period_in_blocks,
                rollup.challenge_window_in_blocks,
                rollup.max_lookahead_in_blocks,
                rollup.timeout_period_in_blocks,
                rollup.max_active_outbox_levels,
            ]
        };
        assert_eq!(row(Protocol::Mumbai), [60, 80_640, 172_800, 40_320, 80_640]);
        assert_eq!(row(Protocol::ParisC), [90, 120_960, 259_200, 60_480, 120_960]);
        assert_eq!(row(Protocol::Rio), [112, 151_200, 324_000, 75_600, 151_200]);
        assert_eq!(row(Protocol::Ushuaia), [150, 201_600, 432_000, 100_800, 151_200]);
    }

    #[test]
    fn the_canonical_rollup() {
        assert_eq!(CANONICAL_ROLLUP.to_base58(), "sr1Ghq66tYK9y3r8CC1Tf8i8m5nxh8nTvZEf");
    }

    #[test]
    fn presets_have_names() {
        for preset in Preset::ALL {
            assert_eq!(preset.name().parse(), Ok(preset));
            preset.constants().check().unwrap();
        }
        assert!("ghostnet".parse::<Preset>().is_err());
    }
}
