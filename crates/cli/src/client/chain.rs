//! Commands on the chain and its node: raw requests, waiting, looking up, baking in a sandbox (`spec/node.md` §10.3).

use super::context::{Context, rpc_failed};
use super::{confirm, receipt};
use crate::grammar::{CliError, Command, Invocation, Opt};
use crate::http;
use serde_json::{Value, json};
use soru_l1::rpc::Method;
use soru_tezos::hash::{BlockHash, OperationHash};
use soru_tezos::receipt::Content;
use soru_tezos::scalar::Level;

const RPC: &str = "Commands for the low level RPC layer";
const GROUP: &str = "Block contextual commands (see option --block)";
const BAKE: &[Opt] = &[
    Opt::switch("minimal-timestamp", None, "accepted, without effect").hide(),
    Opt::switch("ignore-node-mempool", None, "accepted, without effect").hide(),
    Opt::value("minimal-fees", None, "tez", "accepted, without effect").hide(),
    Opt::value("context", None, "path", "accepted, without effect").hide(),
    Opt::value("count", Some('n'), "number", "how many blocks (default: 1)"),
];
const WAIT: &[Opt] = &[
    Opt::value("confirmations", None, "number", "blocks to wait for on top of the operation's (default: 0)"),
    Opt::value("check-previous", None, "number", "blocks before the head to look at first (default: 10)"),
    Opt::value("branch", None, "hash", "block the operation builds on: the search starts there"),
];
const SECONDS: &[Opt] = &[Opt::switch("seconds", Some('s'), "output time in seconds")];

/// How far back `get receipt` and `wait for` look.
const DEPTH: i32 = 10;
const RECEIPT_DEPTH: i32 = 600;

/// The commands.
pub fn commands() -> Vec<Command> {
    vec![
        Command::new(RPC, "rpc get <url>", &[], "Call an RPC with the GET method.", |i| Box::pin(rpc(i, Method::GET))),
        Command::new(RPC, "rpc post <url>", &[], "Call an RPC with the POST method.", |i| {
            Box::pin(rpc(i, Method::POST))
        }),
        Command::new(RPC, "rpc post <url> with <input>", &[], "The same, giving a JSON value (or file:path).", |i| {
            Box::pin(rpc(i, Method::POST))
        }),
        Command::new(RPC, "rpc put <url> with <input>", &[], "Call an RPC with the PUT method.", |i| {
            Box::pin(rpc(i, Method::PUT))
        }),
        Command::new(RPC, "rpc patch <url> with <input>", &[], "Call an RPC with the PATCH method.", |i| {
            Box::pin(rpc(i, Method::PATCH))
        }),
        Command::new(RPC, "rpc delete <url>", &[], "Call an RPC with the DELETE method.", |i| {
            Box::pin(rpc(i, Method::DELETE))
        }),
        Command::new(GROUP, "bootstrapped", &[], "Wait for the node to be bootstrapped.", |i| {
            Box::pin(bootstrapped(i))
        }),
        Command::new(GROUP, "get timestamp", &[SECONDS], "Access the timestamp of the block.", |i| {
            Box::pin(timestamp(i))
        }),
        Command::new(
            GROUP,
            "wait for <operation> to be included",
            &[WAIT],
            "Wait until an operation is included in a block.",
            |i| Box::pin(wait_for(i)),
        ),
        Command::new(GROUP, "get receipt for <operation>", &[WAIT], "Get receipt for past operation.", |i| {
            Box::pin(get_receipt(i))
        }),
        Command::new(
            GROUP,
            "bake for [delegate]",
            &[BAKE],
            "Make a block, in a sandbox whose blocks are made by hand.",
            |i| Box::pin(bake(i)),
        ),
    ]
}

async fn rpc(invocation: Invocation, method: Method) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let input = http::json_argument(&invocation, "input")?;
    http::print_answer(&context.rpc, method, invocation.param("url"), input.as_ref()).await
}

async fn bootstrapped(invocation: Invocation) -> Result<(), CliError> {
    confirm::bootstrapped(&Context::new(&invocation)?).await
}

async fn timestamp(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let timestamp = context.rpc.shell_header(context.block).await.map_err(rpc_failed)?.timestamp;
    if invocation.switch("seconds") {
        println!("{}", timestamp.0);
    } else {
        println!("{timestamp}");
    }
    Ok(())
}

fn operation(invocation: &Invocation) -> Result<OperationHash, CliError> {
    invocation.parse_param("operation")
}

fn depth(invocation: &Invocation, default: i32) -> Result<i32, CliError> {
    let read = |text: &str| {
        text.parse::<i32>().ok().filter(|depth| (0..100_000).contains(depth)).ok_or("not a number of blocks")
    };
    Ok(invocation.read_option("check-previous", read)?.unwrap_or(default))
}

async fn wait_for(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let hash = operation(&invocation)?;
    let confirmations = invocation.parse_option("confirmations")?.unwrap_or(0);
    let head = context.rpc.shell_header(context.block).await.map_err(rpc_failed)?.level;
    let from = match invocation.parse_option::<BlockHash>("branch")? {
        Some(branch) => context.rpc.shell_header(branch).await.map_err(rpc_failed)?.level,
        None => head.before(depth(&invocation, DEPTH)?.saturating_add(1)),
    };
    // the first blocks have no manager operations
    confirm::wait(&context, &hash, from.max(Level(1)), confirmations).await?;
    Ok(())
}

async fn get_receipt(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let hash = operation(&invocation)?;
    match confirm::search(&context, &hash, depth(&invocation, RECEIPT_DEPTH)?).await? {
        Some(found) => {
            println!("{}", receipt::text(found.operation.contents.iter().filter_map(Content::manager), 0));
            Ok(())
        }
        None => Err(CliError::failed("Couldn't find operation")),
    }
}

async fn bake(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let count: u32 = invocation.parse_option("count")?.unwrap_or(1);
    let answer = context.rpc.post::<Value, Value>("/sandbox/bake", &json!({ "blocks": count })).await;
    match answer {
        Ok(_) => {
            let head = context.rpc.block_hash(soru_l1::rpc::BlockId::HEAD).await.map_err(rpc_failed)?;
            println!("Injected block {head}");
            Ok(())
        }
        Err(error) if error.is_not_found() => {
            Err(CliError::failed("this node is not our sandbox: its bakers make its blocks"))
        }
        Err(error) => Err(rpc_failed(error)),
    }
}
