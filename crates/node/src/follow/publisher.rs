//! What to publish and what to cement (`spec/node.md` §4.8).

use crate::config::{Mode, OperationKind, Operators};
use crate::node::Node;
use crate::pipeline::NodeConstants;
use crate::store::{Store, StoreError};
use soru_l1::heads::Reorg;
use soru_l1::injector::{Event, Injector, Kind, Outcome, QueueFull, QueueLimits};
use soru_l1::rpc::RpcError;
use soru_l1::wallet::Signer;
use soru_tezos::hash::CommitmentHash;
use soru_tezos::header::{BlockRef, MonitoredHead};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::operation::{Cement, ManagerBody, Publish};
use soru_tezos::rollup::Commitment;
use soru_tezos::scalar::Level;
use std::collections::HashSet;
use std::sync::Arc;

/// Commitments that layer 1 would take now, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// To publish.
    pub publish: Vec<(CommitmentHash, Commitment)>,
    /// Withheld until older ones are cemented.
    pub delayed: Vec<(CommitmentHash, Commitment)>,
    /// To cement.
    pub cement: Vec<CommitmentHash>,
}

/// What is due after the head of the store.
pub fn due(store: &Store, constants: &NodeConstants) -> Result<Due, StoreError> {
    let mut due = Due::default();
    let Some(head) = store.head()? else { return Ok(due) };
    let genesis = store.metadata().genesis_info;
    let (_, cemented) = store.last_cemented()?.unwrap_or((genesis.commitment_hash, genesis.level));
    let published = store.last_published()?.map_or(genesis.level, |(_, level)| level);
    let window = constants.rollup.challenge_window_in_blocks;

    // publishing looks at final blocks only: a reorganisation cannot make it wrong
    if let Some(finalized) = store.finalized_level()?
        && let Some(block) = store.block_of_level(finalized)?
    {
        let mut hash = block.last_commitment();
        while let Some(commitment) = store.commitment(&hash)? {
            let level = commitment.inbox_level;
            if level <= cemented || level <= published {
                break;
            }
            let first = store.publication(&hash)?.map(|publication| publication.first);
            let past_curfew = first.is_some_and(|first| head.level.after(1).since(first) > window);
            if level <= finalized && !past_curfew {
                let within = level <= cemented.after(constants.rollup.max_lookahead_in_blocks);
                if within { &mut due.publish } else { &mut due.delayed }.push((hash, commitment));
            }
            hash = commitment.predecessor;
        }
        due.publish.reverse();
        due.delayed.reverse();
    }

    // no commitment younger than the challenge window can be cemented: start where that is past
    let newest = store.commitment(&head.last_commitment())?.map(|commitment| commitment.inbox_level);
    let bound = newest.map(|newest| newest.before(window)).filter(|bound| *bound > cemented);
    if let Some(bound) = bound
        && let Some(block) = store.block_of_level(bound)?
    {
        let mut hash = block.last_commitment();
        while let Some(commitment) = store.commitment(&hash)? {
            if commitment.inbox_level <= cemented {
                break;
            }
            // a publication that was not seen is taken to be the earliest possible
            let first = store.publication(&hash)?.map_or(commitment.inbox_level.after(3), |known| known.first);
            if first.after(window) <= head.level {
                due.cement.push(hash);
            }
            hash = commitment.predecessor;
        }
        due.cement.reverse();
    }
    Ok(due)
}

/// Publishes and cements, in the modes that do.
pub(super) struct Publisher {
    mode: Mode,
    operators: Operators,
    injectors: Vec<(PublicKeyHash, Injector)>,
    /// Commitments whose inbox was found equal to that of layer 1.
    checked: HashSet<CommitmentHash>,
    /// Highest inbox level of a commitment reported as withheld.
    reported: Level,
}

impl Publisher {
    pub(super) fn new(node: &Node, signers: Vec<Arc<dyn Signer>>) -> Publisher {
        let (mode, operators) = (node.config.mode.clone(), node.config.operators.clone());
        let injectors: Vec<_> = signers.into_iter().map(|signer| (signer.address(), injector(node, signer))).collect();
        let mut workers = vec![];
        if mode.can_inject(OperationKind::Publish) || mode.can_inject(OperationKind::Cement) {
            workers.push("publisher".to_owned());
        }
        let by_key = operators.by_key();
        for (key, _) in &injectors {
            let purposes = by_key.get(key).map_or(&[][..], Vec::as_slice);
            let kinds = OperationKind::ALL
                .into_iter()
                .filter(|kind| purposes.contains(&kind.purpose()) && mode.can_inject(*kind));
            let kinds: Vec<_> = kinds.map(OperationKind::name).collect();
            workers.push(format!("injector ({})", kinds.join(", ")));
        }
        node.status_mut().workers = workers;
        Publisher { mode, operators, injectors, checked: HashSet::new(), reported: Level(0) }
    }

    /// Called when a head was reached: looks for our operations on the way to it, then injects what is due.
    pub(super) async fn on_head(&mut self, node: &Node, head: &MonitoredHead, way: &Reorg) {
        if let Err(e) = self.publish_and_cement(node).await {
            tracing::error!("Cannot publish: {e}");
        }
        let at = BlockRef { level: head.shell.level, hash: head.hash };
        for (key, injector) in &mut self.injectors {
            let events = match injector.on_chain(way).await {
                Ok(events) => events,
                Err(e) => {
                    tracing::warn!("cannot look for operations of {key}: {e}");
                    continue;
                }
            };
            let given_up = match injector.inject(at).await {
                Ok(events) => events,
                Err(e) => {
                    tracing::warn!("cannot inject operations of {key}: {e}");
                    vec![]
                }
            };
            for event in events.into_iter().chain(given_up) {
                report(&event);
            }
        }
    }

    async fn publish_and_cement(&mut self, node: &Node) -> Result<(), PublishError> {
        let due = due(&node.store, &node.current_constants())?;
        for (hash, commitment) in due.delayed.iter().filter(|(_, c)| c.inbox_level > self.reported) {
            tracing::info!(
                "Commitment {hash} for inbox level {} waits for older ones to be cemented",
                commitment.inbox_level
            );
        }
        self.reported = due.delayed.last().map_or(self.reported, |(_, c)| self.reported.max(c.inbox_level));
        if self.mode.can_inject(OperationKind::Publish) {
            for (hash, commitment) in due.publish {
                self.check_inbox(node, &hash, &commitment).await?;
                tracing::debug!("Publishing commitment {hash} for inbox level {}", commitment.inbox_level);
                let rollup = node.config.smart_rollup_address;
                self.add(OperationKind::Publish, Publish { rollup, commitment }.into(), None)?;
            }
        }
        if self.mode.can_inject(OperationKind::Cement) {
            // a cementation names no commitment: at most one waits at a time, the next follows at the next head
            for _ in due.cement.iter().take(1) {
                let rollup = node.config.smart_rollup_address;
                self.add(OperationKind::Cement, Cement { rollup }.into(), None)?;
            }
        }
        Ok(())
    }

    /// A commitment on another inbox than layer 1's would lose its bond.
    async fn check_inbox(
        &mut self,
        node: &Node,
        hash: &CommitmentHash,
        commitment: &Commitment,
    ) -> Result<(), PublishError> {
        if self.checked.contains(hash) {
            return Ok(());
        }
        let Some(block) = node.store.block_of_level(commitment.inbox_level)? else { return Ok(()) };
        let inbox = node.layer1.inbox(block.hash).await?;
        if inbox != block.inbox {
            return Err(PublishError::Inbox(commitment.inbox_level));
        }
        self.checked.insert(*hash);
        Ok(())
    }

    fn add(&mut self, kind: OperationKind, body: ManagerBody, order: Option<u64>) -> Result<(), PublishError> {
        let key = self.operators.key(kind.purpose());
        let injector = self.injectors.iter_mut().find(|(own, _)| Some(*own) == key);
        match injector {
            Some((_, injector)) => drop(injector.add(body, order)?),
            None => tracing::debug!("no key to {kind} with"),
        }
        Ok(())
    }
}

/// Why nothing could be published at a head.
#[derive(Debug, thiserror::Error)]
enum PublishError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    LayerOne(#[from] RpcError),
    #[error(transparent)]
    Queue(#[from] QueueFull),
    #[error("the inbox of level {0} differs from that of layer 1")]
    Inbox(Level),
}

/// An injector for one key, with the configuration's fees and limits.
fn injector(node: &Node, signer: Arc<dyn Signer>) -> Injector {
    let given = node.config.fee_parameters.clone();
    let fees = move |kind: Kind| {
        let mut fees = kind.default_fees();
        let named = OperationKind::ALL.into_iter().find(|own| injector_kind(*own) == kind);
        if let Some(settings) = named.and_then(|own| given.get(&own)) {
            settings.apply(&mut fees);
        }
        fees
    };
    let limits = &node.config.injector;
    let limits = QueueLimits {
        attempts: limits.attempts,
        injection_ttl: limits.injection_ttl,
        retention: limits.retention_period,
        batch_length: limits.max_batch_length.map_or(usize::MAX, |most| most as usize),
        ..QueueLimits::default()
    };
    Injector::new(node.layer1.clone(), vec![signer], Box::new(fees), limits)
}

fn injector_kind(kind: OperationKind) -> Kind {
    match kind {
        OperationKind::Publish => Kind::Publish,
        OperationKind::AddMessages => Kind::AddMessages,
        OperationKind::Cement => Kind::Cement,
        OperationKind::Timeout => Kind::Timeout,
        OperationKind::Refute => Kind::Refute,
        OperationKind::Recover => Kind::Recover,
        OperationKind::ExecuteOutboxMessage => Kind::ExecuteOutbox,
        OperationKind::PublishDalCommitment => Kind::PublishDal,
    }
}

fn report(event: &Event) {
    let kind = event.operation.body.kind();
    match &event.outcome {
        Outcome::Included(block) => tracing::info!("Operation {kind} was applied at level {}", block.level),
        Outcome::Retried => tracing::info!("Operation {kind} is tried again"),
        Outcome::Failed(errors) | Outcome::Discarded(errors) => {
            let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
            tracing::warn!("Operation {kind} failed and is given up: {}", errors.join("; "));
        }
        Outcome::Expired => tracing::warn!("Operation {kind} was never included and is given up"),
    }
}
