//! Garbage collection (`spec/node.md` §4.13): of a node that follows a recorded chain, and of one that is killed while it
//! collects.

use crate::support::busy::successor;
use crate::support::recording::{Chain, folder, lines};
use crate::support::replay::Replay;
use crate::support::{get, json as ask, observer, reach};
use soru_merkle::{NodeHash, NodeStore, Tree, live_records};
use soru_node::config::{HistoryMode, LoserMode};
use soru_node::pipeline::{NodeConstants, Pipeline, RollupInfo};
use soru_node::reveals::Preimages;
use soru_node::store::{Flush, Store, StoredBlock};
use soru_pvm::{FastConfig, FastEngine, Tick};
use soru_tezos::block::Block;
use soru_tezos::hash::{
    BlockHash, CommitmentHash, InboxHash, PayloadHashesHash, ProtocolHash, SmartRollupAddress, StateHash,
};
use soru_tezos::rollup::{GenesisInfo, HistoryCell, Inbox, LevelProof};
use soru_tezos::scalar::{Level, Ticks, Timestamp};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

const TOUR: &str = "sr1KEsdg3ivZmc3YgdhJFDbhmQmY5wT9Nd2D";

#[tokio::test(flavor = "multi_thread")]
async fn a_full_node_collects_up_to_the_last_cemented_commitment() {
    let Some(folder) = folder("s1_tour") else { return };
    let chain = Chain::load(&folder);
    let rows = lines(&folder.join("node.jsonl.gz"));
    let replay = Replay::new(&chain, 10);
    let (layer1, _) = replay.serve(0).await;
    let hash = |level: i64| chain.row(level).unwrap()["hash"].as_str().unwrap();
    // a node that comes late hears of what is cemented before it comes to that level
    for (mode, late) in [(HistoryMode::Archive, false), (HistoryMode::Full, false), (HistoryMode::Full, true)] {
        let data = tempfile::tempdir().unwrap();
        let mut config = observer(TOUR, data.path(), layer1);
        config.config.history_mode = Some(mode);
        config.config.gc_parameters.frequency = Some(1);
        replay.set_head(if late { 46 } else { 10 });
        let node = soru_node::start(config).await.unwrap();
        for level in if late { 46..=46 } else { 10..=46 } {
            replay.set_head(level);
            reach(&node, level, hash(level)).await;
        }
        let address = node.address();
        let cemented = ask(address, "/global/last_cemented_commitment").await["level"].as_i64().unwrap();
        assert!(cemented > 5, "the recording cements: {cemented}");
        let begin = Instant::now();
        let first = if mode == HistoryMode::Full { cemented } else { 5 };
        let info = loop {
            let info = ask(address, "/local/gc_info").await;
            if mode == HistoryMode::Archive || info["last_successful_gc_target"] == cemented {
                break info;
            }
            assert!(begin.elapsed() < Duration::from_secs(60), "{info}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert_eq!(info["first_available_level"], first);
        assert_eq!(info.get("last_gc_level").is_some(), mode == HistoryMode::Full);
        // the collection's thread may still be ending; then nothing is left to cancel
        while ask(address, "/admin/cancel_gc").await != false {
            assert!(begin.elapsed() < Duration::from_secs(60), "nothing runs any more");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for row in &rows {
            let level = row["level"].as_i64().unwrap();
            let path = format!("/global/block/{level}");
            if level >= first {
                let block = ask(address, &format!("{path}?outbox=true")).await;
                for name in
                    ["block_hash", "state_hash", "inbox_hash", "initial_tick", "commitment_hash", "messages", "outbox"]
                {
                    assert_eq!(block[name], row["block"][name], "level {level}: {name}");
                }
                assert_eq!(ask(address, &format!("{path}/total_ticks")).await, row["total_ticks"]);
            } else {
                let (status, kind, text) = get(address, &path).await;
                assert_eq!((status, kind.as_str()), (500, "text/ocaml.exception"), "{text}");
                let expected = format!(
                    "Attempting to access data for level {level}, which is before the first available level {first}"
                );
                assert!(text.contains(&expected), "{text}");
            }
        }
        node.stop();
        node.join().await.unwrap();
        // what is left of the file does not grow any more, and full does not become archive
        let mut config = observer(TOUR, data.path(), layer1);
        config.config.history_mode = Some(HistoryMode::Archive);
        let again = soru_node::start(config).await;
        assert_eq!(again.is_ok(), mode == HistoryMode::Archive);
        if let Ok(node) = again {
            node.stop();
            node.join().await.unwrap();
        }
    }
}

const ROLLUP: SmartRollupAddress = SmartRollupAddress([7; 20]);
const GENESIS: GenesisInfo = GenesisInfo { level: Level(1), commitment_hash: CommitmentHash([1; 32]) };
const LEVELS: i32 = 40;
const TARGET: i32 = 30;

fn open(folder: &Path) -> Store {
    Store::open(folder, ROLLUP, GENESIS, None).unwrap()
}

fn block(level: i32, root: NodeHash) -> StoredBlock {
    let hash = |level: i32| {
        let mut bytes = [9; 32];
        bytes[..4].copy_from_slice(&level.to_be_bytes());
        bytes
    };
    let content = LevelProof { hash: PayloadHashesHash(hash(level)), level: Level(level) };
    StoredBlock {
        hash: BlockHash(hash(level)),
        level: Level(level),
        predecessor: BlockHash(hash(level - 1)),
        timestamp: Timestamp(i64::from(level)),
        protocol: ProtocolHash([2; 32]),
        commitment: None,
        previous_commitment: GENESIS.commitment_hash,
        inbox: Inbox {
            level: Level(level),
            old_levels_messages: HistoryCell { index: (level as u64).into(), content, back_pointers: vec![] },
        },
        inbox_hash: InboxHash(hash(level)),
        message_count: 0,
        initial_tick: Tick(0),
        ticks: Ticks(1),
        state_hash: StateHash(root.0),
        status: String::new(),
    }
}

/// Levels whose states share most of what they hold.
fn fill(store: &Store) {
    let mut tree = Tree::empty();
    for level in 1..=LEVELS {
        for i in 0..if level == 1 { 1000 } else { 100 } {
            let name = ((level * 37 + i * 11) % 1000).to_string();
            tree.add(&["values", &name], [level.to_be_bytes(), i.to_be_bytes()].concat().repeat(40)).unwrap();
        }
        let batch = store.begin(if level == LEVELS { Flush::Now } else { Flush::Later }).unwrap();
        let root = tree.commit(&mut batch.nodes().unwrap()).unwrap();
        let block = block(level, root);
        batch.put_messages(&block.witness(), &[]).unwrap();
        batch.put_block(&block).unwrap();
        batch.set_level(block.level, &block.hash).unwrap();
        batch.set_head(&block.hash, block.level).unwrap();
        batch.commit().unwrap();
    }
}

/// Not a test: the process that [`killed_while_it_collects`] kills.
#[test]
#[ignore = "run by another test, in a process of its own"]
fn child() {
    let Some(data) = std::env::var_os("SORU_TEST_DATA") else { return };
    let store = open(Path::new(&data));
    collect(&store);
}

fn collect(store: &Store) -> soru_node::store::Removed {
    let (target, head) = (store.block_of_level(Level(TARGET)).unwrap().unwrap(), store.head().unwrap().unwrap());
    store.begin_collection(&target, &head, Level(0)).unwrap().run(&AtomicBool::new(false)).unwrap()
}

#[test]
fn killed_while_it_collects() {
    let start = Instant::now();
    let data = tempfile::tempdir().unwrap();
    let full = data.path().join("full");
    std::fs::create_dir(&full).unwrap();
    fill(&open(&full));
    let (mut kills, mut unfinished) = (0, 0);
    let folder = data.path().join("killed");
    for delay in [0, 2, 10, 40, 100, 250] {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        std::fs::copy(full.join("store.redb"), folder.join("store.redb")).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["collection::child", "--exact", "--ignored"])
            .env("SORU_TEST_DATA", &folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // it collects as long as its notes lie beside the store
        while !folder.join("store.marks").exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;

        let store = open(&folder);
        assert!(!folder.join("store.marks").exists(), "what the killed process left is gone");
        let done = store.collected().unwrap().successful_target.is_some();
        unfinished += usize::from(!done);
        assert_eq!(store.first_available_level(), Level(TARGET), "after {delay} ms");
        let check = |store: &Store| {
            let nodes: Arc<dyn NodeStore + Send + Sync> = store.nodes();
            let levels = (TARGET..=LEVELS).map(Level);
            let roots = levels.map(|level| NodeHash(store.block_of_level(level).unwrap().unwrap().state_hash.0));
            let mut needed = 0u64;
            live_records(&nodes, roots, |_, _| {
                needed += 1;
                Ok(())
            })
            .unwrap();
            needed
        };
        let needed = check(&store);
        let removed = collect(&store);
        assert_eq!(removed.kept_nodes, needed, "what is needed is left, and nothing else");
        assert_eq!(check(&store), needed);
        if done {
            assert_eq!((removed.blocks, removed.nodes), (0, 0));
        }
    }
    println!("{kills} kills, {unfinished} before the end, in {:?}", start.elapsed());
    assert!(unfinished > 1, "most kills come before the end");
}

/// A collection beside the processing of blocks, and what it leaves. With more levels it measures:
/// `SORU_LEVELS=2000 cargo test --release -p soru-node --test it a_long_life -- --nocapture`.
#[test]
fn a_long_life_leaves_little() {
    let levels: i32 = std::env::var("SORU_LEVELS").map_or(200, |levels| levels.parse().unwrap());
    let Some(folder) = folder("s1_tour") else { return };
    let chain = Chain::load(&folder);
    let block = |level| serde_json::from_value::<Block>(chain.row(level).unwrap()["block"].clone()).unwrap();
    let constants: NodeConstants = serde_json::from_value(chain.meta["constants"].clone()).unwrap();
    let (template, mut last) = (block(6), block(5));
    let receipts = last.operations[3].iter().flat_map(|operation| operation.managers());
    let commitment_hash = receipts
        .filter_map(|receipt| receipt.metadata.as_ref()?.operation_result.applied())
        .find_map(|applied| serde_json::to_value(applied).ok()?["genesis_commitment_hash"].as_str()?.parse().ok());
    let rollup = RollupInfo {
        address: TOUR.parse().unwrap(),
        genesis: GenesisInfo { level: Level(5), commitment_hash: commitment_hash.unwrap() },
        boot_sector_file: None,
        operating: None,
        bail_on_disagree: false,
        loser_mode: LoserMode::default(),
    };
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path(), rollup.address, rollup.genesis, None).unwrap();
    let size = || std::fs::metadata(data.path().join("store.redb")).unwrap().len() as f64 / 1e6;
    let engine = Arc::new(FastEngine::new(FastConfig::default()).unwrap());
    let mut pipeline = Pipeline::new(store.clone(), rollup.clone(), engine, Preimages::new(data.path(), None));
    let inbox = serde_json::from_value(chain.row(5).unwrap()["inbox"].clone()).unwrap();
    pipeline.process_genesis(&last, inbox, &[], Flush::Now).unwrap();
    let mut go_on = |pipeline: &mut Pipeline, levels: i32| {
        let start = Instant::now();
        for i in 1..=levels {
            let next = successor(&template, &last);
            pipeline.process(&next, &constants, if i % 16 == 0 { Flush::Now } else { Flush::Later }).unwrap();
            last = next;
        }
        start.elapsed()
    };
    let took = go_on(&mut pipeline, levels);
    let grown = size();
    println!("{levels} levels of 100 messages in {took:.2?}: {grown:.1} MB");
    let first = 5 + levels * 9 / 10;
    let (target, head) = (store.block_of_level(Level(first)).unwrap().unwrap(), store.head().unwrap().unwrap());
    pipeline.forget_machine();
    let collection = store.begin_collection(&target, &head, Level(0)).unwrap();
    let start = Instant::now();
    let collecting = std::thread::spawn(move || collection.run(&AtomicBool::new(false)).unwrap());
    let took = go_on(&mut pipeline, levels / 20);
    println!("{} further levels beside the collection in {took:.2?}", levels / 20);
    let removed = collecting.join().unwrap();
    println!("collected in {:.2?}: {removed:?}; {:.1} MB", start.elapsed(), size());
    assert_eq!(removed.blocks, u64::try_from(first - 5).unwrap());
    assert!(removed.nodes > 0 && removed.kept_nodes > 0, "{removed:?}");
    let took = go_on(&mut pipeline, levels / 2);
    println!("{} further levels in {took:.2?}: {:.1} MB", levels / 2, size());
    // they take the place of what was collected
    assert!(size() <= grown * 1.1, "{} MB, and {grown} MB before the collection", size());
    drop((pipeline, store));
    let start = Instant::now();
    let store = Store::open(data.path(), rollup.address, rollup.genesis, None).unwrap();
    println!(
        "opened again in {:.2?}: {:.1} MB, first level {}",
        start.elapsed(),
        size(),
        store.first_available_level()
    );
    assert_eq!(store.first_available_level(), Level(first));
    let block = store.block_of_level(Level(first)).unwrap().unwrap();
    assert_eq!(soru_node::pipeline::machine(&store, &block).unwrap().state_hash().unwrap(), block.state_hash);
}
