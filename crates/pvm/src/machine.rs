//! The machine as nodes and tools use it: a state, and the ways to drive it (`spec/pvm.md` §5.8, §6, §10, §11).

use crate::durable::{Durable, Key};
use crate::error::PvmError;
use crate::exact::{self, ExactRun, StepInput, prove_step};
use crate::fast::FastEngine;

use crate::input::{END_OF_LEVEL, InputPlace, START_OF_LEVEL, info_per_level};
use crate::reveal::Reveals;
use crate::state::{InputRequest, Parameters, State};
use crate::step::{NdsGate, input_step, pad};
use crate::tick_state::TickState;
use crate::units::Tick;
use crate::version::Version;
use bytes::Bytes;
use soru_merkle::{NodeHash, NodeSink, Proof, ProofError, Tree};
use soru_tezos::hash::{BlockHash, ContextHash, StateHash};
use soru_tezos::scalar::Level;
use std::sync::Arc;

/// A PVM.
#[derive(Clone)]
pub struct Pvm {
    state: State,
    gate: NdsGate,
}

/// What a PVM says about itself (§6.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Steps made since the origination.
    pub tick: Tick,
    /// Place of the last input given.
    pub last_input: Option<InputPlace>,
    /// What it waits for.
    pub request: InputRequest,
}

/// Where a run stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunUntil {
    /// At the next request for an input or a reveal.
    Request,
    /// At the next snapshot too.
    Snapshot,
}

/// An inbox level's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LevelReport {
    /// Ticks it took.
    pub ticks: Tick,
    /// Messages given, those of the protocol included.
    pub messages: u64,
}

impl Pvm {
    /// The PVM of a rollup just originated.
    pub fn originate(version: Version, boot_sector: &[u8], parameters: Parameters) -> Result<Pvm, PvmError> {
        Ok(Pvm { state: State::originate(version, boot_sector, parameters)?, gate: NdsGate::default() })
    }

    /// The PVM whose state is `tree`.
    pub fn from_tree(tree: &Tree) -> Result<Pvm, PvmError> {
        Ok(Pvm { state: State::decode(tree)?, gate: NdsGate::default() })
    }

    /// The same with the level from which the protocol allows the new durable storage (§9.3).
    pub fn with_nds_gate(self, gate: NdsGate) -> Pvm {
        Pvm { gate, ..self }
    }

    /// The state in memory.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Sets the ticks of a cycle. What then happens is no longer what layer 1 expects of the rollup.
    pub fn set_max_ticks(&mut self, ticks: Tick) {
        self.state.max_nb_ticks = ticks;
    }

    /// Sets a value of the durable storage, also where kernels may only read.
    pub fn set_value(&mut self, key: &Key, value: &[u8]) -> Result<(), PvmError> {
        self.state.storage.durable.set_at(&key.steps(), value)
    }

    /// The state as a tree.
    pub fn tree(&self) -> Result<Tree, PvmError> {
        self.state.encode()
    }

    /// Writes the state's new nodes to `sink` and gives its hash.
    pub fn commit(&mut self, sink: &mut dyn NodeSink) -> Result<NodeHash, PvmError> {
        let tree = self.state.encode()?;
        let hash = tree.commit(sink)?;
        self.state.settle(tree)?;
        Ok(hash)
    }

    /// The state's hash.
    pub fn state_hash(&self) -> Result<StateHash, PvmError> {
        Ok(StateHash(self.tree()?.hash()?.0))
    }

    /// The same hash as the layer 1 prints hashes of contexts.
    pub fn context_hash(&self) -> Result<ContextHash, PvmError> {
        self.state_hash().map(Into::into)
    }

    /// What the PVM says about itself.
    pub fn info(&self) -> Result<Info, PvmError> {
        Ok(Info {
            tick: self.state.current_tick,
            last_input: self.state.last_input,
            request: self.state.input_request()?,
        })
    }

    /// Gives an input message: one tick, whatever the machine does with it.
    pub fn set_input(&mut self, place: InputPlace, message: Bytes) -> Result<(), PvmError> {
        input_step(&mut self.state, place, message)
    }

    /// Gives the answer to a reveal: one tick (§6.4).
    pub fn reveal_step(&mut self, answer: &[u8]) -> Result<(), PvmError> {
        exact::reveal_step(&mut self.state, answer)
    }

    /// One computation step, of any state.
    pub fn step(&mut self) -> Result<(), PvmError> {
        exact::compute_step(&mut self.state, self.gate)
    }

    /// At most `ticks` computation steps, tick by tick, as long as neither an input nor a reveal is wanted. Gives those made.
    pub fn advance(&mut self, ticks: Tick) -> Result<Tick, PvmError> {
        let mut run = ExactRun::new(self.state.clone(), self.gate)?;
        let made = run.advance(ticks)?;
        self.state = run.into_state()?;
        Ok(made)
    }

    /// The proof of the next step (§11.4). The machine itself stays where it is.
    pub fn prove_step(&self, input: Option<StepInput>) -> Result<Proof, ProofError<PvmError>> {
        let tree = self.tree().map_err(ProofError::Step)?;
        Ok(prove_step(&tree, input, self.gate)?.0)
    }

    /// Passes at most `ticks` of padding at once, up to the last tick of the cycle. Gives those passed.
    pub fn pad(&mut self, ticks: Tick) -> Tick {
        let before = self.state.current_tick;
        if matches!(self.state.tick_state, TickState::Padding) {
            pad(&mut self.state, ticks);
        }
        self.state.current_tick.since(before)
    }

    /// From a snapshot to the last tick of the cycle, the end of the padding after the evaluation. On an error the state is
    /// still the snapshot.
    pub fn kernel_run(&mut self, engine: &FastEngine, reveals: &Arc<dyn Reveals>) -> Result<(), PvmError> {
        let storage = engine.kernel_run(&self.state, Arc::clone(reveals))?;
        self.state.reach_end_of_cycle(storage);
        Ok(())
    }

    /// Runs until something is wanted. Gives the ticks it took; on an error the state is that of the last boundary reached.
    pub fn run(&mut self, engine: &FastEngine, reveals: &Arc<dyn Reveals>, until: RunUntil) -> Result<Tick, PvmError> {
        let start = self.state.current_tick;
        loop {
            if self.state.input_request()? != InputRequest::None {
                break;
            }
            match self.state.tick_state {
                TickState::Snapshot if until == RunUntil::Snapshot && self.state.current_tick > start => break,
                TickState::Snapshot => {
                    // both at once, or neither
                    let mut next = self.clone();
                    match next.kernel_run(engine, reveals) {
                        Err(PvmError::Undecided { reason, .. }) if reason.is_for_the_exact_machine() => {
                            // may be stuck then, and wait for an input
                            next.exact_kernel_run(reveals)?;
                        }
                        result => {
                            result?;
                            next.step()?;
                        }
                    }
                    *self = next;
                }
                TickState::Padding => {
                    self.pad(self.state.ticks_to_boundary());
                    self.step()?;
                }
                TickState::Running(..) => self.exact_kernel_run(reveals)?,
                _ => self.step()?,
            }
        }
        Ok(self.state.current_tick.since(start))
    }

    /// From a snapshot, or from inside a `kernel_run`, tick by tick to the end of the padding, or to the stuck state in which it
    /// ends.
    pub fn exact_kernel_run(&mut self, reveals: &Arc<dyn Reveals>) -> Result<(), PvmError> {
        let mut run = ExactRun::new(self.state.clone(), self.gate)?;
        run.finish(|request, level| {
            reveals
                .answer_raw(request, level)
                .map_err(|source| PvmError::Reveal { level: level.unwrap_or(Level(0)), source })
        })?;
        self.state = run.into_state()?;
        self.pad(self.state.ticks_to_boundary());
        Ok(())
    }

    /// Feeds a whole inbox level and runs to the next: `messages` are all of them, from the start of the level to its end.
    pub fn eval_inbox_level(
        &mut self,
        engine: &FastEngine,
        reveals: &Arc<dyn Reveals>,
        level: Level,
        messages: impl IntoIterator<Item = Bytes>,
    ) -> Result<LevelReport, PvmError> {
        let start = self.state.current_tick;
        let mut counter = 0;
        for message in messages {
            // a machine that falls back to another kernel does so before it takes messages
            self.run(engine, reveals, RunUntil::Request)?;
            self.set_input(InputPlace { level, counter }, message)?;
            counter += 1;
        }
        self.run(engine, reveals, RunUntil::Request)?;
        Ok(LevelReport { ticks: self.state.current_tick.since(start), messages: counter })
    }

    /// Message `index` of the outbox of `level`, if it is kept.
    pub fn get_output(&self, level: Level, index: u64) -> Result<Option<Bytes>, PvmError> {
        self.state.storage.output.message(level, index)
    }

    /// All messages of the outbox of `level`; none if it is not kept.
    pub fn outbox(&self, level: Level) -> Result<Vec<Bytes>, PvmError> {
        self.state.storage.output.messages(level)
    }

    /// The durable storage.
    pub fn durable(&self) -> &Durable {
        &self.state.storage.durable
    }
}

/// All messages of an inbox level in the order the protocol gives them (§6.1): start, migration if the protocol changes, info,
/// the messages themselves, end.
pub fn level_messages(
    predecessor_timestamp: i64,
    predecessor: &BlockHash,
    migration: Option<&str>,
    messages: impl IntoIterator<Item = Bytes>,
) -> Vec<Bytes> {
    let mut all = vec![Bytes::from_static(&START_OF_LEVEL)];
    all.extend(migration.map(|name| Bytes::from(crate::input::protocol_migration(name))));
    all.push(info_per_level(predecessor_timestamp, predecessor).into());
    all.extend(messages);
    all.push(Bytes::from_static(&END_OF_LEVEL));
    all
}
