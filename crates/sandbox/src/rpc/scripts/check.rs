//! Requests that check scripts and values.

use super::{level, meter};
use crate::ledger::{BlockContext, Ledger, with_script_chain};
use crate::rpc::answer::Answer;
use crate::rpc::request::Request;
use serde::Deserialize;
use serde_json::json;
use soru_michelson::context::Chain;
use soru_michelson::run;
use soru_michelson::value::Extent;
use soru_tezos::codec::Encode;
use soru_tezos::micheline::Micheline;
use soru_tezos::number::N;

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
struct Program {
    program: Micheline,
    #[serde(default)]
    gas: Option<N>,
    #[serde(default)]
    legacy: bool,
    #[serde(default = "yes")]
    show_types: bool,
}

pub(super) fn typecheck_code(ledger: &Ledger, block: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: Program = request.json()?;
    let mut gas = meter(body.gas.as_ref());
    let type_map = with_script_chain(ledger, block, |chain| {
        run::typecheck_code(chain, &body.program, body.legacy, body.show_types, &mut gas)
    })
    .map_err(super::script_error)?;
    Ok(Answer::json(&json!({"type_map": type_map, "gas": level(body.gas.as_ref(), &gas)})))
}

#[derive(Deserialize)]
struct Typed {
    data: Micheline,
    #[serde(rename = "type")]
    ty: Micheline,
    #[serde(default)]
    gas: Option<N>,
    #[serde(default)]
    legacy: bool,
}

pub(super) fn typecheck_data(ledger: &Ledger, block: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: Typed = request.json()?;
    let mut gas = meter(body.gas.as_ref());
    with_script_chain(ledger, block, |chain| run::typecheck_data(chain, &body.data, &body.ty, body.legacy, &mut gas))
        .map_err(super::script_error)?;
    Ok(Answer::json(&json!({"gas": level(body.gas.as_ref(), &gas)})))
}

#[derive(Deserialize)]
struct Sized {
    program: Micheline,
    storage: Micheline,
    #[serde(default)]
    gas: Option<N>,
    #[serde(default)]
    legacy: bool,
}

/// Bytes a script takes in memory. The reference measures its own data structures; this is what ours take, roughly.
pub(super) fn script_size(ledger: &Ledger, block: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    const NODE: usize = 40;
    let body: Sized = request.json()?;
    let mut gas = meter(body.gas.as_ref());
    with_script_chain(ledger, block, |chain| {
        run::typecheck_code(chain, &body.program, body.legacy, false, &mut gas)?;
        let storage = run::storage_type(&body.program, &|name| chain.global_constant(name))?;
        run::typecheck_data(chain, &body.storage, &storage, body.legacy, &mut gas)
    })
    .map_err(super::script_error)?;
    let bytes = |expr: &Micheline| Extent::of(expr).nodes.saturating_mul(NODE).saturating_add(expr.to_bytes().len());
    Ok(Answer::json(&json!({"script_size": bytes(&body.program).saturating_add(bytes(&body.storage))})))
}
