//! Whole blocks as `GET /chains/main/blocks/<id>` shows them (`spec/protocol.md` §9.2).

use crate::fields::{self, Object};
use crate::hash::{BlockHash, ChainId, NonceHash, OperationHash, ProtocolHash};
use crate::header::Header;
use crate::key::{PublicKeyHash, Signature};
use crate::operation::{ManagerOperation, Operation};
use crate::receipt::{BalanceUpdate, Content, ImplicitResult, ManagerReceipt};
use crate::scalar::{Level, Milligas};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Index of the validation pass of manager operations.
pub const MANAGER_PASS: usize = 3;

/// A block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// The protocol that executed it.
    pub protocol: ProtocolHash,
    /// Its chain.
    pub chain_id: ChainId,
    /// Its hash.
    pub hash: BlockHash,
    /// Its header.
    pub header: Header,
    /// What became of it; absent when metadata was not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BlockMetadata>,
    /// Its operations, pass by pass.
    pub operations: Vec<Vec<BlockOperation>>,
}

impl Block {
    /// The level.
    pub fn level(&self) -> Level {
        self.header.shell.level
    }

    /// The operations of the manager pass.
    pub fn manager_operations(&self) -> &[BlockOperation] {
        self.operations.get(MANAGER_PASS).map_or(&[], Vec::as_slice)
    }
}

/// An operation in a block or in the mempool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlockOperation {
    /// The protocol; absent in the mempool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<ProtocolHash>,
    /// The chain; absent in the mempool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<ChainId>,
    /// Its hash.
    pub hash: OperationHash,
    /// The block it builds on.
    pub branch: BlockHash,
    /// What it does, with receipts.
    pub contents: Vec<Content>,
    /// The signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// `"too large"` in place of receipts that are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Value>,
}

impl BlockOperation {
    /// The manager operations with their receipts, in order.
    pub fn managers(&self) -> impl Iterator<Item = &ManagerReceipt> {
        self.contents.iter().filter_map(Content::manager)
    }

    /// The operation itself, when it is a batch of manager operations.
    pub fn to_operation(&self) -> Option<Operation> {
        let contents: Option<Vec<ManagerOperation>> =
            self.contents.iter().map(|content| content.manager().map(|receipt| receipt.operation.clone())).collect();
        Some(Operation { branch: self.branch, contents: contents?, signature: self.signature.clone() })
    }
}

/// Limits of one validation pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassLimits {
    /// Most bytes.
    pub max_size: i32,
    /// Most operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_op: Option<i32>,
}

/// A level in its cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelInfo {
    /// The level.
    pub level: Level,
    /// Blocks since the protocol's first.
    pub level_position: i32,
    /// The cycle.
    pub cycle: i32,
    /// Blocks since the cycle's first.
    pub cycle_position: i32,
    /// Whether the block should commit to a nonce.
    pub expected_commitment: bool,
}

/// A voting period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VotingPeriod {
    /// Its number.
    pub index: i32,
    /// What is voted on.
    pub kind: String,
    /// Its first block.
    pub start_position: i32,
}

/// Where a block stands in its voting period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VotingPeriodInfo {
    /// The period.
    pub voting_period: VotingPeriod,
    /// Blocks since its first.
    pub position: i32,
    /// Blocks to its last.
    pub remaining: i32,
}

/// What became of a block. Blocks of the genesis protocol have the shell's part only.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BlockMetadata {
    /// The protocol that executed the block.
    pub protocol: ProtocolHash,
    /// The protocol of the next block.
    pub next_protocol: ProtocolHash,
    /// State of the test chain; `{"status":"not_running"}`.
    pub test_chain_status: Value,
    /// Blocks for which the branch of an operation is good.
    pub max_operations_ttl: i32,
    /// Most bytes of an operation.
    pub max_operation_data_length: i32,
    /// Most bytes of a header.
    pub max_block_header_length: i32,
    /// Limits pass by pass.
    pub max_operation_list_length: Vec<PassLimits>,
    /// The protocol's part.
    #[serde(flatten)]
    pub application: Option<ApplicationMetadata>,
    /// Fields that only other protocols have.
    #[serde(flatten)]
    pub other: Object,
}

impl<'de> Deserialize<'de> for BlockMetadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fields::deserialize(deserializer, |mut object| {
            let shell = BlockMetadata {
                protocol: fields::take(&mut object, "protocol")?,
                next_protocol: fields::take(&mut object, "next_protocol")?,
                test_chain_status: fields::take(&mut object, "test_chain_status")?,
                max_operations_ttl: fields::take(&mut object, "max_operations_ttl")?,
                max_operation_data_length: fields::take(&mut object, "max_operation_data_length")?,
                max_block_header_length: fields::take(&mut object, "max_block_header_length")?,
                max_operation_list_length: fields::take(&mut object, "max_operation_list_length")?,
                application: None,
                other: Object::new(),
            };
            // a protocol with other fields than these must not make its blocks unreadable
            let application = fields::read::<ApplicationMetadata>(object.clone()).ok();
            if application.is_some() {
                ApplicationMetadata::FIELDS.iter().for_each(|field| {
                    object.shift_remove(*field);
                });
            }
            Ok(BlockMetadata { application, other: object, ..shell })
        })
    }
}

impl ApplicationMetadata {
    const FIELDS: [&'static str; 16] = [
        "proposer",
        "baker",
        "level_info",
        "voting_period_info",
        "nonce_hash",
        "deactivated",
        "balance_updates",
        "liquidity_baking_toggle_ema",
        "implicit_operations_results",
        "proposer_consensus_key",
        "baker_consensus_key",
        "consumed_milligas",
        "dal_attestation",
        "all_bakers_attest_activation_level",
        "attestations",
        "preattestations",
    ];
}

/// The protocol's part of a block's metadata (Ushuaia).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApplicationMetadata {
    /// Who proposed the payload.
    pub proposer: PublicKeyHash,
    /// Who made the block.
    pub baker: PublicKeyHash,
    /// The level in its cycle.
    pub level_info: LevelInfo,
    /// The level in its voting period.
    pub voting_period_info: VotingPeriodInfo,
    /// The nonce hash the block commits to.
    pub nonce_hash: Option<NonceHash>,
    /// Delegates that are no longer active.
    pub deactivated: Vec<PublicKeyHash>,
    /// Changes of balances by the block itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub balance_updates: Vec<BalanceUpdate>,
    /// Moving average of the votes on the subsidy.
    pub liquidity_baking_toggle_ema: i32,
    /// Results of operations nobody signed.
    pub implicit_operations_results: Vec<ImplicitResult>,
    /// The key the proposer used.
    pub proposer_consensus_key: PublicKeyHash,
    /// The key the baker used.
    pub baker_consensus_key: PublicKeyHash,
    /// Gas used by all operations.
    pub consumed_milligas: Milligas,
    /// Bitset of attested DAL slots.
    pub dal_attestation: String,
    /// When all bakers attest, as the protocol writes it.
    pub all_bakers_attest_activation_level: Option<Value>,
    /// Power of the attestations.
    pub attestations: Option<Value>,
    /// Power of the preattestations.
    pub preattestations: Option<Value>,
}
