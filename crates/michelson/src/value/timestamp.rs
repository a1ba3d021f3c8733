//! Timestamps of Michelson: whole seconds of any size, written as RFC 3339 where that is possible.

use num_bigint::BigInt;
use soru_tezos::number::Z;
use soru_tezos::scalar::Timestamp;

/// The text of a time: RFC 3339 in the years 0 to 9999, seconds otherwise.
pub(super) fn to_text(seconds: &BigInt) -> Option<String> {
    let text = i64::try_from(seconds).map(|seconds| Timestamp(seconds).to_string()).ok()?;
    text.contains('T').then_some(text)
}

/// Reads seconds or RFC 3339.
pub(super) fn of_text(text: &str) -> Option<BigInt> {
    match text.parse::<Z>() {
        Ok(seconds) => Some(seconds.0),
        // a leap second is the first second of the next minute
        Err(_) => match text.split_once(":60") {
            Some((front, back)) => {
                format!("{front}:59{back}").parse::<Timestamp>().ok().map(|time| (time.0 + 1).into())
            }
            None => text.parse::<Timestamp>().ok().map(|time| time.0.into()),
        },
    }
}
