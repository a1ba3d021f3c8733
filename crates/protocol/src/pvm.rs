//! The rules meet the PVMs: the state a rollup starts in, and proofs about its outbox (`spec/protocol.md` §4.1, §6.2).

use crate::protocol::Protocol;
use crate::rollup::{OutputProofs, ProvenOutput};
use num_bigint::BigUint;
use soru_merkle::Proof;
use soru_pvm::output_proof::{Output as RawOutput, verify_output_proof};
use soru_pvm::{Parameters, Pvm, PvmError, Tick, Version};
use soru_tezos::codec::{Decode, Encode};
use soru_tezos::hash::StateHash;
use soru_tezos::number::N;
use soru_tezos::rollup::{OutboxMessage, Output, PvmKind};

/// Largest outbox message, in bytes.
const MAX_OUTBOX_MESSAGE: usize = 4096;

/// Why a rollup cannot be given its first state.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// The kind of PVM is not run here.
    #[error("rollups of kind {0} are not run here, only wasm_2_0_0")]
    Kind(PvmKind),
    /// The PVM refused.
    #[error(transparent)]
    Pvm(#[from] PvmError),
}

/// The PVM of a rollup that `protocol` originates with that kernel.
///
/// # Errors
/// For other kinds than `wasm_2_0_0`.
pub fn originate(protocol: Protocol, kind: PvmKind, kernel: &[u8]) -> Result<Pvm, GenesisError> {
    if kind != PvmKind::Wasm200 {
        return Err(GenesisError::Kind(kind));
    }
    let wasm = protocol.wasm();
    let version: Version = wasm.version.parse()?;
    let parameters = Parameters {
        ticks_per_snapshot: Tick(wasm.ticks_per_snapshot.into()),
        outbox_validity_period: wasm.outbox_validity_period,
        outbox_message_limit: wasm.outbox_message_limit.into(),
        ..Parameters::of_version(version)
    };
    Ok(Pvm::originate(version, kernel, parameters)?)
}

/// The state of [`originate`]'s PVM: that of the genesis commitment.
///
/// # Errors
/// For other kinds than `wasm_2_0_0`.
pub fn genesis_state(protocol: Protocol, kind: PvmKind, kernel: &[u8]) -> Result<StateHash, GenesisError> {
    Ok(originate(protocol, kind, kernel)?.state_hash()?)
}

/// Output proofs of `wasm_2_0_0` rollups.
#[derive(Debug, Clone, Copy, Default)]
pub struct WasmOutputs;

impl OutputProofs for WasmOutputs {
    fn state(&self, kind: PvmKind, proof: &[u8]) -> Option<StateHash> {
        let (tree, rest) = (kind == PvmKind::Wasm200).then(|| Proof::decode_prefix(proof.to_vec()).ok())??;
        output(RawOutput::from_bytes(&rest).ok()?)?;
        Some(StateHash(tree.before.0))
    }

    fn verify(&self, kind: PvmKind, proof: &[u8]) -> Option<ProvenOutput> {
        let verified = (kind == PvmKind::Wasm200).then(|| verify_output_proof(proof.to_vec()).ok())??;
        output(verified.1)
    }
}

/// The output with its message decoded; nothing when the message is none, or is not written as the protocol writes it.
fn output(raw: RawOutput) -> Option<Output> {
    let message = OutboxMessage::from_bytes(&raw.message).ok()?;
    let canonical = raw.message.len() <= MAX_OUTBOX_MESSAGE && message.to_bytes() == raw.message;
    let message_index = N(BigUint::from(raw.index));
    canonical.then_some(Output { outbox_level: raw.level, message_index, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `spec/protocol.md` §11, `spec/pvm.md` §4.1: the kernel does not have to be one.
    #[test]
    fn only_wasm_is_run() {
        let error = originate(Protocol::Ushuaia, PvmKind::Riscv, &[]).err().unwrap();
        assert_eq!(error.to_string(), "rollups of kind riscv are not run here, only wasm_2_0_0");
        assert!(WasmOutputs.state(PvmKind::Wasm200, &[3, 0, 2, 1, 2]).is_none());
        assert!(WasmOutputs.verify(PvmKind::Wasm200, &[]).is_none());
    }

    #[test]
    fn protocols_differ_in_their_first_state() {
        let state = |protocol| genesis_state(protocol, PvmKind::Wasm200, b"kernel").unwrap();
        assert_ne!(state(Protocol::Tallinn), state(Protocol::Ushuaia));
        assert_eq!(state(Protocol::Quebec), state(Protocol::Tallinn));
    }
}
