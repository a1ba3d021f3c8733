//! The pipeline on recorded chains, without any network: every level's inbox, state, ticks, outbox and commitment are
//! those of the reference node.

use crate::support::recording::{Chain, folder, lines};
use soru_node::config::LoserMode;
use soru_node::pipeline::{self, NodeConstants, Pipeline, RollupInfo};
use soru_node::reveals::Preimages;
use soru_node::store::{Flush, Store};
use soru_pvm::{FastConfig, FastEngine};
use soru_tezos::block::Block;
use soru_tezos::rollup::GenesisInfo;
use soru_tezos::scalar::Level;
use std::sync::Arc;

fn replay(name: &str, node_file: &str) {
    let Some(folder) = folder(name) else { return };
    let chain = Chain::load(&folder);
    let rows = lines(&folder.join(node_file));
    let constants: NodeConstants = serde_json::from_value(chain.meta["constants"].clone()).unwrap();
    let commitment_hash = rows[0]["block"]["commitment_hash"].as_str().unwrap().parse().unwrap();
    let genesis = GenesisInfo { level: Level(rows[0]["level"].as_i64().unwrap() as i32), commitment_hash };
    let address = rows[0]["rollup"].as_str().unwrap().parse().unwrap();
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path(), address, genesis, None).unwrap();
    let rollup = RollupInfo {
        address,
        genesis,
        boot_sector_file: None,
        operating: None,
        bail_on_disagree: false,
        loser_mode: LoserMode::default(),
    };
    let engine = Arc::new(FastEngine::new(FastConfig::default()).unwrap());
    let mut pipeline = Pipeline::new(store.clone(), rollup, engine, Preimages::new(data.path(), None));
    for row in &rows {
        let level = row["level"].as_i64().unwrap();
        let l1 = chain.row(level).unwrap();
        let block: Block = serde_json::from_value(l1["block"].clone()).unwrap();
        let processed = if level == i64::from(genesis.level.0) {
            pipeline.process_genesis(&block, serde_json::from_value(l1["inbox"].clone()).unwrap(), &[], Flush::Later)
        } else {
            pipeline.process(&block, &constants, Flush::Later)
        };
        let block = processed.unwrap_or_else(|e| panic!("level {level}: {e}")).block;
        let place = format!("{name}/{node_file} level {level}");
        assert_eq!(serde_json::to_value(&block.inbox).unwrap(), row["inbox"], "{place}: inbox");
        assert_eq!(row["num_messages"], block.message_count.to_string(), "{place}: messages");
        assert_eq!(row["ticks"], block.ticks.to_string(), "{place}: ticks");
        assert_eq!(row["total_ticks"], block.final_tick().0.to_string(), "{place}: total ticks");
        assert_eq!(row["state_hash"], block.state_hash.to_string(), "{place}: state");
        assert_eq!(row["status"], block.status, "{place}: status");
        let expected = &row["block"];
        assert_eq!(expected["inbox_hash"], block.inbox_hash.to_string(), "{place}: inbox hash");
        assert_eq!(expected["inbox_witness"], block.witness().to_string(), "{place}: witness");
        assert_eq!(expected["previous_commitment_hash"], block.previous_commitment.to_string(), "{place}");
        let commitment = block.commitment.map(|hash| hash.to_string());
        assert_eq!(expected["commitment_hash"].as_str(), commitment.as_deref(), "{place}: commitment");
        let outbox = store.outbox(block.level).unwrap().map_or(0, |record| record.messages.len());
        assert_eq!(row["outbox"].as_array().unwrap().len(), outbox, "{place}: outbox");
        // the state read back from the store is the same
        let machine = pipeline::machine(&store, &block).unwrap();
        assert_eq!(machine.state_hash().unwrap(), block.state_hash, "{place}: stored state");
    }
    println!("{name}/{node_file}: {} levels agree", rows.len());
}

#[test]
fn tour() {
    replay("s1_tour", "node.jsonl.gz");
}

#[test]
fn busy_echo() {
    replay("s2_busy_a", "node_echo.jsonl.gz");
}

#[test]
fn busy_counter() {
    replay("s2_busy_a", "node_counter.jsonl.gz");
}

#[test]
fn busy_reboot() {
    replay("s2_busy_a", "node_reboot.jsonl.gz");
}
