//! Commands on the keys of the wallet (`spec/node.md` §10.3).

use super::context::wallet;
use super::options::FORCE;
use crate::grammar::{CliError, Command, Invocation, Opt};
use soru_l1::wallet::{Addresses, KnownAddress, SecretKeyLocator, WalletError};
use soru_tezos::key::{PublicKey, PublicKeyHash, Scheme};
use soru_tezos::sign::{EncryptedSecretKey, SecretKey};

const GROUP: &str = "Commands for managing the wallet of cryptographic keys";
const SIG: &[Opt] =
    &[Opt::value("sig", Some('s'), "ed25519|secp256k1|p256|bls", "kind of the keys (default: ed25519)")];
const ENCRYPTED: &[Opt] = &[Opt::switch("encrypted", None, "ask for a password, and keep the key behind it")];
const SHOW_SECRET: &[Opt] = &[Opt::switch("show-secret", Some('S'), "show the secret key too")];

/// The commands.
pub fn commands() -> Vec<Command> {
    vec![
        Command::new(GROUP, "gen keys <new>", &[FORCE, SIG, ENCRYPTED], "Generate a pair of keys.", |i| {
            Box::pin(generate(i))
        }),
        Command::new(GROUP, "encrypt secret key", &[], "Encrypt an unencrypted secret key.", |i| Box::pin(encrypt(i))),
        Command::new(GROUP, "import secret key <new> <uri>", &[FORCE], "Add a secret key to the wallet.", |i| {
            Box::pin(import(i))
        }),
        Command::new(GROUP, "import public key <new> <uri>", &[FORCE], "Add a public key to the wallet.", |i| {
            Box::pin(import_public(i))
        }),
        Command::new(GROUP, "add address <new> <src>", &[FORCE], "Add an address to the wallet.", |i| Box::pin(add(i))),
        Command::new(GROUP, "list known addresses", &[], "List all addresses and associated keys.", |i| {
            Box::pin(list(i))
        }),
        Command::new(
            GROUP,
            "list connected ledgers",
            &[],
            "List the Ledger devices that can be used: none, octez-signer drives them.",
            |i| Box::pin(ledgers(i)),
        ),
        Command::new(
            GROUP,
            "show address <name>",
            &[SHOW_SECRET],
            "Show the keys associated with an implicit account.",
            |i| Box::pin(show(i)),
        ),
        Command::new(GROUP, "forget address <name>", &[FORCE], "Forget one address.", |i| Box::pin(forget(i))),
        Command::new(GROUP, "forget all keys", &[FORCE], "Forget the entire wallet of keys.", |i| {
            Box::pin(forget_all(i))
        }),
    ]
}

fn usage(error: impl std::fmt::Display) -> CliError {
    CliError::Usage(error.to_string())
}

async fn generate(invocation: Invocation) -> Result<(), CliError> {
    let scheme = invocation.read_option("sig", |text| match text {
        "ed25519" => Ok(Scheme::Ed25519),
        "secp256k1" => Ok(Scheme::Secp256k1),
        "p256" => Ok(Scheme::P256),
        "bls" => Ok(Scheme::Bls),
        other => {
            Err(format!("Unknown signature algorithm ({other}). Available: 'ed25519', 'secp256k1','p256' or 'bls'"))
        }
    })?;
    let key = SecretKey::generate(scheme.unwrap_or(Scheme::Ed25519)).map_err(CliError::failed)?;
    let locator = match invocation.switch("encrypted") {
        true => SecretKeyLocator::encrypted(&lock(&key)?),
        false => SecretKeyLocator::unencrypted(&key),
    };
    let (new, force) = (invocation.param("new"), invocation.switch("force"));
    wallet(&invocation)?.add_located_key(new, &key.public_key(), locator, force).map_err(usage)?;
    Ok(())
}

fn lock(key: &SecretKey) -> Result<EncryptedSecretKey, CliError> {
    key.encrypt(super::password::ask_new()?.as_bytes()).map_err(CliError::failed)
}

async fn encrypt(_: Invocation) -> Result<(), CliError> {
    let text = super::password::ask("Enter unencrypted secret key: ").map_err(CliError::failed)?;
    // the error must not repeat what may be a secret with a typing mistake
    let key: SecretKey = text
        .trim_start_matches("unencrypted:")
        .parse()
        .map_err(|_| usage("This is not a secret key: edsk…, spsk…, p2sk… or BLsk…"))?;
    println!("Encrypted secret key {}", SecretKeyLocator::encrypted(&lock(&key)?).as_str());
    Ok(())
}

async fn import(invocation: Invocation) -> Result<(), CliError> {
    let uri = invocation.param("uri");
    let uri = if uri.contains(':') { uri.to_owned() } else { format!("unencrypted:{uri}") };
    let locator = SecretKeyLocator::from(uri);
    let (new, force) = (invocation.param("new"), invocation.switch("force"));
    let wallet = wallet(&invocation)?;
    let signer = wallet.signer_at(new, &locator).await.map_err(|error| match error {
        WalletError::BadSecretKey { problem, .. } => {
            usage(format!("The argument 'uri' is not a secret key: {problem}"))
        }
        other => usage(other),
    })?;
    let address = wallet.add_located_key(new, signer.public_key(), locator, force).map_err(usage)?;
    println!("Tezos address added: {address}");
    Ok(())
}

async fn import_public(invocation: Invocation) -> Result<(), CliError> {
    let key: PublicKey =
        invocation.read_param("uri", |text| text.strip_prefix("unencrypted:").unwrap_or(text).parse())?;
    let address = wallet(&invocation)?
        .add_public_key(invocation.param("new"), &key, invocation.switch("force"))
        .map_err(usage)?;
    println!("Tezos address added: {address}");
    Ok(())
}

async fn add(invocation: Invocation) -> Result<(), CliError> {
    let address: PublicKeyHash = invocation.parse_param("src")?;
    let wallet = wallet(&invocation)?;
    let force = invocation.switch("force");
    if let Some(alias) = wallet.alias_of(&address).map_err(usage)?.filter(|_| !force) {
        return Err(usage(format!(
            "this public key hash is already aliased as {alias}, use --force to insert duplicate"
        )));
    }
    wallet.remember::<Addresses>(invocation.param("new"), address, force).map_err(usage)
}

async fn list(invocation: Invocation) -> Result<(), CliError> {
    for known in wallet(&invocation)?.known_addresses().map_err(usage)? {
        let keys = match (&known.secret_key, &known.public_key) {
            (Some(locator), _) => format!(" ({} sk known)", locator.scheme()),
            (None, Some(_)) => " (pk known)".to_owned(),
            (None, None) => String::new(),
        };
        println!("{}: {}{keys}", known.alias, known.address);
    }
    Ok(())
}

async fn ledgers(_: Invocation) -> Result<(), CliError> {
    println!(
        "No Ledger device can be driven by this program. Let octez-signer drive it, and import its keys from there \
         (tcp://host:port/tz1…, unix:/path?pkh=tz1… or http://…)."
    );
    Ok(())
}

fn known(invocation: &Invocation) -> Result<KnownAddress, CliError> {
    let known = wallet(invocation)?.known_addresses().map_err(usage)?;
    invocation.read_param("name", |name| {
        known
            .into_iter()
            .find(|known| known.alias == name)
            .ok_or_else(|| format!("no public key hash alias named {name}"))
    })
}

async fn show(invocation: Invocation) -> Result<(), CliError> {
    let known = known(&invocation)?;
    println!("Hash: {}", known.address);
    if let Some(key) = &known.public_key {
        println!("Public Key: {key}");
        if let Some(locator) = known.secret_key.as_ref().filter(|_| invocation.switch("show-secret")) {
            println!("Secret Key: {}", locator.as_str());
        }
    }
    Ok(())
}

async fn forget(invocation: Invocation) -> Result<(), CliError> {
    let known = known(&invocation)?;
    if (known.secret_key.is_some() || known.public_key.is_some()) && !invocation.switch("force") {
        return Err(usage(format!("secret or public key present for {}, use --force to delete", known.alias)));
    }
    wallet(&invocation)?.forget_key(&known.alias).map_err(usage)
}

async fn forget_all(invocation: Invocation) -> Result<(), CliError> {
    if !invocation.switch("force") {
        return Err(usage("this can only be used with option --force"));
    }
    let wallet = wallet(&invocation)?;
    for known in wallet.known_addresses().map_err(usage)? {
        wallet.forget_key(&known.alias).map_err(usage)?;
    }
    Ok(())
}
