//! The queue against invented blocks.

use super::*;
use proptest::prelude::*;
use soru_tezos::hash::{BlockHash, OperationHash, SmartRollupAddress};
use soru_tezos::key::PublicKeyHash;
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

use soru_tezos::block::BlockOperation;

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
        queue.injected(carrier(1), source(), Level(5), batch.clone(), 0);
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
    queue.injected(carrier(1), source(), Level(5), batch.clone(), 0);
    queue.add(recover(), None).unwrap();
    assert_eq!(queue.counts(), (0, 1, 0));
    assert!(queue.busy().contains(&source()));
    queue.on_added_block(block(6, 0), &[shown(carrier(1), &batch, vec![applied()])]);
    queue.add(recover(), None).unwrap();
    assert_eq!(queue.counts(), (0, 0, 1));
    assert!(queue.busy().is_empty());
    assert_eq!(queue.status(&id), Some(Status::Included(carrier(1), block(6, 0))));
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
    queue.injected(carrier(1), source(), Level(5), batch.clone(), 0);
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
    queue.add(messages("a"), None).unwrap();
    let batch = queue.next_batch();
    queue.injected(carrier(1), source(), Level(5), batch.clone(), 0);
    queue.on_added_block(block(6, 0), &[shown(carrier(1), &batch, vec![applied()])]);
    assert_eq!(queue.on_removed_block(&block(6, 1).hash).len(), 0);
    let events = queue.on_removed_block(&block(6, 0).hash);
    assert_eq!(events[0].outcome, Outcome::Retried);
    assert_eq!(queue.counts(), (1, 0, 0));
}

#[test]
fn lost_and_old_operations_are_forgotten() {
    let limits = QueueLimits { injection_ttl: 3, retention: 5, attempts: 2, ..QueueLimits::default() };
    let mut queue = Queue::new(limits);
    let id = queue.add(cement(1), None).unwrap();
    let batch = queue.next_batch();
    queue.injected(carrier(1), source(), Level(5), batch, 0);
    assert!(queue.on_added_block(block(8, 0), &[]).is_empty());
    assert_eq!(queue.on_added_block(block(9, 0), &[])[0].outcome, Outcome::Expired);
    assert_eq!(queue.status(&id), None);

    queue.add(cement(1), None).unwrap();
    let batch = queue.next_batch();
    queue.injected(carrier(2), source(), Level(9), batch.clone(), 0);
    queue.on_added_block(block(10, 0), &[shown(carrier(2), &batch, vec![applied()])]);
    queue.on_added_block(block(16, 0), &[]);
    assert_eq!(queue.counts().2, 1);
    queue.on_added_block(block(17, 0), &[]);
    assert_eq!((queue.counts().2, queue.status(&id)), (0, None));

    queue.add(cement(1), None).unwrap();
    let operation = queue.next_batch().remove(0);
    assert_eq!(queue.failed(operation, Trace::new()), None);
    let operation = queue.next_batch().remove(0);
    assert_eq!(queue.failed(operation, Trace::new()).unwrap().outcome, Outcome::Discarded(Trace::new()));
    assert_eq!(queue.counts(), (0, 0, 0));
}

#[test]
fn a_reveal_in_front_shifts_the_receipts() {
    let mut queue = Queue::new(QueueLimits::default());
    queue.add(messages("a"), None).unwrap();
    let batch = queue.next_batch();
    queue.injected(carrier(1), source(), Level(5), batch.clone(), 1);
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
    let kinds: Vec<Kind> = queue.persistent().iter().map(|operation| operation.kind()).collect();
    assert_eq!(kinds, [Kind::Recover, Kind::AddMessages]);
}

#[test]
fn fees_of_a_batch() {
    let fees = combine([Kind::Publish, Kind::Refute].map(Kind::default_fees));
    assert_eq!((fees.fee_cap, fees.burn_cap), (Mutez::of_tez(7), Mutez::of_tez(2)));
    assert_eq!((fees.minimal_fees, fees.nanotez_per_gas), (Mutez(100), 100));
}

proptest! {
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
                        queue.injected(carrier(number), source(), Level(level), batch.clone(), 0);
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
                        given_up += count(&queue.failed(operation, Trace::new()).into_iter().collect::<Vec<_>>());
                    }
                    queue.put_back(batch);
                }
            }
            let (waiting, injected, included) = queue.counts();
            prop_assert_eq!(waiting + injected + included + given_up, added);
        }
    }
}
