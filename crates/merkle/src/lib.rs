//! The binary Merkle tree of the rollup state (`spec/pvm.md` §1 and §2): persistent trees whose nodes are whole in memory,
//! loaded lazily from a node store, recorded for a proof, or rebuilt from a proof with the rest blinded. One set of operations
//! works on all of them, so prover, verifier and runner share every line above this crate.
#![forbid(unsafe_code)]

pub mod containers;
mod digest;
mod dirty;
mod error;
mod hash;
mod inode;
mod node;
mod proof;
mod record;
mod step;
mod store;
mod tree;

pub use digest::Digester;
pub use error::{StoreError, TreeError};
pub use hash::{Kind, NodeHash};
pub use proof::{
    Children, DecodeError, EncodeError, InodeProof, Proof, ProofBytes, ProofError, ProofTree, produce_proof,
    produce_proof_hashing,
};
pub use record::{LiveRecords, live_records};
pub use step::Step;
pub use store::{MemoryStore, NodeSink, NodeStore, StoreId};
pub use tree::{Leaves, Tree};
