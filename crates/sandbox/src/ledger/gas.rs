//! Gas of one operation, in thousandths of a unit, and the costs that belong to every manager operation
//! (`spec/protocol.md` §2.6). The costs of rollup rules are those of `soru-protocol`, those of scripts of
//! `soru-michelson`.

use super::errors::gas_exhausted;
pub use soru_protocol::gas::{MANAGER_OPERATION, signature};
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

/// A transfer to an implicit account, besides [`MANAGER_OPERATION`].
pub const TRANSFER: Milligas = Milligas(2_000_000);

/// A change of delegate, besides [`MANAGER_OPERATION`].
pub const DELEGATION: Milligas = Milligas(1_000_000);

/// An origination, besides checking its script.
pub const ORIGINATION: Milligas = Milligas(300_000);

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
