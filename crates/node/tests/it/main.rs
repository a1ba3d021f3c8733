//! Tests of the node against recorded chains.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod collection;
mod life;
mod long_game;
mod preimages;
mod recorded_batcher;
mod recorded_games;
mod recorded_node;
mod recorded_pipeline;
mod replays;
mod snapshots;
mod support;
