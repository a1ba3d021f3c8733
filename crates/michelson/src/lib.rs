//! Michelson, the language of the layer 1's contracts: parse, print, typecheck, interpret, pack
//! (`spec/protocol.md` §10).
//!
//! [`syntax`] turns text into Micheline and back. [`run::originate`] and [`run::execute`] are what a layer 1 needs; chain
//! state stays outside, scripts see it through [`context::Chain`].
#![forbid(unsafe_code)]

pub mod constants;
pub mod context;
pub mod error;
pub mod gas;
pub mod interpret;
pub mod lazy;
pub mod node;
mod normalize;
pub mod run;
mod store;
pub mod syntax;
pub mod typecheck;
pub mod types;
pub mod tzt;
pub mod value;

pub use context::{Call, Chain, Outcome};
pub use error::ScriptError;
pub use run::{execute, originate};
