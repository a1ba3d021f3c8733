//! Publishing a commitment (`spec/protocol.md` §4.3).

use super::{Env, Rollup, Staker};
use crate::error::RollupError;
use crate::gas::Work;
use soru_tezos::contract::Contract;
use soru_tezos::hash::CommitmentHash;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::receipt::{Balance, BalanceUpdate, Origin};
use soru_tezos::rollup::Commitment;
use soru_tezos::scalar::{Level, Mutez, Ticks};

/// What a publication did.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// Hash of the commitment.
    pub staked_hash: CommitmentHash,
    /// Level at which it was first published, by anyone.
    pub published_at_level: Level,
    /// The bond, when this is the source's first publication.
    pub balance_updates: Vec<BalanceUpdate>,
    /// What it cost.
    pub work: Work,
}

impl Rollup {
    /// Publishes a commitment for `source`, which owns `balance` besides its bonds.
    ///
    /// # Errors
    /// In the order of the protocol's checks; the rollup is then unchanged.
    pub fn publish(
        &mut self,
        env: &Env<'_>,
        source: PublicKeyHash,
        balance: Mutez,
        commitment: &Commitment,
    ) -> Result<Published, RollupError> {
        let mut next = self.clone();
        let published = next.publish_in_place(env, source, balance, commitment)?;
        *self = next;
        Ok(published)
    }

    fn publish_in_place(
        &mut self,
        env: &Env<'_>,
        source: PublicKeyHash,
        balance: Mutez,
        commitment: &Commitment,
    ) -> Result<Published, RollupError> {
        if env.constants.private_enable {
            self.check_whitelist(&source)?;
        }
        let lcc_level = self.last_cemented()?.1.inbox_level;
        if commitment.number_of_ticks == Ticks(0) {
            return Err(RollupError::ZeroTickCommitment);
        }
        let (mut staker, balance_updates) = match self.stakers.get(&source) {
            Some(staker) => (*staker, Vec::new()),
            None => self.deposit(env, source, balance)?,
        };
        self.check_level(env, commitment, lcc_level)?;
        self.check_curfew(env, commitment.inbox_level)?;
        if commitment.inbox_level >= env.level {
            let (current_level, inbox_level) = (env.level, commitment.inbox_level);
            return Err(RollupError::CommitmentFromFuture { current_level, inbox_level });
        }

        let hash = commitment.hash();
        let first = !self.commitment_added.contains_key(&hash);
        self.commitments.insert(hash, *commitment);
        let published_at_level = *self.commitment_added.entry(hash).or_insert(env.level);
        staker.level = staker.level.max(commitment.inbox_level);
        self.stakers.insert(source, staker);

        let stakers = self.commitment_stakers.entry(hash).or_default();
        if stakers.contains(&staker.index) {
            return Err(RollupError::DoublePublish { commitment: hash });
        }
        stakers.insert(0, staker.index);

        let rivals = self.commitments_per_level.entry(commitment.inbox_level).or_default();
        if !rivals.contains(&hash) {
            rivals.insert(0, hash);
        }
        let rivals = rivals.clone();
        if rivals.iter().filter(|rival| self.stands_on(staker.index, rival)).count() > 1 {
            return Err(RollupError::StakerDoubleStake);
        }
        let work = Work::Publish {
            first,
            bonds: !balance_updates.is_empty(),
            rivals: (rivals.len() as u64).saturating_sub(1),
            private: env.constants.private_enable && self.whitelist.is_some(),
        };
        Ok(Published { staked_hash: hash, published_at_level, balance_updates, work })
    }

    /// Freezes the bond of a new staker and numbers it.
    fn deposit(
        &mut self,
        env: &Env<'_>,
        source: PublicKeyHash,
        balance: Mutez,
    ) -> Result<(Staker, Vec<BalanceUpdate>), RollupError> {
        let stake = env.constants.stake_amount;
        if balance < stake {
            return Err(RollupError::StakerFundsTooLow { staker: source, rollup: self.address, balance, stake });
        }
        let staker = Staker { index: self.next_staker_index, level: Level(0), bond: stake };
        self.next_staker_index = self.next_staker_index.saturating_add(1);
        self.stakers.insert(source, staker);
        let updates = BalanceUpdate::movement(
            Balance::Contract(Contract::Implicit(source)),
            self.bond_account(source),
            stake,
            Origin::Block,
        );
        Ok((staker, updates))
    }

    /// The account that holds a staker's bond.
    pub(super) fn bond_account(&self, staker: PublicKeyHash) -> Balance {
        Balance::FrozenBonds { contract: Contract::Implicit(staker), rollup: self.address }
    }

    fn check_level(&self, env: &Env<'_>, commitment: &Commitment, lcc_level: Level) -> Result<(), RollupError> {
        let level = commitment.inbox_level;
        if level <= lcc_level {
            return Err(RollupError::CommitmentTooOld {
                last_cemented_inbox_level: lcc_level,
                commitment_inbox_level: level,
            });
        }
        if level.since(lcc_level) > env.constants.max_lookahead_in_blocks {
            return Err(RollupError::TooFarAhead);
        }
        let predecessor = self.commitment(&commitment.predecessor)?;
        let expected = env.next_commitment_level(predecessor.inbox_level);
        if level != expected {
            return Err(RollupError::BadInboxLevel { expected, provided: level });
        }
        Ok(())
    }

    /// A level takes no new publications a challenge window after its first one.
    fn check_curfew(&mut self, env: &Env<'_>, inbox_level: Level) -> Result<(), RollupError> {
        let first = *self.first_publication.entry(inbox_level).or_insert(env.level);
        if env.level.since(first) > env.constants.challenge_window_in_blocks {
            return Err(RollupError::CommitmentPastCurfew);
        }
        Ok(())
    }
}
