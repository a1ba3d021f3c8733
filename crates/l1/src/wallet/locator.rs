//! Where a secret key is, as the wallet's file says it (`spec/node.md` §10.4).

use soru_tezos::key::{PublicKey, PublicKeyHash};
use soru_tezos::sign::{EncryptedSecretKey, SecretKey, SecretKeyError};

use serde::{Deserialize, Serialize};

/// The locators that can be used.
pub(super) const SCHEMES: &str = "unencrypted:…, encrypted:…, remote:…, http://…, https://…, tcp://… and unix:…";

/// Where a secret key is: `unencrypted:edsk…`, `encrypted:edesk…`, `remote:tz1…`, `http://…/tz1…` and others.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretKeyLocator(String);

/// What a locator means.
pub(super) enum Place {
    /// The key itself.
    Here(SecretKey),
    /// The key behind a password.
    Locked(EncryptedSecretKey),
    /// A signer, or the one that the options name, and the key's address there.
    Remote { signer: Option<String>, address: PublicKeyHash },
}

/// Why a locator means nothing.
pub(super) enum Unusable {
    /// Keys cannot be kept like this.
    Scheme,
    /// The key is in a device that cannot be driven.
    Ledger,
    /// The rest of the text is wrong; this says how, without repeating what may be a secret.
    Text(String),
}

impl SecretKeyLocator {
    /// The locator of a key that is kept as it is.
    pub fn unencrypted(key: &SecretKey) -> Self {
        SecretKeyLocator(format!("unencrypted:{}", key.to_base58()))
    }

    /// The locator of a key that is kept behind a password.
    pub fn encrypted(key: &EncryptedSecretKey) -> Self {
        SecretKeyLocator(format!("encrypted:{key}"))
    }

    /// The scheme: the part before the colon.
    pub fn scheme(&self) -> &str {
        self.0.split_once(':').map_or("unencrypted", |(scheme, _)| scheme)
    }

    /// The whole text. It may hold the secret itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the wallet notes as the place of the public key.
    pub(super) fn of_public_key(&self, key: &PublicKey) -> String {
        match self.scheme() {
            "unencrypted" | "encrypted" => format!("unencrypted:{key}"),
            _ => self.0.clone(),
        }
    }

    pub(super) fn place(&self) -> Result<Place, Unusable> {
        let rest = self.0.split_once(':').map_or(self.0.as_str(), |(_, rest)| rest);
        let address = |text: &str| {
            text.parse().map_err(|_| Unusable::Text("its locator does not end with an address (tz1…)".to_owned()))
        };
        match self.scheme() {
            "unencrypted" => rest.parse().map(Place::Here).map_err(|error| match error {
                SecretKeyError::Text(_) => Unusable::Text("it is not edsk…, spsk…, p2sk… or BLsk…".to_owned()),
                other => Unusable::Text(other.to_string()),
            }),
            "encrypted" => rest.parse().map(Place::Locked).map_err(|error: SecretKeyError| match error {
                SecretKeyError::Text(_) => Unusable::Text("it is not edesk…, spesk…, p2esk… or BLesk…".to_owned()),
                other => Unusable::Text(other.to_string()),
            }),
            "remote" => Ok(Place::Remote { signer: None, address: address(rest.trim_start_matches('/'))? }),
            "http" | "https" | "tcp" => match self.0.rsplit_once('/') {
                Some((signer, last)) => Ok(Place::Remote { signer: Some(signer.to_owned()), address: address(last)? }),
                None => Err(Unusable::Text("its locator is no address of a signer".to_owned())),
            },
            "unix" => match self.0.split_once("?pkh=") {
                Some((signer, last)) => Ok(Place::Remote { signer: Some(signer.to_owned()), address: address(last)? }),
                None => Err(Unusable::Text("its locator does not end with ?pkh= and an address (tz1…)".to_owned())),
            },
            "ledger" => Err(Unusable::Ledger),
            _ => Err(Unusable::Scheme),
        }
    }
}

impl From<String> for SecretKeyLocator {
    fn from(text: String) -> Self {
        SecretKeyLocator(text)
    }
}

impl std::fmt::Debug for SecretKeyLocator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKeyLocator({}:…)", self.scheme())
    }
}

/// Messages must not show a secret.
impl std::fmt::Display for SecretKeyLocator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:…", self.scheme())
    }
}
