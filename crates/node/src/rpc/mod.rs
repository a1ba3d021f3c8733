//! The node's HTTP interface (`spec/node.md` §6): requests are routed by hand, so that paths, methods, queries and errors
//! answer as the reference's do.

mod block;
mod block_id;
mod durable;
mod global;
mod local;
mod outbox;
mod reply;
mod root;
mod shapes;
mod streams;

use crate::config::AclRules;
use crate::node::Node;
use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, Method, Response, StatusCode, Uri, header};
use reply::Reply;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
struct Server {
    node: Arc<Node>,
    access: Arc<AclRules>,
    stop: CancellationToken,
}

/// Answers requests until `stop`.
pub(crate) async fn serve(node: Arc<Node>, listener: TcpListener, stop: CancellationToken) {
    let access = Arc::new(node.config.access_rules());
    let server = Server { node, access, stop: stop.clone() };
    let router = Router::new().fallback(handle).with_state(server);
    let ended = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
    if let Err(e) = ended {
        tracing::error!("the RPC server failed: {e}");
    }
}

async fn handle(State(server): State<Server>, request: Request) -> Response<Body> {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let mut response = dispatch(&server, request.method(), request.uri()).await;
    if let Some(allowed) = origin.and_then(|origin| allowed_origin(&server.node, &origin)) {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        let names = server.node.config.cors.allowed_headers.join(", ");
        if let Ok(names) = HeaderValue::from_str(&names) {
            response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
        }
    }
    response
}

/// The origin to allow, if the configuration does.
fn allowed_origin(node: &Node, origin: &HeaderValue) -> Option<HeaderValue> {
    let allowed = &node.config.cors.allowed_origins;
    let listed = |text: &str| allowed.iter().any(|allowed| allowed == "*" || allowed == text);
    origin.to_str().ok().filter(|text| listed(text)).map(|_| origin.clone())
}

/// A request's query, by name.
pub(crate) type Arguments = HashMap<String, String>;

async fn dispatch(server: &Server, method: &Method, uri: &Uri) -> Response<Body> {
    let path = uri.path();
    let segments: Vec<String> = path.split('/').filter(|segment| !segment.is_empty()).map(decoded).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    if !known(&segments) {
        return status(StatusCode::NOT_FOUND);
    }
    if !server.access.allows(method.as_str(), path) {
        return status(StatusCode::UNAUTHORIZED);
    }
    match *method {
        Method::GET => {}
        Method::OPTIONS => return status(StatusCode::OK),
        _ => {
            let mut response = status(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
            return response;
        }
    }
    let Ok(Query(arguments)) = Query::<Arguments>::try_from_uri(uri) else {
        return Reply::bad_query("the query string is malformed").into_response();
    };
    let node = &server.node;
    match *segments.as_slice() {
        ["global", "monitor_blocks"] => streams::blocks(node, &server.stop),
        ["global", "monitor_finalized_blocks"] => streams::finalized_blocks(node, &server.stop),
        ["local", "synchronized"] => streams::synchronized(node, &server.stop),
        ref segments => {
            // reading a state may touch the disk
            let segments: Vec<String> = segments.iter().map(|segment| (*segment).to_owned()).collect();
            let node = Arc::clone(node);
            let answer = tokio::task::spawn_blocking(move || {
                let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
                answer(&node, &segments, &arguments).unwrap_or_else(|refused| refused)
            });
            answer.await.unwrap_or_else(|e| Reply::exception(&e.to_string())).into_response()
        }
    }
}

/// Whether a path is one of the interface's, whatever its arguments are.
fn known(segments: &[&str]) -> bool {
    match segments {
        ["ping" | "health" | "version" | "config"] | ["stats", "memory"] | ["admin", "cancel_gc"] => true,
        ["global", rest @ ..] => match rest {
            ["block", _, rest @ ..] => block::known(rest),
            [name] => global::NAMES.contains(name) || matches!(*name, "monitor_blocks" | "monitor_finalized_blocks"),
            _ => false,
        },
        ["local", rest @ ..] => matches!(
            rest,
            ["last_published_commitment" | "gc_info" | "synchronized" | "refutations"]
                | ["commitments", _]
                | ["outbox", "pending"]
                | ["outbox", "pending", "executable" | "unexecutable"]
        ),
        _ => false,
    }
}

/// The answer to a known path; refusals come as errors.
fn answer(node: &Node, segments: &[&str], arguments: &Arguments) -> Result<Reply, Reply> {
    match segments {
        ["global", "block", id, rest @ ..] => block::answer(node, id, rest, arguments),
        ["global", name] => global::answer(node, name),
        ["local", rest @ ..] => local::answer(node, rest, arguments),
        _ => root::answer(node, segments),
    }
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Undoes percent encoding of a path segment.
fn decoded(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        match (first, tail) {
            (b'%', [high, low, tail @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                let digit = |byte: &u8| (*byte as char).to_digit(16).unwrap_or(0) as u8;
                bytes.push(digit(high) << 4 | digit(low));
                rest = tail;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
