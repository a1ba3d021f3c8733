//! Third station: from a level's inbox to the next state of the rollup (`spec/node.md` §4.7).

use super::PipelineError;
use super::failures::LevelFailures;
use super::replay::{LevelReplay, Position};
use bytes::Bytes;
use soru_pvm::{FastEngine, InputRequest, Pvm, PvmError, Reveals, Tick};
use soru_tezos::codec::Decode;
use soru_tezos::rollup::OutboxMessage;
use soru_tezos::scalar::{Level, Ticks};
use std::sync::Arc;

/// What a level did to the machine.
#[derive(Clone)]
pub struct Evaluation {
    /// The machine after the level.
    pub pvm: Pvm,
    /// Ticks it took.
    pub ticks: Ticks,
    /// What it waits for.
    pub status: &'static str,
    /// Indexes of the messages written to the outbox of the level.
    pub outbox: Vec<u32>,
}

/// Feeds the messages of a level and runs until the next is wanted. The machine given stays as it is.
pub fn evaluate(
    before: &Pvm,
    engine: &FastEngine,
    reveals: &Arc<dyn Reveals>,
    level: Level,
    payloads: Vec<Bytes>,
) -> Result<Evaluation, PipelineError> {
    let mut pvm = before.clone();
    let report = pvm.eval_inbox_level(engine, reveals, level, payloads).map_err(|source| failed(level, source))?;
    account(pvm, level, report.ticks).map_err(|source| failed(level, source))
}

/// The same with planned failures.
pub fn evaluate_wrongly(
    before: &Pvm,
    engine: &FastEngine,
    reveals: &Arc<dyn Reveals>,
    level: Level,
    mut payloads: Vec<Bytes>,
    failures: &LevelFailures,
) -> Result<Evaluation, PipelineError> {
    tracing::warn!("Level {level} is evaluated with a planned failure");
    failures.corrupt(&mut payloads);
    let replay = LevelReplay { level, payloads: &payloads, spoilt_after: failures.spoilt_after, engine, reveals };
    let mut at = Position::start(before.clone());
    let ended = replay.advance(&mut at, Tick(u128::MAX), &mut |_| ());
    let ticks = at.tick().since(before.state().current_tick);
    ended.and_then(|()| account(at.into_pvm(), level, ticks)).map_err(|source| failed(level, source))
}

fn failed(level: Level, source: PvmError) -> PipelineError {
    match source {
        PvmError::Undecided { reason, .. } => PipelineError::Undecided { level, reason },
        PvmError::Reveal { source: error, .. } => PipelineError::Reveal { level, error },
        source => PipelineError::Pvm { level, source },
    }
}

fn account(pvm: Pvm, level: Level, ticks: Tick) -> Result<Evaluation, PvmError> {
    let ticks = i64::try_from(ticks.0).map_err(|_| PvmError::Range("number of ticks of a level"))?;
    let outbox = outbox_indexes(&pvm, level)?;
    let status = status(&pvm)?;
    Ok(Evaluation { pvm, ticks: Ticks(ticks), status, outbox })
}

/// Indexes of the messages in a level's outbox.
pub fn outbox_indexes(pvm: &Pvm, level: Level) -> Result<Vec<u32>, PvmError> {
    Ok(decodable(&pvm.outbox(level)?).into_iter().map(|(index, _)| index).collect())
}

/// The messages of an outbox that decode, with their indexes. A kernel may write what it likes; what is no outbox message
/// can never be executed and does not count.
pub fn decodable(messages: &[Bytes]) -> Vec<(u32, OutboxMessage)> {
    let decoded = messages.iter().zip(0u32..);
    decoded.filter_map(|(bytes, index)| OutboxMessage::from_bytes(bytes).ok().map(|message| (index, message))).collect()
}

/// What a machine waits for, in the words of the reference's RPC.
pub fn status(pvm: &Pvm) -> Result<&'static str, PvmError> {
    Ok(match pvm.info()?.request {
        InputRequest::None => "Computing",
        InputRequest::Input => "Waiting for input message",
        InputRequest::Reveal(_) => "Waiting for reveal",
    })
}
