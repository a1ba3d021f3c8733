//! The entrypoints of stored contracts.

use soru_michelson::error::Result;
use soru_michelson::types::Parameter;
use soru_tezos::micheline::{Micheline, Prim};

/// The parameter type of a script that was checked when it was stored.
pub fn parameter_of(code: &Micheline) -> Result<Parameter> {
    let section = match code {
        Micheline::Seq(sections) => sections.iter().find_map(|section| match section.as_prim() {
            Some((Prim::parameter, [ty])) => Some(ty),
            _ => None,
        }),
        _ => None,
    };
    Parameter::of(section.unwrap_or(code))
}
