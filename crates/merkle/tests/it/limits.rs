//! Deep trees, damaged stores, oversized input: errors at worst, never a panic or a wrong answer.

use std::sync::Arc;

use bytes::Bytes;
use soru_merkle::{
    MemoryStore, NodeHash, NodeSink, NodeStore, Proof, ProofError, ProofTree, StoreError, StoreId, Tree, TreeError,
    produce_proof,
};

/// A tree much deeper than any stack: each round puts the whole tree below a path, as a kernel could with copies.
fn deep(levels: usize) -> Tree {
    let mut tree = Tree::empty();
    tree.add(&["leaf"], "x").unwrap();
    for _ in 0..levels / 100 {
        let below = tree.clone();
        tree = Tree::empty();
        tree.add_tree(&["d"; 100], below).unwrap();
    }
    tree
}

#[test]
fn depth_does_not_overflow_the_stack() {
    let tree = deep(300_000);
    let hash = tree.hash().unwrap();
    let mut store = MemoryStore::new();
    assert_eq!(tree.commit(&mut store).unwrap(), hash);
    assert_eq!(tree.leaves().count(), 1);
    let older = tree.clone();
    drop(tree);
    drop(older);
    let stored = Tree::open(Arc::new(store), hash);
    assert!(stored.mem_tree(&["d"; 1000]).unwrap());
    assert_eq!(stored.leaves().count(), 1);
    // dropped without ever being hashed
    drop(deep(300_000));
}

#[test]
fn long_paths_are_refused() {
    let mut tree = Tree::empty();
    tree.add(&["s"; Tree::MAX_PATH], "x").unwrap();
    assert!(matches!(tree.add(&["s"; Tree::MAX_PATH + 1], "x"), Err(TreeError::PathTooLong(_))));
    // reading goes as far as the tree does
    assert!(!tree.mem_tree(&["s"; 5000]).unwrap());
}

/// Runs `f` with as much stack as a thread has by default, less what a caller may have used.
fn on_a_small_stack(f: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(1536 << 10).spawn_scoped(scope, f).unwrap();
        thread.join().unwrap();
    });
}

#[test]
fn proofs_of_deep_trees_stay_bounded() {
    on_a_small_stack(deep_proofs);
}

fn deep_proofs() {
    let tree = deep(10_000);
    let look = |depth: usize| produce_proof(&tree, |tree| tree.mem_tree(&vec!["d"; depth]));
    let (proof, found) = look(1000).unwrap();
    assert!(found);
    let bytes = proof.encode().unwrap();
    let decoded = Proof::decode(bytes.clone()).unwrap();
    assert!(decoded.verify(|tree| tree.mem_tree(&["d"; 1000])).unwrap().0);
    assert!(!decoded.to_string().is_empty());
    assert!(matches!(look(1500), Err(ProofError::TooDeep)));
    // nodes within nodes without end, and as many as are taken
    let absent = 0xe0;
    for (link, end) in [(&[0x81, 0x01, b'd'][..], &[0x80][..]), (&[0x00, 0x03, absent], &[0xc0; 33])] {
        let nested = |levels: usize| [&bytes[..67], &link.repeat(levels), end].concat();
        assert!(Proof::decode(nested(100_000)).unwrap_err().to_string().contains("too deep"));
        let taken = Proof::decode(nested(1024)).unwrap();
        assert_eq!(taken.encode().unwrap(), nested(1024));
        assert!(taken.check_before().is_err());
        assert!(!taken.to_string().is_empty());
    }
}

#[test]
fn announced_sizes_do_not_allocate() {
    let header = [vec![3, 0, 2], vec![0; 64]].concat();
    for tail in [&[0x83, 0xff, 0xff, 0xff, 0xff][..], &[0xc3, 0x7f, 0xff, 0xff, 0xff], &[0xd8, 1, 255]] {
        assert!(Proof::decode([&header, tail].concat()).is_err());
    }
}

type Change = Box<dyn Fn(&NodeHash, Bytes) -> Option<Bytes> + Send + Sync>;

/// A store that changes what it reads.
struct Damaged {
    inner: MemoryStore,
    change: Change,
}

impl NodeStore for Damaged {
    fn id(&self) -> StoreId {
        NodeStore::id(&self.inner)
    }
    fn get(&self, hash: &NodeHash) -> Result<Option<Bytes>, StoreError> {
        Ok(self.inner.get(hash)?.and_then(|record| (self.change)(hash, record)))
    }
}

fn read_all(tree: &Tree) -> Result<usize, TreeError> {
    tree.leaves().try_fold(0, |count, leaf| leaf.map(|_| count + 1))
}

#[test]
fn damage_in_a_store_is_noticed() {
    let mut tree = Tree::empty();
    for n in 0..300 {
        tree.add(&["a", &n.to_string()], vec![n as u8; n]).unwrap();
        tree.add(&["b", &n.to_string(), "c"], "small").unwrap();
    }
    let mut store = MemoryStore::new();
    let root = tree.commit(&mut store).unwrap();
    let open = |change: Change| Tree::open(Arc::new(Damaged { inner: store.clone(), change }), root);
    assert_eq!(read_all(&open(Box::new(|_, record| Some(record)))).unwrap(), 600);
    let gone = open(Box::new(move |hash, record| (*hash == root).then_some(record)));
    assert!(matches!(read_all(&gone), Err(TreeError::Missing(_))));
    for at in 0..700 {
        let flipped = open(Box::new(move |_, record| {
            let mut record = record.to_vec();
            if let Some(byte) = record.get_mut(at) {
                *byte ^= 0x10;
            }
            Some(record.into())
        }));
        let result = read_all(&flipped);
        assert!(
            matches!(result, Err(TreeError::Corrupt { .. } | TreeError::Missing(_))) || at > 500,
            "byte {at} {result:?}"
        );
        let cut = open(Box::new(move |_, record| Some(record.slice(..at.min(record.len())))));
        let result = read_all(&cut);
        assert!(matches!(result, Err(TreeError::Corrupt { .. })) || at > 500, "cut at {at} {result:?}");
    }
}

#[test]
fn failing_stores_report_their_error() {
    struct Failing(StoreId);
    impl NodeStore for Failing {
        fn id(&self) -> StoreId {
            self.0
        }
        fn get(&self, _: &NodeHash) -> Result<Option<Bytes>, StoreError> {
            Err(StoreError::new("the disk is on fire"))
        }
    }
    impl NodeSink for Failing {
        fn id(&self) -> StoreId {
            self.0
        }
        fn put(&mut self, _: &NodeHash, _: &[u8]) -> Result<(), StoreError> {
            Err(StoreError::new("the disk is full"))
        }
    }
    let tree = Tree::open(Arc::new(Failing(StoreId::fresh())), NodeHash([1; 32]));
    assert_eq!(tree.find(&["a"]).unwrap_err().to_string(), "node store: the disk is on fire");
    let mut tree = Tree::empty();
    tree.add(&["a"], "b").unwrap();
    assert_eq!(tree.commit(&mut Failing(StoreId::fresh())).unwrap_err().to_string(), "node store: the disk is full");
}

#[test]
fn committing_again_writes_only_what_is_new() {
    let mut tree = Tree::empty();
    for n in 0..10_000u32 {
        tree.add(&[n.to_string()], n.to_be_bytes().to_vec()).unwrap();
    }
    let mut store = MemoryStore::new();
    tree.commit(&mut store).unwrap();
    let all = store.len();
    tree.add(&["77"], "changed").unwrap();
    tree.commit(&mut store).unwrap();
    assert!(store.len() - all < 20, "{} of {all} records for one change", store.len() - all);
}

#[test]
fn trees_may_be_shared_between_threads() {
    fn shareable<T: Send + Sync + Clone>() {}
    shareable::<Tree>();
    let mut tree = Tree::empty();
    for n in 0..1000u32 {
        tree.add(&[n.to_string()], n.to_be_bytes().to_vec()).unwrap();
    }
    let mut store = MemoryStore::new();
    let hash = tree.commit(&mut store).unwrap();
    let lazy = Tree::open(Arc::new(store), hash);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(read_all(&lazy).unwrap(), 1000));
        }
    });
}

/// A directory that a proof shows twice, but not the same of it: the reference believes the last place.
#[test]
fn of_a_directory_shown_in_two_ways_the_last_counts() {
    let mut tree = Tree::empty();
    for name in ["a", "b"] {
        (0..6u8).for_each(|n| tree.add(&[name, n.to_string().as_str()], vec![n]).unwrap());
    }
    let read = |tree: &mut Tree| tree.find(&["a", "3"]);
    let (full, value) = produce_proof(&tree, read).unwrap();
    let (empty, _) = produce_proof(&tree, |tree: &mut Tree| tree.length(&["a"])).unwrap();
    assert_eq!(full.verify(read).unwrap().0, value);
    // the same inodes, in the proof of whoever reads the entry and of whoever only counts
    let of = |proof: &Proof, place: usize| match &proof.state {
        ProofTree::Node(entries) => entries[place].clone(),
        other => panic!("{other:?}"),
    };
    let shown =
        |first: &Proof, last: &Proof| Proof { state: ProofTree::Node(vec![of(first, 0), of(last, 1)]), ..full.clone() };
    assert_eq!(shown(&empty, &full).verify(read).unwrap().0, value);
    assert!(matches!(shown(&full, &empty).verify(read), Err(ProofError::Step(TreeError::Blinded(_)))));
    assert!(matches!(shown(&full, &full).verify(read), Ok((found, _)) if found == value));
}
