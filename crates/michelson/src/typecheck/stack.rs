//! Instructions that only move, make and take apart what is on the stack.

use super::{Judgement, Op, Stack, Typer, shown};
use crate::error::{Problem, Result};
use crate::gas::cost;
use crate::node::Node;
use crate::types::{Kind, MAX_TYPE_SIZE, Type};
use soru_tezos::micheline::{Micheline, Prim};

/// The largest number an instruction may carry.
const MAX_ARGUMENT: usize = 1_023;

impl Typer<'_> {
    /// The number given to an instruction.
    pub(super) fn number(&mut self, node: &Node<'_>) -> Result<usize> {
        let value = match node.expr {
            Micheline::Int(value) => usize::try_from(&value.0).ok().filter(|value| *value <= MAX_ARGUMENT),
            _ => return Err(node.wrong_kind(&["integer"]).into()),
        };
        let value = value.ok_or_else(|| Problem::InvalidSyntacticConstant {
            location: node.location,
            expected_form: "a positive 10-bit integer (between 0 and 1023)".to_owned(),
            expression: node.expr.clone(),
        })?;
        self.gas.take(cost::CHECK_INSTRUCTION / 10 * value as u64)?;
        Ok(value)
    }

    /// The error that the stack is not what an instruction wants.
    pub(super) fn bad_stack<T>(&self, node: &Node<'_>, portion: usize, stack: &[Type]) -> Result<T> {
        let prim = node.as_prim().map_or(Prim::code, |(prim, _)| prim);
        Err(Problem::BadStack { location: node.location, prim, portion, stack: shown(stack) }.into())
    }

    /// Refuses types that have grown too large.
    pub(super) fn sized(&self, node: &Node<'_>, ty: Type) -> Result<Type> {
        if ty.size() > MAX_TYPE_SIZE {
            return Err(Problem::TypeTooLarge { location: node.location }.into());
        }
        Ok(ty)
    }

    pub(super) fn drop_instr(&mut self, node: &Node<'_>, mut stack: Stack) -> Judgement {
        let count = match &node.children[..] {
            [] => 1,
            [n] => self.number(n)?,
            _ => return Err(node.wrong_arity(1).into()),
        };
        if stack.len() < count {
            return self.bad_stack(node, count, &stack);
        }
        stack.truncate(stack.len() - count);
        Ok((Op::Drop(count), Some(stack)))
    }

    pub(super) fn dup(&mut self, node: &Node<'_>, mut stack: Stack) -> Judgement {
        let (location, count) = match &node.children[..] {
            [] => (node.location, 1),
            [n] => (node.location, self.number(n)?),
            _ => return Err(node.wrong_arity(1).into()),
        };
        if count == 0 {
            return Err(Problem::BadDupArgument { location }.into());
        }
        let Some(ty) = stack.len().checked_sub(count).map(|index| stack[index].clone()) else {
            if node.children.is_empty() || stack.is_empty() {
                return self.bad_stack(node, count, &stack);
            }
            return Err(Problem::BadDupStack { location }.into());
        };
        if !ty.is_duplicable() {
            return Err(Problem::NonDupableType { location, ty: ty.to_micheline() }.into());
        }
        stack.push(ty);
        Ok((Op::Dup(count), Some(stack)))
    }

    pub(super) fn dig_or_dug(&mut self, node: &Node<'_>, mut stack: Stack, dig: bool) -> Judgement {
        let [n] = node.args()?;
        let count = self.number(n)?;
        let Some(place) = stack.len().checked_sub(count + 1) else {
            return self.bad_stack(node, count + 1, &stack);
        };
        if dig {
            let ty = stack.remove(place);
            stack.push(ty);
            return Ok((Op::Dig(count), Some(stack)));
        }
        match stack.pop() {
            Some(ty) => stack.insert(place, ty),
            None => return self.bad_stack(node, 1, &stack),
        }
        Ok((Op::Dug(count), Some(stack)))
    }

    pub(super) fn pair(&mut self, node: &Node<'_>, mut stack: Stack) -> Judgement {
        let count = match &node.children[..] {
            [] => 2,
            [n] => self.number(n)?,
            _ => return Err(node.wrong_arity(1).into()),
        };
        if count < 2 {
            return Err(Problem::BadPairArgument { location: node.location }.into());
        }
        let Some(start) = stack.len().checked_sub(count) else {
            return self.bad_stack(node, count, &stack);
        };
        let mut items = stack.split_off(start).into_iter();
        if let Some(mut ty) = items.next() {
            for first in items {
                ty = self.sized(node, Type::pair(first, ty))?;
            }
            stack.push(ty);
        }
        Ok((Op::PairN(count), Some(stack)))
    }

    pub(super) fn unpair(&mut self, node: &Node<'_>, mut stack: Stack) -> Judgement {
        let count = match &node.children[..] {
            [] => 2,
            [n] => self.number(n)?,
            _ => return Err(node.wrong_arity(1).into()),
        };
        if count < 2 {
            return Err(Problem::BadUnpairArgument { location: node.location }.into());
        }
        let Some(whole) = stack.pop() else { return self.bad_stack(node, 1, &stack) };
        let mut ty = whole.clone();
        let mut items = Vec::new();
        for _ in 1..count {
            match ty.kind().clone() {
                Kind::Pair(a, b) => {
                    items.push(a);
                    ty = b;
                }
                _ if node.children.is_empty() => {
                    stack.push(whole);
                    return self.bad_stack(node, 1, &stack);
                }
                _ => return Err(Problem::BadUnpairArgument { location: node.location }.into()),
            }
        }
        stack.push(ty);
        stack.extend(items.into_iter().rev());
        Ok((Op::UnpairN(count), Some(stack)))
    }

    /// `GET n` on a comb.
    pub(super) fn get_n(&mut self, node: &Node<'_>, mut stack: Stack) -> Judgement {
        let [n] = node.args()?;
        let n = self.number(n)?;
        let Some(ty) = stack.last().and_then(|ty| comb_part(ty, n)) else {
            return self.bad_stack(node, 1, &stack);
        };
        stack.pop();
        stack.push(ty);
        Ok((Op::GetN(n), Some(stack)))
    }

    /// `UPDATE n` on a comb.
    pub(super) fn update_n(&mut self, node: &Node<'_>, mut stack: Stack) -> Judgement {
        let [n] = node.args()?;
        let n = self.number(n)?;
        let (Some(ty), Some(comb)) = (stack.pop(), stack.pop()) else {
            return self.bad_stack(node, 2, &stack);
        };
        let Some(updated) = comb_with(&comb, n, &ty) else {
            stack.extend([comb, ty]);
            return self.bad_stack(node, 2, &stack);
        };
        stack.push(self.sized(node, updated)?);
        Ok((Op::UpdateN(n), Some(stack)))
    }
}

/// The type of part `n` of a comb: even numbers are what is left after n/2 steps to the right, odd ones its first.
fn comb_part(ty: &Type, n: usize) -> Option<Type> {
    let mut ty = ty;
    for _ in 0..n / 2 {
        let Kind::Pair(_, rest) = ty.kind() else { return None };
        ty = rest;
    }
    match (n % 2, ty.kind()) {
        (0, _) => Some(ty.clone()),
        (_, Kind::Pair(first, _)) => Some(first.clone()),
        _ => None,
    }
}

/// The comb with part `n` of another type.
fn comb_with(comb: &Type, n: usize, part: &Type) -> Option<Type> {
    let (mut firsts, mut ty) = (Vec::new(), comb);
    for _ in 0..n / 2 {
        let Kind::Pair(first, rest) = ty.kind() else { return None };
        firsts.push(first);
        ty = rest;
    }
    let last = match (n % 2, ty.kind()) {
        (0, _) => part.clone(),
        (_, Kind::Pair(_, rest)) => Type::pair(part.clone(), rest.clone()),
        _ => return None,
    };
    Some(firsts.into_iter().rev().fold(last, |rest, first| Type::pair(first.clone(), rest)))
}
