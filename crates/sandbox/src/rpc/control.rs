//! `/sandbox/…`: what a real layer 1 does not have.

use super::answer::Answer;
use super::request::Request;
use crate::block;
use crate::node::Node;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// Most blocks made by one request.
const MAX_BLOCKS: u32 = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bake {
    #[serde(default = "one")]
    blocks: u32,
}

fn one() -> u32 {
    1
}

/// Answers a path below `/sandbox`.
pub async fn answer(node: &Arc<Node>, path: &[&str], request: &Request) -> Answer {
    match path {
        ["bake"] if request.is_post() => {
            let wanted = if request.body.is_empty() {
                Bake { blocks: 1 }
            } else {
                match request.json() {
                    Ok(wanted) => wanted,
                    Err(answer) => return answer,
                }
            };
            if wanted.blocks == 0 || wanted.blocks > MAX_BLOCKS {
                return Answer::bad_body(format!("between 1 and {MAX_BLOCKS} blocks can be made at a time"));
            }
            let node = node.clone();
            let made = tokio::task::spawn_blocking(move || {
                let mut hashes = Vec::new();
                for _ in 0..wanted.blocks {
                    hashes.push(node.bake()?);
                }
                Ok::<_, crate::error::SandboxError>(hashes)
            });
            match made.await {
                Ok(Ok(blocks)) => {
                    let head = blocks.last().map(|head| json!({"hash": head.hash, "level": block::number(head)}));
                    let hashes: Vec<_> = blocks.iter().map(|block| block.hash).collect();
                    Answer::json(&json!({"head": head, "blocks": hashes}))
                }
                Ok(Err(error)) => Answer::failure(error.to_string()),
                Err(error) => Answer::failure(error.to_string()),
            }
        }
        ["bake"] => Answer::Method("POST"),
        _ => Answer::NotFound,
    }
}
