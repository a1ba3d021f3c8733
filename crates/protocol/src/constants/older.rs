//! How protocols before 025 show their constants (`constants_parametric_repr.ml` and `constants_repr.ml` of each): the
//! object of 025, brought back one protocol at a time. What 025 no longer has takes the value it had on mainnet.

use crate::protocol::Protocol;
use serde_json::{Map, Value, json};

/// Brings the object of a protocol to the shape of the one before.
type Back = fn(&mut Map<String, Value>);

/// The constants in the shape of an older protocol; what 025 shows stays as it is.
///
/// Takes what [`super::Constants`] or [`super::Parametric`] serialize to.
pub fn shown_by(protocol: Protocol, mut constants: Value) -> Value {
    const BACK: [(Protocol, Back); 6] = [
        (Protocol::Tallinn, to_tallinn),
        (Protocol::Seoul, to_seoul),
        (Protocol::Quebec, to_quebec),
        (Protocol::Oxford, to_oxford),
        (Protocol::Nairobi, to_nairobi),
        (Protocol::Mumbai, to_mumbai),
    ];
    if let Value::Object(object) = &mut constants {
        for (shape, back) in BACK {
            if protocol <= shape {
                back(object);
            }
        }
    }
    constants
}

/// 025 brought several attestation lags, native contracts, the lottery of bakers and tz5.
fn to_tallinn(object: &mut Map<String, Value>) {
    within(object, "dal_parametric", |dal| remove(dal, &["dynamic_lag_enable", "attestation_lags"]));
    remove(object, &["smart_rollup_canonical_rollup_address", "cache_stake_info_cycles"]);
    remove(object, &["cache_swrr_selected_distribution_cycles", "native_contracts_enable"]);
    remove(object, &["swrr_new_baker_lottery_enable", "tz5_account_enable"]);
    replace(object, "cache_layout_size", &[("cache_layout_size", json!(3))]);
}

/// 024 made a share of the level from which all bakers attest.
fn to_seoul(object: &mut Map<String, Value>) {
    replace(object, "all_bakers_attest_activation_threshold", &[("all_bakers_attest_activation_level", Value::Null)]);
}

/// 022 ended the activation of adaptive issuance, and brought rewards of the data availability layer and aggregation.
fn to_quebec(object: &mut Map<String, Value>) {
    let committee = object.get("consensus_committee_size").and_then(Value::as_i64).unwrap_or(0);
    let threshold = object.get("consensus_threshold_size").cloned().unwrap_or(Value::Null);
    within(object, "dal_parametric", |dal| {
        remove(dal, &["minimal_participation_ratio", "rewards_ratio", "traps_fraction"]);
    });
    within(object, "issuance_weights", |weights| remove(weights, &["dal_rewards_weight"]));
    after(object, "edge_of_staking_over_delegation", &[("adaptive_issuance_launch_ema_threshold", json!(0))]);
    after(
        object,
        "adaptive_rewards_params",
        &[
            ("adaptive_issuance_activation_vote_enable", json!(true)),
            ("autostaking_enable", json!(true)),
            ("adaptive_issuance_force_activation", json!(false)),
            ("ns_enable", json!(true)),
        ],
    );
    replace(object, "consensus_threshold_size", &[("consensus_threshold", threshold)]);
    after(
        object,
        "percentage_of_frozen_deposits_slashed_per_double_baking",
        &[("percentage_of_frozen_deposits_slashed_per_double_attestation", json!(5000))],
    );
    replace(object, "max_slashing_threshold", &[("max_slashing_threshold", json!(committee / 3 + 1))]);
    remove(object, &["tolerated_inactivity_period", "aggregate_attestation", "allow_tz4_delegate_enable"]);
    remove(object, &["all_bakers_attest_activation_level", "issuance_modification_delay"]);
    remove(object, &["consensus_key_activation_delay", "unstake_finalization_delay", "slashing_delay"]);
    replace(object, "denunciation_period", &[("max_slashing_period", json!(2))]);
}

/// 019 split the preserved cycles in three, and let adaptive issuance begin slowly.
fn to_oxford(object: &mut Map<String, Value>) {
    within(object, "dal_parametric", |dal| {
        remove(dal, &["incentives_enable"]);
        after(dal, "attestation_threshold", &[("blocks_per_epoch", json!(1))]);
    });
    within(object, "smart_rollup_reveal_activation_level", |levels| {
        remove(levels, &["dal_attested_slots_validity_lag"]);
    });
    within(object, "adaptive_rewards_params", |rewards| {
        let extremum = |name: &str| rewards.get(name).cloned().unwrap_or(Value::Null);
        let [min, max] = ["issuance_ratio_final_min", "issuance_ratio_final_max"].map(extremum);
        replace(rewards, "issuance_ratio_final_min", &[("issuance_ratio_min", min)]);
        replace(rewards, "issuance_ratio_final_max", &[("issuance_ratio_max", max)]);
        remove(rewards, &["issuance_ratio_initial_min", "issuance_ratio_initial_max"]);
        remove(rewards, &["initial_period", "transition_period"]);
    });
    within(object, "issuance_weights", |weights| {
        after(weights, "attesting_reward_weight", &[("liquidity_baking_subsidy_weight", json!(1280))]);
    });
    let delay = object.get("consensus_rights_delay").cloned().unwrap_or(Value::Null);
    replace(object, "consensus_rights_delay", &[("preserved_cycles", delay)]);
    after(object, "nonce_revelation_threshold", &[("blocks_per_stake_snapshot", json!(1024))]);
    // hundredths of a percent became percents
    for name in ["baking", "attestation"] {
        let name = format!("percentage_of_frozen_deposits_slashed_per_double_{name}");
        if let Some(share) = object.get_mut(&name) {
            *share = json!(share.as_i64().unwrap_or(0) / 100);
        }
    }
    remove(object, &["blocks_preservation_cycles", "delegate_parameters_activation_delay"]);
    remove(object, &["liquidity_baking_subsidy", "max_slashing_per_block", "max_slashing_threshold"]);
    remove(object, &["adaptive_issuance_force_activation", "ns_enable", "direct_ticket_spending_enable"]);
}

/// 018 brought staking, private rollups and activation levels of reveals, and ended the rollups of transactions.
fn to_nairobi(object: &mut Map<String, Value>) {
    within(object, "dal_parametric", |dal| {
        replace(dal, "blocks_per_epoch", &[("blocks_per_epoch", json!(32))]);
    });
    const FINALITY: i64 = 40_000;
    after(
        object,
        "dal_parametric",
        &[
            ("tx_rollup_enable", json!(false)),
            ("tx_rollup_origination_size", json!(4_000)),
            ("tx_rollup_hard_size_limit_per_inbox", json!(500_000)),
            ("tx_rollup_hard_size_limit_per_message", json!(5_000)),
            ("tx_rollup_max_withdrawals_per_batch", json!(15)),
            ("tx_rollup_commitment_bond", json!("10000000000")),
            ("tx_rollup_finality_period", json!(FINALITY)),
            ("tx_rollup_withdraw_period", json!(FINALITY)),
            ("tx_rollup_max_inboxes_count", json!(FINALITY + 100)),
            ("tx_rollup_max_messages_per_inbox", json!(1_010)),
            ("tx_rollup_max_commitments_count", json!(2 * FINALITY + 100)),
            ("tx_rollup_cost_per_byte_ema_factor", json!(120)),
            ("tx_rollup_max_ticket_payload_size", json!(2_048)),
            ("tx_rollup_rejection_max_proof_size", json!(30_000)),
            ("tx_rollup_sunset_level", json!(3_473_409)),
            ("smart_rollup_enable", json!(true)),
        ],
    );
    after(object, "vdf_difficulty", &[("seed_nonce_revelation_tip", json!("125000"))]);
    replace(
        object,
        "issuance_weights",
        &[
            ("baking_reward_fixed_portion", json!("5000000")),
            ("baking_reward_bonus_per_slot", json!("2143")),
            ("endorsing_reward_per_slot", json!("1428")),
        ],
    );
    after(object, "min_proposal_quorum", &[("liquidity_baking_subsidy", json!("1250000"))]);
    // a fixed constant until then
    remove(object, &["max_slashing_period"]);
    replace(
        object,
        "limit_of_delegation_over_baking",
        &[
            ("max_slashing_period", json!(2)),
            ("frozen_deposits_percentage", json!(10)),
            ("double_baking_punishment", json!("640000000")),
            ("ratio_of_frozen_deposits_slashed_per_double_endorsement", json!({"numerator": 1, "denominator": 2})),
        ],
    );
    remove(object, &["percentage_of_frozen_deposits_slashed_per_double_baking"]);
    remove(object, &["percentage_of_frozen_deposits_slashed_per_double_attestation", "minimal_frozen_stake"]);
    remove(object, &["smart_rollup_reveal_activation_level", "smart_rollup_private_enable"]);
    remove(object, &["smart_rollup_riscv_pvm_enable", "zk_rollup_max_ticket_payload_size"]);
    remove(object, &["global_limit_of_staking_over_baking", "edge_of_staking_over_delegation"]);
    remove(object, &["adaptive_issuance_launch_ema_threshold", "adaptive_rewards_params"]);
    remove(object, &["adaptive_issuance_activation_vote_enable", "autostaking_enable"]);
}

/// 017 renamed a threshold and counted epochs.
fn to_mumbai(object: &mut Map<String, Value>) {
    within(object, "dal_parametric", |dal| {
        let threshold = dal.get("attestation_threshold").cloned().unwrap_or(Value::Null);
        replace(dal, "attestation_threshold", &[("availability_threshold", threshold)]);
        remove(dal, &["blocks_per_epoch"]);
    });
}

/// Changes the object at a key.
fn within(object: &mut Map<String, Value>, key: &str, change: impl FnOnce(&mut Map<String, Value>)) {
    if let Some(Value::Object(inner)) = object.get_mut(key) {
        change(inner);
    }
}

fn remove(object: &mut Map<String, Value>, keys: &[&str]) {
    object.retain(|key, _| !keys.contains(&key.as_str()));
}

/// Puts entries in the place of one.
fn replace(object: &mut Map<String, Value>, key: &str, entries: &[(&str, Value)]) {
    put(object, key, entries, false);
}

/// Puts entries after one.
fn after(object: &mut Map<String, Value>, key: &str, entries: &[(&str, Value)]) {
    put(object, key, entries, true);
}

fn put(object: &mut Map<String, Value>, anchor: &str, entries: &[(&str, Value)], keep: bool) {
    let mut changed = Map::new();
    for (key, value) in std::mem::take(object) {
        let here = key == anchor;
        if !here || keep {
            changed.insert(key, value);
        }
        if here {
            changed.extend(entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        }
    }
    *object = changed;
}
