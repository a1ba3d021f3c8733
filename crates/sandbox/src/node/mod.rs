//! The running layer 1: the chain, its mempool, and who waits for news of them. Reading takes the current [`View`];
//! one block is made at a time, and appears to everybody at once when it is on disk.

mod control;
mod inject;

pub use control::ControlError;

use crate::block::{self, Baker, ChainStart};
use crate::controls::Controls;
use crate::error::SandboxError;
use crate::ledger::{BlockGas, Change, Ledger, Signed, validate};
use crate::make::{self, MadeBlock, Recipe};
use crate::mempool::{Class, Mempool, Pending};
use crate::store::{Record, Store};
use crate::view::View;
use serde::de::DeserializeOwned;
use serde_json::Value;
use soru_tezos::block::Block;
use soru_tezos::hash::{BlockHash, ChainId, OperationHash};
use soru_tezos::rpc_error::TezosError;
use soru_tezos::scalar::Timestamp;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::{Notify, broadcast, watch};
use tokio_util::sync::CancellationToken;

/// News that a slow listener may fall behind by.
const ARRIVALS: usize = 1_024;

/// The layer 1 of one data directory.
pub struct Node {
    start: ChainStart,
    baker: Baker,
    store: Arc<Store>,
    view: RwLock<View>,
    mempool: Mutex<Mempool>,
    controls: Mutex<Controls>,
    making: Mutex<()>,
    /// A number that grows whenever the head changes.
    head: watch::Sender<u64>,
    arrivals: broadcast::Sender<Value>,
    arrived: Notify,
    stop: CancellationToken,
    failure: Mutex<Option<String>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // everything behind these locks is replaced whole, so a panicking holder leaves no half-done state
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The time, in seconds.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

impl Node {
    /// Opens the chain in a store, or starts one there as `new_chain` says. The ledger is computed again from the blocks.
    ///
    /// # Errors
    /// When the chain data cannot be read, or leads elsewhere than it did.
    pub fn open(
        store: Store,
        stop: CancellationToken,
        new_chain: impl FnOnce() -> Result<ChainStart, SandboxError>,
    ) -> Result<Node, SandboxError> {
        let store = Arc::new(store);
        let baker = Baker::well_known()?;
        let start = match store.chain_start()? {
            Some(bytes) => read_json(&bytes, "chain start")?,
            None => {
                let start = new_chain()?;
                write_start(&store, &start)?;
                start
            }
        };
        let view = load(&store, &start, &baker)?;
        let controls = read_controls(&store)?;
        let (head, _) = watch::channel(0);
        let node = Node {
            start,
            baker,
            store,
            view: RwLock::new(view),
            mempool: Mutex::default(),
            controls: Mutex::new(controls),
            making: Mutex::new(()),
            head,
            arrivals: broadcast::channel(ARRIVALS).0,
            arrived: Notify::new(),
            stop,
            failure: Mutex::default(),
        };
        // block 1 is served with the shapes of the genesis protocol; clients expect a head of the real one
        while block::number(&node.view().head()) < 2 {
            node.bake()?;
        }
        Ok(node)
    }

    /// What the chain began with.
    pub fn start(&self) -> &ChainStart {
        &self.start
    }

    /// Who makes the blocks.
    pub fn baker(&self) -> &Baker {
        &self.baker
    }

    /// The id of the chain.
    pub fn chain_id(&self) -> ChainId {
        ChainId::of_genesis(&block::GENESIS_HASH)
    }

    /// The chain as it is now.
    pub fn view(&self) -> View {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The mempool as it is now.
    pub fn mempool(&self) -> Mempool {
        locked(&self.mempool).clone()
    }

    /// A sign whenever the head changes.
    pub fn heads(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Operations taken into the mempool, from now on.
    pub fn arrivals(&self) -> broadcast::Receiver<Value> {
        self.arrivals.subscribe()
    }

    /// Returns when an operation has been taken in since this was last called.
    pub async fn operation_arrived(&self) {
        self.arrived.notified().await;
    }

    /// The token that tells when everything has to stop.
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Stops everything because of an error.
    pub fn fail(&self, error: &SandboxError) {
        locked(&self.failure).get_or_insert_with(|| error.to_string());
        self.stop.cancel();
    }

    /// The error that stopped everything, if one did.
    pub fn failure(&self) -> Option<String> {
        locked(&self.failure).clone()
    }

    /// Makes one block of what the mempool holds.
    ///
    /// # Errors
    /// When it cannot be signed or written; the chain is then as before.
    pub fn bake(&self) -> Result<Arc<Block>, SandboxError> {
        let making = locked(&self.making);
        let made = self.make_block(&self.view(), Vec::new());
        drop(making);
        made
    }

    /// Makes one block that begins with changes, on a chain that nobody else changes meanwhile.
    fn make_block(&self, view: &View, changes: Vec<Change>) -> Result<Arc<Block>, SandboxError> {
        let waiting: Vec<Arc<Pending>> = self.mempool().waiting().cloned().collect();
        let (now, fork) = (self.time(), locked(&self.controls).forks);
        let (block, view) = self.next(view, &waiting, changes, now, fork)?;
        let record = record_of(&view, &block)?;
        self.store.replace(None, None, [record])?;
        self.show(&view)?;
        Ok(block)
    }

    /// The block after the head of a chain, and the chain with it. Nothing is written.
    fn next(
        &self,
        view: &View,
        waiting: &[Arc<Pending>],
        changes: Vec<Change>,
        now: Timestamp,
        fork: u64,
    ) -> Result<(Arc<Block>, View), SandboxError> {
        let (predecessor, ledger) = (view.head(), view.head_ledger()?);
        let recipe = Recipe { predecessor: &predecessor, ledger: &ledger, waiting, changes: &changes, now, fork };
        let MadeBlock { block, ledger } = make::next_block(&recipe, &self.baker)?;
        let block = Arc::new(block);
        let view = view.extended(block.clone(), changes, Arc::new(ledger));
        Ok((block, view))
    }

    /// Lets everybody see a chain that is on disk.
    fn show(&self, view: &View) -> Result<(), SandboxError> {
        let ledger = view.head_ledger()?;
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view.clone();
        self.refresh_mempool(view, &view.head(), &ledger);
        self.head.send_modify(|changes| *changes += 1);
        Ok(())
    }

    /// Forgets what the new head includes and what it made impossible.
    fn refresh_mempool(&self, view: &View, head: &Block, ledger: &Ledger) {
        let mut mempool = locked(&self.mempool);
        if mempool.is_empty() {
            return;
        }
        let included: HashSet<OperationHash> =
            head.operations.iter().flatten().map(|operation| operation.hash).collect();
        let live: HashSet<BlockHash> = view.live_blocks(block::number(head)).unwrap_or_default().into_iter().collect();
        mempool.retain(|pending| {
            if included.contains(&pending.hash) {
                return Err(None);
            }
            if !live.contains(&pending.operation.branch) {
                let text = format!("Operation {} is branched on a block which is too old", pending.hash);
                return Err(Some((Class::Outdated, vec![TezosError::failure(text)])));
            }
            validate(ledger, ledger.level.after(1), &pending.operation, Signed::Unchecked, BlockGas::Whole)
                .map(|_| ())
                .map_err(|trace| Some((Class::of(&trace), trace)))
        });
    }
}

fn read_json<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, SandboxError> {
    serde_json::from_slice(bytes).map_err(|error| SandboxError::Record(format!("{what}: {error}")))
}

fn read_controls(store: &Store) -> Result<Controls, SandboxError> {
    store.controls()?.map_or_else(|| Ok(Controls::default()), |bytes| read_json(&bytes, "controls"))
}

/// A block as it is written.
fn record_of<'a>(view: &View, block: &'a Block) -> Result<Record<'a>, SandboxError> {
    let level = block::number(block);
    let changes = match view.changes_at(level) {
        [] => None,
        made => Some(serde_json::to_vec(made).map_err(|error| SandboxError::Record(error.to_string()))?),
    };
    Ok(Record { level, hash: &block.hash, block: block::encode_record(block)?, changes })
}

fn write_start(store: &Store, start: &ChainStart) -> Result<(), SandboxError> {
    let bytes = serde_json::to_vec(start).map_err(|error| SandboxError::Record(error.to_string()))?;
    let (genesis, activation) = (start.genesis()?, start.activation()?);
    let records = [
        (0, &genesis.hash, block::encode_record(&genesis)?),
        (1, &activation.hash, block::encode_record(&activation)?),
    ];
    Ok(store.start(&bytes, records)?)
}

/// The chain of a store, its ledger computed from the beginning.
fn load(store: &Arc<Store>, start: &ChainStart, baker: &Baker) -> Result<View, SandboxError> {
    let read = |level: u32| -> Result<Block, SandboxError> {
        let bytes = store.block(level)?.ok_or(SandboxError::NoBlock { level })?;
        block::decode_record(&bytes)
    };
    let ledger = Arc::new(Ledger::new(start, baker.public_key()));
    let mut view = View::new(store.clone(), Arc::new(read(0)?), ledger.clone());
    view = view.extended(Arc::new(read(1)?), Vec::new(), ledger);
    let mut changes = BTreeMap::new();
    for (level, made) in store.changes()? {
        let made: Vec<Change> = read_json(&made, "changes of the state")?;
        changes.insert(level, made);
    }
    let last = store.last_level()?.unwrap_or(1);
    for level in 2..=last {
        let block = read(level)?;
        let ledger = view.head_ledger()?;
        let computed = ledger.context_hash();
        if level > start.imported + 1 && block.header.shell.context != computed {
            return Err(SandboxError::Diverged {
                level: level - 1,
                computed: computed.to_string(),
                recorded: block.header.shell.context.to_string(),
            });
        }
        let changes = changes.remove(&level).unwrap_or_default();
        let ledger = make::reapply(&ledger, &view.head(), &block, &changes)?;
        view = view.extended(Arc::new(block), changes, Arc::new(ledger));
    }
    Ok(view)
}
