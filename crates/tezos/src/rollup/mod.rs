//! The values of smart rollups that travel on the layer 1 and between nodes: commitments, inbox and outbox messages,
//! reveals, refutation games (`spec/protocol.md` §3–7). The rules on them live in `soru-protocol`.

mod commitment;
mod dal;
mod game;
mod inbox;
mod outbox;
mod refutation;
mod reveal;

pub use commitment::{Commitment, GenesisInfo, HashedCommitment, PvmKind, UnknownPvmKind};
pub use dal::{
    DalCell, DalCellContent, DalHeader, DalHeaderVersion, DalPageId, DalPointerHash, DalSlotCommitment, DalSlotHeader,
    DalSnapshot,
};
pub use game::{DissectionChunk, Game, GameResult, GameState, GameStatus, LossReason, Player, Stakers};
pub use inbox::{
    HistoryCell, Inbox, InboxMessage, InternalMessage, LevelProof, PayloadCell, PublisherSlots, SkipCell, Transfer,
};
pub use outbox::{OutboxMessage, OutboxTransaction, OutboxTypedTransaction, Output, WhitelistUpdate};
pub use refutation::{InputProof, Proof, Refutation, RevealProof, Step};
pub use reveal::{InputRequest, RevealRequest};
