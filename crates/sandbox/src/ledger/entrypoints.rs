//! The entrypoints of stored contracts, and whether an argument that comes with a type has theirs.

use super::Ledger;
use super::content::Run;
use super::errors::script_trace;
use soru_michelson::error::{Problem, Result, ScriptError};
use soru_michelson::run;
use soru_michelson::types::{Parameter, Type, differences};
use soru_tezos::contract::{Contract, Destination, Entrypoint};
use soru_tezos::micheline::Micheline;
use soru_tezos::rpc_error::Trace;

/// The parameter type of a script, global constants filled in.
pub fn parameter_of(ledger: &Ledger, code: &Micheline) -> Result<Parameter> {
    run::parameter(code, &|name| ledger.global_constant(name))
}

impl Run<'_> {
    /// Refuses an argument of another type than the entrypoint's, even if its value would do (`spec/protocol.md` §6.3). What
    /// else may be wrong with the call is found when it is made.
    pub(super) fn check_declared(
        &self,
        destination: &Destination,
        entrypoint: &Entrypoint,
        declared: &Type,
    ) -> std::result::Result<(), Trace> {
        let Destination::Contract(Contract::Originated(hash)) = destination else { return Ok(()) };
        let Some(contract) = self.ledger.contracts.get(hash) else { return Ok(()) };
        let own = parameter_of(self.ledger, &contract.code).and_then(|parameter| parameter.find(entrypoint));
        let Ok(own) = own else { return Ok(()) };
        if own.ty == *declared {
            return Ok(());
        }
        let mut trace = vec![Problem::BadContractParameter { contract: Contract::Originated(*hash) }];
        trace.extend(differences(None, &own.ty, declared));
        Err(script_trace(&ScriptError { trace }))
    }
}
