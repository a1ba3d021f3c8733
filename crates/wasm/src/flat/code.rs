//! Blocks as arrays of instructions with their operands at hand, prepared when first entered. Instruction number i of a block
//! stays number i, so that every place in the array is a place of the small-step machine.

use std::collections::HashMap;

use super::stack::Slot;
use crate::exception::{StepError, Stepped};
use crate::instance::{Function, Instance, NativeFunction};
use crate::instr::Instr;
use crate::operator::{Extension, IntBinary, IntCompare, IntConvert, IntTest, IntUnary, PackSize, Width};
use crate::types::{BlockType, Name, Num, NumType};

/// A prepared instruction.
#[derive(Debug, Clone, Copy)]
pub(super) enum Op {
    /// Left to the small-step machine.
    Single,
    /// The end of the block.
    End,
    Nop,
    Drop,
    Select,
    LocalGet(u32),
    LocalSet(u32),
    LocalTee(u32),
    GlobalGet(u32),
    GlobalSet(u32),
    I32(i32),
    I64(i64),
    Load(u32, Loaded),
    /// Bytes stored; 0 for all of the value.
    Store(u32, u8),
    Eqz32,
    Eqz64,
    Compare32(IntCompare),
    Compare64(IntCompare),
    Unary32(IntUnary),
    Unary64(IntUnary),
    Add32,
    Add64,
    Binary32(IntBinary),
    Binary64(IntBinary),
    Wrap,
    ExtendS,
    ExtendU,
    MemorySize,
    MemoryFill,
    MemoryCopy,
    Block(Entry),
    Loop(Entry),
    If(u32),
    Br(u32),
    BrIf(u32),
    BrTable(u32),
    Return,
    Call(u32),
    /// Table and type.
    CallIndirect(u32, u32),
    /// An instruction that concerns the operand stack only.
    Stack(u32),
}

/// How a number is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loaded {
    I32,
    I64,
    /// Narrow numbers: their bytes, whether they have a sign, whether they become 64 bits.
    Narrow(u8, bool, bool),
}

/// A block to enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) block: i32,
    pub(super) params: u16,
    pub(super) results: u16,
}

/// Where the prepared instructions of a block are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Prepared {
    pub(super) start: u32,
    pub(super) length: u32,
    /// How the block is entered and left.
    entry: Entry,
}

/// What a call needs to know of a function.
#[derive(Debug)]
pub(super) enum Callee {
    Native { params: u32, results: u32, locals: Box<[Slot]>, body: i32 },
    Host { params: u32, results: u32, name: Name },
}

/// An instruction of the operand stack, with the number of values it takes.
#[derive(Debug)]
pub(super) struct StackInstr {
    pub(super) instr: Instr,
    pub(super) pops: u32,
}

/// The prepared code of a module.
#[derive(Debug, Default)]
pub(super) struct Code {
    pub(super) ops: Vec<Op>,
    /// Values on the operand stack of the block that each instruction can rely on.
    heights: Vec<u32>,
    /// By label.
    blocks: Vec<Option<Prepared>>,
    pub(super) branches: Vec<(Box<[i32]>, i32)>,
    pub(super) ifs: Vec<(Entry, Entry)>,
    /// The loop instructions, by the label of their block.
    pub(super) loops: HashMap<i32, Instr>,
    pub(super) stack: Vec<StackInstr>,
    pub(super) callees: Vec<Callee>,
    /// Callees by number of the function.
    functions: Vec<Option<u32>>,
    bodies: HashMap<(i32, i32), u32>,
}

/// Sets an element, making room for it; false where that would be more room than any module needs.
pub(super) fn insert<T: Clone>(vector: &mut Vec<Option<T>>, index: usize, value: T) -> bool {
    if index > MOST_OPS {
        return false;
    }
    if vector.len() <= index {
        vector.resize(index + 1, None);
    }
    vector.get_mut(index).is_some_and(|place| {
        *place = Some(value);
        true
    })
}

/// More blocks than this are not kept prepared; a kernel of 10 MB has about as many instructions.
const MOST_OPS: usize = 1 << 24;

impl Code {
    /// Whether so much is prepared that it is better to begin again.
    pub(super) fn is_full(&self) -> bool {
        self.ops.len() > MOST_OPS
    }

    /// Where a block is, once it was prepared.
    #[inline]
    pub(super) fn block(&self, entry: Entry) -> Option<Prepared> {
        self.blocks.get(entry.block as usize).copied().flatten().filter(|prepared| prepared.entry == entry)
    }

    /// How a block with as many results is entered, if it was prepared.
    pub(super) fn known(&self, block: i32, results: u16) -> Option<Entry> {
        let prepared = self.blocks.get(block as usize).copied().flatten()?;
        Some(prepared.entry).filter(|entry| entry.results == results)
    }

    /// Whether instruction `pc` may be executed with `height` operands.
    pub(super) fn fits(&self, pc: u32, height: u32) -> bool {
        self.heights.get(pc as usize).is_some_and(|least| *least <= height)
    }

    /// What is known of function `index`.
    #[inline]
    pub(super) fn function(&self, index: u32) -> Option<u32> {
        self.functions.get(index as usize).copied().flatten()
    }

    /// Prepares function `index`; false if it is not to be called here.
    pub(super) fn prepare_function(&mut self, instance: &Instance, module: &Name, index: u32) -> Stepped<bool> {
        let callee = self.prepare_callee(&instance.function(index as i32)?, module)?;
        Ok(callee.is_some_and(|callee| insert(&mut self.functions, index as usize, callee)))
    }

    /// Prepares a function; none if it is not to be called here.
    pub(super) fn prepare_callee(&mut self, function: &Function, module: &Name) -> Stepped<Option<u32>> {
        let (params, results) = function.signature();
        let (Ok(params), Ok(results)) = (u16::try_from(params.length()), u16::try_from(results.length())) else {
            return Ok(None);
        };
        let (params, results) = (params.into(), results.into());
        let (callee, key) = match function {
            Function::Host(host) => (Callee::Host { params, results, name: host.name.clone() }, None),
            Function::Native(NativeFunction { module: own, .. }) if own != module => return Ok(None),
            Function::Native(native) => {
                let key = (native.body, native.ftype);
                if let Some(known) = self.bodies.get(&key) {
                    return Ok(Some(*known));
                }
                let locals = native.locals.to_list()?.into_iter().map(Slot::default_of).collect();
                (Callee::Native { params, results, locals, body: native.body }, Some(key))
            }
        };
        let number = self.callees.len() as u32;
        self.callees.push(callee);
        if let Some(key) = key {
            self.bodies.insert(key, number);
        }
        Ok(Some(number))
    }

    /// Prepares a block that is entered with some operands and left with some results.
    pub(super) fn prepare_block(&mut self, instance: &Instance, entry: Entry) -> Stepped<Prepared> {
        let instructions = instance.allocations.blocks.get(entry.block.into())?.instructions;
        let start = self.ops.len() as u32;
        let mut height = u32::from(entry.params);
        for index in 0..instructions.length() as i64 {
            let (op, pops, pushes) = self.op(instance, instructions.get(index)?)?;
            self.ops.push(if height < pops { Op::Single } else { op });
            self.heights.push(height);
            height = height.saturating_sub(pops).saturating_add(pushes);
        }
        self.ops.push(if height < entry.results.into() { Op::Single } else { Op::End });
        self.heights.push(0);
        let prepared = Prepared { entry, start, length: self.ops.len() as u32 - start };
        match insert(&mut self.blocks, entry.block as usize, prepared) {
            true => Ok(prepared),
            false => Err(StepError::NoSuccessor("a module of too many blocks to prepare")),
        }
    }

    pub(super) fn entry(instance: &Instance, kind: &BlockType, block: i32) -> Stepped<Option<Entry>> {
        let (params, results) = instance.block_arity(kind)?;
        let (Ok(params), Ok(results)) = (u16::try_from(params), u16::try_from(results)) else { return Ok(None) };
        Ok(Some(Entry { block, params, results }))
    }

    /// Blocks with operands of their own are rare, and left to the small-step machine.
    fn entering(entry: Entry, op: Op) -> (Op, u32, u32) {
        (if entry.params == 0 { op } else { Op::Single }, entry.params.into(), entry.results.into())
    }

    /// The prepared instruction, the values it takes and those it leaves.
    fn op(&mut self, instance: &Instance, instr: Instr) -> Stepped<(Op, u32, u32)> {
        const SINGLE: (Op, u32, u32) = (Op::Single, 0, 0);
        Ok(match instr {
            Instr::Nop => (Op::Nop, 0, 0),
            Instr::Drop => (Op::Drop, 1, 0),
            Instr::Select(_) => (Op::Select, 3, 1),
            Instr::LocalGet(index) => (Op::LocalGet(index as u32), 0, 1),
            Instr::LocalSet(index) => (Op::LocalSet(index as u32), 1, 0),
            Instr::LocalTee(index) => (Op::LocalTee(index as u32), 1, 1),
            Instr::GlobalGet(index) => (Op::GlobalGet(index as u32), 0, 1),
            Instr::GlobalSet(index) => (Op::GlobalSet(index as u32), 1, 0),
            Instr::Const(Num::I32(value)) => (Op::I32(value), 0, 1),
            Instr::Const(Num::I64(value)) => (Op::I64(value), 0, 1),
            Instr::Load(load) => {
                let how = match (load.kind, load.pack.0) {
                    (NumType::I32, None) => Loaded::I32,
                    (NumType::I64, None) => Loaded::I64,
                    (kind, Some(pack)) => {
                        let signed = pack.extension == Extension::Signed;
                        Loaded::Narrow(pack.size.bytes() as u8, signed, kind == NumType::I64)
                    }
                };
                (Op::Load(load.offset as u32, how), 1, 1)
            }
            Instr::Store(store) => {
                let bytes = store.pack.0.map_or(0, PackSize::bytes);
                (Op::Store(store.offset as u32, bytes as u8), 2, 0)
            }
            Instr::Test(Width::I32(IntTest::Eqz)) => (Op::Eqz32, 1, 1),
            Instr::Test(Width::I64(IntTest::Eqz)) => (Op::Eqz64, 1, 1),
            Instr::Compare(Width::I32(op)) => (Op::Compare32(op), 2, 1),
            Instr::Compare(Width::I64(op)) => (Op::Compare64(op), 2, 1),
            Instr::Unary(Width::I32(op)) => (Op::Unary32(op), 1, 1),
            Instr::Unary(Width::I64(op)) => (Op::Unary64(op), 1, 1),
            Instr::Binary(Width::I32(IntBinary::Add)) => (Op::Add32, 2, 1),
            Instr::Binary(Width::I64(IntBinary::Add)) => (Op::Add64, 2, 1),
            Instr::Binary(Width::I32(op)) => (Op::Binary32(op), 2, 1),
            Instr::Binary(Width::I64(op)) => (Op::Binary64(op), 2, 1),
            Instr::Convert(Width::I32(IntConvert::WrapI64)) => (Op::Wrap, 1, 1),
            Instr::Convert(Width::I64(IntConvert::ExtendSI32)) => (Op::ExtendS, 1, 1),
            Instr::Convert(Width::I64(IntConvert::ExtendUI32)) => (Op::ExtendU, 1, 1),
            Instr::MemorySize => (Op::MemorySize, 0, 1),
            Instr::MemoryFill => (Op::MemoryFill, 3, 0),
            Instr::MemoryCopy => (Op::MemoryCopy, 3, 0),
            Instr::Block(kind, block) => match Code::entry(instance, &kind, block)? {
                Some(entry) => Code::entering(entry, Op::Block(entry)),
                None => SINGLE,
            },
            Instr::Loop(ref kind, block) => match Code::entry(instance, kind, block)? {
                Some(entry) => {
                    self.loops.insert(block, instr);
                    Code::entering(entry, Op::Loop(entry))
                }
                None => SINGLE,
            },
            Instr::If(kind, then, otherwise) => match Code::entry(instance, &kind, then)? {
                Some(entry) => {
                    self.ifs.push((entry, Entry { block: otherwise, ..entry }));
                    let number = self.ifs.len() as u32 - 1;
                    let (op, pops, pushes) = Code::entering(entry, Op::If(number));
                    (op, pops + 1, pushes)
                }
                None => SINGLE,
            },
            Instr::Br(depth) => (Op::Br(depth as u32), 0, 0),
            Instr::BrIf(depth) => (Op::BrIf(depth as u32), 1, 0),
            Instr::BrTable(list, default) => {
                self.branches.push((list.0.iter().copied().collect(), default));
                (Op::BrTable(self.branches.len() as u32 - 1), 1, 0)
            }
            Instr::Return => (Op::Return, 0, 0),
            Instr::Call(index) => match instance.function(index) {
                Ok(function) => {
                    let (params, results) = function.signature();
                    (Op::Call(index as u32), params.length() as u32, results.length() as u32)
                }
                Err(_) => SINGLE,
            },
            Instr::CallIndirect(table, kind) => match instance.func_type(kind) {
                Ok(signature) => {
                    let (params, results) = (signature.params.length() as u32, signature.results.length() as u32);
                    (Op::CallIndirect(table as u32, kind as u32), params.saturating_add(1), results)
                }
                Err(_) => SINGLE,
            },
            Instr::MemoryGrow | Instr::TableGet(_) | Instr::VecLoad(_) => (Op::Single, 1, 1),
            Instr::TableSize(_) | Instr::RefFunc(_) => (Op::Single, 0, 1),
            Instr::TableSet(_) | Instr::VecStore(_) | Instr::VecStoreLane(_) => (Op::Single, 2, 0),
            Instr::TableGrow(_) | Instr::VecLoadLane(_) => (Op::Single, 2, 1),
            Instr::TableFill(_) | Instr::TableCopy(..) | Instr::TableInit(..) | Instr::MemoryInit(_) => {
                (Op::Single, 3, 0)
            }
            instr => match stack_effect(&instr) {
                Some((pops, pushes)) => {
                    self.stack.push(StackInstr { instr, pops });
                    (Op::Stack(self.stack.len() as u32 - 1), pops, pushes)
                }
                None => SINGLE,
            },
        })
    }
}

/// The values taken and left by an instruction that touches nothing but the operand stack; none for others.
fn stack_effect(instr: &Instr) -> Option<(u32, u32)> {
    Some(match instr {
        Instr::RefNull(_) | Instr::VecConst(_) => (0, 1),
        Instr::RefIsNull
        | Instr::VecTest(_)
        | Instr::VecUnary(_)
        | Instr::VecConvert(_)
        | Instr::VecBitmask(_)
        | Instr::VecTestBits(_)
        | Instr::VecUnaryBits(_)
        | Instr::VecSplat(_)
        | Instr::VecExtract(_) => (1, 1),
        Instr::VecBinary(_)
        | Instr::VecCompare(_)
        | Instr::VecShift(_)
        | Instr::VecBinaryBits(_)
        | Instr::VecReplace(_) => (2, 1),
        Instr::VecTernaryBits(_) => (3, 1),
        _ => return None,
    })
}
