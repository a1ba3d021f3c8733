//! Kernels made from seeds: modules of `wasm-smith`, which import nothing, and programs that do what kernels do, with calls of the
//! host. All validate, and come to an end.

use crate::hostile::leb;
use std::fmt::Write;

/// A source of numbers that is the same for the same seed (SplitMix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

/// The module with the exports of a kernel in the place of its own; nothing if it has no function without parameters.
fn as_kernel(module: &[u8]) -> Option<Vec<u8>> {
    use wasmparser::{Parser, Payload};
    let mut without_parameters = Vec::new();
    let mut entry = None;
    let mut sections = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.unwrap();
        match &payload {
            Payload::TypeSection(types) => {
                without_parameters =
                    types.clone().into_iter_err_on_gc_types().map(|ty| ty.unwrap().params().is_empty()).collect();
            }
            Payload::FunctionSection(functions) => {
                let mut types = functions.clone().into_iter().map(|ty| ty.unwrap() as usize);
                entry = types.position(|ty| without_parameters[ty]);
            }
            _ => {}
        }
        sections.extend(payload.as_section().filter(|(id, _)| *id != 7));
    }
    let exports = [&[2, 6][..], b"memory\x02\0", &[10], b"kernel_run\0", &leb(entry? as u64)].concat();
    let mut out = module[..8].to_vec();
    let mut put = |id: u8, content: &[u8]| {
        out.push(id);
        out.extend(leb(content.len() as u64));
        out.extend(content);
    };
    let mut sections = sections.into_iter().peekable();
    while let Some((id, range)) = sections.next_if(|(id, _)| *id < 7) {
        put(id, &module[range]);
    }
    put(7, &exports);
    sections.for_each(|(id, range)| put(id, &module[range]));
    Some(out)
}

/// A module of `wasm-smith`.
pub fn smith(seed: u64) -> Option<Vec<u8>> {
    let mut random = Random::new(seed);
    let size = 200 + random.below(3_000) as usize;
    let config = wasm_smith::Config {
        allow_floats: false,
        allow_start_export: random.once_in(4),
        max_imports: 0,
        min_funcs: 3,
        bulk_memory_enabled: random.once_in(2),
        canonicalize_nans: false,
        // code that traps at once shows little
        disallow_traps: !random.once_in(4),
        exceptions_enabled: false,
        extended_const_enabled: false,
        gc_enabled: false,
        max_memories: 1,
        min_memories: 1,
        max_memory32_bytes: 5 << 16,
        memory_max_size_required: true,
        max_table_elements: 200,
        table_max_size_required: true,
        max_data_segments: 4,
        max_element_segments: 4,
        max_elements: 10,
        max_funcs: 12,
        max_globals: 8,
        max_instructions: 20 + random.below(200) as usize,
        max_tables: 3,
        max_types: 12,
        memory64_enabled: false,
        memory_offset_choices: wasm_smith::MemoryOffsetChoices(95, 4, 1),
        // with them comes externref, which the fast engine leaves to the exact machine
        reference_types_enabled: random.once_in(5),
        relaxed_simd_enabled: false,
        saturating_float_to_int_enabled: false,
        simd_enabled: random.once_in(2),
        tail_call_enabled: false,
        threads_enabled: false,
        ..wasm_smith::Config::default()
    };
    let bytes: Vec<u8> = (0..size.div_ceil(8)).flat_map(|_| random.next().to_le_bytes()).collect();
    let mut module = wasm_smith::Module::new(config, &mut arbitrary::Unstructured::new(&bytes)).ok()?;
    module.ensure_termination(300).ok()?;
    as_kernel(&module.to_bytes())
}

/// A program with calls, loops, memory, tables and the host, which comes to its end unless it traps.
pub fn program(seed: u64) -> Vec<u8> {
    let text = Program::text(seed);
    if std::env::var_os("SORU_SHOW").is_some() {
        println!("{text}");
    }
    wat::parse_str(&text).unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ty {
    I32,
    I64,
    V128,
}

impl Ty {
    const fn name(self) -> &'static str {
        match self {
            Ty::I32 => "i32",
            Ty::I64 => "i64",
            Ty::V128 => "v128",
        }
    }

    const fn zero(self) -> &'static str {
        match self {
            Ty::I32 => "(i32.const 0)",
            Ty::I64 => "(i64.const 0)",
            Ty::V128 => "(v128.const i64x2 0 0)",
        }
    }
}

const HOST: &str = r#"
  (import "smart_rollup_core" "read_input" (func $read_input (param i32 i32 i32) (result i32)))
  (import "smart_rollup_core" "write_output" (func $write_output (param i32 i32) (result i32)))
  (import "smart_rollup_core" "write_debug" (func $write_debug (param i32 i32)))
  (import "smart_rollup_core" "store_has" (func $store_has (param i32 i32) (result i32)))
  (import "smart_rollup_core" "store_list_size" (func $store_list_size (param i32 i32) (result i64)))
  (import "smart_rollup_core" "store_get_nth_key" (func $store_get_nth_key (param i32 i32 i64 i32 i32) (result i32)))
  (import "smart_rollup_core" "store_delete" (func $store_delete (param i32 i32) (result i32)))
  (import "smart_rollup_core" "store_delete_value" (func $store_delete_value (param i32 i32) (result i32)))
  (import "smart_rollup_core" "store_copy" (func $store_copy (param i32 i32 i32 i32) (result i32)))
  (import "smart_rollup_core" "store_move" (func $store_move (param i32 i32 i32 i32) (result i32)))
  (import "smart_rollup_core" "store_value_size" (func $store_value_size (param i32 i32) (result i32)))
  (import "smart_rollup_core" "store_read" (func $store_read (param i32 i32 i32 i32 i32) (result i32)))
  (import "smart_rollup_core" "store_write" (func $store_write (param i32 i32 i32 i32 i32) (result i32)))
  (import "smart_rollup_core" "store_create" (func $store_create (param i32 i32 i32) (result i32)))
  (import "smart_rollup_core" "store_exists" (func $store_exists (param i32 i32) (result i32)))
  (import "smart_rollup_core" "__internal_store_get_hash" (func $store_get_hash (param i32 i32 i32 i32) (result i32)))
  (import "smart_rollup_core" "reveal_metadata" (func $reveal_metadata (param i32 i32) (result i32)))
  (import "smart_rollup_core" "reveal_preimage" (func $reveal_preimage (param i32 i32 i32 i32) (result i32)))
"#;

/// Keys, one after the other from address 1024 on, 32 bytes each.
const KEYS: [&str; 8] =
    ["/a", "/a/b", "/a/b/c", "/a/d", "/e", "/kernel/env/reboot", "/readonly/wasm_version", "/a//wrong"];

/// A function: its name, its parameters and its results.
#[derive(Clone)]
struct Function {
    name: String,
    params: Vec<Ty>,
    results: Vec<Ty>,
}

/// Writes a program. Functions call only those that come after them, and loops and calls are paid from `$fuel`.
struct Program {
    random: Random,
    out: String,
    /// Functions that may be called from where the pen is.
    callable: Vec<Function>,
    locals: Vec<Ty>,
    results: Vec<Ty>,
    /// Blocks around, and whether a branch to them needs neither a value nor payment.
    blocks: Vec<bool>,
    /// Expressions still allowed in this function.
    budget: i32,
}

impl Program {
    fn text(seed: u64) -> String {
        let mut random = Random::new(seed ^ 0x5eed);
        let fuel = 5 + random.below(60);
        let mut program = Program {
            random,
            out: String::new(),
            callable: Vec::new(),
            locals: Vec::new(),
            results: Vec::new(),
            blocks: Vec::new(),
            budget: 0,
        };
        let mut out = format!("(module {HOST}  (memory (export \"memory\") 1 4)\n");
        for (index, key) in KEYS.iter().enumerate() {
            writeln!(out, "  (data (i32.const {}) \"{key}\")", 1024 + 32 * index).unwrap();
        }
        writeln!(out, "  (data $passive \"the quick brown fox jumps over the lazy dog\")").unwrap();
        writeln!(out, "  (global $fuel (mut i32) (i32.const {fuel}))").unwrap();
        writeln!(out, "  (global $g0 (mut i32) (i32.const -7)) (global $g1 (mut i64) (i64.const 0x123456789abc))")
            .unwrap();
        writeln!(out, "  (global $g2 (mut v128) (v128.const i32x4 1 2 3 4))").unwrap();
        let count = 2 + program.random.below(5) as usize;
        let mut functions = Vec::new();
        for index in 0..count {
            functions.push(program.signature(format!("$f{index}")));
        }
        // a type for indirect calls that some functions have, and a function that certainly has it
        functions.push(Function { name: "$plain".into(), params: vec![Ty::I32], results: vec![Ty::I32] });
        writeln!(out, "  (type $plain (func (param i32) (result i32)))").unwrap();
        let names: Vec<&str> = functions.iter().map(|function| function.name.as_str()).collect();
        writeln!(out, "  (table $t 16 20 funcref) (table $u 3 9 funcref)").unwrap();
        writeln!(out, "  (elem (i32.const 1) func $plain {})", names.join(" ")).unwrap();
        writeln!(out, "  (elem $spare funcref (ref.func $plain) (ref.null func) (ref.func $f0))").unwrap();
        for index in 0..functions.len() {
            let text = program.function(&functions[index], &functions[index + 1..]);
            out.push_str(&text);
        }
        let main = Function { name: "(export \"kernel_run\")".into(), params: Vec::new(), results: Vec::new() };
        out.push_str(&program.function(&main, &functions));
        out.push_str(")\n");
        out
    }

    fn signature(&mut self, name: String) -> Function {
        let mut types = |most| {
            let count = self.random.below(most);
            (0..count).map(|_| self.random.pick(&[Ty::I32, Ty::I32, Ty::I64, Ty::V128])).collect::<Vec<_>>()
        };
        Function { name, params: types(4), results: types(4) }
    }

    fn function(&mut self, function: &Function, callable: &[Function]) -> String {
        self.out.clear();
        self.callable = callable.to_vec();
        self.results = function.results.clone();
        self.locals = function.params.clone();
        self.blocks.clear();
        self.budget = 60;
        write!(self.out, "  (func {}", function.name).unwrap();
        for ty in &function.params {
            write!(self.out, " (param {})", ty.name()).unwrap();
        }
        for ty in &function.results {
            write!(self.out, " (result {})", ty.name()).unwrap();
        }
        for ty in [Ty::I32, Ty::I32, Ty::I64, Ty::V128] {
            for _ in 0..=self.random.below(2) {
                write!(self.out, " (local {})", ty.name()).unwrap();
                self.locals.push(ty);
            }
        }
        write!(self.out, " (local $n i32)\n    (if (i32.le_s (global.get $fuel) (i32.const 0)) (then (return").unwrap();
        for ty in &self.results {
            write!(self.out, " {}", ty.zero()).unwrap();
        }
        self.out.push_str(")))\n    (global.set $fuel (i32.sub (global.get $fuel) (i32.const 1)))\n");
        for _ in 0..2 + self.random.below(6) {
            self.out.push_str("    ");
            self.statement(3);
            self.out.push('\n');
        }
        self.values(function.results.clone());
        self.out.push_str(")\n");
        std::mem::take(&mut self.out)
    }

    fn values(&mut self, types: Vec<Ty>) {
        for ty in types {
            self.out.push(' ');
            self.expr(ty, 2);
        }
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// An address that is almost always inside the memory.
    fn address(&mut self) {
        if self.random.once_in(60) {
            return self.expr(Ty::I32, 1);
        }
        let mask = self.random.pick(&[0xff, 0x7ff, 0xfff8, 0xffff]);
        self.put("(i32.and ");
        self.expr(Ty::I32, 1);
        write!(self.out, " (i32.const {mask}))").unwrap();
    }

    /// A number below `bound`, a power of two.
    fn small(&mut self, bound: u32) {
        self.put("(i32.and ");
        self.expr(Ty::I32, 1);
        write!(self.out, " (i32.const {}))", bound - 1).unwrap();
    }

    /// Address and length of a key.
    fn key(&mut self) {
        let index = self.random.below(KEYS.len() as u64) as usize;
        let length = if self.random.once_in(20) { 300 } else { KEYS[index].len() };
        write!(self.out, "(i32.const {}) (i32.const {length}) ", 1024 + 32 * index).unwrap();
    }

    /// A call of the host; leaves an `i32`.
    fn host(&mut self) {
        match self.random.below(18) {
            0 => {
                self.put("(call $read_input ");
                self.address();
                self.put(" (i32.const 2048) (i32.const 100))");
            }
            1 => {
                self.put("(call $write_output (i32.const 2048) ");
                self.small(64);
                self.put(")");
            }
            2 => self.put("(call $write_debug (i32.const 2048) (i32.const 5)) (i32.const 3)"),
            3 => {
                self.put("(i32.wrap_i64 (call $store_list_size ");
                self.key();
                self.put("))");
            }
            4 => {
                self.put("(call $store_get_nth_key ");
                self.key();
                self.put("(i64.const 0) (i32.const 3000) (i32.const 10))");
            }
            5 => {
                self.put("(call $store_read ");
                self.key();
                self.small(8);
                self.put(" (i32.const 2100) ");
                self.small(64);
                self.put(")");
            }
            6 => {
                let name = self.random.pick(&["$store_copy", "$store_move"]);
                write!(self.out, "(call {name} ").unwrap();
                self.key();
                self.key();
                self.put(")");
            }
            7 => {
                self.put("(call $store_get_hash ");
                self.key();
                self.put("(i32.const 2200) (i32.const 32))");
            }
            8 => {
                self.put("(call $store_create ");
                self.key();
                self.small(2048);
                self.put(")");
            }
            9 if self.random.once_in(3) => self.put("(call $reveal_metadata (i32.const 2300) (i32.const 24))"),
            10 if self.random.once_in(3) => {
                self.put("(call $reveal_preimage (i32.const 40000) (i32.const 33) (i32.const 2400) (i32.const 64))");
            }
            11 => {
                let name = self.random.pick(&["$store_delete", "$store_delete_value"]);
                write!(self.out, "(call {name} ").unwrap();
                self.key();
                self.put(")");
            }
            12 => {
                let name = self.random.pick(&["$store_has", "$store_exists", "$store_value_size"]);
                write!(self.out, "(call {name} ").unwrap();
                self.key();
                self.put(")");
            }
            _ => {
                self.put("(call $store_write ");
                self.key();
                self.small(8);
                self.put(" (i32.const 2048) ");
                self.small(64);
                self.put(")");
            }
        }
    }

    fn call(&mut self, function: &Function) {
        write!(self.out, "(call {}", function.name).unwrap();
        self.values(function.params.clone());
        self.put(")");
    }

    fn local(&mut self, ty: Ty) -> usize {
        let of_type: Vec<usize> = (0..self.locals.len()).filter(|index| self.locals[*index] == ty).collect();
        self.random.pick(&of_type)
    }

    fn leaf(&mut self, ty: Ty) {
        match (self.random.below(3), ty) {
            (0, Ty::I32) => self.put("(global.get $g0)"),
            (0, Ty::I64) => self.put("(global.get $g1)"),
            (0, Ty::V128) => self.put("(global.get $g2)"),
            (1, Ty::I32) => {
                let value = self.random.pick(&[0, 1, -1, 7, 255, 256, 65535, i32::MAX, i32::MIN]);
                write!(self.out, "(i32.const {value})").unwrap();
            }
            (1, Ty::I64) => {
                let value = self.random.pick(&[0, 1, -1, 64, 0x8000_0000, i64::MAX, i64::MIN, 0x1234_5678_9abc_def0]);
                write!(self.out, "(i64.const {value})").unwrap();
            }
            (1, Ty::V128) => {
                let (a, b) = (self.random.next() as i64, self.random.next() as i64);
                write!(self.out, "(v128.const i64x2 {a} {b})").unwrap();
            }
            _ => {
                let local = self.local(ty);
                write!(self.out, "(local.get {local})").unwrap();
            }
        }
    }

    fn operate(&mut self, operator: &str, operands: &[Ty], depth: u32) {
        write!(self.out, "({operator}").unwrap();
        for ty in operands {
            self.put(" ");
            self.expr(*ty, depth);
        }
        self.put(")");
    }

    /// An expression that leaves one value.
    fn expr(&mut self, ty: Ty, depth: u32) {
        self.budget -= 1;
        if depth == 0 || self.budget <= 0 || self.random.once_in(4) {
            return self.leaf(ty);
        }
        let depth = depth - 1;
        match self.random.below(12) {
            0 => {
                match self.random.once_in(2) {
                    true => write!(self.out, "(select (result {}) ", ty.name()).unwrap(),
                    false => self.put("(select "),
                }
                self.expr(ty, depth);
                self.put(" ");
                self.expr(ty, depth);
                self.put(" ");
                self.expr(Ty::I32, depth);
                self.put(")");
            }
            1 => {
                write!(self.out, "(if (result {}) ", ty.name()).unwrap();
                self.expr(Ty::I32, depth);
                self.blocks.push(false);
                self.put(" (then ");
                self.statement(depth);
                self.expr(ty, depth);
                self.put(") (else ");
                self.expr(ty, depth);
                self.put("))");
                self.blocks.pop();
            }
            2 => {
                // a branch out of the block, with its value and some more below it
                write!(self.out, "(block (result {}) ", ty.name()).unwrap();
                self.blocks.push(false);
                self.expr(Ty::I64, depth);
                self.put(" (drop (br_if 0 ");
                self.expr(ty, depth);
                self.put(" ");
                self.expr(Ty::I32, depth);
                self.put(")) drop ");
                self.expr(ty, depth);
                self.blocks.pop();
                self.put(")");
            }
            3 => {
                let local = self.local(ty);
                write!(self.out, "(local.tee {local} ").unwrap();
                self.expr(ty, depth);
                self.put(")");
            }
            4 => {
                let fitting: Vec<Function> =
                    self.callable.iter().filter(|function| function.results == [ty]).cloned().collect();
                if fitting.is_empty() {
                    return self.operation(ty, depth);
                }
                let index = self.random.below(fitting.len() as u64) as usize;
                self.call(&fitting[index]);
            }
            5 if ty == Ty::I32 => self.host(),
            6 if ty == Ty::I32 && self.random.once_in(2) => {
                self.put("(call_indirect $t (type $plain) ");
                self.expr(Ty::I32, depth);
                let index = if self.random.once_in(20) {
                    "(i32.and (global.get $fuel) (i32.const 7))"
                } else {
                    "(i32.const 1)"
                };
                write!(self.out, " {index})").unwrap();
            }
            _ => self.operation(ty, depth),
        }
    }

    fn operation(&mut self, ty: Ty, depth: u32) {
        let name = ty.name();
        match ty {
            Ty::I32 | Ty::I64 => match self.random.below(10) {
                0 => {
                    let width = if ty == Ty::I32 { "8_s" } else { "32_s" };
                    let op = self.random.pick(&["clz", "ctz", "popcnt", "extend8_s", "extend16_s"]);
                    let op = if self.random.once_in(4) { format!("extend{width}") } else { op.to_owned() };
                    self.operate(&format!("{name}.{op}"), &[ty], depth);
                }
                1 => {
                    let op = self.random.pick(&["load", "load8_u", "load8_s", "load16_s", "load16_u"]);
                    let offset = self.random.pick(&[0, 1, 8, 500]);
                    write!(self.out, "({name}.{op} offset={offset} ").unwrap();
                    self.address();
                    self.put(")");
                }
                2 if ty == Ty::I32 => {
                    let of = self.random.pick(&[Ty::I32, Ty::I64]);
                    let op =
                        self.random.pick(&["eq", "ne", "lt_s", "lt_u", "gt_s", "gt_u", "le_s", "le_u", "ge_s", "ge_u"]);
                    self.operate(&format!("{}.{op}", of.name()), &[of, of], depth);
                }
                3 if ty == Ty::I32 => match self.random.below(8) {
                    0 => self.put("(memory.size)"),
                    1 => self.put("(memory.grow (i32.const 1))"),
                    2 => self.put("(table.size $t)"),
                    3 => self.put("(table.grow $u (ref.null func) (i32.const 1))"),
                    4 => {
                        self.put("(ref.is_null (table.get $t ");
                        self.small(8);
                        self.put("))");
                    }
                    5 => self.operate("i32.eqz", &[Ty::I32], depth),
                    6 => self.operate("i64.eqz", &[Ty::I64], depth),
                    _ => self.operate("i32.wrap_i64", &[Ty::I64], depth),
                },
                4 if ty == Ty::I32 => {
                    let op = self.random.pick(&[
                        "i32x4.extract_lane 2",
                        "i8x16.extract_lane_s 15",
                        "i16x8.extract_lane_u 3",
                        "i8x16.bitmask",
                        "v128.any_true",
                        "i32x4.all_true",
                    ]);
                    self.operate(op, &[Ty::V128], depth);
                }
                2 | 3 if ty == Ty::I64 => {
                    let op = self.random.pick(&["i64.extend_i32_s", "i64.extend_i32_u"]);
                    self.operate(op, &[Ty::I32], depth);
                }
                4 => self.operate("i64x2.extract_lane 1", &[Ty::V128], depth),
                5 => {
                    // a divisor that is seldom zero
                    let op = self.random.pick(&["div_s", "div_u", "rem_s", "rem_u"]);
                    write!(self.out, "({name}.{op} ").unwrap();
                    self.expr(ty, depth);
                    let bit = if self.random.once_in(30) { 0 } else { 4 };
                    write!(self.out, " ({name}.or ({name}.const {bit}) ").unwrap();
                    self.expr(ty, depth);
                    self.put("))");
                }
                _ => {
                    let op = self
                        .random
                        .pick(&["add", "sub", "mul", "and", "or", "xor", "shl", "shr_s", "shr_u", "rotl", "rotr"]);
                    self.operate(&format!("{name}.{op}"), &[ty, ty], depth);
                }
            },
            Ty::V128 => match self.random.below(6) {
                0 => {
                    let op =
                        self.random.pick(&["v128.load", "v128.load8x8_s", "v128.load32_splat", "v128.load64_zero"]);
                    write!(self.out, "({op} ").unwrap();
                    self.address();
                    self.put(")");
                }
                1 => self.operate("i32x4.splat", &[Ty::I32], depth),
                2 => self.operate("i64x2.replace_lane 0", &[Ty::V128, Ty::I64], depth),
                3 => self.operate("i16x8.shl", &[Ty::V128, Ty::I32], depth),
                4 => self.operate("v128.bitselect", &[Ty::V128, Ty::V128, Ty::V128], depth),
                _ => {
                    let op = self.random.pick(&[
                        "i8x16.add",
                        "i16x8.mul",
                        "i32x4.sub",
                        "i64x2.mul",
                        "v128.xor",
                        "i8x16.swizzle",
                        "i16x8.extmul_low_i8x16_s",
                        "i8x16.narrow_i16x8_u",
                        "i32x4.dot_i16x8_s",
                        "i8x16.avgr_u",
                        "i16x8.le_s",
                    ]);
                    self.operate(op, &[Ty::V128, Ty::V128], depth);
                }
            },
        }
    }

    fn store(&mut self, depth: u32) {
        let (op, ty) = self.random.pick(&[
            ("i32.store", Ty::I32),
            ("i32.store8", Ty::I32),
            ("i32.store16", Ty::I32),
            ("i64.store", Ty::I64),
            ("i64.store32", Ty::I64),
            ("v128.store", Ty::V128),
        ]);
        let offset = self.random.pick(&[0, 3, 2048]);
        write!(self.out, "({op} offset={offset} ").unwrap();
        self.address();
        self.put(" ");
        self.expr(ty, depth);
        self.put(")");
    }

    /// A statement that leaves nothing.
    fn statement(&mut self, depth: u32) {
        self.budget -= 1;
        if depth == 0 || self.budget <= 0 {
            return self.put("(nop) ");
        }
        let depth = depth - 1;
        match self.random.below(22) {
            0 | 1 => self.store(depth + 1),
            2 => {
                let (global, ty) = self.random.pick(&[("$g0", Ty::I32), ("$g1", Ty::I64), ("$g2", Ty::V128)]);
                write!(self.out, "(global.set {global} ").unwrap();
                self.expr(ty, depth + 1);
                self.put(")");
            }
            3 | 4 => {
                self.put("(drop ");
                self.host();
                self.put(")");
            }
            5 | 6 => {
                // a loop with a counter, paid from the fuel
                let turns = 1 + self.random.below(4);
                write!(self.out, "(local.set $n (i32.const {turns})) (loop ").unwrap();
                self.blocks.push(false);
                self.statement(depth);
                self.statement(depth);
                self.blocks.pop();
                self.put(" (global.set $fuel (i32.sub (global.get $fuel) (i32.const 1)))");
                self.put(" (local.set $n (i32.sub (local.get $n) (i32.const 1)))");
                self.put(" (br_if 0 (i32.and (i32.gt_s (local.get $n) (i32.const 0))");
                self.put(" (i32.gt_s (global.get $fuel) (i32.const 0)))))");
            }
            7 | 8 => {
                self.put("(if ");
                self.expr(Ty::I32, depth + 1);
                self.blocks.push(true);
                self.put(" (then ");
                self.statement(depth);
                self.put(")");
                if self.random.once_in(2) {
                    self.put(" (else ");
                    self.statement(depth);
                    self.put(")");
                }
                self.blocks.pop();
                self.put(")");
            }
            9 => {
                self.put("(block (block (block (br_table 0 1 2 1 ");
                self.small(8);
                self.put("))");
                self.blocks.extend([true, true]);
                self.statement(depth);
                self.blocks.pop();
                self.put(") ");
                self.statement(depth);
                self.blocks.pop();
                self.put(")");
            }
            10 | 11 if !self.callable.is_empty() => {
                // all results, dropped or kept
                let index = self.random.below(self.callable.len() as u64) as usize;
                let function = self.callable[index].clone();
                self.call(&function);
                for ty in function.results.iter().rev() {
                    let local = self.local(*ty);
                    if self.random.once_in(2) {
                        write!(self.out, " (local.set {local})").unwrap();
                    } else {
                        self.put(" (drop)");
                    }
                }
            }
            12 => {
                self.put("(memory.copy ");
                self.address();
                self.put(" ");
                self.address();
                self.put(" ");
                self.small(8);
                self.put(")");
            }
            13 => {
                self.put("(memory.fill ");
                self.address();
                self.put(" ");
                self.expr(Ty::I32, depth);
                self.put(" ");
                self.small(8);
                self.put(")");
            }
            14 => {
                self.put("(memory.init $passive ");
                self.address();
                self.put(" ");
                self.small(32);
                self.put(" ");
                self.small(8);
                self.put(")");
                if self.random.once_in(6) {
                    self.put(" (data.drop $passive)");
                }
            }
            15 => match self.random.below(5) {
                0 => self.put("(table.set $t (i32.const 7) (ref.func $plain))"),
                1 => self.put("(table.copy $t $u (i32.const 5) (i32.const 1) (i32.const 2))"),
                2 => self.put("(table.copy $t $t (i32.const 4) (i32.const 3) (i32.const 3))"),
                3 => self.put("(table.fill $u (i32.const 0) (ref.null func) (i32.const 2))"),
                _ => {
                    self.put("(table.init $u $spare (i32.const 0) (i32.const 0) (i32.const 3))");
                    if self.random.once_in(2) {
                        self.put(" (elem.drop $spare)");
                    }
                }
            },
            16 if self.random.once_in(8) => {
                // with an operand too many below the results
                self.put("(i32.const 99) (return");
                self.values(self.results.clone());
                self.put(")");
            }
            17 => {
                let open: Vec<usize> = (0..self.blocks.len()).filter(|at| self.blocks[*at]).collect();
                if open.is_empty() {
                    return self.put("(nop) ");
                }
                let to = self.blocks.len() - 1 - self.random.pick(&open);
                write!(self.out, "(br_if {to} ").unwrap();
                self.expr(Ty::I32, depth);
                self.put(")");
            }
            18 if self.random.once_in(60) => self.put("(unreachable)"),
            _ => {
                let ty = self.random.pick(&[Ty::I32, Ty::I64, Ty::V128]);
                let local = self.local(ty);
                write!(self.out, "(local.set {local} ").unwrap();
                self.expr(ty, depth + 1);
                self.put(")");
            }
        }
    }
}
