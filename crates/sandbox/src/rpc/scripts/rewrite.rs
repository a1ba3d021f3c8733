//! Requests that write values, types and scripts in another form.

use super::run::StackItem;
use super::world::World;
use super::{UnparsingMode, level, meter, script_error};
use crate::ledger::{BlockContext, Ledger, with_script_chain};
use crate::rpc::answer::Answer;
use crate::rpc::request::Request;
use serde::Deserialize;
use serde_json::json;
use soru_michelson::gas::Gas;
use soru_michelson::run;
use soru_michelson::types::{Allow, Type};
use soru_tezos::codec::HexBytes;
use soru_tezos::micheline::Micheline;
use soru_tezos::number::N;

#[derive(Deserialize)]
struct Packed {
    data: Micheline,
    #[serde(rename = "type")]
    ty: Micheline,
    #[serde(default)]
    gas: Option<N>,
}

pub(super) fn pack_data(ledger: &Ledger, block: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: Packed = request.json()?;
    let ty = Type::of(&body.ty, Allow::NONE).map_err(script_error)?;
    let mut gas = meter(body.gas.as_ref());
    let packed = with_script_chain(ledger, block, |chain| run::pack(chain, &body.data, &ty, &mut gas));
    let packed = HexBytes(packed.map_err(script_error)?);
    Ok(Answer::json(&json!({"packed": packed, "gas": level(body.gas.as_ref(), &gas)})))
}

#[derive(Deserialize)]
struct Data {
    data: Micheline,
    #[serde(rename = "type")]
    ty: Micheline,
    #[serde(default)]
    unparsing_mode: UnparsingMode,
    #[serde(flatten)]
    world: World,
}

pub(super) fn normalize_data(ledger: &Ledger, block: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: Data = request.json()?;
    let ty = Type::of(&body.ty, Allow::ANY).map_err(script_error)?;
    let mode = body.unparsing_mode.mode();
    let normalized = body.world.run(ledger, block, |chain| Ok(run::normalize_untyped(chain, &body.data, &ty, mode)))?;
    Ok(Answer::json(&json!({ "normalized": normalized })))
}

#[derive(Deserialize)]
struct Stack {
    input: Vec<StackItem>,
    #[serde(default)]
    unparsing_mode: UnparsingMode,
    #[serde(flatten)]
    world: World,
}

pub(super) fn normalize_stack(ledger: &Ledger, block: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: Stack = request.json()?;
    let mode = body.unparsing_mode.mode();
    let output = body.world.run(ledger, block, |chain| {
        let item = |item: &StackItem| {
            let ty = Type::of(&item.ty, Allow::ANY)?;
            Ok(StackItem { val: run::normalize_untyped(chain, &item.val, &ty, mode), ty: ty.to_micheline() })
        };
        body.input.iter().map(item).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(Answer::json(&json!({ "output": output })))
}

#[derive(Deserialize)]
struct Script {
    script: Micheline,
    #[serde(default)]
    unparsing_mode: UnparsingMode,
}

pub(super) fn normalize_script(ledger: &Ledger, block: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: Script = request.json()?;
    let mode = body.unparsing_mode.mode();
    let mut gas = Gas::new(super::TRIAL_GAS);
    let normalized =
        with_script_chain(ledger, block, |chain| run::normalize_script(chain, &body.script, mode, &mut gas));
    Ok(Answer::json(&json!({"normalized": normalized.map_err(script_error)?})))
}

#[derive(Deserialize)]
struct OnlyType {
    #[serde(rename = "type")]
    ty: Micheline,
}

pub(super) fn normalize_type(_: &Ledger, _: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: OnlyType = request.json()?;
    let ty = Type::of(&body.ty, Allow::ANY).map_err(script_error)?;
    Ok(Answer::json(&json!({"normalized": ty.unfolded()})))
}
