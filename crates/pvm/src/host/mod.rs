//! The host functions (`spec/pvm.md` §8): one table, and one implementation of what they do and cost, for every engine.
//!
//! An engine hands over the arguments, the guest's memory and the [`Storage`](crate::state::Storage), and gets back a result
//! with its ticks, a reveal to be answered, or an exception of the reference.

mod calls;
mod memory;
mod table;

pub use calls::{Crash, Exception, Outcome, call, finish_reveal};
pub use memory::{GuestMemory, NO_MEMORY_IN_INIT, ONE_MEMORY_EXPECTED};
pub use table::{HostFunction, Signature, TABLE, ValueType, by_import, by_stored_name};

/// Name of the module that host functions are imported from.
pub const MODULE: &str = "smart_rollup_core";

/// An argument or result of a host function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// 32 bits.
    I32(i32),
    /// 64 bits.
    I64(i64),
}

/// The error codes a kernel sees (§8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    /// A key of more than 240 bytes.
    KeyTooLarge = -1,
    /// A key that breaks the rules.
    InvalidKey = -2,
    /// No value under the key.
    NotAValue = -3,
    /// An offset out of the value.
    InvalidAccess = -4,
    /// A value that would become too long.
    ValueSizeExceeded = -5,
    /// An address out of the memory.
    MemoryInvalidAccess = -6,
    /// More bytes than allowed at once.
    InputOutputTooLarge = -7,
    /// Anything else.
    GenericInvalidAccess = -8,
    /// A write below `/readonly`.
    ReadonlyValue = -9,
    /// Nothing under the key.
    NotANode = -10,
    /// The outbox is full.
    FullOutbox = -11,
    /// An index beyond the directory.
    InvalidSubkeyIndex = -12,
    /// There is a value already.
    ValueAlreadyExists = -13,
}
