//! The wallet of the reference client: its files and their meaning (`spec/node.md` §10.4).

mod access;
mod aliases;
mod error;
mod locator;
mod remote;
mod signer;

pub use access::{Access, AskPassword};
pub use aliases::{Aliases, Entity};
pub use error::WalletError;
pub use locator::SecretKeyLocator;
pub use remote::{RemoteError, RemoteSigner, SocketError};
pub use signer::{MemorySigner, Signer, SignerError};

use locator::Place;
use serde::{Deserialize, Serialize};
use soru_tezos::contract::Contract;
use soru_tezos::hash::{ContractHash, SmartRollupAddress};
use soru_tezos::key::{PublicKey, PublicKeyHash};
use soru_tezos::sign::SecretKey;
use std::fmt::Display;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

macro_rules! entities {
    ($($(#[$doc:meta])* $name:ident: $value:ty = $text:literal, $file:literal, secret $secret:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;
        impl Entity for $name {
            type Value = $value;
            const NAME: &'static str = $text;
            const FILE: &'static str = $file;
            const SECRET: bool = $secret;
            fn show(value: &$value) -> String { value.to_string() }
        }
    )*};
}

entities! {
    /// Addresses.
    Addresses: PublicKeyHash = "public key hash", "public_key_hashs", secret false;
    /// Public keys.
    PublicKeys: PublicKeyEntry = "public key", "public_keys", secret false;
    /// Where secret keys are.
    SecretKeys: SecretKeyLocator = "secret_key", "secret_keys", secret true;
    /// Contracts.
    Contracts: ContractHash = "contract", "contracts", secret false;
    /// Smart rollups.
    SmartRollups: SmartRollupAddress = "smart rollup", "smart_rollups", secret false;
}

/// A public key in the wallet: where it comes from, and usually the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PublicKeyEntry {
    /// Both.
    Known {
        /// Where it comes from.
        locator: String,
        /// The key.
        key: PublicKey,
    },
    /// Only where it comes from.
    Locator(String),
}

impl PublicKeyEntry {
    /// The entry of a key that is no secret.
    pub fn of(key: &PublicKey) -> Self {
        PublicKeyEntry::Known { locator: format!("unencrypted:{key}"), key: key.clone() }
    }

    /// The key, if the entry tells it.
    pub fn key(&self) -> Option<PublicKey> {
        match self {
            PublicKeyEntry::Known { key, .. } => Some(key.clone()),
            PublicKeyEntry::Locator(text) => text.strip_prefix("unencrypted:").unwrap_or(text).parse().ok(),
        }
    }
}

impl Display for PublicKeyEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PublicKeyEntry::Known { key, .. } => key.fmt(f),
            PublicKeyEntry::Locator(text) => f.write_str(text),
        }
    }
}

/// What the wallet knows about an alias of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownAddress {
    /// The alias.
    pub alias: String,
    /// The address.
    pub address: PublicKeyHash,
    /// The public key, if known.
    pub public_key: Option<PublicKey>,
    /// Where the secret key is, if known.
    pub secret_key: Option<SecretKeyLocator>,
}

/// A directory with the wallet's files, and the means to reach keys that do not lie there plainly.
#[derive(Debug, Clone)]
pub struct Wallet {
    directory: PathBuf,
    access: Arc<Access>,
}

impl Wallet {
    /// The wallet in a directory, which need not exist yet.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Wallet { directory: directory.into(), access: Arc::default() }
    }

    /// The same with passwords or a remote signer.
    #[must_use]
    pub fn with_access(self, access: Access) -> Self {
        Wallet { access: Arc::new(access), ..self }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The aliases of one kind.
    pub fn aliases<E: Entity>(&self) -> Aliases<E> {
        Aliases::new(&self.directory)
    }

    /// Runs `change` while no other program changes the wallet.
    fn locked<T>(&self, change: impl FnOnce() -> Result<T, WalletError>) -> Result<T, WalletError> {
        let path = self.directory.join("wallet_lock");
        let io = |problem| WalletError::Io { path: path.clone(), problem };
        std::fs::create_dir_all(&self.directory).map_err(io)?;
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(io)?;
        lock.lock().map_err(io)?;
        let changed = change();
        drop(lock);
        changed
    }

    /// Gives an alias to a value.
    ///
    /// # Errors
    /// When the alias has another value and `force` is not given, and when a file cannot be used.
    pub fn remember<E: Entity>(&self, alias: &str, value: E::Value, force: bool) -> Result<(), WalletError> {
        let aliases = self.aliases::<E>();
        self.locked(|| {
            aliases.check_new(alias, force)?;
            aliases.put(alias, value)
        })
    }

    /// Takes an alias away.
    ///
    /// # Errors
    /// When there is none, and when a file cannot be used.
    pub fn forget<E: Entity>(&self, alias: &str) -> Result<(), WalletError> {
        let removed = self.locked(|| self.aliases::<E>().remove(alias))?;
        if removed { Ok(()) } else { Err(WalletError::NoAlias { entity: E::NAME, alias: alias.to_owned() }) }
    }

    /// Takes all aliases of one kind away.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn forget_all<E: Entity>(&self) -> Result<(), WalletError> {
        self.locked(|| self.aliases::<E>().clear())
    }

    /// Keeps a key under an alias as it is: its address, public key and secret key.
    ///
    /// # Errors
    /// When the alias names another key and `force` is not given, and when a file cannot be used.
    pub fn add_secret_key(&self, alias: &str, key: &SecretKey, force: bool) -> Result<PublicKeyHash, WalletError> {
        self.add_located_key(alias, &key.public_key(), SecretKeyLocator::unencrypted(key), force)
    }

    /// Keeps a key under an alias whose secret is where the locator says.
    ///
    /// # Errors
    /// As [`Wallet::add_secret_key`].
    pub fn add_located_key(
        &self,
        alias: &str,
        public: &PublicKey,
        locator: SecretKeyLocator,
        force: bool,
    ) -> Result<PublicKeyHash, WalletError> {
        let address = public.hash();
        let entry = PublicKeyEntry::Known { locator: locator.of_public_key(public), key: public.clone() };
        let (addresses, publics, secrets) = self.key_files();
        self.locked(|| {
            secrets.check_new(alias, force)?;
            addresses.check_new(alias, force)?;
            publics.put(alias, entry)?;
            addresses.put(alias, address)?;
            secrets.put(alias, locator)
        })?;
        Ok(address)
    }

    /// Keeps a public key under an alias.
    ///
    /// # Errors
    /// As [`Wallet::add_secret_key`].
    pub fn add_public_key(&self, alias: &str, key: &PublicKey, force: bool) -> Result<PublicKeyHash, WalletError> {
        let address = key.hash();
        let (addresses, publics, _) = self.key_files();
        self.locked(|| {
            addresses.check_new(alias, force)?;
            publics.put(alias, PublicKeyEntry::of(key))?;
            addresses.put(alias, address)
        })?;
        Ok(address)
    }

    /// Takes a key away with all that is known of it.
    ///
    /// # Errors
    /// When there is no such alias, and when a file cannot be used.
    pub fn forget_key(&self, alias: &str) -> Result<(), WalletError> {
        let (addresses, publics, secrets) = self.key_files();
        let known = self.locked(|| {
            publics.remove(alias)?;
            secrets.remove(alias)?;
            addresses.remove(alias)
        })?;
        if known { Ok(()) } else { Err(WalletError::NoAlias { entity: Addresses::NAME, alias: alias.to_owned() }) }
    }

    fn key_files(&self) -> (Aliases<Addresses>, Aliases<PublicKeys>, Aliases<SecretKeys>) {
        (self.aliases(), self.aliases(), self.aliases())
    }

    /// All addresses with what is known of them, newest first.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn known_addresses(&self) -> Result<Vec<KnownAddress>, WalletError> {
        let (addresses, publics, secrets) = self.key_files();
        let (publics, secrets) = (publics.list()?, secrets.list()?);
        let known = addresses.list()?.into_iter().map(|(alias, address)| KnownAddress {
            public_key: publics.iter().find(|(name, _)| *name == alias).and_then(|(_, entry)| entry.key()),
            secret_key: secrets.iter().find(|(name, _)| *name == alias).map(|(_, locator)| locator.clone()),
            alias,
            address,
        });
        Ok(known.collect())
    }

    /// The alias of an address, if it has one.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn alias_of(&self, address: &PublicKeyHash) -> Result<Option<String>, WalletError> {
        let list = self.aliases::<Addresses>().list()?;
        Ok(list.into_iter().find(|(_, known)| known == address).map(|(alias, _)| alias))
    }

    /// The address behind a command's argument: an alias, `alias:x`, `key:x`, `text:tz1…`, `file:path`, or an address.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn address(&self, text: &str) -> Result<PublicKeyHash, WalletError> {
        let text = text.strip_prefix("key:").map_or_else(|| text.to_owned(), |alias| format!("alias:{alias}"));
        self.resolve::<Addresses, PublicKeyHash>(&text)
    }

    /// The rollup behind a command's argument: an alias, `alias:x`, `text:sr1…`, `file:path`, or an address.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn smart_rollup(&self, text: &str) -> Result<SmartRollupAddress, WalletError> {
        self.resolve::<SmartRollups, SmartRollupAddress>(text)
    }

    /// The account behind a command's argument: an alias of a contract or key, `alias:x`, `key:x`, `text:…`, or an
    /// address.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn contract(&self, text: &str) -> Result<Contract, WalletError> {
        if let Some(key) = text.strip_prefix("key:") {
            return self.aliases::<Addresses>().get(key).map(Contract::Implicit);
        }
        let alias = text.strip_prefix("alias:").unwrap_or(text);
        if let Some(contract) = self.aliases::<Contracts>().find(alias)? {
            return Ok(contract.into());
        }
        if let Some(address) = self.aliases::<Addresses>().find(alias)? {
            return Ok(address.into());
        }
        if text.starts_with("alias:") {
            return Err(WalletError::NoAlias { entity: "contract or key", alias: alias.to_owned() });
        }
        self.literal("contract", text)
    }

    fn resolve<E: Entity<Value = T>, T: FromStr<Err: Display>>(&self, text: &str) -> Result<T, WalletError> {
        if let Some(alias) = text.strip_prefix("alias:") {
            return self.aliases::<E>().get(alias);
        }
        match self.aliases::<E>().find(text)? {
            Some(value) => Ok(value),
            None => self.literal(E::NAME, text),
        }
    }

    fn literal<T: FromStr<Err: Display>>(&self, entity: &'static str, text: &str) -> Result<T, WalletError> {
        let value = match text.split_once(':') {
            Some(("text", value)) => value.to_owned(),
            Some(("file", path)) => std::fs::read_to_string(path)
                .map_err(|problem| WalletError::Io { path: path.into(), problem })?
                .trim()
                .to_owned(),
            _ => text.to_owned(),
        };
        value.parse().map_err(|problem: T::Err| WalletError::NeitherAliasNorValue {
            entity,
            text: text.to_owned(),
            problem: problem.to_string(),
        })
    }

    /// The signer behind a command's argument, an alias or an address. It may ask for a password, or a remote signer for its
    /// public key.
    ///
    /// # Errors
    /// When the wallet has no secret key for it, or one that cannot be used.
    pub async fn signer(&self, text: &str) -> Result<Arc<dyn Signer>, WalletError> {
        let address = self.address(text)?;
        let no_key = || WalletError::NoSecretKey { who: text.to_owned(), directory: self.directory.clone() };
        // several aliases may name the address: take one whose secret key is known
        let known = self.known_addresses()?;
        let mut candidates = known.iter().filter(|known| known.address == address);
        let (known, locator) =
            candidates.find_map(|known| Some((known, known.secret_key.as_ref()?))).ok_or_else(no_key)?;
        let signer = self.access.signer(&known.alias, locator, known.public_key.clone(), self.plain_keys()?).await?;
        if signer.address() != address {
            let problem = format!("it is the key of {}, not of {address}", signer.address());
            return Err(WalletError::BadSecretKey { alias: known.alias.clone(), problem });
        }
        Ok(signer)
    }

    /// The keys that lie in the wallet as they are.
    fn plain_keys(&self) -> Result<Vec<SecretKey>, WalletError> {
        let located = self.aliases::<SecretKeys>().list()?.into_iter();
        let plain = located.filter_map(|(_, locator)| match locator.place() {
            Ok(Place::Here(key)) => Some(key),
            _ => None,
        });
        Ok(plain.collect())
    }

    /// The signer of a key that is not in the wallet yet, for `import`.
    ///
    /// # Errors
    /// When the key cannot be used.
    pub async fn signer_at(&self, alias: &str, locator: &SecretKeyLocator) -> Result<Arc<dyn Signer>, WalletError> {
        self.access.signer(alias, locator, None, self.plain_keys()?).await
    }
}
