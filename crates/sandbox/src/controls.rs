//! What somebody who owns the chain has done to it besides blocks: how its clock differs, how often it was taken back, and
//! the snapshots it can be taken back to. Kept with the chain.

use serde::{Deserialize, Serialize};
use soru_tezos::hash::BlockHash;
use std::collections::BTreeMap;

/// Most snapshots that are kept; the oldest are forgotten.
pub const MAX_SNAPSHOTS: usize = 1_000;

/// A block the chain can be taken back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its number, from 1.
    pub id: u32,
    /// The level of the head.
    pub level: u32,
    /// The hash of the head.
    pub hash: BlockHash,
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controls {
    /// Seconds the clock of the chain is ahead of the machine's.
    pub ahead: i64,
    /// How often the chain was taken back.
    pub forks: u64,
    /// The number of the newest snapshot.
    pub last_snapshot: u32,
    /// The snapshots by number.
    pub snapshots: BTreeMap<u32, Snapshot>,
}

impl Controls {
    /// Adds a snapshot.
    pub fn add(&mut self, level: u32, hash: BlockHash) -> Snapshot {
        self.last_snapshot = self.last_snapshot.saturating_add(1);
        let snapshot = Snapshot { id: self.last_snapshot, level, hash };
        self.snapshots.insert(snapshot.id, snapshot);
        while self.snapshots.len() > MAX_SNAPSHOTS {
            self.snapshots.pop_first();
        }
        snapshot
    }

    /// Notes that the chain was taken back to a level.
    pub fn taken_back(&mut self, level: u32) {
        self.forks = self.forks.saturating_add(1);
        self.snapshots.retain(|_, snapshot| snapshot.level <= level);
    }
}
