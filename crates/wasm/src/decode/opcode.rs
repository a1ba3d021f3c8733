//! Parsing one instruction that is not a block (`spec/pvm.md` §5.2: which opcodes exist, and what happens to floats).

use soru_merkle::containers::{Int31, OptionLeaf};

use super::simd;
use super::stream::{Stream, error, no_floats, require};
use crate::exception::Stepped;
use crate::instr::{Instr, List};
use crate::operator::{
    Extension, IntBinary, IntCompare, IntConvert, IntTest, IntUnary, LoadPack, MemOp, PackSize, Width,
};
use crate::types::{Num, NumType};

const COMPARE: [IntCompare; 10] = [
    IntCompare::Eq,
    IntCompare::Ne,
    IntCompare::LtS,
    IntCompare::LtU,
    IntCompare::GtS,
    IntCompare::GtU,
    IntCompare::LeS,
    IntCompare::LeU,
    IntCompare::GeS,
    IntCompare::GeU,
];
const UNARY: [IntUnary; 3] = [IntUnary::Clz, IntUnary::Ctz, IntUnary::Popcnt];
const BINARY: [IntBinary; 15] = [
    IntBinary::Add,
    IntBinary::Sub,
    IntBinary::Mul,
    IntBinary::DivS,
    IntBinary::DivU,
    IntBinary::RemS,
    IntBinary::RemU,
    IntBinary::And,
    IntBinary::Or,
    IntBinary::Xor,
    IntBinary::Shl,
    IntBinary::ShrS,
    IntBinary::ShrU,
    IntBinary::Rotl,
    IntBinary::Rotr,
];
const SATURATING: [IntConvert; 4] =
    [IntConvert::TruncSatSF32, IntConvert::TruncSatUF32, IntConvert::TruncSatSF64, IntConvert::TruncSatUF64];
const TRUNCATING: [IntConvert; 4] =
    [IntConvert::TruncSF32, IntConvert::TruncUF32, IntConvert::TruncSF64, IntConvert::TruncUF64];

fn illegal<T>(opcode: u8) -> Stepped<T> {
    error(&format!("illegal opcode {opcode:02x}"))
}

/// Alignment and offset of a memory access.
pub(super) fn memop(stream: &mut Stream<'_>) -> Stepped<(Int31, i32)> {
    let align = stream.u32()?;
    require(align <= 32, "malformed memop flags")?;
    Ok((Int31(align as i32), stream.index()?))
}

fn load(stream: &mut Stream<'_>, kind: NumType, pack: Option<(PackSize, Extension)>) -> Stepped<Instr> {
    let (align, offset) = memop(stream)?;
    let pack = OptionLeaf(pack.map(|(size, extension)| LoadPack { size, extension }));
    Ok(Instr::Load(MemOp { kind, align, offset, pack }))
}

fn store(stream: &mut Stream<'_>, kind: NumType, pack: Option<PackSize>) -> Stepped<Instr> {
    let (align, offset) = memop(stream)?;
    Ok(Instr::Store(MemOp { kind, align, offset, pack: OptionLeaf(pack) }))
}

/// The instruction whose opcode `tag` was just read.
pub fn instruction(stream: &mut Stream<'_>, tag: u8) -> Stepped<Instr> {
    use Extension::{Signed, Zero};
    use NumType::{I32, I64};
    use PackSize::{Pack8, Pack16, Pack32};
    let at = |first: u8| usize::from(tag - first);
    Ok(match tag {
        0x00 => Instr::Unreachable,
        0x01 => Instr::Nop,
        0x05 => return error("misplaced ELSE opcode"),
        0x0b => return error("misplaced END opcode"),
        0x0c => Instr::Br(stream.index()?),
        0x0d => Instr::BrIf(stream.index()?),
        0x0e => {
            let count = stream.length()?;
            let labels = (0..count).map(|_| stream.index()).collect::<Stepped<Vec<_>>>()?;
            Instr::BrTable(List(labels.into()), stream.index()?)
        }
        0x0f => Instr::Return,
        0x10 => Instr::Call(stream.index()?),
        0x11 => {
            let kind = stream.index()?;
            Instr::CallIndirect(stream.index()?, kind)
        }
        0x1a => Instr::Drop,
        0x1b => Instr::Select(OptionLeaf(None)),
        0x1c => {
            let count = stream.length()?;
            let types = (0..count).map(|_| stream.value_type()).collect::<Stepped<Vec<_>>>()?;
            Instr::Select(OptionLeaf(Some(List(types.into()))))
        }
        0x20 => Instr::LocalGet(stream.index()?),
        0x21 => Instr::LocalSet(stream.index()?),
        0x22 => Instr::LocalTee(stream.index()?),
        0x23 => Instr::GlobalGet(stream.index()?),
        0x24 => Instr::GlobalSet(stream.index()?),
        0x25 => Instr::TableGet(stream.index()?),
        0x26 => Instr::TableSet(stream.index()?),
        0x28 => load(stream, I32, None)?,
        0x29 => load(stream, I64, None)?,
        0x2c => load(stream, I32, Some((Pack8, Signed)))?,
        0x2d => load(stream, I32, Some((Pack8, Zero)))?,
        0x2e => load(stream, I32, Some((Pack16, Signed)))?,
        0x2f => load(stream, I32, Some((Pack16, Zero)))?,
        0x30 => load(stream, I64, Some((Pack8, Signed)))?,
        0x31 => load(stream, I64, Some((Pack8, Zero)))?,
        0x32 => load(stream, I64, Some((Pack16, Signed)))?,
        0x33 => load(stream, I64, Some((Pack16, Zero)))?,
        0x34 => load(stream, I64, Some((Pack32, Signed)))?,
        0x35 => load(stream, I64, Some((Pack32, Zero)))?,
        0x36 => store(stream, I32, None)?,
        0x37 => store(stream, I64, None)?,
        0x3a => store(stream, I32, Some(Pack8))?,
        0x3b => store(stream, I32, Some(Pack16))?,
        0x3c => store(stream, I64, Some(Pack8))?,
        0x3d => store(stream, I64, Some(Pack16))?,
        0x3e => store(stream, I64, Some(Pack32))?,
        0x3f => stream.zero().map(|()| Instr::MemorySize)?,
        0x40 => stream.zero().map(|()| Instr::MemoryGrow)?,
        0x41 => Instr::Const(Num::I32(stream.s32()?)),
        0x42 => Instr::Const(Num::I64(stream.s64()?)),
        0x45 => Instr::Test(Width::I32(IntTest::Eqz)),
        0x46..=0x4f => Instr::Compare(Width::I32(COMPARE[at(0x46)])),
        0x50 => Instr::Test(Width::I64(IntTest::Eqz)),
        0x51..=0x5a => Instr::Compare(Width::I64(COMPARE[at(0x51)])),
        0x67..=0x69 => Instr::Unary(Width::I32(UNARY[at(0x67)])),
        0x6a..=0x78 => Instr::Binary(Width::I32(BINARY[at(0x6a)])),
        0x79..=0x7b => Instr::Unary(Width::I64(UNARY[at(0x79)])),
        0x7c..=0x8a => Instr::Binary(Width::I64(BINARY[at(0x7c)])),
        0xa7 => Instr::Convert(Width::I32(IntConvert::WrapI64)),
        0xa8..=0xab => Instr::Convert(Width::I32(TRUNCATING[at(0xa8)])),
        0xac => Instr::Convert(Width::I64(IntConvert::ExtendSI32)),
        0xad => Instr::Convert(Width::I64(IntConvert::ExtendUI32)),
        0xae..=0xb1 => Instr::Convert(Width::I64(TRUNCATING[at(0xae)])),
        0xbc => Instr::Convert(Width::I32(IntConvert::ReinterpretFloat)),
        0xbd => Instr::Convert(Width::I64(IntConvert::ReinterpretFloat)),
        0xc0 => Instr::Unary(Width::I32(IntUnary::ExtendS(Pack8))),
        0xc1 => Instr::Unary(Width::I32(IntUnary::ExtendS(Pack16))),
        0xc2 => Instr::Unary(Width::I64(IntUnary::ExtendS(Pack8))),
        0xc3 => Instr::Unary(Width::I64(IntUnary::ExtendS(Pack16))),
        0xc4 => Instr::Unary(Width::I64(IntUnary::ExtendS(Pack32))),
        0xd0 => Instr::RefNull(stream.ref_type()?),
        0xd1 => Instr::RefIsNull,
        0xd2 => Instr::RefFunc(stream.index()?),
        0xfc => return prefixed(stream),
        0xfd => {
            let number = stream.u32()?;
            return simd::instruction(stream, number);
        }
        0x2a | 0x2b | 0x38 | 0x39 | 0x43 | 0x44 | 0x5b..=0x66 | 0x8b..=0xa6 | 0xb2..=0xbb | 0xbe | 0xbf => {
            return no_floats();
        }
        other => return illegal(other),
    })
}

/// An instruction behind the prefix `fc`.
fn prefixed(stream: &mut Stream<'_>) -> Stepped<Instr> {
    Ok(match stream.u32()? {
        number @ 0x00..=0x03 => Instr::Convert(Width::I32(SATURATING[number as usize])),
        number @ 0x04..=0x07 => Instr::Convert(Width::I64(SATURATING[number as usize - 4])),
        0x08 => {
            let segment = stream.index()?;
            stream.zero().map(|()| Instr::MemoryInit(segment))?
        }
        0x09 => Instr::DataDrop(stream.index()?),
        0x0a => {
            stream.zero()?;
            stream.zero().map(|()| Instr::MemoryCopy)?
        }
        0x0b => stream.zero().map(|()| Instr::MemoryFill)?,
        0x0c => {
            let segment = stream.index()?;
            Instr::TableInit(stream.index()?, segment)
        }
        0x0d => Instr::ElemDrop(stream.index()?),
        0x0e => {
            let to = stream.index()?;
            Instr::TableCopy(to, stream.index()?)
        }
        0x0f => Instr::TableGrow(stream.index()?),
        0x10 => Instr::TableSize(stream.index()?),
        0x11 => Instr::TableFill(stream.index()?),
        other => return error(&format!("illegal opcode fc {other:02x}")),
    })
}
