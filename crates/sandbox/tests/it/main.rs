//! Tests of the layer 1: recorded chains, and the RPC from outside.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod contracts;
mod hostile;
mod http;
mod replay;
mod scripts;
mod support;
mod tickets;
