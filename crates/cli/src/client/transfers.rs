//! `multiple transfers from … using …`: a batch of transfers, written as JSON (`spec/node.md` §10.3).

use super::context::Context;
use super::literal::{data, text_or_file};
use super::operate;
use super::options::OPERATION;
use crate::grammar::{CliError, Command, Invocation};
use serde::Deserialize;
use soru_l1::fees::Item;
use soru_tezos::contract::Entrypoint;
use soru_tezos::micheline::Micheline;
use soru_tezos::operation::{Parameters, Transaction};
use soru_tezos::scalar::Mutez;

const GROUP: &str = "Block contextual commands (see option --block)";

/// The commands.
pub fn commands() -> Vec<Command> {
    vec![Command::new(
        GROUP,
        "multiple transfers from <src> using <transfers.json>",
        &[OPERATION],
        "Execute multiple transfers from a single source account, listed in JSON (inline, or in a file): \
         [{\"destination\": dst, \"amount\": qty}, …], each with \"fee\", \"gas-limit\", \"storage-limit\", \"arg\" or \
         \"entrypoint\" where wanted.",
        |i| Box::pin(transfer(i)),
    )]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Transfer {
    destination: String,
    amount: String,
    fee: Option<String>,
    gas_limit: Option<String>,
    storage_limit: Option<String>,
    arg: Option<String>,
    entrypoint: Option<String>,
}

/// The transfers of a JSON list, inline or in a file.
fn read(text: &str) -> Result<Vec<Transfer>, String> {
    let text = text_or_file(text)?;
    let list: Vec<serde_json::Value> =
        serde_json::from_str(&text).map_err(|error| format!("Invalid transfer file: {error}"))?;
    let read = |(index, value)| {
        serde_json::from_value(value).map_err(|error| format!("Invalid transfer at index {index}: {error}"))
    };
    list.into_iter().enumerate().map(read).collect()
}

fn item(context: &Context, invocation: &Invocation, transfer: &Transfer) -> Result<Item, String> {
    let tez = |text: &str| Mutez::parse_tez(text).map_err(|error| error.to_string());
    let number = |text: &String| text.parse().map_err(|_| format!("'{text}' is not a number"));
    let argument = transfer.arg.as_deref().or(invocation.option("arg"));
    let value = argument.map(|text| data(text).map_err(|error| error.to_string())).transpose()?;
    let entrypoint: Option<Entrypoint> = transfer
        .entrypoint
        .as_deref()
        .map(|text| text.parse().map_err(|error: <Entrypoint as std::str::FromStr>::Err| error.to_string()))
        .transpose()?;
    let body = Transaction {
        amount: tez(&transfer.amount)?,
        destination: context.wallet.contract(&transfer.destination).map_err(|error| error.to_string())?,
        parameters: Parameters {
            entrypoint: entrypoint.unwrap_or_default(),
            value: value.unwrap_or_else(Micheline::unit),
        },
    };
    // the options hold for those that say nothing themselves
    let mut item = operate::item(invocation, body.into()).map_err(|error| error.to_string())?;
    item.fee = transfer.fee.as_deref().map(tez).transpose()?.or(item.fee);
    item.gas_limit = transfer.gas_limit.as_ref().map(number).transpose()?.or(item.gas_limit);
    item.storage_limit = transfer.storage_limit.as_ref().map(number).transpose()?.or(item.storage_limit);
    Ok(item)
}

async fn transfer(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let signer = context.signer(&invocation, "src").await?;
    let items = invocation.read_param("transfers.json", |text| {
        let transfers = read(text)?;
        let read = |(index, transfer)| {
            item(&context, &invocation, transfer).map_err(|error| format!("Invalid transfer at index {index}: {error}"))
        };
        transfers.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()
    })?;
    if items.is_empty() {
        return Err(CliError::Usage("Empty operation list".to_owned()));
    }
    operate::send_all(&context, &invocation, signer, &items).await?;
    Ok(())
}
