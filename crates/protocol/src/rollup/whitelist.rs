//! Private rollups: who may publish, and how that changes (`spec/protocol.md` §4.6, §6.3).

use super::{Env, Rollup, listed};
use crate::error::{LastWhitelistUpdate, RollupError};
use imbl::OrdSet;
use soru_tezos::codec::Encode;
use soru_tezos::hash::SmartRollupAddress;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::number::N;
use soru_tezos::rollup::WhitelistUpdate;
use soru_tezos::scalar::Level;

/// The keys that may publish on a private rollup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whitelist {
    /// The keys; at least one.
    pub members: OrdSet<PublicKeyHash>,
    /// The last update.
    pub last_update: LastWhitelistUpdate,
}

impl Whitelist {
    /// The whitelist given at an origination.
    ///
    /// # Errors
    /// When it is empty or names a key twice.
    pub fn originate(rollup: SmartRollupAddress, keys: &[PublicKeyHash], level: Level) -> Result<Self, RollupError> {
        if keys.is_empty() {
            return Err(RollupError::EmptyWhitelist);
        }
        let last_update = LastWhitelistUpdate { message_index: N::from(0), outbox_level: level };
        Ok(Whitelist { members: members(rollup, keys)?, last_update })
    }

    /// The keys, in the order of the layer 1.
    pub fn listed(&self) -> Vec<PublicKeyHash> {
        listed(self.members.iter())
    }
}

fn members(rollup: SmartRollupAddress, keys: &[PublicKeyHash]) -> Result<OrdSet<PublicKeyHash>, RollupError> {
    let mut members = OrdSet::new();
    for key in keys {
        if members.insert(*key).is_some() {
            return Err(RollupError::DuplicatedKeyInWhitelist { rollup, key: *key });
        }
    }
    Ok(members)
}

/// Bytes of the stored form of the last update.
fn update_bytes(update: &LastWhitelistUpdate) -> i64 {
    (update.message_index.to_bytes().len() + update.outbox_level.to_bytes().len()) as i64
}

impl Rollup {
    pub(super) fn check_whitelist(&self, staker: &PublicKeyHash) -> Result<(), RollupError> {
        match &self.whitelist {
            Some(whitelist) if !whitelist.members.contains(staker) => Err(RollupError::StakerNotInWhitelist),
            _ => Ok(()),
        }
    }

    /// Applies an update from the outbox. Returns what changed and the bytes by which the storage grew.
    pub(super) fn update_whitelist(
        &mut self,
        env: &Env<'_>,
        keys: Option<&[PublicKeyHash]>,
        outbox_level: Level,
        message_index: &N,
    ) -> Result<(WhitelistUpdate, i64), RollupError> {
        if !env.constants.private_enable {
            return Err(RollupError::WhitelistDisabled);
        }
        let current = self.whitelist.as_ref().ok_or(RollupError::RollupIsPublic)?;
        let Some(keys) = keys else {
            self.whitelist = None;
            return Ok((WhitelistUpdate::Public, 0));
        };
        if keys.is_empty() {
            return Err(RollupError::EmptyWhitelist);
        }
        let last = current.last_update.clone();
        if last.outbox_level == outbox_level && last.message_index >= *message_index {
            return Err(RollupError::OutdatedMessageIndex { given: message_index.clone(), last });
        }
        if outbox_level < last.outbox_level {
            return Err(RollupError::OutdatedOutboxLevel { given: outbox_level, last });
        }
        let members = members(self.address, keys)?;
        let update = LastWhitelistUpdate { message_index: message_index.clone(), outbox_level };
        let grown = update_bytes(&update) - update_bytes(&last);
        self.whitelist = Some(Whitelist { members, last_update: update });
        Ok((WhitelistUpdate::Update { whitelist: keys.to_vec() }, grown))
    }
}
