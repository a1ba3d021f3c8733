//! `cargo bench -p soru-merkle`: commits and hashes of many small writes, proofs of a state as the PVM has it.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use soru_merkle::{MemoryStore, NodeHash, NodeSink, ProofBytes, StoreError, StoreId, Tree, TreeError, produce_proof};

/// Takes records and forgets them: what is measured is the tree, not a database.
struct Discard(StoreId);

impl NodeSink for Discard {
    fn id(&self) -> StoreId {
        self.0
    }
    fn put(&mut self, hash: &NodeHash, record: &[u8]) -> Result<(), StoreError> {
        black_box((hash, record));
        Ok(())
    }
}

fn discard() -> Discard {
    Discard(StoreId::fresh())
}

const WRITES: u32 = 100_000;

/// Path of a small write: 100 directories of 1,000 entries.
fn path(n: u32) -> [String; 4] {
    let n = n.wrapping_mul(2_654_435_761) % WRITES;
    ["durable".into(), (n % 100).to_string(), n.to_string(), "@".into()]
}

fn write(tree: &mut Tree, path: &[String], n: u32) {
    tree.add(path, n.to_be_bytes().to_vec()).unwrap();
}

fn writes(criterion: &mut Criterion) {
    let paths: Vec<_> = (0..WRITES).map(path).collect();
    let flat: Vec<_> = (0..WRITES).map(|n| ["durable".to_string(), n.to_string()]).collect();
    let full = || {
        let mut tree = Tree::empty();
        for (n, path) in (0..).zip(&paths) {
            write(&mut tree, path, n);
        }
        tree
    };
    let mut group = criterion.benchmark_group("100000 small writes");
    group.sample_size(10).throughput(Throughput::Elements(WRITES.into()));
    group.bench_function("write", |b| b.iter(full));
    group.bench_function("hash", |b| b.iter_batched(full, |tree| tree.hash().unwrap(), BatchSize::LargeInput));
    group.bench_function("write, hash", |b| b.iter(|| full().hash().unwrap()));
    group.bench_function("write, hash, commit", |b| {
        b.iter(|| full().commit(&mut discard()).unwrap());
    });
    group.bench_function("in one directory: write, hash", |b| {
        b.iter(|| {
            let mut tree = Tree::empty();
            for (n, path) in (0..).zip(&flat) {
                write(&mut tree, path, n);
            }
            tree.hash().unwrap()
        });
    });
    group.bench_function("in batches of 100: write, hash, commit", |b| {
        b.iter(|| {
            let mut tree = Tree::empty();
            let mut sink = discard();
            for (batch, paths) in paths.chunks(100).enumerate() {
                for path in paths {
                    write(&mut tree, path, batch as u32);
                }
                tree.commit(&mut sink).unwrap();
            }
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("100 changes among 100000");
    group.throughput(Throughput::Elements(100));
    for (name, paths) in [
        ("in 100 directories", paths.iter().map(|p| p.to_vec()).collect::<Vec<_>>()),
        ("in one directory", flat.iter().map(|p| p.to_vec()).collect()),
    ] {
        let mut tree = Tree::empty();
        for (n, path) in (0..).zip(&paths) {
            write(&mut tree, path, n);
        }
        let mut store = MemoryStore::new();
        let root = tree.commit(&mut store).unwrap();
        let mut sink = discard();
        tree.commit(&mut sink).unwrap();
        let mut round = 0u32;
        group.bench_function(format!("{name}: write, hash, commit"), |b| {
            b.iter(|| {
                for n in 0..100 {
                    round = round.wrapping_add(1);
                    write(&mut tree, &paths[(round.wrapping_mul(7919) % WRITES) as usize], round ^ n);
                }
                tree.commit(&mut sink).unwrap()
            });
        });
        let store = Arc::new(store);
        group.bench_function(format!("{name}: open, read"), |b| {
            b.iter(|| {
                let tree = Tree::open(store.clone(), root);
                for n in 0..100u32 {
                    black_box(tree.find(&paths[(n.wrapping_mul(7919) % WRITES) as usize]).unwrap());
                }
            });
        });
    }
    group.finish();
}

/// A state with the outline of one in the middle of an evaluation: module, stacks, memory, durable storage, buffers.
fn pvm_state() -> Tree {
    let mut tree = Tree::empty();
    let mut add = |path: &str, value: &[u8]| {
        tree.add(&path.split('/').collect::<Vec<_>>(), value.to_vec()).unwrap();
    };
    for n in 0..200 {
        add(&format!("durable/accounts/{n}/@/length"), &[0, 0, 0, 0, 0, 0, 0, 32]);
        add(&format!("durable/accounts/{n}/@/contents/0"), &[n as u8; 512]);
        add(&format!("wasm/value/self/module/functions/contents/{n}/value/instructions"), &[n as u8, 1]);
        add(&format!("wasm/value/self/module/functions/contents/{n}/type"), &[n as u8]);
    }
    for n in 0..128 {
        add(&format!("wasm/value/self/memories/contents/0/chunks/contents/{n}"), &[n as u8; 512]);
        add(&format!("durable/kernel/boot.wasm/@/contents/{n}"), &[n as u8; 512]);
    }
    for n in 0..30 {
        add(&format!("wasm/value/stack/contents/{n}"), &[1, n as u8, 0, 0]);
        add(&format!("value/pvm/buffers/input/contents/{n}/raw-level"), &[0, 0, 0, 1]);
        add(&format!("value/pvm/buffers/input/contents/{n}/contents/0"), &[n as u8; 512]);
    }
    for name in ["max_nb_ticks", "last_top_level_call", "maximum_reboots_per_input", "outbox_validity_period"] {
        add(&format!("pvm/{name}"), name.as_bytes());
    }
    for name in ["current_tick", "reboot_counter", "tag", "input"] {
        add(&format!("wasm/{name}"), name.as_bytes());
    }
    add("durable/readonly/wasm_version/@/contents/0", &[2; 512]);
    add("durable/readonly/wasm_version/@/length", &[0, 0, 0, 0, 0, 0, 0, 5]);
    tree.hash().unwrap();
    tree
}

/// Reads and writes of the size of a step: the header, the version, one instruction, the top of the stack, one memory chunk.
fn step(tree: &mut Tree) -> Result<(), TreeError> {
    for path in [
        "pvm/max_nb_ticks",
        "pvm/last_top_level_call",
        "pvm/maximum_reboots_per_input",
        "pvm/outbox_validity_period",
        "wasm/current_tick",
        "wasm/reboot_counter",
        "wasm/tag",
        "wasm/input",
        "durable/readonly/wasm_version/@/contents/0",
        "durable/readonly/wasm_version/@/length",
        "wasm/value/self/module/functions/contents/17/value/instructions",
        "wasm/value/self/module/functions/contents/17/type",
        "wasm/value/stack/contents/3",
        "wasm/value/stack/contents/4",
        "wasm/value/self/memories/contents/0/chunks/contents/77",
    ] {
        black_box(tree.find(&path.split('/').collect::<Vec<_>>())?);
    }
    let taken = tree.find_tree(&["wasm", "value"])?;
    let durable = tree.find_tree(&["durable"])?;
    tree.remove(&["wasm"])?;
    if let (Some(taken), Some(durable)) = (taken, durable) {
        tree.add_tree(&["wasm", "value"], taken)?;
        tree.add_tree(&["durable"], durable)?;
    }
    for name in ["current_tick", "reboot_counter", "tag", "input"] {
        tree.add(&["wasm", name], "next")?;
    }
    tree.remove(&["wasm", "value", "stack", "contents", "29"])?;
    tree.add(&["wasm", "value", "stack", "contents", "30"], vec![1, 2, 3, 4])?;
    tree.add(&["wasm", "value", "self", "memories", "contents", "0", "chunks", "contents", "77"], vec![7; 512])
}

fn proofs(criterion: &mut Criterion) {
    let state = pvm_state();
    let mut store = MemoryStore::new();
    let root = state.commit(&mut store).unwrap();
    let store = Arc::new(store);
    let (proof, ()) = produce_proof(&state, step).unwrap();
    let bytes = proof.encode().unwrap();
    println!("a proof of {} bytes", bytes.len());
    let mut group = criterion.benchmark_group("proof of a step");
    group.bench_function("step and hash without proof", |b| {
        b.iter(|| {
            let mut tree = state.clone();
            step(&mut tree).unwrap();
            tree.hash().unwrap()
        });
    });
    group.bench_function("produce, encode", |b| {
        b.iter(|| produce_proof(&state, step).unwrap().0.encode().unwrap());
    });
    group.bench_function("open from store, produce, encode", |b| {
        b.iter(|| produce_proof(&Tree::open(store.clone(), root), step).unwrap().0.encode().unwrap());
    });
    group.bench_function("decode, verify", |b| {
        b.iter(|| ProofBytes::new(bytes.clone()).unwrap().verify(step).unwrap());
    });
    group.finish();
}

criterion_group!(benches, writes, proofs);
criterion_main!(benches);
