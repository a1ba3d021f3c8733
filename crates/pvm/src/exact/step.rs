//! One step of a PVM state, whatever it is in the middle of (`spec/pvm.md` §5.1, §6.4).

use super::host::{ExactHost, Plain};
use crate::durable::{Durable, keys};
use crate::error::PvmError;
use crate::host::finish_reveal;
use crate::state::{State, Storage};
use crate::step::{NdsGate, Status, boundary_step, clear_failure_flags, finish_step, save_fallback_kernel};
use crate::tick_state::{InterpreterError, Phase, StuckError, Text, TickState};
use crate::units::Tick;
use crate::version::Version;
use soru_merkle::containers::{ChunkedBytes, ContainerError, TreeValue};
use soru_merkle::{Digester, Tree};
use soru_wasm::eval::{Machine, answer_reveal};
use soru_wasm::exception::{Exception, StepError, Stepped};
use soru_wasm::flat::Flat;
use soru_wasm::machine::{ENTRY, EvalState, Next, Running};

/// Depth of calls at which a version gives up (`spec/pvm.md` §5.5).
pub(super) fn stack_size_limit(version: Version) -> i32 {
    if version == Version::V0 { 300 } else { 60_000 }
}

pub(super) fn container_error(error: ContainerError) -> PvmError {
    match error {
        ContainerError::Tree(error) => PvmError::Tree(error),
        ContainerError::Leaf(source) => PvmError::Leaf { path: "wasm/value".to_owned(), source },
        ContainerError::KeyNotFound(path) => PvmError::Missing(format!("wasm/value/…/{path}")),
        ContainerError::UnknownTag(tag) => PvmError::Tag { path: "wasm/value".to_owned(), tag },
        ContainerError::Bounds | ContainerError::SizeOverflow => PvmError::Range("a length inside the tick state"),
    }
}

/// Reads the tick state of a `kernel_run`.
pub(super) fn read_running(phase: Phase, payload: &Tree) -> Result<Running, PvmError> {
    match Running::read(phase.tag(), payload).map_err(container_error)? {
        Some(running) => Ok(running),
        None => Err(PvmError::Range("the phase of a kernel_run")),
    }
}

fn phase(running: &Running) -> Phase {
    match running {
        Running::Decode(_) => Phase::Decode,
        Running::Link(_) => Phase::Link,
        Running::Init(_) => Phase::Init,
        Running::Eval(_) => Phase::Eval,
    }
}

/// Writes the tick state of a `kernel_run`.
pub(super) fn write_running(running: &Running) -> Result<TickState, PvmError> {
    Ok(TickState::Running(phase(running), running.write().map_err(container_error)?))
}

/// The tick state of a `kernel_run` that nobody will read.
pub(super) fn hash_running(running: &Running, digester: &mut Digester) -> Result<TickState, PvmError> {
    Ok(TickState::Running(phase(running), running.write_hash(digester).map_err(container_error)?))
}

/// What one tick inside a `kernel_run` comes to.
pub(super) enum Ticked {
    /// The run goes on.
    On(Running),
    /// It is over.
    Over(TickState, Status),
}

fn truncated(exception: &Exception) -> Text {
    Text::new(&exception.raw)
}

/// The stuck state of an exception, by what the machine was doing (§5.9).
fn stuck(phase: &str, exception: &Exception) -> StuckError {
    let Some(explanation) = &exception.interpreter else { return StuckError::Unknown(truncated(exception)) };
    let error =
        InterpreterError { raw_exception: truncated(exception), explanation: explanation.as_ref().map(Text::whole) };
    match phase {
        "decode" => StuckError::Decode(error),
        "link" => StuckError::Link(error.raw_exception),
        "init" => StuckError::Init(error),
        _ => StuckError::Eval(error),
    }
}

fn kernel(durable: &Durable) -> Stepped<ChunkedBytes> {
    let value = [keys::KERNEL, &["@"]].concat();
    match durable.tree().find_tree(&value)? {
        Some(tree) => Ok(ChunkedBytes::read(&tree, &[])?),
        None => Err(StepError::named("Tezos_scoru_wasm.Durable.Value_not_found", Some("Value not found"))),
    }
}

/// At most `ticks` ticks of an evaluation, up to its end or to a reveal. Gives those made, and what
/// the last of them comes to: the tick of an exception is among them.
pub(super) fn ticks(
    running: Running,
    flat: &mut Flat,
    version: Version,
    storage: &mut Storage,
    ticks: u64,
) -> Result<(u64, Ticked), PvmError> {
    let phase = running.tag();
    let mut host = ExactHost { version, storage, failure: None };
    let (made, next) = running.advance(flat, &mut host, ticks);
    if let Some(failure) = host.failure {
        return Err(failure);
    }
    match next {
        Ok(running) => Ok((made, Ticked::On(running))),
        Err(error) => Ok((made + 1, failed(phase, error)?)),
    }
}

/// What a step that fails comes to.
fn failed(phase: &str, error: StepError) -> Result<Ticked, PvmError> {
    match error {
        StepError::Exception(exception) => {
            Ok(Ticked::Over(TickState::Stuck(stuck(phase, &exception)), Status::Failing))
        }
        StepError::Tree(error) => Err(PvmError::Tree(error)),
        StepError::NoSuccessor(what) => Err(PvmError::NoSuccessor(what)),
    }
}

/// One tick inside a `kernel_run`. An exception leaves the durable storage as it was. `known` keeps the kernel from one tick of
/// its parsing to the next.
pub(super) fn tick(
    running: Running,
    version: Version,
    storage: &mut Storage,
    known: &mut Option<ChunkedBytes>,
) -> Result<Ticked, PvmError> {
    let phase = running.tag();
    let durable = storage.durable.clone();
    let mut host = ExactHost { version, storage, failure: None };
    let kernel = || match known {
        Some(kernel) => Ok(kernel.clone()),
        None => kernel(&durable).inspect(|kernel| *known = Some(kernel.clone())),
    };
    let next = running.step(&mut host, stack_size_limit(version), kernel);
    if let Some(failure) = host.failure {
        return Err(failure);
    }
    match next {
        Ok(Next::Running(running)) => Ok(Ticked::On(running)),
        Ok(Next::Started(running)) => {
            save_fallback_kernel(&mut storage.durable)?;
            Ok(Ticked::On(running))
        }
        Ok(Next::Finished) => {
            clear_failure_flags(&mut storage.durable)?;
            Ok(Ticked::Over(TickState::Padding, Status::Running))
        }
        Ok(Next::Trapped) => {
            storage.durable.touch_at(keys::STUCK)?;
            Ok(Ticked::Over(TickState::Padding, Status::Running))
        }
        Ok(Next::LinkFailed(text)) => {
            Ok(Ticked::Over(TickState::Stuck(StuckError::Link(Text::new(text))), Status::Failing))
        }
        Ok(Next::NoEntry) => {
            let text = Text::new(format!("Invalid_module: no `{ENTRY}` function exported"));
            Ok(Ticked::Over(TickState::Stuck(StuckError::InvalidState(text)), Status::Failing))
        }
        Err(error) => failed(phase, error),
    }
}

/// The tick state of a `kernel_run` that a state is inside of.
pub(super) fn running_of(state: &State) -> Result<Option<Running>, PvmError> {
    match &state.tick_state {
        TickState::Running(phase, payload) => read_running(*phase, payload).map(Some),
        _ => Ok(None),
    }
}

/// One computation step of any state (§5.1).
pub fn compute_step(state: &mut State, gate: NdsGate) -> Result<(), PvmError> {
    // the whole tick state is read even when time is up
    let running = running_of(state)?;
    compute_step_of(state, running, gate, &mut write_running)
}

/// One computation step of a state whose tick state was read already; `write` writes that of a `kernel_run`.
pub(super) fn compute_step_of(
    state: &mut State,
    running: Option<Running>,
    gate: NdsGate,
    write: &mut dyn FnMut(&Running) -> Result<TickState, PvmError>,
) -> Result<(), PvmError> {
    let version = state.version()?;
    let Some(running) = running else {
        if let TickState::Snapshot = state.tick_state {
            state.tick_state = write(&Running::initial())?;
            return finish_step(state, Status::Running);
        }
        return boundary_step(state, gate);
    };
    if state.ticks_to_boundary() == Tick(0) {
        return boundary_step(state, gate);
    }
    let status = match tick(running, version, &mut state.storage, &mut None)? {
        Ticked::On(running) => {
            state.tick_state = write(&running)?;
            Status::Running
        }
        Ticked::Over(tick_state, status) => {
            state.tick_state = tick_state;
            status
        }
    };
    finish_step(state, status)
}

/// Gives the answer to a reveal (§6.4): one tick.
pub fn reveal_step(state: &mut State, answer: &[u8]) -> Result<(), PvmError> {
    let unexpected = match &state.tick_state {
        TickState::Stuck(_) | TickState::Padding | TickState::Running(Phase::Eval, _) => None,
        TickState::Snapshot => Some("start"),
        TickState::Collect => Some("collecting"),
        TickState::Running(Phase::Decode, _) => Some("decoding"),
        TickState::Running(Phase::Link, _) => Some("link"),
        TickState::Running(Phase::Init, _) => Some("initialization"),
    };
    if let Some(during) = unexpected {
        let text = Text::new(format!("No reveal expected during {during}"));
        state.tick_state = TickState::Stuck(StuckError::InvalidState(text));
    }
    if let TickState::Running(Phase::Eval, payload) = &state.tick_state {
        state.tick_state = revealed(&mut state.storage, payload, answer)?;
    }
    state.current_tick = state.current_tick.next();
    Ok(())
}

/// The evaluation in `payload`, once it has its answer.
fn revealed(storage: &mut Storage, payload: &Tree, answer: &[u8]) -> Result<TickState, PvmError> {
    let Running::Eval(eval) = read_running(Phase::Eval, payload)? else {
        return Err(PvmError::Range("the phase of a kernel_run"));
    };
    let EvalState { config, mut registry } = *eval;
    // no host function is called here, so the version does not matter and is not read
    let mut host = ExactHost { version: Version::V0, storage, failure: None };
    let mut machine = Machine { registry: &mut registry, host: &mut host, init: false };
    let mut failure = None;
    let config = answer_reveal(&mut machine, config, |destination, max_bytes, memory| {
        match finish_reveal(answer, destination, max_bytes, &mut Plain(memory)) {
            Ok(Some((count, ticks))) => Ok((count, i64::try_from(ticks).unwrap_or(i64::MAX))),
            Ok(None) => Err(StepError::NoSuccessor("the answer to the reveal does not fit the memory")),
            Err(error) => {
                failure = Some(error);
                Err(StepError::NoSuccessor("the answer to the reveal cannot be written"))
            }
        }
    });
    if let Some(error) = failure {
        return Err(error);
    }
    match config {
        Ok(config) => write_running(&Running::Eval(Box::new(EvalState { config, registry }))),
        Err(StepError::Exception(_)) => Err(PvmError::NoSuccessor("the evaluation waits for no reveal")),
        Err(StepError::Tree(error)) => Err(PvmError::Tree(error)),
        Err(StepError::NoSuccessor(what)) => Err(PvmError::NoSuccessor(what)),
    }
}
