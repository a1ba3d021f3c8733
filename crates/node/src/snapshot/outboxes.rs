//! What a snapshot says of outboxes whose messages can still be executed. Which messages there are is in the states; which of
//! them were executed is on layer 1.

use super::SnapshotError;
use crate::pipeline::evaluation::outbox_indexes;
use crate::pipeline::{NodeConstants, PipelineError, machine};
use crate::store::{Execution, Flush, OutboxRecord, Restored, Store};
use futures::{StreamExt, TryStreamExt, stream};
use soru_l1::rpc::{BlockId, RpcClient, RpcError};
use soru_tezos::header::BlockRef;
use soru_tezos::scalar::Level;
use std::collections::BTreeMap;

/// Outboxes that layer 1 is asked about at a time.
const AT_ONCE: usize = 8;

/// Checks the outboxes from the first that is active on, and takes from layer 1 what of them was executed. Nothing follows from
/// what is said of outboxes before: what they hold cannot be executed any more.
pub(super) async fn check(restored: Restored, layer1: &RpcClient) -> Result<Restored, SnapshotError> {
    let constants: NodeConstants = layer1.constants(BlockId::HEAD).await?;
    let store = restored.store();
    let Some(head) = store.head()? else { return Ok(restored) };
    let head = BlockRef { level: head.level, hash: head.hash };
    let cemented = store.last_cemented()?.map_or(store.first_available_level(), |(_, level)| level);
    let first = cemented.before(constants.rollup.max_active_outbox_levels.saturating_sub(1));
    let outboxes: BTreeMap<Level, OutboxRecord> = store.outboxes(first..=head.level)?.into_iter().collect();
    let messages = outboxes.iter().map(|(level, record)| (*level, record.messages.clone())).collect();
    let checking = tokio::task::spawn_blocking(move || {
        check_messages(restored.store(), first, head.level, &messages)?;
        Ok::<_, SnapshotError>(restored)
    });
    let restored = checking.await.map_err(|e| SnapshotError::Read(e.to_string()))??;
    set_executions(restored.store(), layer1, head, outboxes).await?;
    Ok(restored)
}

/// Asks layer 1 what was executed up to the head of the store, which is after the head where layer 1 no longer has that: then
/// only what the snapshot says too was executed before. Where layer 1 does not answer nothing was: the message waits, and if it
/// is tried in vain nothing is lost.
async fn set_executions(
    store: &Store,
    layer1: &RpcClient,
    head: BlockRef,
    outboxes: BTreeMap<Level, OutboxRecord>,
) -> Result<(), SnapshotError> {
    let is_there = head.level > layer1.savepoint().await?.level;
    let at = if is_there { BlockId::Level(head.level) } else { BlockId::HEAD };
    let rollup = store.metadata().rollup_address;
    let asked = outboxes.into_iter().map(|(level, record)| async move {
        let consumed = match layer1.consumed_outputs(at, &rollup, level).await {
            Err(error) if error.is_connection() => return Err(error),
            consumed => consumed.ok(),
        };
        Ok::<_, RpcError>((level, record, consumed))
    });
    let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
    let (batch, mut unknown) = (store.begin(Flush::Now)?, 0);
    for (level, OutboxRecord { messages, executed }, consumed) in answers {
        unknown += usize::from(consumed.is_none());
        let consumed = consumed.unwrap_or_default();
        let told = |index: u32| executed.iter().find(|execution| execution.index == index).copied();
        let missed = |index: u32| is_there.then_some(Execution { index, block: head });
        let is_consumed = |index: &u32| i32::try_from(*index).is_ok_and(|index| consumed.contains(&index));
        let executed = messages.into_iter().filter(is_consumed);
        batch.replace_executions(level, executed.filter_map(|index| told(index).or(missed(index))).collect())?;
    }
    batch.commit()?;
    if unknown > 0 {
        tracing::warn!(
            "Layer 1 does not tell what was executed of {unknown} outboxes: their messages are shown as not executed"
        );
    }
    Ok(())
}

/// Compares the messages that are said to be in the outboxes with those in the states.
fn check_messages(
    store: &Store,
    first: Level,
    head: Level,
    messages: &BTreeMap<Level, Vec<u32>>,
) -> Result<(), SnapshotError> {
    let genesis = store.metadata().genesis_info.level;
    let mut level = first.max(genesis.after(1));
    let mut at = store.first_available_level();
    while level <= head {
        let Some(block) = store.block_of_level(at)? else {
            return Err(SnapshotError::Inconsistent(format!("Could not read L2 block of level {at} after import.")));
        };
        let failed = |source| SnapshotError::Evaluation(Box::new(PipelineError::Pvm { level: block.level, source }));
        let machine = machine(store, &block).map_err(failed)?;
        // of so many levels, its own the last; what no state holds any more cannot be proven
        let kept = machine.state().storage.output.validity_period.max(1);
        level = level.max(block.level.before(kept - 1));
        while level <= block.level {
            let there = outbox_indexes(&machine, level).map_err(failed)?;
            if messages.get(&level).map_or(&[][..], Vec::as_slice) != there {
                return Err(SnapshotError::Inconsistent(format!(
                    "the messages of the outbox of level {level} are not those in the state of level {}",
                    block.level
                )));
            }
            level = level.after(1);
        }
        at = level.after(kept - 1).min(head);
    }
    Ok(())
}
