//! The header every manager operation carries, and the table of kinds (`spec/protocol.md` §2.2–2.3).

use super::body::*;
use crate::codec::{Decode, Decoded, Encode, Problem, Reader};
use crate::fields::{self, Object, Refused};
use crate::key::PublicKeyHash;
use crate::scalar::{Mutez, Nat};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One operation of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagerOperation {
    /// The account that signs and pays.
    pub source: PublicKeyHash,
    /// Fee for the baker.
    pub fee: Mutez,
    /// One more than the account's counter.
    pub counter: Nat,
    /// Most gas it may use, in units of gas.
    pub gas_limit: Nat,
    /// Most bytes it may add to the storage.
    pub storage_limit: Nat,
    /// What to do.
    pub body: ManagerBody,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $tag:literal $kind:literal $variant:ident($body:ty),)*) => {
        /// What a manager operation does.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum ManagerBody { $($(#[$doc])* $variant($body),)* }

        impl ManagerBody {
            /// The kinds, as in JSON, in the order of their tags.
            pub const KINDS: &'static [&'static str] = &[$($kind),*];

            /// The kind, as in JSON.
            pub fn kind(&self) -> &'static str {
                match self { $(ManagerBody::$variant(_) => $kind),* }
            }

            /// The tag in binary.
            pub fn tag(&self) -> u8 {
                match self { $(ManagerBody::$variant(_) => $tag),* }
            }

            /// The title of the case with a tag, in traces.
            fn title(tag: u8) -> String {
                let kind = match tag { $($tag => $kind,)* _ => "" };
                let mut title = kind.to_owned();
                title.get_mut(..1).map(str::make_ascii_uppercase);
                title
            }

            /// Appends the fields, without the tag.
            pub fn encode_fields(&self, out: &mut Vec<u8>) {
                match self { $(ManagerBody::$variant(body) => body.encode(out)),* }
            }

            /// Reads the fields of the kind with a tag, which was read at `at`.
            ///
            /// # Errors
            /// When there is no such kind, and when the bytes are not its fields.
            pub fn decode_fields(tag: u8, at: &Reader<'_>, reader: &mut Reader<'_>) -> Decoded<Self> {
                match tag {
                    $($tag => Decode::decode(reader).map(ManagerBody::$variant),)*
                    other => Err(at.error("manager operation", Problem::Tag(other))),
                }
            }

            fn from_fields(kind: &str, object: Object) -> Result<Self, Refused> {
                match kind {
                    $($kind => fields::read(object).map(ManagerBody::$variant),)*
                    other => Err(Refused::custom(format!("'{other}' is not a kind of manager operation"))),
                }
            }
        }

        /// The fields of the body only.
        impl Serialize for ManagerBody {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(ManagerBody::$variant(body) => body.serialize(serializer)),* }
            }
        }

        $(impl From<$body> for ManagerBody {
            fn from(body: $body) -> Self { ManagerBody::$variant(body) }
        })*
    };
}

/// Both kinds of key updates have the same body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UpdateCompanionKey(pub UpdateKey);

impl Encode for UpdateCompanionKey {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Decode for UpdateCompanionKey {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Decode::decode(reader).map(UpdateCompanionKey)
    }
}

kinds! {
    /// Makes the public key of the source known.
    107 "reveal" Reveal(Reveal),
    /// Transfers tez, or calls a contract.
    108 "transaction" Transaction(Transaction),
    /// Creates a contract.
    109 "origination" Origination(Origination),
    /// Sets or removes the delegate of the source.
    110 "delegation" Delegation(Delegation),
    /// Registers an expression that scripts can refer to.
    111 "register_global_constant" RegisterGlobalConstant(RegisterGlobalConstant),
    /// Limits what a delegate puts at stake.
    112 "set_deposits_limit" SetDepositsLimit(SetDepositsLimit),
    /// Pays for storage of a contract in advance.
    113 "increase_paid_storage" IncreasePaidStorage(IncreasePaidStorage),
    /// Changes the key a delegate bakes with.
    114 "update_consensus_key" UpdateConsensusKey(UpdateKey),
    /// Changes the key a delegate attests the DAL with.
    115 "update_companion_key" UpdateCompanionKey(UpdateCompanionKey),
    /// Sends tickets to a contract.
    158 "transfer_ticket" TransferTicket(TransferTicket),
    /// Creates a smart rollup.
    200 "smart_rollup_originate" SmartRollupOriginate(Originate),
    /// Adds messages to the inbox.
    201 "smart_rollup_add_messages" SmartRollupAddMessages(AddMessages),
    /// Cements the oldest commitment that can be.
    202 "smart_rollup_cement" SmartRollupCement(Cement),
    /// Publishes a commitment and stakes on it.
    203 "smart_rollup_publish" SmartRollupPublish(Publish),
    /// Starts a refutation game or moves in it.
    204 "smart_rollup_refute" SmartRollupRefute(Refute),
    /// Ends a game whose player is late.
    205 "smart_rollup_timeout" SmartRollupTimeout(Timeout),
    /// Executes an outbox message.
    206 "smart_rollup_execute_outbox_message" SmartRollupExecuteOutboxMessage(ExecuteOutboxMessage),
    /// Gives a staker its bond back.
    207 "smart_rollup_recover_bond" SmartRollupRecoverBond(RecoverBond),
    /// Publishes the commitment of a DAL slot.
    230 "dal_publish_commitment" DalPublishCommitment(DalPublishCommitment),
}

/// Tag and fields, without the header: what a program keeps of an operation it has not sent yet.
impl Encode for ManagerBody {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.tag());
        self.encode_fields(out);
    }
}

impl Decode for ManagerBody {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        let tag = reader.byte("manager operation")?;
        ManagerBody::decode_fields(tag, &at, reader)
    }
}

impl Encode for ManagerOperation {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.body.tag());
        self.source.encode(out);
        self.fee.encode(out);
        self.counter.encode(out);
        self.gas_limit.encode(out);
        self.storage_limit.encode(out);
        self.body.encode_fields(out);
    }
}

impl Decode for ManagerOperation {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        ManagerOperation::decode_with(reader, ManagerBody::decode_fields)
    }
}

impl ManagerOperation {
    /// Reads an operation whose body, behind the header, is read by `body` from its tag: protocols before 025 write some
    /// bodies in another form.
    ///
    /// # Errors
    /// When the bytes are no manager operation.
    pub fn decode_with<'a>(
        reader: &mut Reader<'a>,
        body: impl FnOnce(u8, &Reader<'a>, &mut Reader<'a>) -> Decoded<ManagerBody>,
    ) -> Decoded<Self> {
        let at = reader.clone();
        let tag = reader.byte("operation")?;
        if !(107..=115).contains(&tag) && tag < 158 {
            return Err(at.error("manager operation", Problem::Tag(tag)));
        }
        reader.case_with(|| ManagerBody::title(tag));
        Ok(ManagerOperation {
            source: reader.field("source", Decode::decode)?,
            fee: reader.field("fee", Decode::decode)?,
            counter: reader.field("counter", Decode::decode)?,
            gas_limit: reader.field("gas_limit", Decode::decode)?,
            storage_limit: reader.field("storage_limit", Decode::decode)?,
            body: body(tag, &at, reader)?,
        })
    }

    /// Reads the fields of an operation whose kind is known.
    pub(crate) fn from_object(kind: &str, mut object: Object) -> Result<Self, Refused> {
        Ok(ManagerOperation {
            source: fields::take(&mut object, "source")?,
            fee: fields::take(&mut object, "fee")?,
            counter: fields::take(&mut object, "counter")?,
            gas_limit: fields::take(&mut object, "gas_limit")?,
            storage_limit: fields::take(&mut object, "storage_limit")?,
            body: ManagerBody::from_fields(kind, object)?,
        })
    }
}

/// In JSON the kind comes first, then the header, then the fields of the body.
#[derive(Serialize)]
pub(crate) struct Wire<'a, M: Serialize> {
    kind: &'static str,
    source: &'a PublicKeyHash,
    fee: &'a Mutez,
    counter: &'a Nat,
    gas_limit: &'a Nat,
    storage_limit: &'a Nat,
    #[serde(flatten)]
    body: &'a ManagerBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a M>,
}

impl<'a, M: Serialize> Wire<'a, M> {
    /// The JSON form of an operation with its metadata.
    pub(crate) fn new(operation: &'a ManagerOperation, metadata: Option<&'a M>) -> Self {
        let ManagerOperation { source, fee, counter, gas_limit, storage_limit, body } = operation;
        Wire { kind: body.kind(), source, fee, counter, gas_limit, storage_limit, body, metadata }
    }
}

impl Serialize for ManagerOperation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire::<()>::new(self, None).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ManagerOperation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fields::deserialize(deserializer, |mut object| {
            let kind: String = fields::take(&mut object, "kind")?;
            ManagerOperation::from_object(&kind, object)
        })
    }
}
