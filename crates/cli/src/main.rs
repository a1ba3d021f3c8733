//! The one binary: it acts by the name it is called by (`octez-client`, `octez-smart-rollup-node`, …) or by its first
//! word (`soru client …`).

mod grammar;

fn main() {}
