//! Preimages from the data directory and from a service (`spec/node.md` §4.7): only the bytes of the hash are an answer,
//! and nothing a service does makes the node wait, take or keep more than them.

use axum::Router;
use axum::body::Body;
use axum::extract::Path as Segment;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures::stream;
use soru_node::pipeline::{DalConstants, NodeConstants};
use soru_node::reveals::{NodeReveals, Preimages};
use soru_protocol::Protocol;
use soru_protocol::constants::mainnet_rollup;
use soru_pvm::{RevealError, Reveals};
use soru_tezos::hash::{RevealHash, SmartRollupAddress};
use soru_tezos::scalar::{Level, Nat};
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const PAGE: &[u8] = b"a page of a kernel";

/// A page as long as the protocol allows, and one that is longer.
const LONGEST: [u8; 4096] = [7; 4096];
const TOO_LONG: [u8; 4097] = [7; 4097];

/// What the service does with a request for the hash of this text.
fn served(hash: &str) -> Response {
    let asked = |text: &[u8]| hash == RevealHash::of_data(text).to_hex();
    if asked(PAGE) {
        PAGE.into_response()
    } else if asked(&LONGEST) {
        LONGEST.into_response()
    } else if asked(&TOO_LONG) {
        TOO_LONG.into_response()
    } else if asked(b"lie") {
        "something else".into_response()
    } else if asked(b"endless") {
        let chunk = || async { Some((Ok::<_, Infallible>(Bytes::from_static(&[0; 1024])), ())) };
        Body::from_stream(stream::unfold((), move |()| chunk())).into_response()
    } else if asked(b"slow") {
        Body::from_stream(stream::pending::<Result<Bytes, Infallible>>()).into_response()
    } else if asked(b"broken") {
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

/// The service, and how often it was asked.
async fn service() -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let answer = move |Segment(hash): Segment<String>| async move {
        counter.fetch_add(1, Ordering::Relaxed);
        served(&hash)
    };
    let app = Router::new().route("/pages/{hash}", get(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/pages/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (endpoint, asked)
}

/// The answer to a kernel that asks for the preimage of a hash.
async fn revealed(preimages: &Preimages, hash: RevealHash) -> Result<Bytes, RevealError> {
    let constants = NodeConstants {
        rollup: mainnet_rollup(Protocol::Ushuaia),
        minimal_block_delay: Nat(6),
        dal: DalConstants {
            feature_enable: false,
            number_of_slots: 32,
            attestation_lag: 8,
            slot_size: 1 << 17,
            page_size: 4096,
        },
    };
    let reveals = NodeReveals::new(preimages.clone(), SmartRollupAddress::ZERO, Level(1), constants);
    let request = [&[0][..], &hash.0].concat();
    tokio::task::spawn_blocking(move || reveals.answer_raw(&request, Some(Level(10)))).await.unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return vec![] };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn files_must_have_the_hash_they_are_named_after() {
    let data = tempfile::tempdir().unwrap();
    let preimages = Preimages::new(data.path(), None);
    std::fs::create_dir_all(data.path().join("wasm_2_0_0")).unwrap();
    let missing = RevealHash::of_data(b"nobody has it");
    assert_eq!(revealed(&preimages, missing).await, Err(RevealError::MissingPreimage(missing)));
    let put = |named: &[u8], content: &[u8]| {
        let hash = RevealHash::of_data(named);
        std::fs::write(preimages.path(&hash), content).unwrap();
        hash
    };
    let wrong = put(b"another text", PAGE);
    assert_eq!(revealed(&preimages, wrong).await, Err(RevealError::WrongPreimage(wrong)));
    let too_long = put(&TOO_LONG, &TOO_LONG);
    assert_eq!(revealed(&preimages, too_long).await, Err(RevealError::WrongPreimage(too_long)));
    let longest = put(&LONGEST, &LONGEST);
    assert_eq!(revealed(&preimages, longest).await.unwrap(), LONGEST[..]);
    // that of nothing is known to everybody
    assert_eq!(revealed(&preimages, RevealHash::of_data(b"")).await.unwrap(), b""[..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_believed_the_hash_only() {
    let (endpoint, asked) = service().await;
    let data = tempfile::tempdir().unwrap();
    let patience = Duration::from_millis(300);
    let preimages = Preimages::new(data.path(), Some(endpoint.clone())).with_patience(patience);
    let folder = data.path().join("wasm_2_0_0");

    for page in [PAGE, &LONGEST] {
        let hash = RevealHash::of_data(page);
        let before = asked.load(Ordering::Relaxed);
        assert_eq!(revealed(&preimages, hash).await.unwrap(), page);
        assert_eq!(std::fs::read(folder.join(hash.to_hex())).unwrap(), page);
        // it is kept, and not asked for again
        assert_eq!(revealed(&preimages, hash).await.unwrap(), page);
        assert_eq!(asked.load(Ordering::Relaxed), before + 1);
    }
    let kept = files(&folder);
    assert_eq!(kept.len(), 2, "{kept:?}");

    for text in [&b"lie"[..], b"nobody has it"] {
        let hash = RevealHash::of_data(text);
        assert_eq!(revealed(&preimages, hash).await, Err(RevealError::MissingPreimage(hash)));
    }
    let begin = Instant::now();
    for (text, sign) in
        [(&TOO_LONG[..], "more than 4096 bytes"), (b"endless", "more than 4096"), (b"broken", "500"), (b"slow", "")]
    {
        match revealed(&preimages, RevealHash::of_data(text)).await {
            Err(RevealError::Unavailable(said)) => assert!(said.contains(sign) && said.contains(&endpoint), "{said}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(begin.elapsed() >= patience, "the slow service was waited for");
    assert_eq!(files(&folder).len(), 2);
    // nobody listens there any more
    let preimages = Preimages::new(data.path(), Some("http://127.0.0.1:1/".to_owned())).with_patience(patience);
    assert!(matches!(revealed(&preimages, RevealHash::of_data(b"x")).await, Err(RevealError::Unavailable(_))));
}
