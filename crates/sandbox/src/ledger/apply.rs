//! Applying blocks and batches: fees first, then each operation with the internal ones it emits, depth first; a failure
//! undoes everything but the fees (`spec/protocol.md` §2.4).

use super::content::{Emitted, Run};
use super::gas::{GasMeter, MANAGER_OPERATION, signature, sum, units};
use super::storage_fees;
use super::validate::{BlockGas, Signed, validate};
use super::{Change, ChangeError, Ledger, digest, errors};
use crate::block::GENESIS_HASH;
use soru_protocol::RollupError;
use soru_protocol::constants::MAX_MESSAGES_PER_LEVEL;
use soru_protocol::dal::after_unused_level;
use soru_protocol::inbox::{LevelInbox, LevelStart, next_inbox};
use soru_tezos::contract::Contract;
use soru_tezos::hash::{BlockHash, ChainId, OperationHash};
use soru_tezos::key::{PublicKeyHash, Scheme};
use soru_tezos::operation::{ManagerOperation, Operation};
use soru_tezos::receipt::{
    Applied, Balance, BalanceUpdate, InternalReceipt, ManagerMetadata, ManagerReceipt, OperationResult, Origin,
};
use soru_tezos::rpc_error::Trace;
use soru_tezos::scalar::{Level, Milligas, Mutez, Timestamp};

/// What the rules know about the block an operation is applied in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockContext {
    /// The chain.
    pub chain_id: ChainId,
    /// The level of the block.
    pub level: Level,
    /// Its time.
    pub timestamp: Timestamp,
    /// The block before.
    pub predecessor: BlockHash,
    /// Its time.
    pub predecessor_timestamp: Timestamp,
    /// Who makes the block and gets the fees.
    pub baker: PublicKeyHash,
}

impl BlockContext {
    /// For reading values of scripts, which sees nothing of the block.
    pub fn of_reader(ledger: &Ledger) -> BlockContext {
        BlockContext {
            chain_id: ChainId::of_genesis(&GENESIS_HASH),
            level: ledger.level,
            timestamp: Timestamp(0),
            predecessor: BlockHash::ZERO,
            predecessor_timestamp: Timestamp(0),
            baker: PublicKeyHash { scheme: Scheme::Ed25519, hash: [0; 20] },
        }
    }
}

/// What a block did besides its operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockOutcome {
    /// Fees given to the baker.
    pub balance_updates: Vec<BalanceUpdate>,
    /// Gas set aside for the operations.
    pub consumed_milligas: Milligas,
}

/// Numbers given out while operations are applied. They go back when an operation is undone.
#[derive(Debug, Clone)]
pub(super) struct Nonces {
    /// The operation whose hash names what it originates.
    pub operation: OperationHash,
    /// How many contracts and rollups it has originated.
    pub origination: i32,
    /// How many internal operations the block has seen.
    pub internal: u32,
    /// The id of the last temporary big map.
    pub temporary: i64,
}

impl Nonces {
    /// The number of the next contract or rollup the operation originates.
    pub fn next_origination(&mut self) -> i32 {
        let index = self.origination;
        self.origination = index.saturating_add(1);
        index
    }

    /// The number of the next internal operation.
    pub fn next_internal(&mut self) -> u16 {
        let nonce = self.internal;
        self.internal = nonce.saturating_add(1);
        u16::try_from(nonce).unwrap_or(u16::MAX)
    }
}

/// A block being applied.
pub struct Application {
    before: Ledger,
    ledger: Ledger,
    block: BlockContext,
    gas_left: Milligas,
    fees: Mutez,
    internal_nonce: u32,
    level_inbox: LevelInbox,
    origin: Origin,
    changes: Vec<BalanceUpdate>,
}

impl Application {
    /// Begins the block that follows `before`.
    pub fn begin(before: &Ledger, block: BlockContext) -> Application {
        let mut ledger = before.clone();
        ledger.level = block.level;
        let start = LevelStart {
            predecessor_timestamp: block.predecessor_timestamp,
            predecessor: block.predecessor,
            migration: ledger.is_first_of_protocol(block.level).then_some(ledger.protocol),
        };
        Application {
            before: before.clone(),
            gas_left: units(ledger.constants.hard_gas_limit_per_block),
            ledger,
            block,
            fees: Mutez(0),
            internal_nonce: 0,
            level_inbox: LevelInbox::start(&start),
            origin: Origin::Block,
            changes: Vec::new(),
        }
    }

    /// Makes a change that no operation makes. Changes come before the operations.
    ///
    /// # Errors
    /// When it cannot be made; nothing has changed then.
    pub fn change(&mut self, change: &Change) -> Result<(), ChangeError> {
        self.changes.extend(change.apply(&mut self.ledger)?);
        self.gas_left = units(self.ledger.constants.hard_gas_limit_per_block);
        Ok(())
    }

    /// The ledger as it is now.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Checks whether an operation may come next.
    ///
    /// # Errors
    /// The trace that refuses it.
    pub fn check(&self, operation: &Operation, signed: Signed<'_>) -> Result<(), Trace> {
        let checked = validate(&self.ledger, self.block.level, operation, signed, BlockGas::Left(self.gas_left));
        checked.map(|_| ()).map_err(|trace| self.named(trace))
    }

    /// A trace in the names of the protocol in force.
    fn named(&self, mut trace: Trace) -> Trace {
        errors::rename(&mut trace, self.ledger.protocol);
        trace
    }

    /// Checks whether who makes the block may take in an operation that [`Application::check`] finds good.
    ///
    /// # Errors
    /// The trace that leaves it out.
    pub fn check_in_block(&self, operation: &Operation) -> Result<(), Trace> {
        super::games::check_in_block(&self.ledger, operation)
    }

    /// Applies an operation that was checked, and tells what became of its contents.
    ///
    /// # Errors
    /// Only when the operation was not checked: its fees cannot be taken.
    pub fn apply(&mut self, operation: &Operation, hash: OperationHash) -> Result<Vec<ManagerReceipt>, Trace> {
        let mut ledger = self.ledger.clone();
        let mut gas_left = self.gas_left;
        let mut fees = self.fees;
        let mut fee_updates = Vec::new();
        let first_key = operation.contents.first().and_then(|content| content_scheme(&ledger, content));
        for content in &operation.contents {
            gas_left = Milligas(gas_left.0.saturating_sub(units(content.gas_limit).0));
            fees = fees.checked_add(content.fee).unwrap_or(Mutez::MAX);
            fee_updates.push(take_fee(&mut ledger, content, self.origin)?);
        }
        // from here on the operation counts, whatever becomes of it
        self.gas_left = gas_left;
        self.fees = fees;
        self.ledger = ledger.clone();
        let mut nonces = Nonces { operation: hash, origination: 0, internal: self.internal_nonce, temporary: 0 };
        let mut messages = Vec::new();
        let room_for_messages = (MAX_MESSAGES_PER_LEVEL as usize + 2).saturating_sub(self.level_inbox.payloads().len());
        let mut signature_cost = first_key.map(|scheme| signature(scheme, operation.unsigned_bytes().len() as u64));
        let mut results: Vec<(OperationResult, Vec<InternalReceipt>)> = Vec::new();
        let mut failed = false;
        for content in &operation.contents {
            if failed {
                results.push((OperationResult::Skipped, Vec::new()));
                continue;
            }
            let mut run = Run {
                ledger: &mut ledger,
                block: &self.block,
                gas: GasMeter::new(units(content.gas_limit)),
                payer: content.source,
                nonces: &mut nonces,
                origin: self.origin,
                messages: &mut messages,
                room_for_messages,
            };
            let fixed = sum(MANAGER_OPERATION, signature_cost.take().unwrap_or_default());
            let (result, internal, success) = apply_content(&mut run, content, fixed);
            failed = !success;
            results.push((result, internal));
        }
        if failed {
            results = results.into_iter().map(backtrack).collect();
        } else {
            ledger.forget_temporary();
            self.ledger = ledger;
            for message in &messages {
                // size and room were checked when the message was put aside
                self.level_inbox.add(message).map_err(|error| RollupError::from(error).trace(self.ledger.protocol))?;
            }
            self.internal_nonce = nonces.internal;
        }
        for (result, internal) in &mut results {
            let all = std::iter::once(result).chain(internal.iter_mut().map(|receipt| &mut receipt.result));
            all.for_each(|result| errors::rename_in(result, self.ledger.protocol));
        }
        let receipts = operation.contents.iter().zip(fee_updates).zip(results);
        Ok(receipts
            .map(|((content, balance_updates), (operation_result, internal_operation_results))| ManagerReceipt {
                operation: content.clone(),
                metadata: Some(ManagerMetadata { balance_updates, operation_result, internal_operation_results }),
            })
            .collect())
    }

    /// Ends the block: the baker gets the fees.
    ///
    /// # Errors
    /// When the baker's balance would overflow.
    pub fn finish(mut self) -> Result<(Ledger, BlockOutcome), Trace> {
        let baker = Contract::Implicit(self.block.baker);
        self.level_inbox.end();
        self.ledger.inbox = next_inbox(&self.ledger.inbox, self.level_inbox.witness());
        self.ledger.dal = after_unused_level(&self.ledger.dal, &self.ledger.constants.dal, self.block.level);
        self.ledger.credit(&baker, self.fees)?;
        let mut balance_updates = self.changes;
        balance_updates.extend(BalanceUpdate::movement(
            Balance::BlockFees,
            Balance::Contract(baker),
            self.fees,
            Origin::Block,
        ));
        let whole = units(self.ledger.constants.hard_gas_limit_per_block);
        let consumed_milligas = Milligas(whole.0.saturating_sub(self.gas_left.0));
        self.ledger.upgrade();
        self.ledger.digest = digest::after(&self.before, &self.ledger);
        Ok((self.ledger, BlockOutcome { balance_updates, consumed_milligas }))
    }
}

/// The scheme of the key that signed, for what checking it costs.
fn content_scheme(ledger: &Ledger, content: &ManagerOperation) -> Option<Scheme> {
    ledger.accounts.get(&content.source).map(|_| content.source.scheme)
}

/// Takes the fee of one content and counts it.
fn take_fee(ledger: &mut Ledger, content: &ManagerOperation, origin: Origin) -> Result<Vec<BalanceUpdate>, Trace> {
    let source = Contract::Implicit(content.source);
    ledger.global_counter = ledger.global_counter.saturating_add(1);
    if let Some(account) = ledger.accounts.get_mut(&content.source) {
        account.counter = content.counter.0;
    }
    ledger.debit(&source, content.fee)?;
    Ok(BalanceUpdate::movement(Balance::Contract(source), Balance::BlockFees, content.fee, origin))
}

/// Applies one content with all it causes; tells whether it succeeded.
fn apply_content(
    run: &mut Run<'_>,
    content: &ManagerOperation,
    fixed: Milligas,
) -> (OperationResult, Vec<InternalReceipt>, bool) {
    let applied = run.gas.consume(fixed).and_then(|()| run.manager(content));
    let (mut result, emitted) = match applied {
        Ok(done) => done,
        Err(errors) => return (OperationResult::Failed { errors }, Vec::new(), false),
    };
    result = with_gas(result, run.gas.used());
    let (mut internal, success) = apply_internal(run, emitted);
    if !success {
        return (OperationResult::Applied(result), internal, false);
    }
    match storage_fees::burn(run, content, &mut result, &mut internal) {
        Ok(()) => (OperationResult::Applied(result), internal, true),
        Err(errors) => (OperationResult::Backtracked { errors: Some(errors), result }, internal, false),
    }
}

/// Applies internal operations, each followed at once by those it emits.
fn apply_internal(run: &mut Run<'_>, emitted: Vec<Emitted>) -> (Vec<InternalReceipt>, bool) {
    let mut waiting: Vec<Emitted> = emitted.into_iter().rev().collect();
    let mut receipts = Vec::new();
    while let Some(next) = waiting.pop() {
        let before = run.gas.used();
        match run.internal(&next) {
            Ok((result, emitted)) => {
                let used = Milligas(run.gas.used().0 - before.0);
                receipts.push(next.receipt(OperationResult::Applied(with_gas(result, used))));
                waiting.extend(emitted.into_iter().rev());
            }
            Err(errors) => {
                receipts.push(next.receipt(OperationResult::Failed { errors }));
                let skipped = waiting.into_iter().rev();
                receipts.extend(skipped.map(|operation| operation.receipt(OperationResult::Skipped)));
                return (receipts, false);
            }
        }
    }
    (receipts, true)
}

/// Marks what was applied as undone.
fn backtrack((result, internal): (OperationResult, Vec<InternalReceipt>)) -> (OperationResult, Vec<InternalReceipt>) {
    let undo = |result| match result {
        OperationResult::Applied(result) => OperationResult::Backtracked { errors: None, result },
        other => other,
    };
    let internal = internal.into_iter().map(|receipt| InternalReceipt { result: undo(receipt.result), ..receipt });
    (undo(result), internal.collect())
}

/// The same result with the gas it used.
fn with_gas(mut result: Applied, gas: Milligas) -> Applied {
    let place = match &mut result {
        Applied::Gas(result) => &mut result.consumed_milligas,
        Applied::Transaction(result) => &mut result.consumed_milligas,
        Applied::Origination(result) => &mut result.consumed_milligas,
        Applied::Delegation(result) => &mut result.consumed_milligas,
        Applied::RegisterGlobalConstant(result) => &mut result.consumed_milligas,
        Applied::IncreasePaidStorage(result) => &mut result.consumed_milligas,
        Applied::UpdateKey(result) => &mut result.consumed_milligas,
        Applied::TransferTicket(result) => &mut result.consumed_milligas,
        Applied::SmartRollupOriginate(result) => &mut result.consumed_milligas,
        Applied::SmartRollupCement(result) => &mut result.consumed_milligas,
        Applied::SmartRollupPublish(result) => &mut result.consumed_milligas,
        Applied::SmartRollupGame(result) => &mut result.consumed_milligas,
        Applied::SmartRollupExecuteOutboxMessage(result) => &mut result.consumed_milligas,
        Applied::SmartRollupRecoverBond(result) => &mut result.consumed_milligas,
        Applied::DalPublishCommitment(result) => &mut result.consumed_milligas,
        Applied::RollupTransaction(result) => &mut result.consumed_milligas,
        Applied::Other(_) => return result,
    };
    *place = gas;
    result
}
