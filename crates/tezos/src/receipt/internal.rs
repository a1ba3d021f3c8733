//! Operations that contracts emit, and their results (`spec/protocol.md` §2.5).

use super::result::OperationResult;
use crate::contract::{Destination, Entrypoint};
use crate::fields::{self, Refused, is_default};
use crate::micheline::Micheline;
use crate::operation::{Delegation, Origination, Parameters};
use crate::scalar::Mutez;
use serde::ser::Error as SerError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A transfer or call by a contract; unlike that of an account it can go to a rollup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InternalTransaction {
    /// Amount sent along.
    pub amount: Mutez,
    /// Who gets it.
    pub destination: Destination,
    /// What to call.
    #[serde(default, skip_serializing_if = "is_default")]
    pub parameters: Parameters,
}

/// An event of a contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Type of the payload.
    #[serde(rename = "type")]
    pub ty: Micheline,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Entrypoint>,
    /// Its payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Micheline>,
}

/// What an internal operation does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum InternalBody {
    /// A transfer or call.
    Transaction(InternalTransaction),
    /// A new contract.
    Origination(Origination),
    /// A change of the contract's delegate.
    Delegation(Delegation),
    /// An event.
    Event(Event),
}

impl InternalBody {
    /// The kind, as in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            InternalBody::Transaction(_) => "transaction",
            InternalBody::Origination(_) => "origination",
            InternalBody::Delegation(_) => "delegation",
            InternalBody::Event(_) => "event",
        }
    }
}

/// An internal operation and its result.
#[derive(Debug, Clone, PartialEq)]
pub struct InternalReceipt {
    /// Who emitted it: a contract, or a rollup whose outbox message is executed.
    pub source: Destination,
    /// Its number in the whole operation.
    pub nonce: u16,
    /// What it does.
    pub body: InternalBody,
    /// Its outcome.
    pub result: OperationResult,
}

impl InternalReceipt {
    /// Who is called, when this is a transfer. For one to a rollup it tells how to read the result, which in JSON looks
    /// like that of a transfer to an account.
    pub fn destination(&self) -> Option<&Destination> {
        match &self.body {
            InternalBody::Transaction(transaction) => Some(&transaction.destination),
            _ => None,
        }
    }
}

const EXTERNAL_NAME: &str = "ticket_updates";
const INTERNAL_NAME: &str = "ticket_receipt";

impl Serialize for InternalReceipt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Wire<'a> {
            kind: &'static str,
            source: &'a Destination,
            nonce: u16,
            #[serde(flatten)]
            body: &'a InternalBody,
            result: Value,
        }
        let result = match serde_json::to_value(&self.result).map_err(SerError::custom)? {
            Value::Object(object) => Value::Object(fields::rename(object, EXTERNAL_NAME, INTERNAL_NAME)),
            other => other,
        };
        let InternalReceipt { source, nonce, body, .. } = self;
        Wire { kind: body.kind(), source, nonce: *nonce, body, result }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for InternalReceipt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fields::deserialize(deserializer, |mut object| {
            let kind: String = fields::take(&mut object, "kind")?;
            let result = fields::rename(fields::take(&mut object, "result")?, INTERNAL_NAME, EXTERNAL_NAME);
            let source = fields::take(&mut object, "source")?;
            let nonce = fields::take(&mut object, "nonce")?;
            let body = match kind.as_str() {
                "transaction" => InternalBody::Transaction(fields::read(object)?),
                "origination" => InternalBody::Origination(fields::read(object)?),
                "delegation" => InternalBody::Delegation(fields::read(object)?),
                "event" => InternalBody::Event(fields::read(object)?),
                other => {
                    return Err(<Refused as serde::de::Error>::custom(format!(
                        "'{other}' is not a kind of internal operation"
                    )));
                }
            };
            Ok(InternalReceipt { source, nonce, body, result: OperationResult::from_object(&kind, result)? })
        })
    }
}
