//! The entrypoints of stored contracts, and whether an argument that comes with a type has theirs.

use super::Ledger;
use super::content::Run;
use super::errors::permanent;
use serde_json::json;
use soru_michelson::error::Result;
use soru_michelson::run;
use soru_michelson::types::{Kind, Parameter, Type};
use soru_tezos::contract::{Contract, Destination, Entrypoint};
use soru_tezos::micheline::Micheline;
use soru_tezos::rpc_error::{TezosError, Trace};

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
        let mut trace = vec![permanent("michelson_v1.bad_contract_parameter").with("contract", hash.to_string())];
        add_differences(&own.ty, declared, &mut trace);
        Err(trace)
    }
}

/// One error for each type on the way to the first difference, and one for the difference itself.
fn add_differences(first: &Type, other: &Type, trace: &mut Vec<TezosError>) {
    let differ = || {
        permanent("michelson_v1.inconsistent_types")
            .with("loc", -1)
            .with("first_type", json!(first.to_micheline()))
            .with("other_type", json!(other.to_micheline()))
    };
    trace.push(differ());
    let parts = match (first.kind(), other.kind()) {
        (Kind::Pair(a, b), Kind::Pair(c, d))
        | (Kind::Or(a, b), Kind::Or(c, d))
        | (Kind::Lambda(a, b), Kind::Lambda(c, d))
        // of maps the values come first
        | (Kind::Map(b, a), Kind::Map(d, c))
        | (Kind::BigMap(b, a), Kind::BigMap(d, c)) => vec![(a, c), (b, d)],
        (Kind::Option(a), Kind::Option(c))
        | (Kind::List(a), Kind::List(c))
        | (Kind::Set(a), Kind::Set(c))
        | (Kind::Contract(a), Kind::Contract(c))
        | (Kind::Ticket(a), Kind::Ticket(c)) => vec![(a, c)],
        _ => vec![],
    };
    match parts.into_iter().find(|(a, c)| a != c) {
        Some((a, c)) => add_differences(a, c, trace),
        None => trace.push(differ()),
    }
}
