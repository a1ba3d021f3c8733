//! What a step can end in besides a next state (`spec/pvm.md` §4.8, §5.9). The text of an exception becomes part of the
//! state, and so of its hash: it must be the reference's, letter by letter.

use soru_merkle::TreeError;
use soru_merkle::containers::ContainerError;
use thiserror::Error;

/// An exception of the reference's interpreter, as the stuck state will remember it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// The exception as the reference prints it, not yet truncated.
    pub raw: Vec<u8>,
    /// Whether it is an interpreter error, with what explanation; else the stuck state is an unknown error.
    pub interpreter: Option<Explanation>,
}

/// The explanation of an interpreter error.
pub type Explanation = Option<Vec<u8>>;

/// Why a step has no ordinary next state.
#[derive(Debug, Clone, Error)]
pub enum StepError {
    /// An exception of the interpreter: the machine gets stuck with it.
    #[error("exception {}", String::from_utf8_lossy(&.0.raw))]
    Exception(Box<Exception>),
    /// The tree could not be read: a node is blinded in a proof, or missing from its store. No statement about the machine.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The state has no successor at all: the reference itself fails outside the machine.
    #[error("this state has no successor: {0}")]
    NoSuccessor(&'static str),
}

impl StepError {
    /// An exception that carries a message, which is also its explanation.
    pub fn message(message: impl Into<Vec<u8>>) -> StepError {
        let message = message.into();
        let mut raw = b"Error(_, \"".to_vec();
        raw.extend(escaped(&message));
        raw.extend_from_slice(b"\")");
        StepError::Exception(Box::new(Exception { raw, interpreter: Some(Some(message)) }))
    }

    /// An interpreter exception known by its name alone.
    pub fn named(raw: &str, explanation: Option<&str>) -> StepError {
        let explanation = explanation.map(|text| text.as_bytes().to_vec());
        StepError::Exception(Box::new(Exception { raw: raw.as_bytes().to_vec(), interpreter: Some(explanation) }))
    }

    /// An exception that is no interpreter error.
    pub fn unknown(raw: &str) -> StepError {
        StepError::Exception(Box::new(Exception { raw: raw.as_bytes().to_vec(), interpreter: None }))
    }

    /// An index outside a lazy vector.
    pub fn vector_bounds() -> StepError {
        StepError::named("Tezos_lazy_containers.Lazy_vector.Bounds", None)
    }

    /// A failed assertion in the reference. Its text names a place in the reference's sources, which is no longer known here.
    pub fn assertion(what: &'static str) -> StepError {
        StepError::NoSuccessor(what)
    }
}

/// A string as OCaml prints it between quotes.
fn escaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0x08 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(byte),
            other => out.extend_from_slice(format!("\\{other:03}").as_bytes()),
        }
    }
    out
}

impl From<ContainerError> for StepError {
    fn from(error: ContainerError) -> Self {
        match error {
            ContainerError::Tree(error) => StepError::Tree(error),
            ContainerError::KeyNotFound(_) => StepError::unknown("Tezos_tree_encoding__Decoding.Key_not_found(_)"),
            ContainerError::Leaf(_) => StepError::unknown("Tezos_tree_encoding__Decoding.Decode_error(_)"),
            ContainerError::UnknownTag(_) => {
                StepError::unknown("Tezos_tree_encoding__Decoding.No_tag_matched_on_decoding")
            }
            ContainerError::Bounds => StepError::vector_bounds(),
            ContainerError::SizeOverflow => StepError::named("Tezos_lazy_containers.Lazy_vector.SizeOverflow", None),
        }
    }
}

/// The result of a step, or of a part of one.
pub type Stepped<T> = Result<T, StepError>;
