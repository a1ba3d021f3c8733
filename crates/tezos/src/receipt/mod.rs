//! Receipts: operations with what became of them, as blocks and simulations show them (`spec/protocol.md` §2.5). They
//! only exist in JSON.

mod balance;
mod internal;
mod result;

pub use balance::{Balance, BalanceUpdate, Change, Origin};
pub use internal::{Event, InternalBody, InternalReceipt, InternalTransaction};
pub use result::{
    Applied, CementResult, DalPublishResult, DelegationResult, ExecuteOutboxResult, GameOperationResult, GasResult,
    GlobalConstantResult, OperationResult, OriginateResult, OriginationResult, PaidStorageResult, PublishResult,
    RecoverBondResult, RollupTransactionResult, TicketAccountUpdate, TicketToken, TicketUpdate, TransactionResult,
    TransferTicketResult, UpdateKeyResult,
};

use crate::fields::{self, Object, Refused};
use crate::key::Signature;
use crate::operation::{ManagerBody, ManagerOperation, Wire};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// What became of a manager operation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ManagerMetadata {
    /// Changes of balances by the fee.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub balance_updates: Vec<BalanceUpdate>,
    /// Its outcome.
    pub operation_result: OperationResult,
    /// Operations it caused, in the order of their execution.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub internal_operation_results: Vec<InternalReceipt>,
}

impl ManagerMetadata {
    fn from_object(kind: &str, mut object: Object) -> Result<Self, Refused> {
        let result = fields::take(&mut object, "operation_result")?;
        Ok(ManagerMetadata {
            balance_updates: fields::take_optional(&mut object, "balance_updates")?.unwrap_or_default(),
            operation_result: OperationResult::from_object(kind, result)?,
            internal_operation_results: fields::take_optional(&mut object, "internal_operation_results")?
                .unwrap_or_default(),
        })
    }
}

/// A manager operation with what became of it, if that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct ManagerReceipt {
    /// The operation.
    pub operation: ManagerOperation,
    /// Its receipt; absent in the mempool and where metadata was not asked for or is lost.
    pub metadata: Option<ManagerMetadata>,
}

/// One content of an operation as a block or the mempool shows it.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A manager operation.
    Manager(Box<ManagerReceipt>),
    /// Any other kind (consensus, votes, evidence), its fields in order.
    Other(Object),
}

impl Content {
    /// The kind, as in JSON.
    pub fn kind(&self) -> &str {
        match self {
            Content::Manager(receipt) => receipt.operation.body.kind(),
            Content::Other(object) => object.get("kind").and_then(Value::as_str).unwrap_or_default(),
        }
    }

    /// The manager operation, when it is one.
    pub fn manager(&self) -> Option<&ManagerReceipt> {
        match self {
            Content::Manager(receipt) => Some(receipt),
            Content::Other(_) => None,
        }
    }
}

impl From<ManagerReceipt> for Content {
    fn from(receipt: ManagerReceipt) -> Self {
        Content::Manager(Box::new(receipt))
    }
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Content::Manager(receipt) => Wire::new(&receipt.operation, receipt.metadata.as_ref()).serialize(serializer),
            Content::Other(object) => object.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fields::deserialize(deserializer, |mut object| {
            let kind = match object.get("kind") {
                Some(Value::String(kind)) if ManagerBody::KINDS.contains(&kind.as_str()) => kind.clone(),
                _ => return Ok(Content::Other(object)),
            };
            object.shift_remove("kind");
            let metadata = fields::take_optional(&mut object, "metadata")?
                .map(|metadata| ManagerMetadata::from_object(&kind, metadata))
                .transpose()?;
            let operation = ManagerOperation::from_object(&kind, object)?;
            Ok(Content::Manager(Box::new(ManagerReceipt { operation, metadata })))
        })
    }
}

/// What a simulation or a pre-application answers for one operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimulationResult {
    /// The contents with their receipts.
    pub contents: Vec<Content>,
    /// The signature, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

impl SimulationResult {
    /// The manager operations with their receipts.
    pub fn managers(&self) -> impl Iterator<Item = &ManagerReceipt> {
        self.contents.iter().filter_map(Content::manager)
    }
}

/// The result of an operation that no account signed: a subsidy, an origination by a migration.
#[derive(Debug, Clone, PartialEq)]
pub struct ImplicitResult {
    /// Its kind.
    pub kind: String,
    /// What it answered.
    pub result: Applied,
}

impl Serialize for ImplicitResult {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Flat<'a> {
            kind: &'a str,
            #[serde(flatten)]
            result: &'a Applied,
        }
        Flat { kind: &self.kind, result: &self.result }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ImplicitResult {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fields::deserialize(deserializer, |mut object| {
            let kind: String = fields::take(&mut object, "kind")?;
            let result = Applied::from_object(&kind, object)?;
            Ok(ImplicitResult { kind, result })
        })
    }
}
