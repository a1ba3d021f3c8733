//! Dissections: those of real games are valid, and are where our honest player cuts.

use crate::common;
use num_bigint::BigUint;
use proptest::prelude::*;
use soru_protocol::RollupError;
use soru_protocol::game::{DissectionRule, check_dissection, honest_ticks};
use soru_tezos::hash::StateHash;
use soru_tezos::number::N;
use soru_tezos::rollup::DissectionChunk;

const S: u64 = 50_000_000_000_000;
const RULE: DissectionRule = DissectionRule::Aligned(S);

fn chunk(state: Option<u8>, tick: u64) -> DissectionChunk {
    DissectionChunk { state_hash: state.map(|byte| StateHash([byte; 32])), tick: N::from(tick) }
}

/// The dissection an honest player makes of a section whose end it refuses.
fn honest(rule: DissectionRule, start: u64, stop: u64) -> Vec<DissectionChunk> {
    let inner = honest_ticks(rule, 32, &N::from(start), &N::from(stop));
    let mut chunks = vec![chunk(Some(1), start)];
    chunks.extend(inner.into_iter().map(|tick| DissectionChunk { state_hash: Some(StateHash([3; 32])), tick }));
    chunks.push(chunk(Some(4), stop));
    chunks
}

proptest! {
    #[test]
    fn honest_dissections_are_valid(runs in 0u64..200, length in 2u64..10_000, plain: bool) {
        let rule = if plain { DissectionRule::Plain } else { RULE };
        for (start, stop) in [(runs * S, runs * S + length), (0, (runs + 2) * S), (S, (runs + 3) * S + length), (7, 7 + length)] {
            let (from, to) = (chunk(Some(1), start), chunk(Some(2), stop));
            prop_assert_eq!(check_dissection(rule, 32, &from, &to, &honest(rule, start, stop)), Ok(()), "{} {}", start, stop);
        }
    }

    #[test]
    fn a_moved_tick_is_refused_where_alignment_counts(runs in 40u64..200, at in 1usize..31, by in 1u64..1_000) {
        let stop = runs * S;
        let mut chunks = honest(RULE, 0, stop);
        let tick = BigUint::from(by) + &chunks[at].tick.0;
        chunks[at].tick = N(tick);
        let checked = check_dissection(RULE, 32, &chunk(Some(1), 0), &chunk(Some(2), stop), &chunks);
        prop_assert_eq!(checked, Err(RollupError::WasmDissectionDistribution));
    }
}

#[test]
fn each_rule_has_its_error() {
    let (from, to) = (chunk(Some(1), 0), chunk(Some(2), 20 * S));
    let good = honest(RULE, 0, 20 * S);
    let check = |change: &dyn Fn(&mut Vec<DissectionChunk>)| {
        let mut chunks = good.clone();
        change(&mut chunks);
        check_dissection(RULE, 32, &from, &to, &chunks).unwrap_err()
    };
    assert_eq!(
        check(&|chunks| drop(chunks.remove(3))),
        RollupError::DissectionSectionsMismatch { expected: N::from(20), given: N::from(19) }
    );
    assert_eq!(
        check(&|chunks| chunks[0].state_hash = Some(StateHash([9; 32]))),
        RollupError::DissectionStartHash { expected: from.state_hash, given: Some(StateHash([9; 32])) }
    );
    assert_eq!(check(&|chunks| chunks[20] = to.clone()), RollupError::DissectionStopHash { hash: to.state_hash });
    assert!(matches!(check(&|chunks| chunks[20].tick = N::from(21 * S)), RollupError::DissectionEdgeTicks { .. }));
    assert_eq!(check(&|chunks| chunks[3].state_hash = None), RollupError::DissectionStatesShape);
    assert_eq!(check(&|chunks| chunks[3].tick = N::from(2 * S)), RollupError::DissectionTicksNotIncreasing);
    assert_eq!(check(&|chunks| chunks[3].tick = N::from(3 * S + 1)), RollupError::WasmDissectionDistribution);
    let uneven: Vec<_> = [0, 1, 2, 3].into_iter().map(|tick| chunk(Some(1), tick)).collect();
    assert_eq!(
        check_dissection(RULE, 32, &chunk(Some(1), 0), &chunk(Some(2), 1), &uneven),
        Err(RollupError::DissectionInvalidSections { value: N::from(3) })
    );
}

/// Games between two real nodes: each dissection is what our player would have cut. (Other recorded games have one player
/// who cuts by hand.)
#[test]
fn recorded_games() {
    let mut moves = 0;
    for folder in common::recordings() {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let path = folder.join("moves.jsonl.gz");
        if !path.exists() || !name.starts_with("s3_game_inbox") && !name.starts_with("s3_game_pvm") {
            continue;
        }
        for line in common::json_lines(&path) {
            for content in line["operation"]["contents"].as_array().unwrap() {
                let chunks = &content["refutation"]["step"];
                if !chunks.is_array() || content["metadata"]["operation_result"]["status"] != "applied" {
                    continue;
                }
                let chunks: Vec<DissectionChunk> = serde_json::from_value(chunks.clone()).unwrap();
                let ticks: Vec<N> = chunks.iter().map(|chunk| chunk.tick.clone()).collect();
                let ours = honest_ticks(RULE, 32, &ticks[0], &ticks[ticks.len() - 1]);
                assert_eq!(ours, ticks[1..ticks.len() - 1], "{name}: level {}", line["level"]);
                moves += 1;
            }
        }
    }
    println!("{moves} dissections");
    assert!(moves > 8);
}
