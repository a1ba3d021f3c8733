//! Public key hashes, public keys and signatures of all schemes (`spec/protocol.md` §0.1). Secret keys and the
//! cryptography itself live in [`crate::sign`].

use crate::base58::{self, Base58Error};
use crate::blake2b;
use crate::codec::{Decode, Decoded, Encode, Problem, Reader};
use std::fmt;
use std::str::FromStr;

/// A signature scheme. The discriminant is the tag of keys and key hashes in binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Scheme {
    /// Ed25519 (`tz1`).
    Ed25519 = 0,
    /// ECDSA on secp256k1 (`tz2`).
    Secp256k1 = 1,
    /// ECDSA on NIST P-256 (`tz3`).
    P256 = 2,
    /// BLS12-381, keys in G1 (`tz4`).
    Bls = 3,
    /// ML-DSA-44 (`tz5`): recognised as an address; keys of this scheme are not supported.
    MlDsa44 = 4,
}

impl Scheme {
    /// All schemes, by tag.
    pub const ALL: [Scheme; 5] = [Scheme::Ed25519, Scheme::Secp256k1, Scheme::P256, Scheme::Bls, Scheme::MlDsa44];

    fn from_tag(at: &Reader<'_>, tag: u8) -> Decoded<Scheme> {
        Scheme::ALL.get(usize::from(tag)).copied().ok_or_else(|| at.error("signature scheme", Problem::Tag(tag)))
    }

    /// The names of the scheme's case, key hashes and keys, in traces.
    fn called(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Scheme::Ed25519 => ("Ed25519", "Ed25519.Public_key_hash", "Ed25519.Public_key"),
            Scheme::Secp256k1 => ("Secp256k1", "Secp256k1.Public_key_hash", "Secp256k1.Public_key"),
            Scheme::P256 => ("P256", "P256.Public_key_hash", "P256.Public_key"),
            Scheme::Bls => ("Bls", "Bls12_381.Public_key_hash", "Bls12_381.Public_key"),
            Scheme::MlDsa44 => ("Mldsa44", "ML_DSA_44.Public_key_hash", "ML_DSA_44.Public_key"),
        }
    }

    fn hash_prefix(self) -> &'static [u8] {
        match self {
            Scheme::Ed25519 => &[6, 161, 159],
            Scheme::Secp256k1 => &[6, 161, 161],
            Scheme::P256 => &[6, 161, 164],
            Scheme::Bls => &[6, 161, 166],
            Scheme::MlDsa44 => &[6, 161, 169],
        }
    }

    /// Prefix of printed public keys and length of the key. ML-DSA keys are not supported.
    fn key_form(self) -> Option<(&'static [u8], usize)> {
        match self {
            Scheme::Ed25519 => Some((&[13, 15, 37, 217], 32)),
            Scheme::Secp256k1 => Some((&[3, 254, 226, 86], 33)),
            Scheme::P256 => Some((&[3, 178, 139, 127], 33)),
            Scheme::Bls => Some((&[6, 149, 135, 204], 48)),
            Scheme::MlDsa44 => None,
        }
    }
}

/// The hash of a public key: the address of an implicit account (`tz1…` to `tz5…`). 21 bytes in binary.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKeyHash {
    /// The scheme of the key.
    pub scheme: Scheme,
    /// BLAKE2b-160 of the key.
    pub hash: [u8; 20],
}

impl fmt::Display for PublicKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&base58::encode(self.scheme.hash_prefix(), &self.hash))
    }
}

impl fmt::Debug for PublicKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKeyHash {
    type Err = Base58Error;
    fn from_str(text: &str) -> Result<Self, Base58Error> {
        let wanted = "public key hash (tz1…, tz2…, tz3…, tz4…)";
        let scheme = match text.get(..3) {
            Some("tz2") => Scheme::Secp256k1,
            Some("tz3") => Scheme::P256,
            Some("tz4") => Scheme::Bls,
            Some("tz5") => Scheme::MlDsa44,
            _ => Scheme::Ed25519,
        };
        base58::decode(scheme.hash_prefix(), text, wanted).map(|hash| PublicKeyHash { scheme, hash })
    }
}

crate::json_as_text!(PublicKeyHash);

impl Encode for PublicKeyHash {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.scheme as u8);
        out.extend_from_slice(&self.hash);
    }
}

impl Decode for PublicKeyHash {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        let scheme = Scheme::from_tag(&at, reader.byte("public key hash")?)?;
        let (case, name, _) = scheme.called();
        reader.case(case);
        let hash = reader.field(name, |reader| reader.array("public key hash"))?;
        Ok(PublicKeyHash { scheme, hash })
    }
}

/// A public key (`edpk…`, `sppk…`, `p2pk…`, `BLpk…`): its scheme and the bytes of the (compressed) point. Whether the
/// point is on its curve is only known when a signature is checked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey {
    scheme: Scheme,
    bytes: Vec<u8>,
}

impl PublicKey {
    /// A key from the bytes of its point; nothing when the length is not that of the scheme.
    pub fn from_point(scheme: Scheme, bytes: &[u8]) -> Option<PublicKey> {
        let (_, length) = scheme.key_form()?;
        (bytes.len() == length).then(|| PublicKey { scheme, bytes: bytes.to_vec() })
    }

    /// A key from the point a secret key gave.
    pub(crate) fn of_point(scheme: Scheme, bytes: Vec<u8>) -> PublicKey {
        PublicKey { scheme, bytes }
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The bytes of the point, without tag.
    pub fn point(&self) -> &[u8] {
        &self.bytes
    }

    /// The address of this key.
    pub fn hash(&self) -> PublicKeyHash {
        PublicKeyHash { scheme: self.scheme, hash: blake2b::hash160(&self.bytes) }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.scheme.key_form().map_or(&[][..], |(prefix, _)| prefix);
        f.pad(&base58::encode(prefix, &self.bytes))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = Base58Error;
    fn from_str(text: &str) -> Result<Self, Base58Error> {
        let bytes = base58::decode_raw(text)?;
        Scheme::ALL
            .iter()
            .find_map(|&scheme| {
                let (prefix, _) = scheme.key_form()?;
                PublicKey::from_point(scheme, bytes.strip_prefix(prefix)?)
            })
            .ok_or_else(|| Base58Error::Kind {
                text: text.to_owned(),
                wanted: "public key (edpk…, sppk…, p2pk…, BLpk…)",
            })
    }
}

crate::json_as_text!(PublicKey);

impl Encode for PublicKey {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.scheme as u8);
        out.extend_from_slice(&self.bytes);
    }
}

impl Decode for PublicKey {
    fn decode(reader: &mut Reader<'_>) -> Decoded<Self> {
        let at = reader.clone();
        let tag = reader.byte("public key")?;
        let scheme = Scheme::from_tag(&at, tag)?;
        let (_, length) = scheme.key_form().ok_or_else(|| at.error("public key", Problem::Tag(tag)))?;
        let (case, _, name) = scheme.called();
        reader.case(case);
        let bytes = reader.field(name, |reader| reader.take(length, "public key"))?;
        Ok(PublicKey { scheme, bytes: bytes.to_vec() })
    }
}

/// A signature. Sixty-four bytes read from binary are of unknown scheme ([`Signature::Generic`], `sig…`) and are
/// interpreted with the scheme of the key they are checked against.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Signature {
    /// `edsig…`
    Ed25519([u8; 64]),
    /// `spsig1…`
    Secp256k1([u8; 64]),
    /// `p2sig…`
    P256([u8; 64]),
    /// `BLsig…`
    Bls([u8; 96]),
    /// `sig…`
    Generic([u8; 64]),
}

impl Signature {
    /// The missing signature: 64 zero bytes.
    pub const ZERO: Signature = Signature::Generic([0; 64]);

    const FORMS: [(&'static [u8], usize); 5] = [
        (&[9, 245, 205, 134, 18], 64),
        (&[13, 115, 101, 19, 63], 64),
        (&[54, 240, 44, 52], 64),
        (&[40, 171, 64, 207], 96),
        (&[4, 130, 43], 64),
    ];

    fn form(&self) -> usize {
        match self {
            Signature::Ed25519(_) => 0,
            Signature::Secp256k1(_) => 1,
            Signature::P256(_) => 2,
            Signature::Bls(_) => 3,
            Signature::Generic(_) => 4,
        }
    }

    /// The bytes of the signature.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Signature::Ed25519(bytes)
            | Signature::Secp256k1(bytes)
            | Signature::P256(bytes)
            | Signature::Generic(bytes) => bytes,
            Signature::Bls(bytes) => bytes,
        }
    }

    /// The same signature with its scheme forgotten, as it is read back from an operation.
    pub fn generic(&self) -> Signature {
        match self {
            Signature::Ed25519(bytes) | Signature::Secp256k1(bytes) | Signature::P256(bytes) => {
                Signature::Generic(*bytes)
            }
            other => other.clone(),
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&base58::encode(Self::FORMS[self.form()].0, self.as_bytes()))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Signature {
    type Err = Base58Error;
    fn from_str(text: &str) -> Result<Self, Base58Error> {
        let wrong = || Base58Error::Kind {
            text: text.to_owned(),
            wanted: "signature (edsig…, spsig1…, p2sig…, BLsig…, sig…)",
        };
        let bytes = base58::decode_raw(text)?;
        let (form, payload) = Self::FORMS
            .iter()
            .enumerate()
            .find_map(|(form, (prefix, length))| {
                Some((form, bytes.strip_prefix(*prefix).filter(|p| p.len() == *length)?))
            })
            .ok_or_else(wrong)?;
        let short = || payload.try_into().map_err(|_| wrong());
        Ok(match form {
            0 => Signature::Ed25519(short()?),
            1 => Signature::Secp256k1(short()?),
            2 => Signature::P256(short()?),
            3 => Signature::Bls(payload.try_into().map_err(|_| wrong())?),
            _ => Signature::Generic(short()?),
        })
    }
}

crate::json_as_text!(Signature);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bootstrap_key_and_its_address() {
        let key: PublicKey = "edpkuBknW28nW72KG6RoHtYW7p12T6GKc7nAbwYX5m8Wd9sDVC9yav".parse().unwrap();
        assert_eq!(key.hash().to_string(), "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx");
        assert_eq!(PublicKey::from_bytes(&key.to_bytes()).unwrap(), key);
        assert_eq!(PublicKeyHash::from_bytes(&key.hash().to_bytes()).unwrap(), key.hash());
    }
}
