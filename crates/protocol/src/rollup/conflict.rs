//! Who disagrees with whom (`spec/protocol.md` §4.3, §5.3).

use super::{Env, Rollup};
use serde::{Deserialize, Serialize};
use soru_tezos::hash::CommitmentHash;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::rollup::Commitment;

/// The first disagreement of a staker with another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The other staker.
    pub other: PublicKeyHash,
    /// What it published.
    pub their_commitment: Commitment,
    /// What this staker published.
    pub our_commitment: Commitment,
    /// The commitment both build on.
    pub parent_commitment: CommitmentHash,
}

impl Rollup {
    /// First conflicts of `staker` with every other staker, in the order of the layer 1; none when it is not bonded.
    pub fn conflicts(&self, env: &Env<'_>, staker: &PublicKeyHash) -> Vec<Conflict> {
        let mut others = self.staker_keys();
        others.reverse();
        others.into_iter().filter_map(|other| self.conflict(env, staker, other)).collect()
    }

    /// The first conflict of two stakers, looked for from the last cemented commitment on.
    pub fn conflict(&self, env: &Env<'_>, staker: &PublicKeyHash, other: PublicKeyHash) -> Option<Conflict> {
        let (ours, theirs) = (self.staker(staker).ok()?, self.staker(&other).ok()?);
        let lcc_level = self.last_cemented().ok()?.1.inbox_level;
        let first = lcc_level.after(env.constants.commitment_period_in_blocks);
        // Levels in between that are no commitment levels have no commitments.
        for (_, hashes) in self.commitments_per_level.range(first..env.level) {
            let of = |index| hashes.iter().find(|hash| self.stands_on(index, hash));
            let (Some(our_hash), Some(their_hash)) = (of(ours.index), of(theirs.index)) else { continue };
            let our_commitment = *self.commitments.get(our_hash)?;
            let their_commitment = *self.commitments.get(their_hash)?;
            let parent_commitment = our_commitment.predecessor;
            if our_hash != their_hash && parent_commitment == their_commitment.predecessor {
                return Some(Conflict { other, their_commitment, our_commitment, parent_commitment });
            }
        }
        None
    }
}
