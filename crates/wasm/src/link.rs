//! The tick state `link`: resolving the imports, one per tick (`spec/pvm.md` §5.3).

use soru_merkle::containers::Vector;
use soru_merkle::tree_record;

use crate::exception::Stepped;
use crate::host::Host;
use crate::init::state::{Externs, InitKont, InitState};
use crate::instance::{Extern, Function, Registry};
use crate::module::{Import, Module};

tree_record! {
    /// A module being linked.
    pub struct LinkState {
        /// The module.
        module: Module = ["ast_module"],
        /// What was found so far.
        externs: Vector<Extern> = ["externs"],
        /// The next import.
        offset: i32 = ["imports_offset"],
    }
}

/// Name of the module that host functions are imported from.
pub const HOST_MODULE: &str = "smart_rollup_core";

/// What a step of linking comes to.
#[derive(Debug, Clone)]
pub enum Linked {
    /// One import was found.
    Next(Box<LinkState>),
    /// All were: instantiation begins.
    Done(Box<InitState>),
    /// An import does not exist; the text of the stuck state.
    Failed(Vec<u8>),
}

impl LinkState {
    /// Before the first import.
    pub fn new(module: Module) -> Self {
        LinkState { module, externs: Vector::create(0), offset: 0 }
    }
}

/// One import.
pub fn step(host: &dyn Host, mut state: LinkState) -> Stepped<Linked> {
    if i64::from(state.offset) >= state.module.imports.signed_length() {
        return Ok(Linked::Done(Box::new(InitState {
            name: crate::decode::main_name(),
            module: state.module,
            kont: InitKont::Start(Externs { externs: state.externs }),
            registry: Registry::new(),
        })));
    }
    let Import { module, item, .. } = state.module.imports.get(state.offset.into())?;
    if module.as_bytes() != HOST_MODULE.as_bytes() {
        return Ok(Linked::Failed([b"Unexpected module import: ", module.as_bytes()].concat()));
    }
    match host.import(item.as_bytes()) {
        None => Ok(Linked::Failed([b"Unexpected import: ", module.as_bytes(), b".", item.as_bytes()].concat())),
        Some(function) => {
            state.externs.append(Extern::Func(Function::Host(function)));
            state.offset = state.offset.wrapping_add(1);
            Ok(Linked::Next(Box::new(state)))
        }
    }
}
