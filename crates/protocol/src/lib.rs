//! The rollup rules of the protocol as pure functions: inbox, commitments, stakes, outbox, reveals, constants.
#![forbid(unsafe_code)]
