//! The state of a commitment period at any of its ticks (`spec/node.md` §4.7 `state_of_tick`).
//!
//! Levels come from the store, whole `kernel_run`s from the fast engine, padding from arithmetic. Only the run in which the
//! players disagree is made tick by tick, once: machines on the way are kept, and each answer starts from the nearest one.

use super::RefutationError;
use crate::config::LoserMode;
use crate::pipeline::failures::LevelFailures;
use crate::pipeline::machine;
use crate::pipeline::replay::{LevelReplay, Position};
use crate::store::{Store, StoredBlock};
use bytes::Bytes;
use num_bigint::BigUint;
use num_traits::ToPrimitive;
use soru_pvm::{FastEngine, Pvm, PvmError, Reveals, Tick};
use soru_tezos::hash::StateHash;
use soru_tezos::number::N;
use soru_tezos::rollup::Commitment;
use soru_tezos::scalar::Level;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most machines kept of a period.
const KEPT: usize = 256;

/// What states are computed with.
#[derive(Clone)]
pub struct Evaluator {
    /// Blocks, messages and the states after each level.
    pub store: Store,
    /// Runs kernels.
    pub engine: Arc<FastEngine>,
    /// Answers their reveals.
    pub reveals: Arc<dyn Reveals>,
    /// Planned failures.
    pub loser_mode: LoserMode,
}

/// The states of one commitment period.
pub struct PeriodStates {
    evaluator: Evaluator,
    commitment: Commitment,
    /// Ticks of the rollup before the period.
    start: Tick,
    /// Level of the commitment before.
    base: Level,
    /// Machines by tick, with the level they are in.
    kept: BTreeMap<Tick, (Level, Position)>,
}

impl PeriodStates {
    /// The period that ends with `commitment`, which the node made on its present chain.
    ///
    /// # Errors
    /// When it did not, or no longer has the levels of the period.
    pub fn new(evaluator: Evaluator, commitment: Commitment) -> Result<PeriodStates, RefutationError> {
        let (hash, level) = (commitment.hash(), commitment.inbox_level);
        let not_ours = || RefutationError::NotOurs { hash, level };
        let store = &evaluator.store;
        let last = store.block_of_level(level)?.filter(|block| block.commitment == Some(hash)).ok_or_else(not_ours)?;
        let before = store.commitment(&commitment.predecessor)?.ok_or_else(not_ours)?;
        let ticks = u128::try_from(commitment.number_of_ticks.0).map_err(|_| not_ours())?;
        let start = last.final_tick().since(Tick(ticks));
        Ok(PeriodStates { evaluator, commitment, start, base: before.inbox_level, kept: BTreeMap::new() })
    }

    /// The commitment at the end of the period.
    pub fn commitment(&self) -> &Commitment {
        &self.commitment
    }

    /// A tick of the period as a tick since the origination; nothing beyond the end of the period.
    fn absolute(&self, tick: &N) -> Option<Tick> {
        let last = BigUint::from(u64::try_from(self.commitment.number_of_ticks.0).unwrap_or(0));
        let within = (tick.0 <= last).then(|| tick.0.to_u128()).flatten();
        within.map(|tick| self.start.after(Tick(tick)))
    }

    /// Hash of the state at a tick, counted from the start of the period; nothing beyond its end.
    ///
    /// # Errors
    /// When the state cannot be computed.
    pub fn hash_at(&mut self, tick: &N) -> Result<Option<StateHash>, RefutationError> {
        let Some(tick) = self.absolute(tick) else { return Ok(None) };
        let block = self.level_of(tick)?;
        if block.final_tick() == tick {
            return Ok(Some(block.state_hash));
        }
        let machine = self.within(&block, tick)?;
        machine.state_hash().map(Some).map_err(|source| self.failed(block.level, tick, source))
    }

    /// The machine at a tick, counted from the start of the period; nothing beyond its end.
    ///
    /// # Errors
    /// When the state cannot be computed.
    pub fn machine_at(&mut self, tick: &N) -> Result<Option<Pvm>, RefutationError> {
        let Some(tick) = self.absolute(tick) else { return Ok(None) };
        let block = self.level_of(tick)?;
        if block.final_tick() == tick {
            let stored = machine(&self.evaluator.store, &block);
            return stored.map(Some).map_err(|source| self.failed(block.level, tick, source));
        }
        self.within(&block, tick).map(Some)
    }

    /// Forgets machines outside of the section the players still disagree on.
    pub fn narrow(&mut self, agreed: &N, refused: &N) {
        let bounds = (self.absolute(agreed), self.absolute(refused));
        if let (Some(first), last) = bounds {
            self.kept.retain(|tick, _| *tick >= first && last.is_none_or(|last| *tick <= last));
        }
    }

    fn failed(&self, level: Level, tick: Tick, source: PvmError) -> RefutationError {
        RefutationError::State { level, tick, source }
    }

    fn block(&self, level: Level) -> Result<StoredBlock, RefutationError> {
        let missing = RefutationError::Missing { what: "block", level };
        self.evaluator.store.block_of_level(level)?.ok_or(missing)
    }

    /// The level of a tick: the first that ends at or after it.
    fn level_of(&self, tick: Tick) -> Result<StoredBlock, RefutationError> {
        let (mut low, mut high) = (self.base.0, self.commitment.inbox_level.0);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.block(Level(middle))?.final_tick() < tick { low = middle + 1 } else { high = middle }
        }
        self.block(Level(low))
    }

    /// The machine at a tick inside a level.
    fn within(&mut self, block: &StoredBlock, tick: Tick) -> Result<Pvm, RefutationError> {
        let level = block.level;
        let before = self.block(level.before(1))?;
        let nearest = self.kept.range(before.final_tick()..=tick).next_back();
        let mut at = match nearest.filter(|(_, (of, _))| *of == level) {
            Some((_, (_, position))) => position.clone(),
            None => {
                let stored = machine(&self.evaluator.store, &before);
                Position::start(stored.map_err(|source| self.failed(before.level, tick, source))?)
            }
        };
        if at.tick() == tick {
            return Ok(at.into_pvm());
        }
        let failures = LevelFailures::of(&self.evaluator.loser_mode, level);
        let payloads = self.payloads(block, &failures)?;
        let replay = LevelReplay {
            level,
            payloads: &payloads,
            spoilt_after: failures.spoilt_after,
            engine: &self.evaluator.engine,
            reveals: &self.evaluator.reveals,
        };
        let mut on_the_way = Vec::new();
        let reached = replay.advance(&mut at, tick, &mut |position| on_the_way.push(position.clone()));
        let reached = reached.and_then(|()| at.settled());
        let settled: Result<Vec<_>, _> = on_the_way.into_iter().map(Position::settled).collect();
        let (at, settled) = match (reached, settled) {
            (Ok(at), Ok(settled)) => (at, settled),
            (Err(source), _) | (_, Err(source)) => return Err(self.failed(level, tick, source)),
        };
        for position in settled.into_iter().chain([at.clone()]) {
            self.keep(level, position);
        }
        if at.tick() == tick {
            return Ok(at.into_pvm());
        }
        Err(self.failed(level, tick, PvmError::Range("a tick of a level, by what the store says of it")))
    }

    fn payloads(&self, block: &StoredBlock, failures: &LevelFailures) -> Result<Vec<Bytes>, RefutationError> {
        let messages = self.evaluator.store.messages(&block.witness())?;
        let missing = RefutationError::Missing { what: "messages", level: block.level };
        let mut payloads = messages.ok_or(missing)?;
        failures.corrupt(&mut payloads);
        Ok(payloads)
    }

    /// Keeps a machine. Of too many, every other one goes.
    fn keep(&mut self, level: Level, position: Position) {
        if self.kept.len() >= KEPT {
            let mut odd = false;
            self.kept.retain(|_, _| {
                odd = !odd;
                odd
            });
        }
        self.kept.insert(position.tick(), (level, position));
    }
}
