//! The batcher's memory, against what the reference was seen to do.

use super::*;
use soru_tezos::codec::Decode;

fn limits(min_elements: usize, max_elements: usize, max_size: usize) -> BatchLimits {
    BatchLimits { min_elements, max_elements, max_size }
}

fn queue(limits: BatchLimits) -> MessageQueue {
    MessageQueue::new(limits, 0, vec![], vec![])
}

fn text(text: &str) -> HexBytes {
    text.as_bytes().to_vec().into()
}

fn texts<'t>(messages: impl IntoIterator<Item = &'t Message>) -> Vec<String> {
    messages.into_iter().map(|message| String::from_utf8(message.content.0.clone()).unwrap()).collect()
}

fn operation(number: u8) -> OperationId {
    OperationId([number; 32])
}

const WIDE: BatchLimits = BatchLimits { min_elements: 10, max_elements: usize::MAX, max_size: 32_000 };

/// Ids that a node of the reference gave, in the order of injection.
#[test]
fn recorded_ids() {
    let mut queue = queue(limits(1000, usize::MAX, 32_000));
    let never = |_: &OperationId| false;
    // the tour sent 4,096 bytes first
    queue.register(vec![vec![0x42; 4096].into()], None, None).unwrap();
    let mut expect = |order, once: bool, messages: &[&str], ids: &[&str]| {
        let known = once.then_some(&never as &dyn Fn(&OperationId) -> bool);
        let given = queue.register(messages.iter().map(|message| text(message)).collect(), order, known).unwrap();
        let given: Vec<String> = given.iter().map(ToString::to_string).collect();
        assert_eq!(given, ids);
    };
    expect(None, false, &["batch one"], &["scmsg2h7XztTKm2HoHaY9BHHamnRQVtVbv7quFwvrGpCvVnjagMqDnZ"]);
    let four = [
        "scmsg2ayNvoYTCyUXNkuRcZgqurkvdarAdSz3amcDrHA4AQqGu2tzvW",
        "scmsg2k6v3NuNhn6sU4QuceexgUNw8Fgsa1PoHnLG2dS7Uj6gjaCiyg",
        "scmsg3SMy6V9LUQsaoDfGVWfb65SUKUjrXujxkHAqLbaKGeH3WJfWmY",
        "scmsg23UkueJR1iTbS9ibLBQmo8pMuAeza75x1UeZT4kSJBFcoQYz7Z",
    ];
    expect(Some(3), false, &["batch 0", "batch 1", "batch 2", "batch 3"], &four);
    let same = "scmsg3Lo1tsP2gFwNV4pFSd4Lyza4hECXbxWBaFKfUKHkdPodfWECLk";
    expect(None, true, &["dup", "dup"], &[same, same]);
    // the second counts although it was not taken
    expect(None, false, &["more 0"], &["scmsg2FLZtmo1tbkup55n1bM6ANKAsxjv73Apg6MxCBqcsiy8beFL3J"]);
    let order: Vec<String> = texts(queue.waiting().filter(|message| message.content.0.len() < 100));
    assert_eq!(order, ["batch 0", "batch 1", "batch 2", "batch 3", "batch one", "dup", "more 0"]);
}

/// The reference's scenario of orders: fewest 10, most 20.
#[test]
fn orders_and_batches() {
    let mut queue = queue(limits(10, 20, 32_000));
    let never = |_: &OperationId| false;
    for (order, message) in [(10, "10"), (20, "20"), (30, "30"), (30, "30"), (20, "20"), (10, "10")] {
        queue.register(vec![text(message)], Some(order), None).unwrap();
    }
    queue.register(vec![text("31")], None, None).unwrap();
    queue.register(vec![text("1"), text("1")], Some(11), Some(&never)).unwrap();
    assert_eq!(texts(queue.waiting()), ["10", "10", "1", "20", "20", "30", "30", "31"]);
    queue.register(vec![text("1")], Some(0), Some(&never)).unwrap();
    assert_eq!(texts(queue.waiting()), ["1", "10", "10", "20", "20", "30", "30", "31"]);
    assert_eq!(queue.next_batch(true), None, "fewer than ten");
    assert_eq!(queue.next_batch(false).unwrap().len(), 8, "a head takes all");

    queue.register((0..9).map(|n| text(&n.to_string())).collect(), None, None).unwrap();
    assert_eq!(queue.next_batch(true), None);
    queue.register((0..21).map(|n| text(&n.to_string())).collect(), None, None).unwrap();
    assert_eq!(queue.next_batch(true).unwrap().len(), 20);
    assert_eq!(queue.next_batch(true).unwrap().len(), 10);
    assert_eq!(queue.next_batch(true), None);
}

#[test]
fn equal_messages_are_taken_again_once_the_injector_has_forgotten() {
    let mut queue = queue(WIDE);
    let (known, forgotten) = (|_: &OperationId| true, |_: &OperationId| false);
    let id = queue.register(vec![text("a")], None, Some(&known)).unwrap();
    let batch = queue.next_batch(false).unwrap();
    queue.batched(batch, operation(1));
    assert_eq!(queue.register(vec![text("a")], None, Some(&known)).unwrap(), id);
    assert_eq!(queue.waiting().count(), 0);
    assert_eq!(queue.in_batch(&id[0]).unwrap().operation, operation(1));
    assert_eq!(queue.register(vec![text("a")], None, Some(&forgotten)).unwrap(), id);
    assert_eq!(queue.waiting().count(), 1);
    // without the switch they are different messages
    assert_ne!(queue.register(vec![text("a")], None, None).unwrap(), id);
}

#[test]
fn sizes() {
    let mut queue = queue(limits(1, usize::MAX, 10_000));
    let long = |length: usize| HexBytes::from(vec![1; length]);
    let refused = queue.register(vec![text("a"), long(4097)], None, None).unwrap_err();
    assert_eq!(refused.to_string(), "Message 1 is too large (max size is 4100)");
    assert_eq!(queue.waiting().count(), 0, "none of them is taken");
    queue.register(vec![long(4000), long(4000), long(1988), long(1), long(4096), long(2)], None, None).unwrap();
    let mut lengths = vec![];
    while let Some(batch) = queue.next_batch(true) {
        lengths.push(batch.iter().map(|message| message.content.0.len()).collect::<Vec<_>>());
    }
    // what layer 1 refuses takes no other message with it
    assert_eq!(lengths, [vec![4000, 4000, 1988], vec![1], vec![4096], vec![2]]);
    let small = MessageQueue::new(limits(1, 1, 100), 0, vec![], vec![]).register(vec![long(97)], None, None);
    assert_eq!(small, Err(Refused::TooLarge { index: 0, limit: 100 }));
}

#[test]
fn too_many() {
    let mut queue = queue(WIDE);
    queue.register(vec![text(""); CAPACITY], None, None).unwrap();
    assert_eq!(queue.register(vec![text("")], None, None), Err(Refused::Full));
}

#[test]
fn clearing() {
    let mut queue = queue(WIDE);
    for order in [None, Some(1), Some(2), Some(3)] {
        queue.register(vec![text("a")], order, None).unwrap();
    }
    queue.remove(2, false);
    assert_eq!(queue.waiting().map(|message| message.order).collect::<Vec<_>>(), [Some(3), None]);
    queue.remove(2, true);
    assert_eq!(queue.waiting().count(), 1);
    queue.clear();
    assert_eq!((queue.waiting().count(), queue.next_batch(false)), (0, None));
}

/// Changes, put one on the other, make the same queue again.
#[test]
fn what_is_kept_makes_the_same_queue() {
    let mut queue = queue(WIDE);
    let (mut waiting, mut batched) = (std::collections::BTreeMap::new(), std::collections::BTreeMap::new());
    let mut counter = 0;
    for round in 0..6u8 {
        queue.register((0..=round).map(|n| text(&format!("{round} {n}"))).collect(), Some(9), None).unwrap();
        if round % 2 == 1 {
            let batch = queue.next_batch(false).unwrap();
            queue.batched(batch, operation(round));
        }
        if round == 3 {
            let lost = queue.take_changes();
            queue.put_changes_back(&lost);
        }
        let changes = queue.take_changes();
        counter = changes.counter;
        for (id, message) in changes.waiting {
            match message {
                Some(message) => drop(waiting.insert(id, message.to_bytes())),
                None => drop(waiting.remove(&id)),
            }
        }
        for (number, message) in changes.batched {
            match message {
                Some(message) => drop(batched.insert(number, message.to_bytes())),
                None => drop(batched.remove(&number)),
            }
        }
    }
    queue.register(vec![text("last")], None, None).unwrap();
    let mut again = MessageQueue::new(
        WIDE,
        counter,
        waiting.values().map(|bytes| Message::from_bytes(bytes).unwrap()).collect(),
        batched.iter().map(|(number, bytes)| (*number, Batched::from_bytes(bytes).unwrap())).collect(),
    );
    let kept: Vec<&Message> = queue.waiting().filter(|message| message.content != text("last")).collect();
    assert_eq!(again.waiting().collect::<Vec<_>>(), kept);
    assert_eq!(again.register(vec![text("last")], None, None).unwrap(), [queue.waiting().last().unwrap().id]);
    assert_eq!(batched.len(), 21);
}

/// 32 bytes of branch, 21 of source, 35 of numbers, 9 of tag and lengths, 64 of signature.
#[test]
fn room_for_messages() {
    assert_eq!(protocol_batch_size(), 32_768 - 161);
}
