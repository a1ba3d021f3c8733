//! Executing prepared instructions on the flat stacks. Each is executed as a whole if the ticks that the small-step machine
//! spends on it are there (`spec/pvm.md` §5.6), and not at all otherwise. Whatever fails is left to the small-step machine.

use std::collections::HashMap;

use super::code::{Callee, Code, Entry, Loaded, Op};
use super::memory::FlatMemory;
use super::stack::{Activation, Block, CLEAN, MOST_OTHERS, Slot, Stacks};
use crate::eval::numeric::{binary32, binary64, compare32, compare64, unary32, unary64};
use crate::eval::{in_stack, label_of};
use crate::instr::Instr;
use crate::types::Value;

/// Ticks of an instruction that the block hands out and that changes nothing but values.
const PLAIN: u64 = 6;
/// Ticks of one administrative instruction.
pub(super) const ADMIN: u64 = 3;
/// Ticks for each byte that `memory.fill` writes.
const FILL: u64 = 42;
/// Ticks for each byte that `memory.copy` writes.
const COPY: u64 = 48;

/// Why the execution stopped in front of an instruction.
#[derive(Debug)]
pub(super) enum Exit {
    /// There are not enough ticks for it.
    Ticks,
    /// It is to be executed in single steps.
    Single,
    /// It needs a block.
    Prepare(Entry),
    /// It needs a function.
    Function(u32),
    /// It needs an element of a table.
    Element { table: u32, kind: u32, index: i32 },
    /// It needs a global.
    Global(u32),
    /// It needs room on the stack.
    Room,
    /// It calls a function of the host.
    Host(u32),
    /// It was executed in part; this instruction with the operands on the stack does the rest.
    Rest(Instr),
}

/// A global that holds a number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Global {
    pub(super) value: Slot,
    pub(super) mutable: bool,
    pub(super) changed: bool,
}

/// What instructions work on besides the stacks.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) memory: Option<FlatMemory>,
    pub(super) globals: Vec<Option<Global>>,
    /// Callees by table, type and element.
    pub(super) elements: HashMap<(u32, u32, i32), u32>,
}

fn extended(bytes: u8, signed: bool, value: u64) -> i64 {
    let shift = 64 - 8 * u32::from(bytes);
    if signed { (value << shift) as i64 >> shift } else { value as i64 }
}

fn load(memory: &mut FlatMemory, address: u64, how: Loaded) -> Option<Slot> {
    let (bytes, signed, wide) = match how {
        Loaded::I32 => return Some(Slot::I32(i32::from_le_bytes(memory.load(address)?))),
        Loaded::I64 => return Some(Slot::I64(i64::from_le_bytes(memory.load(address)?))),
        Loaded::Narrow(bytes, signed, wide) => (bytes, signed, wide),
    };
    let value = match bytes {
        1 => u8::from_le_bytes(memory.load(address)?).into(),
        2 => u16::from_le_bytes(memory.load(address)?).into(),
        4 => u32::from_le_bytes(memory.load(address)?).into(),
        _ => u64::from_le_bytes(memory.load(address)?),
    };
    let value = extended(bytes, signed, value);
    Some(if wide { Slot::I64(value) } else { Slot::I32(value as i32) })
}

fn store(memory: &mut FlatMemory, address: u64, bytes: u8, value: Slot) -> Option<()> {
    let (whole, value) = match value {
        Slot::I32(value) => (4, i64::from(value) as u64),
        Slot::I64(value) => (8, value as u64),
        Slot::Other(_) => return None,
    };
    match if bytes == 0 { whole } else { bytes } {
        1 => memory.store(address, (value as u8).to_le_bytes()),
        2 => memory.store(address, (value as u16).to_le_bytes()),
        4 => memory.store(address, (value as u32).to_le_bytes()),
        _ => memory.store(address, value.to_le_bytes()),
    }
}

/// The address of an access; none where the sum wraps around.
#[inline]
fn address(slot: Slot, offset: u32) -> Option<u64> {
    match slot {
        Slot::I32(address) => Some(u64::from((address as u32).checked_add(offset)?)),
        _ => None,
    }
}

/// The three operands of `memory.fill` or `memory.copy`.
fn range(slots: &[Slot]) -> Option<(i32, Slot, i32)> {
    match slots {
        [Slot::I32(to), second, Slot::I32(count)] => Some((*to, *second, *count)),
        _ => None,
    }
}

/// Executes an instruction that concerns the operand stack only; gives what it leaves.
fn in_operands(stacks: &mut Stacks, instr: &Instr, operands: std::ops::Range<usize>) -> Option<Vec<Slot>> {
    let values: Vec<Value> = stacks.slots.get(operands)?.iter().rev().map(|slot| stacks.value(*slot)).collect();
    let mut label = label_of(values);
    in_stack(&mut label, instr.clone()).ok()?;
    let values = label.values.to_list().ok()?;
    Some(values.into_iter().rev().map(|value| stacks.slot(value)).collect())
}

/// Executes instructions while there are ticks for them.
pub(super) fn run(code: &Code, stacks: &mut Stacks, world: &mut World, ticks: &mut u64) -> Exit {
    let (Some(block), Some(activation)) = (stacks.blocks.last(), stacks.activations.last()) else {
        return Exit::Single;
    };
    let mut pc = block.pc as usize;
    let mut base = block.base;
    let mut sp = base + block.height;
    let mut untouched = block.untouched;
    let mut locals = activation.locals;
    let mut locals_end = locals + activation.count;
    let mut left = *ticks;
    let ops = code.ops.as_slice();

    let exit = 'run: loop {
        let Some(op) = ops.get(pc) else { break Exit::Single };
        if left < PLAIN {
            break Exit::Ticks;
        }

        macro_rules! spend {
            ($ticks:expr) => {{
                let ticks: u64 = $ticks;
                if left < ticks {
                    break 'run Exit::Ticks;
                }
                left -= ticks;
            }};
        }
        macro_rules! plain {
            () => {{
                left -= PLAIN;
                pc += 1;
                continue 'run;
            }};
        }
        macro_rules! some {
            ($option:expr) => {
                match $option {
                    Some(value) => value,
                    None => break 'run Exit::Single,
                }
            };
        }
        macro_rules! push {
            ($value:expr) => {{
                let value = $value;
                let Some(place) = stacks.slots.get_mut(sp) else { break 'run Exit::Room };
                *place = value;
                if sp == untouched {
                    untouched += 1;
                }
                sp += 1;
            }};
        }
        macro_rules! binary {
            ($kind:ident, $result:ident, |$a:ident, $b:ident| $value:expr) => {{
                let (Slot::$kind($a), Slot::$kind($b)) = (stacks.slots[sp - 2], stacks.slots[sp - 1]) else {
                    break 'run Exit::Single;
                };
                stacks.slots[sp - 2] = Slot::$result($value);
                sp -= 1;
                plain!()
            }};
        }
        macro_rules! unary {
            ($kind:ident, $result:ident, |$a:ident| $value:expr) => {{
                let Slot::$kind($a) = stacks.slots[sp - 1] else { break 'run Exit::Single };
                stacks.slots[sp - 1] = Slot::$result($value);
                plain!()
            }};
        }
        // goes on in the block around, or the calling one, with `count` more operands, which lie at `from`
        macro_rules! resume {
            ($count:expr, $from:expr) => {{
                let (count, from) = ($count, $from);
                let block = some!(stacks.blocks.last_mut());
                let top = block.base + block.height;
                if from != top {
                    stacks.slots.copy_within(from..from + count, top);
                }
                sp = top + count;
                base = block.base;
                block.end_key = (sp - base) as i32;
                (block.taken, block.inherits, block.origin) = (0, false, None);
                untouched = CLEAN;
                pc = block.pc as usize;
            }};
        }
        // leaves the function with `count` results, which end at `top`
        macro_rules! leave {
            ($count:expr, $top:expr, $ticks:expr) => {{
                let (count, top) = ($count, $top);
                let blocks = some!(stacks.activations.last()).blocks;
                if stacks.activations.len() < 2 || blocks == 0 {
                    break 'run Exit::Single;
                }
                spend!($ticks + (count + stacks.blocks[blocks - 1].height) as u64 + 2);
                stacks.activations.pop();
                stacks.blocks.truncate(blocks);
                resume!(count, top - count);
                let activation = some!(stacks.activations.last());
                locals = activation.locals;
                locals_end = locals + activation.count;
                continue 'run;
            }};
        }
        // leaves `depth` blocks and one more; `taken` operands were used up, `ticks` spent so far
        macro_rules! branch {
            ($depth:expr, $taken:expr, $ticks:expr) => {{
                let depth = $depth as usize;
                let first = some!(stacks.activations.last()).blocks;
                let target = some!((stacks.blocks.len() - 1).checked_sub(depth).filter(|target| *target >= first));
                let block = &stacks.blocks[target];
                let arity = some!(block.arity.and_then(|arity| usize::try_from(arity).ok()));
                let top = sp - $taken;
                if top - base < arity {
                    break Exit::Single;
                }
                let spent = $ticks + ADMIN * depth as u64;
                if target == first {
                    if some!(stacks.activations.last()).has_blocks_around() {
                        break Exit::Single;
                    }
                    leave!(arity, top, spent + ADMIN)
                }
                let around = stacks.blocks[target - 1].height;
                let spent = spent + (arity + around) as u64 + 4;
                if block.is_loop {
                    if arity > 0 {
                        break Exit::Single;
                    }
                    spend!(spent + ADMIN);
                    let start = block.start;
                    stacks.blocks.truncate(target + 1);
                    let around = &mut stacks.blocks[target - 1];
                    sp = around.base + around.height;
                    around.end_key = around.height as i32;
                    (around.taken, around.inherits, around.origin) = (0, false, None);
                    around.untouched = CLEAN;
                    let block = &mut stacks.blocks[target];
                    base = sp;
                    (block.base, block.end_key, block.inherits, block.origin) = (base, 0, true, None);
                    block.code = None;
                    untouched = CLEAN;
                    pc = start as usize;
                } else {
                    spend!(spent);
                    stacks.blocks.truncate(target);
                    resume!(arity, top - arity);
                }
                continue 'run;
            }};
        }
        // enters a block without operands; `taken` operands were used up
        macro_rules! enter {
            ($entry:expr, $is_loop:expr, $taken:expr, $ticks:expr) => {{
                let entry: Entry = $entry;
                let Some(place) = code.block(entry) else { break 'run Exit::Prepare(entry) };
                spend!($ticks);
                sp -= $taken;
                let around = some!(stacks.blocks.last_mut());
                around.height = sp - base;
                around.pc = pc as u32 + 1;
                around.untouched = untouched;
                let end_key = around.end_key.wrapping_sub(around.height as i32);
                base = sp;
                stacks.blocks.push(Block {
                    base,
                    height: 0,
                    taken: 0,
                    end_key,
                    untouched,
                    inherits: true,
                    origin: None,
                    pc: place.start,
                    label: entry.block,
                    start: place.start,
                    arity: Some(if $is_loop { 0 } else { entry.results.into() }),
                    is_loop: $is_loop,
                    code: None,
                });
                pc = place.start as usize;
                continue 'run;
            }};
        }
        // calls a function of the module; `taken` operands were used up before its arguments
        macro_rules! call {
            ($callee:expr, $taken:expr) => {{
                let Some(Callee::Native { params, results, locals: fresh, body }) = code.callees.get($callee as usize)
                else {
                    break 'run Exit::Single;
                };
                let entry = Entry { block: *body, params: 0, results: *results as u16 };
                let Some(place) = code.block(entry) else { break 'run Exit::Prepare(entry) };
                if i64::from(stacks.limit) <= stacks.depth() + 1 {
                    break 'run Exit::Single;
                }
                let (params, top) = (*params as usize, sp - $taken);
                let end = top + params + fresh.len();
                if end > stacks.slots.len() {
                    break 'run Exit::Room;
                }
                spend!(14 + 2 * (params + fresh.len()) as u64);
                let caller = some!(stacks.blocks.last_mut());
                caller.height = top - params - base;
                caller.taken = params;
                caller.pc = pc as u32 + 1;
                caller.untouched = untouched;
                stacks.slots.copy_within(top - params..top, top);
                stacks.slots[top + params..end].copy_from_slice(fresh);
                (locals, locals_end, base, sp) = (top, end, end, end);
                untouched = CLEAN;
                stacks.activations.push(Activation {
                    locals,
                    count: params + fresh.len(),
                    arity: Some(*results as i32),
                    blocks: stacks.blocks.len(),
                    origin: None,
                });
                stacks.blocks.push(Block {
                    base,
                    height: 0,
                    taken: 0,
                    end_key: 0,
                    untouched,
                    inherits: false,
                    origin: None,
                    pc: place.start,
                    label: *body,
                    start: place.start,
                    arity: Some(*results as i32),
                    is_loop: false,
                    code: None,
                });
                pc = place.start as usize;
                continue 'run;
            }};
        }

        match *op {
            Op::Single => break Exit::Single,
            Op::Nop => plain!(),
            Op::Drop => {
                sp -= 1;
                plain!()
            }
            Op::Select => {
                let Slot::I32(condition) = stacks.slots[sp - 1] else { break Exit::Single };
                if condition == 0 {
                    stacks.slots[sp - 3] = stacks.slots[sp - 2];
                }
                sp -= 2;
                plain!()
            }
            Op::LocalGet(index) => {
                let place = locals + index as usize;
                if place >= locals_end {
                    break Exit::Single;
                }
                push!(stacks.slots[place]);
                plain!()
            }
            Op::LocalSet(index) => {
                let place = locals + index as usize;
                if place >= locals_end {
                    break Exit::Single;
                }
                sp -= 1;
                stacks.slots[place] = stacks.slots[sp];
                plain!()
            }
            Op::LocalTee(index) => {
                let place = locals + index as usize;
                if place >= locals_end {
                    break Exit::Single;
                }
                stacks.slots[place] = stacks.slots[sp - 1];
                plain!()
            }
            Op::GlobalGet(index) => {
                let Some(Some(global)) = world.globals.get(index as usize) else { break Exit::Global(index) };
                push!(global.value);
                plain!()
            }
            Op::GlobalSet(index) => {
                let Some(Some(global)) = world.globals.get_mut(index as usize) else { break Exit::Global(index) };
                match (global.value, stacks.slots[sp - 1]) {
                    (Slot::I32(_), value @ Slot::I32(_)) | (Slot::I64(_), value @ Slot::I64(_)) if global.mutable => {
                        (global.value, global.changed) = (value, true);
                    }
                    _ => break Exit::Single,
                }
                sp -= 1;
                plain!()
            }
            Op::I32(value) => {
                push!(Slot::I32(value));
                plain!()
            }
            Op::I64(value) => {
                push!(Slot::I64(value));
                plain!()
            }
            Op::Load(offset, how) => {
                let memory = some!(world.memory.as_mut());
                let address = some!(address(stacks.slots[sp - 1], offset));
                stacks.slots[sp - 1] = some!(load(memory, address, how));
                plain!()
            }
            Op::Store(offset, bytes) => {
                let memory = some!(world.memory.as_mut());
                let address = some!(address(stacks.slots[sp - 2], offset));
                some!(store(memory, address, bytes, stacks.slots[sp - 1]));
                sp -= 2;
                plain!()
            }
            Op::Eqz32 => unary!(I32, I32, |a| (a == 0).into()),
            Op::Eqz64 => unary!(I64, I32, |a| (a == 0).into()),
            Op::Unary32(op) => unary!(I32, I32, |a| unary32(op, a)),
            Op::Unary64(op) => unary!(I64, I64, |a| unary64(op, a)),
            Op::Wrap => unary!(I64, I32, |a| a as i32),
            Op::ExtendS => unary!(I32, I64, |a| a.into()),
            Op::ExtendU => unary!(I32, I64, |a| (a as u32).into()),
            Op::Compare32(op) => binary!(I32, I32, |a, b| compare32(op, a, b).into()),
            Op::Compare64(op) => binary!(I64, I32, |a, b| compare64(op, a, b).into()),
            Op::Add32 => binary!(I32, I32, |a, b| a.wrapping_add(b)),
            Op::Add64 => binary!(I64, I64, |a, b| a.wrapping_add(b)),
            Op::Binary32(op) => binary!(I32, I32, |a, b| some!(binary32(op, a, b).ok())),
            Op::Binary64(op) => binary!(I64, I64, |a, b| some!(binary64(op, a, b).ok())),
            Op::MemorySize => {
                let length = some!(world.memory.as_ref()).length();
                push!(Slot::I32((length / crate::instance::PAGE_SIZE) as i32));
                plain!()
            }
            Op::MemoryFill => {
                let memory = some!(world.memory.as_mut());
                let (to, value, count) = some!(range(&stacks.slots[sp - 3..sp]));
                let byte = match value {
                    Slot::I32(value) => value as u8,
                    Slot::I64(value) => value as u8,
                    Slot::Other(_) => break Exit::Single,
                };
                if u64::from(to as u32) + u64::from(count as u32) > memory.length() {
                    break Exit::Single;
                }
                let most = (left - PLAIN) / FILL;
                let done = most.min(u64::from(count as u32)) as u32;
                if memory.set(to as u32 as u64, done as usize, byte).is_err() {
                    break Exit::Single;
                }
                if done < count as u32 {
                    stacks.slots[sp - 3] = Slot::I32(to.wrapping_add(done as i32));
                    stacks.slots[sp - 1] = Slot::I32(count.wrapping_sub(done as i32));
                    left -= ADMIN + FILL * u64::from(done);
                    pc += 1;
                    break Exit::Rest(Instr::MemoryFill);
                }
                left -= FILL * u64::from(done);
                sp -= 3;
                plain!()
            }
            Op::MemoryCopy => {
                let memory = some!(world.memory.as_mut());
                let Some((to, Slot::I32(from), count)) = range(&stacks.slots[sp - 3..sp]) else { break Exit::Single };
                let [to, from, count] = [to as u32, from as u32, count as u32].map(u64::from);
                if to.max(from) + count > memory.length() {
                    break Exit::Single;
                }
                let most = (left - PLAIN) / COPY;
                let done = most.min(count);
                // upwards byte by byte, downwards from the end: either way as if through a buffer
                if done < count && to > from {
                    break Exit::Ticks;
                }
                if memory.copy(to, from, done as usize).is_err() {
                    break Exit::Single;
                }
                if done < count {
                    stacks.slots[sp - 3] = Slot::I32((to + done) as i32);
                    stacks.slots[sp - 2] = Slot::I32((from + done) as i32);
                    stacks.slots[sp - 1] = Slot::I32((count - done) as i32);
                    left -= ADMIN + COPY * done;
                    pc += 1;
                    break Exit::Rest(Instr::MemoryCopy);
                }
                left -= COPY * done;
                sp -= 3;
                plain!()
            }
            Op::Block(entry) => enter!(entry, false, 0, PLAIN),
            Op::Loop(entry) => enter!(entry, true, 0, PLAIN),
            Op::If(number) => {
                let Slot::I32(condition) = stacks.slots[sp - 1] else { break Exit::Single };
                let (then, otherwise) = *some!(code.ifs.get(number as usize));
                enter!(if condition == 0 { otherwise } else { then }, false, 1, PLAIN + ADMIN)
            }
            Op::Br(depth) => branch!(depth, 0, PLAIN),
            Op::BrIf(depth) => {
                let Slot::I32(condition) = stacks.slots[sp - 1] else { break Exit::Single };
                if condition == 0 {
                    sp -= 1;
                    plain!()
                }
                branch!(depth, 1, PLAIN + ADMIN)
            }
            Op::BrTable(number) => {
                let Slot::I32(index) = stacks.slots[sp - 1] else { break Exit::Single };
                let (list, default) = some!(code.branches.get(number as usize));
                let depth = list.get(index as u32 as usize).copied().unwrap_or(*default);
                branch!(depth as u32, 1, PLAIN + ADMIN)
            }
            Op::End => {
                let blocks = some!(stacks.activations.last()).blocks;
                if stacks.blocks.len() - 1 == blocks {
                    if some!(stacks.activations.last()).has_blocks_around() {
                        break Exit::Single;
                    }
                    leave!(sp - base, sp, 2 * ADMIN)
                }
                let around = stacks.blocks[stacks.blocks.len() - 2].height;
                spend!((sp - base + around) as u64 + 7);
                stacks.blocks.pop();
                resume!(sp - base, base);
            }
            Op::Return => {
                let results = some!(stacks.activations.last()).arity;
                if results.is_none_or(|results| ((sp - base) as i64) < i64::from(results)) {
                    break Exit::Single;
                }
                leave!(sp - base, sp, PLAIN + ADMIN)
            }
            Op::Call(index) => {
                let Some(callee) = code.function(index) else { break Exit::Function(index) };
                if let Some(Callee::Host { .. }) = code.callees.get(callee as usize) {
                    break Exit::Host(callee);
                }
                call!(callee, 0)
            }
            Op::CallIndirect(table, kind) => {
                let Slot::I32(index) = stacks.slots[sp - 1] else { break Exit::Single };
                let Some(callee) = world.elements.get(&(table, kind, index)) else {
                    break Exit::Element { table, kind, index };
                };
                call!(*callee, 1)
            }
            Op::Stack(number) => {
                let instr = some!(code.stack.get(number as usize));
                if stacks.others.len() > MOST_OTHERS {
                    break Exit::Single;
                }
                let operands = sp - instr.pops as usize..sp;
                if stacks.slots.len() < sp + 1 {
                    break Exit::Room;
                }
                let results = some!(in_operands(stacks, &instr.instr, operands));
                sp -= instr.pops as usize;
                for result in results {
                    push!(result);
                }
                plain!()
            }
        }
    };
    if let Some(block) = stacks.blocks.last_mut() {
        block.pc = pc as u32;
        block.height = sp - base;
        block.untouched = untouched;
    }
    *ticks = left;
    exit
}
