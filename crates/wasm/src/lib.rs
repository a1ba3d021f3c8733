//! The small-step WebAssembly machine whose every state has a place in the tree.
#![forbid(unsafe_code)]
