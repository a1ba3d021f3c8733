//! The interpreter: typed instructions on a stack of values. What is still to do lives in frames on the heap, so calls
//! and loops of scripts take no room on the machine's stack.

mod bytes;
mod chain;
mod collections;
mod numbers;
mod plain;
mod tickets;
mod trace;

pub use trace::Step;
use trace::Trace;

use crate::context::Chain;
use crate::error::{Location, Problem, Result};
use crate::gas::{Gas, cost};
use crate::node::Node;
use crate::run::Typed;
use crate::typecheck::{Code, Instr, MAX_NESTING, Op, Place, Typer};
use crate::types::{Parameter, Type};
use crate::value::{BigMap, Body, Extent, Lambda, Mode, Value};
use imbl::{OrdMap, Vector};
use soru_tezos::contract::{Contract, Destination};
use soru_tezos::hash::ContractHash;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::micheline::{Micheline, Prim};
use soru_tezos::scalar::Mutez;
use std::sync::Arc;

/// Most frames at one time: what a script would need more for would not end within its gas.
const MAX_FRAMES: usize = 200_000;

/// Who runs, and for whom.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The contract that runs.
    pub contract: ContractHash,
    /// Who called it.
    pub sender: Destination,
    /// Who pays.
    pub source: PublicKeyHash,
    /// What came with the call.
    pub amount: Mutez,
    /// What the contract has, that included.
    pub balance: Mutez,
}

/// Something to go on with.
enum Frame {
    /// Code from a place on.
    Code {
        code: Code,
        next: usize,
    },
    /// What `DIP` set aside, the top last.
    Undip(Vec<Value>),
    /// Whether to go round again is on the stack.
    Loop(Code),
    LoopLeft(Code),
    /// Items still to come, the next one last.
    Iter {
        items: Vec<Value>,
        code: Code,
    },
    MapList {
        items: Vec<Value>,
        done: Vector<Value>,
        code: Code,
    },
    MapMap {
        items: Vec<(Value, Value)>,
        key: Value,
        done: OrdMap<Value, Value>,
        code: Code,
    },
    MapOption,
    /// The caller's stack.
    Return(Vec<Value>),
    /// The caller's stack and environment.
    ReturnFromView(Vec<Value>, Box<Environment>),
    /// An instruction is done: its stack is to be written down.
    Trace {
        code: Code,
        index: usize,
    },
}

/// A script at work.
pub struct Machine<'a> {
    pub(crate) typer: Typer<'a>,
    pub(crate) environment: Environment,
    stack: Vec<Value>,
    frames: Vec<Frame>,
    /// The instruction being run, for errors.
    location: Location,
    trace: Option<Trace>,
}

impl<'a> Machine<'a> {
    /// A machine on a chain.
    pub fn new(chain: &'a mut dyn Chain, gas: &'a mut Gas, environment: Environment) -> Machine<'a> {
        let typer = Typer::new(chain, gas);
        Machine { typer, environment, stack: Vec::new(), frames: Vec::new(), location: 0, trace: None }
    }

    /// The typechecker on the same chain and gas.
    pub fn typer(&mut self) -> &mut Typer<'a> {
        &mut self.typer
    }

    /// Runs code on a stack, the top last, and gives back the stack it leaves.
    pub fn run(&mut self, code: &Code, stack: Vec<Value>) -> Result<Vec<Value>> {
        self.stack = stack;
        self.frames.clear();
        self.call(code)?;
        self.trace_start(code)?;
        while let Some(frame) = self.frames.last_mut() {
            if let Frame::Code { code, next } = frame {
                let index = *next;
                if index < code.len() {
                    *next += 1;
                    let code = code.clone();
                    if self.trace.is_some() && code[index].types.is_some() {
                        self.push_frame(Frame::Trace { code: code.clone(), index })?;
                    }
                    self.step(&code[index])?;
                    continue;
                }
            }
            if let Some(frame) = self.frames.pop() {
                self.resume(frame)?;
            }
        }
        Ok(std::mem::take(&mut self.stack))
    }

    /// Checks and runs one instruction on a stack written as expressions, the top first; the stack it leaves, the top
    /// first.
    pub(crate) fn single(
        &mut self,
        input: &[Typed],
        code: &Micheline,
        parameter: Option<&Micheline>,
    ) -> Result<Vec<(Type, Value)>> {
        let typer = &mut self.typer;
        let (mut types, mut values) = (Vec::with_capacity(input.len()), Vec::with_capacity(input.len()));
        for element in input.iter().rev() {
            let ty = typer.parse_type(&element.ty)?;
            values.push(typer.parse_data(&element.value, &ty, true)?);
            types.push(ty);
        }
        let parameter = match parameter {
            Some(ty) => Parameter::of(ty)?,
            None => Parameter::plain(Type::unit()),
        };
        typer.place = Place { parameter: Some(parameter), view: false, lambda: false };
        let code = typer.expand_constants(code)?;
        let (op, types) = typer.instruction(&Node::new(&code)?, types)?;
        let values = self.run(&[Instr { location: 0, op, types: None }].into(), values)?;
        let Some(types) = types else { return self.inconsistent() };
        Ok(types.into_iter().zip(values).rev().collect())
    }

    fn push_frame(&mut self, frame: Frame) -> Result<()> {
        if self.frames.len() >= MAX_FRAMES {
            return Err(Problem::GasExhausted.into());
        }
        self.frames.push(frame);
        Ok(())
    }

    fn call(&mut self, code: &Code) -> Result<()> {
        self.push_frame(Frame::Code { code: code.clone(), next: 0 })
    }

    /// The error of a value that cannot be here.
    fn inconsistent<T>(&self) -> Result<T> {
        Err(Problem::Inconsistent { location: self.location }.into())
    }

    fn pop(&mut self) -> Result<Value> {
        match self.stack.pop() {
            Some(value) => Ok(value),
            None => self.inconsistent(),
        }
    }

    fn push(&mut self, value: Value) {
        self.stack.push(value);
    }

    fn overflow<T>(&self) -> Result<T> {
        Err(Problem::ScriptOverflow { location: self.location }.into())
    }

    /// Takes the topmost `count` values off, the top last.
    fn take(&mut self, count: usize) -> Result<Vec<Value>> {
        match self.stack.len().checked_sub(count) {
            Some(start) => Ok(self.stack.split_off(start)),
            None => self.inconsistent(),
        }
    }

    fn step(&mut self, instr: &Instr) -> Result<()> {
        self.location = instr.location;
        self.typer.gas.take(cost::INSTRUCTION)?;
        match &instr.op {
            Op::Nothing => {}
            Op::Plain(Prim::EXEC) => {
                let (argument, function) = (self.pop()?, self.pop()?);
                let Value::Lambda(function) = function else { return self.inconsistent() };
                self.exec(argument, function)?;
            }
            Op::Plain(prim) => return self.plain(*prim),
            Op::Seq(code) => return self.call(code),
            Op::Push(value) => self.push(value.clone()),
            Op::Drop(count) => {
                self.take(*count)?;
            }
            Op::Dup(count) => match self.stack.len().checked_sub(*count) {
                Some(place) => self.push(self.stack[place].clone()),
                None => return self.inconsistent(),
            },
            Op::Dig(count) | Op::Dug(count) => {
                self.typer.gas.take(*count as u64)?;
                let Some(place) = self.stack.len().checked_sub(count + 1) else { return self.inconsistent() };
                match &instr.op {
                    Op::Dig(_) => self.stack[place..].rotate_left(1),
                    _ => self.stack[place..].rotate_right(1),
                }
            }
            Op::Dip(count, code) => {
                let above = self.take(*count)?;
                self.push_frame(Frame::Undip(above))?;
                return self.call(code);
            }
            Op::If(yes, no) => match self.pop()? {
                Value::Bool(true) => return self.call(yes),
                Value::Bool(false) => return self.call(no),
                _ => return self.inconsistent(),
            },
            Op::IfNone(none, some) => match self.pop()? {
                Value::None => return self.call(none),
                Value::Some(value) => {
                    self.push(Arc::unwrap_or_clone(value));
                    return self.call(some);
                }
                _ => return self.inconsistent(),
            },
            Op::IfLeft(left, right) => match self.pop()? {
                Value::Left(value) => {
                    self.push(Arc::unwrap_or_clone(value));
                    return self.call(left);
                }
                Value::Right(value) => {
                    self.push(Arc::unwrap_or_clone(value));
                    return self.call(right);
                }
                _ => return self.inconsistent(),
            },
            Op::IfCons(cons, nil) => match self.pop()? {
                Value::List(mut list) => match list.pop_front() {
                    Some(first) => {
                        self.push(Value::List(list));
                        self.push(first);
                        return self.call(cons);
                    }
                    None => return self.call(nil),
                },
                _ => return self.inconsistent(),
            },
            Op::Loop(code) => self.push_frame(Frame::Loop(code.clone()))?,
            Op::LoopLeft(code) => self.push_frame(Frame::LoopLeft(code.clone()))?,
            Op::Map(code) => return self.map(code),
            Op::Iter(code) => return self.iter(code),
            Op::PairN(count) => {
                self.typer.gas.take(cost::ELEMENT * *count as u64)?;
                let mut items = self.take(*count)?.into_iter();
                let Some(last) = items.next() else { return self.inconsistent() };
                let comb = items.fold(last, |rest, first| Value::pair(first, rest));
                self.push(comb);
            }
            Op::UnpairN(count) => {
                self.typer.gas.take(*count as u64)?;
                let mut items = Vec::with_capacity(*count);
                let mut rest = self.pop()?;
                for _ in 1..*count {
                    let (first, more) = self.split(rest)?;
                    items.push(first);
                    rest = more;
                }
                items.push(rest);
                self.stack.extend(items.into_iter().rev());
            }
            Op::GetN(n) => {
                self.typer.gas.take(*n as u64)?;
                let mut value = self.pop()?;
                for _ in 0..n / 2 {
                    value = self.split(value)?.1;
                }
                if n % 2 == 1 {
                    value = self.split(value)?.0;
                }
                self.push(value);
            }
            Op::UpdateN(n) => {
                self.typer.gas.take(cost::ELEMENT * (*n as u64 + 1))?;
                let (new, mut value) = (self.pop()?, self.pop()?);
                let mut firsts = Vec::new();
                for _ in 0..n / 2 {
                    let (first, rest) = self.split(value)?;
                    firsts.push(first);
                    value = rest;
                }
                let last = if n % 2 == 1 { Value::pair(new, self.split(value)?.1) } else { new };
                self.push(firsts.into_iter().rev().fold(last, |rest, first| Value::pair(first, rest)));
            }
            Op::EmptyBigMap(key, value) => self.push(Value::BigMap(Arc::new(BigMap {
                id: None,
                key_type: key.clone(),
                value_type: value.clone(),
                changes: OrdMap::new(),
            }))),
            Op::Failwith(ty) => {
                let value = self.pop()?;
                let with = self.typer.unparse(&value, ty, Mode::Optimized)?;
                return Err(Problem::ScriptRejected { location: self.location, with }.into());
            }
            Op::Apply(ty) => return self.apply(ty),
            other => return self.typed(other),
        }
        Ok(())
    }

    fn split(&mut self, value: Value) -> Result<(Value, Value)> {
        match value {
            Value::Pair(pair) => Ok(Arc::unwrap_or_clone(pair)),
            _ => self.inconsistent(),
        }
    }

    /// Goes on with what stands behind finished code.
    fn resume(&mut self, frame: Frame) -> Result<()> {
        match frame {
            Frame::Code { .. } => {}
            Frame::Undip(above) => self.stack.extend(above),
            Frame::Loop(code) => match self.pop()? {
                Value::Bool(true) => {
                    self.typer.gas.take(cost::INSTRUCTION)?;
                    self.push_frame(Frame::Loop(code.clone()))?;
                    self.call(&code)?;
                }
                Value::Bool(false) => {}
                _ => return self.inconsistent(),
            },
            Frame::LoopLeft(code) => match self.pop()? {
                Value::Left(value) => {
                    self.typer.gas.take(cost::INSTRUCTION)?;
                    self.push(Arc::unwrap_or_clone(value));
                    self.push_frame(Frame::LoopLeft(code.clone()))?;
                    self.call(&code)?;
                }
                Value::Right(value) => self.push(Arc::unwrap_or_clone(value)),
                _ => return self.inconsistent(),
            },
            Frame::Iter { items, code } => self.next_item(items, code)?,
            Frame::MapList { items, mut done, code } => {
                done.push_back(self.pop()?);
                self.next_of_list(items, done, code)?;
            }
            Frame::MapMap { items, key, mut done, code } => {
                done.insert(key, self.pop()?);
                self.next_of_map(items, done, code)?;
            }
            Frame::MapOption => {
                let value = self.pop()?;
                self.push(Value::some(value));
            }
            Frame::Trace { code, index } => self.trace_step(&code[index], true)?,
            Frame::Return(caller) => {
                let result = self.pop()?;
                self.stack = caller;
                self.push(result);
            }
            Frame::ReturnFromView(caller, environment) => {
                let result = self.pop()?;
                self.stack = caller;
                self.environment = *environment;
                self.push(Value::some(result));
            }
        }
        Ok(())
    }

    /// Calls a function.
    fn exec(&mut self, argument: Value, function: Arc<Lambda>) -> Result<()> {
        let (mut argument, mut function) = (argument, function);
        loop {
            self.typer.gas.take(cost::ELEMENT)?;
            let inner = match &function.body {
                Body::Applied { value, inner, .. } => {
                    argument = Value::pair(value.clone(), argument);
                    inner.clone()
                }
                Body::Code { code, recursive, .. } => {
                    let mut stack = vec![argument];
                    if *recursive {
                        stack.insert(0, Value::Lambda(function.clone()));
                    }
                    let caller = std::mem::replace(&mut self.stack, stack);
                    self.push_frame(Frame::Return(caller))?;
                    return self.call(code);
                }
            };
            function = inner;
        }
    }

    fn apply(&mut self, ty: &Type) -> Result<()> {
        let (value, function) = (self.pop()?, self.pop()?);
        let Value::Lambda(inner) = function else { return self.inconsistent() };
        let crate::types::Kind::Pair(_, argument) = inner.argument.kind() else { return self.inconsistent() };
        let expr = self.typer.unparse(&value, ty, Mode::Optimized)?;
        let extent = Extent::of(&expr);
        if extent.depth > MAX_NESTING {
            // what was stored could not be read again
            return Err(Problem::UnparsingTooDeep.into());
        }
        self.push(Value::Lambda(Arc::new(Lambda {
            argument: argument.clone(),
            result: inner.result.clone(),
            body: Body::Applied { ty: ty.clone(), value, expr: Arc::new(expr), extent, inner: inner.clone() },
        })));
        Ok(())
    }

    /// The address of the running contract.
    fn self_address(&self) -> Destination {
        Destination::Contract(Contract::Originated(self.environment.contract))
    }
}
