//! What the machine asks of the PVM around it: the imports a version offers, and the functions behind them
//! (`spec/pvm.md` §5.3, §5.6, §8).

use soru_merkle::containers::Vector;

use crate::eval::state::Reveal;
use crate::exception::{StepError, Stepped};
use crate::flat::FlatMemory;
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
pub struct CallerMemory<'a>(Caller<'a>);

#[derive(Debug)]
enum Caller<'a> {
    /// A module is being initialised.
    Initialising,
    /// The tree's form of the memories.
    Tree { memories: &'a Vector<Memory>, loaded: Option<Memory>, changed: bool },
    /// The flat form of the one memory.
    Flat(&'a mut FlatMemory),
}

impl<'a> CallerMemory<'a> {
    /// Of a module with these memories; none while a module is initialised.
    pub(crate) fn new(memories: Option<&'a Vector<Memory>>) -> Self {
        CallerMemory(match memories {
            None => Caller::Initialising,
            Some(memories) => Caller::Tree { memories, loaded: None, changed: false },
        })
    }

    pub(crate) fn flat(memory: &'a mut FlatMemory) -> Self {
        CallerMemory(Caller::Flat(memory))
    }

    /// Whether there is a memory; loads nothing.
    pub fn state(&self) -> MemoryState {
        match &self.0 {
            Caller::Initialising => MemoryState::Initialising,
            Caller::Tree { memories, .. } if memories.length() != 1 => MemoryState::NotOne,
            Caller::Tree { .. } | Caller::Flat(_) => MemoryState::One,
        }
    }

    /// Size in bytes. The crash of a host function without a memory is an error, here as below.
    pub fn size(&mut self) -> Stepped<u64> {
        match &mut self.0 {
            Caller::Flat(memory) => Ok(memory.length()),
            caller => Ok(caller.load()?.bytes.length()),
        }
    }

    /// Fills `out` with the bytes from `address` on.
    pub fn read(&mut self, address: u64, out: &mut [u8]) -> Stepped<()> {
        match &mut self.0 {
            Caller::Flat(memory) => Ok(memory.read(address, out)?),
            caller => Ok(caller.load()?.bytes.read_into(address, out)?),
        }
    }

    /// Overwrites the bytes from `address` on.
    pub fn write(&mut self, address: u64, bytes: &[u8]) -> Stepped<()> {
        match &mut self.0 {
            Caller::Flat(memory) => return Ok(memory.write(address, bytes)?),
            Caller::Tree { changed, .. } => *changed = true,
            Caller::Initialising => {}
        }
        Ok(self.0.load()?.bytes.write_bytes(address, bytes)?)
    }

    pub(crate) fn into_changed(self) -> Option<Memory> {
        match self.0 {
            Caller::Tree { loaded, changed: true, .. } => loaded,
            _ => None,
        }
    }
}

impl Caller<'_> {
    fn load(&mut self) -> Stepped<&mut Memory> {
        let Caller::Tree { memories, loaded, .. } = self else {
            return Err(StepError::message("host functions must not access memory during initialisation"));
        };
        if loaded.is_none() {
            if memories.length() != 1 {
                return Err(StepError::message("caller module must have exactly 1 memory instance"));
            }
            *loaded = Some(memories.get(0)?);
        }
        loaded.as_mut().ok_or(StepError::NoSuccessor("no memory was loaded"))
    }
}
