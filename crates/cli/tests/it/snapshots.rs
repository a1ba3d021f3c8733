//! Snapshots seen from outside (`spec/node.md` §13.1, T11): exported beside a node that runs, imported elsewhere, and refused
//! when they are not what they should be.

use crate::common::arena::Arena;
use crate::common::{ECHO, Ran, SORU, ask, eventually, run, run_fed};
use crate::outbox::{call, encoded};
use serde_json::{Value, json};
use soru_node::snapshot::{SnapshotReader, SnapshotWriter};
use soru_node::store::{Execution, Existing, Kind, OutboxRecord, StoredBlock};
use soru_tezos::codec::{Decode, Encode};
use soru_tezos::header::BlockRef;
use soru_tezos::scalar::Level;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

struct Scene {
    arena: Arena,
    full: usize,
    archive: usize,
    /// The level of an outbox whose first message was executed, and whose second cannot be.
    executed: Level,
}

impl Scene {
    /// Two nodes, one of which has collected and has executed an outbox message.
    fn new() -> Scene {
        let constants = json!({
            "smart_rollup_commitment_period_in_blocks": 3,
            "smart_rollup_challenge_window_in_blocks": 5,
        });
        let mut arena = Arena::new(ECHO, constants);
        let contract = arena.originate_contract();
        let full = arena.admit("b1", "operator", &["--gc-frequency", "1"]);
        let archive = arena.admit("b2", "observer", &["--history-mode", "archive"]);
        let config = json!({
            "smart-rollup-address": arena.address,
            "mode": "operator",
            "execute-outbox-messages-filter": [{"transaction": {"destination": [contract], "entrypoint": "any"}}],
        });
        let data = arena.layer1.dir().join("node0");
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("config.json"), config.to_string()).unwrap();
        arena.start(full);
        arena.start(archive);
        let message = |destination: &str| {
            let call = call(destination, "default", &json!({"string": "out"}));
            encoded(&json!({"transactions": [call], "kind": "untyped"}))
        };
        let executed = arena.post(&[message(&contract), message("KT1ThEdxfUcWUwqsdergy3QnbCWGHSUHeHJq")]);
        let mut scene = Scene { arena, full, archive, executed: Level(i32::try_from(executed).unwrap()) };
        scene.bake(1);
        while !scene.ask(full, "/local/gc_info")["last_successful_gc_target"].is_i64()
            || scene.arena.executions().is_empty()
        {
            scene.bake(1);
            assert!(scene.arena.layer1.level() < scene.arena.origination + 40);
        }
        scene
    }

    fn bake(&mut self, blocks: usize) {
        for _ in 0..blocks {
            self.arena.bake();
            std::thread::sleep(Duration::from_millis(40));
        }
    }

    fn ask(&self, node: usize, path: &str) -> Value {
        ask(&self.arena.players[node].address, "GET", path).unwrap_or_else(|| panic!("no answer to {path}"))
    }

    fn words<'a>(&'a self, words: &[&'a str]) -> Vec<&'a str> {
        [&["node", "-E", &self.arena.layer1.endpoint, "snapshot"], words].concat()
    }

    fn snapshot(&self, words: &[&str]) -> Ran {
        run(SORU, &self.arena.layer1.dir(), &self.words(words))
    }

    fn dir(&self) -> std::path::PathBuf {
        self.arena.layer1.dir().to_owned()
    }

    /// A further node on a directory that is there; it must agree with the archive node.
    fn starts_on(&mut self, data_dir: &str, options: &[&str]) {
        let node = self.arena.admit("b3", "observer", options);
        let words = &mut self.arena.players[node].words;
        let place = words.iter().position(|word| word == "--data-dir").unwrap();
        words[place + 1] = data_dir.to_owned();
        self.arena.start(node);
        self.bake(1);
        let (head, archive) = (self.arena.layer1.level(), self.archive);
        let first = self.ask(node, "/local/gc_info")["first_available_level"].as_i64().unwrap();
        for level in first..=head {
            let path = format!("/global/block/{level}?outbox=true");
            let here =
                eventually("the node comes to the head", || ask(&self.arena.players[node].address, "GET", &path));
            assert_eq!(here, self.ask(archive, &path), "level {level}");
        }
        self.arena.players.remove(node);
    }
}

/// A snapshot with other records.
fn rewritten(bytes: &[u8], mut change: impl FnMut(Kind, &mut Vec<u8>)) -> Vec<u8> {
    let mut reader = SnapshotReader::open(Cursor::new(bytes.to_vec())).unwrap();
    reader.expect_own().unwrap();
    let mut writer = SnapshotWriter::new(Vec::new(), &reader.header().clone()).unwrap();
    let copied = reader.records(|kind, key, value| {
        let mut value = value.to_vec();
        change(kind, &mut value);
        writer.record(kind, key, &value).unwrap();
        Ok(())
    });
    copied.unwrap();
    writer.finish().unwrap()
}

impl Scene {
    /// A compact snapshot, whole but for what it says of states: they are made of the messages, and must be those.
    fn forgeries_are_refused(&self, dir: &Path, name: &str) {
        let bytes = std::fs::read(dir.join(name)).unwrap();
        let commitments = |block: &StoredBlock| block.commitment.is_some();
        let mut blocks = vec![];
        rewritten(&bytes, |kind, value| {
            if kind == Kind::Block {
                blocks.push(StoredBlock::from_bytes(value).unwrap());
            }
        });
        let between = blocks.iter().rfind(|block| !commitments(block)).unwrap().level;
        let first = blocks[0].level;
        let forge = |level: Level, change: &dyn Fn(&mut StoredBlock)| {
            rewritten(&bytes, |kind, value| {
                if kind == Kind::Block {
                    let mut block = StoredBlock::from_bytes(value).unwrap();
                    if block.level == level {
                        change(&mut block);
                        *value = block.to_bytes();
                    }
                }
            })
        };
        let other_state = |block: &mut StoredBlock| block.state_hash.0[5] ^= 1;
        let mut nodes = 0;
        let other_node = rewritten(&bytes, |kind, value| {
            nodes += i32::from(kind == Kind::Node);
            if kind == Kind::Node && nodes == 2 {
                let last = value.len() - 1;
                value[last] ^= 1;
            }
        });
        let mut outboxes = 0;
        let other_outbox = rewritten(&bytes, |kind, value| {
            if kind == Kind::Outbox {
                outboxes += 1;
                let mut record = OutboxRecord::from_bytes(value).unwrap();
                record.messages.push(7);
                *value = record.to_bytes();
            }
        });
        assert!(outboxes > 0, "there are outbox messages");
        for (what, forged, sign) in [
            ("the state of a block", forge(between, &other_state), "Erroneous state hash"),
            ("the first state", forge(first, &other_state), ""),
            ("a node of the first state", other_node, ""),
            ("the messages of an outbox", other_outbox, "the messages of the outbox of level"),
        ] {
            std::fs::write(dir.join("forged"), forged).unwrap();
            let refused = self.snapshot(&["import", "forged", "--data-dir", "nothing"]);
            assert_eq!(refused.code, Some(1), "{what} is believed");
            let said = refused.fails_saying(&["corrupted", sign]);
            assert!(!files(&dir.join("nothing")).iter().any(|name| name.starts_with("store")), "{what}: {said}");
        }
        // what is said of executions is not believed: layer 1 knows
        let block = BlockRef { level: blocks[1].level, hash: blocks[1].hash };
        for (name, claimed) in [("of_all", &[0, 1][..]), ("of_none", &[])] {
            let forged = rewritten(&bytes, |kind, value| {
                if kind == Kind::Outbox {
                    let mut record = OutboxRecord::from_bytes(value).unwrap();
                    record.executed = claimed.iter().map(|index| Execution { index: *index, block }).collect();
                    *value = record.to_bytes();
                }
            });
            std::fs::write(dir.join("forged"), forged).unwrap();
            self.snapshot(&["import", "forged", "--data-dir", name]).ok();
            let store = Existing::open(&dir.join(name)).unwrap().unwrap().into_store(&dir.join(name)).unwrap();
            let record = store.outbox(self.executed).unwrap().unwrap();
            let executed: Vec<u32> = record.executed.iter().map(|execution| execution.index).collect();
            assert_eq!((record.messages, executed), (vec![0, 1], vec![0]), "{name}");
        }
    }

    /// From an address: as it is, cut off, and of something else.
    fn imports_over_http(&self, file: &Path) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let bytes = std::fs::read(file).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = String::new();
                let mut lines = BufReader::new(stream.try_clone().unwrap());
                lines.read_line(&mut request).unwrap();
                let (status, length, body) = match request.split(' ').nth(1).unwrap() {
                    "/snapshot" => ("200 OK", bytes.len(), &bytes[..]),
                    "/cut" => ("200 OK", bytes.len(), &bytes[..bytes.len() / 2]),
                    "/short" => ("200 OK", bytes.len() / 2, &bytes[..bytes.len() / 2]),
                    "/page" => ("200 OK", 1_000, &[b'<'; 1_000][..]),
                    "/moved" => ("302 Found\r\nlocation: /snapshot", 0, &[][..]),
                    _ => ("404 Not Found", 10, &b"no such file"[..10]),
                };
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                // who has read enough closes
                let _ = stream.write_all(&[head.as_bytes(), body].concat());
            }
        });
        let import = |path: &str| {
            self.snapshot(&["import", &format!("http://{address}/{path}"), "--data-dir", &format!("from_{path}")])
        };
        for path in ["snapshot", "moved"] {
            assert_eq!(import(path).ok(), "Snapshot successfully imported\n");
        }
        for (path, sign) in
            [("cut", "ended early"), ("short", "truncated"), ("page", "not a snapshot"), ("nothing", "answers 404")]
        {
            import(path).fails_saying(&[sign]);
            let left = self.dir().join(format!("from_{path}"));
            assert!(!left.exists() || !files(&left).iter().any(|name| name.starts_with("store")), "nothing is left");
        }
    }
}

fn files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

#[test]
fn exported_beside_a_running_node_and_imported() {
    let mut scene = Scene::new();
    let (full, archive, dir) = (scene.full, scene.archive, scene.dir());
    let address = scene.ask(full, "/global/smart_rollup_address").as_str().unwrap().to_owned();
    for (node, mode, options) in
        [(full, "full", &["--gc-frequency", "3"][..]), (archive, "archive", &["--history-mode", "archive"])]
    {
        let data = format!("node{node}");
        let exported = scene.snapshot(&["export", "--data-dir", &data, "--dest", "out"]).ok();
        let level = scene.arena.layer1.level() - 2;
        let name = format!("out/snapshot-{}-{level}.{mode}.soru", &address[..8]);
        assert_eq!(exported, format!("Snapshot exported to {name}\n"));
        let info = scene.snapshot(&["info", &name]).ok();
        let commitment = scene.ask(node, &format!("/global/block/{level}"));
        let commitment = [&commitment["commitment_hash"], &commitment["previous_commitment_hash"]];
        let commitment = commitment.iter().find_map(|hash| hash.as_str()).unwrap();
        let expected = format!(
            "Valid smart rollup node snapshot.\nFormat:          compressed\nHistory mode:    {mode}\nRollup address:  {address}\n\
             Head level:      {level}\nLast commitment: {commitment}\n"
        );
        assert_eq!(info, expected);
        // the node goes on
        scene.bake(5);
        let imported = scene.snapshot(&["import", &name, "--data-dir", mode]).ok();
        assert_eq!(imported, "Snapshot successfully imported\n");
        scene.starts_on(mode, options);
        let again = scene.snapshot(&["import", &name, "--data-dir", mode]);
        again.fails_saying(&["is already populated", "--force"]);
        let old = scene.snapshot(&["import", &name, "--data-dir", mode, "--force"]);
        old.fails_saying(&[
            "The rollup node is already at level",
            &format!("but the snapshot is only for level {level}."),
        ]);
    }
    assert_eq!(files(&dir.join("out")).len(), 2, "nothing else is left");
    // an archive in the place of a full node
    let name = format!("out/{}", files(&dir.join("out")).into_iter().find(|name| name.contains("archive")).unwrap());
    let at = scene.arena.layer1.level();
    scene.snapshot(&["export", "later", "--level", "head", "--data-dir", "node1", "--uncompressed"]).ok();
    assert!(scene.snapshot(&["info", "later"]).ok().contains(&format!(
        "uncompressed\nHistory mode:    archive\nRollup address:  {address}\nHead level:      {at}"
    )));
    // without the states, which are made again
    scene
        .snapshot(&["export", "compact", "--level", "head", "--data-dir", "node1", "--uncompressed", "--compact"])
        .ok();
    let size = |name: &str| std::fs::metadata(dir.join(name)).unwrap().len();
    assert!(size("compact") < size("later") / 2, "{} {}", size("compact"), size("later"));
    scene.bake(6);
    scene.snapshot(&["import", "compact", "--data-dir", "rebuilt"]).ok();
    scene.starts_on("rebuilt", &["--history-mode", "archive"]);
    // up to a level, of which the node goes on
    let level = (at - 4).to_string();
    scene.snapshot(&["import", "compact", "--data-dir", "rebuilt_in_part", "--level", &level]).ok();
    let head = scene.snapshot(&["export", "part", "--data-dir", "rebuilt_in_part", "--level", "head", "--no-check"]);
    head.ok();
    assert!(scene.snapshot(&["info", "part"]).ok().contains(&format!("Head level:      {level}\n")));
    scene.starts_on("rebuilt_in_part", &["--history-mode", "archive"]);
    scene.forgeries_are_refused(&dir, "compact");
    scene.imports_over_http(&dir.join("later"));
    scene.snapshot(&["import", "later", "--data-dir", "full", "--force"]).ok();
    scene.starts_on("full", &[]);
    scene.snapshot(&["import", &name, "--data-dir", "archive2", "--level", "8"]).ok();

    // from standard input; and of a node that does not run any more
    scene.arena.kill(full);
    scene.snapshot(&["export", "stopped", "--level", "cemented", "--data-dir", "node0"]).ok();
    let bytes = std::fs::read(dir.join("later")).unwrap();
    let uncut = scene.snapshot(&["import", "stopped", "--data-dir", "from_stopped"]);
    assert_eq!(uncut.ok(), "Snapshot successfully imported\n");
    let refused = run_fed(
        SORU,
        &dir,
        &scene.words(&["import", "-", "--data-dir", "from_stdin"]),
        "no snapshot at all, but long enough for a header: fifty-eight bytes",
    );
    refused.fails_saying(&["this is not a snapshot"]);

    // damaged, cut off, of the reference
    let middle = bytes.len() / 2;
    let mut damaged = bytes.clone();
    damaged[middle] ^= 1;
    let foreign = [&bytes[..58], b"metadata", &[0; 1000]].concat();
    for (name, bytes, sign) in [
        ("damaged", &damaged[..], "corrupted"),
        ("cut", &bytes[..middle], "truncated"),
        ("foreign", &foreign, "not made by soru"),
    ] {
        std::fs::write(dir.join(name), bytes).unwrap();
        scene.snapshot(&["import", name, "--data-dir", "nothing"]).fails_saying(&[sign]);
        assert!(!files(&dir.join("nothing")).iter().any(|name| name.starts_with("store")), "nothing was written");
    }
    scene
        .snapshot(&["export", "x", "--level", "1", "--data-dir", "node0"])
        .fails_saying(&["below the first available level"]);
    scene.snapshot(&["export", "x", "--data-dir", "nowhere"]).fails_saying(&["No rollup node metadata"]);
}
