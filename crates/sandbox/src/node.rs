//! The running layer 1: the chain, its mempool, and who waits for news of them. Reading takes the current [`View`];
//! one block is made at a time, and appears to everybody at once when it is on disk.

use crate::block::{self, Baker, ChainStart};
use crate::error::SandboxError;
use crate::ledger::{BlockGas, Ledger, Signed, errors, validate};
use crate::make::{self, MadeBlock};
use crate::mempool::{Class, Mempool, Pending};
use crate::nesting::is_shallow;
use crate::store::Store;
use crate::view::View;
use serde_json::Value;
use soru_tezos::block::Block;
use soru_tezos::hash::{BlockHash, ChainId, OperationHash};
use soru_tezos::operation::Operation;
use soru_tezos::rpc_error::{ErrorKind, TezosError, Trace};
use soru_tezos::scalar::Timestamp;
use std::collections::HashSet;
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
    making: Mutex<()>,
    head: watch::Sender<u32>,
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
            Some(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| SandboxError::Record(format!("chain start: {error}")))?
            }
            None => {
                let start = new_chain()?;
                write_start(&store, &start)?;
                start
            }
        };
        let view = load(&store, &start, &baker)?;
        let (head, _) = watch::channel(block::number(&view.head()));
        let node = Node {
            start,
            baker,
            store,
            view: RwLock::new(view),
            mempool: Mutex::default(),
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

    /// The level of the head, and a sign whenever it changes.
    pub fn heads(&self) -> watch::Receiver<u32> {
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
        let view = self.view();
        let ledger = view.head_ledger()?;
        let waiting: Vec<Arc<Pending>> = self.mempool().waiting().cloned().collect();
        let MadeBlock { block, ledger } = make::next_block(&view.head(), &ledger, &waiting, &self.baker, now())?;
        let level = block::number(&block);
        self.store.append(level, &block.hash, block::encode_record(&block)?)?;
        let block = Arc::new(block);
        let ledger = Arc::new(ledger);
        let view = view.extended(block.clone(), ledger.clone());
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = view.clone();
        self.refresh_mempool(&view, &block, &ledger);
        self.head.send_replace(level);
        drop(making);
        Ok(block)
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

    /// Takes signed bytes into the mempool (`/injection/operation`).
    ///
    /// # Errors
    /// The trace the reference answers: `async_injection_failed` over a sentence.
    pub fn inject(&self, bytes: &[u8]) -> Result<OperationHash, Trace> {
        let hash = OperationHash::of_bytes(bytes);
        let refuse = |message: String| {
            vec![TezosError::new(ErrorKind::Permanent, "async_injection_failed"), TezosError::failure(message)]
        };
        let decoded = Operation::from_signed_bytes(bytes).ok().filter(|(op, _)| !op.contents.is_empty());
        let Some((operation, signed)) = decoded else {
            let shape = if bytes.len() < BlockHash::SIZE { "Can't parse the operation" } else { "" };
            return Err(refuse(if shape.is_empty() {
                format!("Invalid operation {hash}: \nError:\n  Operation parsing error in prevalidation.\n")
            } else {
                shape.to_owned()
            }));
        };
        if bytes.len() > make::MAX_OPERATION_BYTES {
            return Err(refuse(format!(
                "Operation {hash} is too large: {} bytes, at most {} are accepted",
                bytes.len(),
                make::MAX_OPERATION_BYTES
            )));
        }
        let pending = Arc::new(Pending { hash, operation, size: bytes.len() });
        // what is in a block must be readable again
        if !serde_json::to_vec(&pending.to_json()).is_ok_and(|json| is_shallow(&json)) {
            return Err(refuse(format!("Operation {hash} holds an expression that nests too deep for this node")));
        }
        // the head must not change between the check and the addition
        let mut mempool = locked(&self.mempool);
        let view = self.view();
        let head = view.head();
        let branch = pending.operation.branch;
        let server_error = |error: SandboxError| refuse(error.to_string());
        match view.level_of(&branch).map_err(server_error)? {
            None => {
                let short: String = branch.to_base58().chars().take(12).collect();
                return Err(refuse(format!("Unknown branch ({short}), cannot inject the operation.")));
            }
            Some(level) => {
                let age = block::number(&head).saturating_sub(level);
                if age > view.time_to_live() {
                    return Err(refuse(format!(
                        "Operation {hash} is branched on either:\n - a block {branch} which is too old ({age} blocks in the past)\n - a predecessor block from an alternative branch which is now too old\n"
                    )));
                }
            }
        }
        let ledger = view.head_ledger().map_err(server_error)?;
        let signed = Signed::Bytes(bytes.get(..signed).unwrap_or(bytes));
        let checked = validate(&ledger, ledger.level.after(1), &pending.operation, signed, BlockGas::Whole);
        let sentences = |trace: &Trace| {
            let text: Vec<String> = trace.iter().map(errors::sentence).collect();
            format!("Error while validating injected operation {hash}:\nError:\n  {}\n", text.join("\n  "))
        };
        if let Err(trace) = checked {
            let refusal = refuse(sentences(&trace));
            mempool.remember(Class::of(&trace), pending, trace);
            return Err(refusal);
        }
        if let Some(existing) = pending.source().and_then(|source| mempool.of_source(&source)) {
            if existing.hash == hash {
                return Ok(hash);
            }
            if !outbids(&pending, existing) {
                let trace = errors::manager_restriction(&pending, existing);
                let refusal = refuse(sentences(&trace));
                mempool.remember(Class::BranchDelayed, pending, trace);
                return Err(refusal);
            }
        }
        if !mempool.has_room(bytes.len()) {
            return Err(refuse("The mempool is full; try again after the next block.".to_owned()));
        }
        mempool.add(pending.clone());
        drop(mempool);
        let _ = self.arrivals.send(serde_json::to_value(pending.to_json()).unwrap_or_default());
        self.arrived.notify_one();
        Ok(hash)
    }
}

/// Whether an operation pays so much more than one of the same account that it takes its place: 5 % in fees and in
/// fees per gas, as the reference's mempool asks (`replace_by_fee_factor` 21/20).
fn outbids(new: &Pending, old: &Pending) -> bool {
    let totals = |pending: &Pending| {
        pending.operation.contents.iter().fold((0u128, 0u128), |(fee, gas), content| {
            (fee + u128::from(content.fee.0), gas + u128::from(content.gas_limit.0))
        })
    };
    let ((new_fee, new_gas), (old_fee, old_gas)) = (totals(new), totals(old));
    new_fee * 20 >= old_fee * 21 && new_fee * old_gas * 20 >= old_fee * new_gas * 21 && new_fee > old_fee
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
    view = view.extended(Arc::new(read(1)?), ledger);
    let last = store.last_level()?.unwrap_or(1);
    for level in 2..=last {
        let block = read(level)?;
        let ledger = view.head_ledger()?;
        let computed = ledger.context_hash();
        if block.header.shell.context != computed {
            return Err(SandboxError::Diverged {
                level: level - 1,
                computed: computed.to_string(),
                recorded: block.header.shell.context.to_string(),
            });
        }
        let ledger = make::reapply(&ledger, &view.head(), &block)?;
        view = view.extended(Arc::new(block), Arc::new(ledger));
    }
    Ok(view)
}
