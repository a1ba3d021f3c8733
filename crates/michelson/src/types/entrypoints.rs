//! The entrypoints of a parameter type: the named sides of its outermost `or`s.

use super::{Allow, Kind, Type};
use crate::error::{Problem, Result};
use crate::node::Node;
use soru_tezos::contract::Entrypoint;
use soru_tezos::micheline::{Micheline, Prim};

/// One step down an `or`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `Left`.
    Left,
    /// `Right`.
    Right,
}

impl Side {
    /// The constructor that takes this step.
    pub fn prim(self) -> Prim {
        match self {
            Side::Left => Prim::Left,
            Side::Right => Prim::Right,
        }
    }
}

/// An entrypoint of a parameter type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntrypointType {
    /// Its name.
    pub name: Entrypoint,
    /// How to reach it from the whole parameter.
    pub path: Vec<Side>,
    /// The type of its argument.
    pub ty: Type,
    /// The type as written, without the name itself.
    pub expr: Micheline,
}

/// The parameter type of a contract with its entrypoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The type of the whole parameter.
    pub ty: Type,
    /// The named entrypoints, in the order in which they are written.
    pub entrypoints: Vec<EntrypointType>,
    /// The type of the whole parameter as written.
    pub expr: Micheline,
}

impl Parameter {
    /// A parameter without named entrypoints.
    pub fn plain(ty: Type) -> Parameter {
        let expr = ty.to_micheline();
        Parameter { ty, entrypoints: Vec::new(), expr }
    }

    /// Reads a parameter type from an expression that is nothing else.
    pub fn of(expr: &Micheline) -> Result<Parameter> {
        Parameter::parse(&Node::new(expr)?)
    }

    /// Reads a parameter type.
    pub fn parse(node: &Node<'_>) -> Result<Parameter> {
        let ty = Type::parse_at(node, Allow::PASSABLE, true)?;
        let mut entrypoints = Vec::new();
        let mut nameless = None;
        collect(node, &ty, &mut Vec::new(), false, &mut entrypoints, &mut nameless)?;
        let default = entrypoints.iter().find(|entry| entry.name.is_default());
        if let (Some(path), true) = (nameless, default.is_some_and(|entry| !entry.path.is_empty())) {
            let path = path.into_iter().map(Side::prim).collect();
            return Err(Problem::UnreachableEntrypoint { path }.into());
        }
        Ok(Parameter { ty, entrypoints, expr: node.expr.clone() })
    }

    /// The parts of the parameter that no entrypoint reaches.
    pub fn unreachable(&self) -> Vec<Vec<Side>> {
        let mut found = Vec::new();
        let named = |path: &[Side]| self.entrypoints.iter().any(|entry| entry.path == path);
        unreachable(&self.ty, &mut Vec::new(), named(&[]), &named, &mut found);
        found
    }

    /// The entrypoint of that name. `default` is the whole parameter unless a part has that name.
    pub fn find(&self, name: &Entrypoint) -> Result<EntrypointType> {
        match self.entrypoints.iter().find(|entry| entry.name == *name) {
            Some(entry) => Ok(entry.clone()),
            None if name.is_default() => Ok(EntrypointType {
                name: name.clone(),
                path: Vec::new(),
                ty: self.ty.clone(),
                expr: self.expr.clone(),
            }),
            None => Err(Problem::NoSuchEntrypoint { entrypoint: name.clone() }.into()),
        }
    }
}

fn unreachable(
    ty: &Type,
    path: &mut Vec<Side>,
    reachable: bool,
    named: &dyn Fn(&[Side]) -> bool,
    found: &mut Vec<Vec<Side>>,
) {
    let Kind::Or(a, b) = ty.kind() else { return };
    for (side, part) in [(Side::Left, a), (Side::Right, b)] {
        path.push(side);
        let reachable = reachable || named(path);
        if !reachable && !matches!(part.kind(), Kind::Or(..)) {
            found.push(path.clone());
        }
        unreachable(part, path, reachable, named, found);
        path.pop();
    }
}

fn collect(
    node: &Node<'_>,
    ty: &Type,
    path: &mut Vec<Side>,
    reachable: bool,
    found: &mut Vec<EntrypointType>,
    nameless: &mut Option<Vec<Side>>,
) -> Result<()> {
    let name = node.annots().iter().find(|annot| annot.len() > 1 && annot.starts_with('%'));
    if let Some(annot) = name {
        let name: Entrypoint =
            annot[1..].parse().map_err(|_| Problem::UnexpectedAnnotation { location: node.location })?;
        if found.iter().any(|entry| entry.name == name) {
            return Err(Problem::DuplicateEntrypoint { entrypoint: name }.into());
        }
        let mut expr = node.expr.clone();
        if let Micheline::Prim(app) = &mut expr {
            app.annots.retain(|other| other != annot);
        }
        found.push(EntrypointType { name, path: path.clone(), ty: ty.clone(), expr });
    }
    let reachable = reachable || name.is_some();
    match (node.as_prim(), ty.kind()) {
        (Some((Prim::or, [left, right])), Kind::Or(a, b)) => {
            for (side, node, ty) in [(Side::Left, left, a), (Side::Right, right, b)] {
                path.push(side);
                collect(node, ty, path, reachable, found, nameless)?;
                path.pop();
            }
        }
        _ if !reachable && nameless.is_none() => *nameless = Some(path.clone()),
        _ => {}
    }
    Ok(())
}
