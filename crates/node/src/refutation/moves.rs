//! The winning strategy (`spec/node.md` §4.9): find the first section we disagree on, cut it, and prove its only tick once it
//! has no more.

use super::RefutationError;
use super::proof::{ProofInputs, prove};
use super::states::PeriodStates;
use num_bigint::BigUint;
use num_traits::One;
use soru_protocol::game::{DissectionRule, honest_ticks};
use soru_tezos::number::N;
use soru_tezos::rollup::{DissectionChunk, Game, GameState, Refutation, Step};

/// The next move of a player whose states these are.
///
/// # Errors
/// When a state cannot be computed or proven, and when the game cannot be one.
pub fn next_move(
    game: &Game,
    states: &mut PeriodStates,
    rule: DissectionRule,
    inputs: &ProofInputs,
) -> Result<Refutation, RefutationError> {
    let (choice, step) = match &game.game_state {
        GameState::FinalMove { agreed_start_chunk, .. } => {
            let tick = agreed_start_chunk.tick.clone();
            let proof = prove(game, states, &tick, inputs)?;
            (tick, Step::Proof(proof))
        }
        GameState::Dissecting { dissection, default_number_of_sections } => {
            let (agreed, ours) = disagreement(dissection, states)?;
            states.narrow(&agreed.tick, &ours.tick);
            let choice = agreed.tick.clone();
            let step = if &ours.tick.0 - &choice.0 == BigUint::one() {
                Step::Proof(prove(game, states, &choice, inputs)?)
            } else {
                Step::Dissection(dissect(rule, *default_number_of_sections, agreed, ours, states)?)
            };
            (choice, step)
        }
    };
    Ok(Refutation::Move { choice, step })
}

/// The last chunk we agree with before the first one we do not, and our view of the latter.
fn disagreement(
    dissection: &[DissectionChunk],
    states: &mut PeriodStates,
) -> Result<(DissectionChunk, DissectionChunk), RefutationError> {
    let (first, rest) = dissection.split_first().ok_or(RefutationError::Inconsistent("an empty dissection"))?;
    if first.state_hash.is_none() {
        return Err(RefutationError::Inconsistent("a dissection that starts with no state"));
    }
    let mut agreed = first;
    for theirs in rest {
        if theirs.tick <= agreed.tick {
            return Err(RefutationError::Inconsistent("a dissection whose ticks do not grow"));
        }
        let ours = states.hash_at(&theirs.tick)?;
        if ours != theirs.state_hash {
            let ours = DissectionChunk { state_hash: ours, tick: theirs.tick.clone() };
            return Ok((agreed.clone(), ours));
        }
        if ours.is_none() {
            break;
        }
        agreed = theirs;
    }
    Err(RefutationError::Inconsistent("a dissection we agree with"))
}

/// Our dissection of the section between a chunk both agree on and our view of the one we refuse.
fn dissect(
    rule: DissectionRule,
    sections: u8,
    agreed: DissectionChunk,
    ours: DissectionChunk,
    states: &mut PeriodStates,
) -> Result<Vec<DissectionChunk>, RefutationError> {
    let ticks = honest_ticks(rule, sections, &agreed.tick, &ours.tick);
    let mut chunks = Vec::with_capacity(ticks.len() + 2);
    chunks.push(agreed);
    for tick in ticks {
        chunks.push(chunk(states, tick)?);
    }
    chunks.push(ours);
    Ok(chunks)
}

fn chunk(states: &mut PeriodStates, tick: N) -> Result<DissectionChunk, RefutationError> {
    Ok(DissectionChunk { state_hash: states.hash_at(&tick)?, tick })
}
