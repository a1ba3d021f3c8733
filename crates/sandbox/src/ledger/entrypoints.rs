//! The entrypoints of stored contracts.

use super::Ledger;
use soru_michelson::error::Result;
use soru_michelson::run;
use soru_michelson::types::Parameter;
use soru_tezos::micheline::Micheline;

/// The parameter type of a script, global constants filled in.
pub fn parameter_of(ledger: &Ledger, code: &Micheline) -> Result<Parameter> {
    run::parameter(code, &|name| ledger.global_constant(name))
}
