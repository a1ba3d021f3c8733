//! Outboxes: the indexes of each level's messages, and what layer 1 executed of them (`spec/node.md` §4.11).

use super::batch::Batch;
use super::collect::{CollectError, Collection, Removed, TOGETHER, pause};
use super::records::{Execution, OutboxRecord};
use super::tables::*;
use super::{Store, StoreError, decoded, read_mark};
use redb::{ReadTransaction, ReadableTable};
use soru_tezos::codec::{Decode, Encode};
use soru_tezos::hash::BlockHash;
use soru_tezos::header::BlockRef;
use soru_tezos::scalar::Level;
use std::ops::RangeInclusive;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

impl Store {
    /// The outbox messages of a level and those executed on the canonical chain.
    pub fn outbox(&self, level: Level) -> Result<Option<OutboxRecord>, StoreError> {
        let view = self.view()?;
        let record = decoded("outbox record", view.open_table(OUTBOX)?.get(level.0)?)?;
        record.map(|record| on_chain(&view, record)).transpose()
    }

    /// The outboxes of some levels that are known, in order.
    pub fn outboxes(&self, levels: RangeInclusive<Level>) -> Result<Vec<(Level, OutboxRecord)>, StoreError> {
        if levels.is_empty() {
            return Ok(vec![]);
        }
        let view = self.view()?;
        let table = view.open_table(OUTBOX)?;
        let known = table.range(levels.start().0..=levels.end().0)?.map(|entry| {
            let (level, bytes) = entry?;
            Ok((Level(level.value()), on_chain(&view, record(bytes.value())?)?))
        });
        known.collect()
    }

    /// Those that have messages that were not executed.
    pub fn pending_outboxes(&self, levels: RangeInclusive<Level>) -> Result<Vec<(Level, OutboxRecord)>, StoreError> {
        let mut outboxes = self.outboxes(levels)?;
        outboxes.retain(|(_, record)| record.pending().next().is_some());
        Ok(outboxes)
    }
}

fn record(bytes: &[u8]) -> Result<OutboxRecord, StoreError> {
    OutboxRecord::from_bytes(bytes).map_err(|e| StoreError::damaged("outbox record", e))
}

/// A record without the executions of blocks that layer 1 has left. Of a level that is no longer known they count.
pub(super) fn on_chain(view: &ReadTransaction, mut record: OutboxRecord) -> Result<OutboxRecord, StoreError> {
    if record.executed.is_empty() {
        return Ok(record);
    }
    let head = read_mark(view, HEAD)?.map_or(Level(i32::MAX), |mark| mark.level);
    let levels = view.open_table(LEVELS)?;
    let mut executed = vec![];
    for execution in record.executed {
        if execution.block.level <= head && is_canonical(&levels, &execution)? {
            executed.push(execution);
        }
    }
    record.executed = executed;
    Ok(record)
}

fn is_canonical(
    levels: &impl ReadableTable<i32, &'static [u8; 32]>,
    execution: &Execution,
) -> Result<bool, StoreError> {
    let known = levels.get(execution.block.level.0)?.map(|hash| BlockHash(*hash.value()));
    Ok(known.is_none_or(|known| known == execution.block.hash))
}

impl Batch {
    /// Replaces the indexes of a level's outbox messages; what was executed stays known.
    pub fn set_outbox(&self, level: Level, messages: Vec<u32>) -> Result<(), StoreError> {
        let transaction = self.transaction()?;
        let mut table = transaction.open_table(OUTBOX)?;
        let known: Option<OutboxRecord> = decoded("outbox record", table.get(level.0)?)?;
        match (messages.is_empty(), known) {
            (true, None) => {}
            (true, Some(_)) => drop(table.remove(level.0)?),
            (false, known) => {
                let executed = known.map(|known| known.executed).unwrap_or_default();
                table.insert(level.0, OutboxRecord { messages, executed }.to_bytes().as_slice())?;
            }
        }
        Ok(())
    }

    /// Marks an outbox message as executed on layer 1, in a block.
    pub fn set_executed(&self, level: Level, index: u32, block: BlockRef) -> Result<(), StoreError> {
        let transaction = self.transaction()?;
        let mut table = transaction.open_table(OUTBOX)?;
        let mut record: OutboxRecord = decoded("outbox record", table.get(level.0)?)?.unwrap_or_default();
        let execution = Execution { index, block };
        if !record.executed.contains(&execution) {
            record.executed.push(execution);
        }
        table.insert(level.0, record.to_bytes().as_slice())?;
        Ok(())
    }

    /// Puts other executions in the place of all those known of a level's outbox.
    pub fn replace_executions(&self, level: Level, executed: Vec<Execution>) -> Result<(), StoreError> {
        let transaction = self.transaction()?;
        let mut table = transaction.open_table(OUTBOX)?;
        let known: Option<OutboxRecord> = decoded("outbox record", table.get(level.0)?)?;
        if let Some(known) = known {
            table.insert(level.0, OutboxRecord { executed, ..known }.to_bytes().as_slice())?;
        }
        Ok(())
    }
}

impl Collection {
    /// Forgets executions by blocks below the target that layer 1 has left, which cannot be told from others once the levels
    /// are gone; and the outboxes before the first active one of which everything was executed. What was not executed stays,
    /// although it is lost: the reference tells of it for ever.
    pub(super) fn settle_outboxes(&self, removed: &mut Removed, cancelled: &AtomicBool) -> Result<(), CollectError> {
        let mut next = Some(i32::MIN);
        while let Some(first) = next {
            Self::go_on(cancelled)?;
            let started = Instant::now();
            let transaction = self.inner.database.begin_write()?;
            let mut changed = vec![];
            next = None;
            {
                let levels = transaction.open_table(LEVELS)?;
                let mut table = transaction.open_table(OUTBOX)?;
                for entry in table.range(first..)?.take(TOGETHER) {
                    let (level, bytes) = entry?;
                    let before = record(bytes.value())?;
                    next = level.value().checked_add(1);
                    let mut executed = vec![];
                    for execution in &before.executed {
                        if execution.block.level >= self.target || is_canonical(&levels, execution)? {
                            executed.push(*execution);
                        }
                    }
                    let after = OutboxRecord { executed, ..before.clone() };
                    let is_final = after.executed.iter().all(|execution| execution.block.level < self.target);
                    if level.value() < self.first_active.0 && is_final && after.pending().next().is_none() {
                        changed.push((level.value(), None));
                    } else if after != before {
                        changed.push((level.value(), Some(after)));
                    }
                }
                for (level, after) in &changed {
                    match after {
                        Some(after) => drop(table.insert(level, after.to_bytes().as_slice())?),
                        None => {
                            table.remove(level)?;
                            removed.outboxes += 1;
                        }
                    }
                }
            }
            if changed.is_empty() {
                transaction.abort()?
            } else {
                transaction.commit()?
            }
            pause(started);
        }
        Ok(())
    }
}
