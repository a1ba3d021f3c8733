//! What the sandbox is started with: where it keeps its data, where it listens, how it makes blocks, and what the
//! chain begins with.

use serde::{Deserialize, Serialize};
use soru_protocol::constants::Preset;
use soru_protocol::protocol::Protocol;
use soru_tezos::blake2b;
use soru_tezos::key::{PublicKey, Scheme};
use soru_tezos::scalar::Mutez;
use soru_tezos::sign::{SecretKey, SecretKeyError};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// When blocks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockTime {
    /// One every so often.
    Interval(Duration),
    /// Only when asked for (`POST /sandbox/bake`).
    Manual,
    /// One whenever an operation arrives, and when asked for.
    OnOperation,
}

impl Default for BlockTime {
    fn default() -> Self {
        BlockTime::Interval(Duration::from_secs(1))
    }
}

/// A text that is not a block time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a block time: give seconds like 1 or 0.25 (at most a day), 'manual', or 'on-operation'")]
pub struct BlockTimeError(String);

/// Shortest interval between blocks, in seconds.
const MIN_INTERVAL: f64 = 0.001;
const MAX_INTERVAL: f64 = 86_400.0;

impl FromStr for BlockTime {
    type Err = BlockTimeError;

    fn from_str(text: &str) -> Result<Self, BlockTimeError> {
        match text {
            "manual" => Ok(BlockTime::Manual),
            "on-operation" => Ok(BlockTime::OnOperation),
            _ => text
                .parse::<f64>()
                .ok()
                .filter(|seconds| (MIN_INTERVAL..=MAX_INTERVAL).contains(seconds))
                .map(|seconds| BlockTime::Interval(Duration::from_secs_f64(seconds)))
                .ok_or_else(|| BlockTimeError(text.chars().take(40).collect())),
        }
    }
}

impl fmt::Display for BlockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BlockTime::Interval(interval) => write!(f, "{}", interval.as_secs_f64()),
            BlockTime::Manual => f.write_str("manual"),
            BlockTime::OnOperation => f.write_str("on-operation"),
        }
    }
}

/// An account that exists, revealed, when the chain starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FundedAccount {
    /// Its key.
    pub public_key: PublicKey,
    /// What it owns.
    pub balance: Mutez,
}

/// A well-known account of development networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WellKnown {
    /// `bootstrap1` to `bootstrap5`.
    pub alias: &'static str,
    /// The secret key, unencrypted.
    pub secret_key: &'static str,
    /// The public key.
    pub public_key: &'static str,
    /// The address.
    pub address: &'static str,
}

/// The accounts every Tezos sandbox starts with. Their secret keys are public.
pub const BOOTSTRAP: [WellKnown; 5] = [
    WellKnown {
        alias: "bootstrap1",
        secret_key: "edsk3gUfUPyBSfrS9CCgmCiQsTCHGkviBDusMxDJstFtojtc1zcpsh",
        public_key: "edpkuBknW28nW72KG6RoHtYW7p12T6GKc7nAbwYX5m8Wd9sDVC9yav",
        address: "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx",
    },
    WellKnown {
        alias: "bootstrap2",
        secret_key: "edsk39qAm1fiMjgmPkw1EgQYkMzkJezLNewd7PLNHTkr6w9XA2zdfo",
        public_key: "edpktzNbDAUjUk697W7gYg2CRuBQjyPxbEg8dLccYYwKSKvkPvjtV9",
        address: "tz1gjaF81ZRRvdzjobyfVNsAeSC6PScjfQwN",
    },
    WellKnown {
        alias: "bootstrap3",
        secret_key: "edsk4ArLQgBTLWG5FJmnGnT689VKoqhXwmDPBuGx3z4cvwU9MmrPZZ",
        public_key: "edpkuTXkJDGcFd5nh6VvMz8phXxU3Bi7h6hqgywNFi1vZTfQNnS1RV",
        address: "tz1faswCTDciRzE4oJ9jn2Vm2dvjeyA9fUzU",
    },
    WellKnown {
        alias: "bootstrap4",
        secret_key: "edsk2uqQB9AY4FvioK2YMdfmyMrer5R8mGFyuaLLFfSRo8EoyNdht3",
        public_key: "edpkuFrRoDSEbJYgxRtLx2ps82UdaYc1WwfS9sE11yhauZt5DgCHbU",
        address: "tz1b7tUupMgCNw2cCLpKTkSD1NZzB5TkP2sv",
    },
    WellKnown {
        alias: "bootstrap5",
        secret_key: "edsk4QLrcijEffxV31gGdN2HU7UpyJjA8drFoNcmnB28n89YjPNRFm",
        public_key: "edpkv8EUUH68jmo3f7Um5PezmfGrRF24gnfLpH3sVNwJnV5bVCxL2n",
        address: "tz1ddb9NMYHZi5UzPdzTZMYQQZoMub195zgv",
    },
];

/// What each of the [`BOOTSTRAP`] accounts owns: 4,000,000 tez.
pub const BOOTSTRAP_BALANCE: Mutez = Mutez::of_tez(4_000_000);

/// Most accounts that are made at the start.
pub const MAX_ACCOUNTS: u32 = 10_000;

/// The secret key of an account made besides the [`BOOTSTRAP`] ones, by its number from 1. It is the same on every sandbox,
/// and no secret.
///
/// # Errors
/// None for these keys; the type is that of making one.
pub fn made_account(number: u32) -> Result<SecretKey, SecretKeyError> {
    SecretKey::from_bytes(Scheme::Ed25519, &blake2b::digest::<32>(&[b"account of a sandbox", &number.to_be_bytes()]))
}

/// A change of protocol in the middle of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upgrade {
    /// The level of the last block of the protocol before.
    pub level: u32,
    /// The protocol of the blocks that follow.
    pub protocol: Protocol,
}

/// A text that is no upgrade.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    /// There is no such protocol.
    #[error("'{0}' is not a protocol: give a number from 016 to 025, a name like Tallinn, or a hash")]
    Protocol(String),
    /// Not a level and a protocol.
    #[error(
        "'{0}' is not LEVEL:PROTOCOL, like 100:025: the level of the last block before, at least 2, and the protocol"
    )]
    Form(String),
}

/// Reads a protocol by number, name or hash.
///
/// # Errors
/// When it is none of 016 to 025.
pub fn parse_protocol(text: &str) -> Result<Protocol, UpgradeError> {
    let number = text.parse::<u8>().ok();
    let plain = |name: &str| name.to_lowercase().replace(' ', "");
    let named = |protocol: &Protocol| {
        number == Some(protocol.number())
            || text == protocol.hash_text()
            || text == protocol.short_hash()
            || plain(text) == plain(protocol.name())
    };
    let unknown = || UpgradeError::Protocol(text.chars().take(60).collect());
    Protocol::ALL.into_iter().find(named).ok_or_else(unknown)
}

impl FromStr for Upgrade {
    type Err = UpgradeError;

    fn from_str(text: &str) -> Result<Self, UpgradeError> {
        let form = || UpgradeError::Form(text.chars().take(60).collect());
        let (level, protocol) = text.split_once(':').ok_or_else(form)?;
        let level = level.parse().ok().filter(|level| (2..i32::MAX as u32).contains(level)).ok_or_else(form)?;
        Ok(Upgrade { level, protocol: parse_protocol(protocol)? })
    }
}

impl fmt::Display for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:03}", self.level, self.protocol.number())
    }
}

/// Everything the sandbox is started with. Chain parameters (constants, accounts) count for a new chain only: a data
/// directory that already holds a chain continues it.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Where the chain is kept. Made if needed.
    pub data_dir: PathBuf,
    /// Where the RPC listens; port 0 takes a free one.
    pub rpc_addr: SocketAddr,
    /// Most connections that are open at a time; more wait until one ends.
    pub max_connections: usize,
    /// When blocks are made.
    pub block_time: BlockTime,
    /// The constants to begin with.
    pub preset: Preset,
    /// Constants by their JSON names, in place of those of the preset; an object.
    pub constants: serde_json::Value,
    /// Accounts besides the [`BOOTSTRAP`] ones.
    pub accounts: Vec<FundedAccount>,
    /// The protocol the chain begins with.
    pub protocol: Protocol,
    /// Protocols that follow, in order.
    pub upgrades: Vec<Upgrade>,
}

/// The RPC address of a reference node: loopback, port 8732.
pub const DEFAULT_RPC_ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8732);

/// Connections that may be open at a time: fewer than the file descriptors that systems give a process, 1,024.
pub const DEFAULT_MAX_CONNECTIONS: usize = 800;

impl SandboxConfig {
    /// A chain in `data_dir` with everything else as it is by default.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        SandboxConfig {
            data_dir: data_dir.into(),
            rpc_addr: DEFAULT_RPC_ADDRESS,
            max_connections: DEFAULT_MAX_CONNECTIONS,
            block_time: BlockTime::default(),
            preset: Preset::default(),
            constants: serde_json::Value::Object(Default::default()),
            accounts: Vec::new(),
            protocol: Protocol::Ushuaia,
            upgrades: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_times() {
        assert_eq!("manual".parse(), Ok(BlockTime::Manual));
        assert_eq!("on-operation".parse(), Ok(BlockTime::OnOperation));
        assert_eq!("0.25".parse(), Ok(BlockTime::Interval(Duration::from_millis(250))));
        assert_eq!("0.25".parse::<BlockTime>().unwrap().to_string(), "0.25");
        for wrong in ["", "0", "-1", "x", "1e99", "NaN", "inf"] {
            assert!(wrong.parse::<BlockTime>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn upgrades() {
        let read = |text: &str| text.parse::<Upgrade>();
        assert_eq!(read("100:025"), Ok(Upgrade { level: 100, protocol: Protocol::Ushuaia }));
        assert_eq!(read("2:PtMumbai"), Ok(Upgrade { level: 2, protocol: Protocol::Mumbai }));
        assert_eq!(read("7:paris c").map(|upgrade| upgrade.to_string()), Ok("7:020".into()));
        for wrong in ["", "100", "1:025", "x:025", "-5:025", "99999999999:025"] {
            assert!(matches!(read(wrong), Err(UpgradeError::Form(_))), "{wrong}");
        }
        for wrong in ["5:", "5:015", "5:026", "5:alpha"] {
            assert!(matches!(read(wrong), Err(UpgradeError::Protocol(_))), "{wrong}");
        }
    }

    #[test]
    fn well_known_keys_belong_together() {
        for account in BOOTSTRAP {
            assert_eq!(account.public_key.parse::<PublicKey>().unwrap().hash().to_string(), account.address);
        }
    }
}
