//! Chunked byte vectors (`spec/pvm.md` §3.4): bytes in chunks of 512, each a leaf, written once any of it is.

use bytes::Bytes;

use super::map::LazyMap;
use super::value::{ContainerError, TreeValue};
use super::writer::Writer;
use crate::Tree;

/// Bytes of a chunk. In the tree all chunks are full, padded with zeros.
pub const CHUNK_SIZE: u64 = 512;

/// One chunk.
#[derive(Debug, Clone)]
pub struct Chunk(Bytes);

impl TreeValue for Chunk {
    fn write<W: Writer>(&self, to: &mut W, path: &[&str]) -> Result<(), ContainerError> {
        Ok(to.bytes(path, &self.0)?)
    }

    fn read(tree: &Tree, path: &[&str]) -> Result<Self, ContainerError> {
        match tree.find(path)? {
            Some(bytes) => Ok(Chunk(bytes)),
            None => Err(ContainerError::KeyNotFound(path.join("/"))),
        }
    }
}

/// A vector of bytes whose chunks are read from the tree when asked for. Persistent: a clone is O(1) and independent.
#[derive(Debug, Clone)]
pub struct ChunkedBytes {
    length: u64,
    chunks: LazyMap<i64, Chunk>,
}

impl ChunkedBytes {
    /// `length` zeros; no chunk is written.
    pub fn allocate(length: u64) -> Self {
        ChunkedBytes { length, chunks: LazyMap::new() }
    }

    /// A copy of `bytes`, in as many chunks as they need.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut vector = ChunkedBytes::allocate(bytes.len() as u64);
        for (number, piece) in bytes.chunks(CHUNK_SIZE as usize).enumerate() {
            let mut chunk = piece.to_vec();
            chunk.resize(CHUNK_SIZE as usize, 0);
            vector.chunks.set(number as i64, Chunk(chunk.into()));
        }
        vector
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether both are known to be the same vector without looking at bytes: one is an unchanged clone of the other.
    pub fn is_same(&self, other: &Self) -> bool {
        self.length == other.length && self.chunks.is_same(&other.chunks)
    }

    /// Lengthens by `delta` zeros; no chunk is written.
    pub fn grow(&mut self, delta: u64) -> Result<(), ContainerError> {
        self.length =
            self.length.checked_add(delta).filter(|l| *l <= i64::MAX as u64).ok_or(ContainerError::SizeOverflow)?;
        Ok(())
    }

    /// Chunk number `number`; none where nothing was ever written, which reads as zeros.
    pub fn chunk(&self, number: u64) -> Result<Option<Bytes>, ContainerError> {
        match self.chunks.get(&(number as i64)) {
            Ok(chunk) => Ok(Some(chunk.0)),
            Err(ContainerError::KeyNotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces chunk number `number` by 512 bytes, without reading it.
    pub fn set_chunk(&mut self, number: u64, bytes: Bytes) {
        self.chunks.set(number as i64, Chunk(bytes));
    }

    fn check(&self, offset: u64, count: u64) -> Result<(), ContainerError> {
        match offset.checked_add(count) {
            Some(end) if end <= self.length => Ok(()),
            _ => Err(ContainerError::Bounds),
        }
    }

    /// The byte at `offset`.
    pub fn byte(&self, offset: u64) -> Result<u8, ContainerError> {
        self.check(offset, 1)?;
        let chunk = self.chunk(offset / CHUNK_SIZE)?;
        Ok(chunk.and_then(|chunk| chunk.get((offset % CHUNK_SIZE) as usize).copied()).unwrap_or(0))
    }

    /// Fills `out` with the bytes from `offset` on.
    pub fn read_into(&self, mut offset: u64, mut out: &mut [u8]) -> Result<(), ContainerError> {
        self.check(offset, out.len() as u64)?;
        while !out.is_empty() {
            let start = (offset % CHUNK_SIZE) as usize;
            let count = out.len().min(CHUNK_SIZE as usize - start);
            let (front, back) = out.split_at_mut(count);
            match self.chunk(offset / CHUNK_SIZE)?.as_ref().and_then(|chunk| chunk.get(start..start + count)) {
                Some(bytes) => front.copy_from_slice(bytes),
                None => front.fill(0),
            }
            out = back;
            offset += count as u64;
        }
        Ok(())
    }

    /// `count` bytes from `offset` on.
    pub fn read_bytes(&self, offset: u64, count: u64) -> Result<Vec<u8>, ContainerError> {
        self.check(offset, count)?;
        let mut out = vec![0; count as usize];
        self.read_into(offset, &mut out)?;
        Ok(out)
    }

    /// Overwrites the bytes from `offset` on. The touched chunks are read first, even those replaced completely.
    pub fn write_bytes(&mut self, mut offset: u64, mut bytes: &[u8]) -> Result<(), ContainerError> {
        self.check(offset, bytes.len() as u64)?;
        while !bytes.is_empty() {
            let start = (offset % CHUNK_SIZE) as usize;
            let count = bytes.len().min(CHUNK_SIZE as usize - start);
            let (front, back) = bytes.split_at(count);
            let mut chunk = match self.chunk(offset / CHUNK_SIZE)? {
                Some(chunk) => chunk.to_vec(),
                None => Vec::new(),
            };
            chunk.resize(CHUNK_SIZE as usize, 0);
            chunk[start..start + count].copy_from_slice(front);
            self.set_chunk(offset / CHUNK_SIZE, chunk.into());
            bytes = back;
            offset += count as u64;
        }
        Ok(())
    }
}

impl TreeValue for ChunkedBytes {
    fn write<W: Writer>(&self, to: &mut W, path: &[&str]) -> Result<(), ContainerError> {
        match self.chunks.unchanged_whole([0, self.length as i64]) {
            Some(whole) if !path.is_empty() => Ok(to.tree(path, whole.clone())?),
            _ => to.directory(path, |to| {
                self.chunks.write(to, &["contents"])?;
                (self.length as i64).write(to, &["length"])
            }),
        }
    }

    fn read(tree: &Tree, path: &[&str]) -> Result<Self, ContainerError> {
        let sub = super::value::subtree(tree, path)?;
        let contents = super::value::subtree(&sub, &["contents"])?;
        let length = u64::try_from(i64::read(&sub, &["length"])?).map_err(|_| ContainerError::SizeOverflow)?;
        let chunks = LazyMap::part_of(sub, contents, [0, length as i64], 1)?;
        Ok(ChunkedBytes { length, chunks })
    }
}
