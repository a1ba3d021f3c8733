//! Executing outbox messages: which commitment proves them, how long, and only once (`spec/protocol.md` §6.3–6.5).

use super::{AppliedMessages, Env, Rollup};
use crate::error::RollupError;
use crate::wire::Dated;
use num_bigint::{BigInt, BigUint};
use soru_tezos::codec::Encode;
use soru_tezos::contract::Entrypoint;
use soru_tezos::hash::{CommitmentHash, ContractHash, StateHash};
use soru_tezos::micheline::Micheline;
use soru_tezos::number::{N, Z};
use soru_tezos::rollup::{OutboxMessage, Output, PvmKind, WhitelistUpdate};
use soru_tezos::scalar::Level;

/// Reads and verifies output proofs; the PVM's part.
pub trait OutputProofs {
    /// The state a proof starts from; nothing when the bytes are no proof of a rollup of that kind.
    fn state(&self, kind: PvmKind, proof: &[u8]) -> Option<StateHash>;

    /// The message the proof shows in the outbox of its state; nothing when it does not hold.
    fn verify(&self, kind: PvmKind, proof: &[u8]) -> Option<ProvenOutput>;
}

/// A message shown by a proof.
pub type ProvenOutput = Output;

/// A call that the execution of a message makes, with no tez, the rollup as its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxCall {
    /// The contract.
    pub destination: ContractHash,
    /// The entrypoint.
    pub entrypoint: Entrypoint,
    /// The parameter.
    pub parameters: Micheline,
    /// The type the rollup claims for the parameter. Without one it must have the type of the entrypoint.
    pub parameters_type: Option<Micheline>,
}

/// What an execution did, and what remains to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Executed {
    /// Level of the outbox.
    pub outbox_level: Level,
    /// Index of the message.
    pub message_index: N,
    /// Calls to run, in this order; all succeed or the operation fails.
    pub calls: Vec<OutboxCall>,
    /// What happened to the whitelist, for an update of it.
    pub whitelist_update: Option<WhitelistUpdate>,
    /// The signal of the canonical rollup to record with the present level, if it was not raised before.
    pub signal: Option<String>,
    /// Bytes of storage to pay for, tickets not included.
    pub paid_storage_size_diff: i64,
}

impl Rollup {
    /// Executes the message that `proof` shows in the state of `commitment`. `check` is given the calls before the
    /// message is recorded: it typechecks them against their contracts and moves their tickets.
    ///
    /// # Errors
    /// In the order of the protocol's checks, `check`'s among them; the rollup is then unchanged.
    pub fn execute_outbox_message<E: From<RollupError>>(
        &mut self,
        env: &Env<'_>,
        commitment: &CommitmentHash,
        proof: &[u8],
        proofs: &impl OutputProofs,
        check: impl FnOnce(&[OutboxCall]) -> Result<(), E>,
    ) -> Result<Executed, E> {
        let mut next = self.clone();
        let output = next.proven_output(env, commitment, proof, proofs)?;
        let Output { outbox_level, message_index, message } = output;
        let mut executed = Executed {
            outbox_level,
            message_index: message_index.clone(),
            calls: Vec::new(),
            whitelist_update: None,
            signal: None,
            paid_storage_size_diff: 0,
        };
        match message {
            OutboxMessage::AtomicTransactionBatch(batch) => {
                executed.calls = batch
                    .into_iter()
                    .map(|call| OutboxCall {
                        destination: call.destination,
                        entrypoint: call.entrypoint,
                        parameters: call.parameters,
                        parameters_type: None,
                    })
                    .collect();
                check(&executed.calls)?;
            }
            OutboxMessage::AtomicTransactionBatchTyped(batch) => {
                executed.calls = batch
                    .into_iter()
                    .map(|call| OutboxCall {
                        destination: call.destination,
                        entrypoint: call.entrypoint,
                        parameters: call.parameters,
                        parameters_type: Some(call.parameters_ty),
                    })
                    .collect();
                check(&executed.calls)?;
            }
            OutboxMessage::WhitelistUpdate(keys) => {
                let (update, grown) = next.update_whitelist(env, keys.as_deref(), outbox_level, &message_index)?;
                executed.whitelist_update = Some(update);
                executed.paid_storage_size_diff = grown;
            }
            OutboxMessage::CanonicalRollupSignal(payload) => {
                let canonical = env.constants.canonical_rollup_address == Some(next.address);
                executed.signal = canonical.then_some(payload);
            }
        }
        let grown = next.record_executed(env, outbox_level, &message_index)?;
        executed.paid_storage_size_diff = executed.paid_storage_size_diff.saturating_add(grown.max(0));
        *self = next;
        Ok(executed)
    }

    /// The message that a proof shows, if the commitment is cemented and the outbox level still active.
    fn proven_output(
        &self,
        env: &Env<'_>,
        commitment: &CommitmentHash,
        proof: &[u8],
        proofs: &impl OutputProofs,
    ) -> Result<Output, RollupError> {
        let (lcc, lcc_commitment) = self.last_cemented()?;
        if !self.descends(lcc, commitment) {
            return Err(RollupError::InvalidLastCementedCommitment);
        }
        let state = proofs.state(self.kind, proof).ok_or(RollupError::InvalidOutputProof)?;
        if state != self.commitment(commitment)?.compressed_state {
            return Err(RollupError::InvalidOutputProof);
        }
        let output = proofs.verify(self.kind, proof).ok_or(RollupError::OutputProofVerification)?;
        // a message of a later protocol is none
        output.message.check(env.protocol).map_err(|_| RollupError::InvalidOutputProof)?;
        let newest = lcc_commitment.inbox_level;
        let oldest = i64::from(newest.0) - i64::from(env.constants.max_active_outbox_levels);
        if output.outbox_level > newest || i64::from(output.outbox_level.0) <= oldest {
            return Err(RollupError::InvalidOutboxLevel);
        }
        Ok(output)
    }

    /// Whether `ancestor` is `descendant` or a predecessor of it, as far as commitments are stored.
    fn descends(&self, descendant: CommitmentHash, ancestor: &CommitmentHash) -> bool {
        let mut hash = descendant;
        loop {
            if hash == *ancestor {
                return true;
            }
            match self.commitments.get(&hash) {
                Some(commitment) => hash = commitment.predecessor,
                None => return false,
            }
        }
    }

    /// Records a message as executed. Returns by how many bytes the storage grew; it may shrink.
    fn record_executed(&mut self, env: &Env<'_>, level: Level, index: &N) -> Result<i64, RollupError> {
        let bit = u64::try_from(&index.0)
            .ok()
            .filter(|index| *index < u64::try_from(env.constants.max_outbox_messages_per_level).unwrap_or(0))
            .ok_or(RollupError::InvalidOutboxMessageIndex)?;
        let slot = level.0 % env.constants.max_active_outbox_levels.max(1);
        let stored = self.applied_messages.get(&slot);
        let mut bitset = match stored {
            Some(applied) if applied.level == level => applied.bitset.clone(),
            Some(applied) if applied.level > level => return Err(RollupError::OutboxLevelExpired),
            _ => BigUint::ZERO,
        };
        if bitset.bit(bit) {
            return Err(RollupError::OutboxMessageAlreadyApplied);
        }
        bitset.set_bit(bit, true);
        let before = stored.map_or(0, stored_bytes);
        let applied = AppliedMessages { level, bitset };
        let grown = stored_bytes(&applied) - before;
        self.applied_messages.insert(slot, applied);
        Ok(grown)
    }

    /// Indices of the executed messages of an outbox level, ascending; none when its place holds another level.
    pub fn consumed_outputs(&self, env: &Env<'_>, level: Level) -> Vec<u64> {
        let slot = level.0 % env.constants.max_active_outbox_levels.max(1);
        match self.applied_messages.get(&slot) {
            Some(applied) if applied.level == level => {
                (0..applied.bitset.bits()).filter(|bit| applied.bitset.bit(*bit)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Size of an entry in the storage: a level and an integer.
fn stored_bytes(applied: &AppliedMessages) -> i64 {
    let bitset = Z(BigInt::from(applied.bitset.clone()));
    (applied.level.to_bytes().len() + bitset.to_bytes().len()) as i64
}
