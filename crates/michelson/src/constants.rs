//! Global constants: expressions registered on the chain, for which `constant "expr…"` stands in scripts.

use crate::error::{Problem, Result};
use crate::gas::{Gas, cost};
use crate::node::MAX_DEPTH;
use soru_tezos::blake2b;
use soru_tezos::codec::Encode;
use soru_tezos::hash::ScriptExprHash;
use soru_tezos::micheline::{Micheline, Prim, PrimApp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most nodes of an expression in which constants were filled in.
const MAX_NODES: usize = 50_000;
/// Most bytes of strings, bytes and numbers in such an expression.
const MAX_BYTES: usize = 50_000;

/// Where registered constants are found.
pub type Lookup<'l> = dyn Fn(&ScriptExprHash) -> Option<Micheline> + 'l;

/// A constant ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its name: the hash of the expression as written.
    pub name: ScriptExprHash,
    /// Bytes of the expression as written.
    pub bytes: usize,
}

struct Expansion<'e> {
    gas: &'e mut Gas,
    lookup: &'e Lookup<'e>,
    nodes: usize,
    bytes: usize,
    expanded: bool,
    /// Constants that were met: each is looked up and paid for once.
    known: BTreeMap<ScriptExprHash, Arc<Micheline>>,
}

/// The expression with its constants filled in. Fails with `Nonexistent_global`, `Badly_formed_constant_expression`, or
/// `Expression_too_large`.
pub fn expand(expr: &Micheline, gas: &mut Gas, lookup: &Lookup<'_>) -> Result<Micheline> {
    Expansion { gas, lookup, nodes: 0, bytes: 0, expanded: false, known: BTreeMap::new() }.walk(expr, 0)
}

/// Checks an expression that is to be registered: the constants it uses must exist. Fails as [`expand`] does, and with
/// `Expression_too_deep`.
pub fn register(expr: &Micheline, gas: &mut Gas, lookup: &Lookup<'_>) -> Result<Registration> {
    expand(expr, gas, lookup).map_err(|error| match error.trace[..] {
        [Problem::TypecheckingTooDeep] => Problem::GlobalTooDeep.into(),
        _ => error,
    })?;
    let bytes = expr.to_bytes();
    gas.take_for(cost::HASH, cost::HASH_BYTES, bytes.len())?;
    gas.take(cost::STORAGE_WRITE)?;
    Ok(Registration { name: ScriptExprHash(blake2b::hash256(&bytes)), bytes: bytes.len() })
}

impl Expansion<'_> {
    fn walk(&mut self, expr: &Micheline, depth: usize) -> Result<Micheline> {
        if depth > MAX_DEPTH {
            return Err(Problem::TypecheckingTooDeep.into());
        }
        self.gas.take(cost::PARSE_NODE / 4)?;
        self.nodes += 1;
        self.bytes += match expr {
            Micheline::Int(value) => usize::try_from(value.0.bits() / 8 + 1).unwrap_or(usize::MAX),
            Micheline::String(text) => text.len(),
            Micheline::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        if self.expanded && (self.nodes > MAX_NODES || self.bytes > MAX_BYTES) {
            return Err(Problem::GlobalTooLarge.into());
        }
        Ok(match expr {
            Micheline::Seq(items) => {
                Micheline::Seq(items.iter().map(|item| self.walk(item, depth + 1)).collect::<Result<_>>()?)
            }
            Micheline::Prim(app) if app.prim == Prim::constant => {
                let ([Micheline::String(name)], []) = (&app.args[..], &app.annots[..]) else {
                    return Err(Problem::BadlyFormedGlobal.into());
                };
                let name: ScriptExprHash = name.parse().map_err(|_| Problem::BadlyFormedGlobal)?;
                let constant = match self.known.get(&name) {
                    Some(known) => known.clone(),
                    None => {
                        self.gas.take(cost::STORAGE_READ)?;
                        let found = Arc::new((self.lookup)(&name).ok_or(Problem::NonexistentGlobal)?);
                        self.known.insert(name, found.clone());
                        found
                    }
                };
                self.expanded = true;
                self.walk(&constant, depth + 1)?
            }
            Micheline::Prim(app) => {
                let args = app.args.iter().map(|arg| self.walk(arg, depth + 1)).collect::<Result<_>>()?;
                Micheline::Prim(Box::new(PrimApp { prim: app.prim, args, annots: app.annots.clone() }))
            }
            leaf => leaf.clone(),
        })
    }
}

/// Whether there may be a constant in an expression: what is nested too deeply to be looked at may have one.
pub(crate) fn are_in(expr: &Micheline) -> bool {
    fn look(expr: &Micheline, depth: usize) -> bool {
        match expr {
            _ if depth > MAX_DEPTH => true,
            Micheline::Seq(items) => items.iter().any(|item| look(item, depth + 1)),
            Micheline::Prim(app) => app.prim == Prim::constant || app.args.iter().any(|arg| look(arg, depth + 1)),
            _ => false,
        }
    }
    look(expr, 0)
}
