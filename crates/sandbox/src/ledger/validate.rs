//! Whether an operation may be taken into the mempool or a block: the checks before anything is applied, in the
//! reference's order (`spec/protocol.md` §2.4).

use super::Ledger;
use super::errors::{branch, empty_account, permanent, temporary, unsupported, wrong_counter};
use super::games::check_refute;
use super::gas::{GasMeter, MANAGER_OPERATION, signature, sum, units};
use soru_tezos::contract::Contract;
use soru_tezos::key::{PublicKey, PublicKeyHash, Scheme};
use soru_tezos::operation::{ManagerBody, ManagerOperation, Operation};
use soru_tezos::rollup::PvmKind;
use soru_tezos::rpc_error::Trace;
use soru_tezos::scalar::{Level, Milligas};
use soru_tezos::sign::Watermark;

/// What is known about the signature.
#[derive(Debug, Clone, Copy)]
pub enum Signed<'a> {
    /// It signs these bytes; to be checked.
    Bytes(&'a [u8]),
    /// It is not looked at: a simulation, or an operation checked before.
    Unchecked,
}

/// How much gas the operations of the batch may use together.
#[derive(Debug, Clone, Copy)]
pub enum BlockGas {
    /// What is left in the block being made.
    Left(Milligas),
    /// A whole block: the mempool looks at each batch alone.
    Whole,
}

/// Checks an operation for the block at `level` against the ledger; gives the gas it may use.
///
/// # Errors
/// The trace the reference answers.
pub fn validate(
    ledger: &Ledger,
    level: Level,
    operation: &Operation,
    signed: Signed<'_>,
    gas: BlockGas,
) -> Result<Milligas, Trace> {
    let (source, key) = check_batch(ledger, &operation.contents)?;
    let length = match signed {
        Signed::Bytes(bytes) => bytes.len(),
        Signed::Unchecked => operation.unsigned_bytes().len(),
    };
    let mut signature_cost = Some(signature(key.scheme(), length as u64));
    let constants = &ledger.constants;
    let whole = units(constants.hard_gas_limit_per_block);
    let (available, alone) = match gas {
        BlockGas::Left(left) => (left, false),
        BlockGas::Whole => (whole, true),
    };
    let mut total = Milligas(0);
    let mut balance = ledger.balance(&Contract::Implicit(source));
    let mut allocated = true;
    for content in &operation.contents {
        if content.gas_limit > constants.hard_gas_limit_per_operation {
            return Err(vec![permanent("gas_limit_too_high")]);
        }
        let limit = units(content.gas_limit);
        total = sum(total, limit);
        if total > available {
            let mut trace = vec![temporary("gas_exhausted.block")];
            if alone {
                trace.insert(0, permanent("gas_limit_too_high"));
            }
            return Err(trace);
        }
        let mut meter = GasMeter::new(limit);
        let fixed = sum(MANAGER_OPERATION, signature_cost.take().unwrap_or_default());
        meter.consume(fixed).map_err(|mut trace| {
            trace.insert(0, permanent("validate.operation.insufficient_gas_for_manager"));
            trace
        })?;
        if content.storage_limit > constants.hard_storage_limit_per_operation {
            return Err(vec![permanent("storage_limit_too_high")]);
        }
        if !allocated {
            return Err(vec![empty_account(&source)]);
        }
        check_body(ledger, level, content)?;
        balance = balance
            .checked_sub(content.fee)
            .ok_or_else(|| super::errors::balance_too_low(&Contract::Implicit(source), balance, content.fee))?;
        allocated = balance.0 > 0 || ledger.stays_allocated(&source);
    }
    if let Signed::Bytes(bytes) = signed {
        check_signature(operation, &key, bytes)?;
    }
    Ok(total)
}

/// The checks on the batch as a whole; gives its source and the key that must have signed it.
fn check_batch(ledger: &Ledger, contents: &[ManagerOperation]) -> Result<(PublicKeyHash, PublicKey), Trace> {
    let Some(first) = contents.first() else {
        return Err(vec![permanent("operation.contents_list_error").with("message", "an operation has contents")]);
    };
    let source = first.source;
    for pair in contents.windows(2) {
        let [previous, next] = pair else { continue };
        if next.source != source {
            return Err(vec![
                permanent("validate.operation.inconsistent_sources")
                    .with("first_source", source.to_string())
                    .with("unexpected_source", next.source.to_string()),
            ]);
        }
        if previous.counter.0.checked_add(1) != Some(next.counter.0) {
            return Err(vec![
                permanent("validate.operation.inconsistent_counters")
                    .with("source", source.to_string())
                    .with("previous_counter", previous.counter.to_string())
                    .with("wrong_counter", next.counter.to_string()),
            ]);
        }
        if matches!(next.body, ManagerBody::Reveal(_)) {
            return Err(vec![permanent("validate.operation.incorrect_reveal_position")]);
        }
    }
    if source.scheme == Scheme::MlDsa44 {
        return Err(vec![permanent("validate.operation.tz5_account_disabled")]);
    }
    let account = ledger.accounts.get(&source).ok_or_else(|| vec![empty_account(&source)])?;
    let expected = account.counter.saturating_add(1);
    if first.counter.0 != expected {
        return Err(vec![wrong_counter(&source, expected, first.counter)]);
    }
    let key = match (&first.body, &account.key) {
        (ManagerBody::Reveal(reveal), _) => reveal.public_key.clone(),
        (_, Some(key)) => key.clone(),
        (_, None) => return Err(vec![branch("contract.unrevealed_key").with("contract", source.to_string())]),
    };
    Ok((source, key))
}

/// The checks that depend on the kind of operation.
fn check_body(ledger: &Ledger, level: Level, content: &ManagerOperation) -> Result<(), Trace> {
    let source = content.source;
    match &content.body {
        ManagerBody::Reveal(reveal) => {
            let hash = reveal.public_key.hash();
            if hash != source {
                return Err(vec![
                    permanent("contract.manager.inconsistent_hash")
                        .with("public_key", reveal.public_key.to_string())
                        .with("expected_hash", source.to_string())
                        .with("provided_hash", hash.to_string()),
                ]);
            }
            let is_bls = reveal.public_key.scheme() == Scheme::Bls;
            let named = |id: &str| {
                vec![
                    permanent(id)
                        .with("kind", "manager")
                        .with("source", source.to_string())
                        .with("public_key", reveal.public_key.to_string()),
                ]
            };
            match &reveal.proof {
                None if is_bls => Err(named("validate.operation.missing_bls_proof")),
                Some(_) if !is_bls => Err(named("validate.operation.unused_bls_proof")),
                _ => Ok(()),
            }
        }
        ManagerBody::SmartRollupOriginate(originate) => match originate.pvm_kind {
            PvmKind::Arith if !ledger.constants.rollup.arith_pvm_enable => {
                Err(vec![permanent("operation.arith_pvm_disabled")])
            }
            PvmKind::Riscv if !ledger.constants.rollup.riscv_pvm_enable => {
                Err(vec![permanent("operation.riscv_pvm_disabled")])
            }
            _ => Ok(()),
        },
        ManagerBody::SmartRollupAddMessages(messages) if messages.message.is_empty() => {
            Err(vec![permanent("smart_rollup_add_zero_messages")])
        }
        ManagerBody::SmartRollupRefute(refute) => check_refute(ledger, level, source, refute),
        ManagerBody::Transaction(_)
        | ManagerBody::Origination(_)
        | ManagerBody::Delegation(_)
        | ManagerBody::IncreasePaidStorage(_)
        | ManagerBody::TransferTicket(_)
        | ManagerBody::SmartRollupAddMessages(_)
        | ManagerBody::SmartRollupCement(_)
        | ManagerBody::SmartRollupPublish(_)
        | ManagerBody::SmartRollupExecuteOutboxMessage(_)
        | ManagerBody::SmartRollupTimeout(_)
        | ManagerBody::SmartRollupRecoverBond(_) => Ok(()),
        other => Err(unsupported(other.kind())),
    }
}

fn check_signature(operation: &Operation, key: &PublicKey, bytes: &[u8]) -> Result<(), Trace> {
    let Some(signature) = &operation.signature else {
        return Err(vec![permanent("operation.missing_signature")]);
    };
    if key.verify(Watermark::Operation, bytes, signature) {
        Ok(())
    } else {
        Err(vec![permanent("operation.invalid_signature")])
    }
}
