//! Playing a case and telling about it on the way: the state at any tick, the proof of any step (`spec/pvm.md` §5.8, §11.4). What is
//! told is handed over at once and not kept, so that a trace takes no more memory the longer it is.

use crate::case::{Case, CaseError};
use crate::error::PvmError;
use crate::exact::StepInput;
use crate::fast::FastEngine;
use crate::input::InputPlace;
use crate::machine::Pvm;
use crate::reveal::Reveals;
use crate::state::InputRequest;
use crate::tick_state::TickState;
use crate::units::Tick;
use serde::Serialize;
use soru_merkle::{NodeHash, Proof, ProofError, Tree};
use soru_tezos::hash::{ContextHash, StateHash};
use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What a trace is to tell.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Ticks whose states are wanted.
    pub ticks: BTreeSet<u64>,
    /// Every so many ticks the state is wanted besides, from the origination (tick 0) on. Each single one is slow, and what
    /// conformance is about.
    pub every: Option<NonZeroU64>,
    /// Ticks of which the proof of the step that starts there is wanted.
    pub proofs: BTreeSet<u64>,
}

impl Wanted {
    /// What a case asks for.
    pub fn of_case(case: &Case) -> Wanted {
        Wanted {
            ticks: case.checkpoints.iter().map(|asked| asked.tick).collect(),
            every: None,
            proofs: case.proofs.iter().map(|asked| asked.tick).collect(),
        }
    }

    /// Whether the state at `tick` is wanted.
    fn state(&self, tick: u64) -> bool {
        self.ticks.contains(&tick) || self.every.is_some_and(|every| tick % every == 0)
    }

    /// The first tick after `tick` at which anything is wanted.
    fn next(&self, tick: u64) -> Option<u64> {
        let after = tick.checked_add(1)?;
        let next = |ticks: &BTreeSet<u64>| ticks.range(after..).next().copied();
        let multiple = self.every.and_then(|every| (tick / every).checked_add(1)?.checked_mul(every.get()));
        [next(&self.ticks), next(&self.proofs), multiple].into_iter().flatten().min()
    }
}

/// What a trace tells. At a tick at which both are wanted the state comes first.
pub enum Event<'a> {
    /// The state at a tick.
    State {
        /// The tick.
        tick: u64,
        /// The machine.
        pvm: &'a Pvm,
        /// Its state.
        tree: &'a Tree,
        /// The hash of its state.
        hash: NodeHash,
    },
    /// The proof of the step that starts at a tick.
    Step {
        /// The tick.
        tick: u64,
        /// The proof.
        proof: &'a Proof,
        /// What the step is given.
        input: Option<&'a StepInput>,
    },
}

/// A case played.
pub struct Played {
    /// The machine at the end.
    pub pvm: Pvm,
    /// Why the case was not played to its end: a reveal without an answer, or a state without a successor.
    pub stopped: Option<String>,
    /// `kernel_run`s that were left to the fast engine.
    pub fast_runs: u64,
    /// `kernel_run`s that the fast engine was asked for and did not decide.
    pub undecided_runs: u64,
}

/// Why a case could not be traced.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The case cannot be played.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// The machine failed outside the rules.
    #[error(transparent)]
    Pvm(#[from] PvmError),
    /// A step could not be proven.
    #[error("the step at tick {tick} cannot be proven: {source}")]
    Proof {
        /// The tick.
        tick: u64,
        /// Why.
        source: ProofError<PvmError>,
    },
}

/// The state at a tick, as it is printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The tick.
    pub tick: u64,
    /// The tick state.
    pub status: String,
    /// What is waited for: `input`, or `reveal:` and the raw request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Hash of the state, as a context hash.
    pub context_hash: ContextHash,
    /// The same as a state hash.
    pub state_hash: StateHash,
}

impl Line {
    /// The line of a machine whose state has this hash.
    pub fn of(pvm: &Pvm, hash: NodeHash) -> Result<Line, PvmError> {
        let info = pvm.info()?;
        let request = match info.request {
            InputRequest::None => None,
            InputRequest::Input => Some("input".to_owned()),
            InputRequest::Reveal(raw) => Some(format!("reveal:{}", hex::encode(raw))),
        };
        let state_hash = StateHash(hash.0);
        let tick = u64::try_from(info.tick.0).map_err(|_| PvmError::Range("the tick of a line"))?;
        let status = pvm.state().tick_state.to_string();
        Ok(Line { tick, status, request, context_hash: state_hash.into(), state_hash })
    }
}

impl Case {
    /// Plays the case and hands what is wanted to `observe`, in the order of ticks, until that breaks off. With an `engine` the
    /// `kernel_run`s inside which nothing is wanted are left to it, as far as it decides them; the others, and all without
    /// one, are played tick by tick by the exact machine.
    pub fn play(
        &self,
        wanted: &Wanted,
        engine: Option<&FastEngine>,
        observe: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
    ) -> Result<Played, TraceError> {
        let played = Played { pvm: self.originate()?, stopped: None, fast_runs: 0, undecided_runs: 0 };
        let mut player = Player { wanted, engine, observe, reveals: self.reveals(), played };
        match player.play(self) {
            Ok(()) | Err(End::BrokenOff) => {}
            Err(End::Stopped(reason)) => player.played.stopped = Some(reason),
            Err(End::Failed(error)) => return Err(error),
        }
        Ok(player.played)
    }
}

/// Why a case is not played on.
enum End {
    BrokenOff,
    Stopped(String),
    Failed(TraceError),
}

impl From<PvmError> for End {
    fn from(error: PvmError) -> End {
        match error {
            PvmError::NoSuccessor(_) | PvmError::Reveal { .. } | PvmError::Undecided { .. } => {
                End::Stopped(error.to_string())
            }
            error => End::Failed(error.into()),
        }
    }
}

/// Takes a machine that cannot be advanced so far to the last state before the step that fails, in at most a few times the
/// ticks to there.
fn approach(pvm: &mut Pvm) {
    let mut stride = 1;
    while pvm.advance(Tick(stride)).is_ok_and(|made| made == Tick(stride)) {
        stride *= 2;
    }
    while stride > 1 {
        stride /= 2;
        // whether it fails or not, the step is now within so many ticks
        let _ = pvm.advance(Tick(stride));
    }
}

struct Player<'a> {
    wanted: &'a Wanted,
    engine: Option<&'a FastEngine>,
    observe: &'a mut dyn FnMut(Event<'_>) -> ControlFlow<()>,
    reveals: Arc<dyn Reveals>,
    played: Played,
}

impl Player<'_> {
    fn now(&self) -> u64 {
        u64::try_from(self.played.pvm.state().current_tick.0).unwrap_or(u64::MAX)
    }

    fn tell(&mut self, event: Event<'_>) -> Result<(), End> {
        if (self.observe)(event).is_break() { Err(End::BrokenOff) } else { Ok(()) }
    }

    fn play(&mut self, case: &Case) -> Result<(), End> {
        self.look()?;
        for inbox in &case.inboxes {
            for (counter, payload) in inbox.feed().into_iter().enumerate() {
                self.run()?;
                let place = InputPlace { level: inbox.level, counter: counter as u64 };
                self.prove(|| Some(StepInput::Message { place, payload: payload.clone() }))?;
                self.played.pvm.set_input(place, payload)?;
                self.look()?;
            }
            self.run()?;
        }
        Ok(())
    }

    /// Steps until an input is requested.
    fn run(&mut self) -> Result<(), End> {
        loop {
            match self.played.pvm.info()?.request {
                InputRequest::Input => return Ok(()),
                InputRequest::Reveal(request) => {
                    let level = self.played.pvm.state().last_input.map(|input| input.level);
                    let answer = self.reveals.answer_raw(&request, level);
                    let answer = answer.map_err(|error| End::Stopped(error.to_string()))?;
                    self.prove(|| Some(StepInput::Reveal(answer.clone())))?;
                    self.played.pvm.reveal_step(&answer)?;
                }
                InputRequest::None => self.compute()?,
            }
            self.look()?;
        }
    }

    /// Computes, at most to the next tick at which something is wanted.
    fn compute(&mut self) -> Result<(), End> {
        self.prove(|| None)?;
        let now = self.now();
        let next = self.wanted.next(now);
        if self.compute_fast(next)? {
            return Ok(());
        }
        let most = next.map_or(Tick(u128::MAX), |next| Tick(u128::from(next - now)));
        let pvm = &mut self.played.pvm;
        let runs = matches!(pvm.state().tick_state, TickState::Snapshot | TickState::Running(..));
        if runs && most > Tick(1) {
            if let Err(error) = pvm.advance(most) {
                approach(pvm);
                return Err(error.into());
            }
        } else if pvm.pad(most) == Tick(0) {
            pvm.step()?;
        }
        Ok(())
    }

    /// From a snapshot to the end of the padding, if nothing is wanted in between and the fast engine decides the run.
    fn compute_fast(&mut self, next: Option<u64>) -> Result<bool, End> {
        let Some(engine) = self.engine else { return Ok(false) };
        let state = self.played.pvm.state();
        let end = state.current_tick.after(state.ticks_to_boundary());
        let inside = next.is_some_and(|next| u128::from(next) < end.0);
        if inside || !matches!(state.tick_state, TickState::Snapshot) {
            return Ok(false);
        }
        match self.played.pvm.kernel_run(engine, &self.reveals) {
            Ok(()) => {
                self.played.fast_runs += 1;
                Ok(true)
            }
            // a reveal without answer is where the exact machine stops, and can be looked at
            Err(PvmError::Undecided { .. } | PvmError::Reveal { .. }) => {
                self.played.undecided_runs += 1;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Tells the present state, if it is wanted.
    fn look(&mut self) -> Result<(), End> {
        let tick = self.now();
        if !self.wanted.state(tick) {
            return Ok(());
        }
        // from here on the state is its tree: what follows is written back to the same nodes
        let tree = self.played.pvm.tree()?;
        let hash = tree.hash().map_err(PvmError::from)?;
        let pvm = Pvm::from_tree(&tree)?;
        self.tell(Event::State { tick, pvm: &pvm, tree: &tree, hash })?;
        self.played.pvm = pvm;
        Ok(())
    }

    /// Tells the proof of the next step, if it is wanted.
    fn prove(&mut self, input: impl FnOnce() -> Option<StepInput>) -> Result<(), End> {
        let tick = self.now();
        if !self.wanted.proofs.contains(&tick) {
            return Ok(());
        }
        let input = input();
        let proof = self.played.pvm.prove_step(input.clone()).map_err(|error| match error {
            ProofError::Step(error @ PvmError::NoSuccessor(_)) => error.into(),
            source => End::Failed(TraceError::Proof { tick, source }),
        })?;
        self.tell(Event::Step { tick, proof: &proof, input: input.as_ref() })
    }
}
