//! The inbox as the layer 1 stores it: the newest cell of the history of levels (`spec/protocol.md` §3.5).

use super::level::{LevelInbox, LevelStart};
use crate::skip_list;
use soru_tezos::blake2b;
use soru_tezos::hash::{InboxHash, PayloadHashesHash};
use soru_tezos::rollup::{HistoryCell, Inbox, LevelProof};
use soru_tezos::scalar::Level;

/// Pointer of a cell of the history. It does not cover the index, and the level as decimal digits.
pub fn history_hash(cell: &HistoryCell) -> InboxHash {
    let level = cell.content.level.0.to_string();
    let mut parts: Vec<&[u8]> = Vec::with_capacity(2 + cell.back_pointers.len());
    parts.push(&cell.content.hash.0);
    parts.push(level.as_bytes());
    parts.extend(cell.back_pointers.iter().map(|pointer| pointer.0.as_slice()));
    InboxHash(blake2b::digest(&parts))
}

/// Hash of an inbox: of the newest cell of its history.
pub fn inbox_hash(inbox: &Inbox) -> InboxHash {
    history_hash(&inbox.old_levels_messages)
}

/// The inbox and the messages of a chain's first level, that of the block that activates the protocol. By a quirk of
/// the protocol `start.predecessor_timestamp` is there the time of the activating block itself, and the migration message
/// belongs to it although the next block repeats it (`spec/protocol.md` §3.2).
pub fn first_inbox(level: Level, start: &LevelStart) -> (Inbox, LevelInbox) {
    let mut messages = LevelInbox::start(start);
    messages.end();
    let content = LevelProof { hash: messages.witness(), level };
    (Inbox { level, old_levels_messages: skip_list::first_cell(content) }, messages)
}

/// The inbox after one more level with that witness.
#[must_use]
pub fn next_inbox(inbox: &Inbox, witness: PayloadHashesHash) -> Inbox {
    let level = inbox.level.after(1);
    let content = LevelProof { hash: witness, level };
    let cell = skip_list::next_cell(&inbox.old_levels_messages, &inbox_hash(inbox), content);
    Inbox { level, old_levels_messages: cell }
}
