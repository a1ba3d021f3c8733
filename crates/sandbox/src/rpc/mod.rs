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
use soru_http::{Bodies, Held, Workers};
use std::sync::Arc;

/// Largest request body, in bytes. The largest sensible one is a contract or a kernel installer in JSON.
const MAX_BODY: usize = 4 << 20;

/// What a node whose head has this ledger answers to a request for `…/context/<path>`, for the tables of the ledger:
/// `contracts/…`, `big_maps/…`, `smart_rollups/…`. A request with a body is a `POST`. The HTTP status, and the body where it
/// is JSON.
pub fn answer_on(ledger: &Ledger, path: &str, body: Option<&Value>) -> (u16, Value) {
    let method = if body.is_some() { Method::POST } else { Method::GET };
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = Request::new(method, path, None, local(body));
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    context::of_ledger(ledger, &path, &request).unwrap_or(Answer::NotFound).into_json()
}

/// What such a node answers to a request for `…/helpers/scripts/<service>`, other than simulations, in the block that comes
/// next.
pub fn script_answer_on(ledger: &Ledger, next: &BlockContext, service: &str, body: &Value) -> (u16, Value) {
    let request = Request::new(Method::POST, service, None, local(body.to_string()));
    scripts::answer(ledger, next, &[service], &request).into_json()
}

/// A body that came over no connection.
fn local(text: String) -> Held {
    bytes::Bytes::from(text).into()
}

/// What answers requests.
#[derive(Clone)]
struct Server {
    node: Arc<Node>,
    bodies: Bodies,
    workers: Workers,
}

/// The service that answers every request.
pub fn router(node: Arc<Node>) -> Router {
    let server = Server { node, bodies: Bodies::new(MAX_BODY), workers: Workers::default() };
    Router::new().fallback(handle).with_state(server)
}

async fn handle(State(server): State<Server>, request: axum::http::Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let answer = match parts.method {
        Method::HEAD => Answer::NotImplemented,
        Method::OPTIONS => Answer::Empty,
        _ if !acceptable(&parts.headers) => Answer::NotAcceptable,
        _ => match server.bodies.read(body).await {
            Err(refused) => Answer::Body(refused),
            Ok(body) if !body.is_empty() && media(&parts.headers) == Media::Binary => {
                Answer::bad_body("Failed to parse binary data: this node reads JSON only")
            }
            Ok(body) if !body.is_empty() && media(&parts.headers) == Media::Other => Answer::MediaType,
            Ok(body) => {
                let request = Request::new(parts.method, parts.uri.path(), parts.uri.query(), body);
                dispatch(server, request).await
            }
        },
    };
    answer.into_response()
}

/// Streams and waiting requests are answered at once; everything else is computed on a thread of its own, so that a long
/// simulation keeps nobody waiting.
async fn dispatch(Server { node, workers, .. }: Server, request: Request) -> Answer {
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
            let work = workers.run(move || chain::answer(&node, &request)).await;
            work.unwrap_or_else(|error| Answer::failure(format!("the request could not be answered: {error}")))
        }
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
