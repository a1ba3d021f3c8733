//! The trait of values that have a place in the tree, and its elementary implementations (`spec/pvm.md` §3.1).

use std::sync::Arc;

use soru_tezos::codec::{self, Reader};
use thiserror::Error;

use super::writer::Writer;
use crate::{Step, Tree, TreeError};

/// Why a value could not be read from the tree, or written to it.
#[derive(Debug, Clone, Error)]
pub enum ContainerError {
    /// The tree itself refused: a node is blinded, or could not be loaded.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A leaf that must exist is missing.
    #[error("no value at {0}")]
    KeyNotFound(String),
    /// A leaf does not have the form of its type.
    #[error("malformed leaf: {0}")]
    Leaf(#[from] codec::DecodeError),
    /// The tag of a union is unknown.
    #[error("unknown tag {0:?}")]
    UnknownTag(String),
    /// An index, or a range of bytes, lies outside its container.
    #[error("index out of bounds")]
    Bounds,
    /// A container would become longer than its length can express.
    #[error("size overflow")]
    SizeOverflow,
}

/// A value that can be written below a place of the tree and read back.
pub trait TreeValue: Sized {
    /// Writes the value below `path`. Nothing of the same value may stand there already, except siblings that share the
    /// directory.
    fn write<W: Writer>(&self, to: &mut W, path: &[&str]) -> Result<(), ContainerError>;

    /// Reads the value below `path`: all of it, except the elements of lazy containers.
    fn read(tree: &Tree, path: &[&str]) -> Result<Self, ContainerError>;
}

/// The directory at `path`; the empty directory where there is nothing.
pub fn subtree(tree: &Tree, path: &[&str]) -> Result<Tree, ContainerError> {
    match path {
        [] => Ok(tree.clone()),
        path => Ok(tree.find_tree(path)?.unwrap_or_default()),
    }
}

/// Writes a union: the leaf `tag`, then the payload below `value`.
pub fn write_union<W: Writer, P: TreeValue>(
    to: &mut W,
    path: &[&str],
    tag: &str,
    payload: &P,
) -> Result<(), ContainerError> {
    to.directory(path, |to| {
        to.leaf(&["tag"], |out| codec::put_dynamic(out, tag.as_bytes()))?;
        payload.write(to, &["value"])
    })
}

/// Reads the tag of the union at `path`, if there is one, and the directory that holds its `value`.
pub fn read_union(tree: &Tree, path: &[&str]) -> Result<(Option<Step>, Tree), ContainerError> {
    let sub = subtree(tree, path)?;
    let tag = sub.read(&["tag"], |bytes| {
        let mut reader = Reader::new(bytes);
        let tag = reader.dynamic("string").map(Step::from)?;
        reader.finish("string").map(|()| tag)
    })?;
    Ok((tag.transpose()?, sub))
}

/// The payload that writes an empty leaf.
impl TreeValue for () {
    fn write<W: Writer>(&self, to: &mut W, path: &[&str]) -> Result<(), ContainerError> {
        Ok(to.leaf(path, |_| ())?)
    }

    fn read(tree: &Tree, path: &[&str]) -> Result<Self, ContainerError> {
        match tree.read(path, |_| ())? {
            Some(()) => Ok(()),
            None => Err(ContainerError::KeyNotFound(path.join("/"))),
        }
    }
}

/// The payload that writes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Nothing;

impl TreeValue for Nothing {
    fn write<W: Writer>(&self, _: &mut W, _: &[&str]) -> Result<(), ContainerError> {
        Ok(())
    }

    fn read(_: &Tree, _: &[&str]) -> Result<Self, ContainerError> {
        Ok(Nothing)
    }
}

impl<T: TreeValue> TreeValue for Box<T> {
    fn write<W: Writer>(&self, to: &mut W, path: &[&str]) -> Result<(), ContainerError> {
        self.as_ref().write(to, path)
    }

    fn read(tree: &Tree, path: &[&str]) -> Result<Self, ContainerError> {
        T::read(tree, path).map(Box::new)
    }
}

impl<T: TreeValue> TreeValue for Arc<T> {
    fn write<W: Writer>(&self, to: &mut W, path: &[&str]) -> Result<(), ContainerError> {
        self.as_ref().write(to, path)
    }

    fn read(tree: &Tree, path: &[&str]) -> Result<Self, ContainerError> {
        T::read(tree, path).map(Arc::new)
    }
}

/// A part that is absent from the tree when there is none (`value_option`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Optional<T>(pub Option<T>);

impl<T: TreeValue> TreeValue for Optional<T> {
    fn write<W: Writer>(&self, to: &mut W, path: &[&str]) -> Result<(), ContainerError> {
        match &self.0 {
            Some(value) => value.write(to, path),
            None => Ok(()),
        }
    }

    fn read(tree: &Tree, path: &[&str]) -> Result<Self, ContainerError> {
        match T::read(tree, path) {
            Ok(value) => Ok(Optional(Some(value))),
            Err(ContainerError::KeyNotFound(_)) => Ok(Optional(None)),
            Err(error) => Err(error),
        }
    }
}

/// A union with the tags `Some` and `None`; a missing tag reads as none.
impl<T: TreeValue> TreeValue for Option<T> {
    fn write<W: Writer>(&self, to: &mut W, path: &[&str]) -> Result<(), ContainerError> {
        match self {
            Some(value) => write_union(to, path, "Some", value),
            None => write_union(to, path, "None", &Nothing),
        }
    }

    fn read(tree: &Tree, path: &[&str]) -> Result<Self, ContainerError> {
        let (tag, sub) = read_union(tree, path)?;
        match tag.as_ref().map(Step::as_bytes) {
            Some(b"Some") => Ok(Some(T::read(&sub, &["value"])?)),
            Some(b"None") | None => Ok(None),
            Some(other) => Err(ContainerError::UnknownTag(String::from_utf8_lossy(other).into_owned())),
        }
    }
}

/// A union with the tags `Left` and `Right`.
#[derive(Debug, Clone)]
pub enum Either<A, B> {
    /// The first case.
    Left(A),
    /// The second case.
    Right(B),
}

impl<A: TreeValue, B: TreeValue> TreeValue for Either<A, B> {
    fn write<W: Writer>(&self, to: &mut W, path: &[&str]) -> Result<(), ContainerError> {
        match self {
            Either::Left(value) => write_union(to, path, "Left", value),
            Either::Right(value) => write_union(to, path, "Right", value),
        }
    }

    fn read(tree: &Tree, path: &[&str]) -> Result<Self, ContainerError> {
        let (tag, sub) = read_union(tree, path)?;
        match tag.as_ref().map(Step::as_bytes) {
            Some(b"Left") => Ok(Either::Left(A::read(&sub, &["value"])?)),
            Some(b"Right") => Ok(Either::Right(B::read(&sub, &["value"])?)),
            Some(other) => Err(ContainerError::UnknownTag(String::from_utf8_lossy(other).into_owned())),
            None => Err(ContainerError::KeyNotFound("tag".to_owned())),
        }
    }
}
