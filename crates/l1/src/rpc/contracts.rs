//! Requests about accounts and contracts (`spec/protocol.md` §9.2).

use super::block_id::BlockId;
use super::chain::block;
use super::error::RpcResult;
use super::http::RpcClient;
use super::types::{ContractInfo, Entrypoints};
use serde_json::json;
use soru_tezos::contract::{Contract, Entrypoint};
use soru_tezos::hash::ContractHash;
use soru_tezos::key::{PublicKey, PublicKeyHash};
use soru_tezos::micheline::Micheline;
use soru_tezos::operation::Script;
use soru_tezos::scalar::{Mutez, Nat};

fn contract(id: impl Into<BlockId>, contract: &Contract) -> String {
    format!("{}/context/contracts/{contract}", block(id))
}

impl RpcClient {
    /// An account or contract; nothing when it does not exist.
    pub async fn contract(&self, id: impl Into<BlockId>, who: &Contract) -> RpcResult<Option<ContractInfo>> {
        self.get_optional(&contract(id, who)).await
    }

    /// What an account can spend.
    pub async fn balance(&self, id: impl Into<BlockId>, who: &Contract) -> RpcResult<Mutez> {
        self.get(&format!("{}/balance", contract(id, who))).await
    }

    /// The counter of an account's last operation.
    pub async fn counter(&self, id: impl Into<BlockId>, who: &PublicKeyHash) -> RpcResult<Nat> {
        self.get(&format!("{}/counter", contract(id, &(*who).into()))).await
    }

    /// The public key of an account, once revealed.
    pub async fn manager_key(&self, id: impl Into<BlockId>, who: &PublicKeyHash) -> RpcResult<Option<PublicKey>> {
        let path = format!("{}/manager_key", contract(id, &(*who).into()));
        Ok(self.get_optional::<Option<PublicKey>>(&path).await?.flatten())
    }

    /// The code and storage of a contract.
    pub async fn script(&self, id: impl Into<BlockId>, who: &ContractHash) -> RpcResult<Option<Script>> {
        self.get_optional(&format!("{}/script", contract(id, &(*who).into()))).await
    }

    /// The storage of a contract, its values as people write them.
    pub async fn storage(&self, id: impl Into<BlockId>, who: &ContractHash) -> RpcResult<Option<Micheline>> {
        let path = format!("{}/storage/normalized", contract(id, &(*who).into()));
        match self.post(&path, &json!({ "unparsing_mode": "Readable" })).await {
            Ok(storage) => Ok(storage),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The entrypoints of a contract with their types.
    pub async fn entrypoints(&self, id: impl Into<BlockId>, who: &ContractHash) -> RpcResult<Option<Entrypoints>> {
        self.get_optional(&format!("{}/entrypoints", contract(id, &(*who).into()))).await
    }

    /// The type of one entrypoint.
    pub async fn entrypoint_type(
        &self,
        id: impl Into<BlockId>,
        who: &ContractHash,
        entrypoint: &Entrypoint,
    ) -> RpcResult<Option<Micheline>> {
        self.get_optional(&format!("{}/entrypoints/{entrypoint}", contract(id, &(*who).into()))).await
    }

    /// The delegate of an account or contract.
    pub async fn delegate(&self, id: impl Into<BlockId>, who: &Contract) -> RpcResult<Option<PublicKeyHash>> {
        self.get_optional(&format!("{}/delegate", contract(id, who))).await
    }
}
