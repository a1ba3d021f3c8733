//! Parsing the elements of sections: types, imports, exports, functions, segments (`spec/pvm.md` §5.2).

use soru_merkle::containers::{Int31, Optional, Text};

use super::block::{block, bytes, name, stuck};
use super::state::{
    BlockKont, BytesKont, CodeBody, CodeKont, DataInit, DataKont, DataMode, ElemConst, ElemIndexed, ElemKont, ElemMode,
    ExportKont, ImportItem, ImportKont, ImportModule, IndexKind, LazyVec, LocalGroup, LocalsAccumulate, LocalsParse,
    NameKont, Size, TypeIns, TypeKont, TypeOut,
};
use super::stream::{Stream, error, require};
use crate::exception::Stepped;
use crate::instr::Instr;
use crate::module::{Allocations, DataSegment, Elem, Export, Func, Import};
use crate::types::{ExportDesc, FuncType, ImportDesc, RefType, SegmentMode};

pub(super) fn position(stream: &Stream<'_>) -> Int31 {
    Int31(stream.pos() as i32)
}

pub(super) fn size(stream: &mut Stream<'_>) -> Stepped<Size> {
    let size = Int31(stream.length()?);
    Ok(Size { size, start: position(stream) })
}

pub(super) fn check_size(size: Size, stream: &Stream<'_>) -> Stepped<()> {
    require(stream.pos() == i64::from(size.start.0) + i64::from(size.size.0), "section size mismatch")
}

/// One tick of the type of a function.
pub(super) fn func_type(stream: &mut Stream<'_>, kont: TypeKont) -> Stepped<TypeKont> {
    match kont {
        TypeKont::Start(()) => {
            let form = stream.s7()?;
            let length = stream.length()?;
            match form {
                -0x20 => Ok(TypeKont::Ins(TypeIns { ins: LazyVec::new(length) })),
                _ => error("malformed function type"),
            }
        }
        TypeKont::Ins(TypeIns { ins }) if ins.is_complete() => {
            let length = stream.length()?;
            Ok(TypeKont::Out(TypeOut { params: ins.vector, out: LazyVec::new(length) }))
        }
        TypeKont::Ins(TypeIns { ins }) => {
            let kind = stream.value_type()?;
            Ok(TypeKont::Ins(TypeIns { ins: ins.with(kind)? }))
        }
        TypeKont::Out(TypeOut { params, out }) if out.is_complete() => {
            Ok(TypeKont::Stop(FuncType { params, results: out.vector }))
        }
        TypeKont::Out(TypeOut { params, out }) => {
            let kind = stream.value_type()?;
            Ok(TypeKont::Out(TypeOut { params, out: out.with(kind)? }))
        }
        TypeKont::Stop(_) => Err(stuck("Func_type_step")),
    }
}

fn import_desc(stream: &mut Stream<'_>) -> Stepped<ImportDesc> {
    match stream.byte()? {
        0x00 => Ok(ImportDesc::Func(stream.index()?)),
        0x01 => Ok(ImportDesc::Table(stream.table_type()?)),
        0x02 => Ok(ImportDesc::Memory(stream.limits()?)),
        0x03 => Ok(ImportDesc::Global(stream.global_type()?)),
        _ => error("malformed import kind"),
    }
}

/// One tick of an import.
pub(super) fn import(stream: &mut Stream<'_>, kont: ImportKont) -> Stepped<ImportKont> {
    match kont {
        ImportKont::Start(()) => Ok(ImportKont::Module(ImportModule { name: NameKont::Start(()) })),
        ImportKont::Module(ImportModule { name: NameKont::Stop(module) }) => {
            Ok(ImportKont::Item(ImportItem { module, name: NameKont::Start(()) }))
        }
        ImportKont::Module(ImportModule { name: kont }) => {
            Ok(ImportKont::Module(ImportModule { name: name(stream, kont)? }))
        }
        ImportKont::Item(ImportItem { module, name: NameKont::Stop(item) }) => {
            Ok(ImportKont::Stop(Import { module, item, desc: import_desc(stream)? }))
        }
        ImportKont::Item(ImportItem { module, name: kont }) => {
            Ok(ImportKont::Item(ImportItem { module, name: name(stream, kont)? }))
        }
        ImportKont::Stop(_) => Err(stuck("Import_step")),
    }
}

fn export_desc(stream: &mut Stream<'_>) -> Stepped<ExportDesc> {
    match stream.byte()? {
        0x00 => Ok(ExportDesc::Func(stream.index()?)),
        0x01 => Ok(ExportDesc::Table(stream.index()?)),
        0x02 => Ok(ExportDesc::Memory(stream.index()?)),
        0x03 => Ok(ExportDesc::Global(stream.index()?)),
        _ => error("malformed export kind"),
    }
}

/// One tick of an export.
pub(super) fn export(stream: &mut Stream<'_>, kont: ExportKont) -> Stepped<ExportKont> {
    match kont {
        ExportKont::Start(()) => Ok(ExportKont::Name(NameKont::Start(()))),
        ExportKont::Name(NameKont::Stop(name)) => Ok(ExportKont::Stop(Export { name, desc: export_desc(stream)? })),
        ExportKont::Name(kont) => Ok(ExportKont::Name(name(stream, kont)?)),
        ExportKont::Stop(_) => Err(stuck("Export_step")),
    }
}

/// One tick of a function body.
pub(super) fn code(stream: &mut Stream<'_>, allocations: &mut Allocations, kont: CodeKont) -> Stepped<CodeKont> {
    match kont {
        CodeKont::Start(()) => {
            let left = position(stream);
            let size = size(stream)?;
            let pos = position(stream);
            let groups = LazyVec::new(stream.length()?);
            Ok(CodeKont::LocalsParse(LocalsParse { left, size, pos, groups, locals_size: 0 }))
        }
        CodeKont::LocalsParse(LocalsParse { left, size, pos, groups, locals_size }) if groups.is_complete() => {
            require((locals_size as u64) < 0x1_0000_0000, "too many locals")?;
            Ok(CodeKont::LocalsAccumulate(LocalsAccumulate {
                left,
                size,
                pos,
                groups: LazyVec { offset: 0, vector: groups.vector },
                current: None,
                locals: LazyVec::new(locals_size as i32),
            }))
        }
        CodeKont::LocalsParse(mut parse) => {
            let occurrences = stream.index()?;
            let kind = stream.value_type()?;
            parse.locals_size = parse.locals_size.wrapping_add(i64::from(occurrences as u32));
            parse.groups = parse.groups.with(LocalGroup { occurrences, kind })?;
            Ok(CodeKont::LocalsParse(parse))
        }
        CodeKont::LocalsAccumulate(LocalsAccumulate { left, size, locals, .. }) if locals.is_complete() => {
            Ok(CodeKont::Body(CodeBody { left, size, locals: locals.vector, block: BlockKont::Start(()) }))
        }
        CodeKont::LocalsAccumulate(mut accumulate) => {
            match accumulate.current {
                None | Some(LocalGroup { occurrences: 0, .. }) => {
                    let next = accumulate.groups.vector.get(accumulate.groups.offset.into())?;
                    accumulate.current = Some(next);
                    accumulate.groups.offset = accumulate.groups.offset.wrapping_add(1);
                }
                Some(LocalGroup { occurrences, kind }) => {
                    accumulate.locals = accumulate.locals.with(kind)?;
                    accumulate.current = Some(LocalGroup { occurrences: occurrences.wrapping_sub(1), kind });
                }
            }
            Ok(CodeKont::LocalsAccumulate(accumulate))
        }
        CodeKont::Body(CodeBody { size, locals, block: BlockKont::Stop(body), .. }) => {
            stream.end()?;
            check_size(size, stream)?;
            Ok(CodeKont::Stop(Func { ftype: -1, locals, body }))
        }
        CodeKont::Body(mut body) => {
            body.block = block(stream, allocations, body.block)?;
            Ok(CodeKont::Body(body))
        }
        CodeKont::Stop(_) => Err(stuck("Code_step")),
    }
}

fn elem_kind(stream: &mut Stream<'_>) -> Stepped<RefType> {
    match stream.byte()? {
        0x00 => Ok(RefType::Func),
        _ => error("malformed element kind"),
    }
}

fn elem_start(stream: &mut Stream<'_>) -> Stepped<ElemKont> {
    let flag = stream.u32()?;
    let index_kind = if flag < 4 { IndexKind::Indexed } else { IndexKind::Const };
    let mode = if flag & 2 == 0 { SegmentMode::Passive } else { SegmentMode::Declarative };
    match flag {
        0 | 2 | 4 | 6 => {
            let explicit = flag & 2 != 0;
            let left = position(stream);
            let index = if explicit { stream.index()? } else { 0 };
            Ok(ElemKont::Mode(ElemMode {
                left,
                index,
                index_kind,
                early_ref_type: Optional(if explicit { None } else { Some(RefType::Func) }),
                offset_pos: position(stream),
                offset: BlockKont::Start(()),
            }))
        }
        1 | 3 => {
            let ref_type = elem_kind(stream)?;
            let init = LazyVec::new(stream.length()?);
            Ok(ElemKont::Indexed(ElemIndexed { mode, ref_type, init }))
        }
        5 | 7 => {
            let ref_type = stream.ref_type()?;
            let init = LazyVec::new(stream.length()?);
            let pos = position(stream);
            Ok(ElemKont::Const(ElemConst { mode, ref_type, init, pos, block: BlockKont::Start(()) }))
        }
        _ => error("malformed elements segment kind"),
    }
}

/// One tick of an element segment.
pub(super) fn elem(stream: &mut Stream<'_>, allocations: &mut Allocations, kont: ElemKont) -> Stepped<ElemKont> {
    match kont {
        ElemKont::Start(()) => elem_start(stream),
        ElemKont::Mode(ElemMode { index, index_kind, early_ref_type, offset: BlockKont::Stop(offset), .. }) => {
            stream.end()?;
            let mode = SegmentMode::Active { index, offset };
            let ref_type = match (early_ref_type.0, index_kind) {
                (Some(kind), _) => kind,
                (None, IndexKind::Indexed) => elem_kind(stream)?,
                (None, IndexKind::Const) => stream.ref_type()?,
            };
            let init = LazyVec::new(stream.length()?);
            Ok(match index_kind {
                IndexKind::Indexed => ElemKont::Indexed(ElemIndexed { mode, ref_type, init }),
                IndexKind::Const => {
                    let pos = position(stream);
                    ElemKont::Const(ElemConst { mode, ref_type, init, pos, block: BlockKont::Start(()) })
                }
            })
        }
        ElemKont::Mode(mut mode) => {
            mode.offset = block(stream, allocations, mode.offset)?;
            Ok(ElemKont::Mode(mode))
        }
        ElemKont::Const(ElemConst { mode, ref_type, init, .. })
        | ElemKont::Indexed(ElemIndexed { mode, ref_type, init })
            if init.is_complete() =>
        {
            Ok(ElemKont::Stop(Elem { ref_type, init: init.vector, mode }))
        }
        ElemKont::Indexed(mut indexed) => {
            let function = stream.index()?;
            let label = allocations.new_block();
            allocations.push_instr(label, Instr::RefFunc(function))?;
            indexed.init = indexed.init.with(label)?;
            Ok(ElemKont::Indexed(indexed))
        }
        ElemKont::Const(ElemConst { mode, ref_type, init, block: BlockKont::Stop(label), .. }) => {
            stream.end()?;
            let pos = position(stream);
            Ok(ElemKont::Const(ElemConst { mode, ref_type, init: init.with(label)?, pos, block: BlockKont::Start(()) }))
        }
        ElemKont::Const(mut constant) => {
            constant.block = block(stream, allocations, constant.block)?;
            Ok(ElemKont::Const(constant))
        }
        ElemKont::Stop(_) => Err(stuck("Elem_step")),
    }
}

fn data_start(stream: &mut Stream<'_>) -> Stepped<DataKont> {
    let flag = stream.u32()?;
    match flag {
        0 | 2 => {
            let left = position(stream);
            let index = if flag == 2 { stream.index()? } else { 0 };
            let offset_pos = position(stream);
            Ok(DataKont::Mode(DataMode { left, index, offset_pos, offset: BlockKont::Start(()) }))
        }
        1 => Ok(DataKont::Init(DataInit { mode: SegmentMode::Passive, bytes: BytesKont::Start(()) })),
        _ => error("malformed data segment kind"),
    }
}

/// One tick of a data segment.
pub(super) fn data(stream: &mut Stream<'_>, allocations: &mut Allocations, kont: DataKont) -> Stepped<DataKont> {
    match kont {
        DataKont::Start(()) => data_start(stream),
        DataKont::Mode(DataMode { index, offset: BlockKont::Stop(offset), .. }) => {
            stream.end()?;
            Ok(DataKont::Init(DataInit { mode: SegmentMode::Active { index, offset }, bytes: BytesKont::Start(()) }))
        }
        DataKont::Mode(mut mode) => {
            mode.offset = block(stream, allocations, mode.offset)?;
            Ok(DataKont::Mode(mode))
        }
        DataKont::Init(DataInit { mode, bytes: BytesKont::Stop(done) }) => {
            Ok(DataKont::Stop(DataSegment { init: done.label, mode }))
        }
        DataKont::Init(DataInit { mode, bytes: kont }) => {
            Ok(DataKont::Init(DataInit { mode, bytes: bytes(stream, allocations, kont)? }))
        }
        DataKont::Stop(_) => Err(stuck("Data_step")),
    }
}

/// The name of a custom section, whose content is of no interest. Only malformed characters are errors: a length beyond the
/// module, or over 512, merely ends the name after the length. (Upstream starts the parser of the name and never waits for it.)
pub(super) fn ignored_name(stream: &mut Stream<'_>) -> Stepped<()> {
    let left = stream.len() - stream.pos();
    let length = stream.u32()?;
    if length > left as u32 || length > 512 {
        return Ok(());
    }
    let mut remaining = length as i32;
    let mut characters: Vec<u8> = Vec::new();
    while remaining != 0 {
        characters.clear();
        remaining -= stream.character(&mut characters)?;
    }
    Ok(())
}

/// The name a module is known by.
pub fn main_name() -> Text {
    Text::from("main")
}
