//! `/admin/snapshot`: the node's snapshot as a stream of bytes (`spec/node.md` §4.14). An addition to the reference's interface,
//! whose tool reads the data directory of a running node instead. The node goes on meanwhile: what is read is a view of its store.

use super::Arguments;
use super::reply::Reply;
use crate::node::Node;
use crate::snapshot;
use crate::store::{States, UpTo};
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, header};
use futures::StreamExt;
use soru_tezos::scalar::Level;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

/// Bytes of a chunk, and chunks that wait for the reader.
const CHUNK: usize = 1 << 16;
const WAITING: usize = 8;

/// How many snapshots may be made at a time. Each holds a thread, and a view of the store that nothing is collected from, for
/// as long as its reader takes.
#[derive(Clone)]
pub(super) struct Exports(Arc<Semaphore>);

impl Default for Exports {
    fn default() -> Self {
        Exports(Arc::new(Semaphore::new(2)))
    }
}

/// Writes into the body of an answer.
struct Pipe(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes))) {
            Ok(()) => Ok(bytes.len()),
            Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) async fn answer(
    node: &Arc<Node>,
    arguments: &Arguments,
    exports: &Exports,
    stop: &CancellationToken,
) -> Response<Body> {
    let up_to = match arguments.get("level").map(String::as_str) {
        None | Some("finalized") => UpTo::Finalized,
        Some("head") => UpTo::Head,
        Some("cemented") => UpTo::Cemented,
        Some(text) => match text.parse() {
            Ok(level) => UpTo::Level(Level(level)),
            Err(_) => return Reply::bad_argument("level", text, "Cannot parse block level").into_response(),
        },
    };
    let states = match arguments.get("states").map(String::as_str) {
        None | Some("all") => States::All,
        Some("first") => States::First,
        Some(text) => return Reply::bad_argument("states", text, "all or first is wanted").into_response(),
    };
    let Ok(place) = Arc::clone(&exports.0).try_acquire_owned() else {
        return Reply::busy("Two snapshots are being exported already; try again when one is done").into_response();
    };
    let (sender, receiver) = mpsc::channel(WAITING);
    let (store, data_dir) = (node.store.clone(), node.data_dir.clone());
    let dump = match tokio::task::spawn_blocking(move || store.dump(up_to)).await {
        Ok(Ok(dump)) => dump,
        Ok(Err(refused)) => return Reply::failure(&refused.to_string()).into_response(),
        Err(error) => return Reply::exception(&error.to_string()).into_response(),
    };
    tokio::task::spawn_blocking(move || {
        let _place = place;
        let out = BufWriter::with_capacity(CHUNK, Pipe(sender.clone()));
        let level = dump.head().level;
        match snapshot::write(&dump, &data_dir, states, out) {
            Ok(_) => tracing::info!("Snapshot exported up to level {level}"),
            Err(error) => {
                tracing::warn!("A snapshot up to level {level} was not exported: {error}");
                // the answer breaks off, so that nobody takes it for whole
                let _ = sender.blocking_send(Err(io::Error::other(error.to_string())));
            }
        }
    });
    let stop = stop.clone();
    let chunks = ReceiverStream::new(receiver).take_until(async move { stop.cancelled().await });
    let mut response = Response::new(Body::from_stream(chunks));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    response
}
