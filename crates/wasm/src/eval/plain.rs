//! Plain instructions (`spec/pvm.md` §5.6): their effect on the innermost block, the frame's locals and the module.

use soru_merkle::containers::{Optional, Vector};

use super::memory::{Access, effective_address};
use super::numeric::{self, Failure};
use super::state::{
    Admin, Breaking, Frame, FromBlock, Label, LabelStack, MemoryCopyMeta, MemoryFillMeta, MemoryInitMeta,
    TableCopyMeta, TableFillMeta, TableInitMeta, Values,
};
use super::step::trapping;
use super::{Machine, vector};
use crate::exception::{StepError, Stepped};
use crate::instance::{Memory, Refs, Table};
use crate::instr::Instr;
use crate::module::chunk_error;
use crate::operator::{BitsTernary, BitsTest, BitsUnary, Extension, LaneOp, PackSize, Whole};
use crate::types::{BlockType, Mutability, Num, NumType, Reference, V128, Value};

const MEMORY_BOUNDS: &str = "out of bounds memory access";
const TABLE_BOUNDS: &str = "out of bounds table access";

fn ill_typed() -> StepError {
    StepError::message("missing or ill-typed operand on stack")
}

/// The operand stack of a block, with pops that check.
impl Label {
    fn pop(&mut self) -> Stepped<Value> {
        if self.values.signed_length() < 1 { Err(ill_typed()) } else { Ok(self.values.pop()?) }
    }

    fn pop_num(&mut self) -> Stepped<Num> {
        if let Value::Num(num) = self.pop()? { Ok(num) } else { Err(ill_typed()) }
    }

    fn pop_i32(&mut self) -> Stepped<i32> {
        if let Value::Num(Num::I32(value)) = self.pop()? { Ok(value) } else { Err(ill_typed()) }
    }

    fn pop_ref(&mut self) -> Stepped<Reference> {
        if let Value::Ref(reference) = self.pop()? { Ok(reference) } else { Err(ill_typed()) }
    }

    fn pop_vec(&mut self) -> Stepped<V128> {
        if let Value::Vec(vector) = self.pop()? { Ok(vector) } else { Err(ill_typed()) }
    }

    fn push(&mut self, value: Value) {
        self.values.cons(value);
    }

    fn push_num(&mut self, value: Num) {
        self.push(Value::Num(value));
    }

    fn push_i32(&mut self, value: i32) {
        self.push(Value::i32(value));
    }

    fn push_vec(&mut self, value: V128) {
        self.push(Value::Vec(value));
    }

    /// Puts an instruction before the others.
    fn next(&mut self, admin: Admin) {
        self.code.cons(admin);
    }

    fn next_plain(&mut self, instr: Instr) {
        self.next(Admin::Plain(instr));
    }

    /// Goes on with a value, or a trap.
    fn outcome(&mut self, result: Result<Num, Failure>) -> Stepped<()> {
        match result {
            Ok(value) => self.push_num(value),
            Err(Failure::Trap(message)) => self.next(trapping(message)),
            Err(Failure::Error(error)) => return Err(error),
        }
        Ok(())
    }

    /// Goes on after an access, or traps.
    fn accessed<T>(
        &mut self,
        result: Result<T, Access>,
        bounds: &str,
        then: impl FnOnce(&mut Label, T),
    ) -> Stepped<()> {
        match result {
            Ok(value) => then(self, value),
            Err(Access::Bounds) => self.next(trapping(bounds)),
            Err(Access::Error(error)) => return Err(error),
        }
        Ok(())
    }

    /// All values, leaving none.
    fn take_values(&mut self) -> Values {
        std::mem::replace(&mut self.values, Vector::create(0))
    }
}

/// Executes `instr` in the block `top` of `frame`.
pub(super) fn execute(
    machine: &mut Machine<'_>,
    frame: &mut Frame,
    mut top: Label,
    rest: Vector<Label>,
    instr: Instr,
) -> Stepped<LabelStack> {
    match instr {
        Instr::Block(kind, block) => return enter(machine, frame, top, rest, (kind, block), None),
        Instr::Loop(ref kind, block) => {
            let kind = (kind.clone(), block);
            return enter(machine, frame, top, rest, kind, Some(instr));
        }
        _ => execute_in_block(machine, frame, &mut top, instr)?,
    }
    Ok(LabelStack { top, rest })
}

/// Enters a block; `loop_` is the loop it belongs to, if it is one.
fn enter(
    machine: &Machine<'_>,
    frame: &Frame,
    mut top: Label,
    mut rest: Vector<Label>,
    (kind, block): (BlockType, i32),
    loop_: Option<Instr>,
) -> Stepped<LabelStack> {
    let (params, results) = machine.instance(frame)?.block_arity(&kind)?;
    let (args, below) = top.take_values().split(params.into())?;
    top.values = below;
    let label = Label {
        arity: Optional(Some(if loop_.is_some() { params } else { results })),
        on_break: loop_,
        values: args,
        code: Vector::from_list([Admin::FromBlock(FromBlock { block, index: 0 })]),
    };
    rest.cons(top);
    Ok(LabelStack { top: label, rest })
}

fn execute_in_block(machine: &mut Machine<'_>, frame: &mut Frame, top: &mut Label, instr: Instr) -> Stepped<()> {
    match instr {
        Instr::Unreachable => top.next(trapping("unreachable executed")),
        Instr::Nop => {}
        Instr::If(kind, then, otherwise) => {
            let block = if top.pop_i32()? == 0 { otherwise } else { then };
            top.next_plain(Instr::Block(kind, block));
        }
        Instr::Br(depth) => {
            let values = top.take_values();
            top.next(Admin::Breaking(Breaking { depth, values }));
        }
        Instr::BrIf(depth) => {
            if top.pop_i32()? != 0 {
                top.next_plain(Instr::Br(depth));
            }
        }
        Instr::BrTable(list, default) => {
            let index = top.pop_i32()? as u32;
            top.next_plain(Instr::Br(list.0.get(index as usize).copied().unwrap_or(default)));
        }
        Instr::Return => {
            let values = top.take_values();
            top.next(Admin::Returning(values));
        }
        Instr::Call(index) => {
            let function = machine.instance(frame)?.function(index)?;
            top.next(Admin::Invoke(function));
        }
        Instr::CallIndirect(table, kind) => call_indirect(machine, frame, top, table, kind)?,
        Instr::Drop => {
            top.pop()?;
        }
        Instr::Select(_) => {
            let condition = top.pop_i32()?;
            let second = top.pop()?;
            let first = top.pop()?;
            top.push(if condition == 0 { second } else { first });
        }
        Instr::LocalGet(index) => {
            let value = super::lookup(&frame.locals, "local", index)?;
            top.push(value);
        }
        Instr::LocalSet(index) => {
            let value = top.pop()?;
            frame.locals.set(index.into(), value)?;
        }
        Instr::LocalTee(index) => {
            let value = top.pop()?;
            frame.locals.set(index.into(), value.clone())?;
            top.push(value);
        }
        Instr::GlobalGet(index) => {
            let global = machine.instance(frame)?.global(index)?;
            top.push(global.value);
        }
        Instr::GlobalSet(index) => global_set(machine, frame, top, index)?,
        Instr::TableGet(_)
        | Instr::TableSet(_)
        | Instr::TableSize(_)
        | Instr::TableGrow(_)
        | Instr::TableFill(_)
        | Instr::TableCopy(..)
        | Instr::TableInit(..)
        | Instr::ElemDrop(_) => table(machine, frame, top, instr)?,
        Instr::Load(_)
        | Instr::Store(_)
        | Instr::VecLoad(_)
        | Instr::VecStore(_)
        | Instr::VecLoadLane(_)
        | Instr::VecStoreLane(_)
        | Instr::MemorySize
        | Instr::MemoryGrow
        | Instr::MemoryFill
        | Instr::MemoryCopy
        | Instr::MemoryInit(_)
        | Instr::DataDrop(_) => memory(machine, frame, top, instr)?,
        Instr::RefFunc(index) => {
            let function = machine.instance(frame)?.function(index)?;
            top.push(Value::Ref(Reference::Func(Box::new(function))));
        }
        Instr::Const(value) => top.push_num(value),
        Instr::Test(op) => {
            let value = top.pop_num()?;
            top.push_i32(numeric::test(&op, value)?.into());
        }
        Instr::Compare(op) => {
            let second = top.pop_num()?;
            let first = top.pop_num()?;
            top.push_i32(numeric::compare(&op, first, second)?.into());
        }
        Instr::Unary(op) => {
            let value = top.pop_num()?;
            top.push_num(numeric::unary(&op, value)?);
        }
        Instr::Binary(op) => {
            let second = top.pop_num()?;
            let first = top.pop_num()?;
            top.outcome(numeric::binary(&op, first, second))?;
        }
        Instr::Convert(op) => {
            let value = top.pop_num()?;
            top.push_num(numeric::convert(&op, value)?);
        }
        instr => in_stack(top, instr)?,
    }
    Ok(())
}

fn call_indirect(machine: &Machine<'_>, frame: &Frame, top: &mut Label, table: i32, kind: i32) -> Stepped<()> {
    let index = top.pop_i32()?;
    let instance = machine.instance(frame)?;
    let function = instance.function_in_table(table, index)?;
    let kind = instance.func_type(kind)?;
    if super::lookup::types_equal((&kind.params, &kind.results), function.signature())? {
        top.next(Admin::Invoke(function));
    } else {
        top.next(trapping("indirect call type mismatch"));
    }
    Ok(())
}

fn global_set(machine: &mut Machine<'_>, frame: &Frame, top: &mut Label, index: i32) -> Stepped<()> {
    let value = top.pop()?;
    let mut instance = machine.own_instance(frame)?;
    let mut global = instance.global(index)?;
    if global.mutability != Mutability::Mutable {
        return Err(StepError::message("write to immutable global"));
    }
    if global.value.value_type() != value.value_type() {
        return Err(StepError::message("type mismatch at global write"));
    }
    global.value = value;
    instance.globals.set(index.into(), global)?;
    machine.put_instance(frame, instance);
    Ok(())
}

/// Whether `count` elements from `start` on reach beyond `length`.
fn beyond(start: i32, count: i32, length: u64) -> bool {
    u64::from(start as u32) + u64::from(count as u32) > length
}

fn table_length(table: &Table) -> u64 {
    u64::from(table.size() as u32)
}

fn table(machine: &mut Machine<'_>, frame: &Frame, top: &mut Label, instr: Instr) -> Stepped<()> {
    match instr {
        Instr::TableGet(x) => {
            let index = top.pop_i32()?;
            let value = machine.instance(frame)?.table(x)?.get(index);
            top.accessed(value, TABLE_BOUNDS, |top, value| top.push(Value::Ref(value)))
        }
        Instr::TableSet(x) => {
            let value = top.pop_ref()?;
            let index = top.pop_i32()?;
            let mut instance = machine.own_instance(frame)?;
            let mut table = instance.table(x)?;
            let done = table.set(index, value);
            if done.is_ok() {
                instance.tables.set(x.into(), table)?;
                machine.put_instance(frame, instance);
            }
            top.accessed(done, TABLE_BOUNDS, |_, ()| {})
        }
        Instr::TableSize(x) => {
            let size = machine.instance(frame)?.table(x)?.size();
            top.push_i32(size);
            Ok(())
        }
        Instr::TableGrow(x) => {
            let delta = top.pop_i32()?;
            let value = top.pop_ref()?;
            let mut instance = machine.own_instance(frame)?;
            let mut table = instance.table(x)?;
            let result = table.grow(delta, &value)?;
            if result != -1 {
                instance.tables.set(x.into(), table)?;
                machine.put_instance(frame, instance);
            }
            top.push_i32(result);
            Ok(())
        }
        Instr::TableFill(x) => {
            let n = top.pop_i32()?;
            let value = top.pop_ref()?;
            let i = top.pop_i32()?;
            if beyond(i, n, table_length(&machine.instance(frame)?.table(x)?)) {
                top.next(trapping(TABLE_BOUNDS));
            } else if n != 0 {
                top.next(Admin::TableFillMeta(TableFillMeta { idx: 0, i, n, value, x }));
            }
            Ok(())
        }
        Instr::TableCopy(x, y) => {
            let n = top.pop_i32()?;
            let s = top.pop_i32()?;
            let d = top.pop_i32()?;
            let instance = machine.instance(frame)?;
            let beyond_d = beyond(d, n, table_length(&instance.table(x)?));
            let beyond_s = beyond(s, n, table_length(&instance.table(y)?));
            if beyond_d || beyond_s {
                top.next(trapping(TABLE_BOUNDS));
            } else if n != 0 {
                let forward = d as u32 <= s as u32;
                top.next(Admin::TableCopyMeta(TableCopyMeta { idx: 0, d, s, n, x, y, forward }));
            }
            Ok(())
        }
        Instr::TableInit(x, y) => {
            let n = top.pop_i32()?;
            let s = top.pop_i32()?;
            let d = top.pop_i32()?;
            let instance = machine.instance(frame)?;
            let beyond_d = beyond(d, n, table_length(&instance.table(x)?));
            let Refs { refs } = instance.elem(y)?;
            // the length of a segment is taken with its sign
            let beyond_s = i64::from(s as u32) as u64 + u64::from(n as u32) > refs.signed_length() as u64;
            if beyond_d || beyond_s {
                top.next(trapping(TABLE_BOUNDS));
            } else if n != 0 {
                let value = refs.get(s.into())?;
                top.next(Admin::TableInitMeta(TableInitMeta { idx: 0, value, d, s, n, x, y }));
            }
            Ok(())
        }
        Instr::ElemDrop(x) => {
            let mut instance = machine.own_instance(frame)?;
            instance.elem(x)?;
            instance.elements.set(x.into(), Refs { refs: Vector::create(0) })?;
            machine.put_instance(frame, instance);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Width in bytes of a load or store, and how a load widens it.
fn num_bytes(kind: NumType) -> u32 {
    match kind {
        NumType::I32 => 4,
        NumType::I64 => 8,
    }
}

fn loaded(kind: NumType, extension: Extension, bytes: u32, value: u64) -> Num {
    let shift = 64 - 8 * bytes;
    let value = match extension {
        Extension::Signed => (value << shift) as i64 >> shift,
        Extension::Zero => value as i64,
    };
    match kind {
        NumType::I32 => Num::I32(value as i32),
        NumType::I64 => Num::I64(value),
    }
}

fn read(memory: &Memory, address: i32, offset: i32, bytes: u32) -> Result<u64, Access> {
    memory.load(effective_address(address, offset)?, bytes)
}

fn write(memory: &mut Memory, address: i32, offset: i32, bytes: u32, value: u64) -> Result<(), Access> {
    memory.store(effective_address(address, offset)?, bytes, value)
}

fn load_lane(memory: &Memory, address: i32, op: &LaneOp, vector: V128) -> Result<V128, Access> {
    let bytes = op.access.pack.bytes();
    let value = read(memory, address, op.access.offset, bytes)?;
    Ok(vector::replace_lane(bytes * 8, op.lane.0, vector, value as i64))
}

fn store_lane(memory: &mut Memory, address: i32, op: &LaneOp, vector: V128) -> Result<(), Access> {
    let bytes = op.access.pack.bytes();
    let value = vector::lane_at(bytes * 8, op.lane.0, vector)?;
    write(memory, address, op.access.offset, bytes, value as u64)
}

/// Stores, then puts the memory back, whether or not the access went through: what was written stays.
fn store(
    machine: &mut Machine<'_>,
    frame: &Frame,
    top: &mut Label,
    access: impl FnOnce(&mut Memory) -> Result<(), Access>,
) -> Stepped<()> {
    let mut instance = machine.own_instance(frame)?;
    let mut memory = instance.memory(0)?;
    let done = access(&mut memory);
    instance.memories.set(0, memory)?;
    machine.put_instance(frame, instance);
    top.accessed(done, MEMORY_BOUNDS, |_, ()| {})
}

fn memory(machine: &mut Machine<'_>, frame: &Frame, top: &mut Label, instr: Instr) -> Stepped<()> {
    match instr {
        Instr::Load(op) => {
            let address = top.pop_i32()?;
            let memory = machine.instance(frame)?.memory(0)?;
            let (bytes, extension) = match op.pack.0 {
                None => (num_bytes(op.kind), Extension::Zero),
                Some(pack) => (pack.size.bytes(), pack.extension),
            };
            let value = read(&memory, address, op.offset, bytes);
            let value = value.map(|value| loaded(op.kind, extension, bytes, value));
            top.accessed(value, MEMORY_BOUNDS, Label::push_num)
        }
        Instr::Store(op) => {
            let value = top.pop_num()?;
            let address = top.pop_i32()?;
            // the width is that of the value on the stack, whatever the instruction says
            let (wide, bits) = match value {
                Num::I32(value) => (4, i64::from(value) as u64),
                Num::I64(value) => (8, value as u64),
            };
            let bytes = op.pack.0.map_or(wide, PackSize::bytes);
            store(machine, frame, top, |memory| write(memory, address, op.offset, bytes, bits))
        }
        Instr::VecLoad(op) => {
            let address = top.pop_i32()?;
            let memory = machine.instance(frame)?.memory(0)?;
            let value = match op.pack.0 {
                None => effective_address(address, op.offset).and_then(|at| Ok(V128(memory.load_vector(at)?))),
                Some(pack) => read(&memory, address, op.offset, pack.size.bytes())
                    .map(|value| vector::load_extended(pack.size, pack.extension, value)),
            };
            top.accessed(value, MEMORY_BOUNDS, Label::push_vec)
        }
        Instr::VecStore(op) => {
            let value = top.pop_vec()?;
            let address = top.pop_i32()?;
            store(machine, frame, top, |memory| memory.store_vector(effective_address(address, op.offset)?, value.0))
        }
        Instr::VecLoadLane(op) => {
            let value = top.pop_vec()?;
            let address = top.pop_i32()?;
            let memory = machine.instance(frame)?.memory(0)?;
            top.accessed(load_lane(&memory, address, &op, value), MEMORY_BOUNDS, Label::push_vec)
        }
        Instr::VecStoreLane(op) => {
            let value = top.pop_vec()?;
            let address = top.pop_i32()?;
            store(machine, frame, top, |memory| store_lane(memory, address, &op, value))
        }
        Instr::MemorySize => {
            let pages = machine.instance(frame)?.memory(0)?.pages();
            top.push_i32(pages);
            Ok(())
        }
        Instr::MemoryGrow => {
            let delta = top.pop_i32()?;
            let mut instance = machine.own_instance(frame)?;
            let mut memory = instance.memory(0)?;
            let result = memory.grow_pages(delta)?;
            instance.memories.set(0, memory)?;
            machine.put_instance(frame, instance);
            top.push_i32(result);
            Ok(())
        }
        Instr::MemoryFill => {
            let n = top.pop_i32()?;
            let k = top.pop_num()?;
            let i = top.pop_i32()?;
            if beyond(i, n, machine.instance(frame)?.memory(0)?.bytes.length()) {
                top.next(trapping(MEMORY_BOUNDS));
            } else if n != 0 {
                top.next(Admin::MemoryFillMeta(MemoryFillMeta { idx: 0, i, k, n }));
            }
            Ok(())
        }
        Instr::MemoryCopy => {
            let n = top.pop_i32()?;
            let s = top.pop_i32()?;
            let d = top.pop_i32()?;
            let length = machine.instance(frame)?.memory(0)?.bytes.length();
            if beyond(s, n, length) || beyond(d, n, length) {
                top.next(trapping(MEMORY_BOUNDS));
            } else if n != 0 {
                let forward = d as u32 <= s as u32;
                top.next(Admin::MemoryCopyMeta(MemoryCopyMeta { idx: 0, d, s, n, forward }));
            }
            Ok(())
        }
        Instr::MemoryInit(x) => {
            let n = top.pop_i32()?;
            let s = top.pop_i32()?;
            let d = top.pop_i32()?;
            let instance = machine.instance(frame)?;
            let beyond_d = beyond(d, n, instance.memory(0)?.bytes.length());
            let data = instance.allocations.data(instance.data(x)?)?;
            if beyond_d || beyond(s, n, data.length()) {
                top.next(trapping(MEMORY_BOUNDS));
            } else if n != 0 {
                // a source of 2³¹ or more is taken as negative here
                let source = u64::try_from(s).unwrap_or(u64::MAX);
                let b = data.byte(source).map_err(chunk_error)?.into();
                top.next(Admin::MemoryInitMeta(MemoryInitMeta { idx: 0, d, b, n, s, x }));
            }
            Ok(())
        }
        Instr::DataDrop(x) => {
            let mut instance = machine.own_instance(frame)?;
            instance.data(x)?;
            instance.datas.set(x.into(), 0)?;
            machine.put_instance(frame, instance);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A block with nothing but operands, the first of `values` on top.
pub(crate) fn label_of(values: Vec<Value>) -> Label {
    Label { arity: Optional(None), on_break: None, values: Vector::from_list(values), code: Vector::create(0) }
}

/// Instructions that concern the operand stack only: vectors, null references.
pub(crate) fn in_stack(top: &mut Label, instr: Instr) -> Stepped<()> {
    match instr {
        Instr::RefNull(kind) => top.push(Value::Ref(Reference::Null(kind))),
        Instr::RefIsNull => {
            let null = matches!(top.pop_ref()?, Reference::Null(_));
            top.push_i32(null.into());
        }
        Instr::VecConst(value) => top.push_vec(value),
        Instr::VecTest(op) => {
            let value = top.pop_vec()?;
            top.push_i32(vector::all_true(&op, value).into());
        }
        Instr::VecUnary(op) => {
            let value = top.pop_vec()?;
            top.push_vec(vector::unary(&op, value));
        }
        Instr::VecBinary(op) => {
            let second = top.pop_vec()?;
            let first = top.pop_vec()?;
            top.push_vec(vector::binary(&op, first, second)?);
        }
        Instr::VecCompare(op) => {
            let second = top.pop_vec()?;
            let first = top.pop_vec()?;
            top.push_vec(vector::compare(&op, first, second));
        }
        Instr::VecConvert(op) => {
            let value = top.pop_vec()?;
            top.push_vec(vector::convert(&op, value));
        }
        Instr::VecShift(op) => {
            let by = top.pop_num()?;
            let value = top.pop_vec()?;
            top.push_vec(vector::shift(&op, value, by)?);
        }
        Instr::VecBitmask(op) => {
            let value = top.pop_vec()?;
            top.push_i32(vector::bitmask(&op, value));
        }
        Instr::VecTestBits(Whole(BitsTest::AnyTrue)) => {
            let value = top.pop_vec()?;
            top.push_i32(vector::any_true(value).into());
        }
        Instr::VecUnaryBits(Whole(BitsUnary::Not)) => {
            let value = top.pop_vec()?;
            top.push_vec(vector::not(value));
        }
        Instr::VecBinaryBits(Whole(op)) => {
            let second = top.pop_vec()?;
            let first = top.pop_vec()?;
            top.push_vec(vector::bits(op, first, second));
        }
        Instr::VecTernaryBits(Whole(BitsTernary::Bitselect)) => {
            let mask = top.pop_vec()?;
            let second = top.pop_vec()?;
            let first = top.pop_vec()?;
            top.push_vec(vector::bitselect(first, second, mask));
        }
        Instr::VecSplat(op) => {
            let value = top.pop_num()?;
            top.push_vec(vector::splat(&op, value)?);
        }
        Instr::VecExtract(op) => {
            let value = top.pop_vec()?;
            top.push_num(vector::extract(&op, value)?);
        }
        Instr::VecReplace(op) => {
            let value = top.pop_num()?;
            let target = top.pop_vec()?;
            top.push_vec(vector::replace(&op, target, value)?);
        }
        _ => {}
    }
    Ok(())
}
