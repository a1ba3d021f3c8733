//! Gas of one operation, in thousandths of a unit, and the costs that belong to every manager operation
//! (`spec/protocol.md` §2.6). The costs of rollup rules are those of `soru-protocol`, those of scripts of
//! `soru-michelson`.

use super::errors::gas_exhausted;
use soru_tezos::key::Scheme;
use soru_tezos::rpc_error::Trace;
use soru_tezos::scalar::{Milligas, Nat};

/// So many units of gas.
pub fn units(units: Nat) -> Milligas {
    Milligas::of_gas(units.0)
}

/// The sum, at most what fits.
pub fn sum(left: Milligas, right: Milligas) -> Milligas {
    Milligas(left.0.saturating_add(right.0))
}

/// What every manager operation costs.
pub const MANAGER_OPERATION: Milligas = Milligas(100_000);
/// A transfer to an implicit account, besides [`MANAGER_OPERATION`].
pub const TRANSFER: Milligas = Milligas(2_000_000);

/// A change of delegate, besides [`MANAGER_OPERATION`].
pub const DELEGATION: Milligas = Milligas(1_000_000);

/// What checking the signature of so many bytes costs.
pub fn signature_check(scheme: Scheme, unsigned_length: usize) -> Milligas {
    let length = unsigned_length as u64;
    let serialize = length.saturating_mul(32);
    let hashed = length.saturating_add(length >> 3);
    let check = match scheme {
        Scheme::Ed25519 | Scheme::MlDsa44 => 65_800 + hashed,
        Scheme::Secp256k1 => 51_600 + hashed,
        Scheme::P256 => 341_000 + hashed,
        Scheme::Bls => 1_570_000 + length.saturating_mul(3),
    };
    Milligas(serialize.saturating_add(check))
}

/// Gas left of a limit.
#[derive(Debug, Clone)]
pub struct GasMeter {
    limit: Milligas,
    left: Milligas,
}

impl GasMeter {
    /// A meter with all of `limit` left.
    pub fn new(limit: Milligas) -> GasMeter {
        GasMeter { limit, left: limit }
    }

    /// Uses some up.
    ///
    /// # Errors
    /// `gas_exhausted.operation` when not so much is left; then nothing is left.
    pub fn consume(&mut self, cost: Milligas) -> Result<(), Trace> {
        match self.left.0.checked_sub(cost.0) {
            Some(left) => {
                self.left = Milligas(left);
                Ok(())
            }
            None => {
                self.left = Milligas(0);
                Err(vec![gas_exhausted()])
            }
        }
    }

    /// What is left.
    pub fn left(&self) -> Milligas {
        self.left
    }

    /// What was used.
    pub fn used(&self) -> Milligas {
        Milligas(self.limit.0 - self.left.0)
    }
}
