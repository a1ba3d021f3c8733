//! The binary Merkle tree of the rollup state: persistent trees, hashing, proofs, lazy loading from a node store.
#![forbid(unsafe_code)]
