//! What an applied operation answers, kind by kind, and the status of an operation (`spec/protocol.md` §2.5). Which
//! fields are left out when empty follows the layer 1 exactly.

use super::BalanceUpdate;
use crate::fields::{self, Object, Refused, is_default};
use crate::hash::{CommitmentHash, ContractHash, ScriptExprHash, SmartRollupAddress};
use crate::micheline::Micheline;
use crate::number::Z;
use crate::rollup::{DalHeader, GameStatus, WhitelistUpdate};
use crate::rpc_error::Trace;
use crate::scalar::{Level, Milligas, Nat};
use serde::de::Error as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

/// A kind of ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketToken {
    /// Who issued it.
    pub ticketer: String,
    /// Type of its content.
    pub content_type: Micheline,
    /// Its content.
    pub content: Micheline,
}

/// The change of one account's tickets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketAccountUpdate {
    /// The account, an address of any kind.
    pub account: String,
    /// Tickets gained; negative for lost.
    pub amount: Z,
}

/// The changes of one kind of ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketUpdate {
    /// The tickets.
    pub ticket_token: TicketToken,
    /// Account by account.
    pub updates: Vec<TicketAccountUpdate>,
}

/// A result that tells only the gas: `reveal`, `smart_rollup_add_messages`, `set_deposits_limit`, events.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GasResult {
    /// Gas used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consumed_milligas: Milligas,
}

/// Result of a transfer to an account or of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionResult {
    /// The contract's storage after the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<Micheline>,
    /// Changes of balances.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub balance_updates: Vec<BalanceUpdate>,
    /// Changes of tickets; called `ticket_receipt` in results of internal operations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ticket_updates: Vec<TicketUpdate>,
    /// Contracts it created.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub originated_contracts: Vec<ContractHash>,
    /// Gas used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consumed_milligas: Milligas,
    /// Size of the contract's storage, in bytes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub storage_size: Nat,
    /// Bytes paid for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub paid_storage_size_diff: Nat,
    /// Whether the destination was new.
    #[serde(default, skip_serializing_if = "is_default")]
    pub allocated_destination_contract: bool,
    /// Changes of big maps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lazy_storage_diff: Option<Value>,
    /// Addresses that got an index (Ushuaia on).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub address_registry_diff: Vec<Value>,
}

/// Result of a transfer to a rollup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollupTransactionResult {
    /// Gas used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consumed_milligas: Milligas,
    /// Changes of tickets; called `ticket_receipt` in results of internal operations.
    pub ticket_updates: Vec<TicketUpdate>,
}

/// Result of an origination.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginationResult {
    /// Changes of balances.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub balance_updates: Vec<BalanceUpdate>,
    /// The contract.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub originated_contracts: Vec<ContractHash>,
    /// Gas used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consumed_milligas: Milligas,
    /// Size of its storage, in bytes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub storage_size: Nat,
    /// Bytes paid for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub paid_storage_size_diff: Nat,
    /// Changes of big maps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lazy_storage_diff: Option<Value>,
}

/// Result of a delegation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelegationResult {
    /// Gas used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consumed_milligas: Milligas,
    /// Changes of balances.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub balance_updates: Vec<BalanceUpdate>,
}

/// Result of `register_global_constant`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalConstantResult {
    /// Changes of balances.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub balance_updates: Vec<BalanceUpdate>,
    /// Gas used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consumed_milligas: Milligas,
    /// Its size, in bytes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub storage_size: Nat,
    /// The name of the constant.
    pub global_address: ScriptExprHash,
}

/// Result of `increase_paid_storage`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaidStorageResult {
    /// Changes of balances.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub balance_updates: Vec<BalanceUpdate>,
    /// Gas used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consumed_milligas: Milligas,
}

/// Result of `update_consensus_key` and `update_companion_key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateKeyResult {
    /// Which key: a word or a flag, as the protocol writes it.
    pub kind: Value,
    /// Gas used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consumed_milligas: Milligas,
}

/// Result of `transfer_ticket`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferTicketResult {
    /// Changes of balances.
    pub balance_updates: Vec<BalanceUpdate>,
    /// Changes of tickets.
    pub ticket_updates: Vec<TicketUpdate>,
    /// Gas used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consumed_milligas: Milligas,
    /// Bytes paid for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub paid_storage_size_diff: Nat,
}

/// Result of `smart_rollup_originate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginateResult {
    /// Changes of balances.
    pub balance_updates: Vec<BalanceUpdate>,
    /// The rollup.
    pub address: SmartRollupAddress,
    /// Its first commitment.
    pub genesis_commitment_hash: CommitmentHash,
    /// Gas used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consumed_milligas: Milligas,
    /// Its size in the context, in bytes.
    pub size: Nat,
}

/// Result of `smart_rollup_cement`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CementResult {
    /// Gas used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consumed_milligas: Milligas,
    /// Inbox level of the cemented commitment.
    pub inbox_level: Level,
    /// Its hash.
    pub commitment_hash: CommitmentHash,
}

/// Result of `smart_rollup_publish`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishResult {
    /// Gas used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consumed_milligas: Milligas,
    /// The commitment.
    pub staked_hash: CommitmentHash,
    /// Level at which it was first published.
    pub published_at_level: Level,
    /// Changes of balances.
    pub balance_updates: Vec<BalanceUpdate>,
}

/// Result of `smart_rollup_refute` and `smart_rollup_timeout`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GameOperationResult {
    /// Gas used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consumed_milligas: Milligas,
    /// State of the game.
    pub game_status: GameStatus,
    /// Changes of balances.
    pub balance_updates: Vec<BalanceUpdate>,
}

/// Result of `smart_rollup_execute_outbox_message`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecuteOutboxResult {
    /// Changes of balances.
    pub balance_updates: Vec<BalanceUpdate>,
    /// Changes of tickets.
    pub ticket_updates: Vec<TicketUpdate>,
    /// What happened to the whitelist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whitelist_update: Option<WhitelistUpdate>,
    /// Gas used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consumed_milligas: Milligas,
    /// Bytes paid for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub paid_storage_size_diff: Nat,
}

/// Result of `smart_rollup_recover_bond`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoverBondResult {
    /// Changes of balances.
    pub balance_updates: Vec<BalanceUpdate>,
    /// Gas used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consumed_milligas: Milligas,
}

/// Result of `dal_publish_commitment`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DalPublishResult {
    /// The slot.
    pub slot_header: DalHeader,
    /// Gas used.
    #[serde(default, skip_serializing_if = "is_default")]
    pub consumed_milligas: Milligas,
}

macro_rules! results {
    ($($(#[$doc:meta])* $variant:ident($fields:ty) = $($kind:literal)|*,)*) => {
        /// What an applied operation answers.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum Applied {
            $($(#[$doc])* $variant($fields),)*
            /// A transfer to a rollup.
            RollupTransaction(RollupTransactionResult),
            /// A kind that is not known here.
            Other(Object),
        }

        impl Applied {
            /// Reads the fields of a result; `kind` is that of the operation.
            pub(super) fn from_object(kind: &str, object: Object) -> Result<Applied, Refused> {
                match kind {
                    // a transfer to a rollup has nothing but gas and tickets
                    "transaction" if object.contains_key("ticket_updates")
                        && object.keys().all(|key| matches!(key.as_str(), "consumed_milligas" | "ticket_updates")) => {
                        fields::read(object).map(Applied::RollupTransaction)
                    }
                    $($($kind)|* => fields::read(object).map(Applied::$variant),)*
                    _ => Ok(Applied::Other(object)),
                }
            }
        }
    };
}

results! {
    /// A reveal, added messages, a deposits limit, an event: only gas.
    Gas(GasResult) = "reveal" | "smart_rollup_add_messages" | "set_deposits_limit" | "event",
    /// A transfer or call.
    Transaction(TransactionResult) = "transaction",
    /// A new contract.
    Origination(OriginationResult) = "origination",
    /// A delegation.
    Delegation(DelegationResult) = "delegation",
    /// A global constant.
    RegisterGlobalConstant(GlobalConstantResult) = "register_global_constant",
    /// Storage paid in advance.
    IncreasePaidStorage(PaidStorageResult) = "increase_paid_storage",
    /// A new consensus or companion key.
    UpdateKey(UpdateKeyResult) = "update_consensus_key" | "update_companion_key",
    /// Tickets sent.
    TransferTicket(TransferTicketResult) = "transfer_ticket",
    /// A new rollup.
    SmartRollupOriginate(OriginateResult) = "smart_rollup_originate",
    /// A cemented commitment.
    SmartRollupCement(CementResult) = "smart_rollup_cement",
    /// A published commitment.
    SmartRollupPublish(PublishResult) = "smart_rollup_publish",
    /// A move or the end of a game.
    SmartRollupGame(GameOperationResult) = "smart_rollup_refute" | "smart_rollup_timeout",
    /// An executed outbox message.
    SmartRollupExecuteOutboxMessage(ExecuteOutboxResult) = "smart_rollup_execute_outbox_message",
    /// A bond given back.
    SmartRollupRecoverBond(RecoverBondResult) = "smart_rollup_recover_bond",
    /// A published DAL slot.
    DalPublishCommitment(DalPublishResult) = "dal_publish_commitment",
}

impl Applied {
    /// Gas used.
    pub fn consumed_milligas(&self) -> Milligas {
        match self {
            Applied::Gas(result) => result.consumed_milligas,
            Applied::Transaction(result) => result.consumed_milligas,
            Applied::Origination(result) => result.consumed_milligas,
            Applied::Delegation(result) => result.consumed_milligas,
            Applied::RegisterGlobalConstant(result) => result.consumed_milligas,
            Applied::IncreasePaidStorage(result) => result.consumed_milligas,
            Applied::UpdateKey(result) => result.consumed_milligas,
            Applied::TransferTicket(result) => result.consumed_milligas,
            Applied::SmartRollupOriginate(result) => result.consumed_milligas,
            Applied::SmartRollupCement(result) => result.consumed_milligas,
            Applied::SmartRollupPublish(result) => result.consumed_milligas,
            Applied::SmartRollupGame(result) => result.consumed_milligas,
            Applied::SmartRollupExecuteOutboxMessage(result) => result.consumed_milligas,
            Applied::SmartRollupRecoverBond(result) => result.consumed_milligas,
            Applied::DalPublishCommitment(result) => result.consumed_milligas,
            Applied::RollupTransaction(result) => result.consumed_milligas,
            Applied::Other(object) => {
                let text = object.get("consumed_milligas").and_then(Value::as_str);
                text.and_then(|text| text.parse().ok()).unwrap_or_default()
            }
        }
    }

    /// Changes of balances.
    pub fn balance_updates(&self) -> &[BalanceUpdate] {
        match self {
            Applied::Transaction(result) => &result.balance_updates,
            Applied::Origination(result) => &result.balance_updates,
            Applied::Delegation(result) => &result.balance_updates,
            Applied::RegisterGlobalConstant(result) => &result.balance_updates,
            Applied::IncreasePaidStorage(result) => &result.balance_updates,
            Applied::TransferTicket(result) => &result.balance_updates,
            Applied::SmartRollupOriginate(result) => &result.balance_updates,
            Applied::SmartRollupPublish(result) => &result.balance_updates,
            Applied::SmartRollupGame(result) => &result.balance_updates,
            Applied::SmartRollupExecuteOutboxMessage(result) => &result.balance_updates,
            Applied::SmartRollupRecoverBond(result) => &result.balance_updates,
            Applied::Gas(_)
            | Applied::UpdateKey(_)
            | Applied::SmartRollupCement(_)
            | Applied::DalPublishCommitment(_)
            | Applied::RollupTransaction(_)
            | Applied::Other(_) => &[],
        }
    }

    /// Bytes of storage the operation must pay for, besides those of accounts it allocates: the size of a rollup or
    /// constant counts whole.
    pub fn paid_storage(&self) -> u64 {
        match self {
            Applied::Transaction(result) => result.paid_storage_size_diff.0,
            Applied::Origination(result) => result.paid_storage_size_diff.0,
            Applied::RegisterGlobalConstant(result) => result.storage_size.0,
            Applied::TransferTicket(result) => result.paid_storage_size_diff.0,
            Applied::SmartRollupOriginate(result) => result.size.0,
            Applied::SmartRollupExecuteOutboxMessage(result) => result.paid_storage_size_diff.0,
            _ => 0,
        }
    }

    /// Accounts the operation allocates: each costs as much as 257 bytes of storage.
    pub fn allocated_accounts(&self) -> u64 {
        match self {
            Applied::Transaction(result) => u64::from(result.allocated_destination_contract),
            Applied::Origination(result) => result.originated_contracts.len() as u64,
            _ => 0,
        }
    }
}

/// The outcome of one operation of a batch.
#[derive(Debug, Clone, PartialEq)]
pub enum OperationResult {
    /// It was applied.
    Applied(Applied),
    /// It failed: nothing of the batch has an effect but the fees.
    Failed {
        /// Why.
        errors: Trace,
    },
    /// One before it failed.
    Skipped,
    /// It was applied, but a later one failed.
    Backtracked {
        /// Why, when it was its own fault (an internal operation, the storage limit).
        errors: Option<Trace>,
        /// What it had answered.
        result: Applied,
    },
}

impl OperationResult {
    /// `applied`, `failed`, `skipped` or `backtracked`.
    pub fn status(&self) -> &'static str {
        match self {
            OperationResult::Applied(_) => "applied",
            OperationResult::Failed { .. } => "failed",
            OperationResult::Skipped => "skipped",
            OperationResult::Backtracked { .. } => "backtracked",
        }
    }

    /// The answer of an applied operation.
    pub fn applied(&self) -> Option<&Applied> {
        match self {
            OperationResult::Applied(applied) => Some(applied),
            _ => None,
        }
    }

    /// The errors of a failed or backtracked operation.
    pub fn errors(&self) -> &[crate::rpc_error::TezosError] {
        match self {
            OperationResult::Failed { errors } | OperationResult::Backtracked { errors: Some(errors), .. } => errors,
            _ => &[],
        }
    }

    /// Reads a result; `kind` is that of the operation.
    pub(super) fn from_object(kind: &str, mut object: Object) -> Result<Self, Refused> {
        let status: String = fields::take(&mut object, "status")?;
        Ok(match status.as_str() {
            "applied" => OperationResult::Applied(Applied::from_object(kind, object)?),
            "failed" => OperationResult::Failed { errors: fields::take(&mut object, "errors")? },
            "skipped" => OperationResult::Skipped,
            "backtracked" => OperationResult::Backtracked {
                errors: fields::take_optional(&mut object, "errors")?,
                result: Applied::from_object(kind, object)?,
            },
            other => return Err(Refused::custom(format!("'{other}' is not a status of an operation"))),
        })
    }
}

impl Serialize for OperationResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            status: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            errors: Option<&'a Trace>,
            #[serde(flatten)]
            result: Option<&'a Applied>,
        }
        let (errors, result) = match self {
            OperationResult::Applied(applied) => (None, Some(applied)),
            OperationResult::Failed { errors } => (Some(errors), None),
            OperationResult::Skipped => (None, None),
            OperationResult::Backtracked { errors, result } => (errors.as_ref(), Some(result)),
        };
        Wire { status: self.status(), errors, result }.serialize(serializer)
    }
}
