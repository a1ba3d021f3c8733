//! The history of the data availability layer's slots, as far as rollups see it: with the layer on but unused, one cell
//! a slot and level (`spec/protocol.md` §7.4, Appendix C).

use crate::constants::DalParametric;
use crate::skip_list;
use soru_tezos::blake2b;
use soru_tezos::codec::Encode;
use soru_tezos::number::N;
use soru_tezos::rollup::{DalCell, DalCellContent, DalPointerHash, DalSnapshot};
use soru_tezos::scalar::Level;

/// Pointer of a cell. It does not cover the index.
pub fn cell_hash(cell: &DalCell) -> DalPointerHash {
    let content = cell.content.to_bytes();
    let mut parts: Vec<&[u8]> = vec![&content];
    parts.extend(cell.back_pointers.iter().map(|pointer| pointer.0.as_slice()));
    DalPointerHash(blake2b::digest(&parts))
}

/// The snapshot after a block of `level` in which no slot was published; `before` is that of the block before. Nothing
/// changes while the layer is off.
#[must_use]
pub fn after_unused_level(before: &DalSnapshot, dal: &DalParametric, level: Level) -> DalSnapshot {
    let DalSnapshot::Cell(head) = before;
    let mut head = head.clone();
    if !dal.feature_enable {
        return DalSnapshot::Cell(head);
    }
    for index in 0..u8::try_from(dal.number_of_slots).unwrap_or(u8::MAX) {
        let content = DalCellContent::Unpublished { attestation_lag: Some(0), level, index };
        head = if head == DalCell::genesis() {
            // The first cell takes the place of the genesis.
            DalCell { index: N::from(0), content, back_pointers: Vec::new() }
        } else {
            let number = skip_list::small(&head.index);
            DalCell {
                index: N::from(number.saturating_add(1)),
                content,
                back_pointers: skip_list::next_pointers(number, &cell_hash(&head), &head.back_pointers),
            }
        };
    }
    DalSnapshot::Cell(head)
}

/// The snapshot of a chain that has not recorded any slot.
pub fn first_snapshot() -> DalSnapshot {
    DalSnapshot::Cell(DalCell::genesis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_genesis_pointer() {
        assert_eq!(
            cell_hash(&DalCell::genesis()).to_string(),
            "dask12DhktySKqYv8oBTxg7czioiYiVTXyNM8gKEE73hq8UscCbjwMt"
        );
    }
}
