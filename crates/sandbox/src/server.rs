//! Starting and stopping the sandbox: the HTTP server and the baker around one [`Node`].

use crate::block::{self, ChainStart};
use crate::config::SandboxConfig;
use crate::error::SandboxError;
use crate::node::{self, Node};
use crate::produce;
use crate::rpc;
use crate::store::Store;
use soru_http::Limits;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::info;

/// A running sandbox. Dropping it stops it without waiting.
pub struct Sandbox {
    address: SocketAddr,
    node: Arc<Node>,
    stop: CancellationToken,
    server: Option<JoinHandle<()>>,
    baker: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Opens the data directory, listens, and begins to make blocks.
    ///
    /// # Errors
    /// When the address is taken, or the data directory cannot be used.
    pub async fn start(config: SandboxConfig) -> Result<Sandbox, SandboxError> {
        let refuse = |error: std::io::Error| SandboxError::Listen {
            address: config.rpc_addr,
            reason: match error.kind() {
                std::io::ErrorKind::AddrInUse => "the port is in use".to_owned(),
                _ => error.to_string(),
            },
        };
        let listener = TcpListener::bind(config.rpc_addr).await.map_err(refuse)?;
        let address = listener.local_addr().map_err(refuse)?;
        let stop = CancellationToken::new();
        let block_time = config.block_time;
        let limits = Limits { connections: config.max_connections, ..Limits::default() };
        let node = open(config, stop.clone()).await?;
        let server = tokio::spawn(soru_http::serve(listener, rpc::router(node.clone()), limits, stop.clone()));
        let baker = tokio::spawn(produce::bake_until_stopped(node.clone(), block_time));
        info!(%address, level = block::number(&node.view().head()), %block_time, "layer 1 listens");
        Ok(Sandbox { address, node, stop, server: Some(server), baker: Some(baker) })
    }

    /// Where the RPC listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://` and the address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The chain behind the RPC.
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Returns when the sandbox stops by itself, with the reason.
    pub async fn failed(&self) -> SandboxError {
        self.stop.cancelled().await;
        let reason = self.node.failure().unwrap_or_else(|| "it was told to".to_owned());
        SandboxError::System { what: "the layer 1 stopped", reason }
    }

    /// Stops: the block being made is finished, streams end, requests in flight are given [`Limits::grace`].
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(server) = self.server.take() {
            let _ = server.await;
        }
        if let Some(baker) = self.baker.take() {
            // the baker ends between two blocks; a panic there was reported by the node
            let _ = baker.await;
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn open(config: SandboxConfig, stop: CancellationToken) -> Result<Arc<Node>, SandboxError> {
    let opened = tokio::task::spawn_blocking(move || {
        let store = Store::open(&config.data_dir)?;
        Node::open(store, stop, || ChainStart::new(&config, node::now()))
    });
    let failed =
        |error: tokio::task::JoinError| SandboxError::System { what: "opening the chain", reason: error.to_string() };
    opened.await.map_err(failed)?.map(Arc::new)
}

/// Runs a sandbox until `shutdown` is done.
///
/// # Errors
/// When it cannot start, or cannot go on.
pub async fn run(config: SandboxConfig, shutdown: impl Future<Output = ()>) -> Result<(), SandboxError> {
    let sandbox = Sandbox::start(config).await?;
    let result = tokio::select! {
        () = shutdown => Ok(()),
        error = sandbox.failed() => Err(error),
    };
    sandbox.stop().await;
    result
}
