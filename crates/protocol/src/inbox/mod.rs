//! The shared inbox (`spec/protocol.md` §3): what each level holds, how levels are hashed into the history, and proofs
//! that a message stands at a place.

mod block;
mod level;
mod proof;
mod state;

pub use block::{messages_of_block, push_messages};
pub use level::{LevelInbox, LevelStart, MessageError, serialize};
pub use proof::{InboxProofError, Located, MessageProof, SerializedInboxProof, start_of};
pub use state::{first_inbox, history_hash, inbox_hash, next_inbox};

use crate::skip_list;
use soru_tezos::blake2b;
use soru_tezos::hash::{InboxMessageHash, PayloadHashesHash};
use soru_tezos::rollup::PayloadCell;

/// Hash of a serialized message.
pub fn message_hash(payload: &[u8]) -> InboxMessageHash {
    InboxMessageHash(blake2b::hash256(payload))
}

/// Pointer of a cell of a level's messages. It does not cover the index.
pub fn payload_cell_hash(cell: &PayloadCell) -> PayloadHashesHash {
    payload_hash(&cell.content, &cell.back_pointers)
}

fn payload_hash(content: &InboxMessageHash, back_pointers: &[PayloadHashesHash]) -> PayloadHashesHash {
    let mut parts: Vec<&[u8]> = Vec::with_capacity(1 + back_pointers.len());
    parts.push(&content.0);
    parts.extend(back_pointers.iter().map(|pointer| pointer.0.as_slice()));
    PayloadHashesHash(blake2b::digest(&parts))
}

/// All cells of a level, from the serialized messages in order.
pub fn payload_cells<'a>(payloads: impl IntoIterator<Item = &'a [u8]>) -> Vec<PayloadCell> {
    let mut cells: Vec<PayloadCell> = Vec::new();
    for payload in payloads {
        let content = message_hash(payload);
        let cell = match cells.last() {
            None => skip_list::first_cell(content),
            Some(last) => skip_list::next_cell(last, &payload_cell_hash(last), content),
        };
        cells.push(cell);
    }
    cells
}
