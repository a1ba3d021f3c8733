//! Values on their way into the chain's state: big maps become ids and changes, tickets are counted.

use crate::context::TicketToken;
use crate::error::{Problem, Result};
use crate::gas::cost;
use crate::lazy::{BigMapDiff, BigMapUpdate, LazyKind, LazyStorageItem};
use crate::typecheck::{MAX_NESTING, Typer};
use crate::types::{Kind, Type};
use crate::value::{BigMap, Mode, Value};
use imbl::{OrdMap, Vector};
use num_bigint::BigUint;
use soru_tezos::number::{N, Z};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Whose value it is, which decides over the ids of its big maps.
#[derive(Debug, Clone)]
pub(crate) enum Owner {
    /// What goes along with an operation: copies with temporary ids.
    Temporary,
    /// The storage of a new contract: copies.
    New,
    /// The storage of the contract that ran.
    Storage {
        /// The big maps it had.
        before: BTreeSet<Z>,
        /// The big maps that came with the argument: they are copied when kept.
        argument: BTreeSet<Z>,
    },
}

struct Extraction<'t, 'a> {
    typer: &'t mut Typer<'a>,
    temporary: bool,
    /// Ids that are already spoken for.
    taken: BTreeSet<Z>,
    /// The newest first.
    diffs: Vec<LazyStorageItem>,
}

/// The value with all big maps as ids, and what was changed about them, in order of application.
pub(crate) fn extract(
    typer: &mut Typer<'_>,
    value: &Value,
    ty: &Type,
    owner: &Owner,
) -> Result<(Value, Vec<LazyStorageItem>)> {
    let nothing = BTreeSet::new();
    let mut taken = BTreeSet::new();
    let before = match owner {
        Owner::Storage { before, argument } => {
            taken.extend(argument.difference(before).cloned());
            before
        }
        // somebody else has them
        Owner::Temporary | Owner::New => {
            big_map_ids(value, ty, &mut taken);
            &nothing
        }
    };
    let temporary = matches!(owner, Owner::Temporary);
    let mut extraction = Extraction { typer, temporary, taken, diffs: Vec::new() };
    let value = extraction.walk(value, ty, 0)?;
    // what was changed last is applied first: copies are made before their original changes
    let Extraction { taken, mut diffs, .. } = extraction;
    diffs.reverse();
    let removed: Vec<&Z> = before.difference(&taken).collect();
    let remove = |id: &Z| LazyStorageItem { kind: LazyKind::BigMap, id: id.clone(), diff: BigMapDiff::Remove };
    let removed = removed.into_iter().rev().map(remove);
    Ok((value, removed.chain(diffs).collect()))
}

impl Extraction<'_, '_> {
    fn walk(&mut self, value: &Value, ty: &Type, depth: usize) -> Result<Value> {
        if !ty.has_big_map() {
            return Ok(value.clone());
        }
        if depth > MAX_NESTING * 4 {
            return Err(Problem::UnparsingTooDeep.into());
        }
        self.typer.gas.take(cost::ELEMENT)?;
        let below = depth + 1;
        Ok(match (value, ty.kind()) {
            (Value::BigMap(map), _) => self.big_map(map)?,
            (Value::Pair(pair), Kind::Pair(a, b)) => {
                let first = self.walk(&pair.0, a, below)?;
                Value::pair(first, self.walk(&pair.1, b, below)?)
            }
            (Value::Left(value), Kind::Or(a, _)) => Value::Left(Arc::new(self.walk(value, a, below)?)),
            (Value::Right(value), Kind::Or(_, b)) => Value::Right(Arc::new(self.walk(value, b, below)?)),
            (Value::Some(value), Kind::Option(a)) => Value::some(self.walk(value, a, below)?),
            (Value::List(items), Kind::List(a)) => {
                let items = items.iter().map(|item| self.walk(item, a, below));
                Value::List(items.collect::<Result<Vector<_>>>()?)
            }
            (Value::Map(map), Kind::Map(_, v)) => {
                let mut done = OrdMap::new();
                for (key, value) in map.iter().rev() {
                    done.insert(key.clone(), self.walk(value, v, below)?);
                }
                Value::Map(done)
            }
            _ => value.clone(),
        })
    }

    fn big_map(&mut self, map: &BigMap) -> Result<Value> {
        let mut updates = Vec::with_capacity(map.changes.len());
        for (key_hash, (key, value)) in map.changes.iter().rev() {
            let key = self.typer.unparse(key, &map.key_type, Mode::Optimized)?;
            let value = match value {
                Some(value) => Some(self.typer.unparse(value, &map.value_type, Mode::Optimized)?),
                None => None,
            };
            self.typer.gas.take(cost::STORAGE_WRITE)?;
            updates.push(BigMapUpdate { key_hash: *key_hash, key, value });
        }
        let (id, diff) = match &map.id {
            Some(id) if !self.taken.contains(id) => (id.clone(), BigMapDiff::Update { updates }),
            Some(id) => {
                let fresh = self.typer.chain.fresh_big_map(self.temporary);
                (fresh, BigMapDiff::Copy { source: id.clone(), updates })
            }
            None => {
                let fresh = self.typer.chain.fresh_big_map(self.temporary);
                let (key_type, value_type) = (map.key_type.to_micheline(), map.value_type.to_micheline());
                (fresh, BigMapDiff::Alloc { updates, key_type, value_type })
            }
        };
        self.taken.insert(id.clone());
        self.diffs.push(LazyStorageItem { kind: LazyKind::BigMap, id: id.clone(), diff });
        let (key_type, value_type) = (map.key_type.clone(), map.value_type.clone());
        Ok(Value::BigMap(Arc::new(BigMap { id: Some(id), key_type, value_type, changes: OrdMap::new() })))
    }
}

/// The ids of all big maps in a value.
pub(crate) fn big_map_ids(value: &Value, ty: &Type, found: &mut BTreeSet<Z>) {
    if !ty.has_big_map() {
        return;
    }
    match (value, ty.kind()) {
        (Value::BigMap(map), _) => found.extend(map.id.clone()),
        (Value::Pair(pair), Kind::Pair(a, b)) => {
            big_map_ids(&pair.0, a, found);
            big_map_ids(&pair.1, b, found);
        }
        (Value::Left(value), Kind::Or(a, _)) | (Value::Right(value), Kind::Or(_, a)) => big_map_ids(value, a, found),
        (Value::Some(value), Kind::Option(a)) => big_map_ids(value, a, found),
        (Value::List(items), Kind::List(a)) => items.iter().for_each(|item| big_map_ids(item, a, found)),
        (Value::Map(map), Kind::Map(_, v)) => map.values().for_each(|item| big_map_ids(item, v, found)),
        _ => {}
    }
}

/// The tickets in a value, each kind once with its number.
pub(crate) fn tickets(typer: &mut Typer<'_>, value: &Value, ty: &Type) -> Result<Vec<(TicketToken, N)>> {
    let mut found: Vec<(TicketToken, N)> = Vec::new();
    count(typer, value, ty, &mut found)?;
    Ok(found)
}

fn count(typer: &mut Typer<'_>, value: &Value, ty: &Type, found: &mut Vec<(TicketToken, N)>) -> Result<()> {
    if !ty.has_ticket() {
        return Ok(());
    }
    typer.gas.take(cost::ELEMENT)?;
    match (value, ty.kind()) {
        (Value::Ticket(ticket), _) => {
            let token = TicketToken {
                ticketer: ticket.ticketer,
                content_type: ticket.content_type.to_micheline(),
                content: typer.unparse(&ticket.content, &ticket.content_type, Mode::OptimizedLegacy)?,
            };
            add(found, token, &ticket.amount);
        }
        (Value::Pair(pair), Kind::Pair(a, b)) => {
            count(typer, &pair.0, a, found)?;
            count(typer, &pair.1, b, found)?;
        }
        (Value::Left(value), Kind::Or(a, _)) | (Value::Right(value), Kind::Or(_, a)) => {
            count(typer, value, a, found)?;
        }
        (Value::Some(value), Kind::Option(a)) => count(typer, value, a, found)?,
        (Value::List(items), Kind::List(a)) => items.iter().try_for_each(|item| count(typer, item, a, found))?,
        (Value::Map(map), Kind::Map(_, v)) => map.values().try_for_each(|item| count(typer, item, v, found))?,
        _ => {}
    }
    Ok(())
}

fn add(found: &mut Vec<(TicketToken, N)>, token: TicketToken, amount: &BigUint) {
    match found.iter_mut().find(|(other, _)| *other == token) {
        Some((_, sum)) => sum.0 += amount,
        None => found.push((token, N(amount.clone()))),
    }
}

/// The tickets that changes of big maps add to and take from the storage.
pub(crate) fn tickets_in_changes(
    typer: &mut Typer<'_>,
    diffs: &[LazyStorageItem],
) -> Result<[Vec<(TicketToken, N)>; 2]> {
    let (mut gained, mut lost) = (Vec::new(), Vec::new());
    for item in diffs.iter().filter(|item| item.id.0.sign() != num_bigint::Sign::Minus) {
        let (source, updates) = match &item.diff {
            BigMapDiff::Update { updates } => (Some(&item.id), updates),
            BigMapDiff::Copy { source, updates } => (Some(source), updates),
            BigMapDiff::Alloc { updates, .. } => (None, updates),
            BigMapDiff::Remove => continue,
        };
        let value_type = match (&item.diff, source) {
            (BigMapDiff::Alloc { value_type, .. }, _) => Some(value_type.clone()),
            (_, Some(id)) => typer.chain.big_map_types(id).map(|(_, value)| value),
            _ => None,
        };
        let Some(value_type) = value_type else { continue };
        let value_type = typer.parse_type(&value_type)?;
        if !value_type.has_ticket() {
            continue;
        }
        for update in updates {
            if let Some(new) = &update.value {
                let value = typer.parse_data(new, &value_type, true)?;
                count(typer, &value, &value_type, &mut gained)?;
            }
            if let Some(old) = source.and_then(|id| typer.chain.big_map_get(id, &update.key_hash)) {
                let value = typer.parse_data(&old, &value_type, true)?;
                count(typer, &value, &value_type, &mut lost)?;
            }
        }
    }
    Ok([gained, lost])
}
