//! The node's injectors, one for each group of keys: which operation is signed by which key, when, and what becomes of it
//! (`spec/node.md` §3.4, §4.12).

mod queues;

pub(crate) use queues::{Group, Queues, injector_kind};

use crate::config::{Config, Mode, OperationKind};
use crate::store::{Flush, Store, StoreError};
use soru_l1::heads::Reorg;
use soru_l1::injector::{Changes, Event, Injector, Kind, OperationId, Outcome, QueueFull, Seen};
use soru_l1::rpc::{RpcClient, RpcError};
use soru_l1::wallet::Signer;
use soru_tezos::header::{BlockRef, MonitoredHead};
use soru_tezos::operation::ManagerBody;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// All injectors. Whoever adds operations has them for that moment alone.
pub(crate) struct Injectors {
    mode: Mode,
    store: Store,
    queues: Arc<Queues>,
    /// In the order of the queues.
    injectors: Vec<Injector>,
    /// The last block in which operations were looked for.
    head: Option<BlockRef>,
    /// Whether this process has looked.
    followed: bool,
    /// When those that may be late are to be injected.
    late: Option<Instant>,
}

impl Injectors {
    /// One injector for each queue.
    ///
    /// # Errors
    /// When the store cannot tell where it was.
    pub(crate) fn new(
        config: &Config,
        store: &Store,
        layer1: &RpcClient,
        queues: &Arc<Queues>,
        signers: &[Arc<dyn Signer>],
    ) -> Result<Injectors, StoreError> {
        let injector = |group: &Group| {
            let signers = signers.iter().filter(|signer| group.keys.contains(&signer.address())).cloned();
            let limits = queues::limits(config);
            Injector::on(group.queue.clone(), layer1.clone(), signers.collect(), fees(config), limits)
        };
        Ok(Injectors {
            mode: config.mode.clone(),
            store: store.clone(),
            queues: Arc::clone(queues),
            injectors: queues.groups().iter().map(injector).collect(),
            head: store.injector_head()?,
            followed: false,
            late: None,
        })
    }

    /// Whether nothing is ever injected.
    pub(crate) fn is_empty(&self) -> bool {
        self.injectors.is_empty()
    }

    /// The workers' names, with the kinds each injects.
    pub(crate) fn workers(&self) -> Vec<String> {
        self.queues.groups().iter().map(Group::worker).collect()
    }

    /// The last block in which operations were looked for, in this process or before.
    pub(crate) fn head(&self) -> Option<BlockRef> {
        self.head
    }

    /// Adds an operation, to be signed by the key of its kind. Nothing happens when the mode does not inject that kind.
    ///
    /// # Errors
    /// When too many operations wait.
    pub(crate) fn add(
        &mut self,
        kind: OperationKind,
        body: impl Into<ManagerBody>,
    ) -> Result<Option<OperationId>, QueueFull> {
        if !self.mode.can_inject(kind) {
            return Ok(None);
        }
        match self.queues.of_kind(kind) {
            Some(group) => group.queue.lock().add(body.into(), None).map(Some),
            None => {
                tracing::debug!("no key to {kind} with");
                Ok(None)
            }
        }
    }

    /// The operations of a kind that wait, are under way, or were included lately.
    pub(crate) fn known(&self, kind: OperationKind) -> Vec<(OperationId, ManagerBody)> {
        let Some(group) = self.queues.of_kind(kind) else { return vec![] };
        let queue = group.queue.lock();
        let own = queue.operations().filter(|operation| operation.kind() == injector_kind(kind));
        own.map(|operation| (operation.id, operation.body.clone())).collect()
    }

    /// Whether an operation waits, is under way, or was included lately. One that failed and was given up is not known.
    pub(crate) fn knows(&self, kind: OperationKind, id: &OperationId) -> bool {
        self.queues.of_kind(kind).is_some_and(|group| group.queue.lock().status(id).is_some())
    }

    /// Forgets an operation that still waits.
    pub(crate) fn remove(&mut self, kind: OperationKind, id: &OperationId) {
        if let Some(group) = self.queues.of_kind(kind) {
            group.queue.lock().remove(id);
        }
    }

    /// Looks for our operations on the way to a new head.
    ///
    /// # Errors
    /// When blocks cannot be read; asking again is safe.
    pub(crate) async fn on_chain(&mut self, way: &Reorg, head: BlockRef) -> Result<(), RpcError> {
        let mut seen = Vec::new();
        for injector in &self.injectors {
            seen.push(injector.look(way).await?);
        }
        match self.note(&seen, head) {
            Ok(events) => events.iter().for_each(report),
            Err(e) => tracing::error!("the operations to inject cannot be kept: {e}"),
        }
        Ok(())
    }

    /// Tells the queues, and keeps what that changes together with the head: what is kept of a queue is always what was
    /// known at that head, so that a later process leaves every block that this one has counted on.
    fn note(&mut self, seen: &[Seen], head: BlockRef) -> Result<Vec<Event>, StoreError> {
        let mut queues: Vec<_> = self.queues.groups().iter().map(|group| group.queue.lock()).collect();
        let mut events = Vec::new();
        let mut changes = Vec::new();
        for (queue, seen) in queues.iter_mut().zip(seen) {
            events.extend(seen.apply(queue));
            changes.push(queue.take_changes());
        }
        (self.head, self.followed) = (Some(head), true);
        // a head at which nothing happened may be lost: the same blocks are then looked at again
        let flush = if changes.iter().all(Changes::is_empty) { Flush::Later } else { Flush::Now };
        let kept = self.store.begin(flush).and_then(|transaction| {
            changes.iter().try_for_each(|changes| transaction.put_operations(changes))?;
            transaction.set_injector_head(head)?;
            transaction.commit()
        });
        if let Err(error) = kept {
            queues.iter_mut().zip(&changes).for_each(|(queue, changes)| queue.put_changes_back(changes));
            return Err(error);
        }
        Ok(events)
    }

    /// Puts off messages and the like for half of the time to the next block: more of them go out together. What is put off
    /// already is not put off further.
    pub(crate) fn put_off(&mut self, head: &MonitoredHead, block_delay: Duration) {
        let present = Instant::now();
        if self.late.is_some_and(|late| late > present) {
            return;
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let next = head.shell.timestamp.0 as f64 + block_delay.as_secs_f64();
        let wait = (next - now).clamp(0.0, block_delay.as_secs_f64()) / 2.0;
        self.late = (wait > 0.0).then(|| present + Duration::from_secs_f64(wait));
    }

    /// When there is to be another round of injections, for those that were put off.
    pub(crate) fn late(&self) -> Option<Instant> {
        self.late.filter(|_| self.queues.groups().iter().any(Group::may_be_late))
    }

    /// Injects what waits, on top of the last head.
    pub(crate) async fn inject(&mut self) {
        let Some(head) = self.head.filter(|_| self.followed) else { return };
        let too_early = self.late.is_some_and(|late| Instant::now() < late);
        for (group, injector) in self.queues.groups().iter().zip(&mut self.injectors) {
            if too_early && group.may_be_late() {
                continue;
            }
            match injector.inject(head).await {
                Ok(events) => events.iter().for_each(report),
                Err(e) => tracing::warn!("cannot inject ({}): {e}", group.worker()),
            }
        }
    }
}

/// The fees of a configuration.
fn fees(config: &Config) -> soru_l1::injector::FeeTable {
    let given = config.fee_parameters.clone();
    Box::new(move |kind: Kind| {
        let mut fees = kind.default_fees();
        let named = OperationKind::ALL.into_iter().find(|own| injector_kind(*own) == kind);
        if let Some(settings) = named.and_then(|own| given.get(&own)) {
            settings.apply(&mut fees);
        }
        fees
    })
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
