//! What makes a dissection valid, and where an honest player cuts (`spec/protocol.md` §5.5, `spec/pvm.md` §11.6).

use crate::error::RollupError;
use num_bigint::BigUint;
use num_traits::{One, Zero};
use soru_tezos::number::N;
use soru_tezos::rollup::{DissectionChunk, PvmKind};

/// How a PVM wants its executions dissected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DissectionRule {
    /// Anywhere.
    Plain,
    /// At multiples of that many ticks, as long as sections are longer.
    Aligned(u64),
}

impl DissectionRule {
    /// The rule of a kind of PVM; `ticks_per_snapshot` is that of the protocol for `wasm_2_0_0`.
    pub fn of(kind: PvmKind, ticks_per_snapshot: u64) -> Self {
        match kind {
            PvmKind::Wasm200 => DissectionRule::Aligned(ticks_per_snapshot),
            PvmKind::Arith | PvmKind::Riscv => DissectionRule::Plain,
        }
    }

    /// The alignment of a section of `distance` ticks, if it has to be aligned.
    fn alignment(self, distance: &BigUint) -> Option<BigUint> {
        match self {
            DissectionRule::Aligned(size) if *distance > BigUint::from(size) => Some(BigUint::from(size)),
            _ => None,
        }
    }
}

/// Absolute distance of two ticks.
fn distance(one: &N, other: &N) -> BigUint {
    if one >= other { &one.0 - &other.0 } else { &other.0 - &one.0 }
}

/// Checks a dissection of the section between `start` and `stop`.
///
/// # Errors
/// The first rule it breaks, in the order of the protocol.
pub fn check_dissection(
    rule: DissectionRule,
    default_sections: u8,
    start: &DissectionChunk,
    stop: &DissectionChunk,
    chunks: &[DissectionChunk],
) -> Result<(), RollupError> {
    let dist = distance(&start.tick, &stop.tick);
    let given = BigUint::from(chunks.len().saturating_sub(1));
    let default_sections = BigUint::from(default_sections);
    let Some(size) = rule.alignment(&dist) else {
        let expected = if default_sections <= dist {
            default_sections
        } else if dist > BigUint::one() {
            dist.clone()
        } else {
            return Err(RollupError::DissectionInvalidSections { value: N(given) });
        };
        if given != expected {
            return Err(RollupError::DissectionSectionsMismatch { expected: N(expected), given: N(given) });
        }
        return check_chunks(&(dist / 2u8), start, stop, chunks);
    };
    let aligned = (&dist % &size).is_zero();
    let whole = &dist / &size + if aligned { BigUint::ZERO } else { BigUint::one() };
    let expected = default_sections.min(whole);
    let considered = if aligned { dist } else { distance(&start.tick, &N(&stop.tick.0 / &size * &size)) };
    if given != expected {
        return Err(RollupError::DissectionSectionsMismatch { expected: N(expected), given: N(given) });
    }
    check_chunks(&size.clone().max(considered / 2u8), start, stop, chunks)?;
    let stands = |tick: &N| (&tick.0 % &size).is_zero() || *tick == start.tick || *tick == stop.tick;
    if chunks.iter().all(|chunk| stands(&chunk.tick)) { Ok(()) } else { Err(RollupError::WasmDissectionDistribution) }
}

/// What all dissections have to fulfil once their number of sections is right.
fn check_chunks(
    section_max_size: &BigUint,
    start: &DissectionChunk,
    stop: &DissectionChunk,
    chunks: &[DissectionChunk],
) -> Result<(), RollupError> {
    let (Some(first), Some(last)) = (chunks.first(), chunks.last()) else {
        return Err(RollupError::DissectionInvalidSections { value: N::from(0) });
    };
    if first.state_hash.is_none() || first.state_hash != start.state_hash {
        return Err(RollupError::DissectionStartHash { expected: start.state_hash, given: first.state_hash });
    }
    if last.state_hash == stop.state_hash {
        return Err(RollupError::DissectionStopHash { hash: stop.state_hash });
    }
    if first.tick != start.tick || last.tick != stop.tick {
        return Err(RollupError::DissectionEdgeTicks {
            dissection_start: first.tick.clone(),
            dissection_stop: last.tick.clone(),
            chunk_start: start.tick.clone(),
            chunk_stop: stop.tick.clone(),
        });
    }
    for pair in chunks.windows(2) {
        let (one, next) = (&pair[0], &pair[1]);
        if one.state_hash.is_none() && next.state_hash.is_some() {
            return Err(RollupError::DissectionStatesShape);
        }
        if one.tick >= next.tick {
            return Err(RollupError::DissectionTicksNotIncreasing);
        }
        if distance(&one.tick, &next.tick) > *section_max_size {
            return Err(RollupError::DissectionDistribution { section_max_size: N(section_max_size.clone()) });
        }
    }
    Ok(())
}

/// The ticks at which an honest player cuts the section from `start` to `stop`, both excluded.
pub fn honest_ticks(rule: DissectionRule, default_sections: u8, start: &N, stop: &N) -> Vec<N> {
    let dist = distance(start, stop);
    match rule.alignment(&dist) {
        Some(size) => aligned_ticks(&size, default_sections, start, stop),
        None => equal_ticks(default_sections, &start.0, &dist),
    }
}

fn equal_ticks(default_sections: u8, start: &BigUint, dist: &BigUint) -> Vec<N> {
    let sections = BigUint::from(default_sections).min(dist.clone());
    if sections.is_zero() {
        return Vec::new();
    }
    let length = dist / &sections;
    let rest = dist % &sections;
    // Sections of one tick cannot share the rest: the first one takes it.
    let first = if length.is_one() && !rest.is_zero() && *dist > BigUint::from(default_sections) {
        rest
    } else {
        length.clone()
    };
    let mut tick = start + first;
    let mut ticks = Vec::new();
    for _ in 1..u64::try_from(&sections).unwrap_or(1) {
        ticks.push(N(tick.clone()));
        tick += &length;
    }
    ticks
}

fn aligned_ticks(size: &BigUint, default_sections: u8, start: &N, stop: &N) -> Vec<N> {
    let aligned = (&stop.0 % size).is_zero();
    let last = &stop.0 / size * size;
    let most = u64::from(default_sections) - u64::from(!aligned && default_sections > 0);
    let mut left = if last > start.0 { &last - &start.0 } else { BigUint::ZERO };
    let mut sections = most.min(u64::try_from(&left / size).unwrap_or(most));
    let mut tick = start.0.clone();
    let mut ticks = Vec::new();
    while sections > 1 {
        let length = &left / (size * sections) * size;
        tick += &length;
        left -= &length;
        ticks.push(N(tick.clone()));
        sections -= 1;
    }
    if !aligned {
        ticks.push(N(last));
    }
    ticks
}
