//! The story of a refutation game: two operators commit to different states, and the layer 1 finds out who is right.

use super::network::{Home, Network, parse, start_layer1, word_after};
use super::processes::Runner;
use super::tour::ECHO;
use crate::grammar::{CliError, Invocation};
use serde::Serialize;
use serde_json::{Value, json};
use soru_l1::rpc::{BlockId, RpcClient};
use soru_node::refutation::{GameRecord, MoveRecord, StepRecord};
use soru_sandbox::BOOTSTRAP;
use soru_tezos::hash::SmartRollupAddress;
use soru_tezos::json::pretty;
use soru_tezos::number::N;
use soru_tezos::receipt::BalanceUpdate;
use soru_tezos::rollup::{DissectionChunk, GameResult, LossReason};
use soru_tezos::scalar::Mutez;
use std::time::{Duration, Instant};

/// Longest wait for the game, or for its next move.
const PATIENCE: Duration = Duration::from_secs(180);

/// Blocks of a commitment period: short, so that the game starts soon.
const PERIOD: i32 = 5;

/// What a player has.
#[derive(Debug, Clone, Copy, Serialize)]
struct Money {
    spendable: Mutez,
    frozen_bonds: Mutez,
}

/// One of the two operators.
#[derive(Serialize)]
struct Operator {
    alias: &'static str,
    address: &'static str,
    rollup_node: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    loser_mode: Option<String>,
    before: Money,
    after: Money,
}

/// A move, without the states.
#[derive(Serialize)]
struct Move {
    level: i32,
    player: &'static str,
    step: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    choice: Option<N>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ticks: Vec<N>,
}

/// What `demo --dispute --json` prints.
#[derive(Serialize)]
struct Summary {
    chain_id: String,
    layer1: String,
    rollup: SmartRollupAddress,
    origination_level: i32,
    honest: Operator,
    liar: Operator,
    moves: Vec<Move>,
    tick_of_disagreement: N,
    proof: Value,
    result: Value,
    level: i32,
    operation: String,
    balance_updates: Vec<BalanceUpdate>,
    liar_exit_code: Option<i32>,
    seconds: f64,
}

/// Plays the game.
pub async fn play(invocation: &Invocation) -> Result<(), CliError> {
    let begin = Instant::now();
    let runner = Runner::new(invocation.switch("json"))?;
    let home = Home::new(invocation.option("keep"))?;
    let block_time = invocation.option("block-time").unwrap_or("0.25");

    runner.say("== A layer 1, with commitments every few blocks");
    let constants = home.text("constants.json");
    let text = json!({ "smart_rollup_commitment_period_in_blocks": PERIOD }).to_string();
    std::fs::write(&constants, text).map_err(CliError::failed)?;
    let (_layer1, network) = start_layer1(&runner, &home, block_time, &["--constants", &constants]).await?;
    let [honest, liar, author] = [BOOTSTRAP[0], BOOTSTRAP[1], BOOTSTRAP[2]];
    for account in [honest, liar, author] {
        let secret = format!("unencrypted:{}", account.secret_key);
        network.client(&["import", "secret", "key", account.alias, &secret]).await?;
    }

    runner.say("\n== A rollup, and two operators who stake on its states");
    let kernel = home.text("echo.wasm");
    std::fs::write(&kernel, wat::parse_str(ECHO).map_err(CliError::failed)?).map_err(CliError::failed)?;
    let words = ["originate", "smart", "rollup", "echo", "from", author.alias, "of", "kind", "wasm_2_0_0"];
    let words = [&words[..], &["of", "type", "bytes", "with", "kernel", &kernel, "--burn-cap", "999"]].concat();
    let output = network.client(&words).await?;
    let rollup: SmartRollupAddress = parse(word_after(&output, "Address:")?)?;
    let (_, _, origination_level) = network.place(&output).await?;
    let (honest_before, liar_before) = (money(&network, honest.address).await?, money(&network, liar.address).await?);

    let honest_node = network.rollup_node(&home, "honest-node", honest.alias, "echo", &[]).await?;
    // the second message of a level tells the time and hash of the block before: the liar's node reads another one
    let plan = format!("{} 1 0", origination_level + 2);
    runner.say(&format!(
        "\nThe next one is told to misread the second message of level {}, and to stand by what comes of it:",
        origination_level + 2
    ));
    let mut liar_node = network.rollup_node(&home, "liar-node", liar.alias, "echo", &["--loser-mode", &plan]).await?;
    let address = |ready: &str| word_after(ready, "listening to").map(|address| format!("http://{address}"));
    let (honest_endpoint, liar_endpoint) = (address(&honest_node.ready)?, address(&liar_node.ready)?);

    runner.say("\n== The game: each move cuts the ticks on which the players still disagree");
    let names = |key: &str| if key == honest.address { "honest" } else { "liar" };
    let game = follow(&network, &honest_endpoint, names).await?;

    let Some(MoveRecord { operation: Some(operation), step, level, .. }) = game.moves.last() else {
        return Err(CliError::failed("the game ended without a last move"));
    };
    let (Some(result), StepRecord::Proof { choice, pvm_step_bytes, input_proof_bytes, input_proof_kind }) =
        (game.result, step)
    else {
        return Err(CliError::failed(format!("the game did not end with a proof: {}", step.describe())));
    };
    runner.say("\n== The receipt of the last move");
    network.client(&["get", "receipt", "for", &operation.to_string()]).await?;
    let exit = liar_node.ended(PATIENCE).await?;
    let log = std::fs::read_to_string(home.path.join("liar-node.log")).unwrap_or_default();
    let last_word = log.lines().rev().find(|line| line.contains("lost the refutation game")).unwrap_or_default();
    runner.say(&format!("\nThe liar's node ended with code {}: {last_word}", exit.unwrap_or(-1)));

    let summary = Summary {
        chain_id: network.rpc.chain_id().await.map_err(CliError::failed)?.to_string(),
        layer1: network.endpoint.clone(),
        rollup,
        origination_level,
        honest: Operator {
            alias: honest.alias,
            address: honest.address,
            rollup_node: honest_endpoint,
            loser_mode: None,
            before: honest_before,
            after: money(&network, honest.address).await?,
        },
        liar: Operator {
            alias: liar.alias,
            address: liar.address,
            rollup_node: liar_endpoint,
            loser_mode: Some(plan),
            before: liar_before,
            after: money(&network, liar.address).await?,
        },
        moves: game.moves.iter().map(|made| short(made, names)).collect(),
        tick_of_disagreement: choice.clone(),
        proof: json!({
            "pvm_step_bytes": pvm_step_bytes,
            "input_proof_bytes": input_proof_bytes,
            "input_proof_kind": input_proof_kind,
        }),
        result: match &result {
            GameResult::Loser { reason, player } => {
                let reason = match reason {
                    LossReason::ConflictResolved => "conflict_resolved",
                    LossReason::Timeout => "timeout",
                };
                json!({ "kind": "loser", "loser": player, "reason": reason })
            }
            GameResult::Draw => json!({ "kind": "draw" }),
        },
        level: level.0,
        operation: operation.to_string(),
        balance_updates: updates(&network, level.0, &operation.to_string()).await?,
        liar_exit_code: exit,
        seconds: begin.elapsed().as_secs_f64(),
    };
    if invocation.switch("json") {
        println!("{}", pretty(&serde_json::to_value(&summary).map_err(CliError::failed)?));
    } else {
        for operator in [&summary.honest, &summary.liar] {
            println!(
                "{}: {} tez and a bond of {} before, {} and {} after",
                names(operator.address),
                operator.before.spendable.to_tez(),
                operator.before.frozen_bonds.to_tez(),
                operator.after.spendable.to_tez(),
                operator.after.frozen_bonds.to_tez()
            );
        }
        println!("All this took {:.1} s.", summary.seconds);
    }
    Ok(())
}

async fn money(network: &Network<'_>, address: &str) -> Result<Money, CliError> {
    let base = format!("/chains/main/blocks/head/context/contracts/{address}");
    let balance: Mutez = network.rpc.get(&format!("{base}/spendable")).await.map_err(CliError::failed)?;
    let frozen_bonds: Mutez = network.rpc.get(&format!("{base}/frozen_bonds")).await.map_err(CliError::failed)?;
    Ok(Money { spendable: balance, frozen_bonds })
}

/// Balance updates of the operation that ended the game.
async fn updates(network: &Network<'_>, level: i32, operation: &str) -> Result<Vec<BalanceUpdate>, CliError> {
    let at = BlockId::from(soru_tezos::scalar::Level(level));
    let operations = network.rpc.operations(at, soru_tezos::block::MANAGER_PASS).await.map_err(CliError::failed)?;
    let found = operations.iter().find(|shown| shown.hash.to_string() == operation);
    let receipts = found.into_iter().flat_map(|operation| operation.managers()).filter_map(|r| r.metadata.as_ref());
    let applied = receipts.filter_map(|metadata| metadata.operation_result.applied());
    Ok(applied.flat_map(|applied| applied.balance_updates().to_vec()).collect())
}

fn short(made: &MoveRecord, names: impl Fn(&str) -> &'static str) -> Move {
    let (step, choice, ticks) = match &made.step {
        StepRecord::Start { .. } => ("start", None, vec![]),
        StepRecord::Dissection { choice, dissection } => {
            ("dissection", Some(choice.clone()), dissection.iter().map(|chunk| chunk.tick.clone()).collect())
        }
        StepRecord::Proof { choice, .. } => ("proof", Some(choice.clone()), vec![]),
        StepRecord::Timeout => ("timeout", None, vec![]),
    };
    Move { level: made.level.0, player: names(&made.player.to_string()), step, choice, ticks }
}

/// Shows the moves as the honest node tells of them, until the game is over.
async fn follow(
    network: &Network<'_>,
    honest: &str,
    names: impl Fn(&str) -> &'static str,
) -> Result<GameRecord, CliError> {
    let node = RpcClient::new(honest).map_err(CliError::failed)?;
    let (mut shown, mut since) = (0, Instant::now());
    while since.elapsed() < PATIENCE {
        let games: Value = node.get("/local/refutations").await.map_err(CliError::failed)?;
        let first = games["past"].get(0).or_else(|| games["running"].get(0));
        if let Some(game) = first {
            let game: GameRecord = serde_json::from_value(game.clone()).map_err(CliError::failed)?;
            for index in shown..game.moves.len() {
                let (before, made) = (&game.moves[..index], &game.moves[index]);
                network.runner.say(&line(before, made, names(&made.player.to_string())));
                since = Instant::now();
            }
            shown = game.moves.len();
            if game.result.is_some() {
                return Ok(game);
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err(CliError::failed(format!("no move was made within {} s", PATIENCE.as_secs())))
}

/// A move on one line: who, what is left, and which section of the last dissection that was.
fn line(before: &[MoveRecord], made: &MoveRecord, who: &str) -> String {
    let last = before.iter().rev().find_map(|made| match &made.step {
        StepRecord::Dissection { dissection, .. } => Some(dissection.as_slice()),
        _ => None,
    });
    let what = match &made.step {
        StepRecord::Dissection { choice, dissection } => {
            let end = dissection.last().map_or_else(|| choice.clone(), |chunk| chunk.tick.clone());
            format!(
                "{:>33} ticks from {} on, cut into {}",
                grouped(&(&end.0 - &choice.0).to_string()),
                grouped(&choice.to_string()),
                dissection.len().saturating_sub(1)
            )
        }
        StepRecord::Proof { choice, .. } => {
            format!("{:>33} tick at {}: {}", 1, grouped(&choice.to_string()), made.step.describe())
        }
        other => other.describe(),
    };
    let choice = match &made.step {
        StepRecord::Dissection { choice, .. } | StepRecord::Proof { choice, .. } => Some(choice),
        _ => None,
    };
    let bar = choice.zip(last).map(|(choice, last)| bar(choice, last)).unwrap_or_default();
    format!("level {:>4}  {who:<6}  {what}  {bar}", made.level.0)
}

/// The sections of a dissection, the chosen one filled.
fn bar(choice: &N, dissection: &[DissectionChunk]) -> String {
    let sections = dissection.iter().take(dissection.len().saturating_sub(1));
    sections.map(|chunk| if chunk.tick == *choice { '█' } else { '·' }).collect()
}

/// Digits in groups of three.
fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_bars() {
        assert_eq!(grouped("50000000000000"), "50,000,000,000,000");
        assert_eq!(grouped("100"), "100");
        let chunks: Vec<DissectionChunk> =
            (0..4u64).map(|tick| DissectionChunk { state_hash: None, tick: N::from(tick * 10) }).collect();
        assert_eq!(bar(&N::from(10), &chunks), "·█·");
    }
}
