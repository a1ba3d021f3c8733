//! Why a wallet could not give or take something.

use std::path::PathBuf;

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
    #[error("The {entity} alias {alias} already exists.\n  The current value is {current}.\nUse --force to update")]
    Exists {
        /// What it names.
        entity: &'static str,
        /// The alias.
        alias: String,
        /// Its value.
        current: String,
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
    /// The secret key is of a kind that cannot be used yet.
    #[error("the secret key of {alias} is kept as '{scheme}:…', which is not supported yet: only 'unencrypted:…' is")]
    UnsupportedLocator {
        /// The alias.
        alias: String,
        /// Scheme of its locator.
        scheme: String,
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
