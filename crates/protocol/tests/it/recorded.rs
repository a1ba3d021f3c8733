//! Whole chains of a real network, replayed: every inbox, and every receipt of a rollup operation, gas excepted.

use crate::common::{json_lines, recordings};
use crate::replay::{Chain, env, replay};
use serde_json::{Value, json};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::rollup::Game;
use std::collections::BTreeMap;

#[test]
fn inboxes_and_receipts() {
    let mut compared: BTreeMap<String, usize> = BTreeMap::new();
    let mut levels = 0;
    for folder in recordings() {
        let games = folder.join("games.jsonl.gz");
        let mut states: BTreeMap<i64, Value> = BTreeMap::new();
        if games.exists() {
            states = json_lines(&games).into_iter().map(|line| (line["level"].as_i64().unwrap(), line)).collect();
        }
        let chain = replay(&folder, |chain| {
            if let Some(state) = states.get(&i64::from(chain.inbox.level.0)) {
                compare_state(chain, state);
            }
        });
        levels += chain.levels;
        println!("{}: {} levels, {:?}", chain.name, chain.levels, chain.compared);
        for (key, count) in chain.compared {
            *compared.entry(key).or_default() += count;
        }
    }
    println!("{levels} levels, {compared:?}");
    assert!(levels > 100);
    assert!(compared.keys().any(|key| key == "smart_rollup_refute applied"), "{compared:?}");
}

/// The members of a recorded object; some recordings leave it out.
fn entries<'a>(recorded: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    recorded[name].as_object().into_iter().flatten()
}

/// What the RPCs answered about the only rollup of a chain with games, after a block.
fn compare_state(chain: &Chain, recorded: &Value) {
    let Some(rollup) = chain.rollups.values().next() else { return };
    let level = chain.inbox.level;
    // RPCs on a block answer with its own level.
    let env = env(&chain.parametric, level);
    let at = format!("{}: after level {level}", chain.name);
    let stored: Vec<Value> = rollup.staker_keys().into_iter().map(|key| json!(key)).collect();
    assert_eq!(json!(stored), recorded["stakers"], "{at}: stakers");
    let (hash, commitment) = rollup.last_cemented().unwrap();
    if !recorded["lcc"].is_null() {
        assert_eq!(json!({ "hash": hash, "level": commitment.inbox_level }), recorded["lcc"], "{at}: lcc");
    }
    for (key, bond) in entries(recorded, "frozen_bonds") {
        let key: PublicKeyHash = key.parse().unwrap();
        assert_eq!(json!(rollup.frozen_bond(&key)), *bond, "{at}: bond of {key}");
    }
    for (key, conflicts) in entries(recorded, "conflicts") {
        let key: PublicKeyHash = key.parse().unwrap();
        assert_eq!(json!(rollup.conflicts(&env, &key)), *conflicts, "{at}: conflicts of {key}");
    }
    if let Some(games) = recorded["games"].as_array() {
        let ours: Vec<&Game> = rollup.games.values().map(|running| &running.game).collect();
        let games: Vec<Value> = games.iter().map(|game| game["game"].clone()).collect();
        assert_eq!(json!(ours), json!(games), "{at}: games");
    }
    for (key, games) in entries(recorded, "games") {
        let key: PublicKeyHash = key.parse().unwrap();
        let ours: Vec<Value> = rollup
            .games_of(&key)
            .map(|(stakers, running)| json!({ "game": running.game, "alice": stakers.alice(), "bob": stakers.bob() }))
            .collect();
        assert_eq!(json!(ours), *games, "{at}: games of {key}");
    }
    for (key, commitment) in entries(recorded, "staked_on") {
        let key: PublicKeyHash = key.parse().unwrap();
        let ours = match rollup.staked_on(&key) {
            Ok(None) => Value::Null,
            Ok(Some(hash)) => {
                let mut object = json!(rollup.commitment(&hash).unwrap());
                object.as_object_mut().unwrap().insert("hash".to_owned(), json!(hash));
                object
            }
            Err(error) => json!(error.trace(soru_protocol::Protocol::Ushuaia)),
        };
        assert_eq!(ours, *commitment, "{at}: commitment of {key}");
    }
    if let Some(timeout) = recorded.get("timeout") {
        let ours = rollup.games.values().next().map(|running| running.timeout);
        assert_eq!(json!(ours), *timeout, "{at}: timeout");
    }
    let Some(recorded) = recorded["timeouts"].as_object() else { return };
    let timeouts: Vec<Value> = rollup
        .games
        .iter()
        .map(|(stakers, running)| {
            json!({ "timeout": running.timeout, "reached": rollup.timeout_result(&env, stakers).ok() })
        })
        .collect();
    let recorded: Vec<&Value> = recorded.values().filter(|t| !t["timeout"].is_null()).collect();
    assert_eq!(json!(timeouts), json!(recorded), "{at}: timeouts");
}
