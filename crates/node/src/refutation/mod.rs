//! Refutation games (`spec/node.md` §4.9): the states of a period at any tick, the moves of the winning strategy, and the
//! players and their coordinator that make them.

mod coordinator;
mod error;
pub mod journal;
mod moves;
mod player;
mod proof;
mod states;

pub(crate) use coordinator::Coordinator;
pub use error::RefutationError;
pub use journal::{GameRecord, MoveRecord, StepRecord, describe_result};
pub use moves::next_move;
pub use proof::ProofInputs;
pub use states::{Evaluator, PeriodStates};
