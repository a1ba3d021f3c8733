//! The metrics server: `GET /metrics`, and nothing else (`spec/node.md` §7).

use super::{DEFAULT_PORT, exposition, watch_process};
use crate::node::Node;
use axum::Router;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use soru_http::Limits;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Connections that may be open at a time: few programs gather metrics.
const CONNECTIONS: usize = 64;

/// Serves the metrics of a node until told to stop. A server that cannot be started is no reason to end the node.
pub(crate) async fn serve(node: Arc<Node>, stop: CancellationToken) {
    let Some(address) = node.config.metrics_addr.clone() else { return };
    let listener = match bind(&address).await {
        Ok(listener) => listener,
        Err(e) => {
            tracing::error!("Cannot serve metrics on {address}: {e}. The node goes on without; see --metrics-addr");
            return;
        }
    };
    if let Ok(bound) = listener.local_addr() {
        tracing::info!("Starting metrics server on {bound}");
    }
    let app = Router::new().fallback(answer).with_state(Arc::clone(&node));
    let limits = Limits { connections: CONNECTIONS, ..Limits::default() };
    let server = soru_http::serve(listener, app, limits, stop.clone());
    let watching = async {
        if node.config.performance_metrics {
            watch_process(&node).await;
        }
        stop.cancelled().await;
    };
    tokio::join!(server, async {
        tokio::select! {
            () = watching => {}
            () = stop.cancelled() => {}
        }
    });
}

/// `ADDR:PORT`, `:PORT` for all addresses of the machine, or `ADDR` alone.
async fn bind(address: &str) -> io::Result<TcpListener> {
    let (host, port) = match address.rsplit_once(':') {
        // the colon of an IPv6 address without port is none before a port
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            let port =
                port.parse().map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, format!("port {port}: {e}")))?;
            (host, port)
        }
        _ => (address, DEFAULT_PORT),
    };
    match host.trim_matches(['[', ']']) {
        "" => match TcpListener::bind(("::", port)).await {
            Ok(listener) => Ok(listener),
            Err(_) => TcpListener::bind(("0.0.0.0", port)).await,
        },
        host => TcpListener::bind((host, port)).await,
    }
}

async fn answer(State(node): State<Arc<Node>>, method: Method, uri: Uri) -> Response {
    if method != Method::GET || uri.path() != "/metrics" {
        return (StatusCode::BAD_REQUEST, "Bad request").into_response();
    }
    match tokio::task::spawn_blocking(move || exposition(&node)).await {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Ok(Err(e)) => (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()).into_response(),
        Err(e) => (StatusCode::INTERNAL_SERVER_ERROR, e.to_string()).into_response(),
    }
}
