//! Cases: a kernel, the parameters of its origination, and all it is fed, in one JSON file, as the conformance vectors are. What was
//! recorded in them besides is not looked at; [`crate::trace`] plays them.

use crate::error::PvmError;
use crate::input::{END_OF_LEVEL, START_OF_LEVEL, info_per_level, protocol_migration};
use crate::machine::Pvm;
use crate::reveal::{RevealError, RevealKind, RevealRequest, Reveals};
use crate::state::{MAXIMUM_REBOOTS, Parameters};
use crate::units::Tick;
use crate::version::Version;
use bytes::Bytes;
use serde::Deserialize;
use soru_tezos::codec::HexBytes;
use soru_tezos::hash::BlockHash;
use soru_tezos::scalar::Level;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A case: a kernel, the parameters of its origination, its inboxes, and the ticks it asks for.
#[derive(Debug, Clone, Deserialize)]
pub struct Case {
    /// Name, for messages.
    #[serde(default)]
    pub name: String,
    /// The boot sector.
    #[serde(default)]
    pub kernel_wasm_hex: Option<HexBytes>,
    /// The kernel as text, used when there are no bytes.
    #[serde(default)]
    pub kernel_wat: Option<String>,
    /// Content of `/readonly/wasm_version`.
    pub pvm_version: String,
    /// Ticks of a cycle.
    pub ticks_per_snapshot: u64,
    /// Levels an outbox is kept.
    pub outbox_validity_period: i32,
    /// Most messages of an outbox.
    pub outbox_message_limit: i64,
    /// Runs of the kernel a level allows.
    #[serde(default = "default_reboots")]
    pub maximum_reboots_per_input: u64,
    /// Answer to requests for the metadata.
    #[serde(default)]
    pub metadata: Option<HexBytes>,
    /// Answers to requests for preimages, by the 33 bytes of their hash in hexadecimal.
    #[serde(default)]
    pub preimages: BTreeMap<String, HexBytes>,
    /// The levels, in order.
    pub inboxes: Vec<Inbox>,
    /// Ticks whose states are asked for.
    #[serde(default)]
    pub checkpoints: Vec<Asked>,
    /// Ticks of which the proof of the step that starts there is asked for.
    #[serde(default)]
    pub proofs: Vec<Asked>,
}

fn default_reboots() -> u64 {
    MAXIMUM_REBOOTS as u64
}

/// An inbox level.
#[derive(Debug, Clone, Deserialize)]
pub struct Inbox {
    /// Its number.
    pub level: Level,
    /// Time of its predecessor in seconds.
    #[serde(default)]
    pub predecessor_timestamp: i64,
    /// Hash of its predecessor.
    #[serde(default)]
    pub predecessor: Option<BlockHash>,
    /// `none`: only the listed messages are fed.
    #[serde(default)]
    pub framing: Option<String>,
    /// The messages.
    #[serde(default)]
    pub messages: Vec<Message>,
}

/// A message of a level.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Message {
    /// The content of an external message.
    External(HexBytes),
    /// A message as it is.
    Raw(HexBytes),
    /// The migration to the protocol of that name.
    Migrate(String),
}

/// A tick asked for; what a checkpoint or a proof records of it is not read.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Asked {
    /// The tick.
    pub tick: u64,
}

/// A case that cannot be played at all.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// No kernel.
    #[error("the case has neither 'kernel_wasm_hex' nor 'kernel_wat'")]
    NoKernel,
    /// A kernel text that does not assemble.
    #[error("the case's 'kernel_wat' does not assemble: {0}")]
    Wat(String),
    /// The origination is not possible.
    #[error(transparent)]
    Pvm(#[from] PvmError),
}

/// The answers a case brings along.
struct CaseReveals {
    metadata: Option<Bytes>,
    preimages: BTreeMap<String, HexBytes>,
}

impl Reveals for CaseReveals {
    fn is_enabled(&self, _: Level, _: RevealKind) -> bool {
        true
    }

    fn answer(&self, request: &RevealRequest) -> Result<Bytes, RevealError> {
        match request {
            RevealRequest::Metadata => self.metadata.clone().ok_or_else(|| RevealError::Unavailable("metadata".into())),
            RevealRequest::Preimage(hash) => match self.preimages.get(&hash.to_hex()) {
                Some(data) => Ok(data.0.clone().into()),
                None => Err(RevealError::MissingPreimage(*hash)),
            },
            other => Err(RevealError::Unavailable(format!("{other:?}"))),
        }
    }

    // a case answers the machine itself, without the protocol's substitutions
    fn answer_raw(&self, raw: &[u8], _: Option<Level>) -> Result<Bytes, RevealError> {
        match RevealRequest::decode(raw) {
            Ok(request) => self.answer(&request),
            Err(error) => Err(RevealError::Unavailable(format!("{} ({error})", hex::encode(raw)))),
        }
    }
}

impl Case {
    /// The boot sector.
    pub fn kernel(&self) -> Result<Vec<u8>, CaseError> {
        match (&self.kernel_wasm_hex, &self.kernel_wat) {
            (Some(bytes), _) => Ok(bytes.0.clone()),
            (None, Some(text)) => wat::parse_str(text).map_err(|error| CaseError::Wat(error.to_string())),
            (None, None) => Err(CaseError::NoKernel),
        }
    }

    /// The machine after the origination.
    pub fn originate(&self) -> Result<Pvm, CaseError> {
        let version: Version = self.pvm_version.parse()?;
        let parameters = Parameters {
            ticks_per_snapshot: Tick(self.ticks_per_snapshot.into()),
            outbox_validity_period: self.outbox_validity_period,
            outbox_message_limit: self.outbox_message_limit.into(),
            maximum_reboots_per_input: self.maximum_reboots_per_input.into(),
        };
        Ok(Pvm::originate(version, &self.kernel()?, parameters)?)
    }

    /// The answers the case brings along.
    pub fn reveals(&self) -> Arc<dyn Reveals> {
        Arc::new(CaseReveals {
            metadata: self.metadata.as_ref().map(|bytes| bytes.0.clone().into()),
            preimages: self.preimages.clone(),
        })
    }
}

impl Inbox {
    /// The level's messages, in the order they are fed.
    pub fn feed(&self) -> Vec<Bytes> {
        let bytes = |message: &Message| match message {
            Message::External(content) => [&[1], content.0.as_slice()].concat().into(),
            Message::Raw(bytes) => Bytes::from(bytes.0.clone()),
            Message::Migrate(name) => protocol_migration(name).into(),
        };
        if self.framing.as_deref() == Some("none") {
            return self.messages.iter().map(bytes).collect();
        }
        let (migrations, others): (Vec<_>, Vec<_>) =
            self.messages.iter().partition(|message| matches!(message, Message::Migrate(_)));
        let predecessor = self.predecessor.unwrap_or(BlockHash([0; 32]));
        let mut feed = vec![Bytes::from_static(&START_OF_LEVEL)];
        feed.extend(migrations.into_iter().map(bytes));
        feed.push(info_per_level(self.predecessor_timestamp, &predecessor).into());
        feed.extend(others.into_iter().map(bytes));
        feed.push(Bytes::from_static(&END_OF_LEVEL));
        feed
    }
}
