//! Typed instructions.

use crate::error::Location;
use crate::types::Type;
use crate::value::Value;
use soru_tezos::contract::Entrypoint;
use soru_tezos::micheline::{Micheline, Prim};
use std::sync::Arc;

/// A sequence of instructions.
pub type Code = Arc<[Instr]>;

/// An instruction with its place in the code.
#[derive(Debug)]
pub struct Instr {
    /// The number of its node.
    pub location: Location,
    /// What it does.
    pub op: Op,
    /// The types of the stack before and after it, where executions are traced.
    pub types: Option<Box<Around>>,
}

/// The types of the stack around an instruction, the top last.
#[derive(Debug)]
pub struct Around {
    /// What it finds.
    pub before: Vec<Type>,
    /// What it leaves; none when it always fails.
    pub after: Option<Vec<Type>>,
}

/// What an instruction does. Types are kept only where running needs them.
#[derive(Debug)]
#[allow(missing_docs)]
pub enum Op {
    /// An instruction whose operands tell all.
    Plain(Prim),
    Seq(Code),
    Push(Value),
    Drop(usize),
    Dup(usize),
    Dig(usize),
    Dug(usize),
    Dip(usize, Code),
    If(Code, Code),
    IfNone(Code, Code),
    IfLeft(Code, Code),
    IfCons(Code, Code),
    Loop(Code),
    LoopLeft(Code),
    Map(Code),
    Iter(Code),
    PairN(usize),
    UnpairN(usize),
    GetN(usize),
    UpdateN(usize),
    EmptyBigMap(Type, Type),
    Failwith(Type),
    Pack(Type),
    Unpack(Type),
    /// `CONCAT` of a list: of bytes, or of strings.
    ConcatList {
        bytes: bool,
    },
    /// `BYTES`, of an `int` or of a `nat`.
    NumberToBytes {
        signed: bool,
    },
    /// `APPLY` of a value of this type.
    Apply(Type),
    SelfContract(Entrypoint, Type),
    Contract(Type, Option<Entrypoint>),
    View {
        name: String,
        input: Type,
        output: Type,
    },
    CreateContract {
        code: Arc<Micheline>,
        storage: Type,
    },
    TransferTokens(Type),
    Emit {
        tag: Entrypoint,
        ty: Type,
        expr: Arc<Micheline>,
    },
    /// `TICKET`; the deprecated one fails on zero instead of giving an option.
    Ticket(Type),
    TicketDeprecated(Type),
    /// `CAST` and `RENAME`.
    Nothing,
}
