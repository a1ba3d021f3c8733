#![allow(clippy::unwrap_used, clippy::panic)]
use super::*;
use soru_merkle::{NodeStore, Tree};
use soru_pvm::Tick;
use soru_tezos::hash::{InboxHash, ProtocolHash, StateHash};
use soru_tezos::header::BlockRef;
use soru_tezos::rollup::{Inbox, LevelProof};
use soru_tezos::scalar::{Ticks, Timestamp};
use std::sync::atomic::AtomicBool;

const ROLLUP: SmartRollupAddress = SmartRollupAddress([7; 20]);
const GENESIS: GenesisInfo = GenesisInfo { level: Level(5), commitment_hash: CommitmentHash([1; 32]) };

fn open(folder: &Path) -> Result<Store, StoreError> {
    Store::open(folder, ROLLUP, GENESIS, None)
}

fn block(level: i32, hash: u8) -> StoredBlock {
    StoredBlock {
        hash: BlockHash([hash; 32]),
        level: Level(level),
        predecessor: BlockHash([hash - 1; 32]),
        timestamp: Timestamp(i64::from(level)),
        protocol: ProtocolHash([2; 32]),
        commitment: None,
        previous_commitment: GENESIS.commitment_hash,
        inbox: Inbox {
            level: Level(level),
            old_levels_messages: HistoryCell {
                index: (level as u64).into(),
                content: LevelProof { hash: PayloadHashesHash([hash; 32]), level: Level(level) },
                back_pointers: vec![InboxHash([3; 32])],
            },
        },
        inbox_hash: InboxHash([hash; 32]),
        message_count: 3,
        initial_tick: Tick(1 << 70),
        ticks: Ticks(100_000_000_000_000),
        state_hash: StateHash([hash; 32]),
        status: "Waiting for input message".into(),
    }
}

#[test]
fn blocks_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    assert_eq!(store.head().unwrap(), None);
    assert_eq!(store.first_available_level(), Level(5));
    let (one, other) = (block(6, 9), block(6, 19));
    let messages = vec![bytes::Bytes::from_static(&[0, 1]), bytes::Bytes::new()];
    for block in [&one, &other] {
        let batch = store.begin(Flush::Now).unwrap();
        batch.put_block(block).unwrap();
        batch.put_messages(&block.witness(), &messages).unwrap();
        batch.set_level(block.level, &block.hash).unwrap();
        batch.set_head(&block.hash, block.level).unwrap();
        batch.commit().unwrap();
    }
    drop(store);
    let store = open(folder.path()).unwrap();
    assert_eq!(store.head().unwrap(), Some(other.clone()));
    assert_eq!(store.block(&one.hash).unwrap(), Some(one.clone()));
    assert_eq!(store.block_of_level(Level(6)).unwrap(), Some(other));
    assert_eq!(store.messages(&one.witness()).unwrap(), Some(messages));
    assert_eq!(store.inbox_cell(&one.inbox_hash).unwrap(), Some(one.inbox.old_levels_messages));
}

#[test]
fn marks_outboxes_publications() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let (a, b) = (CommitmentHash([4; 32]), CommitmentHash([5; 32]));
    let batch = store.begin(Flush::Now).unwrap();
    batch.set_cemented(&a, Level(20)).unwrap();
    batch.set_cemented(&b, Level(10)).unwrap();
    batch.add_publication(&a, Level(30), None).unwrap();
    batch.add_publication(&a, Level(31), Some(Level(31))).unwrap();
    batch.set_executed(Level(7), 1, BlockRef { level: Level(12), hash: BlockHash([1; 32]) }).unwrap();
    batch.set_outbox(Level(7), vec![0, 1, 2]).unwrap();
    batch.set_outbox(Level(8), vec![]).unwrap();
    let record = |level, hash, is_activation| ProtocolRecord {
        protocol: ProtocolHash([hash; 32]),
        proto_level: hash,
        first_level: Level(level),
        is_activation,
    };
    batch.put_protocol(&record(5, 1, false)).unwrap();
    batch.put_protocol(&record(9, 2, true)).unwrap();
    batch.commit().unwrap();
    assert_eq!(store.last_cemented().unwrap(), Some((a, Level(20))));
    assert_eq!(store.publication(&a).unwrap(), Some(Publication { first: Level(30), own: Some(Level(31)) }));
    let pending = store.pending_outboxes(Level(0)..=Level(30)).unwrap();
    assert_eq!(pending.len(), 1);
    assert_eq!(pending[0].1.pending().collect::<Vec<_>>(), [0, 2]);
    let protocol = |level| store.protocol_of_level(Level(level)).unwrap().map(|record| record.proto_level);
    assert_eq!([protocol(4), protocol(5), protocol(9), protocol(10)], [None, Some(1), Some(1), Some(2)]);
}

/// A message executed on a branch that was left waits again, and does not once the branch is back.
#[test]
fn executions_are_of_one_branch() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let [one, other] = [1, 2].map(|byte| BlockHash([byte; 32]));
    let go_to = |level: i32, hash: &BlockHash| {
        let batch = store.begin(Flush::Now).unwrap();
        batch.set_level(Level(level), hash).unwrap();
        batch.set_head(hash, Level(level)).unwrap();
        batch.commit().unwrap();
    };
    let batch = store.begin(Flush::Now).unwrap();
    batch.set_outbox(Level(7), vec![0, 1]).unwrap();
    batch.set_executed(Level(7), 0, BlockRef { level: Level(12), hash: one }).unwrap();
    batch.commit().unwrap();
    let pending = || store.outbox(Level(7)).unwrap().unwrap().pending().collect::<Vec<u32>>();
    for (level, hash, waiting) in
        [(12, &one, &[1][..]), (12, &other, &[0, 1]), (12, &one, &[1]), (11, &other, &[0, 1]), (13, &one, &[1])]
    {
        go_to(level, hash);
        assert_eq!(pending(), waiting, "level {level}, {hash}");
    }
}

/// A collection ends the doubt about who executed what below its target, and drops the outboxes that are done with.
#[test]
fn executions_after_a_collection() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let at = |level: i32, branch: u8| BlockRef { level: Level(level), hash: BlockHash([branch; 32]) };
    let batch = store.begin(Flush::Now).unwrap();
    for level in 1..=40 {
        batch.set_level(Level(level), &BlockHash([1; 32])).unwrap();
    }
    batch.set_head(&BlockHash([1; 32]), Level(40)).unwrap();
    for level in [3, 4, 5, 6, 7, 12, 13] {
        batch.set_outbox(Level(level), vec![0, 1]).unwrap();
    }
    let executed = [
        // all, long ago; all, but one on a branch that was left; all, but one not long ago; one; none
        (3, 0, at(10, 1)),
        (3, 1, at(11, 1)),
        (4, 0, at(10, 1)),
        (4, 1, at(11, 2)),
        (5, 0, at(10, 1)),
        (5, 1, at(35, 1)),
        (6, 1, at(12, 1)),
        // of active outboxes
        (12, 0, at(15, 1)),
        (12, 1, at(15, 1)),
        (13, 0, at(15, 2)),
        (13, 1, at(35, 2)),
    ];
    for (level, index, block) in executed {
        batch.set_executed(Level(level), index, block).unwrap();
    }
    batch.commit().unwrap();
    let pending = |store: &Store| {
        let pending = store.pending_outboxes(Level(0)..=Level(40)).unwrap();
        let listed = pending.into_iter().map(|(level, record)| (level.0, record.pending().collect::<Vec<_>>()));
        listed.collect::<Vec<_>>()
    };
    let before = pending(&store);
    assert_eq!(before, [(4, vec![1]), (6, vec![0]), (7, vec![0, 1]), (13, vec![0, 1])]);
    let mut target = block(30, 1);
    target.hash = BlockHash([1; 32]);
    let collection = store.begin_collection(&target, &target, Level(12)).unwrap();
    let removed = collection.run(&AtomicBool::new(false)).unwrap();
    assert_eq!(removed.outboxes, 1, "level 3");
    assert_eq!(pending(&store), before);
    let known = |level| store.outbox(Level(level)).unwrap().map(|record| record.executed.len());
    assert_eq!([3, 4, 5, 6, 7, 12, 13].map(known), [None, Some(1), Some(2), Some(1), Some(0), Some(2), Some(0)]);
    // the branch that was left comes back where nothing is final
    let batch = store.begin(Flush::Now).unwrap();
    batch.set_level(Level(35), &BlockHash([2; 32])).unwrap();
    batch.commit().unwrap();
    assert_eq!([5, 13].map(known), [Some(1), Some(1)]);
}

#[test]
fn a_store_of_another_release() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let path = folder.path().join(FILE);
    // other releases may know other fields
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(STATE).unwrap().insert(METADATA, &br#"{"format": 1, "rollup": "sr1"}"#[..]).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let refused =
        [open(folder.path()).err(), Existing::open(folder.path()).err()].map(|error| error.unwrap().to_string());
    for said in refused {
        for sign in [&*path.display().to_string(), "format 1", "format 2", "empty data directory", "snapshot import"] {
            assert!(said.contains(sign), "{sign}: {said}");
        }
    }
}

#[test]
fn what_is_no_store() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let path = folder.path().join(FILE);
    let whole = std::fs::read(&path).unwrap();
    for (what, bytes) in [("junk", vec![7; 100_000]), ("cut", whole[..whole.len() / 2].to_vec()), ("empty", vec![])] {
        std::fs::write(&path, bytes).unwrap();
        for error in [open(folder.path()).err(), Existing::open(folder.path()).err()] {
            let said = error.unwrap().to_string();
            for sign in [&*path.display().to_string(), "cannot be opened", "Move it away"] {
                assert!(said.contains(sign), "{what}: {said}");
            }
        }
    }
    // whoever made it was killed before it held anything
    std::fs::remove_file(&path).unwrap();
    drop(database(&path).unwrap());
    assert!(Existing::open(folder.path()).unwrap().is_none());
    open(folder.path()).unwrap();
}

/// The database takes nothing more after its disk has failed: the node must not try for ever.
#[test]
fn a_disk_that_fails_ends_the_node() {
    let full = std::io::Error::from(ErrorKind::StorageFull);
    for error in [StorageError::Io(full), StorageError::PreviousIo] {
        let error = crate::pipeline::PipelineError::from(StoreError::from(error));
        assert!(error.is_fatal() && error.to_string().contains("start again"), "{error}");
    }
}

#[test]
fn a_dropped_transaction_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let mut tree = Tree::empty();
    for i in 0..100u32 {
        tree.add(&["a", &i.to_string()], vec![7; 40]).unwrap();
    }
    let dropped = store.begin(Flush::Now).unwrap();
    let hash = tree.commit(&mut dropped.nodes().unwrap()).unwrap();
    dropped.put_block(&block(6, 9)).unwrap();
    drop(dropped);
    assert_eq!(store.block(&BlockHash([9; 32])).unwrap(), None);
    assert_eq!(store.nodes().get(&hash).unwrap(), None);
    let kept = store.begin(Flush::Now).unwrap();
    assert_eq!(tree.commit(&mut kept.nodes().unwrap()).unwrap(), hash);
    kept.commit().unwrap();
    let read = Tree::open(store.nodes(), hash);
    assert_eq!(read.find(&["a", "42"]).unwrap(), Some(vec![7; 40].into()));
    assert_eq!(read.leaves().count(), 100);
}

#[test]
fn other_rollups_and_modes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path(), ROLLUP, GENESIS, Some(HistoryMode::Full)).unwrap());
    let other = SmartRollupAddress([8; 20]);
    let refused = Store::open(folder.path(), other, GENESIS, None).err().unwrap().to_string();
    assert_eq!(
        refused,
        format!(
            "This rollup node was already set up for rollup {ROLLUP}, it cannot be run for a different rollup {other}."
        )
    );
    let archive = Store::open(folder.path(), ROLLUP, GENESIS, Some(HistoryMode::Archive)).err().unwrap();
    assert_eq!(archive.to_string(), "Cannot transform a full rollup node into an archive one.");
}

#[test]
fn one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let held = DataDirLock::acquire(folder.path()).unwrap();
    assert!(matches!(DataDirLock::acquire(folder.path()), Err(StoreError::Locked(_))));
    drop(held);
    DataDirLock::acquire(folder.path()).unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let unusable = DataDirLock::acquire(&folder.path().join("file")).unwrap_err().to_string();
    assert!(unusable.contains("not usable: cannot create it"), "{unusable}");
    std::fs::write(folder.path().join("identity.json"), "").unwrap();
    assert!(matches!(DataDirLock::acquire(folder.path()), Err(StoreError::LayerOneDirectory(_))));
}

/// A block with a state of its own: large leaves, some of which change from level to level.
fn block_with_state(store: &Store, tree: &mut Tree, level: i32) -> StoredBlock {
    for i in 0..40 {
        let changes = i % 4 == level % 4 || level == 5;
        if changes {
            tree.add(&["values", &i.to_string()], vec![level as u8; 300 + i as usize]).unwrap();
        }
    }
    put_block_with_state(store, tree, level)
}

fn put_block_with_state(store: &Store, tree: &Tree, level: i32) -> StoredBlock {
    let batch = store.begin(Flush::Now).unwrap();
    let root = tree.commit(&mut batch.nodes().unwrap()).unwrap();
    let commitment = Commitment {
        compressed_state: StateHash(root.0),
        inbox_level: Level(level),
        predecessor: GENESIS.commitment_hash,
        number_of_ticks: Ticks(1),
    };
    let (state_hash, hash) = (StateHash(root.0), commitment.hash());
    let block = StoredBlock { state_hash, commitment: Some(hash), ..block(level, level as u8) };
    batch.put_commitment(&hash, &commitment).unwrap();
    batch.add_publication(&hash, Level(level + 2), None).unwrap();
    batch.put_messages(&block.witness(), &[]).unwrap();
    batch.put_block(&block).unwrap();
    batch.set_level(block.level, &block.hash).unwrap();
    batch.set_head(&block.hash, block.level).unwrap();
    batch.commit().unwrap();
    block
}

fn is_whole(store: &Store, block: &StoredBlock) -> bool {
    let mut count = 0;
    let nodes: Arc<dyn NodeStore + Send + Sync> = store.nodes();
    let walked = soru_merkle::live_records(&nodes, [soru_merkle::NodeHash(block.state_hash.0)], |_, _| {
        count += 1;
        Ok(())
    });
    walked.is_ok() && count > 40
}

#[test]
fn a_collection_removes_what_lies_below_a_level() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let mut tree = Tree::empty();
    let blocks: Vec<StoredBlock> = (5..=30).map(|level| block_with_state(&store, &mut tree, level)).collect();
    let at = |level: i32| &blocks[usize::try_from(level - 5).unwrap()];
    let head = at(30);
    assert_eq!(store.collected().unwrap(), Collected::default());

    // cancelled at once: the levels are gone, the rest is there
    let collection = store.begin_collection(at(10), head, Level(0)).unwrap();
    assert_eq!(store.first_available_level(), Level(10));
    assert_eq!((store.block(&at(9).hash).unwrap(), store.block_of_level(Level(9)).unwrap()), (None, None));
    assert!(matches!(collection.run(&AtomicBool::new(true)), Err(CollectError::Cancelled)));
    let started = Collected { target: Some(Level(10)), triggered_at: Some(Level(30)), successful_target: None };
    assert_eq!(store.collected().unwrap(), started);

    let removed = store.begin_collection(at(20), head, Level(0)).unwrap().run(&AtomicBool::new(false)).unwrap();
    assert_eq!(removed.blocks, 15);
    assert!(removed.nodes > 100 && removed.kept_nodes > 100, "{removed:?}");
    let done = Some(Level(20));
    assert_eq!(
        store.collected().unwrap(),
        Collected { target: done, triggered_at: Some(Level(30)), successful_target: done }
    );
    for block in &blocks {
        let kept = block.level >= Level(20);
        let commitment = block.commitment.unwrap();
        assert_eq!(store.block(&block.hash).unwrap().is_some(), kept, "{}", block.level);
        assert_eq!(store.hash_of_level(block.level).unwrap().is_some(), kept);
        assert_eq!(store.messages(&block.witness()).unwrap().is_some(), kept);
        assert_eq!(store.inbox_cell(&block.inbox_hash).unwrap().is_some(), kept);
        assert_eq!(store.commitment(&commitment).unwrap().is_some(), kept);
        assert_eq!(store.publication(&commitment).unwrap().is_some(), block.level.after(2) >= Level(20));
        assert_eq!(is_whole(&store, block), kept, "state of {}", block.level);
    }
    // nothing is left to remove
    let again = store.begin_collection(at(20), head, Level(0)).unwrap().run(&AtomicBool::new(false)).unwrap();
    assert_eq!((again.blocks, again.nodes, again.kept_nodes), (0, 0, removed.kept_nodes));
    drop(store);
    // most of the file was free: it is smaller when it is opened again
    let store = open(folder.path()).unwrap();
    assert_eq!(store.first_available_level(), Level(20));
    assert!(blocks.iter().skip(15).all(|block| is_whole(&store, block)));
}

#[test]
fn what_is_written_during_a_collection_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    let mut tree = Tree::empty();
    let old = block_with_state(&store, &mut tree, 5);
    let target = block_with_state(&store, &mut tree, 6);
    let collection = store.begin_collection(&target, &target, Level(0)).unwrap();
    // a state made of the target's: a directory changes and changes back, so that it is written again while what lies below
    // is in the store already and is not
    let mut next = Tree::open(store.nodes(), soru_merkle::NodeHash(target.state_hash.0));
    let value = next.find(&["values", "7"]).unwrap().unwrap();
    next.add(&["values", "7"], vec![1; 400]).unwrap();
    next.hash().unwrap();
    next.add(&["values", "7"], value).unwrap();
    next.add(&["other"], vec![2; 400]).unwrap();
    let later = put_block_with_state(&store, &next, 7);
    // and one that takes up again what was garbage
    let mut revived = Tree::open(store.nodes(), soru_merkle::NodeHash(later.state_hash.0));
    for i in 0..40 {
        revived.add(&["values", &i.to_string()], vec![5; 300 + i]).unwrap();
    }
    let last = put_block_with_state(&store, &revived, 8);
    let removed = collection.run(&AtomicBool::new(false)).unwrap();
    assert_eq!(removed.blocks, 1);
    assert_eq!(store.block(&old.hash).unwrap(), None);
    for block in [target, later, last] {
        assert!(is_whole(&store, &block), "state of {}", block.level);
    }
}
