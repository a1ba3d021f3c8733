//! Tests of the public trees, containers and proofs.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;
mod containers;
mod limits;
mod model;
mod proof_model;
mod proofs;
mod states;
mod steps;
