//! Requests that run code: whole scripts, views, single instructions.

use super::world::World;
use super::{UnparsingMode, level, meter};
use crate::ledger::{BlockContext, Ledger, ScriptChain, shown_operation};
use crate::rpc::answer::Answer;
use crate::rpc::request::Request;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use soru_michelson::ScriptError;
use soru_michelson::context::{Call, Chain, Outcome, StoredScript};
use soru_michelson::gas::Gas;
use soru_michelson::interpret::Environment;
use soru_michelson::run::{self, Typed, ViewCall};
use soru_tezos::contract::{Contract, Destination, Entrypoint};
use soru_tezos::hash::ContractHash;
use soru_tezos::key::{PublicKeyHash, Scheme};
use soru_tezos::micheline::Micheline;
use soru_tezos::number::N;
use soru_tezos::scalar::Mutez;

/// What a contract has that is made for one run, unless the request says otherwise.
const BALANCE: Mutez = Mutez(4_000_000_000_000);

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
    #[serde(rename = "self", default)]
    this: Option<ContractHash>,
    #[serde(default)]
    entrypoint: Entrypoint,
    #[serde(default)]
    unparsing_mode: Option<UnparsingMode>,
    #[serde(default)]
    gas: Option<N>,
    #[serde(flatten)]
    world: World,
}

/// Who sends and who pays, from what a request says of them.
fn sender_and_payer(
    sender: Option<Contract>,
    payer: Option<PublicKeyHash>,
    this: ContractHash,
) -> (Destination, PublicKeyHash) {
    let nobody = PublicKeyHash { scheme: Scheme::Ed25519, hash: [0; 20] };
    let sender = sender.or(payer.map(Contract::Implicit)).unwrap_or(Contract::Originated(this));
    (Destination::Contract(sender), payer.unwrap_or(nobody))
}

/// At most what an operation may use.
fn bounded(gas: Option<&N>) -> Gas {
    let limit = meter(gas).left().min(super::TRIAL_GAS);
    Gas::new(limit)
}

impl RunCode {
    /// The contract that runs: one that is there, or one made for this run.
    fn settle(&self, chain: &mut ScriptChain<'_>, stored: &StoredScript) -> ContractHash {
        let this = self.this.unwrap_or_else(|| chain.fresh_contract());
        match chain.ledger.contracts.get_mut(&this) {
            Some(found) => found.balance = self.balance.unwrap_or(found.balance),
            None => chain.place(this, self.balance.unwrap_or(BALANCE), stored.clone()),
        }
        this
    }

    fn run<T>(
        &self,
        ledger: &Ledger,
        block: &BlockContext,
        run: impl FnOnce(&mut ScriptChain<'_>, &StoredScript, &Call) -> Result<T, ScriptError>,
    ) -> Result<T, Answer> {
        self.world.run(ledger, block, |chain| {
            let stored = StoredScript { code: self.script.clone(), storage: self.storage.clone() };
            let contract = self.settle(chain, &stored);
            let (sender, source) = sender_and_payer(self.source, self.payer, contract);
            let call = Call {
                contract,
                sender,
                source,
                amount: self.amount,
                entrypoint: self.entrypoint.clone(),
                parameter: self.input.clone(),
                internal: true,
            };
            run(chain, &stored, &call)
        })
    }
}

fn shown(outcome: Outcome, trace: Option<Vec<run::Step>>) -> Value {
    let operations: Vec<Value> = outcome.operations.into_iter().map(shown_operation).collect();
    let mut answer = json!({"storage": outcome.storage, "operations": operations});
    if let Some(trace) = trace {
        answer["trace"] = json!(trace);
    }
    if !outcome.lazy_storage_diff.is_empty() {
        answer["lazy_storage_diff"] = json!(outcome.lazy_storage_diff);
    }
    answer
}

pub(super) fn run_code(ledger: &Ledger, block: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: RunCode = request.json()?;
    let mode = body.unparsing_mode.unwrap_or_default().mode();
    let mut gas = bounded(body.gas.as_ref());
    let outcome =
        body.run(ledger, block, |chain, stored, call| run::execute_script(chain, stored, call, mode, &mut gas))?;
    Ok(Answer::json(&shown(outcome, None)))
}

pub(super) fn trace_code(ledger: &Ledger, block: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: RunCode = request.json()?;
    let mode = body.unparsing_mode.unwrap_or_default().mode();
    let mut gas = bounded(body.gas.as_ref());
    let (outcome, steps) =
        body.run(ledger, block, |chain, stored, call| run::trace_script(chain, stored, call, mode, &mut gas))?;
    Ok(Answer::json(&shown(outcome, Some(steps))))
}

#[derive(Deserialize)]
struct RunView {
    contract: ContractHash,
    #[serde(alias = "entrypoint")]
    view: String,
    input: Micheline,
    #[serde(default)]
    unlimited_gas: bool,
    #[serde(default)]
    source: Option<Contract>,
    #[serde(default)]
    payer: Option<PublicKeyHash>,
    #[serde(default)]
    gas: Option<N>,
    #[serde(default)]
    unparsing_mode: UnparsingMode,
    #[serde(flatten)]
    world: World,
}

impl RunView {
    fn call(&self) -> ViewCall {
        let (sender, source) = sender_and_payer(self.source, self.payer, self.contract);
        ViewCall { contract: self.contract, name: self.view.clone(), argument: self.input.clone(), sender, source }
    }
}

/// A view as scripts ask it.
pub(super) fn run_script_view(ledger: &Ledger, block: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: RunView = request.json()?;
    // "unlimited" is a hundred operations: a node answers others, too
    let mut gas = if body.unlimited_gas { Gas::new(100 * super::TRIAL_GAS) } else { bounded(body.gas.as_ref()) };
    let mode = body.unparsing_mode.mode();
    let data = body.world.run(ledger, block, |chain| run::view(chain, &body.call(), mode, &mut gas))?;
    Ok(Answer::json(&json!({ "data": data })))
}

/// A view as TZIP-4 has it: an entrypoint that calls back.
pub(super) fn run_view(ledger: &Ledger, block: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: RunView = request.json()?;
    let mut gas = bounded(body.gas.as_ref());
    let mode = body.unparsing_mode.mode();
    let data = body.world.run(ledger, block, |chain| {
        let callback = chain.fresh_contract();
        let place = |chain: &mut ScriptChain<'_>, script| chain.place(callback, Mutez(0), script);
        run::callback_view(chain, &body.call(), callback, place, mode, &mut gas)
    })?;
    Ok(Answer::json(&json!({ "data": data })))
}

/// An element of a stack.
#[derive(Deserialize, Serialize)]
pub(super) struct StackItem {
    #[serde(rename = "type")]
    pub(super) ty: Micheline,
    pub(super) val: Micheline,
}

#[derive(Deserialize)]
struct RunInstruction {
    input: Vec<StackItem>,
    code: Micheline,
    #[serde(default)]
    gas: Option<N>,
    #[serde(default)]
    sender: Option<Contract>,
    #[serde(default)]
    source: Option<PublicKeyHash>,
    #[serde(rename = "self", default)]
    this: Option<ContractHash>,
    #[serde(default)]
    parameter: Option<Micheline>,
    amount: Mutez,
    #[serde(default)]
    balance: Option<Mutez>,
    #[serde(default)]
    unparsing_mode: Option<UnparsingMode>,
    #[serde(default)]
    legacy: bool,
    #[serde(flatten)]
    world: World,
}

pub(super) fn run_instruction(ledger: &Ledger, block: &BlockContext, request: &Request) -> Result<Answer, Answer> {
    let body: RunInstruction = request.json()?;
    let mode = body.unparsing_mode.unwrap_or_default().mode();
    let mut gas = bounded(body.gas.as_ref());
    let output = body.world.run(ledger, block, |chain| {
        let contract = body.this.unwrap_or_else(|| chain.fresh_contract());
        let (sender, source) = sender_and_payer(body.sender, body.source, contract);
        let balance = body.balance.unwrap_or_else(|| body.this.map_or(BALANCE, |this| chain.balance(&this)));
        let environment = Environment { contract, sender, source, amount: body.amount, balance };
        let input = body.input.iter().map(|item| Typed { ty: item.ty.clone(), value: item.val.clone() });
        let input: Vec<Typed> = input.collect();
        let parameter = body.parameter.as_ref();
        run::run_instruction(chain, environment, &input, &body.code, parameter, (mode, body.legacy), &mut gas)
    })?;
    let output: Vec<StackItem> = output.into_iter().map(|item| StackItem { ty: item.ty, val: item.value }).collect();
    let some = N::from(0u64);
    Ok(Answer::json(&json!({"output": output, "gas": level(Some(&some), &gas)})))
}
