//! The exact machine (`spec/pvm.md` §5): every single tick of a `kernel_run`, by the small-step machine of `soru-wasm`.
//!
//! There is one step function. Running, proving and verifying differ only in the tree below the state: whole, recording, or
//! rebuilt from a proof.

mod host;
mod proof;
mod run;
mod step;

pub use proof::{StepInput, prove_step, step_transition, verify_step};
pub use run::ExactRun;
pub use step::{compute_step, reveal_step};
