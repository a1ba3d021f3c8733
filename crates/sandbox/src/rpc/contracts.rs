//! `/context/contracts/…` and `/context/big_maps/…`: accounts and contracts (`spec/protocol.md` §9.2, Appendix D.4).

use super::answer::Answer;
use super::request::Request;
use crate::ledger::{Account, BigMapKey, ContractState, Ledger, TicketKey, parameter_of};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use soru_tezos::contract::{Contract, Destination};
use soru_tezos::hash::{ContractHash, ScriptExprHash};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::receipt::TicketToken;
use soru_tezos::scalar::Mutez;

/// Answers a path below `contracts`.
pub fn answer(ledger: &Ledger, path: &[&str], request: &Request) -> Answer {
    match path {
        [] if request.is_get() => {
            let originated = ledger.contracts.keys().map(|hash| Contract::Originated(*hash));
            let implicit = ledger.accounts.keys().map(|hash| Contract::Implicit(*hash));
            Answer::json(&originated.chain(implicit).collect::<Vec<_>>())
        }
        [] => Answer::Method("GET"),
        [contract, rest @ ..] => match contract.parse::<Contract>() {
            Ok(contract) if rest == ["ticket_balance"] && request.is_post() => {
                ticket_balance(ledger, contract.into(), request).unwrap_or_else(|answer| answer)
            }
            Ok(Contract::Implicit(hash)) => of_account(ledger, &hash, rest, request),
            Ok(Contract::Originated(hash)) => match ledger.contracts.get(&hash) {
                Some(contract) => of_contract(ledger, &hash, contract, rest, request),
                None => Answer::NotFound,
            },
            Err(_) => Answer::bad_segment(&request.path, 7, "Cannot parse contract id", "contract_id"),
        },
    }
}

fn of_account(ledger: &Ledger, hash: &PublicKeyHash, path: &[&str], request: &Request) -> Answer {
    let unknown = Account { counter: ledger.global_counter, ..Account::default() };
    let exists = ledger.accounts.contains_key(hash);
    let account = ledger.accounts.get(hash).unwrap_or(&unknown);
    let with_bonds = account.balance.checked_add(account.frozen()).unwrap_or(Mutez::MAX);
    let found = match path {
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
        ["balance_and_frozen_bonds" | "spendable_and_frozen_bonds" | "full_balance"] => Answer::json(&with_bonds),
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
    };
    only_get(found, request)
}

fn only_get(found: Answer, request: &Request) -> Answer {
    match found {
        Answer::NotFound => Answer::NotFound,
        _ if !request.is_get() => Answer::Method("GET"),
        found => found,
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
        ["script", "normalized"] if request.is_post() => return Answer::json(&script()),
        ["storage", "normalized"] if request.is_post() => return Answer::json(contract.storage.as_ref()),
        _ => {}
    }
    let found = match path {
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
        _ => Answer::NotFound,
    };
    only_get(found, request)
}

/// Answers a path below `big_maps`.
pub fn big_maps(ledger: &Ledger, path: &[&str], request: &Request) -> Answer {
    let Some(id) = path.first().and_then(|id| id.parse::<i64>().ok()).filter(|id| ledger.big_maps.contains_key(id))
    else {
        return Answer::NotFound;
    };
    let found = match path {
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
    };
    only_get(found, request)
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
