//! How keys are reached that do not lie in the wallet plainly: passwords, and a remote signer (`spec/node.md` §10.1, §10.4).

use super::error::WalletError;
use super::locator::{Place, SecretKeyLocator, Unusable};
use super::remote::{PATIENCE, RemoteSigner};
use super::signer::{MemorySigner, Signer};
use soru_tezos::key::PublicKey;
use soru_tezos::sign::{EncryptedSecretKey, SecretKey};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Asks a person for a password; nothing when nobody can be asked.
pub type AskPassword = dyn Fn(&str) -> Option<String> + Send + Sync;

/// How often a person is asked for the password of one key.
const ATTEMPTS: u32 = 3;

/// Passwords to try, whom to ask for others, and the signer that `remote:…` means.
pub struct Access {
    passwords: Mutex<Vec<String>>,
    ask: Option<Box<AskPassword>>,
    remote_signer: Option<String>,
    patience: Duration,
}

impl Default for Access {
    fn default() -> Self {
        Access { passwords: Mutex::default(), ask: None, remote_signer: None, patience: PATIENCE }
    }
}

impl Access {
    /// Adds the passwords of a file, one a line.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn with_password_file(self, path: &Path) -> Result<Access, WalletError> {
        let text = std::fs::read_to_string(path)
            .map_err(|problem| WalletError::Passwords { path: path.to_owned(), problem })?;
        self.known().extend(text.lines().map(str::to_owned));
        Ok(self)
    }

    /// Asks a person when no known password opens a key.
    #[must_use]
    pub fn asking(self, ask: Box<AskPassword>) -> Access {
        Access { ask: Some(ask), ..self }
    }

    /// How long the answer of a signer behind a socket is waited for.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Access {
        Access { patience, ..self }
    }

    /// The signer of keys kept as `remote:…`: `http://…`, `https://…`, `tcp://host:port` or `unix:/path`.
    #[must_use]
    pub fn with_remote_signer(self, address: String) -> Access {
        Access { remote_signer: Some(address), ..self }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.passwords.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The signer that a locator leads to. `public` spares a question to a remote signer, `own` are keys to be known by there.
    pub(super) async fn signer(
        &self,
        alias: &str,
        locator: &SecretKeyLocator,
        public: Option<PublicKey>,
        own: Vec<SecretKey>,
    ) -> Result<Arc<dyn Signer>, WalletError> {
        let place = locator.place().map_err(|unusable| match unusable {
            Unusable::Scheme => {
                WalletError::UnsupportedLocator { alias: alias.to_owned(), scheme: locator.scheme().to_owned() }
            }
            Unusable::Ledger => WalletError::Ledger { alias: alias.to_owned() },
            Unusable::Text(problem) => WalletError::BadSecretKey { alias: alias.to_owned(), problem },
        })?;
        Ok(match place {
            Place::Here(secret) => Arc::new(MemorySigner::new(secret)),
            Place::Locked(locked) => Arc::new(MemorySigner::new(self.open(alias, &locked)?)),
            Place::Remote { signer, address } => {
                let signer = signer
                    .or_else(|| self.remote_signer.clone())
                    .ok_or_else(|| WalletError::NoRemoteSigner { alias: alias.to_owned() })?;
                let remote = RemoteSigner::connect(&signer, address, public, own, self.patience).await;
                Arc::new(remote.map_err(|problem| WalletError::Remote { alias: alias.to_owned(), problem })?)
            }
        })
    }

    /// Opens a key with the passwords known, or else with one that a person gives, which is known from then on.
    fn open(&self, alias: &str, locked: &EncryptedSecretKey) -> Result<SecretKey, WalletError> {
        let bad = |problem: soru_tezos::sign::SecretKeyError| WalletError::BadSecretKey {
            alias: alias.to_owned(),
            problem: problem.to_string(),
        };
        let known = self.known().clone();
        for password in &known {
            if let Some(key) = locked.decrypt(password.as_bytes()).map_err(bad)? {
                return Ok(key);
            }
        }
        let no_password = || WalletError::NoPassword { alias: alias.to_owned() };
        let ask = self.ask.as_ref().ok_or_else(no_password)?;
        for attempt in 1..=ATTEMPTS {
            let password = ask(&format!("Enter password for encrypted key \"{alias}\": ")).ok_or_else(no_password)?;
            if let Some(key) = locked.decrypt(password.as_bytes()).map_err(bad)? {
                self.known().push(password);
                return Ok(key);
            }
            if attempt < ATTEMPTS {
                println!("Sorry, try again.");
            }
        }
        Err(WalletError::WrongPassword { alias: alias.to_owned(), tried: ATTEMPTS })
    }
}

/// Passwords are not shown.
impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("remote_signer", &self.remote_signer).finish_non_exhaustive()
    }
}
