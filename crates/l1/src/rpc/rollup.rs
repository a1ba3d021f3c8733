//! Requests about smart rollups (`spec/protocol.md` §9.3).

use super::block_id::BlockId;
use super::chain::block;
use super::error::RpcResult;
use super::http::RpcClient;
use super::types::{Conflict, GameTimeout, LastCemented, LastWhitelistUpdate, OngoingGame, StakedOn};
use serde::de::DeserializeOwned;
use soru_tezos::hash::{CommitmentHash, SmartRollupAddress};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::number::N;
use soru_tezos::rollup::{Commitment, GameResult, GenesisInfo, Inbox, PvmKind, Stakers};
use soru_tezos::scalar::Level;

impl RpcClient {
    async fn rollup<T: DeserializeOwned>(
        &self,
        id: impl Into<BlockId>,
        rollup: &SmartRollupAddress,
        rest: &str,
    ) -> RpcResult<T> {
        self.get(&format!("{}/context/smart_rollups/smart_rollup/{rollup}/{rest}", block(id))).await
    }

    /// All rollups.
    pub async fn all_rollups(&self, id: impl Into<BlockId>) -> RpcResult<Vec<SmartRollupAddress>> {
        self.get(&format!("{}/context/smart_rollups/all", block(id))).await
    }

    /// The inbox at the end of a block.
    pub async fn inbox(&self, id: impl Into<BlockId>) -> RpcResult<Inbox> {
        self.get(&format!("{}/context/smart_rollups/all/inbox", block(id))).await
    }

    /// The kind of a rollup's machine.
    pub async fn rollup_kind(&self, id: impl Into<BlockId>, rollup: &SmartRollupAddress) -> RpcResult<PvmKind> {
        self.rollup(id, rollup, "kind").await
    }

    /// Where a rollup begins.
    pub async fn genesis_info(&self, id: impl Into<BlockId>, rollup: &SmartRollupAddress) -> RpcResult<GenesisInfo> {
        self.rollup(id, rollup, "genesis_info").await
    }

    /// The last cemented commitment.
    pub async fn last_cemented(&self, id: impl Into<BlockId>, rollup: &SmartRollupAddress) -> RpcResult<LastCemented> {
        self.rollup(id, rollup, "last_cemented_commitment_hash_with_level").await
    }

    /// A commitment the layer 1 still stores.
    pub async fn commitment(
        &self,
        id: impl Into<BlockId>,
        rollup: &SmartRollupAddress,
        commitment: &CommitmentHash,
    ) -> RpcResult<Commitment> {
        self.rollup(id, rollup, &format!("commitment/{commitment}")).await
    }

    /// Whether a commitment can be cemented now.
    pub async fn can_be_cemented(
        &self,
        id: impl Into<BlockId>,
        rollup: &SmartRollupAddress,
        commitment: &CommitmentHash,
    ) -> RpcResult<bool> {
        self.rollup(id, rollup, &format!("commitment/{commitment}/can_be_cemented")).await
    }

    /// Commitments for an inbox level.
    pub async fn commitments_of_level(
        &self,
        id: impl Into<BlockId>,
        rollup: &SmartRollupAddress,
        level: Level,
    ) -> RpcResult<Vec<CommitmentHash>> {
        let list: Option<Vec<CommitmentHash>> =
            self.rollup(id, rollup, &format!("inbox_level/{level}/commitments")).await?;
        Ok(list.unwrap_or_default())
    }

    /// The newest commitment a staker stands on. Nothing also when it is no staker.
    pub async fn staked_on(
        &self,
        id: impl Into<BlockId>,
        rollup: &SmartRollupAddress,
        staker: &PublicKeyHash,
    ) -> RpcResult<StakedOn> {
        match self.rollup(id, rollup, &format!("staker/{staker}/staked_on_commitment")).await {
            Err(error) if error.has("smart_rollup_not_staked") => Ok(None),
            other => other,
        }
    }

    /// All stakers.
    pub async fn stakers(&self, id: impl Into<BlockId>, rollup: &SmartRollupAddress) -> RpcResult<Vec<PublicKeyHash>> {
        self.rollup(id, rollup, "stakers").await
    }

    /// Games of a staker.
    pub async fn games(
        &self,
        id: impl Into<BlockId>,
        rollup: &SmartRollupAddress,
        staker: &PublicKeyHash,
    ) -> RpcResult<Vec<OngoingGame>> {
        self.rollup(id, rollup, &format!("staker/{staker}/games")).await
    }

    /// Other stakers' commitments that contradict those of a staker.
    pub async fn conflicts(
        &self,
        id: impl Into<BlockId>,
        rollup: &SmartRollupAddress,
        staker: &PublicKeyHash,
    ) -> RpcResult<Vec<Conflict>> {
        self.rollup(id, rollup, &format!("staker/{staker}/conflicts")).await
    }

    /// Time left in a game; nothing when there is no such game.
    pub async fn game_timeout(
        &self,
        id: impl Into<BlockId>,
        rollup: &SmartRollupAddress,
        stakers: &Stakers,
    ) -> RpcResult<Option<GameTimeout>> {
        let (alice, bob) = (stakers.alice(), stakers.bob());
        self.rollup(id, rollup, &format!("staker1/{alice}/staker2/{bob}/timeout")).await
    }

    /// How a game would end by a timeout now; nothing when nobody is late.
    pub async fn timeout_reached(
        &self,
        id: impl Into<BlockId>,
        rollup: &SmartRollupAddress,
        stakers: &Stakers,
    ) -> RpcResult<Option<GameResult>> {
        let (alice, bob) = (stakers.alice(), stakers.bob());
        self.rollup(id, rollup, &format!("staker1/{alice}/staker2/{bob}/timeout_reached")).await
    }

    /// The whitelist of a private rollup; nothing for a public one.
    pub async fn whitelist(
        &self,
        id: impl Into<BlockId>,
        rollup: &SmartRollupAddress,
    ) -> RpcResult<Option<Vec<PublicKeyHash>>> {
        self.rollup(id, rollup, "whitelist").await
    }

    /// The last executed whitelist update.
    pub async fn last_whitelist_update(
        &self,
        id: impl Into<BlockId>,
        rollup: &SmartRollupAddress,
    ) -> RpcResult<Option<LastWhitelistUpdate>> {
        self.rollup(id, rollup, "last_whitelist_update").await
    }

    /// Outbox messages of a level that were executed, by index.
    pub async fn consumed_outputs(
        &self,
        id: impl Into<BlockId>,
        rollup: &SmartRollupAddress,
        level: Level,
    ) -> RpcResult<Vec<i32>> {
        self.rollup(id, rollup, &format!("consumed_outputs/{level}")).await
    }

    /// The number of a staker.
    pub async fn staker_index(
        &self,
        id: impl Into<BlockId>,
        rollup: &SmartRollupAddress,
        staker: &PublicKeyHash,
    ) -> RpcResult<N> {
        self.rollup(id, rollup, &format!("staker/{staker}/index")).await
    }
}
