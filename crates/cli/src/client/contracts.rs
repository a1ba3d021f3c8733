//! Commands on accounts and contracts: balances, transfers, calls, originations (`spec/node.md` §10.3).

use super::context::{Context, rpc_failed};
use super::literal::Source;
use super::operate;
use super::options::{FORCE, OPERATION};
use super::receipt::TEZ;
use crate::grammar::{CliError, Command, Invocation, Opt};
use soru_l1::wallet::Contracts;
use soru_michelson::syntax::{print, print_argument};
use soru_tezos::contract::{Contract, Entrypoint};
use soru_tezos::hash::ContractHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::operation::{Origination, Parameters, Script, Transaction};
use soru_tezos::receipt::Applied;
use soru_tezos::scalar::Mutez;

const GROUP: &str = "Block contextual commands (see option --block)";
const RECORD: &str = "Commands for managing the record of known contracts";
const ARGUMENT: &[Opt] = &[
    Opt::value("arg", None, "data", "argument of the contract (default: Unit)"),
    Opt::value("entrypoint", None, "name", "entrypoint of the contract (default: default)"),
];
const ORIGINATION: &[Opt] = &[
    Opt::value("init", None, "data", "initial storage (default: Unit)"),
    Opt::value("delegate", None, "key", "delegate of the contract"),
];

/// The commands.
pub fn commands() -> Vec<Command> {
    vec![
        Command::new(GROUP, "get balance for <src>", &[], "Get the balance of a contract.", |i| Box::pin(balance(i))),
        Command::new(GROUP, "get contract storage for <src>", &[], "Get the storage of a contract.", |i| {
            Box::pin(storage(i))
        }),
        Command::new(GROUP, "get contract code for <src>", &[], "Get the code of a contract.", |i| Box::pin(code(i))),
        Command::new(GROUP, "get contract entrypoints for <src>", &[], "Get the entrypoint list of a contract.", |i| {
            Box::pin(entrypoints(i))
        }),
        Command::new(
            GROUP,
            "originate contract <new> transferring <qty> from <src> running <prg>",
            &[ORIGINATION, FORCE, OPERATION],
            "Launch a smart contract on the blockchain.",
            |i| Box::pin(originate(i)),
        ),
        Command::new(
            GROUP,
            "transfer <qty> from <src> to <dst>",
            &[ARGUMENT, OPERATION],
            "Transfer tokens / call a smart contract.",
            |i| Box::pin(transfer(i)),
        ),
        Command::new(
            GROUP,
            "call <dst> from <src>",
            &[ARGUMENT, OPERATION],
            "Call a smart contract (same as 'transfer 0').",
            |i| Box::pin(call(i)),
        ),
        Command::new(RECORD, "remember contract <new> <src>", &[FORCE], "Add a contract to the wallet.", |i| {
            Box::pin(remember(i))
        }),
        Command::new(RECORD, "forget contract <name>", &[FORCE], "Remove a contract from the wallet.", |i| {
            Box::pin(forget(i))
        }),
        Command::new(RECORD, "list known contracts", &[], "Lists all known contracts in the wallet.", |i| {
            Box::pin(list(i))
        }),
        Command::new(RECORD, "show known contract <name>", &[], "Display a contract from the wallet.", |i| {
            Box::pin(show(i))
        }),
    ]
}

async fn balance(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let who = context.contract(&invocation, "src")?;
    let balance = context.rpc.balance(context.block, &who).await.map_err(rpc_failed)?;
    println!("{} {TEZ}", balance.to_tez());
    Ok(())
}

/// The smart contract in the parameter `src`.
fn originated(context: &Context, invocation: &Invocation) -> Result<ContractHash, CliError> {
    match context.contract(invocation, "src")? {
        Contract::Originated(contract) => Ok(contract),
        Contract::Implicit(_) => Err(CliError::Usage("This is not a smart contract.".to_owned())),
    }
}

fn unknown(contract: ContractHash) -> CliError {
    CliError::Usage(format!("Contract {contract} does not exist"))
}

async fn storage(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let contract = originated(&context, &invocation)?;
    let storage = context.rpc.storage(context.block, &contract).await.map_err(rpc_failed)?;
    println!("{}", print(&storage.ok_or_else(|| unknown(contract))?));
    Ok(())
}

async fn code(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let contract = originated(&context, &invocation)?;
    let script = context.rpc.script(context.block, &contract).await.map_err(rpc_failed)?;
    println!("{}", print(&script.ok_or_else(|| unknown(contract))?.code));
    Ok(())
}

async fn entrypoints(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let contract = originated(&context, &invocation)?;
    let listed = context.rpc.entrypoints(context.block, &contract).await.map_err(rpc_failed)?;
    let listed = listed.ok_or_else(|| unknown(contract))?.entrypoints;
    let mut rows: Vec<(String, Micheline)> = Vec::new();
    let default = Entrypoint::default();
    // the root is the default where no entrypoint is called so
    if !listed.contains_key(&default.to_string())
        && let Some(ty) = context.rpc.entrypoint_type(context.block, &contract, &default).await.map_err(rpc_failed)?
    {
        rows.push((default.to_string(), ty));
    }
    rows.extend(listed);
    println!("Entrypoints for contract {contract}: ");
    for (name, ty) in rows {
        println!("  {name}: {}", print_argument(&ty).replace('\n', &format!("\n{:1$}", "", name.len() + 4)));
    }
    Ok(())
}

async fn originate(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let alias = invocation.param("new").to_owned();
    check_new::<Contracts>(&context, &invocation, &alias, "contract")?;
    let balance = invocation.read_param("qty", Mutez::parse_tez)?;
    let signer = context.signer(&invocation, "src").await?;
    let code = invocation.read_param("prg", Source::script)?;
    let storage = invocation.read_option("init", Source::data)?;
    let delegate = invocation.read_option("delegate", |text| context.wallet.address(text))?;
    let script = Script {
        code: code.parsed.expr.clone(),
        storage: storage.as_ref().map_or_else(Micheline::unit, |storage| storage.parsed.expr.clone()),
    };
    let written: Vec<Source> = [code].into_iter().chain(storage).collect();
    let body = Origination { balance, delegate, script };
    let outcome = operate::send_written(&context, &invocation, signer, body, &written).await?;
    let Some(Applied::Origination(result)) = outcome.applied() else { return Ok(()) };
    let Some(contract) = result.originated_contracts.first() else { return Ok(()) };
    if outcome.injected {
        println!("New contract {contract} originated.");
        context.wallet.remember::<Contracts>(&alias, *contract, true).map_err(CliError::failed)?;
        println!("Contract memorized as {alias}.");
    }
    Ok(())
}

/// Refuses an alias that names something already, before anything is injected.
pub fn check_new<E: soru_l1::wallet::Entity>(
    context: &Context,
    invocation: &Invocation,
    alias: &str,
    what: &str,
) -> Result<(), CliError>
where
    E::Value: std::fmt::Display,
{
    match context.wallet.aliases::<E>().find(alias).map_err(CliError::failed)? {
        Some(value) if !invocation.switch("force") => Err(CliError::Usage(format!(
            "The {what} alias {alias} already exists.\n  The current value is {value}.\nUse --force to update"
        ))),
        _ => Ok(()),
    }
}

async fn transfer(invocation: Invocation) -> Result<(), CliError> {
    let amount = invocation.read_param("qty", Mutez::parse_tez)?;
    pay(invocation, amount).await
}

async fn call(invocation: Invocation) -> Result<(), CliError> {
    pay(invocation, Mutez(0)).await
}

async fn pay(invocation: Invocation, amount: Mutez) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let signer = context.signer(&invocation, "src").await?;
    let destination = context.contract(&invocation, "dst")?;
    let entrypoint: Entrypoint = invocation.parse_option("entrypoint")?.unwrap_or_default();
    let argument = invocation.read_option("arg", Source::data)?;
    let value = argument.as_ref().map_or_else(Micheline::unit, |argument| argument.parsed.expr.clone());
    let body = Transaction { amount, destination, parameters: Parameters { entrypoint, value } };
    operate::send_written(&context, &invocation, signer, body, argument.as_slice()).await?;
    Ok(())
}

async fn remember(invocation: Invocation) -> Result<(), CliError> {
    let contract: ContractHash = invocation.parse_param("src")?;
    super::context::wallet(&invocation)?
        .remember::<Contracts>(invocation.param("new"), contract, invocation.switch("force"))
        .map_err(|error| CliError::Usage(error.to_string()))
}

async fn forget(invocation: Invocation) -> Result<(), CliError> {
    super::context::wallet(&invocation)?
        .forget::<Contracts>(invocation.param("name"))
        .map_err(|error| CliError::Usage(error.to_string()))
}

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let wallet = super::context::wallet(&invocation)?;
    for (alias, contract) in wallet.aliases::<Contracts>().list().map_err(CliError::failed)? {
        println!("{alias}: {contract}");
    }
    for known in wallet.known_addresses().map_err(CliError::failed)? {
        println!("{}: {}", known.alias, known.address);
    }
    Ok(())
}

async fn show(invocation: Invocation) -> Result<(), CliError> {
    let wallet = super::context::wallet(&invocation)?;
    println!("{}", invocation.read_param("name", |text| wallet.contract(text))?);
    Ok(())
}
