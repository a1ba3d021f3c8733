//! What stops a level (`spec/node.md` §4.7, §4.10).

use crate::config::{ConfigError, PatchError, PvmPatch};
use crate::refutation::describe_result;
use crate::store::StoreError;
use soru_protocol::inbox::MessageError;
use soru_pvm::{PvmError, RevealError};
use soru_tezos::hash::{BlockHash, CommitmentHash, ProtocolHash};
use soru_tezos::rollup::{GameResult, PvmKind};
use soru_tezos::scalar::Level;

/// Why a block could not be processed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A block was given before its predecessor.
    #[error("block {hash} at level {level} cannot be processed: its predecessor {predecessor} is not in the store")]
    MissingPredecessor {
        /// The block.
        hash: BlockHash,
        /// Its level.
        level: Level,
        /// What is missing.
        predecessor: BlockHash,
    },
    /// A block without receipts.
    #[error(
        "layer 1 gives block {0} without metadata: it may prune old receipts; use an archive node or one in full mode"
    )]
    NoMetadata(BlockHash),
    /// A protocol that is not known.
    #[error("block {block} is executed by protocol {protocol}, which this node does not know")]
    UnknownProtocol {
        /// The block.
        block: BlockHash,
        /// Its protocol.
        protocol: ProtocolHash,
    },
    /// A rollup of another kind.
    #[error("the rollup is of kind {0}: this node runs wasm_2_0_0 rollups only")]
    Kind(PvmKind),
    /// No kernel was found.
    #[error(
        "block {block} at level {level} does not originate the rollup: give its kernel with --boot-sector-file if no operation originated it"
    )]
    NoBootSector {
        /// The block at the genesis level.
        block: BlockHash,
        /// The genesis level.
        level: Level,
    },
    /// A kernel file that cannot be used.
    #[error("boot sector file {path}: {reason}")]
    BootSectorFile {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// The genesis state is not the one layer 1 committed to.
    #[error(
        "genesis commitment computed {computed} is not the rollup's genesis commitment {expected} found on layer 1: another boot sector, or another protocol's parameters"
    )]
    Genesis {
        /// From the boot sector.
        computed: CommitmentHash,
        /// Of layer 1.
        expected: CommitmentHash,
    },
    /// Unsafe changes of the first state that the command line does not confirm.
    #[error(
        "This rollup requires the application of the following unsafe PVM patches: {}. The rollup node must be started \
         with option --apply-unsafe-patches to allow the application of these patches.", listed(.0)
    )]
    UnconfirmedPatches(Vec<PvmPatch>),
    /// Unsafe changes of the first state of a rollup that anybody may refute.
    #[error("Unsafe PVM patches can only be applied in private rollups, i.e. in non publicly refutable settings.")]
    PatchesOfPublicRollup,
    /// An unsafe change that cannot be made.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// A message that the protocol would not have accepted.
    #[error("block {block} holds an inbox message that the protocol cannot have accepted: {reason}")]
    Message {
        /// The block.
        block: BlockHash,
        /// Why.
        reason: MessageError,
    },
    /// Slots of the data availability layer, which this node does not follow yet.
    #[error("block {0} attests slots of the data availability layer, which this node does not follow yet")]
    AttestedSlots(BlockHash),
    /// A preimage that is asked for is not there.
    #[error("{error} at level {level}")]
    Reveal {
        /// Inbox level.
        level: Level,
        /// Which.
        error: RevealError,
    },
    /// The fast engine cannot tell the outcome, and there is no exact one yet.
    #[error("level {level} cannot be evaluated by the fast engine: {reason}")]
    Undecided {
        /// Inbox level.
        level: Level,
        /// Why.
        reason: soru_pvm::Undecided,
    },
    /// The machine failed.
    #[error("the PVM failed at level {level}: {source}")]
    Pvm {
        /// Inbox level.
        level: Level,
        /// Why.
        source: PvmError,
    },
    /// A commitment of zero ticks, or of more than fit.
    #[error("the commitment of level {level} would have {ticks} ticks, which the protocol refuses")]
    CommitmentTicks {
        /// Inbox level.
        level: Level,
        /// Its ticks.
        ticks: u128,
    },
    /// The store contradicts itself.
    #[error("the store is inconsistent: {0}")]
    Inconsistent(String),
    /// Layer 1 cemented something else.
    #[error(
        "Internal error: The node has commitment {ours} for inbox level {level} but this level is cemented on L1 with commitment {cemented}."
    )]
    DisagreesWithCemented {
        /// Inbox level of both.
        level: Level,
        /// Ours, or `none`.
        ours: String,
        /// Of layer 1.
        cemented: CommitmentHash,
    },
    /// Layer 1 holds a commitment we disagree with, and the user wants to stop then.
    #[error("The node disagrees with commitment {theirs} published on L1 for inbox level {level}, its own is {ours}.")]
    DisagreesWithPublished {
        /// Inbox level of both.
        level: Level,
        /// Ours.
        ours: CommitmentHash,
        /// Of layer 1.
        theirs: CommitmentHash,
    },
    /// A game was lost.
    #[error("The rollup node lost the refutation game ({})", describe_result(.0))]
    LostGame(GameResult),
    /// Something the reference does and this node does not yet.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

fn listed(patches: &[PvmPatch]) -> String {
    patches.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl PipelineError {
    /// Whether going on makes no sense: the process ends with an error.
    pub fn is_fatal(&self) -> bool {
        matches!(
            self,
            PipelineError::Genesis { .. }
                | PipelineError::BootSectorFile { .. }
                | PipelineError::NoBootSector { .. }
                | PipelineError::Kind(_)
                | PipelineError::UnconfirmedPatches(_)
                | PipelineError::PatchesOfPublicRollup
                | PipelineError::Patch(_)
                | PipelineError::DisagreesWithCemented { .. }
                | PipelineError::DisagreesWithPublished { .. }
                | PipelineError::LostGame(_)
                | PipelineError::Store(StoreError::Disk(_))
        )
    }

    /// Whether the same block can succeed later without any change of the program: a preimage may appear.
    pub fn may_pass_later(&self) -> bool {
        matches!(self, PipelineError::Reveal { .. } | PipelineError::Store(_))
    }
}
