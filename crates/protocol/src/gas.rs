//! Gas of operations on rollups (`spec/protocol.md` §2.6).
//!
//! Fixed costs, signatures, messages, kernels and proofs follow the protocol's formulas. The accesses to the context are
//! counted per operation, each at the price of the storage model; where their number depends on what is stored, the
//! arguments say so. On recorded receipts the result is exact for reveals, messages, publications and cementations;
//! within 2 % for originations, bonds and games; within 25 % for outbox messages, whose calls are checked against scripts
//! of any size.

use soru_tezos::key::Scheme;
use soru_tezos::scalar::Milligas;

/// What every manager operation costs.
pub const MANAGER_OPERATION: Milligas = Milligas(100_000);

/// One access that reads `bytes` at a path of `depth` steps.
const fn read(depth: u64, bytes: u64) -> u64 {
    200_000 + 5_000 * depth + 2 * bytes
}

/// One access that writes `bytes`.
const fn write(bytes: u64) -> u64 {
    200_000 + 4 * bytes
}

/// Hashing so many bytes.
const fn hash_bytes(bytes: u64) -> u64 {
    430 + bytes + bytes / 8
}

/// Checking the signature of an operation whose unsigned form has so many bytes; the first one of a batch pays.
pub const fn signature(scheme: Scheme, unsigned_bytes: u64) -> Milligas {
    let serialization = 32 * unsigned_bytes;
    let check = match scheme {
        Scheme::Ed25519 | Scheme::MlDsa44 => 65_800 + unsigned_bytes + unsigned_bytes / 8,
        Scheme::Secp256k1 => 51_600 + unsigned_bytes + unsigned_bytes / 8,
        Scheme::P256 => 341_000 + unsigned_bytes + unsigned_bytes / 8,
        Scheme::Bls => 1_570_000 + 3 * unsigned_bytes,
    };
    Milligas(serialization + check)
}

/// Adding a serialized message of so many bytes to the inbox.
pub const fn add_message(bytes: u64) -> Milligas {
    /// Binary logarithm of the index every message is charged for, rounded up and down as the protocol does.
    const LOG: u64 = 18;
    let hash_cell = 250 + 57 * LOG;
    let next_cell = 19 * LOG + LOG / 2;
    Milligas(hash_cell + hash_bytes(bytes) + next_cell)
}

/// Adding an external message: the content has `bytes` bytes, one less than when serialized.
pub const fn add_external_message(bytes: u64) -> Milligas {
    Milligas(4 * bytes + add_message(bytes + 1).0)
}

/// Work whose cost depends on what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// An origination.
    Originate {
        /// Bytes of the kernel.
        kernel: u64,
        /// Keys of the whitelist; nothing for a public rollup.
        whitelist: Option<u64>,
    },
    /// A publication.
    Publish {
        /// The commitment is published for the first time.
        first: bool,
        /// The source freezes its bond.
        bonds: bool,
        /// Other commitments for the same inbox level.
        rivals: u64,
        /// The rollup is private.
        private: bool,
    },
    /// A cementation.
    Cement {
        /// Cemented commitments stored before.
        stored: u64,
        /// Stakers on the commitment.
        stakers: u64,
        /// Commitments on the same predecessor whose stakers have lost.
        beaten: u64,
        /// Commitments on another predecessor.
        orphaned: u64,
        /// The oldest stored commitment is dropped.
        drops: bool,
    },
    /// A bond given back.
    RecoverBond,
    /// An executed outbox message, without its calls.
    ExecuteOutboxMessage {
        /// Bytes of the proof.
        proof: u64,
        /// Calls it makes.
        calls: u64,
        /// Keys of a new whitelist; none of them when the rollup becomes public.
        whitelist: Option<u64>,
    },
    /// The start of a game.
    StartGame,
    /// A dissection.
    Dissect {
        /// Chunks of the new dissection.
        chunks: u64,
        /// Those of them that have a state.
        states: u64,
        /// Chunks of the one before.
        before: u64,
    },
    /// A proof.
    Prove {
        /// It ends the game.
        ends: bool,
    },
    /// A timeout.
    Timeout,
}

/// What a piece of work costs besides [`MANAGER_OPERATION`] and the [`signature`].
pub fn work(work: Work) -> Milligas {
    Milligas(accesses(work))
}

fn accesses(work: Work) -> u64 {
    match work {
        Work::Originate { kernel, whitelist } => {
            let listed = whitelist.map_or(0, |keys| 218_020 + 210_000 * keys);
            1_748_269 + 13_550 + 3 * kernel + kernel / 2 + listed
        }
        Work::Publish { first, bonds, rivals, private } => {
            let extra = |yes: bool, cost: u64| if yes { cost } else { 0 };
            // A rival is one more hash in a list that is read and written, and one more list of stakers.
            5_537_837 + extra(!first, 221_928) + extra(bonds, 880_054) + extra(private, read(7, 0)) + 698_202 * rivals
        }
        Work::Cement { stored, stakers, beaten, orphaned, drops } => {
            let commitment = read(6, 77);
            let walk = match stored.clamp(1, 5) {
                1 => 0,
                2 => commitment + read(6, 0),
                3 => 2 * (commitment + read(6, 0)),
                _ => 3 * commitment + 2 * read(6, 0),
            };
            let active = read(6, 1) * stakers.saturating_sub(1);
            let dropped = if drops { write(0) } else { 0 };
            4_440_744 + walk + active + dropped + 1_750_228 * beaten + 1_060_218 * orphaned
        }
        Work::RecoverBond => 2_915_240,
        Work::ExecuteOutboxMessage { proof, calls, whitelist } => {
            let proof = 7_100 + 6 * proof + 103_450 + 7 * proof;
            let listed = whitelist.map_or(0, |keys| 844_583 + 228_000 * keys);
            proof + 2_705_905 + 2_517 * calls + listed
        }
        Work::StartGame => 4_999_062,
        Work::Dissect { chunks, states, before } => 2_894_262 + 2_131 * chunks + 8_064 * states + 80 * before,
        Work::Prove { ends } => {
            let checked = 10 * hash_bytes(2 * 32_768);
            checked + if ends { 4_456_000 } else { 2_913_000 }
        }
        Work::Timeout => 3_546_000,
    }
}

/// The sum of costs.
pub fn total(parts: impl IntoIterator<Item = Milligas>) -> Milligas {
    Milligas(parts.into_iter().fold(0, |sum, part| sum.saturating_add(part.0)))
}
