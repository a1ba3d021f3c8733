//! Ticks per second of the machine on a loop of arithmetic and stores, one tick at a time, the tree untouched in between.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use soru_merkle::containers::ChunkedBytes;
use soru_wasm::exception::{StepError, Stepped};
use soru_wasm::host::{CallerMemory, Host, HostResult};
use soru_wasm::instance::HostFunction;
use soru_wasm::machine::{Next, Running};
use soru_wasm::types::Value;

const LOOP: &str = r#"(module
  (memory (export "mem") 1)
  (func (export "kernel_run") (local $i i32)
    (loop $again
      (i32.store (i32.and (local.get $i) (i32.const 0xfffc)) (i32.mul (local.get $i) (i32.const 7)))
      (br_if $again (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 0))))))"#;

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
        other => panic!("the loop ended: {other:?}"),
    }
}

fn eval(criterion: &mut Criterion) {
    const TICKS: u64 = 10_000;
    let kernel = ChunkedBytes::from_bytes(&wat::parse_str(LOOP).unwrap());
    let mut running = Running::initial();
    while !matches!(running, Running::Eval(_)) {
        running = step(running, &kernel);
    }
    let mut group = criterion.benchmark_group("eval");
    group.throughput(Throughput::Elements(TICKS));
    group.bench_function("arithmetic and stores", |bencher| {
        bencher.iter_batched(
            || running.clone(),
            |mut running| {
                for _ in 0..TICKS {
                    running = step(running, &kernel);
                }
                running
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, eval);
criterion_main!(benches);
