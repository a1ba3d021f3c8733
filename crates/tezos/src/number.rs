//! Numbers of variable length: naturals `N` and integers `Z` in groups of seven bits (`spec/protocol.md` §0).

use crate::codec::{Decode, Decoded, Encode, Problem, Reader};
use num_bigint::{BigInt, BigUint, Sign};
use std::fmt;
use std::str::FromStr;

/// Most decimal digits a number in text may have: far above what fits an operation, small enough to parse at once.
pub const MAX_DIGITS: usize = 100_000;

/// Appends a natural in little-endian groups of seven bits.
pub fn put_natural(out: &mut Vec<u8>, value: &BigUint) {
    put_groups(out, &value.to_radix_le(128));
}

fn put_groups(out: &mut Vec<u8>, groups: &[u8]) {
    if let Some((last, front)) = groups.split_last() {
        out.extend(front.iter().map(|group| group | 0x80));
        out.push(*last);
    }
}

/// Appends a natural that fits 64 bits.
pub fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads the bytes of one number: all but the last have bit 7 set; redundant zero groups are refused.
fn groups<'a>(reader: &mut Reader<'a>, what: &'static str) -> Decoded<&'a [u8]> {
    let at = reader.clone();
    let length = match reader.peek().iter().position(|byte| byte & 0x80 == 0) {
        Some(last) => last + 1,
        None => return Err(at.error(what, Problem::TooShort { wanted: reader.left() + 1, left: reader.left() })),
    };
    let bytes = reader.take(length, what)?;
    if length > 1 && bytes[length - 1] == 0 {
        return Err(at.error(what, Problem::Number));
    }
    Ok(bytes)
}

/// Reads a natural of any size.
pub fn natural(reader: &mut Reader<'_>, what: &'static str) -> Decoded<BigUint> {
    let digits: Vec<u8> = groups(reader, what)?.iter().map(|byte| byte & 0x7f).collect();
    let value = BigUint::from_radix_le(&digits, 128).unwrap_or_default();
    reader.note("N", &value);
    Ok(value)
}

/// Reads a natural that must fit 64 bits.
pub fn natural_u64(reader: &mut Reader<'_>, what: &'static str) -> Decoded<u64> {
    let at = reader.clone();
    let mut value: u64 = 0;
    for (index, byte) in groups(reader, what)?.iter().enumerate() {
        let group = u64::from(byte & 0x7f);
        let shifted =
            u32::try_from(index * 7).ok().and_then(|shift| group.checked_shl(shift).filter(|s| s >> shift == group));
        value |= shifted.ok_or_else(|| at.error(what, Problem::Number))?;
    }
    reader.note("N", value);
    Ok(value)
}

fn decimal<T: FromStr>(text: &str) -> Result<T, NumberError> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NumberError { text: text.chars().take(40).collect() });
    }
    text.parse().map_err(|_| NumberError { text: text.chars().take(40).collect() })
}

/// A text that is not a decimal number of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a number that fits here")]
pub struct NumberError {
    /// The text, shortened.
    pub text: String,
}

macro_rules! big_number {
    ($(#[$doc:meta])* $name:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(&self.0, f) }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(&self.0, f) }
        }
        impl FromStr for $name {
            type Err = NumberError;
            fn from_str(text: &str) -> Result<Self, NumberError> { decimal(text).map($name) }
        }
        $crate::json_as_text!($name);
    };
}

big_number!(
    /// A natural number; a decimal string in JSON.
    N, BigUint
);
big_number!(
    /// An integer; a decimal string in JSON.
    Z, BigInt
);

impl From<u64> for N {
    fn from(value: u64) -> Self {
        N(value.into())
    }
}

impl From<i64> for Z {
    fn from(value: i64) -> Self {
        Z(value.into())
    }
}

impl Encode for N {
    fn encode(&self, out: &mut Vec<u8>) {
        put_natural(out, &self.0);
    }
}

impl Decode for N {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        natural(reader, "natural").map(N)
    }
}

impl Encode for Z {
    fn encode(&self, out: &mut Vec<u8>) {
        let magnitude = self.0.magnitude();
        let low = (magnitude % 64u8).iter_u32_digits().next().unwrap_or(0) as u8;
        let rest = magnitude >> 6u8;
        let sign = if self.0.sign() == Sign::Minus { 0x40 } else { 0 };
        if rest == BigUint::ZERO {
            out.push(low | sign);
        } else {
            out.push(low | sign | 0x80);
            put_natural(out, &rest);
        }
    }
}

impl Decode for Z {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let bytes = groups(reader, "integer")?;
        let (first, rest) = bytes.split_first().unwrap_or((&0, &[]));
        let digits: Vec<u8> = rest.iter().map(|byte| byte & 0x7f).collect();
        let high = BigUint::from_radix_le(&digits, 128).unwrap_or_default();
        let magnitude = (high << 6u8) + BigUint::from(first & 0x3f);
        let sign = if first & 0x40 == 0 { Sign::Plus } else { Sign::Minus };
        let value = Z(BigInt::from_biguint(sign, magnitude));
        reader.note("Z", &value);
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn documented_examples() {
        assert_eq!(N::from(300).to_bytes(), [0xac, 0x02]);
        assert_eq!(Z::from(100).to_bytes(), [0xa4, 0x01]);
        assert_eq!(Z::from(0).to_bytes(), [0x00]);
        assert!(N::from_bytes(&[0x80, 0x00]).is_err());
        assert!(Z::from_bytes(&[0x80, 0x00]).is_err());
        assert!(N::from_bytes(&[0x80]).is_err());
    }

    proptest! {
        #[test]
        fn round_trips(value: i128, natural: u64) {
            let z = Z(value.into());
            prop_assert_eq!(Z::from_bytes(&z.to_bytes()).unwrap(), z.clone());
            prop_assert_eq!(z.to_string().parse::<Z>().unwrap(), z);
            let mut bytes = Vec::new();
            put_u64(&mut bytes, natural);
            prop_assert_eq!(&bytes, &N::from(natural).to_bytes());
            prop_assert_eq!(natural_u64(&mut Reader::new(&bytes), "n").unwrap(), natural);
        }

        #[test]
        fn natural_u64_refuses_what_does_not_fit(value in (u128::from(u64::MAX) + 1)..u128::MAX) {
            let bytes = N(value.into()).to_bytes();
            prop_assert!(natural_u64(&mut Reader::new(&bytes), "n").is_err());
        }
    }
}
