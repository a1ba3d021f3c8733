//! The parser's continuations: where it stands between two ticks (`spec/pvm.md` §4.4).

use soru_merkle::containers::{Int31, Optional, Text, TreeValue, Vector};
use soru_merkle::{tree_leaf, tree_record, tree_union};
use soru_tezos::codec::{Decode, Decoded, Encode, Reader, put_dynamic};

use crate::exception::Stepped;
use crate::instr::Instr;
use crate::leaf::leaf_enum;
use crate::module::{Allocations, DataSegment, Elem, Export, Func, Global, Import, Module};
use crate::types::{BlockType, FuncType, GlobalType, Limits, RefType, SegmentMode, TableType, ValueType};

tree_record! {
    /// A vector being filled, one element a tick.
    pub struct LazyVec<T> {
        /// Elements done.
        offset: i32 = ["offset"],
        /// The elements.
        vector: Vector<T> = ["vector"],
    }
}

impl<T: TreeValue + Clone> LazyVec<T> {
    /// A vector of `length` elements, none done.
    pub fn new(length: i32) -> Self {
        LazyVec { offset: 0, vector: Vector::create(length.into()) }
    }

    /// Whether all elements are done.
    pub fn is_complete(&self) -> bool {
        self.vector.signed_length() as i32 <= self.offset
    }

    /// The vector with one more element done.
    pub fn with(mut self, element: T) -> Stepped<Self> {
        self.vector.set(self.offset.into(), element)?;
        self.offset = self.offset.wrapping_add(1);
        Ok(self)
    }
}

tree_record! {
    /// A stack in a vector, with its own height: what was popped stays in the vector until overwritten.
    pub struct LazyStack<T> {
        /// Height.
        length: i32 = ["length"],
        /// The entries, lowest first.
        vector: Vector<T> = ["vector"],
    }
}

impl<T: TreeValue + Clone> LazyStack<T> {
    /// The empty stack.
    pub fn new() -> Self {
        LazyStack { length: 0, vector: Vector::create(0) }
    }

    /// Puts an entry on top.
    pub fn push(&mut self, entry: T) -> Stepped<()> {
        if self.length >= self.vector.signed_length() as i32 {
            self.length = self.vector.append(entry) as i32;
        } else {
            self.vector.set(self.length.into(), entry)?;
        }
        self.length = self.length.wrapping_add(1);
        Ok(())
    }

    /// Takes at most `count` entries from the top; the topmost comes first.
    pub fn pop_at_most(&mut self, count: usize) -> Stepped<Vec<T>> {
        let mut entries = Vec::new();
        while entries.len() < count && self.length > 0 {
            self.length -= 1;
            entries.push(self.vector.get(self.length.into())?);
        }
        Ok(entries)
    }
}

impl<T: TreeValue + Clone> Default for LazyStack<T> {
    fn default() -> Self {
        LazyStack::new()
    }
}

tree_record! {
    /// Size of a section or a function body, and where it starts.
    #[derive(Copy)]
    pub struct Size {
        /// Bytes.
        size: Int31 = ["size"],
        /// Position of the first.
        start: Int31 = ["start"],
    }
}

tree_record! {
    /// The sections read so far.
    pub struct Building {
        /// Types.
        types: Vector<FuncType> = ["types"],
        /// Imports.
        imports: Vector<Import> = ["imports"],
        /// Types of the functions, by number.
        vars: Vector<i32> = ["vars"],
        /// Tables.
        tables: Vector<TableType> = ["tables"],
        /// Memories.
        memories: Vector<Limits> = ["memories"],
        /// Globals.
        globals: Vector<Global> = ["globals"],
        /// Exports.
        exports: Vector<Export> = ["exports"],
        /// Start function.
        start: Optional<i32> = ["start"],
        /// Element segments.
        elems: Vector<Elem> = ["elems"],
        /// Announced number of data segments.
        data_count: Optional<i32> = ["data_count"],
        /// Function bodies.
        code: Vector<Func> = ["code"],
        /// Data segments.
        datas: Vector<DataSegment> = ["datas"],
    }
}

impl Building {
    fn new() -> Self {
        Building {
            types: Vector::create(0),
            imports: Vector::create(0),
            vars: Vector::create(0),
            tables: Vector::create(0),
            memories: Vector::create(0),
            globals: Vector::create(0),
            exports: Vector::create(0),
            start: Optional(None),
            elems: Vector::create(0),
            data_count: Optional(None),
            code: Vector::create(0),
            datas: Vector::create(0),
        }
    }
}

/// The characters of a name read so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameBuffer(pub Vec<u8>);

impl Encode for NameBuffer {
    fn encode(&self, out: &mut Vec<u8>) {
        put_dynamic(out, &self.0);
        (self.0.len() as i32).encode(out);
    }
}

impl Decode for NameBuffer {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let buffer = NameBuffer(reader.dynamic("name")?.to_vec());
        i32::decode(reader)?;
        Ok(buffer)
    }
}

tree_leaf!(NameBuffer, IndexKind);

tree_record! {
    /// A name under way.
    pub struct NameParse {
        /// Where it starts.
        pos: Int31 = ["pos"],
        /// What was read.
        buffer: NameBuffer = ["buffer"],
        /// Bytes left.
        length: Int31 = ["length"],
    }
}

tree_union! {
    /// Parsing a name.
    pub enum NameKont {
        /// At the start.
        Start(()) = "NKStart",
        /// Among the characters.
        Parse(NameParse) = "NKParse",
        /// Done.
        Stop(Text) = "NKStop",
    }
}

tree_record! {
    /// Parameters under way.
    pub struct TypeIns {
        /// Parameters.
        ins: LazyVec<ValueType> = ["ins_kont"],
    }
}

tree_record! {
    /// Results under way.
    pub struct TypeOut {
        /// Parameters.
        params: Vector<ValueType> = ["params"],
        /// Results.
        out: LazyVec<ValueType> = ["lazy_kont"],
    }
}

tree_union! {
    /// Parsing the type of a function.
    pub enum TypeKont {
        /// At the start.
        Start(()) = "FKStart",
        /// Among the parameters.
        Ins(TypeIns) = "FKIns",
        /// Among the results.
        Out(TypeOut) = "FKOut",
        /// Done.
        Stop(FuncType) = "FKStop",
    }
}

tree_record! {
    /// The module of an import under way.
    pub struct ImportModule {
        /// The name.
        name: NameKont = ["module_name"],
    }
}

tree_record! {
    /// The item of an import under way.
    pub struct ImportItem {
        /// The module.
        module: Text = ["1", "module_name"],
        /// The name.
        name: NameKont = ["2", "item_name"],
    }
}

tree_union! {
    /// Parsing an import.
    pub enum ImportKont {
        /// At the start.
        Start(()) = "ImpKStart",
        /// In the name of the module.
        Module(ImportModule) = "ImpKModuleName",
        /// In the name of the item.
        Item(ImportItem) = "ImpKItemName",
        /// Done.
        Stop(Import) = "ImpKStop",
    }
}

tree_union! {
    /// Parsing an export.
    pub enum ExportKont {
        /// At the start.
        Start(()) = "ExpKStart",
        /// In the name.
        Name(NameKont) = "ExpKName",
        /// Done.
        Stop(Export) = "ExpKStop",
    }
}

tree_record! {
    /// A structured instruction whose body is being read.
    pub struct Opened {
        /// Type.
        kind: BlockType = ["type"],
        /// Position of the opcode.
        pos: Int31 = ["pos"],
    }
}

tree_record! {
    /// A conditional whose second branch is being read.
    pub struct OpenedElse {
        /// Type.
        kind: BlockType = ["type"],
        /// Position of the opcode.
        pos: Int31 = ["pos"],
        /// Label of the first branch.
        then: i32 = ["else"],
    }
}

tree_union! {
    /// An entry of the stack of open blocks.
    pub enum InstrKont {
        /// A block that was read.
        Stop(i32) = "IKStop",
        /// A block being read.
        Next(i32) = "IKNext",
        /// An open `block`.
        Block(Opened) = "IKBlock",
        /// An open `loop`.
        Loop(Opened) = "IKLoop",
        /// An open `if`, in its first branch.
        If1(Opened) = "IKIf1",
        /// An open `if`, in its second branch.
        If2(OpenedElse) = "IKIf2",
    }
}

tree_union! {
    /// Parsing an expression.
    pub enum BlockKont {
        /// At the start.
        Start(()) = "BlockStart",
        /// Among the instructions.
        Parse(LazyStack<InstrKont>) = "BlockParse",
        /// Done.
        Stop(i32) = "BlockStop",
    }
}

tree_record! {
    /// A number of locals of one type.
    #[derive(Copy)]
    pub struct LocalGroup {
        /// How many.
        occurrences: i32 = ["occurences"],
        /// Of what type.
        kind: ValueType = ["type"],
    }
}

tree_record! {
    /// Groups of locals under way.
    pub struct LocalsParse {
        /// Position of the function.
        left: Int31 = ["left"],
        /// Size of the body.
        size: Size = ["size"],
        /// Position of the groups.
        pos: Int31 = ["pos"],
        /// The groups.
        groups: LazyVec<LocalGroup> = ["vec_kont"],
        /// Locals counted so far.
        locals_size: i64 = ["locals_size"],
    }
}

tree_record! {
    /// Groups of locals being unfolded.
    pub struct LocalsAccumulate {
        /// Position of the function.
        left: Int31 = ["left"],
        /// Size of the body.
        size: Size = ["size"],
        /// Position of the groups.
        pos: Int31 = ["pos"],
        /// The groups.
        groups: LazyVec<LocalGroup> = ["type_vec"],
        /// What remains of the current one.
        current: Option<LocalGroup> = ["curr_type"],
        /// The locals.
        locals: LazyVec<ValueType> = ["vec_kont"],
    }
}

tree_record! {
    /// The body of a function under way.
    pub struct CodeBody {
        /// Position of the function.
        left: Int31 = ["left"],
        /// Size of the body.
        size: Size = ["size"],
        /// Locals.
        locals: Vector<ValueType> = ["locals"],
        /// Instructions.
        block: BlockKont = ["const_kont"],
    }
}

tree_union! {
    /// Parsing a function body.
    pub enum CodeKont {
        /// At the start.
        Start(()) = "CKStart",
        /// Among the groups of locals.
        LocalsParse(LocalsParse) = "CKLocalsParse",
        /// Unfolding the locals.
        LocalsAccumulate(LocalsAccumulate) = "CKLocalsAccumulate",
        /// Among the instructions.
        Body(CodeBody) = "CKBody",
        /// Done.
        Stop(Func) = "CKStop",
    }
}

leaf_enum! {
    /// What an element segment is made of.
    pub enum IndexKind {
        /// Function numbers.
        Indexed,
        /// Expressions.
        Const,
    }
}

tree_record! {
    /// The offset of an element segment under way.
    pub struct ElemMode {
        /// Position of the mode.
        left: Int31 = ["left"],
        /// Number of the table.
        index: i32 = ["index"],
        /// What the segment is made of.
        index_kind: IndexKind = ["index_kind"],
        /// Type of the references, if known already.
        early_ref_type: Optional<RefType> = ["early_ref_type"],
        /// Position of the offset.
        offset_pos: Int31 = ["offset_kont"],
        /// The offset.
        offset: BlockKont = ["offset_kont_code"],
    }
}

tree_record! {
    /// Function numbers of an element segment under way.
    pub struct ElemIndexed {
        /// Mode.
        mode: SegmentMode = ["mode"],
        /// Type of the references.
        ref_type: RefType = ["ref_type"],
        /// Labels of the references.
        init: LazyVec<i32> = ["einit_vec"],
    }
}

tree_record! {
    /// Expressions of an element segment under way.
    pub struct ElemConst {
        /// Mode.
        mode: SegmentMode = ["mode"],
        /// Type of the references.
        ref_type: RefType = ["ref_type"],
        /// Labels of the references.
        init: LazyVec<i32> = ["einit_vec"],
        /// Position of the expression.
        pos: Int31 = ["einit_kont_pos"],
        /// The expression.
        block: BlockKont = ["einit_kont_block"],
    }
}

tree_union! {
    /// Parsing an element segment.
    pub enum ElemKont {
        /// At the start.
        Start(()) = "EKStart",
        /// In the offset.
        Mode(ElemMode) = "EKMode",
        /// Among function numbers.
        Indexed(ElemIndexed) = "EKInitIndexed",
        /// Among expressions.
        Const(ElemConst) = "EKInitConst",
        /// Done.
        Stop(Elem) = "EKStop",
    }
}

tree_record! {
    /// Bytes of a data segment under way.
    pub struct BytesRead {
        /// Label of the data.
        label: i32 = ["data_label"],
        /// Bytes read.
        pos: i64 = ["pos"],
        /// Bytes in all.
        length: i64 = ["length"],
    }
}

tree_record! {
    /// Bytes of a data segment, read.
    pub struct BytesDone {
        /// Label of the data.
        label: i32 = ["data_label"],
    }
}

tree_union! {
    /// Parsing bytes.
    pub enum BytesKont {
        /// At the start.
        Start(()) = "VKStart",
        /// Among the bytes.
        Read(BytesRead) = "VKRead",
        /// Done.
        Stop(BytesDone) = "VKStop",
    }
}

tree_record! {
    /// The offset of a data segment under way.
    pub struct DataMode {
        /// Position of the mode.
        left: Int31 = ["left"],
        /// Number of the memory.
        index: i32 = ["index"],
        /// Position of the offset.
        offset_pos: Int31 = ["offset_kont"],
        /// The offset.
        offset: BlockKont = ["offset_kont_code"],
    }
}

tree_record! {
    /// The bytes of a data segment under way.
    pub struct DataInit {
        /// Mode.
        mode: SegmentMode = ["dmode"],
        /// The bytes.
        bytes: BytesKont = ["init_kont"],
    }
}

tree_union! {
    /// Parsing a data segment.
    pub enum DataKont {
        /// At the start.
        Start(()) = "DKStart",
        /// In the offset.
        Mode(DataMode) = "DKMode",
        /// In the bytes.
        Init(DataInit) = "DKInit",
        /// Done.
        Stop(DataSegment) = "DKStop",
    }
}

tree_union! {
    /// A section, as the parser expects them one after the other.
    pub enum Field {
        /// Types.
        Type(()) = "TypeField",
        /// Imports.
        Import(()) = "ImportField",
        /// Types of functions.
        Func(()) = "FuncField",
        /// Tables.
        Table(()) = "TableField",
        /// Memories.
        Memory(()) = "MemoryField",
        /// Globals.
        Global(()) = "GlobalField",
        /// Exports.
        Export(()) = "ExportField",
        /// Start function.
        Start(()) = "StartField",
        /// Element segments.
        Elem(()) = "ElemField",
        /// Number of data segments.
        DataCount(()) = "DataCountField",
        /// Function bodies.
        Code(()) = "CodeField",
        /// Data segments.
        Data(()) = "DataField",
    }
}

macro_rules! section_vectors {
    ($($(#[$meta:meta])* $name:ident($type:ty) = $key:literal),+ $(,)?) => { $(
        tree_record! {
            $(#[$meta])*
            pub struct $name {
                /// Elements done.
                offset: i32 = ["offset"],
                /// The elements.
                vector: Vector<$type> = ["vector", "module", $key],
            }
        }

        impl $name {
            /// A vector of `length` elements, none done.
            pub fn new(length: i32) -> Self {
                $name { offset: 0, vector: Vector::create(length.into()) }
            }

            /// Whether all elements are done.
            pub fn is_complete(&self) -> bool {
                self.vector.signed_length() as i32 <= self.offset
            }

            /// The vector with one more element done.
            pub fn with(mut self, element: $type) -> Stepped<Self> {
                self.vector.set(self.offset.into(), element)?;
                self.offset = self.offset.wrapping_add(1);
                Ok(self)
            }
        }
    )+ };
}

section_vectors! {
    /// Types of a section under way.
    TypeVec(FuncType) = "types",
    /// Imports of a section under way.
    ImportVec(Import) = "imports",
    /// Types of functions of a section under way.
    FuncVec(i32) = "funcs",
    /// Tables of a section under way.
    TableVec(TableType) = "tables",
    /// Memories of a section under way.
    MemoryVec(Limits) = "memories",
    /// Globals of a section under way.
    GlobalVec(Global) = "globals",
    /// Exports of a section under way.
    ExportVec(Export) = "exports",
    /// Element segments of a section under way.
    ElemVec(Elem) = "elem_segments",
    /// Bodies of a section under way.
    CodeVec(Func) = "code",
    /// Data segments of a section under way.
    DataVec(DataSegment) = "data_segments",
}

tree_union! {
    /// The elements of a section under way.
    pub enum SectionVec {
        /// Types.
        Type(TypeVec) = "TypeField",
        /// Imports.
        Import(ImportVec) = "ImportField",
        /// Types of functions.
        Func(FuncVec) = "FuncField",
        /// Tables.
        Table(TableVec) = "TableField",
        /// Memories.
        Memory(MemoryVec) = "MemoryField",
        /// Globals.
        Global(GlobalVec) = "GlobalField",
        /// Exports.
        Export(ExportVec) = "ExportField",
        /// Element segments.
        Elem(ElemVec) = "ElemField",
        /// Bodies.
        Code(CodeVec) = "CodeField",
        /// Data segments.
        Data(DataVec) = "DataField",
    }
}

tree_record! {
    /// A section under way.
    pub struct Section {
        /// Its elements.
        elements: SectionVec = [],
        /// Its size.
        size: Size = [],
    }
}

macro_rules! element_konts {
    ($($(#[$meta:meta])* $name:ident { $kont:ty = $key:literal, $vec:ty }),+ $(,)?) => { $(
        tree_record! {
            $(#[$meta])*
            pub struct $name {
                /// The element.
                kont: $kont = [$key],
                /// Its position.
                pos: Int31 = ["pos"],
                /// Size of the section.
                size: Size = ["size"],
                /// The elements before it.
                done: $vec = [],
            }
        }
    )+ };
}

element_konts! {
    /// A type under way.
    TypeElement { TypeKont = "func_type_kont", TypeVec },
    /// An import under way.
    ImportElement { ImportKont = "import_kont", ImportVec },
    /// An export under way.
    ExportElement { ExportKont = "export_kont", ExportVec },
    /// An element segment under way.
    ElemElement { ElemKont = "elem_kont", ElemVec },
    /// A data segment under way.
    DataElement { DataKont = "data_kont", DataVec },
    /// A body under way.
    CodeElement { CodeKont = "code_kont", CodeVec },
}

tree_record! {
    /// A global under way.
    pub struct GlobalElement {
        /// Its type.
        kind: GlobalType = ["global_type"],
        /// Position of its expression.
        pos: Int31 = ["pos"],
        /// The expression.
        block: BlockKont = ["block_kont"],
        /// Size of the section.
        size: Size = ["size"],
        /// The globals before it.
        done: GlobalVec = [],
    }
}

tree_record! {
    /// Bodies being joined with their types.
    pub struct Elaborate {
        /// Types of the functions.
        types: Vector<i32> = ["module", "funcs"],
        /// Bodies.
        bodies: Vector<Func> = ["module", "code"],
        /// The functions.
        functions: LazyVec<Func> = ["func_kont"],
        /// The scan of a body for data instructions.
        scan: Option<LazyVec<LazyVec<Instr>>> = ["instr_kont"],
        /// Whether none was found so far.
        no_datas: bool = ["no-datas-in-funcs"],
    }
}

tree_record! {
    /// Functions, ready.
    pub struct BuiltFuncs {
        /// The functions.
        funcs: Vector<Func> = ["module", "funcs"],
    }
}

tree_record! {
    /// The module, about to be put together.
    pub struct Build {
        /// The functions; none when their number differs from that of the bodies.
        funcs: Option<BuiltFuncs> = [],
        /// Whether there are no data instructions.
        no_datas: bool = ["no-datas-in-funcs"],
    }
}

tree_union! {
    /// Parsing a module.
    pub enum ModuleKont {
        /// At the start.
        Start(()) = "MKStart",
        /// Between sections; the next section to expect.
        SkipCustom(Option<Field>) = "MKSkipCustom",
        /// Before a section.
        FieldStart(Field) = "MKFieldStart",
        /// In a section, between elements.
        Section(Section) = "MKField",
        /// In a type.
        Type(TypeElement) = "MKTypes",
        /// In an import.
        Import(ImportElement) = "MKImport",
        /// In an export.
        Export(ExportElement) = "MKExport",
        /// In a global.
        Global(GlobalElement) = "MKGlobal",
        /// In an element segment.
        Elem(ElemElement) = "MKElem",
        /// In a data segment.
        Data(DataElement) = "MKData",
        /// In a body.
        Code(CodeElement) = "MKCode",
        /// Joining bodies and types.
        Elaborate(Elaborate) = "MKElaborateFunc",
        /// All sections read.
        Build(Build) = "MKBuild",
        /// Done.
        Stop(Box<Module>) = "MKStop",
    }
}

tree_record! {
    /// The tick state `decode`: a module being parsed.
    pub struct DecodeState {
        /// Sections read.
        building: Building = ["building_state"],
        /// What to do next.
        kont: ModuleKont = ["module_kont"],
        /// Blocks and data.
        allocations: Allocations = ["allocation_state"],
        /// Position in the kernel.
        pos: Int31 = ["stream_pos"],
        /// Name of the kernel.
        name: Text = ["stream_name"],
    }
}

impl DecodeState {
    /// Before the first byte.
    pub fn initial() -> Self {
        DecodeState {
            building: Building::new(),
            kont: ModuleKont::Start(()),
            allocations: Allocations::new(),
            pos: Int31(0),
            name: Text::from("main"),
        }
    }
}
