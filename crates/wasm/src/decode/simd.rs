//! Parsing vector instructions, behind the prefix `fd` (`spec/pvm.md` §5.2).

use soru_merkle::containers::{Int31, OptionLeaf};

use super::opcode::memop;
use super::stream::{Stream, error, no_floats};
use crate::exception::{StepError, Stepped};
use crate::instr::Instr;
use crate::operator::{
    BitsBinary, BitsTernary, BitsTest, BitsUnary, Extension, Extract, LaneOp, Lanes, MemOp, PackShape, PackSize,
    Replace, ShuffleLanes, Single, Splat, VecBinary, VecBitmask, VecCompare, VecConvert, VecExtension, VecLoadPack,
    VecShift, VecSimpleBinary, VecTest, VecUnary, Whole,
};
use crate::types::V128;

const COMPARE: [VecCompare; 10] = [
    VecCompare::Eq,
    VecCompare::Ne,
    VecCompare::LtS,
    VecCompare::LtU,
    VecCompare::GtS,
    VecCompare::GtU,
    VecCompare::LeS,
    VecCompare::LeU,
    VecCompare::GeS,
    VecCompare::GeU,
];

fn load(stream: &mut Stream<'_>, pack: Option<(PackSize, VecExtension)>) -> Stepped<Instr> {
    let (align, offset) = memop(stream)?;
    let pack = OptionLeaf(pack.map(|(size, extension)| VecLoadPack { size, extension }));
    Ok(Instr::VecLoad(MemOp { kind: Single, align, offset, pack }))
}

fn lane_op(stream: &mut Stream<'_>, pack: PackSize) -> Stepped<LaneOp> {
    let (align, offset) = memop(stream)?;
    let lane = Int31(stream.byte()?.into());
    Ok(LaneOp { access: MemOp { kind: Single, align, offset, pack }, lane })
}

fn lane(stream: &mut Stream<'_>) -> Stepped<Int31> {
    Ok(Int31(stream.byte()?.into()))
}

fn simple(op: VecSimpleBinary) -> VecBinary {
    VecBinary::Simple(op)
}

/// A float instruction that the reference's parser accepts although it has no encoding: the state that would hold it cannot be
/// written, so the tick has no successor.
fn no_encoding(what: &'static str) -> Stepped<Instr> {
    Err(StepError::NoSuccessor(what))
}

/// Vector instruction number `number`.
pub fn instruction(stream: &mut Stream<'_>, number: u32) -> Stepped<Instr> {
    use Extension::{Signed, Zero};
    use Lanes::{I8x16, I16x8, I32x4, I64x2};
    use PackShape::{Pack8x8, Pack16x4, Pack32x2};
    use PackSize::{Pack8, Pack16, Pack32, Pack64};
    use VecSimpleBinary as B;
    let compare = |first: u32| COMPARE[(number - first) as usize];
    let unary = |op| Ok(Instr::VecUnary(op));
    let binary = |op: Lanes<VecBinary>| Ok(Instr::VecBinary(op));
    let convert = |op| Ok(Instr::VecConvert(op));
    let shift = |op| Ok(Instr::VecShift(op));
    match number {
        0x00 => load(stream, None),
        0x01 => load(stream, Some((Pack64, VecExtension::Lane(Pack8x8, Signed)))),
        0x02 => load(stream, Some((Pack64, VecExtension::Lane(Pack8x8, Zero)))),
        0x03 => load(stream, Some((Pack64, VecExtension::Lane(Pack16x4, Signed)))),
        0x04 => load(stream, Some((Pack64, VecExtension::Lane(Pack16x4, Zero)))),
        0x05 => load(stream, Some((Pack64, VecExtension::Lane(Pack32x2, Signed)))),
        0x06 => load(stream, Some((Pack64, VecExtension::Lane(Pack32x2, Zero)))),
        0x07 => load(stream, Some((Pack8, VecExtension::Splat))),
        0x08 => load(stream, Some((Pack16, VecExtension::Splat))),
        0x09 => load(stream, Some((Pack32, VecExtension::Splat))),
        0x0a => load(stream, Some((Pack64, VecExtension::Splat))),
        0x0b => {
            let (align, offset) = memop(stream)?;
            Ok(Instr::VecStore(MemOp { kind: Single, align, offset, pack: Single }))
        }
        0x0c => {
            let mut bytes = [0; 16];
            for byte in &mut bytes {
                *byte = stream.byte()?;
            }
            Ok(Instr::VecConst(V128(bytes)))
        }
        0x0d => {
            let lanes = (0..16).map(|_| stream.byte()).collect::<Stepped<Vec<_>>>()?;
            binary(I8x16(VecBinary::Shuffle(ShuffleLanes(lanes.into()))))
        }
        0x0e => binary(I8x16(simple(B::Swizzle))),
        0x0f => Ok(Instr::VecSplat(I8x16(Splat::Splat))),
        0x10 => Ok(Instr::VecSplat(I16x8(Splat::Splat))),
        0x11 => Ok(Instr::VecSplat(I32x4(Splat::Splat))),
        0x12 => Ok(Instr::VecSplat(I64x2(Splat::Splat))),
        0x15 => Ok(Instr::VecExtract(Extract::Narrow(lane(stream)?, I8x16(()), Signed))),
        0x16 => Ok(Instr::VecExtract(Extract::Narrow(lane(stream)?, I8x16(()), Zero))),
        0x17 => Ok(Instr::VecReplace(I8x16(Replace::Replace(lane(stream)?)))),
        0x18 => Ok(Instr::VecExtract(Extract::Narrow(lane(stream)?, I16x8(()), Signed))),
        0x19 => Ok(Instr::VecExtract(Extract::Narrow(lane(stream)?, I16x8(()), Zero))),
        0x1a => Ok(Instr::VecReplace(I16x8(Replace::Replace(lane(stream)?)))),
        0x1b => Ok(Instr::VecExtract(Extract::Wide(lane(stream)?, I32x4(())))),
        0x1c => Ok(Instr::VecReplace(I32x4(Replace::Replace(lane(stream)?)))),
        0x1d => Ok(Instr::VecExtract(Extract::Wide(lane(stream)?, I64x2(())))),
        0x1e => Ok(Instr::VecReplace(I64x2(Replace::Replace(lane(stream)?)))),
        0x23..=0x2c => Ok(Instr::VecCompare(I8x16(compare(0x23)))),
        0x2d..=0x36 => Ok(Instr::VecCompare(I16x8(compare(0x2d)))),
        0x37..=0x40 => Ok(Instr::VecCompare(I32x4(compare(0x37)))),
        0x4d => Ok(Instr::VecUnaryBits(Whole(BitsUnary::Not))),
        0x4e => Ok(Instr::VecBinaryBits(Whole(BitsBinary::And))),
        0x4f => Ok(Instr::VecBinaryBits(Whole(BitsBinary::AndNot))),
        0x50 => Ok(Instr::VecBinaryBits(Whole(BitsBinary::Or))),
        0x51 => Ok(Instr::VecBinaryBits(Whole(BitsBinary::Xor))),
        0x52 => Ok(Instr::VecTernaryBits(Whole(BitsTernary::Bitselect))),
        0x53 => Ok(Instr::VecTestBits(Whole(BitsTest::AnyTrue))),
        0x54 => Ok(Instr::VecLoadLane(lane_op(stream, Pack8)?)),
        0x55 => Ok(Instr::VecLoadLane(lane_op(stream, Pack16)?)),
        0x56 => Ok(Instr::VecLoadLane(lane_op(stream, Pack32)?)),
        0x57 => Ok(Instr::VecLoadLane(lane_op(stream, Pack64)?)),
        0x58 => Ok(Instr::VecStoreLane(lane_op(stream, Pack8)?)),
        0x59 => Ok(Instr::VecStoreLane(lane_op(stream, Pack16)?)),
        0x5a => Ok(Instr::VecStoreLane(lane_op(stream, Pack32)?)),
        0x5b => Ok(Instr::VecStoreLane(lane_op(stream, Pack64)?)),
        0x5c => load(stream, Some((Pack32, VecExtension::Zero))),
        0x5d => load(stream, Some((Pack64, VecExtension::Zero))),
        0x60 => unary(I8x16(VecUnary::Abs)),
        0x61 => unary(I8x16(VecUnary::Neg)),
        0x62 => unary(I8x16(VecUnary::Popcnt)),
        0x63 => Ok(Instr::VecTest(I8x16(VecTest::AllTrue))),
        0x64 => Ok(Instr::VecBitmask(I8x16(VecBitmask::Bitmask))),
        0x65 => binary(I8x16(VecBinary::NarrowS)),
        0x66 => binary(I8x16(VecBinary::NarrowU)),
        0x6b => shift(I8x16(VecShift::Shl)),
        0x6c => shift(I8x16(VecShift::ShrS)),
        0x6d => shift(I8x16(VecShift::ShrU)),
        0x6e => binary(I8x16(simple(B::Add))),
        0x6f => binary(I8x16(simple(B::AddSatS))),
        0x70 => binary(I8x16(simple(B::AddSatU))),
        0x71 => binary(I8x16(simple(B::Sub))),
        0x72 => binary(I8x16(simple(B::SubSatS))),
        0x73 => binary(I8x16(simple(B::SubSatU))),
        0x76 => binary(I8x16(simple(B::MinS))),
        0x77 => binary(I8x16(simple(B::MinU))),
        0x78 => binary(I8x16(simple(B::MaxS))),
        0x79 => binary(I8x16(simple(B::MaxU))),
        0x7b => binary(I8x16(simple(B::AvgrU))),
        0x7c => convert(I16x8(VecConvert::ExtAddPairwiseS)),
        0x7d => convert(I16x8(VecConvert::ExtAddPairwiseU)),
        0x7e => convert(I32x4(VecConvert::ExtAddPairwiseS)),
        0x7f => convert(I32x4(VecConvert::ExtAddPairwiseU)),
        0x80 => unary(I16x8(VecUnary::Abs)),
        0x81 => unary(I16x8(VecUnary::Neg)),
        0x82 => binary(I16x8(simple(B::Q15MulRSatS))),
        0x83 => Ok(Instr::VecTest(I16x8(VecTest::AllTrue))),
        0x84 => Ok(Instr::VecBitmask(I16x8(VecBitmask::Bitmask))),
        0x85 => binary(I16x8(VecBinary::NarrowS)),
        0x86 => binary(I16x8(VecBinary::NarrowU)),
        0x87 => convert(I16x8(VecConvert::ExtendLowS)),
        0x88 => convert(I16x8(VecConvert::ExtendHighS)),
        0x89 => convert(I16x8(VecConvert::ExtendLowU)),
        0x8a => convert(I16x8(VecConvert::ExtendHighU)),
        0x8b => shift(I16x8(VecShift::Shl)),
        0x8c => shift(I16x8(VecShift::ShrS)),
        0x8d => shift(I16x8(VecShift::ShrU)),
        0x8e => binary(I16x8(simple(B::Add))),
        0x8f => binary(I16x8(simple(B::AddSatS))),
        0x90 => binary(I16x8(simple(B::AddSatU))),
        0x91 => binary(I16x8(simple(B::Sub))),
        0x92 => binary(I16x8(simple(B::SubSatS))),
        0x93 => binary(I16x8(simple(B::SubSatU))),
        0x95 => binary(I16x8(simple(B::Mul))),
        0x96 => binary(I16x8(simple(B::MinS))),
        0x97 => binary(I16x8(simple(B::MinU))),
        0x98 => binary(I16x8(simple(B::MaxS))),
        0x99 => binary(I16x8(simple(B::MaxU))),
        0x9b => binary(I16x8(simple(B::AvgrU))),
        0x9c => binary(I16x8(simple(B::ExtMulLowS))),
        0x9d => binary(I16x8(simple(B::ExtMulHighS))),
        0x9e => binary(I16x8(simple(B::ExtMulLowU))),
        0x9f => binary(I16x8(simple(B::ExtMulHighU))),
        0xa0 => unary(I32x4(VecUnary::Abs)),
        0xa1 => unary(I32x4(VecUnary::Neg)),
        0xa3 => Ok(Instr::VecTest(I32x4(VecTest::AllTrue))),
        0xa4 => Ok(Instr::VecBitmask(I32x4(VecBitmask::Bitmask))),
        0xa7 => convert(I32x4(VecConvert::ExtendLowS)),
        0xa8 => convert(I32x4(VecConvert::ExtendHighS)),
        0xa9 => convert(I32x4(VecConvert::ExtendLowU)),
        0xaa => convert(I32x4(VecConvert::ExtendHighU)),
        0xab => shift(I32x4(VecShift::Shl)),
        0xac => shift(I32x4(VecShift::ShrS)),
        0xad => shift(I32x4(VecShift::ShrU)),
        0xae => binary(I32x4(simple(B::Add))),
        0xb1 => binary(I32x4(simple(B::Sub))),
        0xb5 => binary(I32x4(simple(B::Mul))),
        0xb6 => binary(I32x4(simple(B::MinS))),
        0xb7 => binary(I32x4(simple(B::MinU))),
        0xb8 => binary(I32x4(simple(B::MaxS))),
        0xb9 => binary(I32x4(simple(B::MaxU))),
        0xba => binary(I32x4(simple(B::DotS))),
        0xbc => binary(I32x4(simple(B::ExtMulLowS))),
        0xbd => binary(I32x4(simple(B::ExtMulHighS))),
        0xbe => binary(I32x4(simple(B::ExtMulLowU))),
        0xbf => binary(I32x4(simple(B::ExtMulHighU))),
        0xc0 => unary(I64x2(VecUnary::Abs)),
        0xc1 => unary(I64x2(VecUnary::Neg)),
        0xc3 => Ok(Instr::VecTest(I64x2(VecTest::AllTrue))),
        0xc4 => Ok(Instr::VecBitmask(I64x2(VecBitmask::Bitmask))),
        0xc7 => convert(I64x2(VecConvert::ExtendLowS)),
        0xc8 => convert(I64x2(VecConvert::ExtendHighS)),
        0xc9 => convert(I64x2(VecConvert::ExtendLowU)),
        0xca => convert(I64x2(VecConvert::ExtendHighU)),
        0xcb => shift(I64x2(VecShift::Shl)),
        0xcc => shift(I64x2(VecShift::ShrS)),
        0xcd => shift(I64x2(VecShift::ShrU)),
        0xce => binary(I64x2(simple(B::Add))),
        0xd1 => binary(I64x2(simple(B::Sub))),
        0xd5 => binary(I64x2(simple(B::Mul))),
        0xd6 => Ok(Instr::VecCompare(I64x2(VecCompare::Eq))),
        0xd7 => Ok(Instr::VecCompare(I64x2(VecCompare::Ne))),
        0xd8 => Ok(Instr::VecCompare(I64x2(VecCompare::LtS))),
        0xd9 => Ok(Instr::VecCompare(I64x2(VecCompare::GtS))),
        0xda => Ok(Instr::VecCompare(I64x2(VecCompare::LeS))),
        0xdb => Ok(Instr::VecCompare(I64x2(VecCompare::GeS))),
        0xdc => binary(I64x2(simple(B::ExtMulLowS))),
        0xdd => binary(I64x2(simple(B::ExtMulHighS))),
        0xde => binary(I64x2(simple(B::ExtMulLowU))),
        0xdf => binary(I64x2(simple(B::ExtMulHighU))),
        0xf8 => convert(I32x4(VecConvert::TruncSatSF32x4)),
        0xf9 => convert(I32x4(VecConvert::TruncSatUF32x4)),
        0xfc => convert(I32x4(VecConvert::TruncSatSZeroF64x2)),
        0xfd => convert(I32x4(VecConvert::TruncSatUZeroF64x2)),
        0x74 => no_encoding("f64x2.ceil has no encoding"),
        0x75 => no_encoding("f64x2.floor has no encoding"),
        0x7a => no_encoding("f64x2.trunc has no encoding"),
        0x94 => no_encoding("f64x2.nearest has no encoding"),
        0xfa => no_encoding("f32x4.convert_i32x4_s has no encoding"),
        0xfb => no_encoding("f32x4.convert_i32x4_u has no encoding"),
        0x13
        | 0x14
        | 0x1f..=0x22
        | 0x41..=0x4c
        | 0x5e
        | 0x5f
        | 0x67..=0x6a
        | 0xe0
        | 0xe1
        | 0xe3..=0xed
        | 0xef..=0xf7
        | 0xfe
        | 0xff => no_floats(),
        other => error(&format!("illegal opcode {other:02x}")),
    }
}
