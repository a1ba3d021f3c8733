//! Secret keys behind a password, as wallets keep them: `edesk…`, `spesk…`, `p2esk…`, `BLesk…` (`spec/node.md` §10.4).
//!
//! A key of the box comes from the password by PBKDF2 with HMAC-SHA512; the box is NaCl's, with a nonce of zeros, since each
//! salt makes a new key.

use super::{SecretKey, SecretKeyError};
use crate::base58;
use crate::key::Scheme;
use crypto_secretbox::aead::Aead;
use crypto_secretbox::{KeyInit, Nonce, XSalsa20Poly1305};
use std::fmt;
use std::str::FromStr;

const ROUNDS: u32 = 32_768;
const SALT: usize = 8;
/// A secret key and the tag of the box.
const SEALED: usize = 32 + 16;

/// A secret key that only its password opens.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptedSecretKey {
    scheme: Scheme,
    salt: [u8; SALT],
    sealed: [u8; SEALED],
}

const WANTED: &str = "encrypted secret key (edesk…, spesk…, p2esk…, BLesk…)";
const PREFIXES: [(Scheme, &str, [u8; 5]); 4] = [
    (Scheme::Ed25519, "edesk", [7, 90, 60, 179, 41]),
    (Scheme::Secp256k1, "spesk", [9, 237, 241, 174, 150]),
    (Scheme::P256, "p2esk", [9, 48, 57, 115, 171]),
    (Scheme::Bls, "BLesk", [2, 5, 30, 53, 25]),
];

fn lock(password: &[u8], salt: &[u8; SALT]) -> XSalsa20Poly1305 {
    let key: [u8; 32] = pbkdf2::pbkdf2_hmac_array::<sha2::Sha512, 32>(password, salt, ROUNDS);
    XSalsa20Poly1305::new(&key.into())
}

impl EncryptedSecretKey {
    /// Its scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Opens it; nothing when the password is wrong. Takes some hundredths of a second, on purpose.
    ///
    /// # Errors
    /// When the password is right but what it opens is no key of the scheme.
    pub fn decrypt(&self, password: &[u8]) -> Result<Option<SecretKey>, SecretKeyError> {
        let Ok(opened) = lock(password, &self.salt).decrypt(&Nonce::default(), self.sealed.as_slice()) else {
            return Ok(None);
        };
        let bytes: [u8; 32] = opened.try_into().map_err(|_| SecretKeyError::Range)?;
        SecretKey::from_bytes(self.scheme, &bytes).map(Some)
    }
}

impl SecretKey {
    /// Locks the key with a password and a new salt from the operating system.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn encrypt(&self, password: &[u8]) -> Result<EncryptedSecretKey, SecretKeyError> {
        let mut salt = [0; SALT];
        getrandom::fill(&mut salt).map_err(|error| SecretKeyError::Random(error.to_string()))?;
        let sealed = lock(password, &salt).encrypt(&Nonce::default(), self.to_bytes().as_slice());
        let sealed = sealed.ok().and_then(|sealed| sealed.try_into().ok()).ok_or(SecretKeyError::Range)?;
        Ok(EncryptedSecretKey { scheme: self.scheme(), salt, sealed })
    }
}

impl FromStr for EncryptedSecretKey {
    type Err = SecretKeyError;
    fn from_str(text: &str) -> Result<Self, SecretKeyError> {
        let known = PREFIXES.iter().find(|(_, letters, _)| text.starts_with(letters)).unwrap_or(&PREFIXES[0]);
        let bytes: [u8; SALT + SEALED] = base58::decode(&known.2, text, WANTED)?;
        let (mut salt, mut sealed) = ([0; SALT], [0; SEALED]);
        salt.copy_from_slice(&bytes[..SALT]);
        sealed.copy_from_slice(&bytes[SALT..]);
        Ok(EncryptedSecretKey { scheme: known.0, salt, sealed })
    }
}

impl fmt::Display for EncryptedSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = PREFIXES.iter().find(|(scheme, ..)| *scheme == self.scheme).unwrap_or(&PREFIXES[0]);
        f.write_str(&base58::encode(&known.2, &[self.salt.as_slice(), &self.sealed].concat()))
    }
}

impl fmt::Debug for EncryptedSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptedSecretKey({:?})", self.scheme)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by PyTezos (`Key.secret_key(passphrase)`).
    const MADE_ELSEWHERE: [(&str, &str); 3] = [
        (
            "edesk1vXC2BsPFwVUaRu8uex61ZvwD9iFYLb1Ckfn9yMKm1Eov9skk7DyfH9owTGXJvhZScGAdstgDUVmuY1aRxi",
            "edsk3gUfUPyBSfrS9CCgmCiQsTCHGkviBDusMxDJstFtojtc1zcpsh",
        ),
        (
            "spesk1jLcgGHEhZVepnawWsZErkT8YN6nt4srTP19tff92VdpxYtVdyU8b2jPfvJVhAgiyKgp4UrubgEERCesJBd",
            "spsk37UmuysppvErgNUiX41eALXGRrVXDQWXbyQEnR4bjjomuDNMUk",
        ),
        (
            "p2esk2ChhXzGgQZGkhYSv3jpRtZpvM1umktUPpXx6rUv1j3kXTQJD6wC12Qw6XooWGG5eGDLNFTiiBGK34oiVhmf",
            "p2sk3ennEMv8U94UrUgR6jVH6wzoAEHWz6toZBaYkVet6R7ThyXxYC",
        ),
    ];

    #[test]
    fn keys_locked_elsewhere_open() {
        for (locked, plain) in MADE_ELSEWHERE {
            let key: EncryptedSecretKey = locked.parse().unwrap();
            assert_eq!(key.decrypt(b"password").unwrap().unwrap().to_base58(), plain);
            assert_eq!(key.to_string(), locked);
            assert!(key.decrypt(b"wrong").unwrap().is_none());
        }
    }

    #[test]
    fn every_scheme_locks_and_opens() {
        for (scheme, letters, _) in PREFIXES {
            let key = SecretKey::generate(scheme).unwrap();
            let locked = key.encrypt("påsswörd".as_bytes()).unwrap();
            let text = locked.to_string();
            assert!(text.starts_with(letters) && text.len() == 88, "{text}");
            assert_eq!(text.parse::<EncryptedSecretKey>().unwrap(), locked);
            assert_eq!(locked.decrypt("påsswörd".as_bytes()).unwrap().unwrap().to_base58(), key.to_base58());
            assert!(!format!("{locked:?}").contains(&text[5..]));
        }
    }

    #[test]
    fn what_is_no_encrypted_key_is_refused() {
        for text in ["", "edesk1", "edsk3gUfUPyBSfrS9CCgmCiQsTCHGkviBDusMxDJstFtojtc1zcpsh"] {
            assert!(text.parse::<EncryptedSecretKey>().is_err(), "{text}");
        }
    }
}
