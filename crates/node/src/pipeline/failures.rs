//! Planned failures: what `--loser-mode` does to a level, so that games can be tested (`spec/node.md` §13.2).

use crate::config::LoserMode;
use bytes::Bytes;
use soru_tezos::scalar::Level;

/// The payload that takes the place of an honest one.
const CORRUPTED: &[u8] = b"\x01to the cheater we promise pain and misery";

/// What is planned for one level.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LevelFailures {
    /// Indexes of messages that are replaced.
    corrupted: Vec<u32>,
    /// Index of the message after which the state is spoilt.
    pub spoilt_after: Option<u64>,
}

impl LevelFailures {
    /// The failures of a plan that concern a level.
    pub fn of(plan: &LoserMode, level: Level) -> LevelFailures {
        let mut failures = LevelFailures::default();
        for point in plan.points().iter().filter(|point| point.level == level.0) {
            // at which tick of the message does not matter, unless it is the input itself
            if point.message_tick.bytes().all(|digit| digit == b'0') {
                failures.corrupted.push(point.message_index);
            } else {
                failures.spoilt_after.get_or_insert(u64::from(point.message_index));
            }
        }
        failures
    }

    /// Whether the level is evaluated as it should be.
    pub fn is_none(&self) -> bool {
        *self == LevelFailures::default()
    }

    /// Replaces the payloads that are planned to be wrong.
    pub fn corrupt(&self, payloads: &mut [Bytes]) {
        for index in &self.corrupted {
            if let Some(payload) = payloads.get_mut(*index as usize) {
                *payload = Bytes::from_static(CORRUPTED);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_level() {
        let plan: LoserMode = "3 0 0 5 7 11_000_000_001 3 2 00".parse().unwrap();
        let failures = LevelFailures::of(&plan, Level(3));
        assert_eq!(failures.spoilt_after, None);
        let mut payloads = vec![Bytes::from_static(b"honest"); 3];
        failures.corrupt(&mut payloads);
        assert_eq!(payloads, [CORRUPTED, b"honest", CORRUPTED]);
        assert_eq!(LevelFailures::of(&plan, Level(5)).spoilt_after, Some(7));
        assert!(LevelFailures::of(&plan, Level(4)).is_none());
    }
}
