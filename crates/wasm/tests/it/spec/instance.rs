//! A module in the machine: decoded, linked and initialised as a kernel is, its exported functions called one at a time.

use soru_merkle::NodeHash;
use soru_merkle::containers::{ChunkedBytes, Vector};
use soru_wasm::eval::state::{Config, LabelKont, StepKont};
use soru_wasm::eval::{self, Machine};
use soru_wasm::exception::{Exception, StepError, Stepped};
use soru_wasm::flat::Flat;
use soru_wasm::host::{CallerMemory, Host, HostResult};
use soru_wasm::init;
use soru_wasm::init::state::{InitKont, InitState};
use soru_wasm::instance::{HostFunction, Registry};
use soru_wasm::machine::{EvalState, Next, Running};
use soru_wasm::types::{Name, Num, Value};
use std::sync::Arc;

/// Frames at which a call stack is exhausted: version 0's limit.
const STACK_LIMIT: i32 = 300;

/// Ticks a call may take: a few calls fill or copy whole pages byte by byte.
pub const MOST_TICKS: u64 = 100_000;

/// A host without functions.
struct NoHost;

impl Host for NoHost {
    fn import(&self, _: &[u8]) -> Option<HostFunction> {
        None
    }

    fn call(&mut self, _: &[u8], _: &[Value], _: &mut CallerMemory<'_>) -> Stepped<HostResult> {
        Err(StepError::unknown("Not_found"))
    }
}

/// What the machine came to when it did not come to a result.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// An evaluation trapped: it ends, and leaves a flag.
    Trapped(String),
    /// An exception while in this tick state: the machine gets stuck. The explanation, or else the raw exception.
    Exception(&'static str, String),
    /// An import does not exist.
    LinkFailed(String),
    /// The reference fails outside the machine.
    NoSuccessor(String),
    /// More ticks than a test may take.
    TooLong,
}

impl End {
    /// The text of a trap, however it shows.
    pub fn text(&self) -> &str {
        match self {
            End::Trapped(text) | End::Exception(_, text) | End::LinkFailed(text) | End::NoSuccessor(text) => text,
            End::TooLong => "too long",
        }
    }
}

fn end(phase: &'static str, error: StepError) -> End {
    match error {
        StepError::Exception(exception) => {
            let Exception { raw, interpreter } = *exception;
            let text = interpreter.flatten().unwrap_or(raw);
            End::Exception(phase, String::from_utf8_lossy(&text).into_owned())
        }
        error => End::NoSuccessor(error.to_string()),
    }
}

/// An initialised module.
pub struct Instance {
    state: InitState,
    /// Ticks made so far.
    pub ticks: u64,
    calls: u64,
}

impl Instance {
    /// Decodes, links and initialises a module.
    pub fn new(module: &[u8]) -> Result<Instance, End> {
        let kernel = ChunkedBytes::from_bytes(module);
        let mut running = Running::initial();
        let mut ticks = 0;
        loop {
            if let Running::Init(state) = &running
                && let InitKont::Stop(()) = state.kont
            {
                return Ok(Instance { state: (**state).clone(), ticks, calls: 0 });
            }
            ticks += 1;
            let phase = running.tag();
            running = match running.step(&mut NoHost, STACK_LIMIT, || Ok(kernel.clone())) {
                Ok(Next::Running(running)) => running,
                Ok(Next::LinkFailed(text)) => return Err(End::LinkFailed(String::from_utf8(text).unwrap())),
                Ok(other) => panic!("before the initialisation has ended: {other:?}"),
                Err(error) => return Err(end(phase, error)),
            };
        }
    }

    /// Calls an exported function, in single steps and many ticks at once, which must come to the same. What it changes stays
    /// changed, whatever the end.
    pub fn call(&mut self, function: &str, arguments: Vec<Value>) -> Result<Vec<Value>, End> {
        let config = init::entry_point(STACK_LIMIT, &self.state, function).map_err(|error| end("init", error))?;
        let mut config = config.unwrap_or_else(|| panic!("'{function}' is not exported as a function"));
        push(&mut config, arguments);
        let mut registry = self.state.registry.clone();
        let mut machine = Machine { registry: &mut registry, host: &mut NoHost, init: false };
        let (flat_ticks, flat) = Flat::default().advance(&mut machine, config.clone(), MOST_TICKS);
        let (ticks, single) = self.steps(config);
        assert_eq!(ticks, flat_ticks, "{function}: ticks at once");
        self.calls += 1;
        match (single, flat) {
            (Ok(single), Ok(flat)) => {
                // whole states are compared now and then: that takes longer than the calls
                if self.calls % 32 == 1 {
                    let registries = (self.state.registry.clone(), registry);
                    assert_eq!(
                        hash(&single, registries.0),
                        hash(&flat, registries.1),
                        "{function}: {ticks} ticks at once"
                    );
                }
                let found = result(&single);
                assert_eq!(format!("{found:?}"), format!("{:?}", result(&flat)), "{function}: the result at once");
                found
            }
            (Err(single), Err(flat)) => {
                let (single, flat) = (end("eval", single), end("eval", flat));
                assert_eq!(single, flat, "{function}: the exception at once");
                Err(single)
            }
            (single, flat) => panic!("{function}: {:?} in single steps, {:?} at once", single.err(), flat.err()),
        }
    }

    /// An evaluation in single steps, to its end or for as many ticks as it may take. Gives the ticks made.
    fn steps(&mut self, mut config: Config) -> (u64, Stepped<Config>) {
        let mut ticks = 0;
        while ticks < MOST_TICKS && !matches!(config.kont, StepKont::Result(_) | StepKont::Trapped(_)) {
            let mut machine = Machine { registry: &mut self.state.registry, host: &mut NoHost, init: false };
            config = match eval::step(&mut machine, config) {
                Ok(config) => config,
                Err(error) => {
                    self.ticks += ticks;
                    return (ticks, Err(error));
                }
            };
            ticks += 1;
        }
        self.ticks += ticks;
        (ticks, Ok(config))
    }

    /// The value of the module's last global, which is then set to zero.
    pub fn take_mark(&mut self) -> bool {
        let name = Name::from("main");
        let mut instance = (*self.state.registry.get(&name).unwrap()).clone();
        let last = instance.globals.signed_length() - 1;
        let mut global = instance.globals.get(last).unwrap();
        let set = matches!(global.value, Value::Num(Num::I32(1)));
        global.value = Value::i32(0);
        instance.globals.set(last, global).unwrap();
        self.state.registry.set(name, Arc::new(instance));
        set
    }
}

/// What an evaluation came to.
fn result(config: &Config) -> Result<Vec<Value>, End> {
    match &config.kont {
        StepKont::Result(values) => {
            let mut results = values.to_list().map_err(|error| end("eval", error.into()))?;
            results.reverse();
            Ok(results)
        }
        StepKont::Trapped(text) => Err(End::Trapped(String::from_utf8_lossy(text.as_bytes()).into_owned())),
        _ => Err(End::TooLong),
    }
}

/// Hash of the state of an evaluation.
fn hash(config: &Config, registry: Registry) -> NodeHash {
    let state = EvalState { config: config.clone(), registry };
    Running::Eval(Box::new(state)).write().unwrap().hash().unwrap()
}

/// Puts the arguments on the stack of an evaluation that has not begun, the last on top.
fn push(config: &mut Config, arguments: Vec<Value>) {
    let StepKont::Start(start) = &mut config.kont else { panic!("the evaluation has begun") };
    let LabelKont::Stack(labels) = &mut start.top.labels else { panic!("the evaluation has no block") };
    labels.top.values = Vector::from_list(arguments.into_iter().rev());
}
