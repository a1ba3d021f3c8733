//! `/monitor/…`: streams of new heads and operations, one JSON document a line, headers and first line sent at once.

use super::answer::Answer;
use super::request::Request;
use super::{block, chain_error};
use crate::block::{next_protocol, number};
use crate::node::Node;
use axum::body::Body;
use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use serde_json::{Value, json};
use soru_tezos::block::Block;
use std::convert::Infallible;
use std::sync::Arc;

/// Answers a path below `/monitor`.
pub fn answer(node: &Arc<Node>, path: &[&str], request: &Request) -> Answer {
    match path {
        ["heads", chain] => match chain_error(node, chain, request) {
            Some(Answer::Bad(_)) => {
                Answer::bad_segment(&request.path, 3, "Cannot parse chain identifier.", "chain_id")
            }
            Some(error) => error,
            None => heads(node, request),
        },
        ["bootstrapped"] => {
            let head = node.view().head();
            let line = json!({"block": head.hash, "timestamp": head.header.shell.timestamp});
            lines(node, stream::iter([line]))
        }
        ["validated_blocks" | "applied_blocks" | "valid_blocks"] => lines(node, new_blocks(node, false).map(|block| {
            json!({"chain_id": block.chain_id, "hash": block.hash, "header": block::header(&block),
                "operations": block.operations.iter().map(|pass| pass.iter().map(|op| json!({"hash": op.hash, "branch": op.branch})).collect::<Vec<_>>())
                    .collect::<Vec<_>>()})
        })),
        ["protocols"] => lines(node, stream::pending()),
        _ => Answer::NotFound,
    }
}

fn heads(node: &Arc<Node>, request: &Request) -> Answer {
    let wanted: Vec<String> = request.query_all("protocol").map(str::to_owned).collect();
    let next: Vec<String> = request.query_all("next_protocol").map(str::to_owned).collect();
    let stream = new_blocks(node, true).filter_map(move |head| {
        let fits = (wanted.is_empty() || wanted.contains(&head.protocol.to_base58()))
            && (next.is_empty() || next.contains(&next_protocol(&head).to_base58()));
        futures::future::ready(fits.then(|| block::head_line(&head)))
    });
    lines(node, stream)
}

/// The head now (if wanted), then every block that follows, none left out; when the chain was taken back, its new head.
fn new_blocks(node: &Arc<Node>, with_head: bool) -> impl Stream<Item = Arc<Block>> + use<> {
    let heads = node.heads();
    let last = (!with_head).then(|| node.view().head());
    let node = node.clone();
    stream::unfold((node, heads, last), |(node, mut heads, last)| async move {
        loop {
            let view = node.view();
            let head = view.head();
            let next = match &last {
                None => Some(head),
                Some(last) if last.hash == head.hash => None,
                Some(last) => {
                    let level = number(last);
                    let stays = view.block_at(level).ok()?.is_some_and(|block| block.hash == last.hash);
                    if stays { view.block_at(level + 1).ok()? } else { Some(head) }
                }
            };
            if let Some(block) = next {
                return Some((block.clone(), (node, heads, Some(block))));
            }
            heads.changed().await.ok()?;
        }
    })
}

/// Operations as they become valid: those of the mempool first, an empty list if there are none.
pub fn operations(node: &Arc<Node>, request: &Request) -> Answer {
    let validated = request.flag("validated").or(request.flag("applied")).unwrap_or(true);
    if !validated {
        return lines(node, stream::pending());
    }
    let first =
        node.mempool().waiting().map(|pending| serde_json::to_value(pending.to_json()).unwrap_or_default()).collect();
    let receiver = node.arrivals();
    let later = stream::unfold(receiver, |mut receiver| async move {
        loop {
            match receiver.recv().await {
                Ok(operation) => return Some((Value::Array(vec![operation]), receiver)),
                Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
                Err(tokio::sync::broadcast::error::RecvError::Closed) => return None,
            }
        }
    });
    lines(node, stream::iter([Value::Array(first)]).chain(later))
}

/// One document a line until the stream or the sandbox ends.
fn lines(node: &Arc<Node>, documents: impl Stream<Item = Value> + Send + 'static) -> Answer {
    let stop = node.stopping();
    let lines = documents
        .map(|document| Ok::<_, Infallible>(Bytes::from(format!("{document}\n"))))
        .take_until(async move { stop.cancelled_owned().await });
    Answer::Stream(Body::from_stream(lines))
}
