//! Following layer 1: heads, reorganisations, catching up, one block after the other (`spec/node.md` §4.2, §4.3).

use super::operations::Operations;
use crate::config::{Mode, Purpose, PvmPatch};
use crate::node::{Node, NodeError};
use crate::pipeline::operations::RollupEvent;
use crate::pipeline::{NodeConstants, PipelineError, Processed};
use crate::store::{Flush, StoreError};
use futures::{StreamExt, TryStreamExt, stream};
use soru_l1::heads::HeadStream;
use soru_l1::rpc::RpcError;
use soru_pvm::RevealError;
use soru_tezos::block::Block;
use soru_tezos::hash::BlockHash;
use soru_tezos::header::MonitoredHead;
use soru_tezos::rollup::WhitelistUpdate;
use soru_tezos::scalar::Level;
use std::future::Future;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Blocks fetched at the same time while catching up.
const FETCHED_AHEAD: usize = 8;
/// Blocks written to disk together while catching up; a crash costs at most these.
const FLUSHED_TOGETHER: usize = 16;

/// Why a head was not reached.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    LayerOne(#[from] RpcError),
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    #[error("{0} left the whitelist")]
    NotInWhitelist(String),
    #[error(
        "the layer 1 at {endpoint} is not the one that this data directory follows: {problem}. The node goes \
         on when the right one answers there; for another chain choose another data directory"
    )]
    OtherChain { endpoint: String, problem: String },
    #[error("{0}")]
    Internal(String),
    #[error("stopped")]
    Stopped,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::Pipeline(error.into())
    }
}

/// Follows layer 1 until told to stop, or until going on makes no sense.
pub(super) async fn follow(
    node: &Arc<Node>,
    mut heads: HeadStream,
    operations: &Operations,
    stop: &CancellationToken,
) -> Result<(), NodeError> {
    // the first head came at startup; later, a head again when something that can pass kept it from being reached
    let mut again = node.status().last_head;
    let mut pause = Duration::ZERO;
    let mut events = vec![];
    loop {
        let head = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            head = heads.next() => head,
            Some(head) = later(&again, pause) => head,
        };
        node.status_mut().last_head = Some(head.clone());
        again = match on_head(node, &head, &mut events, stop).await {
            Ok(()) => {
                let events = std::mem::take(&mut events);
                if node.status_mut().stopped.take().is_some() {
                    tracing::info!("Processing blocks again");
                }
                if has_recovered(node, &events) {
                    tracing::info!(
                        "Exit bailout mode - stakes have been recovered, and the node is exiting safely now"
                    );
                    return Ok(());
                }
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    () = operations.on_processed(node, &head, events) => None,
                }
            }
            Err(Failure::Stopped) => return Ok(()),
            Err(Failure::LayerOne(e)) => {
                heads.lose(e.to_string());
                pause = Duration::from_secs_f64(node.config.reconnection_delay);
                Some(head)
            }
            Err(Failure::NotInWhitelist(key)) => return Err(NodeError::NotInWhitelist(key)),
            Err(Failure::Internal(e)) => return Err(NodeError::Internal(e)),
            Err(other @ Failure::OtherChain { .. }) if node.config.no_degraded => {
                return Err(NodeError::OtherChain(other.to_string()));
            }
            Err(other @ Failure::OtherChain { .. }) => {
                degrade(node, &other);
                // its next head, or the first of the right one
                None
            }
            Err(Failure::Pipeline(e)) if e.is_fatal() || node.config.no_degraded || is_at_the_beginning(node, &e) => {
                return Err(e.into());
            }
            Err(Failure::Pipeline(e)) => {
                degrade(node, &e);
                pause = Duration::from_secs_f64(node.config.loop_retry_delay);
                e.may_pass_later().then_some(head)
            }
        };
    }
}

/// Goes on without processing blocks. Said once.
fn degrade(node: &Node, why: &dyn std::fmt::Display) {
    let text = why.to_string();
    let known = node.status_mut().stopped.replace(text.clone());
    if known.as_ref() != Some(&text) {
        tracing::error!(
            "Cannot process further blocks: {text}. The node keeps answering requests and publishes nothing"
        );
    }
}

/// Waits for layer 1, which may take its time, unless the node is told to stop.
async fn unless_stopped<T, E: Into<Failure>>(
    stop: &CancellationToken,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    tokio::select! {
        () = stop.cancelled() => Err(Failure::Stopped),
        answer = answer => answer.map_err(Into::into),
    }
}

/// Whether a preimage is missing before the node has committed to anything: there is no game to go on with, and whoever sets
/// the node up is to see it (`spec/node.md` §4.10).
fn is_at_the_beginning(node: &Node, error: &PipelineError) -> bool {
    let genesis = node.store.metadata().genesis_info.commitment_hash;
    let missing = matches!(error, PipelineError::Reveal { error: RevealError::MissingPreimage(_), .. });
    let committed = || node.store.head().map(|head| head.is_some_and(|head| head.last_commitment() != genesis));
    missing && !committed().unwrap_or(true)
}

/// The head to try again, after a pause; never when there is none.
async fn later(head: &Option<MonitoredHead>, pause: Duration) -> Option<MonitoredHead> {
    match head {
        Some(head) => {
            tokio::time::sleep(pause).await;
            Some(head.clone())
        }
        None => std::future::pending().await,
    }
}

/// Whether the bond is back for which the node was run in bailout mode.
fn has_recovered(node: &Node, events: &[RollupEvent]) -> bool {
    let own = node.config.operators.key(Purpose::Operating);
    let recovered = |event: &RollupEvent| matches!(event, RollupEvent::Recovered { staker } if Some(*staker) == own);
    node.config.mode == Mode::Bailout && events.iter().any(recovered)
}

/// Processes all blocks up to a head. What happened in them is added to `events`, even if the head is not reached.
async fn on_head(
    node: &Arc<Node>,
    head: &MonitoredHead,
    events: &mut Vec<RollupEvent>,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let genesis = node.store.metadata().genesis_info.level;
    let head = if node.config.l1_monitor_finalized {
        unless_stopped(stop, finalized_of(node, head, genesis)).await?
    } else {
        Head { hash: head.hash, level: head.shell.level, predecessor: head.shell.predecessor }
    };
    let old = node.store.head()?;
    let old_level = old.as_ref().map_or(genesis.before(1), |old| old.level);
    if head.level < genesis {
        tracing::info!("Layer 1 is at level {}, before the first of the rollup, {genesis}: waiting", head.level);
        return Ok(());
    }
    if head.level < old_level && node.store.hash_of_level(head.level)? == Some(head.hash) {
        tracing::info!("Layer 1 is at level {}, behind the node's {old_level}: waiting", head.level);
        return Ok(());
    }
    if old.is_some_and(|old| old.hash == head.hash) {
        return Ok(());
    }
    if head.level.since(old_level) > 1 {
        tracing::info!("Catching up on {} levels", head.level.since(old_level));
    }
    let hashes = unless_stopped(stop, new_chain(node, &head, genesis)).await?;
    let first = head.level.before(i32::try_from(hashes.len()).unwrap_or(i32::MAX).saturating_sub(1));
    if first <= old_level {
        let undone = old_level.since(first).saturating_add(1);
        tracing::info!("Reorganisation of {undone} blocks, from level {first} on");
    }
    let count = hashes.len();
    let mut blocks = stream::iter(hashes)
        .map(|hash| async move {
            // a block known already is not fetched again
            match node.store.block(&hash).map_err(Failure::from)? {
                Some(known) => Ok::<_, Failure>(Fetched::Known(Box::new(known))),
                None => {
                    let asked = Instant::now();
                    let block = Box::new(node.layer1.block(hash).await?);
                    Ok(Fetched::New(block, asked.elapsed()))
                }
            }
        })
        .buffered(FETCHED_AHEAD)
        .enumerate()
        .map(|(index, fetched)| fetched.map(|fetched| (index, fetched)));
    while let Some((index, fetched)) = unless_stopped(stop, blocks.try_next()).await? {
        if stop.is_cancelled() {
            return Err(Failure::Stopped);
        }
        let last = index + 1 == count;
        let flush = if last || (index + 1) % FLUSHED_TOGETHER == 0 { Flush::Now } else { Flush::Later };
        match fetched {
            Fetched::Known(block) => {
                node.metrics.note(|noted| noted.inbox_times = [Duration::ZERO; 3]);
                let known = block.clone();
                blocking(node, move |node| lock(&node.pipeline).return_to(&known)).await?;
                announce(node, &block);
            }
            Fetched::New(block, fetching) => {
                let started = Instant::now();
                events.extend(process(node, block, flush, stop).await?);
                let evaluating = started.elapsed();
                let times = [fetching, evaluating, fetching.saturating_add(evaluating)];
                node.metrics.note(|noted| noted.inbox_times = times);
            }
        }
    }
    check_whitelist(node, events)
}

/// What of a head matters here.
#[derive(Debug, Clone, Copy)]
struct Head {
    hash: BlockHash,
    level: Level,
    predecessor: BlockHash,
}

enum Fetched {
    Known(Box<crate::store::StoredBlock>),
    /// With the time it took to get it.
    New(Box<Block>, Duration),
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Evaluation and writing take their time: they run on a thread that may block.
async fn blocking<T: Send + 'static>(
    node: &Arc<Node>,
    work: impl FnOnce(&Node) -> Result<T, PipelineError> + Send + 'static,
) -> Result<T, Failure> {
    let node = Arc::clone(node);
    match tokio::task::spawn_blocking(move || work(&node)).await {
        Ok(result) => Ok(result?),
        Err(e) => Err(Failure::Internal(e.to_string())),
    }
}

/// After an update of the whitelist, the operator must still be in it (`spec/node.md` §3.3). What was updated once more
/// since does not count.
fn check_whitelist(node: &Node, events: &[RollupEvent]) -> Result<(), Failure> {
    let update = events.iter().rev().find_map(|event| match event {
        RollupEvent::Executed { whitelist_update, .. } => whitelist_update.as_ref(),
        _ => None,
    });
    match (node.config.operators.key(Purpose::Operating), update) {
        (Some(key), Some(WhitelistUpdate::Update { whitelist }))
            if node.config.mode != Mode::Bailout && !whitelist.contains(&key) =>
        {
            Err(Failure::NotInWhitelist(key.to_string()))
        }
        _ => Ok(()),
    }
}

async fn process(
    node: &Arc<Node>,
    block: Box<Block>,
    flush: Flush,
    stop: &CancellationToken,
) -> Result<Vec<RollupEvent>, Failure> {
    let (level, short) = (block.level(), short(&block.hash));
    tracing::info!("Processing head {short} at level {level}");
    let started = Instant::now();
    let processed = if level == node.store.metadata().genesis_info.level {
        let inbox = unless_stopped(stop, node.layer1.inbox(block.hash)).await?;
        let patches = unless_stopped(stop, patches(node, block.hash)).await?;
        blocking(node, move |node| lock(&node.pipeline).process_genesis(&block, inbox, &patches, flush)).await?
    } else {
        let constants = unless_stopped(stop, constants_of(node, &block)).await?;
        blocking(node, move |node| lock(&node.pipeline).process(&block, &constants, flush)).await?
    };
    let Processed { block, commitment, messages, events } = processed;
    if level > node.store.metadata().genesis_info.level {
        tracing::info!("Fetched {messages} messages from block {short} at level {level}");
    }
    if let (Some(hash), Some(commitment)) = (&block.commitment, &commitment) {
        let hash = &hash.to_base58()[..14];
        tracing::info!("New commitment {hash} for inbox level {}", commitment.inbox_level);
    }
    let milliseconds = started.elapsed().as_secs_f64() * 1e3;
    tracing::info!("Processed head {short} at level {level} in {milliseconds:.3}ms");
    announce(node, &block);
    collect(node, block).await?;
    Ok(events)
}

/// The unsafe changes of the first state, which begins at a block: those the reference makes to this rollup, and those of
/// the user, who must confirm them. A public rollup has none (`spec/node.md` §4.7).
async fn patches(node: &Node, genesis: BlockHash) -> Result<Vec<PvmPatch>, Failure> {
    let (rollup, given) = (&node.config.smart_rollup_address, &node.config.unsafe_pvm_patches);
    if !given.is_empty() && !node.config.apply_unsafe_patches {
        return Err(PipelineError::UnconfirmedPatches(given.clone()).into());
    }
    let patches = [PvmPatch::of_rollup(rollup), given.clone()].concat();
    if !patches.is_empty() && node.layer1.whitelist(genesis, rollup).await?.is_none() {
        return Err(PipelineError::PatchesOfPublicRollup.into());
    }
    Ok(patches)
}

/// Begins to collect garbage, if it is time.
async fn collect(node: &Arc<Node>, head: crate::store::StoredBlock) -> Result<(), Failure> {
    let constants = node.current_constants();
    blocking(node, move |node| Ok(node.collector.after_block(&mut lock(&node.pipeline), &head, &constants)?)).await
}

/// Tells those who watch. Nobody watching is no error.
fn announce(node: &Node, block: &crate::store::StoredBlock) {
    let _ = node.blocks.send(block.clone());
    if let Ok(Some(finalized)) = node.store.block_of_level(block.level.before(2)) {
        let _ = node.finalized.send(finalized);
    }
}

/// The constants of the protocol that executes a block: those in force after its predecessor.
async fn constants_of(node: &Arc<Node>, block: &Block) -> Result<Arc<NodeConstants>, Failure> {
    let Some(metadata) = &block.metadata else { return Err(PipelineError::NoMetadata(block.hash).into()) };
    if let Some(known) = node.known_constants(&metadata.protocol) {
        return Ok(known);
    }
    let constants = Arc::new(node.layer1.constants(block.header.shell.predecessor).await?);
    node.set_constants(metadata.protocol, Arc::clone(&constants));
    Ok(constants)
}

/// The hashes from the first block that is not canonical yet up to the head, oldest first.
async fn new_chain(node: &Arc<Node>, head: &Head, genesis: Level) -> Result<Vec<BlockHash>, Failure> {
    let store = &node.store;
    let (old, oldest) = (store.head()?, store.first_available_level());
    if head.level == genesis || old.as_ref().is_some_and(|old| old.hash == head.predecessor) {
        return Ok(vec![head.hash]);
    }
    let known_level = old.as_ref().map_or(genesis.before(1), |old| old.level);
    // newest first
    let mut hashes = vec![head.hash];
    let (mut level, mut joined, mut checked) = (head.level, false, old.is_none());
    while level > oldest && !joined {
        let missing = u32::try_from(level.since(known_level.min(level))).unwrap_or(0).max(8);
        let from = hashes.last().copied().unwrap_or(head.hash);
        let older = node.layer1.ancestors(&from, missing.min(4096) + 1).await?;
        if older.len() < 2 {
            let problem = format!(
                "it has no predecessor of {from} at level {level}: use an archive node, or one with a longer history \
                 (--history-mode full:50)"
            );
            return Err(RpcError::Unreachable { url: node.layer1.endpoint().to_owned(), problem }.into());
        }
        for hash in older.into_iter().skip(1) {
            level = level.before(1);
            joined = store.hash_of_level(level)? == Some(hash);
            if level < oldest || joined {
                break;
            }
            hashes.push(hash);
        }
        if !joined && !checked {
            // layer 1 rarely goes back so far; on another chain the way would be long, and lead nowhere
            check_chain(node, head).await?;
            checked = true;
        }
    }
    if !joined && oldest > genesis {
        let problem = format!("it descends from other blocks than this node's oldest, of level {oldest}");
        return Err(other_chain(node, problem));
    }
    hashes.reverse();
    Ok(hashes)
}

/// Checks that a head which replaces many blocks, or all, is of the chain that the store is of.
async fn check_chain(node: &Node, head: &Head) -> Result<(), Failure> {
    let metadata = node.store.metadata();
    let rollup = &metadata.rollup_address;
    match node.layer1.genesis_info(head.hash, rollup).await {
        Ok(genesis) if genesis == metadata.genesis_info => Ok(()),
        Ok(genesis) => Err(other_chain(node, format!("it has {rollup} originated at level {}", genesis.level))),
        Err(e) if e.is_not_found() || e.has("smart_rollup_does_not_exist") => {
            Err(other_chain(node, format!("there is no rollup {rollup} at its head")))
        }
        Err(e) => Err(e.into()),
    }
}

fn other_chain(node: &Node, problem: String) -> Failure {
    Failure::OtherChain { endpoint: node.layer1.endpoint().to_owned(), problem }
}

/// The block two before a head, final by the consensus' rule.
async fn finalized_of(node: &Arc<Node>, head: &MonitoredHead, genesis: Level) -> Result<Head, Failure> {
    let level = head.shell.level.before(2);
    if level < genesis {
        return Ok(Head { hash: head.hash, level, predecessor: head.shell.predecessor });
    }
    let parent = node.layer1.shell_header(head.shell.predecessor).await?;
    let header = node.layer1.shell_header(parent.predecessor).await?;
    Ok(Head { hash: parent.predecessor, level: header.level, predecessor: header.predecessor })
}

fn short(hash: &BlockHash) -> String {
    hash.to_base58().chars().take(12).collect()
}
