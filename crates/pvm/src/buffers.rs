//! The input buffer (`spec/pvm.md` §6.1): messages of the level, waiting for the kernel. A lazy vector whose head moves
//! as messages are taken.

use crate::cbv::{ChunkedBytes, add_chunks};
use crate::encoding::{integer, read_integer};
use crate::error::PvmError;
use crate::leaf;
use bytes::Bytes;
use soru_merkle::Tree;
use soru_tezos::codec::{Decode, Decoded};
use soru_tezos::scalar::Level;
use std::sync::Arc;

/// Where the buffer stands in the state.
const PATH: [&str; 4] = ["value", "pvm", "buffers", "input"];

/// A message with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputMessage {
    /// Inbox level.
    pub level: Level,
    /// Number within the level.
    pub counter: i128,
    /// The message itself.
    pub payload: Bytes,
}

impl InputMessage {
    fn decode(tree: &Tree) -> Result<InputMessage, PvmError> {
        let level =
            leaf::required(tree, &["raw-level"], |bytes| crate::encoding::exactly(bytes, "level", Level::decode))?;
        let counter = leaf::required(tree, &["message-counter"], read_z)?;
        let value = ChunkedBytes::decode(tree.clone())?;
        let length = usize::try_from(value.length()).ok().filter(|length| *length <= MAX_MESSAGE);
        let payload = value.read(0, length.ok_or(PvmError::Range("the length of an input message"))?)?;
        Ok(InputMessage { level, counter, payload: payload.into() })
    }

    fn encode(&self) -> Result<Tree, PvmError> {
        let mut tree = Tree::empty();
        tree.add(&["raw-level"], self.level.0.to_be_bytes().to_vec())?;
        tree.add(&["message-counter"], integer(self.counter))?;
        add_chunks(&mut tree, &self.payload)?;
        tree.add(&["length"], (self.payload.len() as i64).to_be_bytes().to_vec())?;
        Ok(tree)
    }
}

/// Longest message accepted when reading a state back. The layer 1 allows 4,096 bytes; transfers are bounded by an
/// operation's size.
const MAX_MESSAGE: usize = 1 << 24;

fn read_z(bytes: &[u8]) -> Decoded<i128> {
    crate::encoding::exactly(bytes, "integer", |reader| read_integer(reader, "integer"))
}

/// The input buffer. Messages not touched stay in the tree they came from.
#[derive(Clone)]
pub struct InputBuffer {
    /// `contents` as it was read.
    origin: Tree,
    /// What changed since: a message, or nothing where one was taken.
    changes: imbl::OrdMap<i128, Option<Arc<InputMessage>>>,
    head: i128,
    length: i128,
}

/// A message that does not come after the last one in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EarlierMessage;

impl Default for InputBuffer {
    fn default() -> Self {
        InputBuffer { origin: Tree::empty(), changes: imbl::OrdMap::new(), head: 0, length: 0 }
    }
}

impl InputBuffer {
    /// Reads the buffer's size; its messages stay where they are.
    pub fn decode(state: &Tree) -> Result<InputBuffer, PvmError> {
        let at = |last| [PATH[0], PATH[1], PATH[2], PATH[3], last];
        let origin = leaf::subtree(state, &at("contents"))?;
        let length = leaf::required(state, &at("length"), read_z)?;
        let head = leaf::required(state, &at("head"), read_z)?;
        if length < 0 || head.checked_add(length).is_none() {
            return Err(PvmError::Range("the length of the input buffer"));
        }
        Ok(InputBuffer { origin, changes: imbl::OrdMap::new(), head, length })
    }

    /// Writes the buffer into a state.
    pub fn encode(&self, state: &mut Tree) -> Result<(), PvmError> {
        let at = |last| [PATH[0], PATH[1], PATH[2], PATH[3], last];
        state.add_tree(&at("contents"), self.origin.clone())?;
        for (key, change) in &self.changes {
            let key = key.to_string();
            let path = [PATH[0], PATH[1], PATH[2], PATH[3], "contents", key.as_str()];
            match change {
                None => state.remove(&path)?,
                Some(message) => state.add_tree(&path, message.encode()?)?,
            }
        }
        state.add(&at("length"), integer(self.length))?;
        state.add(&at("head"), integer(self.head))?;
        Ok(())
    }

    /// Number of messages waiting.
    pub fn len(&self) -> usize {
        usize::try_from(self.length).unwrap_or(usize::MAX)
    }

    /// Whether no message waits.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    fn get(&self, key: i128) -> Result<Arc<InputMessage>, PvmError> {
        match self.changes.get(&key) {
            Some(Some(message)) => Ok(Arc::clone(message)),
            Some(None) => Err(PvmError::Missing(format!("input buffer message {key}"))),
            None => {
                let message = self.origin.find_tree(&[key.to_string().as_str()])?;
                let message = message.ok_or_else(|| PvmError::Missing(format!("input buffer message {key}")))?;
                Ok(Arc::new(InputMessage::decode(&message)?))
            }
        }
    }

    /// Appends a message, which must come after the last one waiting.
    pub fn push(&mut self, message: InputMessage) -> Result<Result<(), EarlierMessage>, PvmError> {
        let end = self.head + self.length;
        if self.length > 0 {
            let last = self.get(end - 1)?;
            if (message.level, message.counter) <= (last.level, last.counter) {
                return Ok(Err(EarlierMessage));
            }
        }
        self.changes.insert(end, Some(Arc::new(message)));
        self.length += 1;
        Ok(Ok(()))
    }

    /// Takes the first message.
    pub fn pop(&mut self) -> Result<Option<Arc<InputMessage>>, PvmError> {
        if self.length == 0 {
            return Ok(None);
        }
        let message = self.get(self.head)?;
        self.changes.insert(self.head, None);
        self.head += 1;
        self.length -= 1;
        Ok(Some(message))
    }

    /// Forgets everything, keys included.
    pub fn reset(&mut self) {
        *self = InputBuffer::default();
    }
}
