//! Traces of whole cases by the exact machine: any tick, every tick, and the proofs of steps.

use super::StepInput;
use crate::error::PvmError;
use crate::input::InputPlace;
use crate::machine::Pvm;
use crate::reveal::Reveals;
use crate::state::InputRequest;
use crate::tick_state::TickState;
use crate::trace::{Case, Line, TraceError};
use crate::units::Tick;
use bytes::Bytes;
use soru_merkle::NodeHash;
use std::collections::{BTreeMap, BTreeSet};

/// What a trace is to tell.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Ticks whose states are wanted.
    pub ticks: BTreeSet<u64>,
    /// Ticks of which the proof of the step that starts there is wanted.
    pub proofs: BTreeSet<u64>,
    /// Whether every single state is to be hashed, from the origination on. Slow, and what conformance is about.
    pub every_hash: bool,
}

/// What a trace tells.
pub struct ExactTrace {
    /// The states wanted and reached, in order.
    pub lines: Vec<Line>,
    /// The proofs wanted, by tick.
    pub proofs: BTreeMap<u64, Bytes>,
    /// The hash of every state, if wanted.
    pub hashes: Vec<NodeHash>,
    /// The machine at the end.
    pub pvm: Pvm,
    /// Why the case was not played to its end: a reveal without an answer, or a state without a successor.
    pub stopped: Option<String>,
}

/// Why a case could not be traced.
#[derive(Debug, thiserror::Error)]
pub enum ExactTraceError {
    /// The case cannot be played.
    #[error(transparent)]
    Case(#[from] TraceError),
    /// The machine failed outside the rules.
    #[error(transparent)]
    Pvm(#[from] PvmError),
    /// A step could not be proven.
    #[error("the step at tick {tick} cannot be proven: {reason}")]
    Proof {
        /// The tick.
        tick: u64,
        /// Why.
        reason: String,
    },
}

impl Case {
    /// Plays the case with the exact machine.
    pub fn trace_exact(&self, wanted: &Wanted) -> Result<ExactTrace, ExactTraceError> {
        let pvm = self.originate()?;
        let trace = ExactTrace { lines: Vec::new(), proofs: BTreeMap::new(), hashes: Vec::new(), pvm, stopped: None };
        let mut player = Player { case: self, wanted, trace };
        player.trace.stopped = player.play()?;
        Ok(player.trace)
    }
}

struct Player<'a> {
    case: &'a Case,
    wanted: &'a Wanted,
    trace: ExactTrace,
}

impl Player<'_> {
    fn now(&self) -> u64 {
        u64::try_from(self.trace.pvm.state().current_tick.0).unwrap_or(u64::MAX)
    }

    fn play(&mut self) -> Result<Option<String>, ExactTraceError> {
        self.look()?;
        for inbox in &self.case.inboxes {
            for (counter, payload) in inbox.feed().into_iter().enumerate() {
                if let Some(reason) = self.run()? {
                    return Ok(Some(reason));
                }
                let place = InputPlace { level: inbox.level, counter: counter as u64 };
                self.prove(Some(StepInput::Message { place, payload: payload.clone() }))?;
                self.trace.pvm.set_input(place, payload)?;
                self.look()?;
            }
            if let Some(reason) = self.run()? {
                return Ok(Some(reason));
            }
        }
        Ok(None)
    }

    /// Steps until an input is requested; gives the reason when it cannot go on.
    fn run(&mut self) -> Result<Option<String>, ExactTraceError> {
        loop {
            match self.trace.pvm.info()?.request {
                InputRequest::Input => return Ok(None),
                InputRequest::Reveal(request) => {
                    let level = self.trace.pvm.state().last_input.map(|input| input.level);
                    let answer = match self.case.reveals().answer_raw(&request, level) {
                        Ok(answer) => answer,
                        Err(error) => return Ok(Some(error.to_string())),
                    };
                    self.prove(Some(StepInput::Reveal(answer.clone())))?;
                    self.trace.pvm.reveal_step(&answer)?;
                }
                InputRequest::None => match self.compute() {
                    Err(ExactTraceError::Pvm(PvmError::NoSuccessor(what))) => return Ok(Some(what.to_owned())),
                    result => result?,
                },
            }
            self.look()?;
        }
    }

    /// Computes, at most to the next tick at which something is wanted.
    fn compute(&mut self) -> Result<(), ExactTraceError> {
        self.prove(None)?;
        let now = self.now();
        let next = |ticks: &BTreeSet<u64>| ticks.range(now + 1..).next().copied();
        let stop = [next(&self.wanted.ticks), next(&self.wanted.proofs)].into_iter().flatten().min();
        let most = match stop {
            _ if self.wanted.every_hash => Tick(1),
            Some(stop) => Tick(u128::from(stop - now)),
            None => Tick(u128::MAX),
        };
        let pvm = &mut self.trace.pvm;
        let runs = matches!(pvm.state().tick_state, TickState::Snapshot | TickState::Running(..));
        if runs && most > Tick(1) {
            pvm.advance(most)?;
        } else if pvm.pad(most) == Tick(0) {
            pvm.step()?;
        }
        Ok(())
    }

    /// Notes what is wanted of the present state.
    fn look(&mut self) -> Result<(), ExactTraceError> {
        let tick = self.now();
        let line = self.wanted.ticks.contains(&tick);
        if !line && !self.wanted.every_hash {
            return Ok(());
        }
        // from here on the state is its tree: what follows is written back to the same nodes
        let tree = self.trace.pvm.tree()?;
        let hash = tree.hash().map_err(PvmError::from)?;
        self.trace.pvm = Pvm::from_tree(&tree)?;
        if self.wanted.every_hash {
            self.trace.hashes.push(hash);
        }
        if line {
            self.trace.lines.push(Line::of(&self.trace.pvm, hash)?);
        }
        Ok(())
    }

    fn prove(&mut self, input: Option<StepInput>) -> Result<(), ExactTraceError> {
        let tick = self.now();
        if !self.wanted.proofs.contains(&tick) {
            return Ok(());
        }
        let failed = |reason: String| ExactTraceError::Proof { tick, reason };
        let proof = self.trace.pvm.prove_step(input).map_err(|error| failed(error.to_string()))?;
        let bytes = proof.encode().map_err(|error| failed(error.to_string()))?;
        self.trace.proofs.insert(tick, bytes.into());
        Ok(())
    }
}
