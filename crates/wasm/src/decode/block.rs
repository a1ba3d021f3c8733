//! Parsing names, expressions and bytes: the continuations that other parts of the parser share (`spec/pvm.md` §5.2).

use soru_merkle::containers::{Int31, Text};

use super::opcode;
use super::state::{
    BlockKont, BytesDone, BytesKont, BytesRead, InstrKont, LazyStack, NameBuffer, NameKont, NameParse, Opened,
    OpenedElse,
};
use super::stream::{Stream, require};
use crate::exception::{StepError, Stepped};
use crate::instr::Instr;
use crate::module::Allocations;
use crate::types::BlockType;
use soru_merkle::containers::OptionLeaf;

/// The exception of a parser step that cannot reduce.
pub(super) fn stuck(state: &str) -> StepError {
    const STATES: [&str; 12] = [
        "Byte_vector_step",
        "Instr_step",
        "Instr_block_step",
        "Block_step",
        "Name_step",
        "Func_type_step",
        "Import_step",
        "Export_step",
        "Code_step",
        "Elem_step",
        "Data_step",
        "Module_step",
    ];
    let rank = STATES.iter().position(|known| *known == state).unwrap_or_default();
    StepError::named(&format!("Tezos_webassembly_interpreter.Decode.Step_error({rank})"), Some(state))
}

/// One tick of a name.
pub(super) fn name(stream: &mut Stream<'_>, kont: NameKont) -> Stepped<NameKont> {
    match kont {
        NameKont::Start(()) => {
            let pos = Int31(stream.pos() as i32);
            let length = stream.length()?;
            require(length <= 512, "Names cannot exceed 512 bytes")?;
            Ok(NameKont::Parse(NameParse { pos, buffer: NameBuffer::default(), length: Int31(length) }))
        }
        NameKont::Parse(NameParse { buffer, length: Int31(0), .. }) => Ok(NameKont::Stop(Text::from(buffer.0))),
        NameKont::Parse(mut parse) => {
            let read = stream.character(&mut parse.buffer.0)?;
            parse.length = Int31(parse.length.0 - read);
            Ok(NameKont::Parse(parse))
        }
        NameKont::Stop(_) => Err(stuck("Name_step")),
    }
}

fn block_type(stream: &mut Stream<'_>) -> Stepped<BlockType> {
    match stream.peek()? {
        Some(0x40) => {
            stream.skip_byte()?;
            Ok(BlockType::Value(OptionLeaf(None)))
        }
        Some(byte) if byte & 0xc0 == 0x40 => Ok(BlockType::Value(OptionLeaf(Some(stream.value_type()?)))),
        _ => Ok(BlockType::Index(stream.s33()?)),
    }
}

/// One tick of an expression.
pub(super) fn block(stream: &mut Stream<'_>, allocations: &mut Allocations, kont: BlockKont) -> Stepped<BlockKont> {
    match kont {
        BlockKont::Start(()) => {
            let mut stack = LazyStack::new();
            stack.push(InstrKont::Next(allocations.new_block()))?;
            Ok(BlockKont::Parse(stack))
        }
        BlockKont::Parse(stack) => {
            if stack.length == 1
                && let InstrKont::Stop(label) = stack.vector.get(0)?
            {
                return Ok(BlockKont::Stop(label));
            }
            open_block(stream, allocations, stack).map(BlockKont::Parse)
        }
        BlockKont::Stop(_) => Err(stuck("Block_step")),
    }
}

/// One tick of the stack of open blocks: pops at most three entries, acts on the top one, and pushes them back.
fn open_block(
    stream: &mut Stream<'_>,
    allocations: &mut Allocations,
    mut stack: LazyStack<InstrKont>,
) -> Stepped<LazyStack<InstrKont>> {
    let entries = stack.pop_at_most(3)?;
    let mut pushed = Vec::new();
    match entries.as_slice() {
        [InstrKont::Stop(label), InstrKont::Block(open), InstrKont::Next(parent)] => {
            stream.end()?;
            allocations.push_instr(*parent, Instr::Block(open.kind.clone(), *label))?;
            pushed.push(InstrKont::Next(*parent));
        }
        [InstrKont::Stop(label), InstrKont::Loop(open), InstrKont::Next(parent)] => {
            stream.end()?;
            allocations.push_instr(*parent, Instr::Loop(open.kind.clone(), *label))?;
            pushed.push(InstrKont::Next(*parent));
        }
        [InstrKont::Stop(label), InstrKont::If1(open), InstrKont::Next(parent)] => {
            if stream.peek()? == Some(0x05) {
                stream.skip_byte()?;
                pushed.push(InstrKont::Next(allocations.new_block()));
                pushed.push(InstrKont::If2(OpenedElse { kind: open.kind.clone(), pos: open.pos, then: *label }));
            } else {
                stream.end()?;
                allocations.push_instr(*parent, Instr::If(open.kind.clone(), *label, 0))?;
            }
            pushed.push(InstrKont::Next(*parent));
        }
        [InstrKont::Stop(label), InstrKont::If2(open), InstrKont::Next(parent)] => {
            stream.end()?;
            allocations.push_instr(*parent, Instr::If(open.kind.clone(), open.then, *label))?;
            pushed.push(InstrKont::Next(*parent));
        }
        [InstrKont::Next(label), below @ ..] => {
            match stream.peek()? {
                None | Some(0x05 | 0x0b) => pushed.push(InstrKont::Stop(*label)),
                Some(_) => {
                    let pos = Int31(stream.pos() as i32);
                    let tag = stream.byte()?;
                    if let 0x02..=0x04 = tag {
                        let opened = Opened { kind: block_type(stream)?, pos };
                        pushed.push(InstrKont::Next(allocations.new_block()));
                        pushed.push(match tag {
                            0x02 => InstrKont::Block(opened),
                            0x03 => InstrKont::Loop(opened),
                            _ => InstrKont::If1(opened),
                        });
                    } else {
                        let instr = opcode::instruction(stream, tag)?;
                        allocations.push_instr(*label, instr)?;
                    }
                    pushed.push(InstrKont::Next(*label));
                }
            }
            pushed.extend_from_slice(below);
        }
        _ => return Err(stuck("Instr_block_step")),
    }
    for entry in pushed.into_iter().rev() {
        stack.push(entry)?;
    }
    Ok(stack)
}

/// One tick of bytes.
pub(super) fn bytes(stream: &mut Stream<'_>, allocations: &mut Allocations, kont: BytesKont) -> Stepped<BytesKont> {
    match kont {
        BytesKont::Start(()) => {
            let length = i64::from(stream.length()?);
            let label = allocations.new_data(length as u64);
            Ok(BytesKont::Read(BytesRead { label, pos: 0, length }))
        }
        BytesKont::Read(BytesRead { label, pos, length }) if pos >= length => Ok(BytesKont::Stop(BytesDone { label })),
        BytesKont::Read(BytesRead { label, pos, length }) => {
            let byte = stream.byte()?;
            allocations.set_data_byte(label, pos as u64, byte)?;
            Ok(BytesKont::Read(BytesRead { label, pos: pos + 1, length }))
        }
        BytesKont::Stop(_) => Err(stuck("Byte_vector_step")),
    }
}
