//! Fourth station: at the end of a period, the commitment to the state (`spec/node.md` §4.8).

use super::PipelineError;
use soru_pvm::Tick;
use soru_tezos::hash::{CommitmentHash, StateHash};
use soru_tezos::rollup::Commitment;
use soru_tezos::scalar::{Level, Ticks};

/// The commitment before, as the store knows it.
#[derive(Debug, Clone, Copy)]
pub struct Previous {
    /// Its hash.
    pub hash: CommitmentHash,
    /// Its inbox level.
    pub inbox_level: Level,
    /// Ticks of the rollup up to it.
    pub final_tick: Tick,
}

/// The commitment of a level, if a period of so many `blocks` ends there.
pub fn commit(
    previous: &Previous,
    period: i32,
    level: Level,
    state: StateHash,
    final_tick: Tick,
) -> Result<Option<Commitment>, PipelineError> {
    if level != previous.inbox_level.after(period) {
        return Ok(None);
    }
    let ticks = final_tick.0.saturating_sub(previous.final_tick.0);
    match i64::try_from(ticks) {
        Ok(number) if number > 0 => Ok(Some(Commitment {
            compressed_state: state,
            inbox_level: level,
            predecessor: previous.hash,
            number_of_ticks: Ticks(number),
        })),
        _ => Err(PipelineError::CommitmentTicks { level, ticks }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREVIOUS: Previous = Previous { hash: CommitmentHash([1; 32]), inbox_level: Level(5), final_tick: Tick(100) };

    #[test]
    fn only_at_the_end_of_a_period() {
        let at = |level, tick| commit(&PREVIOUS, 10, Level(level), StateHash([2; 32]), Tick(tick));
        assert!(at(14, 200).unwrap().is_none());
        assert_eq!(at(15, 250).unwrap().unwrap().number_of_ticks, Ticks(150));
        assert!(at(16, 250).unwrap().is_none());
        assert!(matches!(at(15, 100), Err(PipelineError::CommitmentTicks { ticks: 0, .. })));
    }
}
