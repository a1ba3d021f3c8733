//! The RPC of a Tezos node (`spec/protocol.md` §9): a table of routes, one dispatcher from paths to answers, one file per
//! subject.

mod answer;
mod block_id;
mod request;
mod routes;

mod block;
mod chain;
mod context;
mod contracts;
mod control;
mod helpers;
mod injection;
mod mempool;
mod monitor;
mod normal;
mod rollups;
mod scripts;

use crate::ledger::{BlockContext, Ledger};
use crate::node::Node;
use answer::Answer;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, header};
use axum::response::{IntoResponse, Response};
pub use block_id::{Anchor, BlockId};
use request::Request;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Largest request body, in bytes. The largest sensible one is a contract or a kernel installer in JSON.
const MAX_BODY: usize = 4 << 20;

/// How long a client may take to send a body.
const BODY_TIME: Duration = Duration::from_secs(60);

/// What a node whose head has this ledger answers to a request for `…/context/<path>`, for the tables of the ledger:
/// `contracts/…`, `big_maps/…`, `smart_rollups/…`. A request with a body is a `POST`. The HTTP status, and the body where it
/// is JSON.
pub fn answer_on(ledger: &Ledger, path: &str, body: Option<&Value>) -> (u16, Value) {
    let method = if body.is_some() { Method::POST } else { Method::GET };
    let body = body.map(|body| body.to_string().into()).unwrap_or_default();
    let request = Request::new(method, path, None, body);
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    context::of_ledger(ledger, &path, &request).unwrap_or(Answer::NotFound).into_json()
}

/// What such a node answers to a request for `…/helpers/scripts/<service>`, other than simulations, in the block that comes
/// next.
pub fn script_answer_on(ledger: &Ledger, next: &BlockContext, service: &str, body: &Value) -> (u16, Value) {
    let request = Request::new(Method::POST, service, None, body.to_string().into());
    scripts::answer(ledger, next, &[service], &request).into_json()
}

/// The service that answers every request.
pub fn router(node: Arc<Node>) -> Router {
    Router::new().fallback(handle).with_state(node)
}

async fn handle(State(node): State<Arc<Node>>, request: axum::http::Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let answer = match parts.method {
        Method::HEAD => Answer::NotImplemented,
        Method::OPTIONS => Answer::Empty,
        _ if !acceptable(&parts.headers) => Answer::NotAcceptable,
        _ => match read_body(body).await {
            Err(refusal) => refusal,
            Ok(body) if !body.is_empty() && media(&parts.headers) == Media::Binary => {
                Answer::bad_body("Failed to parse binary data: this node reads JSON only")
            }
            Ok(body) if !body.is_empty() && media(&parts.headers) == Media::Other => Answer::MediaType,
            Ok(body) => {
                let request = Request::new(parts.method, parts.uri.path(), parts.uri.query(), body);
                dispatch(node, request).await
            }
        },
    };
    answer.into_response()
}

/// Streams and waiting requests are answered at once; everything else is computed on a thread of its own, so that a long
/// simulation keeps nobody waiting.
async fn dispatch(node: Arc<Node>, request: Request) -> Answer {
    match routes::find(&request.method, &request.path) {
        routes::Found::Here => {}
        routes::Found::Other(methods) => return Answer::Method(methods),
        routes::Found::Nothing => return Answer::NotFound,
    }
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["monitor", rest @ ..] => monitor::answer(&node, rest, &request),
        ["chains", chain, "mempool", "monitor_operations"] => match chain_error(&node, chain, &request) {
            None => monitor::operations(&node, &request),
            Some(error) => error,
        },
        ["sandbox", ..] => control::answer(&node, request).await,
        ["injection", rest @ ..] => injection::answer(&node, rest, &request).await,
        _ => {
            let work = tokio::task::spawn_blocking(move || chain::answer(&node, &request));
            work.await.unwrap_or_else(|error| Answer::failure(format!("the request could not be answered: {error}")))
        }
    }
}

/// The body, if it comes in time and is not too large.
async fn read_body(body: Body) -> Result<bytes::Bytes, Answer> {
    match tokio::time::timeout(BODY_TIME, axum::body::to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(Answer::TooLarge),
        Err(_) => Err(Answer::TooSlow),
    }
}

/// Whether the client takes JSON, or a form of the reference's in place of which it is given JSON.
fn acceptable(headers: &HeaderMap) -> bool {
    let mut ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    if ranges.peek().is_none() {
        return true;
    }
    let mut names = ranges.flat_map(|value| value.split(',')).map(|range| range.split(';').next().unwrap_or("").trim());
    names.any(|name| {
        matches!(
            name,
            "" | "*/*" | "application/*" | "application/json" | "application/octet-stream" | "application/bson"
        )
    })
}

/// What a body is declared as.
#[derive(PartialEq)]
enum Media {
    Json,
    Binary,
    Other,
}

fn media(headers: &HeaderMap) -> Media {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return Media::Json };
    match kind.to_str().unwrap_or("").split(';').next().unwrap_or("").trim() {
        "application/json" => Media::Json,
        "application/octet-stream" => Media::Binary,
        _ => Media::Other,
    }
}

/// What a chain that is not ours is answered with.
fn chain_error(node: &Node, chain: &str, request: &Request) -> Option<Answer> {
    if chain == "main" || chain == node.chain_id().to_base58() {
        None
    } else if chain == "test" || chain.parse::<soru_tezos::hash::ChainId>().is_ok() {
        Some(Answer::NotFound)
    } else {
        Some(Answer::bad_segment(&request.path, 2, "Cannot parse chain identifier.", "chain_id"))
    }
}
