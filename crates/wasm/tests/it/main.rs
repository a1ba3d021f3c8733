//! The small-step machine, seen from outside.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod flat;
mod spec;
