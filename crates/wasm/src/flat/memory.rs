//! Memory 0 as flat pages, filled chunk by chunk from the tree's form of it. What was written is known by chunk, because a
//! chunk exists in the tree from the first write to it on (`spec/pvm.md` §3.4).

use bytes::Bytes;
use soru_merkle::containers::{CHUNK_SIZE, ChunkedBytes, ContainerError};

const PAGE_BITS: u32 = 16;
const PAGE: usize = 1 << PAGE_BITS;
const CHUNK_BITS: u32 = 9;
const CHUNK: usize = CHUNK_SIZE as usize;
const CHUNKS: usize = PAGE / CHUNK;

/// What a chunk of a page holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Filled {
    /// Nothing yet.
    No,
    /// What the tree's form holds.
    Yes,
    /// What was written since.
    Changed,
}

#[derive(Debug)]
struct Page {
    bytes: [u8; PAGE],
    filled: [Filled; CHUNKS],
}

/// A memory whose touched pages lie flat.
#[derive(Debug)]
pub struct FlatMemory {
    /// The tree's form, as it was when the pages agreed with it last.
    origin: ChunkedBytes,
    length: u64,
    pages: Vec<Option<Box<Page>>>,
    /// Numbers of the changed chunks.
    changed: Vec<u64>,
}

impl FlatMemory {
    /// The flat form of a memory of whole pages that fits 32-bit addresses; nothing is read yet.
    pub(super) fn new(origin: &ChunkedBytes) -> Option<FlatMemory> {
        let length = origin.length();
        if length > 1 << 32 || !length.is_multiple_of(PAGE as u64) {
            return None;
        }
        let pages = (0..length / PAGE as u64).map(|_| None).collect();
        Some(FlatMemory { origin: origin.clone(), length, pages, changed: Vec::new() })
    }

    /// Whether the pages still agree with `origin`.
    pub(super) fn agrees_with(&self, origin: &ChunkedBytes) -> bool {
        self.changed.is_empty() && self.origin.is_same(origin)
    }

    /// Length in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The tree's form of the memory as it is now; none if nothing was written since the last time.
    pub(super) fn write_back(&mut self) -> Option<ChunkedBytes> {
        if self.changed.is_empty() {
            return None;
        }
        for number in self.changed.drain(..) {
            let at = number as usize;
            let Some(Some(page)) = self.pages.get_mut(at / CHUNKS) else { continue };
            let start = at % CHUNKS * CHUNK;
            page.filled[at % CHUNKS] = Filled::Yes;
            self.origin.set_chunk(number, Bytes::copy_from_slice(&page.bytes[start..start + CHUNK]));
        }
        Some(self.origin.clone())
    }

    /// The bytes at `address`; none out of bounds, or where the tree fails.
    #[inline]
    pub(super) fn load<const N: usize>(&mut self, address: u64) -> Option<[u8; N]> {
        let at = address as usize % PAGE;
        if let Some(Some(page)) = self.pages.get((address >> PAGE_BITS) as usize)
            && let Some(bytes) = page.bytes.get(at..at + N)
            && page.filled[at >> CHUNK_BITS] != Filled::No
            && page.filled[((at + N - 1) % PAGE) >> CHUNK_BITS] != Filled::No
        {
            // whole pages only: what lies in one is in bounds
            return bytes.try_into().ok();
        }
        let mut bytes = [0; N];
        self.read(address, &mut bytes).ok()?;
        Some(bytes)
    }

    /// Stores bytes at `address`; none, and nothing stored, out of bounds or where the tree fails.
    #[inline]
    pub(super) fn store<const N: usize>(&mut self, address: u64, bytes: [u8; N]) -> Option<()> {
        let at = address as usize % PAGE;
        if let Some(Some(page)) = self.pages.get_mut((address >> PAGE_BITS) as usize)
            && page.filled[at >> CHUNK_BITS] == Filled::Changed
            && page.filled[((at + N - 1) % PAGE) >> CHUNK_BITS] == Filled::Changed
            && let Some(place) = page.bytes.get_mut(at..at + N)
        {
            place.copy_from_slice(&bytes);
            return Some(());
        }
        self.write(address, &bytes).ok()
    }

    fn check(&self, address: u64, count: usize) -> Result<(), ContainerError> {
        match address.checked_add(count as u64) {
            Some(end) if end <= self.length => Ok(()),
            _ => Err(ContainerError::Bounds),
        }
    }

    /// The page of chunk `number`, in which the chunk is filled.
    fn fill(&mut self, number: u64) -> Result<&mut Page, ContainerError> {
        let at = number as usize;
        let page = self.pages.get_mut(at / CHUNKS).ok_or(ContainerError::Bounds)?;
        let page = page.get_or_insert_with(|| Box::new(Page { bytes: [0; PAGE], filled: [Filled::No; CHUNKS] }));
        if page.filled[at % CHUNKS] == Filled::No {
            if let Some(bytes) = self.origin.chunk(number)? {
                let start = at % CHUNKS * CHUNK;
                let count = bytes.len().min(CHUNK);
                page.bytes[start..start + count].copy_from_slice(&bytes[..count]);
            }
            page.filled[at % CHUNKS] = Filled::Yes;
        }
        Ok(page)
    }

    fn fill_range(&mut self, address: u64, count: usize) -> Result<(), ContainerError> {
        self.check(address, count)?;
        if count > 0 {
            for number in address >> CHUNK_BITS..=(address + count as u64 - 1) >> CHUNK_BITS {
                self.fill(number)?;
            }
        }
        Ok(())
    }

    /// Fills `out` with the bytes from `address` on.
    pub(crate) fn read(&mut self, mut address: u64, mut out: &mut [u8]) -> Result<(), ContainerError> {
        self.check(address, out.len())?;
        while !out.is_empty() {
            let start = address as usize % CHUNK;
            let count = out.len().min(CHUNK - start);
            let (front, back) = out.split_at_mut(count);
            let page = self.fill(address >> CHUNK_BITS)?;
            let at = address as usize % PAGE;
            front.copy_from_slice(&page.bytes[at..at + count]);
            out = back;
            address += count as u64;
        }
        Ok(())
    }

    /// Overwrites the bytes from `address` on: all of them, or none on an error.
    pub(crate) fn write(&mut self, mut address: u64, mut bytes: &[u8]) -> Result<(), ContainerError> {
        self.fill_range(address, bytes.len())?;
        while !bytes.is_empty() {
            let start = address as usize % CHUNK;
            let count = bytes.len().min(CHUNK - start);
            let (front, back) = bytes.split_at(count);
            let number = address >> CHUNK_BITS;
            let page = self.fill(number)?;
            let at = address as usize % PAGE;
            page.bytes[at..at + count].copy_from_slice(front);
            let filled = &mut page.filled[number as usize % CHUNKS];
            if *filled != Filled::Changed {
                *filled = Filled::Changed;
                self.changed.push(number);
            }
            bytes = back;
            address += count as u64;
        }
        Ok(())
    }

    /// Fills `count` bytes from `address` on with `byte`.
    pub(super) fn set(&mut self, mut address: u64, count: usize, byte: u8) -> Result<(), ContainerError> {
        self.fill_range(address, count)?;
        let piece = [byte; CHUNK];
        let mut left = count;
        while left > 0 {
            let count = left.min(CHUNK);
            self.write(address, &piece[..count])?;
            address += count as u64;
            left -= count;
        }
        Ok(())
    }

    /// Copies `count` bytes as if through a buffer.
    pub(super) fn copy(&mut self, to: u64, from: u64, count: usize) -> Result<(), ContainerError> {
        self.fill_range(from, count)?;
        self.fill_range(to, count)?;
        let mut bytes = vec![0; count];
        self.read(from, &mut bytes)?;
        self.write(to, &bytes)
    }
}
