//! What to publish, to cement and to recover, by mode (`spec/node.md` §3.3, §4.8).

use crate::config::{Mode, OperationKind, Purpose};
use crate::inject::Injectors;
use crate::node::Node;
use crate::pipeline::NodeConstants;
use crate::pipeline::operations::RollupEvent;
use crate::store::{Store, StoreError};
use soru_l1::injector::QueueFull;
use soru_l1::rpc::RpcError;
use soru_tezos::hash::{BlockHash, CommitmentHash};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::operation::{Cement, Publish, RecoverBond};
use soru_tezos::rollup::Commitment;
use soru_tezos::scalar::Level;
use std::collections::HashSet;

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
    operating: Option<PublicKeyHash>,
    /// Commitments whose inbox was found equal to that of layer 1.
    checked: HashSet<CommitmentHash>,
    /// Highest inbox level of a commitment reported as withheld.
    reported: Level,
    /// Whether an accuser has compared the commitments that were published before it started.
    compared: bool,
}

impl Publisher {
    pub(super) fn new(node: &Node) -> Publisher {
        Publisher {
            mode: node.config.mode.clone(),
            operating: node.config.operators.key(Purpose::Operating),
            checked: HashSet::new(),
            reported: Level(0),
            compared: false,
        }
    }

    /// Whether the mode publishes or cements by itself.
    pub(super) fn runs_in(mode: &Mode) -> bool {
        publishes(mode) || mode.can_inject(OperationKind::Cement)
    }

    /// Queues what is due after the head of the store. `events` happened in the blocks since the last time.
    pub(super) async fn queue_due(&mut self, node: &Node, injectors: &mut Injectors, events: &[RollupEvent]) {
        let queued = match self.mode {
            Mode::Accuser => self.accuse(node, injectors, events).await,
            Mode::Bailout => match self.publish_and_cement(node, injectors).await {
                Ok(()) => self.recover(node, injectors).await,
                failed => failed,
            },
            _ => self.publish_and_cement(node, injectors).await,
        };
        if let Err(e) = queued {
            tracing::error!("Cannot publish: {e}");
        }
    }

    async fn publish_and_cement(&mut self, node: &Node, injectors: &mut Injectors) -> Result<(), PublishError> {
        let due = due(&node.store, &node.current_constants())?;
        for (hash, commitment) in due.delayed.iter().filter(|(_, c)| c.inbox_level > self.reported) {
            tracing::info!(
                "Commitment {hash} for inbox level {} waits for older ones to be cemented",
                commitment.inbox_level
            );
        }
        self.reported = due.delayed.last().map_or(self.reported, |(_, c)| self.reported.max(c.inbox_level));
        if publishes(&self.mode) {
            for (hash, commitment) in due.publish {
                self.publish(node, injectors, &hash, commitment).await?;
            }
        }
        // a cementation names no commitment: at most one waits at a time, the next follows at the next head
        if !due.cement.is_empty() {
            let rollup = node.config.smart_rollup_address;
            injectors.add(OperationKind::Cement, Cement { rollup })?;
        }
        Ok(())
    }

    async fn publish(
        &mut self,
        node: &Node,
        injectors: &mut Injectors,
        hash: &CommitmentHash,
        commitment: Commitment,
    ) -> Result<(), PublishError> {
        self.check_inbox(node, hash, &commitment).await?;
        tracing::debug!("Publishing commitment {hash} for inbox level {}", commitment.inbox_level);
        let rollup = node.config.smart_rollup_address;
        injectors.add(OperationKind::Publish, Publish { rollup, commitment })?;
        Ok(())
    }

    /// Stakes on our commitment wherever somebody else published another one on the same predecessor.
    async fn accuse(
        &mut self,
        node: &Node,
        injectors: &mut Injectors,
        events: &[RollupEvent],
    ) -> Result<(), PublishError> {
        let mut theirs: Vec<(CommitmentHash, Commitment)> = Vec::new();
        if !self.compared {
            theirs.extend(self.published_before(node).await?);
            self.compared = true;
        }
        theirs.extend(events.iter().filter_map(|event| match event {
            RollupEvent::Published { staker, hash, commitment, .. } if Some(*staker) != self.operating => {
                Some((*hash, *commitment))
            }
            _ => None,
        }));
        let cemented = node.store.last_cemented()?.map(|(_, level)| level);
        for (hash, commitment) in theirs {
            let level = commitment.inbox_level;
            let Some(ours) = node.store.block_of_level(level)?.and_then(|block| block.commitment) else { continue };
            let Some(own) = node.store.commitment(&ours)? else { continue };
            let refutable = ours != hash && own.predecessor == commitment.predecessor;
            if refutable && cemented.is_none_or(|cemented| level > cemented) {
                tracing::info!("Commitment {hash} for inbox level {level} is wrong: publishing {ours} to refute it");
                self.publish(node, injectors, &ours, own).await?;
            }
        }
        Ok(())
    }

    /// The commitments that layer 1 holds for the levels of ours that are not cemented.
    async fn published_before(&self, node: &Node) -> Result<Vec<(CommitmentHash, Commitment)>, PublishError> {
        let Some(head) = node.store.head()? else { return Ok(vec![]) };
        let rollup = &node.config.smart_rollup_address;
        let cemented = node.store.last_cemented()?.map(|(_, level)| level);
        let (mut published, mut hash) = (vec![], head.last_commitment());
        while let Some(own) = node.store.commitment(&hash)? {
            if cemented.is_none_or(|cemented| own.inbox_level <= cemented) {
                break;
            }
            for theirs in node.layer1.commitments_of_level(head.hash, rollup, own.inbox_level).await? {
                published.push((theirs, node.layer1.commitment(head.hash, rollup, &theirs).await?));
            }
            hash = own.predecessor;
        }
        Ok(published)
    }

    /// Takes the bond back once it backs nothing any more.
    async fn recover(&self, node: &Node, injectors: &mut Injectors) -> Result<(), PublishError> {
        let (Some(staker), Some(head)) = (self.operating, node.store.head()?) else { return Ok(()) };
        if may_recover(node, head.hash, &staker).await? {
            let rollup = node.config.smart_rollup_address;
            injectors.add(OperationKind::Recover, RecoverBond { rollup, staker })?;
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
}

/// Whether a mode publishes every commitment. Others publish against a wrong one only, or nothing new.
fn publishes(mode: &Mode) -> bool {
    mode.can_inject(OperationKind::Publish) && !matches!(mode, Mode::Accuser | Mode::Bailout)
}

/// Whether a staker has a bond that backs nothing above the last cemented commitment.
async fn may_recover(node: &Node, at: BlockHash, staker: &PublicKeyHash) -> Result<bool, RpcError> {
    let rollup = &node.config.smart_rollup_address;
    Ok(node.layer1.staked_on(at, rollup, staker).await?.is_none()
        && node.layer1.stakers(at, rollup).await?.contains(staker))
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
