//! Answers without end: new blocks, final blocks, the way to synchronisation (`spec/node.md` §6.2, R13, R14, R45).

use super::reply::Reply;
use super::shapes;
use crate::node::Node;
use crate::store::StoredBlock;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, Response, header};
use futures::stream::{self, Stream, StreamExt};
use serde_json::{Value, json};
use soru_tezos::scalar::Level;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender};
use tokio_util::sync::CancellationToken;

pub(super) fn blocks(node: &Arc<Node>, stop: &CancellationToken) -> Response<Body> {
    let receiver = subscribe(&node.blocks);
    match node.store.head() {
        Ok(first) => streamed(followed(first, receiver), stop),
        Err(e) => Reply::from(e).into_response(),
    }
}

pub(super) fn finalized_blocks(node: &Arc<Node>, stop: &CancellationToken) -> Response<Body> {
    let receiver = subscribe(&node.finalized);
    let first = node.store.finalized_level().and_then(|level| match level {
        Some(level) => node.store.block_of_level(level),
        None => Ok(None),
    });
    match first {
        Ok(first) => streamed(followed(first, receiver), stop),
        Err(e) => Reply::from(e).into_response(),
    }
}

fn subscribe(sender: &Sender<StoredBlock>) -> Receiver<StoredBlock> {
    sender.subscribe()
}

/// The block now, then each new one; a reader that is too slow misses some.
fn followed(first: Option<StoredBlock>, receiver: Receiver<StoredBlock>) -> impl Stream<Item = Value> {
    let later = stream::unfold(receiver, |mut receiver| async {
        loop {
            match receiver.recv().await {
                Ok(block) => return Some((block, receiver)),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    stream::iter(first).chain(later).map(|block| shapes::block(&block, None))
}

pub(super) fn synchronized(node: &Arc<Node>, stop: &CancellationToken) -> Response<Body> {
    let receiver = subscribe(&node.blocks);
    let state = Some((Arc::clone(node), receiver, false));
    let steps = stream::unfold(state, |state| async {
        let (node, mut receiver, started) = state?;
        if started && matches!(receiver.recv().await, Err(RecvError::Closed)) {
            return None;
        }
        match progress(&node) {
            Some(progress) => Some((progress, Some((node, receiver, true)))),
            None => Some((json!("synchronized"), None)),
        }
    });
    streamed(steps, stop)
}

/// How far the node is, unless it is there.
fn progress(node: &Node) -> Option<Value> {
    let head = node.status().last_head?.shell.level;
    let genesis = node.store.metadata().genesis_info.level;
    let processed = node.store.head().ok().flatten().map_or(genesis.before(1), |block| block.level);
    if processed >= head {
        return None;
    }
    let part = |level: Level| f64::from(level.since(genesis).max(0));
    let percentage = if part(head) > 0.0 { (100.0 * part(processed) / part(head)).floor() } else { 0.0 };
    Some(json!({"synchronizing": {
        "processed_level": processed, "l1_head_level": head, "percentage_done": percentage,
    }}))
}

/// One value a chunk, until the server stops.
fn streamed(values: impl Stream<Item = Value> + Send + 'static, stop: &CancellationToken) -> Response<Body> {
    let stop = stop.clone();
    let chunks = values
        .map(|value| Ok::<_, Infallible>(Bytes::from(format!("{value}\n"))))
        .take_until(async move { stop.cancelled().await });
    let mut response = Response::new(Body::from_stream(chunks));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
