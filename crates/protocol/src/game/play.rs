//! Moves and timeouts, and what the end of a game costs (`spec/protocol.md` §5.4, §5.8, §5.9).

use super::RunningGame;
use super::dissection::{DissectionRule, check_dissection};
use super::proof::{ProofContext, Referee, StepProofs};
use crate::error::RollupError;
use crate::gas::Work;
use crate::rollup::{Env, Rollup};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::number::N;
use soru_tezos::receipt::BalanceUpdate;
use soru_tezos::rollup::{DissectionChunk, Game, GameResult, GameState, GameStatus, LossReason, Stakers, Step};

/// A move of a player.
#[derive(Debug, Clone, Copy)]
pub struct Move<'a> {
    /// Who makes it.
    pub player: PublicKeyHash,
    /// Against whom.
    pub opponent: PublicKeyHash,
    /// First tick of the section that is refused.
    pub choice: &'a N,
    /// A finer dissection of it, or the proof of its only tick.
    pub step: &'a Step,
}

/// What a move did.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    /// Whether the game goes on.
    pub game_status: GameStatus,
    /// What its end cost.
    pub balance_updates: Vec<BalanceUpdate>,
    /// What the move cost.
    pub work: Work,
}

/// What a timeout did: the same as a last move.
pub type TimedOut = Moved;

/// What one move makes of a game.
enum Next {
    Goes(GameState),
    Ends(GameResult),
}

impl Rollup {
    /// Plays a move.
    ///
    /// # Errors
    /// When the move is none: the rollup is then unchanged, and the player has another try.
    pub fn play(
        &mut self,
        env: &Env<'_>,
        played: &Move<'_>,
        context: &ProofContext<'_>,
        proofs: &impl StepProofs,
    ) -> Result<Moved, RollupError> {
        let stakers = Stakers::new(played.player, played.opponent);
        let running = self.game(&stakers)?.clone();
        let turn = running.game.turn;
        if played.player != stakers.staker(turn) {
            return Err(RollupError::WrongTurn);
        }
        if let Some(result) = self.forfeited(&stakers) {
            return Ok(self.end_game(env, stakers, result, Work::Timeout));
        }
        let rule = DissectionRule::of(self.kind, env.protocol.wasm().ticks_per_snapshot);
        let referee = Referee { rollup: self, game: &running.game, context, proofs };
        let next = referee.judge(rule, played.opponent, played)?;
        let work = work(&running.game, played.step, matches!(next, Next::Ends(_)));
        match next {
            Next::Ends(result) => Ok(self.end_game(env, stakers, result, work)),
            Next::Goes(game_state) => {
                let game = Game { turn: turn.opponent(), game_state, ..running.game };
                let timeout = running.timeout.after_move(turn, env.level);
                self.games.insert(stakers, RunningGame { game, timeout });
                Ok(Moved { game_status: GameStatus::Ongoing, balance_updates: Vec::new(), work })
            }
        }
    }

    /// What producers and validators of blocks ask of a move besides the rules: no proof about a section of more than one tick,
    /// which proves nothing and would leave the opponent no better answer than a draw (`spec/protocol.md` Appendix D.2).
    ///
    /// # Errors
    /// For such a proof; anything else is left to [`Rollup::play`].
    pub fn check_move_in_block(&self, played: &Move<'_>) -> Result<(), RollupError> {
        let running = self.games.get(&Stakers::new(played.player, played.opponent));
        if let (Step::Proof(_), Some(GameState::Dissecting { dissection, .. })) =
            (played.step, running.map(|running| &running.game.game_state))
            && let Ok((start, stop)) = section(dissection, played.choice)
            && stop.tick.0 > &start.tick.0 + 1u8
        {
            return Err(RollupError::ProofOnMultiTickSection { distance: N(&stop.tick.0 - &start.tick.0) });
        }
        Ok(())
    }

    /// The end of a game that a player can no longer play, having lost its bond in another.
    fn forfeited(&self, stakers: &Stakers) -> Option<GameResult> {
        let lost = |player| GameResult::Loser { reason: LossReason::ConflictResolved, player };
        match (self.is_staker(&stakers.alice()), self.is_staker(&stakers.bob())) {
            (true, true) => None,
            (false, true) => Some(lost(stakers.alice())),
            (true, false) => Some(lost(stakers.bob())),
            (false, false) => Some(GameResult::Draw),
        }
    }

    /// How the game ends if a timeout is claimed in this block.
    ///
    /// # Errors
    /// When there is no game, or its player still has time.
    pub fn timeout_result(&self, env: &Env<'_>, stakers: &Stakers) -> Result<GameResult, RollupError> {
        let running = self.game(stakers)?;
        let turn = running.game.turn;
        let deadline = running.timeout.last_turn_level.after(running.timeout.left(turn));
        if env.level <= deadline {
            let blocks_left = deadline.since(env.level);
            return Err(RollupError::TimeoutLevelNotReached { blocks_left, staker: stakers.staker(turn) });
        }
        Ok(match running.game.game_state {
            GameState::Dissecting { .. } => {
                GameResult::Loser { reason: LossReason::Timeout, player: stakers.staker(turn) }
            }
            GameState::FinalMove { .. } => GameResult::Draw,
        })
    }

    /// Ends a game whose player ran out of time.
    ///
    /// # Errors
    /// As [`Rollup::timeout_result`].
    pub fn time_out(&mut self, env: &Env<'_>, stakers: Stakers) -> Result<TimedOut, RollupError> {
        let result = self.timeout_result(env, &stakers)?;
        Ok(self.end_game(env, stakers, result, Work::Timeout))
    }

    /// Removes a game, takes the bonds of those who lost and rewards the winner.
    fn end_game(&mut self, env: &Env<'_>, stakers: Stakers, result: GameResult, work: Work) -> Moved {
        self.games.remove(&stakers);
        let balance_updates = match result {
            GameResult::Loser { player, .. } => {
                let winner = if player == stakers.alice() { stakers.bob() } else { stakers.alice() };
                let mut updates = self.slash(player);
                if !updates.is_empty() {
                    updates.extend(Rollup::reward(env, winner));
                }
                updates
            }
            GameResult::Draw => {
                let mut updates = self.slash(stakers.alice());
                updates.extend(self.slash(stakers.bob()));
                updates
            }
        };
        Moved { game_status: GameStatus::Ended(result), balance_updates, work }
    }
}

/// What it costs to judge a step.
fn work(game: &Game, step: &Step, ends: bool) -> Work {
    let before = match &game.game_state {
        GameState::Dissecting { dissection, .. } => dissection.len() as u64,
        GameState::FinalMove { .. } => 2,
    };
    match step {
        Step::Dissection(chunks) => {
            let states = chunks.iter().filter(|chunk| chunk.state_hash.is_some()).count() as u64;
            Work::Dissect { chunks: chunks.len() as u64, states, before }
        }
        Step::Proof(_) => Work::Prove { ends },
    }
}

/// The section of a dissection that starts at `choice`.
fn section<'a>(
    dissection: &'a [DissectionChunk],
    choice: &N,
) -> Result<(&'a DissectionChunk, &'a DissectionChunk), RollupError> {
    dissection
        .windows(2)
        .find(|pair| pair[0].tick == *choice)
        .map(|pair| (&pair[0], &pair[1]))
        .ok_or_else(|| RollupError::DissectionChoiceNotFound { choice: choice.clone() })
}

impl<P: StepProofs> Referee<'_, P> {
    /// What a move makes of the game; `loser` is the player who did not make it.
    fn judge(&self, rule: DissectionRule, loser: PublicKeyHash, played: &Move<'_>) -> Result<Next, RollupError> {
        let won = || Next::Ends(GameResult::Loser { reason: LossReason::ConflictResolved, player: loser });
        match (played.step, &self.game.game_state) {
            (Step::Dissection(chunks), GameState::Dissecting { dissection, default_number_of_sections }) => {
                let (start, stop) = section(dissection, played.choice)?;
                check_dissection(rule, *default_number_of_sections, start, stop, chunks)?;
                Ok(Next::Goes(GameState::Dissecting {
                    dissection: chunks.clone(),
                    default_number_of_sections: *default_number_of_sections,
                }))
            }
            (Step::Dissection(_), GameState::FinalMove { .. }) => Err(RollupError::DissectingDuringFinalMove),
            (Step::Proof(proof), GameState::Dissecting { dissection, .. }) => {
                let (start, stop) = section(dissection, played.choice)?;
                let ends = self.ends(proof)?;
                let one_tick = stop.tick.0 == &start.tick.0 + 1u8;
                if one_tick && self.holds(true, (start, stop), proof, ends) {
                    return Ok(won());
                }
                Ok(Next::Goes(GameState::FinalMove {
                    agreed_start_chunk: start.clone(),
                    refuted_stop_chunk: stop.clone(),
                }))
            }
            (Step::Proof(proof), GameState::FinalMove { agreed_start_chunk, refuted_stop_chunk }) => {
                let ends = self.ends(proof)?;
                let holds = self.holds(false, (agreed_start_chunk, refuted_stop_chunk), proof, ends);
                Ok(if holds { won() } else { Next::Ends(GameResult::Draw) })
            }
        }
    }
}
