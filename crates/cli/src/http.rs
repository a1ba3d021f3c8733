//! Raw requests, as `rpc get` and its like make them to a layer 1 or a rollup node.

use crate::grammar::{CliError, Invocation};
use serde_json::Value;
use soru_l1::rpc::{Method, RpcClient};
use soru_tezos::json::pretty;

/// A JSON value given as an argument, or in a file named `file:path`; nothing when the parameter is absent.
pub fn json_argument(invocation: &Invocation, name: &str) -> Result<Option<Value>, CliError> {
    let text = invocation.param(name);
    if text.is_empty() {
        return Ok(None);
    }
    let json = match text.strip_prefix("file:") {
        Some(path) => invocation.read_param(name, |_| {
            std::fs::read_to_string(path).map_err(|error| format!("cannot read file {path} ({error})"))
        })?,
        None => text.to_owned(),
    };
    let failed = |error: serde_json::Error| CliError::failed(format!("Failed to parse the provided json: {error}"));
    serde_json::from_str(&json).map(Some).map_err(failed)
}

/// Makes a request and prints its answer: JSON laid out, anything else as it is.
pub async fn print_answer(
    client: &RpcClient,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<(), CliError> {
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let answer = client.raw(method, &path, body).await.map_err(CliError::failed)?;
    let text = String::from_utf8_lossy(&answer.body);
    match answer.status {
        200..=299 => {
            match serde_json::from_slice::<Value>(&answer.body) {
                Ok(value) => println!("{}", pretty(&value)),
                Err(_) => println!("{}", text.trim_end()),
            }
            Ok(())
        }
        404 => Err(CliError::failed("No service found at this URL")),
        403 | 401 => Err(CliError::failed(format!("[HTTP {}] Access denied to: {path}", answer.status))),
        410 => Err(CliError::failed(format!("[HTTP 410] The data of {path} was pruned by the node"))),
        status => match serde_json::from_slice::<Value>(&answer.body) {
            Ok(value) => Err(CliError::failed(format!("[HTTP {status}] {}", pretty(&value)))),
            Err(_) => Err(CliError::failed(format!("[HTTP {status}] {}", text.trim()))),
        },
    }
}
