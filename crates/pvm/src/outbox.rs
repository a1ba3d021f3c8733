//! The output buffer (`spec/pvm.md` §6.3): the outboxes of the last levels, each a vector of messages.

use crate::encoding::{int32, integer, read_integer};
use crate::error::PvmError;
use crate::leaf;
use bytes::Bytes;
use soru_merkle::Tree;
use soru_tezos::codec::{Decoded, put_dynamic};
use soru_tezos::scalar::Level;

/// Where the buffer stands in the state.
const PATH: [&str; 4] = ["value", "pvm", "buffers", "output"];

/// The outboxes of the levels of the validity period, newest last.
#[derive(Clone)]
pub struct OutputBuffer {
    /// `1/outboxes`: level → messages.
    outboxes: Tree,
    /// Level of the newest outbox; nothing before the first level.
    pub last_level: Option<i32>,
    /// Number of levels an outbox is kept.
    pub validity_period: i32,
    /// Most messages of one outbox.
    pub message_limit: i128,
}

/// Why a message was not appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushError {
    /// The outbox holds as many messages as allowed.
    Full,
    /// There is no outbox yet.
    NoOutbox,
}

fn read_z(bytes: &[u8]) -> Decoded<i128> {
    crate::encoding::exactly(bytes, "integer", |reader| read_integer(reader, "integer"))
}

impl OutputBuffer {
    /// The buffer of a rollup that has seen no level.
    pub fn new(validity_period: i32, message_limit: i128) -> OutputBuffer {
        OutputBuffer { outboxes: Tree::empty(), last_level: None, validity_period, message_limit }
    }

    /// Reads the buffer; its messages stay where they are.
    pub fn decode(state: &Tree) -> Result<OutputBuffer, PvmError> {
        let at = |number, name| [PATH[0], PATH[1], PATH[2], PATH[3], number, name];
        Ok(OutputBuffer {
            outboxes: leaf::subtree(state, &at("1", "outboxes"))?,
            last_level: leaf::optional(state, &at("2", "last_level"), |bytes| int32(bytes, "last level"))?,
            validity_period: leaf::required(state, &at("3", "validity_period"), |bytes| {
                int32(bytes, "validity period")
            })?,
            message_limit: leaf::required(state, &at("4", "message_limit"), read_z)?,
        })
    }

    /// Writes the buffer into a state.
    pub fn encode(&self, state: &mut Tree) -> Result<(), PvmError> {
        let at = |number, name| [PATH[0], PATH[1], PATH[2], PATH[3], number, name];
        state.add_tree(&at("1", "outboxes"), self.outboxes.clone())?;
        match self.last_level {
            Some(level) => state.add(&at("2", "last_level"), level.to_be_bytes().to_vec())?,
            None => state.remove(&at("2", "last_level"))?,
        }
        state.add(&at("3", "validity_period"), self.validity_period.to_be_bytes().to_vec())?;
        state.add(&at("4", "message_limit"), integer(self.message_limit))?;
        Ok(())
    }

    /// A level starts: the first creates the outbox of that level, every other one that of the level after the last
    /// (whatever its own number is) and drops the oldest.
    pub fn start_level(&mut self, level: Level) -> Result<(), PvmError> {
        let next = match self.last_level {
            None => level.0,
            Some(last) => last.wrapping_add(1),
        };
        let key = next.to_string();
        let mut outbox = Tree::empty();
        outbox.add(&["length"], integer(0))?;
        outbox.add(&["head"], integer(0))?;
        self.outboxes.add_tree(&[key.as_str()], outbox)?;
        if let Some(last) = self.last_level {
            let first = last.wrapping_sub(self.validity_period).wrapping_add(1);
            self.outboxes.remove(&[first.to_string().as_str()])?;
        }
        self.last_level = Some(next);
        Ok(())
    }

    /// Appends a message to the newest outbox.
    pub fn push(&mut self, message: &[u8]) -> Result<Result<(), PushError>, PvmError> {
        let Some(level) = self.last_level else { return Ok(Err(PushError::NoOutbox)) };
        let key = level.to_string();
        let Some(mut outbox) = self.outboxes.find_tree(&[key.as_str()])? else { return Ok(Err(PushError::NoOutbox)) };
        let length = leaf::required(&outbox, &["length"], read_z)?;
        let head = leaf::required(&outbox, &["head"], read_z)?;
        if length > 0 && length >= self.message_limit {
            return Ok(Err(PushError::Full));
        }
        let end = head.checked_add(length).ok_or(PvmError::Range("the length of an outbox"))?;
        let mut bytes = Vec::with_capacity(message.len() + 4);
        put_dynamic(&mut bytes, message);
        outbox.add(&["contents", end.to_string().as_str()], bytes)?;
        outbox.add(&["length"], integer(length.saturating_add(1)))?;
        self.outboxes.add_tree(&[key.as_str()], outbox)?;
        Ok(Ok(()))
    }

    /// The outbox of a level: nothing when the level is no longer, or not yet, kept.
    fn outbox(&self, level: Level) -> Result<Option<(Tree, i128, i128)>, PvmError> {
        let Some(last) = self.last_level else { return Ok(None) };
        let first = i64::from(last) - i64::from(self.validity_period) + 1;
        if level.0 > last || i64::from(level.0) < first {
            return Ok(None);
        }
        let Some(outbox) = self.outboxes.find_tree(&[level.to_string().as_str()])? else { return Ok(None) };
        let length = leaf::required(&outbox, &["length"], read_z)?;
        let head = leaf::required(&outbox, &["head"], read_z)?;
        Ok(Some((outbox, head, length)))
    }

    /// Message `index` of the outbox of `level`; nothing when there is none (any more).
    pub fn message(&self, level: Level, index: u64) -> Result<Option<Bytes>, PvmError> {
        match self.outbox(level)? {
            Some((outbox, head, length)) if i128::from(index) < length => {
                read_message(&outbox, head.saturating_add(index.into())).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// All messages of the outbox of `level`; none when it is not kept.
    pub fn messages(&self, level: Level) -> Result<Vec<Bytes>, PvmError> {
        match self.outbox(level)? {
            None => Ok(Vec::new()),
            Some((outbox, head, length)) => {
                (0..length).map(|index| read_message(&outbox, head.saturating_add(index))).collect()
            }
        }
    }
}

fn read_message(outbox: &Tree, key: i128) -> Result<Bytes, PvmError> {
    leaf::required(outbox, &["contents", key.to_string().as_str()], |bytes| {
        crate::encoding::exactly(bytes, "outbox message", |reader| {
            reader.dynamic("outbox message").map(Bytes::copy_from_slice)
        })
    })
}
