//! The rollup node: follow layer 1, rebuild the inbox, evaluate, commit, publish, cement, serve (`spec/node.md`).

pub mod config;
