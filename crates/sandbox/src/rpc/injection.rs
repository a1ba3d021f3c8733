//! `/injection/…`: taking operations in.

use super::answer::Answer;
use super::request::Request;
use crate::node::Node;
use std::sync::Arc;

/// Answers a path below `/injection`.
pub async fn answer(node: &Arc<Node>, path: &[&str], request: &Request) -> Answer {
    match path {
        ["operation"] => {
            let text: String = match request.json() {
                Ok(text) => text,
                Err(answer) => return answer,
            };
            let bytes = match hex::decode(&text) {
                Ok(bytes) => bytes,
                Err(error) => return Answer::bad_body(format!("not hexadecimal: {error}")),
            };
            let node = node.clone();
            match tokio::task::spawn_blocking(move || node.inject(&bytes)).await {
                Ok(Ok(hash)) => Answer::json(&hash),
                Ok(Err(trace)) => Answer::trace(&trace),
                Err(error) => Answer::failure(error.to_string()),
            }
        }
        ["block"] => Answer::failure("This sandbox makes its own blocks; ask for one with POST /sandbox/bake."),
        _ => Answer::NotFound,
    }
}
