//! Functions, globals, tables and memories: each section is created, then put behind what was imported (`spec/pvm.md` §5.4).

use soru_merkle::containers::{Either, LazyMap, Optional, Vector};

use super::state::{CreateGlobal, EvalConst, ExportsAcc, ExportsFold, InitKont, WithModule};
use super::{Init, begin_const, lift, right, tick_map, with};
use crate::exception::{StepError, Stepped};
use crate::instance::{Function, GlobalInstance, Memory, NativeFunction, Table};
use crate::kont::Concat;
use crate::module::{Func, Global};
use crate::types::{Limits, Reference, TableType};

impl Init<'_> {
    /// One step in a section.
    pub(super) fn section(&mut self, kont: InitKont) -> Stepped<InitKont> {
        match kont {
            InitKont::Func(section) => {
                let WithModule { module: instance, kont } = *section;
                if kont.map.is_complete() {
                    let concat = Concat::new(instance.functions.clone(), kont.map.destination)?;
                    return Ok(InitKont::ConcatFunc(with(instance, concat)));
                }
                let kont = kont.step(Either::Left, right, |kont| lift(kont, |func| self.function(func)))?;
                Ok(InitKont::Func(with(instance, kont)))
            }
            InitKont::ConcatFunc(section) => {
                let WithModule { module: mut instance, kont } = *section;
                if kont.is_complete() {
                    instance.functions = kont.result;
                    self.publish(&instance);
                    return Ok(InitKont::Global(with(instance, tick_map(&self.module.globals))));
                }
                Ok(InitKont::ConcatFunc(with(instance, kont.step()?)))
            }
            InitKont::Global(section) => {
                let WithModule { module: instance, kont } = *section;
                if kont.map.is_complete() {
                    let concat = Concat::new(instance.globals.clone(), kont.map.destination)?;
                    return Ok(InitKont::ConcatGlobal(with(instance, concat)));
                }
                let (limit, name) = (self.stack_size_limit, self.name);
                let begin = |Global { kind, init }| CreateGlobal { kind, kont: begin_const(limit, name, init) };
                let kont = kont.step(begin, created_global, |CreateGlobal { kind, kont }| {
                    Ok(CreateGlobal { kind, kont: self.const_step(kont)? })
                })?;
                Ok(InitKont::Global(with(instance, kont)))
            }
            InitKont::ConcatGlobal(section) => {
                let WithModule { module: mut instance, kont } = *section;
                if kont.is_complete() {
                    instance.globals = kont.result;
                    return Ok(InitKont::Table(with(instance, tick_map(&self.module.tables))));
                }
                Ok(InitKont::ConcatGlobal(with(instance, kont.step()?)))
            }
            InitKont::Table(section) => {
                let WithModule { module: instance, kont } = *section;
                if kont.map.is_complete() {
                    let concat = Concat::new(instance.tables.clone(), kont.map.destination)?;
                    return Ok(InitKont::ConcatTable(with(instance, concat)));
                }
                let kont = kont.step(Either::Left, right, |kont| lift(kont, create_table))?;
                Ok(InitKont::Table(with(instance, kont)))
            }
            InitKont::ConcatTable(section) => {
                let WithModule { module: mut instance, kont } = *section;
                if kont.is_complete() {
                    instance.tables = kont.result;
                    return Ok(InitKont::Memory(with(instance, tick_map(&self.module.memories))));
                }
                Ok(InitKont::ConcatTable(with(instance, kont.step()?)))
            }
            InitKont::Memory(section) => {
                let WithModule { module: instance, kont } = *section;
                if kont.map.is_complete() {
                    let concat = Concat::new(instance.memories.clone(), kont.map.destination)?;
                    return Ok(InitKont::ConcatMemory(with(instance, concat)));
                }
                let kont = kont.step(Either::Left, right, |kont| lift(kont, create_memory))?;
                Ok(InitKont::Memory(with(instance, kont)))
            }
            InitKont::ConcatMemory(section) => {
                let WithModule { module: mut instance, kont } = *section;
                if kont.is_complete() {
                    instance.memories = kont.result;
                    self.publish(&instance);
                    let acc = ExportsAcc { memory_0: false, exports: LazyMap::new() };
                    let fold = ExportsFold { origin: self.module.exports.clone(), acc, offset: 0 };
                    return Ok(InitKont::Exports(with(instance, fold)));
                }
                Ok(InitKont::ConcatMemory(with(instance, kont.step()?)))
            }
            other => Ok(other),
        }
    }

    fn function(&self, func: Func) -> Stepped<Function> {
        let kind = self.registry.get(self.name)?.func_type(func.ftype)?;
        let Func { ftype, locals, body } = func;
        Ok(Function::Native(NativeFunction { kind, module: self.name.clone(), ftype, locals, body }))
    }
}

fn created_global(kont: &CreateGlobal) -> Stepped<Option<GlobalInstance>> {
    match &kont.kont {
        EvalConst::Next(_) => Ok(None),
        EvalConst::Stop(value) if value.value_type() != kont.kind.value => {
            Err(StepError::named("Tezos_webassembly_interpreter.Global.Type", None))
        }
        EvalConst::Stop(value) => Ok(Some(GlobalInstance { mutability: kont.kind.mutability, value: value.clone() })),
    }
}

fn create_table(kind: TableType) -> Stepped<Table> {
    if !kind.limits.are_valid() {
        return Err(StepError::named("Tezos_webassembly_interpreter.Partial_table.Type", None));
    }
    let Limits { min, max } = kind.limits;
    let mut table = Table { min, max: Optional(max.0), refs: Vector::create(0), element: kind.element };
    table.append(min, &Reference::Null(kind.element))?;
    Ok(table)
}

fn create_memory(limits: Limits) -> Stepped<Memory> {
    if !limits.are_valid() {
        return Err(StepError::named("Tezos_webassembly_interpreter.Partial_memory.Type", None));
    }
    Ok(Memory::new(limits))
}
