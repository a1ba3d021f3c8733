//! Operators of the numeric and vector instructions, with their encodings (`spec/pvm.md` §4.3).

use std::sync::Arc;

use soru_merkle::containers::{Int31, OptionLeaf};
use soru_merkle::tree_leaf;
use soru_tezos::binary_struct;
use soru_tezos::codec::{Decode, Decoded, Encode, Problem, Reader, put_within};

use crate::leaf::{leaf_enum, leaf_union};
use crate::types::NumType;

leaf_enum! {
    /// Width of a packed number, in bits.
    pub enum PackSize {
        /// 8 bits.
        Pack8,
        /// 16 bits.
        Pack16,
        /// 32 bits.
        Pack32,
        /// 64 bits.
        Pack64,
    }
}

impl PackSize {
    /// Width in bytes.
    pub fn bytes(self) -> u32 {
        1 << self as u32
    }
}

leaf_enum! {
    /// Lanes packed in 64 bits.
    #[allow(missing_docs)]
    pub enum PackShape { Pack8x8, Pack16x4, Pack32x2 }
}

leaf_enum! {
    /// How a narrow number is widened.
    pub enum Extension {
        /// With its sign.
        Signed,
        /// With zeros.
        Zero,
    }
}

/// What a narrow vector load does with the number it loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VecExtension {
    /// Widens each lane.
    Lane(PackShape, Extension),
    /// Copies it into all lanes.
    Splat,
    /// Puts it into the lowest lane.
    Zero,
}

impl Encode for VecExtension {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            VecExtension::Lane(shape, extension) => {
                out.push(0);
                shape.encode(out);
                extension.encode(out);
            }
            VecExtension::Splat => out.push(1),
            VecExtension::Zero => out.push(2),
        }
    }
}

impl Decode for VecExtension {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        match reader.byte("vector extension")? {
            0 => Ok(VecExtension::Lane(PackShape::decode(reader)?, Extension::decode(reader)?)),
            1 => Ok(VecExtension::Splat),
            2 => Ok(VecExtension::Zero),
            tag => Err(reader.error("vector extension", Problem::Tag(tag))),
        }
    }
}

leaf_union! {
    /// An operator, by width of the integers.
    pub enum Width<T> {
        /// On 32-bit integers.
        I32(T) = 0,
        /// On 64-bit integers.
        I64(T) = 1,
    }
}

/// Operators on one integer.
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntUnary {
    Clz,
    Ctz,
    Popcnt,
    ExtendS(PackSize),
}

impl Encode for IntUnary {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            IntUnary::Clz => out.push(0),
            IntUnary::Ctz => out.push(1),
            IntUnary::Popcnt => out.push(2),
            IntUnary::ExtendS(size) => {
                out.push(3);
                size.encode(out);
            }
        }
    }
}

impl Decode for IntUnary {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        match reader.byte("integer operator")? {
            0 => Ok(IntUnary::Clz),
            1 => Ok(IntUnary::Ctz),
            2 => Ok(IntUnary::Popcnt),
            3 => Ok(IntUnary::ExtendS(PackSize::decode(reader)?)),
            tag => Err(reader.error("integer operator", Problem::Tag(tag))),
        }
    }
}

leaf_enum! {
    /// Operators on two integers.
    #[allow(missing_docs)]
    pub enum IntBinary { Add, Sub, Mul, DivS, DivU, RemS, RemU, And, Or, Xor, Shl, ShrS, ShrU, Rotl, Rotr }
}

leaf_enum! {
    /// Tests of one integer.
    #[allow(missing_docs)]
    pub enum IntTest { Eqz }
}

leaf_enum! {
    /// Comparisons of two integers.
    #[allow(missing_docs)]
    pub enum IntCompare { Eq, Ne, LtS, LtU, GtS, GtU, LeS, LeU, GeS, GeU }
}

leaf_enum! {
    /// Conversions to an integer. Those from floats parse, but find no operand.
    #[allow(missing_docs)]
    pub enum IntConvert {
        ExtendSI32, ExtendUI32, WrapI64, TruncSF32, TruncUF32, TruncSF64, TruncUF64,
        TruncSatSF32, TruncSatUF32, TruncSatSF64, TruncSatUF64, ReinterpretFloat,
    }
}

/// A vector operator, by shape of the lanes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lanes<T> {
    /// 16 lanes of 8 bits.
    I8x16(T),
    /// 8 lanes of 16 bits.
    I16x8(T),
    /// 4 lanes of 32 bits.
    I32x4(T),
    /// 2 lanes of 64 bits.
    I64x2(T),
}

impl<T: Encode> Encode for Lanes<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        let (tag, op) = match self {
            Lanes::I8x16(op) => (0, op),
            Lanes::I16x8(op) => (1, op),
            Lanes::I32x4(op) => (2, op),
            Lanes::I64x2(op) => (3, op),
        };
        out.extend_from_slice(&[0, tag]);
        op.encode(out);
    }
}

impl<T: Decode> Decode for Lanes<T> {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        match reader.array("vector operator")? {
            [0, 0] => Ok(Lanes::I8x16(T::decode(reader)?)),
            [0, 1] => Ok(Lanes::I16x8(T::decode(reader)?)),
            [0, 2] => Ok(Lanes::I32x4(T::decode(reader)?)),
            [0, 3] => Ok(Lanes::I64x2(T::decode(reader)?)),
            [tag, _] => Err(reader.error("vector operator", Problem::Tag(tag))),
        }
    }
}

/// A vector operator that does not care about lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole<T>(pub T);

impl<T: Encode> Encode for Whole<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(0);
        self.0.encode(out);
    }
}

impl<T: Decode> Decode for Whole<T> {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        match reader.byte("vector operator")? {
            0 => Ok(Whole(T::decode(reader)?)),
            tag => Err(reader.error("vector operator", Problem::Tag(tag))),
        }
    }
}

leaf_enum! {
    /// Tests of all lanes.
    #[allow(missing_docs)]
    pub enum VecTest { AllTrue }
}

leaf_enum! {
    /// Operators on each lane of one vector.
    #[allow(missing_docs)]
    pub enum VecUnary { Abs, Neg, Popcnt }
}

/// The lanes a shuffle takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShuffleLanes(pub Arc<[u8]>);

/// Operators on two vectors.
#[allow(missing_docs)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VecBinary {
    Simple(VecSimpleBinary),
    Shuffle(ShuffleLanes),
    NarrowS,
    NarrowU,
}

leaf_enum! {
    /// Operators on two vectors without operands of their own, in the order of their tags.
    #[allow(missing_docs)]
    pub enum VecSimpleBinary {
        Add, Sub, Mul, MinS, MinU, MaxS, MaxU, AvgrU, AddSatS, AddSatU, SubSatS, SubSatU, DotS, Q15MulRSatS, ExtMulLowS,
        ExtMulHighS, ExtMulLowU, ExtMulHighU, Swizzle,
    }
}

impl Encode for VecBinary {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            VecBinary::Simple(op) => op.encode(out),
            VecBinary::Shuffle(lanes) => {
                out.push(19);
                put_within(out, |out| out.extend_from_slice(&lanes.0));
            }
            VecBinary::NarrowS => out.push(20),
            VecBinary::NarrowU => out.push(21),
        }
    }
}

impl Decode for VecBinary {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        match reader.peek().first() {
            Some(19) => {
                reader.byte("shuffle")?;
                Ok(VecBinary::Shuffle(ShuffleLanes(reader.dynamic("shuffle")?.into())))
            }
            Some(20) => reader.byte("narrow").map(|_| VecBinary::NarrowS),
            Some(21) => reader.byte("narrow").map(|_| VecBinary::NarrowU),
            _ => VecSimpleBinary::decode(reader).map(VecBinary::Simple),
        }
    }
}

leaf_enum! {
    /// Comparisons of lanes; not in the order of the scalar ones.
    #[allow(missing_docs)]
    pub enum VecCompare { Eq, Ne, LtS, LtU, LeS, LeU, GtS, GtU, GeS, GeU }
}

leaf_enum! {
    /// Conversions of lanes.
    #[allow(missing_docs)]
    pub enum VecConvert {
        ExtendLowS, ExtendLowU, ExtendHighS, ExtendHighU, ExtAddPairwiseS, ExtAddPairwiseU,
        TruncSatSF32x4, TruncSatUF32x4, TruncSatSZeroF64x2, TruncSatUZeroF64x2,
    }
}

leaf_enum! {
    /// Shifts of lanes.
    #[allow(missing_docs)]
    pub enum VecShift { Shl, ShrS, ShrU }
}

leaf_enum! {
    /// The sign bits of the lanes.
    #[allow(missing_docs)]
    pub enum VecBitmask { Bitmask }
}

leaf_enum! {
    /// Tests of the bits of a vector.
    #[allow(missing_docs)]
    pub enum BitsTest { AnyTrue }
}

leaf_enum! {
    /// Operators on the bits of one vector.
    #[allow(missing_docs)]
    pub enum BitsUnary { Not }
}

leaf_enum! {
    /// Operators on the bits of two vectors.
    #[allow(missing_docs)]
    pub enum BitsBinary { And, Or, Xor, AndNot }
}

leaf_enum! {
    /// Operators on the bits of three vectors.
    #[allow(missing_docs)]
    pub enum BitsTernary { Bitselect }
}

leaf_enum! {
    /// A number copied into all lanes.
    #[allow(missing_docs)]
    pub enum Splat { Splat }
}

/// A lane taken out; narrow lanes are widened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extract {
    /// From 8 or 16 bits.
    Narrow(Int31, Lanes<()>, Extension),
    /// From 32 or 64 bits.
    Wide(Int31, Lanes<()>),
}

impl Copy for Lanes<()> {}

impl Encode for Extract {
    fn encode(&self, out: &mut Vec<u8>) {
        let (lane, shape) = match self {
            Extract::Narrow(lane, shape, _) | Extract::Wide(lane, shape) => (lane, shape),
        };
        out.extend_from_slice(&[0, shape.rank(), 0]);
        lane.encode(out);
        if let Extract::Narrow(_, _, extension) = self {
            extension.encode(out);
        }
    }
}

impl Decode for Extract {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let [vector, shape, op] = reader.array("extract")?;
        let lane = Int31::decode(reader)?;
        match (vector, op, shape) {
            (0, 0, 0) => Ok(Extract::Narrow(lane, Lanes::I8x16(()), Extension::decode(reader)?)),
            (0, 0, 1) => Ok(Extract::Narrow(lane, Lanes::I16x8(()), Extension::decode(reader)?)),
            (0, 0, 2) => Ok(Extract::Wide(lane, Lanes::I32x4(()))),
            (0, 0, 3) => Ok(Extract::Wide(lane, Lanes::I64x2(()))),
            _ => Err(reader.error("extract", Problem::Tag(shape))),
        }
    }
}

impl<T> Lanes<T> {
    fn rank(&self) -> u8 {
        match self {
            Lanes::I8x16(_) => 0,
            Lanes::I16x8(_) => 1,
            Lanes::I32x4(_) => 2,
            Lanes::I64x2(_) => 3,
        }
    }
}

leaf_union! {
    /// A lane replaced.
    pub enum Replace {
        /// Number of the lane.
        Replace(Int31) = 0,
    }
}

/// Type, alignment, offset and width of a memory access. `T` is empty for vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemOp<T, P> {
    /// Type of the number.
    pub kind: T,
    /// Alignment exponent; without effect.
    pub align: Int31,
    /// Offset added to the address.
    pub offset: i32,
    /// How the number is packed.
    pub pack: P,
}

impl<T: Encode, P: Encode> Encode for MemOp<T, P> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.kind.encode(out);
        self.align.encode(out);
        self.offset.encode(out);
        self.pack.encode(out);
    }
}

impl<T: Decode, P: Decode> Decode for MemOp<T, P> {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(MemOp {
            kind: T::decode(reader)?,
            align: Int31::decode(reader)?,
            offset: i32::decode(reader)?,
            pack: P::decode(reader)?,
        })
    }
}

/// Zero bytes: an enum with a single case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Single;

impl Encode for Single {
    fn encode(&self, _: &mut Vec<u8>) {}
}

impl Decode for Single {
    fn decode(_: &mut Reader<'_>) -> Decoded<Self> {
        Ok(Single)
    }
}

/// How a narrow number is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadPack {
    /// Width.
    pub size: PackSize,
    /// Widening.
    pub extension: Extension,
}
binary_struct!(LoadPack { size, extension });

/// How a narrow number is loaded into a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VecLoadPack {
    /// Width.
    pub size: PackSize,
    /// What becomes of it.
    pub extension: VecExtension,
}
binary_struct!(VecLoadPack { size, extension });

/// A load of a number.
pub type Load = MemOp<NumType, OptionLeaf<LoadPack>>;
/// A store of a number.
pub type Store = MemOp<NumType, OptionLeaf<PackSize>>;
/// A load of a vector.
pub type VecLoad = MemOp<Single, OptionLeaf<VecLoadPack>>;
/// A store of a vector.
pub type VecStore = MemOp<Single, Single>;

/// A load or store of one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneOp {
    /// The access.
    pub access: MemOp<Single, PackSize>,
    /// Number of the lane.
    pub lane: Int31,
}
binary_struct!(LaneOp { access, lane });

tree_leaf!(
    Width<IntUnary>,
    Width<IntBinary>,
    Width<IntTest>,
    Width<IntCompare>,
    Width<IntConvert>,
    Lanes<VecTest>,
    Lanes<VecUnary>,
    Lanes<VecBinary>,
    Lanes<VecCompare>,
    Lanes<VecConvert>,
    Lanes<VecShift>,
    Lanes<VecBitmask>,
    Whole<BitsTest>,
    Whole<BitsUnary>,
    Whole<BitsBinary>,
    Whole<BitsTernary>,
    Lanes<Splat>,
    Extract,
    Lanes<Replace>,
    Load,
    Store,
    VecLoad,
    VecStore,
    LaneOp,
);
