//! A transaction: everything of one block at once, or nothing.

use super::records::{Mark, ProtocolRecord, Publication, StoredBlock, bytes_of_messages};
use super::tables::*;
use super::{Inner, NodeWriter, StoreError, decoded};
use bytes::Bytes;
use redb::{Durability, ReadableTable, WriteTransaction};
use soru_merkle::StoreId;
use soru_tezos::codec::Encode;
use soru_tezos::hash::{BlockHash, CommitmentHash, PayloadHashesHash};
use soru_tezos::rollup::{Commitment, Inbox};
use soru_tezos::scalar::Level;
use std::sync::{Arc, PoisonError};

/// When a committed transaction has reached the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// Before `commit` returns.
    Now,
    /// With the next transaction that is flushed at once. Until then the end of the process undoes it, and only it: the
    /// file stays at the last flushed block.
    Later,
}

/// A transaction. Dropped without [`Batch::commit`], it leaves no trace.
pub struct Batch {
    inner: Arc<Inner>,
    transaction: Option<WriteTransaction>,
}

impl Batch {
    pub(super) fn begin(inner: Arc<Inner>, flush: Flush) -> Result<Batch, StoreError> {
        let mut transaction = inner.database.begin_write()?;
        transaction.set_durability(match flush {
            Flush::Now => Durability::Immediate,
            Flush::Later => Durability::None,
        })?;
        Ok(Batch { inner, transaction: Some(transaction) })
    }

    pub(super) fn transaction(&self) -> Result<&WriteTransaction, StoreError> {
        self.transaction
            .as_ref()
            .ok_or_else(|| StoreError::Metadata { reason: "transaction already closed".to_owned() })
    }

    /// Where the nodes of a PVM state go.
    pub fn nodes(&self) -> Result<NodeWriter<'_>, StoreError> {
        Ok(NodeWriter { inner: &self.inner, id: self.inner.nodes_id(), table: self.transaction()?.open_table(NODES)? })
    }

    /// Keeps a block and the newest cell of its inbox's history.
    pub fn put_block(&self, block: &StoredBlock) -> Result<(), StoreError> {
        let transaction = self.transaction()?;
        transaction.open_table(BLOCKS)?.insert(&block.hash.0, block.to_bytes().as_slice())?;
        let Inbox { old_levels_messages: cell, .. } = &block.inbox;
        transaction.open_table(INBOX_CELLS)?.insert(&block.inbox_hash.0, cell.to_bytes().as_slice())?;
        Ok(())
    }

    /// Keeps the messages of a level.
    pub fn put_messages(&self, witness: &PayloadHashesHash, messages: &[Bytes]) -> Result<(), StoreError> {
        let bytes = bytes_of_messages(messages);
        self.transaction()?.open_table(MESSAGES)?.insert(&witness.0, bytes.as_slice())?;
        Ok(())
    }

    /// Makes a block the one of its level on the canonical chain.
    pub fn set_level(&self, level: Level, hash: &BlockHash) -> Result<(), StoreError> {
        self.transaction()?.open_table(LEVELS)?.insert(level.0, &hash.0)?;
        Ok(())
    }

    pub(super) fn set_mark(&self, name: &str, hash: [u8; 32], level: Level) -> Result<(), StoreError> {
        self.transaction()?.open_table(STATE)?.insert(name, Mark { hash, level }.to_bytes().as_slice())?;
        Ok(())
    }

    fn mark(&self, name: &str) -> Result<Option<Mark>, StoreError> {
        decoded("mark", self.transaction()?.open_table(STATE)?.get(name)?)
    }

    /// Makes a block the head.
    pub fn set_head(&self, hash: &BlockHash, level: Level) -> Result<(), StoreError> {
        self.set_mark(HEAD, hash.0, level)
    }

    /// Records what is final; never moves back.
    pub fn set_finalized(&self, hash: &BlockHash, level: Level) -> Result<(), StoreError> {
        match self.mark(FINALIZED)? {
            Some(mark) if mark.level >= level => Ok(()),
            _ => self.set_mark(FINALIZED, hash.0, level),
        }
    }

    /// Records the last cemented commitment; never moves back.
    pub fn set_cemented(&self, hash: &CommitmentHash, level: Level) -> Result<(), StoreError> {
        match self.mark(CEMENTED)? {
            Some(mark) if mark.level >= level => Ok(()),
            _ => self.set_mark(CEMENTED, hash.0, level),
        }
    }

    /// Records the last commitment published by the operator; never moves back.
    pub fn set_published(&self, hash: &CommitmentHash, level: Level) -> Result<(), StoreError> {
        match self.mark(PUBLISHED)? {
            Some(mark) if mark.level > level => Ok(()),
            _ => self.set_mark(PUBLISHED, hash.0, level),
        }
    }

    /// Keeps a commitment.
    pub fn put_commitment(&self, hash: &CommitmentHash, commitment: &Commitment) -> Result<(), StoreError> {
        self.transaction()?.open_table(COMMITMENTS)?.insert(&hash.0, commitment.to_bytes().as_slice())?;
        Ok(())
    }

    /// Records that a commitment was published at a level; `first` is the level of its first publication on layer 1.
    pub fn add_publication(&self, hash: &CommitmentHash, first: Level, own: Option<Level>) -> Result<(), StoreError> {
        let transaction = self.transaction()?;
        let mut table = transaction.open_table(PUBLICATIONS)?;
        let known: Option<Publication> = decoded("publication", table.get(&hash.0)?)?;
        let record = Publication {
            first: known.map_or(first, |known| known.first.min(first)),
            own: own.or(known.and_then(|known| known.own)),
        };
        table.insert(&hash.0, record.to_bytes().as_slice())?;
        Ok(())
    }

    /// Records from which level a protocol holds.
    pub fn put_protocol(&self, record: &ProtocolRecord) -> Result<(), StoreError> {
        self.transaction()?.open_table(PROTOCOLS)?.insert(record.first_level.0, record.to_bytes().as_slice())?;
        Ok(())
    }

    /// Keeps a game.
    pub fn put_game(&self, key: &[u8], game: &[u8]) -> Result<(), StoreError> {
        self.transaction()?.open_table(GAMES)?.insert(key, game)?;
        Ok(())
    }

    /// Forgets a game.
    pub fn remove_game(&self, key: &[u8]) -> Result<(), StoreError> {
        self.transaction()?.open_table(GAMES)?.remove(key)?;
        Ok(())
    }

    /// Makes all of it real.
    pub fn commit(mut self) -> Result<(), StoreError> {
        match self.transaction.take() {
            // on an error the nodes written are not there: the identity must change, as when dropped
            Some(transaction) => transaction.commit().map_err(|e| {
                self.forget_nodes();
                e.into()
            }),
            None => Ok(()),
        }
    }

    /// Trees that wrote into this transaction believe their nodes stored; a new identity makes them write again.
    fn forget_nodes(&self) {
        *self.inner.nodes_id.lock().unwrap_or_else(PoisonError::into_inner) = StoreId::fresh();
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if self.transaction.take().is_some() {
            self.forget_nodes();
        }
    }
}
