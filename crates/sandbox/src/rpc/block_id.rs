//! Names of blocks in RPC paths: `head`, `head~2`, `head-2`, a hash, a level, `genesis`, `checkpoint`, `savepoint`,
//! `caboose`, each with an offset towards genesis (`spec/protocol.md` §9.1).

use soru_tezos::hash::BlockHash;
use std::str::FromStr;

/// Where a block is looked for before going back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The newest block.
    Head,
    /// Block 0: also the savepoint and the caboose, as all history is kept.
    Genesis,
    /// The newest final block.
    Checkpoint,
    /// The block with this hash.
    Hash(BlockHash),
    /// The block of this level.
    Level(u32),
}

/// A block of the chain: an anchor and a number of blocks to go back from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockId {
    /// Where to start.
    pub anchor: Anchor,
    /// Blocks to go back; going beyond genesis ends there.
    pub back: u32,
}

impl FromStr for BlockId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (anchor, back) = match text.split_once(['~', '-']) {
            Some((anchor, back)) => (anchor, digits(back).ok_or(())?),
            None => (text, 0),
        };
        let anchor = match anchor {
            "head" => Anchor::Head,
            "genesis" | "savepoint" | "caboose" => Anchor::Genesis,
            "checkpoint" => Anchor::Checkpoint,
            other => match digits(other) {
                Some(level) => Anchor::Level(level),
                None => Anchor::Hash(other.parse().map_err(|_| ())?),
            },
        };
        Ok(BlockId { anchor, back })
    }
}

fn digits(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let hash = "BKrCRZRjtG85AtcLpqtNC3Q2MJf39nPU4PPFNmnDwCQXgFs77nd";
        let id = |anchor, back| Ok(BlockId { anchor, back });
        assert_eq!("head".parse(), id(Anchor::Head, 0));
        assert_eq!("head~2".parse(), id(Anchor::Head, 2));
        assert_eq!("head-9999".parse(), id(Anchor::Head, 9999));
        assert_eq!("genesis".parse(), id(Anchor::Genesis, 0));
        assert_eq!("12".parse(), id(Anchor::Level(12), 0));
        assert_eq!(format!("{hash}~3").parse(), id(Anchor::Hash(hash.parse().unwrap()), 3));
        for wrong in ["", "-1", "nonsense", "head~", "head~x", "BKiHLREq", "99999999999"] {
            assert_eq!(wrong.parse::<BlockId>(), Err(()), "{wrong}");
        }
    }
}
