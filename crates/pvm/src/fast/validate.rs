//! Which kernels the fast engine takes: modules valid by the rules of WebAssembly 2.0 without floats, that the reference's decoder
//! accepts too (`spec/pvm.md` §5.2), with the exports a kernel needs (§5.4, §5.5). On the way it measures what bounds the run.

use crate::error::Undecided;
use wasmparser::{
    BinaryReaderError, Encoding, ExternalKind, FuncValidator, FuncValidatorAllocations, Operator, Parser, Payload,
    TypeRef, ValidPayload, Validator, ValidatorResources, WasmFeatures, WasmModuleResources,
};

/// Longest name of an import or export that the reference reads.
const MAX_NAME: usize = 512;

/// Measures of a valid kernel.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Ticks that decoding and initialising take at least.
    pub setup_at_least: u128,
    /// Ticks that decoding and initialising take at most.
    pub setup_at_most: u128,
    /// Ticks that one instruction takes at most, whatever it does to the stacks.
    pub instruction_at_most: u128,
    /// Instructions in all functions.
    pub operators: u128,
    /// Most nested calls, where that is known: no recursion, no indirect calls.
    pub call_depth: Option<u32>,
    /// Name of an export of the memory.
    pub memory: String,
}

/// The WebAssembly features that the reference's decoder and interpreter implement.
fn features() -> WasmFeatures {
    WasmFeatures::MUTABLE_GLOBAL
        | WasmFeatures::SIGN_EXTENSION
        | WasmFeatures::REFERENCE_TYPES
        | WasmFeatures::GC_TYPES
        | WasmFeatures::MULTI_VALUE
        | WasmFeatures::BULK_MEMORY
        | WasmFeatures::SIMD
}

#[derive(Default)]
struct Measures {
    imported_functions: u32,
    operators: u128,
    data_bytes: u128,
    active_data_bytes: u128,
    elements: u128,
    locals: u128,
    table_elements: u128,
    /// Largest of any function.
    stack: u128,
    nesting: u128,
    function_locals: u128,
    indirect_calls: bool,
    /// A function that may return with more operands than its results.
    surplus_return: Option<u32>,
    calls: Vec<Vec<u32>>,
    memory: Option<String>,
    kernel_run: Option<u32>,
}

fn rejected(error: BinaryReaderError) -> Undecided {
    Undecided::Module(format!("{} (at byte {})", error.message(), error.offset()))
}

/// Checks a kernel and measures it.
pub fn validate(kernel: &[u8]) -> Result<Facts, Undecided> {
    let mut validator = Validator::new_with_features(features());
    let mut allocations = FuncValidatorAllocations::default();
    let mut measures = Measures::default();
    for payload in Parser::new(0).parse_all(kernel) {
        let payload = payload.map_err(rejected)?;
        if let ValidPayload::Func(function, body) = validator.payload(&payload).map_err(rejected)? {
            let mut function = function.into_validator(std::mem::take(&mut allocations));
            measures.function(&mut function, &body).map_err(rejected)?;
            allocations = function.into_allocations();
        }
        measures.section(&payload)?;
    }
    let types = validator.types(0);
    let entry = measures.kernel_run.ok_or_else(|| Undecided::Export("there is no function 'kernel_run'".into()))?;
    if let Some(types) = types {
        let id = types.core_function_at(entry);
        if !types[id].unwrap_func().params().is_empty() {
            return Err(Undecided::Export("'kernel_run' has parameters".into()));
        }
    }
    measures.facts(kernel.len())
}

impl Measures {
    fn section(&mut self, payload: &Payload<'_>) -> Result<(), Undecided> {
        match payload {
            Payload::Version { encoding, .. } if *encoding != Encoding::Module => {
                return Err(Undecided::Module("it is a component, not a module".into()));
            }
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports() {
                    let import = import.map_err(rejected)?;
                    check_name(import.module)?;
                    check_name(import.name)?;
                    match import.ty {
                        TypeRef::Func(_) => self.imported_functions += 1,
                        _ => return Err(Undecided::Link(format!("'{}' is not imported as a function", import.name))),
                    }
                }
            }
            Payload::TableSection(section) => {
                for table in section.clone() {
                    self.table_elements += u128::from(table.map_err(rejected)?.ty.initial);
                }
            }
            Payload::ExportSection(section) => {
                for export in section.clone() {
                    let export = export.map_err(rejected)?;
                    check_name(export.name)?;
                    match export.kind {
                        ExternalKind::Memory if export.index == 0 => self.memory = Some(export.name.into()),
                        ExternalKind::Func if export.name == "kernel_run" => self.kernel_run = Some(export.index),
                        _ => {}
                    }
                }
            }
            Payload::ElementSection(section) => {
                for segment in section.clone() {
                    self.elements += match segment.map_err(rejected)?.items {
                        wasmparser::ElementItems::Functions(items) => u128::from(items.count()),
                        wasmparser::ElementItems::Expressions(_, items) => u128::from(items.count()),
                    };
                }
            }
            Payload::DataSection(section) => {
                for segment in section.clone() {
                    let segment = segment.map_err(rejected)?;
                    self.data_bytes += segment.data.len() as u128;
                    if matches!(segment.kind, wasmparser::DataKind::Active { .. }) {
                        self.active_data_bytes += segment.data.len() as u128;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn function(
        &mut self,
        validator: &mut FuncValidator<ValidatorResources>,
        body: &wasmparser::FunctionBody<'_>,
    ) -> Result<(), BinaryReaderError> {
        let mut reader = body.get_binary_reader();
        validator.read_locals(&mut reader)?;
        reader.set_features(features());
        let mut calls = Vec::new();
        while !reader.eof() {
            let offset = reader.original_position();
            let operator = reader.peek_operator(&validator.visitor(offset))?;
            if matches!(operator, Operator::Return) && returns_surplus(validator) {
                self.surplus_return = Some(validator.index());
            }
            reader.visit_operator(&mut validator.visitor(offset))??;
            self.operators += 1;
            self.stack = self.stack.max(validator.operand_stack_height().into());
            self.nesting = self.nesting.max(validator.control_stack_height().into());
            match operator {
                Operator::Call { function_index } => calls.push(function_index),
                Operator::CallIndirect { .. } => self.indirect_calls = true,
                _ => {}
            }
        }
        reader.finish_expression(&validator.visitor(reader.original_position()))?;
        let locals = u128::from(validator.len_locals());
        self.locals += locals;
        self.function_locals = self.function_locals.max(locals);
        calls.sort_unstable();
        calls.dedup();
        self.calls.push(calls);
        Ok(())
    }

    fn facts(self, kernel_length: usize) -> Result<Facts, Undecided> {
        let call_depth = if self.indirect_calls { None } else { self.longest_calls() };
        let memory = self.memory.ok_or_else(|| Undecided::Export("memory 0 is not exported".into()))?;
        if let Some(function) = self.surplus_return {
            return Err(Undecided::Module(format!("a return of function {function} leaves operands to its caller")));
        }
        // each operator is decoded in a tick and scanned in another; each byte of data is read in one tick, and stored by
        // seven instructions
        let setup_at_least = 2 * self.operators + self.data_bytes + 42 * self.active_data_bytes;
        let setup_at_most = 100
            * (kernel_length as u128
                + self.locals
                + self.data_bytes
                + self.elements
                + self.table_elements
                + self.operators
                + 100);
        let instruction_at_most = 100 + 4 * (self.stack + self.function_locals) + 8 * self.nesting;
        Ok(Facts { setup_at_least, setup_at_most, instruction_at_most, operators: self.operators, call_depth, memory })
    }

    /// Functions on the longest chain of direct calls; nothing if there is a cycle.
    fn longest_calls(&self) -> Option<u32> {
        let local = |function: u32| function.checked_sub(self.imported_functions).map(|index| index as usize);
        let count = self.calls.len();
        let mut callers_left = vec![0u32; count];
        for calls in &self.calls {
            for callee in calls.iter().filter_map(|callee| local(*callee)) {
                if let Some(left) = callers_left.get_mut(callee) {
                    *left += 1;
                }
            }
        }
        let mut depth = vec![1u32; count];
        let mut ready: Vec<usize> = (0..count).filter(|index| callers_left[*index] == 0).collect();
        let mut done = 0;
        while let Some(caller) = ready.pop() {
            done += 1;
            for callee in self.calls[caller].iter().filter_map(|callee| local(*callee)) {
                let (Some(reached), Some(left)) = (depth.get(callee).copied(), callers_left.get_mut(callee)) else {
                    continue;
                };
                depth[callee] = reached.max(depth[caller] + 1);
                *left -= 1;
                if *left == 0 {
                    ready.push(callee);
                }
            }
        }
        if done == count { depth.into_iter().max() } else { None }
    }
}

/// Whether the `return` that comes next leaves more in its block than the function's results. The reference hands all of it to
/// the caller (`spec/pvm.md` §5.6), whose own operands then lie too deep: it goes on with other ones.
fn returns_surplus(validator: &FuncValidator<ValidatorResources>) -> bool {
    let resources = validator.resources();
    let kind = resources.type_index_of_function(validator.index()).and_then(|index| resources.sub_type_at(index));
    let results = kind.map_or(0, |kind| kind.unwrap_func().results().len());
    let operands = validator.operand_stack_height() as usize;
    validator.get_control_frame(0).is_some_and(|block| !block.unreachable && operands > block.height + results)
}

fn check_name(name: &str) -> Result<(), Undecided> {
    if name.len() > MAX_NAME {
        return Err(Undecided::Module(format!("a name of {} bytes is longer than {MAX_NAME}", name.len())));
    }
    Ok(())
}
