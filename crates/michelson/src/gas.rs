//! The gas meter and the table of costs. Costs follow the order of magnitude of protocol 025's, not its exact formulas:
//! they bound what a script can do (`spec/protocol.md` §2.6).

use crate::error::{Problem, Result};

/// Gas in thousandths: 1,000 milligas are one unit of `gas_limit`.
pub type Milligas = u64;

/// What is left of an operation's gas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gas {
    limit: Milligas,
    left: Milligas,
}

impl Gas {
    /// A meter with so much gas.
    pub fn new(limit: Milligas) -> Gas {
        Gas { limit, left: limit }
    }

    /// A meter that never runs out in practice, for tools.
    pub fn unlimited() -> Gas {
        Gas::new(u64::MAX)
    }

    /// Gas left.
    pub fn left(&self) -> Milligas {
        self.left
    }

    /// Gas used so far.
    pub fn used(&self) -> Milligas {
        self.limit - self.left
    }

    /// Takes `cost`, or fails with `gas_exhausted.operation`.
    pub fn take(&mut self, cost: Milligas) -> Result<()> {
        match self.left.checked_sub(cost) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(Problem::GasExhausted.into())
            }
        }
    }

    /// Takes `base` plus `per` thousandths of a milligas for each of `count`.
    pub fn take_for(&mut self, base: Milligas, per_thousand: Milligas, count: usize) -> Result<()> {
        self.take(base.saturating_add((count as u64).saturating_mul(per_thousand) / 1_000))
    }
}

/// The costs, in milligas.
pub mod cost {
    /// One instruction.
    pub const INSTRUCTION: u64 = 12;
    /// Checking one instruction.
    pub const CHECK_INSTRUCTION: u64 = 220;
    /// Checking or comparing one type node.
    pub const CHECK_TYPE: u64 = 60;
    /// Reading one node of a value.
    pub const PARSE_NODE: u64 = 100;
    /// Writing one node of a value.
    pub const UNPARSE_NODE: u64 = 65;
    /// Decoding one base58 text.
    pub const BASE58: u64 = 3_300;
    /// Arithmetic on integers, base; per 1,000 bytes see [`NUMBER_BYTES`].
    pub const ARITHMETIC: u64 = 20;
    /// Per 1,000 bytes of linear arithmetic.
    pub const NUMBER_BYTES: u64 = 100;
    /// Per 1,000 products of eight bytes by eight bytes in multiplication and division.
    pub const NUMBER_PRODUCTS: u64 = 2_500;
    /// Comparing, base; per 1,000 bytes 30.
    pub const COMPARE: u64 = 35;
    /// Per 1,000 bytes compared or copied.
    pub const BYTES: u64 = 300;
    /// A step down a set or map, per level of the tree.
    pub const TREE_STEP: u64 = 80;
    /// One element of a list, set or map gone through.
    pub const ELEMENT: u64 = 30;
    /// A hash, base; per 1,000 bytes [`HASH_BYTES`].
    pub const HASH: u64 = 500;
    /// Per 1,000 bytes hashed.
    pub const HASH_BYTES: u64 = 8_000;
    /// Checking a signature.
    pub const SIGNATURE: u64 = 370_000;
    /// Checking a BLS signature.
    pub const BLS_SIGNATURE: u64 = 1_600_000;
    /// Reading a point of BLS12-381: whether it is one of the group.
    pub const BLS_POINT: u64 = 100_000;
    /// An addition on BLS12-381.
    pub const BLS_ADD: u64 = 3_000;
    /// A multiplication of a point of BLS12-381.
    pub const BLS_MUL: u64 = 260_000;
    /// A negation of a point of BLS12-381.
    pub const BLS_NEG: u64 = 60_000;
    /// One pair of a pairing check.
    pub const PAIRING: u64 = 700_000;
    /// Reading something from the chain's storage.
    pub const STORAGE_READ: u64 = 200_000;
    /// Writing something to the chain's storage.
    pub const STORAGE_WRITE: u64 = 200_000;
    /// Emitting an operation.
    pub const OPERATION: u64 = 2_000;
}
