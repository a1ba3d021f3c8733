//! `memory.init` and `table.init` stand for loops of micro-instructions, one element each (`spec/pvm.md` §5.6). In between two
//! elements nothing is left of them but their operands, so that many elements can be done at once, in the tree's form.

use super::run::ADMIN;
use crate::eval::Machine;
use crate::eval::state::{Admin, Config, Frame, LabelKont, LabelStack, SkStart, StepKont};
use crate::exception::Stepped;
use crate::instr::Instr;
use crate::types::{Num, Value};

/// Ticks of one element: the instruction itself, then seven steps, six of which leave an instruction to execute.
const ELEMENT: u64 = ADMIN + 7 * ADMIN + 6 * ADMIN;

/// Does as many elements of the instruction that comes next as `most` ticks are enough for. Gives their ticks; none where the
/// next step is something else, or fails: single steps will do it, and meet the error.
pub(super) fn advance(machine: &mut Machine<'_>, config: &mut Config, most: u64) -> u64 {
    if most < 2 * ELEMENT {
        return 0;
    }
    let StepKont::Start(SkStart { top, .. }) = &mut config.kont else { return 0 };
    let LabelKont::Stack(LabelStack { top: label, .. }) = &mut top.labels else { return 0 };
    if label.code.is_empty() || label.values.signed_length() < 3 {
        return 0;
    }
    let Ok(Admin::Plain(instr @ (Instr::MemoryInit(_) | Instr::TableInit(..)))) = label.code.get(0) else { return 0 };
    let operand = |index| match label.values.get(index) {
        Ok(Value::Num(Num::I32(value))) => u32::try_from(value).ok(),
        _ => None,
    };
    // where any of them is 2³¹ or more, the reference may take it with its sign
    let (Some(count), Some(from), Some(to)) = (operand(0), operand(1), operand(2)) else { return 0 };
    let wanted = u32::try_from(most / ELEMENT).unwrap_or(u32::MAX).min(count);
    let done = match instr {
        Instr::MemoryInit(segment) => memory_init(machine, &top.frame, segment, [to, from, count], wanted),
        Instr::TableInit(table, segment) => {
            table_init(machine, &top.frame, (table, segment), [to, from, count], wanted)
        }
        _ => return 0,
    };
    let Ok(done) = done else { return 0 };
    for (index, value) in [count - done, from + done, to + done].into_iter().enumerate() {
        if label.values.set(index as i64, Value::i32(value as i32)).is_err() {
            return 0;
        }
    }
    u64::from(done) * ELEMENT
}

fn inside(from: u32, count: u32, length: u64) -> bool {
    u64::from(from) + u64::from(count) <= length
}

/// Gives the number of elements done.
fn memory_init(
    machine: &mut Machine<'_>,
    frame: &Frame,
    segment: i32,
    [to, from, count]: [u32; 3],
    wanted: u32,
) -> Stepped<u32> {
    let mut instance = machine.own_instance(frame)?;
    let mut memory = instance.memory(0)?;
    let data = instance.allocations.data(instance.data(segment)?)?;
    if !inside(to, count, memory.bytes.length()) || !inside(from, count, data.length()) {
        return Ok(0);
    }
    memory.bytes.write_bytes(to.into(), &data.read_bytes(from.into(), wanted.into())?)?;
    instance.memories.set(0, memory)?;
    machine.put_instance(frame, instance);
    Ok(wanted)
}

/// Gives the number of elements done.
fn table_init(
    machine: &mut Machine<'_>,
    frame: &Frame,
    (number, segment): (i32, i32),
    [to, from, count]: [u32; 3],
    wanted: u32,
) -> Stepped<u32> {
    let mut instance = machine.own_instance(frame)?;
    let mut table = instance.table(number)?;
    let refs = instance.elem(segment)?.refs;
    if !inside(to, count, u64::from(table.size() as u32)) || !inside(from, count, refs.length()) {
        return Ok(0);
    }
    let mut done = 0;
    while done < wanted {
        let value = refs.get((from + done).into())?;
        if table.set((to + done) as i32, value).is_err() {
            break;
        }
        done += 1;
    }
    if done > 0 {
        instance.tables.set(number.into(), table)?;
        machine.put_instance(frame, instance);
    }
    Ok(done)
}
