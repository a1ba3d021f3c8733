//! Values to Micheline.

use super::{BigMap, Body, Lambda, Value, timestamp};
use crate::error::{Problem, Result};
use crate::gas::{Gas, cost};
use crate::node::MAX_DEPTH;
use crate::typecheck::Typer;
use crate::types::{Kind, Type};
use num_bigint::BigInt;
use soru_tezos::codec::Encode;
use soru_tezos::contract::Entrypoint;
use soru_tezos::micheline::{Micheline, Prim, PrimApp};
use soru_tezos::number::Z;

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// For people: base58 and RFC 3339, combs flat.
    Readable,
    /// For storage and parameters: bytes, long combs as sequences.
    Optimized,
    /// For `PACK`: bytes, pairs nested.
    OptimizedLegacy,
}

/// What is written needs gas, and code in it needs the typechecker.
impl Typer<'_> {
    /// Writes a value of type `ty`.
    pub fn unparse(&mut self, value: &Value, ty: &Type, mode: Mode) -> Result<Micheline> {
        self.unparse_at(value, ty, mode, 0)
    }

    fn unparse_at(&mut self, value: &Value, ty: &Type, mode: Mode, depth: usize) -> Result<Micheline> {
        if depth > MAX_DEPTH {
            return Err(Problem::UnparsingTooDeep.into());
        }
        self.gas.take_for(cost::UNPARSE_NODE, cost::BYTES, value_bytes(value))?;
        let below = depth + 1;
        let of = |prim, inner| Micheline::prim(prim, vec![inner]);
        Ok(match (value, ty.kind()) {
            (Value::Unit, _) => Micheline::unit(),
            (Value::Bool(true), _) => Micheline::word(Prim::True),
            (Value::Bool(false), _) => Micheline::word(Prim::False),
            (Value::Int(seconds), Kind::Timestamp) if mode == Mode::Readable => match timestamp::to_text(seconds) {
                Some(text) => Micheline::String(text),
                None => Micheline::Int(Z(seconds.clone())),
            },
            (Value::Int(value), _) => Micheline::Int(Z(value.clone())),
            (Value::Mutez(amount), _) => Micheline::int(amount.0),
            (Value::String(text), _) => Micheline::string(&**text),
            (Value::Bytes(bytes), _) => Micheline::Bytes(bytes.to_vec()),
            (Value::ChainId(value), _) => atom(value, mode),
            (Value::KeyHash(value), _) => atom(value, mode),
            (Value::Key(value), _) => atom(&**value, mode),
            (Value::Signature(value), _) if mode == Mode::Readable => Micheline::String(value.to_string()),
            (Value::Signature(value), _) => Micheline::Bytes(value.as_bytes().to_vec()),
            (Value::Address(address), _) => unparse_address(address, mode),
            (Value::Contract(contract), _) => unparse_address(&contract.address, mode),
            (Value::Pair(_), Kind::Pair(..)) => self.unparse_comb(value, ty, mode, below)?,
            (Value::Left(value), Kind::Or(a, _)) => of(Prim::Left, self.unparse_at(value, a, mode, below)?),
            (Value::Right(value), Kind::Or(_, b)) => of(Prim::Right, self.unparse_at(value, b, mode, below)?),
            (Value::None, _) => Micheline::word(Prim::None),
            (Value::Some(value), Kind::Option(a)) => of(Prim::Some, self.unparse_at(value, a, mode, below)?),
            (Value::List(items), Kind::List(a)) => {
                Micheline::Seq(items.iter().map(|item| self.unparse_at(item, a, mode, below)).collect::<Result<_>>()?)
            }
            (Value::Set(items), Kind::Set(a)) => {
                Micheline::Seq(items.iter().map(|item| self.unparse_at(item, a, mode, below)).collect::<Result<_>>()?)
            }
            (Value::Map(map), Kind::Map(k, v)) => {
                let mut items = Vec::with_capacity(map.len());
                for (key, value) in map {
                    let pair = vec![self.unparse_at(key, k, mode, below)?, self.unparse_at(value, v, mode, below)?];
                    items.push(Micheline::prim(Prim::Elt, pair));
                }
                Micheline::Seq(items)
            }
            (Value::BigMap(map), _) => self.unparse_big_map(map, mode, below)?,
            (Value::Lambda(lambda), _) => self.unparse_lambda(lambda, mode, below)?,
            (Value::Ticket(ticket), Kind::Ticket(content)) => {
                let opened = Type::pair(Type::address(), Type::pair(content.clone(), Type::nat()));
                let amount = Value::Int(BigInt::from(ticket.amount.clone()));
                let contents = Value::pair(ticket.content.clone(), amount);
                let address = Value::address(ticket.ticketer, Entrypoint::default());
                self.unparse_at(&Value::pair(address, contents), &opened, mode, below)?
            }
            (Value::BlsG1(point), _) => Micheline::Bytes(point.to_bytes()),
            (Value::BlsG2(point), _) => Micheline::Bytes(point.to_bytes()),
            (Value::BlsFr(number), _) => Micheline::Bytes(number.to_bytes()),
            (Value::Operation(emitted), _) => operation(emitted),
            // the typechecker keeps values and types together
            _ => return Err(Problem::CannotSerializeStorage.into()),
        })
    }

    fn unparse_comb(&mut self, value: &Value, ty: &Type, mode: Mode, depth: usize) -> Result<Micheline> {
        let (mut items, mut value, mut ty) = (Vec::new(), value, ty);
        while let (Value::Pair(pair), Kind::Pair(a, b)) = (value, ty.kind()) {
            items.push(self.unparse_at(&pair.0, a, mode, depth)?);
            (value, ty) = (&pair.1, b);
        }
        items.push(self.unparse_at(value, ty, mode, depth)?);
        Ok(match (mode, items.len()) {
            (Mode::Readable, _) | (_, 2) => Micheline::prim(Prim::Pair, items),
            (Mode::Optimized, 4..) => Micheline::Seq(items),
            _ => {
                if items.len() + depth > MAX_DEPTH {
                    return Err(Problem::UnparsingTooDeep.into());
                }
                let last = items.pop().unwrap_or_else(Micheline::unit);
                items.into_iter().rev().fold(last, |rest, item| Micheline::prim(Prim::Pair, vec![item, rest]))
            }
        })
    }

    fn unparse_big_map(&mut self, map: &BigMap, mode: Mode, depth: usize) -> Result<Micheline> {
        let mut changes: Vec<_> = map.changes.values().collect();
        changes.sort_by(|a, b| a.0.cmp(&b.0));
        let mut items = Vec::with_capacity(changes.len());
        for (key, value) in changes {
            let key = self.unparse_at(key, &map.key_type, mode, depth)?;
            let value = match (value, &map.id) {
                (Some(value), None) => self.unparse_at(value, &map.value_type, mode, depth)?,
                (Some(value), Some(_)) => {
                    Micheline::prim(Prim::Some, vec![self.unparse_at(value, &map.value_type, mode, depth)?])
                }
                (None, Some(_)) => Micheline::word(Prim::None),
                (None, None) => continue,
            };
            items.push(Micheline::prim(Prim::Elt, vec![key, value]));
        }
        Ok(match &map.id {
            None => Micheline::Seq(items),
            Some(id) if items.is_empty() => Micheline::Int(id.clone()),
            Some(id) => Micheline::prim(Prim::Pair, vec![Micheline::Int(id.clone()), Micheline::Seq(items)]),
        })
    }

    fn unparse_lambda(&mut self, lambda: &Lambda, mode: Mode, depth: usize) -> Result<Micheline> {
        if depth > MAX_DEPTH {
            return Err(Problem::UnparsingTooDeep.into());
        }
        match &lambda.body {
            Body::Code { expr, recursive, .. } => {
                let code = self.unparse_code(expr, mode, depth)?;
                Ok(if *recursive { Micheline::prim(Prim::Lambda_rec, vec![code]) } else { code })
            }
            Body::Applied { ty, value, expr, extent, inner } => {
                let data = if mode == Mode::Optimized {
                    if depth + extent.depth > MAX_DEPTH {
                        return Err(Problem::UnparsingTooDeep.into());
                    }
                    self.gas.take(cost::UNPARSE_NODE.saturating_mul(extent.nodes as u64))?;
                    (**expr).clone()
                } else {
                    self.unparse_at(value, ty, mode, depth + 2)?
                };
                let push = Micheline::prim(Prim::PUSH, vec![ty.to_micheline(), data]);
                let mut items = vec![push, Micheline::word(Prim::PAIR)];
                match self.unparse_lambda(inner, mode, depth + 1)? {
                    Micheline::Prim(app) if app.prim == Prim::Lambda_rec => {
                        let types = [inner.argument.to_micheline(), inner.result.to_micheline()];
                        items.push(Micheline::prim(Prim::LAMBDA_REC, types.into_iter().chain(app.args).collect()));
                        items.extend([Micheline::word(Prim::SWAP), Micheline::word(Prim::EXEC)]);
                    }
                    code => items.push(code),
                }
                Ok(Micheline::Seq(items))
            }
        }
    }

    /// Code with the values it pushes written in `mode`.
    pub(crate) fn unparse_code(&mut self, code: &Micheline, mode: Mode, depth: usize) -> Result<Micheline> {
        if depth > MAX_DEPTH {
            return Err(Problem::UnparsingTooDeep.into());
        }
        self.gas.take(cost::UNPARSE_NODE)?;
        Ok(match code {
            Micheline::Seq(items) => Micheline::Seq(
                items.iter().map(|item| self.unparse_code(item, mode, depth + 1)).collect::<Result<_>>()?,
            ),
            Micheline::Prim(app) => {
                let args = match (app.prim, &app.args[..]) {
                    (Prim::PUSH, [ty, data]) => {
                        let parsed = self.parse_type(ty)?;
                        let value = self.parse_data(data, &parsed, false)?;
                        vec![ty.clone(), self.unparse_at(&value, &parsed, mode, depth + 1)?]
                    }
                    (_, args) => {
                        args.iter().map(|arg| self.unparse_code(arg, mode, depth + 1)).collect::<Result<_>>()?
                    }
                };
                Micheline::Prim(Box::new(PrimApp { prim: app.prim, args, annots: app.annots.clone() }))
            }
            leaf => leaf.clone(),
        })
    }

    /// The bytes `PACK` gives.
    pub fn pack(&mut self, value: &Value, ty: &Type) -> Result<Vec<u8>> {
        let expr = self.unparse(value, ty, Mode::OptimizedLegacy)?;
        let mut bytes = vec![5];
        expr.encode(&mut bytes);
        self.gas.take_for(cost::INSTRUCTION, cost::BYTES, bytes.len())?;
        Ok(bytes)
    }
}

/// Bytes of the value itself, not of what it contains: charged for writing it.
fn value_bytes(value: &Value) -> usize {
    match value {
        Value::Int(_) | Value::String(_) | Value::Bytes(_) => value.weight(),
        _ => 0,
    }
}

fn atom<T: Encode + std::fmt::Display>(value: &T, mode: Mode) -> Micheline {
    match mode {
        Mode::Readable => Micheline::String(value.to_string()),
        _ => Micheline::Bytes(value.to_bytes()),
    }
}

fn unparse_address(address: &super::Address, mode: Mode) -> Micheline {
    if mode == Mode::Readable {
        return Micheline::String(address.to_string());
    }
    let mut bytes = address.destination.to_bytes();
    if !address.entrypoint.is_default() {
        bytes.extend_from_slice(address.entrypoint.as_str().as_bytes());
    }
    Micheline::Bytes(bytes)
}

/// Operations are never stored; tools show their binary form.
fn operation(emitted: &super::EmittedOperation) -> Micheline {
    Micheline::string(format!("operation {} of {}", emitted.operation.nonce, emitted.operation.source))
}

impl Gas {
    /// Takes the cost of comparing two values.
    pub(crate) fn take_compare(&mut self, a: &Value, b: &Value) -> Result<()> {
        self.take_for(cost::COMPARE, 30, a.weight().min(b.weight()))
    }
}
