//! The order of comparable values. Types that cannot be compared never meet here: the typechecker sees to it; values of
//! such types count as equal.

use super::Value;
use std::cmp::Ordering;

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        // right combs are walked, not recursed into
        let (mut left, mut right) = (self, other);
        while let (Value::Pair(a), Value::Pair(b)) = (left, right) {
            match a.0.cmp(&b.0) {
                Ordering::Equal => (left, right) = (&a.1, &b.1),
                unequal => return unequal,
            }
        }
        match (left, right) {
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Int(a), Value::Int(b)) => a.cmp(b),
            (Value::Mutez(a), Value::Mutez(b)) => a.cmp(b),
            (Value::String(a), Value::String(b)) => a.cmp(b),
            (Value::Bytes(a), Value::Bytes(b)) => a.cmp(b),
            (Value::ChainId(a), Value::ChainId(b)) => a.cmp(b),
            (Value::KeyHash(a), Value::KeyHash(b)) => a.cmp(b),
            (Value::Key(a), Value::Key(b)) => a.cmp(b),
            (Value::Signature(a), Value::Signature(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Value::Address(a), Value::Address(b)) => a.cmp(b),
            (Value::Left(a), Value::Left(b)) | (Value::Right(a), Value::Right(b)) => a.cmp(b),
            (Value::Left(_), Value::Right(_)) => Ordering::Less,
            (Value::Right(_), Value::Left(_)) => Ordering::Greater,
            (Value::None, Value::Some(_)) => Ordering::Less,
            (Value::Some(_), Value::None) => Ordering::Greater,
            (Value::Some(a), Value::Some(b)) => a.cmp(b),
            _ => Ordering::Equal,
        }
    }
}
