//! `/helpers/scripts/…`: running, checking and rewriting scripts outside of any operation.

mod check;
mod rewrite;
mod run;
mod world;

use super::answer::Answer;
use super::request::Request;
use crate::ledger::{BlockContext, Ledger, parameter_of, script_trace};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use soru_michelson::ScriptError;
use soru_michelson::gas::Gas;
use soru_michelson::types::Parameter;
use soru_michelson::value::Mode;
use soru_tezos::contract::Entrypoint;
use soru_tezos::micheline::Micheline;
use soru_tezos::number::N;

/// What a script may use when it is only tried, in thousandths of gas: what an operation may.
pub const TRIAL_GAS: u64 = 1_040_000_000;

/// What a script is refused with.
pub fn script_error(error: ScriptError) -> Answer {
    Answer::trace(&script_trace(&error))
}

/// Answers a path below `helpers/scripts`, other than simulations of operations.
pub fn answer(ledger: &Ledger, block: &BlockContext, path: &[&str], request: &Request) -> Answer {
    let run = match path {
        ["run_code"] => run::run_code,
        ["trace_code"] => run::trace_code,
        ["run_view"] => run::run_view,
        ["run_script_view"] => run::run_script_view,
        ["run_instruction"] => run::run_instruction,
        ["typecheck_code"] => check::typecheck_code,
        ["typecheck_data"] => check::typecheck_data,
        ["script_size"] => check::script_size,
        ["pack_data"] => rewrite::pack_data,
        ["normalize_data"] => rewrite::normalize_data,
        ["normalize_stack"] => rewrite::normalize_stack,
        ["normalize_script"] => rewrite::normalize_script,
        ["normalize_type"] => rewrite::normalize_type,
        ["entrypoints"] => entrypoints,
        ["entrypoint"] => entrypoint,
        _ => return Answer::NotFound,
    };
    run(ledger, block, request).unwrap_or_else(|answer| answer)
}

/// The entrypoints of a parameter type as the RPC lists them.
pub fn list_entrypoints(ledger: &Ledger, code: &Micheline) -> Result<Value, Answer> {
    let parameter = parameter_of(ledger, code).map_err(script_error)?;
    let mut listed = Map::new();
    for entry in &parameter.entrypoints {
        listed.insert(entry.name.to_string(), json!(entry.expr));
    }
    let path = |path: Vec<soru_michelson::types::Side>| {
        let names: Vec<&str> = path.into_iter().map(|side| side.prim().name()).collect();
        json!({ "path": names })
    };
    let unreachable: Vec<Value> = Parameter::unreachable(&parameter).into_iter().map(path).collect();
    if unreachable.is_empty() {
        return Ok(json!({"entrypoints": listed}));
    }
    Ok(json!({"unreachable": unreachable, "entrypoints": listed}))
}

#[derive(Deserialize)]
struct ScriptBody {
    script: Micheline,
    #[serde(default)]
    entrypoint: Entrypoint,
}

fn entrypoints(ledger: &Ledger, _: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: ScriptBody = request.json()?;
    Ok(Answer::json(&list_entrypoints(ledger, &body.script)?))
}

fn entrypoint(ledger: &Ledger, _: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: ScriptBody = request.json()?;
    let found = parameter_of(ledger, &body.script).and_then(|parameter| parameter.find(&body.entrypoint));
    Ok(Answer::json(&json!({"entrypoint_type": found.map_err(script_error)?.expr})))
}

/// How values are to be written.
#[derive(Deserialize, Clone, Copy, Default)]
pub enum UnparsingMode {
    /// For people.
    #[default]
    Readable,
    /// As stored.
    Optimized,
    /// As packed.
    #[serde(rename = "Optimized_legacy")]
    OptimizedLegacy,
}

impl UnparsingMode {
    /// The mode of the interpreter.
    pub fn mode(self) -> Mode {
        match self {
            UnparsingMode::Readable => Mode::Readable,
            UnparsingMode::Optimized => Mode::Optimized,
            UnparsingMode::OptimizedLegacy => Mode::OptimizedLegacy,
        }
    }
}

/// Whole units of gas as a meter; at most what an operation may use when there is no number.
fn meter(units: Option<&N>) -> Gas {
    let units = units.map(|units| u64::try_from(&units.0).unwrap_or(u64::MAX).saturating_mul(1_000));
    Gas::new(units.unwrap_or(TRIAL_GAS))
}

/// What is left on a meter, as the RPC tells it: nothing is counted when there was no limit.
fn level(limit: Option<&N>, gas: &Gas) -> Value {
    limit.map_or_else(|| json!("unaccounted"), |_| json!(gas.left().to_string()))
}
