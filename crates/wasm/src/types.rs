//! WebAssembly types and values, with their encodings (`spec/pvm.md` §4.3).

use std::fmt;

use soru_merkle::containers::{OptionLeaf, Text, Vector};
use soru_merkle::{tree_leaf, tree_record, tree_union};
use soru_tezos::binary_struct;
use soru_tezos::codec::{Decode, Decoded, Encode, Problem, Reader, put_dynamic};

use crate::instance::Function;
use crate::leaf::{leaf_enum, leaf_union};

leaf_enum! {
    /// Types of numbers. There are no floats.
    pub enum NumType {
        /// 32-bit integers.
        I32,
        /// 64-bit integers.
        I64,
    }
}

leaf_enum! {
    /// Types of references.
    pub enum RefType {
        /// References to functions.
        Func,
        /// References from outside.
        Extern,
    }
}

leaf_enum! {
    /// Types of values.
    pub enum ValueType {
        /// 32-bit integers.
        I32,
        /// 64-bit integers.
        I64,
        /// 128-bit vectors.
        V128,
        /// References to functions.
        FuncRef,
        /// References from outside.
        ExternRef,
    }
}

impl ValueType {
    /// The type's name in the text format.
    pub fn name(self) -> &'static str {
        match self {
            ValueType::I32 => "i32",
            ValueType::I64 => "i64",
            ValueType::V128 => "v128",
            ValueType::FuncRef => "funcref",
            ValueType::ExternRef => "externref",
        }
    }
}

leaf_enum! {
    /// Whether a global may change.
    pub enum Mutability {
        /// It may.
        Mutable,
        /// It may not.
        Immutable,
    }
}

/// Bounds of a table, in elements, or of a memory, in pages of 64 KiB. Both are unsigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size at the start.
    pub min: i32,
    /// Largest size.
    pub max: OptionLeaf<i32>,
}
binary_struct!(Limits { min, max });

impl Limits {
    /// Whether the largest size is at least the smallest.
    pub fn are_valid(&self) -> bool {
        self.max.0.is_none_or(|max| self.min as u32 <= max as u32)
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.min as u32)?;
        self.max.0.map_or(Ok(()), |max| write!(f, " {}", max as u32))
    }
}

/// Type of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableType {
    /// Bounds.
    pub limits: Limits,
    /// Type of the elements.
    pub element: RefType,
}
binary_struct!(TableType { limits, element });

impl fmt::Display for TableType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}",
            self.limits,
            match self.element {
                RefType::Func => "funcref",
                RefType::Extern => "externref",
            }
        )
    }
}

/// Type of a global.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GlobalType {
    /// Type of its value.
    pub value: ValueType,
    /// Whether it may change.
    pub mutability: Mutability,
}
binary_struct!(GlobalType { value, mutability });

impl fmt::Display for GlobalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mutability {
            Mutability::Mutable => write!(f, "(mut {})", self.value.name()),
            Mutability::Immutable => f.write_str(self.value.name()),
        }
    }
}

leaf_union! {
    /// Type of a block: one of the module's types, or at most one result.
    pub enum BlockType {
        /// Number of a type of the module.
        Index(i32) = 0,
        /// A result, or none.
        Value(OptionLeaf<ValueType>) = 1,
    }
}

leaf_union! {
    /// A number.
    pub enum Num {
        /// 32 bits.
        I32(i32) = 0,
        /// 64 bits.
        I64(i64) = 1,
    }
}
impl Copy for Num {}

impl Num {
    /// Name of the number's type.
    pub fn type_name(self) -> &'static str {
        match self {
            Num::I32(_) => "i32",
            Num::I64(_) => "i64",
        }
    }
}

/// A 128-bit vector: 16 bytes, lane 0 first, lanes little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct V128(pub [u8; 16]);

impl Encode for V128 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(0);
        put_dynamic(out, &self.0);
    }
}

impl Decode for V128 {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let tag = reader.byte("vector")?;
        match (tag, <[u8; 16]>::try_from(reader.dynamic("vector")?)) {
            (0, Ok(bytes)) => Ok(V128(bytes)),
            (0, Err(_)) => Err(reader.error("vector", Problem::Other("not 16 bytes"))),
            (tag, _) => Err(reader.error("vector", Problem::Tag(tag))),
        }
    }
}

tree_union! {
    /// A value of the machine.
    pub enum Value {
        /// A number.
        Num(Num) = "NumType",
        /// A vector.
        Vec(V128) = "VecType V128Type",
        /// A reference.
        Ref(Reference) = "RefType",
    }
}

tree_union! {
    /// A reference.
    pub enum Reference {
        /// To a function.
        Func(Box<Function>) = "FuncRef",
        /// From outside.
        Extern(i32) = "ExternRef",
        /// To nothing.
        Null(RefType) = "NullRef",
    }
}

impl Reference {
    /// The type of the reference.
    pub fn ref_type(&self) -> RefType {
        match self {
            Reference::Func(_) => RefType::Func,
            Reference::Extern(_) => RefType::Extern,
            Reference::Null(kind) => *kind,
        }
    }
}

impl Value {
    /// A 32-bit number.
    pub fn i32(value: i32) -> Value {
        Value::Num(Num::I32(value))
    }

    /// The value a local of this type starts with.
    pub fn default_of(kind: ValueType) -> Value {
        match kind {
            ValueType::I32 => Value::Num(Num::I32(0)),
            ValueType::I64 => Value::Num(Num::I64(0)),
            ValueType::V128 => Value::Vec(V128([0; 16])),
            ValueType::FuncRef => Value::Ref(Reference::Null(RefType::Func)),
            ValueType::ExternRef => Value::Ref(Reference::Null(RefType::Extern)),
        }
    }

    /// The type of the value.
    pub fn value_type(&self) -> ValueType {
        match self {
            Value::Num(Num::I32(_)) => ValueType::I32,
            Value::Num(Num::I64(_)) => ValueType::I64,
            Value::Vec(_) => ValueType::V128,
            Value::Ref(reference) => match reference.ref_type() {
                RefType::Func => ValueType::FuncRef,
                RefType::Extern => ValueType::ExternRef,
            },
        }
    }
}

tree_record! {
    /// Type of a function, as the parser and host functions spell it.
    pub struct FuncType {
        /// Parameters.
        params: Vector<ValueType> = ["1", "type_params"],
        /// Results.
        results: Vector<ValueType> = ["2", "type_result"],
    }
}

tree_record! {
    /// Type of a function, as instances spell it.
    pub struct RuntimeType {
        /// Parameters.
        params: Vector<ValueType> = ["1", "type-params"],
        /// Results.
        results: Vector<ValueType> = ["2", "type-result"],
    }
}

impl From<FuncType> for RuntimeType {
    fn from(FuncType { params, results }: FuncType) -> Self {
        RuntimeType { params, results }
    }
}

impl From<RuntimeType> for FuncType {
    fn from(RuntimeType { params, results }: RuntimeType) -> Self {
        FuncType { params, results }
    }
}

leaf_union! {
    /// What an import asks for.
    pub enum ImportDesc {
        /// A function of this type of the module.
        Func(i32) = 0,
        /// A table.
        Table(TableType) = 1,
        /// A memory.
        Memory(Limits) = 2,
        /// A global.
        Global(GlobalType) = 3,
    }
}

leaf_union! {
    /// What an export offers, by number.
    pub enum ExportDesc {
        /// A function.
        Func(i32) = 0,
        /// A table.
        Table(i32) = 1,
        /// A memory.
        Memory(i32) = 2,
        /// A global.
        Global(i32) = 3,
    }
}

/// When a segment is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentMode {
    /// By instructions only.
    Passive,
    /// At the start.
    Active {
        /// Number of the table or memory.
        index: i32,
        /// Block that computes the offset.
        offset: i32,
    },
    /// Never: it only declares.
    Declarative,
}

impl Encode for SegmentMode {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            SegmentMode::Passive => out.push(0),
            SegmentMode::Active { index, offset } => {
                out.push(1);
                index.encode(out);
                offset.encode(out);
            }
            SegmentMode::Declarative => out.push(2),
        }
    }
}

impl Decode for SegmentMode {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        match reader.byte("segment mode")? {
            0 => Ok(SegmentMode::Passive),
            1 => Ok(SegmentMode::Active { index: i32::decode(reader)?, offset: i32::decode(reader)? }),
            2 => Ok(SegmentMode::Declarative),
            tag => Err(reader.error("segment mode", Problem::Tag(tag))),
        }
    }
}

/// A name: bytes that passed the UTF-8 check of the parser.
pub type Name = Text;

tree_leaf!(
    NumType,
    RefType,
    ValueType,
    Mutability,
    Limits,
    TableType,
    GlobalType,
    BlockType,
    Num,
    V128,
    ImportDesc,
    ExportDesc,
    SegmentMode,
);
