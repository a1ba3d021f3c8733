//! Scripts on a copy of the ledger that nobody keeps: what `run_code` and views run on.

use super::apply::Nonces;
use super::content::Emitted;
use super::{BlockContext, ContractState, Ledger, ScriptChain};
use serde_json::Value;
use soru_michelson::context::{InternalOperation, StoredScript};
use soru_tezos::hash::{ContractHash, OperationHash};
use soru_tezos::scalar::Mutez;
use std::sync::Arc;

/// Runs something on a copy of the chain.
pub fn with_script_chain<T>(ledger: &Ledger, block: &BlockContext, run: impl FnOnce(&mut ScriptChain<'_>) -> T) -> T {
    let mut copy = ledger.clone();
    let mut nonces = Nonces { operation: OperationHash::ZERO, origination: 0, internal: 0, temporary: 0 };
    run(&mut ScriptChain { ledger: &mut copy, block, nonces: &mut nonces })
}

impl ScriptChain<'_> {
    /// Puts a contract where there is none.
    pub fn place(&mut self, address: ContractHash, balance: Mutez, script: StoredScript) {
        let state = ContractState {
            balance,
            delegate: None,
            code: Arc::new(script.code),
            storage: Arc::new(script.storage),
            used_space: 0,
            paid_space: 0,
        };
        self.ledger.contracts.insert(address, state);
    }
}

/// An emitted operation as the RPC shows it: like its receipt, without a result.
pub fn shown_operation(operation: InternalOperation) -> Value {
    let emitted = Emitted::from(operation);
    let receipt = emitted.receipt(soru_tezos::receipt::OperationResult::Skipped);
    let mut shown = serde_json::to_value(receipt).unwrap_or_default();
    if let Value::Object(object) = &mut shown {
        object.shift_remove("result");
    }
    shown
}
