//! The state of a refutation game as the layer 1 stores and shows it (`spec/protocol.md` §5.1, §2.5).

use super::{DalSnapshot, HistoryCell};
use crate::binary_struct;
use crate::codec::{Decode, Decoded, Encode, Problem, Reader};
use crate::hash::StateHash;
use crate::key::PublicKeyHash;
use crate::number::N;
use crate::scalar::Level;
use serde::{Deserialize, Serialize};

/// The two players of a game, in order: by scheme of the key, then by hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "RawStakers")]
pub struct Stakers {
    /// The smaller.
    alice: PublicKeyHash,
    /// The larger.
    bob: PublicKeyHash,
}

#[derive(Deserialize)]
struct RawStakers {
    alice: PublicKeyHash,
    bob: PublicKeyHash,
}

impl From<RawStakers> for Stakers {
    fn from(raw: RawStakers) -> Self {
        Stakers::new(raw.alice, raw.bob)
    }
}

impl Stakers {
    /// The pair of two players, whichever comes first.
    pub fn new(one: PublicKeyHash, other: PublicKeyHash) -> Self {
        Stakers { alice: one.min(other), bob: one.max(other) }
    }

    /// The player called Alice.
    pub fn alice(&self) -> PublicKeyHash {
        self.alice
    }

    /// The player called Bob.
    pub fn bob(&self) -> PublicKeyHash {
        self.bob
    }

    /// The player behind a name.
    pub fn staker(&self, player: Player) -> PublicKeyHash {
        match player {
            Player::Alice => self.alice,
            Player::Bob => self.bob,
        }
    }

    /// The name of a player of this game.
    pub fn player(&self, staker: &PublicKeyHash) -> Option<Player> {
        if *staker == self.alice {
            Some(Player::Alice)
        } else if *staker == self.bob {
            Some(Player::Bob)
        } else {
            None
        }
    }
}

impl Encode for Stakers {
    fn encode(&self, out: &mut Vec<u8>) {
        self.alice.encode(out);
        self.bob.encode(out);
    }
}

impl Decode for Stakers {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let alice = reader.field("alice", Decode::decode)?;
        Ok(Stakers::new(alice, reader.field("bob", Decode::decode)?))
    }
}

/// One of the two players.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Player {
    /// The smaller key hash.
    Alice,
    /// The larger key hash.
    Bob,
}

impl Player {
    /// The other player.
    pub fn opponent(self) -> Player {
        match self {
            Player::Alice => Player::Bob,
            Player::Bob => Player::Alice,
        }
    }
}

impl Encode for Player {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Player::Alice => 0,
            Player::Bob => 1,
        });
    }
}

impl Decode for Player {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        match reader.tag("player", &["Alice", "Bob"])? {
            0 => Ok(Player::Alice),
            1 => Ok(Player::Bob),
            tag => Err(at.error("player", Problem::Tag(tag))),
        }
    }
}

/// A claimed state at a tick; no state: the machine is blocked before it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DissectionChunk {
    /// The state.
    #[serde(rename = "state", default, skip_serializing_if = "Option::is_none")]
    pub state_hash: Option<StateHash>,
    /// Ticks since the agreed commitment.
    pub tick: N,
}

binary_struct!(DissectionChunk { state_hash, tick });

/// How far a game has come.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum GameState {
    /// The players narrow down the first tick they disagree on.
    Dissecting {
        /// The dissection on the table.
        dissection: Vec<DissectionChunk>,
        /// Sections a full dissection has.
        default_number_of_sections: u8,
    },
    /// One player's proof did not convince; the other has the last word.
    #[serde(rename = "Final_move")]
    FinalMove {
        /// The chunk both agree on.
        agreed_start_chunk: DissectionChunk,
        /// The chunk that was refused.
        refuted_stop_chunk: DissectionChunk,
    },
}

impl Encode for GameState {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            GameState::Dissecting { dissection, default_number_of_sections } => {
                out.push(0);
                dissection.encode(out);
                out.push(*default_number_of_sections);
            }
            GameState::FinalMove { agreed_start_chunk, refuted_stop_chunk } => {
                out.push(1);
                agreed_start_chunk.encode(out);
                refuted_stop_chunk.encode(out);
            }
        }
    }
}

impl Decode for GameState {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        Ok(match reader.tag("game state", &["Dissecting", "Final_move"])? {
            0 => GameState::Dissecting {
                dissection: reader.field("dissection", Decode::decode)?,
                default_number_of_sections: reader
                    .field("default_number_of_sections", |reader| reader.byte("number of sections"))?,
            },
            1 => GameState::FinalMove {
                agreed_start_chunk: reader.field("agreed_start_chunk", Decode::decode)?,
                refuted_stop_chunk: reader.field("refuted_stop_chunk", Decode::decode)?,
            },
            tag => return Err(at.error("game state", Problem::Tag(tag))),
        })
    }
}

/// A running game.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Game {
    /// Who has to move.
    pub turn: Player,
    /// Newest cell of the inbox's history when the game started.
    pub inbox_snapshot: HistoryCell,
    /// The same for DAL slots.
    pub dal_snapshot: DalSnapshot,
    /// Level at which the game started.
    pub start_level: Level,
    /// Inbox level of the attacked commitment.
    pub inbox_level: Level,
    /// How far it has come.
    pub game_state: GameState,
}

binary_struct!(Game { turn, inbox_snapshot, dal_snapshot, start_level, inbox_level, game_state });

/// Why a player lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossReason {
    /// By a proof, or because it was no longer bonded.
    ConflictResolved,
    /// It did not move in time.
    Timeout,
}

/// How a game ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum GameResult {
    /// One player lost.
    Loser {
        /// Why.
        reason: LossReason,
        /// Who.
        player: PublicKeyHash,
    },
    /// Both lost.
    Draw,
}

/// The state of a game in a receipt: `"ongoing"` or `{"result":…}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GameStatus {
    /// It goes on.
    Ongoing,
    /// It ended.
    #[serde(rename = "result")]
    Ended(GameResult),
}
