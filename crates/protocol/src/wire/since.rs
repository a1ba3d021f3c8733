//! Since which protocol a value can be written down (`spec/protocol.md` §8.4). The types of `soru-tezos` know all that any
//! protocol knows; what is younger than a protocol is refused in its name.

use crate::protocol::Protocol;
use soru_tezos::micheline::{Micheline, Prim};
use soru_tezos::operation::{ManagerBody, ManagerOperation};
use soru_tezos::rollup::{
    DalCellContent, DalSnapshot, Game, InboxMessage, InputProof, InternalMessage, OutboxMessage, Output, Proof,
    PvmKind, Refutation, RevealProof, RevealRequest, Step,
};

/// The first protocol that knows a value, and what it is in the value that no earlier one knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// The protocol.
    pub protocol: Protocol,
    /// What came with it.
    pub what: &'static str,
}

impl Since {
    /// All protocols with smart rollups know it.
    const ALWAYS: Since = Since { protocol: Protocol::Mumbai, what: "" };

    const fn new(protocol: Protocol, what: &'static str) -> Since {
        Since { protocol, what }
    }

    /// That of the younger part.
    fn and(self, other: Since) -> Since {
        if other.protocol > self.protocol { other } else { self }
    }

    fn of_all<'a, T: Dated + 'a>(parts: impl IntoIterator<Item = &'a T>) -> Since {
        parts.into_iter().fold(Since::ALWAYS, |since, part| since.and(part.since()))
    }
}

/// A value of a later protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} does not know {}, which came with {}", protocol.error_name(), since.what, since.protocol.error_name())]
pub struct NotYet {
    /// The protocol asked for.
    pub protocol: Protocol,
    /// What it does not know.
    pub since: Since,
}

/// Values that not every protocol knows.
pub trait Dated {
    /// The first protocol that knows the value.
    fn since(&self) -> Since;

    /// Refuses a value that came later than a protocol.
    ///
    /// # Errors
    /// When the protocol does not know the value.
    fn check(&self, protocol: Protocol) -> Result<(), NotYet> {
        let since = self.since();
        if since.protocol > protocol { Err(NotYet { protocol, since }) } else { Ok(()) }
    }
}

impl Dated for Prim {
    fn since(&self) -> Since {
        let protocol = match self {
            Prim::Ticket => Protocol::ParisB,
            Prim::IS_IMPLICIT_ACCOUNT => Protocol::Seoul,
            Prim::INDEX_ADDRESS | Prim::GET_ADDRESS_INDEX => Protocol::Tallinn,
            _ => Protocol::Mumbai,
        };
        Since::new(protocol, self.name())
    }
}

impl Dated for Micheline {
    fn since(&self) -> Since {
        match self {
            Micheline::Int(_) | Micheline::String(_) | Micheline::Bytes(_) => Since::ALWAYS,
            Micheline::Seq(items) => Since::of_all(items),
            Micheline::Prim(app) => app.prim.since().and(Since::of_all(&app.args)),
        }
    }
}

impl Dated for PvmKind {
    fn since(&self) -> Since {
        match self {
            PvmKind::Arith | PvmKind::Wasm200 => Since::ALWAYS,
            PvmKind::Riscv => Since::new(Protocol::Oxford, "the PVM riscv"),
        }
    }
}

impl Dated for InboxMessage {
    fn since(&self) -> Since {
        match self {
            InboxMessage::Internal(InternalMessage::Transfer(transfer)) => transfer.payload.since(),
            InboxMessage::Internal(InternalMessage::ProtocolMigration { .. }) => {
                Since::new(Protocol::Nairobi, "the message protocol_migration")
            }
            InboxMessage::Internal(InternalMessage::DalAttestedSlots { .. }) => {
                Since::new(Protocol::Ushuaia, "the message dal_attested_slots")
            }
            _ => Since::ALWAYS,
        }
    }
}

impl Dated for OutboxMessage {
    fn since(&self) -> Since {
        match self {
            OutboxMessage::AtomicTransactionBatch(calls) => Since::of_all(calls.iter().map(|call| &call.parameters)),
            OutboxMessage::AtomicTransactionBatchTyped(calls) => {
                let parts = calls.iter().flat_map(|call| [&call.parameters, &call.parameters_ty]);
                Since::new(Protocol::Nairobi, "typed outbox messages").and(Since::of_all(parts))
            }
            OutboxMessage::WhitelistUpdate(_) => Since::new(Protocol::Oxford, "the outbox message whitelist_update"),
            OutboxMessage::CanonicalRollupSignal(_) => {
                Since::new(Protocol::Ushuaia, "the outbox message canonical_rollup_signal")
            }
        }
    }
}

impl Dated for Output {
    fn since(&self) -> Since {
        self.message.since()
    }
}

impl Dated for RevealRequest {
    fn since(&self) -> Since {
        match self {
            RevealRequest::RawData { .. } | RevealRequest::Metadata | RevealRequest::DalPage { .. } => Since::ALWAYS,
            RevealRequest::DalParameters => Since::new(Protocol::Oxford, "the request reveal_dal_parameters"),
            RevealRequest::AdaptiveDalPage { .. } => Since::new(Protocol::Rio, "the request request_adaptive_dal_page"),
        }
    }
}

impl Dated for Proof {
    fn since(&self) -> Since {
        match &self.input_proof {
            Some(InputProof::RevealProof { reveal_proof: RevealProof::DalParametersProof }) => {
                Since::new(Protocol::Oxford, "the proof of DAL parameters")
            }
            _ => Since::ALWAYS,
        }
    }
}

/// Cells of the DAL's history took their present form in 022; games of earlier protocols hold others.
impl Dated for Game {
    fn since(&self) -> Since {
        let DalSnapshot::Cell(cell) = &self.dal_snapshot;
        match cell.content {
            DalCellContent::Unpublished { attestation_lag: Some(_), .. }
            | DalCellContent::Published { attestation_lag: Some(_), .. } => {
                Since::new(Protocol::Ushuaia, "the attestation lag of DAL cells")
            }
            _ => Since::new(Protocol::Rio, "this form of DAL cells in games"),
        }
    }
}

impl Dated for ManagerBody {
    fn since(&self) -> Since {
        match self {
            ManagerBody::Reveal(reveal) if reveal.proof.is_some() => {
                Since::new(Protocol::Seoul, "the proof of possession in reveals")
            }
            ManagerBody::UpdateConsensusKey(update) if update.proof.is_some() => {
                Since::new(Protocol::Rio, "the proof of possession in key updates")
            }
            ManagerBody::UpdateCompanionKey(_) => Since::new(Protocol::Seoul, "the operation update_companion_key"),
            ManagerBody::Transaction(transaction) => transaction.parameters.value.since(),
            ManagerBody::Origination(origination) => {
                origination.script.code.since().and(origination.script.storage.since())
            }
            ManagerBody::RegisterGlobalConstant(constant) => constant.value.since(),
            ManagerBody::TransferTicket(ticket) => ticket.ticket_contents.since().and(ticket.ticket_ty.since()),
            ManagerBody::SmartRollupOriginate(originate) => {
                let whitelist = match originate.whitelist {
                    Some(_) => Since::new(Protocol::Oxford, "the whitelist of a rollup"),
                    None => Since::ALWAYS,
                };
                whitelist.and(originate.pvm_kind.since()).and(originate.parameters_ty.since())
            }
            ManagerBody::SmartRollupRefute(refute) => match &refute.refutation {
                Refutation::Move { step: Step::Proof(proof), .. } => proof.since(),
                _ => Since::ALWAYS,
            },
            _ => Since::ALWAYS,
        }
    }
}

impl Dated for ManagerOperation {
    fn since(&self) -> Since {
        self.body.since()
    }
}
