//! Refutation games between rollup nodes on one layer 1, seen from outside (`spec/node.md` §13.2): whatever the losers
//! do, the honest node keeps its bond, and they lose theirs.
//!
//! They take minutes, so only the demo's game ([`crate::demo`]) is played in every run. All of them:
//! `SORU_GAMES=1 cargo test -p soru --test it games -- --test-threads 2`

use crate::common::manual::{ACCOUNTS, ManualLayer1};
use crate::common::{ECHO, PATIENCE, Program, SORU, ask, eventually, free_port, run, word_after};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Who sends messages and originates.
const AUTHOR: &str = "b5";
/// The bond, in mutez.
const BOND: &str = "10000000000";

/// Whether the slow games are to be played.
fn wanted() -> bool {
    let wanted = std::env::var_os("SORU_GAMES").is_some();
    if !wanted {
        println!("skipped: set SORU_GAMES=1 to play it");
    }
    wanted
}

/// A rollup node.
struct Player {
    /// Number of its account.
    account: usize,
    address: String,
    program: Option<Program>,
    /// Whether it is stopped in its tracks.
    paused: bool,
    /// How it is started.
    words: Vec<String>,
}

/// A layer 1 that makes blocks when told to, a rollup on it, and its nodes.
struct Arena {
    layer1: ManualLayer1,
    origination: i64,
    players: Vec<Player>,
}

impl Arena {
    /// `kernel`: text of the kernel; `constants`: besides the usual ones of these games.
    fn new(kernel: &str, constants: Value) -> Arena {
        let mut all = json!({
            "smart_rollup_commitment_period_in_blocks": 10,
            "smart_rollup_challenge_window_in_blocks": 10,
            "smart_rollup_timeout_period_in_blocks": 60,
        });
        all.as_object_mut().unwrap().extend(constants.as_object().unwrap().clone());
        let mut arena = Arena { layer1: ManualLayer1::new(&all), origination: 0, players: vec![] };
        std::fs::write(arena.layer1.dir().join("kernel.wasm"), wat::parse_str(kernel).unwrap()).unwrap();
        let words = ["originate", "smart", "rollup", "game", "from", AUTHOR, "of", "kind", "wasm_2_0_0"];
        let words = [&words[..], &["of", "type", "bytes", "with", "kernel", "kernel.wasm", "--burn-cap", "9"]].concat();
        let output = arena.layer1.while_baking(&words);
        let block = word_after(&output, "Operation found in block:");
        let header = arena.layer1.get(&format!("/chains/main/blocks/{block}/header/shell"));
        arena.origination = header["level"].as_i64().unwrap();
        arena
    }

    fn rollup(&self, rest: &str) -> Value {
        let rollup =
            self.layer1.get("/chains/main/blocks/head/context/smart_rollups/all")[0].as_str().unwrap().to_owned();
        self.layer1.get(&format!("/chains/main/blocks/head/context/smart_rollups/smart_rollup/{rollup}/{rest}"))
    }

    /// A level of the reference's scenarios, whose rollup is originated at level 2.
    fn shifted(&self, plan: &str) -> String {
        if plan.starts_with("reveal") {
            return plan.to_owned();
        }
        let words: Vec<&str> = plan.split_whitespace().collect();
        let shifted = words.chunks(3).map(|point| {
            let level = point[0].parse::<i64>().unwrap() - 2 + self.origination;
            format!("{level} {} {}", point[1], point[2])
        });
        shifted.collect::<Vec<_>>().join(" ")
    }

    /// Starts the node of an account; gives its index.
    fn enter(&mut self, account: usize, mode: &str, plan: Option<&str>) -> usize {
        let (alias, data, port) = (format!("b{}", account + 1), format!("node{account}"), free_port().to_string());
        let words =
            ["node", "-d", "w", "-E", &self.layer1.endpoint, "run", mode, "for", "game", "with", "operators", &alias];
        // the mempool of the layer 1 does not survive its restarts: what was in it is sent again soon
        let further = ["--reconnection-delay", "0.1", "--injection-ttl", "4", "--stop-with-stdin"];
        let words = [&words[..], &["--data-dir", &data, "--rpc-port", &port], &further].concat();
        let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        if let Some(plan) = plan {
            words.extend(["--loser-mode".to_owned(), self.shifted(plan)]);
        }
        let address = format!("http://127.0.0.1:{port}");
        self.players.push(Player { account, address, program: None, paused: false, words });
        let index = self.players.len() - 1;
        self.start(index);
        index
    }

    fn start(&mut self, index: usize) {
        let program = Program::start(SORU, &self.layer1.dir(), &self.players[index].words);
        program.says("node is listening to");
        self.players[index].program = Some(program);
    }

    /// Kills a node, as `kill -9` does.
    fn kill(&mut self, index: usize) {
        self.players[index].program.take();
    }

    /// Stops a node in its tracks, or lets it go on.
    fn pause(&mut self, index: usize, paused: bool) {
        let player = &mut self.players[index];
        player.program.as_ref().unwrap().signal(if paused { "STOP" } else { "CONT" });
        player.paused = paused;
    }

    /// Makes a block and waits until all nodes that run have processed it and had a moment to react.
    fn step(&mut self) -> i64 {
        self.layer1.bake();
        let (level, head) = (self.layer1.level(), self.layer1.get("/chains/main/blocks/head/hash"));
        for player in self.players.iter_mut().filter(|player| !player.paused) {
            let Some(program) = &mut player.program else { continue };
            let (begin, path) = (Instant::now(), format!("/global/block/{level}/hash"));
            while program.is_running() {
                if ask(&player.address, "GET", &path).is_some_and(|reached| reached == head) {
                    break;
                }
                assert!(begin.elapsed() < PATIENCE, "node {} does not reach {head}", player.account);
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        std::thread::sleep(Duration::from_millis(150));
        level
    }

    /// Makes blocks with five messages each.
    fn send(&mut self, levels: usize) {
        for level in 0..levels {
            let texts: Vec<String> = (0..5).map(|index| format!("\"{level} {index} +\"")).collect();
            let messages = format!("text:[{}]", texts.join(","));
            let words = ["-w", "none", "send", "smart", "rollup", "message", &messages, "from", AUTHOR];
            run(SORU, &self.layer1.dir(), &self.layer1.client(&words)).ok();
            self.step();
        }
    }

    fn bond(&self, account: usize) -> String {
        let address = ACCOUNTS[account].0;
        let bond = self.layer1.get(&format!("/chains/main/blocks/head/context/contracts/{address}/frozen_bonds"));
        bond.as_str().unwrap().to_owned()
    }

    fn games(&self, account: usize) -> Vec<Value> {
        let address = ACCOUNTS[account].0;
        match ask(&self.layer1.endpoint, "GET", &self.staker(address, "games")) {
            Some(games) => games.as_array().unwrap().clone(),
            None => vec![],
        }
    }

    fn staker(&self, address: &str, rest: &str) -> String {
        let rollup =
            self.layer1.get("/chains/main/blocks/head/context/smart_rollups/all")[0].as_str().unwrap().to_owned();
        format!("/chains/main/blocks/head/context/smart_rollups/smart_rollup/{rollup}/staker/{address}/{rest}")
    }

    /// Makes blocks until something holds.
    #[track_caller]
    fn until(&mut self, what: &str, limit: i64, mut holds: impl FnMut(&Arena) -> bool) {
        while !holds(self) {
            let level = self.step();
            assert!(level < self.origination + limit, "level {level} and still not: {what}");
        }
    }

    /// Makes blocks until these accounts have lost their bonds; they had them before.
    fn until_lost(&mut self, losers: &[usize], limit: i64) {
        let mut staked: Vec<usize> = vec![];
        self.until("the losers lose", limit, |arena| {
            staked.extend(losers.iter().filter(|loser| arena.bond(**loser) == BOND));
            losers.iter().all(|loser| staked.contains(loser) && arena.bond(*loser) == "0")
        });
    }

    /// What a node tells of its games.
    fn refutations(&self, index: usize) -> Value {
        eventually("the node answers", || ask(&self.players[index].address, "GET", "/local/refutations"))
    }

    /// The end of a loser's node.
    fn loses(&mut self, index: usize, reason: &str) {
        let program = self.players[index].program.take().unwrap();
        let (code, said) = program.ended();
        let expected = format!("The rollup node lost the refutation game ({reason})");
        assert!(said.contains(&expected), "{said}");
        assert_eq!(code, Some(1), "{said}");
    }
}

/// A game as the reference's scenarios describe them.
struct Scenario {
    name: &'static str,
    losers: &'static [&'static str],
    /// Levels with messages.
    inputs: usize,
    honest: &'static str,
    /// Whether losers are kept from moving until the honest node has started the game.
    honest_first: bool,
}

impl Scenario {
    const fn new(name: &'static str, losers: &'static [&'static str]) -> Scenario {
        Scenario { name, losers, inputs: 10, honest: "operator", honest_first: false }
    }

    fn play(self) {
        self.play_with(|_, _| ());
    }

    /// `disturb` is called at each level once the honest node has a game, with the number of such levels.
    fn play_with(self, mut disturb: impl FnMut(&mut Arena, i64)) {
        if !wanted() {
            return;
        }
        let begin = Instant::now();
        let mut arena = Arena::new(ECHO, json!({}));
        let honest = arena.enter(0, self.honest, None);
        let losers: Vec<usize> = (1..=self.losers.len()).collect();
        for (loser, plan) in losers.iter().zip(self.losers) {
            arena.enter(*loser, "operator", Some(plan));
        }
        arena.send(self.inputs);
        if self.honest_first {
            // everybody has published by then, and no game can have started yet
            let ready = arena.origination + 16;
            arena.until("all have published", 18, |arena| arena.layer1.level() >= ready);
            losers.iter().for_each(|loser| arena.pause(*loser, true));
            let wanted = losers.len();
            arena.until("the honest node starts", 40, |arena| arena.games(0).len() == wanted);
            losers.iter().for_each(|loser| arena.pause(*loser, false));
        }
        let (mut staked, mut played) = (vec![], 0);
        loop {
            staked.extend(losers.iter().copied().filter(|loser| arena.bond(*loser) == BOND));
            if losers.iter().all(|loser| staked.contains(loser) && arena.bond(*loser) == "0") {
                break;
            }
            if !arena.games(0).is_empty() {
                played += 1;
                disturb(&mut arena, played);
            }
            let level = arena.step();
            assert!(level < arena.origination + 200, "{}: level {level} and nobody lost", self.name);
        }
        let levels = arena.layer1.level() - arena.origination;
        for loser in &losers {
            if arena.players[*loser].program.is_some() {
                arena.loses(*loser, "conflict resolved");
            }
        }
        arena.step();
        assert_eq!(arena.bond(0), BOND, "{}: the honest bond", self.name);
        let games = arena.refutations(honest);
        let past = games["past"].as_array().unwrap();
        assert_eq!(past.len(), losers.len(), "{}: {games}", self.name);
        let mut moves = vec![];
        for game in past {
            let opponent = game["opponent"].as_str().unwrap();
            assert_eq!(game["result"]["player"], opponent, "{}: {game}", self.name);
            moves.push(game["moves"].as_array().unwrap().len());
        }
        assert_eq!(games["running"], json!([]), "{}", self.name);
        assert!(ask(&arena.players[honest].address, "GET", "/global/block/head/state_hash").is_some());
        println!("{}: {levels} levels, {moves:?} moves, {:?}", self.name, begin.elapsed());
    }
}

#[test]
fn inbox_proof_0() {
    Scenario::new("inbox_proof_0", &["3 0 0"]).play();
}

#[test]
fn inbox_proof_1() {
    Scenario::new("inbox_proof_1", &["3 4 0"]).play();
}

#[test]
fn pvm_proof_0() {
    Scenario::new("pvm_proof_0", &["5 7 11_000_000_001"]).play();
}

#[test]
fn pvm_proof_1() {
    Scenario { honest_first: true, ..Scenario::new("pvm_proof_1, honest first", &["7 7 11_000_001_000"]) }.play();
}

#[test]
fn pvm_proof_2() {
    Scenario::new("pvm_proof_2", &["7 7 22_000_002_000"]).play();
}

#[test]
fn pvm_proof_2_accuser() {
    Scenario { honest: "accuser", ..Scenario::new("pvm_proof_2, accuser", &["7 7 22_000_002_000"]) }.play();
}

#[test]
fn pvm_proof_3() {
    Scenario { honest: "maintenance", ..Scenario::new("pvm_proof_3, maintenance", &["7 7 22_010_000_000"]) }.play();
}

#[test]
fn pvm_proof_second_period() {
    Scenario { inputs: 16, ..Scenario::new("pvm_proof_second_period", &["15 7 11_000_001_000"]) }.play();
}

#[test]
fn parallel_games_0() {
    Scenario::new("parallel_games_0", &["4 0 0", "5 7 11_000_000_001"]).play();
}

#[test]
fn parallel_games_1() {
    Scenario::new("parallel_games_1", &["4 0 0", "7 7 22_000_002_000", "7 7 22_000_002_000"]).play();
}

#[test]
fn honest_node_killed_and_restarted() {
    Scenario::new("reset_honest_during_game", &["5 7 11_000_000_001"]).play_with(|arena, played| match played {
        3 => arena.kill(0),
        5 => arena.start(0),
        _ => {}
    });
}

/// Three times the layer 1 goes back by some blocks, with moves in them, and goes on otherwise.
#[test]
fn reorganisations_during_the_game() {
    let mut saved = None;
    let mut depths = vec![5, 3, 1];
    Scenario::new("reorganisations", &["5 7 11_000_000_001"]).play_with(move |arena, _| match (saved, depths.last()) {
        (None, Some(_)) => {
            arena.layer1.copy_chain("l1", "saved");
            saved = Some(arena.layer1.level());
        }
        (Some(level), Some(depth)) if arena.layer1.level() >= level + depth => {
            arena.layer1.copy_chain("saved", "l1");
            assert_eq!(arena.layer1.level(), level);
            // the next block must be another one than before
            let message = format!("text:[\"after {depth}\"]");
            let words = ["-w", "none", "send", "smart", "rollup", "message", &message, "from", AUTHOR];
            run(SORU, &arena.layer1.dir(), &arena.layer1.client(&words)).ok();
            depths.pop();
            saved = None;
        }
        _ => {}
    });
}

#[test]
fn a_loser_that_stops_is_timed_out() {
    if !wanted() {
        return;
    }
    let mut arena = Arena::new(ECHO, json!({"smart_rollup_timeout_period_in_blocks": 15}));
    arena.enter(0, "operator", None);
    let loser = arena.enter(1, "operator", Some("5 7 1"));
    arena.send(10);
    arena.until("a game", 60, |arena| !arena.games(0).is_empty());
    arena.step();
    arena.kill(loser);
    arena.until_lost(&[1], 120);
    arena.step();
    assert_eq!(arena.bond(0), BOND);
    let games = arena.refutations(0);
    assert_eq!(games["past"][0]["result"]["reason"], "timeout", "{games}");
    let moves = games["past"][0]["moves"].as_array().unwrap();
    assert_eq!(moves.last().unwrap()["step"], "timeout");
    // restarted, the loser learns that it lost
    arena.start(loser);
    arena.step();
    println!("timeout: {} moves", moves.len());
}

/// Tells the kernel the parameters of the data availability layer, which it stores.
const DAL_PARAMETERS: &str = r#"(module
  (import "smart_rollup_core" "reveal" (func $reveal (param i32 i32 i32 i32) (result i32)))
  (import "smart_rollup_core" "store_write" (func $store_write (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "mem") 1)
  (data (i32.const 0) "/dal")
  (data (i32.const 8) "\03")
  (func (export "kernel_run")
    (drop (call $store_write (i32.const 0) (i32.const 4) (i32.const 0) (i32.const 100)
      (call $reveal (i32.const 8) (i32.const 1) (i32.const 100) (i32.const 32))))))"#;

/// Reveals of the data availability layer's parameters answered from the first level on.
fn dal_parameters_revealed() -> Value {
    json!({"smart_rollup_reveal_activation_level": {
        "raw_data": {"Blake2B": 0}, "metadata": 0, "dal_page": 1, "dal_parameters": 1,
        "dal_attested_slots_validity_lag": 241_920
    }})
}

#[test]
fn invalid_dal_parameters() {
    if !wanted() {
        return;
    }
    let mut arena = Arena::new(DAL_PARAMETERS, dal_parameters_revealed());
    arena.enter(0, "operator", None);
    let loser = arena.enter(1, "operator", Some("reveal_dal_parameters 15 5 12_345 500"));
    arena.until_lost(&[1], 120);
    arena.loses(loser, "conflict resolved");
    arena.step();
    assert_eq!(arena.bond(0), BOND);
    let games = arena.refutations(0);
    let moves = games["past"][0]["moves"].as_array().unwrap();
    assert_eq!(moves.last().unwrap()["input_proof_kind"], "dal_parameters_proof", "{games}");
}

/// Without an honest staker nobody is right: the first proof shows that the other one is wrong.
#[test]
fn of_two_liars_the_first_to_prove_wins() {
    if !wanted() {
        return;
    }
    let mut arena = Arena::new(DAL_PARAMETERS, dal_parameters_revealed());
    let nodes = [("15 5 12_345 500", 1), ("1 1 1 1", 2)].map(|(wrong, account)| {
        let index = arena.enter(account, "operator", Some(&format!("reveal_dal_parameters {wrong}")));
        (account, index)
    });
    arena.until("both stake", 40, |arena| arena.bond(1) == BOND && arena.bond(2) == BOND);
    arena.until("one loses", 120, |arena| (arena.bond(1) == "0") != (arena.bond(2) == "0"));
    let (_, loser) = nodes.into_iter().find(|(account, _)| arena.bond(*account) == "0").unwrap();
    arena.loses(loser, "conflict resolved");
    assert_eq!(arena.rollup("stakers").as_array().unwrap().len(), 1);
}

#[test]
fn bailout_defends_its_commitment_and_leaves() {
    if !wanted() {
        return;
    }
    let mut arena = Arena::new(ECHO, json!({}));
    let honest = arena.enter(0, "operator", None);
    let loser = arena.enter(1, "operator", Some("7 7 22_000_002_000"));
    arena.send(10);
    arena.until("the honest node has published", 30, |arena| arena.bond(0) == BOND && arena.bond(1) == BOND);
    let operator = arena.players[honest].program.take().unwrap();
    assert_eq!(operator.stop(), Some(0));
    let words = &mut arena.players[honest].words;
    let mode = words.iter().position(|word| word == "operator").unwrap();
    words[mode] = "bailout".to_owned();
    arena.start(honest);
    arena.until_lost(&[1], 120);
    arena.loses(loser, "conflict resolved");
    // the commitment is cemented, then nothing is staked any more
    arena.until("the bond is recovered", 200, |arena| arena.bond(0) == "0");
    let (code, said) = arena.players[honest].program.take().unwrap().ended();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Exit bailout mode"), "{said}");
}

#[test]
fn bailout_without_stake_is_refused() {
    if !wanted() {
        return;
    }
    let arena = Arena::new(ECHO, json!({}));
    let words =
        ["node", "-d", "w", "-E", &arena.layer1.endpoint, "run", "bailout", "for", "game", "with", "operators", "b1"];
    let words = [&words[..], &["--data-dir", "bailout", "--rpc-port", "0"]].concat();
    run(SORU, &arena.layer1.dir(), &words).fails_saying(&["does not has any stake"]);
}
