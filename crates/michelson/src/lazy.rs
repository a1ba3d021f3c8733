//! Big maps as the layer 1 stores them: what an execution changed, in the form of receipts (`lazy_storage_diff`), and
//! what that costs in storage (`spec/protocol.md` §2.5, §2.6).

use crate::context::Chain;
use serde::{Deserialize, Serialize};
use soru_tezos::codec::Encode;
use soru_tezos::hash::ScriptExprHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::number::Z;

/// Bytes a big map takes by existing.
pub const EMPTY_SIZE: i64 = 33;
/// Bytes the key of an entry takes, whatever the key.
pub const KEY_SIZE: i64 = 65;

/// One change to one big map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LazyStorageItem {
    /// Always `big_map` here.
    pub kind: LazyKind,
    /// The big map. Negative ids are temporary: they live until the end of the operation.
    pub id: Z,
    /// What happened to it.
    pub diff: BigMapDiff,
}

/// The kinds of lazy storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LazyKind {
    /// A big map.
    BigMap,
}

/// What happened to a big map, in the order in which it must be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum BigMapDiff {
    /// Entries changed.
    Update {
        /// The entries.
        updates: Vec<BigMapUpdate>,
    },
    /// It is gone.
    Remove,
    /// It began as a copy of another.
    Copy {
        /// The other.
        source: Z,
        /// Entries changed after that.
        updates: Vec<BigMapUpdate>,
    },
    /// It is new.
    Alloc {
        /// Its entries.
        updates: Vec<BigMapUpdate>,
        /// Type of keys.
        key_type: Micheline,
        /// Type of values.
        value_type: Micheline,
    },
}

/// A changed entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BigMapUpdate {
    /// Hash of the packed key.
    pub key_hash: ScriptExprHash,
    /// The key.
    pub key: Micheline,
    /// The new value; none when the entry was removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Micheline>,
}

/// By how many bytes each change grows the storage, in the order of `diffs`, for a chain on which none of them has been
/// applied. The sum over the items with ids that are not negative is what an operation pays for; the total of a big
/// map is the sum over its items without [`EMPTY_SIZE`].
pub fn growth(chain: &dyn Chain, diffs: &[LazyStorageItem]) -> Vec<i64> {
    diffs.iter().map(|item| item_growth(chain, item)).collect()
}

/// The paid growth of all changes together.
pub fn paid_growth(chain: &dyn Chain, diffs: &[LazyStorageItem]) -> i64 {
    let paid = diffs.iter().zip(growth(chain, diffs)).filter(|(item, _)| item.id.0.sign() != num_bigint::Sign::Minus);
    paid.fold(0, |sum, (_, grown)| sum.saturating_add(grown))
}

fn item_growth(chain: &dyn Chain, item: &LazyStorageItem) -> i64 {
    let size_of = |id: &Z| chain.big_map_size(id).unwrap_or(0);
    let entries = |source: Option<&Z>, updates: &[BigMapUpdate]| {
        updates.iter().fold(0i64, |sum, update| {
            let old = source.and_then(|id| chain.big_map_get(id, &update.key_hash)).map(|value| bytes(&value));
            let new = update.value.as_ref().map(bytes);
            let key = KEY_SIZE * (i64::from(new.is_some()) - i64::from(old.is_some()));
            sum.saturating_add(key + new.unwrap_or(0) - old.unwrap_or(0))
        })
    };
    match &item.diff {
        BigMapDiff::Remove => -(size_of(&item.id) + EMPTY_SIZE),
        BigMapDiff::Update { updates } => entries(Some(&item.id), updates),
        BigMapDiff::Copy { source, updates } => EMPTY_SIZE + size_of(source) + entries(Some(source), updates),
        BigMapDiff::Alloc { updates, .. } => EMPTY_SIZE + entries(None, updates),
    }
}

fn bytes(value: &Micheline) -> i64 {
    i64::try_from(value.to_bytes().len()).unwrap_or(i64::MAX)
}
