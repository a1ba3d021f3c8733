//! Whole scripts: parameter, storage, code, views.

use super::chain::view_name;
use super::{Code, Place, Typer};
use crate::constants;
use crate::error::{Problem, Result};
use crate::gas::cost;
use crate::node::Node;
use crate::types::{Allow, Parameter, Type};
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
        Script::check_node(typer, &Node::new(&expanded)?)
    }

    /// Typechecks a script that is part of another, its global constants filled in.
    pub(crate) fn check_node(typer: &mut Typer<'_>, node: &Node<'_>) -> Result<Script> {
        let code = node.expr;
        let ill_typed = |type_map| Problem::IllTypedContract { code: code.clone(), type_map };
        let sections = Sections::of(node).map_err(|error| error.within(ill_typed(Vec::new())))?;
        let parameter = Parameter::parse(sections.parameter)
            .map_err(|error| error.within(ill_formed("parameter", code, sections.parameter)))?;
        let storage = typer
            .type_of(sections.storage, Allow::STORABLE)
            .map_err(|error| error.within(ill_formed("storage", code, sections.storage)))?;
        typer.gas.take(cost::CHECK_TYPE * u64::from(parameter.ty.size()))?;
        Script::bodies(typer, &sections, parameter, storage).map_err(|error| match error.trace[..] {
            // a map that is too large is no fault of the script
            [Problem::CannotSerializeLog] => error,
            _ => error.within(ill_typed(typer.type_map())),
        })
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
            let input = typer
                .type_of(input, Allow::VIEW)
                .map_err(|error| error.within(ill_formed("arg of view", input.expr, input)))?;
            let output = typer
                .type_of(output, Allow::VIEW)
                .map_err(|error| error.within(ill_formed("return of view", output.expr, output)))?;
            typer.place = Place { parameter: None, view: true, lambda: false };
            let code = typer.view_body(body, &input, &storage, &output)?;
            views.insert(name, View { input, output, code });
        }
        typer.place = Place::default();
        Ok(Script { parameter, storage, code, views })
    }
}

fn ill_formed(part: &'static str, expression: &Micheline, node: &Node<'_>) -> Problem {
    Problem::IllFormedType { identifier: Some(part), expression: expression.clone(), location: node.location }
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
        constants::expand(expr, self.gas, &|hash| self.chain.global_constant(hash))
    }

    /// A stored script whose sections are there to be found: constants in it are filled in if there are any.
    pub(crate) fn expand_toplevel(&mut self, code: Micheline) -> Result<Micheline> {
        if constants::are_in(&code) { self.expand_constants(&code) } else { Ok(code) }
    }
}
