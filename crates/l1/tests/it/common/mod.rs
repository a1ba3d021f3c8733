//! A layer 1 made of prepared answers, over real HTTP.
#![allow(dead_code)]

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Method, Response, Uri};
use flate2::read::GzDecoder;
use serde_json::Value;
use soru_l1::rpc::{Limits, RpcClient};
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub struct Request {
    pub method: String,
    /// Path and query.
    pub path: String,
    pub body: Value,
}

pub enum Reply {
    Json(u16, Value),
    Text(u16, String),
    /// Chunks of an endless answer; it ends when the sender is dropped.
    Stream(tokio::sync::mpsc::Receiver<String>),
    /// No answer.
    Silence,
}

pub struct Stub {
    pub client: RpcClient,
    pub requests: Arc<Mutex<Vec<Request>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Stub {
    pub async fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Stub {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        Stub::serve(listener, answer)
    }

    pub fn serve(
        listener: tokio::net::TcpListener,
        answer: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Stub {
        let address = format!("http://{}", listener.local_addr().unwrap());
        let limits = Limits { answer: Duration::from_millis(800), body: 4 << 20, ..Limits::default() };
        let client = RpcClient::with_limits(&address, limits).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (answer, log) = (Arc::new(answer), Arc::clone(&requests));
        let router = Router::new().fallback(move |method: Method, uri: Uri, body: Bytes| {
            let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
            async move {
                let request = Request {
                    method: method.to_string(),
                    path: uri.path_and_query().unwrap().to_string(),
                    body: serde_json::from_slice(&body).unwrap_or(Value::Null),
                };
                let reply = answer(&request);
                log.lock().unwrap().push(request);
                let response = |status: u16, kind: &str, body: Body| {
                    Response::builder().status(status).header("content-type", kind).body(body).unwrap()
                };
                match reply {
                    Reply::Json(status, value) => response(status, "application/json", format!("{value}\n").into()),
                    Reply::Text(status, text) => response(status, "text/plain", text.into()),
                    Reply::Stream(mut chunks) => {
                        let stream = futures::stream::poll_fn(move |context| chunks.poll_recv(context));
                        let stream = futures::StreamExt::map(stream, Ok::<_, std::io::Error>);
                        response(200, "application/json", Body::from_stream(stream))
                    }
                    Reply::Silence => std::future::pending().await,
                }
            }
        });
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Stub { client, requests, server }
    }

    pub fn paths(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|request| request.path.clone()).collect()
    }
}

/// Recorded requests and answers of the reference.
pub fn recorded() -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rpc.jsonl.gz");
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Answers as recorded; a request that was not recorded gets 418.
pub fn replay(rows: &[Value], request: &Request) -> Reply {
    let same = |row: &&Value| row["method"] == request.method.as_str() && row["path"] == request.path.as_str();
    match rows.iter().find(same) {
        Some(row) => {
            let status = u16::try_from(row["status"].as_u64().unwrap()).unwrap();
            match row.get("response") {
                Some(value) => Reply::Json(status, value.clone()),
                None => Reply::Text(status, row["response_text"].as_str().unwrap_or_default().to_owned()),
            }
        }
        None => Reply::Text(418, format!("not recorded: {} {}", request.method, request.path)),
    }
}
