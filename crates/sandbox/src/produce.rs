//! The baker: makes blocks at an interval, when operations arrive, or when asked, one at a time.

use crate::config::BlockTime;
use crate::error::SandboxError;
use crate::node::Node;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, error};

/// Makes blocks until the sandbox stops.
pub async fn bake_until_stopped(node: Arc<Node>, block_time: BlockTime) {
    let stop = node.stopping();
    match block_time {
        BlockTime::Manual => stop.cancelled().await,
        BlockTime::Interval(interval) => {
            let mut next = Instant::now() + interval;
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = sleep_until(next) => {}
                }
                if bake(&node).await.is_err() {
                    return;
                }
                // a machine that cannot keep up makes blocks less often, not in bursts
                next = (next + interval).max(Instant::now());
            }
        }
        BlockTime::OnOperation => loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = node.operation_arrived() => {}
            }
            // operations sent together should be in one block
            tokio::time::sleep(GATHER).await;
            if bake(&node).await.is_err() {
                return;
            }
        },
    }
}

/// How long the baker waits for more operations after the first.
const GATHER: Duration = Duration::from_millis(20);

async fn bake(node: &Arc<Node>) -> Result<(), SandboxError> {
    let worker = node.clone();
    let made = tokio::task::spawn_blocking(move || worker.bake()).await;
    match made {
        Ok(Ok(block)) => {
            debug!(level = crate::block::number(&block), hash = %block.hash, "block");
            Ok(())
        }
        Ok(Err(reason)) => {
            error!("cannot make a block, the sandbox stops: {reason}");
            node.fail(&reason);
            Err(reason)
        }
        Err(reason) => {
            let reason = SandboxError::System { what: "making a block", reason: reason.to_string() };
            node.fail(&reason);
            Err(reason)
        }
    }
}
