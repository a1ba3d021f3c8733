//! Tests of the types against recordings and hostile bytes.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod hostile;
mod recorded;
mod round_trips;
mod upstream;
