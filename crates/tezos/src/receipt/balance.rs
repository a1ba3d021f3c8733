//! Balance updates: who lost and who gained how much (`spec/protocol.md` §2.5).

use crate::contract::Contract;
use crate::fields::{self, Object, Refused};
use crate::hash::{OperationHash, SmartRollupAddress};
use crate::scalar::Mutez;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};
use std::fmt;
use std::str::FromStr;

/// A change of a balance, in mutez; negative for a debit. A decimal string in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Change(pub i64);

impl Change {
    /// A gain.
    pub fn credit(amount: Mutez) -> Change {
        Change(i64::try_from(amount.0).unwrap_or(i64::MAX))
    }

    /// A loss.
    pub fn debit(amount: Mutez) -> Change {
        Change(-Change::credit(amount).0)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Change {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Change)
    }
}

crate::json_as_text!(Change);

/// What tez moves from or to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Balance {
    /// An account.
    Contract(Contract),
    /// The fees of the block, until its end.
    BlockFees,
    /// The bond of a rollup's staker.
    FrozenBonds {
        /// The staker.
        contract: Contract,
        /// The rollup.
        rollup: SmartRollupAddress,
    },
    /// Burned for a reason, like `storage fees`.
    Burned(String),
    /// Minted for a reason, like `baking rewards`.
    Minted(String),
    /// Any other kind, its fields in order, `change` and `origin` excepted.
    Other(Object),
}

impl Balance {
    /// Burned to pay for storage.
    pub fn storage_fees() -> Balance {
        Balance::Burned("storage fees".to_owned())
    }

    /// The bond of a loser.
    pub fn refutation_punishments() -> Balance {
        Balance::Burned("smart_rollup_refutation_punishments".to_owned())
    }

    /// The reward of a winner.
    pub fn refutation_rewards() -> Balance {
        Balance::Minted("smart_rollup_refutation_rewards".to_owned())
    }

    fn to_object(&self) -> Object {
        let value = match self {
            Balance::Contract(contract) => json!({ "kind": "contract", "contract": contract }),
            Balance::BlockFees => json!({ "kind": "accumulator", "category": "block fees" }),
            Balance::FrozenBonds { contract, rollup } => json!({
                "kind": "freezer", "category": "bonds", "contract": contract, "bond_id": { "smart_rollup": rollup }
            }),
            Balance::Burned(category) => json!({ "kind": "burned", "category": category }),
            Balance::Minted(category) => json!({ "kind": "minted", "category": category }),
            Balance::Other(object) => return object.clone(),
        };
        match value {
            Value::Object(object) => object,
            _ => Object::new(),
        }
    }

    fn from_object(object: Object) -> Result<Balance, Refused> {
        let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
        let parse = |value: &Value| serde_json::from_value(value.clone());
        Ok(match (text("kind"), text("category"), object.len()) {
            ("contract", _, 2) => match object.get("contract") {
                Some(contract) => Balance::Contract(parse(contract)?),
                None => Balance::Other(object),
            },
            ("accumulator", "block fees", 2) => Balance::BlockFees,
            ("freezer", "bonds", 4) => {
                let rollup = object.get("bond_id").and_then(|id| id.get("smart_rollup"));
                match (object.get("contract"), rollup) {
                    (Some(contract), Some(rollup)) => Balance::FrozenBonds {
                        contract: parse(contract)?,
                        rollup: serde_json::from_value(rollup.clone())?,
                    },
                    _ => Balance::Other(object),
                }
            }
            ("burned", category, 2) => Balance::Burned(category.to_owned()),
            ("minted", category, 2) => Balance::Minted(category.to_owned()),
            ("", ..) => return Err(Refused::missing_field("kind")),
            _ => Balance::Other(object),
        })
    }
}

/// Why a balance changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(tag = "origin", rename_all = "snake_case")]
pub enum Origin {
    /// By the block and its operations.
    #[default]
    Block,
    /// By a change of protocol.
    Migration,
    /// By the liquidity baking subsidy.
    Subsidy,
    /// In a simulation.
    Simulation,
    /// By an operation included before.
    DelayedOperation {
        /// That operation.
        delayed_operation_hash: OperationHash,
    },
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalanceUpdate {
    /// Whose balance.
    pub balance: Balance,
    /// By how much.
    pub change: Change,
    /// Why.
    pub origin: Origin,
}

impl BalanceUpdate {
    /// A debit and a credit of the same amount, in this order; nothing for an amount of zero.
    pub fn movement(from: Balance, to: Balance, amount: Mutez, origin: Origin) -> Vec<BalanceUpdate> {
        if amount == Mutez(0) {
            return Vec::new();
        }
        vec![
            BalanceUpdate { balance: from, change: Change::debit(amount), origin },
            BalanceUpdate { balance: to, change: Change::credit(amount), origin },
        ]
    }
}

impl Serialize for BalanceUpdate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            #[serde(flatten)]
            balance: Object,
            change: Change,
            #[serde(flatten)]
            origin: &'a Origin,
        }
        Wire { balance: self.balance.to_object(), change: self.change, origin: &self.origin }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for BalanceUpdate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fields::deserialize(deserializer, |mut object| {
            let change = fields::take(&mut object, "change")?;
            let mut origin = Object::new();
            for field in ["origin", "delayed_operation_hash"] {
                if let Some(value) = object.shift_remove(field) {
                    origin.insert(field.to_owned(), value);
                }
            }
            let origin = fields::read(origin)?;
            Ok(BalanceUpdate { balance: Balance::from_object(object)?, change, origin })
        })
    }
}
