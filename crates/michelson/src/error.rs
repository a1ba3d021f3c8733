//! What can go wrong with a script, carrying the protocol's own error ids (`spec/protocol.md` §9, Appendix A).

use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use soru_tezos::contract::{Contract, Destination, Entrypoint};
use soru_tezos::hash::ContractHash;
use soru_tezos::micheline::{Micheline, Prim};
use soru_tezos::scalar::Mutez;

/// The number of a node of an expression in prefix order.
pub type Location = u32;

/// A script or one of its values was refused, or its execution failed: the trace, outermost problem first.
#[derive(Debug, Clone, PartialEq)]
pub struct ScriptError {
    /// The problems; never empty.
    pub trace: Vec<Problem>,
}

/// The result of everything that works on scripts.
pub type Result<T, E = ScriptError> = std::result::Result<T, E>;

/// How long an error lasts: the `kind` of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// May be gone in another state of the chain.
    Temporary,
    /// Will never be otherwise.
    Permanent,
    /// May be gone on another branch of the chain.
    Branch,
}

/// The contents of a stack, from the top, as types.
pub type StackTypes = Vec<Micheline>;

/// The stacks before and after an instruction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TypeMapEntry {
    /// The instruction.
    pub location: Location,
    /// What it finds.
    pub stack_before: StackTypes,
    /// What it leaves; nothing when it always fails.
    pub stack_after: StackTypes,
}

/// One problem of a trace.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)]
pub enum Problem {
    // while running
    RuntimeError {
        contract: ContractHash,
    },
    ScriptRejected {
        location: Location,
        with: Micheline,
    },
    ScriptOverflow {
        location: Location,
    },
    GasExhausted,
    BadContractParameter {
        contract: Contract,
    },
    CannotSerializeStorage,
    ForbiddenZeroTicket,
    MutezAddition {
        a: Mutez,
        b: Mutez,
    },
    MutezSubtraction {
        a: Mutez,
        b: Mutez,
    },
    MutezMultiplication {
        a: Mutez,
        b: i64,
    },
    RollupAmount,
    RollupEntrypoint,
    TooManyOperations,
    UnparsingTooDeep,
    // of a contract as a whole
    IllTypedContract {
        code: Micheline,
        /// What was known of the stacks, when that was asked for.
        type_map: Vec<TypeMapEntry>,
    },
    IllTypedData {
        expected_type: Micheline,
        expression: Micheline,
    },
    IllFormedType {
        /// Of which part of a script it is the type.
        identifier: Option<&'static str>,
        expression: Micheline,
        location: Location,
    },
    MissingScriptField {
        prim: Prim,
    },
    DuplicateScriptField {
        location: Location,
        prim: Prim,
    },
    NoSuchEntrypoint {
        entrypoint: Entrypoint,
    },
    DuplicateEntrypoint {
        entrypoint: Entrypoint,
    },
    UnreachableEntrypoint {
        path: Vec<Prim>,
    },
    // of syntax
    InvalidArity {
        location: Location,
        prim: Prim,
        expected: usize,
        given: usize,
    },
    InvalidSequenceArity {
        location: Location,
        expected: usize,
        given: usize,
    },
    InvalidPrimitive {
        location: Location,
        expected: Vec<Prim>,
        given: Prim,
    },
    InvalidNamespace {
        location: Location,
        prim: Prim,
        expected: &'static str,
        given: &'static str,
    },
    InvalidExpressionKind {
        location: Location,
        expected: Vec<&'static str>,
        given: &'static str,
    },
    InvalidConstant {
        location: Location,
        expected_type: Micheline,
        expression: Micheline,
    },
    InvalidSyntacticConstant {
        location: Location,
        expected_form: String,
        expression: Micheline,
    },
    InvalidNever {
        location: Location,
    },
    UnorderedMapLiteral {
        location: Location,
        item: Micheline,
    },
    DuplicateMapKeys {
        location: Location,
        item: Micheline,
    },
    UnorderedSetLiteral {
        location: Location,
        value: Micheline,
    },
    DuplicateSetValues {
        location: Location,
        value: Micheline,
    },
    UnexpectedAnnotation {
        location: Location,
    },
    UngroupedAnnotations {
        location: Location,
    },
    UnexpectedDefaultEntrypoint {
        location: Location,
    },
    EntrypointTooLong {
        name: String,
    },
    UnexpectedForgedValue {
        location: Location,
    },
    UnexpectedTicketOwner {
        ticketer: Destination,
    },
    // of types
    TypeTooLarge {
        location: Location,
    },
    ComparableTypeExpected {
        location: Location,
        wrong_type: Micheline,
    },
    InconsistentTypes {
        /// Nothing for a type that no script holds: it came with a value.
        location: Option<Location>,
        first: Micheline,
        other: Micheline,
    },
    InconsistentTypeSizes {
        first: u32,
        other: u32,
    },
    UnexpectedLazyStorage {
        location: Location,
    },
    UnexpectedOperation {
        location: Location,
    },
    UnexpectedContract {
        location: Location,
    },
    UnexpectedTicket {
        location: Location,
    },
    UnpackableType {
        location: Location,
    },
    NonDupableType {
        location: Location,
        ty: Micheline,
    },
    ImplicitParameter {
        location: Location,
        ty: Micheline,
    },
    InvalidContract {
        location: Location,
        contract: Contract,
    },
    RollupDoesNotExist {
        rollup: soru_tezos::hash::SmartRollupAddress,
    },
    InvalidBigMap {
        location: Location,
        id: String,
    },
    InvalidRollupParameter,
    // of instructions
    BadStack {
        location: Location,
        prim: Prim,
        portion: usize,
        stack: StackTypes,
    },
    BadStackItem {
        level: usize,
    },
    InconsistentStackLengths,
    UnmatchedBranches {
        location: Location,
        first: StackTypes,
        other: StackTypes,
    },
    BadReturn {
        location: Location,
        expected: Micheline,
        stack: StackTypes,
    },
    UndefinedBinop {
        location: Location,
        prim: Prim,
        left: Micheline,
        right: Micheline,
    },
    UndefinedUnop {
        location: Location,
        prim: Prim,
        operand: Micheline,
    },
    FailNotInTailPosition {
        location: Location,
    },
    InvalidMapBody {
        location: Location,
        body: StackTypes,
    },
    InvalidMapBlockFail {
        location: Location,
    },
    InvalidIterBody {
        location: Location,
        before: StackTypes,
        after: StackTypes,
    },
    BadPairArgument {
        location: Location,
    },
    BadUnpairArgument {
        location: Location,
    },
    BadDupArgument {
        location: Location,
    },
    BadDupStack {
        location: Location,
    },
    BadViewName {
        location: Location,
    },
    ViewNameTooLong {
        name: String,
    },
    DuplicatedViewName {
        location: Location,
    },
    IllTypedView {
        location: Location,
        actual: StackTypes,
        expected: StackTypes,
    },
    ForbiddenInstruction {
        location: Location,
        context: &'static str,
        prim: Prim,
    },
    DeprecatedInstruction {
        prim: Prim,
    },
    TypecheckingTooDeep,
    // of global constants
    NonexistentGlobal,
    BadlyFormedGlobal,
    GlobalTooDeep,
    GlobalTooLarge,
    // of tools
    ViewNotFound {
        contract: ContractHash,
        view: String,
    },
    ViewedContractHasNoScript,
    IllformedViewType {
        entrypoint: Entrypoint,
        ty: Micheline,
    },
    ViewNeverReturns {
        entrypoint: Entrypoint,
        callback: ContractHash,
    },
    ViewUnexpectedReturn {
        entrypoint: Entrypoint,
        callback: ContractHash,
    },
    ViewerUnexpectedStorage,
    CannotSerializeLog,
    /// Typed code met a value of another type: a fault of this implementation, never of the script.
    Inconsistent {
        location: Location,
    },
    /// An instruction or type that this implementation does not know.
    Unsupported {
        location: Location,
        prim: Prim,
    },
}

impl From<Problem> for ScriptError {
    fn from(problem: Problem) -> Self {
        ScriptError { trace: vec![problem] }
    }
}

impl ScriptError {
    /// The same error inside a larger problem.
    #[must_use]
    pub fn within(mut self, outer: Problem) -> Self {
        self.trace.insert(0, outer);
        self
    }

    /// The value given to `FAILWITH`, when that is what happened.
    pub fn rejected_with(&self) -> Option<&Micheline> {
        self.trace.iter().find_map(|problem| match problem {
            Problem::ScriptRejected { with, .. } => Some(with),
            _ => None,
        })
    }

    /// The JSON list of the RPCs, ids prefixed with the protocol's name, e.g. `proto.025-PsUshuai`.
    pub fn to_json(&self, prefix: &str) -> Json {
        self.trace.iter().map(|problem| problem.to_json(prefix)).collect()
    }
}

impl std::fmt::Display for ScriptError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, problem) in self.trace.iter().enumerate() {
            let separator = if index == 0 { "" } else { ": " };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ScriptError {}

impl std::fmt::Display for Problem {
    /// The last part of the id in words, and the fields.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (id, _, fields) = self.parts();
        f.write_str(&id.rsplit('.').next().unwrap_or(id).replace('_', " "))?;
        let mut separator = " (";
        for (name, value) in &fields {
            let text = match serde_json::from_value::<Micheline>(value.clone()) {
                Ok(expr) => crate::syntax::print_line(&expr),
                Err(_) => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            };
            let text: String = text.chars().take(400).collect();
            write!(f, "{separator}{}: {text}", name.replace('_', " "))?;
            separator = ", ";
        }
        f.write_str(if fields.is_empty() { "" } else { ")" })
    }
}

fn object(value: Json) -> Map<String, Json> {
    match value {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

fn names(prims: &[Prim]) -> Vec<&'static str> {
    prims.iter().map(|prim| prim.name()).collect()
}

fn stack(types: &StackTypes) -> Json {
    Json::Array(types.iter().map(|ty| json!(ty)).collect())
}

impl Problem {
    /// The id without the protocol's prefix, the kind, and the fields in the protocol's order.
    pub fn parts(&self) -> (&'static str, Lasting, Map<String, Json>) {
        use Lasting::{Permanent as P, Temporary as T};
        let (id, lasting, fields) = match self {
            Self::RuntimeError { contract } => {
                ("michelson_v1.runtime_error", T, json!({ "contract_handle": contract, "contract_code": "Deprecated" }))
            }
            Self::ScriptRejected { location, with } => {
                ("michelson_v1.script_rejected", T, json!({ "location": location, "with": with }))
            }
            Self::ScriptOverflow { location } => ("michelson_v1.script_overflow", T, json!({ "location": location })),
            Self::GasExhausted => ("gas_exhausted.operation", T, json!({})),
            Self::BadContractParameter { contract } => {
                ("michelson_v1.bad_contract_parameter", P, json!({ "contract": contract }))
            }
            Self::CannotSerializeStorage => ("michelson_v1.cannot_serialize_storage", T, json!({})),
            Self::ForbiddenZeroTicket => ("michelson_v1.forbidden_zero_amount_ticket", P, json!({})),
            Self::MutezAddition { a, b } => {
                ("tez.addition_overflow", T, json!({ "amounts": [a.to_string(), b.to_string()] }))
            }
            Self::MutezSubtraction { a, b } => {
                ("tez.subtraction_underflow", T, json!({ "amounts": [a.to_string(), b.to_string()] }))
            }
            Self::MutezMultiplication { a, b } => {
                ("tez.multiplication_overflow", T, json!({ "amount": a.to_string(), "multiplicator": b.to_string() }))
            }
            Self::RollupAmount => ("operation.rollup_invalid_transaction_amount", P, json!({})),
            Self::RollupEntrypoint => ("operation.rollup_invalid_entrypoint", P, json!({})),
            Self::TooManyOperations => ("too_many_internal_operations", P, json!({})),
            Self::UnparsingTooDeep => ("michelson_v1.unparsing_stack_overflow", T, json!({})),
            Self::IllTypedContract { code, type_map } => {
                ("michelson_v1.ill_typed_contract", P, json!({ "ill_typed_code": code, "type_map": type_map }))
            }
            Self::IllTypedData { expected_type, expression } => (
                "michelson_v1.ill_typed_data",
                P,
                json!({ "expected_type": expected_type, "ill_typed_expression": expression }),
            ),
            Self::IllFormedType { identifier: None, expression, location } => (
                "michelson_v1.ill_formed_type",
                P,
                json!({ "ill_formed_expression": expression, "location": location }),
            ),
            Self::IllFormedType { identifier, expression, location } => (
                "michelson_v1.ill_formed_type",
                P,
                json!({ "identifier": identifier, "ill_formed_expression": expression, "location": location }),
            ),
            Self::MissingScriptField { prim } => {
                ("michelson_v1.missing_script_field", P, json!({ "prim": prim.name() }))
            }
            Self::DuplicateScriptField { location, prim } => {
                ("michelson_v1.duplicate_script_field", P, json!({ "loc": location, "prim": prim.name() }))
            }
            Self::NoSuchEntrypoint { entrypoint } => {
                ("michelson_v1.no_such_entrypoint", P, json!({ "entrypoint": entrypoint }))
            }
            Self::DuplicateEntrypoint { entrypoint } => {
                ("michelson_v1.duplicate_entrypoint", P, json!({ "path": entrypoint }))
            }
            Self::UnreachableEntrypoint { path } => {
                ("michelson_v1.unreachable_entrypoint", P, json!({ "path": names(path) }))
            }
            Self::InvalidArity { location, prim, expected, given } => (
                "michelson_v1.invalid_arity",
                P,
                json!({ "location": location, "primitive_name": prim.name(), "expected_arity": expected,
                        "wrong_arity": given }),
            ),
            Self::InvalidSequenceArity { location, expected, given } => (
                "michelson_v1.invalid_seq_arity",
                P,
                json!({ "location": location, "minimal_expected_arity": expected, "wrong_arity": given }),
            ),
            Self::InvalidPrimitive { location, expected, given } => (
                "michelson_v1.invalid_primitive",
                P,
                json!({ "location": location, "expected_primitive_names": names(expected),
                        "wrong_primitive_name": given.name() }),
            ),
            Self::InvalidNamespace { location, prim, expected, given } => (
                "michelson_v1.invalid_primitive_namespace",
                P,
                json!({ "location": location, "primitive_name": prim.name(), "expected_namespace": expected,
                        "wrong_namespace": given }),
            ),
            Self::InvalidExpressionKind { location, expected, given } => (
                "michelson_v1.invalid_expression_kind",
                P,
                json!({ "location": location, "expected_kinds": expected, "wrong_kind": given }),
            ),
            Self::InvalidConstant { location, expected_type, expression } => (
                "michelson_v1.invalid_constant",
                P,
                json!({ "location": location, "expected_type": expected_type, "wrong_expression": expression }),
            ),
            Self::InvalidSyntacticConstant { location, expected_form, expression } => (
                "michelson_v1.invalid_syntactic_constant",
                P,
                json!({ "location": location, "expected_form": expected_form, "wrong_expression": expression }),
            ),
            Self::InvalidNever { location } => ("michelson_v1.invalid_never_expr", P, json!({ "location": location })),
            Self::UnorderedMapLiteral { location, item } => {
                ("michelson_v1.unordered_map_literal", P, json!({ "location": location, "item": item }))
            }
            Self::DuplicateMapKeys { location, item } => {
                ("michelson_v1.duplicate_map_keys", P, json!({ "location": location, "item": item }))
            }
            Self::UnorderedSetLiteral { location, value } => {
                ("michelson_v1.unordered_set_literal", P, json!({ "location": location, "value": value }))
            }
            Self::DuplicateSetValues { location, value } => {
                ("michelson_v1.duplicate_set_values_in_literal", P, json!({ "location": location, "value": value }))
            }
            Self::UnexpectedAnnotation { location } => {
                ("michelson_v1.unexpected_annotation", P, json!({ "location": location }))
            }
            Self::UngroupedAnnotations { location } => {
                ("michelson_v1.ungrouped_annotations", P, json!({ "location": location }))
            }
            Self::UnexpectedDefaultEntrypoint { location } => {
                ("michelson_v1.unexpected_default_entrypoint", P, json!({ "location": location }))
            }
            Self::EntrypointTooLong { name } => ("michelson_v1.entrypoint_name_too_long", P, json!({ "name": name })),
            Self::UnexpectedForgedValue { location } => {
                ("michelson_v1.unexpected_forged_value", P, json!({ "location": location }))
            }
            Self::UnexpectedTicketOwner { ticketer } => {
                ("michelson_v1.unexpected_ticket_owner", P, json!({ "ticketer": ticketer }))
            }
            other => return other.parts_of_typing(),
        };
        (id, lasting, object(fields))
    }

    /// [`Problem::parts`] of types and instructions.
    fn parts_of_typing(&self) -> (&'static str, Lasting, Map<String, Json>) {
        use Lasting::{Permanent as P, Temporary as T};
        let (id, lasting, fields) = match self {
            Self::TypeTooLarge { location } => (
                "michelson_v1.type_too_large",
                P,
                json!({ "loc": location, "maximum_type_size": crate::types::MAX_TYPE_SIZE }),
            ),
            Self::ComparableTypeExpected { location, wrong_type } => {
                ("michelson_v1.comparable_type_expected", P, json!({ "location": location, "wrong_type": wrong_type }))
            }
            Self::InconsistentTypes { location, first, other } => (
                "michelson_v1.inconsistent_types",
                P,
                json!({ "loc": location.map_or(-1, i64::from), "first_type": first, "other_type": other }),
            ),
            Self::InconsistentTypeSizes { first, other } => (
                "michelson_v1.inconsistent_type_sizes",
                P,
                json!({ "first_type_size": first, "other_type_size": other }),
            ),
            Self::UnexpectedLazyStorage { location } => {
                ("michelson_v1.unexpected_lazy_storage", P, json!({ "loc": location }))
            }
            Self::UnexpectedOperation { location } => {
                ("michelson_v1.unexpected_operation", P, json!({ "loc": location }))
            }
            Self::UnexpectedContract { location } => {
                ("michelson_v1.unexpected_contract", P, json!({ "loc": location }))
            }
            Self::UnexpectedTicket { location } => ("michelson_v1.unexpected_ticket", P, json!({ "loc": location })),
            Self::UnpackableType { location } => ("michelson_v1.unpackable_type", P, json!({ "loc": location })),
            Self::NonDupableType { location, ty } => {
                ("michelson_v1.non_dupable_type", P, json!({ "loc": location, "type": ty }))
            }
            Self::ImplicitParameter { location, ty } => {
                ("michelson_v1.unexpected_implicit_account_parameters_type", P, json!({ "loc": location, "type": ty }))
            }
            Self::InvalidContract { location, contract } => {
                ("michelson_v1.invalid_contract", P, json!({ "location": location, "contract": contract }))
            }
            Self::RollupDoesNotExist { rollup } => ("smart_rollup_does_not_exist", T, json!({ "rollup": rollup })),
            Self::InvalidBigMap { location, id } => {
                ("michelson_v1.invalid_big_map", P, json!({ "location": location, "big_map": id }))
            }
            Self::InvalidRollupParameter => ("smart_rollup_invalid_parameters_type", P, json!({})),
            Self::BadStack { location, prim, portion, stack: found } => (
                "michelson_v1.bad_stack",
                P,
                json!({ "location": location, "primitive_name": prim.name(), "relevant_stack_portion": portion,
                        "wrong_stack_type": stack(found) }),
            ),
            Self::BadStackItem { level } => ("michelson_v1.bad_stack_item", P, json!({ "item_level": level })),
            Self::InconsistentStackLengths => ("michelson_v1.inconsistent_stack_lengths", P, json!({})),
            Self::UnmatchedBranches { location, first, other } => (
                "michelson_v1.unmatched_branches",
                P,
                json!({ "location": location, "first_stack_type": stack(first), "other_stack_type": stack(other) }),
            ),
            Self::BadReturn { location, expected, stack: found } => (
                "michelson_v1.bad_return",
                P,
                json!({ "location": location, "expected_return_type": expected, "wrong_stack_type": stack(found) }),
            ),
            Self::UndefinedBinop { location, prim, left, right } => (
                "michelson_v1.undefined_binop",
                P,
                json!({ "location": location, "operator_name": prim.name(), "wrong_left_operand_type": left,
                        "wrong_right_operand_type": right }),
            ),
            Self::UndefinedUnop { location, prim, operand } => (
                "michelson_v1.undefined_unop",
                P,
                json!({ "location": location, "operator_name": prim.name(), "wrong_operand_type": operand }),
            ),
            Self::FailNotInTailPosition { location } => {
                ("michelson_v1.fail_not_in_tail_position", P, json!({ "location": location }))
            }
            Self::InvalidMapBody { location, body } => {
                ("michelson_v1.invalid_map_body", P, json!({ "loc": location, "body_type": stack(body) }))
            }
            Self::InvalidMapBlockFail { location } => {
                ("michelson_v1.invalid_map_block_fail", P, json!({ "loc": location }))
            }
            Self::InvalidIterBody { location, before, after } => (
                "michelson_v1.invalid_iter_body",
                P,
                json!({ "loc": location, "bef_stack": stack(before), "aft_stack": stack(after) }),
            ),
            Self::BadPairArgument { location } => ("michelson_v1.bad_pair_argument", P, json!({ "loc": location })),
            Self::BadUnpairArgument { location } => ("michelson_v1.bad_unpair_argument", P, json!({ "loc": location })),
            Self::BadDupArgument { location } => ("michelson_v1.bad_dupn_argument", P, json!({ "loc": location })),
            Self::BadDupStack { location } => ("michelson_v1.bad_dupn_stack", P, json!({ "loc": location })),
            Self::BadViewName { location } => ("michelson_v1.bad_view_name", P, json!({ "loc": location })),
            Self::ViewNameTooLong { name } => ("michelson_v1.view_name_too_long", P, json!({ "name": name })),
            Self::DuplicatedViewName { location } => {
                ("michelson_v1.duplicated_view_name", P, json!({ "location": location }))
            }
            Self::IllTypedView { location, actual, expected } => (
                "michelson_v1.ill_typed_view",
                P,
                json!({ "loc": location, "resulted_view_stack": stack(actual), "expected_view_stack": stack(expected) }),
            ),
            Self::ForbiddenInstruction { location, context, prim } => (
                "michelson_v1.forbidden_instr_in_context",
                P,
                json!({ "location": location, "context": context, "forbidden_instruction": prim.name() }),
            ),
            Self::DeprecatedInstruction { prim } => {
                ("michelson_v1.deprecated_instruction", P, json!({ "prim": prim.name() }))
            }
            Self::TypecheckingTooDeep => ("michelson_v1.typechecking_too_many_recursive_calls", T, json!({})),
            Self::NonexistentGlobal => ("Nonexistent_global", Lasting::Branch, json!({})),
            Self::BadlyFormedGlobal => ("Badly_formed_constant_expression", Lasting::Branch, json!({})),
            Self::GlobalTooDeep => ("Expression_too_deep", Lasting::Branch, json!({})),
            Self::GlobalTooLarge => ("Expression_too_large", Lasting::Branch, json!({})),
            Self::ViewNotFound { contract, view } => ("viewNotFound", P, json!({ "contract": contract, "view": view })),
            Self::ViewedContractHasNoScript => ("viewedContractHasNoScript", P, json!({})),
            Self::IllformedViewType { entrypoint, ty } => {
                ("illformedViewType", P, json!({ "entrypoint": entrypoint, "type": ty }))
            }
            Self::ViewNeverReturns { entrypoint, callback } => {
                ("viewNeverReturns", P, json!({ "entrypoint": entrypoint, "callback": callback }))
            }
            Self::ViewUnexpectedReturn { entrypoint, callback } => {
                ("viewUnexpectedReturn", P, json!({ "entrypoint": entrypoint, "callback": callback }))
            }
            Self::ViewerUnexpectedStorage => ("viewerUnexpectedStorage", P, json!({})),
            Self::CannotSerializeLog => ("michelson_v1.cannot_serialize_log", T, json!({})),
            Self::Unsupported { location, prim } => {
                ("michelson_v1.unsupported_by_soru", P, json!({ "location": location, "primitive_name": prim.name() }))
            }
            Self::Inconsistent { location } => ("michelson_v1.inconsistent_state", T, json!({ "location": location })),
            _ => ("failure", T, json!({})),
        };
        (id, lasting, object(fields))
    }

    fn to_json(&self, prefix: &str) -> Json {
        let (id, lasting, fields) = self.parts();
        let kind = match lasting {
            Lasting::Temporary => "temporary",
            Lasting::Permanent => "permanent",
            Lasting::Branch => "branch",
        };
        let mut all = object(json!({ "kind": kind, "id": format!("{prefix}.{id}") }));
        all.extend(fields);
        Json::Object(all)
    }
}
