//! The memory of an injector: what waits, what was injected, what was included, and what blocks mean for it. No I/O, no
//! clock (`spec/node.md` §4.12).

use super::kind::Kind;
use soru_tezos::blake2b;
use soru_tezos::block::BlockOperation;
use soru_tezos::codec::Encode;
use soru_tezos::hash::{BlockHash, OperationHash};
use soru_tezos::header::BlockRef;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::operation::ManagerBody;
use soru_tezos::receipt::OperationResult;
use soru_tezos::rpc_error::Trace;
use soru_tezos::scalar::Level;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Most operations that wait.
pub const CAPACITY: usize = 50_000;
/// Blocks after which an included operation is final.
pub const CONFIRMATIONS: i32 = 2;

/// The id of an operation in the injector: hash of its content, and of a counter where equal ones may be sent twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub [u8; 32]);

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
}

/// The order in which operations leave the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    priority: u8,
    unordered: bool,
    order: u64,
    arrival: u64,
}

#[derive(Debug, Clone)]
struct Injected {
    operations: Vec<Waiting>,
    signer: PublicKeyHash,
    level: Level,
    /// A reveal in front of our operations shifts their receipts.
    offset: usize,
}

#[derive(Debug, Clone)]
struct Included {
    operations: Vec<Waiting>,
    block: BlockRef,
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
    /// Waits again: its block was left, or another operation of the batch failed.
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

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Waits.
    Waiting,
    /// Injected, in no block yet.
    Injected(OperationHash),
    /// In a block.
    Included(OperationHash, BlockRef),
}

/// Operations of one group of keys.
#[derive(Debug, Default)]
pub struct Queue {
    limits: QueueLimits,
    waiting: BTreeMap<Key, Waiting>,
    injected: HashMap<OperationHash, Injected>,
    included: HashMap<OperationHash, Included>,
    known: HashMap<OperationId, Status>,
    arrivals: u64,
}

impl Queue {
    /// An empty queue.
    pub fn new(limits: QueueLimits) -> Self {
        Queue { limits, ..Queue::default() }
    }

    /// Adds an operation. One of a unique kind that is already known is not added again.
    ///
    /// # Errors
    /// When too many operations wait.
    pub fn add(&mut self, body: ManagerBody, order: Option<u64>) -> Result<OperationId, QueueFull> {
        self.add_with_failures(body, order, 0)
    }

    fn add_with_failures(
        &mut self,
        body: ManagerBody,
        order: Option<u64>,
        failures: u32,
    ) -> Result<OperationId, QueueFull> {
        let arrival = self.arrivals;
        let counter = if Kind::of(&body).is_unique() { Vec::new() } else { arrival.to_be_bytes().to_vec() };
        let id = OperationId(blake2b::digest(&[&body.to_bytes(), &counter]));
        match self.known.get(&id) {
            // a cementation does not say of what, a start or a timeout not of which game between two players: one in a block does
            // not stand for the next
            Some(Status::Included(..)) if Kind::of(&body).may_follow_itself() => {}
            Some(_) => return Ok(id),
            None => {}
        }
        if self.waiting.len() >= CAPACITY {
            return Err(QueueFull);
        }
        self.arrivals += 1;
        self.wait(Waiting { id, body, order, failures, arrival });
        Ok(id)
    }

    fn wait(&mut self, operation: Waiting) {
        self.known.insert(operation.id, Status::Waiting);
        self.waiting.insert(operation.key(), operation);
    }

    /// Where an operation stands; nothing once it is forgotten.
    pub fn status(&self, id: &OperationId) -> Option<Status> {
        self.known.get(id).copied()
    }

    /// Operations that wait, in order.
    pub fn waiting(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.values()
    }

    /// Operations in no block yet that must survive a restart, in order.
    pub fn persistent(&self) -> Vec<&Waiting> {
        let injected = self.injected.values().flat_map(|injected| &injected.operations);
        let mut all: Vec<&Waiting> =
            self.waiting.values().chain(injected).filter(|operation| operation.kind().persists()).collect();
        all.sort_by_key(|operation| operation.key());
        all
    }

    /// Number of operations that wait, that are injected, and that are included and remembered.
    pub fn counts(&self) -> (usize, usize, usize) {
        let injected = self.injected.values().map(|injected| injected.operations.len()).sum();
        let included = self.included.values().map(|included| included.operations.len()).sum();
        (self.waiting.len(), injected, included)
    }

    /// Whether nothing waits.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Forgets an operation that waits.
    pub fn remove(&mut self, id: &OperationId) -> bool {
        let key = self.waiting.iter().find(|(_, operation)| operation.id == *id).map(|(key, _)| *key);
        match key {
            Some(key) => {
                self.waiting.remove(&key);
                self.known.remove(id);
                true
            }
            None => false,
        }
    }

    /// Keys that wait for the inclusion of an operation: another one of theirs would be refused.
    pub fn busy(&self) -> BTreeSet<PublicKeyHash> {
        self.injected.values().map(|injected| injected.signer).collect()
    }

    /// Takes the next batch out of the queue.
    pub fn next_batch(&mut self) -> Vec<Waiting> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < self.limits.batch_length
            && let Some(entry) = self.waiting.first_entry()
        {
            let size = entry.get().size();
            if !batch.is_empty() && bytes + size > self.limits.batch_bytes {
                break;
            }
            bytes += size;
            batch.push(entry.remove());
        }
        batch
    }

    /// Puts operations back that could not be tried.
    pub fn put_back(&mut self, operations: Vec<Waiting>) {
        operations.into_iter().for_each(|operation| self.wait(operation));
    }

    /// Notes that an attempt failed before injection. The operation waits again, or is given up after too many failures.
    pub fn failed(&mut self, mut operation: Waiting, errors: Trace) -> Option<Event> {
        operation.failures += 1;
        if operation.failures < self.limits.attempts {
            self.wait(operation);
            return None;
        }
        self.known.remove(&operation.id);
        Some(Event { operation, carried_by: None, outcome: Outcome::Discarded(errors) })
    }

    /// Notes an injection. `offset` contents, like a reveal, stand before ours in the layer 1 operation.
    pub fn injected(
        &mut self,
        hash: OperationHash,
        signer: PublicKeyHash,
        level: Level,
        operations: Vec<Waiting>,
        offset: usize,
    ) {
        for operation in &operations {
            self.known.insert(operation.id, Status::Injected(hash));
        }
        self.injected.insert(hash, Injected { operations, signer, level, offset });
    }

    /// Notes that a block left the chain: what it included waits again.
    pub fn on_removed_block(&mut self, block: &BlockHash) -> Vec<Event> {
        let hashes: Vec<OperationHash> =
            self.included.iter().filter(|(_, included)| included.block.hash == *block).map(|(hash, _)| *hash).collect();
        let mut events = Vec::new();
        for hash in hashes {
            let Some(included) = self.included.remove(&hash) else { continue };
            for operation in included.operations {
                self.wait(operation.clone());
                events.push(Event { operation, carried_by: Some(hash), outcome: Outcome::Retried });
            }
        }
        events
    }

    /// Notes a block of the chain with its manager operations.
    pub fn on_added_block(&mut self, block: BlockRef, operations: &[BlockOperation]) -> Vec<Event> {
        let mut events = Vec::new();
        for operation in operations {
            if let Some(injected) = self.injected.remove(&operation.hash) {
                self.include(block, operation, injected, &mut events);
            }
        }
        self.expire(block.level, &mut events);
        let oldest = i64::from(block.level.0) - i64::from(CONFIRMATIONS) - i64::from(self.limits.retention);
        let known = &mut self.known;
        self.included.retain(|_, included| {
            let keep = i64::from(included.block.level.0) > oldest;
            if !keep {
                included.operations.iter().for_each(|operation| {
                    known.remove(&operation.id);
                });
            }
            keep
        });
        events
    }

    fn include(&mut self, block: BlockRef, shown: &BlockOperation, injected: Injected, events: &mut Vec<Event>) {
        let results: Vec<Option<&OperationResult>> = shown
            .managers()
            .skip(injected.offset)
            .map(|receipt| receipt.metadata.as_ref().map(|metadata| &metadata.operation_result))
            .collect();
        let mut applied = Vec::new();
        let mut cement_failed = false;
        for (index, operation) in injected.operations.into_iter().enumerate() {
            let kind = operation.kind();
            let result = results.get(index).copied().flatten();
            let outcome = match result {
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
                    self.known.insert(operation.id, Status::Included(shown.hash, block));
                    applied.push(operation.clone());
                }
                Outcome::Retried => self.wait(operation.clone()),
                _ => {
                    self.known.remove(&operation.id);
                }
            }
            events.push(Event { operation, carried_by: Some(shown.hash), outcome });
        }
        if !applied.is_empty() {
            self.included.insert(shown.hash, Included { operations: applied, block });
        }
    }

    /// Gives up what was injected too long ago.
    fn expire(&mut self, level: Level, events: &mut Vec<Event>) {
        let ttl = i32::try_from(self.limits.injection_ttl).unwrap_or(i32::MAX);
        let hashes: Vec<OperationHash> = self
            .injected
            .iter()
            .filter(|(_, injected)| level.since(injected.level) > ttl)
            .map(|(hash, _)| *hash)
            .collect();
        for hash in hashes {
            let Some(injected) = self.injected.remove(&hash) else { continue };
            for operation in injected.operations {
                self.known.remove(&operation.id);
                events.push(Event { operation, carried_by: Some(hash), outcome: Outcome::Expired });
            }
        }
    }
}
