//! The machines of the histories. Most run a model whose every state is known without computing those before: it remembers a
//! hash of what it has read, and counts down the ticks it still works on it; its proofs are its states. Some run the real
//! thing.

use soru_protocol::game::{Ends, Input, StepProofs};
use soru_protocol::inbox::Located;
use soru_protocol::pvm::{WasmSteps, request};
use soru_pvm::exact::StepInput;
use soru_pvm::reveal::{NoReveals, RevealKind};
use soru_pvm::{FastConfig, FastEngine, InputPlace, Pvm, Reveals, RunUntil, Tick};
use soru_tezos::blake2b;
use soru_tezos::hash::StateHash;
use soru_tezos::number::N;
use soru_tezos::rollup::{InputRequest, PvmKind};
use soru_tezos::scalar::Level;
use std::sync::{Arc, OnceLock};

/// A state of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    /// Level and index of the last message; nothing before the first.
    read: Option<(i32, u64)>,
    /// Hash of all it has read.
    memory: [u8; 32],
    /// Ticks of work left.
    left: u64,
    /// Unit of work: a level's work is some hundreds of these.
    unit: u64,
}

/// Bytes of a state.
const SIZE: usize = 1 + 4 + 8 + 32 + 8 + 8;

impl Model {
    pub fn new(unit: u64) -> Model {
        Model { read: None, memory: [0; 32], left: 0, unit }
    }

    fn to_bytes(self) -> [u8; SIZE] {
        let (level, counter) = self.read.unwrap_or_default();
        let mut bytes = [0; SIZE];
        bytes[0] = u8::from(self.read.is_some());
        bytes[1..5].copy_from_slice(&level.to_be_bytes());
        bytes[5..13].copy_from_slice(&counter.to_be_bytes());
        bytes[13..45].copy_from_slice(&self.memory);
        bytes[45..53].copy_from_slice(&self.left.to_be_bytes());
        bytes[53..].copy_from_slice(&self.unit.to_be_bytes());
        bytes
    }

    fn of_bytes(bytes: &[u8]) -> Option<Model> {
        let bytes: &[u8; SIZE] = bytes.try_into().ok()?;
        let number = |from: usize| u64::from_be_bytes(bytes[from..from + 8].try_into().unwrap());
        let level = i32::from_be_bytes(bytes[1..5].try_into().unwrap());
        Some(Model {
            read: (bytes[0] == 1).then_some((level, number(5))),
            memory: bytes[13..45].try_into().unwrap(),
            left: number(45),
            unit: number(53),
        })
    }

    fn hash(&self) -> StateHash {
        StateHash(blake2b::hash256(&self.to_bytes()))
    }

    fn request(&self) -> InputRequest {
        match self.read {
            _ if self.left > 0 => InputRequest::NoInputRequired,
            None => InputRequest::Initial,
            Some((level, counter)) => InputRequest::FirstAfter { level: Level(level), counter: N::from(counter) },
        }
    }

    /// The next state; the same one when it waits for a message it is not given.
    fn step(&self, message: Option<Message<'_>>) -> Model {
        match message {
            _ if self.left > 0 => Model { left: self.left - 1, ..*self },
            Some((level, counter, payload)) => {
                let memory = blake2b::digest(&[&self.memory, payload]);
                // The end of a level sets it to work.
                let work = if payload == [0, 2] { 100 + u64::from(memory[0]) } else { 0 };
                Model { read: Some((level, counter)), memory, left: work * self.unit, ..*self }
            }
            None => *self,
        }
    }
}

/// A message as a machine is given it: level, index, bytes.
pub type Message<'a> = (i32, u64, &'a [u8]);

/// A state of either machine.
#[derive(Clone)]
pub enum Machine {
    Model(Model),
    Wasm(Arc<Pvm>),
}

/// Ticks between states of the real machine that are kept while it computes.
const STRIDE: u64 = 300;

impl Machine {
    pub fn hash(&self) -> StateHash {
        match self {
            Machine::Model(model) => model.hash(),
            Machine::Wasm(pvm) => pvm.state_hash().unwrap(),
        }
    }

    pub fn request(&self) -> InputRequest {
        match self {
            Machine::Model(model) => model.request(),
            Machine::Wasm(pvm) => {
                let info = pvm.info().unwrap();
                request(&info.request, info.last_input, &|_, _| true)
            }
        }
    }

    /// The state some ticks later, at most that in which it waits for a message, behind the ticks made.
    fn after(&self, ticks: u64) -> (u64, Machine) {
        match self {
            Machine::Model(model) => {
                let made = ticks.min(model.left);
                (made, Machine::Model(Model { left: model.left - made, ..*model }))
            }
            Machine::Wasm(pvm) => {
                let mut pvm = pvm.as_ref().clone();
                let start = pvm.info().unwrap().tick.0;
                let end = start + u128::from(ticks);
                loop {
                    let info = pvm.info().unwrap();
                    if info.tick.0 >= end || info.request != soru_pvm::InputRequest::None {
                        return (u64::try_from(info.tick.0 - start).unwrap(), Machine::Wasm(Arc::new(pvm)));
                    }
                    let left = Tick(end - info.tick.0);
                    if pvm.pad(left) == Tick(0) && pvm.advance(left).unwrap() == Tick(0) {
                        pvm.step().unwrap();
                    }
                }
            }
        }
    }

    /// The state in which it waits for a message, and the ticks until then.
    fn settle(&self) -> (u64, Machine) {
        match self {
            Machine::Model(_) => self.settle_exactly(|_, _| ()),
            Machine::Wasm(pvm) => {
                static ENGINE: OnceLock<FastEngine> = OnceLock::new();
                let engine = ENGINE.get_or_init(|| FastEngine::new(FastConfig::default()).unwrap());
                let reveals: Arc<dyn Reveals> = Arc::new(NoReveals);
                let mut pvm = pvm.as_ref().clone();
                let made = pvm.run(engine, &reveals, RunUntil::Request).unwrap();
                (u64::try_from(made.0).unwrap(), Machine::Wasm(Arc::new(pvm)))
            }
        }
    }

    /// The same, tick by tick; `keep` gets some of the states on the way.
    fn settle_exactly(&self, mut keep: impl FnMut(u64, Machine)) -> (u64, Machine) {
        let (mut made, mut state) = (0, self.clone());
        loop {
            let stride = if matches!(self, Machine::Model(_)) { u64::MAX } else { STRIDE };
            let (ticks, next) = state.after(stride);
            if ticks == 0 {
                return (made, state);
            }
            (made, state) = (made + ticks, next);
            if let Some((padding, next)) = state.padded() {
                keep(made, state);
                (made, state) = (made + padding, next);
            }
            keep(made, state.clone());
        }
    }

    /// The state after the padding of the real machine, when it is in it.
    fn padded(&self) -> Option<(u64, Machine)> {
        let Machine::Wasm(pvm) = self else { return None };
        let mut pvm = pvm.as_ref().clone();
        let made = pvm.pad(Tick(u128::MAX));
        (made > Tick(0)).then(|| (u64::try_from(made.0).unwrap(), Machine::Wasm(Arc::new(pvm))))
    }

    /// The state after reading a message.
    fn give(&self, (level, counter, payload): Message<'_>) -> Machine {
        match self {
            Machine::Model(model) => Machine::Model(model.step(Some((level, counter, payload)))),
            Machine::Wasm(pvm) => {
                let mut pvm = pvm.as_ref().clone();
                pvm.set_input(InputPlace { level: Level(level), counter }, payload.to_vec().into()).unwrap();
                Machine::Wasm(Arc::new(pvm))
            }
        }
    }

    /// The proof of the next tick.
    pub fn prove(&self, message: Option<Message<'_>>) -> Vec<u8> {
        match self {
            // the state before, and the hash of the one after
            Machine::Model(model) => [&model.to_bytes()[..], &model.step(message).hash().0].concat(),
            Machine::Wasm(pvm) => {
                let input = message.map(|(level, counter, payload)| StepInput::Message {
                    place: InputPlace { level: Level(level), counter },
                    payload: payload.to_vec().into(),
                });
                pvm.prove_step(input).unwrap().encode().unwrap()
            }
        }
    }
}

/// The referee of both machines.
pub enum Steps {
    Model,
    Wasm,
}

/// The referee of the model.
struct ModelSteps;

impl StepProofs for Steps {
    fn ends(&self, kind: PvmKind, pvm_step: &[u8]) -> Option<Ends> {
        match self {
            Steps::Model => ModelSteps.ends(kind, pvm_step),
            Steps::Wasm => WasmSteps.ends(kind, pvm_step),
        }
    }

    fn level(&self, kind: PvmKind, pvm_step: &[u8]) -> Option<Option<Level>> {
        match self {
            Steps::Model => ModelSteps.level(kind, pvm_step),
            Steps::Wasm => WasmSteps.level(kind, pvm_step),
        }
    }

    fn verify(
        &self,
        kind: PvmKind,
        pvm_step: &[u8],
        input: Option<&Input>,
        reveals: &dyn Fn(Level, RevealKind) -> bool,
    ) -> Option<InputRequest> {
        match self {
            Steps::Model => ModelSteps.verify(kind, pvm_step, input, reveals),
            Steps::Wasm => WasmSteps.verify(kind, pvm_step, input, reveals),
        }
    }
}

fn read(proof: &[u8]) -> Option<(Model, StateHash)> {
    let (state, stop) = proof.split_at_checked(SIZE)?;
    Some((Model::of_bytes(state)?, StateHash(stop.try_into().ok()?)))
}

impl StepProofs for ModelSteps {
    fn ends(&self, _: PvmKind, pvm_step: &[u8]) -> Option<Ends> {
        let (state, stop) = read(pvm_step)?;
        Some(Ends { start: state.hash(), stop })
    }

    fn level(&self, _: PvmKind, pvm_step: &[u8]) -> Option<Option<Level>> {
        Some(read(pvm_step)?.0.read.map(|(level, _)| Level(level)))
    }

    fn verify(
        &self,
        _: PvmKind,
        pvm_step: &[u8],
        input: Option<&Input>,
        _: &dyn Fn(Level, RevealKind) -> bool,
    ) -> Option<InputRequest> {
        let (state, stop) = read(pvm_step)?;
        let message = match input {
            Some(Input::Message(Located { level, counter, payload })) => {
                Some((level.0, u64::try_from(&counter.0).ok()?, payload.as_slice()))
            }
            Some(_) => return None,
            None => None,
        };
        (state.step(message).hash() == stop).then(|| state.request())
    }
}

/// All states of a commitment period.
#[derive(Clone)]
pub struct Trace {
    start: Machine,
    /// The first level of the period, and the messages of each.
    first: i32,
    levels: Arc<Vec<Arc<Vec<Vec<u8>>>>>,
    /// Some of the states, with their ticks: all those just after a message, and the first, of tick 0. Computed when a game
    /// asks for them.
    points: Arc<OnceLock<Vec<(u64, Machine)>>>,
    /// Ticks of the period.
    pub ticks: u64,
    end: Machine,
}

impl Trace {
    /// What the machine does with the messages of levels from `first` on.
    pub fn run(start: Machine, first: i32, levels: Vec<Arc<Vec<Vec<u8>>>>) -> Trace {
        let mut trace =
            Trace { end: start.clone(), start, first, levels: Arc::new(levels), points: Arc::default(), ticks: 0 };
        (trace.ticks, trace.end) = trace.play(&mut |_, state| state.settle());
        trace
    }

    /// Reads all messages, and brings the machine with `settle` from each to where it waits for the next.
    fn play(&self, settle: &mut dyn FnMut(u64, Machine) -> (u64, Machine)) -> (u64, Machine) {
        let (mut tick, mut state) = settle(0, self.start.clone());
        for (level, payloads) in (self.first..).zip(self.levels.iter()) {
            for (counter, payload) in (0..).zip(payloads.iter()) {
                let made;
                (made, state) = settle(tick + 1, state.give((level, counter, payload)));
                tick += 1 + made;
            }
        }
        (tick, state)
    }

    fn points(&self) -> &[(u64, Machine)] {
        self.points.get_or_init(|| {
            let mut points = Vec::new();
            let end = self.play(&mut |tick, state| {
                points.push((tick, state.clone()));
                state.settle_exactly(|made, state| points.push((tick + made, state)))
            });
            // step by step it comes to the same
            assert_eq!((end.0, end.1.hash()), (self.ticks, self.end.hash()));
            points
        })
    }

    /// The state at a tick; nothing beyond the end, where the machine is blocked.
    pub fn at(&self, tick: u64) -> Option<Machine> {
        if tick > self.ticks {
            return None;
        }
        let points = self.points();
        let place = points.partition_point(|(at, _)| *at <= tick);
        let (at, state) = &points[place - 1];
        Some(state.after(tick - at).1)
    }

    pub fn end(&self) -> Machine {
        self.end.clone()
    }
}

/// What a player says about a period.
#[derive(Clone)]
pub struct Story {
    /// What it really computed.
    pub trace: Trace,
    /// From that tick on it invents states.
    pub lies_from: u64,
    /// What it invents.
    salt: u64,
    /// The number of ticks it claims.
    pub ticks: u64,
}

impl Story {
    pub fn of(trace: Trace) -> Story {
        let ticks = trace.ticks;
        Story { trace, lies_from: u64::MAX, salt: 0, ticks }
    }

    pub fn lie(trace: Trace, from: u64, ticks: u64, salt: u64) -> Story {
        Story { trace, lies_from: from, salt, ticks }
    }

    pub fn hash_at(&self, tick: u64) -> Option<StateHash> {
        if tick > self.ticks {
            None
        } else if tick >= self.lies_from || tick > self.trace.ticks {
            Some(StateHash(blake2b::digest(&[&self.salt.to_be_bytes(), &tick.to_be_bytes()])))
        } else {
            self.trace.at(tick).map(|state| state.hash())
        }
    }
}
