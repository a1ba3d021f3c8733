//! The exact machine: ticks per second by phase, memory of a long run, proofs of single steps.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use soru_merkle::ProofBytes;
use soru_pvm::exact::{StepInput, verify_step};
use soru_pvm::input::InputPlace;
use soru_pvm::step::NdsGate;
use soru_pvm::tick_state::{Phase, TickState};
use soru_pvm::units::Tick;
use soru_pvm::{Parameters, Pvm, Version, level_messages};
use soru_tezos::hash::BlockHash;
use soru_tezos::scalar::Level;
use std::fmt::Write;
use std::time::Instant;

/// The allocator of the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LOOP: &str = r#"(module
  (memory (export "mem") 1)
  (func (export "kernel_run") (local $i i32)
    (loop $again
      (i32.store (i32.and (local.get $i) (i32.const 0xfffc)) (i32.mul (local.get $i) (i32.const 7)))
      (br_if $again (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 0))))))"#;

/// A kernel of many functions, with a table of them and 64 kB of data.
fn large() -> String {
    let mut wat = String::from("(module (memory (export \"mem\") 2) (table 2000 funcref)\n");
    for number in 0..2000 {
        let _ = write!(
            wat,
            "(func $f{number} (param i32) (result i32) (local i64) (i32.add (local.get 0) (i32.const {number}))
             (block (drop (i32.load offset={number} (i32.const 8))) (br_if 0 (local.get 0)) (i32.store (i32.const 16) (i32.const 1))))\n"
        );
    }
    wat.push_str("(elem (i32.const 0)");
    (0..2000).for_each(|number| _ = write!(wat, " $f{number}"));
    let _ = write!(wat, ")\n(data (i32.const 0) \"{}\")", "0123456789abcdef".repeat(4096));
    wat.push_str("(func (export \"kernel_run\") (drop (call $f7 (i32.const 1)))))");
    wat
}

/// A PVM at the snapshot before the `kernel_run` of a level without messages.
fn at_snapshot(wat: &str) -> Pvm {
    let kernel = wat::parse_str(wat).unwrap();
    let mut pvm = Pvm::originate(Version::V6, &kernel, Parameters::SINCE_PARIS).unwrap();
    for (counter, message) in level_messages(0, &BlockHash([7; 32]), None, []).into_iter().enumerate() {
        pvm.set_input(InputPlace { level: Level(1), counter: counter as u64 }, message).unwrap();
    }
    while !matches!(pvm.state().tick_state, TickState::Snapshot) {
        if pvm.pad(Tick(u128::MAX)) == Tick(0) {
            pvm.step().unwrap();
        }
    }
    pvm
}

/// The same PVM in the middle of its evaluation.
fn evaluating(wat: &str) -> Pvm {
    let mut pvm = at_snapshot(wat);
    while !matches!(pvm.state().tick_state, TickState::Running(Phase::Eval, _)) {
        pvm.advance(Tick(100)).unwrap();
    }
    pvm.advance(Tick(1_000_003)).unwrap();
    pvm
}

/// Most memory this process has had so far, in MB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1024
}

fn run(criterion: &mut Criterion) {
    const TICKS: u64 = 100_000_000;
    let pvm = evaluating(LOOP);
    let before = peak_memory();
    let mut group = criterion.benchmark_group("exact machine");
    group.throughput(Throughput::Elements(TICKS)).sample_size(10);
    group.bench_function("100 million ticks of arithmetic and stores, folded into the tree", |bencher| {
        bencher.iter_batched(
            || pvm.clone(),
            |mut pvm| assert_eq!(pvm.advance(Tick(TICKS.into())).unwrap(), Tick(TICKS.into())),
            BatchSize::LargeInput,
        );
    });
    println!("peak memory: {before} MB before, {} MB after", peak_memory());

    let pvm = at_snapshot(&large());
    let mut started = pvm.clone();
    while !matches!(started.state().tick_state, TickState::Padding) {
        started.advance(Tick(u128::MAX)).unwrap();
    }
    let ticks = started.state().current_tick.since(pvm.state().current_tick);
    group.throughput(Throughput::Elements(ticks.0 as u64));
    group.bench_function("a kernel_run of 2,000 functions and 64 kB of data, from parsing on", |bencher| {
        bencher.iter_batched(
            || pvm.clone(),
            |mut pvm| assert_eq!(pvm.advance(Tick(u128::MAX)).unwrap(), ticks),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

/// A machine before a tick of each kind but evaluation, with what the tick is given.
fn other_ticks() -> Vec<(&'static str, Pvm, Option<StepInput>)> {
    let until = |pvm: &mut Pvm, reached: &dyn Fn(&TickState) -> bool| {
        while !reached(&pvm.state().tick_state) {
            pvm.advance(Tick(100)).unwrap();
        }
    };
    let snapshot = at_snapshot(&large());
    let mut decode = snapshot.clone();
    decode.advance(Tick(50_003)).unwrap();
    assert!(matches!(decode.state().tick_state, TickState::Running(Phase::Decode, _)));
    let mut init = decode.clone();
    until(&mut init, &|state| matches!(state, TickState::Running(Phase::Init, _)));
    init.advance(Tick(10_003)).unwrap();
    assert!(matches!(init.state().tick_state, TickState::Running(Phase::Init, _)));
    let mut padding = init.clone();
    until(&mut padding, &|state| matches!(state, TickState::Padding));
    let waiting = Pvm::originate(Version::V6, b"", Parameters::SINCE_PARIS).unwrap();
    let payload = level_messages(0, &BlockHash([7; 32]), None, []).into_iter().next().unwrap();
    let message = StepInput::Message { place: InputPlace { level: Level(1), counter: 0 }, payload };
    vec![
        ("snapshot", snapshot, None),
        ("parsing", decode, None),
        ("initialisation", init, None),
        ("padding", padding, None),
        ("input", waiting, Some(message)),
    ]
}

/// Prints what one of twenty runs stays below, and the median: other programs on the machine show in the mean above all.
fn print_single_runs(what: &str, mut run: impl FnMut()) {
    let mut times: Vec<_> = (0..3000)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    println!(
        "{what}: the fastest twentieth of single runs within {:?}, half of them within {:?}",
        times[150], times[1500]
    );
}

/// A stretch of ticks, each of which is proved.
const TICKS: usize = 500;

fn proofs(criterion: &mut Criterion) {
    let pvm = evaluating(LOOP);
    // as the reference does: the state is read back from what was written
    let mut group = criterion.benchmark_group("step proofs");
    let mut pvm = Pvm::from_tree(&pvm.tree().unwrap()).unwrap();
    let prove = |pvm: &Pvm| pvm.prove_step(None).unwrap().encode().unwrap();
    let mut stretch = Vec::new();
    for _ in 0..TICKS {
        pvm.step().unwrap();
        let pvm = Pvm::from_tree(&pvm.tree().unwrap()).unwrap();
        let proof = bytes::Bytes::from(prove(&pvm));
        stretch.push((pvm, proof));
    }
    let check = |proof: &bytes::Bytes| {
        verify_step(&ProofBytes::new(proof.clone()).unwrap(), None, NdsGate::default()).unwrap();
    };
    let size: usize = stretch.iter().map(|(_, proof)| proof.len()).sum();
    println!("the proofs of {TICKS} ticks in a row have {} bytes on average", size / TICKS);
    group.throughput(Throughput::Elements(TICKS as u64));
    group.bench_function(format!("{TICKS} ticks in a row: produce and encode"), |bencher| {
        bencher.iter(|| stretch.iter().for_each(|(pvm, _)| _ = prove(pvm)));
    });
    group.bench_function(format!("{TICKS} ticks in a row: decode and verify"), |bencher| {
        bencher.iter(|| stretch.iter().for_each(|(_, proof)| check(proof)));
    });
    group.throughput(Throughput::Elements(1));
    let (pvm, bytes) = stretch.iter().max_by_key(|(_, proof)| proof.len()).unwrap();
    println!("the largest has {} bytes", bytes.len());
    let verify = || check(bytes);
    print_single_runs("produce and encode", || _ = prove(pvm));
    print_single_runs("decode and verify", verify);
    group.bench_function("produce and encode", |bencher| bencher.iter(|| prove(pvm)));
    group.bench_function("decode and verify", |bencher| bencher.iter(verify));
    for (kind, pvm, input) in other_ticks() {
        let pvm = Pvm::from_tree(&pvm.tree().unwrap()).unwrap();
        let bytes = bytes::Bytes::from(pvm.prove_step(input.clone()).unwrap().encode().unwrap());
        println!("the proof of a tick of {kind} has {} bytes", bytes.len());
        group.bench_function(format!("{kind}: produce and encode"), |bencher| {
            bencher.iter(|| pvm.prove_step(input.clone()).unwrap().encode().unwrap());
        });
        group.bench_function(format!("{kind}: decode and verify"), |bencher| {
            let proof = || ProofBytes::new(bytes.clone()).unwrap();
            bencher.iter(|| verify_step(&proof(), input.clone(), NdsGate::default()).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, run, proofs);
criterion_main!(benches);
