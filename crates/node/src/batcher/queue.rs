//! The memory of the batcher: which messages wait, in which order, how batches are cut, and which messages went where. No
//! I/O, no clock (`spec/node.md` §4.15).

use super::message::{Batched, Message, MessageId};
use crate::config;
use soru_l1::injector::OperationId;
use soru_tezos::codec::HexBytes;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Most messages that wait, and most that are remembered once they are in a batch.
pub const CAPACITY: usize = 100_000;
/// Bytes of the length in front of each message of a batch.
const LENGTH: usize = 4;
/// The protocol's limit for a message in its inbox, where a byte stands in front of it.
const INBOX_MESSAGE: usize = 4096;

/// Why messages were not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// One is longer than the protocol allows. None was taken.
    #[error("Message {index} is too large (max size is {limit})")]
    TooLarge {
        /// Which.
        index: usize,
        /// Bytes it may have, its length included.
        limit: usize,
    },
    /// Too many wait. None was taken.
    #[error("{CAPACITY} messages already wait for a batch")]
    Full,
}

/// How batches are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Fewest messages for which a batch is cut between heads.
    pub min_elements: usize,
    /// Most messages of a batch.
    pub max_elements: usize,
    /// Most bytes of a batch, four for each message's length included.
    pub max_size: usize,
}

impl BatchLimits {
    /// The limits of a configuration; `protocol_size` is what a layer 1 operation can carry.
    pub fn new(config: &config::Batcher, protocol_size: usize) -> BatchLimits {
        BatchLimits {
            min_elements: config.min_batch_elements as usize,
            max_elements: config.max_batch_elements as usize,
            max_size: config.max_batch_size.map_or(protocol_size, |size| size as usize),
        }
    }

    /// Most bytes of a message, its length included. The protocol refuses a message one byte shorter already, for the
    /// byte the inbox puts in front of it; the reference takes it, and so it is taken here, into a batch of its own.
    fn max_message(&self) -> usize {
        (INBOX_MESSAGE + LENGTH).min(self.max_size)
    }
}

/// The order in which messages leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    unordered: bool,
    order: u64,
    counter: u64,
}

impl Place {
    fn of(message: &Message) -> Place {
        Place { unordered: message.order.is_none(), order: message.order.unwrap_or(0), counter: message.counter }
    }
}

/// Messages that wait and messages that are in batches.
#[derive(Debug)]
pub struct MessageQueue {
    limits: BatchLimits,
    waiting: BTreeMap<Place, Message>,
    places: HashMap<MessageId, Place>,
    batched: BTreeMap<u64, Batched>,
    numbers: HashMap<MessageId, u64>,
    counter: u64,
    touched: BTreeSet<MessageId>,
    touched_batched: BTreeSet<u64>,
}

/// What changed in a message queue: new contents, or nothing for what is to be forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageChanges {
    /// Messages that wait.
    pub waiting: Vec<(MessageId, Option<Message>)>,
    /// Messages in batches, in the order of batching.
    pub batched: Vec<(u64, Option<Batched>)>,
    /// The next message's number.
    pub counter: u64,
}

impl MessageQueue {
    /// A queue with what was kept of it.
    pub fn new(limits: BatchLimits, counter: u64, waiting: Vec<Message>, batched: Vec<(u64, Batched)>) -> MessageQueue {
        let counter = waiting.iter().map(|message| message.counter.saturating_add(1)).fold(counter, u64::max);
        MessageQueue {
            limits,
            places: waiting.iter().map(|message| (message.id, Place::of(message))).collect(),
            waiting: waiting.into_iter().map(|message| (Place::of(&message), message)).collect(),
            numbers: batched.iter().map(|(number, batched)| (batched.id, *number)).collect(),
            batched: batched.into_iter().collect(),
            counter,
            touched: BTreeSet::new(),
            touched_batched: BTreeSet::new(),
        }
    }

    /// Takes messages in. With `known`, equal contents are one message: it is not taken again while it waits (the lower
    /// order of both counts), nor while `known` says of the operation that carried it that the injector has it.
    ///
    /// # Errors
    /// When a message is too large or too many wait; none is taken then.
    pub fn register(
        &mut self,
        messages: Vec<HexBytes>,
        order: Option<u64>,
        known: Option<&dyn Fn(&OperationId) -> bool>,
    ) -> Result<Vec<MessageId>, Refused> {
        let limit = self.limits.max_message();
        if let Some(index) = messages.iter().position(|message| size(message) > limit) {
            return Err(Refused::TooLarge { index, limit });
        }
        if self.waiting.len().saturating_add(messages.len()) > CAPACITY {
            return Err(Refused::Full);
        }
        let take = |content: HexBytes| {
            // every message counts, also one that is not taken again
            let counter = self.counter;
            self.counter += 1;
            let id = MessageId::new(known.is_none().then_some(counter), &content);
            let batched = |id| self.numbers.get(id).and_then(|number| self.batched.get(number));
            if known.is_some_and(|known| batched(&id).is_some_and(|batched| known(&batched.operation))) {
                return id;
            }
            let message = Message { id, order, counter, content };
            match self.places.get(&id).copied() {
                Some(place) if place <= Place::of(&message) => {}
                Some(place) => {
                    self.waiting.remove(&place);
                    self.wait(message);
                }
                None => self.wait(message),
            }
            id
        };
        Ok(messages.into_iter().map(take).collect())
    }

    fn wait(&mut self, message: Message) {
        let place = Place::of(&message);
        self.places.insert(message.id, place);
        self.touched.insert(message.id);
        self.waiting.insert(place, message);
    }

    fn leave(&mut self, place: &Place) -> Option<Message> {
        let message = self.waiting.remove(place)?;
        self.places.remove(&message.id);
        self.touched.insert(message.id);
        Some(message)
    }

    /// Takes the next batch out of the queue; its order is that of its first message. Between heads (`only_full`) there is
    /// one only while enough messages wait.
    pub fn next_batch(&mut self, only_full: bool) -> Option<Vec<Message>> {
        if only_full && self.waiting.len() < self.limits.min_elements {
            return None;
        }
        let (mut batch, mut bytes): (Vec<Message>, usize) = (Vec::new(), 0);
        while let Some((place, next)) = self.waiting.first_key_value() {
            let (place, size) = (*place, size(&next.content));
            // layer 1 will refuse it, and the whole batch with it
            let alone = next.content.0.len() >= INBOX_MESSAGE;
            if !batch.is_empty()
                && (alone || batch.len() >= self.limits.max_elements || bytes + size > self.limits.max_size)
            {
                break;
            }
            bytes += size;
            batch.extend(self.leave(&place));
            if alone {
                break;
            }
        }
        (!batch.is_empty()).then_some(batch)
    }

    /// Puts a batch back that could not be given on.
    pub fn put_back(&mut self, batch: Vec<Message>) {
        batch.into_iter().for_each(|message| self.wait(message));
    }

    /// Notes in which operation a batch is.
    pub fn batched(&mut self, batch: Vec<Message>, operation: OperationId) {
        for Message { id, content, .. } in batch {
            let number = self.batched.last_key_value().map_or(0, |(last, _)| last.saturating_add(1));
            if let Some(before) = self.numbers.insert(id, number) {
                self.batched.remove(&before);
                self.touched_batched.insert(before);
            }
            self.batched.insert(number, Batched { id, operation, content });
            self.touched_batched.insert(number);
            if self.batched.len() > CAPACITY
                && let Some((oldest, batched)) = self.batched.pop_first()
            {
                self.numbers.remove(&batched.id);
                self.touched_batched.insert(oldest);
            }
        }
    }

    /// Messages that wait, in order.
    pub fn waiting(&self) -> impl Iterator<Item = &Message> {
        self.waiting.values()
    }

    /// A message that waits.
    pub fn message(&self, id: &MessageId) -> Option<&Message> {
        self.waiting.get(self.places.get(id)?)
    }

    /// A message that is in a batch.
    pub fn in_batch(&self, id: &MessageId) -> Option<&Batched> {
        self.batched.get(self.numbers.get(id)?)
    }

    /// Forgets the messages that wait with an order up to this one, and those without order if wanted.
    pub fn remove(&mut self, order: u64, without_order: bool) {
        let gone = |message: &&Message| message.order.map_or(without_order, |own| own <= order);
        let places: Vec<Place> = self.waiting.values().filter(gone).map(Place::of).collect();
        for place in places {
            self.leave(&place);
        }
    }

    /// Forgets everything but the counter.
    pub fn clear(&mut self) {
        self.touched.extend(self.places.keys());
        self.touched_batched.extend(self.batched.keys());
        self.waiting.clear();
        self.places.clear();
        self.batched.clear();
        self.numbers.clear();
    }

    /// What changed since this was last called.
    pub fn take_changes(&mut self) -> MessageChanges {
        let (waiting, batched) = (std::mem::take(&mut self.touched), std::mem::take(&mut self.touched_batched));
        MessageChanges {
            waiting: waiting.into_iter().map(|id| (id, self.message(&id).cloned())).collect(),
            batched: batched.into_iter().map(|number| (number, self.batched.get(&number).cloned())).collect(),
            counter: self.counter,
        }
    }

    /// Counts changes as changes again: they could not be kept.
    pub fn put_changes_back(&mut self, changes: &MessageChanges) {
        self.touched.extend(changes.waiting.iter().map(|(id, _)| *id));
        self.touched_batched.extend(changes.batched.iter().map(|(number, _)| *number));
    }
}

fn size(message: &HexBytes) -> usize {
    LENGTH + message.0.len()
}
