//! The injector's queues, one for each group of keys (`spec/node.md` §3.4): what of them others look at, and how they are
//! kept in the store.

use crate::config::{Config, OperationKind, Purpose};
use crate::store::{Flush, Store, StoreError};
use soru_l1::injector::{Changes, KeepError, Keeper, Kept, Kind, OperationId, Queue, QueueLimits, SharedQueue};
use soru_tezos::key::PublicKeyHash;
use std::collections::HashMap;
use std::sync::Arc;

/// The operations that one group of keys signs.
pub(crate) struct Group {
    /// The keys, each once.
    pub keys: Vec<PublicKeyHash>,
    /// The kinds of operations they sign.
    pub kinds: Vec<OperationKind>,
    /// The operations.
    pub queue: SharedQueue,
}

impl Group {
    /// Whether it only sends messages and the like: they need not go out with the head, and are more later.
    pub fn may_be_late(&self) -> bool {
        self.kinds.iter().all(|kind| kind.purpose() == Purpose::Batching)
    }

    /// The name of its worker.
    pub fn worker(&self) -> String {
        let kinds: Vec<_> = self.kinds.iter().map(|kind| kind.name()).collect();
        format!("injector ({})", kinds.join(", "))
    }
}

/// All queues of the injector.
pub(crate) struct Queues(Vec<Group>);

impl Queues {
    /// The queues of a configuration, with what was kept of them.
    ///
    /// # Errors
    /// When the store fails.
    pub fn open(config: &Config, store: &Store) -> Result<Queues, StoreError> {
        let groups: Vec<(Vec<PublicKeyHash>, Vec<OperationKind>)> = config
            .operators
            .groups()
            .into_iter()
            .map(|(keys, purposes)| {
                let kinds = OperationKind::ALL
                    .into_iter()
                    .filter(|kind| purposes.contains(&kind.purpose()) && config.mode.can_inject(*kind));
                (keys, kinds.collect())
            })
            .collect();
        let group_of =
            |kind: Kind| groups.iter().position(|(_, kinds)| kinds.iter().any(|own| injector_kind(*own) == kind));

        // what no key of this configuration signs stays in the store, for one that does
        let Kept { operations, carriers, arrivals } = store.kept_operations()?;
        let mut kept: Vec<Kept> = groups.iter().map(|_| Kept { arrivals, ..Kept::default() }).collect();
        let mut places: HashMap<OperationId, usize> = HashMap::new();
        for (id, record) in operations {
            if let Some(group) = group_of(Kind::of(&record.body)) {
                places.insert(id, group);
                kept[group].operations.push((id, record));
            }
        }
        for (hash, record) in carriers {
            let group = record.passengers.iter().find_map(|passenger| places.get(&passenger.id));
            if let Some(group) = group {
                kept[*group].carriers.push((hash, record));
            }
        }

        let keeper: Arc<dyn Keeper> = Arc::new(InStore(store.clone()));
        let open = |((keys, kinds), kept)| Group {
            keys,
            kinds,
            queue: SharedQueue::new(Queue::restore(limits(config), kept), Some(Arc::clone(&keeper))),
        };
        Ok(Queues(groups.into_iter().zip(kept).map(open).collect()))
    }

    /// All groups.
    pub fn groups(&self) -> &[Group] {
        &self.0
    }

    /// The group that signs a kind of operations.
    pub fn of_kind(&self, kind: OperationKind) -> Option<&Group> {
        self.0.iter().find(|group| group.kinds.contains(&kind))
    }
}

/// The bounds that a configuration sets.
pub(super) fn limits(config: &Config) -> QueueLimits {
    let limits = &config.injector;
    QueueLimits {
        attempts: limits.attempts,
        injection_ttl: limits.injection_ttl,
        retention: limits.retention_period,
        batch_length: limits.max_batch_length.map_or(usize::MAX, |most| most as usize),
        ..QueueLimits::default()
    }
}

/// The kind of the injector's table.
pub(crate) fn injector_kind(kind: OperationKind) -> Kind {
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

/// Keeps queues in the node's store.
struct InStore(Store);

impl Keeper for InStore {
    fn keep(&self, changes: &Changes) -> Result<(), KeepError> {
        let kept = self.0.begin(Flush::Now).and_then(|transaction| {
            transaction.put_operations(changes)?;
            transaction.commit()
        });
        kept.map_err(|e| KeepError(e.to_string()))
    }
}
