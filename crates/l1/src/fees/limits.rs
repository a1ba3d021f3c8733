//! Gas, storage and fees from the receipts of a simulation: arithmetic only (`spec/node.md` §10.5).

use soru_tezos::codec::Encode;
use soru_tezos::contract::Contract;
use soru_tezos::key::Scheme;
use soru_tezos::operation::{ManagerBody, ManagerOperation};
use soru_tezos::receipt::{InternalReceipt, ManagerReceipt, OperationResult};
use soru_tezos::scalar::{Milligas, Mutez, Nat};

/// What a sender is ready to pay, and how fees are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeParameters {
    /// Base fee of each operation.
    pub minimal_fees: Mutez,
    /// Billionths of a tez per byte.
    pub nanotez_per_byte: u64,
    /// Billionths of a tez per unit of gas.
    pub nanotez_per_gas: u64,
    /// Whether a fee below the node's minimum is sent all the same.
    pub force_low_fee: bool,
    /// Highest fee of one operation.
    pub fee_cap: Mutez,
    /// Most that all operations together may burn for storage.
    pub burn_cap: Mutez,
}

impl Default for FeeParameters {
    fn default() -> Self {
        FeeParameters {
            minimal_fees: Mutez(100),
            nanotez_per_byte: 1000,
            nanotez_per_gas: 100,
            force_low_fee: false,
            fee_cap: Mutez::of_tez(1),
            burn_cap: Mutez(0),
        }
    }
}

/// Gas added to what a simulation used.
pub const SAFETY_GAS: u64 = 100;
/// Bytes of storage added to what a simulation used.
pub const SAFETY_STORAGE: u64 = 20;
/// Bytes of a branch in front of the first operation.
const BRANCH: u64 = 32;

/// Gas used by an operation and those it caused. Results that are not applied count nothing.
pub fn consumed_gas(receipt: &ManagerReceipt) -> Milligas {
    let sum = results(receipt)
        .filter_map(OperationResult::applied)
        .fold(0u64, |sum, applied| sum.saturating_add(applied.consumed_milligas().0));
    Milligas(sum)
}

/// Bytes of storage an operation and those it caused must pay for; an account it allocates counts `origination_size`.
pub fn burned_storage(receipt: &ManagerReceipt, origination_size: u64) -> u64 {
    results(receipt).filter_map(OperationResult::applied).fold(0u64, |sum, applied| {
        let accounts = applied.allocated_accounts().saturating_mul(origination_size);
        sum.saturating_add(applied.paid_storage()).saturating_add(accounts)
    })
}

fn results(receipt: &ManagerReceipt) -> impl Iterator<Item = &OperationResult> {
    receipt.metadata.iter().flat_map(|metadata| {
        let internal = metadata.internal_operation_results.iter().map(|receipt: &InternalReceipt| &receipt.result);
        std::iter::once(&metadata.operation_result).chain(internal)
    })
}

/// The safety gas of an operation: those whose gas never varies get none.
pub fn safety_gas(body: &ManagerBody) -> u64 {
    match body {
        ManagerBody::Transaction(transaction) if matches!(transaction.destination, Contract::Implicit(_)) => 0,
        ManagerBody::Reveal(_)
        | ManagerBody::Delegation(_)
        | ManagerBody::SetDepositsLimit(_)
        | ManagerBody::IncreasePaidStorage(_) => 0,
        _ => SAFETY_GAS,
    }
}

/// Bytes of a signature of this scheme at the end of an operation, its prefix included.
pub fn signature_size(scheme: Scheme) -> u64 {
    match scheme {
        // the front of a longer signature is a content of its own, behind two bytes
        Scheme::Bls => 64 + 34,
        Scheme::MlDsa44 => 64 + 2 + 2356,
        Scheme::Ed25519 | Scheme::Secp256k1 | Scheme::P256 => 64,
    }
}

/// Bytes of an operation for which a fee is due; the first of a batch pays for branch and signature as well.
pub fn size(operation: &ManagerOperation, first: bool, scheme: Scheme) -> u64 {
    let own = operation.to_bytes().len() as u64;
    if first { own + BRANCH + signature_size(scheme) } else { own }
}

/// The least fee of an operation of that size and gas limit, in whole mutez.
pub fn minimal_fee(parameters: &FeeParameters, size: u64, gas_limit: Nat) -> Mutez {
    let nanotez = u128::from(parameters.minimal_fees.0) * 1000
        + u128::from(parameters.nanotez_per_gas) * u128::from(gas_limit.0)
        + u128::from(parameters.nanotez_per_byte) * u128::from(size);
    Mutez(u64::try_from(nanotez.div_ceil(1000)).unwrap_or(u64::MAX).min(Mutez::MAX.0))
}

/// Sets the least fee. The fee is part of the size it depends on, so this repeats until nothing changes: each byte of the
/// fee holds 128 times more than the fee of the byte.
pub fn set_minimal_fee(operation: &mut ManagerOperation, parameters: &FeeParameters, first: bool, scheme: Scheme) {
    operation.fee = Mutez(0);
    // a fee has at most ten bytes; every round but the last adds one
    for _ in 0..12 {
        let fee = minimal_fee(parameters, size(operation, first, scheme), operation.gas_limit);
        if fee <= operation.fee {
            return;
        }
        operation.fee = fee;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use soru_tezos::hash::{CommitmentHash, SmartRollupAddress, StateHash};
    use soru_tezos::key::PublicKeyHash;
    use soru_tezos::micheline::{Micheline, Prim};
    use soru_tezos::operation::{Originate, Publish};
    use soru_tezos::rollup::{Commitment, PvmKind};
    use soru_tezos::scalar::{Level, Ticks};

    fn operation(body: impl Into<ManagerBody>, gas_limit: u64, storage_limit: u64) -> ManagerOperation {
        let source: PublicKeyHash = "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx".parse().unwrap();
        ManagerOperation {
            source,
            fee: Mutez(0),
            counter: Nat(2),
            gas_limit: Nat(gas_limit),
            storage_limit: Nat(storage_limit),
            body: body.into(),
        }
    }

    fn fee(mut operation: ManagerOperation) -> Mutez {
        set_minimal_fee(&mut operation, &FeeParameters::default(), true, Scheme::Ed25519);
        operation.fee
    }

    #[test]
    fn recorded_fees() {
        let originate = Originate {
            pvm_kind: PvmKind::Arith,
            kernel: Vec::new().into(),
            parameters_ty: Micheline::word(Prim::string),
            whitelist: None,
        };
        assert_eq!(fee(operation(originate, 2031, 6572)), Mutez(441));
        let commitment = Commitment {
            compressed_state: StateHash::ZERO,
            inbox_level: Level(32),
            predecessor: CommitmentHash::ZERO,
            number_of_ticks: Ticks(1),
        };
        let publish = Publish { rollup: SmartRollupAddress::ZERO, commitment };
        assert_eq!(fee(operation(publish, 6689, 0)), Mutez(989));
    }

    proptest! {
        #[test]
        fn the_fee_pays_for_its_own_bytes(gas in 0..2_000_000u64, byte in 0..100_000_000u64, counter: u64, first: bool) {
            let parameters = FeeParameters { nanotez_per_byte: byte, ..FeeParameters::default() };
            let cement = soru_tezos::operation::Cement { rollup: SmartRollupAddress::ZERO };
            let mut operation = operation(cement, gas, 0);
            operation.counter = Nat(counter);
            set_minimal_fee(&mut operation, &parameters, first, Scheme::Bls);
            let needed = minimal_fee(&parameters, size(&operation, first, Scheme::Bls), operation.gas_limit);
            prop_assert!(operation.fee >= needed);
        }
    }
}
