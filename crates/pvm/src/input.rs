//! What the machine sees in an inbox message (`spec/pvm.md` §6.1): only its first bytes.

use crate::version::Version;
use soru_tezos::codec::{Decode, Reader};
use soru_tezos::hash::BlockHash;

/// The kind of an inbox message, as far as the PVM distinguishes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// `00 00 …`: a transfer from a contract.
    Transfer,
    /// `00 01`: the first message of a level.
    StartOfLevel,
    /// `00 02`: the last message of a level.
    EndOfLevel,
    /// `00 03 …`: timestamp and predecessor of the level.
    InfoPerLevel,
    /// `00 04` and the name of a protocol the machine knows: sets the version.
    ProtocolMigration(Version),
    /// `00 04` and bytes that are no name at all: an exception in the reference. No layer 1 makes such a message.
    MalformedMigration,
    /// `00 05 …`: attested DAL slots.
    DalAttestedSlots,
    /// `01 …`: an external message.
    External,
    /// Anything else. It is kept for the kernel all the same.
    Other,
}

impl InputKind {
    /// The kind of `message`.
    pub fn of(message: &[u8]) -> InputKind {
        match message {
            [0, 0, ..] => InputKind::Transfer,
            [0, 1] => InputKind::StartOfLevel,
            [0, 2] => InputKind::EndOfLevel,
            [0, 3, ..] => InputKind::InfoPerLevel,
            [0, 4, name @ ..] if !name.is_empty() => InputKind::of_migration(name),
            [0, 5, ..] => InputKind::DalAttestedSlots,
            [1, ..] => InputKind::External,
            _ => InputKind::Other,
        }
    }

    fn of_migration(bytes: &[u8]) -> InputKind {
        let mut reader = Reader::new(bytes);
        let name = reader.dynamic("protocol name").and_then(|name| reader.finish("protocol name").map(|()| name));
        match name.map(Version::set_by_migration) {
            Ok(Some(version)) => InputKind::ProtocolMigration(version),
            Ok(None) => InputKind::Other,
            Err(_) => InputKind::MalformedMigration,
        }
    }
}

/// The message that opens a level.
pub const START_OF_LEVEL: [u8; 2] = [0, 1];

/// The message that closes a level and sets the machine going.
pub const END_OF_LEVEL: [u8; 2] = [0, 2];

/// The message with the time (seconds since 1970) and hash of the predecessor block.
pub fn info_per_level(predecessor_timestamp: i64, predecessor: &BlockHash) -> Vec<u8> {
    let mut message = vec![0, 3];
    message.extend_from_slice(&predecessor_timestamp.to_be_bytes());
    message.extend_from_slice(&predecessor.0);
    message
}

/// The message that announces the activation of the protocol called `name`.
pub fn protocol_migration(name: &str) -> Vec<u8> {
    let mut message = vec![0, 4];
    soru_tezos::codec::put_dynamic(&mut message, name.as_bytes());
    message
}

/// Place of a message in the stream of inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct InputPlace {
    /// Inbox level.
    pub level: soru_tezos::scalar::Level,
    /// Number within the level, from 0.
    pub counter: u64,
}

impl InputPlace {
    /// Bytes of the leaf `wasm/input`: `int32` level and `n` counter.
    pub fn to_leaf(self) -> Vec<u8> {
        let mut leaf = self.level.0.to_be_bytes().to_vec();
        crate::encoding::put_natural(&mut leaf, self.counter.into());
        leaf
    }

    /// Reads the leaf back.
    pub fn of_leaf(bytes: &[u8]) -> soru_tezos::codec::Decoded<InputPlace> {
        crate::encoding::exactly(bytes, "last input", |reader| {
            let level = soru_tezos::scalar::Level::decode(reader)?;
            let at = reader.clone();
            let counter = crate::encoding::read_natural(reader, "message counter")?;
            let counter =
                u64::try_from(counter).map_err(|_| at.error("message counter", soru_tezos::codec::Problem::Number))?;
            Ok(InputPlace { level, counter })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_follow_the_first_bytes() {
        let kinds: [(&[u8], InputKind); 14] = [
            (&[], InputKind::Other),
            (&[0], InputKind::Other),
            (&[0, 0], InputKind::Transfer),
            (&[0, 1], InputKind::StartOfLevel),
            (&[0, 1, 0], InputKind::Other),
            (&[0, 2], InputKind::EndOfLevel),
            (&[0, 2, 9], InputKind::Other),
            (&[0, 3], InputKind::InfoPerLevel),
            (&[0, 4], InputKind::Other),
            (&[0, 4, 0], InputKind::MalformedMigration),
            (&[0, 5, 7], InputKind::DalAttestedSlots),
            (&[0, 6], InputKind::Other),
            (&[1], InputKind::External),
            (&[2], InputKind::Other),
        ];
        for (message, kind) in kinds {
            assert_eq!(InputKind::of(message), kind, "{message:?}");
        }
        assert_eq!(InputKind::of(&protocol_migration("oxford_018")), InputKind::ProtocolMigration(Version::V2));
        assert_eq!(InputKind::of(&protocol_migration("lima_015")), InputKind::Other);
    }
}
