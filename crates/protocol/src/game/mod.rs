//! Refutation games (`spec/protocol.md` §5): start, moves, timeouts, and what they cost.

mod dissection;
mod play;
mod proof;
mod start;

pub use dissection::{DissectionRule, check_dissection, honest_ticks};
pub use play::{Move, Moved, TimedOut};
pub use proof::{Ends, Input, InputError, Metadata, ProofContext, StepProofs};

use serde::{Deserialize, Serialize};
use soru_tezos::binary_struct;
use soru_tezos::rollup::{Game, Player};
use soru_tezos::scalar::Level;

/// A game with the clocks of its players.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningGame {
    /// The game.
    pub game: Game,
    /// The clocks.
    pub timeout: Timeout,
}

binary_struct!(RunningGame { game, timeout });

/// Blocks each player has left for all its moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeout {
    /// Blocks left to Alice when the last move was made.
    pub alice: i32,
    /// Blocks left to Bob then.
    pub bob: i32,
    /// Level of the last move.
    pub last_turn_level: Level,
}

binary_struct!(Timeout { alice, bob, last_turn_level });

impl Timeout {
    /// Blocks left to a player.
    pub fn left(&self, player: Player) -> i32 {
        match player {
            Player::Alice => self.alice,
            Player::Bob => self.bob,
        }
    }

    /// The clocks after a move of `player` at `level`.
    #[must_use]
    pub fn after_move(&self, player: Player, level: Level) -> Timeout {
        let left = self.left(player).saturating_sub(level.since(self.last_turn_level));
        match player {
            Player::Alice => Timeout { alice: left, last_turn_level: level, ..*self },
            Player::Bob => Timeout { bob: left, last_turn_level: level, ..*self },
        }
    }
}
