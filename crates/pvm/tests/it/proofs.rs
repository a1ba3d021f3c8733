//! Proofs of single steps, tick after tick from the first snapshot on: made, read back, verified, and worthless once a byte is changed
//! (`spec/pvm.md` §2.4, §2.5, §11.4). And states, which are what their tree says at any tick.

use crate::files;
use soru_merkle::{MemoryStore, NodeStore, Proof, ProofBytes, Tree};
use soru_pvm::case::Case;
use soru_pvm::exact::{StepInput, verify_step};
use soru_pvm::step::NdsGate;
use soru_pvm::trace::{Event, Wanted};
use soru_pvm::{Pvm, Tick};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn carried(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(format!("{name}.json"))
}

fn read(path: &Path) -> Case {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The bytes of the version, of which one bit is all that counts (§2.5).
const VERSION: std::ops::Range<usize> = 1..3;

/// Checks the proof of a step; then that with any of the bytes `flipped` changed it proves nothing, or, where the byte carries nothing,
/// the same: never another state after the same state before. Gives the proofs verified.
fn check(tick: u64, proof: &Proof, input: Option<&StepInput>, flipped: impl Iterator<Item = usize>) -> usize {
    let bytes = proof.encode().unwrap();
    assert_eq!(Proof::decode(bytes.clone()).unwrap(), *proof, "tick {tick}: the proof is read back");
    let statement = |proof: &ProofBytes| {
        let request = verify_step(proof, input.cloned(), NdsGate::default()).ok()?;
        Some((proof.before(), proof.after(), request))
    };
    let proven =
        statement(&proof.to_bytes().unwrap()).unwrap_or_else(|| panic!("tick {tick}: the proof does not hold"));
    let mut verified = 1;
    for at in flipped.take_while(|at| *at < bytes.len()) {
        let mut changed = bytes.clone();
        // another bit of each byte and at each tick
        changed[at] ^= 1 << ((at as u64 + tick) % 8);
        verified += 1;
        let Ok(changed) = ProofBytes::new(changed) else { continue };
        match statement(&changed) {
            None => {}
            Some(other) if VERSION.contains(&at) => assert_eq!(other, proven, "tick {tick}, byte {at}"),
            Some(_) => panic!("tick {tick}: byte {at} of {} can be changed", bytes.len()),
        }
    }
    verified
}

/// Proofs of the steps from the first snapshot on: `ticks` of them, each `stride`-th, with each `bytes`-th byte changed.
fn prove_and_break(path: &Path, ticks: u64, stride: u64, bytes: usize) {
    let case = read(path);
    let start = case.ticks_per_snapshot;
    let wanted = Wanted { proofs: (start..start + ticks).step_by(stride as usize).collect(), ..Wanted::default() };
    let (mut proofs, mut verified) = (0, 0);
    let mut left = wanted.proofs.len();
    case.play(&wanted, None, &mut |event| {
        if let Event::Step { tick, proof, input } = event {
            proofs += 1;
            left -= 1;
            // the first bytes, where what a proof says stands, and then others at each tick
            let first = if bytes == 1 { 0 } else { 3 };
            verified +=
                check(tick, proof, input, (0..first).chain((first + tick as usize % bytes..1 << 20).step_by(bytes)));
        }
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert!(proofs > 0);
    println!("{}: {proofs} proofs, {verified} verifications", path.file_stem().unwrap().display());
}

#[test]
fn proofs_hold_and_changed_ones_do_not() {
    for name in ["exact/memory_init_drop", "exact/reveal_preimage", "upgrade_with_reboot"] {
        prove_and_break(&carried(name), 2000, 97, 211);
    }
}

/// Run with
/// `cargo test --release -p soru-pvm --test it every_byte_of_every_proof -- --ignored --nocapture`.
#[test]
#[ignore = "many minutes: every byte of the proofs of 2,000 ticks of each kernel; run with --release"]
fn every_byte_of_every_proof_of_two_thousand_ticks() {
    let names = ["exact/memory_init_drop", "exact/reveal_preimage", "exact/trap_unreachable", "upgrade_with_reboot"];
    let mut all: Vec<PathBuf> = names.into_iter().map(carried).collect();
    if let Some(folder) = files::shared_vectors("pvm") {
        all.extend(["simd_lanes_memory", "host_all_v6"].map(|name| folder.join(format!("{name}.json"))));
    }
    std::thread::scope(|scope| {
        let (even, odd): (Vec<_>, Vec<_>) = all.iter().enumerate().partition(|(index, _)| index % 2 == 0);
        for half in [even, odd] {
            scope.spawn(move || half.into_iter().for_each(|(_, path)| prove_and_break(path, 2000, 1, 1)));
        }
    });
}

/// Numbers without a pattern, the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// The leaves of a state read from its nodes in a store.
fn reopened(tree: &Tree) -> Tree {
    let mut store = MemoryStore::new();
    let root = tree.commit(&mut store).unwrap();
    let store: Arc<dyn NodeStore + Send + Sync> = Arc::new(store);
    Tree::open(store, root)
}

#[test]
fn a_state_written_and_read_is_the_same_at_any_tick() {
    let mut numbers = Numbers(7);
    let mut states = 0;
    for name in
        ["exact/memory_init_drop", "exact/call_indirect_bad_type", "exact/reveal_preimage", "upgrade_with_reboot"]
    {
        let case = read(&carried(name));
        let last = case.checkpoints.last().unwrap().tick;
        let start = case.ticks_per_snapshot;
        let ticks = (0..12).map(|_| start + numbers.below(start.min(last - start)));
        let wanted = Wanted { ticks: ticks.collect(), ..Wanted::default() };
        case.play(&wanted, None, &mut |event| {
            let Event::State { tick, tree, hash, .. } = event else { return ControlFlow::Continue(()) };
            states += 1;
            // read in full and written again; 40 ticks on from there, and from the same state as it lies in a store
            let mut again = Pvm::from_tree(tree).unwrap();
            again.advance(Tick(0)).unwrap();
            let written = again.tree().unwrap();
            assert_eq!(written.hash().unwrap(), hash, "{name} at tick {tick}");
            assert!(
                written.leaves().map(Result::unwrap).eq(tree.leaves().map(Result::unwrap)),
                "{name} at tick {tick}"
            );
            let mut stored = Pvm::from_tree(&reopened(tree)).unwrap();
            let made = again.advance(Tick(40)).unwrap();
            assert_eq!(stored.advance(Tick(40)).unwrap(), made);
            assert_eq!(
                stored.tree().unwrap().hash().unwrap(),
                again.tree().unwrap().hash().unwrap(),
                "{name} after {tick}"
            );
            ControlFlow::Continue(())
        })
        .unwrap();
    }
    assert!(states > 30);
}
