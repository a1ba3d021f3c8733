//! `/helpers/scripts/…`: running and checking scripts outside of any operation.

use super::answer::Answer;
use super::request::Request;
use crate::ledger::{BlockContext, Ledger, parameter_of, script_trace, with_script_chain};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use soru_michelson::gas::Gas;
use soru_michelson::run;
use soru_michelson::types::{Allow, Type};
use soru_michelson::value::Mode;
use soru_michelson::{Call, ScriptError};
use soru_tezos::codec::HexBytes;
use soru_tezos::contract::{Contract, Destination, Entrypoint};
use soru_tezos::hash::ContractHash;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::scalar::Mutez;

/// What a script may use when it is only tried, in thousandths of gas.
const TRIAL_GAS: u64 = 1_040_000_000;

fn script_error(error: ScriptError) -> Answer {
    Answer::trace(&script_trace(&error))
}

/// Answers a path below `helpers/scripts`, other than simulations of operations.
pub fn answer(ledger: &Ledger, block: &BlockContext, path: &[&str], request: &Request) -> Answer {
    let run = match path {
        ["run_code"] => run_code,
        ["run_script_view"] => run_script_view,
        ["typecheck_code"] => typecheck_code,
        ["typecheck_data"] => typecheck_data,
        ["pack_data"] => pack_data,
        ["normalize_data"] => normalize_data,
        ["entrypoints"] => entrypoints,
        ["entrypoint"] => entrypoint,
        _ => return Answer::NotFound,
    };
    if !request.is_post() {
        return Answer::Method("POST");
    }
    run(ledger, block, request).unwrap_or_else(|answer| answer)
}

/// The entrypoints of a parameter type as the RPC lists them.
pub fn list_entrypoints(code: &Micheline) -> Result<Value, Answer> {
    let parameter = parameter_of(code).map_err(script_error)?;
    let mut listed = Map::new();
    for entry in &parameter.entrypoints {
        listed.insert(entry.name.to_string(), json!(entry.expr));
    }
    Ok(json!({"entrypoints": listed}))
}

#[derive(Deserialize)]
struct ScriptBody {
    script: Micheline,
    #[serde(default)]
    entrypoint: Entrypoint,
}

fn entrypoints(_: &Ledger, _: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: ScriptBody = request.json()?;
    Ok(Answer::json(&list_entrypoints(&body.script)?))
}

fn entrypoint(_: &Ledger, _: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: ScriptBody = request.json()?;
    let found = parameter_of(&body.script).and_then(|parameter| parameter.find(&body.entrypoint));
    Ok(Answer::json(&json!({"entrypoint_type": found.map_err(script_error)?.expr})))
}

#[derive(Deserialize)]
struct RunCode {
    script: Micheline,
    storage: Micheline,
    input: Micheline,
    amount: Mutez,
    #[serde(default)]
    balance: Option<Mutez>,
    #[serde(default)]
    source: Option<Contract>,
    #[serde(default)]
    payer: Option<PublicKeyHash>,
    #[serde(default)]
    entrypoint: Entrypoint,
}

fn run_code(ledger: &Ledger, block: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: RunCode = request.json()?;
    let contract = ContractHash::ZERO;
    let balance = body.balance.unwrap_or(Mutez::of_tez(4_000_000));
    let payer = match (body.payer, body.source) {
        (Some(payer), _) => payer,
        (None, Some(Contract::Implicit(source))) => source,
        _ => block.baker,
    };
    let sender = Destination::Contract(body.source.unwrap_or(Contract::Implicit(payer)));
    let mut gas = Gas::new(TRIAL_GAS);
    let outcome = with_script_chain(ledger, block, |chain| {
        let originated = run::originate(chain, &body.script, &body.storage, &mut gas)?;
        chain.place(contract, balance, originated);
        let call = Call {
            contract,
            sender,
            source: payer,
            amount: body.amount,
            entrypoint: body.entrypoint.clone(),
            parameter: body.input.clone(),
            internal: false,
        };
        run::execute(chain, &call, &mut gas)
    })
    .map_err(script_error)?;
    let operations: Vec<Value> = outcome.operations.into_iter().map(crate::ledger::shown_operation).collect();
    let mut answer = json!({"storage": outcome.storage, "operations": operations});
    if !outcome.lazy_storage_diff.is_empty() {
        answer["lazy_storage_diff"] = json!(outcome.lazy_storage_diff);
    }
    Ok(Answer::json(&answer))
}

#[derive(Deserialize)]
struct RunView {
    contract: ContractHash,
    view: String,
    input: Micheline,
    #[serde(default)]
    source: Option<Contract>,
    #[serde(default)]
    payer: Option<PublicKeyHash>,
    #[serde(default)]
    unparsing_mode: Option<String>,
}

fn mode_of(name: Option<&str>) -> Mode {
    match name {
        Some("Optimized" | "Optimized_legacy") => Mode::Optimized,
        _ => Mode::Readable,
    }
}

fn run_script_view(ledger: &Ledger, block: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: RunView = request.json()?;
    let payer = body.payer.unwrap_or(block.baker);
    let call = run::ViewCall {
        contract: body.contract,
        name: body.view,
        argument: body.input,
        sender: Destination::Contract(body.source.unwrap_or(Contract::Implicit(payer))),
        source: payer,
    };
    let mode = mode_of(body.unparsing_mode.as_deref());
    let answer = with_script_chain(ledger, block, |chain| run::view(chain, &call, mode, &mut Gas::new(TRIAL_GAS)));
    Ok(Answer::json(&json!({"data": answer.map_err(script_error)?})))
}

#[derive(Deserialize)]
struct Program {
    program: Micheline,
}

fn typecheck_code(ledger: &Ledger, block: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: Program = request.json()?;
    let mut gas = Gas::new(TRIAL_GAS);
    with_script_chain(ledger, block, |chain| {
        let mut typer = soru_michelson::typecheck::Typer::new(chain, &mut gas);
        soru_michelson::typecheck::Script::check(&mut typer, &body.program).map(|_| ())
    })
    .map_err(script_error)?;
    Ok(Answer::json(&json!({"type_map": [], "gas": "unaccounted"})))
}

#[derive(Deserialize)]
struct Typed {
    data: Micheline,
    #[serde(rename = "type")]
    ty: Micheline,
    #[serde(default)]
    unparsing_mode: Option<String>,
}

fn type_of(expression: &Micheline) -> Result<Type, Answer> {
    Type::of(expression, Allow::PASSABLE).map_err(script_error)
}

fn typecheck_data(ledger: &Ledger, block: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: Typed = request.json()?;
    let ty = type_of(&body.ty)?;
    with_script_chain(ledger, block, |chain| {
        run::normalize(chain, &body.data, &ty, Mode::Optimized, &mut Gas::new(TRIAL_GAS))
    })
    .map_err(script_error)?;
    Ok(Answer::json(&json!({"gas": "unaccounted"})))
}

fn pack_data(ledger: &Ledger, block: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: Typed = request.json()?;
    let ty = type_of(&body.ty)?;
    let packed = with_script_chain(ledger, block, |chain| run::pack(chain, &body.data, &ty, &mut Gas::new(TRIAL_GAS)));
    let packed = HexBytes(packed.map_err(script_error)?);
    Ok(Answer::json(&json!({"packed": packed, "gas": "unaccounted"})))
}

fn normalize_data(ledger: &Ledger, block: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: Typed = request.json()?;
    let ty = type_of(&body.ty)?;
    let mode = mode_of(body.unparsing_mode.as_deref());
    let normalized = with_script_chain(ledger, block, |chain| {
        run::normalize(chain, &body.data, &ty, mode, &mut Gas::new(TRIAL_GAS))
    });
    Ok(Answer::json(&json!({"normalized": normalized.map_err(script_error)?})))
}
