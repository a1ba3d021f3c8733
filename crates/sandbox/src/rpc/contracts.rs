//! `/context/contracts/…` and `/context/big_maps/…`: accounts and contracts (`spec/protocol.md` §9.2, Appendix D.4).

use super::answer::Answer;
use super::normal;
use super::request::Request;
use super::scripts::{TRIAL_GAS, script_error};
use crate::ledger::errors::permanent;
use crate::ledger::{
    Account, BigMapKey, BlockContext, ContractState, FIRST_BIG_MAP, Ledger, TicketKey, parameter_of, with_script_chain,
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use soru_michelson::gas::Gas;
use soru_michelson::run;
use soru_michelson::types::{Allow, Type};
use soru_tezos::blake2b;
use soru_tezos::codec::Encode;
use soru_tezos::contract::{Contract, Destination};
use soru_tezos::hash::{ContractHash, ScriptExprHash};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::receipt::TicketToken;
use soru_tezos::scalar::Mutez;

/// Answers a path below `contracts`.
pub fn answer(ledger: &Ledger, path: &[&str], request: &Request) -> Answer {
    match path {
        [] => {
            let originated = ledger.contracts.keys().map(|hash| Contract::Originated(*hash));
            let implicit = ledger.accounts.keys().map(|hash| Contract::Implicit(*hash));
            Answer::json(&originated.chain(implicit).collect::<Vec<_>>())
        }
        [contract, rest @ ..] => match contract.parse::<Contract>() {
            Ok(contract) if rest == ["ticket_balance"] => {
                ticket_balance(ledger, contract.into(), request).unwrap_or_else(|answer| answer)
            }
            Ok(Contract::Implicit(hash)) => of_account(ledger, &hash, rest),
            Ok(Contract::Originated(hash)) => match ledger.contracts.get(&hash) {
                Some(contract) => of_contract(ledger, &hash, contract, rest, request),
                // the reference answers these for contracts that do not exist, too
                None if matches!(
                    rest,
                    ["storage", "used_space" | "paid_space"] | ["estimated_own_pending_slashed_amount"]
                ) =>
                {
                    Answer::json(&"0")
                }
                None => Answer::NotFound,
            },
            Err(_) => Answer::bad_segment(&request.path, 7, "Cannot parse contract id", "contract_id"),
        },
    }
}

fn of_account(ledger: &Ledger, hash: &PublicKeyHash, path: &[&str]) -> Answer {
    let unknown = Account { counter: ledger.global_counter, ..Account::default() };
    let exists = ledger.accounts.contains_key(hash);
    let account = ledger.accounts.get(hash).unwrap_or(&unknown);
    let with_bonds = account.balance.checked_add(account.frozen()).unwrap_or(Mutez::MAX);
    match path {
        [] => {
            let mut shown = Map::new();
            shown.insert("balance".to_owned(), json!(account.balance));
            if let Some(delegate) = account.delegate {
                shown.insert("delegate".to_owned(), json!(delegate));
            }
            shown.insert("counter".to_owned(), json!(account.counter.to_string()));
            shown.insert("revealed".to_owned(), json!(account.key.is_some()));
            Answer::json(&Value::Object(shown))
        }
        ["balance" | "spendable"] => Answer::json(&account.balance),
        ["balance_and_frozen_bonds" | "spendable_and_frozen_bonds" | "full_balance"] if exists => {
            Answer::json(&with_bonds)
        }
        ["balance_and_frozen_bonds" | "spendable_and_frozen_bonds" | "full_balance"] => {
            let key = vec![
                "contracts".to_owned(),
                "index".to_owned(),
                hex::encode(Contract::Implicit(*hash).to_bytes()),
                "balance".to_owned(),
            ];
            Answer::trace(&[permanent("context.storage_error").with("missing_key", key).with("function", "get")])
        }
        ["staked_balance"] if !exists => Answer::json(&json!(null)),
        ["frozen_bonds"] => Answer::json(&account.frozen()),
        ["staked_balance" | "unstaked_frozen_balance" | "unstaked_finalizable_balance"]
        | ["estimated_own_pending_slashed_amount"] => Answer::json(&"0"),
        ["unstake_requests"] => Answer::json(&json!(null)),
        ["counter"] => Answer::json(&account.counter.to_string()),
        ["manager_key"] if exists => Answer::json(&account.key),
        ["manager_key"] => Answer::json(&json!(null)),
        ["delegate"] => Answer::found(account.delegate),
        ["storage", "used_space" | "paid_space"] => Answer::json(&json!(null)),
        _ => Answer::NotFound,
    }
}

fn of_contract(
    ledger: &Ledger,
    hash: &ContractHash,
    contract: &ContractState,
    path: &[&str],
    request: &Request,
) -> Answer {
    let script = || json!({"code": *contract.code, "storage": *contract.storage});
    match path {
        [part @ ("script" | "storage"), "normalized"] => {
            let whole = *part == "script";
            normal::of_contract(ledger, contract, whole, request).unwrap_or_else(|answer| answer)
        }
        [] => {
            let mut shown = Map::new();
            shown.insert("balance".to_owned(), json!(contract.balance));
            if let Some(delegate) = contract.delegate {
                shown.insert("delegate".to_owned(), json!(delegate));
            }
            shown.insert("script".to_owned(), script());
            Answer::json(&Value::Object(shown))
        }
        ["balance" | "spendable" | "balance_and_frozen_bonds" | "spendable_and_frozen_bonds" | "full_balance"] => {
            Answer::json(&contract.balance)
        }
        ["frozen_bonds" | "estimated_own_pending_slashed_amount"] => Answer::json(&"0"),
        ["staked_balance" | "unstaked_frozen_balance" | "unstaked_finalizable_balance" | "unstake_requests"] => {
            Answer::json(&json!(null))
        }
        ["entrypoints"] => match super::scripts::list_entrypoints(ledger, &contract.code) {
            Ok(listed) => Answer::json(&listed),
            Err(answer) => answer,
        },
        ["entrypoints", name] => {
            let found = name.parse().ok().and_then(|name| parameter_of(ledger, &contract.code).ok()?.find(&name).ok());
            Answer::found(found.map(|entry| entry.expr))
        }
        ["all_ticket_balances"] => {
            Answer::json(&all_tickets(ledger, Destination::Contract(Contract::Originated(*hash))))
        }
        ["script"] => Answer::json(&script()),
        ["storage"] => Answer::json(contract.storage.as_ref()),
        ["delegate"] => Answer::found(contract.delegate),
        ["storage", "used_space"] => Answer::json(&contract.used_space.to_string()),
        ["storage", "paid_space"] => Answer::json(&contract.paid_space.to_string()),
        ["big_map_get"] => big_map_get(ledger, contract, request).unwrap_or_else(|answer| answer),
        _ => Answer::NotFound,
    }
}

/// Answers a path below `big_maps`.
pub fn big_maps(ledger: &Ledger, path: &[&str], request: &Request) -> Answer {
    let known = |id: &i64| (0..FIRST_BIG_MAP).contains(id) || ledger.big_maps.contains_key(id);
    let Some(id) = path.first().and_then(|id| id.parse::<i64>().ok()).filter(known) else {
        return Answer::NotFound;
    };
    match path {
        [_] => {
            let number = |name: &str, default: usize| match request.query(name).map(str::parse::<usize>) {
                None => Ok(default),
                Some(parsed) => parsed,
            };
            let (Ok(offset), Ok(length)) = (number("offset", 0), number("length", usize::MAX)) else {
                return Answer::Bad("Failed to parse the query string: argument 'offset' or 'length'".to_owned());
            };
            let from = BigMapKey(id, ScriptExprHash([0; 32]));
            let entries = ledger.big_map_entries.range(from..).take_while(|(key, _)| key.0 == id);
            Answer::json(&entries.skip(offset).take(length).map(|(_, entry)| &entry.value).collect::<Vec<_>>())
        }
        [_, key] => match key.parse::<ScriptExprHash>() {
            Ok(key) => Answer::found(ledger.big_map_entries.get(&BigMapKey(id, key)).map(|entry| &entry.value)),
            Err(error) => Answer::bad_segment(&request.path, request.path.len(), &error.to_string(), "script_expr"),
        },
        _ => Answer::NotFound,
    }
}

#[derive(Deserialize)]
struct MapKey {
    key: Micheline,
    #[serde(rename = "type")]
    ty: Micheline,
}

/// The value of a key in the first big map of a contract; null without.
fn big_map_get(ledger: &Ledger, contract: &ContractState, request: &Request) -> Result<Answer, Answer> {
    let MapKey { key, ty } = request.json()?;
    let ty = Type::of(&ty, Allow::NONE).map_err(script_error)?;
    let mut gas = Gas::new(TRIAL_GAS);
    let packed =
        with_script_chain(ledger, &BlockContext::of_reader(ledger), |chain| run::pack(chain, &key, &ty, &mut gas));
    let hash = ScriptExprHash(blake2b::hash256(&packed.map_err(script_error)?));
    let storage = normal::storage_type(ledger, contract)?;
    let map = normal::first_big_map(&storage, &contract.storage);
    let entry = map.and_then(|id| ledger.big_map_entries.get(&BigMapKey(id, hash)));
    Ok(Answer::json(&entry.map(|entry| &entry.value)))
}

#[derive(Deserialize)]
struct TicketBody {
    ticketer: ContractHash,
    content_type: Micheline,
    content: Micheline,
}

/// How many tickets of the kind in the body somebody holds.
pub fn ticket_balance(ledger: &Ledger, holder: Destination, request: &Request) -> Result<Answer, Answer> {
    let body: TicketBody = request.json()?;
    let ticketer = body.ticketer.to_string();
    let token = TicketToken { ticketer, content_type: body.content_type, content: body.content };
    Ok(Answer::json(&ledger.tickets_of(holder, &token)))
}

/// All tickets somebody holds.
fn all_tickets(ledger: &Ledger, holder: Destination) -> Vec<Value> {
    let from = TicketKey { holder, token: [0; 32] };
    let held = ledger.tickets.range(from..).take_while(|(key, _)| key.holder == holder);
    held.map(|(_, held)| {
        let token = &held.token;
        json!({"ticketer": token.ticketer, "content_type": token.content_type, "content": token.content,
            "amount": held.amount})
    })
    .collect()
}
