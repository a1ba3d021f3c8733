//! The ledger: all state of the layer 1 as persistent plain data. A clone costs nothing, so that every block keeps its
//! own, and undoing a failed operation is dropping a value.

mod account;
mod apply;
mod change;
mod constants;
mod content;
mod contract;
mod digest;
mod entrypoints;
pub mod errors;
mod games;
pub mod gas;
mod outbox;
mod rollup;
mod storage_fees;
mod tickets;
mod transfer;
mod transfer_ticket;
mod trial;
mod validate;

pub use account::Account;
pub use apply::{Application, BlockContext, BlockOutcome};
pub use change::{Change, ChangeError};
pub use contract::ScriptChain;
pub use digest::Digest;
pub use entrypoints::parameter_of;
pub use errors::script_trace;
pub use rollup::env;
pub use tickets::{Held, TicketKey, token_hash};
pub use trial::{shown_operation, with_script_chain};
pub use validate::{BlockGas, Signed, validate};

use crate::block::{ChainStart, GENESIS_HASH};
use imbl::OrdMap;
use serde::{Serialize, Serializer};
use soru_protocol::Rollup;
use soru_protocol::constants::Parametric;
use soru_protocol::dal::first_snapshot;
use soru_protocol::inbox::{LevelStart, first_inbox};
use soru_protocol::protocol::Protocol;
use soru_tezos::contract::Destination;
use soru_tezos::hash::{ContextHash, ContractHash, ScriptExprHash, SmartRollupAddress};
use soru_tezos::key::{PublicKey, PublicKeyHash};
use soru_tezos::micheline::Micheline;
use soru_tezos::rollup::{DalSnapshot, Inbox};
use soru_tezos::scalar::{Level, Mutez};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The id of the first big map that an operation makes: on reference chains the contracts of liquidity baking have the
/// four before.
pub const FIRST_BIG_MAP: i64 = 4;

/// A contract with code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContractState {
    /// What it owns.
    pub balance: Mutez,
    /// To whom it delegates.
    pub delegate: Option<PublicKeyHash>,
    /// Its code, in the form it is stored.
    #[serde(serialize_with = "shared")]
    pub code: Arc<Micheline>,
    /// Its storage.
    #[serde(serialize_with = "shared")]
    pub storage: Arc<Micheline>,
    /// Bytes its script and big maps take.
    pub used_space: u64,
    /// Bytes paid for.
    pub paid_space: u64,
}

fn shared<S: Serializer>(value: &Arc<Micheline>, serializer: S) -> Result<S::Ok, S::Error> {
    value.as_ref().serialize(serializer)
}

/// A registered expression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GlobalConstant {
    /// The expression as it was registered.
    #[serde(serialize_with = "shared")]
    pub value: Arc<Micheline>,
}

/// A big map without its entries.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BigMap {
    /// Type of its keys.
    pub key_type: Micheline,
    /// Type of its values.
    pub value_type: Micheline,
    /// Bytes its entries take.
    pub size: i64,
}

/// The place of an entry: the big map and the hash of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BigMapKey(pub i64, pub ScriptExprHash);

impl fmt::Display for BigMapKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0, self.1)
    }
}

/// An entry of a big map.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BigMapEntry {
    /// The key.
    pub key: Micheline,
    /// The value.
    pub value: Micheline,
}

/// Bytes of the table of tickets, and how many of them are paid for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TicketSpace {
    /// Bytes it takes.
    pub used: i64,
    /// Bytes paid for.
    pub paid: i64,
}

/// All state after a block.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// The level of that block.
    pub level: Level,
    /// The protocol that applies the next block.
    pub protocol: Protocol,
    /// The level of the last block of each protocol that is replaced, with the one that follows.
    pub upgrades: Arc<BTreeMap<i32, Protocol>>,
    /// The constants in force.
    pub constants: Arc<Parametric>,
    /// The counter new accounts begin with: it goes up with every operation of any account.
    pub global_counter: u64,
    /// Accounts with a key.
    pub accounts: OrdMap<PublicKeyHash, Account>,
    /// Contracts.
    pub contracts: OrdMap<ContractHash, ContractState>,
    /// Big maps, without their entries. Negative ones are temporary: no block ends with one.
    pub big_maps: OrdMap<i64, BigMap>,
    /// Entries of big maps.
    pub big_map_entries: OrdMap<BigMapKey, BigMapEntry>,
    /// The id of the next big map.
    pub next_big_map: i64,
    /// Who holds which tickets.
    pub tickets: OrdMap<TicketKey, Held>,
    /// What the table of tickets takes.
    pub ticket_space: TicketSpace,
    /// Registered global constants.
    pub global_constants: OrdMap<ScriptExprHash, GlobalConstant>,
    /// The registry of addresses.
    pub addresses: OrdMap<Destination, u64>,
    /// Smart rollups.
    pub rollups: OrdMap<SmartRollupAddress, Rollup>,
    /// The inbox they share.
    pub inbox: Inbox,
    /// The newest cell of the history of slots of the data availability layer.
    pub dal: DalSnapshot,
    /// Hash of all of the above, kept up to date from block to block.
    digest: Digest,
}

impl Ledger {
    /// The state after block 1: the accounts the chain starts with, and the baker's.
    pub fn new(start: &ChainStart, baker: &PublicKey) -> Ledger {
        let mut accounts = OrdMap::new();
        let delegate = |key: &PublicKey, balance| Account {
            balance,
            counter: 0,
            key: Some(key.clone()),
            delegate: Some(key.hash()),
            bonds: Default::default(),
        };
        accounts.insert(baker.hash(), delegate(baker, Mutez(0)));
        for account in &start.accounts {
            accounts.insert(account.public_key.hash(), delegate(&account.public_key, account.balance));
        }
        // the first inbox tells the time of block 1 as if it were that of the block before
        let level_start = LevelStart {
            predecessor_timestamp: start.timestamp,
            predecessor: GENESIS_HASH,
            migration: Some(start.protocol()),
        };
        let (inbox, _) = first_inbox(Level(1), &level_start);
        let mut ledger = Ledger {
            level: Level(1),
            protocol: start.protocol(),
            upgrades: Arc::new(start.upgrades()),
            constants: Arc::new(start.constants.clone()),
            global_counter: 0,
            accounts,
            contracts: OrdMap::new(),
            big_maps: OrdMap::new(),
            big_map_entries: OrdMap::new(),
            next_big_map: FIRST_BIG_MAP,
            tickets: OrdMap::new(),
            ticket_space: TicketSpace::default(),
            global_constants: OrdMap::new(),
            addresses: OrdMap::new(),
            rollups: OrdMap::new(),
            inbox,
            dal: first_snapshot(),
            digest: Digest::default(),
        };
        ledger.digest = digest::of_all(&ledger);
        ledger
    }

    /// Whether the block at a level is the first that the protocol executes.
    pub fn is_first_of_protocol(&self, level: Level) -> bool {
        // block 1 activates the first one
        level == Level(2) || self.upgrades.contains_key(&(level.0 - 1))
    }

    /// The first level of the protocol in force: that of the block which activated it.
    pub fn first_level_of_protocol(&self) -> Level {
        let last = self.upgrades.range(..=self.level.0).next_back();
        last.map_or(Level(1), |(level, _)| Level(level.saturating_add(1)))
    }

    /// How many protocols were activated up to the block at a level: the number in its header.
    pub fn activations(&self, level: Level) -> u8 {
        let upgrades = self.upgrades.range(..level.0).count();
        u8::try_from(upgrades + 1).unwrap_or(u8::MAX)
    }

    /// Hands over to the next protocol after its predecessor's last block.
    fn upgrade(&mut self) {
        if let Some(next) = self.upgrades.get(&self.level.0) {
            self.protocol = *next;
        }
    }

    /// The hash of the whole state: what the next block's header calls its context.
    pub fn context_hash(&self) -> ContextHash {
        self.digest.context_hash(self.level)
    }

    /// A registered expression.
    pub fn global_constant(&self, name: &ScriptExprHash) -> Option<Micheline> {
        self.global_constants.get(name).map(|constant| constant.value.as_ref().clone())
    }

    /// Removes a big map with its entries.
    fn remove_big_map(&mut self, id: i64) {
        if self.big_maps.remove(&id).is_some() {
            for key in self.entries_of(id) {
                self.big_map_entries.remove(&key);
            }
        }
    }

    /// Makes a big map that is equal to another.
    fn copy_big_map(&mut self, source: i64, id: i64) {
        if let Some(map) = self.big_maps.get(&source).cloned() {
            self.big_maps.insert(id, map);
            for key in self.entries_of(source) {
                if let Some(entry) = self.big_map_entries.get(&key).cloned() {
                    self.big_map_entries.insert(BigMapKey(id, key.1), entry);
                }
            }
        }
    }

    fn entries_of(&self, id: i64) -> Vec<BigMapKey> {
        let from = BigMapKey(id, ScriptExprHash([0; 32]));
        self.big_map_entries.range(from..).map(|(key, _)| *key).take_while(|key| key.0 == id).collect()
    }

    /// Removes the big maps that live only as long as an operation.
    fn forget_temporary(&mut self) {
        let temporary: Vec<i64> = self.big_maps.keys().copied().take_while(|id| *id < 0).collect();
        temporary.into_iter().for_each(|id| self.remove_big_map(id));
    }

    /// Adds to the bond of a staker, or takes from it.
    fn change_bond(&mut self, staker: &PublicKeyHash, rollup: &SmartRollupAddress, change: i64) {
        let counter = self.global_counter;
        let account = self.accounts.entry(*staker).or_insert_with(|| Account { counter, ..Account::default() });
        let bond = account.bonds.get(rollup).copied().unwrap_or_default().0.saturating_add_signed(change);
        if bond == 0 {
            account.bonds.remove(rollup);
        } else {
            account.bonds.insert(*rollup, Mutez(bond));
        }
    }

    /// Whether a key hash is that of a delegate: of an account that delegates to itself.
    pub fn is_delegate(&self, account: &PublicKeyHash) -> bool {
        self.accounts.get(account).is_some_and(|found| found.delegate == Some(*account))
    }
}
