//! What an RPC answers, and how that becomes an HTTP response: JSON with a newline at the end and exactly
//! `application/json` as content type, the reference's status codes (`spec/protocol.md` §9.1, Appendix D.5).

use crate::ledger::errors;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use soru_http::Refused;
use soru_protocol::protocol::Protocol;
use soru_tezos::rpc_error::TezosError;

/// The outcome of one request.
#[derive(Debug)]
pub enum Answer {
    /// 200 with a JSON document.
    Json(String),
    /// 200 with one JSON document a line, for as long as the client listens.
    Stream(Body),
    /// 200 without a body.
    Empty,
    /// 400: the request cannot be understood. The body is plain text.
    Bad(String),
    /// 404 without a body: an unknown path, or a value that does not exist.
    NotFound,
    /// 405: the path exists, not the method.
    Method(String),
    /// 406: the client takes no JSON.
    NotAcceptable,
    /// 415: the body is no JSON.
    MediaType,
    /// 400, 408, 413 or 503: the body does not come, or cannot be held.
    Body(Refused),
    /// 500: a trace of errors, the most general first.
    Errors(Vec<Value>),
    /// 501: the reference answers this to `HEAD`.
    NotImplemented,
}

impl Answer {
    /// 200 with the JSON form of a value.
    pub fn json(value: &impl Serialize) -> Answer {
        match serde_json::to_string(value) {
            Ok(text) => Answer::Json(text),
            Err(error) => Answer::failure(format!("cannot write the answer: {error}")),
        }
    }

    /// 200 with the value, 404 without.
    pub fn found(value: Option<impl Serialize>) -> Answer {
        value.map_or(Answer::NotFound, |value| Answer::json(&value))
    }

    /// 500 with the shell's error for everything that has no id of its own.
    pub fn failure(message: impl Into<String>) -> Answer {
        Answer::Errors(vec![json!({"kind": "temporary", "id": "failure", "msg": message.into()})])
    }

    /// 500 with a trace.
    pub fn trace(trace: &[TezosError]) -> Answer {
        Answer::Errors(trace.iter().map(|error| serde_json::to_value(error).unwrap_or_default()).collect())
    }

    /// The same answer with errors in the names of a protocol.
    pub fn in_names_of(self, protocol: Protocol) -> Answer {
        let Answer::Errors(mut errors) = self else { return self };
        for error in &mut errors {
            if let Some(Value::String(id)) = error.get_mut("id") {
                *id = errors::renamed(std::mem::take(id), protocol);
            }
        }
        Answer::Errors(errors)
    }

    /// 400 in the reference's words for a path segment that does not parse.
    pub fn bad_segment(path: &[String], count: usize, reason: &str, kind: &str) -> Answer {
        let upto = path.iter().take(count).map(String::as_str).collect::<Vec<_>>().join("/");
        Answer::Bad(format!(
            "Failed to parsed an argument in path. After \"{upto}\", the value \"{reason}\" is not acceptable for type \"{kind}\""
        ))
    }

    /// The HTTP status, and the body where it is JSON.
    pub fn into_json(self) -> (u16, Value) {
        match self {
            Answer::Json(text) => (200, serde_json::from_str(&text).unwrap_or_default()),
            Answer::Errors(trace) => (500, Value::Array(trace)),
            other => (other.into_response().status().as_u16(), Value::Null),
        }
    }

    /// 400 for a body that is not what is wanted.
    pub fn bad_body(reason: impl std::fmt::Display) -> Answer {
        Answer::Bad(format!("Failed to parse the request body: {reason}"))
    }
}

fn body(status: StatusCode, kind: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        const JSON: &str = "application/json";
        match self {
            Answer::Json(mut text) => {
                text.push('\n');
                body(StatusCode::OK, JSON, Body::from(text))
            }
            Answer::Stream(stream) => body(StatusCode::OK, JSON, stream),
            Answer::Empty => StatusCode::OK.into_response(),
            Answer::Bad(text) => body(StatusCode::BAD_REQUEST, "text/plain", Body::from(text)),
            Answer::NotFound => StatusCode::NOT_FOUND.into_response(),
            Answer::Method(allow) => (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, allow)]).into_response(),
            Answer::NotAcceptable => StatusCode::NOT_ACCEPTABLE.into_response(),
            Answer::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response(),
            Answer::Body(refused) => {
                let text = format!("Failed to read the request body: {refused}");
                body(refused.status(), "text/plain", Body::from(text))
            }
            Answer::Errors(trace) => {
                let text = format!("{}\n", Value::Array(trace));
                body(StatusCode::INTERNAL_SERVER_ERROR, JSON, Body::from(text))
            }
            Answer::NotImplemented => StatusCode::NOT_IMPLEMENTED.into_response(),
        }
    }
}
