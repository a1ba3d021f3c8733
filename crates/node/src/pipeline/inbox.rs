//! Second station: from a level's messages to its inbox (`spec/node.md` §4.5, `spec/protocol.md` §3).

use bytes::Bytes;
use soru_protocol::inbox::{LevelInbox, LevelStart, MessageError, inbox_hash, next_inbox};
use soru_tezos::hash::InboxHash;
use soru_tezos::rollup::{Inbox, InboxMessage};

/// A level of the inbox.
#[derive(Debug, Clone)]
pub struct LevelMessages {
    /// The inbox after the level.
    pub inbox: Inbox,
    /// Its hash.
    pub hash: InboxHash,
    /// All serialized messages, from the start to the end of the level.
    pub payloads: Vec<Bytes>,
}

/// Puts the protocol's own messages around those of the operations and appends the level to the inbox before.
pub fn append(before: &Inbox, start: &LevelStart, messages: &[InboxMessage]) -> Result<LevelMessages, MessageError> {
    let mut level = LevelInbox::start(start);
    messages.iter().try_for_each(|message| level.add(message))?;
    level.end();
    let inbox = next_inbox(before, level.witness());
    let hash = inbox_hash(&inbox);
    Ok(LevelMessages { inbox, hash, payloads: level.into_payloads().into_iter().map(Bytes::from).collect() })
}
