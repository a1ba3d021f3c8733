//! Taking operations into the mempool.

use super::{Node, locked};
use crate::block;
use crate::error::SandboxError;
use crate::ledger::{BlockGas, Signed, errors, validate};
use crate::make;
use crate::mempool::{Class, Pending};
use crate::nesting::is_shallow;
use soru_tezos::hash::{BlockHash, OperationHash};
use soru_tezos::operation::Operation;
use soru_tezos::rpc_error::{ErrorKind, TezosError, Trace};
use std::sync::Arc;

impl Node {
    /// Takes signed bytes into the mempool (`/injection/operation`).
    ///
    /// # Errors
    /// The trace the reference answers: `async_injection_failed` over a sentence.
    pub fn inject(&self, bytes: &[u8]) -> Result<OperationHash, Trace> {
        let hash = OperationHash::of_bytes(bytes);
        let refuse = |message: String| {
            vec![TezosError::new(ErrorKind::Permanent, "async_injection_failed"), TezosError::failure(message)]
        };
        let decoded = Operation::from_signed_bytes(bytes).ok().filter(|(op, _)| !op.contents.is_empty());
        let Some((operation, signed)) = decoded else {
            if bytes.len() < BlockHash::SIZE {
                return Err(vec![TezosError::failure("Can't parse the operation")]);
            }
            return Err(refuse(format!(
                "Invalid operation {hash}: \nError:\n  Operation parsing error in prevalidation.\n"
            )));
        };
        if bytes.len() > make::MAX_OPERATION_BYTES {
            return Err(refuse(format!(
                "Operation {hash} is too large: {} bytes, at most {} are accepted",
                bytes.len(),
                make::MAX_OPERATION_BYTES
            )));
        }
        let pending = Arc::new(Pending { hash, operation, size: bytes.len() });
        // what is in a block must be readable again
        if !serde_json::to_vec(&pending.to_json()).is_ok_and(|json| is_shallow(&json)) {
            return Err(refuse(format!("Operation {hash} holds an expression that nests too deep for this node")));
        }
        // the head must not change between the check and the addition
        let mut mempool = locked(&self.mempool);
        let view = self.view();
        let head = view.head();
        let branch = pending.operation.branch;
        let server_error = |error: SandboxError| refuse(error.to_string());
        match view.level_of(&branch).map_err(server_error)? {
            None => {
                let short: String = branch.to_base58().chars().take(12).collect();
                return Err(refuse(format!("Unknown branch ({short}), cannot inject the operation.")));
            }
            Some(level) => {
                let age = block::number(&head).saturating_sub(level);
                if age > view.time_to_live() {
                    return Err(refuse(format!(
                        "Operation {hash} is branched on either:\n - a block {branch} which is too old ({age} blocks in the past)\n - a predecessor block from an alternative branch which is now too old\n"
                    )));
                }
            }
        }
        let ledger = view.head_ledger().map_err(server_error)?;
        let signed = Signed::Bytes(bytes.get(..signed).unwrap_or(bytes));
        let checked = validate(&ledger, ledger.level.after(1), &pending.operation, signed, BlockGas::Whole);
        let sentences = |trace: &Trace| {
            let text: Vec<String> = trace.iter().map(errors::sentence).collect();
            format!("Error while validating injected operation {hash}:\nError:\n  {}\n", text.join("\n  "))
        };
        if let Err(trace) = checked {
            let refusal = refuse(sentences(&trace));
            mempool.remember(Class::of(&trace), pending, trace);
            return Err(refusal);
        }
        if let Some(existing) = pending.source().and_then(|source| mempool.of_source(&source)) {
            if existing.hash == hash {
                return Ok(hash);
            }
            if !outbids(&pending, existing) {
                let trace = errors::manager_restriction(&pending, existing);
                let refusal = refuse(sentences(&trace));
                mempool.remember(Class::BranchDelayed, pending, trace);
                return Err(refusal);
            }
        }
        if !mempool.has_room(bytes.len()) {
            return Err(refuse("The mempool is full; try again after the next block.".to_owned()));
        }
        mempool.add(pending.clone());
        drop(mempool);
        let _ = self.arrivals.send(serde_json::to_value(pending.to_json()).unwrap_or_default());
        self.arrived.notify_one();
        Ok(hash)
    }
}

/// Whether an operation pays so much more than one of the same account that it takes its place: 5 % in fees and in
/// fees per gas, as the reference's mempool asks (`replace_by_fee_factor` 21/20).
fn outbids(new: &Pending, old: &Pending) -> bool {
    let totals = |pending: &Pending| {
        pending.operation.contents.iter().fold((0u128, 0u128), |(fee, gas), content| {
            (fee + u128::from(content.fee.0), gas + u128::from(content.gas_limit.0))
        })
    };
    let ((new_fee, new_gas), (old_fee, old_gas)) = (totals(new), totals(old));
    new_fee * 20 >= old_fee * 21 && new_fee * old_gas * 20 >= old_fee * new_gas * 21 && new_fee > old_fee
}
