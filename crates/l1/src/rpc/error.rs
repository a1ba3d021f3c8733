//! Why a request to a layer 1 failed.

use soru_tezos::rpc_error::{TezosError, Trace, trace_has};
use std::time::Duration;

/// A failed request. Every variant names the address that was asked.
#[derive(Debug, thiserror::Error)]
pub enum RpcError {
    /// The address is not an http or https URL.
    #[error("'{url}' is not the address of a node: {problem}; give one like http://localhost:8732")]
    Address {
        /// The text given.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Nobody answers there, or the connection broke.
    #[error("cannot reach the node at {url}: {problem}")]
    Unreachable {
        /// The address asked.
        url: String,
        /// What the network said.
        problem: String,
    },
    /// No answer in time.
    #[error("no answer from {url} within {} s", after.as_secs_f32())]
    Timeout {
        /// The address asked.
        url: String,
        /// How long was waited.
        after: Duration,
    },
    /// A status other than success, without a trace of errors.
    #[error("{url} answered {status}{}", if body.is_empty() { String::new() } else { format!(": {body}") })]
    Status {
        /// The address asked.
        url: String,
        /// HTTP status.
        status: u16,
        /// The body, shortened.
        body: String,
    },
    /// The node refused, with a trace of errors.
    #[error("{url} refused: {}", show_trace(trace))]
    Protocol {
        /// The address asked.
        url: String,
        /// The errors, the most general first.
        trace: Trace,
    },
    /// The answer is not of the expected form.
    #[error("the answer of {url} cannot be read: {problem}")]
    Decode {
        /// The address asked.
        url: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The answer is larger than any that is accepted.
    #[error("the answer of {url} exceeds {limit} bytes")]
    TooLarge {
        /// The address asked.
        url: String,
        /// The limit.
        limit: usize,
    },
}

/// Bytes that are shown of an answer that cannot be read.
const BEGINNING: usize = 80;

fn show_trace(trace: &[TezosError]) -> String {
    trace.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl RpcError {
    /// An answer that is not of the expected form, with its beginning: whoever sees that of a web page knows enough.
    pub(super) fn unreadable(url: &reqwest::Url, body: &[u8], error: &serde_json::Error) -> RpcError {
        let begin = String::from_utf8_lossy(&body[..body.len().min(BEGINNING)]).into_owned();
        RpcError::Decode { url: url.to_string(), problem: format!("{error}. It begins with {begin:?}") }
    }

    /// Whether the node says that the thing does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, RpcError::Status { status: 404, .. })
    }

    /// Whether the connection is at fault: trying again later can help.
    pub fn is_connection(&self) -> bool {
        match self {
            RpcError::Unreachable { .. } | RpcError::Timeout { .. } => true,
            RpcError::Status { status, .. } => matches!(status, 408 | 429 | 502..=504),
            _ => false,
        }
    }

    /// The trace of a refusal; empty for other failures.
    pub fn trace(&self) -> &[TezosError] {
        match self {
            RpcError::Protocol { trace, .. } => trace,
            _ => &[],
        }
    }

    /// Whether the node refused with an error of that name (the prefix of the protocol may be left out).
    pub fn has(&self, name: &str) -> bool {
        trace_has(self.trace(), name)
    }
}

/// The result of a request.
pub type RpcResult<T> = Result<T, RpcError>;
