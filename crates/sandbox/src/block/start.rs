//! How a chain starts: the genesis block of every reference sandbox, and block 1, which activates a protocol with the
//! chain's parameters (`spec/protocol.md` §2.9).

use super::bson;
use super::metadata::shell_metadata;
use crate::config::{BOOTSTRAP, BOOTSTRAP_BALANCE, FundedAccount, SandboxConfig};
use crate::error::SandboxError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use soru_protocol::constants::{Constants, Parametric, Preset};
use soru_protocol::protocol::Protocol;
use soru_tezos::block::{Block, BlockMetadata};
use soru_tezos::codec::{Encode, HexBytes};
use soru_tezos::hash::{BlockHash, ChainId, ContextHash, OperationListListHash, ProtocolHash};
use soru_tezos::header::{ActivationCommand, Header, ProtocolData, ShellHeader};
use soru_tezos::scalar::{Level, Timestamp};
use soru_tezos::sign::{SecretKey, Watermark};
use std::collections::BTreeMap;

/// The genesis block of reference sandboxes (and of mainnet).
pub const GENESIS_HASH: BlockHash = BlockHash([
    0x8f, 0xcf, 0x23, 0x36, 0x71, 0xb6, 0xa0, 0x4f, 0xcf, 0x67, 0x9d, 0x2a, 0x38, 0x1c, 0x25, 0x44, 0xea, 0x6c, 0x1e,
    0xa2, 0x9b, 0xa6, 0x15, 0x77, 0x76, 0xed, 0x84, 0x24, 0xc7, 0xcc, 0xd0, 0x0b,
]);
const GENESIS_TIME: Timestamp = Timestamp(0x5b37_aac4);
const GENESIS_CONTEXT: &str = "CoVBYdAGWBoDTkiVXJEGX6FQvDN1oGCPJu8STMvaTYdeh7N3KGTz";
const GENESIS_PROTOCOL: &str = "ProtoGenesisGenesisGenesisGenesisGenesisGenesk612im";
/// Root of no operations and no passes: the hash of the empty string.
const NO_PASSES: &str = "LLoZS2LW3rEi7KYU4ouBQtorua37aWWCtpDmv1n2x3xoKi6sVXLWp";
/// The key that activates protocols on reference sandboxes. Public.
const ACTIVATOR: &str = "edsk31vznjHSSpGExDMHYASz45VZqXN4DPxvsa4hAyY8dHM28cZzp6";

/// The protocol of the genesis block.
pub fn genesis_protocol() -> Result<ProtocolHash, SandboxError> {
    parse(GENESIS_PROTOCOL)
}

fn parse<T: std::str::FromStr>(text: &str) -> Result<T, SandboxError>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| SandboxError::Record(format!("{text}: {error}")))
}

/// Blocks an operation stays good for on a development chain: many, as blocks can be made much faster than a client
/// signs.
const QUICK_TIME_TO_LIVE: i16 = 240;

/// What a chain begins with. It is kept with the chain: everything else follows from it and the blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainStart {
    /// Time of block 1.
    pub timestamp: Timestamp,
    /// The constants.
    pub constants: Parametric,
    /// Accounts that exist from the beginning.
    pub accounts: Vec<FundedAccount>,
    /// The protocol that block 1 activates; without, the newest.
    #[serde(default)]
    pub protocol: Option<ProtocolHash>,
    /// Protocols that follow, each with the level of the last block before it.
    #[serde(default)]
    pub upgrades: Vec<(u32, ProtocolHash)>,
    /// Blocks up to this level were made by another program, which hashes its state in another way than this one.
    #[serde(default)]
    pub imported: u32,
}

impl ChainStart {
    /// A chain as configured, whose block 1 is made at `timestamp`.
    ///
    /// # Errors
    /// When the configuration overrides a constant that does not exist or with an impossible value.
    pub fn new(config: &SandboxConfig, timestamp: Timestamp) -> Result<ChainStart, SandboxError> {
        let mut base = config.preset.constants();
        if config.preset == Preset::Dailynet {
            base.max_operations_time_to_live = QUICK_TIME_TO_LIVE;
        }
        let constants = base.with_overrides(&config.constants)?;
        let mut accounts = Vec::new();
        for account in BOOTSTRAP {
            accounts.push(FundedAccount { public_key: parse(account.public_key)?, balance: BOOTSTRAP_BALANCE });
        }
        accounts.extend(config.accounts.iter().cloned());
        let hash = |protocol: Protocol| parse::<ProtocolHash>(protocol.hash_text());
        let mut upgrades = Vec::new();
        let mut last = config.protocol;
        for upgrade in &config.upgrades {
            if upgrade.protocol <= last || upgrades.last().is_some_and(|(level, _)| *level >= upgrade.level) {
                return Err(SandboxError::Upgrade { upgrade: upgrade.to_string() });
            }
            last = upgrade.protocol;
            upgrades.push((upgrade.level, hash(upgrade.protocol)?));
        }
        Ok(ChainStart { timestamp, constants, accounts, protocol: Some(hash(config.protocol)?), upgrades, imported: 0 })
    }

    /// The protocol that block 1 activates.
    pub fn protocol(&self) -> Protocol {
        self.protocol.as_ref().and_then(Protocol::from_hash).unwrap_or(Protocol::Ushuaia)
    }

    /// The level of the last block of each protocol that is replaced, with the one that follows.
    pub fn upgrades(&self) -> BTreeMap<i32, Protocol> {
        let known = self
            .upgrades
            .iter()
            .filter_map(|(level, hash)| Some((i32::try_from(*level).ok()?, Protocol::from_hash(hash)?)));
        known.collect()
    }

    /// The whole object of constants.
    pub fn constants(&self) -> Constants {
        Constants::of(self.constants.clone())
    }

    /// Block 0.
    pub fn genesis(&self) -> Result<Block, SandboxError> {
        let zero_protocol = ProtocolHash::ZERO;
        let shell = ShellHeader {
            level: Level(0),
            proto: 0,
            predecessor: GENESIS_HASH,
            timestamp: GENESIS_TIME,
            validation_pass: 0,
            operations_hash: parse::<OperationListListHash>(NO_PASSES)?,
            fitness: Vec::new(),
            context: parse::<ContextHash>(GENESIS_CONTEXT)?,
        };
        let metadata = BlockMetadata {
            max_operation_data_length: 0,
            max_block_header_length: 115,
            max_operation_list_length: Vec::new(),
            ..shell_metadata(zero_protocol, genesis_protocol()?, 0)
        };
        Ok(Block {
            protocol: zero_protocol,
            chain_id: ChainId::of_genesis(&GENESIS_HASH),
            hash: GENESIS_HASH,
            header: Header { shell, protocol_data: ProtocolData::Genesis {} },
            metadata: Some(metadata),
            operations: Vec::new(),
        })
    }

    /// Block 1: the command that activates the protocol, with the parameters in it.
    pub fn activation(&self) -> Result<Block, SandboxError> {
        let first = parse::<ProtocolHash>(self.protocol().hash_text())?;
        let genesis = self.genesis()?;
        let fitness = ShellHeader::fitness(Level(0), 0, 0);
        let content = ActivationCommand::Activate {
            hash: first,
            fitness: fitness.clone(),
            protocol_parameters: HexBytes(self.parameters()?),
        };
        let shell = ShellHeader {
            level: Level(1),
            proto: 1,
            predecessor: GENESIS_HASH,
            timestamp: self.timestamp,
            fitness,
            ..genesis.header.shell
        };
        let mut unsigned = shell.to_bytes();
        content.encode(&mut unsigned);
        let activator: SecretKey = parse(ACTIVATOR)?;
        let signature = activator.sign(Watermark::Block(genesis.chain_id), &unsigned);
        let signature = signature.map_err(|error| SandboxError::Sign(error.to_string()))?.generic();
        let header = Header { shell, protocol_data: ProtocolData::Activation { content, signature } };
        Ok(Block {
            protocol: genesis_protocol()?,
            chain_id: genesis.chain_id,
            hash: header.hash(),
            header,
            metadata: Some(shell_metadata(genesis_protocol()?, first, 1)),
            operations: Vec::new(),
        })
    }

    /// The parameters as the activation command carries them: accounts and constants, in binary JSON behind its length.
    fn parameters(&self) -> Result<Vec<u8>, SandboxError> {
        let accounts: Vec<Value> =
            self.accounts.iter().map(|account| json!([account.public_key, account.balance])).collect();
        let mut object = serde_json::Map::new();
        object.insert("bootstrap_accounts".to_owned(), Value::Array(accounts));
        match serde_json::to_value(&self.constants) {
            Ok(Value::Object(constants)) => object.extend(constants),
            Ok(_) | Err(_) => return Err(SandboxError::Record("the constants are not an object".to_owned())),
        }
        let document = bson::document(&object);
        let mut out = u32::try_from(document.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
        out.extend(document);
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn genesis_is_the_reference_one() {
        let start = ChainStart::new(&SandboxConfig::new(""), Timestamp(1_767_225_600)).unwrap();
        let genesis = start.genesis().unwrap();
        assert_eq!(genesis.hash.to_string(), "BLockGenesisGenesisGenesisGenesisGenesisf79b5d1CoW2");
        assert_eq!(genesis.chain_id.to_string(), "NetXdQprcVkpaWU");
        assert_eq!(
            hex::encode(genesis.header.to_bytes()),
            "00000000008fcf233671b6a04fcf679d2a381c2544ea6c1ea29ba6157776ed8424c7ccd00b000000005b37aac4000e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a80000000046eda4bd10fa370d99881852b74be8a0e2f407afb9d4722fefffcfbe76878a66"
        );
        let activation = start.activation().unwrap();
        assert_eq!(activation.header.shell.context, genesis.header.shell.context);
        assert_eq!(activation.hash, activation.header.hash());
    }
}
