//! The steps between two `kernel_run`s (`spec/pvm.md` §5.1, §5.7, §6.1, §6.4): inputs, the end of a cycle, stuck states.
//!
//! Steps inside a `kernel_run` belong to the exact machine; a state that needs one is answered with
//! [`Undecided::Inside`].

use crate::buffers::InputMessage;
use crate::durable::{Durable, keys};
use crate::error::{PvmError, Undecided};
use crate::input::{InputKind, InputPlace};
use crate::state::State;
use crate::tick_state::{StuckError, Text, TickState};
use crate::units::Tick;
use crate::version::Version;
use bytes::Bytes;
use soru_tezos::scalar::Level;

/// How the reference prints the exception of a message that comes too late.
const EARLIER_MESSAGE: &str = "Tezos_webassembly_interpreter.Input_buffer.Cannot_store_an_earlier_message";

/// How a step ended: what is to be done after the new tick state is known (§5.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Running,
    Failing,
    Reboot,
    Yielding,
    ForcingYield,
}

/// The level from which the new durable storage may be activated (§9.3); it is not supported, so an activation is
/// [`Undecided::Nds`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NdsGate(pub Option<Level>);

impl NdsGate {
    fn is_open(self, last_input: Option<InputPlace>) -> bool {
        let now = last_input.map_or(Level(0), |input| input.level);
        self.0.is_some_and(|activation| activation < now)
    }
}

/// Gives the machine its next input message (§6.1). Always one tick. There are no negative levels.
pub fn input_step(state: &mut State, place: InputPlace, payload: Bytes) -> Result<(), PvmError> {
    if place.level < Level(0) {
        return Err(PvmError::Range("the level of an input"));
    }
    match state.tick_state.clone() {
        TickState::Collect => collect(state, place, payload)?,
        TickState::Stuck(_) => {}
        TickState::Snapshot => unexpected_input(state, "start"),
        TickState::Padding => unexpected_input(state, "padding"),
        TickState::Running(phase, _) => unexpected_input(
            state,
            match phase {
                crate::tick_state::Phase::Decode => "decoding",
                crate::tick_state::Phase::Link => "link",
                crate::tick_state::Phase::Init => "initialization",
                crate::tick_state::Phase::Eval => "evaluation",
            },
        ),
    }
    state.current_tick = state.current_tick.next();
    state.last_input = Some(place);
    Ok(())
}

fn unexpected_input(state: &mut State, during: &str) {
    let text = Text::new(format!("No input required during {during}"));
    state.tick_state = TickState::Stuck(StuckError::InvalidState(text));
}

fn collect(state: &mut State, place: InputPlace, payload: Bytes) -> Result<(), PvmError> {
    let kind = InputKind::of(&payload);
    if kind == InputKind::MalformedMigration {
        return Err(state.undecided(Undecided::Input("a protocol migration whose name does not decode")));
    }
    let message = InputMessage { level: place.level, counter: place.counter.into(), payload };
    if state.storage.input.push(message)?.is_err() {
        state.tick_state = TickState::Stuck(StuckError::Unknown(Text::new(EARLIER_MESSAGE)));
        return Ok(());
    }
    match kind {
        InputKind::StartOfLevel => state.storage.output.start_level(place.level)?,
        InputKind::EndOfLevel => state.tick_state = TickState::Padding,
        InputKind::ProtocolMigration(version) => {
            state.storage.durable.set_at(keys::VERSION, version.as_str().as_bytes())?;
            migrate(state, version);
        }
        _ => {}
    }
    Ok(())
}

/// The action of a migration to `version` beyond writing it down (§9.2).
fn migrate(state: &mut State, version: Version) {
    if version == Version::V4 {
        state.max_nb_ticks = Tick(50_000_000_000_000);
        state.storage.output.validity_period = 241_920;
    }
}

/// One computation step of a state that is not inside a `kernel_run` and not about to start one (§5.1).
pub fn boundary_step(state: &mut State, gate: NdsGate) -> Result<(), PvmError> {
    let time_is_up = state.ticks_to_boundary() == Tick(0);
    let status = match state.tick_state.clone() {
        TickState::Stuck(error) => match error.cause() {
            Some(cause) => fall_back(state, cause)?,
            None => Status::Failing,
        },
        TickState::Collect => {
            state.tick_state = TickState::Stuck(StuckError::InvalidState(Text::new("Collect is a input tick")));
            Status::Failing
        }
        TickState::Padding if time_is_up => end_of_cycle(state, gate)?,
        TickState::Padding => Status::Running,
        TickState::Running(..) if time_is_up => {
            state.tick_state = TickState::Stuck(StuckError::TooManyTicks);
            Status::Failing
        }
        TickState::Snapshot => return Err(state.undecided(Undecided::Inside("snapshot"))),
        TickState::Running(phase, _) => return Err(state.undecided(Undecided::Inside(phase.tag()))),
    };
    finish_step(state, status)
}

/// A kernel that does not start gives way to the last one that did, if there is another one.
fn fall_back(state: &mut State, cause: crate::tick_state::Cause) -> Result<Status, PvmError> {
    let durable = &mut state.storage.durable;
    let kernel = value_hash(durable, keys::KERNEL)?;
    let fallback = value_hash(durable, keys::FALLBACK_KERNEL)?;
    if fallback.is_some() && fallback != kernel {
        durable.copy_at(keys::FALLBACK_KERNEL, keys::KERNEL)?;
        durable.touch_at(keys::UPGRADE_ERROR)?;
        state.tick_state = TickState::Padding;
        Ok(Status::Running)
    } else {
        state.tick_state = TickState::Stuck(StuckError::NoFallbackKernel(cause));
        Ok(Status::Failing)
    }
}

fn value_hash(durable: &Durable, steps: &[&str]) -> Result<Option<[u8; 32]>, PvmError> {
    Ok(match durable.value_tree(steps)? {
        Some(tree) => Some(tree.hash()?.0),
        None => None,
    })
}

fn end_of_cycle(state: &mut State, gate: NdsGate) -> Result<Status, PvmError> {
    if state.version()? >= Version::V6
        && gate.is_open(state.last_input)
        && !state.has_nds()?
        && state.storage.durable.has_value(keys::ACTIVATE_NDS)?
    {
        return Err(state.undecided(Undecided::Nds("the kernel asks for its activation")));
    }
    let (status, next) = if !state.storage.durable.has_value(keys::REBOOT)? {
        (Status::Yielding, TickState::Collect)
    } else if state.reboot_counter > 0 {
        (Status::Reboot, TickState::Snapshot)
    } else {
        (Status::ForcingYield, TickState::Collect)
    };
    state.tick_state = next;
    Ok(status)
}

/// What every computation step does after its tick state is known (§5.7).
pub(crate) fn finish_step(state: &mut State, status: Status) -> Result<(), PvmError> {
    state.current_tick = state.current_tick.next();
    let all_reboots = state.maximum_reboots_per_input.saturating_add(1);
    let durable = &mut state.storage.durable;
    match status {
        Status::Running => return Ok(()),
        Status::Failing => {
            state.reboot_counter = all_reboots;
            return Ok(());
        }
        Status::Reboot => {
            state.reboot_counter = state.reboot_counter.saturating_sub(1);
            durable.remove_at(keys::REBOOT)?;
        }
        Status::Yielding => {
            state.reboot_counter = all_reboots;
            durable.remove_at(keys::TOO_MANY_REBOOT)?;
            durable.touch_at(keys::REBOOT)?;
        }
        Status::ForcingYield => {
            state.reboot_counter = all_reboots;
            durable.touch_at(keys::TOO_MANY_REBOOT)?;
            durable.touch_at(keys::REBOOT)?;
        }
    }
    state.last_top_level_call = state.current_tick;
    durable.remove_at(keys::REBOOT_COUNTER)?;
    durable.set_at(keys::REBOOT_COUNTER, &(state.reboot_counter as i32).to_le_bytes())?;
    if status != Status::Reboot {
        state.storage.input.reset();
    }
    Ok(())
}

/// Passes `ticks` of padding at once; the caller keeps to [`State::ticks_to_boundary`].
pub fn pad(state: &mut State, ticks: Tick) {
    state.current_tick = state.current_tick.after(ticks.min(state.ticks_to_boundary()));
}

/// The kernel is known to start: it becomes the one to fall back to (§5.5).
pub fn save_fallback_kernel(durable: &mut Durable) -> Result<(), PvmError> {
    if value_hash(durable, keys::KERNEL)? != value_hash(durable, keys::FALLBACK_KERNEL)? {
        durable.copy_at(keys::KERNEL, keys::FALLBACK_KERNEL)?;
    }
    Ok(())
}

/// The evaluation ended well: the flags of earlier failures go (§5.1).
pub fn clear_failure_flags(durable: &mut Durable) -> Result<(), PvmError> {
    for flag in [keys::STUCK, keys::UPGRADE_ERROR] {
        if durable.has_value(flag)? {
            durable.remove_at(flag)?;
        }
    }
    Ok(())
}
