//! Keys that do not lie in the wallet plainly: behind passwords, and in remote signers.

use crate::common::{Reply, Request, Stub};
use serde_json::{Value, json};
use soru_l1::wallet::{Access, Addresses, SecretKeyLocator, SecretKeys, Wallet, WalletError};
use soru_tezos::key::Scheme;
use soru_tezos::sign::{SecretKey, Watermark};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A wallet with one encrypted key.
fn encrypted(password: &str) -> (tempfile::TempDir, Wallet, SecretKey) {
    let directory = tempfile::tempdir().unwrap();
    let wallet = Wallet::new(directory.path());
    let key = SecretKey::generate(Scheme::P256).unwrap();
    let locator = SecretKeyLocator::encrypted(&key.encrypt(password.as_bytes()).unwrap());
    wallet.add_located_key("carol", &key.public_key(), locator, false).unwrap();
    (directory, wallet, key)
}

#[tokio::test]
async fn an_encrypted_key_wants_its_password() {
    let (directory, wallet, key) = encrypted("right");
    let listed = wallet.known_addresses().unwrap();
    assert_eq!(listed[0].secret_key.as_ref().unwrap().scheme(), "encrypted");
    let kept = std::fs::read_to_string(directory.path().join("secret_keys")).unwrap();
    assert!(kept.contains("\"encrypted:p2esk") && !kept.contains(&key.to_base58()), "{kept}");
    assert!(matches!(wallet.signer("carol").await, Err(WalletError::NoPassword { .. })));

    let file = directory.path().join("passwords");
    std::fs::write(&file, "wrong\nright\n").unwrap();
    let with_file = wallet.clone().with_access(Access::default().with_password_file(&file).unwrap());
    let signer = with_file.signer("carol").await.unwrap();
    let signature = signer.sign(Watermark::Operation, b"bytes").await.unwrap();
    assert!(key.public_key().verify(Watermark::Operation, b"bytes", &signature));

    // a person may be wrong twice; the right password is asked for once
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let answers = ["no", "nor this", "right"];
    let person = Access::default().asking(Box::new(move |prompt| {
        assert_eq!(prompt, "Enter password for encrypted key \"carol\": ");
        answers.get(counter.fetch_add(1, Ordering::SeqCst)).map(|answer| (*answer).to_owned())
    }));
    let asking = wallet.clone().with_access(person);
    asking.signer("carol").await.unwrap();
    asking.signer("carol").await.unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 3);

    let wrong = wallet.with_access(Access::default().asking(Box::new(|_| Some("wrong".to_owned()))));
    let error = wrong.signer("carol").await.err().unwrap();
    assert!(matches!(error, WalletError::WrongPassword { tried: 3, .. }), "{error}");
}

/// What a signer answers with `key`; `sign` makes the signature of the bytes it is given.
fn signer_of(key: SecretKey, sign: impl Fn(&SecretKey, &[u8]) -> Value + Send + Sync) -> impl Fn(&Request) -> Reply {
    let path = format!("/keys/{}", key.public_key_hash());
    let possession = format!("/bls_prove_possession/{}", key.public_key_hash());
    move |request| match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/authorized_keys") => Reply::Json(200, json!({})),
        ("GET", asked) if asked == path => Reply::Json(200, json!({"public_key": key.public_key().to_string()})),
        ("GET", asked) if asked == possession => {
            let proof = soru_tezos::key::Signature::Bls(key.proof_of_possession().unwrap().0);
            Reply::Json(200, json!({"bls_prove_possession": proof.to_string()}))
        }
        ("POST", asked) if asked == path => {
            let bytes = hex::decode(request.body.as_str().unwrap()).unwrap();
            Reply::Json(200, json!({"signature": sign(&key, &bytes)}))
        }
        _ => Reply::Text(404, String::new()),
    }
}

fn honest(key: &SecretKey, bytes: &[u8]) -> Value {
    // the bytes come with their watermark
    json!(key.sign(Watermark::None, bytes).unwrap().to_string())
}

/// Imports the key at a locator, and lets its signer sign.
pub async fn signs(wallet: &Wallet, alias: &str, locator: String, key: &SecretKey) {
    let locator = SecretKeyLocator::from(locator);
    let found = wallet.signer_at(alias, &locator).await.unwrap();
    assert_eq!(found.public_key(), &key.public_key());
    wallet.add_located_key(alias, found.public_key(), locator, false).unwrap();
    let signer = wallet.signer(alias).await.unwrap();
    let signature = signer.sign(Watermark::Operation, b"bytes").await.unwrap();
    assert!(key.public_key().verify(Watermark::Operation, b"bytes", &signature), "{alias}: {}", key.public_key_hash());
    assert_eq!(signer.proof_of_possession().await.unwrap(), key.proof_of_possession());
}

#[tokio::test]
async fn a_remote_signer_signs() {
    for scheme in [Scheme::Ed25519, Scheme::Secp256k1, Scheme::P256, Scheme::Bls] {
        let key = SecretKey::generate(scheme).unwrap();
        let address = key.public_key_hash();
        let stub = Stub::start(signer_of(key.clone(), honest)).await;
        let directory = tempfile::tempdir().unwrap();
        let base = stub.client.endpoint().to_owned();
        let wallet = Wallet::new(directory.path()).with_access(Access::default().with_remote_signer(base.clone()));
        for (alias, locator) in [
            ("url", format!("{base}/{address}")),
            ("option", format!("remote:{address}")),
            ("slashes", format!("remote://{address}")),
        ] {
            signs(&wallet, alias, locator, &key).await;
        }
    }
}

#[tokio::test]
async fn remote_signers_that_fail_are_named() {
    let key = SecretKey::generate(Scheme::Ed25519).unwrap();
    let stranger = SecretKey::generate(Scheme::Ed25519).unwrap();
    let stub = Stub::start(signer_of(key.clone(), move |_, bytes| honest(&stranger, bytes))).await;
    let directory = tempfile::tempdir().unwrap();
    let wallet = Wallet::new(directory.path());
    let put = |alias: &str, locator: String| {
        wallet.remember::<Addresses>(alias, key.public_key_hash(), true).unwrap();
        wallet.remember::<SecretKeys>(alias, SecretKeyLocator::from(locator), true).unwrap();
    };
    let address = key.public_key_hash();
    let base = stub.client.endpoint();

    put("dave", format!("{base}/{address}"));
    let signer = wallet.signer("dave").await.unwrap();
    let error = signer.sign(Watermark::Operation, b"bytes").await.unwrap_err().to_string();
    assert!(error.contains("its signature is not that of the key") && error.contains(&address.to_string()), "{error}");

    put("dave", format!("remote:{address}"));
    assert!(matches!(wallet.signer("dave").await, Err(WalletError::NoRemoteSigner { .. })));
    put("dave", format!("http://127.0.0.1:1/{address}"));
    assert!(matches!(wallet.signer("dave").await, Err(WalletError::Remote { .. })));
    put("dave", "gcpkms://project/key".to_owned());
    assert!(matches!(wallet.signer("dave").await, Err(WalletError::UnsupportedLocator { .. })));
    put("dave", "ledger://a-b-c-d/ed25519/0h".to_owned());
    assert!(matches!(wallet.signer("dave").await, Err(WalletError::Ledger { .. })));
    for locator in ["http://nowhere", "remote:tz1nope", "https://host/path/", "tcp://localhost:7732/tz1", "unix:/tmp/s"]
    {
        put("dave", locator.to_owned());
        assert!(matches!(wallet.signer("dave").await, Err(WalletError::BadSecretKey { .. })), "{locator}");
    }
}

#[tokio::test]
async fn requests_are_signed_where_a_signer_wants_it() {
    let [key, known, stranger] =
        [Scheme::Bls, Scheme::P256, Scheme::Ed25519].map(|it| SecretKey::generate(it).unwrap());
    let (address, authorized) = (key.public_key_hash(), known.public_key_hash());
    let (signing, checking) = (key.clone(), known.public_key());
    let strict = Stub::start(move |request| match request.path.split_once("?authentication=") {
        None if request.path == "/authorized_keys" => {
            Reply::Json(200, json!({"authorized_keys": [authorized.to_string()]}))
        }
        Some((path, signature)) if path == format!("/keys/{address}") => {
            let message = hex::decode(request.body.as_str().unwrap()).unwrap();
            let signed = [&[4, 1, 3][..], &address.hash, &message].concat();
            assert!(checking.verify(Watermark::None, &signed, &signature.parse().unwrap()));
            Reply::Json(200, json!({"signature": honest(&signing, &message)}))
        }
        _ => Reply::Text(403, "no".to_owned()),
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let wallet = Wallet::new(directory.path());
    let locator = SecretKeyLocator::from(format!("{}/{address}", strict.client.endpoint()));
    wallet.add_located_key("dave", &key.public_key(), locator, false).unwrap();
    wallet.add_secret_key("stranger", &stranger, false).unwrap();
    let signer = wallet.signer("dave").await.unwrap();
    let error = signer.sign(Watermark::Operation, b"x").await.unwrap_err().to_string();
    assert!(error.contains(&format!("signed by an authorized key ({authorized})")), "{error}");
    wallet.add_secret_key("known", &known, false).unwrap();
    wallet.signer("dave").await.unwrap().sign(Watermark::Operation, b"x").await.unwrap();
}
