//! Tests of the rules against recorded chains.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;
mod constants;
mod dissections;
mod errors;
mod gas;
mod inbox_proofs;
mod recorded;
mod replay;
mod rules;
mod simulation;
mod step_proofs;
