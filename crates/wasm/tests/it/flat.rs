//! Many ticks at once come to the very state that as many single steps come to, wherever they end.

use soru_merkle::containers::{ChunkedBytes, Text, Vector};
use soru_wasm::eval::state::Reveal;
use soru_wasm::exception::{StepError, Stepped};
use soru_wasm::flat::Flat;
use soru_wasm::host::{CallerMemory, Host, HostResult};
use soru_wasm::instance::HostFunction;
use soru_wasm::machine::{Next, Running};
use soru_wasm::types::{FuncType, Num, Value, ValueType};

/// Functions with different numbers of parameters and results, which cost ticks and touch memory.
#[derive(Clone, Default)]
struct Functions;

impl Host for Functions {
    fn import(&self, item: &[u8]) -> Option<HostFunction> {
        let (params, results) = match item {
            b"sum" => (4, 1),
            b"nothing" => (0, 0),
            b"drop" => (3, 0),
            b"new" | b"fail" | b"reveal" => (0, 1),
            _ => return None,
        };
        let types = |count| Vector::from_list(vec![ValueType::I32; count]);
        let kind = FuncType { params: types(params), results: types(results) };
        Some(HostFunction { kind, name: Text::from(item.to_vec()) })
    }

    fn call(&mut self, name: &[u8], arguments: &[Value], memory: &mut CallerMemory<'_>) -> Stepped<HostResult> {
        let numbers: Vec<i32> = arguments
            .iter()
            .map(|value| match value {
                Value::Num(Num::I32(value)) => *value,
                other => panic!("{other:?}"),
            })
            .collect();
        let sum = numbers.iter().fold(0, |sum: i32, number| sum.wrapping_mul(31).wrapping_add(*number));
        let mut bytes = [0; 4];
        memory.read(600, &mut bytes)?;
        let (results, ticks) = match name {
            b"sum" => {
                memory.write(510, &sum.to_le_bytes())?;
                (vec![Value::i32(sum)], 5)
            }
            b"nothing" => (vec![], 0),
            b"drop" => (vec![], i64::from(sum & 31)),
            b"new" => (vec![Value::i32(i32::from_le_bytes(bytes) + 1)], 1),
            b"fail" => return Err(StepError::message("as asked")),
            b"reveal" => return Ok(HostResult::Reveal { request: Reveal::Metadata(()), base: 8, max_bytes: 9 }),
            _ => return Err(StepError::unknown("Not_found")),
        };
        Ok(HostResult::Done { results, ticks })
    }
}

const LIMIT: i32 = 300;

fn single(running: Running, kernel: &ChunkedBytes) -> Result<Running, String> {
    match running.step(&mut Functions, LIMIT, || Ok(kernel.clone())) {
        Ok(Next::Running(next) | Next::Started(next)) => Ok(next),
        Ok(other) => Err(format!("{other:?}").chars().take(12).collect()),
        Err(error) => Err(error.to_string()),
    }
}

fn hash(running: &Running) -> String {
    running.write().unwrap().hash().unwrap().to_string()
}

/// Numbers that look as if drawn by lot.
fn lot(seed: &mut u64, below: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % below
}

/// A module at the first tick of its evaluation, or of that of its initialisation.
fn started(wat: &str, phase: &str) -> Running {
    let kernel = ChunkedBytes::from_bytes(&wat::parse_str(wat).unwrap());
    let mut running = Running::initial();
    while !(running.is_underway() && running.tag() == phase) {
        running = single(running, &kernel).unwrap();
    }
    running
}

/// Compares the states of an evaluation after `n` ticks for many `n`, and in several pieces, with those of single steps.
fn agree(wat: &str, most: u64, tries: u64) {
    assert!(agree_from(started(wat, "eval"), most, tries) > 0, "nothing was executed in flat mode");
}

/// The same from any state. Gives the number of ticks executed in flat mode.
fn agree_from(start: Running, most: u64, tries: u64) -> u64 {
    let none = ChunkedBytes::allocate(0);
    let mut states = vec![start.clone()];
    let mut end = None;
    while (states.len() as u64) <= most {
        let last = states.last().unwrap();
        if !last.is_underway() {
            break;
        }
        match single(last.clone(), &none) {
            Ok(next) => states.push(next),
            Err(error) => {
                end = Some(error);
                break;
            }
        }
    }
    let ticks = states.len() as u64 - 1;
    let mut seed = ticks;
    let (mut made_at_all, mut unfolded) = (0, 0);
    let mut check = |from: u64, running: Running, pieces: u64| {
        let flat = &mut Flat::default();
        let (mut running, mut at, mut executed) = (running, from, 0);
        for _ in 0..pieces {
            let (before, want) = (at, 1 + lot(&mut seed, ticks.min(2 * (ticks - at)) + 70));
            let (made, next) = running.advance(flat, &mut Functions, want);
            at += made;
            (made_at_all, unfolded) = (
                made_at_all + made,
                unfolded + std::mem::replace(&mut executed, flat.executed()).abs_diff(flat.executed()),
            );
            match next {
                Ok(next) => {
                    let expected = &states[at as usize];
                    assert!(made == want || !expected.is_underway(), "{made} of {want} ticks were made from {before}");
                    assert_eq!(
                        hash(&next),
                        hash(expected),
                        "after {want} ticks from {before}\n{next:#?}\n{expected:#?}"
                    );
                    running = next;
                    if !running.is_underway() {
                        return;
                    }
                }
                Err(error) => {
                    assert_eq!(at, ticks, "{error} comes too early");
                    assert_eq!(Some(error.to_string()), end);
                    return;
                }
            }
        }
    };
    for _ in 0..tries {
        check(0, start.clone(), 4);
    }
    // from states in the middle of whatever, as they are read from their tree
    for number in 0..tries {
        let from = (number * 7919) % (ticks + 1);
        let state = &states[from as usize];
        if state.is_underway() {
            let read = Running::read(state.tag(), &state.write().unwrap()).unwrap().unwrap();
            check(from, read, 3);
        }
    }
    println!("{ticks} ticks, then {end:?}; {unfolded} of {made_at_all} in flat mode");
    unfolded
}

#[test]
fn arithmetic_and_stores() {
    agree(
        r#"(module (memory (export "mem") 1) (func (export "kernel_run") (local $i i32) (local $j i64)
          (loop $again
            (i32.store (i32.and (local.get $i) (i32.const 0xfffc)) (i32.mul (local.get $i) (i32.const 7)))
            (i64.store16 offset=509 (local.get $i) (local.tee $j (i64.add (local.get $j) (i64.const 0x123456789))))
            (i32.store8 offset=3 (i32.shl (local.get $i) (i32.const 7)) (i32.load16_s offset=507 (local.get $i)))
            (br_if $again (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 70))))))"#,
        20_000,
        25,
    );
}

#[test]
fn blocks_and_branches() {
    agree(
        r#"(module (memory (export "mem") 1) (global $g (mut i32) (i32.const 5)) (global $h i64 (i64.const 7))
        (func (export "kernel_run") (local $i i32)
          (i32.const 11) (i64.const 12)
          (block $out (result i32)
            (i32.const 3)
            (loop $again
              (block (block (block (br_table 0 1 2 (i32.rem_u (local.get $i) (i32.const 5))))
                (global.set $g (i32.add (global.get $g) (local.get $i))))
                (drop (i64.add (global.get $h) (i64.extend_i32_u (local.get $i)))))
              (if (i32.and (local.get $i) (i32.const 1))
                (then (local.set $i (i32.add (local.get $i) (i32.const 3))))
                (else (local.set $i (i32.add (local.get $i) (i32.const 1)))))
              (drop (block (result i32) (i32.const 9) (i32.const 8) (br_if 0 (i32.eqz (local.get $i))) (drop)))
              (br_if $out (i32.const 4) (i32.gt_u (local.get $i) (i32.const 60)))
              (drop)
              (br_if $again (i32.lt_u (local.get $i) (i32.const 70))))
            (drop) (i32.const 1))
          (drop) (drop) (drop)))"#,
        20_000,
        30,
    );
}

#[test]
fn calls_and_surplus_values() {
    agree(
        r#"(module (memory (export "mem") 1) (table 4 funcref) (elem (i32.const 0) $fib $early $two $early)
        (type $unary (func (param i32) (result i32)))
        (func $fib (type $unary) (local i64 i32)
          (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
            (then (local.get 0))
            (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                           (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
        (func $early (type $unary)
          (i32.const 4) (i64.const 5)
          (block (i32.const 6) (return (i32.add (local.get 0) (i32.const 1))))
          (drop) (drop) (i32.const 7))
        (func $two (param i32 i64 i32) (result i64 i32)
          (local.set 0 (i32.const 1))
          (block (br_if 1 (local.get 1) (local.get 0) (local.get 2)) (drop) (drop))
          (local.get 1) (i32.const 77))
        (func (export "kernel_run") (local $i i32)
          (i32.const 1)
          (loop $again
            (drop (call $fib (i32.const 5)))
            (call $two (local.get $i) (i64.const 3) (i32.and (local.get $i) (i32.const 1)))
            (drop) (drop)
            (i32.add (i32.const 5) (call_indirect (type $unary) (i32.const 3) (i32.and (local.get $i) (i32.const 1))))
            (i32.add (call $early (i32.const 8))) (drop)
            (br_if $again (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 5))))
          (drop)))"#,
        30_000,
        30,
    );
}

#[test]
fn host_functions_leave_bindings_behind() {
    agree(
        r#"(module
        (import "smart_rollup_core" "sum" (func $sum (param i32 i32 i32 i32) (result i32)))
        (import "smart_rollup_core" "nothing" (func $nothing))
        (import "smart_rollup_core" "drop" (func $drop (param i32 i32 i32)))
        (import "smart_rollup_core" "new" (func $new (result i32)))
        (memory (export "mem") 1)
        (func (export "kernel_run") (local $i i32)
          (i32.const 1) (i32.const 2)
          (loop $again
            (call $nothing)
            (i32.store offset=600 (i32.const 0) (call $new))
            (call $sum (i32.const 1) (call $sum (local.get $i) (i32.const 4) (i32.const 5) (i32.const 6)) (i32.const 3) (call $new))
            (block (i32.const 5) (block (call $drop (i32.const 9) (local.get $i) (i32.const 8))) (drop))
            (i32.const 3) (i32.const 4)
            (block (br_if 0 (i32.and (local.get $i) (i32.const 1))) (call $drop (i32.const 9) (call $new) (i32.const 8)))
            (drop) (drop) (drop)
            (br_if $again (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 12))))
          (drop) (drop)))"#,
        20_000,
        30,
    );
}

#[test]
fn host_functions_that_do_not_return() {
    for name in ["fail", "reveal"] {
        let wat = format!(
            r#"(module
            (import "smart_rollup_core" "{name}" (func $end (result i32)))
            (memory (export "mem") 1)
            (func (export "kernel_run") (local $i i32)
              (loop $again
                (i32.store8 (local.get $i) (i32.const 1))
                (br_if $again (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 50))) (i32.const 600))))
              (i32.const 1) (drop (call $end)) (drop)))"#
        );
        agree(&wat, 20_000, 20);
    }
}

#[test]
fn ranges_of_memory() {
    agree(
        r#"(module (memory (export "mem") 2) (data $d "0123456789abcdef")
        (func (export "kernel_run")
          (i32.const 1)
          (memory.fill (i32.const 500) (i32.const 0x1234) (i32.const 20))
          (memory.init $d (i32.const 65530) (i32.const 3) (i32.const 9))
          (memory.copy (i32.const 40) (i32.const 505) (i32.const 30))
          (memory.copy (i32.const 510) (i32.const 500) (i32.const 25))
          (memory.copy (i32.const 500) (i32.const 510) (i32.const 25))
          (memory.fill (i32.const 131072) (i32.const 1) (i32.const 0))
          (memory.copy (i32.const 131072) (i32.const 131072) (i32.const 0))
          (drop (memory.grow (i32.const 1))) (drop (memory.size))
          (drop (i32.load offset=65535 (i32.const 1)))
          (drop)))"#,
        20_000,
        30,
    );
}

#[test]
fn operands_of_blocks_and_vectors() {
    agree(
        r#"(module (memory (export "mem") 1) (table $t 3 funcref) (elem declare func $f)
        (func $f (param i32 i64) (result i64 i32) (local v128 funcref externref)
          (local.get 1) (local.get 0)
          (block (param i64 i32) (result i64 i32)
            (loop $l (param i64 i32) (result i64 i32)
              (local.set 0) (local.set 1)
              (i64.add (local.get 1) (i64.const 1)) (i32.sub (local.get 0) (i32.const 1))
              (br_if $l (local.get 0)))))
        (func (export "kernel_run") (local $i i32) (local $v v128)
          (loop $again
            (call $f (i32.const 4) (i64.const 9)) (drop) (drop)
            (local.set $v (i32x4.add (local.get $v) (i32x4.splat (local.get $i))))
            (v128.store (i32.const 508) (local.get $v))
            (drop (i32x4.extract_lane 2 (v128.load (i32.const 510))))
            (table.set $t (i32.const 1) (ref.func $f))
            (drop (ref.is_null (table.get $t (i32.const 1))))
            (drop (select (i32.const 1) (i32.const 2) (local.get $i)))
            (br_if $again (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 6))))))"#,
        20_000,
        25,
    );
}

#[test]
fn initialisation() {
    let start = started(
        r#"(module (memory (export "mem") 2) (table 20 funcref) (global $g (mut i32) (i32.const 0))
        (func $start (loop $again (global.set $g (i32.add (global.get $g) (i32.const 3)))
          (br_if $again (i32.lt_u (global.get $g) (i32.const 40)))))
        (elem (i32.const 2) $start $start $start $start $start $start $start $start $start)
        (elem declare func $start)
        (data (i32.const 505) "what is written here crosses the end of a chunk")
        (data (i32.const 65530) "and this that of a page")
        (start $start)
        (func (export "kernel_run")))"#,
        "init",
    );
    assert!(agree_from(start, 20_000, 25) > 0);
    let beyond =
        r#"(module (memory (export "mem") 1) (data (i32.const 65530) "too long") (func (export "kernel_run")))"#;
    agree_from(started(beyond, "init"), 1000, 4);
}

#[test]
fn traps_and_crashes() {
    let body = |code: &str| {
        format!(
            r#"(module (memory (export "mem") 1) (table 2 funcref) (elem (i32.const 0) $f)
            (func $f (param i32) (i32.const 2) (drop) {code})
            (func $deep (call $deep))
            (func (export "kernel_run") (local $i i32)
              (loop $again
                (br_if $again (i32.ne (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 30))))
              (i32.const 5) (call $f (i32.const 0)) (drop)))"#
        )
    };
    for code in [
        "unreachable",
        "(drop (i32.load (i32.const 65533)))",
        "(i64.store offset=0xffffffff (i32.const 65533) (i64.const 1))",
        "(drop (i32.div_s (i32.const 1) (local.get 0)))",
        "(drop (i64.rem_u (i64.const 1) (i64.const 0)))",
        "(memory.fill (i32.const 65530) (i32.const 1) (i32.const 7))",
        "(call_indirect (i32.const 0))",
        "(call_indirect (param i32) (i32.const 0) (i32.const 1))",
        "(call_indirect (param i32) (i32.const 0) (i32.const 2))",
        "(call $deep)",
    ] {
        agree(&body(code), 20_000, 5);
    }
}
