//! What the machine is doing (`spec/pvm.md` §4.2), and the errors that stuck states keep (§4.8).

use crate::encoding::exactly;
use crate::error::PvmError;
use crate::leaf;
use soru_merkle::Tree;
use soru_tezos::codec::{Decoded, Encode, Problem, Reader, put_dynamic};
use std::fmt;

/// Most bytes of an exception's text.
const TEXT_LIMIT: usize = 128;
/// Where the tick state's tag stands.
const TAG: [&str; 2] = ["wasm", "tag"];
/// Where its payload stands.
const VALUE: [&str; 2] = ["wasm", "value"];

/// The parts of a `kernel_run`, whose states are the exact machine's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Parsing the kernel.
    Decode,
    /// Resolving its imports.
    Link,
    /// Instantiating it.
    Init,
    /// Running it.
    Eval,
}

impl Phase {
    /// The tag in the tree.
    pub const fn tag(self) -> &'static str {
        match self {
            Phase::Decode => "decode",
            Phase::Link => "link",
            Phase::Init => "init",
            Phase::Eval => "eval",
        }
    }
}

/// The state of the machine between two ticks.
#[derive(Clone)]
pub enum TickState {
    /// Waiting for the next message of the level.
    Collect,
    /// About to start a `kernel_run`.
    Snapshot,
    /// Waiting for the end of the cycle.
    Padding,
    /// Stopped by an error.
    Stuck(StuckError),
    /// Inside a `kernel_run`; the payload is left as it is in the tree.
    Running(Phase, Tree),
}

impl TickState {
    /// Reads the tick state of a state; without a tag it is `Collect`.
    pub fn decode(state: &Tree) -> Result<TickState, PvmError> {
        let read_tag = |bytes: &[u8]| exactly(bytes, "tag", |reader| reader.dynamic("tag").map(<[u8]>::to_vec));
        let Some(tag) = leaf::optional(state, &TAG, read_tag)? else { return Ok(TickState::Collect) };
        let running = |phase| Ok(TickState::Running(phase, leaf::subtree(state, &VALUE)?));
        match tag.as_slice() {
            b"collect" => Ok(TickState::Collect),
            b"snapshot" => Ok(TickState::Snapshot),
            b"padding" => Ok(TickState::Padding),
            b"stuck" => leaf::required(state, &VALUE, StuckError::of_leaf).map(TickState::Stuck),
            b"decode" => running(Phase::Decode),
            b"link" => running(Phase::Link),
            b"init" => running(Phase::Init),
            b"eval" => running(Phase::Eval),
            other => Err(PvmError::Tag {
                path: leaf::show(&TAG),
                tag: String::from_utf8_lossy(&other[..other.len().min(64)]).into_owned(),
            }),
        }
    }

    /// Writes the tick state into a state whose `wasm` directory was emptied.
    pub fn encode(&self, state: &mut Tree) -> Result<(), PvmError> {
        state.write(&TAG, |out| put_dynamic(out, self.tag().as_bytes()))?;
        match self {
            TickState::Stuck(error) => state.add(&VALUE, error.to_bytes())?,
            TickState::Running(_, payload) => state.add_tree(&VALUE, payload.clone())?,
            TickState::Collect | TickState::Snapshot | TickState::Padding => {}
        }
        Ok(())
    }

    /// The tag in the tree.
    pub fn tag(&self) -> &'static str {
        match self {
            TickState::Collect => "collect",
            TickState::Snapshot => "snapshot",
            TickState::Padding => "padding",
            TickState::Stuck(_) => "stuck",
            TickState::Running(phase, _) => phase.tag(),
        }
    }
}

impl fmt::Display for TickState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TickState::Stuck(error) => write!(f, "stuck({error})"),
            other => f.write_str(other.tag()),
        }
    }
}

/// A text of the reference's. Exception texts are cut at 128 bytes, explanations are not (§15.3).
#[derive(Clone, PartialEq, Eq)]
pub struct Text(Vec<u8>);

impl Text {
    /// The text, cut at 128 bytes.
    pub fn new(text: impl AsRef<[u8]>) -> Text {
        let text = text.as_ref();
        Text(text[..text.len().min(TEXT_LIMIT)].to_vec())
    }

    /// The whole text.
    pub fn whole(text: impl AsRef<[u8]>) -> Text {
        Text(text.as_ref().to_vec())
    }

    fn decode(reader: &mut Reader<'_>) -> Decoded<Text> {
        reader.dynamic("text").map(|text| Text(text.to_vec()))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

/// An error of the interpreter: how the reference prints its exception, and an explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterpreterError {
    /// The exception as printed.
    pub raw_exception: Text,
    /// What it means, where the reference says.
    pub explanation: Option<Text>,
}

/// Why a kernel could not start, when there is no other to fall back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// It does not decode.
    Decode(InterpreterError),
    /// It does not link.
    Link(Text),
    /// It does not initialise.
    Init(InterpreterError),
}

/// Why the machine is stuck.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StuckError {
    /// The kernel does not decode. The next tick falls back to the last kernel that started.
    Decode(InterpreterError),
    /// It does not link; falls back likewise.
    Link(Text),
    /// It does not initialise; falls back likewise.
    Init(InterpreterError),
    /// The evaluation failed otherwise than by a trap.
    Eval(InterpreterError),
    /// An input or reveal at a time when none is wanted.
    InvalidState(Text),
    /// Any other exception of the reference.
    Unknown(Text),
    /// The kernel needed more ticks than a snapshot allows.
    TooManyTicks,
    /// Never produced by the present rules.
    TooManyReboots,
    /// The kernel does not start and there is no other.
    NoFallbackKernel(Cause),
}

fn put_interpreter(out: &mut Vec<u8>, error: &InterpreterError) {
    put_dynamic(out, &error.raw_exception.0);
    match &error.explanation {
        None => out.push(0),
        Some(text) => {
            out.push(1);
            put_dynamic(out, &text.0);
        }
    }
}

fn read_interpreter(reader: &mut Reader<'_>) -> Decoded<InterpreterError> {
    let raw_exception = Text::decode(reader)?;
    let at = reader.clone();
    let explanation = match reader.byte("explanation")? {
        0 => None,
        1 => Some(Text::decode(reader)?),
        other => return Err(at.error("explanation", Problem::Tag(other))),
    };
    Ok(InterpreterError { raw_exception, explanation })
}

impl StuckError {
    /// Whether the next tick tries the fallback kernel, so that no input is wanted.
    pub fn cause(&self) -> Option<Cause> {
        match self {
            StuckError::Decode(error) => Some(Cause::Decode(error.clone())),
            StuckError::Link(text) => Some(Cause::Link(text.clone())),
            StuckError::Init(error) => Some(Cause::Init(error.clone())),
            _ => None,
        }
    }

    /// Reads the leaf of a stuck state.
    pub fn of_leaf(bytes: &[u8]) -> Decoded<StuckError> {
        exactly(bytes, "stuck state", |reader| {
            let at = reader.clone();
            Ok(match reader.byte("stuck state")? {
                0 => StuckError::Decode(read_interpreter(reader)?),
                1 => StuckError::Link(Text::decode(reader)?),
                2 => StuckError::Init(read_interpreter(reader)?),
                3 => StuckError::Eval(read_interpreter(reader)?),
                4 => StuckError::InvalidState(Text::decode(reader)?),
                5 => StuckError::Unknown(Text::decode(reader)?),
                6 => StuckError::TooManyTicks,
                7 => StuckError::TooManyReboots,
                8 => {
                    let at = reader.clone();
                    StuckError::NoFallbackKernel(match reader.byte("cause")? {
                        0 => Cause::Decode(read_interpreter(reader)?),
                        1 => Cause::Link(Text::decode(reader)?),
                        2 => Cause::Init(read_interpreter(reader)?),
                        other => return Err(at.error("cause", Problem::Tag(other))),
                    })
                }
                other => return Err(at.error("stuck state", Problem::Tag(other))),
            })
        })
    }
}

impl Encode for StuckError {
    fn encode(&self, out: &mut Vec<u8>) {
        let mut tagged = |tag: u8, write: &dyn Fn(&mut Vec<u8>)| {
            out.push(tag);
            write(out);
        };
        match self {
            StuckError::Decode(error) => tagged(0, &|out| put_interpreter(out, error)),
            StuckError::Link(text) => tagged(1, &|out| put_dynamic(out, &text.0)),
            StuckError::Init(error) => tagged(2, &|out| put_interpreter(out, error)),
            StuckError::Eval(error) => tagged(3, &|out| put_interpreter(out, error)),
            StuckError::InvalidState(text) => tagged(4, &|out| put_dynamic(out, &text.0)),
            StuckError::Unknown(text) => tagged(5, &|out| put_dynamic(out, &text.0)),
            StuckError::TooManyTicks => tagged(6, &|_| ()),
            StuckError::TooManyReboots => tagged(7, &|_| ()),
            StuckError::NoFallbackKernel(Cause::Decode(error)) => tagged(8, &|out| {
                out.push(0);
                put_interpreter(out, error);
            }),
            StuckError::NoFallbackKernel(Cause::Link(text)) => tagged(8, &|out| {
                out.push(1);
                put_dynamic(out, &text.0);
            }),
            StuckError::NoFallbackKernel(Cause::Init(error)) => tagged(8, &|out| {
                out.push(2);
                put_interpreter(out, error);
            }),
        }
    }
}

impl fmt::Display for InterpreterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{ raw_exception: {}; explanation: ", self.raw_exception)?;
        match &self.explanation {
            None => f.write_str("None }"),
            Some(explanation) => write!(f, "Some: {explanation} }}"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Decode(error) => write!(f, "Decode_cause {error}"),
            Cause::Link(text) => write!(f, "Link_cause {text}"),
            Cause::Init(error) => write!(f, "Init_cause {error}"),
        }
    }
}

impl fmt::Display for StuckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StuckError::Decode(error) => write!(f, "Decode_error {error}"),
            StuckError::Link(text) => write!(f, "Link_error {text}"),
            StuckError::Init(error) => write!(f, "Init_error {error}"),
            StuckError::Eval(error) => write!(f, "Eval_error {error}"),
            StuckError::InvalidState(text) => write!(f, "Invalid_state ({text})"),
            StuckError::Unknown(text) => write!(f, "Unknown_error ({text})"),
            StuckError::TooManyTicks => f.write_str("Too_many_ticks"),
            StuckError::TooManyReboots => f.write_str("Too_many_reboots"),
            StuckError::NoFallbackKernel(cause) => write!(f, "No_fallback_kernel ({cause})"),
        }
    }
}
