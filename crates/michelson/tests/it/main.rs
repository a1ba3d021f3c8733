//! Tests of the language: syntax, scripts, and the reference's own unit tests.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod hostile;
mod inventory;
mod scripts;
mod syntax;
mod tzt;
