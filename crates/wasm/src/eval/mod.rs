//! The evaluation, one reduction per tick (`spec/pvm.md` §4.7, §5.6).

pub(crate) mod invoke;
mod lookup;
mod memory;
mod meta;
pub(crate) mod numeric;
mod plain;
pub mod state;
mod step;
mod vector;

pub use invoke::answer_reveal;
pub use memory::Access;
pub use step::step;

pub(crate) use lookup::{lookup, types_equal as lookup_types_equal, types_seen as lookup_types_seen};
pub(crate) use plain::{in_stack, label_of};

use crate::host::Host;
use crate::instance::Registry;

/// What an evaluation works on besides its own configuration.
pub struct Machine<'a> {
    /// The modules that run.
    pub registry: &'a mut Registry,
    /// The host's functions.
    pub host: &'a mut dyn Host,
    /// Whether a module is being initialised: host functions have no memory then.
    pub init: bool,
}
