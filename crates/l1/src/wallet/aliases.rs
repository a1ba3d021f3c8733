//! A file of aliases: a JSON list of names and values, newest first (`spec/node.md` §10.4). It is read anew at each use, so
//! that changes by other programs count, and replaced as a whole.

use super::error::WalletError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// What a file of aliases is about.
pub trait Entity {
    /// The values.
    type Value: Serialize + DeserializeOwned + PartialEq;
    /// The name in messages.
    const NAME: &'static str;
    /// The file.
    const FILE: &'static str;
    /// Whether others must not read it.
    const SECRET: bool = false;
    /// A value in messages.
    fn show(value: &Self::Value) -> String;
}

#[derive(Serialize, Deserialize)]
struct Entry<T> {
    name: String,
    value: T,
}

/// The aliases of one entity.
pub struct Aliases<E: Entity> {
    path: PathBuf,
    _entity: PhantomData<E>,
}

impl<E: Entity> Aliases<E> {
    pub(super) fn new(directory: &Path) -> Self {
        Aliases { path: directory.join(E::FILE), _entity: PhantomData }
    }

    fn io(&self, problem: std::io::Error) -> WalletError {
        WalletError::Io { path: self.path.clone(), problem }
    }

    /// All names and values, newest first.
    ///
    /// # Errors
    /// When the file cannot be read; that it does not exist is no error.
    pub fn list(&self) -> Result<Vec<(String, E::Value)>, WalletError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.io(error)),
        };
        let entries: Vec<Entry<E::Value>> = serde_json::from_str(&text)
            .map_err(|error| WalletError::Syntax { path: self.path.clone(), problem: error.to_string() })?;
        Ok(entries.into_iter().map(|entry| (entry.name, entry.value)).collect())
    }

    /// The value of an alias, if there is one.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn find(&self, alias: &str) -> Result<Option<E::Value>, WalletError> {
        Ok(self.list()?.into_iter().find(|(name, _)| name == alias).map(|(_, value)| value))
    }

    /// The value of an alias.
    ///
    /// # Errors
    /// [`WalletError::NoAlias`], and when the file cannot be read.
    pub fn get(&self, alias: &str) -> Result<E::Value, WalletError> {
        self.find(alias)?.ok_or_else(|| WalletError::NoAlias { entity: E::NAME, alias: alias.to_owned() })
    }

    /// Fails when the alias exists, be it with the same value, unless `force`.
    pub(super) fn check_new(&self, alias: &str, force: bool) -> Result<(), WalletError> {
        if alias.is_empty() || alias.chars().any(|c| c.is_whitespace() || c.is_control() || c == ':') {
            return Err(WalletError::BadAlias { alias: alias.to_owned() });
        }
        match self.find(alias)? {
            Some(current) if !force => Err(WalletError::Exists {
                entity: E::NAME,
                alias: alias.to_owned(),
                current: (!E::SECRET).then(|| E::show(&current)),
            }),
            _ => Ok(()),
        }
    }

    pub(super) fn put(&self, alias: &str, value: E::Value) -> Result<(), WalletError> {
        let mut list = self.list()?;
        list.retain(|(name, _)| name != alias);
        list.insert(0, (alias.to_owned(), value));
        self.write(list)
    }

    pub(super) fn remove(&self, alias: &str) -> Result<bool, WalletError> {
        let mut list = self.list()?;
        let before = list.len();
        list.retain(|(name, _)| name != alias);
        let removed = list.len() < before;
        if removed {
            self.write(list)?;
        }
        Ok(removed)
    }

    pub(super) fn clear(&self) -> Result<(), WalletError> {
        self.write(Vec::new())
    }

    fn write(&self, list: Vec<(String, E::Value)>) -> Result<(), WalletError> {
        let entries: Vec<_> = list.into_iter().map(|(name, value)| Entry { name, value }).collect();
        let value = serde_json::to_value(entries)
            .map_err(|error| WalletError::Syntax { path: self.path.clone(), problem: error.to_string() })?;
        let text = format!("{}\n", soru_tezos::json::pretty(&value));
        let temporary = self.path.with_extension(format!("{}.tmp", std::process::id()));
        let written = (|| {
            let mut options = fs::OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, if E::SECRET { 0o600 } else { 0o644 });
            let mut file = options.open(&temporary)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&temporary, &self.path)
        })();
        written.map_err(|error| {
            let _ = fs::remove_file(&temporary);
            self.io(error)
        })
    }
}
