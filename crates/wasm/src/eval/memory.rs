//! Loads and stores of numbers and vectors, byte by byte as the reference makes them (`spec/pvm.md` §5.6).

use soru_merkle::containers::ContainerError;

use crate::exception::{StepError, Stepped};
use crate::instance::{MAX_PAGES, Memory, PAGE_SIZE};

/// Why an access to a memory or table fails.
#[derive(Debug)]
pub enum Access {
    /// Out of bounds: the program traps.
    Bounds,
    /// The machine gets stuck.
    Error(StepError),
}

impl From<StepError> for Access {
    fn from(error: StepError) -> Self {
        Access::Error(error)
    }
}

impl From<ContainerError> for Access {
    fn from(error: ContainerError) -> Self {
        match error {
            ContainerError::Bounds => Access::Bounds,
            error => Access::Error(error.into()),
        }
    }
}

/// The address of an access: the sum of address and offset, which must not wrap around.
pub fn effective_address(address: i32, offset: i32) -> Result<u64, Access> {
    match (address as u32).checked_add(offset as u32) {
        Some(sum) => Ok(sum.into()),
        None => Err(Access::Bounds),
    }
}

impl Memory {
    /// `count` bytes, as a little-endian number. Out of bounds nothing is read.
    pub fn load(&self, address: u64, count: u32) -> Result<u64, Access> {
        let mut bytes = [0; 8];
        self.bytes.read_into(address, &mut bytes[..count as usize])?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Stores the low `count` bytes of a number. Out of bounds nothing is written.
    pub fn store(&mut self, address: u64, count: u32, value: u64) -> Result<(), Access> {
        Ok(self.bytes.write_bytes(address, &value.to_le_bytes()[..count as usize])?)
    }

    /// How many of `count` bytes from `address` on exist.
    fn inside(&self, address: u64, count: u64) -> u64 {
        self.bytes.length().saturating_sub(address).min(count)
    }

    /// 16 bytes. Out of bounds those that exist are still read.
    pub fn load_vector(&self, address: u64) -> Result<[u8; 16], Access> {
        let mut bytes = [0; 16];
        let inside = self.inside(address, 16);
        self.bytes.read_into(address.min(self.bytes.length()), &mut bytes[..inside as usize])?;
        if inside == 16 { Ok(bytes) } else { Err(Access::Bounds) }
    }

    /// Stores 16 bytes. Out of bounds those that exist are still written.
    pub fn store_vector(&mut self, address: u64, bytes: [u8; 16]) -> Result<(), Access> {
        let inside = self.inside(address, 16);
        self.bytes.write_bytes(address.min(self.bytes.length()), &bytes[..inside as usize])?;
        if inside == 16 { Ok(()) } else { Err(Access::Bounds) }
    }

    /// Adds pages; the size before, or −1 where the memory cannot grow so far.
    pub fn grow_pages(&mut self, delta: i32) -> Stepped<i32> {
        let old = self.min;
        if old != self.pages() {
            return Err(StepError::assertion("memory.grow on a memory whose limits were never valid"));
        }
        let new = old.wrapping_add(delta);
        let too_large = (old as u32) > new as u32 || new as u32 > MAX_PAGES;
        if too_large || self.max.0.is_some_and(|max| new as u32 > max as u32) {
            return Ok(-1);
        }
        self.min = new;
        self.bytes.grow(u64::from(delta as u32) * PAGE_SIZE)?;
        Ok(old)
    }
}
