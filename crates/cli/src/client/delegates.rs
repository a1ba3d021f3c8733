//! Commands on keys the chain knows and on delegates (`spec/node.md` §10.3).

use super::context::{Context, rpc_failed};
use super::operate;
use super::options::OPERATION;
use crate::grammar::{CliError, Command, Invocation};
use soru_l1::wallet::Signer;
use soru_tezos::contract::Contract;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::operation::{Delegation, Reveal};
use std::sync::Arc;

const GROUP: &str = "Block contextual commands (see option --block)";

/// The commands.
pub fn commands() -> Vec<Command> {
    vec![
        Command::new(GROUP, "get delegate for <src>", &[], "Get the delegate of a contract.", |i| Box::pin(get(i))),
        Command::new(GROUP, "set delegate for <src> to <dlgt>", &[OPERATION], "Set the delegate of a contract.", |i| {
            Box::pin(set(i))
        }),
        Command::new(
            GROUP,
            "withdraw delegate from <src>",
            &[OPERATION],
            "Withdraw the delegate from a contract.",
            |i| Box::pin(withdraw(i)),
        ),
        Command::new(
            GROUP,
            "register key <src> as delegate",
            &[OPERATION],
            "Register the public key hash as a delegate.",
            |i| Box::pin(register(i)),
        ),
        Command::new(
            GROUP,
            "reveal key for <src>",
            &[OPERATION],
            "Reveal the public key of the contract manager.",
            |i| Box::pin(reveal(i)),
        ),
    ]
}

async fn get(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let who = context.contract(&invocation, "src")?;
    let Some(delegate) = context.rpc.delegate(context.block, &who).await.map_err(rpc_failed)? else {
        println!("none");
        return Ok(());
    };
    let known = match context.wallet.alias_of(&delegate).map_err(CliError::failed)? {
        Some(alias) => format!("known as {alias}"),
        None => "unknown".to_owned(),
    };
    println!("{delegate} ({known})");
    Ok(())
}

async fn delegate(
    context: &Context,
    invocation: &Invocation,
    signer: Arc<dyn Signer>,
    delegate: Option<PublicKeyHash>,
) -> Result<(), CliError> {
    operate::send(context, invocation, signer, Delegation { delegate }).await?;
    Ok(())
}

/// The key of the account whose delegate is to change: a contract changes its own by its code.
async fn account(context: &Context, invocation: &Invocation) -> Result<Arc<dyn Signer>, CliError> {
    if let Contract::Originated(contract) = context.contract(invocation, "src")? {
        return Err(CliError::Usage(format!(
            "{contract} is a contract: call its entrypoint that changes the delegate"
        )));
    }
    context.signer(invocation, "src").await
}

async fn set(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let new = context.address(&invocation, "dlgt")?;
    let signer = account(&context, &invocation).await?;
    delegate(&context, &invocation, signer, Some(new)).await
}

async fn withdraw(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let signer = account(&context, &invocation).await?;
    delegate(&context, &invocation, signer, None).await
}

async fn register(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let signer = context.signer(&invocation, "src").await?;
    let own = signer.address();
    delegate(&context, &invocation, signer, Some(own)).await
}

async fn reveal(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let signer = context.signer(&invocation, "src").await?;
    let proof = signer.proof_of_possession().await.map_err(CliError::failed)?;
    let body = Reveal { public_key: signer.public_key().clone(), proof };
    operate::send(&context, &invocation, signer, body).await?;
    Ok(())
}
