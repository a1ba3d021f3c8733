//! The batcher: takes messages, puts them into operations that the injector sends, and knows what became of each
//! (`spec/node.md` §4.15).
//!
//! A message is on the disk before it is answered for, and moves into an operation in one transaction.

mod message;
mod queue;
#[cfg(test)]
mod tests;

pub use message::{Batched, Message, MessageId};
pub use queue::{BatchLimits, CAPACITY, MessageChanges, MessageQueue, Refused};

use crate::config::{Config, ConfigError, OperationKind};
use crate::inject::Queues;
use crate::node::NodeError;
use crate::store::{Flush, Store, StoreError};
use soru_l1::injector::{OperationId, SharedQueue, Status};
use soru_tezos::codec::{Encode, HexBytes};
use soru_tezos::hash::BlockHash;
use soru_tezos::key::{PublicKeyHash, Scheme};
use soru_tezos::operation::{AddMessages, ManagerOperation};
use soru_tezos::scalar::{Level, Mutez, Nat};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The protocol's limit for an operation, in bytes.
const MAX_OPERATION_DATA: usize = 32_768;
/// Bytes of a signature.
const SIGNATURE: usize = 64;

/// Why messages were not taken, or not given on.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum BatcherError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where a message stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageStatus {
    /// Waits for a batch.
    Pending,
    /// In this operation of the injector.
    Batched(OperationId),
}

/// The batcher of a node that may add messages.
pub struct Batcher {
    store: Store,
    operations: SharedQueue,
    messages: Mutex<MessageQueue>,
    last: Mutex<LastBatches>,
}

/// The last time batches were made.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LastBatches {
    /// How long it took to make them.
    pub get_time: Duration,
    /// How long it took to give them to the injector and to keep them.
    pub keep_time: Duration,
    /// Messages in them.
    pub messages: usize,
    /// Batches.
    pub batches: usize,
    /// The head at that time.
    pub level: Level,
    /// The time, in seconds since 1970.
    pub at: f64,
}

impl Batcher {
    /// The batcher, with the messages that were kept; none in a mode that adds no messages.
    ///
    /// # Errors
    /// When the configured batches are larger than the protocol's, or the store fails.
    pub(crate) fn open(config: &Config, store: &Store, queues: &Queues) -> Result<Option<Batcher>, NodeError> {
        let Some(group) = queues.of_kind(OperationKind::AddMessages) else { return Ok(None) };
        let most = protocol_batch_size();
        if config.batcher.max_batch_size.is_some_and(|size| size as usize > most) {
            let text = format!("batcher.max_batch_size must be smaller than {most}");
            return Err(ConfigError::Range(text).into());
        }
        let limits = BatchLimits::new(&config.batcher, most);
        let kept = store.kept_messages()?;
        let messages = MessageQueue::new(limits, kept.counter, kept.waiting, kept.batched);
        Ok(Some(Batcher {
            store: store.clone(),
            operations: group.queue.clone(),
            messages: Mutex::new(messages),
            last: Mutex::default(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, MessageQueue> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes messages in, and makes batches once enough wait. Equal messages are different ones, unless `once`.
    ///
    /// # Errors
    /// When messages are refused, or cannot be kept.
    pub fn register(
        &self,
        messages: Vec<HexBytes>,
        order: Option<u64>,
        once: bool,
    ) -> Result<Vec<MessageId>, BatcherError> {
        tracing::info!("Queueing {} messages", messages.len());
        let mut queue = self.lock();
        let known = |id: &OperationId| self.operations.lock().status(id).is_some();
        let ids = queue.register(messages, order, once.then_some(&known as &dyn Fn(&OperationId) -> bool))?;
        self.batch(&mut queue, true)?;
        Ok(ids)
    }

    /// Makes batches of all messages that wait.
    ///
    /// # Errors
    /// When they cannot be kept.
    pub fn batch_all(&self) -> Result<(), StoreError> {
        self.batch(&mut self.lock(), false)
    }

    /// Makes batches, and keeps everything that changed.
    fn batch(&self, messages: &mut MessageQueue, only_full: bool) -> Result<(), StoreError> {
        let started = Instant::now();
        let mut operations = self.operations.lock();
        let (mut batches, mut count) = (0, 0);
        while !operations.is_full()
            && let Some(batch) = messages.next_batch(only_full)
        {
            let order = batch.first().and_then(|message| message.order);
            let message = batch.iter().map(|message| message.content.clone()).collect();
            match operations.add(AddMessages { message }.into(), order) {
                Ok(id) => {
                    (batches, count) = (batches + 1, count + batch.len());
                    messages.batched(batch, id);
                }
                Err(full) => {
                    tracing::warn!("{full}: messages wait longer");
                    messages.put_back(batch);
                    break;
                }
            }
        }
        let made = Instant::now();
        let (operation_changes, message_changes) = (operations.take_changes(), messages.take_changes());
        if operation_changes.is_empty() && message_changes.waiting.is_empty() && message_changes.batched.is_empty() {
            return Ok(());
        }
        let kept = self.store.begin(Flush::Now).and_then(|transaction| {
            transaction.put_operations(&operation_changes)?;
            transaction.put_messages_to_batch(&message_changes)?;
            transaction.commit()
        });
        if kept.is_err() {
            operations.put_changes_back(&operation_changes);
            messages.put_changes_back(&message_changes);
        } else if batches > 0 {
            tracing::info!("Batched {count} messages in {batches} batches");
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = LastBatches {
                get_time: made.duration_since(started),
                keep_time: made.elapsed(),
                messages: count,
                batches,
                level: self.store.head()?.map_or(Level(0), |head| head.level),
                at: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
            };
        }
        kept
    }

    /// The last time batches were made.
    pub fn last_batches(&self) -> LastBatches {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Messages that wait, in order.
    pub fn waiting(&self) -> Vec<Message> {
        self.lock().waiting().cloned().collect()
    }

    /// Where a message stands, with its content; nothing when it is not known.
    pub fn status(&self, id: &MessageId) -> Option<(MessageStatus, HexBytes)> {
        let messages = self.lock();
        let pending = messages.message(id).map(|message| (MessageStatus::Pending, message.content.clone()));
        pending.or_else(|| {
            let batched = messages.in_batch(id)?;
            Some((MessageStatus::Batched(batched.operation), batched.content.clone()))
        })
    }

    /// Forgets messages that wait: those with an order up to this one, and those without if wanted. Without an order,
    /// everything.
    ///
    /// # Errors
    /// When that cannot be kept.
    pub fn forget(&self, order: Option<u64>, without_order: bool) -> Result<(), StoreError> {
        let mut messages = self.lock();
        match order {
            Some(order) => messages.remove(order, without_order),
            None => messages.clear(),
        }
        let changes = messages.take_changes();
        let kept = self.store.begin(Flush::Now).and_then(|transaction| {
            transaction.put_messages_to_batch(&changes)?;
            transaction.commit()
        });
        if kept.is_err() {
            messages.put_changes_back(&changes);
        }
        kept
    }

    /// Where an operation stands.
    pub fn operation_status(&self, id: &OperationId) -> Option<Status> {
        self.operations.lock().status(id)
    }
}

/// Bytes of messages, each with its length, that one operation can carry with its numbers as large as they can be.
fn protocol_batch_size() -> usize {
    const LARGEST: u64 = (1 << 62) - 1;
    let operation = ManagerOperation {
        source: PublicKeyHash { scheme: Scheme::Ed25519, hash: [0; 20] },
        fee: Mutez::MAX,
        counter: Nat(LARGEST),
        gas_limit: Nat((LARGEST - 1) / 1000),
        storage_limit: Nat(LARGEST),
        body: AddMessages { message: vec![HexBytes::default()] }.into(),
    };
    MAX_OPERATION_DATA - BlockHash::SIZE - operation.to_bytes().len() - SIGNATURE
}
