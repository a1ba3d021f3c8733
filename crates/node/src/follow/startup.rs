//! From a configuration to a node that can run (`spec/node.md` §4.1).

use crate::batcher::Batcher;
use crate::config::{Config, ConfigError, Mode, Purpose};
use crate::inject::Queues;
use crate::node::{Node, NodeConfig, NodeError};
use crate::pipeline::{Pipeline, PipelineError, RollupInfo};
use crate::reveals::Preimages;
use crate::store::{DataDirLock, Existing, Flush, ModuleDirectory, Store, StoreError};
use soru_l1::heads::HeadStream;
use soru_l1::rpc::{Limits, RpcClient, RpcError};
use soru_l1::wallet::{Signer, Wallet};
use soru_pvm::{FastConfig, FastEngine};
use soru_tezos::contract::Contract;
use soru_tezos::header::MonitoredHead;
use soru_tezos::rollup::PvmKind;
use soru_tezos::scalar::Level;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// A node ready to follow and to serve.
pub(super) struct Started {
    pub node: Arc<Node>,
    pub heads: HeadStream,
    /// The same heads for what goes on beside the processing of blocks.
    pub own_heads: HeadStream,
    pub signers: Vec<Arc<dyn Signer>>,
    pub listener: TcpListener,
    pub lock: DataDirLock,
}

pub(super) async fn start(given: NodeConfig) -> Result<Started, NodeError> {
    let NodeConfig { mut config, data_dir, endpoint, wallet } = given;
    check_supported(&config)?;
    tracing::info!("Starting the smart rollup node");
    // what can fail here and now does so before layer 1 is waited for
    let lock = DataDirLock::acquire(&data_dir)?;
    let followed = followed(&data_dir, &config)?;
    let (listener, address) = bind(&config).await?;
    if let Err(error) = lock.announce(address) {
        tracing::warn!("cannot tell other programs where this node listens: {error}");
    }
    let signers = signers(&config, &wallet).await?;
    let engine = FastEngine::new(FastConfig::default()).map_err(|e| NodeError::Engine(e.to_string()))?;
    let engine = engine.with_modules(Arc::new(ModuleDirectory::new(&data_dir)));
    let limits = Limits { answer: Duration::from_secs_f64(config.l1_rpc_timeout), ..Limits::default() };
    let layer1 = RpcClient::with_limits(&endpoint, limits)?;

    let mut heads = HeadStream::new(layer1.clone(), Duration::from_secs_f64(config.reconnection_delay));
    let rollup = &config.smart_rollup_address.clone();
    let (head, kind) = first_head(&mut heads, &layer1, &config, followed).await?;
    let at = head.hash;
    if kind != PvmKind::Wasm200 {
        return Err(PipelineError::Kind(kind).into());
    }
    let genesis = patient(&config, || layer1.genesis_info(at, rollup)).await?;
    let cemented = patient(&config, || layer1.last_cemented(at, rollup)).await?;
    let constants: crate::pipeline::NodeConstants = patient(&config, || layer1.constants(at)).await?;
    let operating = config.operators.key(Purpose::Operating);
    let published = match &operating {
        Some(key) => patient(&config, || layer1.staked_on(at, rollup, key)).await?,
        None => None,
    };
    tracing::info!("The rollup node follows {rollup}, a rollup of kind {kind}");

    let store = Store::open(&data_dir, *rollup, genesis, config.history_mode)?;
    config.history_mode = Some(store.metadata().history_mode);
    let batch = store.begin(Flush::Now)?;
    batch.set_cemented(&cemented.hash, cemented.level)?;
    if let Some(published) = &published {
        batch.set_published(&published.hash, published.commitment.inbox_level)?;
    }
    batch.commit()?;

    if let Some(key) = &operating {
        let whitelist = patient(&config, || layer1.whitelist(at, rollup)).await?;
        if config.mode != Mode::Bailout && whitelist.is_some_and(|listed| !listed.contains(key)) {
            return Err(NodeError::NotInWhitelist(key.to_string()));
        }
        if config.mode == Mode::Bailout {
            if !patient(&config, || layer1.stakers(at, rollup)).await?.contains(key) {
                return Err(NodeError::NoStake(key.to_string()));
            }
        } else if published.is_none() {
            let account = &Contract::from(*key);
            let balance = patient(&config, || layer1.balance(at, account)).await?;
            let stake = constants.rollup.stake_amount;
            if balance <= stake {
                return Err(NodeError::OperatorBalance { operator: key.to_string(), balance, stake });
            }
        }
    }
    if constants.dal.feature_enable && config.dal_node_endpoint.is_none() {
        tracing::warn!("[Warning]: DAL is enabled in the protocol but no DAL node was provided for the rollup node");
    }

    let queues = Queues::open(&config, &store)?;
    let batcher = Batcher::open(&config, &store, &queues)?;
    let preimages = Preimages::new(&data_dir, config.pre_images_endpoint.clone());
    let info = RollupInfo {
        address: *rollup,
        genesis,
        boot_sector_file: config.boot_sector_file.clone(),
        operating,
        bail_on_disagree: config.bail_on_disagree,
        loser_mode: config.loser_mode.clone(),
    };
    let engine = Arc::new(engine);
    let pipeline = Pipeline::new(store.clone(), info, Arc::clone(&engine), preimages.clone());
    let connection = heads.state();
    let queues = (queues, batcher);
    let node = Node::new(
        config, data_dir, store, layer1, engine, preimages, address, queues, pipeline, constants, connection, head,
    );
    let own_heads = HeadStream::new(node.layer1.clone(), Duration::from_secs_f64(node.config.reconnection_delay));
    Ok(Started { node: Arc::new(node), heads, own_heads, signers, listener, lock })
}

/// Refuses what would otherwise be silently ignored.
fn check_supported(config: &Config) -> Result<(), ConfigError> {
    config.check()?;
    config.fee_parameters.iter().try_for_each(|(kind, fees)| fees.check(*kind))?;
    let unsupported = |what| Err(ConfigError::Unsupported(what));
    if config.dal_node_endpoint.is_some() {
        return unsupported("a DAL node endpoint");
    }
    Ok(())
}

async fn bind(config: &Config) -> Result<(TcpListener, SocketAddr), NodeError> {
    let host = config.rpc_addr.trim_matches(['[', ']']);
    let failed = |e: std::io::Error| NodeError::Bind {
        address: format!("{}:{}", config.rpc_addr, config.rpc_port),
        reason: e.to_string(),
    };
    let listener = TcpListener::bind((host, config.rpc_port)).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// The level to which a node has followed this rollup in a data directory.
fn followed(data_dir: &Path, config: &Config) -> Result<Option<Level>, StoreError> {
    let Some(existing) = Existing::open(data_dir)? else { return Ok(None) };
    let (stored, wanted) = (existing.metadata.rollup_address, config.smart_rollup_address);
    if stored != wanted {
        return Err(StoreError::OtherRollup { stored, wanted });
    }
    Ok(existing.head)
}

/// The operators' keys, each once.
async fn signers(config: &Config, wallet: &Wallet) -> Result<Vec<Arc<dyn Signer>>, NodeError> {
    let mut signers = Vec::new();
    for key in config.operators.by_key().into_keys() {
        let key = key.to_string();
        signers.push(wallet.signer(&key).await.map_err(|reason| NodeError::Operator { key, reason })?);
    }
    Ok(signers)
}

/// The first head at which layer 1 knows the rollup, and what kind it is of. A layer 1 that is still behind comes to it in
/// time: one that says so itself, or that is not yet where it was when this node followed the rollup there, at `followed`.
async fn first_head(
    heads: &mut HeadStream,
    layer1: &RpcClient,
    config: &Config,
    followed: Option<Level>,
) -> Result<(MonitoredHead, PvmKind), NodeError> {
    let rollup = &config.smart_rollup_address;
    let mut told = false;
    loop {
        let head = heads.next().await;
        let unknown = match patient(config, || layer1.rollup_kind(head.hash, rollup)).await {
            Ok(kind) => return Ok((head, kind)),
            Err(e) if e.is_not_found() || e.has("smart_rollup_does_not_exist") => e,
            Err(e) => return Err(e.into()),
        };
        let at = head.shell.level;
        if followed.is_some_and(|followed| at >= followed) {
            return Err(NodeError::OtherChain(format!(
                "the layer 1 at {} is not the one that this data directory follows: there is no rollup {rollup} at its head, of level {at}. \
                 Choose another endpoint, or another data directory for another chain",
                layer1.endpoint()
            )));
        }
        if followed.is_none() && patient(config, || layer1.is_bootstrapped()).await?.bootstrapped {
            return Err(unknown.into());
        }
        if !told {
            let since =
                followed.map(|level| format!(" (this node has followed it to level {level})")).unwrap_or_default();
            tracing::info!("Layer 1 is at level {at}, where there is no {rollup} yet{since}: waiting");
            told = true;
        }
    }
}

/// Asks until layer 1 can be reached; an answer that is an error is final.
async fn patient<T, F>(config: &Config, ask: impl Fn() -> F) -> Result<T, RpcError>
where
    F: Future<Output = Result<T, RpcError>>,
{
    loop {
        match ask().await {
            Err(e) if e.is_connection() => {
                tracing::warn!("{e}. Trying again in {} s", config.reconnection_delay);
                tokio::time::sleep(Duration::from_secs_f64(config.reconnection_delay)).await;
            }
            answer => return answer,
        }
    }
}
