//! Base58check: the printed form of every Tezos hash, key and signature (`spec/protocol.md` §0.1, §1).

use sha2::{Digest, Sha256};

/// Why a base58check text was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Base58Error {
    /// A character outside the Bitcoin alphabet, or no text at all.
    #[error("'{text}' is not base58 text")]
    Alphabet {
        /// The text, shortened.
        text: String,
    },
    /// The last four bytes are not the checksum of the rest.
    #[error("'{text}' has a wrong checksum: a character was mistyped or lost")]
    Checksum {
        /// The text, shortened.
        text: String,
    },
    /// The checksum is right but the prefix or the length is not that of the wanted kind.
    #[error("'{text}' is not a {wanted}")]
    Kind {
        /// The text, shortened.
        text: String,
        /// What was expected, e.g. `smart rollup address (sr1…)`.
        wanted: &'static str,
    },
}

/// Longest base58 text that is looked at; an ML-DSA signature needs about 3,400 characters.
const MAX_TEXT: usize = 4096;

fn shorten(text: &str) -> String {
    if text.chars().count() <= 80 { text.to_owned() } else { text.chars().take(77).chain("...".chars()).collect() }
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let twice = Sha256::digest(Sha256::digest(bytes));
    [twice[0], twice[1], twice[2], twice[3]]
}

/// Base58check text of `prefix ‖ payload`.
pub fn encode(prefix: &[u8], payload: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(prefix.len() + payload.len() + 4);
    bytes.extend_from_slice(prefix);
    bytes.extend_from_slice(payload);
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum);
    bs58::encode(bytes).into_string()
}

/// The base58 text of bytes, without prefix and checksum.
pub fn encode_raw(bytes: &[u8]) -> String {
    bs58::encode(bytes).into_string()
}

/// The bytes (prefix included, checksum removed) of a base58check text.
pub fn decode_raw(text: &str) -> Result<Vec<u8>, Base58Error> {
    let alphabet = || Base58Error::Alphabet { text: shorten(text) };
    if text.is_empty() || text.len() > MAX_TEXT {
        return Err(alphabet());
    }
    let mut bytes = bs58::decode(text).into_vec().map_err(|_| alphabet())?;
    let Some(cut) = bytes.len().checked_sub(4) else {
        return Err(Base58Error::Checksum { text: shorten(text) });
    };
    if checksum(&bytes[..cut]) != bytes[cut..] {
        return Err(Base58Error::Checksum { text: shorten(text) });
    }
    bytes.truncate(cut);
    Ok(bytes)
}

/// The payload of a base58check text that must carry `prefix` and exactly `N` payload bytes.
pub fn decode<const N: usize>(prefix: &[u8], text: &str, wanted: &'static str) -> Result<[u8; N], Base58Error> {
    let bytes = decode_raw(text)?;
    bytes
        .strip_prefix(prefix)
        .and_then(|payload| payload.try_into().ok())
        .ok_or_else(|| Base58Error::Kind { text: shorten(text), wanted })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_commitment_hash_prints_as_documented() {
        let text = encode(&[17, 165, 134, 138], &[0; 32]);
        assert_eq!(text, "src12UJzB8mg7yU6nWPzicH7ofJbFjyJEbHvwtZdfRXi8DQHNp1LY8");
        assert_eq!(decode::<32>(&[17, 165, 134, 138], &text, "commitment").unwrap(), [0; 32]);
    }

    #[test]
    fn refusals_name_what_is_wrong() {
        assert!(matches!(decode::<20>(&[6, 161, 159], "tz1O", "tz1"), Err(Base58Error::Alphabet { .. })));
        let typo = "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSy";
        assert!(matches!(decode::<20>(&[6, 161, 159], typo, "tz1"), Err(Base58Error::Checksum { .. })));
        let other = "sr163Lv22CdE8QagCwf48PWDTquk6isQwv57";
        assert!(matches!(decode::<20>(&[6, 161, 159], other, "tz1"), Err(Base58Error::Kind { .. })));
    }
}
