//! The tick state `decode`: parsing the kernel, one parser step per tick (`spec/pvm.md` §4.4, §5.2).

mod block;
mod element;
mod opcode;
mod simd;
pub mod state;
mod stream;

use soru_merkle::containers::{ChunkedBytes, Int31, Optional, Vector};

use self::element::{check_size, position, size};
use self::state::{
    BlockKont, Build, Building, BuiltFuncs, CodeElement, CodeKont, CodeVec, DataElement, DataKont, DataVec,
    DecodeState, Elaborate, ElemElement, ElemKont, ElemVec, ExportElement, ExportKont, ExportVec, Field, FuncVec,
    GlobalElement, GlobalVec, ImportElement, ImportKont, ImportVec, LazyVec, MemoryVec, ModuleKont, Section,
    SectionVec, Size, TableVec, TypeElement, TypeKont, TypeVec,
};
use self::stream::{Stream, error, require};
use crate::exception::Stepped;
use crate::instr::Instr;
use crate::module::{Func, Global, Module};

pub use element::main_name;

/// The next section id, without consuming it.
fn section_id(stream: &Stream<'_>) -> Stepped<Option<u8>> {
    match stream.peek()? {
        Some(id) if id > 12 => error("malformed section id"),
        id => Ok(id),
    }
}

impl Field {
    fn id(&self) -> u8 {
        match self {
            Field::Type(()) => 1,
            Field::Import(()) => 2,
            Field::Func(()) => 3,
            Field::Table(()) => 4,
            Field::Memory(()) => 5,
            Field::Global(()) => 6,
            Field::Export(()) => 7,
            Field::Start(()) => 8,
            Field::Elem(()) => 9,
            Field::Code(()) => 10,
            Field::Data(()) => 11,
            Field::DataCount(()) => 12,
        }
    }
}

/// One parser step. `kernel` is the value of `/kernel/boot.wasm`.
pub fn step(kernel: &ChunkedBytes, state: DecodeState) -> Stepped<DecodeState> {
    let DecodeState { mut building, kont, mut allocations, pos, name } = state;
    let mut stream = Stream::new(kernel, pos.0.into());
    let stream = &mut stream;
    let kont = match kont {
        ModuleKont::Start(()) => {
            require(stream.fixed32()? == 0x6d73_6100, "magic header not detected")?;
            require(stream.fixed32()? == 1, "unknown binary version")?;
            ModuleKont::SkipCustom(Some(Field::Type(())))
        }
        ModuleKont::SkipCustom(next) => skip_custom(stream, &building, next)?,
        ModuleKont::FieldStart(field) => field_start(stream, &mut building, field)?,
        ModuleKont::Section(section) => in_section(stream, &mut building, section)?,
        ModuleKont::Type(TypeElement { kont: TypeKont::Stop(kind), size, done, .. }) => {
            ModuleKont::Section(Section { elements: SectionVec::Type(done.with(kind)?), size })
        }
        ModuleKont::Type(mut element) => {
            element.kont = element::func_type(stream, element.kont)?;
            ModuleKont::Type(element)
        }
        ModuleKont::Import(ImportElement { kont: ImportKont::Stop(import), size, done, .. }) => {
            ModuleKont::Section(Section { elements: SectionVec::Import(done.with(import)?), size })
        }
        ModuleKont::Import(mut element) => {
            element.kont = element::import(stream, element.kont)?;
            ModuleKont::Import(element)
        }
        ModuleKont::Export(ExportElement { kont: ExportKont::Stop(export), size, done, .. }) => {
            ModuleKont::Section(Section { elements: SectionVec::Export(done.with(export)?), size })
        }
        ModuleKont::Export(mut element) => {
            element.kont = element::export(stream, element.kont)?;
            ModuleKont::Export(element)
        }
        ModuleKont::Global(GlobalElement { kind, block: BlockKont::Stop(init), size, done, .. }) => {
            stream.end()?;
            ModuleKont::Section(Section { elements: SectionVec::Global(done.with(Global { kind, init })?), size })
        }
        ModuleKont::Global(mut element) => {
            element.block = block::block(stream, &mut allocations, element.block)?;
            ModuleKont::Global(element)
        }
        ModuleKont::Elem(ElemElement { kont: ElemKont::Stop(elem), size, done, .. }) => {
            ModuleKont::Section(Section { elements: SectionVec::Elem(done.with(elem)?), size })
        }
        ModuleKont::Elem(mut element) => {
            element.kont = element::elem(stream, &mut allocations, element.kont)?;
            ModuleKont::Elem(element)
        }
        ModuleKont::Data(DataElement { kont: DataKont::Stop(data), size, done, .. }) => {
            ModuleKont::Section(Section { elements: SectionVec::Data(done.with(data)?), size })
        }
        ModuleKont::Data(mut element) => {
            element.kont = element::data(stream, &mut allocations, element.kont)?;
            ModuleKont::Data(element)
        }
        ModuleKont::Code(CodeElement { kont: CodeKont::Stop(func), size, done, .. }) => {
            ModuleKont::Section(Section { elements: SectionVec::Code(done.with(func)?), size })
        }
        ModuleKont::Code(mut element) => {
            element.kont = element::code(stream, &mut allocations, element.kont)?;
            ModuleKont::Code(element)
        }
        ModuleKont::Elaborate(elaborate) => elaborate_step(&allocations, elaborate)?,
        ModuleKont::Build(build) => {
            let module = finish(stream, &building, build, &allocations)?;
            ModuleKont::Stop(Box::new(module))
        }
        ModuleKont::Stop(_) => return Err(block::stuck("Module_step")),
    };
    Ok(DecodeState { building, kont, allocations, pos: Int31(stream.pos() as i32), name })
}

fn skip_custom(stream: &mut Stream<'_>, building: &Building, next: Option<Field>) -> Stepped<ModuleKont> {
    if section_id(stream)? == Some(0) {
        stream.byte()?;
        let length = stream.length()?;
        let start = stream.pos();
        element::ignored_name(stream)?;
        stream.read_over(i64::from(length) - (stream.pos() - start))?;
        return Ok(ModuleKont::SkipCustom(next));
    }
    if let Some(field) = next {
        return Ok(ModuleKont::FieldStart(field));
    }
    let (types, bodies) = (building.vars.clone(), building.code.clone());
    if types.signed_length() != bodies.signed_length() {
        return Ok(ModuleKont::Build(Build { funcs: None, no_datas: true }));
    }
    let functions = LazyVec::new(types.signed_length() as i32);
    Ok(ModuleKont::Elaborate(Elaborate { types, bodies, functions, scan: None, no_datas: true }))
}

fn field_start(stream: &mut Stream<'_>, building: &mut Building, field: Field) -> Stepped<ModuleKont> {
    let present = section_id(stream)? == Some(field.id());
    if let Field::Start(()) | Field::DataCount(()) = field {
        let mut value = None;
        if present {
            stream.byte()?;
            let size = size(stream)?;
            value = Some(stream.index()?);
            check_size(size, stream)?;
        }
        return Ok(ModuleKont::SkipCustom(Some(if let Field::Start(()) = field {
            building.start = Optional(value);
            Field::Elem(())
        } else {
            building.data_count = Optional(value);
            Field::Code(())
        })));
    }
    let (size, length) = if present {
        stream.byte()?;
        (size(stream)?, stream.length()?)
    } else {
        (Size { size: Int31(0), start: position(stream) }, 0)
    };
    let elements = match field {
        Field::Type(()) => SectionVec::Type(TypeVec::new(length)),
        Field::Import(()) => SectionVec::Import(ImportVec::new(length)),
        Field::Func(()) => SectionVec::Func(FuncVec::new(length)),
        Field::Table(()) => SectionVec::Table(TableVec::new(length)),
        Field::Memory(()) => SectionVec::Memory(MemoryVec::new(length)),
        Field::Global(()) => SectionVec::Global(GlobalVec::new(length)),
        Field::Export(()) => SectionVec::Export(ExportVec::new(length)),
        Field::Elem(()) => SectionVec::Elem(ElemVec::new(length)),
        Field::Code(()) => SectionVec::Code(CodeVec::new(length)),
        Field::Data(()) | Field::Start(()) | Field::DataCount(()) => SectionVec::Data(DataVec::new(length)),
    };
    Ok(ModuleKont::Section(Section { elements, size }))
}

/// Between two elements of a section: finishes the section, or starts the next element.
fn in_section(stream: &mut Stream<'_>, building: &mut Building, section: Section) -> Stepped<ModuleKont> {
    let Section { elements, size } = section;
    let pos = position(stream);
    let end = |next: Field| -> Stepped<ModuleKont> {
        check_size(size, stream)?;
        Ok(ModuleKont::SkipCustom(Some(next)))
    };
    match elements {
        SectionVec::Type(done) if done.is_complete() => {
            let next = end(Field::Import(()))?;
            building.types = done.vector;
            Ok(next)
        }
        SectionVec::Type(done) => Ok(ModuleKont::Type(TypeElement { kont: TypeKont::Start(()), pos, size, done })),
        SectionVec::Import(done) if done.is_complete() => {
            let next = end(Field::Func(()))?;
            building.imports = done.vector;
            Ok(next)
        }
        SectionVec::Import(done) => {
            Ok(ModuleKont::Import(ImportElement { kont: ImportKont::Start(()), pos, size, done }))
        }
        SectionVec::Func(done) if done.is_complete() => {
            let next = end(Field::Table(()))?;
            building.vars = done.vector;
            Ok(next)
        }
        SectionVec::Func(done) => {
            let kind = stream.index()?;
            Ok(ModuleKont::Section(Section { elements: SectionVec::Func(done.with(kind)?), size }))
        }
        SectionVec::Table(done) if done.is_complete() => {
            let next = end(Field::Memory(()))?;
            building.tables = done.vector;
            Ok(next)
        }
        SectionVec::Table(done) => {
            let kind = stream.table_type()?;
            Ok(ModuleKont::Section(Section { elements: SectionVec::Table(done.with(kind)?), size }))
        }
        SectionVec::Memory(done) if done.is_complete() => {
            let next = end(Field::Global(()))?;
            building.memories = done.vector;
            Ok(next)
        }
        SectionVec::Memory(done) => {
            let kind = stream.limits()?;
            Ok(ModuleKont::Section(Section { elements: SectionVec::Memory(done.with(kind)?), size }))
        }
        SectionVec::Global(done) if done.is_complete() => {
            let next = end(Field::Export(()))?;
            building.globals = done.vector;
            Ok(next)
        }
        SectionVec::Global(done) => {
            let kind = stream.global_type()?;
            let pos = position(stream);
            Ok(ModuleKont::Global(GlobalElement { kind, pos, block: BlockKont::Start(()), size, done }))
        }
        SectionVec::Export(done) if done.is_complete() => {
            let next = end(Field::Start(()))?;
            building.exports = done.vector;
            Ok(next)
        }
        SectionVec::Export(done) => {
            Ok(ModuleKont::Export(ExportElement { kont: ExportKont::Start(()), pos, size, done }))
        }
        SectionVec::Elem(done) if done.is_complete() => {
            let next = end(Field::DataCount(()))?;
            building.elems = done.vector;
            Ok(next)
        }
        SectionVec::Elem(done) => Ok(ModuleKont::Elem(ElemElement { kont: ElemKont::Start(()), pos, size, done })),
        SectionVec::Code(done) if done.is_complete() => {
            let next = end(Field::Data(()))?;
            building.code = done.vector;
            Ok(next)
        }
        SectionVec::Code(done) => Ok(ModuleKont::Code(CodeElement { kont: CodeKont::Start(()), pos, size, done })),
        SectionVec::Data(done) if done.is_complete() => {
            check_size(size, stream)?;
            building.datas = done.vector;
            Ok(ModuleKont::SkipCustom(None))
        }
        SectionVec::Data(done) => Ok(ModuleKont::Data(DataElement { kont: DataKont::Start(()), pos, size, done })),
    }
}

/// One tick of joining bodies with their types and looking for data instructions.
fn elaborate_step(allocations: &crate::module::Allocations, mut elaborate: Elaborate) -> Stepped<ModuleKont> {
    let block = |label: i32| -> Stepped<LazyVec<Instr>> {
        Ok(LazyVec { offset: 0, vector: allocations.blocks.get(label.into())?.instructions })
    };
    let Some(mut scan) = elaborate.scan.take() else {
        if elaborate.functions.is_complete() {
            let funcs = Some(BuiltFuncs { funcs: elaborate.functions.vector });
            return Ok(ModuleKont::Build(Build { funcs, no_datas: elaborate.no_datas }));
        }
        let number = elaborate.functions.offset.into();
        let ftype = elaborate.types.get(number)?;
        let body: Func = elaborate.bodies.get(number)?;
        if elaborate.no_datas {
            let first = block(body.body)?;
            elaborate.scan = Some(LazyVec { offset: 0, vector: Vector::from_list([first]) });
        }
        elaborate.functions = elaborate.functions.with(Func { ftype, ..body })?;
        return Ok(ModuleKont::Elaborate(elaborate));
    };
    if scan.is_complete() {
        return Ok(ModuleKont::Elaborate(elaborate));
    }
    let current = scan.offset.into();
    let mut scanned: LazyVec<Instr> = scan.vector.get(current)?;
    if scanned.is_complete() {
        scan.offset = scan.offset.wrapping_add(1);
        elaborate.scan = Some(scan);
        return Ok(ModuleKont::Elaborate(elaborate));
    }
    match scanned.vector.get(scanned.offset.into())? {
        Instr::MemoryInit(_) | Instr::DataDrop(_) => elaborate.no_datas = false,
        Instr::Block(_, label) | Instr::Loop(_, label) => {
            scan.vector.append(block(label)?);
        }
        Instr::If(_, then, otherwise) => {
            scan.vector.append(block(then)?);
            scan.vector.append(block(otherwise)?);
        }
        _ => {}
    }
    scanned.offset = scanned.offset.wrapping_add(1);
    scan.vector.set(current, scanned)?;
    elaborate.scan = elaborate.no_datas.then_some(scan);
    Ok(ModuleKont::Elaborate(elaborate))
}

/// The last checks, and the module.
fn finish(
    stream: &Stream<'_>,
    building: &Building,
    build: Build,
    allocations: &crate::module::Allocations,
) -> Stepped<Module> {
    require(stream.pos() == stream.len(), "unexpected content after last section")?;
    let datas = building.datas.signed_length() as i32;
    require(
        building.data_count.0.is_none_or(|count| count == datas),
        "data count and data section have inconsistent lengths",
    )?;
    let Some(BuiltFuncs { funcs }) = build.funcs else {
        return error("function and code section have inconsistent lengths");
    };
    require(building.data_count.0.is_some() || build.no_datas, "data count section required")?;
    Ok(Module {
        types: building.types.clone(),
        globals: building.globals.clone(),
        tables: building.tables.clone(),
        memories: building.memories.clone(),
        funcs,
        elems: building.elems.clone(),
        datas: building.datas.clone(),
        imports: building.imports.clone(),
        exports: building.exports.clone(),
        start: building.start,
        allocations: allocations.clone(),
    })
}
