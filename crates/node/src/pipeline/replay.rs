//! A level that can be left and entered again at any tick (`spec/node.md` §4.7): whole `kernel_run`s at the fast engine's
//! pace, parts of them tick by tick, padding in one jump.

use bytes::Bytes;
use soru_pvm::state::State;
use soru_pvm::tick_state::TickState;
use soru_pvm::{FastEngine, InputPlace, InputRequest, Pvm, PvmError, Reveals, Tick};
use soru_tezos::scalar::Level;
use std::sync::Arc;

/// Ticks made at once inside a `kernel_run` before a machine on the way is worth keeping; later parts grow with the run.
const PART: u128 = 1 << 17;

/// What a level runs on.
pub struct LevelReplay<'a> {
    /// Its inbox level.
    pub level: Level,
    /// Its messages as the machine is given them.
    pub payloads: &'a [Bytes],
    /// A planned failure: the state is spoilt at the first tick computed after the message of this index.
    pub spoilt_after: Option<u64>,
    /// Runs kernels.
    pub engine: &'a FastEngine,
    /// Answers their reveals.
    pub reveals: &'a Arc<dyn Reveals>,
}

/// A machine inside a level.
#[derive(Clone)]
pub struct Position {
    pvm: Pvm,
    spoilt: bool,
}

impl Position {
    /// The start of a level: the machine after the one before.
    pub fn start(pvm: Pvm) -> Position {
        Position { pvm, spoilt: false }
    }

    /// The machine.
    pub fn pvm(&self) -> &Pvm {
        &self.pvm
    }

    /// The machine alone.
    pub fn into_pvm(self) -> Pvm {
        self.pvm
    }

    /// The present tick.
    pub fn tick(&self) -> Tick {
        self.pvm.state().current_tick
    }

    /// The same position with its state written into a tree once and for all, which later hashes start from.
    pub fn settled(self) -> Result<Position, PvmError> {
        let tree = self.pvm.tree()?;
        tree.hash()?;
        Ok(Position { pvm: Pvm::from_tree(&tree)?, ..self })
    }

    /// Marks the state as the reference's loser mode does: a leaf that no honest state has.
    fn spoil(&mut self) -> Result<(), PvmError> {
        let mut tree = self.pvm.tree()?;
        let number = tree.length(&["failures"])?.to_string();
        tree.add(&["failures", number.as_str()], Bytes::new())?;
        *self = Position { pvm: Pvm::from_tree(&tree)?, spoilt: true };
        Ok(())
    }
}

impl LevelReplay<'_> {
    /// Goes on to the tick `target`, or to the end of the level when that comes first. `keep` is shown machines on the way
    /// from which going on is much cheaper than from the start.
    ///
    /// # Errors
    /// When a reveal has no answer, or the machine has no next state here.
    pub fn advance(&self, at: &mut Position, target: Tick, keep: &mut dyn FnMut(&Position)) -> Result<(), PvmError> {
        while at.tick() < target {
            let state = at.pvm.state();
            match state.input_request()? {
                InputRequest::Input => {
                    let counter = self.read(state);
                    let payload = usize::try_from(counter).ok().and_then(|index| self.payloads.get(index));
                    let Some(payload) = payload.cloned() else { return Ok(()) };
                    at.pvm.set_input(InputPlace { level: self.level, counter }, payload)?;
                }
                InputRequest::Reveal(request) => self.reveal(&mut at.pvm, &request)?,
                InputRequest::None if self.fails_now(at) => {
                    at.pvm.step()?;
                    at.spoil()?;
                }
                InputRequest::None => {
                    let left = target.since(at.tick());
                    let by_ticks = self.compute(&mut at.pvm, left)?;
                    if by_ticks && at.tick() < target {
                        keep(at);
                    }
                }
            }
        }
        Ok(())
    }

    /// Number of the level's messages that were read.
    fn read(&self, state: &State) -> u64 {
        state.last_input.filter(|last| last.level == self.level).map_or(0, |last| last.counter.saturating_add(1))
    }

    fn fails_now(&self, at: &Position) -> bool {
        !at.spoilt && self.spoilt_after.is_some_and(|index| self.read(at.pvm.state()) == index.saturating_add(1))
    }

    fn reveal(&self, pvm: &mut Pvm, request: &[u8]) -> Result<(), PvmError> {
        let level = pvm.state().last_input.map(|input| input.level);
        let answer = self.reveals.answer_raw(request, level);
        pvm.reveal_step(&answer.map_err(|source| PvmError::Reveal { level: level.unwrap_or(self.level), source })?)
    }

    /// Makes at least one and at most `left` computation steps. Gives whether they were made tick by tick.
    fn compute(&self, pvm: &mut Pvm, left: Tick) -> Result<bool, PvmError> {
        let state = pvm.state();
        match state.tick_state {
            TickState::Padding => {
                if pvm.pad(left) == Tick(0) {
                    pvm.step()?;
                }
                Ok(false)
            }
            TickState::Snapshot if left >= state.ticks_to_boundary() => self.kernel_run(pvm).map(|()| false),
            TickState::Snapshot | TickState::Running(..) => {
                let made = state.current_tick.since(state.last_top_level_call);
                let part = Tick(PART.max(made.0 / 16));
                pvm.advance(part.min(left)).map(|_| true)
            }
            _ => pvm.step().map(|()| false),
        }
    }

    /// From a snapshot to the last tick of its cycle, or to the stuck state in which the run ends.
    fn kernel_run(&self, pvm: &mut Pvm) -> Result<(), PvmError> {
        let mut next = pvm.clone();
        match next.kernel_run(self.engine, self.reveals) {
            Err(PvmError::Undecided { reason, .. }) if reason.is_for_the_exact_machine() => {
                next.exact_kernel_run(self.reveals)?;
            }
            result => result?,
        }
        *pvm = next;
        Ok(())
    }
}
