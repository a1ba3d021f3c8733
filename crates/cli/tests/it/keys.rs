//! Keys behind passwords, from the commands of the wallet to an operation in a block.

use crate::common::{Program, SORU, User, free_port, run_fed, words};

#[test]
fn an_encrypted_key_signs_once_its_password_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let address = format!("127.0.0.1:{}", free_port());
    let endpoint = format!("http://{address}");
    let user = User { dir, endpoint: &endpoint };
    let fed = |sentence: &str, input: &str| {
        let words = [vec!["client", "-d", "w", "-E", &endpoint], words(sentence, &[])].concat();
        run_fed(SORU, dir, &words, input)
    };

    // typed differently at first
    let output = fed("gen keys dora --encrypted", "secret\nsecrets\nsecret\nsecret\n").ok();
    assert!(output.contains("Enter password to encrypt your key: ") && output.contains("Passwords do not match."));
    assert!(user.client(&["list", "known", "addresses"]).contains("(encrypted sk known)"));
    let shown = user.client(&["show", "address", "dora", "--show-secret"]);
    // the salt is drawn, and with it the character behind these
    let secret = shown.lines().find_map(|line| line.strip_prefix("Secret Key: ")).unwrap();
    assert!(secret.starts_with("encrypted:edesk1") || secret.starts_with("encrypted:edesk2"), "{shown}");
    let copy =
        run_fed(SORU, dir, &["client", "-d", "copies", "import", "secret", "key", "copy", secret], "secret\n").ok();
    let hash = shown.lines().find_map(|line| line.strip_prefix("Hash: ")).unwrap();
    assert!(copy.contains(&format!("Tezos address added: {hash}")), "{copy}");
    fed("gen keys dan --encrypted", "secret\n").fails_saying(&["no password was given"]);

    let printed =
        fed("encrypt secret key", "unencrypted:edsk39qAm1fiMjgmPkw1EgQYkMzkJezLNewd7PLNHTkr6w9XA2zdfo\np\np\n").ok();
    let locked = printed.split("Encrypted secret key ").nth(1).unwrap().trim();
    let import = ["client", "-d", "w", "import", "secret", "key", "b2", locked];
    run_fed(SORU, dir, &import, "wrong\nwrong\nwrong\n").fails_saying(&["3 incorrect password attempts"]);
    let output = run_fed(SORU, dir, &import, "wrong\np\n").ok();
    assert!(output.contains("Sorry, try again."), "{output}");
    assert!(output.contains("Tezos address added: tz1gjaF81ZRRvdzjobyfVNsAeSC6PScjfQwN"), "{output}");
    fed("encrypt secret key", "edsk3nonsense\n").fails_saying(&["This is not a secret key"]);

    let words =
        ["sandbox", "run", "--rpc-addr", &address, "--data-dir", "l1", "--block-time", "0.2", "--stop-with-stdin"];
    let layer1 = Program::start(SORU, dir, &words);
    layer1.says("RPC server listening on");
    std::fs::write(dir.join("passwords"), "other\np\nsecret\n").unwrap();
    user.client(&["-f", "passwords", "transfer", "5", "from", "b2", "to", "dora", "--burn-cap", "1"]);
    // the account is revealed with it; the password comes from a person, then from the file
    let output = fed("transfer 1 from dora to b2", "secret\n").ok();
    assert!(output.contains("Enter password for encrypted key \"dora\": "), "{output}");
    assert!(output.contains("This transaction was successfully applied"), "{output}");
    user.client(&["-f", "passwords", "transfer", "1", "from", "dora", "to", "b2"]);
    fed("transfer 1 from dora to b2", "").fails_saying(&["dora is encrypted", "with -f"]);
    assert_eq!(layer1.stop(), Some(0));
}
