//! Snapshots (`spec/node.md` §4.14): what is exported comes back, and what is not as it was exported is refused.

use crate::recorded_games::{Evaluated, evaluate};
use crate::support::recording::{Chain, folder};
use soru_l1::rpc::RpcClient;
use soru_node::config::{HistoryMode, LoserMode};
use soru_node::snapshot::{
    Header, Import, Output, SnapshotError, SnapshotReader, SnapshotWriter, export, import, verify,
};
use soru_node::store::{Flush, Kind, States, Store, StoredBlock, UpTo};
use soru_tezos::codec::{Decode, Encode};
use soru_tezos::hash::SmartRollupAddress;
use soru_tezos::rollup::Commitment;
use soru_tezos::scalar::Level;
use std::io::Cursor;
use std::path::Path;
use std::sync::atomic::AtomicBool;

fn tour() -> Option<(Evaluated, Chain)> {
    let chain = Chain::load(&folder("s1_tour")?);
    Some((evaluate(&chain, LoserMode::default(), 46, None), chain))
}

fn exported(store: &Store, up_to: UpTo) -> Vec<u8> {
    let nowhere = tempfile::tempdir().unwrap();
    export(store, nowhere.path(), up_to, States::All, Vec::new()).unwrap()
}

fn reader(bytes: &[u8]) -> SnapshotReader {
    SnapshotReader::open(Cursor::new(bytes.to_vec())).unwrap()
}

/// What reading, unpacking and checking a snapshot says.
fn verified(bytes: &[u8]) -> Result<Header, SnapshotError> {
    let folder = tempfile::tempdir().unwrap();
    let result = SnapshotReader::open(Cursor::new(bytes.to_vec())).and_then(|reader| verify(reader, folder.path()));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing stays");
    result.map(|(header, _)| header)
}

async fn imported(bytes: &[u8], data_dir: &Path, force: bool, level: Option<i32>) -> Result<Header, SnapshotError> {
    let how = Import { data_dir: data_dir.to_owned(), force, no_check: true, level: level.map(Level) };
    let no_layer1 = RpcClient::new("http://127.0.0.1:1").unwrap();
    import(SnapshotReader::open(Cursor::new(bytes.to_vec()))?, how, &no_layer1).await
}

fn opened(store: &Store, data_dir: &Path) -> Store {
    let metadata = store.metadata();
    Store::open(data_dir, metadata.rollup_address, metadata.genesis_info, None).unwrap()
}

fn same_blocks(one: &Store, other: &Store, levels: std::ops::RangeInclusive<i32>) {
    for level in levels.map(Level) {
        let block = one.block_of_level(level).unwrap().unwrap();
        assert_eq!(other.block_of_level(level).unwrap().as_ref(), Some(&block));
        assert_eq!(other.messages(&block.witness()).unwrap(), one.messages(&block.witness()).unwrap());
        assert_eq!(other.inbox_cell(&block.inbox_hash).unwrap(), one.inbox_cell(&block.inbox_hash).unwrap());
        // what was executed in blocks that are not there does not count
        let outbox = |store: &Store| store.outbox(level).unwrap().map(|record| record.messages);
        assert_eq!(outbox(other), outbox(one));
        let machine = soru_node::pipeline::machine(other, &block).unwrap();
        assert_eq!(machine.state_hash().unwrap(), block.state_hash);
    }
}

#[tokio::test]
async fn what_is_exported_comes_back() {
    let Some((node, _)) = tour() else { return };
    let store = &node.evaluator.store;
    let genesis = store.metadata().genesis_info.level.0;
    let plain = exported(store, UpTo::Finalized);
    let header = verified(&plain).unwrap();
    assert_eq!((header.head_level, header.history_mode), (Level(44), HistoryMode::Full));
    assert_eq!(header.last_commitment, store.block_of_level(Level(44)).unwrap().unwrap().last_commitment());
    // compressed it is the same
    let mut out = Output::new(Vec::new(), true);
    std::io::copy(&mut plain.as_slice(), &mut out).unwrap();
    let compressed = out.finish().unwrap();
    assert!(compressed.len() < plain.len() / 2 && reader(&compressed).is_compressed());
    assert_eq!(verified(&compressed).unwrap(), header);

    let data = tempfile::tempdir().unwrap();
    assert_eq!(imported(&compressed, data.path(), false, None).await.unwrap(), header);
    let again = opened(store, data.path());
    assert_eq!(again.head().unwrap().unwrap().level, Level(44));
    assert_eq!(again.last_cemented().unwrap(), store.last_cemented().unwrap());
    assert_eq!(again.last_published().unwrap(), None);
    same_blocks(store, &again, genesis..=44);
    assert_eq!(again.block_of_level(Level(45)).unwrap(), None);
    // a snapshot of the import is the snapshot
    assert_eq!(exported(&again, UpTo::Head), plain);
    drop(again);

    // onto what is there: only by force, and only forwards
    let text = |result: Result<Header, SnapshotError>| result.unwrap_err().to_string();
    assert!(text(imported(&plain, data.path(), false, None).await).contains("already populated"));
    let same = text(imported(&plain, data.path(), true, None).await);
    assert_eq!(same, "The rollup node is already at level 44 but the snapshot is only for level 44.");
    let further = exported(store, UpTo::Head);
    imported(&further, data.path(), true, None).await.unwrap();
    assert_eq!(opened(store, data.path()).head().unwrap().unwrap().level, Level(46));

    // cut off at a level
    let cut = tempfile::tempdir().unwrap();
    assert!(
        text(imported(&further, cut.path(), false, Some(47)).await).contains("a snapshot for level 46 at level 47")
    );
    imported(&further, cut.path(), false, Some(20)).await.unwrap();
    let short = opened(store, cut.path());
    assert_eq!((short.head().unwrap().unwrap().level, short.finalized_level().unwrap()), (Level(20), Some(Level(20))));
    same_blocks(store, &short, genesis..=20);
    assert_eq!(short.block_of_level(Level(21)).unwrap(), None);

    for (level, problem) in [
        (UpTo::Level(Level(47)), "Requested level 47 is higher than the head level 46."),
        (UpTo::Level(Level(genesis - 1)), "is below the first available level"),
    ] {
        let refused = store.dump(level).err().unwrap().to_string();
        assert!(refused.contains(problem), "{refused}");
    }
}

#[tokio::test]
async fn of_other_rollups_and_modes() {
    let Some((node, _)) = tour() else { return };
    let store = &node.evaluator.store;
    let text = |result: Result<Header, SnapshotError>| result.unwrap_err().to_string();
    let bytes = exported(store, UpTo::Level(Level(12)));
    let (metadata, data) = (store.metadata(), tempfile::tempdir().unwrap());
    let other = SmartRollupAddress([7; 20]);
    drop(Store::open(data.path(), other, metadata.genesis_info, None).unwrap());
    let expected =
        format!("The existing rollup node is for {other}, but the snapshot is for rollup {}.", metadata.rollup_address);
    assert_eq!(text(imported(&bytes, data.path(), true, None).await), expected);

    let archive = tempfile::tempdir().unwrap();
    let mode = Some(HistoryMode::Archive);
    drop(Store::open(archive.path(), metadata.rollup_address, metadata.genesis_info, mode).unwrap());
    let refused = text(imported(&bytes, archive.path(), true, None).await);
    assert_eq!(refused, "Cannot import a full snapshot into an archive rollup node.");

    // an archive's in a full node is a full node's from then on
    let (full, as_archive) =
        (tempfile::tempdir().unwrap(), rewritten(&bytes, Some(HistoryMode::Archive), |_, _, _| true));
    drop(Store::open(full.path(), metadata.rollup_address, metadata.genesis_info, None).unwrap());
    imported(&as_archive, full.path(), true, None).await.unwrap();
    assert_eq!(opened(store, full.path()).metadata().history_mode, HistoryMode::Full);
    let fresh = tempfile::tempdir().unwrap();
    imported(&as_archive, fresh.path(), false, None).await.unwrap();
    assert_eq!(opened(store, fresh.path()).metadata().history_mode, HistoryMode::Archive);
}

/// Changes a record's value, or leaves the record out.
type Change<'a> = dyn FnMut(Kind, &[u8], &mut Vec<u8>) -> bool + 'a;

/// The snapshot with other records; `keep` may change a value, or leave the record out.
fn rewritten(
    bytes: &[u8],
    mode: Option<HistoryMode>,
    mut keep: impl FnMut(Kind, &[u8], &mut Vec<u8>) -> bool,
) -> Vec<u8> {
    let mut reader = reader(bytes);
    reader.expect_own().unwrap();
    let header = *reader.header();
    let history_mode = mode.unwrap_or(header.history_mode);
    let mut writer = SnapshotWriter::new(Vec::new(), &Header { history_mode, ..header }).unwrap();
    reader
        .records(|kind, key, value| {
            let mut value = value.to_vec();
            if kind == Kind::Metadata && mode.is_some() {
                value = String::from_utf8(value).unwrap().replace("\"full\"", "\"archive\"").into_bytes();
            }
            if keep(kind, key, &mut value) {
                writer.record(kind, key, &value).unwrap();
            }
            Ok(())
        })
        .unwrap();
    writer.finish().unwrap()
}

#[test]
fn what_was_damaged_on_the_way_is_refused() {
    let Some((node, _)) = tour() else { return };
    let bytes = exported(&node.evaluator.store, UpTo::Level(Level(7)));
    let step = bytes.len() / 40;
    for at in (0..bytes.len()).step_by(step).chain([57, 58, 73, bytes.len() - 1]) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x20;
        let refused = verified(&damaged);
        assert!(refused.is_err(), "a change at {at}");
        let cut = verified(&bytes[..at]).unwrap_err();
        assert!(matches!(cut, SnapshotError::Truncated), "cut at {at}: {cut}");
    }
    assert!(matches!(verified(&[&bytes[..], &[0]].concat()), Err(SnapshotError::Corrupted("bytes after its end"))));
    // the length of a record costs no memory
    let mut long = bytes[..74].to_vec();
    long.extend([Kind::Node as u8, 0, 0, 0, 32]);
    long.extend([0; 32]);
    for (length, expected) in [(u32::MAX, "corrupted"), (1 << 26, "truncated")] {
        let refused = verified(&[&long[..], &length.to_be_bytes(), &[0; 100]].concat()).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
    // a snapshot of the reference: the same header, then a tar archive
    let foreign = [&bytes[..58], b"metadata", &[0; 600]].concat();
    let refused = verified(&foreign).unwrap_err().to_string();
    assert!(refused.contains("not made by soru") && refused.contains("Irmin"), "{refused}");
}

/// A snapshot that is whole but tells something else than what happened.
#[test]
fn what_was_forged_is_refused() {
    let Some((node, _)) = tour() else { return };
    let bytes = exported(&node.evaluator.store, UpTo::Level(Level(16)));
    verified(&rewritten(&bytes, None, |_, _, _| true)).unwrap();
    let forged = |what: &str, expected: &str, change: &mut Change<'_>| {
        let refused = verified(&rewritten(&bytes, None, change)).err().unwrap_or_else(|| panic!("{what} is accepted"));
        assert!(refused.to_string().contains(expected), "{what}: {refused}");
    };
    for kind in
        [Kind::Metadata, Kind::Mark, Kind::Protocol, Kind::Messages, Kind::InboxCell, Kind::Commitment, Kind::Block]
    {
        let mut left = 1;
        forged(&format!("a {kind:?} left out"), "", &mut |of, _, _| {
            left -= i32::from(of == kind);
            of != kind || left < 0
        });
    }
    let mut count = 0;
    forged("a node left out", "missing", &mut |kind, _, _| {
        count += i32::from(kind == Kind::Node);
        kind != Kind::Node || count != 20
    });
    count = 0;
    forged("a node changed", "", &mut |kind, _, value| {
        count += i32::from(kind == Kind::Node);
        if kind == Kind::Node && count == 20 {
            let last = value.len() - 1;
            value[last] ^= 1;
        }
        true
    });
    let block = |what: &str, expected: &str, at: i32, change: &dyn Fn(&mut StoredBlock)| {
        forged(what, expected, &mut |kind, _, value| {
            if kind == Kind::Block {
                let mut block = StoredBlock::from_bytes(value).unwrap();
                if block.level == Level(at) {
                    change(&mut block);
                    *value = block.to_bytes();
                }
            }
            true
        });
    };
    block("a state", "Erroneous state hash", 15, &|block| block.state_hash.0[0] ^= 1);
    block("a state between commitments", "", 12, &|block| block.state_hash.0[0] ^= 1);
    block("ticks", "does not follow", 12, &|block| block.ticks.0 += 1);
    block("a predecessor", "does not follow", 12, &|block| block.predecessor.0[0] ^= 1);
    block("an inbox hash", "Erroneous inbox", 12, &|block| block.inbox_hash.0[0] ^= 1);
    block("a number of messages", "messages at level 12", 12, &|block| block.message_count += 1);
    block("a commitment denied", "", 15, &|block| block.commitment = None);
    block("a protocol", "the protocol of level 12", 12, &|block| block.protocol.0[0] ^= 1);
    // a block of the future, which the node would believe when layer 1 comes to it
    let mut later = node.evaluator.store.block_of_level(Level(17)).unwrap().unwrap();
    later.state_hash.0[0] ^= 1;
    let (mut writer, header) = (Vec::new(), *reader(&bytes).header());
    let mut added = SnapshotWriter::new(&mut writer, &header).unwrap();
    added.record(Kind::Block, &later.hash.0, &later.to_bytes()).unwrap();
    let mut whole = reader(&bytes);
    whole.expect_own().unwrap();
    whole
        .records(|kind, key, value| {
            added.record(kind, key, value).unwrap();
            Ok(())
        })
        .unwrap();
    added.finish().unwrap();
    assert!(verified(&writer).unwrap_err().to_string().contains("number of blocks"));
    forged("a message", "Erroneous messages", &mut |kind, _, value| {
        if kind == Kind::Messages && value.len() > 20 {
            let last = value.len() - 1;
            value[last] ^= 1;
        }
        true
    });
    forged("a commitment", "the hash of a commitment is wrong", &mut |kind, _, value| {
        if kind == Kind::Commitment {
            let commitment = Commitment::from_bytes(value).unwrap();
            *value = Commitment { number_of_ticks: soru_tezos::scalar::Ticks(7), ..commitment }.to_bytes();
        }
        true
    });
    forged("a rollup", "its content of", &mut |kind, _, value| {
        if kind == Kind::Metadata {
            let text = String::from_utf8(value.clone()).unwrap();
            let address = reader(&bytes).header().address.to_string();
            *value = text.replace(&address, &SmartRollupAddress([7; 20]).to_string()).into_bytes();
        }
        true
    });
}

/// A node that has collected exports what it has, and goes on collecting where it was imported.
#[tokio::test]
async fn after_a_collection() {
    let Some((node, _)) = tour() else { return };
    let store = &node.evaluator.store;
    let (_, cemented) = store.last_cemented().unwrap().unwrap();
    let (target, head) = (store.block_of_level(cemented).unwrap().unwrap(), store.head().unwrap().unwrap());
    store.begin_collection(&target, &head, Level(0)).unwrap().run(&AtomicBool::new(false)).unwrap();
    let bytes = exported(store, UpTo::Head);
    verified(&bytes).unwrap();
    let data = tempfile::tempdir().unwrap();
    imported(&bytes, data.path(), false, None).await.unwrap();
    let again = opened(store, data.path());
    assert_eq!(again.first_available_level(), cemented);
    assert_eq!(again.collected().unwrap().successful_target, Some(cemented));
    same_blocks(store, &again, cemented.0..=46);
    // nothing was taken along that nothing needs
    let again_head = again.head().unwrap().unwrap();
    let removed = again.begin_collection(&target, &again_head, Level(0)).unwrap().run(&AtomicBool::new(false)).unwrap();
    assert_eq!((removed.blocks, removed.nodes), (0, 0));
    again.begin(Flush::Now).unwrap().commit().unwrap();
}
