//! Remote signers behind sockets, against a small signer whose messages are made by hand.

use super::signers::signs;
use soru_l1::wallet::{Access, RemoteError, SecretKeyLocator, SocketError, Wallet, WalletError};
use soru_tezos::key::{PublicKeyHash, Scheme};
use soru_tezos::sign::{SecretKey, Watermark};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a signer does with a request: the bytes it sends back before it closes the connection; nothing: it keeps silent.
type Answer = dyn Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync;

async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: Arc<Answer>) {
    let mut length = [0; 2];
    stream.read_exact(&mut length).await.unwrap();
    let mut request = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut request).await.unwrap();
    match answer(&request) {
        Some(bytes) => stream.write_all(&bytes).await.unwrap(),
        None => std::future::pending().await,
    }
}

/// A signer at a TCP port; gives its address.
async fn tcp(answer: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let answer: Arc<Answer> = Arc::new(answer);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(talk(stream, Arc::clone(&answer)));
        }
    });
    address
}

fn frame(payload: &[u8]) -> Vec<u8> {
    [&u16::try_from(payload.len()).unwrap().to_be_bytes()[..], payload].concat()
}

fn good(value: &[u8]) -> Option<Vec<u8>> {
    Some(frame(&[&[0], value].concat()))
}

fn tagged(address: &PublicKeyHash) -> Vec<u8> {
    let scheme = [Scheme::Ed25519, Scheme::Secp256k1, Scheme::P256, Scheme::Bls];
    let tag = scheme.iter().position(|scheme| *scheme == address.scheme).unwrap();
    [&[tag as u8][..], &address.hash].concat()
}

/// The bytes to sign in a request to sign, and what stands behind them.
fn to_sign<'a>(request: &'a [u8], address: &PublicKeyHash) -> (&'a [u8], &'a [u8]) {
    let who = match address.scheme {
        // the tag again, and the version of the scheme
        Scheme::Bls => [&[0, 3][..], &tagged(address), &[2]].concat(),
        _ => [&[0][..], &tagged(address)].concat(),
    };
    let rest = request.strip_prefix(who.as_slice()).unwrap();
    let (length, rest) = rest.split_at(4);
    rest.split_at(u32::from_be_bytes(length.try_into().unwrap()) as usize)
}

fn signature(key: &SecretKey, bytes: &[u8]) -> Vec<u8> {
    key.sign(Watermark::None, bytes).unwrap().as_bytes().to_vec()
}

/// A signer of one key that answers everybody.
fn honest(key: SecretKey) -> impl Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static {
    let address = key.public_key_hash();
    move |request| match request[0] {
        0 => {
            let (bytes, rest) = to_sign(request, &address);
            assert!(rest.is_empty());
            good(&signature(&key, bytes))
        }
        1 => {
            assert_eq!(request[1..], tagged(&address));
            let mut answer = tagged(&address)[..1].to_vec();
            answer.extend_from_slice(key.public_key().point());
            good(&answer)
        }
        2 => good(&[0]),
        7 => {
            assert_eq!(request[1..], [&tagged(&address)[..], &[0]].concat());
            good(&key.proof_of_possession().unwrap().0)
        }
        other => panic!("request {other}"),
    }
}

#[tokio::test]
async fn a_signer_behind_a_socket_signs() {
    for scheme in [Scheme::Ed25519, Scheme::Secp256k1, Scheme::P256, Scheme::Bls] {
        let key = SecretKey::generate(scheme).unwrap();
        let address = key.public_key_hash();
        let base = tcp(honest(key.clone())).await;
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("signer socket");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        let answer: Arc<Answer> = Arc::new(honest(key.clone()));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(talk(stream, Arc::clone(&answer)));
            }
        });
        let socket = socket.display();
        let wallet = Wallet::new(directory.path()).with_access(Access::default().with_remote_signer(base.clone()));
        for (alias, locator) in [
            ("tcp", format!("{base}/{address}")),
            ("unix", format!("unix:{socket}?pkh={address}")),
            ("slashes", format!("unix://{socket}?pkh={address}")),
            ("remote", format!("remote:{address}")),
        ] {
            signs(&wallet, alias, locator, &key).await;
        }
    }
}

#[tokio::test]
async fn requests_over_a_socket_are_signed_where_a_signer_wants_it() {
    let [key, known] = [Scheme::P256, Scheme::Ed25519].map(|scheme| SecretKey::generate(scheme).unwrap());
    let (address, authorized) = (key.public_key_hash(), known.public_key_hash());
    let (signing, checking) = (key.clone(), known.public_key());
    let base = tcp(move |request| match request[0] {
        2 => good(&[&[1, 0, 0, 0, 21][..], &tagged(&authorized)].concat()),
        _ => {
            let (bytes, rest) = to_sign(request, &address);
            let signed = [&[4, 1][..], &tagged(&address), bytes].concat();
            let rest = soru_tezos::key::Signature::Generic(rest.try_into().unwrap());
            assert!(checking.verify(Watermark::None, &signed, &rest));
            good(&signature(&signing, bytes))
        }
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    let wallet = Wallet::new(directory.path());
    let locator = SecretKeyLocator::from(format!("{base}/{address}"));
    wallet.add_located_key("dave", &key.public_key(), locator, false).unwrap();
    let signer = wallet.signer("dave").await.unwrap();
    let error = signer.sign(Watermark::Operation, b"x").await.unwrap_err().to_string();
    assert!(error.contains(&format!("signed by an authorized key ({authorized})")), "{error}");
    wallet.add_secret_key("known", &known, false).unwrap();
    wallet.signer("dave").await.unwrap().sign(Watermark::Operation, b"x").await.unwrap();
}

/// What comes of asking a signer for a public key that answers so.
async fn asked(answer: Option<Vec<u8>>) -> String {
    let address = SecretKey::generate(Scheme::Ed25519).unwrap().public_key_hash();
    let base = tcp(move |_| answer.clone()).await;
    let access = Access::default().with_patience(Duration::from_millis(300));
    let wallet = Wallet::new("/nowhere").with_access(access);
    let locator = SecretKeyLocator::from(format!("{base}/{address}"));
    let error = wallet.signer_at("dave", &locator).await.err().unwrap();
    assert!(matches!(error, WalletError::Remote { problem: RemoteError::Socket(_), .. }), "{error}");
    assert!(error.to_string().contains(&base), "{error}");
    error.to_string()
}

#[tokio::test]
async fn what_a_hostile_signer_says() {
    let key = [&[0, 0][..], &[7; 32]].concat();
    for (answer, wanted) in [
        (Vec::new(), "closed the connection before the end"),
        (vec![0], "closed the connection before the end"),
        (frame(&key)[..20].to_vec(), "closed the connection before the end"),
        (frame(&[]), "cannot decode answer at byte 0: 1 bytes wanted, 0 left"),
        (frame(&[2]), "unknown tag 2"),
        (frame(&[0, 9]), "cannot decode"),
        (frame(&key[..20]), "cannot decode public key"),
        (frame(&[key.as_slice(), &[1]].concat()), "1 bytes left over"),
        (frame(&[&[0][..], &[0; 65_534]].concat()), "bytes left over"),
        (frame(&[1, 0xff, 0xff, 0xff, 0xff]), "cannot decode errors"),
        (frame(&[1, 0, 0, 0, 4, 0, 0, 0, 9]), "cannot decode error"),
        (frame(&[1, 0, 0, 0, 0]), "refused"),
    ] {
        let error = asked(Some(answer.clone())).await;
        assert!(error.contains(wanted), "{answer:?}: {error}");
    }
    assert!(asked(None).await.contains("no answer from the signer"));
    // an error as octez-signer writes it: a document in a list
    let document = b"\x02kind\0\x0a\0\0\0temporary\0\x02id\0\x08\0\0\0failure\0\x02msg\0\x0c\0\0\0not allowed\0\0";
    let document = [&(document.len() as u32 + 4).to_le_bytes()[..], document].concat();
    let one = [&(document.len() as u32).to_be_bytes()[..], &document].concat();
    let refused = [&[1][..], &(one.len() as u32).to_be_bytes(), &one].concat();
    assert!(asked(Some(frame(&refused))).await.ends_with("refused: not allowed"));
}

#[tokio::test]
async fn signers_that_cannot_be_asked_are_named() {
    let key = SecretKey::generate(Scheme::Ed25519).unwrap();
    let address = key.public_key_hash();
    let wallet = Wallet::new("/nowhere");
    let refuse =
        async |locator: &str| wallet.signer_at("dave", &SecretKeyLocator::from(locator.to_owned())).await.err();
    for (locator, wanted) in [
        (format!("tcp://127.0.0.1:1/{address}"), "cannot reach the signer at tcp://127.0.0.1:1"),
        (format!("unix:/nowhere/at/all?pkh={address}"), "cannot reach the signer at unix:/nowhere/at/all"),
        (format!("tcp://host/{address}"), "it names no port"),
        (format!("tcp://:7/{address}"), "is not the address of a signer"),
        (format!("unix:here?pkh={address}"), "must be absolute"),
        ("unix:/here".to_owned(), "does not end with ?pkh="),
        ("tcp://host:7/tz1nope".to_owned(), "does not end with an address"),
        (format!("ledger://a-b-c-d/ed25519/0h?{address}"), "let octez-signer drive it"),
    ] {
        let error = refuse(&locator).await.unwrap().to_string();
        assert!(error.contains(wanted), "{locator}: {error}");
    }
    // the length of a message has two bytes
    let base = tcp(honest(key.clone())).await;
    let locator = SecretKeyLocator::from(format!("{base}/{address}"));
    let signer = wallet.signer_at("dave", &locator).await.unwrap();
    let error = signer.sign(Watermark::Operation, &[0; 70_000]).await.unwrap_err().to_string();
    assert!(error.contains("too long for the signer"), "{error}");
    assert!(matches!(
        wallet.signer_at("dave", &SecretKeyLocator::from(format!("tcp://127.0.0.1:1/{address}"))).await,
        Err(WalletError::Remote { problem: RemoteError::Socket(SocketError::Unreachable { .. }), .. })
    ));
}
