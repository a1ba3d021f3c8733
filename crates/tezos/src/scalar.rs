//! Quantities with their unit in the type: levels, amounts, times, ticks.

use crate::codec::{Decode, Decoded, Encode, Problem, Reader};
use crate::number::{natural_u64, put_u64};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use time::format_description::well_known::Rfc3339;

/// A level: the number of a block on its chain, from 0. A JSON number, four bytes in binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Level(pub i32);

impl Level {
    /// The level `blocks` later, at most the largest.
    pub fn after(self, blocks: i32) -> Level {
        Level(self.0.saturating_add(blocks))
    }

    /// The level `blocks` earlier, at least 0.
    pub fn before(self, blocks: i32) -> Level {
        Level(self.0.saturating_sub(blocks).max(0))
    }

    /// Blocks from `earlier` to this level; negative when `earlier` is later.
    pub fn since(self, earlier: Level) -> i32 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Encode for Level {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Decode for Level {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        match i32::decode(reader)? {
            level if level >= 0 => Ok(Level(level)),
            _ => Err(at.error("level", Problem::Number)),
        }
    }
}

/// A decimal text that does not give a quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not {wanted}")]
pub struct ScalarError {
    /// The text, shortened.
    pub text: String,
    /// What was wanted.
    pub wanted: &'static str,
}

impl ScalarError {
    fn new(text: &str, wanted: &'static str) -> Self {
        ScalarError { text: text.chars().take(40).collect(), wanted }
    }
}

macro_rules! decimal_u64 {
    ($(#[$doc:meta])* $name:ident, $max:expr, $wanted:literal, $id:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub u64);
        impl $name {
            /// The largest value.
            pub const MAX: $name = $name($max);
            /// Sum, or nothing when it does not fit.
            pub fn checked_add(self, other: $name) -> Option<$name> {
                self.0.checked_add(other.0).filter(|sum| *sum <= $max).map($name)
            }
            /// Difference, or nothing when it is negative.
            pub fn checked_sub(self, other: $name) -> Option<$name> { self.0.checked_sub(other.0).map($name) }
        }
        impl Encode for $name { fn encode(&self, out: &mut Vec<u8>) { put_u64(out, self.0) } }
        impl Decode for $name {
            fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
                let at = reader.clone();
                let read = |reader: &mut Reader<'_>| natural_u64(reader, $wanted);
                // a type with a name of its own, or a mere number
                let value = if $id.is_empty() { read(reader) } else { reader.described_by_protocol($id, read) };
                match value? {
                    value if value <= $max => Ok($name(value)),
                    _ => Err(at.error($wanted, Problem::Number)),
                }
            }
        }
        impl FromStr for $name {
            type Err = ScalarError;
            fn from_str(text: &str) -> Result<Self, ScalarError> {
                Some(text).filter(|t| t.bytes().all(|byte| byte.is_ascii_digit())).and_then(|t| t.parse().ok())
                    .filter(|value| *value <= $max).map($name).ok_or_else(|| ScalarError::new(text, $wanted))
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(&self.0, f) }
        }
        $crate::json_as_text!($name);
    };
}

decimal_u64!(
    /// An amount in mutez (millionths of a tez). A decimal string in JSON, a natural in binary, below 2⁶³.
    Mutez, i64::MAX as u64, "an amount in mutez", "{}mutez"
);
decimal_u64!(
    /// A natural that fits 64 bits: counters, gas and storage limits. A decimal string in JSON, a natural in binary.
    Nat, u64::MAX, "a natural number below 2^64", ""
);

decimal_u64!(
    /// Gas in thousandths of a unit. A decimal string in JSON.
    Milligas, u64::MAX, "an amount of gas", ""
);

impl Milligas {
    /// So many units of gas.
    pub const fn of_gas(gas: u64) -> Milligas {
        Milligas(gas.saturating_mul(1000))
    }

    /// Units of gas that cover this.
    pub const fn ceil_gas(self) -> u64 {
        self.0.div_ceil(1000)
    }
}

impl Mutez {
    /// The amount of so many whole tez, at most [`Mutez::MAX`].
    pub const fn of_tez(tez: u64) -> Mutez {
        match tez.checked_mul(1_000_000) {
            Some(mutez) if mutez <= Mutez::MAX.0 => Mutez(mutez),
            _ => Mutez::MAX,
        }
    }

    /// Reads an amount in tez: digits, optional `.` and at most six decimals, thousands separated by commas allowed.
    pub fn parse_tez(text: &str) -> Result<Mutez, ScalarError> {
        let refuse = || ScalarError::new(text, "an amount in tez, like 10 or 0.25");
        let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
        let whole = whole.replace(',', "");
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let decimals = decimals.replace(',', "");
        if (whole.is_empty() && decimals.is_empty()) || !digits(&whole) || !digits(&decimals) || decimals.len() > 6 {
            return Err(refuse());
        }
        format!("{whole}{decimals:0<6}").parse().map_err(|_| refuse())
    }

    /// The amount in tez, without trailing zeros: `0.000654`, `1.638`, `4000000`.
    pub fn to_tez(self) -> String {
        let (whole, rest) = (self.0 / 1_000_000, self.0 % 1_000_000);
        if rest == 0 { whole.to_string() } else { format!("{whole}.{}", format!("{rest:06}").trim_end_matches('0')) }
    }
}

/// A number of PVM ticks. A decimal string in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ticks(pub i64);

impl Encode for Ticks {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Decode for Ticks {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        match i64::decode(reader)? {
            ticks if ticks >= 0 => Ok(Ticks(ticks)),
            _ => Err(at.error("number of ticks", Problem::Number)),
        }
    }
}

impl fmt::Display for Ticks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Ticks {
    type Err = ScalarError;
    fn from_str(text: &str) -> Result<Self, ScalarError> {
        text.parse()
            .ok()
            .filter(|ticks| *ticks >= 0)
            .map(Ticks)
            .ok_or_else(|| ScalarError::new(text, "a number of ticks"))
    }
}

crate::json_as_text!(Ticks);

/// A point in time, in seconds since 1970. Eight bytes in binary; RFC 3339 in JSON (the bare number outside years 0–9999).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The time so many seconds later.
    pub fn plus(self, seconds: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(seconds))
    }
}

impl Encode for Timestamp {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Decode for Timestamp {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        reader.described("timestamp.protocol", i64::decode).map(Timestamp)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = time::OffsetDateTime::from_unix_timestamp(self.0).ok().filter(|t| (0..=9999).contains(&t.year()));
        match text.and_then(|t| t.format(&Rfc3339).ok()) {
            Some(text) => f.write_str(&text),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl FromStr for Timestamp {
    type Err = ScalarError;
    fn from_str(text: &str) -> Result<Self, ScalarError> {
        if let Ok(seconds) = text.parse() {
            return Ok(Timestamp(seconds));
        }
        time::OffsetDateTime::parse(text, &Rfc3339)
            .map(|t| Timestamp(t.unix_timestamp()))
            .map_err(|_| ScalarError::new(text, "a time like 2026-01-01T00:00:00Z"))
    }
}

crate::json_as_text!(Timestamp);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tez_text() {
        assert_eq!(Mutez(654).to_tez(), "0.000654");
        assert_eq!(Mutez(1_638_000).to_tez(), "1.638");
        assert_eq!(Mutez::of_tez(4_000_000).to_tez(), "4000000");
        assert_eq!(Mutez::parse_tez("1.638"), Ok(Mutez(1_638_000)));
        assert_eq!(Mutez::parse_tez("4,000,000"), Ok(Mutez::of_tez(4_000_000)));
        for wrong in ["", ".", "1.0000001", "-1", "1e3", "99999999999999"] {
            assert!(Mutez::parse_tez(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn timestamps() {
        let t: Timestamp = "2023-06-01T00:00:00Z".parse().unwrap();
        assert_eq!(t, Timestamp(1_685_577_600));
        assert_eq!(t.to_string(), "2023-06-01T00:00:00Z");
        assert_eq!(Timestamp(i64::MAX).to_string(), i64::MAX.to_string());
        assert_eq!(
            serde_json::from_str::<Timestamp>("\"2026-01-01T01:00:00+01:00\"").unwrap().to_string(),
            "2026-01-01T00:00:00Z"
        );
    }
}
