//! The node's HTTP interface (`spec/node.md` §6): requests are routed by hand, so that paths, methods, queries and errors
//! answer as the reference's do.

mod batcher;
mod block;
mod block_id;
mod durable;
mod global;
mod injector;
mod local;
mod outbox;
mod reply;
mod root;
mod shapes;
mod snapshot;
mod streams;

use crate::config::AclRules;
use crate::node::Node;
use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, Method, Response, StatusCode, Uri, header};
use reply::Reply;
use soru_http::{Bodies, Limits, Workers, percent_decoded};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[derive(Clone)]
struct Server {
    node: Arc<Node>,
    access: Arc<AclRules>,
    bodies: Bodies,
    workers: Workers,
    exports: snapshot::Exports,
    stop: CancellationToken,
}

/// Answers requests until `stop`.
pub(crate) async fn serve(node: Arc<Node>, listener: TcpListener, stop: CancellationToken) {
    let access = Arc::new(node.config.access_rules());
    let server = Server {
        node,
        access,
        bodies: Bodies::new(MAX_BODY),
        workers: Workers::default(),
        exports: snapshot::Exports::default(),
        stop: stop.clone(),
    };
    let router = Router::new().fallback(handle).with_state(server);
    soru_http::serve(listener, router, Limits::default(), stop).await;
}

async fn handle(State(server): State<Server>, request: Request) -> Response<Body> {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let (parts, body) = request.into_parts();
    let mut response = dispatch(&server, &parts.method, &parts.uri, body).await;
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

/// Most bytes of a request's body. In hexadecimal that is as many messages as layer 1 takes in ten blocks.
const MAX_BODY: usize = 16 << 20;

/// A switch in a query.
fn switch(arguments: &Arguments, name: &str) -> Result<bool, Reply> {
    match arguments.get(name).map(String::as_str) {
        None | Some("false" | "no") => Ok(false),
        Some("" | "true" | "yes") => Ok(true),
        Some(other) => Err(Reply::bad_argument(name, other, "Cannot parse boolean value")),
    }
}

async fn dispatch(server: &Server, method: &Method, uri: &Uri, body: Body) -> Response<Body> {
    let path = uri.path();
    let segments: Vec<String> = path.split('/').filter(|segment| !segment.is_empty()).map(percent_decoded).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    if !known(&segments) {
        return status(StatusCode::NOT_FOUND);
    }
    if !server.access.allows(method.as_str(), path) {
        return status(StatusCode::UNAUTHORIZED);
    }
    let served = methods(&segments);
    if *method == Method::OPTIONS {
        return status(StatusCode::OK);
    }
    if !served.contains(method) {
        let mut response = status(StatusCode::METHOD_NOT_ALLOWED);
        let names: Vec<&str> = served.iter().map(Method::as_str).collect();
        if let Ok(names) = HeaderValue::from_str(&names.join(", ")) {
            response.headers_mut().insert(header::ALLOW, names);
        }
        return response;
    }
    let Ok(Query(arguments)) = Query::<Arguments>::try_from_uri(uri) else {
        return Reply::bad_query("the query string is malformed").into_response();
    };
    let node = &server.node;
    if *method != Method::GET {
        let body = match server.bodies.read(body).await {
            Ok(body) => body,
            Err(refused) => return Reply::from(refused).into_response(),
        };
        let (node, segments) = (Arc::clone(node), owned(&segments));
        let change = server.workers.run(move || {
            let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
            change(&node, &segments, &arguments, &body).unwrap_or_else(|refused| refused)
        });
        return change.await.unwrap_or_else(|e| Reply::exception(&e.to_string())).into_response();
    }
    match *segments.as_slice() {
        ["global", "monitor_blocks"] => streams::blocks(node, &server.stop),
        ["global", "monitor_finalized_blocks"] => streams::finalized_blocks(node, &server.stop),
        ["local", "synchronized"] => streams::synchronized(node, &server.stop),
        ["admin", "snapshot"] => snapshot::answer(node, &arguments, &server.exports, &server.stop).await,
        ref segments => {
            // reading a state may touch the disk
            let (node, segments) = (Arc::clone(node), owned(segments));
            let answer = server.workers.run(move || {
                let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
                answer(&node, &segments, &arguments).unwrap_or_else(|refused| refused)
            });
            answer.await.unwrap_or_else(|e| Reply::exception(&e.to_string())).into_response()
        }
    }
}

fn owned(segments: &[&str]) -> Vec<String> {
    segments.iter().map(|segment| (*segment).to_owned()).collect()
}

/// The methods that a known path serves.
fn methods(segments: &[&str]) -> &'static [Method] {
    match segments {
        ["local", "batcher", "injection"]
        | ["local", "dal", "batcher", "injection"]
        | ["local", "dal", "slot", "indices"]
        | ["local", "dal", "injection", _, "forget"] => &[Method::POST],
        ["admin", "injector", "queues"] => &[Method::GET, Method::DELETE],
        ["admin", "batcher", "queue"] => &[Method::DELETE],
        _ => &[Method::GET],
    }
}

/// Whether a path is one of the interface's, whatever its arguments are.
fn known(segments: &[&str]) -> bool {
    match segments {
        ["ping" | "health" | "version" | "config"] | ["stats", "memory"] | ["admin", "cancel_gc" | "snapshot"] => true,
        ["admin", "injector", "queues"] | ["admin", "injector", "queues", "total"] | ["admin", "batcher", "queue"] => {
            true
        }
        ["global", rest @ ..] => match rest {
            ["block", _, rest @ ..] => block::known(rest),
            [name] => global::NAMES.contains(name) || matches!(*name, "monitor_blocks" | "monitor_finalized_blocks"),
            _ => false,
        },
        ["local", rest @ ..] => matches!(
            rest,
            ["last_published_commitment" | "gc_info" | "synchronized" | "refutations"]
                | ["commitments", _]
                | ["batcher", "injection" | "queue"]
                | ["batcher", "queue", _]
                | ["injector", "operation", _, "status"]
                | ["dal", "batcher", "injection"]
                | ["dal", "slot", "indices"]
                | ["dal", "injection", _, "forget"]
                | ["dal", "injected", "operations", "statuses"]
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
        ["local", "batcher", rest @ ..] => batcher::answer(node, rest),
        ["local", "injector", "operation", id, "status"] => injector::status(node, id),
        ["local", "dal", ..] => Err(Reply::permanent("sc_rollup.node.no_dal_injector")),
        ["local", rest @ ..] => local::answer(node, rest, arguments),
        ["admin", "injector", "queues"] => injector::queues(node, arguments),
        ["admin", "injector", "queues", "total"] => injector::total(node),
        _ => root::answer(node, segments),
    }
}

/// The answer to a request that changes something.
fn change(node: &Node, segments: &[&str], arguments: &Arguments, body: &[u8]) -> Result<Reply, Reply> {
    match segments {
        ["local", "batcher", "injection"] => batcher::inject(node, arguments, body),
        ["admin", "batcher", "queue"] => batcher::clear(node, arguments),
        ["admin", "injector", "queues"] => injector::clear(node, arguments),
        _ => Err(Reply::permanent("sc_rollup.node.no_dal_injector")),
    }
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
