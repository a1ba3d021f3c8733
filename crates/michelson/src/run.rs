//! The whole of it: originating a contract, calling one, asking a view.

use crate::constants::{self, Lookup};
use crate::context::{Call, Chain, InternalKind, Outcome, StoredScript, TicketChange, TicketToken};
use crate::error::{Problem, Result, TypeMapEntry};
use crate::gas::{Gas, cost};
pub use crate::interpret::Step;
use crate::interpret::{Environment, Machine};
use crate::lazy::{BigMapUpdate, LazyStorageItem};
use crate::store::{self, Owner};
use crate::typecheck::{Script, Typer};
use crate::types::{Allow, Parameter, Side, Type};
use crate::value::{Mode, Value};
use num_bigint::BigInt;
use soru_tezos::codec::Encode;
use soru_tezos::contract::{Contract, Destination, Entrypoint};
use soru_tezos::hash::ContractHash;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::micheline::{Micheline, Prim};
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
    originated(chain, code, storage, false, gas)
}

/// The same for an origination by a contract, whose tickets and big maps are believed.
pub fn originate_emitted(
    chain: &mut dyn Chain,
    code: &Micheline,
    storage: &Micheline,
    gas: &mut Gas,
) -> Result<Originated> {
    originated(chain, code, storage, true, gas)
}

fn originated(
    chain: &mut dyn Chain,
    code: &Micheline,
    storage: &Micheline,
    emitted: bool,
    gas: &mut Gas,
) -> Result<Originated> {
    let mut typer = Typer::new(chain, gas);
    let script = Script::check(&mut typer, code)?;
    let storage = typer.expand_constants(storage)?;
    let value = typer.parse_toplevel_data(&storage, &script.storage, emitted)?;
    let (value, lazy_storage_diff) = store::extract(&mut typer, &value, &script.storage, &Owner::New)?;
    let storage = typer.unparse(&value, &script.storage, Mode::Optimized)?;
    Ok(Originated { code: code.clone(), storage, lazy_storage_diff })
}

/// Calls a contract: everything between the transfer of the amount and the running of the emitted operations. Fails with
/// `michelson_v1.bad_contract_parameter` (and why), `michelson_v1.runtime_error` (and why, e.g. `script_rejected` with the
/// value), or `gas_exhausted.operation`.
pub fn execute(chain: &mut dyn Chain, call: &Call, gas: &mut Gas) -> Result<Outcome> {
    let contract = Contract::Originated(call.contract);
    gas.take(2 * cost::STORAGE_READ)?;
    let stored = chain.script(&call.contract).ok_or(Problem::InvalidContract { location: 0, contract })?;
    execute_script(chain, &stored, call, Mode::Optimized, gas)
}

/// Calls a contract as if it had this script; its new storage in the wanted form.
pub fn execute_script(
    chain: &mut dyn Chain,
    stored: &StoredScript,
    call: &Call,
    mode: Mode,
    gas: &mut Gas,
) -> Result<Outcome> {
    run_script(chain, stored, call, mode, gas, false).map(|(outcome, _)| outcome)
}

/// The same, with the stack after every instruction.
pub fn trace_script(
    chain: &mut dyn Chain,
    stored: &StoredScript,
    call: &Call,
    mode: Mode,
    gas: &mut Gas,
) -> Result<(Outcome, Vec<Step>)> {
    run_script(chain, stored, call, mode, gas, true)
}

fn run_script(
    chain: &mut dyn Chain,
    stored: &StoredScript,
    call: &Call,
    mode: Mode,
    gas: &mut Gas,
    traced: bool,
) -> Result<(Outcome, Vec<Step>)> {
    let contract = Contract::Originated(call.contract);
    let bad_parameter = || Problem::BadContractParameter { contract };
    let balance = chain.balance(&call.contract);
    let environment =
        Environment { contract: call.contract, sender: call.sender, source: call.source, amount: call.amount, balance };
    let mut machine = Machine::new(chain, gas, environment);
    if traced {
        machine.keep_steps(mode);
    }
    machine.typer().legacy = true;
    let script = Script::check(machine.typer(), &stored.code)?;
    let before = machine.typer().parse_toplevel_data(&stored.storage, &script.storage, true)?;
    let entry = script.parameter.find(&call.entrypoint).map_err(|error| error.within(bad_parameter()))?;
    let argument = machine
        .typer()
        .parse_data(&call.parameter, &entry.ty, call.internal)
        .map_err(|error| error.within(bad_parameter()))?;
    let argument = entry.path.iter().rev().fold(argument, |value, side| match side {
        Side::Left => Value::Left(Arc::new(value)),
        Side::Right => Value::Right(Arc::new(value)),
    });
    let mut owner = (BTreeSet::new(), BTreeSet::new());
    store::big_map_ids(&before, &script.storage, &mut owner.0);
    store::big_map_ids(&argument, &script.parameter.ty, &mut owner.1);
    let held = store::tickets(machine.typer(), &before, &script.storage)?;

    let failed = |error: crate::error::ScriptError| error.within(Problem::RuntimeError { contract: call.contract });
    let stack = machine.run(&script.code, vec![Value::pair(argument, before)]).map_err(failed)?;
    let (operations, after) = result(stack)?;

    let owner = Owner::Storage { before: owner.0, argument: owner.1 };
    let (after, own_diff) = store::extract(machine.typer(), &after, &script.storage, &owner)?;
    let storage = machine
        .typer()
        .unparse(&after, &script.storage, mode)
        .map_err(|error| error.within(Problem::CannotSerializeStorage))?;
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
    Ok((Outcome { storage, operations: emitted, lazy_storage_diff, ticket_diff }, machine.take_steps()))
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

/// Asks a view of a contract; the answer in the wanted form. A script that asks it is run, as the reference does: errors
/// are those of that script. Fails with `viewNotFound`, `viewedContractHasNoScript` or what the view fails with.
pub fn view(chain: &mut dyn Chain, call: &ViewCall, mode: Mode, gas: &mut Gas) -> Result<Micheline> {
    let stored = chain.script(&call.contract).ok_or(Problem::ViewedContractHasNoScript)?;
    let code = Typer::new(chain, &mut Gas::unlimited()).expand_toplevel(stored.code)?;
    let Micheline::Seq(sections) = &code else { return Err(Problem::ViewedContractHasNoScript.into()) };
    let found = sections.iter().find_map(|section| match section.as_prim() {
        Some((Prim::view, [Micheline::String(name), input, output, _])) if *name == call.name => Some((input, output)),
        _ => None,
    });
    let not_found = || Problem::ViewNotFound { contract: call.contract, view: call.name.clone() };
    let (input, output) = found.ok_or_else(not_found)?;
    let stored = StoredScript { code: asking(call, input, output), storage: Micheline::word(Prim::None) };
    let call = Call {
        contract: call.contract,
        sender: call.sender,
        source: call.source,
        amount: Mutez(0),
        entrypoint: Entrypoint::default(),
        parameter: Micheline::unit(),
        internal: true,
    };
    match execute_script(chain, &stored, &call, mode, gas)?.storage {
        Micheline::Prim(app) if app.prim == Prim::Some && app.args.len() == 1 => {
            app.args.into_iter().next().ok_or_else(|| Problem::ViewerUnexpectedStorage.into())
        }
        _ => Err(Problem::ViewerUnexpectedStorage.into()),
    }
}

/// A script that keeps what a view answers in its storage.
fn asking(call: &ViewCall, input: &Micheline, output: &Micheline) -> Micheline {
    let of = |prim, args: Vec<Micheline>| Micheline::prim(prim, args);
    let word = Micheline::word;
    let address = Micheline::String(Contract::Originated(call.contract).to_string());
    let body = vec![
        word(Prim::DROP),
        of(Prim::PUSH, vec![word(Prim::address), address]),
        of(Prim::PUSH, vec![input.clone(), call.argument.clone()]),
        of(Prim::VIEW, vec![Micheline::String(call.name.clone()), output.clone()]),
        of(Prim::NIL, vec![word(Prim::operation)]),
        word(Prim::PAIR),
    ];
    Micheline::Seq(vec![
        of(Prim::parameter, vec![word(Prim::unit)]),
        of(Prim::storage, vec![of(Prim::option, vec![output.clone()])]),
        of(Prim::code, vec![Micheline::Seq(body)]),
    ])
}

/// Asks a view in the style of TZIP-4: an entrypoint that takes an argument and a contract to call back with the answer.
/// `callback` is an address at which the chain has no contract. Fails with `illformedViewType`, `viewNeverReturns`,
/// `viewUnexpectedReturn`, or what the contract fails with.
pub fn callback_view<C: Chain>(
    chain: &mut C,
    call: &ViewCall,
    callback: ContractHash,
    place: impl FnOnce(&mut C, StoredScript),
    mode: Mode,
    gas: &mut Gas,
) -> Result<Micheline> {
    let entrypoint: Entrypoint =
        call.name.parse().map_err(|_| Problem::EntrypointTooLong { name: call.name.clone() })?;
    let stored = chain.script(&call.contract).ok_or(Problem::ViewedContractHasNoScript)?;
    let code = Typer::new(chain, &mut Gas::unlimited()).expand_toplevel(stored.code.clone())?;
    let parameter = crate::typecheck::section(&code, Prim::parameter).ok_or(Problem::ViewedContractHasNoScript)?;
    let expr = Parameter::of(parameter)?.find(&entrypoint)?.expr;
    let answer = match expr.as_prim() {
        Some((Prim::pair, [_, second])) => match second.as_prim() {
            Some((Prim::contract, [answer])) => answer.clone(),
            _ => return Err(Problem::IllformedViewType { entrypoint, ty: expr.clone() }.into()),
        },
        _ => return Err(Problem::IllformedViewType { entrypoint, ty: expr.clone() }.into()),
    };
    let of = |prim, arg: Micheline| Micheline::prim(prim, vec![arg]);
    let viewer = Micheline::Seq(vec![
        of(Prim::parameter, answer.clone()),
        of(Prim::storage, Micheline::word(Prim::unit)),
        of(Prim::code, Micheline::word(Prim::FAILWITH)),
    ]);
    place(chain, StoredScript { code: viewer, storage: Micheline::unit() });
    let address = Micheline::Bytes(Destination::Contract(Contract::Originated(callback)).to_bytes());
    let called = Call {
        contract: call.contract,
        sender: call.sender,
        source: call.source,
        amount: Mutez(0),
        entrypoint: entrypoint.clone(),
        parameter: Micheline::prim(Prim::Pair, vec![call.argument.clone(), address]),
        internal: true,
    };
    let mut operations = execute_script(chain, &stored, &called, mode, gas)?.operations;
    let emitted = (operations.pop(), operations.is_empty());
    let (Some(only), true) = emitted else {
        return Err(match emitted.0 {
            None => Problem::ViewNeverReturns { entrypoint, callback },
            Some(_) => Problem::ViewUnexpectedReturn { entrypoint, callback },
        }
        .into());
    };
    match only.kind {
        InternalKind::Transaction { destination, parameter, parameter_type, .. }
            if destination == Destination::Contract(Contract::Originated(callback)) =>
        {
            let mut gas = Gas::unlimited();
            normalize(chain, &parameter, &Type::of(&parameter_type, Allow::PASSABLE)?, mode, &mut gas)
        }
        _ => Err(Problem::ViewUnexpectedReturn { entrypoint, callback }.into()),
    }
}

/// Typechecks a script; the stacks around its instructions when they are wanted, the last instruction first. `legacy` allows
/// what only old contracts may do.
pub fn typecheck_code(
    chain: &mut dyn Chain,
    code: &Micheline,
    legacy: bool,
    types: bool,
    gas: &mut Gas,
) -> Result<Vec<TypeMapEntry>> {
    let mut typer = Typer::new(chain, gas);
    typer.legacy = legacy;
    if types {
        typer.keep_type_map();
    }
    Script::check(&mut typer, code)?;
    Ok(typer.type_map())
}

/// Checks that an expression is a value of a type. Tickets and ids of big maps are believed.
pub fn typecheck_data(
    chain: &mut dyn Chain,
    data: &Micheline,
    ty: &Micheline,
    legacy: bool,
    gas: &mut Gas,
) -> Result<()> {
    let ill_formed = |error: crate::error::ScriptError| {
        error.within(Problem::IllFormedType { identifier: None, expression: ty.clone(), location: 0 })
    };
    let ty = Type::of(ty, Allow::PASSABLE).map_err(ill_formed)?;
    let mut typer = Typer::new(chain, gas);
    typer.legacy = legacy;
    typer.parse_toplevel_data(data, &ty, true).map(|_| ())
}

/// The parameter type of a script, its global constants filled in.
pub fn parameter(code: &Micheline, lookup: &Lookup<'_>) -> Result<Parameter> {
    Parameter::of(&section(code, Prim::parameter, lookup)?)
}

/// The storage type of a script, its global constants filled in.
pub fn storage_type(code: &Micheline, lookup: &Lookup<'_>) -> Result<Micheline> {
    section(code, Prim::storage, lookup)
}

fn section(code: &Micheline, prim: Prim, lookup: &Lookup<'_>) -> Result<Micheline> {
    let expanded = constants::expand(code, &mut Gas::unlimited(), lookup)?;
    let found = crate::typecheck::section(&expanded, prim).cloned();
    found.ok_or_else(|| Problem::MissingScriptField { prim }.into())
}

/// An element of a stack as expressions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// Its type.
    pub ty: Micheline,
    /// Its value.
    pub value: Micheline,
}

/// Runs one instruction (or a sequence) on a stack, the top first, as if it stood in a contract with this parameter type
/// (`unit` without); gives the stack it leaves in the wanted form. The flag allows what only old contracts may do.
pub fn run_instruction(
    chain: &mut dyn Chain,
    environment: Environment,
    input: &[Typed],
    code: &Micheline,
    parameter: Option<&Micheline>,
    (mode, legacy): (Mode, bool),
    gas: &mut Gas,
) -> Result<Vec<Typed>> {
    let mut machine = Machine::new(chain, gas, environment);
    machine.typer().legacy = legacy;
    let left = machine.single(input, code, parameter)?;
    let shown = |(ty, value): (Type, Value)| {
        Ok(Typed { ty: ty.to_micheline(), value: machine.typer().unparse(&value, &ty, mode)? })
    };
    left.into_iter().map(shown).collect()
}

/// A value of a type written in another form; what does not fit the type stays as it is.
pub fn normalize_untyped(chain: &mut dyn Chain, data: &Micheline, ty: &Type, mode: Mode) -> Micheline {
    Typer::new(chain, &mut Gas::unlimited()).normalize(data, ty, mode)
}

/// Code with its global constants filled in and the values it pushes in the wanted form.
pub fn normalize_script(chain: &mut dyn Chain, code: &Micheline, mode: Mode, gas: &mut Gas) -> Result<Micheline> {
    let mut typer = Typer::new(chain, gas);
    let code = typer.expand_constants(code)?;
    typer.unparse_code(&code, mode, 0)
}

/// The entries of a big map from the literal of a map.
pub fn big_map_entries(
    chain: &mut dyn Chain,
    key_type: &Micheline,
    value_type: &Micheline,
    items: &Micheline,
    gas: &mut Gas,
) -> Result<Vec<BigMapUpdate>> {
    let key_type = Type::of(key_type, Allow::NONE)?;
    let value_type = Type::of(value_type, Allow::BIG_MAP_VALUE)?;
    let mut typer = Typer::new(chain, gas);
    let Value::Map(map) = typer.parse_data(items, &Type::map(key_type.clone(), value_type.clone()), true)? else {
        return Err(Problem::Inconsistent { location: 0 }.into());
    };
    let mut entries = Vec::with_capacity(map.len());
    for (key, value) in &map {
        let key_hash = typer.key_hash(key, &key_type)?;
        let key = typer.unparse(key, &key_type, Mode::Optimized)?;
        let value = Some(typer.unparse(value, &value_type, Mode::Optimized)?);
        entries.push(BigMapUpdate { key_hash, key, value });
    }
    Ok(entries)
}

/// The bytes `PACK` gives for a value written as an expression.
pub fn pack(chain: &mut dyn Chain, data: &Micheline, ty: &Type, gas: &mut Gas) -> Result<Vec<u8>> {
    let mut typer = Typer::new(chain, gas);
    typer.legacy = true;
    let value = typer.parse_data(data, ty, true)?;
    typer.pack(&value, ty)
}

/// A value written in another form.
pub fn normalize(chain: &mut dyn Chain, data: &Micheline, ty: &Type, mode: Mode, gas: &mut Gas) -> Result<Micheline> {
    let mut typer = Typer::new(chain, gas);
    let value = typer.parse_toplevel_data(data, ty, true)?;
    typer.unparse(&value, ty, mode)
}
