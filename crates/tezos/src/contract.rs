//! Who can hold tez, code or messages: implicit accounts, originated contracts, rollups; and entrypoints
//! (`spec/protocol.md` §2.3).

use crate::base58::Base58Error;
use crate::codec::{Decode, Decoded, Encode, Problem, Reader, put_dynamic};
use crate::hash::{ContractHash, SmartRollupAddress};
use crate::key::PublicKeyHash;
use std::fmt;
use std::str::FromStr;

/// An account of the layer 1: 22 bytes in binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Contract {
    /// An account with a key (`tz…`).
    Implicit(PublicKeyHash),
    /// A contract with code (`KT1…`).
    Originated(ContractHash),
}

/// What a transfer or a Michelson address can name: an account or a rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// An account.
    Contract(Contract),
    /// A smart rollup (`sr1…`).
    SmartRollup(SmartRollupAddress),
}

impl From<PublicKeyHash> for Contract {
    fn from(hash: PublicKeyHash) -> Self {
        Contract::Implicit(hash)
    }
}

impl From<ContractHash> for Contract {
    fn from(hash: ContractHash) -> Self {
        Contract::Originated(hash)
    }
}

impl From<Contract> for Destination {
    fn from(contract: Contract) -> Self {
        Destination::Contract(contract)
    }
}

impl From<SmartRollupAddress> for Destination {
    fn from(rollup: SmartRollupAddress) -> Self {
        Destination::SmartRollup(rollup)
    }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Contract::Implicit(hash) => hash.fmt(f),
            Contract::Originated(hash) => hash.fmt(f),
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Contract(contract) => contract.fmt(f),
            Destination::SmartRollup(rollup) => rollup.fmt(f),
        }
    }
}

impl FromStr for Contract {
    type Err = Base58Error;
    fn from_str(text: &str) -> Result<Self, Base58Error> {
        if text.starts_with("KT1") {
            text.parse().map(Contract::Originated)
        } else {
            text.parse().map(Contract::Implicit)
        }
    }
}

impl FromStr for Destination {
    type Err = Base58Error;
    fn from_str(text: &str) -> Result<Self, Base58Error> {
        if text.starts_with("sr1") {
            text.parse().map(Destination::SmartRollup)
        } else {
            text.parse().map(Destination::Contract)
        }
    }
}

crate::json_as_text!(Contract);
crate::json_as_text!(Destination);

const IMPLICIT: u8 = 0;
const ORIGINATED: u8 = 1;
const SMART_ROLLUP: u8 = 3;

/// An address of 20 bytes followed by one byte of padding.
fn padded(reader: &mut Reader<'_>, what: &'static str) -> Decoded<[u8; 20]> {
    let hash = reader.array(what)?;
    let at = reader.clone();
    let padding = reader.byte(what)?;
    reader.note_name("padding", "\"\\000\"");
    match padding {
        0 => Ok(hash),
        _ => Err(at.error(what, Problem::Other("the padding byte is not zero"))),
    }
}

impl Encode for Contract {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Contract::Implicit(hash) => {
                out.push(IMPLICIT);
                hash.encode(out);
            }
            Contract::Originated(hash) => {
                out.push(ORIGINATED);
                hash.encode(out);
                out.push(0);
            }
        }
    }
}

impl Decode for Contract {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        match reader.byte("contract")? {
            IMPLICIT => {
                reader.case("Implicit");
                PublicKeyHash::decode(reader).map(Contract::Implicit)
            }
            ORIGINATED => {
                reader.case("Originated");
                let hash = reader.field("Contract_hash", |reader| padded(reader, "contract"))?;
                Ok(Contract::Originated(ContractHash(hash)))
            }
            other => Err(at.error("contract", Problem::Tag(other))),
        }
    }
}

impl ContractHash {
    /// Reads an account in its form of 22 bytes that must be an originated contract.
    pub fn decode_contract(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        match Contract::decode(reader)? {
            Contract::Originated(hash) => Ok(hash),
            Contract::Implicit(_) => Err(at.error("contract", Problem::Other("an implicit account has no code"))),
        }
    }
}

impl Encode for Destination {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Destination::Contract(contract) => contract.encode(out),
            Destination::SmartRollup(rollup) => {
                out.push(SMART_ROLLUP);
                rollup.encode(out);
                out.push(0);
            }
        }
    }
}

impl Decode for Destination {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        match reader.peek().first() {
            Some(&SMART_ROLLUP) => {
                reader.byte("destination")?;
                reader.case("Smart_rollup");
                reader
                    .field("smart_rollup_address", |reader| padded(reader, "destination"))
                    .map(|hash| Destination::SmartRollup(SmartRollupAddress(hash)))
            }
            _ => Contract::decode(reader).map(Destination::Contract),
        }
    }
}

/// The name of an entrypoint: any text of 1 to 31 bytes; `default` when none is given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entrypoint(String);

/// A text too long to name an entrypoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{name}' is too long for an entrypoint name: at most {MAX_ENTRYPOINT} bytes")]
pub struct EntrypointError {
    name: String,
}

/// Names with a tag of their own in the binary form of a transaction.
const SHORT: [&str; 10] = [
    "default",
    "root",
    "do",
    "set_delegate",
    "remove_delegate",
    "deposit",
    "stake",
    "unstake",
    "finalize_unstake",
    "set_delegate_parameters",
];
const LONG_TAG: u8 = 255;
const MAX_ENTRYPOINT: usize = 31;

impl Entrypoint {
    /// The entrypoint `default`.
    pub fn default_entrypoint() -> Self {
        Entrypoint(SHORT[0].to_owned())
    }

    /// Whether this is `default`.
    pub fn is_default(&self) -> bool {
        self.0 == SHORT[0]
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn from_bytes_named(at: &Reader<'_>, bytes: &[u8]) -> Decoded<Self> {
        std::str::from_utf8(bytes)
            .ok()
            .and_then(|name| name.parse().ok())
            .ok_or_else(|| at.error("entrypoint", Problem::Other("not an entrypoint name")))
    }

    /// The form used in transactions, where only the first `tags` of the names with a tag of their own have one: protocols
    /// before 018 know 6 of them.
    pub fn encode_with_tags(&self, tags: usize, out: &mut Vec<u8>) {
        match SHORT.iter().take(tags).position(|short| *short == self.0) {
            Some(tag) => out.push(tag as u8),
            None => {
                out.extend([LONG_TAG, self.0.len() as u8]);
                out.extend_from_slice(self.0.as_bytes());
            }
        }
    }

    /// The form used in ticket transfers and outbox messages: four-byte length and name.
    pub fn encode_simple(&self, out: &mut Vec<u8>) {
        put_dynamic(out, self.0.as_bytes());
    }

    /// Reads the form of [`Entrypoint::encode_simple`].
    pub fn decode_simple(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        let name = reader.dynamic("entrypoint")?;
        reader.note_text(name);
        Self::from_bytes_named(&at, name)
    }
}

impl Default for Entrypoint {
    fn default() -> Self {
        Self::default_entrypoint()
    }
}

impl fmt::Display for Entrypoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Entrypoint {
    type Err = EntrypointError;
    fn from_str(name: &str) -> Result<Self, EntrypointError> {
        let name = if name.is_empty() { SHORT[0] } else { name };
        if name.len() <= MAX_ENTRYPOINT {
            Ok(Entrypoint(name.to_owned()))
        } else {
            Err(EntrypointError { name: name.chars().take(40).collect() })
        }
    }
}

crate::json_as_text!(Entrypoint);

impl Encode for Entrypoint {
    fn encode(&self, out: &mut Vec<u8>) {
        self.encode_with_tags(SHORT.len(), out);
    }
}

impl Decode for Entrypoint {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        match reader.byte("entrypoint")? {
            LONG_TAG => {
                reader.case("named");
                let length = reader.byte("entrypoint")?;
                reader.note_name("dynamic length", length);
                let name = reader.take(usize::from(length), "entrypoint")?;
                reader.note_text(name);
                Self::from_bytes_named(&at, name)
            }
            tag => match SHORT.get(usize::from(tag)) {
                Some(name) => {
                    reader.case(name);
                    Ok(Entrypoint((*name).to_owned()))
                }
                None => Err(at.error("entrypoint", Problem::Tag(tag))),
            },
        }
    }
}
