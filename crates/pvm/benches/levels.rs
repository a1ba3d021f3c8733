//! Inbox levels per second: 100 external messages, a kernel that handles one a run and reboots, the state committed to a
//! store in memory after each level.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use soru_merkle::MemoryStore;
use soru_pvm::reveal::NoReveals;
use soru_pvm::{FastConfig, FastEngine, Parameters, Pvm, Reveals, Version, level_messages};
use soru_tezos::hash::BlockHash;
use soru_tezos::scalar::Level;
use std::sync::Arc;

const KERNEL: &str = r#"
(module
  (import "smart_rollup_core" "read_input" (func $read_input (param i32 i32 i32) (result i32)))
  (import "smart_rollup_core" "write_output" (func $write_output (param i32 i32) (result i32)))
  (import "smart_rollup_core" "store_write" (func $store_write (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "mem") 1)
  (data (i32.const 0) "/kernel/env/reboot")
  (data (i32.const 32) "/last/message")
  (func (export "kernel_run") (local $size i32)
    (local.set $size (call $read_input (i32.const 64) (i32.const 128) (i32.const 4000)))
    (if (local.get $size) (then
      (if (i32.eq (i32.load8_u (i32.const 128)) (i32.const 1)) (then
        (drop (call $write_output (i32.const 129) (i32.sub (local.get $size) (i32.const 1))))
        (drop (call $store_write (i32.const 32) (i32.const 13) (i32.const 0) (i32.const 128) (local.get $size)))))
      (drop (call $store_write (i32.const 0) (i32.const 18) (i32.const 0) (i32.const 0) (i32.const 0)))))))
"#;

fn levels(criterion: &mut Criterion) {
    let kernel = wat::parse_str(KERNEL).unwrap();
    let engine = FastEngine::new(FastConfig::default()).unwrap();
    let reveals: Arc<dyn Reveals> = Arc::new(NoReveals);
    let mut store = MemoryStore::new();
    let mut pvm = Pvm::originate(Version::V6, &kernel, Parameters::SINCE_PARIS).unwrap();
    let predecessor = BlockHash([7; 32]);
    let mut level = 0;
    let mut group = criterion.benchmark_group("levels");
    group.throughput(Throughput::Elements(1));
    group.bench_function("100 messages, a run each, committed", |bencher| {
        bencher.iter(|| {
            level += 1;
            let messages = (0..100u32).map(|number| format!("\u{1}message {level} {number}").into_bytes().into());
            let feed = level_messages(level.into(), &predecessor, None, messages);
            let report = pvm.eval_inbox_level(&engine, &reveals, Level(level), feed).unwrap();
            assert_eq!(report.ticks.0, 105 * 50_000_000_000_000);
            pvm.commit(&mut store).unwrap()
        });
    });
    group.finish();
}

criterion_group!(benches, levels);
criterion_main!(benches);
