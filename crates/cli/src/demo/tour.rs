//! The story: the tour of the Smart Optimistic Rollups page on real input.

use super::network::{Home, Network, parse, start_layer1, word_after};
use super::processes::Runner;
use crate::grammar::{CliError, Invocation};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, json};
use soru_l1::rpc::{BlockId, RpcClient, RpcError};
use soru_sandbox::BOOTSTRAP;
use soru_tezos::hash::{BlockHash, CommitmentHash, SmartRollupAddress};
use soru_tezos::json::pretty;
use std::time::{Duration, Instant};

/// The kernel: copies external messages, and byte strings that contracts send, to its outbox.
pub const ECHO: &str = include_str!("echo.wat");

/// The contract that the rollup calls.
const STORER: &str = "parameter string; storage string; code {CAR; NIL operation; PAIR};";

/// The contract that sends what it is called with to the rollup.
fn forwarder(rollup: &SmartRollupAddress) -> String {
    format!(
        "parameter bytes; storage unit; code {{ UNPAIR; PUSH address \"{rollup}\"; CONTRACT bytes; \
         IF_NONE {{ PUSH string \"Invalid address\"; FAILWITH }} {{}}; PUSH mutez 0; DIG 2; TRANSFER_TOKENS; \
         NIL operation; SWAP; CONS; PAIR }}"
    )
}

/// Longest wait for a commitment.
const PATIENCE: Duration = Duration::from_secs(300);

/// What `demo --json` prints.
#[derive(Serialize)]
struct Summary {
    chain_id: String,
    layer1: String,
    rollup_node: String,
    operator: &'static str,
    rollup: SmartRollupAddress,
    genesis_commitment: CommitmentHash,
    origination_level: i32,
    contract: String,
    forwarder: String,
    messages: Vec<Sent>,
    last_cemented_commitment: Value,
    storage_before: String,
    storage_after: String,
    seconds: f64,
}

/// A message and what became of it.
#[derive(Serialize)]
struct Sent {
    kind: &'static str,
    operation: String,
    block: BlockHash,
    level: i32,
    outbox: Value,
    commitment: String,
    proof_bytes: usize,
    executed_by: String,
}

/// Plays the tour.
pub async fn play(invocation: &Invocation) -> Result<(), CliError> {
    let begin = Instant::now();
    let runner = Runner::new(invocation.switch("json"))?;
    let home = Home::new(invocation.option("keep"))?;
    let block_time = invocation.option("block-time").unwrap_or("0.25");

    runner.say("== A layer 1");
    let (_layer1, network) = start_layer1(&runner, &home, block_time, &[]).await?;

    runner.say("\n== A wallet with funded accounts");
    for account in BOOTSTRAP {
        network
            .client(&["import", "secret", "key", account.alias, &format!("unencrypted:{}", account.secret_key)])
            .await?;
    }
    let operator = BOOTSTRAP[1];
    network.client(&["get", "balance", "for", operator.alias]).await?;

    runner.say("\n== A rollup");
    let kernel = home.text("echo.wasm");
    let wasm = wat::parse_str(ECHO).map_err(CliError::failed)?;
    std::fs::write(&kernel, wasm).map_err(CliError::failed)?;
    let output = network
        .client(&[
            "originate",
            "smart",
            "rollup",
            "echo",
            "from",
            "bootstrap1",
            "of",
            "kind",
            "wasm_2_0_0",
            "of",
            "type",
            "bytes",
            "with",
            "kernel",
            &kernel,
            "--burn-cap",
            "999",
        ])
        .await?;
    let rollup: SmartRollupAddress = parse(word_after(&output, "Address:")?)?;
    let genesis_commitment: CommitmentHash = parse(word_after(&output, "Genesis commitment hash:")?)?;
    let (_, _, origination_level) = network.place(&output).await?;

    runner.say("\n== Its node, as operator");
    let node = network.rollup_node(&home, "rollup-node", operator.alias, "echo", &[]).await?;
    let node_endpoint = format!("http://{}", word_after(&node.ready, "listening to")?);
    let node_rpc = RpcClient::new(&node_endpoint).map_err(CliError::failed)?;

    runner.say("\n== Contracts");
    let output = network
        .client(&[
            "originate",
            "contract",
            "go",
            "transferring",
            "1",
            "from",
            "bootstrap3",
            "running",
            STORER,
            "--init",
            "\"\"",
            "--burn-cap",
            "0.4",
        ])
        .await?;
    let contract = word_after(&output, "New contract")?.to_owned();
    let output = network
        .client(&[
            "originate",
            "contract",
            "forward",
            "transferring",
            "0",
            "from",
            "bootstrap3",
            "running",
            &forwarder(&rollup),
            "--burn-cap",
            "0.4",
        ])
        .await?;
    let forwarder = word_after(&output, "New contract")?.to_owned();
    let storage_before = network.client(&["get", "contract", "storage", "for", "go"]).await?.trim().to_owned();

    runner.say("\n== Messages: one sent by a user, one by a contract");
    let calls = ["Hello world", "Hello from a contract"]
        .map(|text| json!([{ "destination": contract, "parameters": format!("\"{text}\"") }]).to_string());
    let external = runner.run(&["rollup-client", "encode", "outbox", "message", &calls[0]]).await?;
    let output = network
        .client(&[
            "send",
            "smart",
            "rollup",
            "message",
            &format!("hex:[ \"{}\" ]", external.trim()),
            "from",
            "bootstrap4",
        ])
        .await?;
    let first = network.place(&output).await?;
    let internal = runner.run(&["rollup-client", "encode", "outbox", "message", &calls[1]]).await?;
    let argument = format!("0x{}", internal.trim());
    let output = network.client(&["transfer", "0", "from", "bootstrap4", "to", "forward", "--arg", &argument]).await?;
    let second = network.place(&output).await?;

    runner.say("\n== Commitments: published by the node, cemented after the challenge window");
    let lcc = wait_until_cemented(&network, &node_rpc, &rollup, second.2, runner_quiet(invocation)).await?;

    runner.say("\n== The outbox, and what it makes the layer 1 do");
    let mut messages = Vec::new();
    for ((kind, (operation, block, level)), call) in [("external", first), ("internal", second)].into_iter().zip(&calls)
    {
        let level_text = level.to_string();
        let path = format!("/global/block/cemented/outbox/{level}/messages");
        let outbox = runner.run(&["rollup-client", "-E", &node_endpoint, "rpc", "get", &path]).await?;
        let proof = runner
            .run(&[
                "rollup-client",
                "-E",
                &node_endpoint,
                "get",
                "proof",
                "for",
                "message",
                "0",
                "of",
                "outbox",
                "at",
                "level",
                &level_text,
                "transferring",
                call,
            ])
            .await?;
        let proof: Value = serde_json::from_str(&proof).map_err(CliError::failed)?;
        let (hex, commitment) =
            (proof["proof"].as_str().unwrap_or_default(), proof["commitment_hash"].as_str().unwrap_or_default());
        let output = network
            .client(&[
                "execute",
                "outbox",
                "message",
                "of",
                "smart",
                "rollup",
                "echo",
                "from",
                "bootstrap5",
                "for",
                "commitment",
                "hash",
                commitment,
                "and",
                "output",
                "proof",
                hex,
                "--burn-cap",
                "1",
            ])
            .await?;
        network.client(&["get", "contract", "storage", "for", "go"]).await?;
        messages.push(Sent {
            kind,
            operation,
            block,
            level,
            outbox: serde_json::from_str(&outbox).map_err(CliError::failed)?,
            commitment: commitment.to_owned(),
            proof_bytes: hex.len().saturating_sub(2) / 2,
            executed_by: word_after(&output, "Operation hash is")?.to_owned(),
        });
    }
    let storage_after = network.client(&["get", "contract", "storage", "for", "go"]).await?.trim().to_owned();
    let summary = Summary {
        chain_id: network.rpc.chain_id().await.map_err(CliError::failed)?.to_string(),
        layer1: network.endpoint,
        rollup_node: node_endpoint,
        operator: operator.address,
        rollup,
        genesis_commitment,
        origination_level,
        contract,
        forwarder,
        messages,
        last_cemented_commitment: lcc,
        storage_before,
        storage_after,
        seconds: begin.elapsed().as_secs_f64(),
    };
    if invocation.switch("json") {
        println!("{}", pretty(&serde_json::to_value(&summary).map_err(CliError::failed)?));
    } else {
        println!("\nThe contract's storage went from {} to {}.", summary.storage_before, summary.storage_after);
        println!("All this took {:.1} s. The commands above work the same on a public network.", summary.seconds);
    }
    Ok(())
}

fn runner_quiet(invocation: &Invocation) -> bool {
    invocation.switch("json")
}

/// Waits until a commitment that covers `level` is the last cemented one, for the layer 1 and for the node.
async fn wait_until_cemented(
    network: &Network<'_>,
    node: &RpcClient,
    rollup: &SmartRollupAddress,
    level: i32,
    quiet: bool,
) -> Result<Value, CliError> {
    let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(0) };
    if let Ok(style) = ProgressStyle::with_template("{bar:30} level {pos} of about {len}: {msg}") {
        bar.set_style(style);
    }
    let constants: Value = network.rpc.constants(BlockId::HEAD).await.map_err(CliError::failed)?;
    let blocks = |name: &str| constants[name].as_i64().unwrap_or(0);
    let period = blocks("smart_rollup_commitment_period_in_blocks");
    let window = blocks("smart_rollup_challenge_window_in_blocks");
    // the end of the period, its publication once final, the window, and the cementation
    let expected = i64::from(level) + period + window + 6;
    bar.set_length(u64::try_from(expected).unwrap_or(0));
    let begin = Instant::now();
    let mut node_lcc = Value::Null;
    while begin.elapsed() < PATIENCE {
        let head = network.rpc.shell_header(BlockId::HEAD).await.map_err(CliError::failed)?.level;
        let lcc = network.rpc.last_cemented(BlockId::HEAD, rollup).await.map_err(CliError::failed)?;
        let published: Result<Value, RpcError> = node.get("/local/last_published_commitment").await;
        bar.set_position(u64::try_from(head.0).unwrap_or(0));
        let published = published.unwrap_or(Value::Null);
        bar.set_message(match published["commitment"]["inbox_level"].as_i64() {
            None => format!("waiting for the commitment of level {} or later to be published", level),
            Some(at) if at < i64::from(level) => {
                format!("commitment of level {at} published, waiting for one from {level} on")
            }
            Some(at) => format!(
                "commitment of level {at} published, {window} blocks to challenge it; cemented up to {}",
                lcc.level
            ),
        });
        if lcc.level.0 >= level {
            node_lcc = node.get("/global/last_cemented_commitment").await.map_err(CliError::failed)?;
            if node_lcc["level"].as_i64().is_some_and(|known| known >= i64::from(level)) {
                bar.finish_and_clear();
                network.runner.say(&format!("Cemented up to level {}: {}", lcc.level, lcc.hash));
                return Ok(node_lcc);
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(CliError::failed(format!(
        "no commitment of level {level} was cemented within {} s (the node knows {node_lcc})",
        PATIENCE.as_secs()
    )))
}
