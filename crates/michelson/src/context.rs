//! What a script may ask of the chain it runs on, and what it hands back. Chain state itself stays with the caller.

use soru_tezos::contract::{Contract, Destination, Entrypoint};
use soru_tezos::hash::{ChainId, ContractHash, ScriptExprHash, SmartRollupAddress};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::number::{N, Z};
use soru_tezos::scalar::{Level, Mutez, Timestamp};

use crate::lazy::LazyStorageItem;

/// The code and storage of a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredScript {
    /// The sequence of `parameter`, `storage`, `code` and views.
    pub code: Micheline,
    /// The storage, big maps as ids.
    pub storage: Micheline,
}

/// The state of the chain at the moment of a call. Methods with `&mut self` hand out ids that must never be handed out
/// twice within the operation (temporary ids) or the chain (the others).
pub trait Chain {
    /// The time `NOW` gives: the predecessor's timestamp plus the minimal block time.
    fn now(&self) -> Timestamp;
    /// The level of the block being made.
    fn level(&self) -> Level;
    /// The chain.
    fn chain_id(&self) -> ChainId;
    /// Minimal seconds between blocks.
    fn min_block_time(&self) -> u64;
    /// Sum of all voting powers.
    fn total_voting_power(&self) -> u64;
    /// Voting power of a delegate, 0 for others.
    fn voting_power(&self, delegate: &PublicKeyHash) -> u64;
    /// The balance of a contract, the amount of the present call included; 0 when it does not exist.
    fn balance(&self, contract: &ContractHash) -> Mutez;
    /// The script of a contract, when it exists.
    fn script(&self, contract: &ContractHash) -> Option<StoredScript>;
    /// The parameter type of a smart rollup, when it exists.
    fn rollup_parameter(&self, rollup: &SmartRollupAddress) -> Option<Micheline>;
    /// A registered global constant.
    fn global_constant(&self, hash: &ScriptExprHash) -> Option<Micheline>;
    /// Key and value type of a big map, when it exists. Temporary ones (negative ids) of this operation included.
    fn big_map_types(&self, id: &Z) -> Option<(Micheline, Micheline)>;
    /// The value at a key of a big map.
    fn big_map_get(&self, id: &Z, key: &ScriptExprHash) -> Option<Micheline>;
    /// Bytes taken by the entries of a big map, when it exists ([`crate::lazy::growth`] tells how it changes).
    fn big_map_size(&self, id: &Z) -> Option<i64>;
    /// The index of an address in the registry of addresses, when it has one.
    fn address_index(&self, address: &Destination) -> Option<N>;
    /// Gives an address an index in the registry, or returns the one it has.
    fn index_address(&mut self, address: &Destination) -> N;
    /// The next id of a big map; a negative one, from -1 down, when it is temporary.
    fn fresh_big_map(&mut self, temporary: bool) -> Z;
    /// The next number of an internal operation within the operation of the block.
    fn fresh_nonce(&mut self) -> u16;
    /// The address of the next contract this operation originates.
    fn fresh_contract(&mut self) -> ContractHash;
}

/// Who calls a contract, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The contract called: `SELF_ADDRESS`.
    pub contract: ContractHash,
    /// Who sent this call: `SENDER`. A smart rollup when an outbox message is executed.
    pub sender: Destination,
    /// The account that signed, or pays for, the whole operation: `SOURCE`.
    pub source: PublicKeyHash,
    /// Amount transferred.
    pub amount: Mutez,
    /// Entrypoint called.
    pub entrypoint: Entrypoint,
    /// The argument.
    pub parameter: Micheline,
    /// Whether the call comes from another script, or directly from an operation of a user. What comes from users must
    /// not forge tickets or contain big map ids.
    pub internal: bool,
}

/// What an execution leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The new storage, big maps as ids.
    pub storage: Micheline,
    /// Operations to run next, in this order, each one depth first.
    pub operations: Vec<InternalOperation>,
    /// Changes of big maps, in the order in which they must be applied.
    pub lazy_storage_diff: Vec<LazyStorageItem>,
    /// Tickets the contract's storage gained or lost.
    pub ticket_diff: Vec<TicketChange>,
}

/// A change of the number of tickets an account holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketChange {
    /// Which tickets.
    pub token: TicketToken,
    /// Whose; for [`Outcome::ticket_diff`] the contract itself.
    pub account: Destination,
    /// How many more.
    pub amount: Z,
}

/// What makes tickets exchangeable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TicketToken {
    /// Who issued them.
    pub ticketer: Contract,
    /// Type of the content.
    pub content_type: Micheline,
    /// The content.
    pub content: Micheline,
}

/// An operation emitted by a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InternalOperation {
    /// The contract that emitted it.
    pub source: ContractHash,
    /// Its number within the operation of the block.
    pub nonce: u16,
    /// What it does.
    pub kind: InternalKind,
}

/// The kinds of emitted operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InternalKind {
    /// A transfer to an account, a contract, or a smart rollup (then of amount 0 to `default`).
    Transaction {
        /// Amount transferred.
        amount: Mutez,
        /// To whom.
        destination: Destination,
        /// Entrypoint called.
        entrypoint: Entrypoint,
        /// The argument in its optimized form: the payload of the inbox message when the destination is a rollup.
        parameter: Micheline,
        /// Type of the argument.
        parameter_type: Micheline,
        /// Tickets sent along, with the number of each.
        tickets: Vec<(TicketToken, N)>,
    },
    /// A new contract.
    Origination {
        /// Initial balance.
        balance: Mutez,
        /// Delegate.
        delegate: Option<PublicKeyHash>,
        /// Code.
        code: Micheline,
        /// Initial storage, big maps as ids.
        storage: Micheline,
        /// The address it will have.
        contract: ContractHash,
        /// Tickets in the initial storage, with the number of each.
        tickets: Vec<(TicketToken, N)>,
    },
    /// A change of the contract's delegate.
    Delegation {
        /// The new delegate.
        delegate: Option<PublicKeyHash>,
    },
    /// An event.
    Event {
        /// Type of the payload.
        ty: Micheline,
        /// Name of the event; `default` when it has none.
        tag: Entrypoint,
        /// The payload.
        payload: Micheline,
    },
}

impl Call {
    /// The caller of this call as a contract, when it is no rollup.
    pub fn sender_contract(&self) -> Option<Contract> {
        match &self.sender {
            Destination::Contract(contract) => Some(*contract),
            Destination::SmartRollup(_) => None,
        }
    }
}
