//! The skip lists of the protocol, basis 4: which earlier cells a cell points to, the shortest path between two cells,
//! and the check that a path is that one (`spec/protocol.md` §3.3).

use num_bigint::BigUint;
use num_traits::One;
use soru_tezos::number::N;
use soru_tezos::rollup::SkipCell;
use std::collections::HashMap;
use std::hash::Hash;

const BASIS: u32 = 4;

/// The longest path between two cells whose indices fit 64 bits has fewer hops than this.
const MAX_HOPS: usize = 4 * 32;

/// Number of back pointers of the cell at `index`.
pub fn number_of_pointers(index: u64) -> usize {
    (0..32).take_while(|pointer| u128::from(BASIS).pow(*pointer) <= u128::from(index)).count()
}

/// Back pointers of the cell that follows a cell: `index`, `hash` and `back_pointers` are the predecessor's.
pub fn next_pointers<P: Clone>(index: u64, hash: &P, back_pointers: &[P]) -> Vec<P> {
    let next = index.saturating_add(1);
    (0..number_of_pointers(next))
        .map(|pointer| {
            let power = u128::from(BASIS).pow(pointer as u32);
            match back_pointers.get(pointer) {
                Some(older) if u128::from(next) % power != 0 => older.clone(),
                _ => hash.clone(),
            }
        })
        .collect()
}

/// The cell that follows a cell.
pub fn next_cell<C, D, P: Clone>(previous: &SkipCell<D, P>, hash: &P, content: C) -> SkipCell<C, P> {
    let index = small(&previous.index);
    SkipCell {
        index: N::from(index.saturating_add(1)),
        content,
        back_pointers: next_pointers(index, hash, &previous.back_pointers),
    }
}

/// An index as a machine number; indices of lists that exist are far below the largest.
pub fn small(index: &N) -> u64 {
    u64::try_from(&index.0).unwrap_or(u64::MAX)
}

/// The cell without predecessor.
pub fn first_cell<C, P>(content: C) -> SkipCell<C, P> {
    SkipCell { index: N::from(0), content, back_pointers: Vec::new() }
}

/// Which of its `count` back pointers the cell at `index` follows on the shortest path to `target`; `powers` is the
/// number of powers of the basis known, that of the path's first cell.
///
/// This is a binary search like the reference's. On cells whose index and number of pointers belong together it finds the
/// pointer to the smallest index not below the target; on forged cells what it finds decides what is accepted.
fn best_pointer(index: &BigUint, count: usize, target: &BigUint, powers: usize) -> Option<usize> {
    // Index that a pointer leads to, plus one.
    let landing = |pointer: usize| -> Option<BigUint> {
        if pointer >= powers {
            return None;
        }
        let power = BigUint::from(BASIS).pow(u32::try_from(pointer).ok()?);
        Some(index - index % power)
    };
    let target = target + BigUint::one();
    let (mut low, mut high) = (0usize, count.checked_sub(1)?);
    while low < high {
        let middle = low + (high - low) / 2;
        let lands = landing(middle)?;
        if lands == target {
            return Some(middle);
        }
        if lands < target {
            // Before the first pointer: the search ends on it.
            high = middle.saturating_sub(1);
            continue;
        }
        let further = landing(middle + 1)?;
        if further == target {
            return Some(middle + 1);
        }
        if further < target {
            return Some(middle);
        }
        low = middle + 1;
    }
    Some(low)
}

/// The shortest path from `head` to the cell at index `target`, both included, through the cells that `find` knows.
/// None when a cell is missing or the target lies above the head.
pub fn path_to<C, P>(
    head: SkipCell<C, P>,
    target: u64,
    mut find: impl FnMut(&P) -> Option<SkipCell<C, P>>,
) -> Option<Vec<SkipCell<C, P>>> {
    let powers = head.back_pointers.len();
    let target = BigUint::from(target);
    let mut path = vec![head];
    while path.len() <= MAX_HOPS {
        let cell = path.last()?;
        if cell.index.0 == target {
            return Some(path);
        }
        if cell.index.0 < target {
            return None;
        }
        let pointer = best_pointer(&cell.index.0, cell.back_pointers.len(), &target, powers)?;
        let next = find(cell.back_pointers.get(pointer)?)?;
        path.push(next);
    }
    None
}

/// Whether `cells`, hashed by `hash`, are the shortest path from the cell with hash `head` to the last of them.
pub fn is_path<C, P: Eq + Hash + Clone>(
    cells: &[SkipCell<C, P>],
    head: &P,
    hash: impl Fn(&SkipCell<C, P>) -> P,
) -> bool {
    let hashes: Vec<P> = cells.iter().map(hash).collect();
    // Two cells may share a hash, since it does not cover the index; the one further on counts.
    let by_hash: HashMap<&P, &SkipCell<C, P>> = hashes.iter().zip(cells).collect();
    let at = |hash: &P| by_hash.get(hash).copied();
    let (Some(first), Some(target_hash)) = (hashes.first(), hashes.last()) else { return false };
    if first != head {
        return false;
    }
    let (Some(first), Some(target)) = (at(head), at(target_hash)) else { return false };
    let powers = first.back_pointers.len();
    let target = &target.index.0;
    for pair in hashes.windows(2) {
        let Some(cell) = at(&pair[0]) else { return false };
        let best = best_pointer(&cell.index.0, cell.back_pointers.len(), target, powers);
        if best.and_then(|best| cell.back_pointers.get(best)) != Some(&pair[1]) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Cell = SkipCell<(), u64>;

    /// A list whose pointers are the indices themselves.
    fn list(length: u64) -> Vec<Cell> {
        let mut cells = vec![first_cell(())];
        for index in 1..length {
            let next = next_cell(&cells[index as usize - 1], &(index - 1), ());
            cells.push(next);
        }
        cells
    }

    fn index_of(cell: &Cell) -> u64 {
        small(&cell.index)
    }

    #[test]
    fn pointers_lead_where_the_definition_says() {
        for (index, cell) in list(2_000).iter().enumerate().skip(1) {
            let index = index as u64;
            let wanted: Vec<u64> =
                (0..).map(|i| 4u64.pow(i)).take_while(|power| *power <= index).map(|p| index - index % p - 1).collect();
            assert_eq!(cell.back_pointers, wanted, "cell {index}");
            assert_eq!(number_of_pointers(index), wanted.len());
        }
    }

    /// All paths from `from` to `target` that follow pointers, up to a number.
    fn walks(cells: &[Cell], from: u64, target: u64, limit: usize) -> Vec<Vec<u64>> {
        let mut done = Vec::new();
        let mut open = vec![vec![from]];
        while let Some(walk) = open.pop() {
            let last = walk[walk.len() - 1];
            if last == target {
                done.push(walk);
                if done.len() >= limit {
                    break;
                }
                continue;
            }
            let mut seen = Vec::new();
            for pointer in &cells[last as usize].back_pointers {
                if *pointer >= target && !seen.contains(pointer) {
                    seen.push(*pointer);
                    open.push(walk.iter().copied().chain([*pointer]).collect());
                }
            }
        }
        done
    }

    proptest! {
        #[test]
        fn the_shortest_path_is_accepted_and_no_other(head in 0u64..500, back in 0u64..500) {
            let target = head.saturating_sub(back);
            let cells = list(head + 1);
            let path = path_to(cells[head as usize].clone(), target, |p| cells.get(*p as usize).cloned()).unwrap();
            prop_assert!(is_path(&path, &head, index_of));
            let indices: Vec<u64> = path.iter().map(index_of).collect();
            for walk in walks(&cells, head, target, 200) {
                let walked: Vec<Cell> = walk.iter().map(|i| cells[*i as usize].clone()).collect();
                prop_assert_eq!(is_path(&walked, &head, index_of), walk == indices, "{:?}", walk);
                prop_assert!(walk.len() >= indices.len());
            }
        }

        #[test]
        fn broken_paths_are_refused(head in 2u64..500, back in 1u64..500, at in 0usize..20) {
            let target = head.saturating_sub(back);
            let cells = list(head + 2);
            let path = path_to(cells[head as usize].clone(), target, |p| cells.get(*p as usize).cloned()).unwrap();
            let at = at % path.len();
            let mut shorter = path.clone();
            shorter.remove(at);
            // Without its last cell a path is the path to an earlier target.
            prop_assert_eq!(is_path(&shorter, &head, index_of), at + 1 == path.len());
            prop_assert!(!is_path(&path, &(head + 1), index_of));
            let mut repeated = path.clone();
            repeated.insert(at, path[at].clone());
            prop_assert!(!is_path(&repeated, &head, index_of));
        }
    }

    #[test]
    fn nothing_is_no_path() {
        assert!(!is_path(&[] as &[Cell], &0, index_of));
        assert!(path_to(list(1)[0].clone(), 1, |_| None).is_none());
    }
}
