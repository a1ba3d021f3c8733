//! The wasm_2_0_0 PVM: durable storage, host functions, buffers, tick states, versions, fast execution (`spec/pvm.md`).
//!
//! [`machine::Pvm`] is the machine as others use it. Its state is defined by its place in the tree ([`state`]); a
//! `kernel_run` is executed by [`fast`] where that is certain to give the exact machine's result, and tick by tick by [`exact`].

pub mod buffers;
pub mod case;
pub mod cbv;
pub mod durable;
pub mod encoding;
pub mod error;
pub mod exact;
pub mod fast;
pub mod host;
pub mod input;
mod leaf;
pub mod machine;
pub mod outbox;
pub mod output_proof;
pub mod reveal;
pub mod state;
pub mod step;
pub mod tick_state;
pub mod trace;
pub mod units;
pub mod version;

pub use error::{PvmError, Undecided};
pub use fast::{FastConfig, FastEngine, ModuleStore, TickPolicy};
pub use input::InputPlace;
pub use machine::{Info, LevelReport, Pvm, RunUntil, level_messages};
pub use reveal::{RevealError, RevealRequest, Reveals};
pub use state::{InputRequest, Parameters};
pub use units::Tick;
pub use version::Version;
