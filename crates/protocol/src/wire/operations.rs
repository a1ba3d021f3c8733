//! Manager operations in the form of older protocols: fields that were dropped, and fields that did not exist yet
//! (`spec/protocol.md` §8.4, `spec/node.md` A.2).

use super::Dated;
use crate::protocol::Protocol;
use serde_json::{Map, Value};
use soru_tezos::codec::{Decode, Decoded, Encode, HexBytes, Problem, Reader, put_flag, put_within};
use soru_tezos::hash::CommitmentHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::operation::{ManagerBody, ManagerOperation, Originate, Parameters, Reveal, Transaction, UpdateKey};
use soru_tezos::rollup::PvmKind;
use soru_tezos::scalar::Level;

/// A field that operations once had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dropped {
    /// Of an origination of 016 and 017: the proof of the first state.
    OriginationProof(HexBytes),
    /// Of a cementation of 016 and 017: the commitment to cement.
    Commitment(CommitmentHash),
    /// Of the publication of a DAL slot in 016: its level.
    PublishedLevel(Level),
}

/// A manager operation as some protocol writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The operation.
    pub operation: ManagerOperation,
    /// The field that later protocols do not have.
    pub dropped: Option<Dropped>,
}

/// Why an operation cannot be written or read in a protocol's form.
#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    /// The JSON is not of the operation's form.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It came later.
    #[error(transparent)]
    NotYet(#[from] super::NotYet),
    /// The protocol wants a field that later ones do not have.
    #[error("{}: missing field `{field}`, which operations of this protocol have", protocol.error_name())]
    Missing {
        /// The protocol.
        protocol: Protocol,
        /// The field.
        field: &'static str,
    },
}

impl Protocol {
    /// Whether an origination carries a proof of its first state, and a cementation names its commitment (016 and 017).
    pub fn has_origination_proofs(self) -> bool {
        self < Protocol::Oxford
    }

    /// The kind of the operation that publishes a DAL slot.
    fn dal_publication(self) -> &'static str {
        if self < Protocol::ParisB { "dal_publish_slot_header" } else { DAL_PUBLICATION }
    }

    /// Tags of entrypoints: those of stakers came with 018.
    fn entrypoint_tags(self) -> u8 {
        if self < Protocol::Oxford { 6 } else { 10 }
    }
}

const DAL_PUBLICATION: &str = "dal_publish_commitment";
const ORIGINATION_PROOF: &str = "origination_proof";
const COMMITMENT: &str = "commitment";
const PUBLISHED_LEVEL: &str = "published_level";
const WHAT: &str = "manager operation";

/// The name of the dropped field of an operation, if the protocol has it.
fn dropped_field(protocol: Protocol, body: &ManagerBody) -> Option<&'static str> {
    match body {
        ManagerBody::SmartRollupOriginate(_) if protocol.has_origination_proofs() => Some(ORIGINATION_PROOF),
        ManagerBody::SmartRollupCement(_) if protocol.has_origination_proofs() => Some(COMMITMENT),
        ManagerBody::DalPublishCommitment(_) if protocol == Protocol::Mumbai => Some(PUBLISHED_LEVEL),
        _ => None,
    }
}

impl Contents {
    /// The bytes in a protocol's form.
    ///
    /// # Errors
    /// When the protocol does not know the operation, or wants a field that is not there.
    pub fn encode(&self, protocol: Protocol, out: &mut Vec<u8>) -> Result<(), ContentsError> {
        let ManagerOperation { source, fee, counter, gas_limit, storage_limit, body } = &self.operation;
        body.check(protocol)?;
        out.push(body.tag());
        source.encode(out);
        fee.encode(out);
        counter.encode(out);
        gas_limit.encode(out);
        storage_limit.encode(out);
        let missing = |field| ContentsError::Missing { protocol, field };
        match (body, &self.dropped) {
            (ManagerBody::SmartRollupOriginate(originate), dropped) if protocol.has_origination_proofs() => {
                let Some(Dropped::OriginationProof(proof)) = dropped else { return Err(missing(ORIGINATION_PROOF)) };
                originate.pvm_kind.encode(out);
                originate.kernel.encode(out);
                proof.encode(out);
                put_within(out, |out| originate.parameters_ty.encode(out));
            }
            (ManagerBody::SmartRollupCement(cement), dropped) if protocol.has_origination_proofs() => {
                let Some(Dropped::Commitment(commitment)) = dropped else { return Err(missing(COMMITMENT)) };
                cement.encode(out);
                commitment.encode(out);
            }
            (ManagerBody::DalPublishCommitment(publication), dropped) if protocol == Protocol::Mumbai => {
                let Some(Dropped::PublishedLevel(level)) = dropped else { return Err(missing(PUBLISHED_LEVEL)) };
                level.encode(out);
                publication.encode(out);
            }
            (ManagerBody::Reveal(reveal), _) if protocol < Protocol::Seoul => reveal.public_key.encode(out),
            (ManagerBody::UpdateConsensusKey(update), _) if protocol < Protocol::Rio => update.pk.encode(out),
            (ManagerBody::Transaction(transaction), _) if protocol < Protocol::Oxford => {
                transaction.amount.encode(out);
                transaction.destination.encode(out);
                let parameters = Some(&transaction.parameters).filter(|given| **given != Parameters::default());
                put_flag(out, parameters.is_some());
                if let Some(Parameters { entrypoint, value }) = parameters {
                    entrypoint.encode_with_tags(usize::from(protocol.entrypoint_tags()), out);
                    put_within(out, |out| value.encode(out));
                }
            }
            (body, _) => body.encode_fields(out),
        }
        Ok(())
    }

    /// Reads the bytes of a protocol's form.
    ///
    /// # Errors
    /// When they are none.
    pub fn decode(protocol: Protocol, reader: &mut Reader<'_>) -> Decoded<Contents> {
        let at = reader.clone();
        let mut dropped = None;
        let operation = ManagerOperation::decode_with(reader, |tag, at, reader| {
            let (body, field) = body(protocol, tag, at, reader)?;
            dropped = field;
            Ok(body)
        })?;
        if operation.check(protocol).is_err() {
            return Err(at.error(WHAT, Problem::Other("of a kind or with a field that the protocol does not know yet")));
        }
        Ok(Contents { operation, dropped })
    }

    /// The JSON of a protocol's form.
    ///
    /// # Errors
    /// None that is known: every operation has a JSON form.
    pub fn to_json(&self, protocol: Protocol) -> Result<Value, ContentsError> {
        let mut json = serde_json::to_value(&self.operation)?;
        let Value::Object(fields) = &mut json else { return Ok(json) };
        match &self.dropped {
            Some(Dropped::OriginationProof(proof)) => {
                let place = fields.keys().position(|key| key == "parameters_ty").unwrap_or(fields.len());
                fields.shift_insert(place, ORIGINATION_PROOF.to_owned(), serde_json::to_value(proof)?);
            }
            Some(Dropped::Commitment(commitment)) => {
                fields.insert(COMMITMENT.to_owned(), serde_json::to_value(commitment)?);
            }
            Some(Dropped::PublishedLevel(level)) => {
                if let Some(Value::Object(header)) = fields.get_mut("slot_header") {
                    header.shift_insert(0, PUBLISHED_LEVEL.to_owned(), serde_json::to_value(level)?);
                }
            }
            None => {}
        }
        if matches!(self.operation.body, ManagerBody::DalPublishCommitment(_)) {
            fields.insert("kind".to_owned(), protocol.dal_publication().into());
        }
        Ok(json)
    }

    /// Reads the JSON of a protocol's form.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_json(protocol: Protocol, mut json: Value) -> Result<Contents, ContentsError> {
        // kinds had other names
        if let Some(kind) = json.get_mut("kind") {
            if kind == protocol.dal_publication() {
                *kind = DAL_PUBLICATION.into();
            } else if kind == DAL_PUBLICATION {
                let name = protocol.dal_publication();
                let text = format!("{}: the kind is '{name}' here", protocol.error_name());
                return Err(ContentsError::Json(serde::de::Error::custom(text)));
            }
        }
        let operation: ManagerOperation = serde_json::from_value(json.clone())?;
        operation.check(protocol)?;
        let dropped = match dropped_field(protocol, &operation.body) {
            Some(ORIGINATION_PROOF) => Some(Dropped::OriginationProof(field(protocol, &json, ORIGINATION_PROOF)?)),
            Some(COMMITMENT) => Some(Dropped::Commitment(field(protocol, &json, COMMITMENT)?)),
            Some(_) => Some(Dropped::PublishedLevel(field(protocol, &json["slot_header"], PUBLISHED_LEVEL)?)),
            None => None,
        };
        Ok(Contents { operation, dropped })
    }
}

fn field<T: serde::de::DeserializeOwned>(
    protocol: Protocol,
    object: &Value,
    name: &'static str,
) -> Result<T, ContentsError> {
    let fields: Option<&Map<String, Value>> = object.as_object();
    let value = fields.and_then(|fields| fields.get(name)).ok_or(ContentsError::Missing { protocol, field: name })?;
    Ok(T::deserialize(value)?)
}

/// Reads the body behind a header.
fn body(
    protocol: Protocol,
    tag: u8,
    at: &Reader<'_>,
    reader: &mut Reader<'_>,
) -> Decoded<(ManagerBody, Option<Dropped>)> {
    let old = protocol.has_origination_proofs();
    Ok(match tag {
        107 if protocol < Protocol::Seoul => {
            (Reveal { public_key: reader.field("public_key", Decode::decode)?, proof: None }.into(), None)
        }
        108 if protocol < Protocol::Oxford => (transaction(protocol, reader)?.into(), None),
        114 if protocol < Protocol::Rio => {
            (ManagerBody::UpdateConsensusKey(UpdateKey { pk: reader.field("pk", Decode::decode)?, proof: None }), None)
        }
        200 if old => {
            let pvm_kind = reader.field("pvm_kind", PvmKind::decode)?;
            let kernel = reader.field("kernel", HexBytes::decode)?;
            let proof = reader.field(ORIGINATION_PROOF, HexBytes::decode)?;
            let parameters_ty =
                reader.field("parameters_ty", |reader| reader.within("parameter type", Micheline::decode))?;
            let originate = Originate { pvm_kind, kernel, parameters_ty, whitelist: None };
            (originate.into(), Some(Dropped::OriginationProof(proof)))
        }
        202 if old => {
            let cement = ManagerBody::SmartRollupCement(Decode::decode(reader)?);
            (cement, Some(Dropped::Commitment(reader.field(COMMITMENT, Decode::decode)?)))
        }
        230 if protocol == Protocol::Mumbai => {
            let level = reader.field(PUBLISHED_LEVEL, Level::decode)?;
            let publication = ManagerBody::DalPublishCommitment(Decode::decode(reader)?);
            (publication, Some(Dropped::PublishedLevel(level)))
        }
        tag => (ManagerBody::decode_fields(tag, at, reader)?, None),
    })
}

/// A transaction of a protocol without the entrypoints of stakers, whose tags it does not know.
fn transaction(protocol: Protocol, reader: &mut Reader<'_>) -> Decoded<Transaction> {
    let amount = reader.field("amount", Decode::decode)?;
    let destination = reader.field("destination", Decode::decode)?;
    let known = |reader: &mut Reader<'_>| match reader.peek().first() {
        Some(tag) if (protocol.entrypoint_tags()..u8::MAX).contains(tag) => {
            Err(reader.error("entrypoint", Problem::Tag(*tag)))
        }
        _ => Parameters::decode(reader),
    };
    let parameters = reader.field("parameters", |reader| reader.option("parameters", known))?;
    Ok(Transaction { amount, destination, parameters: parameters.unwrap_or_default() })
}
