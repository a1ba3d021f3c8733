//! `octez-smart-rollup-client-…`: the small client of a rollup node that older tutorials use (`spec/node.md` §1.6).

use crate::grammar::{CliError, Command, Invocation, Opt, Tool};
use crate::http;
use serde::Deserialize;
use serde_json::Value;
use soru_l1::rpc::{Method, RpcClient};
use soru_michelson::syntax::parse_expression;
use soru_tezos::codec::Encode;
use soru_tezos::contract::Entrypoint;
use soru_tezos::hash::ContractHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::rollup::{OutboxMessage, OutboxTransaction, OutboxTypedTransaction};

const DEFAULT_ENDPOINT: &str = "http://localhost:8932";
const GLOBALS: &[Opt] = &[
    Opt::value("endpoint", Some('E'), "uri", "RPC of the rollup node (default: http://localhost:8932)"),
    Opt::value("base-dir", Some('d'), "path", "accepted, without effect").hide(),
    Opt::value("protocol", Some('p'), "hash", "accepted, without effect").hide(),
];
const BLOCK: &[Opt] =
    &[Opt::value("block", Some('B'), "head|finalized|cemented|hash|level", "the block (default: head)")];

fn client(invocation: &Invocation) -> Result<RpcClient, CliError> {
    let endpoint = invocation.option("endpoint").unwrap_or(DEFAULT_ENDPOINT);
    RpcClient::new(endpoint).map_err(|error| CliError::option("endpoint", endpoint, error))
}

/// A transaction as these commands take it: Michelson as text.
#[derive(Deserialize)]
struct TextTransaction {
    destination: ContractHash,
    parameters: String,
    #[serde(default)]
    entrypoint: Entrypoint,
    parameters_ty: Option<String>,
}

fn michelson(text: &str) -> Result<Micheline, String> {
    parse_expression(text).map(|parsed| parsed.expr).map_err(|error| format!("'{text}' is not Michelson: {error}"))
}

/// The transactions of a JSON list; a single one may stand without the list.
fn transactions(json: &str) -> serde_json::Result<Vec<TextTransaction>> {
    match serde_json::from_str(json)? {
        list @ Value::Array(_) => serde_json::from_value(list),
        one => Ok(vec![serde_json::from_value(one)?]),
    }
}

/// The outbox message of a JSON list of transactions: typed when all have `parameters_ty`, untyped when none has.
fn outbox_message(json: &str) -> Result<OutboxMessage, String> {
    let transactions = transactions(json).map_err(|error| {
        format!("{error}: give a list of {{\"destination\", \"parameters\", \"entrypoint\"?, \"parameters_ty\"?}} with Michelson as text")
    })?;
    let typed = transactions.iter().filter(|transaction| transaction.parameters_ty.is_some()).count();
    if typed != 0 && typed != transactions.len() {
        return Err("give parameters_ty for all transactions, or for none".to_owned());
    }
    if typed == 0 {
        let untyped = transactions.into_iter().map(|it| {
            Ok(OutboxTransaction {
                parameters: michelson(&it.parameters)?,
                destination: it.destination,
                entrypoint: it.entrypoint,
            })
        });
        return untyped.collect::<Result<_, String>>().map(OutboxMessage::AtomicTransactionBatch);
    }
    let typed = transactions.into_iter().map(|it| {
        Ok(OutboxTypedTransaction {
            parameters: michelson(&it.parameters)?,
            parameters_ty: michelson(it.parameters_ty.as_deref().unwrap_or_default())?,
            destination: it.destination,
            entrypoint: it.entrypoint,
        })
    });
    typed.collect::<Result<_, String>>().map(OutboxMessage::AtomicTransactionBatchTyped)
}

async fn encode(invocation: Invocation) -> Result<(), CliError> {
    let message = invocation.read_param("transactions", outbox_message)?;
    println!("{}", hex::encode(message.to_bytes()));
    Ok(())
}

async fn proof(invocation: Invocation) -> Result<(), CliError> {
    if !invocation.param("transactions").is_empty() {
        invocation.read_param("transactions", outbox_message)?;
    }
    let index: u64 = invocation.parse_param("index")?;
    let level: u32 = invocation.parse_param("level")?;
    let path = format!("/global/block/head/helpers/proofs/outbox/{level}/messages?index={index}");
    let answer: Value = client(&invocation)?.get(&path).await.map_err(CliError::failed)?;
    let text = |field: &str| answer[field].as_str().unwrap_or_default();
    println!("{{ \"proof\" : \"0x{}\", \"commitment_hash\" : \"{}\"}}", text("proof"), text("commitment"));
    Ok(())
}

async fn address(invocation: Invocation) -> Result<(), CliError> {
    let address: String = client(&invocation)?.get("/global/smart_rollup_address").await.map_err(CliError::failed)?;
    println!("{address}");
    Ok(())
}

async fn state_value(invocation: Invocation) -> Result<(), CliError> {
    let block = invocation.option("block").unwrap_or("head");
    let key = invocation.param("key");
    let bytes: String =
        client(&invocation)?.get(&format!("/global/block/{block}/state?key={key}")).await.map_err(CliError::failed)?;
    println!("{bytes}");
    Ok(())
}

async fn rpc(invocation: Invocation, method: Method) -> Result<(), CliError> {
    let body = http::json_argument(&invocation, "input")?;
    http::print_answer(&client(&invocation)?, method, invocation.param("url"), body.as_ref()).await
}

/// The tool.
pub fn tool(name: String) -> Tool {
    let group = "Commands for the rollup client";
    Tool {
        name,
        doc: "A client of the rollup node.",
        version: super::version(),
        globals: GLOBALS,
        commands: vec![
            Command::new(group, "get smart rollup address", &[], "Show the address of the rollup.", |i| {
                Box::pin(address(i))
            }),
            Command::new(
                group,
                "get state value for <key>",
                &[BLOCK],
                "Show a value of the PVM's state (hexadecimal).",
                |i| Box::pin(state_value(i)),
            ),
            Command::new(
                group,
                "get proof for message <index> of outbox at level <level> transferring <transactions>",
                &[],
                "Ask for the proof of an outbox message.",
                |i| Box::pin(proof(i)),
            ),
            Command::new(group, "get proof for message <index> of outbox at level <level>", &[], "The same.", |i| {
                Box::pin(proof(i))
            }),
            Command::new(
                group,
                "encode outbox message <transactions>",
                &[],
                "Encode a batch of calls as an outbox message.",
                |i| Box::pin(encode(i)),
            ),
            Command::new(group, "rpc get <url>", &[], "Call an RPC with the GET method.", |i| {
                Box::pin(rpc(i, Method::GET))
            }),
            Command::new(group, "rpc post <url>", &[], "Call an RPC with the POST method.", |i| {
                Box::pin(rpc(i, Method::POST))
            }),
            Command::new(group, "rpc post <url> with <input>", &[], "The same with a JSON value.", |i| {
                Box::pin(rpc(i, Method::POST))
            }),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_message() {
        let json = r#"[{"destination":"KT1ThEdxfUcWUwqsdergy3QnbCWGHSUHeHJq","parameters":"Unit"}]"#;
        let expected = "0000000023030b01d1a37c088a1221b636bb5fccb35e05181038ba7c000000000764656661756c74";
        assert_eq!(hex::encode(outbox_message(json).unwrap().to_bytes()), expected);
        let one = json.trim_matches(['[', ']']);
        assert_eq!(outbox_message(one), outbox_message(json));
        let mixed = r#"[{"destination":"KT1ThEdxfUcWUwqsdergy3QnbCWGHSUHeHJq","parameters":"Unit"},
                        {"destination":"KT1ThEdxfUcWUwqsdergy3QnbCWGHSUHeHJq","parameters":"1","parameters_ty":"int"}]"#;
        assert!(outbox_message(mixed).unwrap_err().contains("for all"));
        assert!(
            outbox_message(r#"[{"destination":"KT1ThEdxfUcWUwqsdergy3QnbCWGHSUHeHJq","parameters":"{"}]"#).is_err()
        );
    }
}
