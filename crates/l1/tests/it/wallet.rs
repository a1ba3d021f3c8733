//! The wallet's files: the reference's layout, aliases, errors, other programs writing at the same time.

use soru_l1::wallet::{Addresses, Contracts, SecretKeyLocator, SecretKeys, SmartRollups, Wallet, WalletError};
use soru_tezos::contract::Contract;
use soru_tezos::hash::SmartRollupAddress;
use soru_tezos::key::Scheme;
use soru_tezos::sign::{SecretKey, Watermark};

const SECRET: &str = "edsk3gUfUPyBSfrS9CCgmCiQsTCHGkviBDusMxDJstFtojtc1zcpsh";
const ADDRESS: &str = "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx";

/// The front of the files that the reference wrote for keys added in this order.
#[test]
fn files_look_like_the_reference_s() {
    let directory = tempfile::tempdir().unwrap();
    let wallet = Wallet::new(directory.path().join("new/base"));
    for (alias, secret) in [
        ("sp", "spsk37UmuysppvErgNUiX41eALXGRrVXDQWXbyQEnR4bjjomuDNMUk"),
        ("p2", "p2sk3ennEMv8U94UrUgR6jVH6wzoAEHWz6toZBaYkVet6R7ThyXxYC"),
        ("bl", "BLsk2dUm5dwVVkyqqVjXgsXqpcfw9ddAoRDgXCktapgKbVfQ63uDSg"),
    ] {
        wallet.add_secret_key(alias, &secret.parse().unwrap(), false).unwrap();
    }
    let file = |name: &str| std::fs::read_to_string(wallet.directory().join(name)).unwrap();
    assert_eq!(
        file("public_keys"),
        r#"[ { "name": "bl",
    "value":
      { "locator":
          "unencrypted:BLpk1yLQg2fAk879cD1Y6H9kkrVn7W4u8w6KQYebVgyFU899nnwuWT7yyJc3jWWVKBfCovwjZLMV",
        "key":
          "BLpk1yLQg2fAk879cD1Y6H9kkrVn7W4u8w6KQYebVgyFU899nnwuWT7yyJc3jWWVKBfCovwjZLMV" } },
  { "name": "p2",
    "value":
      { "locator":
          "unencrypted:p2pk64iykBifxq1rtwbikm6ftiMcyRm5zYtKQNWbRxTQdBAdeg17nrz",
        "key": "p2pk64iykBifxq1rtwbikm6ftiMcyRm5zYtKQNWbRxTQdBAdeg17nrz" } },
  { "name": "sp",
    "value":
      { "locator":
          "unencrypted:sppk7bBY9HJUakRCxYXMpfhYRqiWp9pJBqhimdzfSBtgxfU1bHEuPDy",
        "key": "sppk7bBY9HJUakRCxYXMpfhYRqiWp9pJBqhimdzfSBtgxfU1bHEuPDy" } } ]
"#
    );
    assert_eq!(
        file("secret_keys"),
        r#"[ { "name": "bl",
    "value":
      "unencrypted:BLsk2dUm5dwVVkyqqVjXgsXqpcfw9ddAoRDgXCktapgKbVfQ63uDSg" },
  { "name": "p2",
    "value":
      "unencrypted:p2sk3ennEMv8U94UrUgR6jVH6wzoAEHWz6toZBaYkVet6R7ThyXxYC" },
  { "name": "sp",
    "value":
      "unencrypted:spsk37UmuysppvErgNUiX41eALXGRrVXDQWXbyQEnR4bjjomuDNMUk" } ]
"#
    );
    assert!(file("public_key_hashs").contains(r#"{ "name": "sp", "value": "tz2Awf4bvzchathGyL6tCkgTNngLmgCTMCjH" }"#));
    let leftovers = std::fs::read_dir(wallet.directory()).unwrap();
    assert!(leftovers.map(|entry| entry.unwrap().file_name()).all(|name| !name.to_string_lossy().ends_with(".tmp")));
}

#[tokio::test]
async fn signers_of_all_schemes() {
    let directory = tempfile::tempdir().unwrap();
    let wallet = Wallet::new(directory.path());
    for scheme in [Scheme::Ed25519, Scheme::Secp256k1, Scheme::P256, Scheme::Bls] {
        let key = SecretKey::generate(scheme).unwrap();
        let alias = format!("{scheme:?}");
        let address = wallet.add_secret_key(&alias, &key, false).unwrap();
        for name in [alias.clone(), format!("alias:{alias}"), format!("key:{alias}"), address.to_string()] {
            let signer = wallet.signer(&name).await.unwrap();
            let signature = signer.sign(Watermark::Operation, b"bytes").await.unwrap();
            assert!(key.public_key().verify(Watermark::Operation, b"bytes", &signature));
            assert_eq!(signer.proof_of_possession().await.unwrap().is_some(), scheme == Scheme::Bls);
        }
        let known = wallet.known_addresses().unwrap();
        assert_eq!((&known[0].alias, known[0].address), (&alias, address));
        assert_eq!(known[0].public_key.as_ref(), Some(&key.public_key()));
    }
}

#[test]
fn aliases_and_literals() {
    let directory = tempfile::tempdir().unwrap();
    let wallet = Wallet::new(directory.path());
    let rollup: SmartRollupAddress = "sr163Lv22CdE8QagCwf48PWDTquk6isQwv57".parse().unwrap();
    let contract = "KT18amZmM5W7qDWVt2pH6uj7sCEd3kbzLrHT".parse().unwrap();
    wallet.remember::<SmartRollups>("echo", rollup, false).unwrap();
    wallet.remember::<Contracts>("both", contract, false).unwrap();
    wallet.add_secret_key("both", &SECRET.parse().unwrap(), false).unwrap();
    let file = directory.path().join("address.txt");
    std::fs::write(&file, format!("{rollup}\n")).unwrap();
    for text in
        ["echo", "alias:echo", &rollup.to_string(), &format!("text:{rollup}"), &format!("file:{}", file.display())]
    {
        assert_eq!(wallet.smart_rollup(text).unwrap(), rollup, "{text}");
    }
    assert_eq!(wallet.contract("both").unwrap(), Contract::Originated(contract));
    assert_eq!(wallet.contract("key:both").unwrap().to_string(), ADDRESS);
    assert_eq!(wallet.contract(ADDRESS).unwrap().to_string(), ADDRESS);
    assert_eq!(wallet.alias_of(&ADDRESS.parse().unwrap()).unwrap().as_deref(), Some("both"));
    wallet.forget::<Contracts>("both").unwrap();
    assert_eq!(wallet.contract("both").unwrap().to_string(), ADDRESS);
    wallet.forget_key("both").unwrap();
    assert!(wallet.known_addresses().unwrap().is_empty());
}

#[tokio::test]
async fn errors_name_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let wallet = Wallet::new(directory.path());
    let text = |error: WalletError| error.to_string();
    assert_eq!(text(wallet.address("alias:nobody").unwrap_err()), "no public key hash alias named nobody");
    assert!(text(wallet.smart_rollup("sr1nope").unwrap_err()).starts_with("no smart rollup alias named sr1nope"));
    wallet.remember::<SmartRollups>("echo", SmartRollupAddress::ZERO, false).unwrap();
    // the same again is refused too
    assert!(wallet.remember::<SmartRollups>("echo", SmartRollupAddress::ZERO, false).is_err());
    let other = SmartRollupAddress([1; 20]);
    assert_eq!(
        text(wallet.remember::<SmartRollups>("echo", other, false).unwrap_err()),
        "The smart rollup alias echo already exists.\n  The current value is sr163Lv22CdE8QagCwf48PWDTquk6isQwv57.\nUse --force to update"
    );
    wallet.remember::<SmartRollups>("echo", other, true).unwrap();
    assert_eq!(wallet.smart_rollup("echo").unwrap(), other);
    assert!(matches!(wallet.remember::<SmartRollups>("a b", other, false), Err(WalletError::BadAlias { .. })));
    assert!(matches!(wallet.forget::<SmartRollups>("nope"), Err(WalletError::NoAlias { .. })));

    wallet.remember::<Addresses>("watched", ADDRESS.parse().unwrap(), false).unwrap();
    assert!(matches!(wallet.signer("watched").await, Err(WalletError::NoSecretKey { .. })));
    wallet.remember::<SecretKeys>("watched", SecretKeyLocator::from("encrypted:edesk1abc".to_owned()), false).unwrap();
    let error = text(wallet.signer("watched").await.err().unwrap());
    assert!(error.contains("watched") && error.contains("edesk…"), "{error}");
    // a secret that cannot be read is not repeated in the error
    wallet
        .remember::<SecretKeys>("watched", SecretKeyLocator::from("unencrypted:edsk3secret".to_owned()), true)
        .unwrap();
    let error = text(wallet.signer("watched").await.err().unwrap());
    assert!(error.contains("watched") && !error.contains("edsk3secret"), "{error}");
    // nor does the key of another account pass
    let stranger = SecretKey::generate(Scheme::Ed25519).unwrap();
    wallet.remember::<SecretKeys>("watched", SecretKeyLocator::unencrypted(&stranger), true).unwrap();
    assert!(matches!(wallet.signer("watched").await.err().unwrap(), WalletError::BadSecretKey { .. }));

    std::fs::write(directory.path().join("contracts"), "[ {").unwrap();
    let error = text(wallet.contract("x").unwrap_err());
    assert!(error.contains("contracts"), "{error}");
}

#[test]
fn changes_by_others_count_and_none_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let wallet = Wallet::new(directory.path());
    std::fs::write(
        directory.path().join("public_key_hashs"),
        format!(r#"[{{"name":"external","value":"{ADDRESS}"}}]"#),
    )
    .unwrap();
    assert_eq!(wallet.address("external").unwrap().to_string(), ADDRESS);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let wallet = &wallet;
            scope.spawn(move || {
                for number in 0..15 {
                    let alias = format!("r{thread}-{number}");
                    wallet.remember::<SmartRollups>(&alias, SmartRollupAddress::ZERO, false).unwrap();
                }
            });
        }
    });
    assert_eq!(wallet.aliases::<SmartRollups>().list().unwrap().len(), 60);
}
