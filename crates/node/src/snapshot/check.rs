//! What must hold of a store made of a snapshot, whoever made the snapshot: each block follows from the one before it, down to
//! the inbox and the commitments, and every node of every state is there and has its hash.

use super::{Header, SnapshotError};
use crate::store::{Restored, Store, StoredBlock};
use soru_protocol::inbox::{LevelInbox, inbox_hash, next_inbox};
use soru_tezos::scalar::Level;

fn wrong<T>(text: String) -> Result<T, SnapshotError> {
    Err(SnapshotError::Inconsistent(text))
}

/// Checks a store that goes up to `head`, the last level of the snapshot or one below.
pub(super) fn check(restored: &Restored, header: &Header, head: Level) -> Result<(), SnapshotError> {
    let store = restored.store();
    let metadata = store.metadata();
    if metadata.rollup_address != header.address {
        return wrong(format!(
            "its header is of rollup {}, its content of {}",
            header.address, metadata.rollup_address
        ));
    }
    if metadata.history_mode != header.history_mode {
        return wrong("its header tells another history mode than its content".to_owned());
    }
    let last = store.head()?.filter(|last| last.level == head);
    let Some(last) = last else { return wrong(format!("its last block is not at level {head}")) };
    if head == header.head_level && last.last_commitment() != header.last_commitment {
        return Err(SnapshotError::LastCommitment { found: last.last_commitment(), expected: header.last_commitment });
    }
    let first = store.first_available_level();
    let mut before: Option<StoredBlock> = None;
    for level in first.0..=head.0 {
        let level = Level(level);
        let Some(block) = store.block_of_level(level)?.filter(|block| block.level == level) else {
            return wrong(format!("Could not read L2 block of level {level} after import."));
        };
        check_block(store, &block, before.as_ref())?;
        before = Some(block);
    }
    if before.is_none_or(|before| before.hash != last.hash) {
        return wrong(format!("the block of level {head} is not its last block"));
    }
    check_marks(store, head)?;
    restored.check_bounds(head)?;
    restored.check_states().map_err(SnapshotError::States)
}

fn check_block(store: &Store, block: &StoredBlock, before: Option<&StoredBlock>) -> Result<(), SnapshotError> {
    let level = block.level;
    let genesis = store.metadata().genesis_info;
    let Some(payloads) = store.messages(&block.witness())? else {
        return wrong(format!("Could not read messages at {} after import.", block.hash));
    };
    let is_genesis = level == genesis.level;
    if payloads.len() as u64 != u64::from(block.message_count) {
        return wrong(format!("{} messages at level {level} instead of {}", payloads.len(), block.message_count));
    }
    // the messages of the rollup's first level are none of its own
    if !is_genesis {
        let witness = LevelInbox::of_payloads(payloads.into_iter().map(Vec::from)).witness();
        if witness != block.witness() {
            return wrong(format!(
                "Erroneous messages for level {level}: their hash is {witness} instead of {}",
                block.witness()
            ));
        }
    }
    let hash = inbox_hash(&block.inbox);
    if hash != block.inbox_hash || block.inbox.level != level {
        return wrong(format!("Erroneous inbox {hash} for level {level} instead of {}.", block.inbox_hash));
    }
    if store.inbox_cell(&block.inbox_hash)?.as_ref() != Some(&block.inbox.old_levels_messages) {
        return wrong(format!("Could not read inbox at {} after import.", block.hash));
    }
    if store.protocol_of_level(level)?.is_none_or(|record| record.protocol != block.protocol) {
        return wrong(format!("the protocol of level {level} is not {}", block.protocol));
    }
    if let Some(before) = before {
        let follows = block.predecessor == before.hash
            && block.inbox == next_inbox(&before.inbox, block.witness())
            && block.initial_tick == before.final_tick()
            && block.previous_commitment == before.last_commitment();
        if !follows {
            return wrong(format!("the block of level {level} does not follow from the one before"));
        }
    }
    match &block.commitment {
        Some(_) => check_commitment(store, block),
        None if is_genesis => wrong(format!("the rollup's first level {level} has no commitment")),
        None => Ok(()),
    }
}

fn check_commitment(store: &Store, block: &StoredBlock) -> Result<(), SnapshotError> {
    let (level, genesis) = (block.level, store.metadata().genesis_info);
    let Some(hash) = block.commitment else { return Ok(()) };
    let Some(commitment) = store.commitment(&hash)? else {
        return wrong(format!("Could not read commitment at {} after import.", block.hash));
    };
    // the first state of a private rollup may be patched
    if commitment.compressed_state != block.state_hash && level != genesis.level {
        return wrong(format!(
            "Erroneous state hash {} for level {level} instead of {}.",
            block.state_hash, commitment.compressed_state
        ));
    }
    if commitment.inbox_level != level {
        return wrong(format!(
            "Erroneous inbox level {} in commitment instead of level {level}.",
            commitment.inbox_level
        ));
    }
    if level == genesis.level {
        return match hash == genesis.commitment_hash {
            true => Ok(()),
            false => wrong(format!(
                "Erroneous commitment hash {hash} for level {level} instead of {}.",
                genesis.commitment_hash
            )),
        };
    }
    if commitment.predecessor != block.previous_commitment {
        return wrong(format!(
            "Erroneous previous commitment hash {} for level {level} instead of {}.",
            block.previous_commitment, commitment.predecessor
        ));
    }
    // the commitment before may be of a level that was collected
    let Some(previous) = store.commitment(&commitment.predecessor)? else { return Ok(()) };
    let Some(from) = store.block_of_level(previous.inbox_level)? else { return Ok(()) };
    let ticks = block.final_tick().since(from.final_tick()).0;
    match u128::try_from(commitment.number_of_ticks.0) {
        Ok(committed) if committed == ticks => Ok(()),
        _ => wrong(format!(
            "the commitment of level {level} has {} ticks instead of {ticks}",
            commitment.number_of_ticks
        )),
    }
}

/// What is final and cemented is in the snapshot.
fn check_marks(store: &Store, head: Level) -> Result<(), SnapshotError> {
    if store.finalized_level()?.is_some_and(|level| level > head) {
        return wrong("its final level is above its last".to_owned());
    }
    let Some((hash, level)) = store.last_cemented()? else { return Ok(()) };
    match store.block_of_level(level)?.and_then(|block| block.commitment) {
        Some(known) if known == hash => Ok(()),
        _ => wrong(format!("its last cemented commitment {hash} of level {level} is not in it")),
    }
}
