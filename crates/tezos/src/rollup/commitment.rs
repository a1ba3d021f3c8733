//! Commitments and the kinds of PVM (`spec/protocol.md` §4.1, §2.3).

use crate::binary_struct;
use crate::blake2b;
use crate::codec::{Decode, Decoded, Encode, Problem, Reader};
use crate::hash::{CommitmentHash, StateHash};
use crate::scalar::{Level, Ticks};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The claim that after the inbox of `inbox_level` the rollup is in state `compressed_state`. 76 bytes in binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Commitment {
    /// State after all messages of `inbox_level`.
    pub compressed_state: StateHash,
    /// Last level whose messages are read.
    pub inbox_level: Level,
    /// The commitment one period before; the zero hash for a genesis commitment.
    pub predecessor: CommitmentHash,
    /// Ticks from the predecessor's state to this one.
    pub number_of_ticks: Ticks,
}

binary_struct!(Commitment { compressed_state, inbox_level, predecessor, number_of_ticks });

impl Commitment {
    /// The commitment a rollup starts from: `state` is that of the PVM with its kernel installed, `level` the level of
    /// the origination.
    pub fn genesis(state: StateHash, level: Level) -> Self {
        Commitment {
            compressed_state: state,
            inbox_level: level,
            predecessor: CommitmentHash::ZERO,
            number_of_ticks: Ticks(0),
        }
    }

    /// BLAKE2b-256 of the 76 bytes.
    pub fn hash(&self) -> CommitmentHash {
        CommitmentHash(blake2b::hash256(&self.to_bytes()))
    }
}

/// A commitment with its hash, as several RPCs give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashedCommitment {
    /// Hash of the commitment.
    pub hash: CommitmentHash,
    /// The commitment.
    #[serde(flatten)]
    pub commitment: Commitment,
}

/// Where a rollup begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenesisInfo {
    /// Level of the origination.
    pub level: Level,
    /// Hash of the genesis commitment.
    pub commitment_hash: CommitmentHash,
}

binary_struct!(GenesisInfo { level, commitment_hash });

/// The kind of a rollup's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum PvmKind {
    /// The arithmetic toy PVM.
    Arith = 0,
    /// The WebAssembly PVM.
    Wasm200 = 1,
    /// The RISC-V PVM.
    Riscv = 2,
}

impl PvmKind {
    /// All kinds, by tag.
    pub const ALL: [PvmKind; 3] = [PvmKind::Arith, PvmKind::Wasm200, PvmKind::Riscv];

    /// The name in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            PvmKind::Arith => "arith",
            PvmKind::Wasm200 => "wasm_2_0_0",
            PvmKind::Riscv => "riscv",
        }
    }
}

/// A text that names no kind of PVM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a kind of rollup: arith, wasm_2_0_0 or riscv")]
pub struct UnknownPvmKind {
    /// The text, shortened.
    pub text: String,
}

impl fmt::Display for PvmKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for PvmKind {
    type Err = UnknownPvmKind;
    fn from_str(text: &str) -> Result<Self, UnknownPvmKind> {
        PvmKind::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| UnknownPvmKind { text: text.chars().take(40).collect() })
    }
}

crate::json_as_text!(PvmKind);

impl Encode for PvmKind {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(*self as u8);
    }
}

impl Decode for PvmKind {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        let tag = reader.byte("PVM kind")?;
        reader.note("enum", tag);
        PvmKind::ALL.get(usize::from(tag)).copied().ok_or_else(|| at.error("PVM kind", Problem::Tag(tag)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commitments_with_documented_hashes() {
        let genesis =
            Commitment::genesis("srs136U2KJweAXf7Excw61Zeu5R5L7mi2TCb1WKkowQJ6UdHJ2VZWS".parse().unwrap(), Level(2));
        assert_eq!(genesis.to_bytes().len(), 76);
        assert_eq!(genesis.hash().to_string(), "src148NzWSdgmKmEtfGmWYNcsaJmLaGWAJ8LNv7d9An6exzYHr3eYT");
        assert_eq!(Commitment::from_bytes(&genesis.to_bytes()), Ok(genesis));
        let json = serde_json::to_string(&genesis).unwrap();
        assert!(json.ends_with(r#""number_of_ticks":"0"}"#), "{json}");
        assert_eq!(serde_json::from_str::<Commitment>(&json).unwrap(), genesis);
    }
}
