//! The versions of the PVM and the protocols that set them (`spec/pvm.md` §9).

use crate::error::PvmError;
use std::fmt;

/// A version of the machine, oldest first. It is data: the content of `/readonly/wasm_version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// `2.0.0` (Mumbai).
    V0,
    /// `2.0.0-r1` (Nairobi).
    V1,
    /// `2.0.0-r2` (Oxford, by migration).
    V2,
    /// `2.0.0-r3` (Oxford, by origination).
    V3,
    /// `2.0.0-r4` (Paris).
    V4,
    /// `2.0.0-r5` (Quebec to Tallinn).
    V5,
    /// `2.0.0-r6` (Ushuaia).
    V6,
    /// `2.0.0-experimental`: as the newest, and greater than every numbered one.
    Experimental,
}

impl Version {
    /// All versions, oldest first.
    pub const ALL: [Version; 8] = [
        Version::V0,
        Version::V1,
        Version::V2,
        Version::V3,
        Version::V4,
        Version::V5,
        Version::V6,
        Version::Experimental,
    ];

    /// The text kept in durable storage.
    pub const fn as_str(self) -> &'static str {
        match self {
            Version::V0 => "2.0.0",
            Version::V1 => "2.0.0-r1",
            Version::V2 => "2.0.0-r2",
            Version::V3 => "2.0.0-r3",
            Version::V4 => "2.0.0-r4",
            Version::V5 => "2.0.0-r5",
            Version::V6 => "2.0.0-r6",
            Version::Experimental => "2.0.0-experimental",
        }
    }

    /// The version written as `bytes`, if it is known.
    pub fn parse(bytes: &[u8]) -> Result<Version, PvmError> {
        let known = Version::ALL.into_iter().find(|version| version.as_str().as_bytes() == bytes);
        known.ok_or_else(|| {
            PvmError::UnknownVersion(String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).into_owned())
        })
    }

    /// Most nested frames of an evaluation, the outermost included (§5.5).
    pub const fn stack_size_limit(self) -> u32 {
        match self {
            Version::V0 => 300,
            _ => 60_000,
        }
    }

    /// The version set when the protocol called `name` is activated (§9.2); nothing for a name the machine does not know.
    pub fn set_by_migration(name: &[u8]) -> Option<Version> {
        Some(match name {
            b"nairobi_017" => Version::V1,
            b"oxford_018" => Version::V2,
            b"paris_019" | b"paris_020" => Version::V4,
            b"quebec_021" | b"r022_022" | b"s023_023" | b"t024_024" => Version::V5,
            b"u025_025" | b"alpha_current" => Version::V6,
            _ => return None,
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Version {
    type Err = PvmError;

    fn from_str(text: &str) -> Result<Self, PvmError> {
        Version::parse(text.as_bytes())
    }
}
