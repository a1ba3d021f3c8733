//! What the node remembers of its games: who moved when, the dissections, how it ended. Written to the store, so that
//! `GET /local/refutations` tells of past games too.

use crate::store::{Flush, Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use soru_tezos::block::BlockOperation;
use soru_tezos::codec::Encode;
use soru_tezos::hash::{CommitmentHash, OperationHash, SmartRollupAddress};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::number::N;
use soru_tezos::operation::ManagerBody;
use soru_tezos::receipt::Applied;
use soru_tezos::rollup::{
    DissectionChunk, Game, GameResult, GameState, GameStatus, InputProof, LossReason, Refutation, Stakers, Step,
};
use soru_tezos::scalar::Level;

/// A game of this node's operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GameRecord {
    /// The operator.
    pub player: PublicKeyHash,
    /// Its opponent.
    pub opponent: PublicKeyHash,
    /// Level at which the game started.
    pub start_level: Level,
    /// Inbox level of the commitments it is about.
    pub inbox_level: Level,
    /// The moves, oldest first.
    pub moves: Vec<MoveRecord>,
    /// How it ended; nothing also when the node did not see it end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<GameResult>,
    /// The level at which it ended, or at which it was found to have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_level: Option<Level>,
}

impl GameRecord {
    /// Whether the game goes on.
    pub fn is_running(&self) -> bool {
        self.end_level.is_none()
    }
}

/// A move of either player.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MoveRecord {
    /// The block it is in.
    pub level: Level,
    /// Who made it.
    pub player: PublicKeyHash,
    /// The operation; nothing when the node only saw what it led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationHash>,
    /// The move.
    #[serde(flatten)]
    pub step: StepRecord,
}

/// What a move does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum StepRecord {
    /// Starts the game.
    Start {
        /// The commitment of who starts.
        player_commitment: CommitmentHash,
        /// The commitment attacked.
        opponent_commitment: CommitmentHash,
    },
    /// Cuts a section.
    Dissection {
        /// First tick of the section.
        choice: N,
        /// Its parts.
        dissection: Vec<DissectionChunk>,
    },
    /// Proves a tick.
    Proof {
        /// The tick.
        choice: N,
        /// Bytes of the proof of the step.
        pvm_step_bytes: usize,
        /// Bytes of the proof of its input.
        input_proof_bytes: usize,
        /// Kind of that proof.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        input_proof_kind: Option<String>,
    },
    /// Ends the game because a player is late.
    Timeout,
}

impl StepRecord {
    fn of(refutation: &Refutation) -> StepRecord {
        match refutation {
            Refutation::Start { player_commitment_hash, opponent_commitment_hash } => StepRecord::Start {
                player_commitment: *player_commitment_hash,
                opponent_commitment: *opponent_commitment_hash,
            },
            Refutation::Move { choice, step: Step::Dissection(dissection) } => {
                StepRecord::Dissection { choice: choice.clone(), dissection: dissection.clone() }
            }
            Refutation::Move { choice, step: Step::Proof(proof) } => StepRecord::Proof {
                choice: choice.clone(),
                pvm_step_bytes: proof.pvm_step.0.len(),
                input_proof_bytes: proof.input_proof.as_ref().map_or(0, |input| input.to_bytes().len()),
                input_proof_kind: proof.input_proof.as_ref().map(input_proof_kind),
            },
        }
    }

    /// One line about it.
    pub fn describe(&self) -> String {
        match self {
            StepRecord::Start { player_commitment, opponent_commitment } => {
                format!("start, commitment {player_commitment} against {opponent_commitment}")
            }
            StepRecord::Dissection { choice, dissection } => {
                let (sections, last) = (dissection.len().saturating_sub(1), dissection.last());
                let last = last.map_or_else(String::new, |chunk| chunk.tick.to_string());
                format!("dissection of ticks {choice} to {last} into {sections} sections")
            }
            StepRecord::Proof { choice, pvm_step_bytes, input_proof_bytes, input_proof_kind } => {
                let input = input_proof_kind.as_ref().map_or_else(
                    || "no input".to_owned(),
                    |kind| format!("{kind} of {input_proof_bytes} bytes").replace('_', " "),
                );
                format!("proof of tick {choice}, {pvm_step_bytes} bytes, {input}")
            }
            StepRecord::Timeout => "the opponent is late".to_owned(),
        }
    }
}

/// The name of a kind of input proof, as the protocol writes it.
fn input_proof_kind(proof: &InputProof) -> String {
    let json = serde_json::to_value(proof).unwrap_or(Value::Null);
    let kind = json["reveal_proof"]["reveal_proof_kind"].as_str().or(json["input_proof_kind"].as_str());
    kind.unwrap_or_default().to_owned()
}

/// How a loss is called in messages.
pub fn describe_result(result: &GameResult) -> &'static str {
    match result {
        GameResult::Loser { reason: LossReason::ConflictResolved, .. } => "conflict resolved",
        GameResult::Loser { reason: LossReason::Timeout, .. } => "timeout",
        GameResult::Draw => "draw",
    }
}

/// All games of an operator.
pub(super) struct Journal {
    store: Store,
    player: PublicKeyHash,
    games: Vec<GameRecord>,
}

impl Journal {
    /// The games the store tells of.
    pub(super) fn open(store: Store, player: PublicKeyHash) -> Result<Journal, StoreError> {
        let games = of_store(&store)?.into_iter().filter(|game| game.player == player).collect();
        Ok(Journal { store, player, games })
    }

    /// Whether a game is not known to have ended.
    pub(super) fn has_running(&self) -> bool {
        self.games.iter().any(GameRecord::is_running)
    }

    /// Forgets what happened from a level on: its blocks left the chain.
    pub(super) fn rewind(&mut self, level: Level) -> Result<(), StoreError> {
        let (gone, kept) = std::mem::take(&mut self.games).into_iter().partition(|game| game.start_level >= level);
        self.games = kept;
        for game in gone as Vec<GameRecord> {
            let batch = self.store.begin(Flush::Now)?;
            batch.remove_game(&key(&game))?;
            batch.commit()?;
        }
        let affected = |game: &GameRecord| {
            game.end_level.is_some_and(|end| end >= level) || game.moves.iter().any(|made| made.level >= level)
        };
        for game in self.games.iter_mut().filter(|game| affected(game)) {
            game.moves.retain(|made| made.level < level);
            if game.end_level.is_some_and(|end| end >= level) {
                (game.result, game.end_level) = (None, None);
            }
            save(&self.store, game)?;
        }
        Ok(())
    }

    /// Makes sure that a running game is known.
    pub(super) fn expect(&mut self, opponent: PublicKeyHash, game: &Game) -> Result<(), StoreError> {
        let known = |known: &&mut GameRecord| known.opponent == opponent && known.start_level == game.start_level;
        if self.games.iter_mut().find(known).is_none() {
            let record = GameRecord {
                player: self.player,
                opponent,
                start_level: game.start_level,
                inbox_level: game.inbox_level,
                moves: vec![],
                result: None,
                end_level: None,
            };
            save(&self.store, &record)?;
            self.games.push(record);
        }
        Ok(())
    }

    /// Notes the moves of a block. Gives the games of it that ended.
    pub(super) fn note(
        &mut self,
        level: Level,
        rollup: SmartRollupAddress,
        operations: &[BlockOperation],
    ) -> Result<Vec<GameResult>, StoreError> {
        let mut ended = vec![];
        let receipts =
            operations.iter().flat_map(|operation| operation.managers().map(|shown| (operation.hash, shown)));
        for (operation, receipt) in receipts {
            let result = receipt.metadata.as_ref().and_then(|metadata| metadata.operation_result.applied());
            let Some(Applied::SmartRollupGame(result)) = result else { continue };
            let source = receipt.operation.source;
            let (stakers, step) = match &receipt.operation.body {
                ManagerBody::SmartRollupRefute(refute) if refute.rollup == rollup => {
                    (Stakers::new(source, refute.opponent), StepRecord::of(&refute.refutation))
                }
                ManagerBody::SmartRollupTimeout(timeout) if timeout.rollup == rollup => {
                    (timeout.stakers, StepRecord::Timeout)
                }
                _ => continue,
            };
            let Some(player) = stakers.player(&self.player) else { continue };
            let opponent = stakers.staker(player.opponent());
            let made = MoveRecord { level, player: source, operation: Some(operation), step };
            ended.extend(self.add(opponent, made, &result.game_status)?);
        }
        Ok(ended)
    }

    fn add(
        &mut self,
        opponent: PublicKeyHash,
        made: MoveRecord,
        status: &GameStatus,
    ) -> Result<Option<GameResult>, StoreError> {
        let running =
            |game: &&mut GameRecord| game.opponent == opponent && game.is_running() && game.start_level <= made.level;
        let Some(game) = self.games.iter_mut().rev().find(running) else { return Ok(None) };
        if game.moves.contains(&made) {
            return Ok(None);
        }
        let who = if made.player == self.player { "we" } else { "they" };
        tracing::info!("Game against {opponent}: {who} moved at level {}: {}", made.level, made.step.describe());
        let level = made.level;
        game.moves.push(made);
        let result = match status {
            GameStatus::Ongoing => None,
            GameStatus::Ended(result) => {
                let won = matches!(result, GameResult::Loser { player, .. } if *player == opponent);
                let word = if won { "won" } else { "lost" };
                let reason = describe_result(result);
                tracing::info!("Game against {opponent}: {word} at level {level} ({reason})");
                (game.result, game.end_level) = (Some(*result), Some(level));
                Some(*result)
            }
        };
        save(&self.store, game)?;
        Ok(result)
    }

    /// Ends the games that layer 1 no longer has at a level, though nobody was seen to end them.
    pub(super) fn close(&mut self, running: &[PublicKeyHash], level: Level) -> Result<(), StoreError> {
        let over = |game: &&mut GameRecord| game.is_running() && !running.contains(&game.opponent);
        for game in self.games.iter_mut().filter(over) {
            game.end_level = Some(level);
            save(&self.store, game)?;
        }
        Ok(())
    }

    /// Notes where a running game stands, if a move was missed: the node was not running.
    pub(super) fn catch_up(&mut self, opponent: PublicKeyHash, game: &Game, level: Level) -> Result<(), StoreError> {
        let GameState::Dissecting { dissection, .. } = &game.game_state else { return Ok(()) };
        let known = |known: &&mut GameRecord| known.opponent == opponent && known.start_level == game.start_level;
        let Some(record) = self.games.iter_mut().find(known) else { return Ok(()) };
        let last = record.moves.iter().rev().find_map(|made| match &made.step {
            StepRecord::Dissection { dissection, .. } => Some(dissection),
            _ => None,
        });
        let (Some(first), true) = (dissection.first(), last != Some(dissection)) else { return Ok(()) };
        // what a game starts with was made by nobody
        if last.is_none() && first.tick.0.to_bytes_le() == [0] && dissection.len() == 3 {
            return Ok(());
        }
        let mover = Stakers::new(self.player, opponent).staker(game.turn.opponent());
        let step = StepRecord::Dissection { choice: first.tick.clone(), dissection: dissection.clone() };
        record.moves.push(MoveRecord { level, player: mover, operation: None, step });
        save(&self.store, record)
    }
}

/// By start level first, so that games are listed in the order of their starts.
fn key(game: &GameRecord) -> Vec<u8> {
    let mut key = game.start_level.0.to_be_bytes().to_vec();
    game.player.encode(&mut key);
    game.opponent.encode(&mut key);
    key
}

fn save(store: &Store, game: &GameRecord) -> Result<(), StoreError> {
    let json = serde_json::to_vec(game).map_err(|e| StoreError::Metadata { reason: e.to_string() })?;
    let batch = store.begin(Flush::Now)?;
    batch.put_game(&key(game), &json)?;
    batch.commit()
}

/// All games that a store tells of, by the level at which they started.
///
/// # Errors
/// When the store fails, or holds what is no game.
pub fn of_store(store: &Store) -> Result<Vec<GameRecord>, StoreError> {
    let read = |json: &Vec<u8>| {
        serde_json::from_slice(json).map_err(|e| StoreError::Metadata { reason: format!("a game: {e}") })
    };
    store.games()?.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use soru_tezos::rollup::GenesisInfo;
    use std::io::Read;
    use std::path::Path;

    /// The blocks of a recorded game, as far as they hold operations of rollups.
    fn blocks() -> Vec<(Level, BlockOperation)> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/s3_game_inbox_3_0_0/moves.jsonl.gz");
        let mut text = String::new();
        flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .map(|line| {
                let level = Level(line["level"].as_i64().unwrap() as i32);
                (level, serde_json::from_value(line["operation"].clone()).unwrap())
            })
            .collect()
    }

    fn game(start: i32) -> Game {
        let cell = json_of(
            r#"{"index":"0","content":{"hash":"srib23GRaxgXnc7uZYP3EyuuWCmeZEfMuTQZw8ZS79PFzqTZMUyqDSs","level":22},"back_pointers":[]}"#,
        );
        let dal = r#"{"kind":"dal_skip_list","skip_list":{"index":"0","content":{"kind":"unpublished","attestation_lag":0,"level":22,"index":15},"back_pointers":[]}}"#;
        let state = r#"{"kind":"Dissecting","dissection":[],"default_number_of_sections":32}"#;
        serde_json::from_value(serde_json::json!({
            "turn": "bob", "inbox_snapshot": cell, "dal_snapshot": json_of(dal), "start_level": start,
            "inbox_level": 12, "game_state": json_of(state)
        }))
        .unwrap()
    }

    fn json_of(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    /// A recorded game, then a reorganisation that takes its end back, then the same end again.
    #[test]
    fn a_recorded_game_and_a_reorganisation() {
        let (honest, loser) = ("tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx", "tz1gjaF81ZRRvdzjobyfVNsAeSC6PScjfQwN");
        let (own, opponent): (PublicKeyHash, PublicKeyHash) = (honest.parse().unwrap(), loser.parse().unwrap());
        let rollup: SmartRollupAddress = "sr1CQjoGispRhTYkRpsHFk3LgQ6YqTY6oc3v".parse().unwrap();
        let data = tempfile::tempdir().unwrap();
        let genesis = GenesisInfo { level: Level(2), commitment_hash: CommitmentHash([0; 32]) };
        let store = Store::open(data.path(), rollup, genesis, None).unwrap();
        let mut journal = Journal::open(store.clone(), own).unwrap();
        journal.expect(opponent, &game(23)).unwrap();
        let note_from = |journal: &mut Journal, from: i32| {
            let blocks = blocks().into_iter().filter(|(level, _)| level.0 >= from);
            blocks.flat_map(|(level, operation)| journal.note(level, rollup, &[operation]).unwrap()).collect::<Vec<_>>()
        };
        let result = GameResult::Loser { reason: LossReason::ConflictResolved, player: opponent };
        assert_eq!(note_from(&mut journal, 0), [result]);
        let recorded = of_store(&store).unwrap();
        assert_eq!((recorded.len(), recorded[0].moves.len(), recorded[0].result), (1, 13, Some(result)));
        assert_eq!(recorded[0].end_level, Some(Level(45)));
        assert!(matches!(recorded[0].moves[0].step, StepRecord::Start { .. }));
        let last = recorded[0].moves.last().unwrap().step.describe();
        assert!(last.starts_with("proof of tick 0, 433 bytes, first input"), "{last}");
        assert!(!journal.has_running());

        journal.rewind(Level(44)).unwrap();
        assert!(journal.has_running());
        assert_eq!(of_store(&store).unwrap()[0].moves.len(), 11);
        assert_eq!(note_from(&mut journal, 44), [result]);
        assert_eq!(of_store(&store).unwrap(), recorded);

        // a start that leaves the chain takes the game with it
        journal.rewind(Level(23)).unwrap();
        assert_eq!(of_store(&store).unwrap(), []);
    }
}
