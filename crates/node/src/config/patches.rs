//! Unsafe changes of a private rollup's first state (`spec/node.md` §2, §4.7). Whoever makes them no longer computes what
//! layer 1 would: the rollup cannot be refuted by others any more, which is why a public one cannot have them.

use super::settings::ETHERLINK_MAINNET;
use serde::{Deserialize, Serialize};
use soru_pvm::durable::Key;
use soru_pvm::{Pvm, PvmError, Tick};
use soru_tezos::codec::HexBytes;
use soru_tezos::hash::SmartRollupAddress;
use std::fmt;

/// A change of the first state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PvmPatch {
    /// More ticks for a run of the kernel.
    #[serde(rename = "increase_max_nb_tick", with = "decimal")]
    MaxTicks(i64),
    /// A value in the durable storage.
    #[serde(rename = "patch_durable_storage")]
    Durable(DurablePatch),
}

/// A value in the durable storage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DurablePatch {
    /// Where.
    pub key: String,
    /// What.
    pub value: HexBytes,
}

/// A 64-bit number, in JSON a decimal string.
mod decimal {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for PvmPatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PvmPatch::MaxTicks(ticks) => write!(f, "Increase maximum number of ticks to {ticks}"),
            PvmPatch::Durable(DurablePatch { key, value }) => {
                write!(f, "Rewrites value at {key} with {}", hex::encode(&value.0))
            }
        }
    }
}

/// Why a change cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// Fewer ticks than before.
    #[error("Decreasing tick limit of WASM PVM from {from} to {to} is not allowed")]
    FewerTicks {
        /// The limit.
        from: u128,
        /// The limit asked for.
        to: i64,
    },
    /// Not a key.
    #[error("{key} is no key of the durable storage: {reason}")]
    Key {
        /// What was given.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// The state.
    #[error(transparent)]
    Pvm(#[from] PvmError),
}

impl PvmPatch {
    /// What the reference changes for a rollup whatever the user says: Etherlink on mainnet began as a private rollup, with
    /// more ticks than its protocol gave.
    pub fn of_rollup(rollup: &SmartRollupAddress) -> Vec<PvmPatch> {
        match rollup.to_base58().as_str() {
            ETHERLINK_MAINNET => vec![PvmPatch::MaxTicks(50_000_000_000_000)],
            _ => vec![],
        }
    }

    /// Changes a state.
    pub fn apply(&self, pvm: &mut Pvm) -> Result<(), PatchError> {
        match self {
            PvmPatch::MaxTicks(to) => {
                let from = pvm.state().max_nb_ticks.0;
                match u128::try_from(*to) {
                    Ok(ticks) if ticks >= from => pvm.set_max_ticks(Tick(ticks)),
                    _ => return Err(PatchError::FewerTicks { from, to: *to }),
                }
            }
            PvmPatch::Durable(DurablePatch { key, value }) => {
                let wrong =
                    |e: soru_pvm::durable::DurableError| PatchError::Key { key: key.clone(), reason: e.to_string() };
                pvm.set_value(&Key::parse(key.as_bytes()).map_err(wrong)?, &value.0)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use soru_pvm::{Parameters, Version};

    fn patch(json: serde_json::Value) -> PvmPatch {
        let patch: PvmPatch = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(&patch).unwrap(), json);
        patch
    }

    #[test]
    fn a_state_is_changed_where_it_says() {
        let version = Version::parse(b"2.0.0-r1").unwrap();
        let mut pvm = Pvm::originate(version, b"\0asm", Parameters::of_version(version)).unwrap();
        assert_eq!(pvm.state().max_nb_ticks, Tick(11_000_000_000));
        patch(json!({"increase_max_nb_tick": "50000000000000"})).apply(&mut pvm).unwrap();
        patch(json!({"patch_durable_storage": {"key": "/a/b", "value": "beef"}})).apply(&mut pvm).unwrap();
        let read = Pvm::from_tree(&pvm.tree().unwrap()).unwrap();
        assert_eq!(read.state().max_nb_ticks, Tick(50_000_000_000_000));
        let value = read.state().storage.durable.read(&Key::parse(b"/a/b").unwrap(), 0, 10).unwrap();
        assert_eq!(value, [0xbe, 0xef]);

        let fewer = patch(json!({"increase_max_nb_tick": "-1"})).apply(&mut pvm).unwrap_err().to_string();
        assert_eq!(fewer, "Decreasing tick limit of WASM PVM from 50000000000000 to -1 is not allowed");
        let key = patch(json!({"patch_durable_storage": {"key": "a", "value": ""}})).apply(&mut pvm).unwrap_err();
        assert!(matches!(key, PatchError::Key { .. }), "{key}");
        for wrong in [json!({"increase_max_nb_tick": 5}), json!({"other": "1"}), json!({"patch_durable_storage": {}})] {
            assert!(serde_json::from_value::<PvmPatch>(wrong).is_err());
        }
    }
}
