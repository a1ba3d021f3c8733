//! Ticks per second of an evaluation: single steps with the tree untouched in between, and many ticks at once.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use soru_merkle::containers::ChunkedBytes;
use soru_wasm::exception::{StepError, Stepped};
use soru_wasm::flat::Flat;
use soru_wasm::host::{CallerMemory, Host, HostResult};
use soru_wasm::instance::HostFunction;
use soru_wasm::machine::{Next, Running};
use soru_wasm::types::Value;

const ARITHMETIC: &str = r#"(module
  (memory (export "mem") 1)
  (func (export "kernel_run") (local $i i32)
    (loop $again
      (i32.store (i32.and (local.get $i) (i32.const 0xfffc)) (i32.mul (local.get $i) (i32.const 7)))
      (br_if $again (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 0))))))"#;

const CALLS: &str = r#"(module
  (memory (export "mem") 1)
  (func $fib (param i32) (result i32)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
      (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                     (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func (export "kernel_run") (drop (call $fib (i32.const 60)))))"#;

const BRANCHES: &str = r#"(module
  (memory (export "mem") 1)
  (func (export "kernel_run") (local $i i32) (local $n i64)
    (loop $again
      (block (block (block (block
        (br_table 0 1 2 3 (i32.and (local.get $i) (i32.const 3))))
        (local.set $n (i64.add (local.get $n) (i64.const 1))) (br 2))
        (if (i64.eqz (local.get $n)) (then (local.set $n (i64.const 5))) (else (local.set $n (i64.const 6)))) (br 1))
        (br_if 0 (i64.lt_u (local.get $n) (i64.const 100))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $again))))"#;

struct NoHost;

impl Host for NoHost {
    fn import(&self, _: &[u8]) -> Option<HostFunction> {
        None
    }

    fn call(&mut self, _: &[u8], _: &[Value], _: &mut CallerMemory<'_>) -> Stepped<HostResult> {
        Err(StepError::unknown("Not_found"))
    }
}

fn step(running: Running, kernel: &ChunkedBytes) -> Running {
    match running.step(&mut NoHost, 60_000, || Ok(kernel.clone())).unwrap() {
        Next::Running(next) | Next::Started(next) => next,
        other => panic!("the evaluation ended: {other:?}"),
    }
}

/// The evaluation of a module at its first tick.
fn started(wat: &str) -> Running {
    let kernel = ChunkedBytes::from_bytes(&wat::parse_str(wat).unwrap());
    let mut running = Running::initial();
    while !matches!(running, Running::Eval(_)) {
        running = step(running, &kernel);
    }
    running
}

fn eval(criterion: &mut Criterion) {
    const SINGLE: u64 = 10_000;
    const MANY: u64 = 6_000_000;
    const LONG: u64 = 100_000_000;
    let none = ChunkedBytes::allocate(0);
    let mut group = criterion.benchmark_group("single steps");
    group.throughput(Throughput::Elements(SINGLE));
    let running = started(ARITHMETIC);
    group.bench_function("arithmetic and stores", |bencher| {
        bencher.iter_batched(
            || running.clone(),
            |running| (0..SINGLE).fold(running, |running, _| step(running, &none)),
            BatchSize::LargeInput,
        );
    });
    group.finish();
    let mut group = criterion.benchmark_group("many ticks at once");
    group.throughput(Throughput::Elements(MANY)).sample_size(20);
    for (name, wat) in [("arithmetic and stores", ARITHMETIC), ("calls", CALLS), ("branches", BRANCHES)] {
        let running = started(wat);
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || running.clone(),
                |running| {
                    let (made, next) = running.advance(&mut Flat::default(), &mut NoHost, MANY);
                    assert_eq!(made, MANY);
                    next.unwrap()
                },
                BatchSize::LargeInput,
            );
        });
    }
    let running = started(ARITHMETIC);
    group.throughput(Throughput::Elements(LONG)).sample_size(10);
    group.bench_function("100 million ticks of arithmetic and stores, written to a tree and hashed", |bencher| {
        bencher.iter_batched(
            || running.clone(),
            |running| {
                let (made, next) = running.advance(&mut Flat::default(), &mut NoHost, LONG);
                assert_eq!(made, LONG);
                next.unwrap().write().unwrap().hash().unwrap()
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
    println!("peak memory: {} MB", peak_memory());
}

/// Most memory this process has had so far, in MB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / 1024
}

criterion_group!(benches, eval);
criterion_main!(benches);
