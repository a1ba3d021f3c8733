//! Everything the node does on layer 1: its own way along the heads, beside the processing of blocks, so that games are
//! played, and messages of the injectors followed, also while no block can be processed (`spec/node.md` §4.9, §4.10).

use super::outbox::Executor;
use super::publisher::Publisher;
use crate::config::{Mode, OperationKind, Purpose};
use crate::inject::Injectors;
use crate::metrics;
use crate::node::{Node, NodeError};
use crate::pipeline::PipelineError;
use crate::pipeline::operations::RollupEvent;
use crate::refutation::{Coordinator, RefutationError};
use crate::store::StoreError;
use soru_l1::heads::{self, HeadStream, Predecessors, Reorg};
use soru_l1::rpc::RpcError;
use soru_l1::wallet::Signer;
use soru_tezos::header::{BlockRef, MonitoredHead};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What publishing, games and injecting share.
pub(super) struct Operations {
    injectors: Arc<Mutex<Injectors>>,
    publishing: Mutex<Publishing>,
}

struct Publishing {
    publisher: Publisher,
    executor: Option<Executor>,
    /// What happened since something was last published.
    events: Vec<RollupEvent>,
}

impl Operations {
    pub(super) fn new(node: &Node, signers: &[Arc<dyn Signer>]) -> Result<Operations, StoreError> {
        let injectors = Injectors::new(&node.config, &node.store, &node.layer1, &node.queues, signers)?;
        let mut workers = vec![];
        if Publisher::runs_in(&node.config.mode) {
            workers.push("publisher".to_owned());
        }
        if node.batcher.is_some() {
            workers.push("batcher".to_owned());
        }
        if plays(&node.config.mode) {
            workers.push("refutation_coordinator".to_owned());
        }
        workers.extend(injectors.workers());
        node.status_mut().workers = workers;
        let executor = Executor::new(&node.config, &injectors);
        Ok(Operations {
            injectors: Arc::new(Mutex::new(injectors)),
            publishing: Mutex::new(Publishing { publisher: Publisher::new(node), executor, events: vec![] }),
        })
    }

    /// Called when a head was processed: publishes what became due by it.
    pub(super) async fn on_processed(&self, node: &Node, head: &MonitoredHead, events: Vec<RollupEvent>) {
        let mut publishing = self.publishing.lock().await;
        publishing.events.extend(events);
        let mut injectors = self.injectors.lock().await;
        // behind layer 1, what seems due may have been done in the blocks still to come
        if injectors.is_empty() || injectors.head().is_some_and(|seen| seen.level > head.shell.level) {
            return;
        }
        let events = std::mem::take(&mut publishing.events);
        publishing.publisher.queue_due(node, &mut injectors, &events).await;
        if let Some(executor) = &mut publishing.executor {
            executor.queue_due(node, &mut injectors).await;
        }
        if let Some(batcher) = &node.batcher
            && let Err(e) = batcher.batch_all()
        {
            tracing::error!("Cannot batch messages: {e}");
        }
        injectors.inject().await;
    }

    /// Called in place of [`Operations::on_processed`] at each head while no block can be processed.
    async fn publish_degraded(&self, node: &Node) {
        let mut publishing = self.publishing.lock().await;
        let mut injectors = self.injectors.lock().await;
        let events = std::mem::take(&mut publishing.events);
        publishing.publisher.queue_due(node, &mut injectors, &events).await;
    }

    /// Follows layer 1 until told to stop, or until a game was lost that nobody else notices.
    pub(super) async fn follow(
        &self,
        node: &Arc<Node>,
        mut heads: HeadStream,
        stop: &CancellationToken,
    ) -> Result<(), NodeError> {
        if self.injectors.lock().await.is_empty() {
            stop.cancelled().await;
            return Ok(());
        }
        let mut coordinator = match plays(&node.config.mode) {
            true => Coordinator::new(node, &self.injectors).map_err(|e| NodeError::Internal(e.to_string()))?,
            false => None,
        };
        let predecessors = heads.predecessors();
        let (mut last, mut again, mut late) = (None, None, None);
        loop {
            let head = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                head = heads.next() => head,
                Some(head) = retry(&again, node.config.reconnection_delay) => head,
                Some(()) = at(late) => {
                    late = None;
                    self.injectors.lock().await.inject().await;
                    continue;
                }
            };
            again = match self.on_head(node, &mut coordinator, &predecessors, last, &head).await {
                Ok(Some(lost)) => return Err(lost.into()),
                Ok(None) => {
                    last = Some(reference(&head));
                    late = self.injectors.lock().await.late();
                    None
                }
                Err(e) => {
                    heads.lose(e.to_string());
                    Some(head)
                }
            };
        }
    }

    /// Everything at one head. Gives the loss that ends the node, if the main loop is not there to see it.
    async fn on_head(
        &self,
        node: &Arc<Node>,
        coordinator: &mut Option<Coordinator>,
        predecessors: &Arc<Predecessors>,
        last: Option<BlockRef>,
        monitored: &MonitoredHead,
    ) -> Result<Option<PipelineError>, RpcError> {
        let head = reference(monitored);
        let way = way_to(node, predecessors, last, head).await?;
        {
            let mut injectors = self.injectors.lock().await;
            let seen = injectors.head();
            // the last process may have seen blocks that this one has not
            let own_way = if seen == last { way.clone() } else { way_to(node, predecessors, seen, head).await? };
            injectors.on_chain(&own_way, head).await?;
            let delay = node.current_constants().minimal_block_delay.0;
            injectors.put_off(monitored, Duration::from_secs(delay));
        }
        let degraded = node.status().stopped.is_some();
        if degraded {
            tracing::error!("[DEGRADED MODE] Seen head {} at level {}", head.hash, head.level);
            self.publish_degraded(node).await;
        }
        let mut lost = None;
        if let Some(coordinator) = coordinator.as_mut() {
            match coordinator.on_head(head, &way).await {
                Ok(games) => lost = games.first().copied().filter(|_| degraded).map(PipelineError::LostGame),
                Err(RefutationError::LayerOne(e)) if e.is_connection() => return Err(e),
                Err(e) => tracing::error!("Cannot look after games at level {}: {e}", head.level),
            }
        }
        self.injectors.lock().await.inject().await;
        // what only the metrics want comes last
        if let Some(coordinator) = coordinator {
            coordinator.tell(head).await;
        }
        metrics::watch_balances(node, head).await;
        Ok(lost)
    }
}

/// Whether a mode plays games (`spec/node.md` §3.2).
fn plays(mode: &Mode) -> bool {
    match mode {
        Mode::Observer | Mode::Batcher => false,
        Mode::Custom(kinds) => kinds.iter().any(|kind: &OperationKind| kind.purpose() == Purpose::Operating),
        Mode::Accuser | Mode::Bailout | Mode::Maintenance | Mode::Operator => true,
    }
}

fn reference(head: &MonitoredHead) -> BlockRef {
    BlockRef { level: head.shell.level, hash: head.hash }
}

/// A moment to come; never when there is none.
async fn at(moment: Option<Instant>) -> Option<()> {
    match moment {
        Some(moment) => {
            tokio::time::sleep_until(moment).await;
            Some(())
        }
        None => std::future::pending().await,
    }
}

/// Blocks before the last head that are looked at again when it is not known how layer 1 left them.
const LOOKED_AT_AGAIN: i32 = 8;

/// The way from one head to the next. Layer 1 forgets blocks it has left, but the store has those that were processed.
async fn way_to(
    node: &Node,
    predecessors: &Arc<Predecessors>,
    last: Option<BlockRef>,
    head: BlockRef,
) -> Result<Reorg, RpcError> {
    let Some(last) = last else { return Ok(Reorg { old_chain: vec![], new_chain: vec![head] }) };
    let distance = u32::try_from(head.level.since(last.level)).ok();
    let before = |block: BlockRef, distance: Option<u32>| async move {
        match node.store.block(&block.hash) {
            Ok(Some(known)) => Ok(BlockRef { level: block.level.before(1), hash: known.predecessor }),
            _ => predecessors.predecessor(block, distance).await,
        }
    };
    match heads::reorg(last, head, |block| before(block, None), |block| before(block, distance)).await {
        Err(e) if !e.is_connection() => {
            tracing::warn!("cannot tell how layer 1 came from {} to {}: {e}", last.hash, head.hash);
            let mut way = Reorg { old_chain: vec![last], new_chain: vec![head] };
            let first = last.level.before(LOOKED_AT_AGAIN);
            let (mut block, mut left) = (head, head.level.since(first));
            while left > 1 {
                block = match before(block, u32::try_from(left).ok()).await {
                    Ok(block) => block,
                    Err(e) if e.is_connection() => return Err(e),
                    Err(_) => break,
                };
                way.new_chain.push(block);
                left -= 1;
            }
            way.new_chain.reverse();
            Ok(way)
        }
        way => way,
    }
}

/// The head to look at again, after a pause; never when there is none.
async fn retry(head: &Option<MonitoredHead>, seconds: f64) -> Option<MonitoredHead> {
    match head {
        Some(head) => {
            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            Some(head.clone())
        }
        None => std::future::pending().await,
    }
}
