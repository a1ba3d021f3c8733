//! Commands on smart rollups (`spec/node.md` §10.2).

use super::context::{Context, rpc_failed};
use super::contracts::check_new;
use super::options::{FORCE, OPERATION};
use super::{messages, operate};
use crate::grammar::{CliError, Command, Invocation, Opt};
use soru_l1::wallet::SmartRollups;
use soru_michelson::syntax::parse_expression;
use soru_tezos::codec::HexBytes;
use soru_tezos::hash::{CommitmentHash, SmartRollupAddress};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::operation::{AddMessages, Cement, ExecuteOutboxMessage, Originate, Publish, RecoverBond, Timeout};
use soru_tezos::receipt::Applied;
use soru_tezos::rollup::{Commitment, PvmKind, Stakers};

const GROUP: &str = "Block contextual commands (see option --block)";
const RECORD: &str = "Commands for managing the record of known smart rollups";
const WHITELIST: &[Opt] =
    &[Opt::value("whitelist", None, "json|file", "stakers of a private rollup: a list of addresses")];

/// The commands.
pub fn commands() -> Vec<Command> {
    let originate_doc = "Originate a new smart rollup.";
    vec![
        Command::new(
            GROUP,
            "originate smart rollup <alias> from <src> of kind <smart_rollup_kind> of type <parameters_type> with kernel <kernel>",
            &[FORCE, WHITELIST, OPERATION],
            originate_doc,
            |i| Box::pin(originate(i)),
        ),
        Command::new(
            GROUP,
            "originate smart rollup <alias> from <src> of kind <smart_rollup_kind> of type <parameters_type> booting with <kernel>",
            &[FORCE, WHITELIST, OPERATION],
            originate_doc,
            |i| Box::pin(originate(i)),
        ),
        Command::new(
            GROUP,
            "originate smart rollup from <src> of kind <smart_rollup_kind> of type <parameters_type> with kernel <kernel>",
            &[WHITELIST, OPERATION],
            originate_doc,
            |i| Box::pin(originate(i)),
        ),
        Command::new(
            GROUP,
            "send smart rollup message <messages> from <src>",
            &[OPERATION],
            "Send one or more messages to a smart rollup.",
            |i| Box::pin(send_messages(i)),
        ),
        Command::new(
            GROUP,
            "send sc rollup message <messages> from <src>",
            &[OPERATION],
            "The same under its old name.",
            |i| Box::pin(send_messages(i)),
        ),
        Command::new(
            GROUP,
            "publish commitment from <src> for smart rollup <smart rollup address> with compressed state <compressed_state> \
             at inbox level <inbox_level> and predecessor <predecessor> and number of ticks <number_of_ticks>",
            &[OPERATION],
            "Publish a commitment for a smart rollup.",
            |i| Box::pin(publish(i)),
        ),
        Command::new(
            GROUP,
            "cement commitment from <src> for smart rollup <smart rollup address>",
            &[OPERATION],
            "Cement a commitment for a smart rollup.",
            |i| Box::pin(cement(i)),
        ),
        Command::new(
            GROUP,
            "cement commitment <commitment> from <src> for smart rollup <smart rollup address>",
            &[OPERATION],
            "The same with the hash older protocols wanted.",
            |i| Box::pin(cement(i)),
        ),
        Command::new(
            GROUP,
            "timeout dispute on smart rollup <smart rollup address> with <staker1> against <staker2> from <src>",
            &[OPERATION],
            "Timeout a staker from dispute on a smart rollup.",
            |i| Box::pin(timeout(i)),
        ),
        Command::new(
            GROUP,
            "execute outbox message of smart rollup <smart rollup address> from <source> for commitment hash \
             <cemented commitment> and output proof <output proof>",
            &[OPERATION],
            "Execute a message from a smart rollup's outbox of a cemented commitment.",
            |i| Box::pin(execute(i)),
        ),
        Command::new(
            GROUP,
            "recover bond of <staker> for smart rollup <smart rollup address> from <src>",
            &[OPERATION],
            "Recover commitment bond from a smart rollup.",
            |i| Box::pin(recover(i)),
        ),
        Command::new(GROUP, "list smart rollups", &[], "List originated smart rollups.", |i| Box::pin(list_all(i))),
        Command::new(RECORD, "remember smart rollup <new> <src>", &[FORCE], "Add a smart rollup to the wallet.", |i| {
            Box::pin(remember(i))
        }),
        Command::new(RECORD, "forget smart rollup <name>", &[], "Remove a smart rollup from the wallet.", |i| {
            Box::pin(forget(i))
        }),
        Command::new(
            RECORD,
            "forget all smart rollups",
            &[FORCE],
            "Forget the entire wallet of known smart rollups.",
            |i| Box::pin(forget_all(i)),
        ),
        Command::new(RECORD, "list known smart rollups", &[], "Lists all known smart rollups in the wallet.", |i| {
            Box::pin(list(i))
        }),
        Command::new(RECORD, "show known smart rollup <name>", &[], "Display a smart rollup from the wallet.", |i| {
            Box::pin(show(i))
        }),
    ]
}

/// Largest kernel an operation of 32 KiB can carry.
const MAX_KERNEL: usize = 32_768 - 200;
const WASM_MAGIC: &[u8] = b"\0asm";

/// The kernel in a parameter: hexadecimal text, or a file that has it, as hexadecimal text or as it is.
fn kernel(kind: PvmKind, text: &str) -> Result<Vec<u8>, CliError> {
    let path = text.strip_prefix("file:").or_else(|| std::path::Path::new(text).is_file().then_some(text));
    let bytes = match path {
        Some(path) => std::fs::read(path).map_err(|error| {
            CliError::Usage(format!("Erroneous command line argument ({text}).\ncannot read file ({error})"))
        })?,
        None => text.strip_prefix("text:").unwrap_or(text).as_bytes().to_vec(),
    };
    let kernel = match kind {
        PvmKind::Arith => bytes,
        _ if bytes.starts_with(WASM_MAGIC) => bytes,
        _ => {
            let digits: Vec<u8> = bytes.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
            hex::decode(digits.strip_prefix(b"0x").unwrap_or(&digits)).map_err(|error| {
                let given = match path {
                    Some(path) => format!("file '{path}'"),
                    None => format!("argument '{}'", shortened(text)),
                };
                let hint = "expected hexadecimal, a file of it, or a .wasm file";
                CliError::failed(format!("Invalid kernel\nThe {given} is no kernel: {error} ({hint})"))
            })?
        }
    };
    if kernel.len() > MAX_KERNEL {
        return Err(CliError::failed(format!(
            "The kernel has {} bytes: an operation carries at most {MAX_KERNEL}. Larger kernels come through an installer kernel and preimages.",
            kernel.len()
        )));
    }
    if kind == PvmKind::Wasm200 && !kernel.starts_with(WASM_MAGIC) {
        eprintln!(
            "Warning: this kernel is not WebAssembly (it does not start with 00 61 73 6d): the rollup will be stuck from its first level on."
        );
    }
    Ok(kernel)
}

/// A text short enough for an error.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

async fn originate(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let alias = invocation.param("alias").to_owned();
    check_new::<SmartRollups>(&context, &invocation, &alias, "smart rollup")?;
    let pvm_kind: PvmKind = invocation.parse_param("smart_rollup_kind")?;
    let signer = context.signer(&invocation, "src").await?;
    let parameters_ty = invocation.read_param("parameters_type", parse_expression)?.expr;
    let kernel = kernel(pvm_kind, invocation.param("kernel"))?;
    let whitelist = invocation.read_option("whitelist", |text| {
        let json = std::fs::read_to_string(text).unwrap_or_else(|_| text.to_owned());
        serde_json::from_str::<Vec<PublicKeyHash>>(&json)
    })?;
    let body = Originate { pvm_kind, kernel: HexBytes(kernel), parameters_ty, whitelist };
    let outcome = operate::send(&context, &invocation, signer, body).await?;
    if let Some(Applied::SmartRollupOriginate(result)) = outcome.applied()
        && outcome.injected
        && !alias.is_empty()
    {
        context.wallet.remember::<SmartRollups>(&alias, result.address, true).map_err(CliError::failed)?;
        println!("Smart rollup {} memorized as \"{alias}\"", result.address);
    }
    Ok(())
}

async fn send_messages(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    // place 5 of the sentence
    let message = messages::parse(5, invocation.param("messages"))?;
    let signer = context.signer(&invocation, "src").await?;
    operate::send(&context, &invocation, signer, AddMessages { message }).await?;
    Ok(())
}

const ROLLUP: &str = "smart rollup address";

async fn publish(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let rollup = context.rollup(&invocation, ROLLUP)?;
    let signer = context.signer(&invocation, "src").await?;
    let commitment = Commitment {
        compressed_state: invocation.parse_param("compressed_state")?,
        inbox_level: soru_tezos::scalar::Level(invocation.read_param("inbox_level", |text| {
            text.parse().ok().filter(|level: &i32| *level >= 0).ok_or("not a level")
        })?),
        predecessor: invocation.parse_param("predecessor")?,
        number_of_ticks: invocation.parse_param("number_of_ticks")?,
    };
    operate::send(&context, &invocation, signer, Publish { rollup, commitment }).await?;
    Ok(())
}

async fn cement(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let rollup = context.rollup(&invocation, ROLLUP)?;
    if !invocation.param("commitment").is_empty() {
        invocation.parse_param::<CommitmentHash>("commitment")?;
    }
    let signer = context.signer(&invocation, "src").await?;
    operate::send(&context, &invocation, signer, Cement { rollup }).await?;
    Ok(())
}

async fn timeout(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let rollup = context.rollup(&invocation, ROLLUP)?;
    let (one, other) = (context.address(&invocation, "staker1")?, context.address(&invocation, "staker2")?);
    let signer = context.signer(&invocation, "src").await?;
    let games = context.rpc.games(context.block, &rollup, &one).await.map_err(rpc_failed)?;
    let stakers = Stakers::new(one, other);
    if !games.iter().any(|game| game.stakers == stakers) {
        return Err(CliError::failed("Couldn't find an ongoing dispute for this staker on this rollup."));
    }
    operate::send(&context, &invocation, signer, Timeout { rollup, stakers }).await?;
    Ok(())
}

async fn execute(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let rollup = context.rollup(&invocation, ROLLUP)?;
    let signer = context.signer(&invocation, "source").await?;
    let cemented_commitment = invocation.read_param("cemented commitment", |text| {
        text.parse::<CommitmentHash>()
            .map_err(|error| format!("Parameter '{text}' is not a valid B58-encoded rollup commitment hash\n{error}"))
    })?;
    let output_proof = invocation.read_param("output proof", |text| {
        hex::decode(text.strip_prefix("0x").unwrap_or(text))
            .map_err(|_| "Invalid bytes, expecting hexadecimal notation (e.g. 0x1234abcd)")
    })?;
    let body = ExecuteOutboxMessage { rollup, cemented_commitment, output_proof: HexBytes(output_proof) };
    operate::send(&context, &invocation, signer, body).await?;
    Ok(())
}

async fn recover(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    let rollup = context.rollup(&invocation, ROLLUP)?;
    let staker = context.address(&invocation, "staker")?;
    let signer = context.signer(&invocation, "src").await?;
    operate::send(&context, &invocation, signer, RecoverBond { rollup, staker }).await?;
    Ok(())
}

async fn list_all(invocation: Invocation) -> Result<(), CliError> {
    let context = Context::new(&invocation)?;
    for rollup in context.rpc.all_rollups(context.block).await.map_err(rpc_failed)? {
        println!("{rollup}");
    }
    Ok(())
}

async fn remember(invocation: Invocation) -> Result<(), CliError> {
    let rollup: SmartRollupAddress = invocation.parse_param("src")?;
    super::context::wallet(&invocation)?
        .remember::<SmartRollups>(invocation.param("new"), rollup, invocation.switch("force"))
        .map_err(|error| CliError::Usage(error.to_string()))
}

async fn forget(invocation: Invocation) -> Result<(), CliError> {
    super::context::wallet(&invocation)?
        .forget::<SmartRollups>(invocation.param("name"))
        .map_err(|error| CliError::Usage(error.to_string()))
}

async fn forget_all(invocation: Invocation) -> Result<(), CliError> {
    if !invocation.switch("force") {
        return Err(CliError::Usage("this can only be used with option --force".to_owned()));
    }
    super::context::wallet(&invocation)?.forget_all::<SmartRollups>().map_err(CliError::failed)
}

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let wallet = super::context::wallet(&invocation)?;
    for (alias, rollup) in wallet.aliases::<SmartRollups>().list().map_err(CliError::failed)? {
        println!("{alias}: {rollup}");
    }
    Ok(())
}

async fn show(invocation: Invocation) -> Result<(), CliError> {
    let wallet = super::context::wallet(&invocation)?;
    // the reference ends the line twice
    println!("{}\n", invocation.read_param("name", |text| wallet.aliases::<SmartRollups>().get(text))?);
    Ok(())
}
