//! The node's life: start, follow layer 1 block by block, publish and cement, stop (`spec/node.md` §4).

mod chain;
mod operations;
mod outbox;
mod publisher;
mod startup;

pub use publisher::{Due, due};

use crate::node::{Node, NodeConfig, NodeError};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A node that runs in the background.
pub struct NodeHandle {
    node: Arc<Node>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), NodeError>>,
}

impl NodeHandle {
    /// Where the RPC server listens.
    pub fn address(&self) -> SocketAddr {
        self.node.address
    }

    /// What the node knows.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Asks the node to stop. It finishes the block it is at.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits for the end.
    pub async fn join(self) -> Result<(), NodeError> {
        match self.task.await {
            Ok(result) => result,
            Err(e) => Err(NodeError::Internal(e.to_string())),
        }
    }
}

/// Starts a node. Returns once its RPC server listens; waits, as long as it takes, until layer 1 can be reached.
pub async fn start(config: NodeConfig) -> Result<NodeHandle, NodeError> {
    let started = startup::start(config).await?;
    let (node, stop) = (Arc::clone(&started.node), CancellationToken::new());
    let task = tokio::spawn(live(started, stop.clone()));
    Ok(NodeHandle { node, stop, task })
}

/// Runs a node until `shutdown` or until it cannot go on.
pub async fn run(config: NodeConfig, shutdown: impl Future<Output = ()>) -> Result<(), NodeError> {
    tokio::pin!(shutdown);
    let mut handle = tokio::select! {
        handle = start(config) => handle?,
        () = &mut shutdown => return Ok(()),
    };
    tokio::select! {
        ended = &mut handle.task => return ended.unwrap_or_else(|e| Err(NodeError::Internal(e.to_string()))),
        () = &mut shutdown => handle.stop(),
    }
    handle.join().await
}

async fn live(started: startup::Started, stop: CancellationToken) -> Result<(), NodeError> {
    let startup::Started { node, heads, own_heads, signers, listener, lock } = started;
    let server = tokio::spawn(crate::rpc::serve(Arc::clone(&node), listener, stop.clone()));
    let metrics = tokio::spawn(crate::metrics::serve(Arc::clone(&node), stop.clone()));
    tracing::info!("The smart rollup node is listening to {}:{}", node.address.ip(), node.address.port());
    let operations = operations::Operations::new(&node, &signers)?;
    let processing = chain::follow(&node, heads, &operations, &stop);
    tokio::pin!(processing);
    let result = tokio::select! {
        result = &mut processing => result,
        result = operations.follow(&node, own_heads, &stop) => match result {
            Ok(()) => processing.await,
            failed => failed,
        },
    };
    stop.cancel();
    tracing::info!("Shutting down RPC server");
    if let Err(e) = server.await {
        tracing::warn!("the RPC server ended badly: {e}");
    }
    if let Err(e) = metrics.await {
        tracing::warn!("the metrics server ended badly: {e}");
    }
    node.collector.stop();
    drop(lock);
    result
}
