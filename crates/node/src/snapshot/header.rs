//! The header of a snapshot (`spec/node.md` §4.14): the same 58 bytes as the reference's.

use crate::config::HistoryMode;
use soru_tezos::codec::{Decode, Decoded, Encode, Problem, Reader};
use soru_tezos::hash::{CommitmentHash, SmartRollupAddress};
use soru_tezos::scalar::Level;

/// Bytes of a header.
pub(super) const LENGTH: usize = 58;

/// What a snapshot is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Of the node that exported it.
    pub history_mode: HistoryMode,
    /// The rollup.
    pub address: SmartRollupAddress,
    /// The last level in it.
    pub head_level: Level,
    /// The last commitment up to that level.
    pub last_commitment: CommitmentHash,
}

impl Encode for Header {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(0);
        out.push(match self.history_mode {
            HistoryMode::Archive => 0,
            HistoryMode::Full => 1,
        });
        self.address.encode(out);
        self.head_level.encode(out);
        self.last_commitment.encode(out);
    }
}

impl Decode for Header {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let mut tag = |what, most| match reader.byte(what)? {
            tag if tag > most => Err(reader.error(what, Problem::Tag(tag))),
            tag => Ok(tag),
        };
        tag("version of a snapshot", 0)?;
        let history_mode = if tag("history mode", 1)? == 0 { HistoryMode::Archive } else { HistoryMode::Full };
        Ok(Header {
            history_mode,
            address: Decode::decode(reader)?,
            head_level: Decode::decode(reader)?,
            last_commitment: Decode::decode(reader)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The first bytes of a snapshot of the reference, and what it says of them.
    #[test]
    fn the_header_is_the_reference_s() {
        let bytes = hex::decode(
            "000145dc979cb280ec902b8199c3908327ba3c38dc1d0000002715c0f365eadd645761e53c5c2cffd3335ac2a6eee2f739cb767989e15e9c5bf9",
        )
        .unwrap();
        assert_eq!(bytes.len(), LENGTH);
        let header = Header::from_bytes(&bytes).unwrap();
        assert_eq!((header.history_mode, header.head_level), (HistoryMode::Full, Level(39)));
        assert_eq!(header.to_bytes(), bytes);
        assert!(Header::from_bytes(&bytes[..57]).is_err());
        for (place, value) in [(0, 1), (1, 2)] {
            let mut other = bytes.clone();
            other[place] = value;
            assert!(Header::from_bytes(&other).is_err());
        }
    }
}
