//! Starting a game (`spec/protocol.md` §2.4, §5.3).

use super::{RunningGame, Timeout};
use crate::error::RollupError;
use crate::rollup::{Env, Rollup};
use num_bigint::BigUint;
use soru_tezos::hash::CommitmentHash;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::number::N;
use soru_tezos::rollup::{Commitment, DalSnapshot, DissectionChunk, Game, GameState, HistoryCell, Player, Stakers};

impl Rollup {
    /// Starts a game of `refuter` against `defender` over two commitments with the same predecessor. `inbox` and `dal` are
    /// the newest cells at the end of the block before.
    ///
    /// # Errors
    /// In the order of the protocol's checks; the rollup is then unchanged.
    pub fn start_game(
        &mut self,
        env: &Env<'_>,
        (refuter, refuter_commitment): (PublicKeyHash, CommitmentHash),
        (defender, defender_commitment): (PublicKeyHash, CommitmentHash),
        inbox: HistoryCell,
        dal: DalSnapshot,
    ) -> Result<(), RollupError> {
        let stakers = Stakers::new(refuter, defender);
        if self.games.contains_key(&stakers) {
            return Err(RollupError::GameAlreadyStarted);
        }
        self.check_available(env, stakers.alice())?;
        self.check_available(env, stakers.bob())?;
        let (_, defended) = self.check_conflict((refuter, refuter_commitment), (defender, defender_commitment))?;
        let parent = self.commitment(&defended.predecessor)?;
        let ticks = BigUint::from(u64::try_from(defended.number_of_ticks.0).unwrap_or(0));
        let chunk = |state_hash, tick| DissectionChunk { state_hash, tick: N(tick) };
        let dissection = vec![
            chunk(Some(parent.compressed_state), BigUint::ZERO),
            chunk(Some(defended.compressed_state), ticks.clone()),
            chunk(None, ticks + 1u8),
        ];
        let game = Game {
            turn: stakers.player(&refuter).unwrap_or(Player::Alice),
            inbox_snapshot: inbox,
            dal_snapshot: dal,
            start_level: env.level,
            inbox_level: defended.inbox_level,
            game_state: GameState::Dissecting {
                dissection,
                default_number_of_sections: env.constants.number_of_sections_in_dissection,
            },
        };
        let blocks = env.constants.timeout_period_in_blocks;
        let timeout = Timeout { alice: blocks, bob: blocks, last_turn_level: env.level };
        self.games.insert(stakers, RunningGame { game, timeout });
        Ok(())
    }

    /// What is checked when an operation that starts a game is validated: the conflict, and since 025 its age.
    ///
    /// # Errors
    /// The first rule broken.
    pub fn check_game_start(
        &self,
        env: &Env<'_>,
        refuter: (PublicKeyHash, CommitmentHash),
        defender: (PublicKeyHash, CommitmentHash),
    ) -> Result<(), RollupError> {
        let (_, defended) = self.check_conflict(refuter, defender)?;
        let commitment_period = env.constants.commitment_period_in_blocks;
        let earliest = defended.inbox_level.after(commitment_period);
        if env.protocol.delays_game_start() && env.level < earliest {
            return Err(RollupError::GameStartTooEarly {
                current_level: env.level,
                earliest,
                conflict_inbox_level: defended.inbox_level,
                commitment_period,
            });
        }
        Ok(())
    }

    fn check_available(&self, env: &Env<'_>, staker: PublicKeyHash) -> Result<(), RollupError> {
        self.staker(&staker)?;
        let games = self.games_of(&staker).count();
        if games >= usize::try_from(env.constants.max_number_of_parallel_games).unwrap_or(0) {
            return Err(RollupError::MaxParallelGames { staker });
        }
        Ok(())
    }

    fn check_conflict(
        &self,
        (refuter, refuter_hash): (PublicKeyHash, CommitmentHash),
        (defender, defender_hash): (PublicKeyHash, CommitmentHash),
    ) -> Result<(Commitment, Commitment), RollupError> {
        for (player, commitment) in [(refuter, refuter_hash), (defender, defender_hash)] {
            if !self.is_staked_on(&player, &commitment) {
                return Err(RollupError::WrongStakerForConflictCommitment { player, commitment });
            }
        }
        let attacking = *self.commitment(&refuter_hash)?;
        let defended = *self.commitment(&defender_hash)?;
        if refuter_hash == defender_hash {
            return Err(RollupError::NoConflict);
        }
        if attacking.predecessor != defended.predecessor {
            return Err(RollupError::NotValidCommitmentsConflict {
                commitment: refuter_hash,
                player: refuter,
                opponent_commitment: defender_hash,
                opponent: defender,
            });
        }
        Ok((attacking, defended))
    }

    /// The running games of a staker, with its opponents.
    pub fn games_of(&self, staker: &PublicKeyHash) -> impl Iterator<Item = (&Stakers, &RunningGame)> {
        self.games.iter().filter(|(stakers, _)| stakers.player(staker).is_some())
    }

    /// The running game of two stakers.
    ///
    /// # Errors
    /// When there is none.
    pub fn game(&self, stakers: &Stakers) -> Result<&RunningGame, RollupError> {
        self.games.get(stakers).ok_or(RollupError::NoGame)
    }
}
