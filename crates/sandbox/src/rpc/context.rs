//! `/context/…` of a block: constants, and the tables of the ledger after it.

use super::answer::Answer;
use super::request::Request;
use super::{contracts, rollups};
use crate::block;
use crate::ledger::Ledger;
use crate::node::Node;
use crate::view::View;
use serde_json::json;
use soru_protocol::constants::Constants;
use soru_tezos::block::Block;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::scalar::{Level, Mutez};
use std::sync::Arc;

/// Answers a path below `context`.
pub fn answer(node: &Node, view: &View, block: &Block, path: &[&str], request: &Request) -> Answer {
    if block.level().0 == 0 {
        // before the protocol is activated there is nothing to ask
        return Answer::NotFound;
    }
    let ledger = match view.ledger_at(block::number(block)) {
        Ok(ledger) => ledger,
        Err(error) => return Answer::failure(error.to_string()),
    };
    if let Some(found) = of_ledger(&ledger, path, request) {
        return found;
    }
    match small(node, &ledger, block, path) {
        Answer::NotFound => Answer::NotFound,
        _ if !request.is_get() => Answer::Method("GET"),
        found => found,
    }
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

fn small(node: &Node, ledger: &Arc<Ledger>, block: &Block, path: &[&str]) -> Answer {
    match path {
        ["constants"] => Answer::json(&Constants::of(ledger.constants.as_ref().clone())),
        ["constants", "parametric"] => Answer::json(ledger.constants.as_ref()),
        ["constants", "errors"] => Answer::json(&json!([])),
        ["delegates"] => Answer::json(&delegates(ledger)),
        ["delegates", delegate] => match delegate.parse::<PublicKeyHash>() {
            Ok(delegate) if ledger.is_delegate(&delegate) => {
                let balance = ledger.accounts.get(&delegate).map_or(Mutez(0), |account| account.balance);
                Answer::json(&json!({
                    "deactivated": false,
                    "is_forbidden": false,
                    "own_full_balance": balance,
                    "own_staked": "0",
                    "external_staked": "0",
                    "total_staked": "0",
                    "delegators": delegators(ledger, &delegate),
                    "active_consensus_key": delegate,
                }))
            }
            Ok(_) => Answer::NotFound,
            Err(error) => Answer::Bad(error.to_string()),
        },
        ["delegates", delegate, "deactivated"] => {
            Answer::found(delegate.parse().ok().filter(|delegate| ledger.is_delegate(delegate)).map(|_| false))
        }
        ["issuance", "current_yearly_rate"] => Answer::json(&"0"),
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
        ["protocol", "first_level"] => Answer::json(&1),
        ["destination", _, "index"] => Answer::json(&json!(null)),
        ["nonces", _] => Answer::json(&json!({})),
        ["seed_computation"] => Answer::json(&json!({"nonce_revelation_stage": null})),
        // nothing is ever published on the data availability layer of a sandbox
        ["dal", "published_slot_headers" | "skip_list_cells_of_level" | "shards"] => Answer::json(&json!([])),
        ["dal", "past_parameters", level] => match level.parse::<i32>() {
            Ok(level) if Level(level) <= block.level() => Answer::json(&ledger.constants.dal),
            Ok(_) => Answer::NotFound,
            Err(_) => Answer::Bad(format!("Failed to parse argument '{level}': not a level")),
        },
        ["denunciations"] => Answer::json(&json!([])),
        ["cache", "contracts", "all"] => Answer::json(&json!([])),
        ["baker"] => Answer::json(&node.baker().address()),
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
pub fn votes(view: &View, block: &Block, path: &[&str]) -> Answer {
    let ledger = match view.ledger_at(block::number(block)) {
        Ok(ledger) if block.level().0 > 0 => ledger,
        Ok(_) => return Answer::NotFound,
        Err(error) => return Answer::failure(error.to_string()),
    };
    match path {
        ["current_period"] => Answer::json(&block::voting_period_info(&ledger.constants, block.level())),
        ["successor_period"] => Answer::json(&block::voting_period_info(&ledger.constants, block.level().after(1))),
        ["current_quorum"] => Answer::json(&ledger.constants.quorum_max),
        ["current_proposal"] => Answer::json(&json!(null)),
        ["proposals" | "ballot_list"] => Answer::json(&json!([])),
        ["ballots"] => Answer::json(&json!({"yay": "0", "nay": "0", "pass": "0"})),
        ["listings"] => {
            let listed: Vec<_> = delegates(&ledger)
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
