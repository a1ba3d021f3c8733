//! The node's injector: keeps operations until they are on the chain (`spec/node.md` §4.12). The [`Queue`] decides, this
//! module asks the node and signs.
//!
//! A layer 1 operation is kept before it is sent, and sent again as it is after a restart or a reorganisation: as long as
//! it can be included its contents are never signed anew with another counter, so that none is ever included twice.

mod kind;
mod queue;
mod record;
#[cfg(test)]
mod tests;

pub use kind::{Kind, combine};
pub use queue::{CAPACITY, Event, OperationId, Outcome, Queue, QueueFull, QueueLimits, Status, UnderWay, Waiting};
pub use record::{CarrierRecord, Changes, Kept, OperationRecord, Passenger, Stage};

use crate::fees::{self, BatchError, BatchOptions, FeeParameters, Item, Prepared};
use crate::heads::Reorg;
use crate::rpc::{RpcClient, RpcError};
use crate::wallet::Signer;
use soru_tezos::block::{BlockOperation, MANAGER_PASS};
use soru_tezos::codec::{Decode, Encode};
use soru_tezos::hash::BlockHash;
use soru_tezos::header::BlockRef;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::operation::{ManagerBody, Operation};
use soru_tezos::receipt::OperationResult;
use soru_tezos::rpc_error::{TezosError, Trace};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A reorganisation longer than this is not looked through block by block.
const LONGEST_REORG: usize = 120;

/// Prices and caps of a kind of operation.
pub type FeeTable = Box<dyn Fn(Kind) -> FeeParameters + Send + Sync>;

/// Why changes of a queue could not be kept.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the operations to inject cannot be kept: {0}")]
pub struct KeepError(pub String);

/// Where the changes of a queue are kept. Without one, a queue lasts as long as the process.
pub trait Keeper: Send + Sync {
    /// Keeps changes, on the disk when it returns.
    ///
    /// # Errors
    /// When they are not kept.
    fn keep(&self, changes: &Changes) -> Result<(), KeepError>;
}

/// A queue that others look at and add to while the injector works.
#[derive(Clone)]
pub struct SharedQueue {
    queue: Arc<Mutex<Queue>>,
    keeper: Option<Arc<dyn Keeper>>,
}

impl SharedQueue {
    /// Shares a queue, whose changes go to `keeper`.
    pub fn new(queue: Queue, keeper: Option<Arc<dyn Keeper>>) -> Self {
        SharedQueue { queue: Arc::new(Mutex::new(queue)), keeper }
    }

    /// The queue, for this moment alone. Changes made through it are kept with the next [`SharedQueue::change`].
    pub fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the queue and keeps what changed.
    ///
    /// # Errors
    /// When it could not be kept; the change stands for the time being, and is kept with the next.
    pub fn change<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> Result<T, KeepError> {
        let mut queue = self.lock();
        let result = change(&mut queue);
        let changes = queue.take_changes();
        if let Some(keeper) = &self.keeper
            && !changes.is_empty()
            && let Err(error) = keeper.keep(&changes)
        {
            queue.put_changes_back(&changes);
            return Err(error);
        }
        Ok(result)
    }
}

/// What a queue has to know of a way: the blocks that were left, the newest first, and those that were added.
#[derive(Debug, Clone)]
pub struct Seen {
    removed: Vec<BlockHash>,
    added: Vec<(BlockRef, Vec<BlockOperation>)>,
}

impl Seen {
    /// Tells the queue.
    pub fn apply(&self, queue: &mut Queue) -> Vec<Event> {
        let mut events: Vec<Event> = self.removed.iter().flat_map(|block| queue.on_removed_block(block)).collect();
        for (block, operations) in &self.added {
            events.extend(queue.on_added_block(*block, operations));
        }
        events
    }
}

/// Why nothing could be injected.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum InjectError {
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Rpc(#[from] RpcError),
    #[error(transparent)]
    Keep(#[from] KeepError),
}

/// An injector for one group of keys.
pub struct Injector {
    client: RpcClient,
    signers: VecDeque<Arc<dyn Signer>>,
    fees: FeeTable,
    queue: SharedQueue,
    /// Most new blocks that are looked through.
    longest_way: usize,
}

impl Injector {
    /// An injector that signs with `signers` in turn. `fees` gives prices and caps; [`Kind::default_fees`] are the usual.
    pub fn new(client: RpcClient, signers: Vec<Arc<dyn Signer>>, fees: FeeTable, limits: QueueLimits) -> Self {
        Injector::on(SharedQueue::new(Queue::new(limits), None), client, signers, fees, limits)
    }

    /// An injector on a queue that exists.
    pub fn on(
        queue: SharedQueue,
        client: RpcClient,
        signers: Vec<Arc<dyn Signer>>,
        fees: FeeTable,
        limits: QueueLimits,
    ) -> Self {
        // what was injected before the blocks that are not looked into has expired by then
        let longest_way = LONGEST_REORG.max(usize::try_from(limits.injection_ttl).unwrap_or(usize::MAX));
        Injector { client, signers: signers.into(), fees, queue, longest_way }
    }

    /// Adds an operation; see [`Queue::add`].
    ///
    /// # Errors
    /// When too many wait.
    pub fn add(&mut self, body: impl Into<ManagerBody>, order: Option<u64>) -> Result<OperationId, QueueFull> {
        self.queue.lock().add(body.into(), order)
    }

    /// The memory, to look at.
    pub fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock()
    }

    /// Forgets an operation that waits.
    pub fn remove(&mut self, id: &OperationId) -> bool {
        self.queue.lock().remove(id)
    }

    /// Fetches what of a way concerns the queue.
    ///
    /// # Errors
    /// When operations of a block cannot be fetched.
    pub async fn look(&self, way: &Reorg) -> Result<Seen, RpcError> {
        let removed = match way.old_chain.len() <= LONGEST_REORG {
            true => way.old_chain.iter().rev().map(|block| block.hash).collect(),
            false => Vec::new(),
        };
        // without anything injected there is nothing to look for
        let nothing = removed.is_empty() && self.queue.lock().expects_nothing();
        let skipped = way.new_chain.len().saturating_sub(self.longest_way);
        let mut added = Vec::new();
        for block in &way.new_chain[skipped..] {
            let operations = match nothing {
                true => Vec::new(),
                false => self.client.operations(*block, MANAGER_PASS).await?,
            };
            added.push((*block, operations));
        }
        Ok(Seen { removed, added })
    }

    /// Follows the chain: finds our operations in new blocks, and takes back those of blocks that were left.
    ///
    /// # Errors
    /// When operations of a block cannot be fetched or changes not kept.
    pub async fn on_chain(&mut self, way: &Reorg) -> Result<Vec<Event>, InjectError> {
        let seen = self.look(way).await?;
        Ok(self.queue.change(|queue| seen.apply(queue))?)
    }

    /// Injects what waits, one batch for each key that has nothing under way. Returns what was given up.
    ///
    /// # Errors
    /// When the node cannot be reached or changes cannot be kept; what was not injected waits.
    pub async fn inject(&mut self, head: BlockRef) -> Result<Vec<Event>, InjectError> {
        let mut events = Vec::new();
        let gaps = self.send_again(head, &mut events).await?;
        let busy = self.queue.lock().busy();
        let is_free = |key: &PublicKeyHash| !busy.contains(key) || gaps.contains(key);
        let free: Vec<Arc<dyn Signer>> =
            self.signers.iter().filter(|signer| is_free(&signer.address())).cloned().collect();
        let mut batches = Vec::new();
        for signer in free {
            let batch = self.queue.lock().next_batch();
            if batch.is_empty() {
                break;
            }
            batches.push((signer, batch));
        }
        let injector = &*self;
        let tries = batches.into_iter().map(async |(signer, batch)| {
            let mut events = Vec::new();
            let used = injector.inject_batch(signer.as_ref(), batch, head, &mut events).await;
            (signer, used, events)
        });
        let mut problem = None;
        for (signer, used, what) in futures::future::join_all(tries).await {
            events.extend(what);
            match used {
                Ok(false) => {}
                Ok(true) => {
                    // the next round starts with the keys that were not used
                    self.signers.retain(|other| other.address() != signer.address());
                    self.signers.push_back(signer);
                }
                Err(error) => problem = Some(error),
            }
        }
        self.queue.change(|_| ())?;
        match problem {
            None => Ok(events),
            Some(error) => Err(error),
        }
    }

    /// Sends layer 1 operations that the node may not have: after a restart, an interruption, a reorganisation. One that it
    /// does not take is given up only when it has the next counter of its key, so that what replaces it has the same and
    /// excludes it, or when it has a used one, so that it is excluded already. Gives the keys whose operations are all ahead
    /// of their counter: something else has to fill the gap.
    async fn send_again(&self, head: BlockRef, events: &mut Vec<Event>) -> Result<Vec<PublicKeyHash>, InjectError> {
        let (under_way, mut gaps) = (self.queue.lock().under_way(head.level), Vec::new());
        for (signer, mut operations) in under_way {
            operations.sort_by_key(|operation| first_counter(&operation.bytes));
            if !operations.iter().any(|operation| operation.due) {
                continue;
            }
            let next = self.client.counter(head, &signer).await?.0.saturating_add(1);
            let (mut ahead, mut filled) = (false, false);
            for UnderWay { hash, bytes, due } in operations {
                let refused = match first_counter(&bytes) {
                    Some(first) if first > next => {
                        ahead = true;
                        continue;
                    }
                    Some(first) if first == next && !due => None,
                    Some(first) if first == next => match self.client.inject(&bytes).await {
                        Ok(_) => {
                            tracing::info!(%hash, %signer, "injected again");
                            self.queue.lock().sent(&hash, head.level);
                            None
                        }
                        Err(RpcError::Protocol { trace, .. }) => Some(trace),
                        Err(error) => return Err(error.into()),
                    },
                    _ => Some(vec![TezosError::failure("its counter is used")]),
                };
                match refused {
                    None => filled = true,
                    Some(trace) => {
                        let reasons: Vec<String> = trace.iter().map(ToString::to_string).collect();
                        tracing::info!(%hash, %signer, "cannot be injected again: {}", reasons.join("; "));
                        events.extend(self.queue.change(|queue| queue.abandon(&hash))?);
                    }
                }
            }
            if ahead && !filled {
                gaps.push(signer);
            }
        }
        Ok(gaps)
    }

    /// Simulates, leaves out what fails, and injects the rest. Tells whether something was injected.
    async fn inject_batch(
        &self,
        signer: &dyn Signer,
        mut batch: Vec<Waiting>,
        head: BlockRef,
        events: &mut Vec<Event>,
    ) -> Result<bool, InjectError> {
        while !batch.is_empty() {
            let options = BatchOptions::node(combine(batch.iter().map(|op| (self.fees)(op.kind()))), head.hash);
            let items: Vec<Item> = batch
                .iter()
                .map(|operation| Item {
                    safety_gas: Some(operation.kind().safety_gas()),
                    ..Item::from(operation.body.clone())
                })
                .collect();
            match fees::prepare_batch(&self.client, signer, &items, &options).await {
                Ok(prepared) => {
                    let failed = failures(&prepared, batch.len());
                    if failed.iter().all(Option::is_none) {
                        return self.send(signer, batch, prepared, head, events).await;
                    }
                    if out_of_gas(&failed) && batch.len() > 1 {
                        self.halve(&mut batch);
                        continue;
                    }
                    let mut rest = Vec::new();
                    let mut queue = self.queue.lock();
                    for (operation, errors) in batch.into_iter().zip(failed) {
                        match errors {
                            Some(errors) => events.extend(queue.failed(&operation, errors)),
                            None => rest.push(operation),
                        }
                    }
                    batch = rest;
                }
                Err(error) => match refusal(&error) {
                    None => {
                        self.queue.lock().put_back(&batch);
                        return Err(error.into());
                    }
                    Some(_) if batch.len() > 1 => self.halve(&mut batch),
                    Some(trace) => {
                        let mut queue = self.queue.lock();
                        events.extend(batch.drain(..).filter_map(|operation| queue.failed(&operation, trace.clone())));
                    }
                },
            }
        }
        Ok(false)
    }

    /// Keeps the front half of a batch.
    fn halve(&self, batch: &mut Vec<Waiting>) {
        let back = batch.split_off(batch.len().div_ceil(2));
        self.queue.lock().put_back(&back);
    }

    async fn send(
        &self,
        signer: &dyn Signer,
        batch: Vec<Waiting>,
        prepared: Prepared,
        head: BlockRef,
        events: &mut Vec<Event>,
    ) -> Result<bool, InjectError> {
        let offset = u32::from(prepared.reveal_added);
        let mut operation = prepared.operation;
        if let Err(error) = fees::sign(signer, &mut operation).await {
            self.queue.lock().put_back(&batch);
            return Err(BatchError::from(error).into());
        }
        let (hash, key, count) = (operation.hash(), signer.address(), batch.len());
        let bytes = operation.to_bytes();
        // kept before it is sent: if this process ends in between, the next one sends the same bytes
        self.queue.change(|queue| queue.injected(hash, key, head.level, batch, offset, bytes.clone().into()))?;
        match self.client.inject(&bytes).await {
            Ok(_) => {
                tracing::info!(%hash, signer = %key, operations = count, "injected");
                self.queue.lock().sent(&hash, head.level);
                Ok(true)
            }
            Err(RpcError::Protocol { trace, .. }) => {
                events.extend(self.queue.change(|queue| queue.refused(&hash, &trace))?);
                Ok(false)
            }
            // it may have arrived: it is sent again as it is
            Err(error) => Err(error.into()),
        }
    }
}

/// The counter of the first content of a signed operation.
fn first_counter(signed: &[u8]) -> Option<u64> {
    Some(Operation::from_bytes(signed).ok()?.contents.first()?.counter.0)
}

/// Errors of each of our operations in a simulation; a reveal in front is not ours. An operation that another one's failure
/// kept from running counts as good: the next simulation tells.
fn failures(prepared: &Prepared, ours: usize) -> Vec<Option<Trace>> {
    let offset = usize::from(prepared.reveal_added);
    let results = prepared.simulation.managers().skip(offset);
    let mut failures: Vec<Option<Trace>> = results
        .map(|receipt| match receipt.metadata.as_ref().map(|metadata| &metadata.operation_result) {
            Some(OperationResult::Failed { errors }) => Some(errors.clone()),
            Some(OperationResult::Backtracked { errors: Some(errors), .. }) => Some(errors.clone()),
            _ => None,
        })
        .collect();
    failures.resize(ours, None);
    failures
}

fn out_of_gas(failures: &[Option<Trace>]) -> bool {
    let gas = |error: &TezosError| error.name().starts_with("gas_exhausted");
    failures.iter().flatten().flatten().any(gas)
}

/// The errors of a batch that was refused for its own sake; nothing when the node or the key is at fault.
fn refusal(error: &BatchError) -> Option<Trace> {
    match error {
        BatchError::Rpc(RpcError::Protocol { trace, .. }) => Some(trace.clone()),
        BatchError::Rpc(_) | BatchError::Sign(_) => None,
        other => Some(vec![TezosError::failure(other.to_string())]),
    }
}
