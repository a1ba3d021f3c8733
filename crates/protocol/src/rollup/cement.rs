//! Cementing the only undisputed commitment of a level (`spec/protocol.md` §4.4).

use super::{Env, Rollup};
use crate::error::RollupError;
use crate::gas::Work;
use soru_tezos::hash::CommitmentHash;
use soru_tezos::scalar::Level;

/// What a cementation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cemented {
    /// Inbox level of the new last cemented commitment.
    pub inbox_level: Level,
    /// Its hash.
    pub commitment_hash: CommitmentHash,
    /// What it cost.
    pub work: Work,
}

impl Rollup {
    /// Cements the commitment that follows the last cemented one.
    ///
    /// # Errors
    /// When there is none, more than one, or it is too recent; the rollup is then unchanged.
    pub fn cement(&mut self, env: &Env<'_>) -> Result<Cemented, RollupError> {
        let (old, old_commitment) = self.last_cemented()?;
        let inbox_level = env.next_commitment_level(old_commitment.inbox_level);
        let (cemented, dangling) = self.candidate(env, old, inbox_level)?;

        let mut next = self.clone();
        next.last_cemented_commitment = cemented;
        next.commitments_per_level.remove(&inbox_level);
        for hash in &dangling {
            next.commitments.remove(hash);
            next.commitment_added.remove(hash);
            next.commitment_stakers.remove(hash);
        }
        next.commitment_stakers.remove(&cemented);
        next.commitment_added.remove(&cemented);
        next.first_publication.remove(&inbox_level);
        let drops = next.forget_oldest(env, old);
        let orphaned = dangling.iter().filter(|hash| self.predecessor(hash) != Some(old)).count() as u64;
        let work = Work::Cement {
            stored: self.cemented_before(old),
            stakers: self.stakers_of(&cemented).map_or(0, |stakers| stakers.len() as u64),
            beaten: dangling.len() as u64 - orphaned,
            orphaned,
            drops,
        };
        *self = next;
        Ok(Cemented { inbox_level, commitment_hash: cemented, work })
    }

    /// Whether a cementation in this block would cement that commitment.
    pub fn can_be_cemented(&self, env: &Env<'_>, commitment: &CommitmentHash) -> bool {
        self.clone().cement(env).is_ok_and(|cemented| cemented.commitment_hash == *commitment)
    }

    /// The one commitment of `inbox_level` on `old` with a bonded staker, and all others of that level.
    fn candidate(
        &self,
        env: &Env<'_>,
        old: CommitmentHash,
        inbox_level: Level,
    ) -> Result<(CommitmentHash, Vec<CommitmentHash>), RollupError> {
        let mut candidate = None;
        let mut dangling = Vec::new();
        for hash in self.commitments_at(inbox_level).unwrap_or_default() {
            let stands = self.commitment(hash)?.predecessor == old
                && self.stakers_of(hash).unwrap_or_default().iter().any(|index| self.is_active(*index));
            match (stands, candidate) {
                (true, Some(_)) => return Err(RollupError::Disputed),
                (true, None) => candidate = Some(*hash),
                (false, _) => dangling.push(*hash),
            }
        }
        let candidate = candidate.ok_or(RollupError::NoValidCommitmentToCement)?;
        let added = self.commitment_added.get(&candidate).copied().unwrap_or(env.level);
        let min_level = added.after(env.constants.challenge_window_in_blocks);
        if env.level < min_level {
            return Err(RollupError::CommitmentTooRecent { current_level: env.level, min_level });
        }
        Ok((candidate, dangling))
    }

    fn predecessor(&self, hash: &CommitmentHash) -> Option<CommitmentHash> {
        self.commitments.get(hash).map(|commitment| commitment.predecessor)
    }

    /// Number of cemented commitments stored, back from `old`.
    fn cemented_before(&self, old: CommitmentHash) -> u64 {
        std::iter::successors(Some(old), |hash| self.predecessor(hash)).count() as u64 - 1
    }

    /// Drops the cemented commitment that is one too many, if it is still stored. Says whether it was.
    fn forget_oldest(&mut self, env: &Env<'_>, old: CommitmentHash) -> bool {
        let mut hash = old;
        for _ in 1..env.constants.max_number_of_cemented_commitments {
            match self.predecessor(&hash) {
                Some(predecessor) => hash = predecessor,
                None => return false,
            }
        }
        hash != CommitmentHash::ZERO && self.commitments.remove(&hash).is_some()
    }
}
