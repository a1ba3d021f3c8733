//! Changes of the state that no operation makes: what somebody who owns the chain does to it. They take effect at the
//! beginning of a block and are kept with it.

use super::Ledger;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use soru_protocol::constants::ConstantsError;
use soru_tezos::contract::Contract;
use soru_tezos::receipt::{Balance, BalanceUpdate, Origin};
use soru_tezos::scalar::Mutez;
use std::sync::Arc;

/// The category that the reference gives to tez a migration makes.
const INVOICE: &str = "invoice";

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// An account or a contract is given tez.
    Fund {
        /// Who.
        account: Contract,
        /// How much.
        amount: Mutez,
    },
    /// Constants by their JSON names.
    Constants(Value),
}

/// Why a change is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ChangeError {
    /// There is no such contract.
    #[error("there is no contract {0}: only accounts that begin with tz come into being when they are given tez")]
    NoContract(Contract),
    /// A balance would be larger than the chain can count.
    #[error("with {amount} mutez more, {account} would own more than 2^63 - 1 mutez")]
    TooMuch {
        /// Who.
        account: Contract,
        /// How much.
        amount: Mutez,
    },
    /// Constants are refused.
    #[error("constants: {0}")]
    Constants(#[from] ConstantsError),
}

impl Change {
    /// Makes the change; tells what became of balances.
    ///
    /// # Errors
    /// When it cannot be made; the ledger is then as before.
    pub fn apply(&self, ledger: &mut Ledger) -> Result<Vec<BalanceUpdate>, ChangeError> {
        match self {
            Change::Fund { account, amount } => {
                if matches!(account, Contract::Originated(_)) && !ledger.is_allocated(account) {
                    return Err(ChangeError::NoContract(*account));
                }
                let too_much = ChangeError::TooMuch { account: *account, amount: *amount };
                ledger.credit(account, *amount).map_err(|_| too_much)?;
                let minted = Balance::Minted(INVOICE.to_owned());
                Ok(BalanceUpdate::movement(minted, Balance::Contract(*account), *amount, Origin::Migration))
            }
            Change::Constants(overrides) => {
                ledger.constants = Arc::new(ledger.constants.with_overrides(overrides)?);
                Ok(Vec::new())
            }
        }
    }
}
