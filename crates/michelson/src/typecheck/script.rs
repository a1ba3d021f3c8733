//! Whole scripts: parameter, storage, code, views.

use super::chain::view_name;
use super::{Code, Place, Typer};
use crate::error::{Problem, Result};
use crate::gas::cost;
use crate::node::Node;
use crate::types::{Allow, Parameter, Type};
use soru_tezos::hash::ScriptExprHash;
use soru_tezos::micheline::{Micheline, Prim};
use std::collections::BTreeMap;

/// A typechecked script.
#[derive(Debug, Clone)]
pub struct Script {
    /// What it takes.
    pub parameter: Parameter,
    /// What it stores.
    pub storage: Type,
    /// What it does.
    pub code: Code,
    /// What it answers to others.
    pub views: BTreeMap<String, View>,
}

/// A view of a contract.
#[derive(Debug, Clone)]
pub struct View {
    /// Type of the argument.
    pub input: Type,
    /// Type of the answer.
    pub output: Type,
    /// Its code.
    pub code: Code,
}

/// A section of a script that occurs once.
pub(crate) fn section(script: &Micheline, wanted: Prim) -> Option<&Micheline> {
    let Micheline::Seq(sections) = script else { return None };
    sections.iter().find_map(|section| match section.as_prim() {
        Some((prim, [content])) if prim == wanted => Some(content),
        _ => None,
    })
}

impl Script {
    /// Typechecks a script.
    pub fn check(typer: &mut Typer<'_>, code: &Micheline) -> Result<Script> {
        let expanded = typer.expand_constants(code)?;
        let code = &expanded;
        let node = Node::new(code)?;
        let ill_typed = || Problem::IllTypedContract { code: code.clone() };
        let sections = Sections::of(&node).map_err(|error| error.within(ill_typed()))?;
        let parameter =
            Parameter::parse(sections.parameter).map_err(|error| error.within(ill_formed(code, sections.parameter)))?;
        let storage = typer
            .type_of(sections.storage, Allow::STORABLE)
            .map_err(|error| error.within(ill_formed(code, sections.storage)))?;
        typer.gas.take(cost::CHECK_TYPE * u64::from(parameter.ty.size()))?;
        Script::bodies(typer, &sections, parameter, storage).map_err(|error| error.within(ill_typed()))
    }

    fn bodies(
        typer: &mut Typer<'_>,
        sections: &Sections<'_, '_>,
        parameter: Parameter,
        storage: Type,
    ) -> Result<Script> {
        let argument = typer.sized(sections.code, Type::pair(parameter.ty.clone(), storage.clone()))?;
        let result = typer.sized(sections.code, Type::pair(Type::list(Type::operation()), storage.clone()))?;
        typer.place = Place { parameter: Some(parameter.clone()), view: false, lambda: false };
        let code = typer.body(sections.code, vec![argument], &result)?;
        let mut views = BTreeMap::new();
        for node in &sections.views {
            let [name, input, output, body] = node.args()?;
            let location = name.location;
            let name = view_name(name)?;
            if views.contains_key(&name) {
                return Err(Problem::DuplicatedViewName { location }.into());
            }
            let input = typer.type_of(input, Allow::VIEW)?;
            let output = typer.type_of(output, Allow::VIEW)?;
            typer.place = Place { parameter: None, view: true, lambda: false };
            let code = typer.view_body(body, &input, &storage, &output)?;
            views.insert(name, View { input, output, code });
        }
        typer.place = Place::default();
        Ok(Script { parameter, storage, code, views })
    }
}

fn ill_formed(code: &Micheline, node: &Node<'_>) -> Problem {
    Problem::IllFormedType { expression: code.clone(), location: node.location }
}

struct Sections<'n, 'a> {
    parameter: &'n Node<'a>,
    storage: &'n Node<'a>,
    code: &'n Node<'a>,
    views: Vec<&'n Node<'a>>,
}

impl<'n, 'a> Sections<'n, 'a> {
    fn of(node: &'n Node<'a>) -> Result<Self> {
        let Some(fields) = node.as_seq() else { return Err(node.wrong_kind(&["sequence"]).into()) };
        let (mut parameter, mut storage, mut code, mut views) = (None, None, None, Vec::new());
        for field in fields {
            let Some((prim, args)) = field.as_prim() else {
                return Err(field.wrong_kind(&["primitiveApplication"]).into());
            };
            let slot = match prim {
                Prim::parameter => &mut parameter,
                Prim::storage => &mut storage,
                Prim::code => &mut code,
                Prim::view if args.len() == 4 => {
                    views.push(field);
                    continue;
                }
                Prim::view => return Err(field.wrong_arity(4).into()),
                given => {
                    let expected = vec![Prim::parameter, Prim::storage, Prim::code, Prim::view];
                    return Err(Problem::InvalidPrimitive { location: field.location, expected, given }.into());
                }
            };
            let [content] = field.args()?;
            if slot.is_some() {
                return Err(Problem::DuplicateScriptField { location: field.location, prim }.into());
            }
            *slot = Some(content);
        }
        let missing = |prim| Problem::MissingScriptField { prim };
        Ok(Sections {
            parameter: parameter.ok_or_else(|| missing(Prim::parameter))?,
            storage: storage.ok_or_else(|| missing(Prim::storage))?,
            code: code.ok_or_else(|| missing(Prim::code))?,
            views,
        })
    }
}

impl Typer<'_> {
    /// The expression with its global constants filled in.
    pub(crate) fn expand_constants(&mut self, expr: &Micheline) -> Result<Micheline> {
        self.expand_at(expr, 0)
    }

    fn expand_at(&mut self, expr: &Micheline, depth: usize) -> Result<Micheline> {
        if depth > crate::node::MAX_DEPTH {
            return Err(Problem::TypecheckingTooDeep.into());
        }
        self.gas.take(cost::PARSE_NODE / 4)?;
        Ok(match expr {
            Micheline::Seq(items) => {
                Micheline::Seq(items.iter().map(|item| self.expand_at(item, depth + 1)).collect::<Result<_>>()?)
            }
            Micheline::Prim(app) if app.prim == Prim::constant => {
                let [Micheline::String(hash)] = &app.args[..] else { return Err(Problem::BadlyFormedGlobal.into()) };
                let hash: ScriptExprHash = hash.parse().map_err(|_| Problem::BadlyFormedGlobal)?;
                self.gas.take(cost::STORAGE_READ)?;
                let constant = self.chain.global_constant(&hash).ok_or(Problem::NonexistentGlobal)?;
                self.expand_at(&constant, depth + 1)?
            }
            Micheline::Prim(app) => {
                let mut app = app.clone();
                app.args = app.args.iter().map(|arg| self.expand_at(arg, depth + 1)).collect::<Result<_>>()?;
                Micheline::Prim(app)
            }
            leaf => leaf.clone(),
        })
    }
}
