//! What the operations of a block mean to the rollup besides messages (`spec/node.md` §4.6).

use soru_pvm::output_proof::verify_output_proof;
use soru_tezos::block::Block;
use soru_tezos::hash::{CommitmentHash, OperationHash, SmartRollupAddress};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::operation::ManagerBody;
use soru_tezos::receipt::{Applied, ManagerReceipt};
use soru_tezos::rollup::{Commitment, GameResult, GameStatus, Stakers, WhitelistUpdate};
use soru_tezos::scalar::Level;

/// An applied operation on the rollup.
#[derive(Debug, Clone, PartialEq)]
pub enum RollupEvent {
    /// A commitment was published.
    Published {
        /// Who staked on it.
        staker: PublicKeyHash,
        /// Its hash.
        hash: CommitmentHash,
        /// The commitment.
        commitment: Commitment,
        /// Level of its first publication.
        first_level: Level,
    },
    /// A commitment was cemented.
    Cemented {
        /// Its hash.
        hash: CommitmentHash,
        /// Its inbox level.
        level: Level,
    },
    /// An outbox message was executed.
    Executed {
        /// Its outbox level.
        level: Level,
        /// Its index.
        index: u32,
        /// What it changed of the whitelist.
        whitelist_update: Option<WhitelistUpdate>,
    },
    /// A game ended.
    GameEnded {
        /// The players.
        stakers: Stakers,
        /// Who lost.
        result: GameResult,
    },
    /// A staker got its bond back.
    Recovered {
        /// The staker.
        staker: PublicKeyHash,
    },
}

/// The applied operations on a rollup, in order.
pub fn of_rollup(block: &Block, rollup: SmartRollupAddress) -> Vec<RollupEvent> {
    let receipts = block.manager_operations().iter().flat_map(|operation| operation.managers());
    receipts.filter_map(|receipt| event(receipt, rollup)).collect()
}

fn event(receipt: &ManagerReceipt, rollup: SmartRollupAddress) -> Option<RollupEvent> {
    let applied = receipt.metadata.as_ref()?.operation_result.applied()?;
    let source = receipt.operation.source;
    match (&receipt.operation.body, applied) {
        (ManagerBody::SmartRollupPublish(publish), Applied::SmartRollupPublish(result)) if publish.rollup == rollup => {
            Some(RollupEvent::Published {
                staker: source,
                hash: result.staked_hash,
                commitment: publish.commitment,
                first_level: result.published_at_level,
            })
        }
        (ManagerBody::SmartRollupCement(cement), Applied::SmartRollupCement(result)) if cement.rollup == rollup => {
            Some(RollupEvent::Cemented { hash: result.commitment_hash, level: result.inbox_level })
        }
        (ManagerBody::SmartRollupExecuteOutboxMessage(execute), applied) if execute.rollup == rollup => {
            // layer 1 has accepted the proof: what it proves is what was executed
            let (_, output) = verify_output_proof(execute.output_proof.0.clone()).ok()?;
            let whitelist_update = match applied {
                Applied::SmartRollupExecuteOutboxMessage(result) => result.whitelist_update.clone(),
                _ => None,
            };
            let index = u32::try_from(output.index).ok()?;
            Some(RollupEvent::Executed { level: output.level, index, whitelist_update })
        }
        (ManagerBody::SmartRollupRefute(refute), Applied::SmartRollupGame(result)) if refute.rollup == rollup => {
            ended(Stakers::new(source, refute.opponent), &result.game_status)
        }
        (ManagerBody::SmartRollupTimeout(timeout), Applied::SmartRollupGame(result)) if timeout.rollup == rollup => {
            ended(timeout.stakers, &result.game_status)
        }
        (ManagerBody::SmartRollupRecoverBond(recover), _) if recover.rollup == rollup => {
            Some(RollupEvent::Recovered { staker: recover.staker })
        }
        _ => None,
    }
}

fn ended(stakers: Stakers, status: &GameStatus) -> Option<RollupEvent> {
    match status {
        GameStatus::Ended(result) => Some(RollupEvent::GameEnded { stakers, result: *result }),
        GameStatus::Ongoing => None,
    }
}

/// A manager operation of a block signed by one of the given keys, with its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnOperation {
    /// The operation's hash.
    pub hash: OperationHash,
    /// Its kind.
    pub kind: &'static str,
    /// `applied`, `failed`, `skipped` or `backtracked`.
    pub status: &'static str,
    /// Its errors, as text.
    pub errors: String,
}

/// The operations of a block that one of `keys` signed.
pub fn own(block: &Block, keys: &[PublicKeyHash]) -> Vec<OwnOperation> {
    let mut own = vec![];
    for operation in block.manager_operations() {
        for receipt in operation.managers().filter(|receipt| keys.contains(&receipt.operation.source)) {
            let Some(metadata) = &receipt.metadata else { continue };
            let errors: Vec<String> = metadata.operation_result.errors().iter().map(ToString::to_string).collect();
            own.push(OwnOperation {
                hash: operation.hash,
                kind: receipt.operation.body.kind(),
                status: metadata.operation_result.status(),
                errors: errors.join("; "),
            });
        }
    }
    own
}
