//! The parsed module and its parts (`spec/pvm.md` §4.5).

use soru_merkle::containers::{ChunkedBytes, Optional, Vector};
use soru_merkle::{tree_leaf, tree_record};
use soru_tezos::binary_struct;

use crate::exception::{StepError, Stepped};
use crate::instr::Instr;
use crate::types::{
    ExportDesc, FuncType, GlobalType, ImportDesc, Limits, Name, RefType, SegmentMode, TableType, ValueType,
};

tree_record! {
    /// A sequence of instructions.
    pub struct Block {
        /// The instructions.
        instructions: Vector<Instr> = ["instructions"],
    }
}

tree_record! {
    /// Blocks and data, in the order in which the parser met them. Number 0 of both is empty.
    pub struct Allocations {
        /// Blocks, by label.
        blocks: Vector<Block> = ["1", "block-table"],
        /// Data, by label.
        datas: Vector<ChunkedBytes> = ["2", "datas-table"],
    }
}

impl Allocations {
    /// The allocations before parsing.
    pub fn new() -> Self {
        let mut allocations = Allocations { blocks: Vector::create(0), datas: Vector::create(0) };
        allocations.new_block();
        allocations.new_data(0);
        allocations
    }

    /// Adds an empty block and returns its label.
    pub fn new_block(&mut self) -> i32 {
        self.blocks.append(Block { instructions: Vector::create(0) }) as i32
    }

    /// Appends an instruction to a block.
    pub fn push_instr(&mut self, label: i32, instr: Instr) -> Stepped<()> {
        let mut block = self.blocks.get(label.into())?;
        block.instructions.append(instr);
        Ok(self.blocks.set(label.into(), block)?)
    }

    /// Adds `length` zero bytes of data and returns their label.
    pub fn new_data(&mut self, length: u64) -> i32 {
        self.datas.append(ChunkedBytes::allocate(length)) as i32
    }

    /// Sets one byte of a data.
    pub fn set_data_byte(&mut self, label: i32, offset: u64, byte: u8) -> Stepped<()> {
        let mut data = self.datas.get(label.into())?;
        data.write_bytes(offset, &[byte]).map_err(chunk_error)?;
        Ok(self.datas.set(label.into(), data)?)
    }
}

/// The exception for an access outside a chunked byte vector that is not a memory.
pub fn chunk_error(error: soru_merkle::containers::ContainerError) -> StepError {
    match error {
        soru_merkle::containers::ContainerError::Bounds => {
            StepError::named("Tezos_lazy_containers.Immutable_chunked_byte_vector.Bounds", None)
        }
        error => error.into(),
    }
}

impl Default for Allocations {
    fn default() -> Self {
        Allocations::new()
    }
}

tree_record! {
    /// An import.
    pub struct Import {
        /// Module to import from.
        module: Name = ["module_name"],
        /// What to import.
        item: Name = ["item_name"],
        /// Kind and type.
        desc: ImportDesc = ["idesc"],
    }
}

tree_record! {
    /// An export.
    pub struct Export {
        /// Name.
        name: Name = ["name"],
        /// Kind and number.
        desc: ExportDesc = ["edesc"],
    }
}

tree_record! {
    /// A function.
    pub struct Func {
        /// Number of its type; −1 until elaborated.
        ftype: i32 = ["ftype"],
        /// Types of its locals, without the parameters.
        locals: Vector<ValueType> = ["locals"],
        /// Label of its body.
        body: i32 = ["body"],
    }
}

/// A global: its type and the label of the block that computes its first value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Global {
    /// Type.
    pub kind: GlobalType,
    /// Label.
    pub init: i32,
}
binary_struct!(Global { kind, init });
tree_leaf!(Global);

tree_record! {
    /// An element segment.
    pub struct Elem {
        /// Type of the references.
        ref_type: RefType = ["ref_type"],
        /// Labels of the blocks that compute the references.
        init: Vector<i32> = ["einit"],
        /// When it is used.
        mode: SegmentMode = ["mode"],
    }
}

tree_record! {
    /// A data segment.
    pub struct DataSegment {
        /// Label of the data.
        init: i32 = ["dinit"],
        /// When it is used.
        mode: SegmentMode = ["dmode"],
    }
}

tree_record! {
    /// A parsed module.
    pub struct Module {
        /// Types of functions.
        types: Vector<FuncType> = ["module", "types"],
        /// Globals.
        globals: Vector<Global> = ["module", "globals"],
        /// Tables.
        tables: Vector<TableType> = ["module", "tables"],
        /// Memories.
        memories: Vector<Limits> = ["module", "memories"],
        /// Functions.
        funcs: Vector<Func> = ["module", "funcs"],
        /// Element segments.
        elems: Vector<Elem> = ["module", "elem_segments"],
        /// Data segments.
        datas: Vector<DataSegment> = ["module", "data_segments"],
        /// Imports.
        imports: Vector<Import> = ["module", "imports"],
        /// Exports.
        exports: Vector<Export> = ["module", "exports"],
        /// Number of the start function.
        start: Optional<i32> = ["module", "start"],
        /// Blocks and data.
        allocations: Allocations = [],
    }
}
