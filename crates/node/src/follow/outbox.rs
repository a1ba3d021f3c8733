//! Outbox messages that the node executes on layer 1 by itself once they are cemented: those that a filter of the
//! configuration lets through, and the newest update of a private rollup's whitelist (`spec/node.md` §3.3, §4.11).

use crate::config::{Config, OperationKind, OutboxFilter, Purpose};
use crate::inject::Injectors;
use crate::node::Node;
use crate::pipeline::evaluation::decodable;
use crate::pipeline::{machine, state_tree};
use crate::store::{Store, StoreError, StoredBlock};
use num_traits::ToPrimitive;
use soru_l1::injector::{OperationId, QueueFull};
use soru_l1::rpc::RpcError;
use soru_pvm::PvmError;
use soru_pvm::output_proof::{OutputProofError, produce_output_proof, verify_output_proof};
use soru_tezos::codec::HexBytes;
use soru_tezos::hash::CommitmentHash;
use soru_tezos::header::BlockRef;
use soru_tezos::operation::{ExecuteOutboxMessage, ManagerBody};
use soru_tezos::rollup::OutboxMessage;
use soru_tezos::scalar::Level;
use std::collections::{BTreeMap, HashMap};

/// A message: its outbox level, and its index there.
type Place = (Level, u32);

/// Proofs made at one head. What remains follows at the next.
const PROOFS_AT_ONCE: usize = 64;
/// Levels before a message that layer 1 would not take is tried again for the first time; twice as many each time after.
const FIRST_PAUSE: i32 = 8;

/// Executes outbox messages.
pub(super) struct Executor {
    filters: Vec<OutboxFilter>,
    /// The last head at which something was looked for.
    head: Option<BlockRef>,
    /// Outbox levels up to this one have been looked through.
    searched: Option<Level>,
    /// Operations of a process before this one.
    inherited: HashMap<Place, OperationId>,
    /// Messages to execute.
    due: BTreeMap<Place, Attempt>,
}

/// How far the execution of a message is.
#[derive(Debug, Clone, Copy)]
struct Attempt {
    is_whitelist_update: bool,
    /// The operation that executes it.
    operation: Option<OperationId>,
    /// Not to be tried before this level.
    not_before: Level,
    /// Levels to wait after the next failure.
    pause: i32,
}

impl Executor {
    /// Nothing, when no key executes outbox messages.
    pub(super) fn new(config: &Config, injectors: &Injectors) -> Option<Executor> {
        let kind = OperationKind::ExecuteOutboxMessage;
        if !config.mode.can_inject(kind) || config.operators.key(Purpose::ExecutingOutbox).is_none() {
            return None;
        }
        let place = |body: &ManagerBody| match body {
            ManagerBody::SmartRollupExecuteOutboxMessage(execute) => {
                let (_, output) = verify_output_proof(execute.output_proof.0.clone()).ok()?;
                Some((output.level, u32::try_from(output.index).ok()?))
            }
            _ => None,
        };
        let known = injectors.known(kind);
        Some(Executor {
            filters: config.execute_outbox_messages_filter.clone(),
            head: None,
            searched: None,
            inherited: known.into_iter().filter_map(|(id, body)| Some((place(&body)?, id))).collect(),
            due: BTreeMap::new(),
        })
    }

    /// Queues what is due after the head of the store.
    pub(super) async fn queue_due(&mut self, node: &Node, injectors: &mut Injectors) {
        if let Err(e) = self.try_queue_due(node, injectors).await {
            tracing::error!("Cannot execute outbox messages: {e}");
        }
    }

    async fn try_queue_due(&mut self, node: &Node, injectors: &mut Injectors) -> Result<(), ExecutionError> {
        let store = &node.store;
        let Some(head) = store.head()? else { return Ok(()) };
        let genesis = store.metadata().genesis_info;
        let (commitment, cemented) = store.last_cemented()?.unwrap_or((genesis.commitment_hash, genesis.level));
        // while catching up the last cemented commitment is still to come
        let at = store.block_of_level(cemented)?.filter(|block| block.commitment == Some(commitment));
        let Some(at) = at else { return Ok(()) };
        let oldest = cemented.before(node.current_constants().rollup.max_active_outbox_levels.saturating_sub(1));

        if let Some(last) = self.head.replace(BlockRef { level: head.level, hash: head.hash })
            && store.hash_of_level(last.level)? != Some(last.hash)
        {
            // what was executed on the branch that was left may be due again
            self.searched = None;
        }
        if self.searched != Some(cemented) {
            self.search(node, &head, &at, oldest).await?;
            self.searched = Some(cemented);
        }

        let mut chosen = vec![];
        for (place, attempt) in std::mem::take(&mut self.due) {
            let (level, index) = place;
            let executed = store.outbox(level)?.is_none_or(|record| !record.pending().any(|pending| pending == index));
            if executed || level < oldest {
                continue;
            }
            let attempt = attempt.judged(place, &head, injectors);
            if attempt.operation.is_none() && attempt.not_before <= head.level && chosen.len() < PROOFS_AT_ONCE {
                chosen.push(place);
            }
            self.due.insert(place, attempt);
        }
        self.execute(node, injectors, (commitment, at), chosen).await
    }

    /// Looks for messages that became executable since the last time.
    async fn search(
        &mut self,
        node: &Node,
        head: &StoredBlock,
        at: &StoredBlock,
        oldest: Level,
    ) -> Result<(), ExecutionError> {
        let rollup = &node.config.smart_rollup_address;
        let updated = node.layer1.last_whitelist_update(head.hash, rollup).await?;
        // a rollup that is public stays so
        let updated = updated.map(|last| (last.outbox_level, last.message_index.0.to_u32().unwrap_or(u32::MAX)));
        if self.filters.is_empty() && updated.is_none() {
            self.due.clear();
            return Ok(());
        }
        let first = self.searched.map_or(oldest, |searched| oldest.max(searched.after(1)));
        let (store, filters, block) = (node.store.clone(), self.filters.clone(), at.clone());
        let look = move || {
            executable(&store, &block, first, |place, message| match message {
                OutboxMessage::WhitelistUpdate(_) => updated.is_some_and(|last| place > last),
                message => filters.iter().any(|filter| filter.passes(message)),
            })
        };
        for (place, message) in on_own_thread(look).await?? {
            let operation = self.inherited.remove(&place);
            self.due.entry(place).or_insert(Attempt {
                is_whitelist_update: matches!(message, OutboxMessage::WhitelistUpdate(_)),
                operation,
                not_before: head.level,
                pause: FIRST_PAUSE,
            });
        }
        // of updates only the newest counts: layer 1 refuses those before the last one
        let newest = self.due.iter().rev().find(|(_, it)| it.is_whitelist_update).map(|(place, _)| *place);
        self.due.retain(|place, it| {
            !it.is_whitelist_update || Some(*place) == newest && updated.is_some_and(|last| *place > last)
        });
        Ok(())
    }

    /// Queues the execution of messages, proven on the state of the last cemented commitment.
    async fn execute(
        &mut self,
        node: &Node,
        injectors: &mut Injectors,
        (commitment, at): (CommitmentHash, StoredBlock),
        chosen: Vec<Place>,
    ) -> Result<(), ExecutionError> {
        if chosen.is_empty() {
            return Ok(());
        }
        let (store, head) = (node.store.clone(), self.head.map_or(at.level, |head| head.level));
        let prove = move || {
            let tree = state_tree(&store, &at);
            let proofs = chosen
                .into_iter()
                .map(|(level, index)| ((level, index), produce_output_proof(&tree, level, u64::from(index))));
            proofs.collect::<Vec<(Place, Result<Vec<u8>, OutputProofError>)>>()
        };
        for (place, proof) in on_own_thread(prove).await? {
            let (level, index) = place;
            let Some(attempt) = self.due.get_mut(&place) else { continue };
            let output_proof = match proof {
                Ok(proof) => HexBytes(proof),
                Err(e) => {
                    tracing::error!("Execution of message {index} of the outbox at level {level} failed: {e}");
                    attempt.failed(head);
                    continue;
                }
            };
            if attempt.is_whitelist_update {
                tracing::info!(
                    "Publishing execute whitelist update for cemented commitment {commitment}, \
                     outbox level {level} and index {index}"
                );
            } else {
                tracing::info!("Executing message {index} of the outbox at level {level}");
            }
            let rollup = node.config.smart_rollup_address;
            let body = ExecuteOutboxMessage { rollup, cemented_commitment: commitment, output_proof };
            attempt.operation = injectors.add(OperationKind::ExecuteOutboxMessage, body)?;
        }
        Ok(())
    }
}

impl Attempt {
    /// The attempt after a look at what became of its operation.
    fn judged(mut self, (level, index): Place, head: &StoredBlock, injectors: &Injectors) -> Attempt {
        if self.operation.is_some_and(|id| !injectors.knows(OperationKind::ExecuteOutboxMessage, &id)) {
            self.failed(head.level);
            tracing::warn!(
                "Message {index} of the outbox at level {level} was not executed; it is tried again at level {}",
                self.not_before
            );
        }
        self
    }

    fn failed(&mut self, head: Level) {
        self.operation = None;
        self.not_before = head.after(self.pause);
        self.pause = self.pause.saturating_mul(2);
    }
}

/// The messages of outboxes from `first` on that were not executed and are wanted, in the state after a block.
fn executable(
    store: &Store,
    at: &StoredBlock,
    first: Level,
    wanted: impl Fn(Place, &OutboxMessage) -> bool,
) -> Result<Vec<(Place, OutboxMessage)>, ExecutionError> {
    let machine = machine(store, at)?;
    let mut found = vec![];
    for (level, record) in store.pending_outboxes(first..=at.level)? {
        let outbox: BTreeMap<u32, OutboxMessage> = decodable(&machine.outbox(level)?).into_iter().collect();
        for index in record.pending() {
            match outbox.get(&index) {
                Some(message) if wanted((level, index), message) => found.push(((level, index), message.clone())),
                Some(_) => {}
                None => tracing::error!("Message {index} of the outbox at level {level} is missing in the state"),
            }
        }
    }
    Ok(found)
}

/// Reading states and making proofs takes its time.
async fn on_own_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ExecutionError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| ExecutionError::Internal(e.to_string()))
}

/// Why nothing could be executed at a head.
#[derive(Debug, thiserror::Error)]
enum ExecutionError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    LayerOne(#[from] RpcError),
    #[error(transparent)]
    Pvm(#[from] PvmError),
    #[error(transparent)]
    Queue(#[from] QueueFull),
    #[error("{0}")]
    Internal(String),
}
