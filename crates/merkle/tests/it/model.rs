//! Any sequence of operations gives the listing, the content and the hash that a naive model computes from scratch.

use std::collections::HashSet;
use std::sync::Arc;

use crate::common::model::{Model, apply, apply_to_model, ops};
use proptest::prelude::*;
use soru_merkle::{LiveRecords, MemoryStore, NodeSink, Tree, live_records};

/// The tree as the store alone knows it.
fn reopened(tree: &Tree, store: &mut MemoryStore) -> Tree {
    let hash = tree.commit(store).unwrap();
    Tree::open(Arc::new(store.clone()), hash)
}

fn leaves(tree: &Tree) -> Model {
    let leaves = tree.leaves().map(|leaf| {
        let (path, value) = leaf.unwrap();
        (path.iter().map(|step| step.to_string()).collect(), value.to_vec())
    });
    Model(leaves.collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_history_is_as_the_model_says(ops in ops(0..120)) {
        let (mut tree, mut model) = (Tree::empty(), Model::default());
        for op in &ops {
            prop_assert_eq!(apply(&mut tree, op).unwrap(), apply_to_model(&mut model, op), "{:?}", op);
        }
        prop_assert_eq!(tree.hash().unwrap(), model.hash());
        prop_assert_eq!(leaves(&tree), model);
    }

    #[test]
    fn stored_trees_are_the_same_trees(before in ops(0..80), after in prop::collection::vec(ops(0..20), 1..4)) {
        let (mut tree, mut model) = (Tree::empty(), Model::default());
        let mut store = MemoryStore::new();
        for (round, ops) in std::iter::once(&before).chain(&after).enumerate() {
            for op in ops {
                prop_assert_eq!(apply(&mut tree, op).unwrap(), apply_to_model(&mut model, op), "{:?}", op);
            }
            if tree.is_leaf() {
                return Ok(());
            }
            let again = reopened(&tree, &mut store);
            prop_assert_eq!(again.hash().unwrap(), model.hash());
            prop_assert_eq!(&leaves(&again), &model);
            // what is there is not written again
            let records = store.len();
            again.commit(&mut store).unwrap();
            prop_assert_eq!(store.len(), records);
            // go on from memory, or from the store
            if round % 2 == 0 {
                tree = again;
            }
        }
        // the live records alone hold the last tree
        let mut copy = MemoryStore::new();
        let hash = tree.hash().unwrap();
        let from: Arc<dyn soru_merkle::NodeStore + Send + Sync> = Arc::new(store.clone());
        live_records(&from, [hash], |hash, record| copy.put(hash, record)).unwrap();
        prop_assert!(copy.len() <= store.len());
        let mut walk = LiveRecords::checked(from, [hash]);
        let mut seen = HashSet::new();
        while walk.advance(|hash| Ok(seen.insert(*hash))).unwrap().is_some() {}
        prop_assert_eq!(seen.len(), copy.len());
        prop_assert_eq!(leaves(&Tree::open(Arc::new(copy), hash)), model);
    }
}
