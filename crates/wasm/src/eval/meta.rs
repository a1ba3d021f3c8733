//! The instructions that stand for loops: each emits micro-instructions, one per administrative step (`spec/pvm.md` §5.6).

use soru_merkle::containers::{Int31, OptionLeaf};

use super::state::{
    Admin, MemoryCopyMeta, MemoryFillMeta, MemoryInitMeta, TableCopyMeta, TableFillMeta, TableInitMeta,
};
use crate::exception::{StepError, Stepped};
use crate::instr::Instr;
use crate::operator::{Extension, LoadPack, MemOp, PackSize};
use crate::types::{Num, NumType};

fn constant(value: i32) -> Admin {
    Admin::Plain(Instr::Const(Num::I32(value)))
}

fn store8() -> Admin {
    let pack = OptionLeaf(Some(PackSize::Pack8));
    Admin::Plain(Instr::Store(MemOp { kind: NumType::I32, align: Int31(0), offset: 0, pack }))
}

fn load8() -> Admin {
    let pack = OptionLeaf(Some(LoadPack { size: PackSize::Pack8, extension: Extension::Zero }));
    Admin::Plain(Instr::Load(MemOp { kind: NumType::I32, align: Int31(0), offset: 0, pack }))
}

/// Instruction number `idx` of a list, and the meta instruction that goes on behind it, except after the last.
fn pick<const N: usize>(list: [Admin; N], idx: i32, next: impl FnOnce(i32) -> Admin) -> Stepped<Vec<Admin>> {
    let Some(chosen) = usize::try_from(idx).ok().and_then(|idx| list.get(idx).cloned()) else {
        return Err(StepError::unknown("Invalid_argument(\"memory_init_meta_instr\")"));
    };
    Ok(if idx as usize + 1 < N { vec![chosen, next(idx + 1)] } else { vec![chosen] })
}

pub(super) fn table_init(meta: TableInitMeta) -> Stepped<Vec<Admin>> {
    let TableInitMeta { idx, value, d, s, n, x, y } = &meta;
    let list = [
        constant(*d),
        Admin::Refer(value.clone()),
        Admin::Plain(Instr::TableSet(*x)),
        constant(d.wrapping_add(1)),
        constant(s.wrapping_add(1)),
        constant(n.wrapping_sub(1)),
        Admin::Plain(Instr::TableInit(*x, *y)),
    ];
    pick(list, *idx, |idx| Admin::TableInitMeta(TableInitMeta { idx, ..meta.clone() }))
}

pub(super) fn table_fill(meta: TableFillMeta) -> Stepped<Vec<Admin>> {
    let TableFillMeta { idx, i, n, value, x } = &meta;
    let list = [
        constant(*i),
        Admin::Refer(value.clone()),
        Admin::Plain(Instr::TableSet(*x)),
        constant(i.wrapping_add(1)),
        Admin::Refer(value.clone()),
        constant(n.wrapping_sub(1)),
        Admin::Plain(Instr::TableFill(*x)),
    ];
    pick(list, *idx, |idx| Admin::TableFillMeta(TableFillMeta { idx, ..meta.clone() }))
}

/// The halves of a copy: one element, and the rest. Downwards the rest comes first, with the very operands of upwards.
fn copy(forward: bool, one: [Admin; 4], rest: [Admin; 4]) -> [Admin; 8] {
    let ([a, b, c, d], [e, f, g, h]) = if forward { (one, rest) } else { (rest, one) };
    [a, b, c, d, e, f, g, h]
}

pub(super) fn table_copy(meta: TableCopyMeta) -> Stepped<Vec<Admin>> {
    let TableCopyMeta { idx, d, s, n, x, y, forward } = meta;
    let one = [constant(d), constant(s), Admin::Plain(Instr::TableGet(y)), Admin::Plain(Instr::TableSet(x))];
    let rest = [
        constant(d.wrapping_add(1)),
        constant(s.wrapping_add(1)),
        constant(n.wrapping_sub(1)),
        Admin::Plain(Instr::TableCopy(x, y)),
    ];
    pick(copy(forward, one, rest), idx, |idx| Admin::TableCopyMeta(TableCopyMeta { idx, d, s, n, x, y, forward }))
}

pub(super) fn memory_init(meta: MemoryInitMeta) -> Stepped<Vec<Admin>> {
    let MemoryInitMeta { idx, d, b, n, s, x } = meta;
    let list = [
        constant(d),
        constant(b),
        store8(),
        constant(d.wrapping_add(1)),
        constant(s.wrapping_add(1)),
        constant(n.wrapping_sub(1)),
        Admin::Plain(Instr::MemoryInit(x)),
    ];
    pick(list, idx, |idx| Admin::MemoryInitMeta(MemoryInitMeta { idx, d, b, n, s, x }))
}

pub(super) fn memory_fill(meta: MemoryFillMeta) -> Stepped<Vec<Admin>> {
    let MemoryFillMeta { idx, i, k, n } = meta;
    let list = [
        constant(i),
        Admin::Plain(Instr::Const(k)),
        store8(),
        constant(i.wrapping_add(1)),
        Admin::Plain(Instr::Const(k)),
        constant(n.wrapping_sub(1)),
        Admin::Plain(Instr::MemoryFill),
    ];
    pick(list, idx, |idx| Admin::MemoryFillMeta(MemoryFillMeta { idx, i, k, n }))
}

pub(super) fn memory_copy(meta: MemoryCopyMeta) -> Stepped<Vec<Admin>> {
    let MemoryCopyMeta { idx, d, s, n, forward } = meta;
    let one = [constant(d), constant(s), load8(), store8()];
    let rest = [
        constant(d.wrapping_add(1)),
        constant(s.wrapping_add(1)),
        constant(n.wrapping_sub(1)),
        Admin::Plain(Instr::MemoryCopy),
    ];
    pick(copy(forward, one, rest), idx, |idx| Admin::MemoryCopyMeta(MemoryCopyMeta { idx, d, s, n, forward }))
}
