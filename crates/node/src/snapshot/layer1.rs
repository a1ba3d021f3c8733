//! What layer 1 says of a snapshot.

use super::SnapshotError;
use crate::pipeline::NodeConstants;
use crate::store::Store;
use soru_l1::rpc::{BlockId, RpcClient};
use soru_tezos::hash::{CommitmentHash, SmartRollupAddress};
use soru_tezos::scalar::Level;

/// Checks that layer 1 knows a commitment, or knew it at a level that it still has. Published commitments stay for at least
/// a challenge window, so one question in each window is enough; `hint` is a level near the publication.
pub async fn check_published(
    layer1: &RpcClient,
    rollup: &SmartRollupAddress,
    commitment: &CommitmentHash,
    hint: Level,
) -> Result<(), SnapshotError> {
    let head = layer1.shell_header(BlockId::HEAD).await?.level;
    let savepoint = layer1.savepoint().await?.level;
    let constants: NodeConstants = layer1.constants(BlockId::HEAD).await?;
    let step = constants.rollup.challenge_window_in_blocks.max(1);
    let mut level = savepoint.max(hint.min(head).before(step));
    loop {
        match layer1.commitment(BlockId::Level(level), rollup, commitment).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_connection() => return Err(error.into()),
            Err(_) if level >= head => return Err(SnapshotError::NotPublished(*commitment)),
            Err(_) => level = head.min(level.after(step)),
        }
    }
}

/// Checks, before a snapshot is read, that layer 1 can be asked about it.
pub(super) async fn check_savepoint(layer1: &RpcClient, head: Level) -> Result<(), SnapshotError> {
    let savepoint = layer1.savepoint().await?.level;
    if head <= savepoint { Err(SnapshotError::BeforeSavepoint { head, savepoint }) } else { Ok(()) }
}

/// Checks that a store is of the rollup of this layer 1, and agrees with it on what is cemented.
pub(super) async fn check_cemented(layer1: &RpcClient, store: &Store) -> Result<(), SnapshotError> {
    let metadata = store.metadata();
    let rollup = &metadata.rollup_address;
    let genesis = match layer1.genesis_info(BlockId::HEAD, rollup).await {
        Err(error) if error.is_not_found() => return Err(SnapshotError::OtherChain),
        genesis => genesis?,
    };
    if genesis != metadata.genesis_info {
        return Err(SnapshotError::OtherChain);
    }
    let cemented = layer1.last_cemented(BlockId::HEAD, rollup).await?;
    let head = store.head()?.map_or(genesis.level, |head| head.level);
    if cemented.level > head {
        return Ok(());
    }
    match store.block_of_level(cemented.level)?.and_then(|block| block.commitment) {
        Some(found) if found == cemented.hash => Ok(()),
        Some(found) => Err(SnapshotError::Cemented { found, level: cemented.level, expected: cemented.hash }),
        None => Err(SnapshotError::Inconsistent(format!("No commitment for LCC level {}", cemented.level))),
    }
}
