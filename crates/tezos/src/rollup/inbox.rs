//! Inbox messages and the skip lists of the inbox (`spec/protocol.md` §3.1, §3.3–3.5). Hashing and proofs live in
//! `soru-protocol`.

use crate::binary_struct;
use crate::codec::{Decode, Decoded, Encode, HexBytes, Problem, Reader, put_dynamic, put_list};
use crate::hash::{BlockHash, ContractHash, InboxHash, InboxMessageHash, PayloadHashesHash, SmartRollupAddress};
use crate::key::PublicKeyHash;
use crate::micheline::Micheline;
use crate::number::{N, Z};
use crate::scalar::{Level, Timestamp};
use serde::{Deserialize, Serialize};

/// A transfer from a contract to a rollup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// The parameter, in the optimised form of Michelson values.
    pub payload: Micheline,
    /// The contract that made the transfer.
    pub sender: ContractHash,
    /// The account that signed the operation.
    pub source: PublicKeyHash,
    /// The rollup.
    pub destination: SmartRollupAddress,
}

binary_struct!(Transfer { payload, sender, source, destination });

/// Slots of one publisher, as a bitset of indices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublisherSlots(pub PublicKeyHash, pub Z);

impl Encode for PublisherSlots {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
    }
}

impl Decode for PublisherSlots {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(PublisherSlots(Decode::decode(reader)?, Decode::decode(reader)?))
    }
}

/// A message the protocol itself writes into the inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "internal_inbox_message_kind", rename_all = "snake_case")]
pub enum InternalMessage {
    /// A contract called a rollup.
    Transfer(Transfer),
    /// First message of a level.
    StartOfLevel,
    /// Last message of a level.
    EndOfLevel,
    /// Second message of a level: the block before.
    InfoPerLevel {
        /// Its time.
        predecessor_timestamp: Timestamp,
        /// Its hash.
        predecessor: BlockHash,
    },
    /// A new protocol executes from this level on.
    ProtocolMigration {
        /// Its name, like `u025_025`.
        protocol: HexBytes,
    },
    /// Slots the protocol counts as attested (Ushuaia on).
    DalAttestedSlots {
        /// Level at which they were published.
        published_level: Level,
        /// Slots per level.
        number_of_slots: u16,
        /// Bytes per slot.
        slot_size: i32,
        /// Bytes per page.
        page_size: u16,
        /// Who published what.
        slots_by_publisher: Vec<PublisherSlots>,
    },
}

impl Encode for InternalMessage {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            InternalMessage::Transfer(transfer) => {
                out.push(0);
                transfer.encode(out);
            }
            InternalMessage::StartOfLevel => out.push(1),
            InternalMessage::EndOfLevel => out.push(2),
            InternalMessage::InfoPerLevel { predecessor_timestamp, predecessor } => {
                out.push(3);
                predecessor_timestamp.encode(out);
                predecessor.encode(out);
            }
            InternalMessage::ProtocolMigration { protocol } => {
                out.push(4);
                put_dynamic(out, protocol.as_ref());
            }
            InternalMessage::DalAttestedSlots {
                published_level,
                number_of_slots,
                slot_size,
                page_size,
                slots_by_publisher,
            } => {
                out.push(5);
                published_level.encode(out);
                number_of_slots.encode(out);
                slot_size.encode(out);
                page_size.encode(out);
                put_list(out, slots_by_publisher);
            }
        }
    }
}

impl Decode for InternalMessage {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        const TITLES: [&str; 6] = [
            "Transfer",
            "Start_of_level",
            "End_of_level",
            "Info_per_level",
            "Protocol_migration",
            "Dal_attested_slots",
        ];
        let at = reader.clone();
        Ok(match reader.tag("internal inbox message", &TITLES)? {
            0 => InternalMessage::Transfer(Decode::decode(reader)?),
            1 => InternalMessage::StartOfLevel,
            2 => InternalMessage::EndOfLevel,
            3 => InternalMessage::InfoPerLevel {
                predecessor_timestamp: reader.field("predecessor_timestamp", Decode::decode)?,
                predecessor: reader.field("predecessor", Decode::decode)?,
            },
            4 => InternalMessage::ProtocolMigration { protocol: reader.field("protocol", Decode::decode)? },
            5 => InternalMessage::DalAttestedSlots {
                published_level: reader.field("published_level", Decode::decode)?,
                number_of_slots: reader.field("number_of_slots", Decode::decode)?,
                slot_size: reader.field("slot_size", Decode::decode)?,
                page_size: reader.field("page_size", Decode::decode)?,
                slots_by_publisher: reader.field("slots_by_publisher", Decode::decode)?,
            },
            tag => return Err(at.error("internal inbox message", Problem::Tag(tag))),
        })
    }
}

/// A message of the shared inbox. The serialized form is at most 4,096 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum InboxMessage {
    /// Written by the protocol.
    Internal(InternalMessage),
    /// Added by `smart_rollup_add_messages`; all bytes are its content.
    External(HexBytes),
}

impl Encode for InboxMessage {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            InboxMessage::Internal(message) => {
                out.push(0);
                message.encode(out);
            }
            InboxMessage::External(content) => {
                out.push(1);
                out.extend_from_slice(content.as_ref());
            }
        }
    }
}

impl Decode for InboxMessage {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        match reader.tag("inbox message", &["Internal", "External"])? {
            0 => InternalMessage::decode(reader).map(InboxMessage::Internal),
            1 => Ok(InboxMessage::External(HexBytes(reader.take_rest().to_vec()))),
            tag => Err(at.error("inbox message", Problem::Tag(tag))),
        }
    }
}

/// A cell of a skip list: index, content, pointers to earlier cells.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SkipCell<C, P> {
    /// Position in the list, from 0.
    pub index: N,
    /// What the cell holds.
    pub content: C,
    /// Hashes of earlier cells; which ones follows from the index (`spec/protocol.md` §3.3).
    pub back_pointers: Vec<P>,
}

impl<C: Encode, P: Encode> Encode for SkipCell<C, P> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.index.encode(out);
        self.content.encode(out);
        put_list(out, &self.back_pointers);
    }
}

impl<C: Decode, P: Decode> Decode for SkipCell<C, P> {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(SkipCell {
            index: reader.field("index", Decode::decode)?,
            content: reader.field("content", Decode::decode)?,
            back_pointers: reader.field("back_pointers", Decode::decode)?,
        })
    }
}

/// A cell of the messages of one level: its content is the hash of a message.
pub type PayloadCell = SkipCell<InboxMessageHash, PayloadHashesHash>;

/// A cell of the history of levels.
pub type HistoryCell = SkipCell<LevelProof, InboxHash>;

/// What the history remembers of a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LevelProof {
    /// The level's witness: pointer of its last message cell.
    pub hash: PayloadHashesHash,
    /// The level.
    pub level: Level,
}

binary_struct!(LevelProof { hash, level });

/// The inbox as the layer 1 stores it at the end of a level.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Inbox {
    /// The level.
    pub level: Level,
    /// The newest cell of its history.
    pub old_levels_messages: HistoryCell,
}

binary_struct!(Inbox { level, old_levels_messages });
