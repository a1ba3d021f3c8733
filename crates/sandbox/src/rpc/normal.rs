//! Scripts and storages of contracts in the form a client asks for, and the first big map in them.

use super::answer::Answer;
use super::request::Request;
use super::scripts::{TRIAL_GAS, UnparsingMode, script_error};
use crate::ledger::{BlockContext, ContractState, Ledger, with_script_chain};
use serde::Deserialize;
use serde_json::json;
use soru_michelson::gas::Gas;
use soru_michelson::run;
use soru_michelson::types::{Allow, Kind, Type};
use soru_tezos::micheline::{Micheline, Prim};

#[derive(Deserialize)]
struct Wanted {
    unparsing_mode: UnparsingMode,
    #[serde(default)]
    normalize_types: bool,
}

/// The type of a contract's storage.
pub fn storage_type(ledger: &Ledger, contract: &ContractState) -> Result<Type, Answer> {
    let written = run::storage_type(&contract.code, &|name| ledger.global_constant(name)).map_err(script_error)?;
    Type::of(&written, Allow::STORABLE).map_err(script_error)
}

/// The storage of a contract, or its whole script, as the body of the request asks for.
pub fn of_contract(
    ledger: &Ledger,
    contract: &ContractState,
    whole: bool,
    request: &Request,
) -> Result<Answer, Answer> {
    let wanted: Wanted = request.json()?;
    let ty = storage_type(ledger, contract)?;
    let (mode, mut gas) = (wanted.unparsing_mode.mode(), Gas::new(TRIAL_GAS));
    let shown = with_script_chain(ledger, &BlockContext::of_reader(ledger), |chain| {
        let storage = run::normalize(chain, &contract.storage, &ty, mode, &mut gas)?;
        let code = match wanted.normalize_types && whole {
            true => run::normalize_script(chain, &contract.code, mode, &mut gas)?,
            false => contract.code.as_ref().clone(),
        };
        Ok((code, storage))
    });
    let (code, storage) = shown.map_err(script_error)?;
    Ok(if whole { Answer::json(&json!({"code": code, "storage": storage})) } else { Answer::json(&storage) })
}

/// The id of the first big map in a storage.
pub fn first_big_map(ty: &Type, storage: &Micheline) -> Option<i64> {
    match (ty.kind(), storage) {
        (Kind::BigMap(..), Micheline::Int(id)) => i64::try_from(&id.0).ok(),
        (Kind::Pair(left, right), value) => {
            let parts = match value {
                Micheline::Seq(parts) => parts.as_slice(),
                value => value.as_prim()?.1,
            };
            let (first, rest) = parts.split_first()?;
            first_big_map(left, first).or_else(|| match rest {
                [last] => first_big_map(right, last),
                rest => first_big_map(right, &Micheline::prim(Prim::Pair, rest.to_vec())),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_big_map_is_found() {
        let read = |json: serde_json::Value| serde_json::from_value::<Micheline>(json).unwrap();
        let map = json!({"prim": "big_map", "args": [{"prim": "int"}, {"prim": "int"}]});
        let ty = read(json!({"prim": "pair", "args": [{"prim": "int"}, {"prim": "string"}, map]}));
        let ty = Type::of(&ty, Allow::STORABLE).unwrap();
        for storage in [
            json!({"prim": "Pair", "args": [{"int": "1"}, {"string": ""}, {"int": "7"}]}),
            json!({"prim": "Pair", "args": [{"int": "1"}, {"prim": "Pair", "args": [{"string": ""}, {"int": "7"}]}]}),
            json!([{"int": "1"}, {"string": ""}, {"int": "7"}]),
        ] {
            assert_eq!(first_big_map(&ty, &read(storage)), Some(7));
        }
    }
}
