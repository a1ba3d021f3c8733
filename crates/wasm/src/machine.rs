//! The tick states of a `kernel_run`, from the first byte of the kernel to the last instruction, and the step between them
//! (`spec/pvm.md` §4.2, §5.1).

use soru_merkle::containers::{ChunkedBytes, ContainerError, HashWriter, TreeValue, Writer};
use soru_merkle::tree_record;
use soru_merkle::{Digester, Tree};

use crate::decode;
use crate::decode::state::{DecodeState, ModuleKont};
use crate::eval::state::{Config, StepKont};
use crate::eval::{self, Machine};
use crate::exception::Stepped;
use crate::flat::{self, Flat};
use crate::host::Host;
use crate::init;
use crate::init::state::{EvalStart, InitKont, InitState};
use crate::instance::Registry;
use crate::link::{self, LinkState, Linked};

/// Name of the function a kernel exports to be run.
pub const ENTRY: &str = "kernel_run";

tree_record! {
    /// The tick state `eval`: a function being evaluated.
    pub struct EvalState {
        /// The evaluation.
        config: Config = ["config"],
        /// The modules that run.
        registry: Registry = ["modules"],
    }
}

/// A tick state of a `kernel_run`.
#[derive(Debug, Clone)]
pub enum Running {
    /// The kernel is being parsed.
    Decode(Box<DecodeState>),
    /// Its imports are being resolved.
    Link(Box<LinkState>),
    /// It is being instantiated.
    Init(Box<InitState>),
    /// It runs.
    Eval(Box<EvalState>),
}

/// What a step leads to.
#[derive(Debug, Clone)]
pub enum Next {
    /// The next state.
    Running(Running),
    /// The evaluation is about to start; the kernel is known to be valid.
    Started(Running),
    /// The evaluation has come to its end.
    Finished,
    /// The evaluation has trapped.
    Trapped,
    /// An import does not exist; the text, not yet truncated.
    LinkFailed(Vec<u8>),
    /// `kernel_run` is exported, but not as a function.
    NoEntry,
}

impl Running {
    /// Before the first byte of the kernel.
    pub fn initial() -> Running {
        Running::Decode(Box::new(DecodeState::initial()))
    }

    /// The tag of the state in the tree.
    pub fn tag(&self) -> &'static str {
        match self {
            Running::Decode(_) => "decode",
            Running::Link(_) => "link",
            Running::Init(_) => "init",
            Running::Eval(_) => "eval",
        }
    }

    /// Reads the state with this tag from its payload; none for the tag of another state.
    pub fn read(tag: &str, payload: &Tree) -> Result<Option<Running>, ContainerError> {
        Ok(Some(match tag {
            "decode" => Running::Decode(TreeValue::read(payload, &[])?),
            "link" => Running::Link(TreeValue::read(payload, &[])?),
            "init" => Running::Init(TreeValue::read(payload, &[])?),
            "eval" => Running::Eval(TreeValue::read(payload, &[])?),
            _ => return Ok(None),
        }))
    }

    /// The payload of the state.
    pub fn write(&self) -> Result<Tree, ContainerError> {
        let mut payload = Tree::empty();
        self.write_to(&mut payload)?;
        Ok(payload)
    }

    /// The payload of the state when it is only to be hashed: it cannot be read.
    pub fn write_hash(&self, digester: &mut Digester) -> Result<Tree, ContainerError> {
        let mut payload = HashWriter::new(digester);
        self.write_to(&mut payload)?;
        Ok(payload.finish()?)
    }

    fn write_to(&self, payload: &mut impl Writer) -> Result<(), ContainerError> {
        match self {
            Running::Decode(state) => state.write(payload, &[]),
            Running::Link(state) => state.write(payload, &[]),
            Running::Init(state) => state.write(payload, &[]),
            Running::Eval(state) => state.write(payload, &[]),
        }
    }

    /// One tick. `kernel` reads the value of `/kernel/boot.wasm`; it is asked for while parsing only.
    pub fn step(
        self,
        host: &mut dyn Host,
        stack_size_limit: i32,
        kernel: impl FnOnce() -> Stepped<ChunkedBytes>,
    ) -> Stepped<Next> {
        match self {
            Running::Decode(state) => match state.kont {
                ModuleKont::Stop(module) => Ok(Next::Running(Running::Link(Box::new(LinkState::new(*module))))),
                _ => {
                    let state = decode::step(&kernel()?, *state)?;
                    Ok(Next::Running(Running::Decode(Box::new(state))))
                }
            },
            Running::Link(state) => Ok(match link::step(host, *state)? {
                Linked::Next(state) => Next::Running(Running::Link(state)),
                Linked::Done(state) => Next::Running(Running::Init(state)),
                Linked::Failed(text) => Next::LinkFailed(text),
            }),
            Running::Init(state) => {
                if let InitKont::Stop(()) = state.kont {
                    let config = init::entry_point(stack_size_limit, &state, ENTRY)?;
                    return Ok(match config {
                        Some(config) => {
                            Next::Started(Running::Eval(Box::new(EvalState { config, registry: state.registry })))
                        }
                        None => Next::NoEntry,
                    });
                }
                Ok(Next::Running(Running::Init(Box::new(init::step(host, stack_size_limit, *state)?))))
            }
            Running::Eval(state) => {
                let EvalState { config, mut registry } = *state;
                match config.kont {
                    StepKont::Trapped(_) => Ok(Next::Trapped),
                    StepKont::Result(_) => Ok(Next::Finished),
                    _ => {
                        let mut machine = Machine { registry: &mut registry, host, init: false };
                        let config = eval::step(&mut machine, config)?;
                        Ok(Next::Running(Running::Eval(Box::new(EvalState { config, registry }))))
                    }
                }
            }
        }
    }

    /// Whether this is an evaluation, of the kernel or of its initialisation, that is neither over nor waiting for a reveal:
    /// [`Running::advance`] makes at least one step.
    pub fn is_underway(&self) -> bool {
        match self {
            Running::Eval(state) => !flat::is_over(&state.config),
            Running::Init(state) => matches!(&state.kont, InitKont::Eval(start) if !flat::is_over(&start.config)),
            Running::Decode(_) | Running::Link(_) => false,
        }
    }

    /// At most `ticks` steps at once, as many as an evaluation makes up to its end or to a reveal; none in other states. Gives
    /// those made; an error is that of the step behind them. The state is the one that single steps come to. `flat` is kept
    /// between calls for the same evaluation.
    pub fn advance(self, flat: &mut Flat, host: &mut dyn Host, ticks: u64) -> (u64, Stepped<Running>) {
        match self {
            Running::Eval(state) => {
                let EvalState { config, mut registry } = *state;
                let mut machine = Machine { registry: &mut registry, host, init: false };
                let (made, config) = flat.advance(&mut machine, config, ticks);
                (made, config.map(|config| Running::Eval(Box::new(EvalState { config, registry }))))
            }
            Running::Init(state) => {
                let InitState { name, module, kont, mut registry } = *state;
                let InitKont::Eval(start) = kont else {
                    return (0, Ok(Running::Init(Box::new(InitState { name, module, kont, registry }))));
                };
                let mut machine = Machine { registry: &mut registry, host, init: true };
                let (made, config) = flat.advance(&mut machine, start.config, ticks);
                let init = |config| {
                    let kont = InitKont::Eval(Box::new(EvalStart { config }));
                    Running::Init(Box::new(InitState { name, module, kont, registry }))
                };
                (made, config.map(init))
            }
            other => (0, Ok(other)),
        }
    }
}
