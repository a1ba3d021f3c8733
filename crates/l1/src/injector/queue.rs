//! The memory of an injector: what waits, what was injected, what was included, and what blocks mean for it. No I/O, no
//! clock (`spec/node.md` §4.12).

use super::kind::Kind;
use super::record::{CarrierRecord, Changes, Kept, OperationRecord, Passenger, Stage};
use bytes::Bytes;
use soru_tezos::block::BlockOperation;
use soru_tezos::codec::Encode;
use soru_tezos::hash::{BlockHash, OperationHash};
use soru_tezos::header::BlockRef;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::operation::ManagerBody;
use soru_tezos::receipt::OperationResult;
use soru_tezos::rpc_error::Trace;
use soru_tezos::scalar::Level;
use soru_tezos::{base58_bytes, blake2b};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Most operations that wait.
pub const CAPACITY: usize = 50_000;
/// Blocks after which an included operation is final.
pub const CONFIRMATIONS: i32 = 2;
/// Blocks after which a layer 1 operation that is in none is sent once more: the node that has it may have been restarted.
const SENT_AGAIN: i32 = 2;

base58_bytes!(
    /// The id of an operation in the injector: hash of its content, and of a counter where equal ones may be sent twice.
    OperationId, 32, [64, 7, 134], "injector operation hash (iop…)"
);

/// An operation that is to be injected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its id.
    pub id: OperationId,
    /// What it does.
    pub body: ManagerBody,
    /// Place among operations of its kind; ordered ones go first.
    pub order: Option<u64>,
    /// Failed attempts.
    pub failures: u32,
    arrival: u64,
}

impl Waiting {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        Kind::of(&self.body)
    }

    fn key(&self) -> Key {
        Key {
            priority: self.kind().priority(),
            unordered: self.order.is_none(),
            order: self.order.unwrap_or(0),
            arrival: self.arrival,
        }
    }

    /// Bytes it adds to a batch, the header at its largest.
    fn size(&self) -> usize {
        const HEADER: usize = 1 + 21 + 4 * 10;
        HEADER + self.body.to_bytes().len()
    }

    fn record(&self) -> OperationRecord {
        let Waiting { body, order, failures, arrival, .. } = self.clone();
        OperationRecord { body, order, failures, arrival }
    }
}

/// The order in which operations leave the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    priority: u8,
    unordered: bool,
    order: u64,
    arrival: u64,
}

/// Where an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Waiting(Key),
    Carried(OperationHash, u32),
}

/// A layer 1 operation that carries some of ours, each at its index among the contents.
#[derive(Debug, Clone)]
struct Carrier {
    operations: Vec<(u32, Waiting)>,
    signer: PublicKeyHash,
    /// Level of the head it was made for.
    level: Level,
    bytes: Bytes,
    stage: Stage,
    /// When the layer 1 last took it, as far as this process knows.
    sent: Option<Level>,
    /// Whether it was abandoned and then made anew with the very same bytes.
    remade: bool,
}

impl Carrier {
    /// Whether equal contents may come twice: then it must not be made anew while it can still be included itself.
    fn may_double(&self) -> bool {
        self.operations.iter().any(|(_, operation)| !operation.kind().is_unique())
    }

    fn record(&self) -> CarrierRecord {
        let passengers =
            self.operations.iter().map(|(index, operation)| Passenger { index: *index, id: operation.id }).collect();
        CarrierRecord {
            signer: self.signer,
            level: self.level,
            stage: self.stage,
            passengers,
            bytes: self.bytes.clone(),
        }
    }
}

/// Bounds of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Failed attempts after which an operation is given up.
    pub attempts: u32,
    /// Blocks after which an injected operation that is not included is given up.
    pub injection_ttl: u32,
    /// Blocks for which a confirmed operation is remembered.
    pub retention: u32,
    /// Most bytes of a batch.
    pub batch_bytes: usize,
    /// Most operations of a batch.
    pub batch_length: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        // room for branch, reveal and the longest signature is left
        QueueLimits {
            attempts: 10,
            injection_ttl: 120,
            retention: 50_000,
            batch_bytes: 32_768 - 512,
            batch_length: 1_000,
        }
    }
}

/// What became of an operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Applied in a block.
    Included(BlockRef),
    /// Waits again, or its layer 1 operation does: its block was left, or another operation of the batch failed.
    Retried,
    /// Failed and given up.
    Failed(Trace),
    /// Failed too often and given up.
    Discarded(Trace),
    /// Never included in time and given up.
    Expired,
}

/// An outcome and the operation it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The operation.
    pub operation: Waiting,
    /// The layer 1 operation that carried it, if it came so far.
    pub carried_by: Option<OperationHash>,
    /// What became of it.
    pub outcome: Outcome,
}

/// Why an operation was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{CAPACITY} operations already wait to be injected")]
pub struct QueueFull;

/// Where an operation stands. `index` is its place among the contents of the layer 1 operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Status {
    /// Waits.
    Waiting,
    /// Injected, in no block yet.
    Injected { hash: OperationHash, index: u32 },
    /// In a block.
    Included { hash: OperationHash, index: u32, block: BlockRef },
}

/// A layer 1 operation that is in no block yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWay {
    /// Its hash.
    pub hash: OperationHash,
    /// The signed bytes.
    pub bytes: Bytes,
    /// Whether it is to be given to the layer 1, for the first time or once more.
    pub due: bool,
}

/// Operations of one group of keys.
#[derive(Debug, Default)]
pub struct Queue {
    limits: QueueLimits,
    waiting: BTreeMap<Key, Waiting>,
    /// Of those that wait: being made into a layer 1 operation just now.
    tried: BTreeSet<Key>,
    carriers: HashMap<OperationHash, Carrier>,
    known: HashMap<OperationId, Place>,
    arrivals: u64,
    touched: BTreeSet<OperationId>,
    touched_carriers: BTreeSet<OperationHash>,
}

impl Queue {
    /// An empty queue.
    pub fn new(limits: QueueLimits) -> Self {
        Queue { limits, ..Queue::default() }
    }

    /// A queue as it was kept. Layer 1 operations that were in no block are sent again: they may not have gone out.
    pub fn restore(limits: QueueLimits, kept: Kept) -> Self {
        let mut queue = Queue { limits, arrivals: kept.arrivals, ..Queue::default() };
        let operations: HashMap<OperationId, Waiting> = kept
            .operations
            .into_iter()
            .map(|(id, record)| {
                let OperationRecord { body, order, failures, arrival } = record;
                queue.arrivals = queue.arrivals.max(arrival.saturating_add(1));
                (id, Waiting { id, body, order, failures, arrival })
            })
            .collect();
        for (hash, record) in kept.carriers {
            let carried: Vec<(u32, Waiting)> = record
                .passengers
                .iter()
                .filter_map(|passenger| Some((passenger.index, operations.get(&passenger.id)?.clone())))
                .collect();
            if carried.is_empty() {
                continue;
            }
            if record.stage != Stage::Abandoned {
                let places = carried.iter().map(|(index, operation)| (operation.id, Place::Carried(hash, *index)));
                queue.known.extend(places);
            }
            let CarrierRecord { signer, level, stage, bytes, .. } = record;
            queue
                .carriers
                .insert(hash, Carrier { operations: carried, signer, level, bytes, stage, sent: None, remade: false });
        }
        for operation in operations.into_values() {
            if !queue.known.contains_key(&operation.id) {
                queue.wait(operation);
            }
        }
        queue.touched.clear();
        queue
    }

    /// What changed since this was last called, of what survives a restart.
    pub fn take_changes(&mut self) -> Changes {
        let (operations, carriers) = (std::mem::take(&mut self.touched), std::mem::take(&mut self.touched_carriers));
        let operations = operations.into_iter().filter_map(|id| match self.operation(&id) {
            None => Some((id, None)),
            Some(operation) => operation.kind().persists().then(|| (id, Some(operation.record()))),
        });
        let carriers = carriers.into_iter().filter_map(|hash| match self.carriers.get(&hash) {
            None => Some((hash, None)),
            Some(carrier) => {
                let kept = carrier.operations.iter().any(|(_, operation)| operation.kind().persists());
                kept.then(|| (hash, Some(carrier.record())))
            }
        });
        Changes { operations: operations.collect(), carriers: carriers.collect(), arrivals: self.arrivals }
    }

    /// Counts changes as changes again: they could not be kept.
    pub fn put_changes_back(&mut self, changes: &Changes) {
        self.touched.extend(changes.operations.iter().map(|(id, _)| *id));
        self.touched_carriers.extend(changes.carriers.iter().map(|(hash, _)| *hash));
    }

    /// Adds an operation. One of a unique kind that is already known is not added again.
    ///
    /// # Errors
    /// When too many operations wait.
    pub fn add(&mut self, body: ManagerBody, order: Option<u64>) -> Result<OperationId, QueueFull> {
        let arrival = self.arrivals;
        let kind = Kind::of(&body);
        let counter = if kind.is_unique() { Vec::new() } else { arrival.to_be_bytes().to_vec() };
        let id = OperationId(blake2b::digest(&[&body.to_bytes(), &counter]));
        match self.status(&id) {
            // a cementation does not say of what, a start or a timeout not of which game between two players: one in a block does
            // not stand for the next
            Some(Status::Included { .. }) if kind.may_follow_itself() => {}
            Some(_) => return Ok(id),
            None => {}
        }
        if self.is_full() {
            return Err(QueueFull);
        }
        self.arrivals += 1;
        self.wait(Waiting { id, body, order, failures: 0, arrival });
        Ok(id)
    }

    /// Whether no further operation is taken.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= CAPACITY
    }

    fn wait(&mut self, operation: Waiting) {
        let key = operation.key();
        self.place(operation.id, Place::Waiting(key));
        self.waiting.insert(key, operation);
    }

    fn place(&mut self, id: OperationId, place: Place) {
        self.known.insert(id, place);
        self.touched.insert(id);
    }

    /// Forgets an operation that is carried by `hash`, or nowhere.
    fn forget(&mut self, id: OperationId, hash: &OperationHash) {
        if matches!(self.known.get(&id), Some(Place::Carried(carrier, _)) if carrier == hash) {
            self.known.remove(&id);
            self.touched.insert(id);
        }
    }

    /// Where an operation stands; nothing once it is forgotten.
    pub fn status(&self, id: &OperationId) -> Option<Status> {
        Some(match *self.known.get(id)? {
            Place::Waiting(_) => Status::Waiting,
            Place::Carried(hash, index) => match self.carriers.get(&hash)?.stage {
                Stage::Included(block) => Status::Included { hash, index, block },
                Stage::Sent | Stage::Abandoned => Status::Injected { hash, index },
            },
        })
    }

    /// An operation that is known.
    pub fn operation(&self, id: &OperationId) -> Option<&Waiting> {
        match self.known.get(id)? {
            Place::Waiting(key) => self.waiting.get(key),
            Place::Carried(hash, _) => {
                let carried = &self.carriers.get(hash)?.operations;
                carried.iter().map(|(_, operation)| operation).find(|operation| operation.id == *id)
            }
        }
    }

    /// All operations that are known: those that wait, are under way, or were included and are remembered.
    pub fn operations(&self) -> impl Iterator<Item = &Waiting> {
        self.known.keys().filter_map(|id| self.operation(id))
    }

    /// Operations that wait, in order.
    pub fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.values()
    }

    /// Number of operations that wait, that are injected, and that are included and remembered.
    pub fn counts(&self) -> (usize, usize, usize) {
        let (mut injected, mut included) = (0, 0);
        for carrier in self.carriers.values() {
            match carrier.stage {
                Stage::Sent => injected += carrier.operations.len(),
                Stage::Included(_) => included += carrier.operations.len(),
                Stage::Abandoned => {}
            }
        }
        (self.waiting.len(), injected, included)
    }

    /// Whether nothing waits that is not being injected.
    pub fn is_idle(&self) -> bool {
        self.waiting.len() == self.tried.len()
    }

    /// Whether blocks need not be looked into: no operation of ours can be in one.
    pub fn expects_nothing(&self) -> bool {
        self.carriers.values().all(|carrier| matches!(carrier.stage, Stage::Included(_)))
    }

    /// Forgets an operation that waits.
    pub fn remove(&mut self, id: &OperationId) -> bool {
        let Some(Place::Waiting(key)) = self.known.get(id).copied() else { return false };
        self.waiting.remove(&key);
        self.tried.remove(&key);
        self.known.remove(id);
        self.touched.insert(*id);
        true
    }

    /// Forgets the operations that wait and fulfil a condition.
    pub fn remove_where(&mut self, condition: impl Fn(&Waiting) -> bool) {
        let ids: Vec<OperationId> =
            self.waiting().filter(|operation| condition(operation)).map(|operation| operation.id).collect();
        for id in ids {
            self.remove(&id);
        }
    }

    /// Forgets everything, also what is under way.
    pub fn clear(&mut self) {
        self.touched.extend(self.known.keys());
        self.touched_carriers.extend(self.carriers.keys());
        self.known.clear();
        self.waiting.clear();
        self.tried.clear();
        self.carriers.clear();
    }

    /// Keys that wait for the inclusion of an operation: another one of theirs would be refused.
    pub fn busy(&self) -> BTreeSet<PublicKeyHash> {
        let sent = self.carriers.values().filter(|carrier| carrier.stage == Stage::Sent);
        sent.map(|carrier| carrier.signer).collect()
    }

    /// The next batch to try. It waits on until it is injected, put back, or has failed.
    pub fn next_batch(&mut self) -> Vec<Waiting> {
        let (mut batch, mut bytes): (Vec<Waiting>, usize) = (Vec::new(), 0);
        for (key, operation) in &self.waiting {
            if self.tried.contains(key) {
                continue;
            }
            let size = operation.size();
            if batch.len() >= self.limits.batch_length || !batch.is_empty() && bytes + size > self.limits.batch_bytes {
                break;
            }
            bytes += size;
            batch.push(operation.clone());
        }
        self.tried.extend(batch.iter().map(Waiting::key));
        batch
    }

    /// Puts operations back that could not be tried.
    pub fn put_back(&mut self, operations: &[Waiting]) {
        for operation in operations {
            self.tried.remove(&operation.key());
        }
    }

    /// Notes that an attempt failed before injection. The operation waits again, or is given up after too many failures.
    pub fn failed(&mut self, operation: &Waiting, errors: Trace) -> Option<Event> {
        let key = operation.key();
        self.tried.remove(&key);
        // it may have been removed meanwhile
        let waiting = self.waiting.get_mut(&key)?;
        waiting.failures += 1;
        self.touched.insert(operation.id);
        if waiting.failures <= self.limits.attempts {
            return None;
        }
        let operation = self.waiting.remove(&key)?;
        self.known.remove(&operation.id);
        Some(Event { operation, carried_by: None, outcome: Outcome::Discarded(errors) })
    }

    /// Notes that a batch was signed, and is to be sent as soon as that is kept. `offset` contents, like a reveal, stand
    /// before ours in the layer 1 operation.
    pub fn injected(
        &mut self,
        hash: OperationHash,
        signer: PublicKeyHash,
        level: Level,
        operations: Vec<Waiting>,
        offset: u32,
        bytes: Bytes,
    ) {
        let operations: Vec<(u32, Waiting)> = (offset..).zip(operations).collect();
        for (index, operation) in &operations {
            let key = operation.key();
            self.tried.remove(&key);
            self.waiting.remove(&key);
            self.place(operation.id, Place::Carried(hash, *index));
        }
        self.touched_carriers.insert(hash);
        let remade = self.carriers.contains_key(&hash);
        self.carriers
            .insert(hash, Carrier { operations, signer, level, bytes, stage: Stage::Sent, sent: None, remade });
    }

    /// The layer 1 operations in no block yet, by signer, after a head of that level.
    pub fn under_way(&self, level: Level) -> BTreeMap<PublicKeyHash, Vec<UnderWay>> {
        let mut all: BTreeMap<PublicKeyHash, Vec<UnderWay>> = BTreeMap::new();
        for (hash, carrier) in self.carriers.iter().filter(|(_, carrier)| carrier.stage == Stage::Sent) {
            let due = carrier.sent.is_none_or(|sent| level.since(sent) >= SENT_AGAIN);
            all.entry(carrier.signer).or_default().push(UnderWay { hash: *hash, bytes: carrier.bytes.clone(), due });
        }
        all
    }

    /// Notes that the layer 1 took a layer 1 operation, at a head of that level.
    pub fn sent(&mut self, hash: &OperationHash, level: Level) {
        if let Some(carrier) = self.carriers.get_mut(hash) {
            carrier.sent = Some(level);
        }
    }

    /// Notes that the layer 1 refused a layer 1 operation at its first sight: its operations wait again, with one failure
    /// more. One that it has seen before may be in a block already, which is why it is refused: it stays abandoned.
    pub fn refused(&mut self, hash: &OperationHash, errors: &Trace) -> Vec<Event> {
        let Some(mut carrier) = self.carriers.remove(hash) else { return Vec::new() };
        self.touched_carriers.insert(*hash);
        if carrier.remade {
            carrier.stage = Stage::Abandoned;
            self.carriers.insert(*hash, carrier.clone());
        }
        let operations: Vec<Waiting> = carrier.operations.into_iter().map(|(_, operation)| operation).collect();
        operations.iter().for_each(|operation| self.wait(operation.clone()));
        operations.iter().filter_map(|operation| self.failed(operation, errors.clone())).collect()
    }

    /// Notes that a layer 1 operation can no longer be included on this branch: its operations wait again.
    pub fn abandon(&mut self, hash: &OperationHash) -> Vec<Event> {
        let Some(carrier) = self.carriers.get_mut(hash) else { return Vec::new() };
        carrier.stage = Stage::Abandoned;
        self.touched_carriers.insert(*hash);
        let operations = carrier.operations.clone();
        let mut events = Vec::new();
        for (index, operation) in operations {
            if self.known.get(&operation.id) == Some(&Place::Carried(*hash, index)) {
                self.wait(operation.clone());
                events.push(Event { operation, carried_by: Some(*hash), outcome: Outcome::Retried });
            }
        }
        events
    }

    /// Notes that a block left the chain. What it included waits again; a layer 1 operation whose contents may come twice is
    /// first sent again itself, because it may well be included once more.
    pub fn on_removed_block(&mut self, block: &BlockHash) -> Vec<Event> {
        let included = |carrier: &Carrier| matches!(carrier.stage, Stage::Included(at) if at.hash == *block);
        let hashes: Vec<OperationHash> =
            self.carriers.iter().filter(|(_, carrier)| included(carrier)).map(|(hash, _)| *hash).collect();
        // the layer 1 may have forgotten what it had
        self.carriers.values_mut().for_each(|carrier| carrier.sent = None);
        let mut events = Vec::new();
        for hash in hashes {
            let Some(carrier) = self.carriers.get_mut(&hash) else { continue };
            self.touched_carriers.insert(hash);
            if !carrier.may_double() {
                events.extend(self.abandon(&hash));
                self.carriers.remove(&hash);
                continue;
            }
            carrier.stage = Stage::Sent;
            let retried = carrier.operations.iter().map(|(_, operation)| Event {
                operation: operation.clone(),
                carried_by: Some(hash),
                outcome: Outcome::Retried,
            });
            events.extend(retried);
        }
        events
    }

    /// Notes a block of the chain with its manager operations.
    pub fn on_added_block(&mut self, block: BlockRef, operations: &[BlockOperation]) -> Vec<Event> {
        let mut events = Vec::new();
        for operation in operations {
            let expected = |carrier: &Carrier| !matches!(carrier.stage, Stage::Included(_));
            if self.carriers.get(&operation.hash).is_some_and(expected)
                && let Some(carrier) = self.carriers.remove(&operation.hash)
            {
                self.touched_carriers.insert(operation.hash);
                self.include(block, operation, carrier, &mut events);
            }
        }
        self.expire(block.level, &mut events);
        let oldest = i64::from(block.level.0) - i64::from(CONFIRMATIONS) - i64::from(self.limits.retention);
        let is_old =
            |carrier: &Carrier| matches!(carrier.stage, Stage::Included(at) if i64::from(at.level.0) <= oldest);
        self.drop_carriers(is_old);
        events
    }

    /// Forgets layer 1 operations, and what they carry.
    fn drop_carriers(&mut self, condition: impl Fn(&Carrier) -> bool) -> Vec<(OperationHash, Carrier)> {
        let hashes: Vec<OperationHash> =
            self.carriers.iter().filter(|(_, carrier)| condition(carrier)).map(|(hash, _)| *hash).collect();
        let mut dropped = Vec::new();
        for hash in hashes {
            let Some(carrier) = self.carriers.remove(&hash) else { continue };
            self.touched_carriers.insert(hash);
            carrier.operations.iter().for_each(|(_, operation)| self.forget(operation.id, &hash));
            dropped.push((hash, carrier));
        }
        dropped
    }

    fn include(&mut self, block: BlockRef, shown: &BlockOperation, carrier: Carrier, events: &mut Vec<Event>) {
        let mut cement_failed = false;
        let mut applied = Vec::new();
        let Carrier { operations, stage, .. } = &carrier;
        for (index, operation) in operations.clone() {
            if *stage == Stage::Abandoned && !self.reclaim(&operation) {
                continue;
            }
            let kind = operation.kind();
            let receipt = usize::try_from(index).ok().and_then(|index| shown.managers().nth(index));
            let outcome = match receipt.and_then(|receipt| receipt.metadata.as_ref()).map(|data| &data.operation_result)
            {
                // a receipt that is missing (too large) is taken for success: the node looks at the chain anyway
                None | Some(OperationResult::Applied(_)) => Outcome::Included(block),
                Some(OperationResult::Skipped) if kind == Kind::Cement && cement_failed => {
                    Outcome::Failed(Trace::new())
                }
                Some(OperationResult::Skipped | OperationResult::Backtracked { .. }) => Outcome::Retried,
                Some(OperationResult::Failed { errors }) => {
                    cement_failed |= kind == Kind::Cement;
                    if kind.retries_after(errors) { Outcome::Retried } else { Outcome::Failed(errors.clone()) }
                }
            };
            match outcome {
                Outcome::Included(_) => {
                    self.place(operation.id, Place::Carried(shown.hash, index));
                    applied.push((index, operation.clone()));
                }
                Outcome::Retried => self.wait(operation.clone()),
                _ => {
                    self.known.remove(&operation.id);
                    self.touched.insert(operation.id);
                }
            }
            events.push(Event { operation, carried_by: Some(shown.hash), outcome });
        }
        if !applied.is_empty() {
            let included = Carrier { operations: applied, stage: Stage::Included(block), ..carrier };
            self.carriers.insert(shown.hash, included);
        }
    }

    /// Takes an operation away from where it went after its layer 1 operation was abandoned. False when it is in a block
    /// already.
    fn reclaim(&mut self, operation: &Waiting) -> bool {
        match self.known.get(&operation.id).copied() {
            Some(Place::Waiting(key)) => {
                self.waiting.remove(&key);
                self.tried.remove(&key);
            }
            Some(Place::Carried(hash, _)) => {
                let Some(carrier) = self.carriers.get_mut(&hash) else { return true };
                if matches!(carrier.stage, Stage::Included(_)) {
                    return false;
                }
                carrier.operations.retain(|(_, other)| other.id != operation.id);
                self.touched_carriers.insert(hash);
                // both have the same counter, of which a branch includes one: the other cannot be included any more
                if carrier.operations.is_empty() {
                    self.carriers.remove(&hash);
                }
            }
            None => {}
        }
        true
    }

    /// Gives up what was injected too long ago.
    fn expire(&mut self, level: Level, events: &mut Vec<Event>) {
        let ttl = i32::try_from(self.limits.injection_ttl).unwrap_or(i32::MAX);
        let expired = self
            .drop_carriers(|carrier| !matches!(carrier.stage, Stage::Included(_)) && level.since(carrier.level) > ttl);
        for (hash, carrier) in expired.into_iter().filter(|(_, carrier)| carrier.stage == Stage::Sent) {
            let event = |(_, operation)| Event { operation, carried_by: Some(hash), outcome: Outcome::Expired };
            events.extend(carrier.operations.into_iter().map(event));
        }
    }
}
