//! Tests of the room against what the reference recorded.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod exact;
mod fallback;
mod files;
mod generate;
mod hostile;
mod measure;
mod modules;
mod octez;
mod origination;
mod proofs;
mod recorded;
mod strides;
mod vectors;
