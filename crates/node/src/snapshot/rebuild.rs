//! The states that a compact snapshot leaves out, made again from its messages (`spec/node.md` §4.14).

use super::SnapshotError;
use crate::pipeline::evaluation::{Evaluation, evaluate};
use crate::pipeline::{LEVELS_IN_MEMORY, NodeConstants, PipelineError, machine};
use crate::reveals::{NodeReveals, Preimages};
use crate::store::{Flush, Restored, Store, StoredBlock};
use soru_l1::rpc::{BlockId, RpcClient};
use soru_pvm::{FastConfig, FastEngine, Pvm, PvmError, Reveals};
use soru_tezos::hash::{ProtocolHash, StateHash};
use soru_tezos::scalar::Level;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// Evaluates every level from the first one, whose state is there, up to `head`. What comes out must be what the blocks say.
/// Layer 1 is asked for the constants of each protocol.
pub(super) async fn states(
    restored: Restored,
    head: Level,
    preimages: Preimages,
    layer1: &RpcClient,
) -> Result<Restored, SnapshotError> {
    let first = restored.store().first_available_level();
    let mut constants: HashMap<ProtocolHash, NodeConstants> = HashMap::new();
    for level in first.0.saturating_add(1)..=head.0 {
        let protocol = block_of(restored.store(), Level(level))?.protocol;
        if let Entry::Vacant(place) = constants.entry(protocol) {
            place.insert(layer1.constants(BlockId::Level(Level(level).before(1))).await?);
        }
    }
    let rebuilt = tokio::task::spawn_blocking(move || {
        evaluate_all(restored.store(), first, head, &preimages, &constants)?;
        Ok(restored)
    });
    rebuilt.await.map_err(|e| SnapshotError::Read(e.to_string()))?
}

fn block_of(store: &Store, level: Level) -> Result<StoredBlock, SnapshotError> {
    let missing = || SnapshotError::Inconsistent(format!("Could not read L2 block of level {level} after import."));
    store.block_of_level(level)?.ok_or_else(missing)
}

fn evaluate_all(
    store: &Store,
    first: Level,
    head: Level,
    preimages: &Preimages,
    constants: &HashMap<ProtocolHash, NodeConstants>,
) -> Result<(), SnapshotError> {
    let engine = FastEngine::new(FastConfig::default()).map_err(|e| SnapshotError::Engine(e.to_string()))?;
    let metadata = store.metadata();
    let (rollup, origination) = (metadata.rollup_address, metadata.genesis_info.level);
    let mut before = machine_of(store, &block_of(store, first)?)?;
    for level in first.0.saturating_add(1)..=head.0 {
        let block = block_of(store, Level(level))?;
        let Some(constants) = constants.get(&block.protocol).cloned() else {
            return Err(SnapshotError::Inconsistent(format!("the protocol of level {level} is not known")));
        };
        let Some(payloads) = store.messages(&block.witness())? else {
            let text = format!("Could not read messages at {} after import.", block.hash);
            return Err(SnapshotError::Inconsistent(text));
        };
        let reveals = NodeReveals::new(preimages.clone(), rollup, origination, constants);
        let reveals: Arc<dyn Reveals> = Arc::new(reveals);
        let evaluation = evaluate(&before, &engine, &reveals, block.level, payloads).map_err(evaluation_failed)?;
        before = keep(store, &block, evaluation)?;
        if level % LEVELS_IN_MEMORY == 0 {
            before = machine_of(store, &block)?;
        }
    }
    Ok(())
}

/// Writes the state after a block, if it is the block's.
fn keep(store: &Store, block: &StoredBlock, evaluation: Evaluation) -> Result<Pvm, SnapshotError> {
    let Evaluation { mut pvm, ticks, .. } = evaluation;
    let batch = store.begin(Flush::Later)?;
    let root = pvm.commit(&mut batch.nodes()?).map_err(|error| failed(block.level, error))?;
    let state = StateHash(root.0);
    if state != block.state_hash || ticks != block.ticks {
        return Err(SnapshotError::Inconsistent(format!(
            "Erroneous state hash {state} for level {} instead of {}.",
            block.level, block.state_hash
        )));
    }
    batch.commit()?;
    Ok(pvm)
}

fn machine_of(store: &Store, block: &StoredBlock) -> Result<Pvm, SnapshotError> {
    machine(store, block).map_err(|error| failed(block.level, error))
}

fn failed(level: Level, source: PvmError) -> SnapshotError {
    evaluation_failed(PipelineError::Pvm { level, source })
}

fn evaluation_failed(error: PipelineError) -> SnapshotError {
    SnapshotError::Evaluation(Box::new(error))
}
