//! The ledger: all state of the layer 1 as persistent plain data. A clone costs nothing, so that every block keeps its
//! own, and undoing a failed operation is dropping a value.

mod account;
mod apply;
mod content;
mod digest;
pub mod errors;
pub mod gas;
mod storage_fees;
mod transfer;
mod validate;

pub use account::Account;
pub use apply::{Application, BlockContext, BlockOutcome};
pub use digest::Digest;
pub use validate::{BlockGas, Signed, validate};

use crate::block::ChainStart;
use imbl::OrdMap;
use serde::{Serialize, Serializer};
use soru_protocol::constants::Parametric;
use soru_tezos::hash::{ContextHash, ContractHash};
use soru_tezos::key::{PublicKey, PublicKeyHash};
use soru_tezos::micheline::Micheline;
use soru_tezos::scalar::{Level, Mutez};
use std::sync::Arc;

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

/// All state after a block.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// The level of that block.
    pub level: Level,
    /// The constants in force.
    pub constants: Arc<Parametric>,
    /// The counter new accounts begin with: it goes up with every operation of any account.
    pub global_counter: u64,
    /// Accounts with a key.
    pub accounts: OrdMap<PublicKeyHash, Account>,
    /// Contracts.
    pub contracts: OrdMap<ContractHash, ContractState>,
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
        let mut ledger = Ledger {
            level: Level(1),
            constants: Arc::new(start.constants.clone()),
            global_counter: 0,
            accounts,
            contracts: OrdMap::new(),
            digest: Digest::default(),
        };
        ledger.digest = digest::of_all(&ledger);
        ledger
    }

    /// The hash of the whole state: what the next block's header calls its context.
    pub fn context_hash(&self) -> ContextHash {
        self.digest.context_hash(self.level)
    }

    /// Whether a key hash is that of a delegate: of an account that delegates to itself.
    pub fn is_delegate(&self, account: &PublicKeyHash) -> bool {
        self.accounts.get(account).is_some_and(|found| found.delegate == Some(*account))
    }
}
