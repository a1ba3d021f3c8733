//! Instructions of the syntax tree, with their places in the tree (`spec/pvm.md` §4.5).

use std::sync::Arc;

use soru_merkle::Tree;
use soru_merkle::containers::{ContainerError, OptionLeaf, TreeValue, Writer, read_union, write_union};
use soru_merkle::tree_leaf;
use soru_tezos::codec::{Decode, Decoded, Encode, Reader, put_within};

use crate::operator::{
    BitsBinary, BitsTernary, BitsTest, BitsUnary, Extract, IntBinary, IntCompare, IntConvert, IntTest, IntUnary,
    LaneOp, Lanes, Load, Replace, Splat, Store, VecBinary, VecBitmask, VecCompare, VecConvert, VecLoad, VecShift,
    VecStore, VecTest, VecUnary, Whole, Width,
};
use crate::types::{BlockType, Num, RefType, V128, ValueType};

/// A list inside a leaf, behind its length in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<T>(pub Arc<[T]>);

impl<T: Encode> Encode for List<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_within(out, |out| self.0.iter().for_each(|item| item.encode(out)));
    }
}

impl<T: Decode> Decode for List<T> {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        Ok(List(Vec::<T>::decode(reader)?.into()))
    }
}

tree_leaf!(List<i32>);

/// The operands of an instruction: none is an empty leaf, one is `$1`, several are `1/$1`, `2/$2`, `3/$3`.
struct Operands<T>(T);

impl<A: TreeValue> TreeValue for Operands<(A,)> {
    fn write<W: Writer>(&self, to: &mut W, path: &[&str]) -> Result<(), ContainerError> {
        self.0.0.write(to, &[path, &["$1"]].concat())
    }

    fn read(tree: &Tree, path: &[&str]) -> Result<Self, ContainerError> {
        Ok(Operands((A::read(tree, &[path, &["$1"]].concat())?,)))
    }
}

impl<A: TreeValue, B: TreeValue> TreeValue for Operands<(A, B)> {
    fn write<W: Writer>(&self, to: &mut W, path: &[&str]) -> Result<(), ContainerError> {
        self.0.0.write(to, &[path, &["1", "$1"]].concat())?;
        self.0.1.write(to, &[path, &["2", "$2"]].concat())
    }

    fn read(tree: &Tree, path: &[&str]) -> Result<Self, ContainerError> {
        let first = A::read(tree, &[path, &["1", "$1"]].concat())?;
        Ok(Operands((first, B::read(tree, &[path, &["2", "$2"]].concat())?)))
    }
}

impl<A: TreeValue, B: TreeValue, C: TreeValue> TreeValue for Operands<(A, B, C)> {
    fn write<W: Writer>(&self, to: &mut W, path: &[&str]) -> Result<(), ContainerError> {
        self.0.0.write(to, &[path, &["1", "$1"]].concat())?;
        self.0.1.write(to, &[path, &["2", "$2"]].concat())?;
        self.0.2.write(to, &[path, &["3", "$3"]].concat())
    }

    fn read(tree: &Tree, path: &[&str]) -> Result<Self, ContainerError> {
        let first = A::read(tree, &[path, &["1", "$1"]].concat())?;
        let second = B::read(tree, &[path, &["2", "$2"]].concat())?;
        Ok(Operands((first, second, C::read(tree, &[path, &["3", "$3"]].concat())?)))
    }
}

macro_rules! instructions {
    (
        none { $($(#[$m0:meta])* $none:ident),+ $(,)? }
        one { $($(#[$m1:meta])* $one:ident($t1:ty)),+ $(,)? }
        two { $($(#[$m2:meta])* $two:ident($t2a:ty, $t2b:ty)),+ $(,)? }
        three { $($(#[$m3:meta])* $three:ident($t3a:ty, $t3b:ty, $t3c:ty)),+ $(,)? }
    ) => {
        /// An instruction. Blocks and segments are named by their label, everything else by its number.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Instr {
            $($(#[$m0])* $none,)+
            $($(#[$m1])* $one($t1),)+
            $($(#[$m2])* $two($t2a, $t2b),)+
            $($(#[$m3])* $three($t3a, $t3b, $t3c),)+
        }

        impl TreeValue for Instr {
            fn write<W: Writer>(&self, to: &mut W, path: &[&str]) -> Result<(), ContainerError> {
                match self {
                    $(Instr::$none => write_union(to, path, stringify!($none), &()),)+
                    $(Instr::$one(a) => write_union(to, path, stringify!($one), &Operands((a.clone(),))),)+
                    $(Instr::$two(a, b) => write_union(to, path, stringify!($two), &Operands((a.clone(), b.clone()))),)+
                    $(Instr::$three(a, b, c) =>
                        write_union(to, path, stringify!($three), &Operands((a.clone(), b.clone(), c.clone()))),)+
                }
            }

            fn read(tree: &Tree, path: &[&str]) -> Result<Self, ContainerError> {
                let (tag, sub) = read_union(tree, path)?;
                let Some(tag) = tag else { return Err(ContainerError::KeyNotFound("tag".to_owned())) };
                let value: &[&str] = &["value"];
                match std::str::from_utf8(tag.as_bytes()).unwrap_or_default() {
                    $(stringify!($none) => <()>::read(&sub, value).map(|()| Instr::$none),)+
                    $(stringify!($one) => {
                        let Operands((a,)) = Operands::<($t1,)>::read(&sub, value)?;
                        Ok(Instr::$one(a))
                    })+
                    $(stringify!($two) => {
                        let Operands((a, b)) = Operands::<($t2a, $t2b)>::read(&sub, value)?;
                        Ok(Instr::$two(a, b))
                    })+
                    $(stringify!($three) => {
                        let Operands((a, b, c)) = Operands::<($t3a, $t3b, $t3c)>::read(&sub, value)?;
                        Ok(Instr::$three(a, b, c))
                    })+
                    _ => Err(ContainerError::UnknownTag(String::from_utf8_lossy(&tag).into_owned())),
                }
            }
        }
    };
}

instructions! {
    none {
        /// Traps.
        Unreachable,
        /// Nothing.
        Nop,
        /// Drops a value.
        Drop,
        /// Leaves the function.
        Return,
        /// Pages of memory 0.
        MemorySize,
        /// Adds pages to memory 0.
        MemoryGrow,
        /// Fills a range of memory 0.
        MemoryFill,
        /// Copies a range of memory 0.
        MemoryCopy,
        /// Whether a reference is null.
        RefIsNull,
    }
    one {
        /// One of two values.
        Select(OptionLeaf<List<ValueType>>),
        /// Leaves a number of blocks.
        Br(i32),
        /// The same on a condition.
        BrIf(i32),
        /// Calls a function.
        Call(i32),
        /// Reads a local.
        LocalGet(i32),
        /// Writes a local.
        LocalSet(i32),
        /// Writes a local and keeps the value.
        LocalTee(i32),
        /// Reads a global.
        GlobalGet(i32),
        /// Writes a global.
        GlobalSet(i32),
        /// Reads a table.
        TableGet(i32),
        /// Writes a table.
        TableSet(i32),
        /// Size of a table.
        TableSize(i32),
        /// Lengthens a table.
        TableGrow(i32),
        /// Fills a range of a table.
        TableFill(i32),
        /// Drops an element segment.
        ElemDrop(i32),
        /// Copies from a data segment.
        MemoryInit(i32),
        /// Drops a data segment.
        DataDrop(i32),
        /// A reference to a function.
        RefFunc(i32),
        /// Loads a number.
        Load(Load),
        /// Stores a number.
        Store(Store),
        /// Loads a vector.
        VecLoad(VecLoad),
        /// Stores a vector.
        VecStore(VecStore),
        /// Loads a lane.
        VecLoadLane(LaneOp),
        /// Stores a lane.
        VecStoreLane(LaneOp),
        /// A null reference.
        RefNull(RefType),
        /// A number.
        Const(Num),
        /// Tests a number.
        Test(Width<IntTest>),
        /// Compares two numbers.
        Compare(Width<IntCompare>),
        /// Computes on one number.
        Unary(Width<IntUnary>),
        /// Computes on two numbers.
        Binary(Width<IntBinary>),
        /// Converts a number.
        Convert(Width<IntConvert>),
        /// A vector.
        VecConst(V128),
        /// Tests lanes.
        VecTest(Lanes<VecTest>),
        /// Compares lanes.
        VecCompare(Lanes<VecCompare>),
        /// Computes on the lanes of one vector.
        VecUnary(Lanes<VecUnary>),
        /// Computes on the lanes of two vectors.
        VecBinary(Lanes<VecBinary>),
        /// Converts lanes.
        VecConvert(Lanes<VecConvert>),
        /// Shifts lanes.
        VecShift(Lanes<VecShift>),
        /// Sign bits of the lanes.
        VecBitmask(Lanes<VecBitmask>),
        /// Tests bits.
        VecTestBits(Whole<BitsTest>),
        /// Computes on the bits of one vector.
        VecUnaryBits(Whole<BitsUnary>),
        /// Computes on the bits of two vectors.
        VecBinaryBits(Whole<BitsBinary>),
        /// Computes on the bits of three vectors.
        VecTernaryBits(Whole<BitsTernary>),
        /// Fills all lanes.
        VecSplat(Lanes<Splat>),
        /// Takes a lane.
        VecExtract(Extract),
        /// Replaces a lane.
        VecReplace(Lanes<Replace>),
    }
    two {
        /// A block.
        Block(BlockType, i32),
        /// A loop.
        Loop(BlockType, i32),
        /// Leaves a number of blocks, taken from a list.
        BrTable(List<i32>, i32),
        /// Calls a function from a table; the second number is its type.
        CallIndirect(i32, i32),
        /// Copies a range between tables.
        TableCopy(i32, i32),
        /// Copies from an element segment into a table.
        TableInit(i32, i32),
    }
    three {
        /// One of two blocks.
        If(BlockType, i32, i32),
    }
}
