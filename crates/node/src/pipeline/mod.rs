//! The way of a level through the node, a file per station (`spec/node.md` §4.3): a layer 1 block → the messages it
//! holds → the inbox → the evaluation by the PVM → the commitment → the store. No station reaches back.

mod collector;
pub mod commitment;
mod constants;
mod error;
pub mod evaluation;
pub mod failures;
pub mod genesis;
pub mod inbox;
pub mod messages;
pub mod operations;
pub mod replay;

pub use collector::Collector;
pub use constants::{DalConstants, NodeConstants};
pub use error::PipelineError;

use crate::config::{LoserMode, PvmPatch};
use crate::reveals::{NodeReveals, Preimages};
use crate::store::{Batch, Flush, ProtocolRecord, Store, StoredBlock};
use commitment::Previous;
use failures::LevelFailures;
use operations::RollupEvent;
use soru_merkle::{NodeHash, Tree};
use soru_protocol::Protocol;
use soru_protocol::inbox::{LevelStart, inbox_hash};
use soru_pvm::{FastEngine, Pvm, PvmError, Reveals, Tick};
use soru_tezos::block::Block;
use soru_tezos::hash::{BlockHash, CommitmentHash, SmartRollupAddress, StateHash};
use soru_tezos::header::BlockRef;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::rollup::{Commitment, GameResult, GenesisInfo, Inbox};
use soru_tezos::scalar::{Level, Ticks};
use std::sync::Arc;

/// What never changes while a node runs.
#[derive(Debug, Clone)]
pub struct RollupInfo {
    /// The rollup.
    pub address: SmartRollupAddress,
    /// Where it begins.
    pub genesis: GenesisInfo,
    /// File of its kernel, if no operation originated it.
    pub boot_sector_file: Option<String>,
    /// The key that publishes, if any.
    pub operating: Option<PublicKeyHash>,
    /// Stop at a published commitment that differs from ours.
    pub bail_on_disagree: bool,
    /// Planned failures, none in a node that means well.
    pub loser_mode: LoserMode,
}

/// What a block brought.
#[derive(Debug, Clone)]
pub struct Processed {
    /// The block as stored.
    pub block: StoredBlock,
    /// The commitment made there.
    pub commitment: Option<Commitment>,
    /// Messages from operations.
    pub messages: usize,
    /// Applied operations on the rollup.
    pub events: Vec<RollupEvent>,
}

/// Levels after which the machine is read back from the store: it remembers every node it has seen, outboxes above all,
/// and only what the next levels touch is worth its memory.
pub(crate) const LEVELS_IN_MEMORY: i32 = 64;

/// The pipeline of a rollup: processes blocks one after the other.
pub struct Pipeline {
    store: Store,
    rollup: RollupInfo,
    engine: Arc<FastEngine>,
    preimages: Preimages,
    /// The machine after the last block, so that the next need not read it back.
    last: Option<(BlockHash, Pvm)>,
}

impl Pipeline {
    /// The pipeline of a rollup over its store.
    pub fn new(store: Store, rollup: RollupInfo, engine: Arc<FastEngine>, preimages: Preimages) -> Pipeline {
        Pipeline { store, rollup, engine, preimages, last: None }
    }

    /// The rollup.
    pub fn rollup(&self) -> &RollupInfo {
        &self.rollup
    }

    /// Processes the block at the rollup's genesis level. `inbox` is what layer 1 says it is there; `patches` are made to the
    /// first state, which layer 1 knows nothing of.
    pub fn process_genesis(
        &mut self,
        block: &Block,
        inbox: Inbox,
        patches: &[PvmPatch],
        flush: Flush,
    ) -> Result<Processed, PipelineError> {
        let boot_sector = genesis::boot_sector(block, self.rollup.address, self.rollup.boot_sector_file.as_deref())?;
        let (mut pvm, commitment) = genesis::originate(&boot_sector, &self.rollup.genesis, block)?;
        let hash = commitment.hash();
        for patch in patches {
            tracing::warn!("Patching the first state of the PVM: {patch}");
            patch.apply(&mut pvm)?;
        }
        let state_hash = pvm.state_hash().map_err(|source| PipelineError::Pvm { level: block.level(), source })?;
        let stored = StoredBlock {
            hash: block.hash,
            level: block.level(),
            predecessor: block.header.shell.predecessor,
            timestamp: block.header.shell.timestamp,
            protocol: executed_by(block)?,
            commitment: Some(hash),
            previous_commitment: hash,
            inbox_hash: inbox_hash(&inbox),
            inbox,
            message_count: 0,
            initial_tick: Tick(0),
            ticks: Ticks(0),
            state_hash,
            status: "Waiting for input message".to_owned(),
        };
        let batch = self.store.begin(flush)?;
        self.commit_state(&mut pvm, &stored, &batch)?;
        batch.put_messages(&stored.witness(), &[])?;
        self.finish(batch, block, stored, Some(commitment), pvm, 0, vec![])
    }

    /// Processes a block above the genesis level, whose predecessor was processed before. `constants` are those of the
    /// protocol that executes it.
    pub fn process(
        &mut self,
        block: &Block,
        constants: &NodeConstants,
        flush: Flush,
    ) -> Result<Processed, PipelineError> {
        let level = block.level();
        let predecessor = block.header.shell.predecessor;
        let before = self.store.block(&predecessor)?.ok_or(PipelineError::MissingPredecessor {
            hash: block.hash,
            level,
            predecessor,
        })?;
        let messages = messages::collect(block)?;
        let start = self.level_start(block, &before)?;
        let level_messages = inbox::append(&before.inbox, &start, &messages)
            .map_err(|reason| PipelineError::Message { block: block.hash, reason })?;

        let (address, origination) = (self.rollup.address, self.rollup.genesis.level);
        let reveals = NodeReveals::new(self.preimages.clone(), address, origination, constants.clone());
        let reveals: Arc<dyn Reveals> = Arc::new(reveals.with_failures(&self.rollup.loser_mode));
        let machine = self.machine_after(&before)?;
        let payloads = level_messages.payloads.clone();
        let failures = LevelFailures::of(&self.rollup.loser_mode, level);
        let mut evaluation = if failures.is_none() {
            evaluation::evaluate(&machine, &self.engine, &reveals, level, payloads)?
        } else {
            evaluation::evaluate_wrongly(&machine, &self.engine, &reveals, level, payloads, &failures)?
        };
        drop(machine);

        let events = operations::of_rollup(block, self.rollup.address);
        let batch = self.store.begin(flush)?;
        let previous = self.previous_commitment(&before)?;
        let final_tick = Tick(before.final_tick().0.saturating_add(u128::try_from(evaluation.ticks.0).unwrap_or(0)));
        let mut stored = StoredBlock {
            hash: block.hash,
            level,
            predecessor,
            timestamp: block.header.shell.timestamp,
            protocol: executed_by(block)?,
            commitment: None,
            previous_commitment: previous.hash,
            inbox: level_messages.inbox,
            inbox_hash: level_messages.hash,
            message_count: u32::try_from(level_messages.payloads.len()).unwrap_or(u32::MAX),
            initial_tick: before.final_tick(),
            ticks: evaluation.ticks,
            state_hash: StateHash::ZERO,
            status: evaluation.status.to_owned(),
        };
        let root = evaluation.pvm.commit(&mut batch.nodes()?);
        stored.state_hash = StateHash(root.map_err(|source| PipelineError::Pvm { level, source })?.0);
        let period = constants.rollup.commitment_period_in_blocks;
        let commitment = commitment::commit(&previous, period, level, stored.state_hash, final_tick)?;
        stored.commitment = commitment.as_ref().map(Commitment::hash);
        batch.put_messages(&stored.witness(), &level_messages.payloads)?;
        batch.set_outbox(level, evaluation.outbox)?;
        self.record(&batch, BlockRef { level, hash: block.hash }, &events)?;
        self.finish(batch, block, stored, commitment, evaluation.pvm, messages.len(), events)
    }

    /// What every block ends with: its record, its place on the chain, its protocol, and the transaction.
    #[allow(clippy::too_many_arguments)]
    fn finish(
        &mut self,
        batch: Batch,
        block: &Block,
        stored: StoredBlock,
        commitment: Option<Commitment>,
        pvm: Pvm,
        messages: usize,
        events: Vec<RollupEvent>,
    ) -> Result<Processed, PipelineError> {
        if let (Some(hash), Some(commitment)) = (&stored.commitment, &commitment) {
            batch.put_commitment(hash, commitment)?;
        }
        batch.put_block(&stored)?;
        self.put_protocols(&batch, block)?;
        set_canonical(&batch, &self.store, &stored)?;
        batch.commit()?;
        self.last = (stored.level.0 % LEVELS_IN_MEMORY != 0).then_some((stored.hash, pvm));
        Ok(Processed { block: stored, commitment, messages, events })
    }

    /// Makes a block that was processed before the head again.
    pub fn return_to(&mut self, block: &StoredBlock) -> Result<(), PipelineError> {
        let machine = self.machine_after(block)?;
        let outbox = evaluation::outbox_indexes(&machine, block.level)
            .map_err(|source| PipelineError::Pvm { level: block.level, source })?;
        let batch = self.store.begin(Flush::Now)?;
        batch.set_outbox(block.level, outbox)?;
        set_canonical(&batch, &self.store, block)?;
        batch.commit()?;
        self.last = Some((block.hash, machine));
        Ok(())
    }

    /// The machine after a block, from memory or from the store.
    pub fn machine_after(&self, block: &StoredBlock) -> Result<Pvm, PipelineError> {
        match &self.last {
            Some((hash, pvm)) if *hash == block.hash => Ok(pvm.clone()),
            _ => machine(&self.store, block).map_err(|source| PipelineError::Pvm { level: block.level, source }),
        }
    }

    /// Drops the machine in memory, so that the next block reads it from the store.
    pub fn forget_machine(&mut self) {
        self.last = None;
    }

    fn commit_state(&self, pvm: &mut Pvm, stored: &StoredBlock, batch: &Batch) -> Result<(), PipelineError> {
        let root =
            pvm.commit(&mut batch.nodes()?).map_err(|source| PipelineError::Pvm { level: stored.level, source })?;
        match StateHash(root.0) {
            hash if hash == stored.state_hash => Ok(()),
            hash => Err(PipelineError::Inconsistent(format!("state {hash} written as {}", stored.state_hash))),
        }
    }

    fn level_start(&self, block: &Block, before: &StoredBlock) -> Result<LevelStart, PipelineError> {
        let metadata = block.metadata.as_ref().ok_or(PipelineError::NoMetadata(block.hash))?;
        let protocol = Protocol::from_hash(&metadata.protocol)
            .ok_or(PipelineError::UnknownProtocol { block: block.hash, protocol: metadata.protocol })?;
        if metadata.application.as_ref().is_some_and(|application| application.dal_attestation != "0") {
            return Err(PipelineError::AttestedSlots(block.hash));
        }
        Ok(LevelStart {
            predecessor_timestamp: before.timestamp,
            predecessor: before.hash,
            migration: (before.protocol != metadata.protocol).then_some(protocol),
        })
    }

    /// The last commitment before a block that follows `before`, on the branch of `before`.
    fn previous_commitment(&self, before: &StoredBlock) -> Result<Previous, PipelineError> {
        let hash = before.last_commitment();
        let inconsistent = |what: &str| PipelineError::Inconsistent(format!("{what} commitment {hash}"));
        let commitment = self.store.commitment(&hash)?.ok_or_else(|| inconsistent("there is no"))?;
        let level = commitment.inbox_level;
        let at = if level == before.level { Some(before.clone()) } else { self.store.block_of_level(level)? };
        match at {
            Some(at) if at.commitment == Some(hash) => {
                Ok(Previous { hash, inbox_level: level, final_tick: at.final_tick() })
            }
            _ => Err(inconsistent(&format!("the block at level {level} did not make"))),
        }
    }

    /// Records the protocols that a block tells of (`spec/node.md` §4.4).
    fn put_protocols(&self, batch: &Batch, block: &Block) -> Result<(), PipelineError> {
        let Some(metadata) = &block.metadata else { return Ok(()) };
        let (level, proto_level) = (block.level(), block.header.shell.proto);
        let changes = metadata.protocol != metadata.next_protocol;
        if self.store.protocol_of_level(level)?.is_none_or(|known| known.protocol != metadata.protocol) {
            let own_number = if changes { proto_level.wrapping_sub(1) } else { proto_level };
            batch.put_protocol(&ProtocolRecord {
                protocol: metadata.protocol,
                proto_level: own_number,
                first_level: level,
                is_activation: false,
            })?;
        }
        if changes {
            batch.put_protocol(&ProtocolRecord {
                protocol: metadata.next_protocol,
                proto_level,
                first_level: level,
                is_activation: true,
            })?;
        }
        Ok(())
    }

    /// Keeps what the operations of a block mean, and stops where layer 1 and the node disagree.
    fn record(&self, batch: &Batch, block: BlockRef, events: &[RollupEvent]) -> Result<(), PipelineError> {
        let level = block.level;
        for event in events {
            match event {
                RollupEvent::Published { staker, hash, commitment, first_level } => {
                    let own = self.rollup.operating == Some(*staker);
                    batch.add_publication(hash, *first_level, own.then_some(level))?;
                    if own {
                        batch.set_published(hash, commitment.inbox_level)?;
                    } else {
                        self.compare_published(hash, commitment)?;
                    }
                }
                RollupEvent::Cemented { hash, level } => {
                    match self.commitment_at(*level)? {
                        Some(ours) if ours == *hash => {}
                        // a node that was behind knew of later ones already, and has collected up to these
                        _ if *level < self.store.first_available_level() => {}
                        ours => {
                            let ours = ours.map_or("none".to_owned(), |ours| ours.to_string());
                            return Err(PipelineError::DisagreesWithCemented { level: *level, ours, cemented: *hash });
                        }
                    }
                    batch.set_cemented(hash, *level)?;
                }
                RollupEvent::Executed { level, index, .. } => batch.set_executed(*level, *index, block)?,
                RollupEvent::GameEnded { stakers, result } => self.check_game(stakers, result)?,
                RollupEvent::Recovered { .. } => {}
            }
        }
        Ok(())
    }

    fn commitment_at(&self, level: Level) -> Result<Option<CommitmentHash>, PipelineError> {
        Ok(self.store.block_of_level(level)?.and_then(|block| block.commitment))
    }

    fn compare_published(&self, theirs: &CommitmentHash, commitment: &Commitment) -> Result<(), PipelineError> {
        let level = commitment.inbox_level;
        let Some(ours) = self.commitment_at(level)?.filter(|ours| ours != theirs) else { return Ok(()) };
        if self.rollup.bail_on_disagree && self.rollup.operating.is_none() {
            return Err(PipelineError::DisagreesWithPublished { level, ours, theirs: *theirs });
        }
        tracing::warn!("Potential conflict: commitment {theirs} was published for inbox level {level}, ours is {ours}");
        Ok(())
    }

    fn check_game(&self, stakers: &soru_tezos::rollup::Stakers, result: &GameResult) -> Result<(), PipelineError> {
        let Some(player) = self.rollup.operating.and_then(|key| stakers.player(&key)) else { return Ok(()) };
        let own = stakers.staker(player);
        match result {
            GameResult::Loser { player, .. } if *player != own => Ok(()),
            lost => Err(PipelineError::LostGame(*lost)),
        }
    }
}

/// The protocol that executed a block.
fn executed_by(block: &Block) -> Result<soru_tezos::hash::ProtocolHash, PipelineError> {
    block.metadata.as_ref().map(|metadata| metadata.protocol).ok_or(PipelineError::NoMetadata(block.hash))
}

/// Makes a block the head, and its predecessor's predecessor final.
fn set_canonical(batch: &Batch, store: &Store, block: &StoredBlock) -> Result<(), PipelineError> {
    batch.set_level(block.level, &block.hash)?;
    batch.set_head(&block.hash, block.level)?;
    if let Some(parent) = store.block(&block.predecessor)? {
        batch.set_finalized(&parent.predecessor, block.level.before(2))?;
    }
    Ok(())
}

/// The state tree after a block.
pub fn state_tree(store: &Store, block: &StoredBlock) -> Tree {
    Tree::open(store.nodes(), NodeHash::from(block.state_hash.0))
}

/// The machine after a block, read from the store.
pub fn machine(store: &Store, block: &StoredBlock) -> Result<Pvm, PvmError> {
    Pvm::from_tree(&state_tree(store, block))
}
