//! The typechecker: Micheline code to typed instructions. Stacks are vectors with the top at the end.

mod annotations;
mod chain;
mod control;
mod instruction;
mod operators;
mod script;
mod stack;

pub(crate) use annotations::check_type as check_type_annotations;
pub(crate) use control::namespace;
pub use instruction::{Around, Code, Instr, Op};
pub(crate) use script::section;
pub use script::{Script, View};

use crate::context::Chain;
use crate::error::{Location, Problem, Result, ScriptError, StackTypes, TypeMapEntry};
use crate::gas::{Gas, cost};
use crate::node::Node;
use crate::types::{Allow, Parameter, Type, differences};
use crate::value::{Address, Value};
use soru_tezos::blake2b;
use soru_tezos::contract::{Contract, Destination};
use soru_tezos::hash::ScriptExprHash;
use soru_tezos::micheline::{Micheline, Prim};

/// Deepest nesting of code and values that is typechecked: an unoptimised level takes some 7 KB of a stack of 2 MB.
pub const MAX_NESTING: usize = 120;

/// Types and values are read, checked and written with the chain at hand (for contracts and big maps) and gas to pay.
pub struct Typer<'a> {
    /// The chain.
    pub chain: &'a mut dyn Chain,
    /// The meter.
    pub gas: &'a mut Gas,
    /// Present nesting.
    pub(crate) depth: usize,
    /// Whether instructions are allowed that new contracts may no longer use.
    pub(crate) legacy: bool,
    /// What the code being checked is.
    pub(crate) place: Place,
    /// Stacks around every instruction, the innermost first, when they are wanted.
    pub(crate) log: Option<Vec<TypeMapEntry>>,
    /// Whether instructions keep the types of the stacks around them.
    pub(crate) keep_types: bool,
    /// Types noted in the map so far.
    pub(crate) noted: usize,
    /// Nodes of expressions that the error about a value tells so far.
    pub(crate) told: usize,
}

/// Where code stands: not every instruction is allowed everywhere.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    /// The parameter of the contract, when this is its code.
    pub(crate) parameter: Option<Parameter>,
    /// Whether this is the code of a view.
    pub(crate) view: bool,
    /// Whether this is inside a lambda.
    pub(crate) lambda: bool,
}

/// The types of a stack, the top last.
pub(crate) type Stack = Vec<Type>;
/// A typed instruction and the stack after it; no stack when it always fails.
pub(crate) type Judgement = Result<(Op, Option<Stack>)>;

pub(crate) fn shown(stack: &[Type]) -> StackTypes {
    stack.iter().rev().map(Type::to_micheline).collect()
}

impl<'a> Typer<'a> {
    /// A typechecker on `chain`, paid from `gas`.
    pub fn new(chain: &'a mut dyn Chain, gas: &'a mut Gas) -> Typer<'a> {
        Typer {
            chain,
            gas,
            depth: 0,
            legacy: false,
            place: Place::default(),
            log: None,
            keep_types: false,
            noted: 0,
            told: 0,
        }
    }

    /// Allows what only contracts may use that are already on the chain.
    pub fn allow_legacy(&mut self) {
        self.legacy = true;
    }

    /// Keeps a map of the stacks around the instructions that are checked from here on.
    pub fn keep_type_map(&mut self) {
        self.log = Some(Vec::new());
    }

    /// That map, the last instruction first.
    pub fn type_map(&self) -> Vec<TypeMapEntry> {
        self.log.iter().flatten().rev().cloned().collect()
    }

    pub(crate) fn depth_step(&mut self) -> Result<()> {
        if self.depth >= MAX_NESTING {
            return Err(Problem::TypecheckingTooDeep.into());
        }
        self.depth += 1;
        Ok(())
    }

    /// Reads any type.
    pub(crate) fn parse_type(&mut self, expr: &Micheline) -> Result<Type> {
        self.type_of(&Node::new(expr)?, Allow::ANY)
    }

    pub(crate) fn type_of(&mut self, node: &Node<'_>, allow: Allow) -> Result<Type> {
        let ty = Type::parse(node, allow)?;
        self.gas.take(cost::CHECK_TYPE * u64::from(ty.size()))?;
        Ok(ty)
    }

    /// Refuses types that differ.
    pub(crate) fn same_type(&mut self, location: Location, found: &Type, wanted: &Type) -> Result<()> {
        self.gas.take(cost::CHECK_TYPE * u64::from(found.size().min(wanted.size())))?;
        if found == wanted {
            return Ok(());
        }
        Err(ScriptError { trace: differences(Some(location), found, wanted) })
    }

    /// Refuses stacks that differ.
    pub(crate) fn same_stack(&mut self, location: Location, found: &[Type], wanted: &[Type]) -> Result<()> {
        if found.len() != wanted.len() {
            return Err(Problem::InconsistentStackLengths.into());
        }
        for (index, (a, b)) in found.iter().rev().zip(wanted.iter().rev()).enumerate() {
            self.same_type(location, a, b).map_err(|error| error.within(Problem::BadStackItem { level: index + 1 }))?;
        }
        Ok(())
    }

    /// The stack after two branches that must agree.
    pub(crate) fn join(&mut self, location: Location, a: Option<Stack>, b: Option<Stack>) -> Result<Option<Stack>> {
        Ok(match (a, b) {
            (Some(a), Some(b)) => {
                self.same_stack(location, &a, &b).map_err(|error| {
                    error.within(Problem::UnmatchedBranches { location, first: shown(&a), other: shown(&b) })
                })?;
                Some(a)
            }
            (a, b) => a.or(b),
        })
    }

    /// The hash of a value: the key under which big maps keep it.
    pub(crate) fn key_hash(&mut self, value: &Value, ty: &Type) -> Result<ScriptExprHash> {
        let packed = self.pack(value, ty)?;
        self.gas.take_for(cost::HASH, cost::HASH_BYTES, packed.len())?;
        Ok(ScriptExprHash(blake2b::hash256(&packed)))
    }

    /// The parameter type behind an address and entrypoint, or why it is not of type `contract ty`.
    pub(crate) fn check_contract(&mut self, location: Location, address: &Address, ty: &Type) -> Result<()> {
        let (parameter, contract) = match address.destination {
            Destination::Contract(contract @ Contract::Implicit(_)) => {
                if !address.entrypoint.is_default() {
                    return Err(Problem::NoSuchEntrypoint { entrypoint: address.entrypoint.clone() }.into());
                }
                if *ty == Type::unit() || matches!(ty.kind(), crate::types::Kind::Ticket(_)) {
                    return Ok(());
                }
                let _ = contract;
                return Err(Problem::ImplicitParameter { location, ty: ty.to_micheline() }.into());
            }
            Destination::Contract(contract @ Contract::Originated(hash)) => {
                self.gas.take(cost::STORAGE_READ)?;
                let Some(script) = self.chain.script(&hash) else {
                    return Err(Problem::InvalidContract { location, contract }.into());
                };
                let code = self.expand_toplevel(script.code)?;
                let Some(parameter) = section(&code, Prim::parameter) else {
                    return Err(Problem::InvalidContract { location, contract }.into());
                };
                (parameter.clone(), Some(contract))
            }
            Destination::SmartRollup(rollup) => {
                self.gas.take(cost::STORAGE_READ)?;
                let Some(parameter) = self.chain.rollup_parameter(&rollup) else {
                    return Err(Problem::RollupDoesNotExist { rollup }.into());
                };
                (parameter, None)
            }
        };
        let parameter = Parameter::of(&self.expand_constants(&parameter)?)?;
        self.gas.take(cost::CHECK_TYPE * u64::from(parameter.ty.size()))?;
        let entry = parameter.find(&address.entrypoint)?;
        self.same_type(location, &entry.ty, ty).map_err(|error| match contract {
            Some(contract) => error.within(Problem::InvalidContract { location, contract }),
            None => error,
        })
    }
}
