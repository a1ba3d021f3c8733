//! Levels per second of the node's pipeline: an echo kernel, 100 messages a level, the state of each level committed, without
//! waiting for a layer 1. Once with every level flushed to disk, once with flushes shared as while catching up.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

#[path = "../tests/it/support/busy.rs"]
mod busy;
#[path = "../tests/it/support/recording.rs"]
mod recording;

use busy::{MESSAGES, successor};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use recording::{Chain, folder};
use soru_node::config::LoserMode;
use soru_node::pipeline::{NodeConstants, Pipeline, RollupInfo};
use soru_node::reveals::Preimages;
use soru_node::store::{Flush, Store};
use soru_pvm::{FastConfig, FastEngine};
use soru_tezos::block::Block;
use soru_tezos::rollup::GenesisInfo;
use soru_tezos::scalar::Level;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const GENESIS: i64 = 5;
fn levels(criterion: &mut Criterion) {
    let Some(folder) = folder("s1_tour") else { return };
    let chain = Chain::load(&folder);
    let block = |level| serde_json::from_value::<Block>(chain.row(level).unwrap()["block"].clone()).unwrap();
    let constants: NodeConstants = serde_json::from_value(chain.meta["constants"].clone()).unwrap();
    let origin = &chain.meta["rollups"]["echo"];
    let template = block(6);
    let genesis_block = block(GENESIS);
    let receipts = genesis_block.operations[3].iter().flat_map(|operation| operation.managers());
    let commitment_hash = receipts
        .filter_map(|receipt| receipt.metadata.as_ref()?.operation_result.applied())
        .find_map(|applied| serde_json::to_value(applied).ok()?["genesis_commitment_hash"].as_str()?.parse().ok())
        .unwrap();
    let rollup = RollupInfo {
        address: origin["address"].as_str().unwrap().parse().unwrap(),
        genesis: GenesisInfo { level: Level(GENESIS as i32), commitment_hash },
        boot_sector_file: None,
        operating: None,
        bail_on_disagree: false,
        loser_mode: LoserMode::default(),
    };
    let mut group = criterion.benchmark_group("pipeline");
    group.throughput(Throughput::Elements(1)).sample_size(20).measurement_time(Duration::from_secs(10));
    for (name, together) in [("each level flushed", 1), ("16 levels flushed together", 16)] {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(data.path(), rollup.address, rollup.genesis, None).unwrap();
        let engine = Arc::new(FastEngine::new(FastConfig::default()).unwrap());
        let mut pipeline = Pipeline::new(store, rollup.clone(), engine, Preimages::new(data.path(), None));
        let inbox = serde_json::from_value(chain.row(GENESIS).unwrap()["inbox"].clone()).unwrap();
        pipeline.process_genesis(&genesis_block, inbox, &[], Flush::Now).unwrap();
        let mut last = genesis_block.clone();
        group.bench_function(BenchmarkId::new("level of 100 messages", name), |bencher| {
            bencher.iter_custom(|count| {
                let mut time = Duration::ZERO;
                for i in 1..=count {
                    let block = successor(&template, &last);
                    let flush = if i % together == 0 { Flush::Now } else { Flush::Later };
                    let start = Instant::now();
                    let processed = pipeline.process(&block, &constants, flush).unwrap();
                    time += start.elapsed();
                    assert_eq!(processed.messages, MESSAGES);
                    last = block;
                }
                time
            });
        });
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let resident =
            statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096 / 1_000_000;
        let file = std::fs::metadata(data.path().join("store.redb")).unwrap().len();
        let level = last.level();
        println!("{name}: level {level}, {resident} MB resident, {} bytes of disk a level", file / level.0 as u64);
    }
}

criterion_group!(benches, levels);
criterion_main!(benches);
