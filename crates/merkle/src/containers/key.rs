//! Keys of lazy containers: how a key is spelled as a step, and how a vector stores its length and first key.

use std::fmt::Write as _;

use soru_tezos::number::Z;

use super::leaf::Text;
use super::value::{ContainerError, TreeValue};
use super::writer::Writer;
use crate::Tree;

/// A key of a lazy map.
pub trait Key: Clone + Ord {
    /// Spells the key as a step.
    fn step(&self, out: &mut String);
}

impl Key for i64 {
    fn step(&self, out: &mut String) {
        // writing to a string cannot fail
        let _ = write!(out, "{self}");
    }
}

/// Names (of exports, of modules) as keys. A name that is not UTF-8 has no place in a tree path of ours.
pub type NameKey = Text;

impl Key for Text {
    fn step(&self, out: &mut String) {
        let _ = write!(out, "{self}");
    }
}

/// How a vector stores its length and its first key. Keys themselves are always decimal.
pub trait IndexEncoding {
    /// Writes a key below `path`.
    fn write<W: Writer>(value: i64, to: &mut W, path: &[&str]) -> Result<(), ContainerError>;
    /// Reads a key.
    fn read(tree: &Tree, path: &[&str]) -> Result<i64, ContainerError>;
    /// Sum of a key and an offset, as the key type computes it.
    fn add(key: i64, offset: i64) -> i64;
    /// The length as a number without sign.
    fn unsigned(length: i64) -> u64;
}

/// 32-bit keys: all vectors of the interpreter.
#[derive(Debug, Clone, Copy)]
pub struct Int32Key;

impl IndexEncoding for Int32Key {
    fn write<W: Writer>(value: i64, to: &mut W, path: &[&str]) -> Result<(), ContainerError> {
        (value as i32).write(to, path)
    }

    fn read(tree: &Tree, path: &[&str]) -> Result<i64, ContainerError> {
        Ok(i32::read(tree, path)?.into())
    }

    fn add(key: i64, offset: i64) -> i64 {
        (key as i32).wrapping_add(offset as i32).into()
    }

    fn unsigned(length: i64) -> u64 {
        (length as i32 as u32).into()
    }
}

/// Keys of unbounded size: the input buffer and the outbox. Those of any real state fit 63 bits; others are refused.
#[derive(Debug, Clone, Copy)]
pub struct ZKey;

impl IndexEncoding for ZKey {
    fn write<W: Writer>(value: i64, to: &mut W, path: &[&str]) -> Result<(), ContainerError> {
        Z::from(value).write(to, path)
    }

    fn read(tree: &Tree, path: &[&str]) -> Result<i64, ContainerError> {
        let value = Z::read(tree, path)?;
        i64::try_from(&value.0).map_err(|_| ContainerError::SizeOverflow)
    }

    fn add(key: i64, offset: i64) -> i64 {
        key.saturating_add(offset)
    }

    fn unsigned(length: i64) -> u64 {
        length.max(0) as u64
    }
}
