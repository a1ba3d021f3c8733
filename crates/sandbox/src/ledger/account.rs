//! Implicit accounts and the movement of tez between accounts, bonds, fees and the fire, each movement with its pair
//! of balance updates (`spec/protocol.md` §2.5).

use super::Ledger;
use super::errors::{addition_overflow, balance_too_low, branch, non_existing_contract};
use serde::{Deserialize, Serialize};
use soru_tezos::contract::Contract;
use soru_tezos::hash::SmartRollupAddress;
use soru_tezos::key::{PublicKey, PublicKeyHash};
use soru_tezos::rpc_error::Trace;
use soru_tezos::scalar::Mutez;
use std::collections::BTreeMap;

/// An account with a key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What it can spend.
    pub balance: Mutez,
    /// The counter of its last operation.
    pub counter: u64,
    /// Its key, once revealed.
    pub key: Option<PublicKey>,
    /// To whom it delegates.
    pub delegate: Option<PublicKeyHash>,
    /// What it has at stake, by rollup.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bonds: BTreeMap<SmartRollupAddress, Mutez>,
}

impl Account {
    /// All that is at stake.
    pub fn frozen(&self) -> Mutez {
        self.bonds.values().fold(Mutez(0), |sum, bond| sum.checked_add(*bond).unwrap_or(Mutez::MAX))
    }

    /// Whether an account with nothing to spend stays known.
    fn outlives_balance(&self) -> bool {
        self.delegate.is_some() || !self.bonds.is_empty()
    }
}

impl Ledger {
    /// What an account can spend; zero when it does not exist.
    pub fn balance(&self, contract: &Contract) -> Mutez {
        match contract {
            Contract::Implicit(hash) => self.accounts.get(hash).map_or(Mutez(0), |account| account.balance),
            Contract::Originated(hash) => self.contracts.get(hash).map_or(Mutez(0), |contract| contract.balance),
        }
    }

    /// Whether the account exists.
    pub fn is_allocated(&self, contract: &Contract) -> bool {
        match contract {
            Contract::Implicit(hash) => self.accounts.contains_key(hash),
            Contract::Originated(hash) => self.contracts.contains_key(hash),
        }
    }

    /// Adds to the balance of an account; an implicit one is made if it does not exist.
    ///
    /// # Errors
    /// When there is no such contract, or the sum is too large.
    pub fn credit(&mut self, contract: &Contract, amount: Mutez) -> Result<(), Trace> {
        if amount == Mutez(0) {
            return Ok(());
        }
        let counter = self.global_counter;
        let balance = match contract {
            Contract::Implicit(hash) => {
                &mut self.accounts.entry(*hash).or_insert_with(|| Account { counter, ..Account::default() }).balance
            }
            Contract::Originated(hash) => {
                &mut self.contracts.get_mut(hash).ok_or_else(|| non_existing_contract(contract))?.balance
            }
        };
        *balance = balance.checked_add(amount).ok_or_else(|| addition_overflow(*balance, amount))?;
        Ok(())
    }

    /// Takes from the balance of an account. An implicit account that has nothing left is forgotten, unless it delegates
    /// or has something at stake.
    ///
    /// # Errors
    /// When the balance does not cover the amount.
    pub fn debit(&mut self, contract: &Contract, amount: Mutez) -> Result<(), Trace> {
        if amount == Mutez(0) {
            return Ok(());
        }
        let balance = self.balance(contract);
        let rest = balance.checked_sub(amount).ok_or_else(|| balance_too_low(contract, balance, amount))?;
        match contract {
            Contract::Implicit(hash) => {
                if let Some(account) = self.accounts.get_mut(hash) {
                    if rest == Mutez(0) && account.delegate.is_some_and(|delegate| delegate != *hash) {
                        return Err(vec![
                            branch("implicit.empty_implicit_delegated_contract").with("implicit", hash.to_string()),
                        ]);
                    }
                    account.balance = rest;
                    if rest == Mutez(0) && !account.outlives_balance() {
                        self.accounts.remove(hash);
                    }
                }
            }
            Contract::Originated(hash) => {
                if let Some(contract) = self.contracts.get_mut(hash) {
                    contract.balance = rest;
                }
            }
        }
        Ok(())
    }

    /// Whether an account would still exist after spending all it has.
    pub fn stays_allocated(&self, account: &PublicKeyHash) -> bool {
        self.accounts.get(account).is_some_and(Account::outlives_balance)
    }
}
