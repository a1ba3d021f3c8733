//! Registering global constants (`spec/protocol.md` §2.3).

use super::GlobalConstant;
use super::content::{Outcome, Run};
use super::errors::{branch, permanent, script_trace};
use soru_michelson::constants::register;
use soru_michelson::gas::Gas;
use soru_tezos::micheline::Micheline;
use soru_tezos::receipt::{Applied, GlobalConstantResult};
use soru_tezos::scalar::{Milligas, Nat};
use std::sync::Arc;

/// Bytes a constant takes besides its own: its key.
const KEY_SIZE: u64 = 65;

impl Run<'_> {
    /// Registers an expression under its hash.
    pub(super) fn register_constant(&mut self, value: &Micheline) -> Outcome {
        let mut gas = Gas::new(self.gas.left().0);
        let checked = register(value, &mut gas, &|name| self.ledger.global_constant(name));
        self.gas.consume(Milligas(gas.used()))?;
        let checked = checked.map_err(|error| script_trace(&error))?;
        if self.ledger.global_constants.contains_key(&checked.name) {
            let key = serde_json::json!(["global_constant", hex::encode(checked.name.0), "len"]);
            return Err(vec![
                branch("Expression_already_registered"),
                permanent("context.storage_error").with("existing_key", key),
            ]);
        }
        self.ledger.global_constants.insert(checked.name, GlobalConstant { value: Arc::new(value.clone()) });
        let result = GlobalConstantResult {
            balance_updates: Vec::new(),
            consumed_milligas: Milligas(0),
            storage_size: Nat(checked.bytes as u64 + KEY_SIZE),
            global_address: checked.name,
        };
        Ok((Applied::RegisterGlobalConstant(result), Vec::new()))
    }
}
