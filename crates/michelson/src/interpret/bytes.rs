//! Strings, bytes and hashes.

use super::Machine;
use crate::error::Result;
use crate::gas::cost;
use crate::value::Value;
use num_bigint::{BigInt, Sign};
use sha2::Digest;
use soru_tezos::blake2b;
use soru_tezos::micheline::Prim;
use std::sync::Arc;

/// Most bits bytes are shifted left by.
const MAX_SHIFT: usize = 64_000;

/// Bytes shifted left; longer by the whole bytes the shift needs.
fn shift_left(bytes: &[u8], shift: usize) -> Vec<u8> {
    let (whole, bits) = (shift / 8, shift % 8);
    let mut out = Vec::with_capacity(bytes.len() + whole + 1);
    if bits == 0 {
        out.extend_from_slice(bytes);
    } else {
        let mut carry = 0u16;
        for byte in bytes {
            let both = (carry << 8) | u16::from(*byte);
            out.push((both >> (8 - bits)) as u8);
            carry = u16::from(*byte);
        }
        out.push((carry << bits) as u8);
    }
    out.resize(out.len() + whole, 0);
    out
}

/// Bytes shifted right; shorter by the whole bytes of the shift.
fn shift_right(bytes: &[u8], shift: usize) -> Vec<u8> {
    let (whole, bits) = (shift / 8, shift % 8);
    let kept = &bytes[..bytes.len().saturating_sub(whole)];
    let mut carry = 0u16;
    kept.iter()
        .map(|byte| {
            let both = (carry << 8) | u16::from(*byte);
            carry = u16::from(*byte);
            (both >> bits) as u8
        })
        .collect()
}

impl Machine<'_> {
    pub(super) fn bitwise_bytes(&mut self, prim: Prim, a: &[u8], b: Value) -> Result<()> {
        let result = match (prim, b) {
            (Prim::LSL, Value::Int(shift)) => match usize::try_from(&shift) {
                Ok(shift) if shift <= MAX_SHIFT => {
                    self.typer.gas.take_for(0, cost::BYTES, shift / 8 + a.len())?;
                    shift_left(a, shift)
                }
                _ => return self.overflow(),
            },
            (Prim::LSR, Value::Int(shift)) => shift_right(a, usize::try_from(&shift).unwrap_or(usize::MAX)),
            (_, Value::Bytes(b)) => {
                // aligned at the right end: AND gives the shorter length, OR and XOR the longer one
                let length = if prim == Prim::AND { a.len().min(b.len()) } else { a.len().max(b.len()) };
                let at = |bytes: &[u8], place: usize| match (bytes.len() + place).checked_sub(length) {
                    Some(index) => bytes[index],
                    None => 0,
                };
                let combine = |place: usize| match (prim, at(a, place), at(&b, place)) {
                    (Prim::AND, x, y) => x & y,
                    (Prim::OR, x, y) => x | y,
                    (_, x, y) => x ^ y,
                };
                (0..length).map(combine).collect()
            }
            _ => return self.inconsistent(),
        };
        self.push(Value::bytes(result));
        Ok(())
    }

    pub(super) fn number_to_bytes(&mut self, signed: bool) -> Result<()> {
        let Value::Int(value) = self.pop()? else { return self.inconsistent() };
        self.typer.gas.take_for(cost::ARITHMETIC, cost::NUMBER_BYTES, Value::Int(value.clone()).weight())?;
        let bytes = match (value.sign(), signed) {
            (Sign::NoSign, _) => Vec::new(),
            (_, true) => value.to_signed_bytes_be(),
            (_, false) => value.to_bytes_be().1,
        };
        self.push(Value::bytes(bytes));
        Ok(())
    }

    pub(super) fn concat(&mut self) -> Result<()> {
        let (a, b) = (self.pop()?, self.pop()?);
        self.typer.gas.take_for(cost::ARITHMETIC, cost::BYTES, a.weight().saturating_add(b.weight()))?;
        let result = match (a, b) {
            (Value::String(a), Value::String(b)) => Value::String([&*a, &*b].concat().into()),
            (Value::Bytes(a), Value::Bytes(b)) => Value::bytes([&*a, &*b].concat()),
            _ => return self.inconsistent(),
        };
        self.push(result);
        Ok(())
    }

    pub(super) fn concat_list(&mut self, bytes: bool) -> Result<()> {
        let Value::List(list) = self.pop()? else { return self.inconsistent() };
        self.typer.gas.take(cost::ELEMENT * list.len() as u64)?;
        let total = list.iter().fold(0usize, |sum, item| sum.saturating_add(item.weight()));
        self.typer.gas.take_for(cost::ARITHMETIC, cost::BYTES, total)?;
        if bytes {
            let mut joined = Vec::with_capacity(total);
            for item in &list {
                let Value::Bytes(item) = item else { return self.inconsistent() };
                joined.extend_from_slice(item);
            }
            self.push(Value::bytes(joined));
        } else {
            let mut joined = String::with_capacity(total);
            for item in &list {
                let Value::String(item) = item else { return self.inconsistent() };
                joined.push_str(item);
            }
            self.push(Value::String(joined.into()));
        }
        Ok(())
    }

    pub(super) fn slice(&mut self) -> Result<()> {
        let (offset, length, whole) = (self.pop()?, self.pop()?, self.pop()?);
        let (Value::Int(offset), Value::Int(length)) = (offset, length) else { return self.inconsistent() };
        let range = |total: usize| {
            let (start, length) = (usize::try_from(&offset).ok()?, usize::try_from(&length).ok()?);
            let end = start.checked_add(length)?;
            // as in the reference, an offset at the very end is refused
            (start < total && end <= total).then_some(start..end)
        };
        let part = match &whole {
            Value::String(text) => range(text.len()).and_then(|range| text.get(range)).map(Value::string),
            Value::Bytes(bytes) => range(bytes.len()).and_then(|range| bytes.get(range)).map(Value::bytes),
            _ => return self.inconsistent(),
        };
        let copied = part.as_ref().map_or(0, Value::weight);
        self.typer.gas.take_for(cost::ARITHMETIC, cost::BYTES, copied)?;
        self.push(Value::option(part));
        Ok(())
    }

    pub(super) fn size(&mut self) -> Result<()> {
        let size = match self.pop()? {
            Value::String(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::List(list) => list.len(),
            Value::Set(set) => set.len(),
            Value::Map(map) => map.len(),
            _ => return self.inconsistent(),
        };
        self.push(Value::int(BigInt::from(size)));
        Ok(())
    }

    pub(super) fn hash(&mut self, prim: Prim) -> Result<()> {
        let Value::Bytes(bytes) = self.pop()? else { return self.inconsistent() };
        self.typer.gas.take_for(cost::HASH, cost::HASH_BYTES, bytes.len())?;
        let digest: Arc<[u8]> = match prim {
            Prim::BLAKE2B => blake2b::hash256(&bytes).as_slice().into(),
            Prim::SHA256 => sha2::Sha256::digest(&bytes).as_slice().into(),
            Prim::SHA512 => sha2::Sha512::digest(&bytes).as_slice().into(),
            Prim::KECCAK => sha3::Keccak256::digest(&bytes).as_slice().into(),
            _ => sha3::Sha3_256::digest(&bytes).as_slice().into(),
        };
        self.push(Value::Bytes(digest));
        Ok(())
    }
}
