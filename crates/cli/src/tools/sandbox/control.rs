//! `soru sandbox …` on a running sandbox: blocks on demand, its clock, snapshots, reorganisations, tez and constants. Each is
//! a request to `/sandbox/…` whose answer is printed.

use crate::grammar::{CliError, Command, Invocation, Opt};
use crate::http;
use serde_json::{Value, json};
use soru_l1::rpc::{Method, RpcClient};
use soru_tezos::contract::Contract;
use soru_tezos::scalar::{Mutez, Timestamp};

const GROUP: &str = "Layer 1";
const DEFAULT_ENDPOINT: &str = "http://localhost:8732";
const ENDPOINT: &[Opt] =
    &[Opt::value("endpoint", Some('E'), "uri", "RPC of the sandbox (default: http://localhost:8732)")];
const REORG: &[Opt] = &[Opt::switch(
    "drop-operations",
    None,
    "forget the operations of the replaced blocks, rather than have them in the new ones",
)];

/// The commands.
pub fn commands() -> Vec<Command> {
    vec![
        Command::new(GROUP, "sandbox bake [blocks]", &[ENDPOINT], "Make a block, or so many.", |i| Box::pin(bake(i))),
        Command::new(GROUP, "sandbox time", &[ENDPOINT], "Show the clock of the chain.", |i| {
            Box::pin(async move { get(&i, "time").await })
        }),
        Command::new(
            GROUP,
            "sandbox time advance <seconds>",
            &[ENDPOINT],
            "Move the clock of the chain forward; the next block has the new time.",
            |i| Box::pin(advance(i)),
        ),
        Command::new(GROUP, "sandbox time set <time>", &[ENDPOINT], "Set the clock of the chain, not back.", |i| {
            Box::pin(set_time(i))
        }),
        Command::new(GROUP, "sandbox snapshot", &[ENDPOINT], "Remember the chain as it is, under a number.", |i| {
            Box::pin(async move { post(&i, "snapshot", &json!({})).await })
        }),
        Command::new(GROUP, "sandbox list snapshots", &[ENDPOINT], "List the snapshots.", |i| {
            Box::pin(async move { get(&i, "snapshot").await })
        }),
        Command::new(
            GROUP,
            "sandbox revert to <snapshot>",
            &[ENDPOINT],
            "Take the chain back to a snapshot; what came later is lost.",
            |i| Box::pin(revert(i)),
        ),
        Command::new(
            GROUP,
            "sandbox reorg <depth>",
            &[ENDPOINT, REORG],
            "Replace the newest blocks by a branch that is one block longer.",
            |i| Box::pin(reorg(i)),
        ),
        Command::new(
            GROUP,
            "sandbox fund <account> with <tez>",
            &[ENDPOINT],
            "Give tez from nowhere to an account or a contract.",
            |i| Box::pin(fund(i)),
        ),
        Command::new(
            GROUP,
            "sandbox set constants <json>",
            &[ENDPOINT],
            "Change constants (a JSON object, or file:PATH of one) from the next block on.",
            |i| Box::pin(set_constants(i)),
        ),
    ]
}

fn client(invocation: &Invocation) -> Result<RpcClient, CliError> {
    let endpoint = invocation.option("endpoint").unwrap_or(DEFAULT_ENDPOINT);
    RpcClient::new(endpoint).map_err(|error| CliError::option("endpoint", endpoint, error))
}

async fn get(invocation: &Invocation, service: &str) -> Result<(), CliError> {
    http::print_answer(&client(invocation)?, Method::GET, &format!("/sandbox/{service}"), None).await
}

async fn post(invocation: &Invocation, service: &str, body: &Value) -> Result<(), CliError> {
    http::print_answer(&client(invocation)?, Method::POST, &format!("/sandbox/{service}"), Some(body)).await
}

async fn bake(invocation: Invocation) -> Result<(), CliError> {
    let blocks = match invocation.rest() {
        [] => 1,
        [(place, text), more @ ..] => {
            if let Some((place, text)) = more.first() {
                return Err(CliError::argument(*place, text, "one number of blocks is enough"));
            }
            text.parse::<u32>().map_err(|error| CliError::argument(*place, text, error))?
        }
    };
    post(&invocation, "bake", &json!({"blocks": blocks})).await
}

async fn advance(invocation: Invocation) -> Result<(), CliError> {
    let seconds: u64 = invocation.parse_param("seconds")?;
    post(&invocation, "time", &json!({"advance": seconds})).await
}

async fn set_time(invocation: Invocation) -> Result<(), CliError> {
    let time: Timestamp = invocation.parse_param("time")?;
    post(&invocation, "time", &json!({"set": time})).await
}

async fn revert(invocation: Invocation) -> Result<(), CliError> {
    let id: u32 = invocation.parse_param("snapshot")?;
    post(&invocation, "revert", &json!({"id": id})).await
}

async fn reorg(invocation: Invocation) -> Result<(), CliError> {
    let depth: u32 = invocation.parse_param("depth")?;
    let operations = if invocation.switch("drop-operations") { "drop" } else { "keep" };
    post(&invocation, "reorg", &json!({"depth": depth, "operations": operations})).await
}

async fn fund(invocation: Invocation) -> Result<(), CliError> {
    let account: Contract = invocation.parse_param("account")?;
    let amount = invocation.read_param("tez", Mutez::parse_tez)?;
    post(&invocation, "fund", &json!({"account": account, "amount": amount})).await
}

async fn set_constants(invocation: Invocation) -> Result<(), CliError> {
    let constants = http::json_argument(&invocation, "json")?.unwrap_or_default();
    post(&invocation, "set-constants", &constants).await
}
