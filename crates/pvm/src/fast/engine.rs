//! The native engine: wasmtime, configured so that whatever it does is what the exact machine would do, or else ends in a
//! trap or refusal that is reported as [`Undecided`].

use super::limits::{Limits, STACK_BYTES, TickPolicy};
use super::modules::{self, ModuleStore};
use super::validate::{Facts, validate};
use crate::durable::keys;
use crate::error::{PvmError, Undecided};
use crate::host::{self, Exception, GuestMemory, HostFunction, Outcome, Value, ValueType};
use crate::reveal::Reveals;
use crate::state::{State, Storage};
use crate::step::{clear_failure_flags, save_fallback_kernel};
use crate::version::Version;
use soru_merkle::TreeError;
use soru_tezos::scalar::Level;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use wasmtime::{
    Caller, Config, Engine, FuncType, InstanceAllocationStrategy, InstancePre, Linker, Memory, Module, OperatorCost,
    PoolingAllocationConfig, ResourceLimiter, Store, Trap, Val, ValType,
};

/// Longest kernel that is compiled.
const MAX_KERNEL: u64 = 256 << 20;

/// Bounds of the engine. They do not influence results, only what is left undecided.
#[derive(Debug, Clone, Copy)]
pub struct FastConfig {
    /// Largest memory of a kernel in bytes; it is taken from the system only as the kernel touches it.
    pub max_memory: usize,
    /// Largest table of a kernel.
    pub max_table_elements: usize,
    /// Compiled kernels kept.
    pub module_cache: usize,
    /// How certain it must be that a run stays within its ticks.
    pub ticks: TickPolicy,
}

impl Default for FastConfig {
    fn default() -> Self {
        FastConfig { max_memory: 4 << 30, max_table_elements: 100_000, module_cache: 4, ticks: TickPolicy::Proven }
    }
}

/// A kernel, compiled and linked for a version.
struct Kernel {
    facts: Facts,
    instance: InstancePre<Run>,
}

type CacheEntry = ([u8; 32], Version, Result<Arc<Kernel>, Undecided>);

/// Runs kernels in native code. Shared by all rollups of a process.
pub struct FastEngine {
    config: FastConfig,
    engine: Engine,
    linkers: [OnceLock<Linker<Run>>; Version::ALL.len()],
    cache: Mutex<VecDeque<CacheEntry>>,
    modules: Option<Arc<dyn ModuleStore>>,
}

/// The engine could not be set up on this machine.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the fast engine: {0}")]
pub struct EngineError(String);

/// What a run carries: the state's storage, and how it was stopped.
struct Run {
    storage: Storage,
    reveals: Arc<dyn Reveals>,
    last_input: Option<Level>,
    memory: Option<Memory>,
    host_ticks: u128,
    bounds: Bounds,
    stopped: Option<Stopped>,
}

enum Stopped {
    Undecided(Undecided),
    Failed(PvmError),
}

struct Bounds {
    max_memory: usize,
    max_table_elements: usize,
    exceeded: Option<Undecided>,
}

impl Bounds {
    fn refuse(&mut self, what: &'static str, size: usize, bound: usize) -> wasmtime::Error {
        self.exceeded = Some(Undecided::Bound { what, size, bound });
        wasmtime::Error::msg("beyond the engine's bounds")
    }
}

impl ResourceLimiter for Bounds {
    fn memory_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= maximum.unwrap_or(usize::MAX).min(4 << 30);
        if allowed && desired > self.max_memory {
            return Err(self.refuse("memory", desired, self.max_memory));
        }
        Ok(allowed)
    }

    // a memory that the rules allow but the system refuses would be visible to the kernel
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.exceeded = Some(Undecided::Init(format!("memory: {error}")));
        Err(error)
    }

    fn table_growing(&mut self, _: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= maximum.unwrap_or(usize::MAX).min(u32::MAX as usize);
        if allowed && desired > self.max_table_elements {
            return Err(self.refuse("table", desired, self.max_table_elements));
        }
        Ok(allowed)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        self.exceeded = Some(Undecided::Init(format!("table: {error}")));
        Err(error)
    }
}

struct Slice<'a>(&'a mut [u8]);

impl GuestMemory for Slice<'_> {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&mut self, address: u64, out: &mut [u8]) -> Result<(), TreeError> {
        let start = address as usize;
        out.copy_from_slice(&self.0[start..start + out.len()]);
        Ok(())
    }

    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), TreeError> {
        let start = address as usize;
        self.0[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }
}

/// Runs at once that the engine has room for.
const CONCURRENT_RUNS: u32 = 64;
/// Tables a kernel may have.
const MAX_TABLES: u32 = 8;

/// Room for memories and tables, reserved once and used again by each run.
fn pool(config: &FastConfig) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(CONCURRENT_RUNS)
        .max_core_instance_size(16 << 20)
        .total_memories(CONCURRENT_RUNS)
        .max_memory_size(config.max_memory)
        .linear_memory_keep_resident(256 << 10)
        .total_tables(CONCURRENT_RUNS * MAX_TABLES)
        .max_tables_per_module(MAX_TABLES)
        .table_elements(config.max_table_elements)
        .table_keep_resident(64 << 10);
    pool
}

impl FastEngine {
    /// An engine with these bounds.
    pub fn new(config: FastConfig) -> Result<FastEngine, EngineError> {
        let mut engine = Config::new();
        let mut cost = OperatorCost::new();
        // every instruction counts once; the ends of blocks belong to their beginnings
        (cost.Nop, cost.Drop, cost.Block, cost.Loop, cost.Return, cost.Unreachable) = (1, 1, 1, 1, 1, 1);
        engine
            .max_wasm_stack(STACK_BYTES)
            .consume_fuel(true)
            .operator_cost(cost)
            .epoch_interruption(true)
            .compiler_inlining(wasmtime::Inlining::No)
            .wasm_multi_memory(false)
            .wasm_memory64(false)
            .wasm_relaxed_simd(false)
            .wasm_extended_const(false)
            .wasm_tail_call(false)
            .wasm_backtrace_max_frames(None);
        // slots that are used again make a run half as expensive; where the address space is too small for them, it goes without
        let mut pooled = engine.clone();
        pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(&config)));
        let engine = Engine::new(&pooled)
            .or_else(|_| Engine::new(&engine))
            .map_err(|error| EngineError(format!("{error:#}")))?;
        let linkers = std::array::from_fn(|_| OnceLock::new());
        Ok(FastEngine { config, engine, linkers, cache: Mutex::new(VecDeque::new()), modules: None })
    }

    /// The same engine, which looks for compiled kernels in `modules` and keeps them there.
    pub fn with_modules(self, modules: Arc<dyn ModuleStore>) -> FastEngine {
        FastEngine { modules: Some(modules), ..self }
    }

    /// Stops all runs under way; they end [`Undecided::Interrupted`]. Later runs are not concerned.
    pub fn interrupt(&self) {
        self.engine.increment_epoch();
    }

    /// Runs the kernel of a state that is at a snapshot, and gives the storage as it is when the evaluation has ended and the cycle is
    /// about to. The state given is not touched.
    pub fn kernel_run(&self, state: &State, reveals: Arc<dyn Reveals>) -> Result<Storage, PvmError> {
        let version = state.version()?;
        if state.has_nds()? {
            return Err(state.undecided(Undecided::Nds("the state has it already")));
        }
        let undecided = |reason| state.undecided(reason);
        let kernel = self.kernel(state, version)?.map_err(undecided)?;
        let limits = Limits::new(self.config.ticks, &kernel.facts, version, state.max_nb_ticks).map_err(undecided)?;
        let mut storage = state.storage.clone();
        save_fallback_kernel(&mut storage.durable)?;
        let last_input = state.last_input.map(|input| input.level);
        let (mut storage, end) = match self.run(&kernel, &limits, storage, reveals, last_input) {
            Ok(ended) => ended,
            Err(Stopped::Undecided(reason)) => return Err(undecided(reason)),
            Err(Stopped::Failed(error)) => return Err(error),
        };
        match end {
            End::Finished => clear_failure_flags(&mut storage.durable)?,
            End::Trapped => storage.durable.touch_at(keys::STUCK)?,
        }
        Ok(storage)
    }

    fn run(
        &self,
        kernel: &Kernel,
        limits: &Limits,
        storage: Storage,
        reveals: Arc<dyn Reveals>,
        last_input: Option<Level>,
    ) -> Result<(Storage, End), Stopped> {
        let bounds = Bounds {
            max_memory: self.config.max_memory,
            max_table_elements: self.config.max_table_elements,
            exceeded: None,
        };
        let run = Run { storage, reveals, last_input, memory: None, host_ticks: 0, bounds, stopped: None };
        let mut store = Store::new(&self.engine, run);
        store.limiter(|run| &mut run.bounds);
        store.set_epoch_deadline(1);
        let fuel = limits.fuel();
        let out_of_order = |error: wasmtime::Error| Stopped::Undecided(Undecided::Init(error.to_string()));
        store.set_fuel(fuel).map_err(out_of_order)?;
        let instance = match kernel.instance.instantiate(&mut store) {
            Ok(instance) => instance,
            Err(error) => return Err(stopped(&mut store, &error, limits, Undecided::Init)),
        };
        let memory = instance.get_memory(&mut store, &kernel.facts.memory);
        store.data_mut().memory = memory;
        let Some(entry) = instance.get_func(&mut store, "kernel_run") else {
            return Err(Stopped::Undecided(Undecided::Export("there is no function 'kernel_run'".into())));
        };
        let mut results = vec![Val::I32(0); entry.ty(&store).results().len()];
        let end = match entry.call(&mut store, &[], &mut results) {
            Ok(()) => End::Finished,
            Err(error) if traps_alike(&error) => End::Trapped,
            Err(error) => return Err(stopped(&mut store, &error, limits, Undecided::Trap)),
        };
        let counted = fuel.saturating_sub(store.get_fuel().map_err(out_of_order)?);
        let instructions = if end == End::Trapped { limits.instructions_at_trap(counted) } else { counted };
        let run = store.into_data();
        limits.check(instructions, run.host_ticks).map_err(Stopped::Undecided)?;
        Ok((run.storage, end))
    }

    /// The state's kernel, compiled now or before.
    fn kernel(&self, state: &State, version: Version) -> Result<Result<Arc<Kernel>, Undecided>, PvmError> {
        let tree = state.storage.durable.value_tree(keys::KERNEL)?.ok_or(PvmError::NoKernel);
        let Ok(tree) = tree else { return Ok(Err(Undecided::Module("the kernel is gone".into()))) };
        let hash = tree.hash()?.0;
        let lock = || self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((.., kernel)) = lock().iter().find(|entry| entry.0 == hash && entry.1 == version) {
            return Ok(kernel.clone());
        }
        let value = crate::cbv::ChunkedBytes::decode(tree)?;
        if value.length() > MAX_KERNEL {
            return Ok(Err(Undecided::Module(format!("{} bytes are too many", value.length()))));
        }
        let kernel = self.compile(&hash, &value.read(0, MAX_KERNEL as usize)?, version).map(Arc::new);
        let mut cache = lock();
        cache.push_back((hash, version, kernel.clone()));
        if cache.len() > self.config.module_cache.max(1) {
            cache.pop_front();
        }
        Ok(kernel)
    }

    fn compile(&self, hash: &[u8; 32], bytes: &[u8], version: Version) -> Result<Kernel, Undecided> {
        let facts = validate(bytes)?;
        let instance = self
            .linker(version)
            .map_err(|error| Undecided::Link(format!("{error:#}")))?
            .instantiate_pre(&self.module(hash, bytes)?)
            .map_err(|error| Undecided::Link(format!("{error:#}")))?;
        Ok(Kernel { facts, instance })
    }

    /// The kernel in native code, from the store of compiled kernels if it is there.
    fn module(&self, hash: &[u8; 32], bytes: &[u8]) -> Result<Module, Undecided> {
        let compile =
            || Module::from_binary(&self.engine, bytes).map_err(|error| Undecided::Module(format!("{error:#}")));
        let Some(store) = &self.modules else { return compile() };
        let name = modules::name(hash);
        let kept = store.load(&name).and_then(|kept| modules::read(&self.engine, hash, &kept));
        if let Some(module) = kept {
            return Ok(module);
        }
        let module = compile()?;
        if let Some(bytes) = modules::write(&self.engine, hash, &module) {
            store.save(&name, &bytes);
        }
        Ok(module)
    }

    fn linker(&self, version: Version) -> wasmtime::Result<&Linker<Run>> {
        let cell = &self.linkers[version as usize];
        if let Some(linker) = cell.get() {
            return Ok(linker);
        }
        let mut linker = Linker::new(&self.engine);
        for function in host::TABLE.iter().copied().filter(|function| function.since() <= version) {
            let signature = function.signature();
            let types = |types: &'static [ValueType]| {
                types.iter().map(|ty| match ty {
                    ValueType::I32 => ValType::I32,
                    ValueType::I64 => ValType::I64,
                })
            };
            let ty = FuncType::new(&self.engine, types(signature.params), types(signature.results));
            linker.func_new(host::MODULE, function.import(), ty, move |caller, arguments, results| {
                call(function, caller, arguments, results)
            })?;
        }
        Ok(cell.get_or_init(|| linker))
    }
}

/// How an evaluation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Finished,
    /// By a trap that only sets a flag for the next run (§5.1).
    Trapped,
}

/// Whether the error is a trap that is a trap of the exact machine too. Others are its exceptions, or depend on which
/// instruction it was: an element out of a table is a trap for `table.get`, an exception for `call_indirect`.
fn traps_alike(error: &wasmtime::Error) -> bool {
    use Trap as T;
    matches!(
        error.downcast_ref::<Trap>(),
        Some(
            T::UnreachableCodeReached
                | T::MemoryOutOfBounds
                | T::IntegerDivisionByZero
                | T::IntegerOverflow
                | T::BadSignature
        )
    )
}

/// Why a run ended before its end.
fn stopped(
    store: &mut Store<Run>,
    error: &wasmtime::Error,
    limits: &Limits,
    other: fn(String) -> Undecided,
) -> Stopped {
    let run = store.data_mut();
    if let Some(stopped) = run.stopped.take() {
        return stopped;
    }
    if let Some(reason) = run.bounds.exceeded.take() {
        return Stopped::Undecided(reason);
    }
    Stopped::Undecided(match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => limits.exceeded(),
        Some(Trap::Interrupt) => Undecided::Interrupted,
        Some(Trap::StackOverflow) => Undecided::Stack { limit: Version::V1.stack_size_limit() },
        Some(trap) => other(trap.to_string()),
        None => other(format!("{error:#}")),
    })
}

/// A host function called by the kernel.
fn call(
    function: HostFunction,
    mut caller: Caller<'_, Run>,
    arguments: &[Val],
    results: &mut [Val],
) -> wasmtime::Result<()> {
    match call_host(function, &mut caller, arguments) {
        Ok((result, ticks)) => {
            if let (Some(slot), Some(result)) = (results.first_mut(), result) {
                *slot = match result {
                    Value::I32(value) => Val::I32(value),
                    Value::I64(value) => Val::I64(value),
                };
            }
            let run = caller.data_mut();
            run.host_ticks = run.host_ticks.saturating_add(ticks);
            Ok(())
        }
        Err(stopped) => {
            caller.data_mut().stopped = Some(stopped);
            Err(wasmtime::Error::msg("stopped by a host function"))
        }
    }
}

fn call_host(
    function: HostFunction,
    caller: &mut Caller<'_, Run>,
    arguments: &[Val],
) -> Result<(Option<Value>, u128), Stopped> {
    let undecided = |problem: String| Stopped::Undecided(Undecided::Host { name: function.import(), problem });
    let Some(memory) = caller.data().memory else {
        return Err(undecided("it is called during the initialisation".into()));
    };
    let mut values = [Value::I32(0); 8];
    let mut count = 0;
    for (slot, argument) in values.iter_mut().zip(arguments) {
        *slot = match argument {
            Val::I32(value) => Value::I32(*value),
            Val::I64(value) => Value::I64(*value),
            other => return Err(undecided(format!("an argument is {other:?}"))),
        };
        count += 1;
    }
    let (bytes, run) = memory.data_and_store_mut(caller);
    let mut memory = Slice(bytes);
    match host::call(function, &values[..count], Ok(&mut memory), &mut run.storage).map_err(Stopped::Failed)? {
        Outcome::Return { result, ticks } => Ok((result, ticks)),
        Outcome::Reveal { request, destination, max_bytes } => {
            let level = run.last_input;
            let answer = run
                .reveals
                .answer_raw(&request, level)
                .map_err(|source| Stopped::Failed(PvmError::Reveal { level: level.unwrap_or_default(), source }))?;
            match host::finish_reveal(&answer, destination, max_bytes, &mut memory).map_err(Stopped::Failed)? {
                Some((written, ticks)) => Ok((Some(Value::I32(written)), ticks)),
                None => Err(undecided("the answer does not fit where the kernel wants it".into())),
            }
        }
        Outcome::Raise(Exception::NoNds) => Err(undecided("the new durable storage is not active".into())),
        Outcome::Raise(exception) => Err(undecided(format!("{exception:?}"))),
    }
}
