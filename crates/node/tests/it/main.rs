//! Tests of the node against recorded chains.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod life;
mod recorded_node;
mod recorded_pipeline;
mod support;
