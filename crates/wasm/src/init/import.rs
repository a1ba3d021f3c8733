//! Giving a module its imports, from the last to the first, after checking their types (`spec/pvm.md` §5.4, §15.3).

use soru_merkle::containers::{OptionLeaf, Vector};

use super::state::{AddImport, InitKont};
use crate::eval::{lookup_types_equal, lookup_types_seen};
use crate::exception::{StepError, Stepped};
use crate::instance::{Extern, Instance};
use crate::module::{Import, Module};
use crate::types::{FuncType, GlobalType, ImportDesc, Limits, TableType};

/// Before the first import.
pub(super) fn begin(acc: Instance, externs: Vector<Extern>, imports: Vector<Import>) -> Stepped<InitKont> {
    if externs.signed_length() != imports.signed_length() {
        return Err(StepError::message("wrong number of imports provided for initialisation"));
    }
    let offset = (externs.signed_length() as i32).wrapping_sub(1);
    Ok(InitKont::AddImport(Box::new(AddImport { acc, externs, imports, offset })))
}

/// A type to import, or offered.
enum ExternType {
    Func(FuncType),
    Table(TableType),
    Memory(Limits),
    Global(GlobalType),
}

fn offered(external: &Extern) -> ExternType {
    match external {
        Extern::Func(function) => {
            let (params, results) = function.signature();
            ExternType::Func(FuncType { params: params.clone(), results: results.clone() })
        }
        Extern::Table(table) => {
            let limits = Limits { min: table.min, max: OptionLeaf(table.max.0) };
            ExternType::Table(TableType { limits, element: table.element })
        }
        Extern::Memory(memory) => ExternType::Memory(Limits { min: memory.min, max: OptionLeaf(memory.max.0) }),
        Extern::Global(global) => ExternType::Global(global.global_type()),
    }
}

fn limits_match(offered: Limits, wanted: Limits) -> bool {
    offered.min as u32 >= wanted.min as u32
        && match (offered.max.0, wanted.max.0) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(offered), Some(wanted)) => offered as u32 <= wanted as u32,
        }
}

fn matches(offered: &ExternType, wanted: &ExternType) -> Stepped<bool> {
    Ok(match (offered, wanted) {
        (ExternType::Func(a), ExternType::Func(b)) => {
            return lookup_types_equal((&a.params, &a.results), (&b.params, &b.results));
        }
        (ExternType::Table(a), ExternType::Table(b)) => a.element == b.element && limits_match(a.limits, b.limits),
        (ExternType::Memory(a), ExternType::Memory(b)) => limits_match(*a, *b),
        (ExternType::Global(a), ExternType::Global(b)) => a == b,
        _ => false,
    })
}

/// The type as the reference prints it: of functions only the value types that the comparison with `other` read.
fn printed(kind: &ExternType, other: &ExternType) -> Stepped<String> {
    Ok(match kind {
        ExternType::Func(func) => {
            let (params, results) = match other {
                ExternType::Func(other) => {
                    lookup_types_seen((&func.params, &func.results), (&other.params, &other.results))?
                }
                _ => (String::new(), String::new()),
            };
            format!("func [{params}] -> [{results}]")
        }
        ExternType::Table(kind) => format!("table {kind}"),
        ExternType::Memory(kind) => format!("memory {kind}"),
        ExternType::Global(kind) => format!("global {kind}"),
    })
}

/// One import.
pub(super) fn add(module: &Module, fold: AddImport) -> Stepped<AddImport> {
    let AddImport { mut acc, externs, imports, offset } = fold;
    let external = externs.get(offset.into())?;
    let Import { module: from, item, desc } = imports.get(offset.into())?;
    let wanted = match desc {
        ImportDesc::Func(index) => ExternType::Func(module.types.get(index.into())?),
        ImportDesc::Table(kind) => ExternType::Table(kind),
        ImportDesc::Memory(kind) => ExternType::Memory(kind),
        ImportDesc::Global(kind) => ExternType::Global(kind),
    };
    let got = offered(&external);
    if !matches(&got, &wanted)? {
        let types = format!("expected {}, got {}", printed(&wanted, &got)?, printed(&got, &wanted)?);
        let text: [&[u8]; 6] =
            [b"incompatible import type for \"", from.as_bytes(), b"\" \"", item.as_bytes(), b"\": ", types.as_bytes()];
        return Err(StepError::message(text.concat()));
    }
    match external {
        Extern::Func(function) => acc.functions.cons(function),
        Extern::Table(table) => acc.tables.cons(table),
        Extern::Memory(memory) => acc.memories.cons(memory),
        Extern::Global(global) => acc.globals.cons(global),
    }
    Ok(AddImport { acc, externs, imports, offset: offset.wrapping_sub(1) })
}
