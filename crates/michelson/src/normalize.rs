//! Expressions brought into one of the forms in which values are written, without asking whether they are well typed: what
//! does not fit its type stays as it is.

use crate::gas::Gas;
use crate::typecheck::Typer;
use crate::types::{Kind, Type};
use crate::value::Mode;
use soru_tezos::micheline::{Micheline, Prim, PrimApp};

/// Deepest nesting that is looked at; what lies deeper stays as it is.
const MAX_DEPTH: usize = 500;

impl Typer<'_> {
    /// The expression of a value of type `ty` in the wanted form. Costs no gas.
    pub fn normalize(&mut self, expr: &Micheline, ty: &Type, mode: Mode) -> Micheline {
        let gas = std::mem::replace(self.gas, Gas::unlimited());
        let normal = self.normal(expr, ty, mode, 0);
        *self.gas = gas;
        normal
    }

    fn normal(&mut self, expr: &Micheline, ty: &Type, mode: Mode, depth: usize) -> Micheline {
        let below = depth + 1;
        if below > MAX_DEPTH {
            return expr.clone();
        }
        match (ty.kind(), expr) {
            (Kind::Timestamp | Kind::Key | Kind::KeyHash | Kind::Signature | Kind::ChainId | Kind::Address, _) => {
                self.normal_atom(expr, ty, mode)
            }
            (Kind::Contract(_), _) => self.normal_atom(expr, &Type::address(), mode),
            (Kind::Pair(..), _) => self.normal_comb(expr, ty, mode, below),
            (Kind::Or(a, _), Micheline::Prim(app)) if app.prim == Prim::Left => self.inside(app, a, mode, below),
            (Kind::Or(_, b), Micheline::Prim(app)) if app.prim == Prim::Right => self.inside(app, b, mode, below),
            (Kind::Option(a), Micheline::Prim(app)) if app.prim == Prim::Some => self.inside(app, a, mode, below),
            (Kind::List(a) | Kind::Set(a), Micheline::Seq(items)) => {
                Micheline::Seq(items.iter().map(|item| self.normal(item, a, mode, below)).collect())
            }
            (Kind::Map(k, v) | Kind::BigMap(k, v), Micheline::Seq(items)) => {
                self.normal_entries(items, k, v, mode, below)
            }
            (Kind::BigMap(k, v), Micheline::Prim(app)) if app.prim == Prim::Pair => match &app.args[..] {
                [id, Micheline::Seq(items)] => {
                    let changes = self.normal_entries(items, k, &Type::option(v.clone()), mode, below);
                    with_args(app, vec![id.clone(), changes])
                }
                _ => expr.clone(),
            },
            (Kind::Lambda(..), _) => self.normal_code(expr, mode, below),
            (Kind::Ticket(content), _) => self.normal_ticket(expr, content, mode, below),
            _ => expr.clone(),
        }
    }

    /// Values that are written as texts for people and as bytes or numbers for machines.
    fn normal_atom(&mut self, expr: &Micheline, ty: &Type, mode: Mode) -> Micheline {
        let value = self.parse_data(expr, ty, false).and_then(|value| self.unparse(&value, ty, mode));
        value.unwrap_or_else(|_| expr.clone())
    }

    fn inside(&mut self, app: &PrimApp, ty: &Type, mode: Mode, depth: usize) -> Micheline {
        match &app.args[..] {
            [inner] => with_args(app, vec![self.normal(inner, ty, mode, depth)]),
            args => with_args(app, args.to_vec()),
        }
    }

    fn normal_entries(&mut self, items: &[Micheline], key: &Type, value: &Type, mode: Mode, depth: usize) -> Micheline {
        let entry = |item: &Micheline| match item {
            Micheline::Prim(app) if app.prim == Prim::Elt && app.args.len() == 2 => {
                let args =
                    vec![self.normal(&app.args[0], key, mode, depth), self.normal(&app.args[1], value, mode, depth)];
                with_args(app, args)
            }
            other => other.clone(),
        };
        Micheline::Seq(items.iter().map(entry).collect())
    }

    fn normal_comb(&mut self, expr: &Micheline, ty: &Type, mode: Mode, depth: usize) -> Micheline {
        // its parts, as many as the type has and the expression tells apart
        let (mut parts, mut rest, mut ty) = (Vec::new(), Rest::Whole(expr), ty.clone());
        while let Kind::Pair(a, b) = ty.kind().clone() {
            let Some((first, more)) = rest.split() else { break };
            parts.push(self.normal(first, &a, mode, depth));
            (rest, ty) = (more, b);
        }
        if parts.is_empty() {
            return expr.clone();
        }
        let last = rest.expr();
        let is_pair = matches!(ty.kind(), Kind::Pair(..));
        parts.push(if is_pair { last } else { self.normal(&last, &ty, mode, depth) });
        match (mode, parts.len()) {
            (Mode::Readable, _) | (_, 2) => Micheline::prim(Prim::Pair, parts),
            (Mode::Optimized, 4..) => Micheline::Seq(parts),
            _ => {
                let last = parts.pop().unwrap_or_else(Micheline::unit);
                parts.into_iter().rev().fold(last, |rest, part| Micheline::prim(Prim::Pair, vec![part, rest]))
            }
        }
    }

    fn normal_ticket(&mut self, expr: &Micheline, content: &Type, mode: Mode, depth: usize) -> Micheline {
        let parts = match expr {
            Micheline::Prim(app) if app.prim == Prim::Ticket && app.args.len() == 4 => {
                Some([app.args[0].clone(), app.args[2].clone(), app.args[3].clone()])
            }
            _ => Rest::Whole(expr).split().and_then(|(ticketer, rest)| {
                let (content, amount) = rest.split()?;
                Some([ticketer.clone(), content.clone(), amount.expr()])
            }),
        };
        let Some([ticketer, inner, amount]) = parts else { return expr.clone() };
        let ticketer = self.normal_atom(&ticketer, &Type::address(), mode);
        let inner = self.normal(&inner, content, mode, depth);
        let pair = |parts| Micheline::prim(Prim::Pair, parts);
        match mode {
            Mode::Readable => pair(vec![ticketer, inner, amount]),
            _ => pair(vec![ticketer, pair(vec![inner, amount])]),
        }
    }

    fn normal_code(&mut self, code: &Micheline, mode: Mode, depth: usize) -> Micheline {
        if depth > MAX_DEPTH {
            return code.clone();
        }
        match code {
            Micheline::Seq(items) => {
                Micheline::Seq(items.iter().map(|item| self.normal_code(item, mode, depth + 1)).collect())
            }
            Micheline::Prim(app) => match (app.prim, &app.args[..]) {
                (Prim::PUSH, [ty, data]) => match self.parse_type(ty) {
                    Ok(parsed) => with_args(app, vec![ty.clone(), self.normal(data, &parsed, mode, depth + 1)]),
                    Err(_) => code.clone(),
                },
                (_, args) => {
                    let args = args.iter().map(|arg| self.normal_code(arg, mode, depth + 1)).collect();
                    with_args(app, args)
                }
            },
            leaf => leaf.clone(),
        }
    }
}

fn with_args(app: &PrimApp, args: Vec<Micheline>) -> Micheline {
    Micheline::Prim(Box::new(PrimApp { prim: app.prim, args, annots: app.annots.clone() }))
}

/// What is left of a comb in any of its forms.
#[derive(Clone, Copy)]
enum Rest<'e> {
    Whole(&'e Micheline),
    /// Arguments of a `Pair`.
    Pair(&'e [Micheline]),
    /// Items of a sequence.
    Seq(&'e [Micheline]),
}

impl<'e> Rest<'e> {
    /// The first part, and the rest.
    fn split(self) -> Option<(&'e Micheline, Rest<'e>)> {
        let (items, flat): (&[Micheline], bool) = match self {
            Rest::Whole(Micheline::Prim(app)) if app.prim == Prim::Pair && app.annots.is_empty() => (&app.args, false),
            Rest::Whole(Micheline::Seq(items)) => (items, true),
            Rest::Seq(items) => (items, true),
            Rest::Pair(items) => (items, false),
            Rest::Whole(_) => return None,
        };
        match items {
            [first, second] => Some((first, Rest::Whole(second))),
            [first, more @ ..] if more.len() > 1 => {
                Some((first, if flat { Rest::Seq(more) } else { Rest::Pair(more) }))
            }
            _ => None,
        }
    }

    fn expr(self) -> Micheline {
        match self {
            Rest::Whole(expr) => expr.clone(),
            Rest::Pair(items) => Micheline::prim(Prim::Pair, items.to_vec()),
            Rest::Seq(items) => Micheline::Seq(items.to_vec()),
        }
    }
}
