//! Compiled kernels kept between processes: found again, and not believed when anything about them is wrong.

use soru_pvm::reveal::NoReveals;
use soru_pvm::{FastConfig, FastEngine, ModuleStore, Parameters, Pvm, Reveals, Version, level_messages};
use soru_tezos::hash::BlockHash;
use soru_tezos::scalar::Level;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Kept {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    loads: Mutex<Vec<bool>>,
    saves: Mutex<usize>,
}

impl ModuleStore for Kept {
    fn load(&self, name: &str) -> Option<Vec<u8>> {
        let found = self.files.lock().unwrap().get(name).cloned();
        self.loads.lock().unwrap().push(found.is_some());
        found
    }

    fn save(&self, name: &str, bytes: &[u8]) {
        *self.saves.lock().unwrap() += 1;
        self.files.lock().unwrap().insert(name.to_owned(), bytes.to_vec());
    }
}

const KERNEL: &str = r#"
(module
  (import "smart_rollup_core" "write_output" (func $write_output (param i32 i32) (result i32)))
  (memory (export "mem") 1)
  (data (i32.const 0) "hello")
  (func (export "kernel_run") (drop (call $write_output (i32.const 0) (i32.const 5)))))
"#;

/// The state after a level, by an engine as a new process would have it.
fn run(kept: &Arc<Kept>, config: FastConfig, version: Version, kernel: &str) -> String {
    let modules: Arc<dyn ModuleStore> = Arc::clone(kept) as _;
    let engine = FastEngine::new(config).unwrap().with_modules(modules);
    let reveals: Arc<dyn Reveals> = Arc::new(NoReveals);
    let kernel = wat::parse_str(kernel).unwrap();
    let mut pvm = Pvm::originate(version, &kernel, Parameters::SINCE_PARIS).unwrap();
    let feed = level_messages(1, &BlockHash([0; 32]), None, []);
    pvm.eval_inbox_level(&engine, &reveals, Level(1), feed).unwrap();
    assert_eq!(pvm.outbox(Level(1)).unwrap(), ["hello"]);
    pvm.state_hash().unwrap().to_string()
}

#[test]
fn a_compiled_kernel_is_found_again() {
    let kept = Arc::new(Kept::default());
    let first = run(&kept, FastConfig::default(), Version::V6, KERNEL);
    assert_eq!((kept.loads.lock().unwrap().clone(), *kept.saves.lock().unwrap()), (vec![false], 1));
    assert_eq!(run(&kept, FastConfig::default(), Version::V6, KERNEL), first);
    // the version decides what a kernel is linked with, not how it is compiled
    run(&kept, FastConfig::default(), Version::V4, KERNEL);
    assert_eq!((kept.loads.lock().unwrap().clone(), *kept.saves.lock().unwrap()), (vec![false, true, true], 1));
    // another kernel is another file
    run(
        &kept,
        FastConfig::default(),
        Version::V6,
        &KERNEL.replace("(i32.const 0) \"hello\"", "(i32.const 0) \"hello!\""),
    );
    assert_eq!(kept.files.lock().unwrap().len(), 2);
}

#[test]
fn what_is_corrupt_or_foreign_is_compiled_anew_and_replaced() {
    let kept = Arc::new(Kept::default());
    let state = run(&kept, FastConfig::default(), Version::V6, KERNEL);
    let (name, good) = kept.files.lock().unwrap().first_key_value().map(|(k, v)| (k.clone(), v.clone())).unwrap();
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 4;
        bytes
    };
    let mut bad: Vec<Vec<u8>> = [0, 15, 16, 30, 60, 87, 88, 200, good.len() / 2, good.len() - 1].map(flipped).into();
    bad.extend([Vec::new(), good[..50].to_vec(), good[..88].to_vec(), good[..good.len() - 1].to_vec()]);
    bad.push([&good[..], &[0]].concat());
    bad.push(good[88..].to_vec());
    for bytes in bad {
        kept.files.lock().unwrap().insert(name.clone(), bytes);
        assert_eq!(run(&kept, FastConfig::default(), Version::V6, KERNEL), state);
        assert_eq!(kept.files.lock().unwrap()[&name], good, "the bad bytes are replaced");
    }
    // the code of another kernel under this one's name
    let other = Arc::new(Kept::default());
    let trap = "(memory (export \"mem\") 1) (func (export \"never\") unreachable)";
    run(&other, FastConfig::default(), Version::V6, &KERNEL.replace("(memory (export \"mem\") 1)", trap));
    let foreign = other.files.lock().unwrap().first_key_value().unwrap().1.clone();
    kept.files.lock().unwrap().insert(name.clone(), foreign);
    assert_eq!(run(&kept, FastConfig::default(), Version::V6, KERNEL), state);
    assert_eq!(kept.files.lock().unwrap()[&name], good);
}

#[test]
fn kernels_that_do_not_compile_are_not_kept() {
    let kept = Arc::new(Kept::default());
    let modules: Arc<dyn ModuleStore> = Arc::clone(&kept) as _;
    let engine = FastEngine::new(FastConfig::default()).unwrap().with_modules(modules);
    let reveals: Arc<dyn Reveals> = Arc::new(NoReveals);
    let mut pvm = Pvm::originate(Version::V6, b"no module", Parameters::SINCE_PARIS).unwrap();
    pvm.eval_inbox_level(&engine, &reveals, Level(1), level_messages(1, &BlockHash([0; 32]), None, [])).unwrap();
    assert!(pvm.state().tick_state.to_string().starts_with("stuck"));
    assert!(kept.files.lock().unwrap().is_empty());
}
