//! Requests about blocks, the mempool and the chain (`spec/protocol.md` §9.2).

use super::block_id::BlockId;
use super::error::{RpcError, RpcResult};
use super::http::RpcClient;
use super::stream::Documents;
use super::types::{
    BlockHeader, Bootstrapped, KeptBlock, MempoolFilter, PendingOperations, ProtocolActivation, Protocols, Version,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use soru_tezos::block::{Block, BlockOperation};
use soru_tezos::hash::{BlockHash, ChainId, OperationHash, ProtocolHash};
use soru_tezos::header::{MonitoredHead, ShellHeader};
use soru_tezos::operation::Operation;
use soru_tezos::receipt::SimulationResult;

/// The path of a block.
pub(super) fn block(id: impl Into<BlockId>) -> String {
    format!("/chains/main/blocks/{}", id.into())
}

impl RpcClient {
    /// Versions of the node and its network.
    pub async fn version(&self) -> RpcResult<Version> {
        self.get("/version").await
    }

    /// The chain.
    pub async fn chain_id(&self) -> RpcResult<ChainId> {
        self.get("/chains/main/chain_id").await
    }

    /// Whether the node has caught up with its network.
    pub async fn is_bootstrapped(&self) -> RpcResult<Bootstrapped> {
        self.get("/chains/main/is_bootstrapped").await
    }

    /// Blocks seen while the node catches up; ends when it has.
    pub async fn monitor_bootstrapped(&self) -> RpcResult<Documents<Value>> {
        self.stream("/monitor/bootstrapped").await
    }

    /// New heads from the present one on; only those of a protocol when one is given.
    pub async fn monitor_heads(&self, next_protocol: Option<&ProtocolHash>) -> RpcResult<Documents<MonitoredHead>> {
        let query = next_protocol.map(|protocol| format!("?next_protocol={protocol}")).unwrap_or_default();
        self.stream(&format!("/monitor/heads/main{query}")).await
    }

    /// A whole block with its metadata, however large.
    pub async fn block(&self, id: impl Into<BlockId>) -> RpcResult<Block> {
        self.get(&format!("{}?metadata=always", block(id))).await
    }

    /// The hash of a block.
    pub async fn block_hash(&self, id: impl Into<BlockId>) -> RpcResult<BlockHash> {
        self.get(&format!("{}/hash", block(id))).await
    }

    /// The header of a block, with its hash.
    pub async fn header(&self, id: impl Into<BlockId>) -> RpcResult<BlockHeader> {
        self.get(&format!("{}/header", block(id))).await
    }

    /// The shell's part of a header.
    pub async fn shell_header(&self, id: impl Into<BlockId>) -> RpcResult<ShellHeader> {
        self.get(&format!("{}/header/shell", block(id))).await
    }

    /// The protocols of a block and of its successors.
    pub async fn protocols(&self, id: impl Into<BlockId>) -> RpcResult<Protocols> {
        self.get(&format!("{}/protocols", block(id))).await
    }

    /// Blocks on which an operation may still build.
    pub async fn live_blocks(&self, id: impl Into<BlockId>) -> RpcResult<Vec<BlockHash>> {
        self.get(&format!("{}/live_blocks", block(id))).await
    }

    /// Hashes from `head` backwards, at most `length` of them, `head` first.
    pub async fn ancestors(&self, head: &BlockHash, length: u32) -> RpcResult<Vec<BlockHash>> {
        let path = format!("/chains/main/blocks?length={length}&head={head}");
        let lists: Vec<Vec<BlockHash>> = self.get(&path).await?;
        lists.into_iter().next().ok_or_else(|| RpcError::Decode {
            url: format!("{}{path}", self.endpoint()),
            problem: "an empty list of branches".to_owned(),
        })
    }

    /// The operations of one validation pass, with their receipts.
    pub async fn operations(&self, id: impl Into<BlockId>, pass: usize) -> RpcResult<Vec<BlockOperation>> {
        self.get(&format!("{}/operations/{pass}?metadata=always", block(id))).await
    }

    /// One operation with its receipt.
    pub async fn operation(&self, id: impl Into<BlockId>, pass: usize, index: usize) -> RpcResult<BlockOperation> {
        self.get(&format!("{}/operations/{pass}/{index}?metadata=always", block(id))).await
    }

    /// Hashes of the operations of a block, pass by pass.
    pub async fn operation_hashes(&self, id: impl Into<BlockId>) -> RpcResult<Vec<Vec<OperationHash>>> {
        self.get(&format!("{}/operation_hashes", block(id))).await
    }

    /// Hashes of the operations of one validation pass.
    pub async fn operation_hashes_of(&self, id: impl Into<BlockId>, pass: usize) -> RpcResult<Vec<OperationHash>> {
        self.get(&format!("{}/operation_hashes/{pass}", block(id))).await
    }

    /// The constants of the protocol, in the form the caller wants.
    pub async fn constants<T: DeserializeOwned>(&self, id: impl Into<BlockId>) -> RpcResult<T> {
        self.get(&format!("{}/context/constants", block(id))).await
    }

    /// Protocols of the chain with their first blocks.
    pub async fn protocol_activations(&self) -> RpcResult<Vec<ProtocolActivation>> {
        self.get("/chains/main/protocols").await
    }

    /// The oldest block of which the node has metadata.
    pub async fn savepoint(&self) -> RpcResult<KeptBlock> {
        self.get("/chains/main/levels/savepoint").await
    }

    /// The block the node will never abandon.
    pub async fn checkpoint(&self) -> RpcResult<KeptBlock> {
        self.get("/chains/main/levels/checkpoint").await
    }

    /// The mempool.
    pub async fn pending_operations(&self) -> RpcResult<PendingOperations> {
        self.get("/chains/main/mempool/pending_operations?version=2").await
    }

    /// What the mempool wants as fees.
    pub async fn mempool_filter(&self) -> RpcResult<MempoolFilter> {
        self.get("/chains/main/mempool/filter?include_default=true").await
    }

    /// What would become of an operation in the next block. Signature and missing fees do not matter.
    pub async fn simulate(
        &self,
        id: impl Into<BlockId>,
        chain_id: &ChainId,
        operation: &Operation,
        successor_level: bool,
    ) -> RpcResult<SimulationResult> {
        let query = if successor_level { "&successor_level=true" } else { "" };
        let path = format!("{}/helpers/scripts/simulate_operation?version=1{query}", block(id));
        self.post(&path, &json!({ "operation": operation, "chain_id": chain_id })).await
    }

    /// What would become of a signed operation now.
    pub async fn run_operation(
        &self,
        id: impl Into<BlockId>,
        chain_id: &ChainId,
        operation: &Operation,
    ) -> RpcResult<SimulationResult> {
        let path = format!("{}/helpers/scripts/run_operation?version=1", block(id));
        self.post(&path, &json!({ "operation": operation, "chain_id": chain_id })).await
    }

    /// What would become of a signed operation; its signature is checked.
    pub async fn preapply(
        &self,
        id: impl Into<BlockId>,
        protocol: &ProtocolHash,
        operation: &Operation,
    ) -> RpcResult<SimulationResult> {
        #[derive(Serialize)]
        struct Wire<'a> {
            protocol: &'a ProtocolHash,
            #[serde(flatten)]
            operation: &'a Operation,
        }
        let path = format!("{}/helpers/preapply/operations?version=1", block(id));
        let results: Vec<SimulationResult> = self.post(&path, &[Wire { protocol, operation }]).await?;
        results.into_iter().next().ok_or_else(|| RpcError::Decode {
            url: format!("{}{path}", self.endpoint()),
            problem: "no result for the operation".to_owned(),
        })
    }

    /// Gives signed bytes to the node, which spreads them.
    pub async fn inject(&self, signed: &[u8]) -> RpcResult<OperationHash> {
        self.post("/injection/operation?chain=main", &hex::encode(signed)).await
    }
}
