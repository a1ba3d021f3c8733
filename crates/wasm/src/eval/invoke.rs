//! Calls: preparing the frame of a function, or running one of the host (`spec/pvm.md` §5.6).

use soru_merkle::containers::{Optional, Vector};
use soru_tezos::number::Z;

use super::Machine;
use super::state::{
    Admin, ArgsConcat, Config, CraftFrame, Frame, FrameStack, FromBlock, InvArgs, InvConcat, InvLocals, InvReveal,
    InvStart, InvStop, InvokeKont, Label, LabelStack, LabelStep, LocalTypes, LocalValues, Ongoing, StepKont, Values1,
    Values2,
};
use crate::exception::{StepError, Stepped};
use crate::host::{CallerMemory, HostResult};
use crate::instance::{Function, HostFunction, NativeFunction};
use crate::kont::{Concat, MapKont};
use crate::module::Func;
use crate::types::Value;

fn cannot_reduce(what: &str) -> StepError {
    StepError::named(
        "Tezos_webassembly_interpreter.Eval.Evaluation_step_error(_)",
        Some(&format!("Invoke_step: {what}")),
    )
}

/// One tick of a call in `frame`.
pub(super) fn step(machine: &mut Machine<'_>, frame: &Frame, kont: InvokeKont) -> Stepped<InvokeKont> {
    match kont {
        InvokeKont::Start(InvStart { func, values, code }) => {
            let arity = func.signature().0.signed_length();
            let (args, values) = values.split(arity)?;
            match func {
                Function::Native(function) => Ok(prepare_locals(function, args, values, code)),
                Function::Host(function) => call_host(machine, frame, &function, args, values, code),
            }
        }
        InvokeKont::Locals(InvLocals { arity, args, values, code, inst, func, kont }) => {
            let MapKont { origin, mut destination, offset } = kont;
            if offset == origin.types.signed_length() as i32 {
                let reversed = Values2 { values: Vector::create(args.signed_length()) };
                let kont = MapKont { origin: Values1 { values: args }, destination: reversed, offset: 0 };
                return Ok(InvokeKont::Args(InvArgs {
                    arity,
                    values,
                    code,
                    inst,
                    func,
                    locals: destination.values,
                    kont,
                }));
            }
            let kind = origin.types.get(offset.into())?;
            destination.values.set(offset.into(), Value::default_of(kind))?;
            let kont = MapKont { origin, destination, offset: offset.wrapping_add(1) };
            Ok(InvokeKont::Locals(InvLocals { arity, args, values, code, inst, func, kont }))
        }
        InvokeKont::Args(InvArgs { arity, values, code, inst, func, locals, kont }) => {
            let MapKont { origin, mut destination, offset } = kont;
            let length = origin.values.signed_length() as i32;
            if offset == length {
                let Concat { left, right, result, offset } = Concat::new(destination.values, locals)?;
                let kont = ArgsConcat { left, right, result, offset };
                return Ok(InvokeKont::Concat(InvConcat { arity, values, code, inst, func, kont }));
            }
            let value = origin.values.get(offset.into())?;
            let mirrored = length.wrapping_sub(1).wrapping_sub(offset);
            destination.values.set(mirrored.into(), value)?;
            let kont = MapKont { origin, destination, offset: offset.wrapping_add(1) };
            Ok(InvokeKont::Args(InvArgs { arity, values, code, inst, func, locals, kont }))
        }
        InvokeKont::Concat(InvConcat { arity, values, code, inst, func, kont }) => {
            let ArgsConcat { left, right, result, offset } = kont;
            let concat = Concat { left, right, result, offset };
            if concat.is_complete() {
                let fresh_frame = Some(fresh_frame(arity, inst, concat.result, &func));
                return Ok(InvokeKont::Stop(InvStop { values, code, fresh_frame, remaining_ticks: Z::from(0) }));
            }
            let Concat { left, right, result, offset } = concat.step()?;
            let kont = ArgsConcat { left, right, result, offset };
            Ok(InvokeKont::Concat(InvConcat { arity, values, code, inst, func, kont }))
        }
        InvokeKont::Reveal(_) => Err(cannot_reduce("The reveal tick cannot be evaluated as is")),
        InvokeKont::Stop(mut stop) => {
            if stop.remaining_ticks <= Z::from(0) {
                return Err(cannot_reduce("Inv_stop cannot reduce"));
            }
            stop.remaining_ticks.0 -= 1;
            Ok(InvokeKont::Stop(stop))
        }
    }
}

fn prepare_locals(
    function: NativeFunction,
    args: Vector<Value>,
    values: Vector<Value>,
    code: Vector<Admin>,
) -> InvokeKont {
    let NativeFunction { kind, module, ftype, locals, body } = function;
    let destination = LocalValues { values: Vector::create(locals.signed_length()) };
    let kont = MapKont { origin: LocalTypes { types: locals.clone() }, destination, offset: 0 };
    InvokeKont::Locals(InvLocals {
        arity: kind.results.signed_length() as i32,
        args,
        values,
        code,
        inst: module,
        func: Func { ftype, locals, body },
        kont,
    })
}

fn fresh_frame(arity: i32, module: crate::types::Name, locals: Vector<Value>, func: &Func) -> FrameStack<Ongoing> {
    let code = Vector::from_list([Admin::FromBlock(FromBlock { block: func.body, index: 0 })]);
    let top = Label { arity: Optional(Some(arity)), on_break: None, values: Vector::create(0), code };
    FrameStack {
        arity: Optional(Some(arity)),
        frame: Frame { module, locals },
        labels: Ongoing::Stack(LabelStack { top, rest: Vector::create(0) }),
    }
}

fn call_host(
    machine: &mut Machine<'_>,
    frame: &Frame,
    function: &HostFunction,
    args: Vector<Value>,
    values: Vector<Value>,
    code: Vector<Admin>,
) -> Stepped<InvokeKont> {
    let mut arguments = args.to_list()?;
    arguments.reverse();
    let mut instance = machine.own_instance(frame)?;
    let mut memory = CallerMemory::new((!machine.init).then_some(&instance.memories));
    let result = machine.host.call(function.name.as_bytes(), &arguments, &mut memory)?;
    if let Some(memory) = memory.into_changed() {
        instance.memories.set(0, memory)?;
        machine.put_instance(frame, instance);
    }
    Ok(called(values, code, result))
}

/// What a call of a host function goes on with: `values` and `code` are the caller's.
fn called(mut values: Vector<Value>, code: Vector<Admin>, result: HostResult) -> InvokeKont {
    match result {
        HostResult::Done { results, ticks } => {
            for result in results.into_iter().rev() {
                values.cons(result);
            }
            InvokeKont::Stop(InvStop { values, code, fresh_frame: None, remaining_ticks: Z::from(ticks) })
        }
        HostResult::Reveal { request, base, max_bytes } => {
            InvokeKont::Reveal(InvReveal { reveal: request, base_destination: base, max_bytes, values, code })
        }
    }
}

/// The tick of an evaluation that is about to call a host function, where `result` is known already and the memory as the
/// function leaves it.
pub(crate) fn call_answered(config: Config, result: HostResult) -> Stepped<Config> {
    let Config { kont: StepKont::Next(mut next), stack_size_limit } = config else { return Err(cannot_reduce("call")) };
    let LabelStep::CraftFrame(CraftFrame { labels, invoke: InvokeKont::Start(start) }) = next.kont else {
        return Err(cannot_reduce("call"));
    };
    let InvStart { func, values, code } = start;
    let (_, values) = values.split(func.signature().0.signed_length())?;
    next.kont = LabelStep::CraftFrame(CraftFrame { labels, invoke: called(values, code, result) });
    Ok(Config { kont: StepKont::Next(next), stack_size_limit })
}

/// Passes at most `most` of the ticks that still have to pass after a call of a host function. Gives those passed.
pub(crate) fn pass_remaining(config: &mut Config, most: u64) -> u64 {
    let StepKont::Next(next) = &mut config.kont else { return 0 };
    let LabelStep::CraftFrame(CraftFrame { invoke: InvokeKont::Stop(stop), .. }) = &mut next.kont else { return 0 };
    if stop.remaining_ticks <= Z::from(0) {
        return 0;
    }
    let passed = u64::try_from(&stop.remaining_ticks.0).unwrap_or(u64::MAX).min(most);
    stop.remaining_ticks.0 -= passed;
    passed
}

/// Ends the reveal that an evaluation waits for, once its answer is in memory: `code` is what the kernel gets, `ticks` what passes
/// before it goes on (`spec/pvm.md` §6.4). `write` writes the answer, given destination, wanted length and memory.
pub fn answer_reveal(
    machine: &mut Machine<'_>,
    config: Config,
    write: impl FnOnce(i32, i32, &mut crate::instance::Memory) -> Stepped<(i32, i64)>,
) -> Stepped<Config> {
    let Config { kont: StepKont::Next(mut next), stack_size_limit } = config else { return Err(no_reveal()) };
    let LabelStep::CraftFrame(CraftFrame { labels, invoke: InvokeKont::Reveal(reveal) }) = next.kont else {
        return Err(no_reveal());
    };
    let mut instance = machine.own_instance(&next.top.frame)?;
    let mut memory = instance.memory(0)?;
    let (result, ticks) = write(reveal.base_destination, reveal.max_bytes, &mut memory)?;
    instance.memories.set(0, memory)?;
    machine.put_instance(&next.top.frame, instance);
    let InvReveal { mut values, code, .. } = reveal;
    values.cons(Value::i32(result));
    let stop = InvStop { values, code, fresh_frame: None, remaining_ticks: Z::from(ticks) };
    next.kont = LabelStep::CraftFrame(CraftFrame { labels, invoke: InvokeKont::Stop(stop) });
    Ok(Config { kont: StepKont::Next(next), stack_size_limit })
}

fn no_reveal() -> StepError {
    StepError::named("Tezos_webassembly_interpreter.Eval.Reveal_error(0)", Some("Reveal_step"))
}
