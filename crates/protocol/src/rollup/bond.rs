//! Getting a bond back, and losing it (`spec/protocol.md` §4.5, §5.9).

use super::{Env, Rollup};
use crate::error::RollupError;
use soru_tezos::contract::Contract;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::receipt::{Balance, BalanceUpdate, Origin};
use soru_tezos::scalar::Mutez;

/// What a recovery did.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovered {
    /// The bond, back to its staker.
    pub balance_updates: Vec<BalanceUpdate>,
}

impl Rollup {
    /// Gives `staker` its bond back.
    ///
    /// # Errors
    /// When it has none, or stands on a commitment that is not yet cemented.
    pub fn recover_bond(&mut self, staker: PublicKeyHash) -> Result<Recovered, RollupError> {
        let bonded = self.staker(&staker)?;
        if bonded.level > self.last_cemented()?.1.inbox_level {
            return Err(RollupError::NotStakedOnLccOrAncestor);
        }
        let account = Balance::Contract(Contract::Implicit(staker));
        let balance_updates = BalanceUpdate::movement(self.bond_account(staker), account, bonded.bond, Origin::Block);
        self.stakers.remove(&staker);
        Ok(Recovered { balance_updates })
    }

    /// Takes the bond of a staker that lost a game; nothing when it is no longer bonded.
    pub(crate) fn slash(&mut self, staker: PublicKeyHash) -> Vec<BalanceUpdate> {
        let Some(bonded) = self.stakers.remove(&staker) else { return Vec::new() };
        let account = self.bond_account(staker);
        BalanceUpdate::movement(account, Balance::refutation_punishments(), bonded.bond, Origin::Block)
    }

    /// Rewards the winner of a game with half a bond.
    pub(crate) fn reward(env: &Env<'_>, winner: PublicKeyHash) -> Vec<BalanceUpdate> {
        let reward = Mutez(env.constants.stake_amount.0 / 2);
        let account = Balance::Contract(Contract::Implicit(winner));
        BalanceUpdate::movement(Balance::refutation_rewards(), account, reward, Origin::Block)
    }
}
