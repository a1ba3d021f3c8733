//! Secret keys, signing and checking signatures in all schemes (`spec/protocol.md` §0.1).
//!
//! Ed25519 and both ECDSA curves sign the BLAKE2b-256 of watermark and bytes; BLS signs the bytes themselves, in the
//! proof-of-possession scheme that is in force from Seoul on.

mod encrypted;

pub use encrypted::EncryptedSecretKey;

use crate::base58::{self, Base58Error};
use crate::blake2b;
use crate::hash::ChainId;
use crate::key::{PublicKey, PublicKeyHash, Scheme, Signature};
use crate::operation::{BlsProof, Operation};
use blst::BLST_ERROR;
use blst::min_pk;
use ed25519_dalek::{Signer, Verifier};
use k256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use std::fmt;
use std::str::FromStr;

/// What kind of thing is signed: put before the bytes, so that no signature can be used for another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Watermark {
    /// A manager operation.
    Operation,
    /// A Tenderbake block.
    Block(ChainId),
    /// A preattestation.
    Preattestation(ChainId),
    /// An attestation.
    Attestation(ChainId),
    /// Bytes that belong to no chain.
    None,
}

impl Watermark {
    /// The bytes put before what is signed.
    pub fn to_bytes(self) -> Vec<u8> {
        let (tag, chain) = match self {
            Watermark::Operation => return vec![0x03],
            Watermark::None => return Vec::new(),
            Watermark::Block(chain) => (0x11, chain),
            Watermark::Preattestation(chain) => (0x12, chain),
            Watermark::Attestation(chain) => (0x13, chain),
        };
        [&[tag], chain.0.as_slice()].concat()
    }

    fn digest(self, bytes: &[u8]) -> [u8; 32] {
        blake2b::digest(&[&self.to_bytes(), bytes])
    }
}

const BLS_SIGNATURE_TAG: &[u8] = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";
const BLS_PROOF_TAG: &[u8] = b"BLS_POP_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";

/// A secret key. It is printed only by [`SecretKey::to_base58`], never by `Debug`.
#[derive(Clone)]
pub struct SecretKey(Key);

#[derive(Clone)]
enum Key {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    Secp256k1(Box<k256::ecdsa::SigningKey>),
    P256(Box<p256::ecdsa::SigningKey>),
    Bls(Box<min_pk::SecretKey>),
}

/// Why a secret key could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretKeyError {
    /// The text is no secret key.
    #[error(transparent)]
    Text(#[from] Base58Error),
    /// The number is zero or above the order of the curve.
    #[error("the bytes are not a secret key of this scheme")]
    Range,
    /// Both halves of a 64-byte Ed25519 key must belong together.
    #[error("the public half of this edsk… key does not belong to its secret half")]
    Halves,
    /// Keys of this scheme cannot be made here.
    #[error("keys of the scheme {0:?} are not supported")]
    Scheme(Scheme),
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(String),
}

const ED25519_SEED: &[u8] = &[13, 15, 58, 7];
const ED25519_PAIR: &[u8] = &[43, 246, 78, 7];
const SECP256K1: &[u8] = &[17, 162, 224, 201];
const P256: &[u8] = &[16, 81, 238, 189];
const BLS: &[u8] = &[3, 150, 192, 40];
const WANTED: &str = "secret key (edsk…, spsk…, p2sk…, BLsk…)";

impl SecretKey {
    /// The key of a scheme from its 32 bytes: the seed of Ed25519, else the secret number, big-endian but for BLS.
    pub fn from_bytes(scheme: Scheme, bytes: &[u8; 32]) -> Result<SecretKey, SecretKeyError> {
        let range = |_| SecretKeyError::Range;
        Ok(SecretKey(match scheme {
            Scheme::Ed25519 => Key::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(bytes))),
            Scheme::Secp256k1 => Key::Secp256k1(Box::new(k256::ecdsa::SigningKey::from_slice(bytes).map_err(range)?)),
            Scheme::P256 => Key::P256(Box::new(p256::ecdsa::SigningKey::from_slice(bytes).map_err(range)?)),
            Scheme::Bls => {
                let mut big_endian = *bytes;
                big_endian.reverse();
                let key = min_pk::SecretKey::from_bytes(&big_endian).map_err(|_| SecretKeyError::Range)?;
                Key::Bls(Box::new(key))
            }
            Scheme::MlDsa44 => return Err(SecretKeyError::Scheme(scheme)),
        }))
    }

    /// A new key from the operating system's random bytes.
    pub fn generate(scheme: Scheme) -> Result<SecretKey, SecretKeyError> {
        let mut bytes = [0; 32];
        loop {
            getrandom::fill(&mut bytes).map_err(|error| SecretKeyError::Random(error.to_string()))?;
            if scheme == Scheme::Bls {
                // the top bits are above the order of the group anyway
                bytes[31] &= 0x3f;
            }
            match SecretKey::from_bytes(scheme, &bytes) {
                // fewer than one in 2³² for the ECDSA curves, one in two for BLS
                Err(SecretKeyError::Range) => {}
                other => return other,
            }
        }
    }

    /// The scheme.
    pub fn scheme(&self) -> Scheme {
        match self.0 {
            Key::Ed25519(_) => Scheme::Ed25519,
            Key::Secp256k1(_) => Scheme::Secp256k1,
            Key::P256(_) => Scheme::P256,
            Key::Bls(_) => Scheme::Bls,
        }
    }

    /// The public key.
    pub fn public_key(&self) -> PublicKey {
        let point = match &self.0 {
            Key::Ed25519(key) => key.verifying_key().to_bytes().to_vec(),
            Key::Secp256k1(key) => key.verifying_key().to_sec1_point(true).as_bytes().to_vec(),
            Key::P256(key) => key.verifying_key().to_sec1_point(true).as_bytes().to_vec(),
            Key::Bls(key) => key.sk_to_pk().to_bytes().to_vec(),
        };
        PublicKey::of_point(self.scheme(), point)
    }

    /// The address of the public key.
    pub fn public_key_hash(&self) -> PublicKeyHash {
        self.public_key().hash()
    }

    /// The text that wallets keep, `edsk…` (of the seed), `spsk…`, `p2sk…` or `BLsk…`.
    pub fn to_base58(&self) -> String {
        let prefix = match &self.0 {
            Key::Ed25519(_) => ED25519_SEED,
            Key::Secp256k1(_) => SECP256K1,
            Key::P256(_) => P256,
            Key::Bls(_) => BLS,
        };
        base58::encode(prefix, &self.to_bytes())
    }

    /// The bytes that [`SecretKey::from_bytes`] makes the key of.
    fn to_bytes(&self) -> [u8; 32] {
        match &self.0 {
            Key::Ed25519(key) => *key.as_bytes(),
            Key::Secp256k1(key) => key.to_bytes().into(),
            Key::P256(key) => key.to_bytes().into(),
            Key::Bls(key) => {
                let mut bytes = key.to_bytes();
                bytes.reverse();
                bytes
            }
        }
    }

    /// Signs bytes under a watermark.
    pub fn sign(&self, watermark: Watermark, bytes: &[u8]) -> Result<Signature, SignError> {
        Ok(match &self.0 {
            Key::Ed25519(key) => Signature::Ed25519(key.sign(&watermark.digest(bytes)).to_bytes()),
            Key::Secp256k1(key) => {
                let signature: k256::ecdsa::Signature =
                    key.sign_prehash(&watermark.digest(bytes)).map_err(|_| SignError)?;
                Signature::Secp256k1(signature.to_bytes().into())
            }
            Key::P256(key) => {
                let signature: p256::ecdsa::Signature =
                    key.sign_prehash(&watermark.digest(bytes)).map_err(|_| SignError)?;
                Signature::P256(signature.to_bytes().into())
            }
            Key::Bls(key) => {
                let message = [watermark.to_bytes().as_slice(), bytes].concat();
                Signature::Bls(key.sign(&message, BLS_SIGNATURE_TAG, &[]).to_bytes())
            }
        })
    }

    /// Signs an operation.
    pub fn sign_operation(&self, operation: &mut Operation) -> Result<(), SignError> {
        operation.signature = Some(self.sign(Watermark::Operation, &operation.unsigned_bytes())?);
        Ok(())
    }

    /// The proof of possession that the reveal of a BLS key needs; nothing for other schemes.
    pub fn proof_of_possession(&self) -> Option<BlsProof> {
        match &self.0 {
            Key::Bls(key) => Some(BlsProof(key.sign(&key.sk_to_pk().to_bytes(), BLS_PROOF_TAG, &[]).to_bytes())),
            _ => None,
        }
    }
}

/// A key that cannot sign: it never happens with keys made by this module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key could not sign")]
pub struct SignError;

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public_key_hash())
    }
}

impl FromStr for SecretKey {
    type Err = SecretKeyError;
    fn from_str(text: &str) -> Result<Self, SecretKeyError> {
        let scheme = match text.get(..4) {
            Some("edsk") if text.len() > 54 => {
                let pair = base58::decode(ED25519_PAIR, text, WANTED)?;
                let key = ed25519_dalek::SigningKey::from_keypair_bytes(&pair).map_err(|_| SecretKeyError::Halves)?;
                return Ok(SecretKey(Key::Ed25519(Box::new(key))));
            }
            Some("spsk") => Scheme::Secp256k1,
            Some("p2sk") => Scheme::P256,
            Some("BLsk") => Scheme::Bls,
            _ => Scheme::Ed25519,
        };
        let prefix = match scheme {
            Scheme::Secp256k1 => SECP256K1,
            Scheme::P256 => P256,
            Scheme::Bls => BLS,
            Scheme::Ed25519 | Scheme::MlDsa44 => ED25519_SEED,
        };
        SecretKey::from_bytes(scheme, &base58::decode(prefix, text, WANTED)?)
    }
}

impl PublicKey {
    /// Whether `signature` is this key's signature of `bytes` under `watermark`. A signature of unknown scheme is
    /// taken for one of the key's scheme. Of the two forms of a secp256k1 signature only that with the smaller number
    /// is accepted, as on the layer 1.
    pub fn verify(&self, watermark: Watermark, bytes: &[u8], signature: &Signature) -> bool {
        let point = self.point();
        match (self.scheme(), signature) {
            (Scheme::Ed25519, Signature::Ed25519(raw) | Signature::Generic(raw)) => {
                let key = point.try_into().ok().and_then(|point| ed25519_dalek::VerifyingKey::from_bytes(point).ok());
                let signature = ed25519_dalek::Signature::from_bytes(raw);
                key.is_some_and(|key| key.verify(&watermark.digest(bytes), &signature).is_ok())
            }
            (Scheme::Secp256k1, Signature::Secp256k1(raw) | Signature::Generic(raw)) => {
                let key = k256::ecdsa::VerifyingKey::from_sec1_bytes(point);
                let signature = k256::ecdsa::Signature::from_slice(raw);
                matches!((key, signature), (Ok(key), Ok(signature))
                    if key.verify_prehash(&watermark.digest(bytes), &signature).is_ok())
            }
            (Scheme::P256, Signature::P256(raw) | Signature::Generic(raw)) => {
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(point);
                let signature = p256::ecdsa::Signature::from_slice(raw);
                matches!((key, signature), (Ok(key), Ok(signature))
                    if key.verify_prehash(&watermark.digest(bytes), &signature).is_ok())
            }
            (Scheme::Bls, Signature::Bls(raw)) => {
                let message = [watermark.to_bytes().as_slice(), bytes].concat();
                verify_bls(point, &message, BLS_SIGNATURE_TAG, raw)
            }
            _ => false,
        }
    }

    /// Whether `proof` shows that the owner of this BLS key knows its secret.
    pub fn verify_possession(&self, proof: &BlsProof) -> bool {
        self.scheme() == Scheme::Bls && verify_bls(self.point(), self.point(), BLS_PROOF_TAG, &proof.0)
    }
}

fn verify_bls(point: &[u8], message: &[u8], tag: &[u8], signature: &[u8; 96]) -> bool {
    match (min_pk::PublicKey::uncompress(point), min_pk::Signature::uncompress(signature)) {
        (Ok(key), Ok(signature)) => signature.verify(true, message, tag, &[], &key, true) == BLST_ERROR::BLST_SUCCESS,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAIRS: [(&str, &str); 4] = [
        (
            "edsk3gUfUPyBSfrS9CCgmCiQsTCHGkviBDusMxDJstFtojtc1zcpsh",
            "edpkuBknW28nW72KG6RoHtYW7p12T6GKc7nAbwYX5m8Wd9sDVC9yav",
        ),
        (
            "spsk37UmuysppvErgNUiX41eALXGRrVXDQWXbyQEnR4bjjomuDNMUk",
            "sppk7bBY9HJUakRCxYXMpfhYRqiWp9pJBqhimdzfSBtgxfU1bHEuPDy",
        ),
        (
            "p2sk3ennEMv8U94UrUgR6jVH6wzoAEHWz6toZBaYkVet6R7ThyXxYC",
            "p2pk64iykBifxq1rtwbikm6ftiMcyRm5zYtKQNWbRxTQdBAdeg17nrz",
        ),
        (
            "BLsk2dUm5dwVVkyqqVjXgsXqpcfw9ddAoRDgXCktapgKbVfQ63uDSg",
            "BLpk1yLQg2fAk879cD1Y6H9kkrVn7W4u8w6KQYebVgyFU899nnwuWT7yyJc3jWWVKBfCovwjZLMV",
        ),
    ];

    #[test]
    fn recorded_pairs() {
        for (secret, public) in PAIRS {
            let key: SecretKey = secret.parse().unwrap();
            assert_eq!(key.public_key().to_string(), public);
            assert_eq!(key.to_base58(), secret);
        }
    }

    #[test]
    fn recorded_signature() {
        // `octez-client sign bytes 0x1234` with the second key
        let key: SecretKey = PAIRS[1].0.parse().unwrap();
        let text =
            "spsig1Zj33kd73Bn8iLs3kiJijycT6JpzABXgHzWSAVtihK3vcXLcAf2nyqCX1ZnXvVEKaHwiiV6PW2rHSNhZ9jLsqU7kB5nxft";
        let message = [0x12, 0x34];
        assert!(key.public_key().verify(Watermark::None, &message, &text.parse().unwrap()));
        assert_eq!(key.sign(Watermark::None, &message).unwrap().to_string(), text);
    }

    #[test]
    fn the_long_form_of_an_ed25519_key() {
        let seed: SecretKey = PAIRS[0].0.parse().unwrap();
        let Key::Ed25519(inner) = &seed.0 else { panic!("not Ed25519") };
        let pair = inner.to_keypair_bytes();
        let long = base58::encode(ED25519_PAIR, &pair);
        assert_eq!(long.len(), 98);
        assert_eq!(long.parse::<SecretKey>().unwrap().to_base58(), PAIRS[0].0);
        let mut mixed = pair;
        mixed[40] ^= 1;
        assert_eq!(base58::encode(ED25519_PAIR, &mixed).parse::<SecretKey>().unwrap_err(), SecretKeyError::Halves);
    }

    #[test]
    fn the_larger_form_of_a_secp256k1_signature_is_refused() {
        let key: SecretKey = PAIRS[1].0.parse().unwrap();
        let Signature::Secp256k1(raw) = key.sign(Watermark::Operation, b"x").unwrap() else { panic!("scheme") };
        let low = k256::ecdsa::Signature::from_slice(&raw).unwrap();
        let s = -*low.s();
        let high = k256::ecdsa::Signature::from_scalars(low.r(), s).unwrap();
        let high = Signature::Generic(high.to_bytes().into());
        assert!(key.public_key().verify(Watermark::Operation, b"x", &Signature::Generic(raw)));
        assert!(!key.public_key().verify(Watermark::Operation, b"x", &high));
    }

    #[test]
    fn possession_of_a_bls_key() {
        let key: SecretKey = PAIRS[3].0.parse().unwrap();
        let other = SecretKey::generate(Scheme::Bls).unwrap();
        let proof = key.proof_of_possession().unwrap();
        assert!(key.public_key().verify_possession(&proof));
        assert!(!other.public_key().verify_possession(&proof));
    }

    #[test]
    fn no_secret_in_debug_output() {
        let key: SecretKey = PAIRS[0].0.parse().unwrap();
        assert_eq!(format!("{key:?}"), "SecretKey(tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx)");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn what_is_signed_verifies_and_nothing_else(bytes in prop::collection::vec(any::<u8>(), 0..100), flip in 0..64usize) {
            for scheme in [Scheme::Ed25519, Scheme::Secp256k1, Scheme::P256, Scheme::Bls] {
                let key = SecretKey::generate(scheme).unwrap();
                let public = key.public_key();
                let signature = key.sign(Watermark::Operation, &bytes).unwrap();
                prop_assert!(public.verify(Watermark::Operation, &bytes, &signature));
                prop_assert!(public.verify(Watermark::Operation, &bytes, &signature.generic()));
                prop_assert!(!public.verify(Watermark::None, &bytes, &signature));
                let mut raw = signature.as_bytes().to_vec();
                raw[flip] ^= 0x10;
                let wrong = match <[u8; 64]>::try_from(raw.as_slice()) {
                    Ok(raw) => Signature::Generic(raw),
                    Err(_) => Signature::Bls(raw.as_slice().try_into().unwrap()),
                };
                prop_assert!(!public.verify(Watermark::Operation, &bytes, &wrong));
                prop_assert!(!SecretKey::generate(scheme).unwrap().public_key().verify(Watermark::Operation, &bytes, &signature));
            }
        }

        #[test]
        fn hostile_keys_and_signatures(point in prop::collection::vec(any::<u8>(), 48), raw in prop::collection::vec(any::<u8>(), 96)) {
            for (scheme, length) in [(Scheme::Ed25519, 32), (Scheme::Secp256k1, 33), (Scheme::P256, 33), (Scheme::Bls, 48)] {
                let key = PublicKey::from_point(scheme, &point[..length]).unwrap();
                let _ = key.verify(Watermark::Operation, b"", &Signature::Generic(raw[..64].try_into().unwrap()));
                let _ = key.verify(Watermark::Operation, b"", &Signature::Bls(raw[..].try_into().unwrap()));
            }
        }
    }
}
