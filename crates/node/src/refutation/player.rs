//! A player: one game against one opponent (`spec/node.md` §4.9). Moves are computed beside everything else, and only the
//! state of the game on layer 1 counts: a restart or a reorganisation makes a player play on from there.

use super::{Evaluator, PeriodStates, ProofInputs, RefutationError, next_move};
use crate::config::OperationKind;
use crate::inject::Injectors;
use crate::store::Store;
use soru_l1::injector::OperationId;
use soru_l1::rpc::RpcClient;
use soru_protocol::game::DissectionRule;
use soru_tezos::hash::SmartRollupAddress;
use soru_tezos::header::BlockRef;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::operation::{Refute, Timeout};
use soru_tezos::rollup::{Commitment, Game, GameResult, GameState, Refutation, Stakers};
use soru_tezos::scalar::Level;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Instant;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinHandle;

/// Levels after which a move that did not show on layer 1 is made again.
const BUFFER_LEVELS: i32 = 5;

/// What players share.
pub(super) struct Board {
    pub layer1: RpcClient,
    pub rollup: SmartRollupAddress,
    pub evaluator: Evaluator,
    pub inputs: ProofInputs,
    pub rule: DissectionRule,
    pub injectors: Arc<Mutex<Injectors>>,
    pub computing: Arc<Semaphore>,
}

/// What a player keeps from move to move.
#[derive(Default)]
struct Memory {
    states: StdMutex<Option<PeriodStates>>,
    /// The last move given to the injector.
    made: StdMutex<Option<OperationId>>,
    /// Whether the last attempt failed in a way that may pass.
    again: AtomicBool,
}

fn lock<T>(mutex: &StdMutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Plays against one opponent.
pub(super) struct Player {
    own: PublicKeyHash,
    opponent: PublicKeyHash,
    memory: Arc<Memory>,
    /// The state of the game last acted on, and when.
    last: Option<(GameState, Level)>,
    /// The last level at which the opponent may move.
    deadline: Option<Level>,
    task: Option<JoinHandle<()>>,
}

impl Player {
    pub(super) fn new(own: PublicKeyHash, opponent: PublicKeyHash) -> Player {
        tracing::info!("Refutation player started to play against {opponent}");
        Player { own, opponent, memory: Arc::default(), last: None, deadline: None, task: None }
    }

    /// Told when the game is over.
    pub(super) fn stopped(&self) {
        tracing::info!("Refutation player for opponent {} has been stopped", self.opponent);
    }

    /// Looks at the game as it stands at a head.
    pub(super) async fn play(&mut self, board: &Arc<Board>, game: Game, head: BlockRef) -> Result<(), RefutationError> {
        if self.task.as_ref().is_some_and(|task| !task.is_finished()) {
            return Ok(());
        }
        let changed = match &self.last {
            None => true,
            Some((state, level)) => *state != game.game_state || head.level.since(*level) > BUFFER_LEVELS,
        };
        let again = self.memory.again.swap(false, Ordering::Relaxed);
        if Stakers::new(self.own, self.opponent).staker(game.turn) == self.own {
            if changed || again {
                self.last = Some((game.game_state.clone(), head.level));
                self.task = Some(tokio::spawn(make_move(
                    Arc::clone(board),
                    Arc::clone(&self.memory),
                    self.own,
                    self.opponent,
                    game,
                )));
            }
            return Ok(());
        }
        self.watch_the_clock(board, &game, head, changed).await
    }

    /// Their turn: ends the game when they are late.
    async fn watch_the_clock(
        &mut self,
        board: &Board,
        game: &Game,
        head: BlockRef,
        changed: bool,
    ) -> Result<(), RefutationError> {
        let stakers = Stakers::new(self.own, self.opponent);
        if changed || self.deadline.is_none() {
            self.last = Some((game.game_state.clone(), head.level));
            let timeout = board.layer1.game_timeout(head, &board.rollup, &stakers).await?;
            self.deadline = timeout.map(|timeout| {
                let left = match stakers.player(&self.opponent) {
                    Some(soru_tezos::rollup::Player::Alice) => timeout.alice,
                    _ => timeout.bob,
                };
                timeout.last_turn_level.after(left)
            });
        }
        if self.deadline.is_some_and(|deadline| head.level >= deadline)
            && let Some(GameResult::Loser { player, .. }) =
                board.layer1.timeout_reached(head, &board.rollup, &stakers).await?
            && player != self.own
        {
            tracing::info!("The rollup node has detected that opponent {} can be timed out", self.opponent);
            let mut injectors = board.injectors.lock().await;
            if let Err(full) = injectors.add(OperationKind::Timeout, Timeout { rollup: board.rollup, stakers }) {
                tracing::error!("Cannot time out {}: {full}", self.opponent);
            }
        }
        Ok(())
    }
}

/// Computes the next move and gives it to the injector.
async fn make_move(board: Arc<Board>, memory: Arc<Memory>, own: PublicKeyHash, opponent: PublicKeyHash, game: Game) {
    let Ok(_permit) = board.computing.acquire().await else { return };
    let started = Instant::now();
    let computed = {
        let (board, memory) = (Arc::clone(&board), Arc::clone(&memory));
        tokio::task::spawn_blocking(move || compute(&board, &memory, &game)).await
    };
    let refutation = match computed {
        Ok(Ok(refutation)) => refutation,
        Ok(Err(error)) => {
            // our own commitment may not be reached yet
            let passes = matches!(error, RefutationError::NotOurs { .. } | RefutationError::Missing { .. });
            memory.again.store(passes, Ordering::Relaxed);
            tracing::error!("Cannot move against {opponent}: {error}");
            return;
        }
        Err(error) => {
            tracing::error!("Cannot move against {opponent}: {error}");
            return;
        }
    };
    tracing::debug!("Computed the next move of {own} against {opponent} in {:?}", started.elapsed());
    let mut injectors = board.injectors.lock().await;
    // a move that still waits is one on an older state of the game
    if let Some(old) = lock(&memory.made).take() {
        injectors.remove(OperationKind::Refute, &old);
    }
    match injectors.add(OperationKind::Refute, Refute { rollup: board.rollup, opponent, refutation }) {
        Ok(id) => *lock(&memory.made) = id,
        Err(full) => tracing::error!("Cannot move against {opponent}: {full}"),
    }
    injectors.inject().await;
}

fn compute(board: &Board, memory: &Memory, game: &Game) -> Result<Refutation, RefutationError> {
    let commitment = own_commitment(&board.evaluator.store, game.inbox_level)?;
    let mut kept = lock(&memory.states);
    let states = match kept.as_mut().filter(|states| *states.commitment() == commitment) {
        Some(states) => states,
        None => kept.insert(PeriodStates::new(board.evaluator.clone(), commitment)?),
    };
    next_move(game, states, board.rule, &board.inputs)
}

/// Our commitment of a level.
fn own_commitment(store: &Store, level: Level) -> Result<Commitment, RefutationError> {
    let missing = || RefutationError::Missing { what: "commitment", level };
    let block = store.block_of_level(level)?.ok_or_else(missing)?;
    let hash = block.commitment.ok_or_else(missing)?;
    store.commitment(&hash)?.ok_or_else(missing)
}
