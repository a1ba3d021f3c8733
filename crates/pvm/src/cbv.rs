//! Chunked byte vectors (`spec/pvm.md` §3.4): bytes in chunks of 512, kept as `contents/<i>` beside `length`. Only chunks
//! once written exist; all others read as zeros.

use crate::error::PvmError;
use crate::leaf;
use bytes::Bytes;
use soru_merkle::Tree;
use soru_tezos::codec::{Decode, Problem};

/// Bytes of a chunk.
pub const CHUNK: usize = 512;

/// A byte vector: a view of its subtree.
#[derive(Clone)]
pub struct ChunkedBytes {
    tree: Tree,
    length: u64,
}

impl ChunkedBytes {
    /// A vector of `length` zeros: no chunk exists.
    pub fn allocate(length: u64) -> ChunkedBytes {
        ChunkedBytes { tree: Tree::empty(), length }
    }

    /// The vector holding `data`.
    pub fn of_bytes(data: &[u8]) -> Result<ChunkedBytes, PvmError> {
        let mut tree = Tree::empty();
        add_chunks(&mut tree, data)?;
        Ok(ChunkedBytes { tree, length: data.len() as u64 })
    }

    /// The vector kept in `tree`: reads `length` only.
    pub fn decode(tree: Tree) -> Result<ChunkedBytes, PvmError> {
        let length = leaf::required(&tree, &["length"], |bytes| {
            crate::encoding::exactly(bytes, "length", |reader| {
                let at = reader.clone();
                u64::try_from(i64::decode(reader)?).map_err(|_| at.error("length", Problem::Number))
            })
        })?;
        Ok(ChunkedBytes { tree, length })
    }

    /// Its subtree, to be put in place.
    pub fn encode(mut self) -> Result<Tree, PvmError> {
        let length = i64::try_from(self.length).map_err(|_| PvmError::Range("the length of a byte vector"))?;
        self.tree.add(&["length"], length.to_be_bytes().to_vec())?;
        Ok(self.tree)
    }

    /// Length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    fn chunk(&self, index: u64) -> Result<Option<Bytes>, PvmError> {
        let chunk = self.tree.find(&["contents", &index.to_string()])?;
        match chunk {
            Some(bytes) if bytes.len() != CHUNK => Err(PvmError::Range("the length of a chunk")),
            chunk => Ok(chunk),
        }
    }

    /// The bytes from `offset` on, `count` of them or as many as there are. The caller bounds `count`.
    pub fn read(&self, offset: u64, count: usize) -> Result<Vec<u8>, PvmError> {
        let count = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX).min(count);
        let mut out = Vec::with_capacity(count);
        let mut position = offset;
        while out.len() < count {
            let within = (position % CHUNK as u64) as usize;
            let take = (CHUNK - within).min(count - out.len());
            match self.chunk(position / CHUNK as u64)? {
                Some(chunk) => out.extend_from_slice(&chunk[within..within + take]),
                None => out.resize(out.len() + take, 0),
            }
            position += take as u64;
        }
        Ok(out)
    }

    /// Overwrites the bytes from `offset` on, growing as needed. `offset` is at most the length.
    pub fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), PvmError> {
        let end = offset.checked_add(data.len() as u64).ok_or(PvmError::Range("the end of a write"))?;
        self.length = self.length.max(end);
        let mut position = offset;
        let mut rest = data;
        while !rest.is_empty() {
            let index = position / CHUNK as u64;
            let within = (position % CHUNK as u64) as usize;
            let (now, later) = rest.split_at((CHUNK - within).min(rest.len()));
            // the reference fetches the old chunk even when all of it is replaced
            let old = self.chunk(index)?;
            let mut chunk = old.map_or_else(|| vec![0; CHUNK], |old| old.to_vec());
            chunk[within..within + now.len()].copy_from_slice(now);
            self.tree.add(&["contents", &index.to_string()], chunk)?;
            position += now.len() as u64;
            rest = later;
        }
        Ok(())
    }
}

/// Adds the chunks of `data` below `contents` of `tree`.
pub(crate) fn add_chunks(tree: &mut Tree, data: &[u8]) -> Result<(), PvmError> {
    for (index, part) in data.chunks(CHUNK).enumerate() {
        let mut chunk = part.to_vec();
        chunk.resize(CHUNK, 0);
        tree.add(&["contents", &index.to_string()], chunk)?;
    }
    Ok(())
}
