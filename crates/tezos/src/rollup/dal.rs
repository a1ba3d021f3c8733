//! The few DAL structures that rollup operations and games carry (`spec/protocol.md` Appendix C).

use crate::codec::{Decode, Decoded, Encode, FixedHex, Problem, Reader, put_flag, put_list};
use crate::contract::Contract;
use crate::number::N;
use crate::scalar::Level;
use crate::{base58_bytes, binary_struct};
use serde::{Deserialize, Serialize};

base58_bytes!(
    /// Hash of a cell of the skip list of DAL slots.
    DalPointerHash, 32, [2, 224, 72, 115, 35], "DAL skip list pointer (dask1…)", "dal_skip_list_pointer"
);
base58_bytes!(
    /// KZG commitment of a DAL slot.
    DalSlotCommitment, 48, [2, 116, 180], "DAL slot commitment (sh…)", "DAL_commitment"
);

/// A page of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DalPageId {
    /// Level at which the slot was published.
    pub published_level: Level,
    /// Index of the slot.
    pub slot_index: u8,
    /// Index of the page in the slot.
    pub page_index: i16,
}

binary_struct!(DalPageId { published_level, slot_index, page_index });

/// What `dal_publish_commitment` publishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DalSlotHeader {
    /// Index of the slot.
    pub slot_index: u8,
    /// Its commitment.
    pub commitment: DalSlotCommitment,
    /// Proof that the data has the right degree.
    pub commitment_proof: FixedHex<96>,
}

binary_struct!(DalSlotHeader { slot_index, commitment, commitment_proof });

/// Header of a published slot inside the skip list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DalHeader {
    /// Always `"0"`.
    pub version: DalHeaderVersion,
    /// Level at which the slot was published.
    pub level: Level,
    /// Index of the slot.
    pub index: u8,
    /// Its commitment.
    pub commitment: DalSlotCommitment,
}

binary_struct!(DalHeader { version, level, index, commitment });

/// The only version of slot headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DalHeaderVersion {
    /// Version 0.
    #[serde(rename = "0")]
    V0,
}

impl Encode for DalHeaderVersion {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(0);
    }
}

impl Decode for DalHeaderVersion {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        match reader.tag("DAL header version", &["v0"])? {
            0 => Ok(DalHeaderVersion::V0),
            tag => Err(at.error("DAL header version", Problem::Tag(tag))),
        }
    }
}

/// Content of a cell of the skip list: a slot nobody published, or a published one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DalCellContent {
    /// No slot was published.
    Unpublished {
        /// Lag of the attestation in blocks; absent in cells from before the lag was dynamic.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attestation_lag: Option<u8>,
        /// Level of publication.
        level: Level,
        /// Index of the slot.
        index: u8,
    },
    /// A slot was published.
    Published {
        /// Who paid for it.
        publisher: Contract,
        /// Whether the protocol counts it as attested.
        is_proto_attested: bool,
        /// Number of attested shards.
        attested_shards: u16,
        /// Number of shards.
        total_shards: u16,
        /// Lag of the attestation in blocks; absent in cells from before the lag was dynamic.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        attestation_lag: Option<u8>,
        /// The header.
        #[serde(flatten)]
        header: DalHeader,
    },
}

impl Encode for DalCellContent {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            DalCellContent::Unpublished { attestation_lag, level, index } => {
                out.push(if attestation_lag.is_some() { 4 } else { 2 });
                out.extend(attestation_lag);
                level.encode(out);
                out.push(*index);
            }
            DalCellContent::Published {
                publisher,
                is_proto_attested,
                attested_shards,
                total_shards,
                attestation_lag,
                header,
            } => {
                out.push(if attestation_lag.is_some() { 5 } else { 3 });
                publisher.encode(out);
                put_flag(out, *is_proto_attested);
                attested_shards.encode(out);
                total_shards.encode(out);
                out.extend(attestation_lag);
                header.encode(out);
            }
        }
    }
}

impl Decode for DalCellContent {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        const WHAT: &str = "DAL skip list content";
        let at = reader.clone();
        const TITLES: [&str; 6] = ["", "", "unpublished", "published", "unpublished_dyn", "published_dyn"];
        let tag = reader.tag(WHAT, &TITLES)?;
        let lag = |reader: &mut Reader<'_>| match tag {
            4.. => reader.field("attestation_lag", |reader| reader.byte(WHAT)).map(Some),
            _ => Ok(None),
        };
        match tag {
            2 | 4 => Ok(DalCellContent::Unpublished {
                attestation_lag: lag(reader)?,
                level: reader.field("level", Decode::decode)?,
                index: reader.field("index", |reader| reader.byte(WHAT))?,
            }),
            3 | 5 => Ok(DalCellContent::Published {
                publisher: reader.field("publisher", Decode::decode)?,
                is_proto_attested: reader.field("is_proto_attested", |reader| reader.flag(WHAT))?,
                attested_shards: reader.field("attested_shards", Decode::decode)?,
                total_shards: reader.field("total_shards", Decode::decode)?,
                attestation_lag: lag(reader)?,
                header: reader.field("header", Decode::decode)?,
            }),
            other => Err(at.error(WHAT, Problem::Tag(other))),
        }
    }
}

/// A cell of the skip list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DalCell {
    /// Index of the cell.
    pub index: N,
    /// The slot it is about.
    pub content: DalCellContent,
    /// Pointers to earlier cells.
    pub back_pointers: Vec<DalPointerHash>,
}

impl DalCell {
    /// The cell every skip list starts from.
    pub fn genesis() -> Self {
        DalCell {
            index: N::from(0),
            content: DalCellContent::Unpublished { attestation_lag: None, level: Level(0), index: 0 },
            back_pointers: Vec::new(),
        }
    }
}

impl Encode for DalCell {
    fn encode(&self, out: &mut Vec<u8>) {
        self.index.encode(out);
        self.content.encode(out);
        put_list(out, &self.back_pointers);
    }
}

impl Decode for DalCell {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(DalCell {
            index: reader.field("index", Decode::decode)?,
            content: reader.field("content", Decode::decode)?,
            back_pointers: reader.field("back_pointers", Decode::decode)?,
        })
    }
}

/// The newest cell of the slots' history when a game starts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "skip_list")]
pub enum DalSnapshot {
    /// The cell.
    #[serde(rename = "dal_skip_list")]
    Cell(DalCell),
}

impl Encode for DalSnapshot {
    fn encode(&self, out: &mut Vec<u8>) {
        let DalSnapshot::Cell(cell) = self;
        out.push(1);
        cell.encode(out);
    }
}

impl Decode for DalSnapshot {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        match reader.tag("DAL snapshot", &["dal_skip_list_legacy", "dal_skip_list"])? {
            // from before the DAL: 57 bytes which nobody reads
            0 => reader.take(57, "DAL snapshot").map(|_| DalSnapshot::Cell(DalCell::genesis())),
            1 => DalCell::decode(reader).map(DalSnapshot::Cell),
            tag => Err(at.error("DAL snapshot", Problem::Tag(tag))),
        }
    }
}
