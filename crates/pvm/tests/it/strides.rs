//! The exact machine in strides against the exact machine tick by tick, for kernels made from seeds, and the fast engine against
//! both (`spec/pvm.md` §5.8, §10). Single steps, each written to the tree and read back, are the truth.
//!
//! `SORU_SEEDS=5000` tries so many seeds instead of a few, `SORU_SEEDS=700..900` those; a failure names the command that tries its
//! seed again; `SORU_SHOW=1` prints the programs.

use crate::generate::{Random, program, smith};
use soru_merkle::{NodeHash, Tree};
use soru_pvm::exact::ExactRun;
use soru_pvm::reveal::{RevealError, RevealKind, RevealRequest};
use soru_pvm::state::{InputRequest, State};
use soru_pvm::step::NdsGate;
use soru_pvm::tick_state::{Phase, TickState};
use soru_pvm::{
    FastConfig, FastEngine, InputPlace, Parameters, Pvm, PvmError, Reveals, RunUntil, Tick, Version, level_messages,
};
use soru_tezos::hash::BlockHash;
use soru_tezos::scalar::Level;
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

/// Answers everything but preimages.
struct Answers;

impl Reveals for Answers {
    fn is_enabled(&self, _: Level, _: RevealKind) -> bool {
        true
    }

    fn answer(&self, request: &RevealRequest) -> Result<bytes::Bytes, RevealError> {
        match request {
            RevealRequest::Preimage(hash) => Err(RevealError::MissingPreimage(*hash)),
            _ => Ok(bytes::Bytes::from_static(b"somebody whom nobody has ever met")),
        }
    }
}

fn reveals() -> Arc<dyn Reveals> {
    Arc::new(Answers)
}

fn engine() -> &'static FastEngine {
    static ENGINE: OnceLock<FastEngine> = OnceLock::new();
    ENGINE.get_or_init(|| FastEngine::new(FastConfig::default()).unwrap())
}

/// The snapshot before the first run of `kernel`, with three messages in its inbox.
fn snapshot(kernel: &[u8], version: Version, ticks: u128) -> Pvm {
    let parameters = Parameters { ticks_per_snapshot: Tick(ticks), ..Parameters::SINCE_PARIS };
    let mut pvm = Pvm::originate(version, kernel, parameters).unwrap();
    let external: &[u8] = b"\x01hello";
    for (counter, message) in (0..).zip(level_messages(0, &BlockHash([7; 32]), None, [external.into()])) {
        pvm.set_input(InputPlace { level: Level(5), counter }, message).unwrap();
    }
    pvm.pad(Tick(ticks));
    pvm.step().unwrap();
    assert!(is_snapshot(&pvm));
    pvm
}

fn is_snapshot(pvm: &Pvm) -> bool {
    matches!(pvm.state().tick_state, TickState::Snapshot)
}

fn hash(state: &State) -> NodeHash {
    state.encode().unwrap().hash().unwrap()
}

/// A stride of at most `ticks` from `start`, with answers to reveals.
fn stride(start: &State, ticks: u128) -> State {
    let mut run = ExactRun::new(start.clone(), NdsGate::default()).unwrap();
    let end = start.current_tick.0.saturating_add(ticks);
    loop {
        let left = end - run.current_tick().0;
        let made = run.advance(Tick(left)).unwrap();
        assert!(made.0 <= left, "a stride of {left} ticks made {made}");
        let mut pvm = Pvm::from_tree(&run.into_state().unwrap().encode().unwrap()).unwrap();
        let now = pvm.state().current_tick.0;
        match pvm.info().unwrap().request {
            InputRequest::Reveal(request) if now < end => match Answers.answer_raw(&request, Some(Level(5))) {
                Ok(answer) => pvm.reveal_step(&answer).unwrap(),
                Err(_) => return pvm.state().clone(),
            },
            _ => return pvm.state().clone(),
        }
        run = ExactRun::new(pvm.state().clone(), NdsGate::default()).unwrap();
    }
}

/// One step by way of the tree.
fn step(state: &State) -> Option<State> {
    let mut pvm = Pvm::from_tree(&state.encode().unwrap()).unwrap();
    match pvm.info().unwrap().request {
        InputRequest::Input => return None,
        InputRequest::Reveal(request) => {
            pvm.reveal_step(&Answers.answer_raw(&request, Some(Level(5))).ok()?).unwrap();
        }
        InputRequest::None => match pvm.state().tick_state {
            TickState::Snapshot | TickState::Running(..) => pvm.step().unwrap(),
            _ => return None,
        },
    }
    Some(pvm.state().clone())
}

/// States and hashes of at most `count` single steps from `start` on, `start` first.
fn steps(start: &State, count: usize) -> Vec<(State, NodeHash)> {
    let mut states = vec![(start.clone(), hash(start))];
    while states.len() <= count {
        let Some(next) = step(&states[states.len() - 1].0) else { break };
        let next_hash = hash(&next);
        states.push((next, next_hash));
    }
    states
}

/// Checks strides of every length up to `longest`, and of some chosen lengths, from some states of `window` to others.
fn check_window(window: &[(State, NodeHash)], longest: usize, random: &mut Random) {
    let count = window.len() - 1;
    let check = |from: usize, ticks: usize| {
        let to = (from + ticks).min(count);
        let reached = stride(&window[from].0, (to - from) as u128);
        let (at, length) = (window[from].0.current_tick, to - from);
        assert_eq!(reached.current_tick, window[to].0.current_tick, "{length} ticks from {at} on: the tick");
        assert_eq!(hash(&reached), window[to].1, "{length} ticks from {at} on: the state");
    };
    for ticks in 0..=longest {
        check(0, ticks);
    }
    for _ in 0..longest {
        let from = random.below(count as u64 + 1) as usize;
        check(from, random.below((count - from) as u64 + 1) as usize);
    }
    // in strides of different lengths by one run, without looking in between
    let mut run = ExactRun::new(window[0].0.clone(), NdsGate::default()).unwrap();
    let mut at = 0;
    while at < count {
        let most = random.pick(&[1, 6, 40]);
        let ticks = (1 + random.below(most)).min((count - at) as u64);
        let made = run.advance(Tick(ticks.into())).unwrap().0 as usize;
        at += made;
        if made == 0 {
            return; // a reveal
        }
    }
    assert_eq!(hash(&run.into_state().unwrap()), window[count].1, "many strides of one run");
}

/// About when the run from `start` comes to the evaluation of `kernel_run`, and when to its end, in ticks from `start` on.
fn evaluation(start: &State) -> (u128, u128) {
    let ticks = |state: &State| state.current_tick.0 - start.current_tick.0;
    let mut state = start.clone();
    loop {
        let next = stride(&state, 500);
        let before = matches!(next.tick_state, TickState::Running(Phase::Decode | Phase::Link | Phase::Init, _));
        if !before || next.current_tick == state.current_tick {
            return (ticks(&state), ticks(&stride(&next, u128::MAX)));
        }
        state = next;
    }
}

/// Checks the run from `start` to its end, in one stride, against strides too short for anything but single steps; finds where
/// they part.
fn check_whole(start: &State, end: u128) {
    const SHORT: u128 = 31;
    let mut small = start.clone();
    let to = |end: u128| {
        let mut run = ExactRun::new(start.clone(), NdsGate::default()).unwrap();
        while run.current_tick().0 - start.current_tick.0 < end {
            let left = end - (run.current_tick().0 - start.current_tick.0);
            if run.advance(Tick(left.min(SHORT))).unwrap() == Tick(0) {
                return None; // a reveal
            }
        }
        Some(run.into_state().unwrap())
    };
    let Some(whole) = to(end) else { return };
    if hash(&whole) == hash(&stride(start, end)) {
        return;
    }
    let (mut same, mut different) = (0, end);
    while different - same > 1 {
        let middle = same + (different - same) / 2;
        small = to(middle).unwrap();
        if hash(&small) == hash(&stride(start, middle)) { same = middle } else { different = middle }
    }
    let differences = differences(
        &small.encode().unwrap(),
        &stride(start, small.current_tick.0 - start.current_tick.0).encode().unwrap(),
    );
    panic!("a stride of {different} ticks differs from single steps, one of {same} does not: {differences:#?}");
}

/// Leaves in which two states differ.
fn differences(a: &Tree, b: &Tree) -> Vec<String> {
    if a.hash().unwrap() == b.hash().unwrap() {
        return Vec::new();
    }
    let leaves = |tree: &Tree| -> BTreeMap<String, String> {
        let leaves = tree.leaves().map(|leaf| leaf.unwrap());
        leaves.map(|(path, bytes)| (format!("{path:?}"), hex::encode(bytes))).collect()
    };
    let (a, b) = (leaves(a), leaves(b));
    let paths: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let differ = paths.into_iter().filter(|path| a.get(*path) != b.get(*path));
    differ.map(|path| format!("{path}: {:?} and {:?}", a.get(path), b.get(path))).collect()
}

/// All the properties of one kernel. Gives its ticks, and why the fast engine did not decide, if it did not.
fn check(kernel: &[u8], seed: u64, windows: usize, length: usize) -> (u128, Option<String>) {
    let mut random = Random::new(seed);
    let pvm = snapshot(kernel, Version::V5, 1_000_000_000_000);
    let start = pvm.state().clone();
    let (evaluates, end) = evaluation(&start);
    check_whole(&start, end);
    for number in 0..windows {
        // half of the windows in the evaluation, some at its start or end, the others anywhere
        let from = match number % 4 {
            0 if end > evaluates => evaluates + u128::from(random.below((end - evaluates) as u64)),
            1 => end.saturating_sub(u128::from(random.below(length as u64))),
            2 => evaluates.saturating_sub(u128::from(random.below(length as u64))),
            _ => u128::from(random.below(end as u64)),
        };
        let window = steps(&stride(&start, from), length);
        let last = window.len() - 1;
        let whole = stride(&start, from + last as u128);
        assert_eq!(hash(&whole), window[last].1, "{} ticks from the snapshot on", from + last as u128);
        check_window(&window, length / 3, &mut random);
    }

    // a cycle too short for the kernel ends in the middle, at whatever tick that is
    let short = snapshot(kernel, Version::V5, 100 + u128::from(random.below(end as u64 + 100)));
    let short = short.state();
    let left = short.ticks_to_boundary().0;
    let near = stride(short, left.saturating_sub(6));
    check_window(&steps(&near, 12), 12, &mut random);

    let mut fast = pvm.clone();
    let undecided = match fast.kernel_run(engine(), &reveals()) {
        Ok(()) => None,
        Err(PvmError::Undecided { reason, .. }) => Some(reason.to_string()),
        Err(PvmError::Reveal { .. }) => Some("a reveal without an answer".to_owned()),
        Err(error) => panic!("the fast engine fails: {error}"),
    };
    let decided = undecided.is_none();
    let mut exact = pvm.clone();
    match exact.exact_kernel_run(&reveals()) {
        Ok(()) if decided => {
            assert_eq!(fast.info().unwrap(), exact.info().unwrap(), "the engines' ticks");
            let differences = differences(&fast.tree().unwrap(), &exact.tree().unwrap());
            assert!(differences.is_empty(), "the engines' states: {differences:#?}");
        }
        Ok(()) => {}
        Err(error) => assert!(!decided, "only the fast engine can go on: {error}"),
    }
    // and as a node runs it, to the next request or through three runs
    let (mut node, mut slow) = (pvm.clone(), pvm);
    for _ in 0..3 {
        if node.run(engine(), &reveals(), RunUntil::Snapshot).is_err() {
            break;
        }
        slow.exact_kernel_run(&reveals()).unwrap();
        if matches!(slow.state().tick_state, TickState::Padding) {
            slow.step().unwrap();
        }
        while slow.info().unwrap().request == InputRequest::None && !is_snapshot(&slow) {
            slow.step().unwrap();
        }
        assert_eq!(node.state_hash().unwrap(), slow.state_hash().unwrap(), "the next runs");
        if !is_snapshot(&node) {
            break;
        }
    }
    (end, undecided)
}

/// The seeds to try: a few, or what the environment says.
fn seeds(few: u64) -> Range<u64> {
    let Ok(wanted) = std::env::var("SORU_SEEDS") else { return 0..few };
    match wanted.split_once("..") {
        Some((from, to)) => from.parse().unwrap()..to.parse().unwrap(),
        None => 0..wanted.parse().unwrap(),
    }
}

fn check_all(test: &str, few: u64, make: impl Fn(u64) -> Option<Vec<u8>>) {
    let (mut kernels, mut ticks, mut reasons, mut failed) = (0, 0, BTreeMap::new(), Vec::new());
    let many = std::env::var_os("SORU_SEEDS").is_some();
    let (windows, length) = if many { (6, 60) } else { (2, 24) };
    for seed in seeds(few) {
        let Some(kernel) = make(seed) else { continue };
        kernels += 1;
        match catch_unwind(AssertUnwindSafe(|| check(&kernel, seed, windows, length))) {
            Ok((end, undecided)) => {
                ticks += end;
                *reasons.entry(undecided.unwrap_or_else(|| "nothing".to_owned())).or_insert(0) += 1;
            }
            Err(_) => failed.push(seed),
        }
    }
    println!("{test}: {kernels} kernels, {ticks} ticks");
    reasons
        .iter()
        .for_each(|(reason, count)| println!("    left undecided by the fast engine, {count} times: {reason}"));
    let again = |seed: &u64| format!("SORU_SEEDS={seed}..{} cargo test -p soru-pvm --test it {test}", seed + 1);
    assert!(failed.is_empty(), "failed; again with\n{}", failed.iter().map(again).collect::<Vec<_>>().join("\n"));
}

#[test]
fn generated_programs_agree() {
    check_all("generated_programs_agree", 6, |seed| Some(program(seed)));
}

#[test]
fn generated_modules_agree() {
    check_all("generated_modules_agree", 60, smith);
}

/// What `return` leaves below its results comes to lie above the operands of the caller, in the reference. Found by seed 354.
#[test]
fn surplus_operands_of_return_are_left_to_the_exact_machine() {
    let kernel = |surplus: &str| {
        let text = r#"(module
          (import "smart_rollup_core" "store_write" (func $write (param i32 i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1)
          (data (i32.const 0) "/difference")
          (func $one (result i32) SURPLUS (block (return (i32.const 1))) unreachable)
          (func (export "kernel_run") (local $difference i32)
            (local.set $difference (i32.sub (i32.const 10) (call $one)))
            (i32.store (i32.const 64) (local.get $difference))
            (drop (call $write (i32.const 0) (i32.const 11) (i32.const 0) (i32.const 64) (i32.const 1)))))"#;
        wat::parse_str(text.replace("SURPLUS (block (return", &format!("(block {surplus} (return"))).unwrap()
    };
    for (surplus, difference, decided) in [("", 10 - 1, true), ("(i32.const 99)", 99 - 1, false)] {
        let mut pvm = snapshot(&kernel(surplus), Version::V5, 1_000_000_000_000);
        let native = pvm.clone().kernel_run(engine(), &reveals()).is_ok();
        assert_eq!(native, decided, "{surplus}");
        pvm.exact_kernel_run(&reveals()).unwrap();
        let tree = pvm.tree().unwrap();
        let value = tree.find(&["durable", "difference", "@", "contents", "0"]).unwrap().unwrap();
        assert_eq!(value[0], difference, "{surplus}");
    }
}
