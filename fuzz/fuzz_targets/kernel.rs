//! A kernel's bytes: decoding, linking, initialisation and evaluation by the exact machine for a bounded number of ticks, in
//! strides and in single steps, and what the fast engine makes of them. Whatever the kernel, both ways of stepping and both
//! engines must come to the same state.
#![no_main]

use libfuzzer_sys::fuzz_target;
use soru_pvm::exact::ExactRun;
use soru_pvm::reveal::NoReveals;
use soru_pvm::state::Parameters;
use soru_pvm::step::NdsGate;
use soru_pvm::{FastConfig, FastEngine, InputPlace, Pvm, PvmError, Reveals, Tick, Version, level_messages};
use soru_tezos::hash::BlockHash;
use soru_tezos::scalar::Level;
use std::sync::{Arc, OnceLock};

const TICKS: Tick = Tick(40_000);

fn engine() -> &'static FastEngine {
    static ENGINE: OnceLock<FastEngine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let bounds = FastConfig { max_memory: 16 << 20, max_table_elements: 10_000, ..FastConfig::default() };
        FastEngine::new(bounds).expect("the engine starts")
    })
}

/// The snapshot at which `kernel` is about to run for the first time.
fn snapshot(kernel: &[u8]) -> Pvm {
    let parameters = Parameters { ticks_per_snapshot: TICKS, ..Parameters::SINCE_PARIS };
    let mut pvm = Pvm::originate(Version::V5, kernel, parameters).expect("every kernel can be originated");
    for (counter, message) in (0..).zip(level_messages(0, &BlockHash([0; 32]), None, [])) {
        pvm.set_input(InputPlace { level: Level(1), counter }, message).expect("inputs are taken");
    }
    pvm.pad(TICKS);
    pvm.step().expect("the collection ends");
    pvm
}

/// The state `ticks` further on, or why there is none.
fn stride(pvm: &Pvm, ticks: u128) -> Result<Pvm, PvmError> {
    let mut pvm = pvm.clone();
    pvm.advance(Tick(ticks))?;
    Ok(pvm)
}

fuzz_target!(|kernel: &[u8]| {
    let start = snapshot(kernel);
    let digest = soru_tezos::blake2b::hash256(kernel);
    let bound = u128::from(u16::from_le_bytes([digest[0], digest[1]]) % 3_000);

    // somewhere on the way: through the tree and one step, against one stride
    if let Ok(there) = stride(&start, bound) {
        let tree = match there.tree() {
            Ok(tree) => tree,
            Err(PvmError::NoSuccessor(_)) => return,
            Err(error) => panic!("a state that cannot be written: {error}"),
        };
        let mut again = Pvm::from_tree(&tree).expect("a state just written can be read");
        let hash = tree.hash().expect("it has a hash");
        assert_eq!(hash, again.tree().unwrap().hash().unwrap(), "reading and writing changes the state at {bound}");
        if let (Ok(_), Ok(further)) = (again.advance(Tick(1)), stride(&start, bound + 1)) {
            assert_eq!(again.state_hash().unwrap(), further.state_hash().unwrap(), "single step at {bound}");
        }
    }

    let valid = soru_pvm::fast::validate(kernel).is_ok();
    let reveals: Arc<dyn Reveals> = Arc::new(NoReveals);
    let mut fast = start.clone();
    let decided = valid && fast.kernel_run(engine(), &reveals).is_ok();

    let mut run = ExactRun::new(start.state().clone(), NdsGate::default()).expect("a snapshot is a state");
    if run.finish(|_, _| Err(PvmError::NoSuccessor("no reveals here"))).is_err() {
        assert!(!decided, "the fast engine decides what the exact machine cannot");
        return;
    }
    let tree = run.into_state().and_then(|state| state.encode()).expect("the end can be written");
    let mut exact = Pvm::from_tree(&tree).expect("the end can be read");
    if decided {
        exact.pad(TICKS);
        assert_eq!(fast.state_hash().unwrap(), exact.state_hash().unwrap(), "the engines differ");
    }
});
