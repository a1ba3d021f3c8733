//! From what to do to signed bytes: simulate, set limits and fees, check caps, sign, inject (`spec/node.md` §10.5).

use super::limits::{self, FeeParameters};
use crate::rpc::{BlockId, RpcClient, RpcError};
use crate::wallet::{Signer, SignerError};
use serde::Deserialize;
use soru_tezos::hash::{BlockHash, OperationHash};
use soru_tezos::key::{PublicKeyHash, Scheme, Signature};
use soru_tezos::operation::{ManagerBody, ManagerOperation, Operation, Reveal};
use soru_tezos::receipt::{ManagerReceipt, OperationResult, SimulationResult};
use soru_tezos::rpc_error::Trace;
use soru_tezos::scalar::{Milligas, Mutez, Nat};
use soru_tezos::sign::Watermark;

/// Constants of the protocol that bound limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct LimitConstants {
    /// Most gas of one operation.
    pub hard_gas_limit_per_operation: Nat,
    /// Most gas of a block.
    pub hard_gas_limit_per_block: Nat,
    /// Most bytes of storage one operation may add.
    pub hard_storage_limit_per_operation: Nat,
    /// Price of a byte of storage.
    pub cost_per_byte: Mutez,
    /// Bytes an allocated account counts.
    pub origination_size: u64,
}

/// One operation to send, with what the sender fixes.
#[derive(Debug, Clone)]
pub struct Item {
    /// What to do.
    pub body: ManagerBody,
    /// A fixed fee.
    pub fee: Option<Mutez>,
    /// A fixed gas limit.
    pub gas_limit: Option<Nat>,
    /// A fixed storage limit.
    pub storage_limit: Option<Nat>,
    /// Gas to add to what the simulation used, in place of the usual.
    pub safety_gas: Option<u64>,
}

impl<B: Into<ManagerBody>> From<B> for Item {
    fn from(body: B) -> Self {
        Item { body: body.into(), fee: None, gas_limit: None, storage_limit: None, safety_gas: None }
    }
}

/// How a batch is prepared.
#[derive(Debug, Clone, Copy)]
pub struct BatchOptions {
    /// Fees and caps.
    pub fees: FeeParameters,
    /// A fixed counter of the first operation.
    pub counter: Option<Nat>,
    /// The block whose state the simulation starts from.
    pub at: BlockId,
    /// The block the operation builds on.
    pub branch: BlockId,
    /// Whether failing operations are left out of the batch (the node), or fail the whole (a client).
    pub force: bool,
}

impl BatchOptions {
    /// What a client does: the branch is two blocks back, where it is final.
    pub fn client(fees: FeeParameters) -> Self {
        BatchOptions { fees, counter: None, at: BlockId::HEAD, branch: BlockId::Head(2), force: false }
    }

    /// What a node does after a head: everything at that block.
    pub fn node(fees: FeeParameters, head: BlockHash) -> Self {
        BatchOptions { fees, counter: None, at: head.into(), branch: head.into(), force: true }
    }
}

/// What a simulation found for one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Gas used; nothing when the gas limit was fixed.
    pub gas: Option<Milligas>,
    /// Gas added for safety.
    pub safety_gas: u64,
    /// Bytes of storage added; nothing when the storage limit was fixed.
    pub storage: Option<u64>,
}

/// A batch with its limits and fees, ready to be signed.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The operation, unsigned.
    pub operation: Operation,
    /// Whether its first content is a reveal that was added.
    pub reveal_added: bool,
    /// What was estimated, content by content.
    pub estimates: Vec<Estimate>,
    /// The receipts of the simulation that gave the limits.
    pub simulation: SimulationResult,
    /// What the batch burns.
    pub burn: Mutez,
}

/// Why a batch was not sent.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// A request failed.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The key did not sign.
    #[error(transparent)]
    Sign(#[from] SignerError),
    /// Nothing to send.
    #[error("the batch is empty")]
    Empty,
    /// The simulation failed.
    #[error("the simulation failed: {}", first_error(trace))]
    Simulation {
        /// The batch that was simulated.
        operation: Box<Operation>,
        /// Its receipts.
        result: Box<SimulationResult>,
        /// Errors of the first operation that failed.
        trace: Trace,
    },
    /// A fee is higher than the sender allows.
    #[error(
        "The proposed fee (ꜩ{fee}) are higher than the configured fee cap (ꜩ{cap}).\n Use `--fee-cap {fee}` to emit this operation anyway.",
        fee = fee.to_tez(), cap = cap.to_tez()
    )]
    FeeCap {
        /// The fee.
        fee: Mutez,
        /// What is allowed.
        cap: Mutez,
    },
    /// A fixed fee is lower than what the node wants.
    #[error(
        "The proposed fee (ꜩ{fee}) are lower than the fee that the node expects (ꜩ{wanted}).\n Use `--fee {wanted}` to pay it, or `--force-low-fee` to emit this operation anyway.",
        fee = fee.to_tez(), wanted = wanted.to_tez()
    )]
    FeeTooLow {
        /// The fee.
        fee: Mutez,
        /// What is wanted.
        wanted: Mutez,
    },
    /// The batch burns more than the sender allows.
    #[error(
        "The operation will burn ꜩ{burn} which is higher than the configured burn cap (ꜩ{cap}).\n Use `--burn-cap {burn}` to emit this operation.",
        burn = burn.to_tez(), cap = cap.to_tez()
    )]
    BurnCap {
        /// What it burns.
        burn: Mutez,
        /// What is allowed.
        cap: Mutez,
        /// The batch that was simulated.
        operation: Box<Operation>,
        /// Its receipts.
        result: Box<SimulationResult>,
    },
    /// The node answered with other receipts than were asked for.
    #[error("the node simulated {answered} operations of {sent}")]
    Mismatch {
        /// Operations sent.
        sent: usize,
        /// Receipts that came back.
        answered: usize,
    },
}

fn first_error(trace: &Trace) -> String {
    trace.last().map_or_else(|| "no error is given".to_owned(), ToString::to_string)
}

/// A source with its counter, and the reveal of its key if the chain does not know it yet.
struct Source {
    address: PublicKeyHash,
    counter: u64,
    reveal: Option<Reveal>,
}

async fn source(client: &RpcClient, signer: &dyn Signer, options: &BatchOptions) -> Result<Source, BatchError> {
    let address = signer.address();
    let counter = match options.counter {
        Some(Nat(first)) => first,
        None => client.counter(options.at, &address).await?.0.saturating_add(1),
    };
    let reveal = match client.manager_key(options.at, &address).await? {
        Some(_) => None,
        None => {
            let proof = signer.proof_of_possession().await?;
            Some(Reveal { public_key: signer.public_key().clone(), proof })
        }
    };
    Ok(Source { address, counter, reveal })
}

/// Simulates a batch and sets the limits and fees that are not fixed. A reveal is put first when the chain does not know
/// the key of the source.
///
/// # Errors
/// When a request or the simulation fails, or a cap is exceeded.
pub async fn prepare_batch(
    client: &RpcClient,
    signer: &dyn Signer,
    items: &[Item],
    options: &BatchOptions,
) -> Result<Prepared, BatchError> {
    if items.is_empty() {
        return Err(BatchError::Empty);
    }
    let constants: LimitConstants = client.constants(options.at).await?;
    let mut source = source(client, signer, options).await?;
    // who sends the reveal does not want another
    source.reveal.take_if(|_| matches!(items.first(), Some(Item { body: ManagerBody::Reveal(_), .. })));
    let branch = client.block_hash(options.branch).await?;
    let reveal_added = source.reveal.is_some();
    let items: Vec<Item> = source.reveal.clone().map(Item::from).into_iter().chain(items.iter().cloned()).collect();

    let operation = with_maximal_limits(&items, &source, branch, &constants);
    let chain_id = client.chain_id().await?;
    let simulation = client.simulate(options.at, &chain_id, &operation, true).await?;
    let receipts: Vec<&ManagerReceipt> = simulation.managers().collect();
    if receipts.len() != items.len() {
        return Err(BatchError::Mismatch { sent: items.len(), answered: receipts.len() });
    }
    if !options.force
        && let Some(trace) = failure(&receipts)
    {
        return Err(BatchError::Simulation { operation: Box::new(operation), result: Box::new(simulation), trace });
    }
    let storage: u64 = receipts.iter().map(|receipt| limits::burned_storage(receipt, constants.origination_size)).sum();
    let burn = Mutez(storage.saturating_mul(constants.cost_per_byte.0).min(Mutez::MAX.0));
    if burn > options.fees.burn_cap {
        let cap = options.fees.burn_cap;
        return Err(BatchError::BurnCap { burn, cap, operation: Box::new(operation), result: Box::new(simulation) });
    }
    let scheme = signer.public_key().scheme();
    let mut contents = operation.contents;
    let mut estimates = Vec::with_capacity(items.len());
    for (index, ((item, content), receipt)) in items.iter().zip(&mut contents).zip(&receipts).enumerate() {
        estimates.push(set_limits(content, item, receipt, &constants));
        match item.fee {
            Some(fee) => content.fee = fee,
            None => limits::set_minimal_fee(content, &options.fees, index == 0, scheme),
        }
        check_fee(content, item, index == 0, &options.fees, scheme)?;
    }
    let operation = Operation::unsigned(branch, contents);
    Ok(Prepared { operation, reveal_added, estimates, simulation, burn })
}

/// The batch as it is first simulated: the most that may be, where nothing is fixed.
fn with_maximal_limits(items: &[Item], source: &Source, branch: BlockHash, constants: &LimitConstants) -> Operation {
    let fixed: u64 = items.iter().filter_map(|item| item.gas_limit).map(|gas| gas.0).sum();
    let open = items.iter().filter(|item| item.gas_limit.is_none()).count() as u64;
    let share = constants.hard_gas_limit_per_block.0.saturating_sub(fixed).checked_div(open).unwrap_or(0);
    let gas = Nat(share.min(constants.hard_gas_limit_per_operation.0));
    let contents = items.iter().enumerate().map(|(index, item)| ManagerOperation {
        source: source.address,
        fee: item.fee.unwrap_or(Mutez(0)),
        counter: Nat(source.counter.saturating_add(index as u64)),
        gas_limit: item.gas_limit.unwrap_or(gas),
        storage_limit: item.storage_limit.unwrap_or(constants.hard_storage_limit_per_operation),
        body: item.body.clone(),
    });
    Operation::unsigned(branch, contents.collect())
}

/// Errors of the first operation that was not applied.
fn failure(receipts: &[&ManagerReceipt]) -> Option<Trace> {
    let results = || receipts.iter().filter_map(|receipt| receipt.metadata.as_ref());
    let failed = |result: &OperationResult| (!result.errors().is_empty()).then(|| result.errors().to_vec());
    let outer = results().find_map(|metadata| failed(&metadata.operation_result));
    let inner = || {
        let internal = results().flat_map(|metadata| &metadata.internal_operation_results);
        internal.map(|receipt| &receipt.result).find_map(failed)
    };
    outer.or_else(inner).or_else(|| {
        let applied = |receipt: &ManagerReceipt| {
            receipt.metadata.as_ref().is_some_and(|metadata| metadata.operation_result.applied().is_some())
        };
        (!receipts.iter().all(|receipt| applied(receipt))).then(Trace::new)
    })
}

fn set_limits(
    content: &mut ManagerOperation,
    item: &Item,
    receipt: &ManagerReceipt,
    constants: &LimitConstants,
) -> Estimate {
    let gas = limits::consumed_gas(receipt);
    let storage = limits::burned_storage(receipt, constants.origination_size);
    let safety_gas = item.safety_gas.unwrap_or_else(|| limits::safety_gas(&item.body));
    if item.gas_limit.is_none() {
        let limit = if gas.0 == 0 { 0 } else { gas.ceil_gas().saturating_add(safety_gas) };
        content.gas_limit = Nat(limit.min(constants.hard_gas_limit_per_operation.0));
    }
    if item.storage_limit.is_none() {
        let limit = if storage == 0 { 0 } else { storage.saturating_add(limits::SAFETY_STORAGE) };
        content.storage_limit = Nat(limit.min(constants.hard_storage_limit_per_operation.0));
    }
    Estimate {
        gas: item.gas_limit.is_none().then_some(gas),
        safety_gas,
        storage: item.storage_limit.is_none().then_some(storage),
    }
}

fn check_fee(
    content: &ManagerOperation,
    item: &Item,
    first: bool,
    fees: &FeeParameters,
    scheme: Scheme,
) -> Result<(), BatchError> {
    if content.fee > fees.fee_cap {
        return Err(BatchError::FeeCap { fee: content.fee, cap: fees.fee_cap });
    }
    let wanted = limits::minimal_fee(fees, limits::size(content, first, scheme), content.gas_limit);
    if item.fee.is_some() && content.fee < wanted && !fees.force_low_fee {
        return Err(BatchError::FeeTooLow { fee: content.fee, wanted });
    }
    Ok(())
}

/// Signs an operation in place.
///
/// # Errors
/// When the key does not sign.
pub async fn sign(signer: &dyn Signer, operation: &mut Operation) -> Result<(), SignerError> {
    operation.signature = Some(signer.sign(Watermark::Operation, &operation.unsigned_bytes()).await?);
    Ok(())
}

/// A batch that was signed, and what the node says of it.
#[derive(Debug, Clone)]
pub struct Signed {
    /// The signed operation.
    pub operation: Operation,
    /// Its hash.
    pub hash: OperationHash,
    /// Receipts of a last simulation with signature and final limits.
    pub result: SimulationResult,
}

/// Signs a prepared batch and lets the node apply it on trial, signature included.
///
/// # Errors
/// When the key does not sign, the request fails, or an operation fails on trial.
pub async fn sign_and_check(
    client: &RpcClient,
    signer: &dyn Signer,
    prepared: Prepared,
    options: &BatchOptions,
) -> Result<Signed, BatchError> {
    let mut operation = prepared.operation;
    sign(signer, &mut operation).await?;
    let protocol = client.protocols(options.at).await?.next_protocol;
    let result = client.preapply(options.at, &protocol, &operation).await?;
    tried(operation, result, options.force)
}

/// An operation with the outcome of its trial, which must be good unless `force`.
fn tried(operation: Operation, result: SimulationResult, force: bool) -> Result<Signed, BatchError> {
    match failure(&result.managers().collect::<Vec<_>>()) {
        Some(trace) if !force => {
            Err(BatchError::Simulation { operation: Box::new(operation), result: Box::new(result), trace })
        }
        _ => Ok(Signed { hash: operation.hash(), operation, result }),
    }
}

/// Lets the node apply a prepared batch on trial, unsigned: the signature is made of zeros.
///
/// # Errors
/// When the request fails, or an operation fails on trial.
pub async fn simulate(
    client: &RpcClient,
    signer: &dyn Signer,
    prepared: Prepared,
    options: &BatchOptions,
) -> Result<Signed, BatchError> {
    let mut operation = prepared.operation;
    let chain_id = client.chain_id().await?;
    let result = client.simulate(options.at, &chain_id, &operation, true).await?;
    operation.signature = Some(match signer.public_key().scheme() {
        Scheme::Bls => Signature::Bls([0; 96]),
        _ => Signature::ZERO,
    });
    tried(operation, result, options.force)
}

/// Gives a signed operation to the node.
///
/// # Errors
/// When the node refuses it.
pub async fn inject(client: &RpcClient, operation: &Operation) -> Result<OperationHash, RpcError> {
    use soru_tezos::codec::Encode;
    client.inject(&operation.to_bytes()).await
}
