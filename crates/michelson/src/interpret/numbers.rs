//! Arithmetic on integers, amounts and times.

use super::Machine;
use crate::error::{Problem, Result};
use crate::gas::cost;
use crate::value::{Fr, Value, pairings_cancel};
use num_bigint::{BigInt, Sign};
use num_integer::Integer;
use soru_tezos::micheline::Prim;
use soru_tezos::scalar::Mutez;
use std::sync::Arc;

/// Most bits a number is shifted by.
const MAX_SHIFT: u32 = 256;

fn euclid(a: &BigInt, b: &BigInt) -> Option<(BigInt, BigInt)> {
    if b.sign() == Sign::NoSign {
        return None;
    }
    let (quotient, rest) = a.div_rem(b);
    Some(match (rest.sign(), b.sign()) {
        (Sign::Minus, Sign::Minus) => (quotient + 1, rest - b),
        (Sign::Minus, _) => (quotient - 1, rest + b),
        _ => (quotient, rest),
    })
}

impl Machine<'_> {
    /// Instructions on two numbers.
    pub(super) fn arithmetic(&mut self, prim: Prim) -> Result<()> {
        let (a, b) = (self.pop()?, self.pop()?);
        let (x, y) = (a.weight(), b.weight());
        self.typer.gas.take_for(cost::ARITHMETIC, cost::NUMBER_BYTES, x.saturating_add(y))?;
        if matches!(prim, Prim::MUL | Prim::EDIV) {
            self.typer.gas.take_for(0, cost::NUMBER_PRODUCTS, (x / 8 + 1).saturating_mul(y / 8 + 1))?;
        }
        let result = match (prim, a, b) {
            (Prim::ADD, Value::Int(a), Value::Int(b)) => Value::Int(a + b),
            (Prim::SUB, Value::Int(a), Value::Int(b)) => Value::Int(a - b),
            (Prim::MUL, Value::Int(a), Value::Int(b)) => Value::Int(a * b),
            (Prim::EDIV, Value::Int(a), Value::Int(b)) => {
                Value::option(euclid(&a, &b).map(|(quotient, rest)| Value::pair(quotient.into(), rest.into())))
            }
            (Prim::ADD, Value::Mutez(a), Value::Mutez(b)) => match a.checked_add(b) {
                Some(sum) => Value::Mutez(sum),
                None => return Err(Problem::MutezAddition { a, b }.into()),
            },
            (Prim::SUB, Value::Mutez(a), Value::Mutez(b)) => match a.checked_sub(b) {
                Some(rest) => Value::Mutez(rest),
                None => return Err(Problem::MutezSubtraction { a, b }.into()),
            },
            (Prim::SUB_MUTEZ, Value::Mutez(a), Value::Mutez(b)) => Value::option(a.checked_sub(b).map(Value::Mutez)),
            (Prim::MUL, Value::Mutez(a), Value::Int(b)) | (Prim::MUL, Value::Int(b), Value::Mutez(a)) => {
                let Ok(factor) = i64::try_from(&b) else { return self.overflow() };
                let product = u64::try_from(factor).ok().and_then(|factor| a.0.checked_mul(factor));
                match product.filter(|product| *product <= Mutez::MAX.0) {
                    Some(product) => Value::Mutez(Mutez(product)),
                    None => return Err(Problem::MutezMultiplication { a, b: factor }.into()),
                }
            }
            (Prim::EDIV, Value::Mutez(a), Value::Int(b)) => {
                let parts = match u64::try_from(&b) {
                    Ok(0) => None,
                    Ok(b) => Some((a.0 / b, a.0 % b)),
                    // larger than any amount
                    Err(_) => Some((0, a.0)),
                };
                let amount = |mutez| Value::Mutez(Mutez(mutez));
                Value::option(parts.map(|(quotient, rest)| Value::pair(amount(quotient), amount(rest))))
            }
            (Prim::EDIV, Value::Mutez(a), Value::Mutez(b)) => {
                let rest = a.0.checked_rem(b.0);
                Value::option(rest.map(|rest| Value::pair(Value::int(a.0 / b.0), Value::Mutez(Mutez(rest)))))
            }
            (prim, a, b) => return self.on_curve(prim, a, b),
        };
        self.push(result);
        Ok(())
    }

    /// Addition and multiplication on BLS12-381.
    fn on_curve(&mut self, prim: Prim, a: Value, b: Value) -> Result<()> {
        let point = matches!(a, Value::BlsG1(_) | Value::BlsG2(_));
        self.typer.gas.take(match (prim, point) {
            (Prim::MUL, true) => cost::BLS_MUL,
            _ => cost::BLS_ADD,
        })?;
        let result = match (prim, a, b) {
            (Prim::ADD, Value::BlsG1(a), Value::BlsG1(b)) => Some(Value::BlsG1(Arc::new(a.plus(&b)))),
            (Prim::ADD, Value::BlsG2(a), Value::BlsG2(b)) => Some(Value::BlsG2(Arc::new(a.plus(&b)))),
            (Prim::ADD, Value::BlsFr(a), Value::BlsFr(b)) => Some(Value::BlsFr(Arc::new(&*a + &*b))),
            (Prim::MUL, Value::BlsG1(a), Value::BlsFr(b)) => a.times(&b).map(|point| Value::BlsG1(Arc::new(point))),
            (Prim::MUL, Value::BlsG2(a), Value::BlsFr(b)) => a.times(&b).map(|point| Value::BlsG2(Arc::new(point))),
            (Prim::MUL, Value::BlsFr(a), Value::BlsFr(b)) => Some(Value::BlsFr(Arc::new(&*a * &*b))),
            (Prim::MUL, Value::BlsFr(a), Value::Int(b)) | (Prim::MUL, Value::Int(b), Value::BlsFr(a)) => {
                Some(Value::BlsFr(Arc::new(&*a * &Fr::from(&b))))
            }
            _ => None,
        };
        match result {
            Some(result) => self.push(result),
            None => return self.inconsistent(),
        }
        Ok(())
    }

    /// Whether the pairings of a list of pairs of points cancel each other out.
    pub(super) fn pairing_check(&mut self) -> Result<()> {
        let Value::List(pairs) = self.pop()? else { return self.inconsistent() };
        self.typer.gas.take(cost::PAIRING.saturating_mul(pairs.len() as u64 + 1))?;
        let mut points = Vec::with_capacity(pairs.len());
        for pair in &pairs {
            let Value::Pair(pair) = pair else { return self.inconsistent() };
            let (Value::BlsG1(a), Value::BlsG2(b)) = (&pair.0, &pair.1) else { return self.inconsistent() };
            points.push((&**a, &**b));
        }
        let cancel = pairings_cancel(points.into_iter());
        self.push(Value::Bool(cancel));
        Ok(())
    }

    /// Shifts and bitwise logic.
    pub(super) fn bitwise(&mut self, prim: Prim) -> Result<()> {
        let (a, b) = (self.pop()?, self.pop()?);
        self.typer.gas.take_for(cost::ARITHMETIC, cost::NUMBER_BYTES, a.weight().saturating_add(b.weight()))?;
        let result = match (prim, a, b) {
            (Prim::AND, Value::Bool(a), Value::Bool(b)) => Value::Bool(a && b),
            (Prim::OR, Value::Bool(a), Value::Bool(b)) => Value::Bool(a || b),
            (Prim::XOR, Value::Bool(a), Value::Bool(b)) => Value::Bool(a != b),
            (Prim::AND, Value::Int(a), Value::Int(b)) => Value::Int(a & b),
            (Prim::OR, Value::Int(a), Value::Int(b)) => Value::Int(a | b),
            (Prim::XOR, Value::Int(a), Value::Int(b)) => Value::Int(a ^ b),
            (Prim::LSL | Prim::LSR, Value::Int(a), Value::Int(shift)) => match u32::try_from(&shift) {
                Ok(shift) if shift <= MAX_SHIFT => Value::Int(if prim == Prim::LSL { a << shift } else { a >> shift }),
                _ => return self.overflow(),
            },
            (_, Value::Bytes(a), b) => return self.bitwise_bytes(prim, &a, b),
            _ => return self.inconsistent(),
        };
        self.push(result);
        Ok(())
    }

    /// Instructions on one number or boolean.
    pub(super) fn unary(&mut self, prim: Prim) -> Result<()> {
        let operand = self.pop()?;
        self.typer.gas.take_for(cost::ARITHMETIC, cost::NUMBER_BYTES, operand.weight())?;
        let ordered = |test: fn(Sign) -> bool, value: &BigInt| Value::Bool(test(value.sign()));
        let result = match (prim, operand) {
            (Prim::ABS, Value::Int(value)) => Value::Int(value.magnitude().clone().into()),
            (Prim::NEG, Value::Int(value)) => Value::Int(-value),
            (Prim::NEG, Value::BlsFr(value)) => Value::BlsFr(Arc::new(-&*value)),
            (Prim::NEG, Value::BlsG1(point)) => {
                self.typer.gas.take(cost::BLS_NEG)?;
                match point.negated() {
                    Some(point) => Value::BlsG1(Arc::new(point)),
                    None => return self.inconsistent(),
                }
            }
            (Prim::NEG, Value::BlsG2(point)) => {
                self.typer.gas.take(2 * cost::BLS_NEG)?;
                match point.negated() {
                    Some(point) => Value::BlsG2(Arc::new(point)),
                    None => return self.inconsistent(),
                }
            }
            (Prim::INT, Value::BlsFr(value)) => Value::Int(value.to_int()),
            (Prim::NOT, Value::Bool(value)) => Value::Bool(!value),
            (Prim::NOT, Value::Int(value)) => Value::Int(-value - 1),
            (Prim::NOT, Value::Bytes(bytes)) => Value::bytes(bytes.iter().map(|byte| !byte).collect::<Vec<_>>()),
            (Prim::ISNAT, Value::Int(value)) if value.sign() == Sign::Minus => Value::None,
            (Prim::ISNAT, value @ Value::Int(_)) => Value::some(value),
            (Prim::INT, value @ Value::Int(_)) => value,
            (Prim::INT, Value::Bytes(bytes)) => Value::Int(BigInt::from_signed_bytes_be(&bytes)),
            (Prim::NAT, Value::Bytes(bytes)) => Value::Int(BigInt::from_bytes_be(Sign::Plus, &bytes)),
            (Prim::EQ, Value::Int(v)) => ordered(|sign| sign == Sign::NoSign, &v),
            (Prim::NEQ, Value::Int(v)) => ordered(|sign| sign != Sign::NoSign, &v),
            (Prim::LT, Value::Int(v)) => ordered(|sign| sign == Sign::Minus, &v),
            (Prim::GT, Value::Int(v)) => ordered(|sign| sign == Sign::Plus, &v),
            (Prim::LE, Value::Int(v)) => ordered(|sign| sign != Sign::Plus, &v),
            (Prim::GE, Value::Int(v)) => ordered(|sign| sign != Sign::Minus, &v),
            _ => return self.inconsistent(),
        };
        self.push(result);
        Ok(())
    }
}
