//! Refutation games: the operations that start, play and end them (`spec/protocol.md` §5). A move's proof is verified from the
//! bytes of the operation alone.

use super::Ledger;
use super::content::{Outcome, Run};
use super::rollup::{env, refused};
use soru_protocol::RollupError;
use soru_protocol::game::{Move, Moved, ProofContext};
use soru_protocol::gas::{self, Work};
use soru_protocol::pvm::WasmSteps;
use soru_tezos::hash::SmartRollupAddress;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::operation::{ManagerBody, Operation, Refute, Timeout};
use soru_tezos::receipt::{Applied, GameOperationResult};
use soru_tezos::rollup::{GameStatus, Refutation};
use soru_tezos::rpc_error::Trace;
use soru_tezos::scalar::Level;

/// The check made when an operation is validated for a block at `level`: a game is about commitments in conflict, and
/// since 025 about an inbox level that is old enough.
pub(super) fn check_refute(ledger: &Ledger, level: Level, source: PublicKeyHash, refute: &Refute) -> Result<(), Trace> {
    let Refutation::Start { player_commitment_hash, opponent_commitment_hash } = &refute.refutation else {
        return Ok(());
    };
    let (refuter, defender) = ((source, *player_commitment_hash), (refute.opponent, *opponent_commitment_hash));
    let checked = match ledger.rollups.get(&refute.rollup) {
        Some(rollup) => rollup.check_game_start(&env(ledger.protocol, &ledger.constants, level), refuter, defender),
        // the reference looks for the stakers, not for the rollup
        None => Err(RollupError::WrongStakerForConflictCommitment { player: source, commitment: refuter.1 }),
    };
    checked.map_err(refused)
}

/// The check of who makes a block, besides the rules: what fails it stays in the mempool (`spec/protocol.md` Appendix D.2).
pub(super) fn check_in_block(ledger: &Ledger, operation: &Operation) -> Result<(), Trace> {
    for content in &operation.contents {
        if let ManagerBody::SmartRollupRefute(refute) = &content.body
            && let Refutation::Move { choice, step } = &refute.refutation
            && let Some(rollup) = ledger.rollups.get(&refute.rollup)
        {
            let played = Move { player: content.source, opponent: refute.opponent, choice, step };
            rollup.check_move_in_block(&played).map_err(refused)?;
        }
    }
    Ok(())
}

impl Run<'_> {
    pub(super) fn refute(&mut self, source: PublicKeyHash, refute: &Refute) -> Outcome {
        let opponent = refute.opponent;
        let moved = match &refute.refutation {
            Refutation::Start { player_commitment_hash, opponent_commitment_hash } => {
                let inbox = self.ledger.inbox.old_levels_messages.clone();
                let dal = self.ledger.dal.clone();
                let (refuter, defender) = ((source, *player_commitment_hash), (opponent, *opponent_commitment_hash));
                self.with_rollup(
                    &refute.rollup,
                    |rollup, env| rollup.start_game(env, refuter, defender, inbox, dal),
                    |()| &[],
                )?;
                Moved { game_status: GameStatus::Ongoing, balance_updates: Vec::new(), work: Work::StartGame }
            }
            Refutation::Move { choice, step } => {
                self.check_any_game(&refute.rollup)?;
                let constants = self.ledger.constants.clone();
                let reveals = constants.rollup.reveals_under(self.ledger.protocol);
                let context = ProofContext { reveals: &reveals, dal: &constants.dal };
                let played = Move { player: source, opponent, choice, step };
                self.with_rollup(
                    &refute.rollup,
                    |rollup, env| rollup.play(env, &played, &context, &WasmSteps),
                    |moved| &moved.balance_updates,
                )?
            }
        };
        self.game_result(moved)
    }

    /// On an unknown rollup the reference finds no game, rather than no rollup.
    fn check_any_game(&self, rollup: &SmartRollupAddress) -> Result<(), Trace> {
        let known = self.ledger.rollups.contains_key(rollup);
        if known { Ok(()) } else { Err(refused(RollupError::NoGame)) }
    }

    pub(super) fn time_out(&mut self, timeout: &Timeout) -> Outcome {
        self.check_any_game(&timeout.rollup)?;
        let ended = self.with_rollup(
            &timeout.rollup,
            |rollup, env| rollup.time_out(env, timeout.stakers),
            |ended| &ended.balance_updates,
        )?;
        self.game_result(ended)
    }

    fn game_result(&mut self, moved: Moved) -> Outcome {
        self.gas.consume(gas::work(moved.work))?;
        let Moved { game_status, balance_updates, .. } = moved;
        let result = GameOperationResult { consumed_milligas: Default::default(), game_status, balance_updates };
        Ok((Applied::SmartRollupGame(result), Vec::new()))
    }
}
