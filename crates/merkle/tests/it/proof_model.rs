//! Proofs of arbitrary computations hold, show no more than needed, and break when they are tampered with.

use std::collections::HashMap;
use std::sync::Arc;

use crate::common::model::{Op, apply, ops};
use proptest::prelude::*;
use soru_merkle::{
    InodeProof, Kind, MemoryStore, NodeHash, Proof, ProofError, ProofTree, Tree, TreeError, produce_proof,
};

fn built(ops: &[Op]) -> Tree {
    let mut tree = Tree::empty();
    for op in ops {
        apply(&mut tree, op).unwrap();
    }
    tree
}

fn run(tree: &mut Tree, ops: &[Op]) -> Result<Vec<String>, TreeError> {
    ops.iter().map(|op| apply(tree, op)).collect()
}

fn hash_of(state: &ProofTree) -> (NodeHash, Kind) {
    for kind in [Kind::Leaf, Kind::Directory] {
        let zero = NodeHash([0; 32]);
        let proof =
            Proof { version: 2, before_kind: kind, before: zero, after_kind: kind, after: zero, state: state.clone() };
        let Err(ProofError::Before { actual, .. }) = proof.check_before() else { panic!("{state}") };
        let proof = Proof { before: actual, ..proof };
        if proof.check_before().is_ok() {
            return (actual, kind);
        }
    }
    panic!("{state}")
}

/// Visits all shown leaves and directories.
fn visit(tree: &mut ProofTree, f: &mut dyn FnMut(&mut ProofTree)) {
    match tree {
        ProofTree::Value(_) | ProofTree::BlindedValue(_) | ProofTree::BlindedNode(_) => {}
        ProofTree::Node(entries) => entries.iter_mut().for_each(|(_, tree)| visit(tree, f)),
        ProofTree::Inode { children, .. } => children.iter_mut().flatten().for_each(|inode| visit_inode(inode, f)),
        ProofTree::Extender { inner, .. } => visit_inode(inner, f),
    }
    f(tree);
}

fn visit_inode(inode: &mut InodeProof, f: &mut dyn FnMut(&mut ProofTree)) {
    match inode {
        InodeProof::Blinded(_) => {}
        InodeProof::Values(entries) => entries.iter_mut().for_each(|(_, tree)| visit(tree, f)),
        InodeProof::Tree { children, .. } => children.iter_mut().flatten().for_each(|inode| visit_inode(inode, f)),
        InodeProof::Extender { inner, .. } => visit_inode(inner, f),
    }
}

fn is_blinded(tree: &ProofTree) -> bool {
    matches!(tree, ProofTree::BlindedNode(_) | ProofTree::BlindedValue(_))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn proofs_hold(base in ops(0..100), step in ops(0..12)) {
        let base = built(&base);
        let mut plain = base.clone();
        let answers = run(&mut plain, &step).unwrap();
        let (proof, proven) = produce_proof(&base, |tree| run(tree, &step)).unwrap();
        prop_assert_eq!(&proven, &answers);
        prop_assert_eq!(proof.before, base.hash().unwrap());
        prop_assert_eq!(proof.after, plain.hash().unwrap());
        let bytes = proof.encode().unwrap();
        let decoded = Proof::decode(bytes).unwrap();
        prop_assert_eq!(&decoded, &proof);
        let (verified, after) = decoded.verify(|tree| run(tree, &step)).unwrap();
        prop_assert_eq!(verified, answers);
        prop_assert_eq!(after, proof.after);
        // the same from a store
        if !base.is_leaf() {
            let mut store = MemoryStore::new();
            let hash = base.commit(&mut store).unwrap();
            let stored = Tree::open(Arc::new(store), hash);
            let (again, _) = produce_proof(&stored, |tree| run(tree, &step)).unwrap();
            prop_assert_eq!(&again, &proof);
        }
    }

    #[test]
    fn proofs_show_nothing_in_vain(base in ops(0..60), step in ops(0..8)) {
        let (proof, _) = produce_proof(&built(&base), |tree| run(tree, &step)).unwrap();
        let mut shown: HashMap<NodeHash, usize> = HashMap::new();
        let mut nodes = 0;
        visit(&mut proof.state.clone(), &mut |tree| {
            if !is_blinded(tree) {
                *shown.entry(hash_of(tree).0).or_default() += 1;
            }
            nodes += 1;
        });
        for blinded in 0..nodes {
            let mut less = proof.clone();
            let mut at = 0;
            let mut unique = false;
            visit(&mut less.state, &mut |tree| {
                if at == blinded && !is_blinded(tree) {
                    let (hash, kind) = hash_of(tree);
                    unique = shown[&hash] == 1;
                    *tree = if kind == Kind::Leaf { ProofTree::BlindedValue(hash) } else { ProofTree::BlindedNode(hash) };
                }
                at += 1;
            });
            let verified = less.verify(|tree| run(tree, &step));
            if unique {
                let passes = matches!(verified, Err(ProofError::Step(TreeError::Blinded(_)) | ProofError::Tree(TreeError::Blinded(_))));
                prop_assert!(passes, "without node {} of\n{}{:?}", blinded, proof, verified);
            }
        }
    }

    #[test]
    fn tampering_shows(base in ops(10..60), step in ops(0..6), seed in any::<u8>()) {
        let (proof, _) = produce_proof(&built(&base), |tree| run(tree, &step)).unwrap();
        let bytes = proof.encode().unwrap();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (seed.wrapping_add(at as u8) % 8);
            // only one bit of the version means something
            if at == 1 || at == 2 {
                continue;
            }
            if let Ok(other) = Proof::decode(flipped)
                && other.verify(|tree| run(tree, &step)).is_ok()
            {
                prop_assert_ne!(other.before, proof.before, "byte {}", at);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400), header in any::<bool>()) {
        let mut bytes = bytes;
        if header {
            // a plausible beginning leads further
            bytes.splice(0..0, [3, 0, 2].into_iter().chain([0; 64]));
        }
        if let Ok(proof) = Proof::decode(bytes) {
            let _ = proof.check_before();
            let _ = proof.to_string();
        }
    }
}
