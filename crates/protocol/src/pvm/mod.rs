//! The rules meet the PVMs: the state a rollup starts in, and proofs about its ticks and outboxes (`spec/protocol.md` §4.1,
//! §5.7, §6.2).

mod outputs;
mod steps;

pub use outputs::WasmOutputs;
pub use steps::{WasmSteps, request};

use crate::protocol::Protocol;
use soru_pvm::{Parameters, Pvm, PvmError, Tick, Version};
use soru_tezos::hash::StateHash;
use soru_tezos::rollup::PvmKind;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollup::OutputProofs;

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
