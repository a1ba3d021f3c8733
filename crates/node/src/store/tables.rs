//! The tables of the store.

use redb::TableDefinition;

type Hash = &'static [u8; 32];

/// Marks by name, and the metadata.
pub(super) const STATE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("state");
/// Block hash → block.
pub(super) const BLOCKS: TableDefinition<'_, Hash, &[u8]> = TableDefinition::new("blocks");
/// Level → hash on the canonical chain.
pub(super) const LEVELS: TableDefinition<'_, i32, Hash> = TableDefinition::new("levels");
/// Inbox hash → its newest history cell.
pub(super) const INBOX_CELLS: TableDefinition<'_, Hash, &[u8]> = TableDefinition::new("inbox_cells");
/// Witness of a level → its messages.
pub(super) const MESSAGES: TableDefinition<'_, Hash, &[u8]> = TableDefinition::new("messages");
/// Commitment hash → commitment.
pub(super) const COMMITMENTS: TableDefinition<'_, Hash, &[u8]> = TableDefinition::new("commitments");
/// Commitment hash → levels at which it was published.
pub(super) const PUBLICATIONS: TableDefinition<'_, Hash, &[u8]> = TableDefinition::new("publications");
/// Outbox level → indexes of its messages, and of those executed.
pub(super) const OUTBOX: TableDefinition<'_, i32, &[u8]> = TableDefinition::new("outbox");
/// First level → protocol.
pub(super) const PROTOCOLS: TableDefinition<'_, i32, &[u8]> = TableDefinition::new("protocols");
/// Start level and players → game, as JSON.
pub(super) const GAMES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("games");
/// Id → operation that the injector has.
pub(super) const OPERATIONS: TableDefinition<'_, Hash, &[u8]> = TableDefinition::new("operations");
/// Hash → signed layer 1 operation that carries some of them.
pub(super) const CARRIERS: TableDefinition<'_, Hash, &[u8]> = TableDefinition::new("carriers");
/// Id → message that waits for a batch.
pub(super) const WAITING_MESSAGES: TableDefinition<'_, Hash, &[u8]> = TableDefinition::new("waiting_messages");
/// Number → message that is in a batch.
pub(super) const BATCHED_MESSAGES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("batched_messages");
/// Counters by name.
pub(super) const COUNTERS: TableDefinition<'_, &str, u64> = TableDefinition::new("counters");
/// Node hash → record of a Merkle node of a PVM state.
pub(super) const NODES: TableDefinition<'_, Hash, &[u8]> = TableDefinition::new("nodes");

/// Names in [`STATE`].
pub(super) const METADATA: &str = "metadata";
pub(super) const HEAD: &str = "head";
pub(super) const FINALIZED: &str = "finalized";
pub(super) const CEMENTED: &str = "last_cemented_commitment";
pub(super) const PUBLISHED: &str = "last_published_commitment";
/// First level kept by the last collection that began, the head then, and the target of the last that ended well.
pub(super) const GC_TARGET: &str = "last_gc_target";
pub(super) const GC_TRIGGERED: &str = "last_gc_triggered_at";
pub(super) const GC_SUCCESSFUL: &str = "last_successful_gc_target";
/// Set when most of the file is free.
pub(super) const SPARSE: &str = "sparse_since";
pub(super) const INJECTOR_HEAD: &str = "injector_head";

/// Names in [`COUNTERS`].
pub(super) const ARRIVALS: &str = "injector_arrivals";
pub(super) const MESSAGE_COUNTER: &str = "batcher_messages";
