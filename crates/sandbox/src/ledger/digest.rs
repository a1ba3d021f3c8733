//! The hash of a ledger: the sum, modulo 2²⁵⁶, of the BLAKE2b-256 of each of its entries. It does not depend on the
//! order of changes, and a block updates it for the entries it changed only.

use super::Ledger;
use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use serde::Serialize;
use soru_protocol::Rollup;
use soru_tezos::blake2b;
use soru_tezos::hash::ContextHash;
use soru_tezos::scalar::Level;
use std::fmt::Display;

/// A sum of hashes of entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest([u64; 4]);

impl Digest {
    fn add(&mut self, entry: [u8; 32]) {
        let mut carry = false;
        for (word, bytes) in self.0.iter_mut().zip(entry.chunks_exact(8)) {
            let (sum, over) = word.overflowing_add(word_of(bytes));
            let (sum, more) = sum.overflowing_add(u64::from(carry));
            (*word, carry) = (sum, over || more);
        }
    }

    fn remove(&mut self, entry: [u8; 32]) {
        let mut borrow = false;
        for (word, bytes) in self.0.iter_mut().zip(entry.chunks_exact(8)) {
            let (rest, under) = word.overflowing_sub(word_of(bytes));
            let (rest, more) = rest.overflowing_sub(u64::from(borrow));
            (*word, borrow) = (rest, under || more);
        }
    }

    /// The hash of the state after the block at `level`.
    pub fn context_hash(&self, level: Level) -> ContextHash {
        let mut bytes = Vec::with_capacity(36);
        self.0.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        bytes.extend(level.0.to_be_bytes());
        ContextHash(blake2b::hash256(&bytes))
    }

    /// Accounts for the difference between two versions of a table.
    fn update<K: Ord + Clone + Display, V: Clone + PartialEq + Serialize>(
        &mut self,
        table: &str,
        before: &OrdMap<K, V>,
        after: &OrdMap<K, V>,
    ) {
        if before.ptr_eq(after) {
            return;
        }
        for change in before.diff(after) {
            match change {
                DiffItem::Add(key, value) => self.add(entry(table, key, value)),
                DiffItem::Remove(key, value) => self.remove(entry(table, key, value)),
                DiffItem::Update { old, new } => {
                    self.remove(entry(table, old.0, old.1));
                    self.add(entry(table, new.0, new.1));
                }
            }
        }
    }
}

fn word_of(bytes: &[u8]) -> u64 {
    bytes.try_into().map(u64::from_le_bytes).unwrap_or_default()
}

fn entry(table: &str, key: &impl Display, value: &impl Serialize) -> [u8; 32] {
    let mut bytes = format!("{table}/{key}=").into_bytes();
    // plain data always serializes; a table that did not would be missing from the hash, which no block could notice
    if serde_json::to_writer(&mut bytes, value).is_err() {
        bytes.extend(b"?");
    }
    blake2b::hash256(&bytes)
}

/// The sum for a whole ledger.
pub fn of_all(ledger: &Ledger) -> Digest {
    let mut digest = Digest::default();
    tables(&mut digest, None, ledger);
    digest
}

/// The sum after a block, from that before it.
pub fn after(before: &Ledger, after: &Ledger) -> Digest {
    let mut digest = before.digest;
    tables(&mut digest, Some(before), after);
    digest
}

fn tables(digest: &mut Digest, before: Option<&Ledger>, after: &Ledger) {
    macro_rules! table {
        ($($name:ident),* $(,)?) => {$(
            digest.update(stringify!($name), before.map_or(&OrdMap::new(), |ledger| &ledger.$name), &after.$name);
        )*};
    }
    table!(accounts, contracts, big_maps, big_map_entries, tickets, global_constants, addresses);
    let no_rollups = OrdMap::new();
    for change in before.map_or(&no_rollups, |ledger| &ledger.rollups).diff(&after.rollups) {
        // a rollup is the rules' own state; its written-out form names every part of it
        let text = |rollup: &Rollup| entry("rollups", &rollup.address, &format!("{rollup:?}"));
        match change {
            DiffItem::Add(_, rollup) => digest.add(text(rollup)),
            DiffItem::Remove(_, rollup) => digest.remove(text(rollup)),
            DiffItem::Update { old, new } => {
                digest.remove(text(old.1));
                digest.add(text(new.1));
            }
        }
    }
    let singles = |ledger: &Ledger| {
        let numbers = (ledger.global_counter, ledger.next_big_map, ledger.ticket_space);
        entry("single", &"values", &(numbers, &ledger.inbox, &ledger.dal))
    };
    if let Some(before) = before {
        digest.remove(singles(before));
    }
    digest.add(singles(after));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{Baker, ChainStart};
    use crate::config::SandboxConfig;
    use soru_tezos::contract::Contract;
    use soru_tezos::scalar::{Mutez, Timestamp};

    #[test]
    fn incremental_equals_whole_and_undoing_restores() {
        let start = ChainStart::new(&SandboxConfig::new(""), Timestamp(0)).unwrap();
        let first = Ledger::new(&start, Baker::well_known().unwrap().public_key());
        let mut second = first.clone();
        let holder = Contract::Implicit(start.accounts[0].public_key.hash());
        second.debit(&holder, Mutez(5)).unwrap();
        second.global_counter = 7;
        second.digest = after(&first, &second);
        assert_eq!(second.digest, of_all(&second));
        assert_ne!(second.context_hash(), first.context_hash());
        let mut third = second.clone();
        third.credit(&holder, Mutez(5)).unwrap();
        third.global_counter = 0;
        assert_eq!(after(&second, &third), first.digest);
    }
}
