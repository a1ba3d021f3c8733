//! One rollup as the protocol stores it, and the rules that change it (`spec/protocol.md` §4, §5, §6).
//!
//! A [`Rollup`] is a persistent value: a clone costs nothing and shares everything, so a caller keeps one per block. An
//! operation that fails leaves it as it was.

mod bond;
mod cement;
mod conflict;
mod originate;
mod outbox;
mod publish;
mod storage;
mod whitelist;

pub use bond::Recovered;
pub use cement::Cemented;
pub use conflict::Conflict;
pub use originate::{Origination, origination_size};
pub use outbox::{Executed, OutboxCall, OutputProofs, ProvenOutput};
pub use publish::Published;
pub use whitelist::Whitelist;

use crate::constants::RollupConstants;
use crate::error::RollupError;
use crate::game::RunningGame;
use crate::protocol::Protocol;
use imbl::OrdMap;
use num_bigint::BigUint;
use soru_tezos::hash::{CommitmentHash, SmartRollupAddress};
use soru_tezos::key::{PublicKeyHash, Scheme};
use soru_tezos::micheline::Micheline;
use soru_tezos::rollup::{Commitment, GenesisInfo, PvmKind, Stakers};
use soru_tezos::scalar::{Level, Mutez};

/// What the rules have to know of the block being applied.
#[derive(Debug, Clone, Copy)]
pub struct Env<'a> {
    /// The protocol that applies it.
    pub protocol: Protocol,
    /// Its level.
    pub level: Level,
    /// The constants in force.
    pub constants: &'a RollupConstants,
    /// Commitment periods of earlier protocols of the chain, oldest first.
    pub past_periods: &'a [PastPeriod],
}

/// A commitment period that an earlier protocol had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastPeriod {
    /// The period, in blocks.
    pub commitment_period: i32,
    /// Level at which the next protocol was activated.
    pub next_protocol_activation: Level,
}

impl Env<'_> {
    /// Inbox level of the commitments that follow those of `level`.
    pub fn next_commitment_level(&self, level: Level) -> Level {
        self.past_periods
            .iter()
            .map(|past| (level.after(past.commitment_period), past.next_protocol_activation))
            .find(|(next, activation)| next <= activation)
            .map_or_else(|| level.after(self.constants.commitment_period_in_blocks), |(next, _)| next)
    }
}

/// A bonded staker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Staker {
    /// Its number, never given twice.
    pub index: u64,
    /// Highest inbox level it has published a commitment for; level 0 before the first.
    pub level: Level,
    /// Its frozen bond.
    pub bond: Mutez,
}

/// Outbox messages of a level that have been executed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedMessages {
    /// The level.
    pub level: Level,
    /// Bit `i` is set once message `i` was executed.
    pub bitset: BigUint,
}

/// A rollup.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollup {
    /// Its address.
    pub address: SmartRollupAddress,
    /// Its kind of PVM.
    pub kind: PvmKind,
    /// Type of the parameter that contracts can send.
    pub parameters_type: Micheline,
    /// Where it began.
    pub genesis_info: GenesisInfo,
    /// The last cemented commitment.
    pub last_cemented_commitment: CommitmentHash,
    /// All commitments still stored.
    pub commitments: OrdMap<CommitmentHash, Commitment>,
    /// Level at which a commitment was first published.
    pub commitment_added: OrdMap<CommitmentHash, Level>,
    /// Level at which the first commitment for an inbox level was published.
    pub first_publication: OrdMap<Level, Level>,
    /// Commitments for an inbox level, newest first.
    pub commitments_per_level: OrdMap<Level, Vec<CommitmentHash>>,
    /// Numbers of the stakers on a commitment, newest first. Some may have lost their bond since.
    pub commitment_stakers: OrdMap<CommitmentHash, Vec<u64>>,
    /// The number of the next new staker.
    pub next_staker_index: u64,
    /// Bonded stakers.
    pub stakers: OrdMap<PublicKeyHash, Staker>,
    /// Running games.
    pub games: OrdMap<Stakers, RunningGame>,
    /// Executed outbox messages, by level modulo the number of active levels.
    pub applied_messages: OrdMap<i32, AppliedMessages>,
    /// Who may publish; nothing for a public rollup.
    pub whitelist: Option<Whitelist>,
}

/// The name of a key's scheme in paths of the context.
pub fn curve_name(key: &PublicKeyHash) -> &'static str {
    match key.scheme {
        Scheme::Ed25519 => "ed25519",
        Scheme::Secp256k1 => "secp256k1",
        Scheme::P256 => "p256",
        Scheme::Bls => "bls",
        Scheme::MlDsa44 => "mldsa44",
    }
}

/// Keys in the order in which the layer 1 lists them: the reverse of that of their paths in the context.
fn listed<'a>(keys: impl Iterator<Item = &'a PublicKeyHash>) -> Vec<PublicKeyHash> {
    let mut keys: Vec<PublicKeyHash> = keys.copied().collect();
    keys.sort_by(|one, other| (curve_name(other), other.hash).cmp(&(curve_name(one), one.hash)));
    keys
}

impl Rollup {
    /// A stored commitment.
    ///
    /// # Errors
    /// When it is unknown, or no longer kept.
    pub fn commitment(&self, hash: &CommitmentHash) -> Result<&Commitment, RollupError> {
        self.commitments.get(hash).ok_or(RollupError::UnknownCommitment { commitment: *hash })
    }

    /// The last cemented commitment, or the nearest thing known of it, and its inbox level.
    ///
    /// # Errors
    /// Never for a rollup made by these rules: the last cemented commitment is always kept.
    pub fn last_cemented(&self) -> Result<(CommitmentHash, &Commitment), RollupError> {
        let hash = self.last_cemented_commitment;
        Ok((hash, self.commitment(&hash)?))
    }

    /// Whether the key is bonded.
    pub fn is_staker(&self, staker: &PublicKeyHash) -> bool {
        self.stakers.contains_key(staker)
    }

    /// The bonded staker behind a key.
    ///
    /// # Errors
    /// When it is not bonded.
    pub fn staker(&self, staker: &PublicKeyHash) -> Result<Staker, RollupError> {
        self.stakers.get(staker).copied().ok_or(RollupError::NotStaked)
    }

    /// Whether the staker of that number is still bonded.
    pub fn is_active(&self, index: u64) -> bool {
        self.stakers.values().any(|staker| staker.index == index)
    }

    /// Bonded stakers, in the order of the layer 1.
    pub fn staker_keys(&self) -> Vec<PublicKeyHash> {
        listed(self.stakers.keys())
    }

    /// The bond a key has frozen here; zero when it is not bonded.
    pub fn frozen_bond(&self, staker: &PublicKeyHash) -> Mutez {
        self.stakers.get(staker).map_or(Mutez(0), |staker| staker.bond)
    }

    /// Whether a key has published that commitment, with its present bond.
    pub fn is_staked_on(&self, staker: &PublicKeyHash, commitment: &CommitmentHash) -> bool {
        self.stakers.get(staker).is_some_and(|staker| self.stands_on(staker.index, commitment))
    }

    fn stands_on(&self, index: u64, commitment: &CommitmentHash) -> bool {
        self.commitment_stakers.get(commitment).is_some_and(|indices| indices.contains(&index))
    }

    /// Numbers of the stakers that published a commitment, newest first; nothing when it is unknown or cemented.
    pub fn stakers_of(&self, commitment: &CommitmentHash) -> Option<&[u64]> {
        self.commitment_stakers.get(commitment).map(Vec::as_slice)
    }

    /// Commitments for an inbox level that are not yet cemented, newest first.
    pub fn commitments_at(&self, inbox_level: Level) -> Option<&[CommitmentHash]> {
        self.commitments_per_level.get(&inbox_level).map(Vec::as_slice)
    }

    /// The newest commitment of a staker; nothing when its level is already cemented.
    ///
    /// # Errors
    /// When the key is not bonded, or has none of the commitments of its newest level.
    pub fn staked_on(&self, staker: &PublicKeyHash) -> Result<Option<CommitmentHash>, RollupError> {
        let staker = self.staker(staker)?;
        match self.commitments_per_level.get(&staker.level) {
            None => Ok(None),
            Some(hashes) => hashes
                .iter()
                .find(|hash| self.stands_on(staker.index, hash))
                .map(|hash| Some(*hash))
                .ok_or(RollupError::NotStaked),
        }
    }
}
