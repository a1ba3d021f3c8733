//! Commands on Michelson expressions and on bytes: hashing, checking, converting, running, signing (`spec/node.md` §10.3).

use super::context::{Context, rpc_failed, wallet};
use super::literal::{Source, data, script, text_or_file};
use super::script_errors;
use crate::grammar::{CliError, Command, Invocation, Opt};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Digest;
use soru_l1::fees::LimitConstants;
use soru_l1::wallet::PublicKeys;
use soru_michelson::syntax::{parse_expression, parse_script, print};
use soru_tezos::base58;
use soru_tezos::blake2b;
use soru_tezos::codec::{Decode, Encode};
use soru_tezos::hash::ScriptExprHash;
use soru_tezos::json::pretty;
use soru_tezos::key::{PublicKey, Signature};
use soru_tezos::micheline::Micheline;
use soru_tezos::scalar::Milligas;
use soru_tezos::sign::Watermark;

const GROUP: &str = "Commands for managing the library of known scripts";
const GAS: &[Opt] = &[Opt::value("gas", Some('G'), "units", "initial quantity of gas for typechecking and execution")];
const MODE: &[Opt] =
    &[Opt::value("unparsing-mode", None, "Readable|Optimized", "how to write data (default: Readable)")];
const TYPE: &[Opt] = &[Opt::value("type", None, "type", "check that the data has this type")];
const QUIET: &[Opt] = &[Opt::switch("quiet", Some('q'), "use only exit codes")];
const RUN: &[Opt] = &[
    Opt::value("amount", Some('z'), "tez", "amount of the transfer (default: 0.05)"),
    Opt::value("balance", None, "tez", "balance of the contract (default: 4000000)"),
    Opt::value("source", None, "address", "who pays"),
    Opt::value("payer", None, "address", "who calls"),
    Opt::value("entrypoint", None, "name", "entrypoint to call (default: default)"),
];

/// The commands.
pub fn commands() -> Vec<Command> {
    vec![
        Command::new(
            GROUP,
            "run script <prg> on storage <storage> and input <input>",
            &[RUN, GAS, MODE],
            "Ask the node to run a script.",
            |i| Box::pin(run(i)),
        ),
        Command::new(GROUP, "typecheck script <prg>", &[GAS], "Ask the node to typecheck a script.", |i| {
            Box::pin(typecheck_script(i))
        }),
        Command::new(
            GROUP,
            "typecheck data <data> against type <type>",
            &[GAS],
            "Ask the node to typecheck a data expression.",
            |i| Box::pin(typecheck_data(i)),
        ),
        Command::new(
            GROUP,
            "hash data <data> of type <type>",
            &[GAS],
            "Ask the node to pack a data expression, and hash what comes out.",
            |i| Box::pin(hash_data(i)),
        ),
        Command::new(
            GROUP,
            "normalize data <data> of type <type>",
            &[MODE],
            "Ask the node to normalize a data expression.",
            |i| Box::pin(normalize_data(i)),
        ),
        Command::new(GROUP, "normalize type <typ>", &[], "Ask the node to normalize a type.", |i| {
            Box::pin(normalize_type(i))
        }),
        Command::new(GROUP, "normalize script <prg>", &[MODE], "Ask the node to normalize a script.", |i| {
            Box::pin(normalize_script(i))
        }),
        Command::new(
            GROUP,
            "convert data <data> from <input_format> to <output_format>",
            &[TYPE],
            "Conversion of Micheline expressions between michelson, json and binary.",
            |i| Box::pin(convert_data(i)),
        ),
        Command::new(
            GROUP,
            "convert script <prg> from <input_format> to <output_format>",
            &[],
            "Conversion of a script between michelson, json and binary.",
            |i| Box::pin(convert_script(i)),
        ),
        Command::new(GROUP, "sign bytes <data> for <src>", &[], "Sign a raw sequence of bytes.", |i| {
            Box::pin(sign_bytes(i))
        }),
        Command::new(
            GROUP,
            "check that bytes <bytes> were signed by <key> to produce <signature>",
            &[QUIET],
            "Check the signature of a byte sequence.",
            |i| Box::pin(check_signature(i)),
        ),
    ]
}

async fn ask(context: &Context, path: &str, body: Value) -> Result<Value, CliError> {
    let path = format!("/chains/main/blocks/{}/helpers/scripts/{path}", context.block);
    context.rpc.post(&path, &body).await.map_err(rpc_failed)
}

/// Asks about what the user wrote; a refusal is told with its lines, and ends in `failure`.
async fn ask_about(
    context: &Context,
    path: &str,
    body: Value,
    source: &Source,
    failure: &str,
) -> Result<Value, CliError> {
    let path = format!("/chains/main/blocks/{}/helpers/scripts/{path}", context.block);
    context.rpc.post(&path, &body).await.map_err(|error| match error.trace() {
        [] => rpc_failed(error),
        trace => {
            eprintln!("{}", script_errors::report(trace, std::slice::from_ref(source)));
            CliError::failed(failure)
        }
    })
}

fn expression(answer: &Value, field: &str) -> Result<Micheline, CliError> {
    serde_json::from_value(answer[field].clone())
        .map_err(|error| CliError::failed(format!("the node answered something else than '{field}': {error}")))
}

/// The gas that is left, as the node tells it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Gas {
    Limited(Milligas),
    Unaccounted(String),
}

fn gas(answer: &Value) -> String {
    match serde_json::from_value(answer["gas"].clone()) {
        Ok(Gas::Limited(milligas)) => format!("{} units remaining", super::receipt::gas(milligas)),
        Ok(Gas::Unaccounted(text)) => text,
        Err(_) => "unknown".to_owned(),
    }
}

/// The gas to start with: as the option says, else the most an operation may have.
async fn gas_limit(context: &Context, invocation: &Invocation) -> Result<Value, CliError> {
    match invocation.parse_option::<u64>("gas")? {
        Some(units) => Ok(json!(units.to_string())),
        None => {
            let constants: LimitConstants = context.rpc.constants(context.block).await.map_err(rpc_failed)?;
            Ok(json!(constants.hard_gas_limit_per_operation))
        }
    }
}

async fn hash_data(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let (value, ty) = (invocation.read_param("data", data)?, invocation.read_param("type", data)?);
    let gas_limit = gas_limit(&context, &invocation).await?;
    let answer = ask(&context, "pack_data", json!({"data": value, "type": ty, "gas": gas_limit})).await?;
    let packed = answer["packed"].as_str().and_then(|text| hex::decode(text).ok());
    let packed = packed.ok_or_else(|| CliError::failed("the node answered no packed bytes"))?;
    let digest = blake2b::digest(&[&packed]);
    println!("Raw packed data: 0x{}", hex::encode(&packed));
    println!("Script-expression-ID-Hash: {}", ScriptExprHash(digest));
    println!("Raw Script-expression-ID-Hash: 0x{}", hex::encode(digest));
    println!("Ledger Blake2b hash: {}", base58::encode_raw(&digest));
    println!("Raw Sha256 hash: 0x{}", hex::encode(sha2::Sha256::digest(&packed)));
    println!("Raw Sha512 hash: 0x{}", hex::encode(sha2::Sha512::digest(&packed)));
    println!("Gas remaining: {}", gas(&answer));
    Ok(())
}

async fn typecheck_data(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let (value, ty) = (invocation.read_param("data", Source::data)?, invocation.read_param("type", data)?);
    let gas_limit = gas_limit(&context, &invocation).await?;
    let body = json!({"data": value.parsed.expr, "type": ty, "gas": gas_limit});
    let answer = ask_about(&context, "typecheck_data", body, &value, "ill-typed data").await?;
    println!("Well typed\nGas remaining: {}", gas(&answer));
    Ok(())
}

async fn typecheck_script(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let program = invocation.read_param("prg", Source::script)?;
    let gas_limit = gas_limit(&context, &invocation).await?;
    let body = json!({"program": program.parsed.expr, "gas": gas_limit});
    let answer = ask_about(&context, "typecheck_code", body, &program, "ill-typed script").await?;
    println!("Well typed (Gas remaining: {})", gas(&answer));
    Ok(())
}

fn mode(invocation: &Invocation) -> Result<&str, CliError> {
    let known = |text: &str| match text {
        "Readable" | "Optimized" | "Optimized_legacy" => Ok(()),
        _ => Err("give Readable, Optimized or Optimized_legacy"),
    };
    invocation.read_option("unparsing-mode", known)?;
    Ok(invocation.option("unparsing-mode").unwrap_or("Readable"))
}

async fn normalize_data(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let (value, ty) = (invocation.read_param("data", data)?, invocation.read_param("type", data)?);
    let body = json!({"data": value, "type": ty, "unparsing_mode": mode(&invocation)?});
    let answer = ask(&context, "normalize_data", body).await?;
    println!("{}", print(&expression(&answer, "normalized")?));
    Ok(())
}

async fn normalize_type(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let ty = invocation.read_param("typ", data)?;
    let answer = ask(&context, "normalize_type", json!({"type": ty})).await?;
    println!("{}", print(&expression(&answer, "normalized")?));
    Ok(())
}

async fn normalize_script(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let program = invocation.read_param("prg", script)?;
    let body = json!({"script": program, "unparsing_mode": mode(&invocation)?});
    let answer = ask(&context, "normalize_script", body).await?;
    println!("{}", print(&expression(&answer, "normalized")?));
    Ok(())
}

async fn run(invocation: Invocation) -> Result<(), CliError> {
    use soru_tezos::scalar::Mutez;
    let context = Context::new(&invocation)?;
    let program = invocation.read_param("prg", Source::script)?;
    let (storage, input) = (invocation.read_param("storage", data)?, invocation.read_param("input", data)?);
    let tez = |name: &str, default: u64| {
        let given = invocation.read_option(name, Mutez::parse_tez)?;
        Ok::<_, CliError>(given.unwrap_or(Mutez(default)))
    };
    let mut body = json!({
        "script": program.parsed.expr, "storage": storage, "input": input,
        "amount": tez("amount", 50_000)?, "balance": tez("balance", 4_000_000_000_000)?,
        "chain_id": context.rpc.chain_id().await.map_err(rpc_failed)?,
        "entrypoint": invocation.option("entrypoint").unwrap_or("default"),
        "unparsing_mode": mode(&invocation)?,
    });
    for name in ["source", "payer"] {
        if let Some(contract) = invocation.read_option(name, |text| context.wallet.contract(text))? {
            body[name] = json!(contract.to_string());
        }
    }
    if invocation.option("gas").is_some() {
        body["gas"] = gas_limit(&context, &invocation).await?;
    }
    let answer = ask_about(&context, "run_code", body, &program, "error running script").await?;
    let indented = |text: String| text.lines().map(|line| format!("  {line}\n")).collect::<String>();
    print!("storage\n{}emitted operations\n", indented(print(&expression(&answer, "storage")?)));
    match answer["operations"].as_array().filter(|list| !list.is_empty()) {
        Some(operations) => operations.iter().for_each(|operation| print!("{}", indented(pretty(operation)))),
        None => println!("  "),
    }
    println!("big_map diff");
    match answer.get("lazy_storage_diff").filter(|diff| !diff.is_null()) {
        Some(diff) => print!("{}", indented(pretty(diff))),
        None => println!("  "),
    }
    println!();
    Ok(())
}

/// How an expression is written.
#[derive(Clone, Copy, PartialEq)]
enum Format {
    Michelson,
    Json,
    Binary,
}

fn format(text: &str) -> Result<Format, &'static str> {
    match text.to_lowercase().as_str() {
        "michelson" => Ok(Format::Michelson),
        "json" => Ok(Format::Json),
        "binary" => Ok(Format::Binary),
        _ => Err("invalid format, expecting one of \"michelson\", \"json\", \"binary\""),
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, &'static str> {
    let digits = text.trim().strip_prefix("0x").ok_or("bytes are written 0x…, in hexadecimal")?;
    hex::decode(digits).map_err(|_| "invalid hexadecimal digits after 0x")
}

fn read_as(text: &str, format: Format, whole_script: bool) -> Result<Micheline, String> {
    let text = text_or_file(text)?;
    match format {
        Format::Michelson => {
            let parsed = if whole_script { parse_script(&text) } else { parse_expression(&text) };
            parsed.map(|parsed| parsed.expr).map_err(|error| error.to_string())
        }
        Format::Json => serde_json::from_str(&text).map_err(|error| error.to_string()),
        Format::Binary => {
            Micheline::from_bytes(&bytes(&text)?).map_err(|error| format!("Could not decode bytes: {error}"))
        }
    }
}

fn write_as(expr: &Micheline, format: Format) -> Result<String, CliError> {
    Ok(match format {
        Format::Michelson => print(expr),
        Format::Json => pretty(&serde_json::to_value(expr).map_err(CliError::failed)?),
        Format::Binary => format!("0x{}", hex::encode(expr.to_bytes())),
    })
}

async fn convert_data(invocation: Invocation) -> Result<(), CliError> {
    let (from, to) = (invocation.read_param("input_format", format)?, invocation.read_param("output_format", format)?);
    let expr = invocation.read_param("data", |text| read_as(text, from, false))?;
    if let Some(ty) = invocation.read_option("type", data)? {
        let context = Context::new(&invocation)?;
        ask(&context, "typecheck_data", json!({"data": expr, "type": ty})).await?;
    }
    println!("{}", write_as(&expr, to)?);
    Ok(())
}

async fn convert_script(invocation: Invocation) -> Result<(), CliError> {
    let (from, to) = (invocation.read_param("input_format", format)?, invocation.read_param("output_format", format)?);
    let expr = invocation.read_param("prg", |text| read_as(text, from, true))?;
    // as the reference does, and only then
    if from == Format::Michelson {
        let context = Context::new(&invocation)?;
        ask(&context, "typecheck_code", json!({"program": expr})).await?;
    }
    println!("{}", write_as(&expr, to)?);
    Ok(())
}

async fn sign_bytes(invocation: Invocation) -> Result<(), CliError> {
    let data = invocation.read_param("data", bytes)?;
    let signer = wallet(&invocation)?.signer(invocation.param("src")).await;
    let signer = invocation.read_param("src", |_| signer)?;
    let signature = signer.sign(Watermark::None, &data).await.map_err(CliError::failed)?;
    println!("Signature: {signature}");
    Ok(())
}

async fn check_signature(invocation: Invocation) -> Result<(), CliError> {
    let data = invocation.read_param("bytes", bytes)?;
    let signature: Signature = invocation.parse_param("signature")?;
    let wallet = wallet(&invocation)?;
    let key: PublicKey = invocation.read_param("key", |text| {
        let alias = text.strip_prefix("alias:").unwrap_or(text);
        match wallet.aliases::<PublicKeys>().find(alias).map_err(|error| error.to_string())? {
            Some(entry) => entry.key().ok_or_else(|| format!("the public key of {alias} is not known")),
            None => text.parse().map_err(|error| format!("no public key alias named {alias}\n{error}")),
        }
    })?;
    match key.verify(Watermark::None, &data, &signature) {
        true if invocation.switch("quiet") => Ok(()),
        true => {
            println!("Signature check successful.");
            Ok(())
        }
        false => Err(CliError::Usage("invalid signature".to_owned())),
    }
}
