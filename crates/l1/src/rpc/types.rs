//! Answers that are not blocks or receipts (`spec/protocol.md` §9.2–9.3).

use serde::{Deserialize, Serialize};
use serde_json::Value;
use soru_tezos::block::BlockOperation;
use soru_tezos::hash::{BlockHash, ChainId, CommitmentHash, ProtocolHash};
use soru_tezos::header::Header;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::number::N;
use soru_tezos::operation::Script;
use soru_tezos::rollup::{Commitment, Game, HashedCommitment, Stakers};
use soru_tezos::rpc_error::Trace;
use soru_tezos::scalar::{Level, Mutez, Nat};

/// `GET …/protocols`: who executed a block, and who will execute the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Protocols {
    /// The protocol of the block.
    pub protocol: ProtocolHash,
    /// The protocol of its successors; it answers requests about the block's context.
    pub next_protocol: ProtocolHash,
}

/// `GET …/header`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockHeader {
    /// The protocol of the block.
    pub protocol: ProtocolHash,
    /// Its chain.
    pub chain_id: ChainId,
    /// Its hash.
    pub hash: BlockHash,
    /// The header.
    #[serde(flatten)]
    pub header: Header,
}

/// `GET /version`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// Version of the software.
    pub version: Value,
    /// Version of the network.
    pub network_version: NetworkVersion,
    /// Where the software comes from.
    #[serde(default)]
    pub commit_info: Option<Value>,
}

/// The network a node belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkVersion {
    /// Its name, like `TEZOS_MAINNET`.
    pub chain_name: String,
    /// Version of the database protocol.
    pub distributed_db_version: u16,
    /// Version of the peer-to-peer protocol.
    pub p2p_version: u16,
}

/// `GET /chains/main/is_bootstrapped`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrapped {
    /// Whether the node has caught up with the network.
    pub bootstrapped: bool,
    /// How it sees itself: `synced`, `unsynced` or `stuck`.
    pub sync_state: String,
}

/// A block of which a node knows that it keeps it: `savepoint`, `checkpoint`, `caboose`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptBlock {
    /// Its hash.
    pub block_hash: BlockHash,
    /// Its level.
    pub level: Level,
}

/// An item of `GET /chains/main/protocols`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolActivation {
    /// The protocol.
    pub protocol: ProtocolHash,
    /// Its number on the chain.
    pub proto_level: u8,
    /// Block that activated it: the last one of the protocol before.
    pub activation_block: ActivationBlock,
}

/// Where a protocol was activated. Nodes give either the pair of level and hash, or an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ActivationBlock {
    /// `{"block_hash":…,"level":…}`.
    Named {
        /// Its hash.
        block_hash: BlockHash,
        /// Its level.
        level: Level,
    },
    /// `[hash, level]`.
    Pair(BlockHash, Level),
}

impl ActivationBlock {
    /// The level.
    pub fn level(&self) -> Level {
        match self {
            ActivationBlock::Named { level, .. } | ActivationBlock::Pair(_, level) => *level,
        }
    }
}

/// `GET …/context/contracts/<c>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractInfo {
    /// Its balance.
    pub balance: Mutez,
    /// Its delegate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegate: Option<PublicKeyHash>,
    /// Its code and storage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<Script>,
    /// Its counter, when it is an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counter: Option<Nat>,
    /// Whether its key is known, when it is an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revealed: Option<bool>,
}

/// `GET …/contracts/<c>/entrypoints`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entrypoints {
    /// Types by name; the root is not listed.
    pub entrypoints: std::collections::BTreeMap<String, Micheline>,
}

/// An operation the mempool did not accept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefusedOperation {
    /// The operation.
    #[serde(flatten)]
    pub operation: BlockOperation,
    /// Why.
    #[serde(default)]
    pub error: Trace,
}

/// `GET /chains/main/mempool/pending_operations?version=2`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PendingOperations {
    /// Waiting for inclusion.
    #[serde(default, alias = "applied")]
    pub validated: Vec<BlockOperation>,
    /// Never valid.
    #[serde(default)]
    pub refused: Vec<RefusedOperation>,
    /// Too old.
    #[serde(default)]
    pub outdated: Vec<RefusedOperation>,
    /// Not valid on this branch.
    #[serde(default)]
    pub branch_refused: Vec<RefusedOperation>,
    /// Not valid yet.
    #[serde(default)]
    pub branch_delayed: Vec<RefusedOperation>,
}

/// A fraction of whole numbers, as the mempool writes its fees: `["100","1"]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ratio(pub N, pub N);

/// `GET /chains/main/mempool/filter?include_default=true`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MempoolFilter {
    /// Base fee.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimal_fees: Option<Mutez>,
    /// Fee per unit of gas, in billionths of a tez.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimal_nanotez_per_gas_unit: Option<Ratio>,
    /// Fee per byte, in billionths of a tez.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimal_nanotez_per_byte: Option<Ratio>,
}

/// Hash and level of the last cemented commitment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastCemented {
    /// Its hash.
    pub hash: CommitmentHash,
    /// Its inbox level.
    pub level: Level,
}

/// `GET …/staker/<pkh>/staked_on_commitment`.
pub type StakedOn = Option<HashedCommitment>;

/// An item of `GET …/staker/<pkh>/games`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OngoingGame {
    /// The game.
    pub game: Game,
    /// Its players.
    #[serde(flatten)]
    pub stakers: Stakers,
}

/// An item of `GET …/staker/<pkh>/conflicts`: the first commitment on which a staker and another one differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The other staker.
    pub other: PublicKeyHash,
    /// Its commitment.
    pub their_commitment: Commitment,
    /// The staker's commitment.
    pub our_commitment: Commitment,
    /// The last commitment both agree on.
    pub parent_commitment: CommitmentHash,
}

/// `GET …/staker1/<a>/staker2/<b>/timeout`: blocks left for each player, counted from the last turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct GameTimeout {
    /// Left for Alice.
    pub alice: i32,
    /// Left for Bob.
    pub bob: i32,
    /// Level of the last turn.
    pub last_turn_level: Level,
}

/// `GET …/last_whitelist_update`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastWhitelistUpdate {
    /// Index of the message.
    pub message_index: N,
    /// Its outbox level.
    pub outbox_level: Level,
}
