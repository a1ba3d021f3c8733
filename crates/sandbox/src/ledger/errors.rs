//! Errors of the protocol with their ids and fields (`spec/protocol.md` Appendix A), and the reference's sentences for
//! those that are told to whoever injects an operation.

use crate::mempool::Pending;
use soru_michelson::ScriptError;
use soru_protocol::protocol::Protocol;
use soru_tezos::contract::Contract;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::receipt::OperationResult;
use soru_tezos::rpc_error::{ErrorKind, TezosError, Trace};
use soru_tezos::scalar::{Mutez, Nat};

/// Protocol 025's part of error ids.
pub const PROTOCOL: &str = "025-PsUshuai";

/// An error that a later block may not have.
pub fn temporary(name: &str) -> TezosError {
    TezosError::of_protocol(PROTOCOL, ErrorKind::Temporary, name)
}

/// An error that no block will be without.
pub fn permanent(name: &str) -> TezosError {
    TezosError::of_protocol(PROTOCOL, ErrorKind::Permanent, name)
}

/// An error that another branch may not have.
pub fn branch(name: &str) -> TezosError {
    TezosError::of_protocol(PROTOCOL, ErrorKind::Branch, name)
}

/// Renames the errors of a trace, which carry the newest protocol's name, to those of another one.
pub fn rename(trace: &mut Trace, protocol: Protocol) {
    trace.iter_mut().for_each(|error| error.id = renamed(std::mem::take(&mut error.id), protocol));
}

/// Renames one id.
pub fn renamed(id: String, protocol: Protocol) -> String {
    let name = id
        .strip_prefix("proto.")
        .and_then(|rest| rest.strip_prefix(PROTOCOL))
        .filter(|_| protocol != Protocol::Ushuaia);
    match name {
        Some(name) => format!("proto.{}{name}", protocol.error_name()),
        None => id,
    }
}

/// Renames the errors of a result.
pub fn rename_in(result: &mut OperationResult, protocol: Protocol) {
    if let OperationResult::Failed { errors } | OperationResult::Backtracked { errors: Some(errors), .. } = result {
        rename(errors, protocol);
    }
}

/// What a script failed with.
pub fn script_trace(error: &ScriptError) -> Trace {
    let listed = error.to_json(&format!("proto.{PROTOCOL}"));
    serde_json::from_value(listed).unwrap_or_else(|_| vec![TezosError::failure(error.to_string())])
}

/// A delegate that is none.
pub fn unregistered_delegate(delegate: &PublicKeyHash) -> Trace {
    vec![permanent("contract.manager.unregistered_delegate").with("hash", delegate.to_string())]
}

/// A kind of operation this ledger does not know how to apply.
pub fn unsupported(kind: &str) -> Trace {
    vec![permanent("sandbox.operation_not_supported").with("operation_kind", kind)]
}

/// The balance does not cover an amount.
pub fn balance_too_low(contract: &Contract, balance: Mutez, amount: Mutez) -> Trace {
    vec![
        temporary("contract.balance_too_low")
            .with("contract", contract.to_string())
            .with("balance", balance.to_string())
            .with("amount", amount.to_string()),
        temporary("tez.subtraction_underflow").with("amounts", vec![balance.to_string(), amount.to_string()]),
    ]
}

/// The sum of two amounts is above what can be represented.
pub fn addition_overflow(left: Mutez, right: Mutez) -> Trace {
    vec![temporary("tez.addition_overflow").with("amounts", vec![left.to_string(), right.to_string()])]
}

/// There is no contract at an address.
pub fn non_existing_contract(contract: &Contract) -> Trace {
    vec![temporary("contract.non_existing_contract").with("contract", contract.to_string())]
}

/// An account without balance cannot act.
pub fn empty_account(account: &PublicKeyHash) -> TezosError {
    branch("implicit.empty_implicit_contract").with("implicit", account.to_string())
}

/// A counter that is not the next one.
pub fn wrong_counter(account: &PublicKeyHash, expected: u64, found: Nat) -> TezosError {
    let error = if found.0 < expected {
        branch("contract.counter_in_the_past")
    } else {
        temporary("contract.counter_in_the_future")
    };
    error.with("contract", account.to_string()).with("expected", expected.to_string()).with("found", found.to_string())
}

/// The account already has an operation waiting.
pub fn manager_restriction(new: &Pending, existing: &Pending) -> Trace {
    let source = new.source().map(|source| source.to_string()).unwrap_or_default();
    let conflict = serde_json::json!({"existing": existing.hash, "new": new.hash});
    vec![branch("validate.operation.manager_restriction").with("source", source).with("conflict", conflict)]
}

/// The gas limit of the operation is used up.
pub fn gas_exhausted() -> TezosError {
    temporary("gas_exhausted.operation")
}

/// What the reference says about an error when it refuses to take an operation in.
pub fn sentence(error: &TezosError) -> String {
    let field = |name: &str| error.fields.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    match error.name() {
        "contract.counter_in_the_past" => format!(
            "Counter {} already used for contract {} (expected {})",
            field("found"),
            field("contract"),
            field("expected")
        ),
        "contract.counter_in_the_future" => format!(
            "Counter {} not yet reached for contract {} (expected {})",
            field("found"),
            field("contract"),
            field("expected")
        ),
        "contract.balance_too_low" => format!(
            "Balance of contract {} too low ({}) to spend {}",
            field("contract"),
            tez(&field("balance")),
            tez(&field("amount"))
        ),
        "contract.unrevealed_key" => format!("Unrevealed manager key for contract {}.", field("contract")),
        "contract.previously_revealed_key" => {
            format!("Previously revealed manager key for contract {}.", field("contract"))
        }
        "implicit.empty_implicit_contract" => format!("Empty implicit contract ({})", field("implicit")),
        "operation.invalid_signature" => "The operation signature is invalid".to_owned(),
        "validate.operation.manager_restriction" => format!(
            "Manager {} already has the operation {} in the current block.",
            field("source"),
            error.fields.get("conflict").and_then(|c| c.get("existing")).and_then(|e| e.as_str()).unwrap_or_default()
        ),
        _ => {
            let data = serde_json::to_string_pretty(error).unwrap_or_else(|_| error.id.clone());
            data.replace('\n', "\n  ")
        }
    }
}

fn tez(mutez: &str) -> String {
    mutez.parse::<Mutez>().map(Mutez::to_tez).unwrap_or_else(|_| mutez.to_owned())
}
