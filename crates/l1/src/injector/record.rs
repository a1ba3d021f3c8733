//! What is kept of a queue, so that it survives the end of the process (`spec/node.md` §4.12): operations with their places,
//! and the signed layer 1 operations that carry them.

use super::queue::OperationId;
use bytes::Bytes;
use soru_tezos::binary_struct;
use soru_tezos::codec::{Decode, Decoded, Encode, Problem, Reader, put_dynamic};
use soru_tezos::hash::OperationHash;
use soru_tezos::header::BlockRef;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::operation::ManagerBody;
use soru_tezos::scalar::Level;

/// How far a layer 1 operation came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Signed and given to the layer 1, or about to be.
    Sent,
    /// In a block.
    Included(BlockRef),
    /// The layer 1 would not take it any more: what it carried waits again. Should it be included all the same, on
    /// another branch, it is recognised.
    Abandoned,
}

impl Encode for Stage {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Stage::Sent => out.push(0),
            Stage::Included(block) => {
                out.push(1);
                block.encode(out);
            }
            Stage::Abandoned => out.push(2),
        }
    }
}

impl Decode for Stage {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        match reader.byte("stage")? {
            0 => Ok(Stage::Sent),
            1 => BlockRef::decode(reader).map(Stage::Included),
            2 => Ok(Stage::Abandoned),
            other => Err(at.error("stage", Problem::Tag(other))),
        }
    }
}

/// A kept operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRecord {
    /// What it does.
    pub body: ManagerBody,
    /// Its order among operations of its kind.
    pub order: Option<u64>,
    /// Failed attempts.
    pub failures: u32,
    /// Its number of arrival.
    pub arrival: u64,
}

binary_struct!(OperationRecord { body, order, failures, arrival });

/// One of the operations that a layer 1 operation carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passenger {
    /// Its index among the contents of the layer 1 operation.
    pub index: u32,
    /// Its id.
    pub id: OperationId,
}

binary_struct!(Passenger { index, id });

/// A kept layer 1 operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarrierRecord {
    /// Who signed it.
    pub signer: PublicKeyHash,
    /// Level of the head it was made for.
    pub level: Level,
    /// How far it came.
    pub stage: Stage,
    /// What it carries.
    pub passengers: Vec<Passenger>,
    /// The signed bytes.
    pub bytes: Bytes,
}

impl Encode for CarrierRecord {
    fn encode(&self, out: &mut Vec<u8>) {
        self.signer.encode(out);
        self.level.encode(out);
        self.stage.encode(out);
        self.passengers.encode(out);
        put_dynamic(out, &self.bytes);
    }
}

impl Decode for CarrierRecord {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(CarrierRecord {
            signer: Decode::decode(reader)?,
            level: Decode::decode(reader)?,
            stage: Decode::decode(reader)?,
            passengers: Decode::decode(reader)?,
            bytes: Bytes::copy_from_slice(reader.dynamic("signed operation")?),
        })
    }
}

/// What changed in a queue since it was last asked: new contents, or nothing for what is to be forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Operations.
    pub operations: Vec<(OperationId, Option<OperationRecord>)>,
    /// Layer 1 operations.
    pub carriers: Vec<(OperationHash, Option<CarrierRecord>)>,
    /// The next number of arrival.
    pub arrivals: u64,
}

impl Changes {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty() && self.carriers.is_empty()
    }
}

/// What was kept of a queue.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// Operations.
    pub operations: Vec<(OperationId, OperationRecord)>,
    /// Layer 1 operations.
    pub carriers: Vec<(OperationHash, CarrierRecord)>,
    /// The next number of arrival.
    pub arrivals: u64,
}
