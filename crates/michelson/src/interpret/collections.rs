//! Lists, sets, maps, big maps: going through them, looking things up, changing them.

use super::{Frame, Machine};
use crate::error::Result;
use crate::gas::cost;
use crate::typecheck::Code;
use crate::value::{BigMap, Value};
use imbl::{OrdMap, Vector};
use soru_tezos::micheline::Prim;
use std::sync::Arc;

impl Machine<'_> {
    pub(super) fn map(&mut self, code: &Code) -> Result<()> {
        match self.pop()? {
            Value::List(list) => {
                self.typer.gas.take(cost::ELEMENT * list.len() as u64)?;
                self.next_of_list(list.into_iter().rev().collect(), Vector::new(), code.clone())
            }
            Value::Map(map) => {
                self.typer.gas.take(cost::ELEMENT * map.len() as u64)?;
                let mut items: Vec<_> = map.into_iter().collect();
                items.reverse();
                self.next_of_map(items, OrdMap::new(), code.clone())
            }
            Value::None => {
                self.push(Value::None);
                Ok(())
            }
            Value::Some(value) => {
                self.push(Arc::unwrap_or_clone(value));
                self.push_frame(Frame::MapOption)?;
                self.call(code)
            }
            _ => self.inconsistent(),
        }
    }

    pub(super) fn next_of_list(&mut self, mut items: Vec<Value>, done: Vector<Value>, code: Code) -> Result<()> {
        match items.pop() {
            None => self.push(Value::List(done)),
            Some(item) => {
                self.typer.gas.take(cost::ELEMENT)?;
                self.push(item);
                self.push_frame(Frame::MapList { items, done, code: code.clone() })?;
                self.call(&code)?;
            }
        }
        Ok(())
    }

    pub(super) fn next_of_map(
        &mut self,
        mut items: Vec<(Value, Value)>,
        done: OrdMap<Value, Value>,
        code: Code,
    ) -> Result<()> {
        match items.pop() {
            None => self.push(Value::Map(done)),
            Some((key, value)) => {
                self.take_search(done.len(), &key)?;
                self.push(Value::pair(key.clone(), value));
                self.push_frame(Frame::MapMap { items, key, done, code: code.clone() })?;
                self.call(&code)?;
            }
        }
        Ok(())
    }

    pub(super) fn iter(&mut self, code: &Code) -> Result<()> {
        let mut items: Vec<Value> = match self.pop()? {
            Value::List(list) => list.into_iter().collect(),
            Value::Set(set) => set.into_iter().collect(),
            Value::Map(map) => map.into_iter().map(|(key, value)| Value::pair(key, value)).collect(),
            _ => return self.inconsistent(),
        };
        self.typer.gas.take(cost::ELEMENT * items.len() as u64)?;
        items.reverse();
        self.next_item(items, code.clone())
    }

    pub(super) fn next_item(&mut self, mut items: Vec<Value>, code: Code) -> Result<()> {
        let Some(item) = items.pop() else { return Ok(()) };
        self.typer.gas.take(cost::ELEMENT)?;
        self.push(item);
        self.push_frame(Frame::Iter { items, code: code.clone() })?;
        self.call(&code)
    }

    /// Takes the cost of finding `key` among `size` others.
    fn take_search(&mut self, size: usize, key: &Value) -> Result<()> {
        let levels = u64::from(usize::BITS - size.leading_zeros()) + 1;
        self.typer.gas.take(levels * (cost::TREE_STEP + key.weight() as u64 / 30))
    }

    pub(super) fn collection(&mut self, prim: Prim) -> Result<()> {
        match prim {
            Prim::MEM => {
                let (key, collection) = (self.pop()?, self.pop()?);
                let found = match &collection {
                    Value::Set(set) => {
                        self.take_search(set.len(), &key)?;
                        set.contains(&key)
                    }
                    Value::Map(map) => {
                        self.take_search(map.len(), &key)?;
                        map.contains_key(&key)
                    }
                    Value::BigMap(map) => self.big_map_get(map, &key)?.is_some(),
                    _ => return self.inconsistent(),
                };
                self.push(Value::Bool(found));
            }
            Prim::GET => {
                let (key, collection) = (self.pop()?, self.pop()?);
                let found = match &collection {
                    Value::Map(map) => {
                        self.take_search(map.len(), &key)?;
                        map.get(&key).cloned()
                    }
                    Value::BigMap(map) => self.big_map_get(map, &key)?,
                    _ => return self.inconsistent(),
                };
                self.push(Value::option(found));
            }
            _ => return self.update(prim == Prim::GET_AND_UPDATE),
        }
        Ok(())
    }

    fn update(&mut self, keep: bool) -> Result<()> {
        let (key, new, collection) = (self.pop()?, self.pop()?, self.pop()?);
        let (old, collection) = match (collection, new) {
            (Value::Set(mut set), Value::Bool(member)) => {
                self.take_search(set.len(), &key)?;
                if member {
                    set.insert(key);
                } else {
                    set.remove(&key);
                }
                (None, Value::Set(set))
            }
            (Value::Map(mut map), new) => {
                self.take_search(map.len(), &key)?;
                let old = match new {
                    Value::Some(new) => map.insert(key, Arc::unwrap_or_clone(new)),
                    _ => map.remove(&key),
                };
                (old, Value::Map(map))
            }
            (Value::BigMap(map), new) => {
                let old = if keep { self.big_map_get(&map, &key)? } else { None };
                let hash = self.typer.key_hash(&key, &map.key_type)?;
                self.take_search(map.changes.len(), &key)?;
                let new = match new {
                    Value::Some(new) => Some(Arc::unwrap_or_clone(new)),
                    _ => None,
                };
                let mut map = Arc::unwrap_or_clone(map);
                map.changes.insert(hash, (key, new));
                (old, Value::BigMap(Arc::new(map)))
            }
            _ => return self.inconsistent(),
        };
        self.push(collection);
        if keep {
            self.push(Value::option(old));
        }
        Ok(())
    }

    fn big_map_get(&mut self, map: &BigMap, key: &Value) -> Result<Option<Value>> {
        let hash = self.typer.key_hash(key, &map.key_type)?;
        self.take_search(map.changes.len(), key)?;
        if let Some((_, value)) = map.changes.get(&hash) {
            return Ok(value.clone());
        }
        let Some(id) = &map.id else { return Ok(None) };
        self.typer.gas.take(cost::STORAGE_READ)?;
        match self.typer.chain.big_map_get(id, &hash) {
            Some(expr) => self.typer.parse_data(&expr, &map.value_type, true).map(Some),
            None => Ok(None),
        }
    }
}
