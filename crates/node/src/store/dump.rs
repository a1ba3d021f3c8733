//! Everything that a snapshot takes from a store, and a store made of it (`spec/node.md` §4.14): record by record, as the
//! tables hold them, from one consistent view and into one file that becomes the store when it is whole.

use super::marks::Marks;
use super::outboxes::on_chain;
use super::records::{Mark, OutboxRecord, ProtocolRecord, Publication, StoredBlock, messages_of_bytes};
use super::tables::*;
use super::{CollectError, Inner, Metadata, Store, StoreError, decoded, make_tables, read_mark};
use bytes::Bytes;
use redb::{
    Builder, Database, Durability, Key, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, Table, TableDefinition, TableError, Value, WriteTransaction,
};
use soru_merkle::{LiveRecords, NodeHash, NodeStore, StoreId};
use soru_protocol::inbox::history_hash;
use soru_tezos::codec::{Decode, Encode};
use soru_tezos::hash::BlockHash;
use soru_tezos::rollup::{Commitment, HistoryCell};
use soru_tezos::scalar::Level;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The metadata, as JSON. The first record, under an empty key.
    Metadata = 1,
    /// A named place: hash and level.
    Mark = 2,
    /// A protocol, by its first level.
    Protocol = 3,
    /// A block, by hash.
    Block = 4,
    /// The messages of a level, by witness.
    Messages = 5,
    /// A cell of the inbox's history, by hash.
    InboxCell = 6,
    /// A commitment, by hash.
    Commitment = 7,
    /// Levels of a publication, by the commitment's hash.
    Publication = 8,
    /// The outbox messages of a level.
    Outbox = 9,
    /// A node of a state, by hash.
    Node = 10,
    /// A preimage, by reveal hash. The only kind that is not kept in the store.
    Preimage = 11,
    /// Says, under an empty key, that of the states only the first is there.
    FirstStateOnly = 12,
}

impl Kind {
    /// The kind of a tag.
    pub fn of_tag(tag: u8) -> Option<Kind> {
        use Kind::*;
        let all = [
            Metadata,
            Mark,
            Protocol,
            Block,
            Messages,
            InboxCell,
            Commitment,
            Publication,
            Outbox,
            Node,
            Preimage,
            FirstStateOnly,
        ];
        all.into_iter().find(|kind| *kind as u8 == tag)
    }
}

/// Takes records: what it is, key, value.
pub type Each<'a> = dyn FnMut(Kind, &[u8], &[u8]) -> std::io::Result<()> + 'a;

/// Up to where a snapshot goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpTo {
    /// The head.
    Head,
    /// The last final block.
    Finalized,
    /// The block of the last cemented commitment.
    Cemented,
    /// A level.
    Level(Level),
}

/// Which states a snapshot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum States {
    /// Those of all its blocks.
    All,
    /// That of its first block. The others follow from the messages.
    First,
}

/// A view of a store that stays as it is while it is read.
pub struct Dump {
    store: Store,
    view: ReadTransaction,
    head: StoredBlock,
    first: Level,
}

/// Why the store has nothing to give for a snapshot. Texts as the reference's.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum DumpError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a state of the store cannot be read: {0}")]
    State(#[from] soru_merkle::TreeError),
    #[error("There is no head in the rollup node store, cannot produce snapshot.")]
    NoHead,
    #[error("No finalized block in the store, cannot use 'finalized'.")]
    NoFinalized,
    #[error("No cemented commitment in the store, cannot use 'cemented'.")]
    NoCemented,
    #[error("Requested level {level} is higher than the head level {head}.")]
    AboveHead { level: Level, head: Level },
    #[error("Requested level {level} is below the first available level {first}.")]
    BelowFirst { level: Level, first: Level },
    #[error("No block found at target level {0}.")]
    NoBlock(Level),
    #[error("a {what} of the block at level {level} is missing in the store")]
    Missing { what: &'static str, level: Level },
    #[error("cannot write: {0}")]
    Write(#[from] std::io::Error),
}

macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for DumpError {
            fn from(error: redb::$error) -> Self { DumpError::Store(error.into()) }
        }
    )*};
}
from_redb!(TransactionError, TableError, StorageError);

impl Store {
    /// A view of the store up to a level.
    pub fn dump(&self, up_to: UpTo) -> Result<Dump, DumpError> {
        let view = self.view()?;
        let first = read_mark(&view, GC_TARGET)?.map_or(self.metadata().genesis_info.level, |mark| mark.level);
        let block = |hash: &BlockHash| decoded::<StoredBlock>("block", view.open_table(BLOCKS)?.get(&hash.0)?);
        let head = match read_mark(&view, HEAD)? {
            Some(mark) => block(&BlockHash(mark.hash))?.ok_or(DumpError::NoHead)?,
            None => return Err(DumpError::NoHead),
        };
        let level = match up_to {
            UpTo::Head => head.level,
            UpTo::Finalized => read_mark(&view, FINALIZED)?.ok_or(DumpError::NoFinalized)?.level,
            UpTo::Cemented => read_mark(&view, CEMENTED)?.ok_or(DumpError::NoCemented)?.level,
            UpTo::Level(level) => level,
        };
        if level > head.level {
            return Err(DumpError::AboveHead { level, head: head.level });
        }
        if level < first {
            return Err(DumpError::BelowFirst { level, first });
        }
        let hash = view.open_table(LEVELS)?.get(level.0)?.map(|hash| BlockHash(*hash.value()));
        let head = hash.map_or(Ok(None), |hash| block(&hash))?.ok_or(DumpError::NoBlock(level))?;
        Ok(Dump { store: self.clone(), view, head, first })
    }
}

impl Dump {
    /// The last block of the snapshot.
    pub fn head(&self) -> &StoredBlock {
        &self.head
    }

    /// The metadata.
    pub fn metadata(&self) -> &Metadata {
        self.store.metadata()
    }

    /// Shows every record to `each`. The notes of what was shown lie in a file beside the store, as long as this runs.
    pub fn records(&self, states: States, each: &mut Each<'_>) -> Result<(), DumpError> {
        let metadata = serde_json::to_vec(self.metadata()).map_err(std::io::Error::other)?;
        each(Kind::Metadata, &[], &metadata)?;
        if states == States::First {
            each(Kind::FirstStateOnly, &[], &[])?;
        }
        self.marks(each)?;
        for entry in self.view.open_table(PROTOCOLS)?.range(..=self.head.level.0)? {
            let (level, bytes) = entry?;
            each(Kind::Protocol, &level.value().to_be_bytes(), bytes.value())?;
        }
        for entry in self.view.open_table(OUTBOX)?.range(..=self.head.level.0)? {
            let (level, bytes) = entry?;
            let mut record = on_chain(&self.view, decode("outbox record", bytes.value())?)?;
            record.executed.retain(|execution| execution.block.level <= self.head.level);
            if !record.messages.is_empty() {
                each(Kind::Outbox, &level.value().to_be_bytes(), &record.to_bytes())?;
            }
        }
        let nodes: Arc<dyn NodeStore + Send + Sync> = Arc::new(ViewNodes::new(&self.view)?);
        let shown = Marks::at(self.store.path().with_extension("export"))?;
        for level in self.first.0..=self.head.level.0 {
            let block = self.block(Level(level), each)?;
            if states == States::First && block.level > self.first {
                continue;
            }
            walk(&shown, &nodes, &block, &mut |hash, record| {
                Ok::<_, DumpError>(each(Kind::Node, hash.as_bytes(), record)?)
            })?;
        }
        Ok(())
    }

    /// The marks, brought down to the last level of the snapshot. What the operator published is the operator's.
    fn marks(&self, each: &mut Each<'_>) -> Result<(), DumpError> {
        let head = Mark { hash: self.head.hash.0, level: self.head.level };
        let below = |name| Ok::<_, StoreError>(read_mark(&self.view, name)?.filter(|mark| mark.level <= head.level));
        let finalized = match read_mark(&self.view, FINALIZED)? {
            Some(mark) if mark.level > head.level => Some(head),
            mark => mark,
        };
        let first = Mark { hash: [0; 32], level: self.first };
        let collected = read_mark(&self.view, GC_TARGET)?.map(|_| first);
        let marks = [
            (HEAD, Some(head)),
            (FINALIZED, finalized),
            (CEMENTED, below(CEMENTED)?),
            (GC_TARGET, collected),
            (GC_SUCCESSFUL, collected),
        ];
        for (name, mark) in marks {
            if let Some(mark) = mark {
                each(Kind::Mark, name.as_bytes(), &mark.to_bytes())?;
            }
        }
        Ok(())
    }

    /// What belongs to a block, its state apart.
    fn block(&self, level: Level, each: &mut Each<'_>) -> Result<StoredBlock, DumpError> {
        let hash = self.view.open_table(LEVELS)?.get(level.0)?.map(|hash| *hash.value());
        let hash = hash.ok_or(DumpError::NoBlock(level))?;
        let missing = |what| DumpError::Missing { what, level };
        let blocks = self.view.open_table(BLOCKS)?;
        let bytes = blocks.get(&hash)?.ok_or(DumpError::NoBlock(level))?;
        let block = StoredBlock::from_bytes(bytes.value()).map_err(|e| StoreError::damaged("block", e))?;
        each(Kind::Block, &hash, bytes.value())?;
        let messages = self.view.open_table(MESSAGES)?;
        let bytes = messages.get(&block.witness().0)?.ok_or_else(|| missing("list of messages"))?;
        each(Kind::Messages, &block.witness().0, bytes.value())?;
        let cells = self.view.open_table(INBOX_CELLS)?;
        let bytes = cells.get(&block.inbox_hash.0)?.ok_or_else(|| missing("cell of the inbox"))?;
        each(Kind::InboxCell, &block.inbox_hash.0, bytes.value())?;
        if let Some(commitment) = &block.commitment {
            let commitments = self.view.open_table(COMMITMENTS)?;
            let bytes = commitments.get(&commitment.0)?.ok_or_else(|| missing("commitment"))?;
            each(Kind::Commitment, &commitment.0, bytes.value())?;
            let publications = self.view.open_table(PUBLICATIONS)?;
            let known: Option<Publication> = decoded("publication", publications.get(&commitment.0)?)?;
            if let Some(known) = known.filter(|known| known.first <= self.head.level) {
                each(Kind::Publication, &commitment.0, &Publication { own: None, ..known }.to_bytes())?;
            }
        }
        Ok(block)
    }
}

/// The nodes of a view.
struct ViewNodes {
    id: StoreId,
    table: ReadOnlyTable<&'static [u8; 32], &'static [u8]>,
}

impl ViewNodes {
    fn new(view: &ReadTransaction) -> Result<ViewNodes, StoreError> {
        Ok(ViewNodes { id: StoreId::fresh(), table: view.open_table(NODES)? })
    }
}

impl NodeStore for ViewNodes {
    fn id(&self) -> StoreId {
        self.id
    }

    fn get(&self, hash: &NodeHash) -> Result<Option<Bytes>, soru_merkle::StoreError> {
        let found = self.table.get(hash.as_bytes()).map_err(soru_merkle::StoreError::new)?;
        Ok(found.map(|bytes| Bytes::copy_from_slice(bytes.value())))
    }
}

/// Records written together.
const TOGETHER: u64 = 1 << 14;
/// Bytes of the page cache of a store that is being made.
const CACHE: usize = 32 << 20;

/// Preimages, in a store that is being made.
const PREIMAGES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("preimages");

/// A store that is being made of records, in a file beside the place where it will be. Dropped before it is there, it leaves
/// nothing.
pub struct Restoring {
    file: Made,
    database: Database,
    transaction: Option<WriteTransaction>,
    records: u64,
    /// The last level to keep.
    level: Option<Level>,
    /// Whether what comes belongs to a block above it.
    skipping: bool,
    states: States,
}

/// The file of a store that is being made.
struct Made {
    path: PathBuf,
    place: PathBuf,
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Restoring {
    /// An empty store for a data directory, which the caller has locked. Blocks above `level` are left out.
    pub fn new(data_dir: &Path, level: Option<Level>) -> Result<Restoring, StoreError> {
        let place = data_dir.join(super::FILE);
        clean(&place)?;
        let file = Made { path: being_made(&place), place };
        let database = Builder::new().set_cache_size(CACHE).create(&file.path);
        let database = database.map_err(|e| StoreError::open(&file.path, e))?;
        let mut restoring =
            Restoring { file, database, transaction: None, records: 0, level, skipping: false, states: States::All };
        let transaction = restoring.transaction()?;
        transaction.open_table(STATE)?;
        transaction.open_table(PREIMAGES)?;
        make_tables(transaction)?;
        Ok(restoring)
    }

    fn transaction(&mut self) -> Result<&mut WriteTransaction, StoreError> {
        if self.records.is_multiple_of(TOGETHER)
            && let Some(transaction) = self.transaction.take()
        {
            transaction.commit()?;
        }
        let transaction = match self.transaction.take() {
            Some(transaction) => transaction,
            None => {
                let mut transaction = self.database.begin_write()?;
                transaction.set_durability(Durability::None)?;
                transaction
            }
        };
        Ok(self.transaction.insert(transaction))
    }

    /// Whether a record is of a level to keep. A block's records follow the block.
    fn is_kept(&mut self, kind: Kind, key: &[u8], value: &[u8]) -> Result<bool, StoreError> {
        let Some(last) = self.level else { return Ok(true) };
        match kind {
            Kind::Metadata | Kind::Mark | Kind::Preimage | Kind::FirstStateOnly => return Ok(true),
            Kind::Protocol | Kind::Outbox => return Ok(level_of(key)? <= last.0),
            Kind::Publication if decode::<Publication>("publication", value)?.first > last => return Ok(false),
            Kind::Block => self.skipping = decode::<StoredBlock>("block", value)?.level > last,
            _ => {}
        }
        Ok(!self.skipping)
    }

    /// Puts a record in its table. What it says is for the caller to check once all are there.
    pub fn put(&mut self, kind: Kind, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        if !self.is_kept(kind, key, value)? {
            return Ok(());
        }
        self.records += 1;
        let transaction = self.transaction()?;
        match kind {
            Kind::Metadata => drop(transaction.open_table(STATE)?.insert(METADATA, value)?),
            Kind::Mark => {
                let known = [HEAD, FINALIZED, CEMENTED, GC_TARGET, GC_SUCCESSFUL];
                let name = known.into_iter().find(|name| name.as_bytes() == key);
                decode::<Mark>("mark", value)?;
                transaction.open_table(STATE)?.insert(name.ok_or_else(|| wrong("name of a mark"))?, value)?;
            }
            Kind::Protocol => {
                let record = decode::<ProtocolRecord>("protocol record", value)?;
                let level = level_of(key)?;
                if record.first_level.0 != level {
                    return Err(wrong("level of a protocol"));
                }
                transaction.open_table(PROTOCOLS)?.insert(level, value)?;
            }
            Kind::Outbox => {
                decode::<OutboxRecord>("outbox record", value)?;
                transaction.open_table(OUTBOX)?.insert(level_of(key)?, value)?;
            }
            Kind::Block => {
                let block = decode::<StoredBlock>("block", value)?;
                if block.hash.0 != key {
                    return Err(wrong("hash of a block"));
                }
                transaction.open_table(BLOCKS)?.insert(&block.hash.0, value)?;
                if transaction.open_table(LEVELS)?.insert(block.level.0, &block.hash.0)?.is_some() {
                    return Err(wrong("second block of a level"));
                }
            }
            Kind::Messages => {
                messages_of_bytes(value)?;
                transaction.open_table(MESSAGES)?.insert(&hash_of(key)?, value)?;
            }
            Kind::InboxCell => {
                let cell = decode::<HistoryCell>("cell of the inbox", value)?;
                if history_hash(&cell).0 != key {
                    return Err(wrong("hash of a cell of the inbox"));
                }
                transaction.open_table(INBOX_CELLS)?.insert(&hash_of(key)?, value)?;
            }
            Kind::Commitment => {
                let commitment = decode::<Commitment>("commitment", value)?;
                if commitment.hash().0 != key {
                    return Err(wrong("hash of a commitment"));
                }
                transaction.open_table(COMMITMENTS)?.insert(&hash_of(key)?, value)?;
            }
            Kind::Publication => {
                decode::<Publication>("publication", value)?;
                transaction.open_table(PUBLICATIONS)?.insert(&hash_of(key)?, value)?;
            }
            Kind::Node => drop(transaction.open_table(NODES)?.insert(&hash_of(key)?, value)?),
            Kind::Preimage => drop(transaction.open_table(PREIMAGES)?.insert(key, value)?),
            Kind::FirstStateOnly => self.states = States::First,
        }
        Ok(())
    }

    /// The store, to be checked. It is still beside its place.
    pub fn store(mut self) -> Result<Restored, StoreError> {
        self.records = 0;
        self.transaction()?;
        if let Some(transaction) = self.transaction.take() {
            transaction.commit()?;
        }
        let transaction = self.database.begin_write()?;
        let metadata = {
            let mut state = transaction.open_table(STATE)?;
            let metadata = match state.get(METADATA)? {
                Some(bytes) => Metadata::read(bytes.value(), &self.file.path)?,
                None => return Err(wrong("lack of metadata")),
            };
            if let Some(level) = self.level {
                let hash = transaction.open_table(LEVELS)?.get(level.0)?.map(|hash| *hash.value());
                bring_down(&mut state, level, hash.unwrap_or_default())?;
            }
            metadata
        };
        transaction.commit()?;
        let Restoring { file, database, states, .. } = self;
        let store = Store(Arc::new(Inner::new(file.path.clone(), database, metadata)?));
        Ok(Restored { store, file, states })
    }
}

/// Brings the marks of a store down to a level and the block there.
fn bring_down(state: &mut Table<'_, &str, &[u8]>, level: Level, hash: [u8; 32]) -> Result<(), StoreError> {
    let here = Mark { hash, level };
    for name in [HEAD, FINALIZED, CEMENTED] {
        let mark: Option<Mark> = decoded("mark", state.get(name)?)?;
        match mark {
            Some(mark) if mark.level > level && name == CEMENTED => drop(state.remove(name)?),
            Some(mark) if mark.level > level => drop(state.insert(name, here.to_bytes().as_slice())?),
            _ => {}
        }
    }
    Ok(())
}

/// A whole store beside its place.
pub struct Restored {
    store: Store,
    file: Made,
    states: States,
}

impl Restored {
    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Which states came with it.
    pub fn states(&self) -> States {
        self.states
    }

    /// Checks that nothing is there that belongs to no block from the first level up to `head`: a later block would be
    /// believed once layer 1 comes to it.
    pub fn check_bounds(&self, head: Level) -> Result<(), StoreError> {
        let view = self.store.view()?;
        let first = self.store.first_available_level();
        let levels = u64::try_from(head.since(first)).unwrap_or(0).saturating_add(1);
        if view.open_table(BLOCKS)?.len()? != levels || view.open_table(LEVELS)?.len()? != levels {
            return Err(wrong("number of blocks"));
        }
        let after = |last: Option<(redb::AccessGuard<'_, i32>, redb::AccessGuard<'_, &'static [u8]>)>| {
            last.is_some_and(|(level, _)| level.value() > head.0)
        };
        if after(view.open_table(PROTOCOLS)?.last()?) || after(view.open_table(OUTBOX)?.last()?) {
            return Err(wrong("last level"));
        }
        let commitments = view.open_table(COMMITMENTS)?;
        for entry in view.open_table(PUBLICATIONS)?.iter()? {
            let (hash, bytes) = entry?;
            let published = decode::<Publication>("publication", bytes.value())?;
            let commitment: Option<Commitment> = decoded("commitment", commitments.get(hash.value())?)?;
            let possible =
                |commitment: Commitment| published.first >= commitment.inbox_level && published.first <= head;
            if !commitment.is_some_and(possible) {
                return Err(wrong("level of a publication"));
            }
        }
        Ok(())
    }

    /// Checks that every node of every state that came is there and has its hash: an error names the first that is not.
    pub fn check_states(&self) -> Result<(), CollectError> {
        let seen = Marks::at(self.store.path().with_extension("checked"))?;
        let view = self.store.view()?;
        let nodes: Arc<dyn NodeStore + Send + Sync> = Arc::new(ViewNodes::new(&view)?);
        for entry in view.open_table(BLOCKS).map_err(StoreError::from)?.iter().map_err(StoreError::from)? {
            let block = decode::<StoredBlock>("block", entry.map_err(StoreError::from)?.1.value())?;
            if self.states == States::First && block.level > self.store.first_available_level() {
                continue;
            }
            walk(&seen, &nodes, &block, &mut |_, _| Ok::<_, CollectError>(()))?;
        }
        Ok(())
    }

    /// The preimages that came with the store.
    pub fn preimages(&self, mut each: impl FnMut(&[u8], &[u8]) -> std::io::Result<()>) -> Result<(), DumpError> {
        for entry in self.store.view()?.open_table(PREIMAGES)?.iter()? {
            let (hash, data) = entry?;
            each(hash.value(), data.value())?;
        }
        Ok(())
    }

    /// Puts the store in its place, in one step, with what only the store there before has: what waits to be injected, the
    /// journal of games, the history mode.
    pub fn install(self, existing: Option<Existing>) -> Result<(), StoreError> {
        let failed = |path: &Path, error: std::io::Error| StoreError::DataDir {
            path: path.to_owned(),
            action: "put the store in its place",
            reason: error.to_string(),
        };
        let transaction = self.store.0.database.begin_write()?;
        transaction.delete_table(PREIMAGES)?;
        if let Some(existing) = existing {
            existing.carry_over(&transaction, self.store.metadata())?;
        }
        transaction.commit()?;
        let Restored { store, file, .. } = self;
        drop(store);
        std::fs::rename(&file.path, &file.place).map_err(|e| failed(&file.place, e))?;
        let folder = file.place.parent().unwrap_or(Path::new("."));
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| failed(folder, e))
    }
}

/// The store of a data directory that no node has open.
pub struct Existing {
    database: Database,
    /// Its metadata.
    pub metadata: Metadata,
    /// The level of its head.
    pub head: Option<Level>,
}

impl Existing {
    /// Opens it. The caller has locked the directory.
    pub fn open(data_dir: &Path) -> Result<Option<Existing>, StoreError> {
        if !Store::exists(data_dir) {
            return Ok(None);
        }
        let path = data_dir.join(super::FILE);
        let database = super::database(&path).map_err(|e| StoreError::open(&path, e))?;
        let view = database.begin_read()?;
        // whoever made the file may have been killed before it held anything
        let state = match view.open_table(STATE) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            state => state?,
        };
        let metadata = match state.get(METADATA)? {
            Some(bytes) => Metadata::read(bytes.value(), &path)?,
            None => return Ok(None),
        };
        let head = read_mark(&view, HEAD)?.map(|mark| mark.level);
        drop(view);
        Ok(Some(Existing { database, metadata, head }))
    }

    /// The whole store.
    pub fn into_store(self, data_dir: &Path) -> Result<Store, StoreError> {
        Ok(Store(Arc::new(Inner::new(data_dir.join(super::FILE), self.database, self.metadata)?)))
    }

    fn carry_over(&self, to: &WriteTransaction, imported: &Metadata) -> Result<(), StoreError> {
        let view = self.database.begin_read()?;
        copy(&view, to, OPERATIONS)?;
        copy(&view, to, CARRIERS)?;
        copy(&view, to, WAITING_MESSAGES)?;
        copy(&view, to, BATCHED_MESSAGES)?;
        copy(&view, to, COUNTERS)?;
        copy(&view, to, GAMES)?;
        let metadata = Metadata { history_mode: self.metadata.history_mode, ..imported.clone() };
        let metadata = serde_json::to_vec(&metadata).map_err(|e| StoreError::Metadata { reason: e.to_string() })?;
        let mut state = to.open_table(STATE)?;
        state.insert(METADATA, metadata.as_slice())?;
        if let Some(mark) = read_mark(&view, INJECTOR_HEAD)? {
            state.insert(INJECTOR_HEAD, mark.to_bytes().as_slice())?;
        }
        Ok(())
    }
}

fn copy<K: Key + 'static, V: Value + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    table: TableDefinition<'static, K, V>,
) -> Result<(), StoreError> {
    let mut copied = to.open_table(table)?;
    for entry in from.open_table(table)?.iter()? {
        let (key, value) = entry?;
        copied.insert(key.value(), value.value())?;
    }
    Ok(())
}

/// Shows every node of a block's state that was not shown before, once its hash was checked.
fn walk<E: From<StoreError> + From<soru_merkle::TreeError>>(
    seen: &Marks,
    nodes: &Arc<dyn NodeStore + Send + Sync>,
    block: &StoredBlock,
    each: &mut dyn FnMut(&NodeHash, &Bytes) -> Result<(), E>,
) -> Result<(), E> {
    let mut walk = LiveRecords::checked(Arc::clone(nodes), [NodeHash::from(block.state_hash.0)]);
    seen.reach(|reached| {
        loop {
            let enter = |hash: &NodeHash| match reached.insert(hash.as_bytes(), ()) {
                Ok(known) => Ok(known.is_none()),
                Err(error) => Err(soru_merkle::StoreError::new(error)),
            };
            let shown = match walk.advance(enter) {
                Ok(None) => return Ok(Ok(())),
                Ok(Some((hash, record))) => each(&hash, &record),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = shown {
                return Ok(Err(error));
            }
        }
    })?
}

/// The file of a store that is being made.
fn being_made(place: &Path) -> PathBuf {
    place.with_extension("import")
}

/// Removes what snapshots left beside a store when their process was killed.
pub(super) fn clean(place: &Path) -> Result<(), StoreError> {
    let made = being_made(place);
    for path in [made.clone(), made.with_extension("checked"), place.with_extension("export")] {
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(StoreError::DataDir {
                    path,
                    action: "remove what a snapshot left",
                    reason: error.to_string(),
                });
            }
            _ => {}
        }
    }
    Ok(())
}

fn decode<T: Decode>(what: &'static str, bytes: &[u8]) -> Result<T, StoreError> {
    T::from_bytes(bytes).map_err(|e| StoreError::damaged(what, e))
}

fn wrong(what: &'static str) -> StoreError {
    StoreError::Record(what)
}

fn hash_of(key: &[u8]) -> Result<[u8; 32], StoreError> {
    key.try_into().map_err(|_| wrong("length of a hash"))
}

fn level_of(key: &[u8]) -> Result<i32, StoreError> {
    key.try_into().map(i32::from_be_bytes).map_err(|_| wrong("length of a level"))
}
