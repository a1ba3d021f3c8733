//! Refutation games between rollup nodes on one layer 1, seen from outside (`spec/node.md` §13.2): whatever the losers
//! do, the honest node keeps its bond, and they lose theirs.
//!
//! They take minutes, so only the demo's game ([`crate::demo`]) is played in every run. All of them:
//! `SORU_GAMES=1 cargo test -p soru --test it games -- --test-threads 2`

use crate::common::arena::{AUTHOR, Arena, BOND};
use crate::common::manual::ACCOUNTS;
use crate::common::{ECHO, SORU, ask, eventually, run};
use serde_json::{Value, json};
use soru_tezos::hash::RevealHash;
use std::time::Instant;

/// Whether the slow games are to be played.
fn wanted() -> bool {
    let wanted = std::env::var_os("SORU_GAMES").is_some();
    if !wanted {
        println!("skipped: set SORU_GAMES=1 to play it");
    }
    wanted
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
            if losers.iter().all(|loser| staked.contains(loser) && arena.is_beaten(*loser)) {
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
        // losers may beat each other before the honest node does
        let ends = arena.ends();
        let won = ends.iter().filter(|(winner, _)| winner == ACCOUNTS[0].0).count();
        for loser in &losers {
            assert!(ends.iter().any(|(_, lost)| lost == ACCOUNTS[*loser].0), "{}: {ends:?}", self.name);
        }
        let games = eventually("the honest node has noted how its games ended", || {
            Some(arena.refutations(honest)).filter(|games| games["past"].as_array().unwrap().len() == won)
        });
        let mut moves = vec![];
        for game in games["past"].as_array().unwrap() {
            let opponent = game["opponent"].as_str().unwrap();
            assert_eq!(game["result"]["player"], opponent, "{}: {game}", self.name);
            moves.push(game["moves"].as_array().unwrap().len());
        }
        // a game against one that lost its bond to another goes on until it is late
        for game in games["running"].as_array().unwrap() {
            assert_eq!(arena.bond_of(game["opponent"].as_str().unwrap()), "0", "{}: {game}", self.name);
        }
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

/// Only the kinds that a game needs.
#[test]
fn pvm_proof_2_custom() {
    let honest = "custom:publish,refute,timeout";
    Scenario { honest, ..Scenario::new("pvm_proof_2, custom", &["7 7 22_000_002_000"]) }.play();
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

/// Copies messages to its outbox; one of 33 bytes is the hash of a page, which it asks for.
const ASKS: &str = r#"(module
  (import "smart_rollup_core" "read_input" (func $read_input (param i32 i32 i32) (result i32)))
  (import "smart_rollup_core" "write_output" (func $write_output (param i32 i32) (result i32)))
  (import "smart_rollup_core" "reveal_preimage" (func $reveal (param i32 i32 i32 i32) (result i32)))
  (memory (export "mem") 1)
  (func (export "kernel_run") (local $n i32)
    (block $done
      (loop $next
        (local.set $n (call $read_input (i32.const 100) (i32.const 128) (i32.const 4096)))
        (br_if $done (i32.le_s (local.get $n) (i32.const 0)))
        (br_if $next (i32.ne (i32.load8_u (i32.const 128)) (i32.const 1)))
        (drop (call $write_output (i32.const 129) (i32.sub (local.get $n) (i32.const 1))))
        (if (i32.eq (local.get $n) (i32.const 34))
          (then (drop (call $reveal (i32.const 129) (i32.const 33) (i32.const 8192) (i32.const 4096)))))
        (br $next)))))"#;

/// Levels of the reference's scenarios at which a kernel asks for what nobody has: with commitments in conflict, and in the
/// middle of the game. No node processes a block from there on, and yet the game is played to its end.
#[test]
fn degraded_nodes_play_on() {
    if !wanted() {
        return;
    }
    for (name, bad_level) in [("degraded_new", 17), ("degraded_ongoing", 27)] {
        let mut arena = Arena::new(ASKS, json!({}));
        let honest = arena.enter(0, "operator", None);
        let loser = arena.enter(1, "operator", Some("7 7 22_000_002_000"));
        arena.send(10);
        let bad_level = bad_level - 2 + arena.origination;
        arena.until("the bad level is next", 40, |arena| arena.layer1.level() + 1 == bad_level);
        assert_eq!((arena.bond(0), arena.bond(1)), (BOND.to_owned(), BOND.to_owned()));
        assert_eq!(arena.games(0).is_empty(), name == "degraded_new");
        let page = b"a page that is not there yet";
        let hash = RevealHash::of_data(page).to_hex();
        let message = format!("hex:[\"{hash}\"]");
        let words = ["-w", "none", "send", "smart", "rollup", "message", &message, "from", AUTHOR];
        run(SORU, &arena.layer1.dir(), &arena.layer1.client(&words)).ok();
        arena.players.iter_mut().for_each(|player| player.awaited = false);
        arena.until_lost(&[1], 200);
        arena.loses(loser, "conflict resolved");
        arena.step();
        assert_eq!(arena.bond(0), BOND);
        let address = arena.players[honest].address.clone();
        let health = ask(&address, "GET", "/health").unwrap();
        assert_eq!(
            (&health["degraded"], health["stopped"].to_string().contains(&hash)),
            (&json!(true), true),
            "{health}"
        );
        assert_eq!(ask(&address, "GET", "/global/block/head/level").unwrap(), bad_level - 1);
        let games = eventually("the game is noted", || {
            Some(arena.refutations(honest)).filter(|games| games["running"] == json!([]))
        });
        assert_eq!(games["past"][0]["result"]["reason"], "conflict_resolved", "{games}");

        // the page appears, and the node catches up
        let pages = arena.layer1.dir().join(format!("node{honest}/wasm_2_0_0"));
        std::fs::create_dir_all(&pages).unwrap();
        std::fs::write(pages.join(&hash), page).unwrap();
        arena.players[honest].awaited = true;
        let level = arena.step();
        println!("{name}: {} levels", level - arena.origination);
    }
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
    arena.until("one loses", 120, |arena| !arena.ends().is_empty());
    let ends = arena.ends();
    let [(_, lost)] = &ends[..] else { panic!("{ends:?}") };
    let (_, loser) = nodes.into_iter().find(|(account, _)| ACCOUNTS[*account].0 == lost).unwrap();
    arena.loses(loser, "conflict resolved");
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
    let mut arena = Arena::new(ECHO, json!({}));
    let bailing = arena.admit("b1", "bailout", &[]);
    arena.run(bailing).fails_saying(&["does not has any stake"]);
}
