//! Tests of the binary from outside.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod abuse;
mod bad_input;
mod batcher;
mod client_config;
mod clients;
mod codec;
mod collection;
mod commitments;
mod common;
mod crashes;
mod demo;
mod everyday;
mod games;
mod keys;
mod metrics;
mod outbox;
mod page;
mod patches;
mod preimage;
mod pvm;
mod readme;
mod receipts;
mod restart;
mod sandbox;
mod snapshots;
mod transcript;
mod trouble;
mod unit_tests;
