//! The state that following, publishing and serving share.

use crate::batcher::Batcher;
use crate::config::{Config, ConfigError};
use crate::inject::Queues;
use crate::metrics::Metrics;
use crate::pipeline::{Collector, NodeConstants, Pipeline, PipelineError};
use crate::reveals::Preimages;
use crate::store::{Store, StoreError, StoredBlock};
use soru_l1::heads;
use soru_l1::rpc::{RpcClient, RpcError};
use soru_l1::wallet::{Wallet, WalletError};
use soru_pvm::FastEngine;
use soru_tezos::hash::ProtocolHash;
use soru_tezos::header::MonitoredHead;
use soru_tezos::scalar::Mutez;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use tokio::sync::{broadcast, watch};

/// Everything a node is started with.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// The configuration, command line and file combined.
    pub config: Config,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// The layer 1 node: `http://host:port`.
    pub endpoint: String,
    /// The wallet with the operators' keys. An observer needs none.
    pub wallet: Wallet,
}

/// Why a node stops.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store or the data directory.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Layer 1 refuses what the node cannot do without.
    #[error(transparent)]
    LayerOne(#[from] RpcError),
    /// A key of an operator cannot be used.
    #[error("the key of operator {key} cannot be used: {reason}")]
    Operator {
        /// The key's hash.
        key: String,
        /// Why.
        reason: WalletError,
    },
    /// A block that ends the node.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The RPC address.
    #[error(
        "cannot listen on {address}: {reason}. Another program may use it: choose another one with --rpc-addr and --rpc-port"
    )]
    Bind {
        /// `host:port`.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// The operator is too poor.
    #[error("Operator {operator} only has {} tez but needs more than {} in order to stake on the rollup.", balance.to_tez(), stake.to_tez())]
    OperatorBalance {
        /// The key's hash.
        operator: String,
        /// What it has.
        balance: Mutez,
        /// The bond.
        stake: Mutez,
    },
    /// The operator may not stake on a private rollup.
    #[error(
        "The operator is not in the whitelist. Please restart the rollup node in bailout mode if you still have stakes. \
         ({0})"
    )]
    NotInWhitelist(String),
    /// An operator in bailout mode has nothing to recover.
    #[error("The operator does not has any stake. ({0} is not staked on the rollup, so there is no bond to recover.)")]
    NoStake(String),
    /// The layer 1 is of another chain.
    #[error("{0}")]
    OtherChain(String),
    /// The engine could not be made.
    #[error("cannot start the WebAssembly engine: {0}")]
    Engine(String),
    /// A task ended in a way that must not be.
    #[error("internal error: {0}")]
    Internal(String),
}

/// How the connection to layer 1 stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// Heads come.
    Connected,
    /// It broke and is tried again.
    Reconnecting,
    /// It never stood.
    Disconnected,
}

impl Connection {
    /// The word in `/health`.
    pub fn name(self) -> &'static str {
        match self {
            Connection::Connected => "connected",
            Connection::Reconnecting => "reconnecting",
            Connection::Disconnected => "disconnected",
        }
    }
}

/// What changes from moment to moment.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// The newest head layer 1 told of.
    pub last_head: Option<MonitoredHead>,
    /// Why no block is processed any more, if so.
    pub stopped: Option<String>,
    /// Workers that run, by the reference's names.
    pub workers: Vec<String>,
}

/// The constants of the protocols met.
struct Constants {
    known: HashMap<ProtocolHash, Arc<NodeConstants>>,
    newest: Arc<NodeConstants>,
}

/// A running node.
pub struct Node {
    /// Its configuration; the history mode is filled in.
    pub config: Config,
    /// Its directory.
    pub data_dir: PathBuf,
    /// Its store.
    pub store: Store,
    /// Its layer 1.
    pub layer1: RpcClient,
    /// The engine that runs kernels.
    pub engine: Arc<FastEngine>,
    /// Where preimages come from.
    pub preimages: Preimages,
    /// Where the RPC server listens.
    pub address: SocketAddr,
    /// New blocks, for those who watch.
    pub blocks: broadcast::Sender<StoredBlock>,
    /// Blocks that became final.
    pub finalized: broadcast::Sender<StoredBlock>,
    /// Takes messages, in the modes that add some.
    pub batcher: Option<Batcher>,
    pub(crate) metrics: Metrics,
    /// Collects what a full node need not keep.
    pub collector: Collector,
    pub(crate) queues: Arc<Queues>,
    pub(crate) pipeline: Mutex<Pipeline>,
    connection: watch::Receiver<heads::Connection>,
    status: Mutex<Status>,
    constants: RwLock<Constants>,
}

impl Node {
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new(
        config: Config,
        data_dir: PathBuf,
        store: Store,
        layer1: RpcClient,
        engine: Arc<FastEngine>,
        preimages: Preimages,
        address: SocketAddr,
        (queues, batcher): (Queues, Option<Batcher>),
        pipeline: Pipeline,
        constants: NodeConstants,
        connection: watch::Receiver<heads::Connection>,
        head: MonitoredHead,
    ) -> Node {
        let collector = Collector::new(store.clone(), config.gc_parameters.clone());
        Node {
            metrics: Metrics::new(&config),
            config,
            data_dir,
            store,
            collector,
            layer1,
            engine,
            preimages,
            address,
            blocks: broadcast::channel(256).0,
            finalized: broadcast::channel(256).0,
            batcher,
            queues: Arc::new(queues),
            pipeline: Mutex::new(pipeline),
            connection,
            status: Mutex::new(Status { last_head: Some(head), ..Status::default() }),
            constants: RwLock::new(Constants { known: HashMap::new(), newest: Arc::new(constants) }),
        }
    }

    /// How the connection to layer 1 stands.
    pub fn connection(&self) -> Connection {
        match &*self.connection.borrow() {
            heads::Connection::Up => Connection::Connected,
            heads::Connection::Down { attempts: 0, .. } => Connection::Disconnected,
            heads::Connection::Down { .. } => Connection::Reconnecting,
        }
    }

    /// The status now.
    pub fn status(&self) -> Status {
        self.status_mut().clone()
    }

    pub(crate) fn status_mut(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The constants of the newest protocol seen.
    pub fn current_constants(&self) -> Arc<NodeConstants> {
        Arc::clone(&self.constants.read().unwrap_or_else(PoisonError::into_inner).newest)
    }

    /// The constants of a protocol, if they were read.
    pub(crate) fn known_constants(&self, protocol: &ProtocolHash) -> Option<Arc<NodeConstants>> {
        self.constants.read().unwrap_or_else(PoisonError::into_inner).known.get(protocol).cloned()
    }

    pub(crate) fn set_constants(&self, protocol: ProtocolHash, constants: Arc<NodeConstants>) {
        let mut all = self.constants.write().unwrap_or_else(PoisonError::into_inner);
        all.newest = Arc::clone(&constants);
        all.known.insert(protocol, constants);
    }
}
