//! Why a wallet could not give or take something.

use super::remote::RemoteError;
use std::path::PathBuf;

fn current_value(current: &Option<String>) -> String {
    // a line of its own, or the end of an indented one
    current.as_ref().map_or_else(|| "  ".to_owned(), |current| format!("  The current value is {current}.\n"))
}

/// A failure of the wallet. Messages name the alias and the file.
#[derive(Debug, thiserror::Error)]
pub enum WalletError {
    /// A file cannot be read or written.
    #[error("cannot use the wallet file {}: {problem}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        problem: std::io::Error,
    },
    /// A file is not of the expected form.
    #[error("the wallet file {} cannot be read: {problem}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no such alias.
    #[error("no {entity} alias named {alias}")]
    NoAlias {
        /// What was looked for.
        entity: &'static str,
        /// The alias.
        alias: String,
    },
    /// Neither an alias nor a value.
    #[error("no {entity} alias named {text}, and it is no {entity} either: {problem}")]
    NeitherAliasNorValue {
        /// What was looked for.
        entity: &'static str,
        /// The text given.
        text: String,
        /// Why it is no value.
        problem: String,
    },
    /// The alias exists.
    #[error("The {entity} alias {alias} already exists.\n{}Use --force to update", current_value(current))]
    Exists {
        /// What it names.
        entity: &'static str,
        /// The alias.
        alias: String,
        /// Its value, unless it is a secret.
        current: Option<String>,
    },
    /// An alias must not be empty, hold a separator or look like a value.
    #[error("'{alias}' cannot be an alias: use letters, digits and '_', '-', '.'")]
    BadAlias {
        /// The alias.
        alias: String,
    },
    /// The wallet knows the address but no secret key.
    #[error("no secret key for {who} in {}: import one, or use an account whose key is there", directory.display())]
    NoSecretKey {
        /// Alias or address.
        who: String,
        /// The wallet.
        directory: PathBuf,
    },
    /// The secret key is where Soru cannot reach.
    #[error("the secret key of {alias} is kept as '{scheme}:…', which cannot be used: {} can", super::locator::SCHEMES)]
    UnsupportedLocator {
        /// The alias.
        alias: String,
        /// Scheme of its locator.
        scheme: String,
    },
    /// The secret key is in a device.
    #[error(
        "the secret key of {alias} is in a Ledger device, which this program cannot drive: let octez-signer drive it, and \
         import the key from there (tcp://host:port/tz1…, unix:/path?pkh=tz1… or http://…)"
    )]
    Ledger {
        /// The alias.
        alias: String,
    },
    /// No password opens the key.
    #[error("{tried} incorrect password attempts for {alias}: give the right one, or a file of them with -f")]
    WrongPassword {
        /// The alias.
        alias: String,
        /// How many passwords were asked for.
        tried: u32,
    },
    /// The key is encrypted and nobody can be asked for its password.
    #[error(
        "the secret key of {alias} is encrypted, and none of the passwords given opens it: name a file of passwords with -f"
    )]
    NoPassword {
        /// The alias.
        alias: String,
    },
    /// The file of passwords cannot be read.
    #[error("cannot read the passwords in {}: {problem}", path.display())]
    Passwords {
        /// The file.
        path: PathBuf,
        /// What the system said.
        problem: std::io::Error,
    },
    /// A locator `remote:…` needs to know the signer.
    #[error(
        "the secret key of {alias} is at a remote signer: say which one with -R, or in TEZOS_SIGNER_HTTP_HOST, TEZOS_SIGNER_TCP_HOST or TEZOS_SIGNER_UNIX_PATH"
    )]
    NoRemoteSigner {
        /// The alias.
        alias: String,
    },
    /// The remote signer did not answer as it should.
    #[error("the remote signer of {alias} failed: {problem}")]
    Remote {
        /// The alias.
        alias: String,
        /// What went wrong.
        problem: RemoteError,
    },
    /// The secret key cannot be read.
    #[error("the secret key of {alias} cannot be read: {problem}")]
    BadSecretKey {
        /// The alias.
        alias: String,
        /// What is wrong with it.
        problem: String,
    },
}
