//! The queue against invented blocks.

use super::*;
use bytes::Bytes;
use proptest::prelude::*;
use soru_tezos::codec::{Decode, Encode};
use soru_tezos::hash::{OperationHash, SmartRollupAddress};
use soru_tezos::operation::{AddMessages, Cement, ManagerOperation, RecoverBond, Timeout};
use soru_tezos::receipt::{Applied, GasResult, ManagerMetadata, ManagerReceipt};
use soru_tezos::rollup::Stakers;
use soru_tezos::rpc_error::ErrorKind;
use soru_tezos::scalar::{Level, Mutez, Nat};

fn source() -> PublicKeyHash {
    "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx".parse().unwrap()
}

fn messages(text: &str) -> ManagerBody {
    AddMessages { message: vec![text.as_bytes().to_vec().into()] }.into()
}

fn cement(rollup: u8) -> ManagerBody {
    Cement { rollup: SmartRollupAddress([rollup; 20]) }.into()
}

fn timeout() -> ManagerBody {
    Timeout { rollup: SmartRollupAddress::ZERO, stakers: Stakers::new(source(), source()) }.into()
}

fn recover() -> ManagerBody {
    RecoverBond { rollup: SmartRollupAddress::ZERO, staker: source() }.into()
}

fn block(level: i32, branch: u8) -> BlockRef {
    BlockRef { level: Level(level), hash: BlockHash([branch.wrapping_mul(31).wrapping_add(level as u8); 32]) }
}

fn carrier(number: u8) -> OperationHash {
    OperationHash([number; 32])
}

fn applied() -> OperationResult {
    OperationResult::Applied(Applied::Gas(GasResult::default()))
}

fn failed(kind: ErrorKind) -> OperationResult {
    OperationResult::Failed { errors: vec![TezosError::new(kind, "proto.test.some_error")] }
}

fn shown(hash: OperationHash, operations: &[Waiting], results: Vec<OperationResult>) -> BlockOperation {
    let contents = operations.iter().zip(results).map(|(operation, result)| {
        let operation = ManagerOperation {
            source: source(),
            fee: Mutez(0),
            counter: Nat(0),
            gas_limit: Nat(0),
            storage_limit: Nat(0),
            body: operation.body.clone(),
        };
        let metadata = ManagerMetadata {
            balance_updates: Vec::new(),
            operation_result: result,
            internal_operation_results: Vec::new(),
        };
        ManagerReceipt { operation, metadata: Some(metadata) }.into()
    });
    BlockOperation {
        protocol: None,
        chain_id: None,
        hash,
        branch: BlockHash::ZERO,
        contents: contents.collect(),
        signature: None,
        metadata: None,
    }
}

#[test]
fn urgent_first_then_ordered_then_in_order_of_arrival() {
    let mut queue = Queue::new(QueueLimits::default());
    queue.add(messages("a"), None).unwrap();
    queue.add(messages("b"), Some(2)).unwrap();
    queue.add(messages("c"), Some(1)).unwrap();
    queue.add(cement(1), None).unwrap();
    queue.add(timeout(), None).unwrap();
    let batch: Vec<ManagerBody> = queue.next_batch().into_iter().map(|operation| operation.body).collect();
    assert_eq!(batch, [timeout(), cement(1), messages("c"), messages("b"), messages("a")]);
}

#[test]
fn what_the_chain_tells_more_of_may_follow_itself() {
    for body in [cement(1), timeout()] {
        let mut queue = Queue::new(QueueLimits::default());
        queue.add(body.clone(), None).unwrap();
        let batch = queue.next_batch();
        queue.injected(carrier(1), source(), Level(5), batch.clone(), 0, Bytes::from_static(b"signed"));
        queue.add(body.clone(), None).unwrap();
        assert_eq!(queue.counts(), (0, 1, 0));
        queue.on_added_block(block(6, 0), &[shown(carrier(1), &batch, vec![applied()])]);
        queue.add(body, None).unwrap();
        assert_eq!(queue.counts(), (1, 0, 1));
    }
}

#[test]
fn unique_kinds_are_added_once_at_every_stage() {
    let mut queue = Queue::new(QueueLimits::default());
    let id = queue.add(recover(), None).unwrap();
    assert_eq!(queue.add(recover(), None).unwrap(), id);
    assert_eq!(queue.counts(), (1, 0, 0));
    let batch = queue.next_batch();
    queue.injected(carrier(1), source(), Level(5), batch.clone(), 0, Bytes::from_static(b"signed"));
    queue.add(recover(), None).unwrap();
    assert_eq!(queue.counts(), (0, 1, 0));
    assert!(queue.busy().contains(&source()));
    queue.on_added_block(block(6, 0), &[shown(carrier(1), &batch, vec![applied()])]);
    queue.add(recover(), None).unwrap();
    assert_eq!(queue.counts(), (0, 0, 1));
    assert!(queue.busy().is_empty());
    assert_eq!(queue.status(&id), Some(Status::Included { hash: carrier(1), index: 0, block: block(6, 0) }));
    // messages are different each time
    assert_ne!(queue.add(messages("a"), None).unwrap(), queue.add(messages("a"), None).unwrap());
}

#[test]
fn batches_are_bounded_in_bytes_and_number() {
    let mut queue = Queue::new(QueueLimits { batch_bytes: 300, batch_length: 2, ..QueueLimits::default() });
    for text in ["a", "b", "c"] {
        queue.add(messages(text), None).unwrap();
    }
    assert_eq!(queue.next_batch().len(), 2);
    assert_eq!(queue.next_batch().len(), 1);
    queue.add(messages(&"x".repeat(200)), None).unwrap();
    queue.add(messages(&"y".repeat(200)), None).unwrap();
    assert_eq!(queue.next_batch().len(), 1);
}

#[test]
fn results_decide_what_is_tried_again() {
    let mut queue = Queue::new(QueueLimits::default());
    let bodies = [cement(1), cement(2), messages("t"), messages("p"), messages("s")];
    for body in bodies {
        queue.add(body, None).unwrap();
    }
    let batch = queue.next_batch();
    queue.injected(carrier(1), source(), Level(5), batch.clone(), 0, Bytes::from_static(b"signed"));
    let results = vec![
        failed(ErrorKind::Temporary),
        OperationResult::Skipped,
        failed(ErrorKind::Temporary),
        failed(ErrorKind::Permanent),
        OperationResult::Skipped,
    ];
    let events = queue.on_added_block(block(6, 0), &[shown(carrier(1), &batch, results)]);
    let outcomes: Vec<bool> = events.iter().map(|event| event.outcome == Outcome::Retried).collect();
    assert_eq!(outcomes, [false, false, true, false, true]);
    assert_eq!(queue.counts(), (2, 0, 0));
}

#[test]
fn a_block_that_is_left_gives_its_operations_back() {
    let mut queue = Queue::new(QueueLimits::default());
    queue.add(recover(), None).unwrap();
    let batch = queue.next_batch();
    queue.injected(carrier(1), source(), Level(5), batch.clone(), 0, Bytes::from_static(b"signed"));
    queue.on_added_block(block(6, 0), &[shown(carrier(1), &batch, vec![applied()])]);
    assert_eq!(queue.on_removed_block(&block(6, 1).hash).len(), 0);
    let events = queue.on_removed_block(&block(6, 0).hash);
    assert_eq!(events[0].outcome, Outcome::Retried);
    assert_eq!(queue.counts(), (1, 0, 0));
}

/// A queue whose one message was included at level 6, and what it was included with.
fn with_an_included_message() -> (Queue, Vec<Waiting>, OperationId) {
    let mut queue = Queue::new(QueueLimits::default());
    let id = queue.add(messages("a"), None).unwrap();
    let batch = queue.next_batch();
    queue.injected(carrier(1), source(), Level(5), batch.clone(), 0, Bytes::from_static(b"signed"));
    queue.sent(&carrier(1), Level(5));
    queue.on_added_block(block(6, 0), &[shown(carrier(1), &batch, vec![applied()])]);
    (queue, batch, id)
}

#[test]
fn messages_of_a_block_that_is_left_are_sent_as_they_were() {
    let (mut queue, batch, id) = with_an_included_message();
    queue.on_removed_block(&block(6, 0).hash);
    assert_eq!(queue.status(&id), Some(Status::Injected { hash: carrier(1), index: 0 }));
    let due = |queue: &Queue, level| {
        let all = queue.under_way(Level(level));
        all[&source()]
            .iter()
            .filter(|operation| operation.due)
            .map(|due| (due.hash, due.bytes.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(due(&queue, 6), [(carrier(1), Bytes::from_static(b"signed"))]);
    queue.sent(&carrier(1), Level(6));
    assert_eq!(due(&queue, 7), []);
    assert_eq!(due(&queue, 8).len(), 1, "a node that was restarted has lost it");
    queue.on_added_block(block(7, 1), &[shown(carrier(1), &batch, vec![applied()])]);
    assert_eq!(queue.counts(), (0, 0, 1));
}

#[test]
fn an_abandoned_operation_is_recognised_when_it_is_included_all_the_same() {
    for injected_anew in [false, true] {
        let (mut queue, batch, id) = with_an_included_message();
        queue.on_removed_block(&block(6, 0).hash);
        assert_eq!(queue.abandon(&carrier(1)).len(), 1);
        assert_eq!(queue.counts(), (1, 0, 0));
        if injected_anew {
            let again = queue.next_batch();
            assert_eq!(again, batch);
            queue.injected(carrier(2), source(), Level(7), again, 0, Bytes::from_static(b"anew"));
        }
        queue.on_added_block(block(8, 0), &[shown(carrier(1), &batch, vec![applied()])]);
        assert_eq!(queue.counts(), (0, 0, 1));
        assert_eq!(queue.status(&id), Some(Status::Included { hash: carrier(1), index: 0, block: block(8, 0) }));
        assert!(queue.busy().is_empty() && queue.under_way(Level(8)).is_empty());
    }
}

/// Between two looks at the chain an operation is included, cannot be sent again for that reason, and is made anew from the
/// same messages at the same head: it has the same bytes, and is refused for the same reason.
#[test]
fn an_operation_made_anew_with_the_same_bytes_is_still_recognised() {
    let (mut queue, batch, id) = with_an_included_message();
    queue.on_removed_block(&block(6, 0).hash);
    queue.abandon(&carrier(1));
    let again = queue.next_batch();
    queue.injected(carrier(1), source(), Level(7), again, 0, Bytes::from_static(b"signed"));
    assert_eq!(queue.refused(&carrier(1), &vec![TezosError::failure("its counter is used")]), []);
    assert_eq!(queue.counts(), (1, 0, 0));
    queue.on_added_block(block(8, 0), &[shown(carrier(1), &batch, vec![applied()])]);
    assert_eq!(queue.counts(), (0, 0, 1));
    assert_eq!(queue.status(&id), Some(Status::Included { hash: carrier(1), index: 0, block: block(8, 0) }));
}

/// Keeps changes as a store does.
#[derive(Default)]
struct Store {
    operations: std::collections::BTreeMap<OperationId, Vec<u8>>,
    carriers: std::collections::BTreeMap<OperationHash, Vec<u8>>,
    arrivals: u64,
}

impl Store {
    fn keep(&mut self, queue: &mut Queue) {
        let changes = queue.take_changes();
        for (id, record) in changes.operations {
            match record {
                Some(record) => drop(self.operations.insert(id, record.to_bytes())),
                None => drop(self.operations.remove(&id)),
            }
        }
        for (hash, record) in changes.carriers {
            match record {
                Some(record) => drop(self.carriers.insert(hash, record.to_bytes())),
                None => drop(self.carriers.remove(&hash)),
            }
        }
        self.arrivals = changes.arrivals;
    }

    fn restore(&self, limits: QueueLimits) -> Queue {
        let operations = self.operations.iter();
        let carriers = self.carriers.iter();
        let kept = Kept {
            operations: operations.map(|(id, b)| (*id, OperationRecord::from_bytes(b).unwrap())).collect(),
            carriers: carriers.map(|(hash, b)| (*hash, CarrierRecord::from_bytes(b).unwrap())).collect(),
            arrivals: self.arrivals,
        };
        Queue::restore(limits, kept)
    }
}

#[test]
fn what_was_signed_survives_a_restart_with_its_bytes() {
    let mut queue = Queue::new(QueueLimits::default());
    let mut store = Store::default();
    let (first, second) = (queue.add(messages("a"), Some(3)).unwrap(), queue.add(messages("b"), None).unwrap());
    queue.add(cement(1), None).unwrap();
    let mut batch = queue.next_batch();
    let later = batch.pop().unwrap();
    queue.put_back(std::slice::from_ref(&later));
    queue.injected(carrier(1), source(), Level(5), batch.clone(), 1, Bytes::from_static(b"signed"));
    store.keep(&mut queue);
    let mut again = store.restore(QueueLimits::default());
    // the cementation is not kept, but its place among the contents is
    assert_eq!(again.status(&first), Some(Status::Injected { hash: carrier(1), index: 2 }));
    assert_eq!(again.status(&second), Some(Status::Waiting));
    assert_eq!(again.under_way(Level(5))[&source()][0].bytes.as_ref(), b"signed");
    assert!(again.take_changes().is_empty());
    assert_ne!(again.add(messages("a"), None).unwrap(), first);
    let reveal_and_two = [batch[0].clone(), batch[0].clone(), batch[1].clone()];
    let results = vec![applied(), applied(), applied()];
    again.on_added_block(block(6, 0), &[shown(carrier(1), &reveal_and_two, results)]);
    assert_eq!(again.status(&first), Some(Status::Included { hash: carrier(1), index: 2, block: block(6, 0) }));
}

#[test]
fn clearing_by_a_condition_leaves_the_rest() {
    let mut queue = Queue::new(QueueLimits::default());
    for order in [None, Some(1), Some(2)] {
        queue.add(messages("a"), order).unwrap();
    }
    let batch = queue.next_batch();
    queue.remove_where(|operation| operation.order.is_some_and(|order| order < 2));
    assert_eq!(queue.counts(), (2, 0, 0));
    // what was removed while it was tried does not come back
    assert_eq!(queue.failed(&batch[0], Trace::new()), None);
    queue.put_back(&batch);
    assert_eq!(queue.next_batch().len(), 2);
    queue.clear();
    assert_eq!((queue.counts(), queue.next_batch()), ((0, 0, 0), vec![]));
}

#[test]
fn lost_and_old_operations_are_forgotten() {
    let limits = QueueLimits { injection_ttl: 3, retention: 5, attempts: 2, ..QueueLimits::default() };
    let mut queue = Queue::new(limits);
    let id = queue.add(cement(1), None).unwrap();
    let batch = queue.next_batch();
    queue.injected(carrier(1), source(), Level(5), batch, 0, Bytes::from_static(b"signed"));
    assert!(queue.on_added_block(block(8, 0), &[]).is_empty());
    assert_eq!(queue.on_added_block(block(9, 0), &[])[0].outcome, Outcome::Expired);
    assert_eq!(queue.status(&id), None);

    queue.add(cement(1), None).unwrap();
    let batch = queue.next_batch();
    queue.injected(carrier(2), source(), Level(9), batch.clone(), 0, Bytes::from_static(b"signed"));
    queue.on_added_block(block(10, 0), &[shown(carrier(2), &batch, vec![applied()])]);
    queue.on_added_block(block(16, 0), &[]);
    assert_eq!(queue.counts().2, 1);
    queue.on_added_block(block(17, 0), &[]);
    assert_eq!((queue.counts().2, queue.status(&id)), (0, None));

    queue.add(cement(1), None).unwrap();
    let operation = queue.next_batch().remove(0);
    for _ in 0..2 {
        assert_eq!(queue.failed(&operation, Trace::new()), None);
        assert_eq!(queue.next_batch().len(), 1);
    }
    assert_eq!(queue.failed(&operation, Trace::new()).unwrap().outcome, Outcome::Discarded(Trace::new()));
    assert_eq!(queue.counts(), (0, 0, 0));
}

#[test]
fn a_reveal_in_front_shifts_the_receipts() {
    let mut queue = Queue::new(QueueLimits::default());
    queue.add(messages("a"), None).unwrap();
    let batch = queue.next_batch();
    queue.injected(carrier(1), source(), Level(5), batch.clone(), 1, Bytes::from_static(b"signed"));
    let twice = [batch[0].clone(), batch[0].clone()];
    let operation = shown(carrier(1), &twice, vec![applied(), failed(ErrorKind::Temporary)]);
    assert_eq!(queue.on_added_block(block(6, 0), &[operation])[0].outcome, Outcome::Retried);
}

#[test]
fn only_some_kinds_survive_a_restart() {
    let mut queue = Queue::new(QueueLimits::default());
    queue.add(cement(1), None).unwrap();
    queue.add(messages("a"), None).unwrap();
    queue.add(RecoverBond { rollup: SmartRollupAddress::ZERO, staker: source() }.into(), None).unwrap();
    let changes = queue.take_changes();
    let mut kinds: Vec<Kind> =
        changes.operations.iter().map(|(_, record)| Kind::of(&record.as_ref().unwrap().body)).collect();
    kinds.sort();
    assert_eq!(kinds, [Kind::Recover, Kind::AddMessages]);
}

#[test]
fn fees_of_a_batch() {
    let fees = combine([Kind::Publish, Kind::Refute].map(Kind::default_fees));
    assert_eq!((fees.fee_cap, fees.burn_cap), (Mutez::of_tez(7), Mutez::of_tez(2)));
    assert_eq!((fees.minimal_fees, fees.nanotez_per_gas), (Mutez(100), 100));
}

/// Every message that a chain of blocks includes: what the layer 1 does with signed bytes.
#[derive(Default)]
struct Chain {
    blocks: Vec<(BlockRef, Vec<OperationHash>)>,
    /// Operations that were sent and may be included.
    mempool: Vec<OperationHash>,
    contents: std::collections::HashMap<OperationHash, (u64, Vec<Waiting>)>,
    made: u32,
}

impl Chain {
    /// The counter after the operations of the chain.
    fn counter(&self) -> u64 {
        self.blocks.iter().map(|(_, included)| included.len() as u64).sum()
    }

    fn head(&self) -> Level {
        Level(self.blocks.len() as i32)
    }

    /// Makes a block of the operation of the mempool that has the next counter, if `full`.
    fn bake(&mut self, full: bool) -> (BlockRef, Vec<BlockOperation>) {
        self.made += 1;
        let counter = self.counter();
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&self.made.to_be_bytes());
        let next = self.mempool.iter().copied().find(|hash| full && self.contents[hash].0 == counter);
        let block = BlockRef { level: self.head().after(1), hash: BlockHash(hash) };
        let operations = next.iter().map(|hash| {
            let batch = &self.contents[hash].1;
            shown(*hash, batch, vec![applied(); batch.len()])
        });
        let operations = operations.collect();
        self.blocks.push((block, next.into_iter().collect()));
        (block, operations)
    }

    fn included(&self) -> Vec<OperationId> {
        let hashes = self.blocks.iter().flat_map(|(_, included)| included);
        hashes.flat_map(|hash| self.contents[hash].1.iter().map(|operation| operation.id)).collect()
    }
}

proptest! {
    /// Messages of one key, a layer 1 with its own mempool and reorganisations, and a process that ends at any moment:
    /// each message is included once.
    #[test]
    fn every_message_is_included_once(steps in prop::collection::vec((0..7u8, any::<u8>()), 1..120)) {
        let limits = QueueLimits { batch_length: 3, ..QueueLimits::default() };
        let (mut queue, mut store, mut chain) = (Queue::new(limits), Store::default(), Chain::default());
        let (mut added, mut number) = (Vec::new(), 0u8);
        let rest = [(3, 1), (2, 0)].into_iter().cycle().take(400);
        for (step, choice) in steps.into_iter().chain(rest) {
            match step {
                0 => added.push(queue.add(messages("m"), None).unwrap()),
                1 => queue = store.restore(limits),
                2 => {
                    let (mut ahead, mut filled) = (false, false);
                    for UnderWay { hash, due, .. } in queue.under_way(chain.head()).remove(&source()).unwrap_or_default() {
                        let (counter, known) = (chain.contents[&hash].0, chain.mempool.contains(&hash));
                        let taken = known || choice % 4 != 1;
                        match counter.cmp(&chain.counter()) {
                            std::cmp::Ordering::Greater => ahead = true,
                            std::cmp::Ordering::Equal if !due => filled = true,
                            std::cmp::Ordering::Equal if taken => {
                                if !known { chain.mempool.push(hash); }
                                queue.sent(&hash, chain.head());
                                filled = true;
                            }
                            _ => drop(queue.abandon(&hash)),
                        }
                    }
                    if queue.busy().is_empty() || ahead && !filled {
                        let batch = queue.next_batch();
                        if !batch.is_empty() {
                            number += 1;
                            let (hash, counter) = (carrier(number), chain.counter());
                            queue.injected(hash, source(), chain.head(), batch.clone(), 0, Bytes::from_static(b"signed"));
                            store.keep(&mut queue);
                            chain.contents.insert(hash, (counter, batch));
                            // the process may end before it sends, and after
                            if choice % 3 != 0 { chain.mempool.push(hash); }
                            if choice % 3 == 1 { queue.sent(&hash, chain.head()); } else { queue = store.restore(limits); }
                        }
                    }
                }
                3 | 4 => {
                    let (block, operations) = chain.bake(choice % 4 != 0);
                    queue.on_added_block(block, &operations);
                }
                5 => for _ in 0..choice % 4 {
                    if let Some((block, _)) = chain.blocks.pop() { queue.on_removed_block(&block.hash); }
                },
                // a layer 1 that is restarted has lost its mempool
                _ => if choice % 2 == 0 { chain.mempool.clear(); },
            }
            store.keep(&mut queue);
            let mut included = chain.included();
            included.sort();
            let total = included.len();
            included.dedup();
            prop_assert_eq!(included.len(), total, "a message is in the chain twice");
        }
        let mut included = chain.included();
        included.sort();
        added.sort();
        prop_assert_eq!(included, added);
        prop_assert_eq!((queue.counts().0, queue.counts().1), (0, 0));
    }

    /// However blocks come and go, no operation is lost or doubled: each is at exactly one stage until it is reported.
    #[test]
    fn nothing_is_lost(steps in prop::collection::vec((0..6u8, any::<u8>()), 1..60)) {
        let mut queue = Queue::new(QueueLimits { batch_length: 3, injection_ttl: 4, ..QueueLimits::default() });
        let (mut added, mut given_up, mut level, mut number) = (0usize, 0usize, 1, 0u8);
        let mut carried: Vec<(OperationHash, Vec<Waiting>)> = Vec::new();
        let mut blocks: Vec<BlockRef> = Vec::new();
        let count = |events: &[Event]| events.iter()
            .filter(|e| matches!(e.outcome, Outcome::Failed(_) | Outcome::Discarded(_) | Outcome::Expired)).count();
        for (step, choice) in steps {
            match step {
                0 | 1 => { queue.add(messages("m"), None).unwrap(); added += 1; }
                2 => {
                    let batch = queue.next_batch();
                    if !batch.is_empty() {
                        number = number.wrapping_add(1);
                        queue.injected(carrier(number), source(), Level(level), batch.clone(), 0, Bytes::from_static(b"signed"));
                        carried.push((carrier(number), batch));
                    }
                }
                3 => {
                    let operations: Vec<BlockOperation> = carried.iter().filter(|_| choice % 3 != 0).map(|(hash, batch)| {
                        let results = batch.iter().enumerate().map(|(i, _)| match (choice as usize + i) % 4 {
                            0 => failed(ErrorKind::Permanent),
                            1 => OperationResult::Skipped,
                            _ => applied(),
                        }).collect();
                        shown(*hash, batch, results)
                    }).collect();
                    level += 1;
                    let block = block(level, choice);
                    given_up += count(&queue.on_added_block(block, &operations));
                    blocks.push(block);
                }
                4 => if let Some(block) = blocks.pop() { queue.on_removed_block(&block.hash); level -= 1; },
                _ => {
                    let mut batch = queue.next_batch();
                    if let Some(operation) = batch.pop() {
                        given_up += count(&queue.failed(&operation, Trace::new()).into_iter().collect::<Vec<_>>());
                    }
                    queue.put_back(&batch);
                }
            }
            let (waiting, injected, included) = queue.counts();
            prop_assert_eq!(waiting + injected + included + given_up, added);
        }
    }
}
