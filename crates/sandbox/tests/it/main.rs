//! Tests of the layer 1: recorded chains, and the RPC from outside.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod abuse;
mod contracts;
mod control;
mod draws;
mod errors;
mod hostile;
mod http;
mod recorded;
mod replay;
mod scripts;
mod support;
mod surface;
mod throughput;
mod tickets;
mod upgrade;
