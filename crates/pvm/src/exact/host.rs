//! The PVM's host functions as the small-step machine calls them (`spec/pvm.md` §5.6, §8).

use crate::error::PvmError;
use crate::host::{
    self, Exception, GuestMemory, HostFunction, NO_MEMORY_IN_INIT, ONE_MEMORY_EXPECTED, Outcome, Value, ValueType,
};
use crate::state::Storage;
use crate::version::Version;
use soru_merkle::TreeError;
use soru_merkle::containers::{ContainerError, Text, Vector};
use soru_wasm::eval::state::Reveal;
use soru_wasm::exception::{StepError, Stepped};
use soru_wasm::host::{CallerMemory, Host, HostResult, MemoryState};
use soru_wasm::instance::Memory;
use soru_wasm::types::{FuncType, Num, ValueType as WasmType};

/// The host functions of a version, working on a storage.
pub(super) struct ExactHost<'a> {
    pub(super) version: Version,
    pub(super) storage: &'a mut Storage,
    /// What went wrong outside the rules, when a call says that there is no successor.
    pub(super) failure: Option<PvmError>,
}

fn types(of: &[ValueType]) -> Vector<WasmType> {
    Vector::from_list(of.iter().map(|kind| match kind {
        ValueType::I32 => WasmType::I32,
        ValueType::I64 => WasmType::I64,
    }))
}

impl Host for ExactHost<'_> {
    fn import(&self, item: &[u8]) -> Option<soru_wasm::instance::HostFunction> {
        let function = host::by_import(self.version, std::str::from_utf8(item).ok()?)?;
        let signature = function.signature();
        let kind = FuncType { params: types(signature.params), results: types(signature.results) };
        Some(soru_wasm::instance::HostFunction { kind, name: Text::from(function.stored_name()) })
    }

    fn call(
        &mut self,
        name: &[u8],
        arguments: &[soru_wasm::types::Value],
        memory: &mut CallerMemory<'_>,
    ) -> Stepped<HostResult> {
        let function = std::str::from_utf8(name).ok().and_then(|name| host::by_stored_name(self.version, name));
        let Some(function) = function else { return Err(StepError::unknown("Not_found")) };
        let numbers: Option<Vec<Value>> = arguments
            .iter()
            .map(|argument| match argument {
                soru_wasm::types::Value::Num(Num::I32(value)) => Some(Value::I32(*value)),
                soru_wasm::types::Value::Num(Num::I64(value)) => Some(Value::I64(*value)),
                _ => None,
            })
            .collect();
        // no function takes as many arguments as this: anything else than numbers is as wrong as a wrong number of them
        let arguments = numbers.unwrap_or_else(|| vec![Value::I32(0); 16]);
        // an exception leaves the durable storage as it was
        let before = self.storage.durable.clone();
        match self.outcome(function, &arguments, memory) {
            Ok(outcome) => finish(outcome).inspect_err(|_| self.storage.durable = before),
            Err(PvmError::Tree(error)) => Err(StepError::Tree(error)),
            Err(error) => {
                self.failure = Some(error);
                Err(StepError::NoSuccessor("a host function failed"))
            }
        }
    }
}

impl ExactHost<'_> {
    fn outcome(
        &mut self,
        function: HostFunction,
        arguments: &[Value],
        memory: &mut CallerMemory<'_>,
    ) -> Result<Outcome, PvmError> {
        let mut guest;
        let memory: Result<&mut dyn GuestMemory, host::Crash> = match memory.state() {
            MemoryState::Initialising => Err(NO_MEMORY_IN_INIT),
            MemoryState::NotOne => Err(ONE_MEMORY_EXPECTED),
            MemoryState::One if function == HostFunction::RevealMetadata => Err(ONE_MEMORY_EXPECTED),
            MemoryState::One => {
                let size = memory.size().map_err(tree_error)?;
                guest = Guest { memory, size };
                Ok(&mut guest)
            }
        };
        host::call(function, arguments, memory, self.storage)
    }
}

fn finish(outcome: Outcome) -> Stepped<HostResult> {
    match outcome {
        Outcome::Return { result, ticks } => {
            let result = result.map(|value| match value {
                Value::I32(value) => Num::I32(value),
                Value::I64(value) => Num::I64(value),
            });
            let results = result.map(soru_wasm::types::Value::Num).into_iter().collect();
            Ok(HostResult::Done { results, ticks: i64::try_from(ticks).unwrap_or(i64::MAX) })
        }
        Outcome::Reveal { request, destination, max_bytes } => {
            Ok(HostResult::Reveal { request: Reveal::from_payload(request), base: destination, max_bytes })
        }
        Outcome::Raise(Exception::BadInput) => Err(StepError::unknown("Tezos_scoru_wasm.Host_funcs.Bad_input")),
        Outcome::Raise(Exception::InvalidArgument(what)) => {
            Err(StepError::unknown(&format!("Invalid_argument(\"{what}\")")))
        }
        Outcome::Raise(Exception::Crash(message)) => Err(StepError::message(message)),
        Outcome::Raise(Exception::NoNds) => {
            Err(StepError::NoSuccessor("a function of the new durable storage is called without that storage"))
        }
    }
}

/// The tree's error behind an error of the machine's memory. Bounds are checked before, so no other can occur.
fn tree_error(error: StepError) -> TreeError {
    match error {
        StepError::Tree(error) => error,
        _ => malformed(),
    }
}

fn container_error(error: ContainerError) -> TreeError {
    match error {
        ContainerError::Tree(error) => error,
        _ => malformed(),
    }
}

fn malformed() -> TreeError {
    TreeError::Corrupt { hash: soru_merkle::NodeHash::EMPTY, reason: "the memory of the machine is malformed" }
}

/// The caller's memory, loaded.
struct Guest<'a, 'b> {
    memory: &'a mut CallerMemory<'b>,
    size: u64,
}

impl GuestMemory for Guest<'_, '_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read(&mut self, address: u64, out: &mut [u8]) -> Result<(), TreeError> {
        self.memory.read(address, out).map_err(tree_error)
    }

    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), TreeError> {
        self.memory.write(address, data).map_err(tree_error)
    }

    fn touch(&mut self, address: u64, length: u64) -> Result<(), TreeError> {
        let mut buffer = vec![0; usize::try_from(length).unwrap_or(0).min(4096)];
        self.read(address, &mut buffer)
    }
}

/// A memory that is not reached through a call.
pub(super) struct Plain<'a>(pub(super) &'a mut Memory);

impl GuestMemory for Plain<'_> {
    fn size(&self) -> u64 {
        self.0.bytes.length()
    }

    fn read(&mut self, address: u64, out: &mut [u8]) -> Result<(), TreeError> {
        self.0.bytes.read_into(address, out).map_err(container_error)
    }

    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), TreeError> {
        self.0.bytes.write_bytes(address, data).map_err(container_error)
    }
}
