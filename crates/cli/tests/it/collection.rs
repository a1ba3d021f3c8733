//! Garbage collection seen from outside (`spec/node.md` §13.1, T10): full nodes lose their past up to the last cemented
//! commitment, archive nodes lose nothing, and both stay of one mind.

use crate::common::arena::Arena;
use crate::common::{ECHO, ask, eventually};
use serde_json::{Value, json};
use std::time::Duration;

fn arena(window: i64, period: i64) -> Arena {
    Arena::new(
        ECHO,
        json!({
            "smart_rollup_commitment_period_in_blocks": period,
            "smart_rollup_challenge_window_in_blocks": window,
        }),
    )
}

/// Makes blocks. Nodes get a moment to publish and to cement.
fn bake(arena: &mut Arena, blocks: usize) {
    for _ in 0..blocks {
        arena.bake();
        std::thread::sleep(Duration::from_millis(40));
    }
}

fn info(arena: &Arena, node: usize) -> Value {
    ask(&arena.players[node].address, "GET", "/local/gc_info").unwrap()
}

fn level(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("{value}"))
}

/// Makes blocks until the node has collected `times` times. Gives the levels from which it then had blocks.
fn collects(arena: &mut Arena, node: usize, times: usize, limit: i64) -> Vec<i64> {
    let mut firsts = vec![];
    while firsts.len() < times {
        bake(arena, 1);
        assert!(arena.layer1.level() < arena.origination + limit, "collected only {firsts:?}");
        let info = info(arena, node);
        if info["last_successful_gc_target"].is_i64() && firsts.last() != Some(&level(&info["first_available_level"])) {
            firsts.push(level(&info["first_available_level"]));
        }
    }
    firsts
}

/// From its first level on the node tells what the archive node does, below it tells which level that is.
fn agree(arena: &Arena, node: usize, archive: usize) {
    let first = eventually("no collection runs", || {
        let info = info(arena, node);
        (info["last_successful_gc_target"] == info["first_available_level"])
            .then(|| level(&info["first_available_level"]))
    });
    for level in arena.origination..=arena.layer1.level() {
        let path = format!("/global/block/{level}?outbox=true");
        let known = ask(&arena.players[archive].address, "GET", &path);
        assert!(known.is_some(), "the archive node has level {level}");
        let here = ask(&arena.players[node].address, "GET", &path);
        assert_eq!(here, known.filter(|_| level >= first), "level {level} of a node that has {first} and later");
    }
}

#[test]
fn many_gc_and_no_gc() {
    let mut arena = arena(5, 2);
    let full = arena.admit("b1", "operator", &["--gc-frequency", "1"]);
    let archive = arena.admit("b2", "observer", &["--history-mode", "archive", "--gc-frequency", "1"]);
    arena.start(full);
    arena.start(archive);
    let firsts = collects(&mut arena, full, 4, 40);
    assert!(firsts.is_sorted() && firsts[0] > arena.origination, "{firsts:?}");
    agree(&arena, full, archive);
    assert_eq!(info(&arena, archive), json!({"first_available_level": arena.origination}));
    // killed and started again it has what it had
    arena.kill(full);
    arena.start(full);
    assert!(level(&info(&arena, full)["first_available_level"]) >= firsts[3]);
    collects(&mut arena, full, 2, 60);
    agree(&arena, full, archive);
}

#[test]
fn sparse_gc() {
    let mut arena = arena(10, 5);
    let full = arena.admit("b1", "operator", &["--gc-frequency", "10"]);
    let archive = arena.admit("b2", "observer", &["--history-mode", "archive"]);
    arena.start(full);
    arena.start(archive);
    let firsts = collects(&mut arena, full, 1, 50);
    assert_eq!(firsts, [arena.origination + 10], "two commitments are cemented when it is time");
    agree(&arena, full, archive);
}
