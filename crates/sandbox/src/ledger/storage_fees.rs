//! Paying for storage: after an operation and all it caused were applied, its source burns tez for every byte added
//! (`spec/protocol.md` §2.5–2.6).

use super::content::{Outcome, Run};
use super::errors::{empty_account, permanent, temporary};
use soru_tezos::contract::Contract;
use soru_tezos::operation::{IncreasePaidStorage, ManagerOperation};
use soru_tezos::receipt::{Applied, Balance, BalanceUpdate, InternalReceipt, OperationResult, PaidStorageResult};
use soru_tezos::rpc_error::Trace;
use soru_tezos::scalar::Mutez;

/// Burns what the operation and the internal ones owe, within the storage limit, and notes it in their results.
///
/// # Errors
/// `storage_exhausted.operation` when the limit is passed, `contract.cannot_pay_storage_fee` when the balance is too
/// low.
pub(super) fn burn(
    run: &mut Run<'_>,
    content: &ManagerOperation,
    result: &mut Applied,
    internal: &mut [InternalReceipt],
) -> Result<(), Trace> {
    let mut left = content.storage_limit.0;
    burn_one(run, result, &mut left)?;
    for receipt in internal {
        if let OperationResult::Applied(result) = &mut receipt.result {
            burn_one(run, result, &mut left)?;
        }
    }
    Ok(())
}

/// The order of the new updates among those of the result is the reference's, kind by kind.
fn burn_one(run: &mut Run<'_>, result: &mut Applied, left: &mut u64) -> Result<(), Trace> {
    let stored = burn_bytes(run, result.paid_storage(), left)?;
    let size = u64::from(run.ledger.constants.origination_size.unsigned_abs());
    let allocated = burn_bytes(run, result.allocated_accounts() * size, left)?;
    match result {
        Applied::Transaction(result) => {
            let moved = std::mem::take(&mut result.balance_updates);
            result.balance_updates = [stored, moved, allocated].concat();
        }
        Applied::Origination(result) => {
            let moved = std::mem::take(&mut result.balance_updates);
            result.balance_updates = [stored, allocated, moved].concat();
        }
        Applied::TransferTicket(result) => result.balance_updates.extend(stored),
        Applied::RegisterGlobalConstant(result) => {
            result.balance_updates.splice(0..0, stored);
        }
        Applied::SmartRollupOriginate(result) => result.balance_updates = stored,
        Applied::SmartRollupExecuteOutboxMessage(result) => {
            result.balance_updates.splice(0..0, stored);
        }
        _ => {}
    }
    Ok(())
}

impl Run<'_> {
    /// Pays for bytes of a contract's storage before it takes them.
    pub(super) fn increase_paid_storage(&mut self, increase: &IncreasePaidStorage) -> Outcome {
        self.gas.consume(super::gas::DELEGATION)?;
        let Some(contract) = self.ledger.contracts.get_mut(&increase.destination) else {
            let index = format!("01{}00", hex::encode(increase.destination.0));
            let key = serde_json::json!(["contracts", "index", index, "paid_bytes"]);
            let error = permanent("context.storage_error").with("missing_key", key);
            return Err(vec![error.with("function", "get")]);
        };
        let bytes = match u64::try_from(&increase.amount.0) {
            Ok(bytes) if bytes > 0 => bytes,
            _ => return Err(vec![temporary("contract.negative_storage_input")]),
        };
        contract.paid_space = contract.paid_space.saturating_add(bytes);
        let mut unlimited = u64::MAX;
        let balance_updates = burn_bytes(self, bytes, &mut unlimited)?;
        Ok((Applied::IncreasePaidStorage(PaidStorageResult { balance_updates, ..Default::default() }), Vec::new()))
    }
}

fn burn_bytes(run: &mut Run<'_>, bytes: u64, left: &mut u64) -> Result<Vec<BalanceUpdate>, Trace> {
    *left = left.checked_sub(bytes).ok_or_else(|| vec![temporary("storage_exhausted.operation")])?;
    if bytes == 0 {
        return Ok(Vec::new());
    }
    let cannot_pay = |mut trace: Trace| {
        trace.insert(0, temporary("contract.cannot_pay_storage_fee"));
        trace
    };
    let price = run.ledger.constants.cost_per_byte.0.checked_mul(bytes).filter(|price| *price <= Mutez::MAX.0);
    let price = Mutez(price.ok_or_else(|| cannot_pay(Vec::new()))?);
    let payer = Contract::Implicit(run.payer);
    if !run.ledger.is_allocated(&payer) {
        return Err(cannot_pay(vec![empty_account(&run.payer)]));
    }
    run.ledger.debit(&payer, price).map_err(cannot_pay)?;
    Ok(BalanceUpdate::movement(Balance::Contract(payer), Balance::storage_fees(), price, run.origin))
}
