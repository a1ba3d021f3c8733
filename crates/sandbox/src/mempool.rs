//! The mempool: operations that were checked and wait for a block, one per account, and those that were not good
//! enough, by the reference's classes (`spec/protocol.md` §2.9, §9.2).

use imbl::{HashMap, OrdMap, Vector};
use serde_json::{Map, Value};
use soru_tezos::block::BlockOperation;
use soru_tezos::hash::OperationHash;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::operation::Operation;
use soru_tezos::receipt::{Content, ManagerReceipt};
use soru_tezos::rpc_error::{ErrorKind, Trace};
use std::sync::Arc;

/// Most operations waiting.
pub const MAX_OPERATIONS: usize = 10_000;
/// Most bytes of operations waiting.
pub const MAX_BYTES: usize = 10_000_000;
/// How many refused operations of each class are remembered.
const MAX_REMEMBERED: usize = 200;

/// An operation that was injected.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// Its hash.
    pub hash: OperationHash,
    /// The operation.
    pub operation: Operation,
    /// How many bytes it has.
    pub size: usize,
}

impl Pending {
    /// Its source.
    pub fn source(&self) -> Option<PublicKeyHash> {
        self.operation.contents.first().map(|content| content.source)
    }

    /// Its JSON, as the mempool shows it.
    pub fn to_json(&self) -> BlockOperation {
        let contents = self.operation.contents.iter();
        BlockOperation {
            protocol: None,
            chain_id: None,
            hash: self.hash,
            branch: self.operation.branch,
            contents: contents
                .map(|operation| Content::from(ManagerReceipt { operation: operation.clone(), metadata: None }))
                .collect(),
            signature: self.operation.signature.clone(),
            metadata: None,
        }
    }
}

/// Why an operation is not in the next block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Never good.
    Refused,
    /// Its branch is too old.
    Outdated,
    /// Good perhaps on another branch.
    BranchRefused,
    /// Good perhaps later.
    BranchDelayed,
}

impl Class {
    /// The class of an operation refused with these errors: the worst of them decides.
    pub fn of(trace: &Trace) -> Class {
        let has = |kind| trace.iter().any(|error| error.kind == kind);
        if has(ErrorKind::Permanent) {
            Class::Refused
        } else if has(ErrorKind::Branch) {
            Class::BranchRefused
        } else {
            Class::BranchDelayed
        }
    }

    const NAMES: [(Class, &'static str); 4] = [
        (Class::Refused, "refused"),
        (Class::Outdated, "outdated"),
        (Class::BranchRefused, "branch_refused"),
        (Class::BranchDelayed, "branch_delayed"),
    ];
}

/// The operations known. Clones are cheap.
#[derive(Debug, Clone, Default)]
pub struct Mempool {
    /// By order of arrival.
    waiting: OrdMap<u64, Arc<Pending>>,
    /// The place of the operation of each account.
    by_source: HashMap<PublicKeyHash, u64>,
    others: Vector<(Class, Arc<Pending>, Trace)>,
    next: u64,
    bytes: usize,
}

impl Mempool {
    /// Operations waiting, in order of arrival.
    pub fn waiting(&self) -> impl Iterator<Item = &Arc<Pending>> {
        self.waiting.values()
    }

    /// How many are waiting.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none is waiting.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The operation of an account that waits.
    pub fn of_source(&self, source: &PublicKeyHash) -> Option<&Arc<Pending>> {
        self.by_source.get(source).and_then(|place| self.waiting.get(place))
    }

    /// Whether there is room for so many bytes more.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.waiting.len() < MAX_OPERATIONS && self.bytes.saturating_add(bytes) <= MAX_BYTES
    }

    /// Adds an operation that was checked. One of the same account that waits is replaced.
    pub fn add(&mut self, pending: Arc<Pending>) {
        let Some(source) = pending.source() else { return };
        if let Some(place) = self.by_source.insert(source, self.next)
            && let Some(replaced) = self.waiting.remove(&place)
        {
            self.bytes -= replaced.size;
        }
        self.bytes += pending.size;
        self.waiting.insert(self.next, pending);
        self.next += 1;
    }

    /// Remembers an operation that was not good enough.
    pub fn remember(&mut self, class: Class, pending: Arc<Pending>, trace: Trace) {
        if self.others.len() >= MAX_REMEMBERED {
            self.others.pop_front();
        }
        self.others.push_back((class, pending, trace));
    }

    /// Keeps the waiting operations that `judge` finds good, and remembers the others with the class it gives.
    pub fn retain(&mut self, mut judge: impl FnMut(&Pending) -> Result<(), Option<(Class, Trace)>>) {
        let mut kept = Mempool { next: self.next, others: self.others.clone(), ..Mempool::default() };
        // what was delayed or refused by a branch may be good now, if it is sent again
        kept.others.retain(|(class, ..)| *class == Class::Refused || *class == Class::Outdated);
        for pending in self.waiting.values() {
            match judge(pending) {
                Ok(()) => kept.add(pending.clone()),
                Err(None) => {}
                Err(Some((class, trace))) => kept.remember(class, pending.clone(), trace),
            }
        }
        *self = kept;
    }

    /// Everything known, as `pending_operations` answers (version 2): validated operations, then each class.
    pub fn to_json(&self, source: Option<&PublicKeyHash>, wanted: impl Fn(&str) -> bool) -> Value {
        let of_source = |pending: &Pending| source.is_none_or(|source| pending.source() == Some(*source));
        let json = |pending: &Pending| serde_json::to_value(pending.to_json()).unwrap_or_default();
        let mut out = Map::new();
        let validated: Vec<Value> = if wanted("validated") {
            self.waiting().filter(|pending| of_source(pending)).map(|pending| json(pending)).collect()
        } else {
            Vec::new()
        };
        out.insert("validated".to_owned(), Value::Array(validated));
        for (class, name) in Class::NAMES {
            let listed = self
                .others
                .iter()
                .filter(|(found, pending, _)| *found == class && wanted(name) && of_source(pending))
                .map(|(_, pending, trace)| {
                    let mut operation = json(pending);
                    operation["error"] = serde_json::to_value(trace).unwrap_or_default();
                    operation
                });
            out.insert(name.to_owned(), Value::Array(listed.collect()));
        }
        out.insert("unprocessed".to_owned(), Value::Array(Vec::new()));
        Value::Object(out)
    }
}
