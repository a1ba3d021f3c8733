//! Michelson: parse, print, typecheck, interpret, pack.
#![forbid(unsafe_code)]
