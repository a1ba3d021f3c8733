//! Answers and refusals in the reference's forms (`spec/node.md` §6.1, Appendix F.5).

use crate::pipeline::PipelineError;
use crate::store::StoreError;
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};
use soru_pvm::PvmError;

/// An answer to a request.
#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    content_type: &'static str,
    body: String,
}

impl Reply {
    /// A value.
    pub fn json(value: &impl Serialize) -> Result<Reply, Reply> {
        let mut body = serde_json::to_string(value).map_err(|e| Reply::exception(&e.to_string()))?;
        body.push('\n');
        Ok(Reply { status: StatusCode::OK, content_type: "application/json", body })
    }

    /// A list with one error.
    pub fn error(error: Value) -> Reply {
        let body = format!("{}\n", json!([error]));
        Reply { status: StatusCode::INTERNAL_SERVER_ERROR, content_type: "application/json", body }
    }

    /// An error that only has a text.
    pub fn failure(message: &str) -> Reply {
        Reply::error(json!({"kind": "temporary", "id": "failure", "msg": message}))
    }

    /// An error that the reference raises instead of answering it.
    pub fn exception(text: &str) -> Reply {
        Reply::raised(format!("Failure({text:?})"))
    }

    /// An exception of the reference in its own words.
    pub fn raised(body: String) -> Reply {
        Reply { status: StatusCode::INTERNAL_SERVER_ERROR, content_type: "text/ocaml.exception", body }
    }

    fn bad(body: String) -> Reply {
        Reply { status: StatusCode::BAD_REQUEST, content_type: "text/plain", body }
    }

    /// A refusal for as long as others ask for the same.
    pub fn busy(reason: &str) -> Reply {
        Reply { status: StatusCode::SERVICE_UNAVAILABLE, ..Reply::bad(reason.to_owned()) }
    }

    /// An error that is named by its id alone and will not pass.
    pub fn permanent(id: &str) -> Reply {
        Reply::error(json!({"kind": "permanent", "id": id}))
    }

    /// A body that does not read.
    pub fn bad_body(reason: &str) -> Reply {
        Reply::bad(format!("Failed to parse the request body: {reason}"))
    }

    /// A query that does not read.
    pub fn bad_query(reason: &str) -> Reply {
        Reply::bad(format!("Failed to parse the query string: {reason}"))
    }

    /// A query argument that does not read.
    pub fn bad_argument(name: &str, value: &str, reason: &str) -> Reply {
        Reply::bad_query(&format!("Failed to parse argument '{name}' ({value:?}): {reason}"))
    }

    /// An argument in a path that does not read; `path` ends with it.
    pub fn bad_path(path: &str, reason: &str, ty: &str) -> Reply {
        Reply::bad(format!(
            "Failed to parsed an argument in path. After \"{path}\", the value \"{reason}\" is not acceptable for type \"{ty}\""
        ))
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        response
    }
}

impl From<soru_http::Refused> for Reply {
    fn from(refused: soru_http::Refused) -> Self {
        Reply { status: refused.status(), ..Reply::bad_body(&refused.to_string()) }
    }
}

impl From<StoreError> for Reply {
    fn from(error: StoreError) -> Self {
        Reply::failure(&error.to_string())
    }
}

impl From<PvmError> for Reply {
    fn from(error: PvmError) -> Self {
        Reply::failure(&error.to_string())
    }
}

impl From<PipelineError> for Reply {
    fn from(error: PipelineError) -> Self {
        Reply::failure(&error.to_string())
    }
}
