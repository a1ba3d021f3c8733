//! Traces of whole cases: originate, feed the inboxes, and tell the state at the wanted ticks. The cases are the JSON files of
//! the conformance vectors; what was recorded in them is not looked at.

use crate::error::PvmError;
use crate::fast::FastEngine;
use crate::input::{END_OF_LEVEL, InputPlace, START_OF_LEVEL, info_per_level, protocol_migration};
use crate::machine::Pvm;
use crate::reveal::{RevealError, RevealKind, RevealRequest, Reveals};
use crate::state::{InputRequest, MAXIMUM_REBOOTS, Parameters};
use crate::tick_state::TickState;
use crate::units::Tick;
use crate::version::Version;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use soru_tezos::codec::HexBytes;
use soru_tezos::hash::{BlockHash, ContextHash, StateHash};
use soru_tezos::scalar::Level;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A case: a kernel, the parameters of its origination, its inboxes, and the ticks wanted.
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
    /// The ticks wanted.
    #[serde(default)]
    pub checkpoints: Vec<Wanted>,
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

/// A tick wanted; the other fields of a checkpoint are not read.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Wanted {
    /// The tick.
    pub tick: u64,
}

/// The state at a tick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The tick.
    pub tick: u64,
    /// The tick state.
    pub status: String,
    /// What is waited for: `input`, or `reveal:` and the raw request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// Hash of the state, as a context hash.
    pub context_hash: ContextHash,
    /// The same as a state hash.
    pub state_hash: StateHash,
}

impl Line {
    /// The line of a machine whose state has this hash.
    pub fn of(pvm: &Pvm, hash: soru_merkle::NodeHash) -> Result<Line, PvmError> {
        let info = pvm.info()?;
        let request = match info.request {
            InputRequest::None => None,
            InputRequest::Input => Some("input".to_owned()),
            InputRequest::Reveal(raw) => Some(format!("reveal:{}", hex::encode(raw))),
        };
        let state_hash = StateHash(hash.0);
        let tick = u64::try_from(info.tick.0).map_err(|_| PvmError::Range("the tick of a line"))?;
        let status = pvm.state().tick_state.to_string();
        Ok(Line { tick, status, request, context_hash: state_hash.into(), state_hash })
    }
}

/// Why a tick has no line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotYet {
    /// Inside a `kernel_run`, whose ticks need the exact machine.
    #[error("tick {tick} is inside a kernel_run: the exact machine is needed")]
    Inside {
        /// The tick.
        tick: u64,
    },
    /// After a run that the fast engine left undecided.
    #[error("tick {tick} is not reached: {reason}")]
    Undecided {
        /// The tick.
        tick: u64,
        /// Why the case did not go on.
        reason: String,
    },
    /// After the end of the case.
    #[error("tick {tick} is beyond the end of the case, at tick {end}")]
    Beyond {
        /// The tick.
        tick: u64,
        /// The last one.
        end: Tick,
    },
}

/// A case that cannot be played at all.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// No kernel.
    #[error("the case has neither 'kernel_wasm_hex' nor 'kernel_wat'")]
    NoKernel,
    /// A kernel text that does not assemble.
    #[error("the case's 'kernel_wat' does not assemble: {0}")]
    Wat(String),
    /// The machine failed otherwise than by being undecided.
    #[error(transparent)]
    Pvm(#[from] PvmError),
}

/// What came out of a case.
pub struct Trace {
    /// An answer for each tick wanted, in the order of ticks.
    pub answers: Vec<Result<Line, NotYet>>,
    /// The machine at the end.
    pub pvm: Pvm,
    /// Why the case was not played to its end.
    pub stopped: Option<String>,
}

/// The answers a case brings along.
pub(crate) struct CaseReveals {
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
    pub fn kernel(&self) -> Result<Vec<u8>, TraceError> {
        match (&self.kernel_wasm_hex, &self.kernel_wat) {
            (Some(bytes), _) => Ok(bytes.0.clone()),
            (None, Some(text)) => wat::parse_str(text).map_err(|error| TraceError::Wat(error.to_string())),
            (None, None) => Err(TraceError::NoKernel),
        }
    }

    /// The machine after the origination.
    pub fn originate(&self) -> Result<Pvm, TraceError> {
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
    pub(crate) fn reveals(&self) -> CaseReveals {
        CaseReveals {
            metadata: self.metadata.as_ref().map(|bytes| bytes.0.clone().into()),
            preimages: self.preimages.clone(),
        }
    }

    /// Plays the case, with the fast engine alone: ticks inside a `kernel_run` are left open.
    pub fn trace(&self, engine: &FastEngine) -> Result<Trace, TraceError> {
        let reveals: Arc<dyn Reveals> = Arc::new(self.reveals());
        let mut wanted: Vec<u64> = self.checkpoints.iter().map(|wanted| wanted.tick).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut player = Player { pvm: self.originate()?, engine, reveals, wanted: wanted.into(), answers: Vec::new() };
        let stopped = player.play(&self.inboxes)?;
        let end = player.pvm.state().current_tick;
        let mut answers = player.answers;
        answers.extend(player.wanted.into_iter().map(|tick| {
            Err(match &stopped {
                Some(reason) => NotYet::Undecided { tick, reason: reason.clone() },
                None => NotYet::Beyond { tick, end },
            })
        }));
        Ok(Trace { answers, pvm: player.pvm, stopped })
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

struct Player<'a> {
    pvm: Pvm,
    engine: &'a FastEngine,
    reveals: Arc<dyn Reveals>,
    wanted: std::collections::VecDeque<u64>,
    answers: Vec<Result<Line, NotYet>>,
}

impl Player<'_> {
    /// Feeds all levels. Gives the reason when it cannot go on.
    fn play(&mut self, inboxes: &[Inbox]) -> Result<Option<String>, PvmError> {
        self.look()?;
        for inbox in inboxes {
            for (counter, message) in inbox.feed().into_iter().enumerate() {
                if let Some(reason) = self.run()? {
                    return Ok(Some(reason));
                }
                self.pvm.set_input(InputPlace { level: inbox.level, counter: counter as u64 }, message)?;
                self.look()?;
            }
            if let Some(reason) = self.run()? {
                return Ok(Some(reason));
            }
        }
        Ok(None)
    }

    /// Steps until an input is requested.
    fn run(&mut self) -> Result<Option<String>, PvmError> {
        while self.pvm.info()?.request == InputRequest::None {
            match self.pvm.state().tick_state {
                TickState::Padding => {
                    self.pad()?;
                    self.pvm.step()?;
                }
                TickState::Snapshot => match self.pvm.kernel_run(self.engine, &self.reveals) {
                    Ok(()) => self.skip(),
                    Err(error @ (PvmError::Undecided { .. } | PvmError::Reveal { .. })) => {
                        return Ok(Some(error.to_string()));
                    }
                    Err(error) => return Err(error),
                },
                _ => self.pvm.step()?,
            }
            self.look()?;
        }
        Ok(None)
    }

    /// The next tick wanted, if it is before or at `tick`.
    fn next_wanted(&self, tick: Tick) -> Option<u64> {
        self.wanted.front().copied().filter(|wanted| u128::from(*wanted) <= tick.0)
    }

    /// Answers for the present tick, if it is wanted.
    fn look(&mut self) -> Result<(), PvmError> {
        let now = self.pvm.state().current_tick;
        if self.next_wanted(now).is_some_and(|wanted| u128::from(wanted) == now.0)
            && let Some(tick) = self.wanted.pop_front()
        {
            debug_assert_eq!(u128::from(tick), now.0);
            self.answers.push(Ok(Line::of(&self.pvm, self.pvm.tree()?.hash()?)?));
        }
        Ok(())
    }

    /// Pads to the last tick of the cycle, answering for those wanted on the way.
    fn pad(&mut self) -> Result<(), PvmError> {
        loop {
            let now = self.pvm.state().current_tick;
            let left = self.pvm.state().ticks_to_boundary();
            let target = self.next_wanted(now.after(left)).map_or(left, |wanted| Tick(wanted.into()).since(now));
            self.pvm.pad(target);
            self.look()?;
            if target == left {
                return Ok(());
            }
        }
    }

    /// Gives up the ticks wanted inside the run just made.
    fn skip(&mut self) {
        let now = self.pvm.state().current_tick;
        while let Some(tick) = self.next_wanted(now).filter(|tick| u128::from(*tick) < now.0) {
            self.wanted.pop_front();
            self.answers.push(Err(NotYet::Inside { tick }));
        }
    }
}
