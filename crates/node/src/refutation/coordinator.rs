//! The coordinator: at each head of layer 1 it looks for conflicts and games of the operator, and lets a player move in each
//! (`spec/node.md` §4.9). It does not depend on blocks being processed, only on what the store already holds.

use super::journal::Journal;
use super::player::{Board, Player};
use super::{Evaluator, ProofInputs, RefutationError};
use crate::config::{OperationKind, Purpose};
use crate::inject::Injectors;
use crate::metrics::{RunningGame, Turn};
use crate::node::Node;
use crate::reveals::NodeReveals;
use soru_l1::heads::Reorg;
use soru_l1::injector::OperationId;
use soru_l1::rpc::{Conflict, OngoingGame};
use soru_protocol::Protocol;
use soru_protocol::game::DissectionRule;
use soru_pvm::Reveals;
use soru_tezos::block::MANAGER_PASS;
use soru_tezos::hash::CommitmentHash;
use soru_tezos::header::BlockRef;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::operation::Refute;
use soru_tezos::rollup::{GameResult, Player as Side, PvmKind, Refutation};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::sync::{Mutex, Semaphore};

/// Plays all games of the operator.
pub(crate) struct Coordinator {
    node: Arc<Node>,
    injectors: Arc<Mutex<Injectors>>,
    own: PublicKeyHash,
    players: HashMap<PublicKeyHash, Player>,
    /// The games at the last head.
    games: HashMap<PublicKeyHash, OngoingGame>,
    journal: Journal,
    /// Starts given to the injector.
    starts: HashMap<PublicKeyHash, OperationId>,
    /// Conflicts told of.
    told: HashSet<(PublicKeyHash, CommitmentHash)>,
    /// Moves computed at the same time.
    computing: Arc<Semaphore>,
}

impl Coordinator {
    /// The coordinator of a node whose mode plays games.
    ///
    /// # Errors
    /// When the store cannot tell of past games.
    pub(crate) fn new(
        node: &Arc<Node>,
        injectors: &Arc<Mutex<Injectors>>,
    ) -> Result<Option<Coordinator>, RefutationError> {
        let Some(own) = node.config.operators.key(Purpose::Operating) else { return Ok(None) };
        let at_once = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Some(Coordinator {
            node: Arc::clone(node),
            injectors: Arc::clone(injectors),
            own,
            players: HashMap::new(),
            games: HashMap::new(),
            journal: Journal::open(node.store.clone(), own)?,
            starts: HashMap::new(),
            told: HashSet::new(),
            computing: Arc::new(Semaphore::new(at_once)),
        }))
    }

    /// Looks at a head, reached by `way`, and makes or prepares the moves that are due. Gives the games that the operator
    /// lost on the way.
    ///
    /// # Errors
    /// When layer 1 or the store does not answer. A move that cannot be computed is told in the log and tried again.
    pub(crate) async fn on_head(&mut self, head: BlockRef, way: &Reorg) -> Result<Vec<GameResult>, RefutationError> {
        let (layer1, rollup) = (&self.node.layer1, self.node.config.smart_rollup_address);
        let conflicts = match layer1.conflicts(head, &rollup, &self.own).await {
            Err(error) if error.has("smart_rollup_not_staked") => vec![],
            conflicts => conflicts?,
        };
        let games = layer1.games(head, &rollup, &self.own).await?;
        let games: HashMap<PublicKeyHash, OngoingGame> =
            games.into_iter().filter_map(|game| Some((self.opponent(&game)?, game))).collect();
        let lost = self.follow(head, way, &games).await?;
        self.players.retain(|opponent, player| {
            let stays = games.contains_key(opponent);
            if !stays {
                player.stopped();
            }
            stays
        });
        self.open(head, &conflicts, &games).await?;
        if !games.is_empty() {
            let board = self.board(head).await?;
            for (opponent, game) in &games {
                let player = self.players.entry(*opponent).or_insert_with(|| Player::new(self.own, *opponent));
                player.play(&board, game.game.clone(), head).await?;
            }
        }
        self.games = games;
        Ok(lost)
    }

    fn opponent(&self, game: &OngoingGame) -> Option<PublicKeyHash> {
        let own = game.stakers.player(&self.own)?;
        Some(game.stakers.staker(own.opponent()))
    }

    /// Tells the metrics of the games that run, but for one whose clock layer 1 does not tell: moves do not depend on it.
    pub(crate) async fn tell(&self, head: BlockRef) {
        if !self.node.metrics.are_wanted() {
            return;
        }
        let rollup = self.node.config.smart_rollup_address;
        let mut running = vec![];
        for (opponent, OngoingGame { game, stakers, .. }) in &self.games {
            let Ok(clock) = self.node.layer1.game_timeout(head, &rollup, stakers).await else { continue };
            let left = clock.map_or(0, |clock| {
                let left = match game.turn {
                    Side::Alice => clock.alice,
                    Side::Bob => clock.bob,
                };
                left.saturating_sub(head.level.since(clock.last_turn_level))
            });
            let turn = match stakers.staker(game.turn) == self.own {
                true => Turn::Own,
                false if left <= 0 => Turn::TimedOut,
                false => Turn::Theirs,
            };
            running.push(RunningGame { opponent: *opponent, start_level: game.start_level, turn, left });
        }
        self.node.metrics.note(|noted| noted.games = running);
    }

    /// Keeps the journal.
    async fn follow(
        &mut self,
        head: BlockRef,
        way: &Reorg,
        games: &HashMap<PublicKeyHash, OngoingGame>,
    ) -> Result<Vec<GameResult>, RefutationError> {
        if let Some(first) = way.old_chain.first() {
            self.journal.rewind(first.level)?;
        }
        for (opponent, game) in games {
            self.journal.expect(*opponent, &game.game)?;
        }
        let mut lost = vec![];
        if self.journal.has_running() {
            let rollup = self.node.config.smart_rollup_address;
            for block in &way.new_chain {
                let operations = self.node.layer1.operations(*block, MANAGER_PASS).await?;
                let ended = self.journal.note(block.level, rollup, &operations)?;
                lost.extend(ended.into_iter().filter(|result| match result {
                    GameResult::Loser { player, .. } => *player == self.own,
                    GameResult::Draw => true,
                }));
            }
        }
        let running: Vec<PublicKeyHash> = games.keys().copied().collect();
        self.journal.close(&running, head.level)?;
        for (opponent, game) in games {
            self.journal.catch_up(*opponent, &game.game, head.level)?;
        }
        Ok(lost)
    }

    /// Starts games on the conflicts that have none.
    async fn open(
        &mut self,
        head: BlockRef,
        conflicts: &[Conflict],
        games: &HashMap<PublicKeyHash, OngoingGame>,
    ) -> Result<(), RefutationError> {
        let constants = self.node.current_constants();
        let period = constants.rollup.commitment_period_in_blocks;
        let most = usize::try_from(constants.rollup.max_number_of_parallel_games).unwrap_or(usize::MAX);
        let ready = conflicts.iter().filter(|conflict| {
            !games.contains_key(&conflict.other) && head.level >= conflict.their_commitment.inbox_level.after(period)
        });
        for conflict in ready.take(most.saturating_sub(games.len())) {
            let (ours, theirs) = (conflict.our_commitment.hash(), conflict.their_commitment.hash());
            if self.told.insert((conflict.other, theirs)) {
                tracing::info!(
                    "A conflict has been found with our commitment {ours} at level {} with staker {} that has issued commitment {theirs}, both based on {}",
                    conflict.our_commitment.inbox_level,
                    conflict.other,
                    conflict.parent_commitment
                );
            }
            let refutation = Refutation::Start { player_commitment_hash: ours, opponent_commitment_hash: theirs };
            let rollup = self.node.config.smart_rollup_address;
            let start = Refute { rollup, opponent: conflict.other, refutation };
            match self.injectors.lock().await.add(OperationKind::Refute, start) {
                Ok(id) => self.starts.extend(id.map(|id| (conflict.other, id))),
                Err(full) => tracing::error!("Cannot start a game against {}: {full}", conflict.other),
            }
        }
        // the opponent may have been faster: our own start is then void
        let mut injectors = self.injectors.lock().await;
        self.starts.retain(|opponent, id| {
            let started = games.contains_key(opponent);
            if started {
                injectors.remove(OperationKind::Refute, id);
            }
            !started
        });
        Ok(())
    }

    /// What all players need at a head.
    async fn board(&self, head: BlockRef) -> Result<Arc<Board>, RefutationError> {
        let node = &self.node;
        let protocols = node.layer1.protocols(head).await?;
        let protocol = Protocol::from_hash(&protocols.next_protocol)
            .ok_or(RefutationError::Inconsistent("a protocol this node does not know"))?;
        let (rollup, genesis) = (node.config.smart_rollup_address, node.store.metadata().genesis_info);
        let constants = (*node.current_constants()).clone();
        let honest = NodeReveals::new(node.preimages.clone(), rollup, genesis.level, constants);
        let planned: Arc<dyn Reveals> = Arc::new(honest.clone().with_failures(&node.config.loser_mode));
        Ok(Arc::new(Board {
            layer1: node.layer1.clone(),
            rollup,
            evaluator: Evaluator {
                store: node.store.clone(),
                engine: Arc::clone(&node.engine),
                reveals: planned,
                loser_mode: node.config.loser_mode.clone(),
            },
            inputs: ProofInputs { store: node.store.clone(), reveals: Arc::new(honest), origination: genesis.level },
            rule: DissectionRule::of(PvmKind::Wasm200, protocol.wasm().ticks_per_snapshot),
            injectors: Arc::clone(&self.injectors),
            computing: Arc::clone(&self.computing),
        }))
    }
}
