//! A whole game over a `kernel_run` of ten million ticks against a liar who tells the truth up to a tick in the middle of
//! it: what it costs the honest node.
//!
//! `SORU_LONG=1 cargo test -p soru-node --test it long_game -- --nocapture`

use crate::recorded_games::{Evaluated, RULE, any_game, evaluate};
use crate::support::recording::{Chain, folder};
use num_bigint::BigUint;
use num_traits::One;
use soru_node::config::LoserMode;
use soru_node::refutation::{PeriodStates, next_move};
use soru_protocol::game::{check_dissection, honest_ticks};
use soru_pvm::tick_state::TickState;
use soru_tezos::hash::StateHash;
use soru_tezos::number::N;
use soru_tezos::rollup::{DissectionChunk, Game, GameState, Refutation, Step};
use soru_tezos::scalar::Level;
use std::time::{Duration, Instant};

/// Counts to `limit` in every run.
fn kernel(limit: u32) -> Vec<u8> {
    let text = format!(
        r#"(module
          (memory (export "mem") 1)
          (func (export "kernel_run") (local $i i32)
            (loop $again
              (local.set $i (i32.add (local.get $i) (i32.const 1)))
              (i32.store (i32.and (local.get $i) (i32.const 0xfffc)) (local.get $i))
              (br_if $again (i32.lt_u (local.get $i) (i32.const {limit}))))))"#
    );
    wat::parse_str(text).unwrap()
}

/// A player who knows the truth up to a tick and invents everything after it.
struct Liar<'a> {
    states: &'a mut PeriodStates,
    last_truth: N,
}

impl Liar<'_> {
    fn claim(&mut self, tick: &N) -> Option<StateHash> {
        if *tick <= self.last_truth {
            return self.states.hash_at(tick).unwrap();
        }
        let mut hash = [0xee; 32];
        let digits = tick.0.to_bytes_be();
        hash[..digits.len()].copy_from_slice(&digits);
        self.states.hash_at(tick).unwrap().map(|_| StateHash(hash))
    }

    /// Cuts the first section it disagrees on; nothing when that is a single tick.
    fn cut(&mut self, dissection: &[DissectionChunk]) -> (N, Vec<DissectionChunk>) {
        let at = (1..dissection.len()).find(|at| self.claim(&dissection[*at].tick) != dissection[*at].state_hash);
        let (start, stop) = (&dissection[at.unwrap() - 1], &dissection[at.unwrap()].tick);
        let mut chunks = vec![start.clone()];
        for tick in honest_ticks(RULE, 32, &start.tick, stop).into_iter().chain([stop.clone()]) {
            chunks.push(DissectionChunk { state_hash: self.claim(&tick), tick });
        }
        (start.tick.clone(), chunks)
    }
}

/// Plays the game; gives the moves of the honest player and their times.
fn play(node: &Evaluated, game: &Game, level: Level, truth: u64) -> Vec<Duration> {
    let store = &node.evaluator.store;
    let hash = store.block_of_level(level).unwrap().unwrap().commitment.unwrap();
    let commitment = store.commitment(&hash).unwrap().unwrap();
    let mut honest = PeriodStates::new(node.evaluator.clone(), commitment).unwrap();
    let mut liars_states = PeriodStates::new(node.evaluator.clone(), commitment).unwrap();
    let mut liar = Liar { states: &mut liars_states, last_truth: N::from(truth) };
    let last = N::from(u64::try_from(commitment.number_of_ticks.0).unwrap());
    let after = N(&last.0 + 1u8);
    let start = honest.hash_at(&N::from(0)).unwrap();
    let mut dissection = vec![
        DissectionChunk { state_hash: start, tick: N::from(0) },
        DissectionChunk { state_hash: liar.claim(&last), tick: last },
        DissectionChunk { state_hash: None, tick: after },
    ];
    let mut times = vec![];
    loop {
        let state = GameState::Dissecting { dissection: dissection.clone(), default_number_of_sections: 32 };
        let game = Game { game_state: state, inbox_level: level, ..game.clone() };
        let begin = Instant::now();
        let made = next_move(&game, &mut honest, RULE, &node.inputs).unwrap();
        times.push(begin.elapsed());
        let Refutation::Move { choice, step } = made else { panic!("a start") };
        let chunks = match step {
            Step::Proof(_) => {
                assert_eq!(choice, N::from(truth), "the tick of disagreement");
                return times;
            }
            Step::Dissection(chunks) => chunks,
        };
        let at = dissection.iter().position(|chunk| chunk.tick == choice).unwrap();
        check_dissection(RULE, 32, &dissection[at], &dissection[at + 1], &chunks).unwrap();
        let (choice, cut) = liar.cut(&chunks);
        if cut.len() == 2 && &cut[1].tick.0 - &cut[0].tick.0 == BigUint::one() {
            // the liar has to prove now, and cannot: the honest player has the last word
            let begin = Instant::now();
            let at = chunks.iter().position(|chunk| chunk.tick == choice).unwrap();
            let state = GameState::FinalMove {
                agreed_start_chunk: chunks[at].clone(),
                refuted_stop_chunk: chunks[at + 1].clone(),
            };
            let game = Game { game_state: state, ..game };
            let made = next_move(&game, &mut honest, RULE, &node.inputs).unwrap();
            times.push(begin.elapsed());
            assert!(matches!(made, Refutation::Move { step: Step::Proof(_), choice } if choice == N::from(truth)));
            return times;
        }
        let at = chunks.iter().position(|chunk| chunk.tick == choice).unwrap();
        check_dissection(RULE, 32, &chunks[at], &chunks[at + 1], &cut).unwrap();
        dissection = cut;
    }
}

/// Plays a game inside the first `kernel_run` of the fourth level of the period.
fn game_in_a_run(limit: u32) -> (u64, Vec<Duration>) {
    let Some(folder) = folder("s3_game_inbox_3_0_0") else { return (0, vec![]) };
    let chain = Chain::load(&folder);
    let node = evaluate(&chain, LoserMode::default(), 12, Some(kernel(limit)));
    let game: Game = any_game(&folder);
    // where the run ends, so that the lie can be put into its middle
    let store = &node.evaluator.store;
    let hash = store.block_of_level(Level(12)).unwrap().unwrap().commitment.unwrap();
    let commitment = store.commitment(&hash).unwrap().unwrap();
    let mut states = PeriodStates::new(node.evaluator.clone(), commitment).unwrap();
    let cycle = 50_000_000_000_000;
    let run_start = 3 * 2 * cycle + cycle;
    let (mut inside, mut outside) = (run_start, run_start + cycle - 1);
    while outside - inside > 1 {
        let middle = inside + (outside - inside) / 2;
        let machine = states.machine_at(&N::from(middle)).unwrap().unwrap();
        match machine.state().tick_state {
            TickState::Padding => outside = middle,
            _ => inside = middle,
        }
    }
    let length = outside - run_start;
    (length, play(&node, &game, Level(12), run_start + length * 7 / 10))
}

#[test]
fn a_game_inside_a_run() {
    let (ticks, times) = game_in_a_run(200);
    println!("{ticks} ticks: {} moves, {times:?}", times.len());
}

#[test]
fn a_game_over_ten_million_ticks() {
    if std::env::var_os("SORU_LONG").is_none() {
        println!("skipped: set SORU_LONG=1 to play it");
        return;
    }
    let (ticks, times) = game_in_a_run(120_000);
    let total: Duration = times.iter().sum();
    println!("{ticks} ticks: {} moves, {total:?} in all, {times:?}", times.len());
    assert!(ticks >= 10_000_000, "{ticks}");
    assert!(total < Duration::from_secs(10), "{total:?}");
}
