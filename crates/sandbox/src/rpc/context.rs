//! `/context/…` of a block: constants, and the tables of the ledger after it.

use super::answer::Answer;
use super::request::Request;
use super::{contracts, rollups};
use crate::block::{self, level_info};
use crate::ledger::Ledger;
use crate::ledger::errors::permanent;
use serde::Serialize;
use serde_json::json;
use soru_protocol::constants::{Constants, shown_by};
use soru_tezos::block::Block;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::scalar::{Level, Mutez};

/// Answers a path below `context`.
pub fn answer(ledger: &Ledger, block: &Block, path: &[&str], request: &Request) -> Answer {
    of_ledger(ledger, path, request).unwrap_or_else(|| small(ledger, block, path))
}

/// Answers for the paths that lead to a table of the ledger.
pub fn of_ledger(ledger: &Ledger, path: &[&str], request: &Request) -> Option<Answer> {
    match path {
        ["contracts", rest @ ..] => Some(contracts::answer(ledger, rest, request)),
        ["big_maps", rest @ ..] => Some(contracts::big_maps(ledger, rest, request)),
        ["smart_rollups", rest @ ..] => Some(rollups::answer(ledger, rest, request)),
        _ => None,
    }
}

/// Constants in the shape of the block's protocol.
fn constants(ledger: &Ledger, constants: &impl Serialize) -> Answer {
    match serde_json::to_value(constants) {
        Ok(value) => Answer::json(&shown_by(ledger.protocol, value)),
        Err(error) => Answer::failure(format!("cannot write the constants: {error}")),
    }
}

fn small(ledger: &Ledger, block: &Block, path: &[&str]) -> Answer {
    match path {
        ["constants"] => constants(ledger, &Constants::of(ledger.constants.as_ref().clone())),
        ["constants", "parametric"] => constants(ledger, ledger.constants.as_ref()),
        ["constants", "errors"] => Answer::json(&json!(null)),
        ["delegates"] => Answer::json(&delegates(ledger)),
        ["delegates", delegate, rest @ ..] => match delegate.parse::<PublicKeyHash>() {
            Ok(delegate) if ledger.is_delegate(&delegate) => of_delegate(ledger, block, &delegate, rest),
            Ok(delegate) => Answer::trace(&[permanent("delegate.not_registered").with("pkh", delegate.to_string())]),
            Err(error) => Answer::Bad(error.to_string()),
        },
        ["total_frozen_stake"] => Answer::json(&Mutez(0)),
        ["issuance", "current_yearly_rate"] => Answer::json(&"0.000"),
        ["issuance", "current_yearly_rate_exact"] => Answer::json(&json!({"numerator": "0", "denominator": "1"})),
        ["issuance", "issuance_per_minute"] => Answer::json(&"0"),
        ["adaptive_issuance_launch_cycle"] => Answer::json(&0),
        ["total_supply"] => {
            let accounts = ledger
                .accounts
                .values()
                .map(|account| account.balance.checked_add(account.frozen()).unwrap_or(Mutez::MAX));
            let contracts = ledger.contracts.values().map(|contract| contract.balance);
            let total =
                accounts.chain(contracts).fold(Mutez(0), |sum, part| sum.checked_add(part).unwrap_or(Mutez::MAX));
            Answer::json(&total)
        }
        ["protocol", "first_level"] => Answer::json(&ledger.first_level_of_protocol()),
        ["destination", _, "index"] => Answer::json(&json!(null)),
        ["nonces", _] => Answer::json(&json!({})),
        ["seed_computation"] => Answer::json(&json!({"nonce_revelation_stage": null})),
        ["dal", "commitments_history"] => Answer::json(&ledger.dal),
        // nothing is ever published on the data availability layer of a sandbox
        ["dal", "published_slot_headers" | "skip_list_cells_of_level" | "shards"] => Answer::json(&json!([])),
        ["dal", "past_parameters", level] => match level.parse::<i32>() {
            Ok(level) if Level(level) <= block.level() => Answer::json(&ledger.constants.dal),
            Ok(_) => Answer::NotFound,
            Err(_) => Answer::Bad(format!("Failed to parse argument '{level}': not a level")),
        },
        ["denunciations"] => Answer::json(&json!([])),
        ["cache", "contracts", "all"] => Answer::json(&json!([])),
        _ => Answer::NotFound,
    }
}

fn of_delegate(ledger: &Ledger, block: &Block, delegate: &PublicKeyHash, path: &[&str]) -> Answer {
    let owned = |hash: &PublicKeyHash| {
        ledger.accounts.get(hash).map_or(0, |account| account.balance.0.saturating_add(account.frozen().0))
    };
    let own = Mutez(owned(delegate));
    let delegated = Mutez(
        delegators(ledger, delegate).iter().filter(|hash| *hash != delegate).map(owned).fold(0, u64::saturating_add),
    );
    let all = Mutez(own.0.saturating_add(delegated.0));
    let key = ledger.accounts.get(delegate).and_then(|account| account.key.clone());
    // delegates that do nothing are deactivated after so many cycles; here none is
    let grace_period = level_info(&ledger.constants, block.level()).cycle.saturating_add(2);
    match path {
        [] => Answer::json(&json!({
            "deactivated": false,
            "is_forbidden": false,
            "participation": {
                "expected_cycle_activity": 0, "minimal_cycle_activity": 0, "missed_slots": 0, "missed_levels": 0,
                "remaining_allowed_missed_slots": 0, "expected_attesting_rewards": "0",
            },
            "dal_participation": {
                "expected_assigned_shards_per_slot": 0, "delegate_attested_dal_slots": 0,
                "delegate_attestable_dal_slots": 0, "expected_dal_rewards": "0", "sufficient_dal_participation": true,
                "denounced": false,
            },
            "grace_period": grace_period,
            "active_staking_parameters": {
                "limit_of_staking_over_baking_millionth": 0, "edge_of_baking_over_staking_billionth": 1_000_000_000,
            },
            "pending_staking_parameters": [],
            "baking_power": all,
            "total_staked": "0",
            "total_delegated": all,
            "min_delegated_in_current_cycle": {"amount": all, "level": level_info(&ledger.constants, block.level())},
            "own_full_balance": own,
            "own_staked": "0",
            "own_delegated": own,
            "external_staked": "0",
            "external_delegated": delegated,
            "total_unstaked_per_cycle": [],
            "denunciations": [],
            "estimated_shared_pending_slashed_amount": "0",
            "staking_denominator": "0",
            "current_voting_power": all,
            "voting_power": all,
            "voting_info": {"voting_power": all, "remaining_proposals": 20},
            "consensus_key": {"active": {"pkh": delegate, "pk": key}},
            "companion_key": {"active": null},
            "stakers": [],
            "delegators": delegators(ledger, delegate),
        })),
        ["deactivated"] => Answer::json(&false),
        ["full_balance" | "own_full_balance"] => Answer::json(&own),
        ["staking_balance" | "voting_power" | "current_voting_power"] => Answer::json(&all),
        ["delegated_balance"] => Answer::json(&delegated),
        ["delegated_contracts" | "delegators"] => Answer::json(&delegators(ledger, delegate)),
        ["grace_period"] => Answer::json(&grace_period),
        ["voting_info"] => Answer::json(&json!({"voting_power": all, "remaining_proposals": 20})),
        ["consensus_key"] => Answer::json(&json!({"active": {"pkh": delegate, "pk": key}})),
        _ => Answer::NotFound,
    }
}

fn delegates(ledger: &Ledger) -> Vec<PublicKeyHash> {
    let own = ledger.accounts.iter().filter(|(hash, account)| account.delegate == Some(**hash));
    own.map(|(hash, _)| *hash).collect()
}

fn delegators(ledger: &Ledger, delegate: &PublicKeyHash) -> Vec<PublicKeyHash> {
    let all = ledger.accounts.iter().filter(|(_, account)| account.delegate == Some(*delegate));
    all.map(|(hash, _)| *hash).collect()
}

/// `/votes/…`: there is nothing to vote on, but the periods go on.
pub fn votes(ledger: &Ledger, block: &Block, path: &[&str]) -> Answer {
    match path {
        ["current_period"] => Answer::json(&block::voting_period_info(&ledger.constants, block.level())),
        ["successor_period"] => Answer::json(&block::voting_period_info(&ledger.constants, block.level().after(1))),
        ["current_quorum"] => Answer::json(&ledger.constants.quorum_max),
        ["current_proposal"] => Answer::json(&json!(null)),
        ["proposals" | "ballot_list"] => Answer::json(&json!([])),
        ["ballots"] => Answer::json(&json!({"yay": "0", "nay": "0", "pass": "0"})),
        ["listings"] => {
            let listed: Vec<_> = delegates(ledger)
                .into_iter()
                .filter_map(|delegate| Some((delegate, ledger.accounts.get(&delegate)?.balance)))
                .filter(|(_, balance)| balance.0 > 0)
                .map(|(delegate, balance)| json!({"pkh": delegate, "voting_power": balance}))
                .collect();
            Answer::json(&listed)
        }
        ["total_voting_power"] => {
            let total: u64 = ledger.accounts.values().map(|account| account.balance.0).fold(0, u64::saturating_add);
            Answer::json(&total.to_string())
        }
        _ => Answer::NotFound,
    }
}
