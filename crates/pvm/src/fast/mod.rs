//! Fast execution (`spec/pvm.md` §10): a whole `kernel_run` in native code, for the kernels and runs of which it is certain
//! that the exact machine would end in the same state. Everything else is [`Undecided`](crate::error::Undecided).

mod engine;
mod limits;
mod modules;
mod validate;

pub use engine::{FastConfig, FastEngine};
pub use limits::{Limits, TickPolicy};
pub use modules::ModuleStore;
pub use validate::{Facts, validate};
