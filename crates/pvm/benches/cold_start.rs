//! From a process that knows nothing to the end of a kernel's first run: the engine set up, the kernel validated, compiled or found
//! compiled, and run. The kernel has 300 functions of 1,900 instructions each, 960 kB in all.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{Criterion, criterion_group, criterion_main};
use soru_pvm::reveal::NoReveals;
use soru_pvm::{FastConfig, FastEngine, ModuleStore, Parameters, Pvm, Reveals, RunUntil, Version, level_messages};
use soru_tezos::hash::BlockHash;
use soru_tezos::scalar::Level;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// A directory, as a node has it.
struct Directory(PathBuf);

impl ModuleStore for Directory {
    fn load(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.0.join(name)).ok()
    }

    fn save(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.join(name), bytes).unwrap();
    }
}

fn kernel() -> Vec<u8> {
    let mut text = String::from("(module (memory (export \"mem\") 1)\n");
    for function in 0..300 {
        let _ = writeln!(text, "(func $f{function} (param i32) (result i32) (local i32)");
        for step in 0..100 {
            let _ = writeln!(
                text,
                "(if (i32.and (local.get 0) (i32.const {step})) (then (local.set 1 (i32.add (local.get 1) (i32.mul (local.get 0) (i32.const {}))))
                   (i32.store offset={} (i32.and (local.get 1) (i32.const 1023)) (local.get 1))))",
                function * 100 + step,
                4 * step,
            );
        }
        let _ = writeln!(text, "(local.get 1))");
    }
    let _ = write!(text, "(func (export \"kernel_run\")");
    for function in 0..300 {
        let _ = writeln!(text, "(drop (call $f{function} (i32.const {function})))");
    }
    text.push_str("))");
    wat::parse_str(&text).unwrap()
}

fn cold_start(criterion: &mut Criterion) {
    let kernel = kernel();
    println!("a kernel of {} bytes", kernel.len());
    let mut waiting = Pvm::originate(Version::V6, &kernel, Parameters::SINCE_PARIS).unwrap();
    let reveals: Arc<dyn Reveals> = Arc::new(NoReveals);
    for (counter, message) in (0..).zip(level_messages(0, &BlockHash([7; 32]), None, [])) {
        waiting.set_input(soru_pvm::InputPlace { level: Level(1), counter }, message).unwrap();
    }
    let run = |engine: FastEngine| {
        let mut pvm = waiting.clone();
        pvm.run(&engine, &reveals, RunUntil::Request).unwrap()
    };
    let directory = std::env::temp_dir().join(format!("soru-cold-start-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let engine = || FastEngine::new(FastConfig::default()).unwrap();
    let cached = || engine().with_modules(Arc::new(Directory(directory.clone())));
    let mut group = criterion.benchmark_group("cold start");
    group.sample_size(10);
    group.bench_function("compiling the kernel", |bencher| bencher.iter(|| run(engine())));
    run(cached());
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    group.bench_function("finding it compiled", |bencher| bencher.iter(|| run(cached())));
    let warm = engine();
    let mut pvm = waiting.clone();
    pvm.run(&warm, &reveals, RunUntil::Request).unwrap();
    group.bench_function("in a process that ran it before", |bencher| {
        bencher.iter(|| waiting.clone().run(&warm, &reveals, RunUntil::Request).unwrap())
    });
    group.finish();
    fs::remove_dir_all(&directory).unwrap();
}

criterion_group!(benches, cold_start);
criterion_main!(benches);
