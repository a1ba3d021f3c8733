//! A guest's memory as host functions see it, and the way the reference reads and writes it: byte by byte (§8.3).

use super::Code;
use soru_merkle::TreeError;

/// The crash of a host function that touches memory while the module is being initialised.
pub const NO_MEMORY_IN_INIT: &str = "host functions must not access memory during initialisation";

/// The crash of a host function whose caller has no memory, or several.
pub const ONE_MEMORY_EXPECTED: &str = "caller module must have exactly 1 memory instance";

/// Memory 0 of the calling module.
pub trait GuestMemory {
    /// Its size in bytes.
    fn size(&self) -> u64;

    /// Fills `out` with the bytes from `address` on; the range lies inside the memory.
    fn read(&mut self, address: u64, out: &mut [u8]) -> Result<(), TreeError>;

    /// Replaces the bytes from `address` on; the range lies inside the memory.
    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), TreeError>;

    /// Called for a range that the reference reads before it finds out that the access fails: a recording memory loads it.
    fn touch(&mut self, address: u64, length: u64) -> Result<(), TreeError> {
        let _ = (address, length);
        Ok(())
    }
}

/// Checks a read of `length` bytes at `address` without making it.
pub(super) fn check_read(
    memory: &mut dyn GuestMemory,
    address: i32,
    length: i32,
) -> Result<Result<(), Code>, TreeError> {
    let Ok(length) = u64::try_from(length) else { return Ok(Err(Code::GenericInvalidAccess)) };
    let address = u64::from(address as u32);
    let size = memory.size();
    if length > 0 && address + length > size {
        if address < size {
            memory.touch(address, size - address)?;
        }
        return Ok(Err(Code::MemoryInvalidAccess));
    }
    Ok(Ok(()))
}

/// Reads `length` bytes at `address`; nothing fails for zero bytes, whatever the address. The caller bounds `length`.
pub(super) fn read(
    memory: &mut dyn GuestMemory,
    address: i32,
    length: i32,
) -> Result<Result<Vec<u8>, Code>, TreeError> {
    if let Err(code) = check_read(memory, address, length)? {
        return Ok(Err(code));
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    if !bytes.is_empty() {
        memory.read(u64::from(address as u32), &mut bytes)?;
    }
    Ok(Ok(bytes))
}

/// Writes `data` at `address`. What lies inside the memory is written even when the rest does not.
pub(super) fn write(memory: &mut dyn GuestMemory, address: i32, data: &[u8]) -> Result<Result<(), Code>, TreeError> {
    let address = u64::from(address as u32);
    let room = memory.size().saturating_sub(address);
    let inside = usize::try_from(room).unwrap_or(usize::MAX).min(data.len());
    if inside > 0 {
        memory.write(address, &data[..inside])?;
    }
    Ok(if inside == data.len() { Ok(()) } else { Err(Code::MemoryInvalidAccess) })
}
