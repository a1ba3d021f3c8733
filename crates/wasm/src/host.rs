//! What the machine asks of the PVM around it: the imports a version offers, and the functions behind them
//! (`spec/pvm.md` §5.3, §5.6, §8).

use soru_merkle::containers::Vector;

use crate::eval::state::Reveal;
use crate::exception::{StepError, Stepped};
use crate::instance::{HostFunction, Memory};
use crate::types::Value;

/// The functions of the host.
pub trait Host {
    /// The function that an import of `smart_rollup_core` with this name stands for, if the version has it.
    fn import(&self, item: &[u8]) -> Option<HostFunction>;

    /// Calls the function stored under `name`. A name that the version does not have is the exception `Not_found`.
    fn call(&mut self, name: &[u8], arguments: &[Value], memory: &mut CallerMemory<'_>) -> Stepped<HostResult>;
}

/// What a call of a host function comes to.
#[derive(Debug, Clone)]
pub enum HostResult {
    /// Results, and the ticks that pass before the program goes on.
    Done {
        /// The results; the first will be on top.
        results: Vec<Value>,
        /// Ticks still to pass.
        ticks: i64,
    },
    /// Data from outside is needed.
    Reveal {
        /// The request.
        request: Reveal,
        /// Where the answer goes.
        base: i32,
        /// How much of it is wanted.
        max_bytes: i32,
    },
}

/// Whether a host function has a memory to work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryState {
    /// No: a module is being initialised.
    Initialising,
    /// No: the module has none, or several.
    NotOne,
    /// Yes.
    One,
}

/// Memory 0 of the calling module, loaded when first asked for.
#[derive(Debug)]
pub struct CallerMemory<'a> {
    /// None while a module is initialised.
    memories: Option<&'a Vector<Memory>>,
    loaded: Option<Memory>,
    changed: bool,
}

impl<'a> CallerMemory<'a> {
    pub(crate) fn new(memories: Option<&'a Vector<Memory>>) -> Self {
        CallerMemory { memories, loaded: None, changed: false }
    }

    /// Whether there is a memory; loads nothing.
    pub fn state(&self) -> MemoryState {
        match self.memories {
            None => MemoryState::Initialising,
            Some(memories) if memories.length() != 1 => MemoryState::NotOne,
            Some(_) => MemoryState::One,
        }
    }

    fn load(&mut self) -> Stepped<&mut Memory> {
        if self.loaded.is_none() {
            let Some(memories) = self.memories else {
                return Err(StepError::message("host functions must not access memory during initialisation"));
            };
            if memories.length() != 1 {
                return Err(StepError::message("caller module must have exactly 1 memory instance"));
            }
            self.loaded = Some(memories.get(0)?);
        }
        self.loaded.as_mut().ok_or(StepError::NoSuccessor("no memory was loaded"))
    }

    /// The memory, to read. The crash of a host function without a memory is an error here.
    pub fn get(&mut self) -> Stepped<&Memory> {
        self.load().map(|memory| &*memory)
    }

    /// The memory, to write.
    pub fn get_mut(&mut self) -> Stepped<&mut Memory> {
        self.changed = true;
        self.load()
    }

    pub(crate) fn into_changed(self) -> Option<Memory> {
        if self.changed { self.loaded } else { None }
    }
}
