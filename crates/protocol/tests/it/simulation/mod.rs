//! Histories of a rollup with one honest operator among adversaries, at the level of the rules: whatever they do, the honest
//! operator keeps its bond, what is cemented is true, and no mutez appears or vanishes (`spec/protocol.md` §4, §5).
//!
//! Most run a model of a machine, one in a hundred the real one. `SORU_SIMULATION_HISTORIES=1000` runs so many histories
//! instead of 100, `SORU_SIMULATION_SEED=n` the one of that seed.

mod machine;
mod players;
mod world;

use crate::common;
use imbl::OrdMap;
use machine::{Machine, Model, Steps};
use players::{Adversary, FINALITY, Honest, Strategy};
use soru_protocol::Protocol;
use soru_protocol::pvm::originate;
use soru_tezos::key::{PublicKeyHash, Scheme};
use soru_tezos::rollup::PvmKind;
use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::{Arc, Mutex};
use world::{World, constants};

/// Random numbers that depend on the seed alone (SplitMix64).
pub struct Random(u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

fn key(byte: u8) -> PublicKeyHash {
    PublicKeyHash { scheme: Scheme::Ed25519, hash: [byte; 20] }
}

/// What a history was like.
#[derive(Debug, Default)]
struct Told {
    blocks: u64,
    reorganisations: u64,
    games: usize,
    slashed: u64,
}

impl Told {
    fn add(&mut self, other: &Told) {
        self.blocks += other.blocks;
        self.reorganisations += other.reorganisations;
        self.games += other.games;
        self.slashed += other.slashed;
    }
}

/// Whether the history of a seed runs the real machine.
fn is_real(seed: u64) -> bool {
    seed % 100 == 42
}

/// A kernel that copies messages to its outbox.
fn kernel() -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recorded/s3_game_inbox_3_0_0");
    hex::decode(common::json(&folder.join("meta.json"))["kernels"]["echo"]["hex"].as_str().unwrap()).unwrap()
}

fn history(seed: u64) -> Told {
    let mut random = Random(seed);
    let real = is_real(seed);
    // blocks in which adversaries publish
    let attack = if real { 12 } else { 40 };
    let (period, window, timeout) =
        (2 + random.below(4) as i32, 12 + random.below(6) as i32, 30 + random.below(10) as i32);
    let sections = [32, 32, 16, 8][random.below(4) as usize];
    // ticks that fit in one snapshot, or periods of many snapshots whose dissections have to be aligned
    let (kind, unit) = match random.below(3) {
        0 => (PvmKind::Arith, 1 + random.below(20)),
        1 => (PvmKind::Wasm200, 1 + random.below(1_000)),
        _ => (PvmKind::Wasm200, 1_000_000_000_000 + random.below(1_000_000_000_000)),
    };
    let (machine, first) = if real {
        let pvm = originate(Protocol::Ushuaia, PvmKind::Wasm200, &kernel()).unwrap();
        ((PvmKind::Wasm200, Steps::Wasm), Machine::Wasm(Arc::new(pvm)))
    } else {
        ((kind, Steps::Model), Machine::Model(Model::new(unit)))
    };
    let honest_key = key(100 + random.below(100) as u8);
    let mut honest = Honest::new(honest_key, first.clone(), 40 + random.below(61));
    let mut adversaries: Vec<Adversary> = (0..if real { 2 } else { random.below(9) } as u8)
        .map(|number| Adversary::new(key(20 * (number + 1)), Strategy::ALL[random.below(8) as usize]))
        .filter(|adversary| adversary.key != honest_key)
        .collect();
    let mut balances = OrdMap::unit(honest_key, 15_000_000_000);
    for adversary in &adversaries {
        balances.insert(adversary.key, 5_000_000_000 + random.below(40_000_000_000));
    }
    let mut chain = vec![World::new(machine, first.hash(), constants(period, window, timeout, sections), balances)];
    let reorganises = random.percent(60);
    let mut told = Told::default();
    let end = attack + window + if real { 2 * timeout } else { 3 * timeout + 60 };
    let mut games = BTreeSet::new();
    while chain.last().unwrap().level < end {
        if reorganises && random.percent(4) {
            let depth = 1 + random.below(FINALITY as u64) as usize;
            chain.truncate(chain.len().saturating_sub(depth).max(1));
            told.reorganisations += 1;
        }
        let before = chain.last().unwrap();
        let publishing = before.level < attack;
        let mut acts = honest.acts(before, &mut random);
        for adversary in &mut adversaries {
            let theirs = adversary.acts(before, &honest, publishing, &mut random);
            if random.percent(50) {
                acts.splice(0..0, theirs);
            } else {
                acts.extend(theirs);
            }
        }
        let messages: Vec<Vec<u8>> = (0..random.below(4)).map(|_| random.next().to_be_bytes().to_vec()).collect();
        let wealth = honest.wealth(before);
        let mut next = before.clone();
        next.next_block(random.next(), &messages, acts);
        honest.check(&next, wealth);
        games.extend(next.rollup.games.iter().map(|(stakers, running)| (*stakers, running.game.start_level)));
        told.blocks += 1;
        chain.push(next);
        if chain.len() > FINALITY as usize + 1 {
            chain.remove(0);
        }
    }
    let last = chain.last().unwrap();
    let cemented = last.rollup.last_cemented().unwrap().1.inbox_level.0;
    assert!(cemented >= attack, "only level {cemented} is cemented at the end, level {end}");
    told.games = games.len();
    told.slashed = last.slashed();
    told
}

#[test]
fn the_honest_operator_always_wins() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds: Vec<u64> = match number("SORU_SIMULATION_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("SORU_SIMULATION_HISTORIES").unwrap_or(100)).collect(),
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (sum, failed) = (Mutex::new(Told::default()), Mutex::new(BTreeSet::new()));
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (seeds, sum, failed) = (&seeds, &sum, &failed);
            scope.spawn(move || {
                for seed in seeds.iter().skip(thread).step_by(threads) {
                    match catch_unwind(|| history(*seed)) {
                        Ok(told) => sum.lock().unwrap().add(&told),
                        Err(_) => {
                            failed.lock().unwrap().insert(*seed);
                        }
                    }
                }
            });
        }
    });
    if let Some(seed) = failed.lock().unwrap().first() {
        panic!(
            "history {seed} fails; see it alone with: SORU_SIMULATION_SEED={seed} cargo test -p soru-protocol --test it simulation"
        );
    }
    let sum = sum.into_inner().unwrap();
    println!("{} histories: {sum:?}", seeds.len());
    // the histories are about something
    assert!(seeds.len() < 50 || (sum.games > seeds.len() && sum.slashed > 0 && sum.reorganisations > 0));
}
