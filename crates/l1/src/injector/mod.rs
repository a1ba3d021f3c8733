//! The node's injector: keeps operations until they are on the chain (`spec/node.md` §4.12). The [`Queue`] decides, this
//! module asks the node and signs.

mod kind;
mod queue;
#[cfg(test)]
mod tests;

pub use kind::{Kind, combine};
pub use queue::{Event, OperationId, Outcome, Queue, QueueFull, QueueLimits, Status, Waiting};

use crate::fees::{self, BatchError, BatchOptions, FeeParameters, Item, Prepared};
use crate::heads::Reorg;
use crate::rpc::{RpcClient, RpcError};
use crate::wallet::Signer;
use soru_tezos::block::MANAGER_PASS;
use soru_tezos::header::BlockRef;
use soru_tezos::operation::ManagerBody;
use soru_tezos::receipt::OperationResult;
use soru_tezos::rpc_error::{TezosError, Trace};
use std::collections::VecDeque;
use std::sync::Arc;

/// A reorganisation longer than this is not looked through block by block.
const LONGEST_REORG: usize = 120;

/// Prices and caps of a kind of operation.
pub type FeeTable = Box<dyn Fn(Kind) -> FeeParameters + Send + Sync>;

/// An injector for one group of keys.
pub struct Injector {
    client: RpcClient,
    signers: VecDeque<Arc<dyn Signer>>,
    fees: FeeTable,
    queue: Queue,
}

impl Injector {
    /// An injector that signs with `signers` in turn. `fees` gives prices and caps; [`Kind::default_fees`] are the usual.
    pub fn new(client: RpcClient, signers: Vec<Arc<dyn Signer>>, fees: FeeTable, limits: QueueLimits) -> Self {
        Injector { client, signers: signers.into(), fees, queue: Queue::new(limits) }
    }

    /// Adds an operation; see [`Queue::add`].
    ///
    /// # Errors
    /// When too many wait.
    pub fn add(&mut self, body: impl Into<ManagerBody>, order: Option<u64>) -> Result<OperationId, QueueFull> {
        self.queue.add(body.into(), order)
    }

    /// The memory, to look at.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Forgets an operation that waits.
    pub fn remove(&mut self, id: &OperationId) -> bool {
        self.queue.remove(id)
    }

    /// Follows the chain: finds our operations in new blocks, and takes back those of blocks that were left.
    ///
    /// # Errors
    /// When operations of a block cannot be fetched; what was found before stands, and calling again is safe.
    pub async fn on_chain(&mut self, way: &Reorg) -> Result<Vec<Event>, RpcError> {
        let mut events = Vec::new();
        if way.old_chain.len() <= LONGEST_REORG {
            for block in way.old_chain.iter().rev() {
                events.extend(self.queue.on_removed_block(&block.hash));
            }
        }
        let skipped = way.new_chain.len().saturating_sub(LONGEST_REORG);
        for block in &way.new_chain[skipped..] {
            // without anything injected there is nothing to look for
            let operations = match self.queue.counts() {
                (_, 0, _) => Vec::new(),
                _ => self.client.operations(*block, MANAGER_PASS).await?,
            };
            events.extend(self.queue.on_added_block(*block, &operations));
        }
        Ok(events)
    }

    /// Injects what waits, one batch for each key that has nothing under way. Returns what was given up.
    ///
    /// # Errors
    /// When the node cannot be reached; what was not injected waits.
    pub async fn inject(&mut self, head: BlockRef) -> Result<Vec<Event>, BatchError> {
        let busy = self.queue.busy();
        let free: Vec<Arc<dyn Signer>> =
            self.signers.iter().filter(|signer| !busy.contains(&signer.address())).cloned().collect();
        let mut events = Vec::new();
        for signer in free {
            if self.queue.is_idle() {
                break;
            }
            let batch = self.queue.next_batch();
            let used = self.inject_batch(signer.as_ref(), batch, head, &mut events).await?;
            if used {
                // the next round starts with the keys that were not used
                self.signers.retain(|other| other.address() != signer.address());
                self.signers.push_back(signer);
            }
        }
        Ok(events)
    }

    /// Simulates, leaves out what fails, and injects the rest. Tells whether something was injected.
    async fn inject_batch(
        &mut self,
        signer: &dyn Signer,
        mut batch: Vec<Waiting>,
        head: BlockRef,
        events: &mut Vec<Event>,
    ) -> Result<bool, BatchError> {
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
                    for (operation, errors) in batch.into_iter().zip(failed) {
                        match errors {
                            Some(errors) => events.extend(self.queue.failed(operation, errors)),
                            None => rest.push(operation),
                        }
                    }
                    batch = rest;
                }
                Err(error) => match refusal(&error) {
                    None => {
                        self.queue.put_back(batch);
                        return Err(error);
                    }
                    Some(_) if batch.len() > 1 => self.halve(&mut batch),
                    Some(trace) => {
                        for operation in batch.drain(..) {
                            events.extend(self.queue.failed(operation, trace.clone()));
                        }
                    }
                },
            }
        }
        Ok(false)
    }

    /// Keeps the front half of a batch.
    fn halve(&mut self, batch: &mut Vec<Waiting>) {
        let back = batch.split_off(batch.len().div_ceil(2));
        self.queue.put_back(back);
    }

    async fn send(
        &mut self,
        signer: &dyn Signer,
        batch: Vec<Waiting>,
        prepared: Prepared,
        head: BlockRef,
        events: &mut Vec<Event>,
    ) -> Result<bool, BatchError> {
        let offset = usize::from(prepared.reveal_added);
        let mut operation = prepared.operation;
        let sent = match fees::sign(signer, &mut operation).await {
            Ok(()) => fees::inject(&self.client, &operation).await.map_err(BatchError::from),
            Err(error) => Err(error.into()),
        };
        match sent {
            Ok(hash) => {
                tracing::info!(%hash, signer = %signer.address(), operations = batch.len(), "injected");
                self.queue.injected(hash, signer.address(), head.level, batch, offset);
                Ok(true)
            }
            Err(error) => match refusal(&error) {
                Some(trace) => {
                    for operation in batch {
                        events.extend(self.queue.failed(operation, trace.clone()));
                    }
                    Ok(false)
                }
                None => {
                    self.queue.put_back(batch);
                    Err(error)
                }
            },
        }
    }
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
