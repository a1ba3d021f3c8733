//! When garbage is collected, and the thread that does it (`spec/node.md` §4.13).

use super::{NodeConstants, Pipeline};
use crate::config::{GcParameters, HistoryMode};
use crate::store::{CollectError, Collection, Removed, Store, StoreError, StoredBlock};
use soru_tezos::scalar::Level;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Starts collections beside the processing of blocks, one at a time.
pub struct Collector {
    store: Store,
    parameters: GcParameters,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: Option<Running>,
    /// After a collection that did not end well: the target below which it is not tried again.
    not_before: Option<Level>,
    last: Option<Duration>,
}

struct Running {
    cancelled: Arc<AtomicBool>,
    thread: JoinHandle<Result<(Removed, Duration), CollectError>>,
}

impl Collector {
    /// The collector of a store.
    pub fn new(store: Store, parameters: GcParameters) -> Collector {
        Collector { store, parameters, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.running.as_ref().is_some_and(|running| running.thread.is_finished())
            && let Some(ended) = state.running.take()
        {
            self.settle(&mut state, ended);
        }
        state
    }

    /// Takes note of how a collection ended.
    fn settle(&self, state: &mut State, ended: Running) {
        state.not_before = None;
        match ended.thread.join() {
            Ok(Ok((_, duration))) => state.last = Some(duration),
            Ok(Err(_)) | Err(_) => state.not_before = Some(self.store.first_available_level()),
        }
    }

    /// Blocks between two collections: as configured, else a fifth of the challenge window.
    fn frequency(&self, challenge_window: i32) -> i32 {
        let period = if challenge_window <= 5 { challenge_window } else { challenge_window / 5 };
        let configured = self.parameters.frequency.or(self.parameters.context_splitting_period);
        configured.map_or(period, |blocks| i32::try_from(blocks).unwrap_or(i32::MAX)).max(1)
    }

    /// Begins to collect after a block, when enough levels were cemented since the last time. The first level kept is that of
    /// the last cemented commitment, as soon as it is final here.
    pub fn after_block(
        &self,
        pipeline: &mut Pipeline,
        head: &StoredBlock,
        constants: &NodeConstants,
    ) -> Result<(), StoreError> {
        if self.store.metadata().history_mode == HistoryMode::Archive {
            return Ok(());
        }
        let mut state = self.state();
        if state.running.is_some() {
            return Ok(());
        }
        let Some((commitment, level)) = self.store.last_cemented()? else { return Ok(()) };
        let genesis = self.store.metadata().genesis_info.level;
        let last =
            self.store.collected()?.successful_target.unwrap_or(genesis).max(state.not_before.unwrap_or(genesis));
        let is_final = self.store.finalized_level()?.is_some_and(|finalized| level <= finalized);
        if level.since(last) < self.frequency(constants.rollup.challenge_window_in_blocks) || !is_final {
            return Ok(());
        }
        // a node that is still behind layer 1 hears of commitments before it comes to their level
        let target = self.store.block_of_level(level)?.filter(|block| block.commitment == Some(commitment));
        let Some(target) = target else { return Ok(()) };
        tracing::info!("Garbage collection started for level {level} at head level {}", head.level);
        pipeline.forget_machine();
        let first_active = level.before(constants.rollup.max_active_outbox_levels.saturating_sub(1));
        let collection = self.store.begin_collection(&target, head, first_active)?;
        state.running = start(collection, head.level);
        Ok(())
    }

    /// Ends the collection that runs, if one does. Gives whether one did.
    pub fn cancel(&self) -> bool {
        let state = self.state();
        state.running.as_ref().is_some_and(|running| !running.cancelled.swap(true, Ordering::SeqCst))
    }

    /// Ends the collection that runs and waits for it.
    pub fn stop(&self) {
        let running = self.state().running.take();
        if let Some(running) = running {
            running.cancelled.store(true, Ordering::SeqCst);
            let _ = running.thread.join();
        }
    }

    /// How long the last collection took that ended well.
    pub fn last_duration(&self) -> Option<Duration> {
        self.state().last
    }
}

fn start(collection: Collection, head: Level) -> Option<Running> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let thread = std::thread::Builder::new().name("garbage collection".to_owned()).spawn({
        let cancelled = Arc::clone(&cancelled);
        move || {
            let (started, target) = (Instant::now(), collection.target());
            let result = collection.run(&cancelled).map(|removed| (removed, started.elapsed()));
            match &result {
                Ok((removed, duration)) => tracing::info!(
                    "Garbage collection finished for level {target} at head level {head}: {} blocks and {} of {} nodes removed in {:.3}s",
                    removed.blocks,
                    removed.nodes,
                    removed.nodes + removed.kept_nodes,
                    duration.as_secs_f64()
                ),
                Err(CollectError::Cancelled) => tracing::info!("Garbage collection for level {target} was cancelled"),
                Err(error) => tracing::warn!("Garbage collection for level {target} failed, it will be tried again: {error}"),
            }
            result
        }
    });
    match thread {
        Ok(thread) => Some(Running { cancelled, thread }),
        Err(error) => {
            tracing::warn!("Garbage collection cannot be started: {error}");
            None
        }
    }
}
