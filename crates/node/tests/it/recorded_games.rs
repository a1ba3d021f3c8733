//! Games recorded between real nodes, and against a hand-made liar: from the same inboxes our player makes the same moves,
//! dissections and proofs byte for byte, also when it is told to lose like the recorded loser.

use crate::support::recording::{Chain, folder, lines};
use serde_json::Value;
use soru_node::config::LoserMode;
use soru_node::pipeline::{NodeConstants, Pipeline, RollupInfo};
use soru_node::refutation::{Evaluator, PeriodStates, ProofInputs, next_move};
use soru_node::reveals::{NodeReveals, Preimages};
use soru_node::store::{Flush, Store};
use soru_protocol::Protocol;
use soru_protocol::game::DissectionRule;
use soru_protocol::pvm::genesis_state;
use soru_pvm::{FastConfig, FastEngine, Reveals};
use soru_tezos::block::Block;
use soru_tezos::codec::Encode;
use soru_tezos::rollup::{Commitment, Game, GenesisInfo, PvmKind, Refutation, Step};
use soru_tezos::scalar::Level;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub const RULE: DissectionRule = DissectionRule::Aligned(50_000_000_000_000);

/// A node that has evaluated a recorded chain up to some level.
pub struct Evaluated {
    pub evaluator: Evaluator,
    pub inputs: ProofInputs,
    _data: tempfile::TempDir,
}

/// Where the rollup of a recording begins.
fn genesis(chain: &Chain, address: &str) -> GenesisInfo {
    for row in &chain.rows {
        let operations = row["block"]["operations"][3].as_array().into_iter().flatten();
        for content in operations.filter_map(|operation| operation["contents"].as_array()) {
            let result = content.first().map(|content| &content["metadata"]["operation_result"]);
            if let Some(result) = result.filter(|result| result["address"] == address) {
                let commitment_hash = serde_json::from_value(result["genesis_commitment_hash"].clone()).unwrap();
                return GenesisInfo { level: Level(row["level"].as_i64().unwrap() as i32), commitment_hash };
            }
        }
    }
    panic!("no origination of {address}");
}

/// Evaluates a recording up to a level, with another kernel if one is given.
pub fn evaluate(chain: &Chain, loser_mode: LoserMode, up_to: i32, kernel: Option<Vec<u8>>) -> Evaluated {
    let address = chain.meta["rollups"].as_object().unwrap().values().next().unwrap()["address"].as_str().unwrap();
    let constants: NodeConstants = serde_json::from_value(chain.meta["constants"].clone()).unwrap();
    let mut genesis = genesis(chain, address);
    let address = address.parse().unwrap();
    let data = tempfile::tempdir().unwrap();
    std::fs::create_dir(data.path().join("wasm_2_0_0")).unwrap();
    for preimage in chain.meta.get("preimages").and_then(Value::as_array).into_iter().flatten() {
        let bytes = hex::decode(preimage["data"].as_str().unwrap()).unwrap();
        std::fs::write(data.path().join("wasm_2_0_0").join(preimage["hash"].as_str().unwrap()), bytes).unwrap();
    }
    let boot_sector_file = kernel.map(|kernel| {
        let state = genesis_state(Protocol::Ushuaia, PvmKind::Wasm200, &kernel).unwrap();
        genesis.commitment_hash = Commitment::genesis(state, genesis.level).hash();
        let path = data.path().join("kernel.wasm");
        std::fs::write(&path, kernel).unwrap();
        path.to_str().unwrap().to_owned()
    });
    let store = Store::open(data.path(), address, genesis, None).unwrap();
    let rollup = RollupInfo {
        address,
        genesis,
        boot_sector_file,
        operating: None,
        bail_on_disagree: false,
        loser_mode: loser_mode.clone(),
    };
    let engine = Arc::new(FastEngine::new(FastConfig::default()).unwrap());
    let preimages = Preimages::new(data.path(), None);
    let mut pipeline = Pipeline::new(store.clone(), rollup, Arc::clone(&engine), preimages.clone());
    for row in &chain.rows[usize::try_from(genesis.level.0 - 1).unwrap()..usize::try_from(up_to).unwrap()] {
        let block: Block = serde_json::from_value(row["block"].clone()).unwrap();
        let processed = if block.level() == genesis.level {
            pipeline.process_genesis(&block, serde_json::from_value(row["inbox"].clone()).unwrap(), &[], Flush::Later)
        } else {
            pipeline.process(&block, &constants, Flush::Later)
        };
        processed.unwrap_or_else(|e| panic!("level {}: {e}", row["level"]));
    }
    let reveals: Arc<dyn Reveals> = Arc::new(NodeReveals::new(preimages, address, genesis.level, constants));
    let inputs = ProofInputs { store: store.clone(), reveals: Arc::clone(&reveals), origination: genesis.level };
    Evaluated { evaluator: Evaluator { store, engine, reveals, loser_mode }, inputs, _data: data }
}

/// The first game of a row: games are listed, or listed by player.
fn first_game(row: &Value) -> Option<&Value> {
    match &row["games"] {
        Value::Object(by_player) => by_player.values().find_map(|games| games.get(0)),
        games => games.get(0),
    }
}

/// Some game of a recording.
pub fn any_game(folder: &Path) -> Game {
    let rows = lines(&folder.join("games.jsonl.gz"));
    let game = rows.iter().find_map(first_game);
    serde_json::from_value(game.unwrap()["game"].clone()).unwrap()
}

/// What a replayed game came to.
#[derive(Debug, Default)]
struct Replayed {
    dissections: usize,
    proofs: usize,
    slowest: Duration,
}

/// Replays the moves of the players whose commitments a node of ours makes: the honest one, and the loser of the recording
/// if its failure is planned.
fn replay(folder: &Path) -> Replayed {
    let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
    let chain = Chain::load(folder);
    let games = lines(&folder.join("games.jsonl.gz"));
    let mut plans = vec![LoserMode::default()];
    for plan in chain.meta.get("losers").and_then(Value::as_array).into_iter().flatten() {
        plans.push(plan.as_str().unwrap().parse().unwrap());
    }
    let (mut evaluated, mut replayed, mut made) = (HashMap::new(), Replayed::default(), 0);
    let moves = lines(&folder.join("moves.jsonl.gz"));
    for line in &moves {
        let level = line["level"].as_i64().unwrap();
        let content = &line["operation"]["contents"][0];
        let applied = content["metadata"]["operation_result"]["status"] == "applied";
        if content["kind"] != "smart_rollup_refute" || content["refutation"]["refutation_kind"] != "move" || !applied {
            continue;
        }
        let source = content["source"].as_str().unwrap();
        let recorded: Refutation = serde_json::from_value(content["refutation"].clone()).unwrap();
        // the game and the player's commitment as they were before the move
        let before = games.iter().find(|row| row["level"] == level - 1).unwrap();
        let game: Game = serde_json::from_value(first_game(before).unwrap()["game"].clone()).unwrap();
        let published = moves.iter().map(|line| &line["operation"]["contents"][0]).find(|content| {
            content["kind"] == "smart_rollup_publish"
                && content["source"] == source
                && content["commitment"]["inbox_level"] == game.inbox_level.0
        });
        let published = &published.unwrap_or_else(|| panic!("{name}: {source} published nothing"))["commitment"];
        let hash = serde_json::from_value::<Commitment>(published.clone()).unwrap().hash();
        let found = (0..plans.len()).find_map(|index| {
            let node = evaluated
                .entry(index)
                .or_insert_with(|| evaluate(&chain, plans[index].clone(), game.start_level.0, None));
            node.evaluator.store.commitment(&hash).unwrap().map(|commitment| (index, commitment))
        });
        // the hand-made liar's commitments are nobody's
        let Some((index, commitment)) = found else { continue };
        let node = &evaluated[&index];
        // as a node that was just started: nothing is kept from move to move
        let mut states = PeriodStates::new(node.evaluator.clone(), commitment).unwrap();
        let started = Instant::now();
        let ours =
            next_move(&game, &mut states, RULE, &node.inputs).unwrap_or_else(|e| panic!("{name}: level {level}: {e}"));
        replayed.slowest = replayed.slowest.max(started.elapsed());
        match (&ours, &recorded) {
            (Refutation::Move { step: Step::Dissection(_), .. }, _) => replayed.dissections += 1,
            _ => replayed.proofs += 1,
        }
        assert_eq!(
            serde_json::to_value(&ours).unwrap(),
            serde_json::to_value(&recorded).unwrap(),
            "{name}: level {level}, {source}"
        );
        assert_eq!(ours.to_bytes(), recorded.to_bytes());
        made += 1;
    }
    assert!(made > 4 && replayed.proofs > 0, "{name}: {made} moves");
    println!("{name}: {replayed:?}");
    replayed
}

#[test]
fn a_message_replaced() {
    let Some(folder) = folder("s3_game_inbox_3_0_0") else { return };
    replay(&folder);
}

#[test]
fn all_recorded_games() {
    let (mut dissections, mut proofs) = (0, 0);
    for name in [
        "s3_game_inbox_3_1_0",
        "s3_game_pvm_5_7_11000000001",
        "s3_game_pvm_7_7_22000002000",
        "s3_game_pvm_7_7_50000000000000",
        "s3_game_reveal_metadata",
        "s3_tick_beyond_the_inbox",
        "s3_tick_decode",
        "s3_tick_eval",
        "s3_tick_info_message",
    ] {
        let Some(folder) = folder(name) else { continue };
        let replayed = replay(&folder);
        dissections += replayed.dissections;
        proofs += replayed.proofs;
    }
    println!("{dissections} dissections and {proofs} proofs agree");
}
