//! Snapshots seen from outside (`spec/node.md` §13.1, T11): exported beside a node that runs, imported elsewhere, and refused
//! when they are not what they should be.

use crate::common::arena::Arena;
use crate::common::{ECHO, Ran, SORU, ask, eventually, run, run_fed};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

struct Scene {
    arena: Arena,
    full: usize,
    archive: usize,
}

impl Scene {
    /// Two nodes, one of which has collected.
    fn new() -> Scene {
        let constants = json!({
            "smart_rollup_commitment_period_in_blocks": 3,
            "smart_rollup_challenge_window_in_blocks": 5,
        });
        let mut arena = Arena::new(ECHO, constants);
        let full = arena.admit("b1", "operator", &["--gc-frequency", "1"]);
        let archive = arena.admit("b2", "observer", &["--history-mode", "archive"]);
        arena.start(full);
        arena.start(archive);
        let mut scene = Scene { arena, full, archive };
        scene.bake(1);
        while !scene.ask(full, "/local/gc_info")["last_successful_gc_target"].is_i64() {
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
