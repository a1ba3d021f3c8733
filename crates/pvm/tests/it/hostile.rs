//! Kernels that claim to be, or to need, more than there is: both engines stay within bounds of memory, and never panic.

use crate::measure::most_allocated;
use soru_pvm::exact::ExactRun;
use soru_pvm::reveal::NoReveals;
use soru_pvm::step::NdsGate;
use soru_pvm::tick_state::{StuckError, TickState};
use soru_pvm::{FastConfig, FastEngine, InputPlace, Parameters, Pvm, PvmError, Reveals, Tick, Version, level_messages};
use soru_tezos::hash::BlockHash;
use soru_tezos::scalar::Level;
use std::sync::{Arc, OnceLock};

pub fn leb(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value > 0x7f {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(content.len() as u64), content].concat()
}

const MOST: u64 = u32::MAX as u64;
const HEADER: &[u8] = b"\0asm\x01\0\0\0";
/// `[] -> []`
const TYPES: &[u8] = &[1, 4, 1, 0x60, 0, 0];
const FUNCTIONS: &[u8] = &[3, 2, 1, 0];

fn exports() -> Vec<u8> {
    section(7, &[&[2, 3][..], b"mem\x02\0", &[10], b"kernel_run\0\0"].concat())
}

/// A kernel whose memory section, locals and code are these.
fn kernel(memory: &[u8], locals: &[u8], code: &[u8]) -> Vec<u8> {
    let body = [locals, code, &[0x0b]].concat();
    let code = section(10, &[&[1][..], &leb(body.len() as u64), &body].concat());
    [HEADER, TYPES, FUNCTIONS, &section(5, memory), &exports(), &code].concat()
}

fn wat(body: &str) -> Vec<u8> {
    wat::parse_str(body).unwrap()
}

fn snapshot(kernel: &[u8]) -> Pvm {
    let mut pvm = Pvm::originate(Version::V5, kernel, Parameters::SINCE_PARIS).unwrap();
    for (counter, message) in (0..).zip(level_messages(0, &BlockHash([7; 32]), None, [])) {
        pvm.set_input(InputPlace { level: Level(5), counter }, message).unwrap();
    }
    pvm.pad(Tick(u128::MAX));
    pvm.step().unwrap();
    pvm
}

fn engine() -> &'static FastEngine {
    static ENGINE: OnceLock<FastEngine> = OnceLock::new();
    ENGINE.get_or_init(|| FastEngine::new(FastConfig::default()).unwrap())
}

/// Runs the kernel for some ticks in the exact machine, writes the state down, and offers it to the fast engine. Gives the state
/// the exact machine reached, and checks that it took no more memory than `bound`.
fn run(what: &str, kernel: &[u8], ticks: u128, bound: usize) -> TickState {
    let (state, most) = most_allocated(|| {
        let pvm = snapshot(kernel);
        let mut run = ExactRun::new(pvm.state().clone(), NdsGate::default()).unwrap();
        match run.advance(Tick(ticks)) {
            Ok(_) => {}
            Err(PvmError::NoSuccessor(why)) => {
                println!("{what}: no successor: {why}");
                return TickState::Snapshot;
            }
            Err(error) => panic!("{what}: {error}"),
        }
        let state = run.into_state().unwrap();
        state.encode().unwrap().hash().unwrap();
        state.tick_state
    });
    println!("{what}: {} kB for a kernel of {} bytes", most >> 10, kernel.len());
    assert!(most <= bound, "{what}: {most} bytes are too many");
    state
}

/// What the fast engine says of a kernel that does not end, or that it should refuse, without taking much for it.
fn refused(what: &str, kernel: &[u8], bound: usize) {
    let reveals: Arc<dyn Reveals> = Arc::new(NoReveals);
    let mut pvm = snapshot(kernel);
    let (result, most) = most_allocated(|| pvm.kernel_run(engine(), &reveals));
    assert!(matches!(result, Err(PvmError::Undecided { .. })), "{what}: {result:?}");
    assert!(most <= bound, "{what}: {most} bytes are too many in the fast engine");
}

fn is_stuck_decoding(state: &TickState) -> bool {
    matches!(state, TickState::Stuck(StuckError::Decode(_) | StuckError::NoFallbackKernel(_)))
}

const MB: usize = 1 << 20;

#[test]
fn claims_beyond_the_kernel_end_in_stuck_states() {
    let huge = leb(MOST);
    let body = |rest: &[u8]| kernel(&[1, 0, 1], &[0], rest);
    let name = |length: &[u8]| [HEADER, TYPES, &section(2, &[&[1][..], length, b"smart"].concat())].concat();
    let kernels: Vec<(&str, Vec<u8>)> = vec![
        ("a type section of 4 GB", [HEADER, &[1], &huge].concat()),
        ("4 G types", [HEADER, &section(1, &huge)].concat()),
        ("4 G parameters", [HEADER, &section(1, &[&[1, 0x60][..], &huge].concat())].concat()),
        ("4 G imports", [HEADER, TYPES, &section(2, &huge)].concat()),
        ("a name of 4 GB", name(&huge)),
        ("a name of 600 bytes", name(&leb(600))),
        ("4 G functions", [HEADER, TYPES, &section(3, &huge)].concat()),
        ("4 G tables", [HEADER, &section(4, &huge)].concat()),
        ("4 G exports", [HEADER, &section(7, &huge)].concat()),
        ("4 G element segments", [HEADER, &section(9, &huge)].concat()),
        ("4 G elements", [HEADER, &section(9, &[&[1, 1, 0][..], &huge].concat())].concat()),
        ("4 G bodies", [HEADER, TYPES, FUNCTIONS, &section(10, &huge)].concat()),
        ("4 G groups of locals", kernel(&[1, 0, 1], &huge, &[])),
        ("a body of 4 GB", [HEADER, TYPES, FUNCTIONS, &section(10, &[&[1][..], &huge].concat())].concat()),
        ("4 G data segments", [HEADER, &section(11, &huge)].concat()),
        ("data of 4 GB", [HEADER, &section(11, &[&[1, 1][..], &huge].concat())].concat()),
        ("a custom section of 4 GB", [HEADER, &[0], &huge].concat()),
        ("br_table with 4 G labels", body(&[&[0x41, 0, 0x0e][..], &huge].concat())),
        ("select with 4 G types", body(&[&[0x41, 0, 0x1c][..], &huge].concat())),
        ("a LEB without an end", [HEADER, &[1], &[0x80; 40]].concat()),
        ("two groups of 4 G locals", kernel(&[1, 0, 1], &[&[2][..], &huge, &[0x7f], &huge, &[0x7f]].concat(), &[])),
    ];
    for (what, kernel) in kernels {
        let state = run(what, &kernel, 10_000, 2 * MB);
        assert!(is_stuck_decoding(&state), "{what}: {}", state.tag());
        refused(what, &kernel, 4 * MB);
    }
}

#[test]
fn many_locals_take_a_tick_each() {
    let kernel = |count: u64| kernel(&[1, 0, 1], &[&[1][..], &leb(count), &[0x7e]].concat(), &[]);
    // so many locals are allowed; a cycle is over before they are all there
    let state = run("2 G locals", &kernel(MOST / 2), 50_000, 60 * MB);
    assert!(matches!(state, TickState::Running(..)), "{}", state.tag());
    refused("2 G locals", &kernel(MOST / 2), 4 * MB);
    run("4 G locals", &kernel(MOST), 50_000, 60 * MB);
    refused("4 G locals", &kernel(MOST), 4 * MB);
}

#[test]
fn memories_cost_what_is_written() {
    // the whole address space, touched at both ends
    let module = |body: &str, limits: &str| {
        wat(&format!(
            r#"(module (memory (export "mem") {limits}) (data $d "abc")
           (func (export "kernel_run") {body}))"#
        ))
    };
    let ends = "(i64.store (i32.const 0) (i64.const 7)) (i64.store (i32.const -8) (i64.const 7))";
    let state = run("a memory of 4 GB", &module(ends, "65536"), 5_000, 3 * MB);
    assert!(matches!(state, TickState::Padding), "{}", state.tag());
    let grown = format!("(drop (memory.grow (i32.const 65535))) (drop (memory.grow (i32.const -1))) {ends}");
    let state = run("a memory grown to 4 GB", &module(&grown, "1 65536"), 5_000, 3 * MB);
    assert!(matches!(state, TickState::Padding), "{}", state.tag());
    for what in [
        "(memory.fill (i32.const 1) (i32.const 0) (i32.const -1))",
        "(memory.copy (i32.const 0) (i32.const 1) (i32.const -1))",
        "(memory.init $d (i32.const 0) (i32.const 0) (i32.const -1))",
    ] {
        let state = run(what, &module(what, "1"), 5_000, 3 * MB);
        assert!(matches!(state, TickState::Padding), "{what}: {}", state.tag());
    }
    // byte by byte, a tick at a time
    let fill = "(memory.fill (i32.const 0) (i32.const 1) (i32.const -1))";
    let state = run("filling 4 GB", &module(fill, "65536"), 50_000, 6 * MB);
    assert!(matches!(state, TickState::Running(..)));
    // more pages than there are addresses
    for limits in [&[1, 0][..], &[1, 1]] {
        let claim = [limits, &leb(MOST), &leb(MOST)[..if limits[1] == 1 { 5 } else { 0 }]].concat();
        run("a memory of 4 G pages", &kernel(&claim, &[0], &[]), 5_000, 2 * MB);
    }
}

#[test]
fn tables_are_bounded() {
    let module = |body: &str, limits: &str| {
        wat(&format!(
            r#"(module (memory (export "mem") 1) (table $t {limits} funcref) (type $f (func))
           (func (export "kernel_run") {body}))"#
        ))
    };
    // what takes too much memory at once has no successor here
    run("a table of 4 G elements", &module("", "4294967295"), 5_000, 2 * MB);
    let grow = "(drop (table.grow $t (ref.null func) (i32.const -2)))";
    run("a table grown to 4 G elements", &module(grow, "1"), 5_000, 2 * MB);
    let state = run("call_indirect 4 G", &module("(call_indirect $t (type $f) (i32.const -1))", "1"), 5_000, 2 * MB);
    assert!(matches!(state, TickState::Stuck(StuckError::Eval(_))), "{}", state.tag());
    let fill = "(table.fill $t (i32.const 0) (ref.null func) (i32.const -1))";
    let state = run("table.fill 4 G", &module(fill, "1"), 5_000, 2 * MB);
    assert!(matches!(state, TickState::Padding), "{}", state.tag());
    refused("a table of 4 G elements", &module("", "4294967295"), 4 * MB);
}

#[test]
fn nesting_has_no_limit_but_the_ticks() {
    const DEPTH: usize = 6_000;
    // block, loop and if, in turn
    let open: Vec<u8> =
        (0..DEPTH).flat_map(|level| [&[2, 0x40][..], &[3, 0x40], &[0x41, 1, 4, 0x40]][level % 3].to_vec()).collect();
    let nested = kernel(&[1, 0, 1], &[0], &[&open[..], &[1], &[0x0b; DEPTH]].concat());
    let state = run("6,000 nested blocks", &nested, 600_000, 200 * MB);
    assert!(matches!(state, TickState::Padding), "{}", state.tag());
    // never closed
    let state = run("6,000 open blocks", &kernel(&[1, 0, 1], &[0], &open), 200_000, 100 * MB);
    assert!(is_stuck_decoding(&state), "{}", state.tag());
    refused("6,000 open blocks", &kernel(&[1, 0, 1], &[0], &open), 8 * MB);
}

#[test]
fn calls_and_branches_are_bounded() {
    let endless = wat(r#"(module (memory (export "mem") 1) (func $f (export "kernel_run") (call $f)))"#);
    let state = run("calls without an end", &endless, 2_000_000, 200 * MB);
    assert!(matches!(state, TickState::Stuck(StuckError::Eval(_))), "{}", state.tag());
    let branches =
        kernel(&[1, 0, 1], &[0], &[&[2, 0x40, 0x41, 0x7f, 0x0e][..], &leb(100_000), &[0; 100_001], &[0x0b]].concat());
    let state = run("br_table with 100,000 labels", &branches, 20_000, 20 * MB);
    assert!(matches!(state, TickState::Padding), "{}", state.tag());
}

#[test]
fn inputs_of_negative_levels_are_refused() {
    let kernel = wat("(module (memory (export \"mem\") 1) (func (export \"kernel_run\")))");
    let mut pvm = Pvm::originate(Version::V5, &kernel, Parameters::SINCE_PARIS).unwrap();
    let before = pvm.state_hash().unwrap();
    for level in [-1, i32::MIN] {
        let refused = pvm.set_input(InputPlace { level: Level(level), counter: 0 }, vec![0, 1].into()).unwrap_err();
        assert_eq!(refused.to_string(), "the level of an input is out of range");
    }
    assert_eq!(pvm.state_hash().unwrap(), before);
}
