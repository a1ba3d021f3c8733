//! What the batcher and the injector hold (`spec/node.md` §4.12, §4.15): messages and operations survive the end of the
//! process, and a message moves into an operation in one transaction.

use super::tables::*;
use super::{Batch, Mark, Store, StoreError, read_mark};
use crate::batcher::{Batched, Message, MessageChanges};
use redb::{ReadableTable, WriteTransaction};
use soru_l1::injector::{CarrierRecord, Changes, Kept, OperationId, OperationRecord};
use soru_tezos::codec::{Decode, Encode};
use soru_tezos::hash::{BlockHash, OperationHash};
use soru_tezos::header::BlockRef;

/// What was kept of the batcher.
#[derive(Debug, Clone, Default)]
pub struct KeptMessages {
    /// The next message's number.
    pub counter: u64,
    /// Messages that wait.
    pub waiting: Vec<Message>,
    /// Messages in batches, by number of batching.
    pub batched: Vec<(u64, Batched)>,
}

pub(super) fn make_tables(transaction: &WriteTransaction) -> Result<(), StoreError> {
    transaction.open_table(OPERATIONS)?;
    transaction.open_table(CARRIERS)?;
    transaction.open_table(WAITING_MESSAGES)?;
    transaction.open_table(BATCHED_MESSAGES)?;
    transaction.open_table(COUNTERS)?;
    Ok(())
}

impl Batch {
    /// Keeps what changed in a queue of the injector.
    pub fn put_operations(&self, changes: &Changes) -> Result<(), StoreError> {
        let transaction = self.transaction()?;
        let mut table = transaction.open_table(OPERATIONS)?;
        for (id, record) in &changes.operations {
            match record {
                Some(record) => drop(table.insert(&id.0, record.to_bytes().as_slice())?),
                None => drop(table.remove(&id.0)?),
            }
        }
        let mut table = transaction.open_table(CARRIERS)?;
        for (hash, record) in &changes.carriers {
            match record {
                Some(record) => drop(table.insert(&hash.0, record.to_bytes().as_slice())?),
                None => drop(table.remove(&hash.0)?),
            }
        }
        self.raise(ARRIVALS, changes.arrivals)
    }

    /// Keeps what changed in the batcher.
    pub fn put_messages_to_batch(&self, changes: &MessageChanges) -> Result<(), StoreError> {
        let transaction = self.transaction()?;
        let mut table = transaction.open_table(WAITING_MESSAGES)?;
        for (id, message) in &changes.waiting {
            match message {
                Some(message) => drop(table.insert(&id.0, message.to_bytes().as_slice())?),
                None => drop(table.remove(&id.0)?),
            }
        }
        let mut table = transaction.open_table(BATCHED_MESSAGES)?;
        for (number, batched) in &changes.batched {
            match batched {
                Some(batched) => drop(table.insert(number, batched.to_bytes().as_slice())?),
                None => drop(table.remove(number)?),
            }
        }
        self.raise(MESSAGE_COUNTER, changes.counter)
    }

    /// Sets a counter, which never goes back.
    fn raise(&self, name: &str, value: u64) -> Result<(), StoreError> {
        let mut table = self.transaction()?.open_table(COUNTERS)?;
        let known = table.get(name)?.map_or(0, |value| value.value());
        table.insert(name, value.max(known))?;
        Ok(())
    }

    /// Records the last block in which the injector looked for its operations.
    pub fn set_injector_head(&self, head: BlockRef) -> Result<(), StoreError> {
        self.set_mark(INJECTOR_HEAD, head.hash.0, head.level)
    }
}

impl Store {
    /// Operations of the injector that were kept.
    pub fn kept_operations(&self) -> Result<Kept, StoreError> {
        let view = self.view()?;
        let mut kept = Kept { arrivals: self.counter(ARRIVALS)?, ..Kept::default() };
        for entry in view.open_table(OPERATIONS)?.iter()? {
            let (id, record) = entry?;
            let record = OperationRecord::from_bytes(record.value())
                .map_err(|e| StoreError::damaged("operation to inject", e))?;
            kept.operations.push((OperationId(*id.value()), record));
        }
        for entry in view.open_table(CARRIERS)?.iter()? {
            let (hash, record) = entry?;
            let record =
                CarrierRecord::from_bytes(record.value()).map_err(|e| StoreError::damaged("signed operation", e))?;
            kept.carriers.push((OperationHash(*hash.value()), record));
        }
        Ok(kept)
    }

    /// Messages of the batcher that were kept.
    pub fn kept_messages(&self) -> Result<KeptMessages, StoreError> {
        let view = self.view()?;
        let mut kept = KeptMessages { counter: self.counter(MESSAGE_COUNTER)?, ..KeptMessages::default() };
        for entry in view.open_table(WAITING_MESSAGES)?.iter()? {
            let message =
                Message::from_bytes(entry?.1.value()).map_err(|e| StoreError::damaged("waiting message", e))?;
            kept.waiting.push(message);
        }
        for entry in view.open_table(BATCHED_MESSAGES)?.iter()? {
            let (number, batched) = entry?;
            let batched =
                Batched::from_bytes(batched.value()).map_err(|e| StoreError::damaged("batched message", e))?;
            kept.batched.push((number.value(), batched));
        }
        Ok(kept)
    }

    fn counter(&self, name: &str) -> Result<u64, StoreError> {
        Ok(self.view()?.open_table(COUNTERS)?.get(name)?.map_or(0, |value| value.value()))
    }

    /// The last block in which the injector looked for its operations.
    pub fn injector_head(&self) -> Result<Option<BlockRef>, StoreError> {
        let mark = read_mark(&self.view()?, INJECTOR_HEAD)?;
        Ok(mark.map(|Mark { hash, level }| BlockRef { level, hash: BlockHash(hash) }))
    }
}
