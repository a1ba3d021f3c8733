//! The small-step WebAssembly machine of the `wasm_2_0_0` PVM: the tick states decode, link, init and eval, each with its
//! place in the tree (`spec/pvm.md` §4.2–4.8, §5). The state after every tick is defined by its encoding.
//!
//! Host functions, durable storage and the other tick states belong to the PVM above; they reach the machine as a table.
#![forbid(unsafe_code)]

mod leaf;

pub mod decode;
pub mod eval;
pub mod exception;
pub mod flat;
pub mod host;
pub mod init;
pub mod instance;
pub mod instr;
pub mod kont;
pub mod link;
pub mod machine;
pub mod module;
pub mod operator;
pub mod types;
