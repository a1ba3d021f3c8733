//! Fast execution with its fallback against the exact machine alone (`spec/pvm.md` §10): a kernel that does what messages tell it
//! to, so that a run ends in every way there is: well, in a trap, in a stuck state, with another kernel, or nowhere.

use bytes::Bytes;
use serde_json::{Value, json};
use soru_pvm::case::Case;
use soru_pvm::exact::StepInput;
use soru_pvm::trace::{Event, Wanted};
use soru_pvm::{FastConfig, FastEngine, InputRequest, Pvm, PvmError, Reveals, RunUntil};
use soru_tezos::hash::RevealHash;
use soru_tezos::scalar::Level;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Takes one message a run and reboots until there is none left. The first byte of an external message says what to do.
const SCRIPTED: &str = r#"
(module
  (import "smart_rollup_core" "read_input" (func $read_input (param i32 i32 i32) (result i32)))
  (import "smart_rollup_core" "write_output" (func $write_output (param i32 i32) (result i32)))
  (import "smart_rollup_core" "store_write" (func $store_write (param i32 i32 i32 i32 i32) (result i32)))
  (import "smart_rollup_core" "store_delete" (func $store_delete (param i32 i32) (result i32)))
  (import "smart_rollup_core" "reveal_preimage" (func $reveal_preimage (param i32 i32 i32 i32) (result i32)))
  (import "smart_rollup_core" "reveal_metadata" (func $reveal_metadata (param i32 i32) (result i32)))
  (type $nothing (func))
  (memory (export "mem") 1)
  (table 4 funcref)
  (elem (i32.const 0) $nop $typed)
  (data (i32.const 0) "/kernel/env/reboot")
  (data (i32.const 32) "/kernel/boot.wasm")
  (data (i32.const 64) "/done/x")
  (func $nop)
  (func $typed (param i32))
  (func $deep (param i32) (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1))))))
  ;; notes a number under the key of the command
  (func $note (param $command i32) (param $number i32)
    (i32.store8 (i32.const 70) (local.get $command))
    (i32.store (i32.const 80) (local.get $number))
    (drop (call $store_write (i32.const 64) (i32.const 7) (i32.const 0) (i32.const 80) (i32.const 4))))
  (func (export "kernel_run") (local $size i32) (local $command i32) (local $result i32)
    (local.set $size (call $read_input (i32.const 96) (i32.const 128) (i32.const 4096)))
    (if (i32.eqz (local.get $size)) (then (return)))
    (drop (call $store_write (i32.const 0) (i32.const 18) (i32.const 0) (i32.const 0) (i32.const 0)))
    (if (i32.ne (i32.load8_u (i32.const 128)) (i32.const 1)) (then (return)))
    (local.set $command (i32.load8_u (i32.const 129)))
    ;; before whatever goes wrong: what a run did until its trap stays
    (call $note (i32.const 0x78) (local.get $command))
    (if (i32.eq (local.get $command) (i32.const 0x77)) (then ;; w: writes the rest to the outbox
      (local.set $result (call $write_output (i32.const 130) (i32.sub (local.get $size) (i32.const 2))))))
    (if (i32.eq (local.get $command) (i32.const 0x74)) (then (unreachable))) ;; t
    (if (i32.eq (local.get $command) (i32.const 0x64)) (then ;; d: divides by zero
      (local.set $result (i32.div_u (i32.const 1) (i32.sub (local.get $size) (local.get $size))))))
    (if (i32.eq (local.get $command) (i32.const 0x76)) (then ;; v: the division that overflows
      (local.set $result (i32.div_s (i32.const 0x80000000) (i32.sub (i32.const 0) (i32.load8_u (i32.const 128)))))))
    (if (i32.eq (local.get $command) (i32.const 0x6f)) (then ;; o: stores out of bounds
      (i64.store (i32.const 65529) (i64.const -1))))
    (if (i32.eq (local.get $command) (i32.const 0x63)) (then ;; c: calls with another type
      (call_indirect (type $nothing) (i32.load8_u (i32.const 130)))))
    (if (i32.eq (local.get $command) (i32.const 0x72)) (then ;; r: recursion of a depth
      (call $deep (i32.load (i32.const 130)))))
    (if (i32.eq (local.get $command) (i32.const 0x67)) (then ;; g: grows the memory by so many pages, and writes at the end
      (local.set $result (memory.grow (i32.load (i32.const 130))))
      (i32.store8 (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1)) (i32.const 7))))
    (if (i32.eq (local.get $command) (i32.const 0x75)) (then ;; u: the rest is the new kernel
      (drop (call $store_delete (i32.const 32) (i32.const 17)))
      (local.set $result (call $store_write
        (i32.const 32) (i32.const 17) (i32.const 0) (i32.const 130) (i32.sub (local.get $size) (i32.const 2))))))
    (if (i32.eq (local.get $command) (i32.const 0x70)) (then ;; p: preimage of the hash that follows
      (local.set $result (call $reveal_preimage (i32.const 130) (i32.const 33) (i32.const 8192) (i32.const 4096)))))
    (if (i32.eq (local.get $command) (i32.const 0x71)) (then ;; q: the same, to where it does not fit
      (local.set $result (call $reveal_preimage (i32.const 130) (i32.const 33) (i32.const 65530) (i32.const 4096)))))
    (if (i32.eq (local.get $command) (i32.const 0x6d)) (then ;; m: metadata
      (local.set $result (call $reveal_metadata (i32.const 8192) (i32.const 24)))))
    (call $note (local.get $command) (local.get $result))))
"#;

const TICKS: u64 = 11_000_000_000;
const PREIMAGE: &[u8] = b"what is revealed";

fn kernel(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).unwrap()
}

/// A case of the scripted kernel with a level for each list of commands.
fn case(version: &str, levels: &[Vec<Value>]) -> Case {
    let inboxes: Vec<Value> =
        (1..).zip(levels).map(|(level, messages)| json!({ "level": level, "messages": messages })).collect();
    let case = json!({
        "kernel_wasm_hex": hex::encode(kernel(SCRIPTED)),
        "pvm_version": version,
        "ticks_per_snapshot": TICKS,
        "outbox_validity_period": 10,
        "outbox_message_limit": 100,
        "metadata": "07".repeat(24),
        "preimages": { RevealHash::of_data(PREIMAGE).to_hex(): hex::encode(PREIMAGE) },
        "inboxes": inboxes,
    });
    serde_json::from_value(case).unwrap()
}

fn command(letter: char, rest: &[u8]) -> Value {
    json!({ "external": hex::encode([&[letter as u8], rest].concat()) })
}

fn reveal(letter: char) -> Value {
    command(letter, &RevealHash::of_data(PREIMAGE).0)
}

fn engine(config: FastConfig) -> FastEngine {
    FastEngine::new(config).unwrap()
}

/// The machine at the end of the case by the exact machine alone.
fn exact(case: &Case) -> Pvm {
    let played = case.play(&Wanted::default(), None, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(played.stopped, None);
    played.pvm
}

/// Plays the case by `Pvm::run`, as nodes do, and by `Case::play`, and expects what the exact machine alone gives: after each level. Gives
/// the runs left to the fast engine, and those it did not decide.
#[track_caller]
fn agree(case: &Case, engine: &FastEngine) -> (u64, u64) {
    let reveals = case.reveals();
    let mut pvm = case.originate().unwrap();
    for (index, inbox) in case.inboxes.iter().enumerate() {
        pvm.eval_inbox_level(engine, &reveals, inbox.level, inbox.feed()).unwrap();
        let prefix = Case { inboxes: case.inboxes[..=index].to_vec(), ..case.clone() };
        let exact = exact(&prefix);
        assert_eq!(pvm.state().tick_state.to_string(), exact.state().tick_state.to_string(), "level {}", inbox.level);
        assert_eq!(pvm.info().unwrap(), exact.info().unwrap(), "level {}", inbox.level);
        assert_eq!(pvm.context_hash().unwrap(), exact.context_hash().unwrap(), "level {}", inbox.level);
    }
    let played = case.play(&Wanted::default(), Some(engine), &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(played.pvm.context_hash().unwrap(), pvm.context_hash().unwrap());
    (played.fast_runs, played.undecided_runs)
}

fn value(pvm: &Pvm, key: &str) -> Option<Vec<u8>> {
    let key = soru_pvm::durable::Key::parse(key.as_bytes()).unwrap();
    pvm.durable().value(&key).unwrap().map(|value| value.read(0, 1 << 20).unwrap())
}

#[test]
fn traps_leave_what_was_done_and_a_flag() {
    let trapping = ['t', 'd', 'v', 'o'].map(|letter| command(letter, &[]));
    let mut commands = vec![command('w', b"before")];
    commands.extend(trapping);
    // the element of another type
    commands.push(command('c', &[1]));
    let case = case("2.0.0-r5", &[commands, vec![command('w', b"after")]]);
    let (fast, undecided) = agree(&case, &engine(FastConfig::default()));
    assert_eq!((fast, undecided), (15, 0), "these traps are the same in both engines");
    let first = exact(&Case { inboxes: case.inboxes[..1].to_vec(), ..case.clone() });
    assert_eq!(value(&first, "/done/x"), Some(vec![b'c', 0, 0, 0]), "noted before the trap");
    assert_eq!(value(&first, "/done/c"), None, "not noted after it");
    assert_eq!(first.outbox(Level(1)).unwrap(), ["before"]);
    assert_eq!(value(&exact(&case), "/readonly/kernel/env/stuck"), None, "a run that ends well takes the flag away");
}

#[test]
fn a_trap_that_is_an_exception_in_the_reference_gets_the_machine_stuck() {
    for element in [3, 9] {
        let case =
            case("2.0.0-r5", &[vec![command('c', &[element]), command('w', b"lost")], vec![command('w', b"lost")]]);
        let (_, undecided) = agree(&case, &engine(FastConfig::default()));
        assert_eq!(undecided, 1);
        assert!(exact(&case).state().tick_state.to_string().starts_with("stuck"));
    }
}

#[test]
fn deep_recursion_is_left_to_the_exact_machine() {
    let depth = |depth: u32| command('r', &depth.to_le_bytes());
    // version 0 allows 300 frames, and says so by getting stuck
    let shallow = case("2.0.0", &[vec![depth(100)], vec![depth(296)], vec![depth(400)], vec![depth(1)]]);
    let (fast, undecided) = agree(&shallow, &engine(FastConfig::default()));
    assert!(fast == 0 && undecided > 3, "{fast} and {undecided}");
    assert!(exact(&shallow).state().tick_state.to_string().starts_with("stuck"));
    let deep = case("2.0.0-r5", &[vec![depth(3_000)], vec![depth(70_000)]]);
    let (fast, undecided) = agree(&deep, &engine(FastConfig::default()));
    assert!(fast >= 6 && undecided == 1, "{fast} and {undecided}");
    assert!(exact(&deep).state().tick_state.to_string().starts_with("stuck"));
}

#[test]
fn memory_beyond_the_engines_bound_is_left_to_the_exact_machine() {
    let grow = |pages: u32| command('g', &pages.to_le_bytes());
    let case = case("2.0.0-r5", &[vec![grow(3), grow(40), grow(70_000), grow(0)]]);
    let (fast, undecided) = agree(&case, &engine(FastConfig { max_memory: 1 << 20, ..FastConfig::default() }));
    assert_eq!((fast, undecided), (7, 1), "41 pages are beyond the bound; 70,001 are beyond every memory");
    assert_eq!(agree(&case, &engine(FastConfig::default())), (8, 0));
    let end = exact(&case);
    assert_eq!(value(&end, "/done/g"), Some(1u32.to_le_bytes().to_vec()), "each run starts with one page");
}

#[test]
fn reveals_in_the_middle_of_a_run() {
    let late = RevealHash::of_data(b"late");
    let case = case("2.0.0-r5", &[vec![command('m', &[]), reveal('p'), command('p', &late.0)]]);
    let mut known = case.clone();
    known.inboxes[0].messages.pop();
    assert_eq!(agree(&known, &engine(FastConfig::default())), (6, 0));
    assert_eq!(value(&exact(&known), "/done/p"), Some((PREIMAGE.len() as u32).to_le_bytes().to_vec()));
    assert_eq!(value(&exact(&known), "/done/m"), Some(24u32.to_le_bytes().to_vec()));

    // an answer that is not there: the node stays at the snapshot and can go on from there later
    let (engine, reveals) = (engine(FastConfig::default()), case.reveals());
    let mut pvm = case.originate().unwrap();
    let level = case.inboxes[0].level;
    let error = pvm.eval_inbox_level(&engine, &reveals, level, case.inboxes[0].feed()).unwrap_err();
    assert!(matches!(error, PvmError::Reveal { .. }), "{error}");
    assert_eq!(pvm.state().tick_state.to_string(), "snapshot");
    assert!(pvm.run(&engine, &reveals, RunUntil::Request).is_err());
    // the exact machine parks in the request; the other, left with the answer, ends where this one does
    let parked = case.play(&Wanted::default(), None, &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(parked.stopped.is_some());
    let mut parked = parked.pvm;
    assert!(matches!(parked.info().unwrap().request, InputRequest::Reveal(raw) if raw[1..] == late.0));
    struct Any;
    impl Reveals for Any {
        fn is_enabled(&self, _: Level, _: soru_pvm::reveal::RevealKind) -> bool {
            true
        }
        fn answer(&self, _: &soru_pvm::RevealRequest) -> Result<Bytes, soru_pvm::RevealError> {
            Ok(Bytes::from_static(b"late"))
        }
    }
    let answers: Arc<dyn Reveals> = Arc::new(Any);
    pvm.run(&engine, &answers, RunUntil::Request).unwrap();
    let proof = parked.prove_step(Some(StepInput::Reveal(Bytes::from_static(b"late")))).unwrap();
    parked.reveal_step(b"late").unwrap();
    assert_eq!(proof.after, parked.tree().unwrap().hash().unwrap());
    parked.run(&engine, &answers, RunUntil::Request).unwrap();
    assert_eq!(parked.context_hash().unwrap(), pvm.context_hash().unwrap());
}

#[test]
fn a_migration_changes_the_cycle_and_the_version_of_the_next_run() {
    let migrate = |name: &str| json!({ "migrate": name });
    let levels = [
        vec![command('w', b"under Nairobi")],
        vec![migrate("oxford_018"), command('w', b"under Oxford"), command('t', &[])],
        vec![migrate("paris_019"), reveal('p'), command('w', b"with longer cycles")],
        vec![migrate("unknown_000"), command('w', b"nothing happens")],
        vec![migrate("u025_025"), command('d', &[]), command('w', b"under Ushuaia")],
    ];
    let case = case("2.0.0-r1", &levels);
    let (fast, undecided) = agree(&case, &engine(FastConfig::default()));
    assert!(fast > 20 && undecided == 0, "{fast} and {undecided}");
    assert_eq!(value(&exact(&case), "/readonly/wasm_version"), Some(b"2.0.0-r6".to_vec()));
}

/// A kernel that writes its name into the outbox each time it runs, and reads all messages at once.
fn named(name: &str, more: &str) -> Vec<u8> {
    kernel(&format!(
        r#"(module
          (import "smart_rollup_core" "write_output" (func $write_output (param i32 i32) (result i32)))
          (memory (export "mem") 1)
          (data (i32.const 0) "{name}")
          (func (export "kernel_run") (drop (call $write_output (i32.const 0) (i32.const {}))) {more}))"#,
        name.len()
    ))
}

#[test]
fn a_kernel_replaces_itself_and_a_bad_one_gives_way_to_the_last_good_one() {
    let truncated = named("cut", "")[..40].to_vec();
    let unlinked = kernel(
        r#"(module (import "smart_rollup_core" "no_such" (func)) (memory (export "mem") 1) (func (export "kernel_run")))"#,
    );
    let uninitialised = kernel(
        r#"(module (memory (export "mem") 1) (data (i32.const 65535) "too long") (func (export "kernel_run")))"#,
    );
    let headless = kernel(r#"(module (memory (export "mem") 1) (func (export "another_name")))"#);
    for bad in [&truncated, &unlinked, &uninitialised, &headless] {
        let case = case(
            "2.0.0-r5",
            &[vec![command('w', b"a"), command('u', bad), command('w', b"b")], vec![command('w', b"c")]],
        );
        let (fast, undecided) = agree(&case, &engine(FastConfig::default()));
        assert!(fast >= 4 && undecided >= 1, "{fast} and {undecided}");
    }
    // a good one takes over; one that traps stays, whatever it does
    for more in ["", "(unreachable)"] {
        let next = named("next", more);
        let case = case("2.0.0-r5", &[vec![command('u', &next), command('w', b"unread")], vec![], vec![]]);
        let (_, undecided) = agree(&case, &engine(FastConfig::default()));
        assert_eq!(undecided, 0);
        let end = exact(&case);
        assert_eq!(
            value(&end, "/readonly/kernel/boot.wasm").as_ref(),
            Some(&next),
            "what runs is what is fallen back to"
        );
        assert_eq!(value(&end, "/readonly/kernel/env/stuck").is_some(), !more.is_empty());
        assert_eq!(end.outbox(Level(3)).unwrap(), ["next"]);
    }
}

#[test]
fn where_the_reference_has_no_next_state_there_is_none() {
    // an answer that does not fit; an operator without encoding; an active segment of a memory other than the first
    let simd = kernel(
        r#"(module (memory (export "mem") 1)
             (func $f (result v128) (f32x4.convert_i32x4_s (v128.const i32x4 0 0 0 0))) (func (export "kernel_run")))"#,
    );
    let memories = kernel(
        r#"(module (memory (export "mem") 1) (memory 1) (data (memory 1) (i32.const 0) "x") (func (export "kernel_run")))"#,
    );
    for last in [reveal('q'), command('u', &simd), command('u', &memories)] {
        let case = case("2.0.0-r5", &[vec![command('w', b"good"), last]]);
        let stopped = case.play(&Wanted::default(), None, &mut |_| ControlFlow::Continue(())).unwrap();
        let reason = stopped.stopped.unwrap();
        assert!(reason.contains("no successor"), "{reason}");
        // the state before is there to be looked at, and nothing can be proven of its step
        let tick = u64::try_from(stopped.pvm.info().unwrap().tick.0).unwrap();
        let wanted = Wanted { ticks: [tick, tick + 1].into(), proofs: [tick].into(), ..Wanted::default() };
        let mut seen = Vec::new();
        let again = case.play(&wanted, None, &mut |event| {
            match event {
                Event::State { tick, .. } => seen.push(tick),
                Event::Step { .. } => panic!("a proof of a step that does not exist"),
            }
            ControlFlow::Continue(())
        });
        assert_eq!((seen, again.unwrap().stopped), (vec![tick], Some(reason)));
        // the node is told, and stays where it can be looked at
        let (engine, reveals) = (engine(FastConfig::default()), case.reveals());
        let mut pvm = case.originate().unwrap();
        let level = case.inboxes[0].level;
        let error = pvm.eval_inbox_level(&engine, &reveals, level, case.inboxes[0].feed()).unwrap_err();
        assert!(matches!(error, PvmError::NoSuccessor(_)), "{error}");
        assert_eq!(pvm.state().tick_state.to_string(), "snapshot");
    }
}
