//! The node's injectors, one for each key: which operation is signed by which key, and what becomes of it
//! (`spec/node.md` §3.4, §4.12).

use crate::config::{Config, Mode, OperationKind, Operators};
use soru_l1::heads::Reorg;
use soru_l1::injector::{Event, Injector, Kind, OperationId, Outcome, QueueFull, QueueLimits};
use soru_l1::rpc::{RpcClient, RpcError};
use soru_l1::wallet::Signer;
use soru_tezos::header::BlockRef;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::operation::ManagerBody;
use std::sync::Arc;

/// All injectors. Whoever adds operations has them for that moment alone.
pub(crate) struct Injectors {
    mode: Mode,
    operators: Operators,
    injectors: Vec<(PublicKeyHash, Injector)>,
    /// The last block in which operations were looked for.
    head: Option<BlockRef>,
}

impl Injectors {
    /// One injector for each signer.
    pub(crate) fn new(config: &Config, layer1: &RpcClient, signers: Vec<Arc<dyn Signer>>) -> Injectors {
        let injector = |signer: Arc<dyn Signer>| (signer.address(), injector(config, layer1, signer));
        Injectors {
            mode: config.mode.clone(),
            operators: config.operators.clone(),
            injectors: signers.into_iter().map(injector).collect(),
            head: None,
        }
    }

    /// Whether nothing is ever injected.
    pub(crate) fn is_empty(&self) -> bool {
        self.injectors.is_empty()
    }

    /// The workers' names, with the kinds each injects.
    pub(crate) fn workers(&self) -> Vec<String> {
        let by_key = self.operators.by_key();
        let name = |key: &PublicKeyHash| {
            let purposes = by_key.get(key).map_or(&[][..], Vec::as_slice);
            let kinds = OperationKind::ALL
                .into_iter()
                .filter(|kind| purposes.contains(&kind.purpose()) && self.mode.can_inject(*kind));
            let kinds: Vec<_> = kinds.map(OperationKind::name).collect();
            format!("injector ({})", kinds.join(", "))
        };
        self.injectors.iter().map(|(key, _)| name(key)).collect()
    }

    /// The last block in which operations were looked for.
    pub(crate) fn head(&self) -> Option<BlockRef> {
        self.head
    }

    fn of_kind(&mut self, kind: OperationKind) -> Option<&mut Injector> {
        let key = self.operators.key(kind.purpose());
        self.injectors.iter_mut().find(|(own, _)| Some(*own) == key).map(|(_, injector)| injector)
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
        match self.of_kind(kind) {
            Some(injector) => injector.add(body, None).map(Some),
            None => {
                tracing::debug!("no key to {kind} with");
                Ok(None)
            }
        }
    }

    /// Forgets an operation that still waits.
    pub(crate) fn remove(&mut self, kind: OperationKind, id: &OperationId) {
        if let Some(injector) = self.of_kind(kind) {
            injector.remove(id);
        }
    }

    /// Looks for our operations on the way to a new head.
    ///
    /// # Errors
    /// When blocks cannot be read; asking again is safe.
    pub(crate) async fn on_chain(&mut self, way: &Reorg, head: BlockRef) -> Result<(), RpcError> {
        for (_, injector) in &mut self.injectors {
            injector.on_chain(way).await?.iter().for_each(report);
        }
        self.head = Some(head);
        Ok(())
    }

    /// Injects what waits, on top of the last head.
    pub(crate) async fn inject(&mut self) {
        let Some(head) = self.head else { return };
        for (key, injector) in &mut self.injectors {
            match injector.inject(head).await {
                Ok(events) => events.iter().for_each(report),
                Err(e) => tracing::warn!("cannot inject operations of {key}: {e}"),
            }
        }
    }
}

/// An injector for one key, with the configuration's fees and limits.
fn injector(config: &Config, layer1: &RpcClient, signer: Arc<dyn Signer>) -> Injector {
    let given = config.fee_parameters.clone();
    let fees = move |kind: Kind| {
        let mut fees = kind.default_fees();
        let named = OperationKind::ALL.into_iter().find(|own| injector_kind(*own) == kind);
        if let Some(settings) = named.and_then(|own| given.get(&own)) {
            settings.apply(&mut fees);
        }
        fees
    };
    let limits = &config.injector;
    let limits = QueueLimits {
        attempts: limits.attempts,
        injection_ttl: limits.injection_ttl,
        retention: limits.retention_period,
        batch_length: limits.max_batch_length.map_or(usize::MAX, |most| most as usize),
        ..QueueLimits::default()
    };
    Injector::new(layer1.clone(), vec![signer], Box::new(fees), limits)
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
