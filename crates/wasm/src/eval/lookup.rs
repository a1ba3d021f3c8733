//! Looking things up in an instance, with the reference's errors (`spec/pvm.md` §5.6).

use std::sync::Arc;

use soru_merkle::containers::{ContainerError, OptionLeaf, TreeValue, Vector};

use super::Machine;
use super::memory::Access;
use super::state::Frame;
use crate::exception::{StepError, Stepped};
use crate::instance::{Function, GlobalInstance, Instance, Memory, Refs, Table};
use crate::module::Allocations;
use crate::types::{BlockType, Reference, RuntimeType, ValueType};
use soru_merkle::containers::ChunkedBytes;

/// Element `index`, or the crash "undefined …".
pub(crate) fn lookup<V: TreeValue + Clone>(vector: &Vector<V>, what: &str, index: i32) -> Stepped<V> {
    match vector.get(index.into()) {
        Err(ContainerError::Bounds) => Err(StepError::message(format!("undefined {what} {index}"))),
        other => Ok(other?),
    }
}

impl Instance {
    /// Type number `index`.
    pub(crate) fn func_type(&self, index: i32) -> Stepped<RuntimeType> {
        lookup(&self.types, "type", index)
    }

    /// Function number `index`.
    pub(crate) fn function(&self, index: i32) -> Stepped<Function> {
        lookup(&self.functions, "function", index)
    }

    /// Table number `index`.
    pub(crate) fn table(&self, index: i32) -> Stepped<Table> {
        lookup(&self.tables, "table", index)
    }

    /// Memory number `index`.
    pub(crate) fn memory(&self, index: i32) -> Stepped<Memory> {
        lookup(&self.memories, "memory", index)
    }

    /// Global number `index`.
    pub(crate) fn global(&self, index: i32) -> Stepped<GlobalInstance> {
        lookup(&self.globals, "global", index)
    }

    /// Element segment number `index`.
    pub(crate) fn elem(&self, index: i32) -> Stepped<Refs> {
        lookup(&self.elements, "element segment", index)
    }

    /// Label of data segment number `index`.
    pub(crate) fn data(&self, index: i32) -> Stepped<i32> {
        lookup(&self.datas, "data segment", index)
    }

    /// The numbers of parameters and results of a block.
    pub(crate) fn block_arity(&self, kind: &BlockType) -> Stepped<(i32, i32)> {
        match kind {
            BlockType::Index(index) => {
                let kind = self.func_type(*index)?;
                Ok((kind.params.signed_length() as i32, kind.results.signed_length() as i32))
            }
            BlockType::Value(OptionLeaf(None)) => Ok((0, 0)),
            BlockType::Value(OptionLeaf(Some(_))) => Ok((0, 1)),
        }
    }

    /// The function in a table, for an indirect call.
    pub(crate) fn function_in_table(&self, table: i32, index: i32) -> Stepped<Function> {
        match self.table(table)?.get(index) {
            Ok(Reference::Func(function)) => Ok(*function),
            Ok(Reference::Null(_)) => Err(StepError::message(format!("uninitialized element {index}"))),
            Ok(Reference::Extern(_)) => Err(StepError::message(format!("type mismatch for element {index}"))),
            Err(Access::Bounds) => Err(StepError::message(format!("undefined element {index}"))),
            Err(Access::Error(error)) => Err(error),
        }
    }
}

impl Allocations {
    /// Data by label.
    pub(crate) fn data(&self, label: i32) -> Stepped<ChunkedBytes> {
        Ok(self.datas.get(label.into())?)
    }
}

impl Table {
    /// Element `index`.
    pub(crate) fn get(&self, index: i32) -> Result<Reference, Access> {
        Ok(self.refs.get(index.into())?)
    }

    /// Replaces element `index`.
    pub(crate) fn set(&mut self, index: i32, value: Reference) -> Result<(), Access> {
        if value.ref_type() != self.element {
            return Err(StepError::message("type mismatch at table access").into());
        }
        Ok(self.refs.set(index.into(), value)?)
    }

    /// Size in elements.
    pub(crate) fn size(&self) -> i32 {
        self.refs.signed_length() as i32
    }

    /// Most elements added at once. The reference has no such bound, but neither the memory nor the time to add more.
    const MOST_AT_ONCE: u32 = 1 << 24;

    /// Adds elements; the size before, or −1 where the table cannot grow so far.
    pub(crate) fn grow(&mut self, delta: i32, value: &Reference) -> Stepped<i32> {
        let old = self.min;
        if old != self.size() {
            return Err(StepError::assertion("table.grow on a table whose limits were never valid"));
        }
        let new = old.wrapping_add(delta);
        if (old as u32) > new as u32 || self.max.0.is_some_and(|max| new as u32 > max as u32) {
            return Ok(-1);
        }
        self.append(delta, value)?;
        self.min = new;
        Ok(old)
    }

    /// Adds elements without a check.
    pub(crate) fn append(&mut self, delta: i32, value: &Reference) -> Stepped<()> {
        if delta as u32 > Table::MOST_AT_ONCE {
            return Err(StepError::NoSuccessor("a table grows by more than 16777216 elements in one tick"));
        }
        for _ in 0..delta {
            self.refs.append(value.clone());
        }
        Ok(())
    }
}

impl Machine<'_> {
    /// The module of a frame.
    pub(crate) fn instance(&self, frame: &Frame) -> Stepped<Arc<Instance>> {
        Ok(self.registry.get(&frame.module)?)
    }

    /// The module of a frame, to change.
    pub(crate) fn own_instance(&self, frame: &Frame) -> Stepped<Instance> {
        Ok(Arc::unwrap_or_clone(self.instance(frame)?))
    }

    /// Puts a changed module back.
    pub(crate) fn put_instance(&mut self, frame: &Frame, instance: Instance) {
        self.registry.set(frame.module.clone(), Arc::new(instance));
    }
}

/// Whether two function types are equal, reading elements only as far as needed.
pub(crate) fn types_equal(
    (params, results): (&Vector<ValueType>, &Vector<ValueType>),
    (other_params, other_results): (&Vector<ValueType>, &Vector<ValueType>),
) -> Stepped<bool> {
    if params.length() != other_params.length() || results.length() != other_results.length() {
        return Ok(false);
    }
    // the results are compared even when the parameters differ
    let equal = vectors_equal(params, other_params)?;
    Ok(vectors_equal(results, other_results)? && equal)
}

fn vectors_equal(a: &Vector<ValueType>, b: &Vector<ValueType>) -> Stepped<bool> {
    for index in 0..a.length() as i64 {
        if a.get(index)? != b.get(index)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The value types of the first function type that [`types_equal`] reads, as the reference prints them.
pub(crate) fn types_seen(
    (params, results): (&Vector<ValueType>, &Vector<ValueType>),
    (other_params, other_results): (&Vector<ValueType>, &Vector<ValueType>),
) -> Stepped<(String, String)> {
    if params.length() != other_params.length() || results.length() != other_results.length() {
        return Ok((String::new(), String::new()));
    }
    Ok((seen(params, other_params)?, seen(results, other_results)?))
}

fn seen(a: &Vector<ValueType>, b: &Vector<ValueType>) -> Stepped<String> {
    let mut names = Vec::new();
    for index in 0..a.length() as i64 {
        let (kind, other) = (a.get(index)?, b.get(index)?);
        names.push(kind.name());
        if kind != other {
            break;
        }
    }
    Ok(names.join(" "))
}
