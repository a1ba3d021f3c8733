//! Tests against a stub and recordings of a layer 1.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod common;
mod fees;
mod heads;
mod recorded_fees;
mod rpc;
mod signers;
mod socket_signers;
mod wallet;
