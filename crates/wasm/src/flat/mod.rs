//! Many ticks of an evaluation at once (`spec/pvm.md` §5.6): between two instructions a configuration is unfolded into flat
//! stacks, whole instructions are executed on those, and what they come to is folded back.
//!
//! What is folded back is the configuration that single steps would have left, to the last binding of the last vector. Whatever
//! this mode does not execute (a trap, an unusual instruction, an instruction with fewer ticks left than it takes, code that was
//! never valid) it leaves to single steps, which define what a tick is.

mod bulk;
mod code;
mod memory;
mod run;
mod stack;

pub use memory::FlatMemory;

use self::code::{Callee, Code};
use self::run::{Exit, Global, World, run};
use self::stack::{Slot, Stacks};
use crate::eval::invoke::{call_answered, pass_remaining};
use crate::eval::state::{Config, SkStart, StepKont};
use crate::eval::{self, Machine, lookup_types_equal};
use crate::exception::Stepped;
use crate::host::{CallerMemory, HostResult};
use crate::instance::{GlobalInstance, Instance, Table};
use crate::types::{Mutability, Name, Value};
use soru_merkle::containers::Vector;

/// Fewer ticks than these are not worth unfolding anything for.
const LEAST: u64 = 64;
/// An unfolding that executed fewer ticks than these was not worth it: the next ones wait.
const WORTH: u64 = 400;
/// Most ticks they wait.
const LONGEST_WAIT: u64 = 4096;
/// Ticks from the instruction that calls a host function to the call itself, and to the end of a call that costs nothing.
const BEFORE_CALL: u64 = 8;
const CALL: u64 = 11;

/// What is kept of one evaluation between its unfoldings: prepared code, the flat memory. It belongs to one evaluation, whose
/// module stays the same.
#[derive(Debug, Default)]
pub struct Flat {
    code: Code,
    world: World,
    module: Option<Name>,
    globals: Option<Vector<GlobalInstance>>,
    tables: Option<Vector<Table>>,
    /// Ticks before the next unfolding, and the last number of them.
    wait: u64,
    patience: u64,
    /// Ticks executed in flat mode.
    executed: u64,
}

/// How an unfolded evaluation goes on.
enum Then {
    /// In flat mode.
    On,
    /// Folded.
    Fold,
    /// In the middle of a call of a host function that has this result.
    Called(HostResult),
}

impl Flat {
    /// Ticks that were not made in single steps.
    pub fn executed(&self) -> u64 {
        self.executed
    }

    /// Makes at most `ticks` steps of an evaluation, up to its end or to a reveal. Gives those made; an error is that of the step
    /// behind them.
    pub fn advance(&mut self, machine: &mut Machine<'_>, mut config: Config, ticks: u64) -> (u64, Stepped<Config>) {
        let mut left = ticks;
        while left > 0 && !is_over(&config) {
            let passed = pass_remaining(&mut config, left);
            let passed = if passed > 0 { passed } else { bulk::advance(machine, &mut config, left) };
            if passed > 0 {
                left -= passed;
                continue;
            }
            let next = if left >= LEAST && self.wait == 0 && may_unfold(&config) {
                self.unfold(machine, config, &mut left)
            } else {
                self.wait = self.wait.saturating_sub(1);
                let next = eval::step(machine, config);
                left -= u64::from(next.is_ok());
                next
            };
            match next {
                Ok(next) => config = next,
                Err(error) => {
                    // what was not folded back is lost with the evaluation
                    *self = Flat { executed: self.executed, ..Flat::default() };
                    return (ticks - left, Err(error));
                }
            }
        }
        (ticks - left, Ok(config))
    }

    /// Unfolds the configuration, if that is possible, and executes what can be executed.
    fn unfold(&mut self, machine: &mut Machine<'_>, config: Config, left: &mut u64) -> Stepped<Config> {
        let StepKont::Start(SkStart { top, .. }) = &config.kont else { return Ok(config) };
        let frame = top.frame.clone();
        let mut instance = machine.own_instance(&frame)?;
        self.prepare(&instance, &frame.module);
        let before = *left;
        let Some(mut stacks) = Stacks::unfold(&config, &instance, &frame.module, &mut self.code) else {
            self.be_patient(0);
            return Ok(config);
        };
        let (mut first, mut called) = (None, None);
        loop {
            let exit = run(&self.code, &mut stacks, &mut self.world, left);
            let then = match exit {
                Exit::Ticks | Exit::Single => Then::Fold,
                Exit::Rest(instr) => {
                    first = Some(instr);
                    Then::Fold
                }
                Exit::Room if stacks.reserve() => Then::On,
                Exit::Room => Then::Fold,
                Exit::Host(callee) => self.call_host(machine, &instance, &mut stacks, callee, left)?,
                exit => match self.provide(&instance, &stacks.module, exit) {
                    Ok(true) => Then::On,
                    Ok(false) | Err(_) => Then::Fold,
                },
            };
            match then {
                Then::On => {}
                Then::Fold => break,
                Then::Called(result) => {
                    called = Some(result);
                    break;
                }
            }
        }
        if self.write_back(&mut instance)? {
            machine.put_instance(&frame, instance);
        }
        let mut config = stacks.fold(&self.code, first.as_ref());
        if let Some(result) = called {
            for _ in 0..BEFORE_CALL {
                config = eval::step(machine, config)?;
            }
            config = call_answered(config, result)?;
            *left -= BEFORE_CALL + 1;
        }
        self.be_patient(before - *left);
        Ok(config)
    }

    /// Lets some ticks pass before the next unfolding, the more the less the last ones were worth. At least one: nothing was
    /// left to do here.
    fn be_patient(&mut self, done: u64) {
        self.executed += done;
        self.patience = if done < WORTH { (2 * self.patience + 8).min(LONGEST_WAIT) } else { 0 };
        self.wait = self.patience.max(1);
    }

    /// Forgets what does not belong to the instance as it is now.
    fn prepare(&mut self, instance: &Instance, module: &Name) {
        if self.module.as_ref() != Some(module) || self.code.is_full() {
            *self = Flat {
                module: Some(module.clone()),
                patience: self.patience,
                executed: self.executed,
                ..Flat::default()
            };
        }
        let memory = instance.memory(0).ok();
        self.world.memory = match (self.world.memory.take(), memory) {
            (Some(flat), Some(memory)) if flat.agrees_with(&memory.bytes) => Some(flat),
            (_, memory) => memory.and_then(|memory| FlatMemory::new(&memory.bytes)),
        };
        if !self.globals.as_ref().is_some_and(|globals| globals.is_same(&instance.globals)) {
            self.world.globals.clear();
            self.globals = Some(instance.globals.clone());
        }
        if !self.tables.as_ref().is_some_and(|tables| tables.is_same(&instance.tables)) {
            self.world.elements.clear();
            self.tables = Some(instance.tables.clone());
        }
    }

    /// Provides what an instruction needs. False where it cannot be executed here.
    fn provide(&mut self, instance: &Instance, module: &Name, exit: Exit) -> Stepped<bool> {
        match exit {
            Exit::Prepare(entry) => {
                self.code.prepare_block(instance, entry)?;
                Ok(true)
            }
            Exit::Function(index) => self.code.prepare_function(instance, module, index),
            Exit::Element { table, kind, index } => {
                let function = instance.function_in_table(table as i32, index)?;
                let signature = instance.func_type(kind as i32)?;
                if !lookup_types_equal((&signature.params, &signature.results), function.signature())? {
                    return Ok(false);
                }
                let Some(callee) = self.code.prepare_callee(&function, module)? else { return Ok(false) };
                self.world.elements.insert((table, kind, index), callee);
                Ok(true)
            }
            Exit::Global(index) => {
                let GlobalInstance { mutability, value } = instance.global(index as i32)?;
                let value = match value {
                    Value::Num(crate::types::Num::I32(value)) => Slot::I32(value),
                    Value::Num(crate::types::Num::I64(value)) => Slot::I64(value),
                    _ => return Ok(false),
                };
                let mutable = mutability == Mutability::Mutable;
                let global = Global { value, mutable, changed: false };
                Ok(code::insert(&mut self.world.globals, index as usize, global))
            }
            _ => Ok(false),
        }
    }

    /// Calls a function of the host with the operands on top.
    fn call_host(
        &mut self,
        machine: &mut Machine<'_>,
        instance: &Instance,
        stacks: &mut Stacks,
        callee: u32,
        left: &mut u64,
    ) -> Stepped<Then> {
        let Some(Callee::Host { params, results: expected, name }) = self.code.callees.get(callee as usize) else {
            return Ok(Then::Fold);
        };
        let Some(memory) = &mut self.world.memory else { return Ok(Then::Fold) };
        if machine.init || instance.memories.length() != 1 || *left <= BEFORE_CALL {
            return Ok(Then::Fold);
        }
        let arguments = stacks.innermost(*params as usize);
        let called = machine.host.call(name.as_bytes(), &arguments, &mut CallerMemory::flat(memory));
        let called = called.inspect_err(|_| *left -= BEFORE_CALL)?;
        let HostResult::Done { results, ticks: remaining } = called else { return Ok(Then::Called(called)) };
        let cost = CALL.saturating_add(u64::try_from(remaining).unwrap_or(0));
        if *left < cost {
            return Ok(Then::Called(HostResult::Done { results, ticks: remaining }));
        }
        *left -= cost;
        let fits = results.len() >= *expected as usize;
        stacks.replace(*params as usize, results)?;
        Ok(if fits { Then::On } else { Then::Fold })
    }

    /// Brings the instance up to date. Whether anything has changed.
    fn write_back(&mut self, instance: &mut Instance) -> Stepped<bool> {
        let mut changed = false;
        if let Some(bytes) = self.world.memory.as_mut().and_then(FlatMemory::write_back) {
            let mut memory = instance.memory(0)?;
            memory.bytes = bytes;
            instance.memories.set(0, memory)?;
            changed = true;
        }
        for (index, global) in self.world.globals.iter_mut().enumerate() {
            let Some(global) = global.as_mut().filter(|global| global.changed) else { continue };
            global.changed = false;
            let value = match global.value {
                Slot::I32(value) => crate::types::Num::I32(value),
                Slot::I64(value) => crate::types::Num::I64(value),
                Slot::Other(_) => continue,
            };
            let value = GlobalInstance { mutability: Mutability::Mutable, value: Value::Num(value) };
            instance.globals.set(index as i64, value)?;
            changed = true;
        }
        self.globals = Some(instance.globals.clone());
        Ok(changed)
    }
}

/// Whether an evaluation has ended, or waits for a reveal.
pub(crate) fn is_over(config: &Config) -> bool {
    matches!(config.kont, StepKont::Result(_) | StepKont::Trapped(_)) || config.reveal().is_some()
}

fn may_unfold(config: &Config) -> bool {
    use crate::eval::state::{LabelKont, LabelStack};
    match &config.kont {
        StepKont::Start(SkStart { top, .. }) => {
            matches!(&top.labels, LabelKont::Stack(LabelStack { top, .. }) if top.code.signed_length() == 1)
        }
        _ => false,
    }
}
