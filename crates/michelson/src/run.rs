//! The whole of it: originating a contract, calling one, asking a view.

use crate::context::{Call, Chain, Outcome, TicketChange, TicketToken};
use crate::error::{Problem, Result};
use crate::gas::{Gas, cost};
use crate::interpret::{Environment, Machine};
use crate::lazy::LazyStorageItem;
use crate::store::{self, Owner};
use crate::typecheck::{Script, Typer};
use crate::types::{Side, Type};
use crate::value::{Mode, Value};
use num_bigint::BigInt;
use soru_tezos::contract::{Contract, Destination};
use soru_tezos::hash::ContractHash;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::number::{N, Z};
use soru_tezos::scalar::Mutez;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A contract ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Originated {
    /// Its code, as it is stored.
    pub code: Micheline,
    /// Its storage, big maps as ids.
    pub storage: Micheline,
    /// Big maps to be made.
    pub lazy_storage_diff: Vec<LazyStorageItem>,
}

/// Typechecks a script and its initial storage for an origination by a user. Fails with `michelson_v1.ill_typed_contract`,
/// `ill_typed_data`, or `gas_exhausted.operation`.
pub fn originate(chain: &mut dyn Chain, code: &Micheline, storage: &Micheline, gas: &mut Gas) -> Result<Originated> {
    let mut typer = Typer::new(chain, gas);
    let script = Script::check(&mut typer, code)?;
    let storage = typer.expand_constants(storage)?;
    let value = typer.parse_toplevel_data(&storage, &script.storage, false)?;
    let (value, lazy_storage_diff) = store::extract(&mut typer, &value, &script.storage, &Owner::New)?;
    let storage = typer.unparse(&value, &script.storage, Mode::Optimized)?;
    Ok(Originated { code: code.clone(), storage, lazy_storage_diff })
}

/// Calls a contract: everything between the transfer of the amount and the running of the emitted operations. Fails with
/// `michelson_v1.bad_contract_parameter` (and why), `michelson_v1.runtime_error` (and why, e.g. `script_rejected` with the
/// value), or `gas_exhausted.operation`.
pub fn execute(chain: &mut dyn Chain, call: &Call, gas: &mut Gas) -> Result<Outcome> {
    let contract = Contract::Originated(call.contract);
    let bad_parameter = || Problem::BadContractParameter { contract };
    gas.take(2 * cost::STORAGE_READ)?;
    let stored = chain.script(&call.contract).ok_or(Problem::InvalidContract { location: 0, contract })?;
    let balance = chain.balance(&call.contract);
    let environment =
        Environment { contract: call.contract, sender: call.sender, source: call.source, amount: call.amount, balance };
    let mut machine = Machine::new(chain, gas, environment);
    machine.typer().legacy = true;
    let script = Script::check(machine.typer(), &stored.code)?;
    let entry = script.parameter.find(&call.entrypoint).map_err(|error| error.within(bad_parameter()))?;
    let argument = machine
        .typer()
        .parse_data(&call.parameter, &entry.ty, call.internal)
        .map_err(|error| error.within(bad_parameter()))?;
    let argument = entry.path.iter().rev().fold(argument, |value, side| match side {
        Side::Left => Value::Left(Arc::new(value)),
        Side::Right => Value::Right(Arc::new(value)),
    });
    let before = machine.typer().parse_data(&stored.storage, &script.storage, true)?;
    let mut owner = (BTreeSet::new(), BTreeSet::new());
    store::big_map_ids(&before, &script.storage, &mut owner.0);
    store::big_map_ids(&argument, &script.parameter.ty, &mut owner.1);
    let held = store::tickets(machine.typer(), &before, &script.storage)?;

    let failed = |error: crate::error::ScriptError| error.within(Problem::RuntimeError { contract: call.contract });
    let stack = machine.run(&script.code, vec![Value::pair(argument, before)]).map_err(failed)?;
    let (operations, after) = result(stack)?;

    let owner = Owner::Storage { before: owner.0, argument: owner.1 };
    let (after, own_diff) = store::extract(machine.typer(), &after, &script.storage, &owner)?;
    let storage = machine.typer().unparse(&after, &script.storage, Mode::Optimized)?;
    let holds = store::tickets(machine.typer(), &after, &script.storage)?;
    let [gained, lost] = store::tickets_in_changes(machine.typer(), &own_diff)?;
    let ticket_diff = ticket_changes(contract, [holds, gained], [held, lost]);

    let mut lazy_storage_diff = Vec::new();
    let mut emitted = Vec::with_capacity(operations.len());
    for operation in &operations {
        let Value::Operation(operation) = operation else {
            return Err(Problem::Inconsistent { location: 0 }.into());
        };
        lazy_storage_diff.extend(operation.lazy_storage_diff.iter().cloned());
        emitted.push(operation.operation.clone());
    }
    lazy_storage_diff.extend(own_diff);
    Ok(Outcome { storage, operations: emitted, lazy_storage_diff, ticket_diff })
}

/// The operations and the storage a script has left.
fn result(mut stack: Vec<Value>) -> Result<(imbl::Vector<Value>, Value)> {
    if let (Some(Value::Pair(pair)), true) = (stack.pop(), stack.is_empty())
        && let (Value::List(operations), storage) = Arc::unwrap_or_clone(pair)
    {
        return Ok((operations, storage));
    }
    Err(Problem::Inconsistent { location: 0 }.into())
}

fn ticket_changes(
    contract: Contract,
    more: [Vec<(TicketToken, N)>; 2],
    less: [Vec<(TicketToken, N)>; 2],
) -> Vec<TicketChange> {
    let mut changes: Vec<TicketChange> = Vec::new();
    let signed = |list: [Vec<(TicketToken, N)>; 2], sign: i8| {
        list.into_iter().flatten().map(move |(token, amount)| (token, BigInt::from(amount.0) * sign))
    };
    for (token, amount) in signed(more, 1).chain(signed(less, -1)) {
        match changes.iter_mut().find(|change| change.token == token) {
            Some(change) => change.amount.0 += amount,
            None => {
                let account = Destination::Contract(contract);
                changes.push(TicketChange { token, account, amount: Z(amount) });
            }
        }
    }
    changes.retain(|change| change.amount.0.sign() != num_bigint::Sign::NoSign);
    changes
}

/// Reads an argument that no script has made, but a rollup or the operation that transfers tickets: its tickets are taken at
/// their word. Gives its optimized form, and the tickets in it, each kind once.
pub fn argument(
    chain: &mut dyn Chain,
    data: &Micheline,
    ty: &Type,
    gas: &mut Gas,
) -> Result<(Micheline, Vec<(TicketToken, N)>)> {
    let mut typer = Typer::new(chain, gas);
    let value = typer.parse_data(data, ty, true)?;
    let tickets = store::tickets(&mut typer, &value, ty)?;
    Ok((typer.unparse(&value, ty, Mode::Optimized)?, tickets))
}

/// Who asks a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewCall {
    /// Whose view.
    pub contract: ContractHash,
    /// Its name.
    pub name: String,
    /// The argument.
    pub argument: Micheline,
    /// Who asks.
    pub sender: Destination,
    /// Who pays.
    pub source: PublicKeyHash,
}

/// Asks a view of a contract; the answer in the wanted form.
pub fn view(chain: &mut dyn Chain, call: &ViewCall, mode: Mode, gas: &mut Gas) -> Result<Micheline> {
    let contract = Contract::Originated(call.contract);
    let stored = chain.script(&call.contract).ok_or(Problem::InvalidContract { location: 0, contract })?;
    let balance = chain.balance(&call.contract);
    let environment =
        Environment { contract: call.contract, sender: call.sender, source: call.source, amount: Mutez(0), balance };
    let mut machine = Machine::new(chain, gas, environment);
    machine.typer().legacy = true;
    let script = Script::check(machine.typer(), &stored.code)?;
    let view = script.views.get(&call.name).ok_or(Problem::BadViewName { location: 0 })?;
    let argument = machine.typer().parse_toplevel_data(&call.argument, &view.input, false)?;
    let storage = machine.typer().parse_data(&stored.storage, &script.storage, true)?;
    let failed = |error: crate::error::ScriptError| error.within(Problem::RuntimeError { contract: call.contract });
    let stack = machine.run(&view.code, vec![Value::pair(argument, storage)]).map_err(failed)?;
    match &stack[..] {
        [answer] => machine.typer().unparse(answer, &view.output, mode),
        _ => Err(Problem::Inconsistent { location: 0 }.into()),
    }
}

/// The bytes `PACK` gives for a value written as an expression.
pub fn pack(chain: &mut dyn Chain, data: &Micheline, ty: &Type, gas: &mut Gas) -> Result<Vec<u8>> {
    let mut typer = Typer::new(chain, gas);
    let value = typer.parse_toplevel_data(data, ty, false)?;
    typer.pack(&value, ty)
}

/// A value written in another form.
pub fn normalize(chain: &mut dyn Chain, data: &Micheline, ty: &Type, mode: Mode, gas: &mut Gas) -> Result<Micheline> {
    let mut typer = Typer::new(chain, gas);
    let value = typer.parse_toplevel_data(data, ty, true)?;
    typer.unparse(&value, ty, mode)
}
