//! A node that is killed again and again, seen from outside (`spec/node.md` §5, §13.2): with `kill -9` at random moments of a
//! run with messages, commitments, cementing and games. What it knows in the end is what a node knows that was never
//! killed, its bond stands, and nothing was done twice.
//!
//! A few kills in every run; a hundred with
//! `SORU_CRASHES=100 cargo test -p soru --test it crashes -- --nocapture` (minutes). The seed is printed first, and
//! `SORU_CRASH_SEED` takes it; `SORU_CRASH_WINDOW` sets the blocks of the challenge window.

use crate::common::arena::{AUTHOR, Arena, BOND};
use crate::common::manual::ACCOUNTS;
use crate::common::{ECHO, PATIENCE, Program, SORU, ask, eventually, run, send, word_after};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, SystemTime};

const KILLS: u64 = 6;
/// Losers that stake at the same time.
const AT_ONCE: usize = 2;
/// Blocks after the last kill within which everything is to be settled.
const SETTLED_WITHIN: i64 = 150;

/// Random numbers (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn milliseconds(&mut self, bound: u64) -> Duration {
        Duration::from_micros(self.below(bound * 1000))
    }
}

/// A node whose states are wrong from some level on.
struct Loser {
    node: usize,
    address: String,
    staked: bool,
    lost: bool,
}

struct Crashes {
    arena: Arena,
    random: Random,
    /// The node that is killed.
    operator: usize,
    /// The node that is not. It sends messages too.
    witness: usize,
    losers: Vec<Loser>,
    /// Messages that a batcher took, and all others.
    promised: BTreeSet<String>,
    tried: BTreeSet<String>,
    /// What the operator printed, life by life.
    said: Vec<String>,
}

impl Crashes {
    /// `window`: blocks in which the operator must have published against a loser. If it is dead for too long, the protocol
    /// takes its commitment no more (`commitment_past_curfew`), and once the losers are gone nothing is ever cemented again.
    fn new(seed: u64, window: i64) -> Crashes {
        let constants = json!({
            "smart_rollup_commitment_period_in_blocks": 3,
            "smart_rollup_challenge_window_in_blocks": window,
            "smart_rollup_timeout_period_in_blocks": 150,
        });
        let mut arena = Arena::new(ECHO, constants);
        // it keeps everything, to be checked in the end; the witness collects what is cemented
        let operator = arena.admit("b1", "operator", &["--history-mode", "archive"]);
        let witness = arena.admit(&format!("batching:{AUTHOR}"), "batcher", &[]);
        // a step does not wait for a node that may be dead
        arena.players[operator].awaited = false;
        arena.start(witness);
        Crashes {
            arena,
            random: Random(seed),
            operator,
            witness,
            losers: vec![],
            promised: BTreeSet::new(),
            tried: BTreeSet::new(),
            said: vec![],
        }
    }

    /// Funds a new account and starts a node of it that is wrong about a level soon to come.
    fn admit_loser(&mut self) {
        let alias = format!("loser{}", self.losers.len());
        let (dir, layer1) = (self.arena.layer1.dir(), &self.arena.layer1);
        run(SORU, &dir, &layer1.client(&["gen", "keys", &alias])).ok();
        let shown = run(SORU, &dir, &layer1.client(&["show", "address", &alias])).ok();
        let address = word_after(&shown, "Hash:").to_owned();
        let transfer = ["-w", "none", "transfer", "10100", "from", "b4", "to", &alias, "--burn-cap", "1"];
        run(SORU, &dir, &layer1.client(&transfer)).ok();
        let level = self.bake();
        let (wrong, input) = (level + 1 + self.random.below(4) as i64, self.random.below(3));
        let plan = format!("{wrong} {input} 0");
        // cementing is left to the node that is killed
        let node = self.arena.admit(&alias, "custom:publish,refute,timeout", &["--loser-mode", &plan]);
        self.arena.start(node);
        self.losers.push(Loser { node, address, staked: false, lost: false });
    }

    /// Makes a block, with messages, and waits for the nodes that are not killed.
    fn bake(&mut self) -> i64 {
        let count = 1 + self.random.below(3);
        let texts: Vec<String> =
            (0..count).map(|index| format!("{} of {count}", self.tried.len() as u64 + index)).collect();
        let taken = self.give(self.witness, &texts);
        assert!(taken, "the witness takes messages");
        let level = self.arena.bake();
        self.look_at_losers();
        level
    }

    /// Gives messages to the batcher of a node, each with a text of its own. Tells whether it took them.
    fn give(&mut self, node: usize, texts: &[String]) -> bool {
        self.tried.extend(texts.iter().cloned());
        let body: Vec<String> = texts.iter().map(hex::encode).collect();
        let address = &self.arena.players[node].address;
        let taken = send(address, "POST", "/local/batcher/injection", &json!(body).to_string()).is_some();
        if taken {
            self.promised.extend(texts.iter().cloned());
        }
        taken
    }

    fn look_at_losers(&mut self) {
        for index in 0..self.losers.len() {
            let Loser { node, address, staked, lost } = &self.losers[index];
            if *lost {
                continue;
            }
            let (node, bond) = (*node, self.arena.bond_of(address));
            if !staked {
                self.losers[index].staked = bond == BOND;
            // one that published in the very block in which it lost has a bond again
            } else if bond == "0" || self.arena.players[node].has_ended() {
                self.arena.loses(node, "conflict resolved");
                self.losers[index].lost = true;
            }
        }
    }

    fn at_large(&self) -> usize {
        self.losers.iter().filter(|loser| !loser.lost).count()
    }

    /// One life of the operator, over some blocks or none.
    fn live_and_die(&mut self) {
        self.arena.launch(self.operator);
        for _ in 0..self.random.below(4) {
            let level = self.bake();
            let head = self.arena.layer1.get("/chains/main/blocks/head/hash");
            if self.random.below(4) > 0 {
                // a whole block, and a moment to react
                let begin = Instant::now();
                while !self.arena.players[self.operator].has_processed(level, &head) && begin.elapsed() < PATIENCE {
                    self.assert_alive();
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
            if self.random.below(2) == 0 {
                let text = format!("{} for the operator", self.tried.len());
                self.give(self.operator, &[text]);
            }
            std::thread::sleep(self.random.milliseconds(250));
        }
        std::thread::sleep(self.random.milliseconds(300));
        self.assert_alive();
        let program = self.arena.players[self.operator].program.take().unwrap();
        self.said.push(program.killed());
    }

    /// Nothing but us ends the operator.
    fn assert_alive(&mut self) {
        let program = &mut self.arena.players[self.operator].program;
        if !program.as_mut().unwrap().is_running() {
            let (code, said) = program.take().unwrap().ended();
            panic!("the operator ended by itself, with {code:?}:\n{said}");
        }
    }

    fn get(&self, node: usize, path: &str) -> Value {
        ask(&self.arena.players[node].address, "GET", path).unwrap_or_else(|| panic!("no answer to {path}"))
    }

    /// The operator and the witness tell the same of everything that all nodes agree on, and that the witness still has.
    /// Gives the operator's commitments.
    fn compare_nodes(&self, last: i64) -> Vec<Value> {
        let mut commitments = vec![];
        let first_of_both = self.get(self.witness, "/local/gc_info")["first_available_level"].as_i64().unwrap();
        assert!(first_of_both < last);
        for level in self.arena.origination..=last {
            let path = format!("/global/block/{level}?outbox=true");
            let ours = self.get(self.operator, &path);
            if level >= first_of_both {
                assert_eq!(ours, self.get(self.witness, &path), "level {level}");
            }
            if let Some(hash) = ours["commitment_hash"].as_str() {
                let path = format!("/local/commitments/{hash}");
                let ours = self.get(self.operator, &path);
                if level >= first_of_both {
                    let theirs = self.get(self.witness, &path);
                    for name in ["commitment", "hash", "first_published_at_level"] {
                        assert_eq!(ours[name], theirs[name], "{name} of {hash}");
                    }
                }
                commitments.push(ours);
            }
        }
        for name in ["last_stored_commitment", "last_cemented_commitment"] {
            let path = format!("/global/{name}");
            assert_eq!(self.get(self.operator, &path), self.get(self.witness, &path), "{name}");
        }
        commitments
    }

    /// Everything that an account did on layer 1: level, kind, content with its receipt.
    fn operations_of(&self, source: &str) -> Vec<(i64, String, Value)> {
        let mut found = vec![];
        for level in self.arena.origination..=self.arena.layer1.level() {
            let own = self.arena.layer1.contents(level).into_iter().filter(|content| content["source"] == source);
            found.extend(own.map(|content| (level, content["kind"].as_str().unwrap().to_owned(), content)));
        }
        found
    }

    /// Whether an operation failed only because of what others did between its simulation and its block: they started the
    /// same game, or what they published or won made it dearer.
    fn came_late(&self, level: i64, content: &Value) -> bool {
        let id = content["metadata"]["operation_result"]["errors"][0]["id"].as_str().unwrap_or_default();
        let started = content["refutation"]["refutation_kind"] == "start" && id.ends_with("game_already_started");
        let rival = |other: &Value| {
            let kind = other["kind"].as_str().unwrap_or_default();
            other["source"] != content["source"] && ["smart_rollup_publish", "smart_rollup_refute"].contains(&kind)
        };
        let mut meanwhile = (level - 4..=level).flat_map(|level| self.arena.layer1.contents(level));
        started || id.ends_with("gas_exhausted.operation") && meanwhile.any(|other| rival(&other))
    }

    /// What the operator did, it did once and with success. Gives how many operations of each kind.
    fn check_layer1(&self, commitments: &[Value]) -> BTreeMap<String, usize> {
        let (mut kinds, mut published, mut bonds) = (BTreeMap::new(), BTreeMap::new(), 0);
        let mut moves = BTreeSet::new();
        for (level, kind, content) in self.operations_of(ACCOUNTS[0].0) {
            let result = &content["metadata"]["operation_result"];
            if result["status"] != "applied" {
                // something else in the batch failed, and it is tried again
                let other = result["status"] == "backtracked" || result["status"] == "skipped";
                assert!(other || self.came_late(level, &content), "at level {level}: {content}");
                continue;
            }
            *kinds.entry(kind.clone()).or_default() += 1;
            match kind.as_str() {
                "smart_rollup_publish" => {
                    let hash = result["staked_hash"].as_str().unwrap().to_owned();
                    let final_at = content["commitment"]["inbox_level"].as_i64().unwrap() + 2;
                    assert!(level > final_at, "{hash} is published before its level is final");
                    assert_eq!(published.insert(hash.clone(), level), None, "{hash} is published twice");
                    bonds += usize::from(result["balance_updates"] != json!([]));
                }
                "smart_rollup_refute" => {
                    let said = (content["opponent"].to_string(), content["refutation"].to_string());
                    assert!(moves.insert(said), "moved twice: {content}");
                }
                _ => {}
            }
        }
        for commitment in commitments {
            let hash = commitment["hash"].as_str().unwrap();
            assert_eq!(commitment["published_at_level"].as_i64(), published.get(hash).copied(), "{hash}");
        }
        assert_eq!(bonds, 1, "staked once");
        kinds
    }
}

impl Drop for Crashes {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.said.extend(self.arena.players[self.operator].program.take().map(Program::killed));
            for (life, said) in self.said.iter().enumerate() {
                println!("--- life {life}\n{said}");
            }
        }
    }
}

#[test]
fn killed_again_and_again() {
    let kills = std::env::var("SORU_CRASHES").map_or(KILLS, |kills| kills.parse().unwrap());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
    let seed = std::env::var("SORU_CRASH_SEED").map_or(now, |seed| seed.parse().unwrap());
    println!("SORU_CRASHES={kills} SORU_CRASH_SEED={seed}");
    let begin = Instant::now();
    let usual = if kills > KILLS { 40 } else { 8 };
    let window = std::env::var("SORU_CRASH_WINDOW").map_or(usual, |window| window.parse().unwrap());
    let mut test = Crashes::new(seed, window);
    for kill in 0..kills {
        if test.at_large() < AT_ONCE && (kill == 0 || test.random.below(4) == 0) {
            test.admit_loser();
        }
        test.live_and_die();
    }
    let killed_until = test.arena.layer1.level();

    // left alone, it settles everything
    test.arena.start(test.operator);
    test.arena.players[test.operator].awaited = true;
    loop {
        let level = test.bake();
        std::thread::sleep(Duration::from_millis(100));
        let cemented = test.arena.rollup("last_cemented_commitment_hash_with_level")["level"].as_i64().unwrap();
        if test.at_large() == 0 && cemented > killed_until {
            break;
        }
        let late = level > killed_until + SETTLED_WITHIN;
        assert!(!late, "level {level}, cemented {cemented}, and {} losers at large", test.at_large());
    }
    let last = test.arena.layer1.level();

    let commitments = test.compare_nodes(last);
    let cemented = test.arena.rollup("last_cemented_commitment_hash_with_level");
    let known = test.get(test.operator, "/global/last_cemented_commitment");
    assert_eq!((&cemented["hash"], &cemented["level"]), (&known["commitment_hash"], &known["level"]));
    let kinds = test.check_layer1(&commitments);
    let publications = commitments.iter().filter(|c| !c["published_at_level"].is_null()).count();
    assert!(publications > 3 && kinds["smart_rollup_publish"] == publications, "{kinds:?}, {publications}");
    assert_eq!(test.arena.bond(0), BOND, "the operator's bond");
    assert!(test.arena.rollup("stakers").as_array().unwrap().contains(&json!(ACCOUNTS[0].0)));
    assert!(test.losers.iter().all(|loser| loser.staked && loser.lost));

    let games = test.get(test.operator, "/local/refutations");
    // a game against one that lost its bond to another goes on until it is late
    let running = |games: &Value| games.as_array().unwrap().len();
    assert_eq!(running(&games["running"]), test.arena.games(0).len());
    for game in games["past"].as_array().unwrap() {
        // the end of a game is not seen by a node that is dead
        assert!(game["result"].is_null() || game["result"]["player"] == game["opponent"], "{game}");
    }
    let included = eventually("all messages are included", || {
        let (included, _) = test.arena.layer1.included();
        if test.promised.iter().all(|text| included.contains_key(text)) {
            return Some(included);
        }
        test.arena.step();
        None
    });
    for (text, times) in &included {
        assert!(test.tried.contains(text) && *times == 1, "'{text}' is included {times} times");
    }
    println!(
        "{kills} kills in {:?}, {} levels, {} losers, {} games, {} of {} messages, {kinds:?}",
        begin.elapsed(),
        last - test.arena.origination,
        test.losers.len(),
        games["past"].as_array().unwrap().len(),
        included.len(),
        test.tried.len(),
    );
}
