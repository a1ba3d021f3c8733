//! Running many ticks of a `kernel_run` in memory: the tree is not touched in between (`spec/pvm.md` §5.8).

use super::step::{Ticked, read_running, tick, ticks as many_ticks, write_running};
use crate::error::PvmError;
use crate::state::State;
use crate::step::{NdsGate, Status, finish_step};
use crate::tick_state::TickState;
use crate::units::Tick;
use crate::version::Version;
use bytes::Bytes;
use soru_merkle::containers::ChunkedBytes;
use soru_tezos::scalar::Level;
use soru_wasm::flat::Flat;
use soru_wasm::machine::Running;

/// A state whose tick state is kept unfolded between ticks.
pub struct ExactRun {
    state: State,
    running: Option<Running>,
    flat: Flat,
    kernel: Option<ChunkedBytes>,
    gate: NdsGate,
}

impl ExactRun {
    /// Starts from a state.
    pub fn new(state: State, gate: NdsGate) -> Result<ExactRun, PvmError> {
        let mut run = ExactRun { state, running: None, flat: Flat::default(), kernel: None, gate };
        run.unfold()?;
        Ok(run)
    }

    /// The present tick.
    pub fn current_tick(&self) -> Tick {
        self.state.current_tick
    }

    /// The reveal waited for, if there is one.
    fn request(&self) -> Option<Vec<u8>> {
        match &self.running {
            Some(Running::Eval(eval)) => eval.config.reveal().map(|reveal| reveal.reveal.payload()),
            _ => None,
        }
    }

    /// Makes steps until the evaluation is over, one way or another, with the answers that `answer` gives to raw reveal requests.
    pub fn finish(
        &mut self,
        mut answer: impl FnMut(&[u8], Option<Level>) -> Result<Bytes, PvmError>,
    ) -> Result<(), PvmError> {
        loop {
            self.advance(Tick(u128::MAX))?;
            let Some(request) = self.request() else { return Ok(()) };
            let answer = answer(&request, self.state.last_input.map(|input| input.level))?;
            self.fold()?;
            super::reveal_step(&mut self.state, &answer)?;
            self.unfold()?;
        }
    }

    fn fold(&mut self) -> Result<(), PvmError> {
        if let Some(running) = self.running.take() {
            self.state.tick_state = write_running(&running)?;
        }
        Ok(())
    }

    fn unfold(&mut self) -> Result<(), PvmError> {
        if let TickState::Running(phase, payload) = &self.state.tick_state {
            self.running = Some(read_running(*phase, payload)?);
        }
        Ok(())
    }

    /// Makes at most `ticks` steps, up to the end of the evaluation or to a reveal. Gives those made.
    pub fn advance(&mut self, ticks: Tick) -> Result<Tick, PvmError> {
        let start = self.state.current_tick;
        let end = Tick(start.0.saturating_add(ticks.0));
        // kernels cannot change the version
        let version = self.state.version()?;
        while self.state.current_tick < end && self.request().is_none() {
            match self.running.take() {
                Some(running) if self.state.ticks_to_boundary() > Tick(0) => {
                    let most = end.since(self.state.current_tick).min(self.state.ticks_to_boundary());
                    self.run(running, version, u64::try_from(most.0).unwrap_or(u64::MAX))?;
                }
                running => {
                    let inside = running.is_some();
                    self.running = running;
                    self.fold()?;
                    if !inside && !matches!(self.state.tick_state, TickState::Snapshot) {
                        break;
                    }
                    super::compute_step(&mut self.state, self.gate)?;
                    self.unfold()?;
                }
            }
        }
        Ok(self.state.current_tick.since(start))
    }

    /// At least one tick inside the `kernel_run`, and at most `most`.
    fn run(&mut self, running: Running, version: Version, most: u64) -> Result<(), PvmError> {
        let storage = &mut self.state.storage;
        let (made, ticked) = match running {
            running if running.is_underway() => many_ticks(running, &mut self.flat, version, storage, most)?,
            running => {
                let parsing = matches!(running, Running::Decode(_));
                let ticked = tick(running, version, storage, &mut self.kernel)?;
                if !parsing {
                    // prepared code belongs to one evaluation, and a kernel to one parsing
                    (self.flat, self.kernel) = (Flat::default(), None);
                }
                (1, ticked)
            }
        };
        self.state.current_tick = self.state.current_tick.after(Tick(u128::from(made.saturating_sub(1))));
        let status = match ticked {
            Ticked::On(running) => {
                self.running = Some(running);
                Status::Running
            }
            Ticked::Over(tick_state, status) => {
                self.state.tick_state = tick_state;
                status
            }
        };
        finish_step(&mut self.state, status)
    }

    /// The state reached.
    pub fn into_state(mut self) -> Result<State, PvmError> {
        self.fold()?;
        Ok(self.state)
    }
}
