//! Kinds of operations a node injects: how urgent, how much they may cost, what to do when they fail
//! (`spec/node.md` §3.5, §3.6, §4.12).

use crate::fees::{FeeParameters, SAFETY_GAS};
use soru_tezos::operation::ManagerBody;
use soru_tezos::rpc_error::{ErrorKind, TezosError};
use soru_tezos::scalar::Mutez;

/// A kind of injected operation, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Ends a game.
    Timeout,
    /// Moves in a game.
    Refute,
    /// Cements.
    Cement,
    /// Publishes a commitment.
    Publish,
    /// Publishes a DAL slot.
    PublishDal,
    /// Recovers a bond.
    Recover,
    /// Adds messages.
    AddMessages,
    /// Executes an outbox message.
    ExecuteOutbox,
    /// Any other.
    Other,
}

impl Kind {
    /// The kind of an operation.
    pub fn of(body: &ManagerBody) -> Kind {
        match body {
            ManagerBody::SmartRollupTimeout(_) => Kind::Timeout,
            ManagerBody::SmartRollupRefute(_) => Kind::Refute,
            ManagerBody::SmartRollupCement(_) => Kind::Cement,
            ManagerBody::SmartRollupPublish(_) => Kind::Publish,
            ManagerBody::DalPublishCommitment(_) => Kind::PublishDal,
            ManagerBody::SmartRollupRecoverBond(_) => Kind::Recover,
            ManagerBody::SmartRollupAddMessages(_) => Kind::AddMessages,
            ManagerBody::SmartRollupExecuteOutboxMessage(_) => Kind::ExecuteOutbox,
            _ => Kind::Other,
        }
    }

    /// Lower goes first. Cementing goes before publishing: failing publications must not hold it up.
    pub fn priority(self) -> u8 {
        match self {
            Kind::Timeout => 0,
            Kind::Refute => 1,
            Kind::Cement => 2,
            Kind::Publish | Kind::PublishDal => 3,
            Kind::Recover => 4,
            Kind::AddMessages => 5,
            Kind::ExecuteOutbox => 6,
            Kind::Other => 7,
        }
    }

    /// Whether two equal operations are the same: messages may be sent twice, a commitment not.
    pub fn is_unique(self) -> bool {
        !matches!(self, Kind::AddMessages | Kind::PublishDal)
    }

    /// Whether an equal operation may be meant anew after one was included: what it is about follows from the chain.
    pub fn may_follow_itself(self) -> bool {
        matches!(self, Kind::Cement | Kind::Refute | Kind::Timeout)
    }

    /// Whether it survives a restart; the others are found again by looking at the chain.
    pub fn persists(self) -> bool {
        matches!(self, Kind::AddMessages | Kind::Recover | Kind::ExecuteOutbox | Kind::PublishDal)
    }

    /// Gas added for safety: what a game or commitment uses depends on what others do meanwhile. A commitment of somebody else
    /// that comes first makes ours dearer by some 700: with the reference's 300, a few rivals in the right blocks would put a
    /// publication off until its curfew, after which the rollup can never go on.
    pub fn safety_gas(self) -> u64 {
        match self {
            Kind::Publish => 2_500,
            Kind::Refute | Kind::Timeout => 300,
            _ => SAFETY_GAS,
        }
    }

    /// Fees and caps when nothing else is configured.
    pub fn default_fees(self) -> FeeParameters {
        let (fee, burn) = match self {
            Kind::Cement | Kind::Recover | Kind::AddMessages => (1, 0),
            Kind::Publish => (2, 1),
            Kind::Timeout => (2, 0),
            Kind::Refute => (5, 1),
            Kind::ExecuteOutbox | Kind::PublishDal | Kind::Other => (1, 1),
        };
        FeeParameters { fee_cap: Mutez::of_tez(fee), burn_cap: Mutez::of_tez(burn), ..FeeParameters::default() }
    }

    /// Whether an operation that failed in a block is worth another try.
    pub fn retries_after(self, errors: &[TezosError]) -> bool {
        match self {
            Kind::Cement | Kind::Publish | Kind::ExecuteOutbox => false,
            _ => errors.last().is_some_and(|error| error.kind != ErrorKind::Permanent),
        }
    }
}

/// Fees of a batch: the highest prices and all caps together.
pub fn combine(fees: impl IntoIterator<Item = FeeParameters>) -> FeeParameters {
    let none = FeeParameters {
        minimal_fees: Mutez(0),
        nanotez_per_byte: 0,
        nanotez_per_gas: 0,
        force_low_fee: false,
        fee_cap: Mutez(0),
        burn_cap: Mutez(0),
    };
    fees.into_iter().fold(none, |sum, fees| FeeParameters {
        minimal_fees: sum.minimal_fees.max(fees.minimal_fees),
        nanotez_per_byte: sum.nanotez_per_byte.max(fees.nanotez_per_byte),
        nanotez_per_gas: sum.nanotez_per_gas.max(fees.nanotez_per_gas),
        force_low_fee: sum.force_low_fee || fees.force_low_fee,
        fee_cap: sum.fee_cap.checked_add(fees.fee_cap).unwrap_or(Mutez::MAX),
        burn_cap: sum.burn_cap.checked_add(fees.burn_cap).unwrap_or(Mutez::MAX),
    })
}
