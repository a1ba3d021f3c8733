//! Proofs about outboxes (`spec/protocol.md` §6.2, `spec/pvm.md` §11.5).

use crate::rollup::{OutputProofs, ProvenOutput};
use num_bigint::BigUint;
use soru_merkle::Proof;
use soru_pvm::output_proof::{Output as RawOutput, verify_output_proof};
use soru_tezos::codec::{Decode, Encode};
use soru_tezos::hash::StateHash;
use soru_tezos::number::N;
use soru_tezos::rollup::{OutboxMessage, Output, PvmKind};

/// Largest outbox message, in bytes.
const MAX_OUTBOX_MESSAGE: usize = 4096;

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
