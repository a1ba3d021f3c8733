//! The HTTP below the typed requests: time limits, bounded bodies, errors told apart.

use super::error::{RpcError, RpcResult};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use reqwest::{Method, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use soru_tezos::rpc_error::Trace;
use std::sync::Once;
use std::time::Duration;

/// Limits of a client.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time to connect.
    pub connect: Duration,
    /// Time for a whole answer, streams excepted.
    pub answer: Duration,
    /// Most bytes of an answer.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { connect: Duration::from_secs(10), answer: Duration::from_secs(60), body: 256 << 20 }
    }
}

/// Most bytes of an error's body that are kept.
const EXCERPT: usize = 2_000;

/// A node's address and how to talk to it. Clones share connections.
#[derive(Debug, Clone)]
pub struct RpcClient {
    http: reqwest::Client,
    base: Url,
    limits: Limits,
}

/// An answer as it came, for `rpc get` and its like.
#[derive(Debug, Clone)]
pub struct RawAnswer {
    /// HTTP status.
    pub status: u16,
    /// Media type.
    pub content_type: Option<String>,
    /// The body.
    pub body: Bytes,
}

/// Chooses what encrypts connections, for this process. Clients of this crate do so by themselves; others must before they
/// are built.
pub fn install_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // an error means that another part of the program has already chosen a provider
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

impl RpcClient {
    /// A client for the node at `address`, like `http://localhost:8732` or `https://host/some/path`.
    pub fn new(address: &str) -> RpcResult<RpcClient> {
        RpcClient::with_limits(address, Limits::default())
    }

    /// The same with other limits.
    pub fn with_limits(address: &str, limits: Limits) -> RpcResult<RpcClient> {
        let wrong = |problem: String| RpcError::Address { url: address.chars().take(200).collect(), problem };
        let mut base = Url::parse(address).map_err(|error| wrong(error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(wrong("not an http or https address".to_owned()));
        }
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        install_tls();
        let http = reqwest::Client::builder()
            .connect_timeout(limits.connect)
            .user_agent(concat!("soru/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        Ok(RpcClient { http, base, limits })
    }

    /// The address, without a final slash.
    pub fn endpoint(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// The time limit for one answer.
    pub fn answer_limit(&self) -> Duration {
        self.limits.answer
    }

    fn url(&self, path: &str) -> RpcResult<Url> {
        let text = format!("{}{}", self.base, path.trim_start_matches('/'));
        Url::parse(&text)
            .map_err(|error| RpcError::Address { url: text.chars().take(200).collect(), problem: error.to_string() })
    }

    async fn send(&self, method: Method, url: &Url, body: Option<Vec<u8>>, limited: bool) -> RpcResult<Response> {
        tracing::debug!(%method, %url, body = body.as_ref().map(|body| String::from_utf8_lossy(body).into_owned()), "request");
        let mut request = self.http.request(method, url.clone()).header("accept", "application/json");
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        if limited {
            request = request.timeout(self.limits.answer);
        }
        let response = request.send().await.map_err(|error| self.network(url, error))?;
        tracing::debug!(%url, status = response.status().as_u16(), "answer");
        Ok(response)
    }

    fn network(&self, url: &Url, error: reqwest::Error) -> RpcError {
        let url = url.to_string();
        if error.is_timeout() {
            let after = if error.is_connect() { self.limits.connect } else { self.limits.answer };
            return RpcError::Timeout { url, after };
        }
        // the outer error only repeats the address; the cause is what helps
        let mut problem = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            problem = inner.to_string();
            source = inner.source();
        }
        RpcError::Unreachable { url, problem }
    }

    async fn body(&self, url: &Url, response: Response) -> RpcResult<Bytes> {
        let limit = self.limits.body;
        let too_large = || RpcError::TooLarge { url: url.to_string(), limit };
        if response.content_length().is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let mut chunks = response.bytes_stream();
        let mut body = BytesMut::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| self.network(url, error))?;
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// Sends a request and gives the answer whatever its status. `path` may have a query.
    pub async fn raw(&self, method: Method, path: &str, body: Option<&Value>) -> RpcResult<RawAnswer> {
        let url = self.url(path)?;
        let body = body.map(|value| value.to_string().into_bytes());
        let response = self.send(method, &url, body, true).await?;
        let status = response.status().as_u16();
        let content_type =
            response.headers().get("content-type").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let body = self.body(&url, response).await?;
        Ok(RawAnswer { status, content_type, body })
    }

    /// Turns an answer that is no success into an error.
    fn refusal(url: &Url, status: u16, body: &[u8]) -> RpcError {
        let url = url.to_string();
        match serde_json::from_slice::<Trace>(body) {
            Ok(trace) if !trace.is_empty() => RpcError::Protocol { url, trace },
            _ => {
                let body = String::from_utf8_lossy(&body[..body.len().min(EXCERPT)]).trim().to_owned();
                RpcError::Status { url, status, body }
            }
        }
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> RpcResult<T> {
        let url = self.url(path)?;
        let response = self.send(method, &url, body, true).await?;
        let status = response.status();
        let body = self.body(&url, response).await?;
        if !status.is_success() {
            return Err(Self::refusal(&url, status.as_u16(), &body));
        }
        serde_json::from_slice(&body).map_err(|error| RpcError::unreadable(&url, &body, &error))
    }

    /// `GET`s a JSON value.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> RpcResult<T> {
        self.ask(Method::GET, path, None).await
    }

    /// `GET`s a JSON value that may not exist: a 404 is nothing.
    pub async fn get_optional<T: DeserializeOwned>(&self, path: &str) -> RpcResult<Option<T>> {
        match self.get(path).await {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `POST`s a JSON value.
    pub async fn post<B: Serialize + ?Sized, T: DeserializeOwned>(&self, path: &str, body: &B) -> RpcResult<T> {
        let body = serde_json::to_vec(body)
            .map_err(|error| RpcError::Decode { url: path.to_owned(), problem: error.to_string() })?;
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Opens an endless answer; the time limit counts until its headers only.
    pub(super) async fn open_stream(&self, path: &str) -> RpcResult<(Url, Response)> {
        let url = self.url(path)?;
        let opening = self.send(Method::GET, &url, None, false);
        let response = tokio::time::timeout(self.limits.answer, opening)
            .await
            .map_err(|_| RpcError::Timeout { url: url.to_string(), after: self.limits.answer })??;
        let status = response.status();
        if !status.is_success() {
            let body = self.body(&url, response).await?;
            return Err(Self::refusal(&url, status.as_u16(), &body));
        }
        Ok((url, response))
    }

    pub(super) fn stream_error(&self, url: &Url, error: reqwest::Error) -> RpcError {
        self.network(url, error)
    }
}
