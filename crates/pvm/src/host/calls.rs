//! What each host function does and costs (`spec/pvm.md` §8.3).

use super::memory::{check_read, read, write};
use super::{Code, GuestMemory, HostFunction, Value};
use crate::durable::{DurableError, Key, MAX_IO, MAX_KEY_LENGTH};
use crate::error::PvmError;
use crate::outbox::PushError;
use crate::state::Storage;

/// Ticks for a byte read from, or written to, the guest's memory.
const PER_BYTE: u128 = 42;
/// Ticks for one access to durable storage.
const ACCESS: u128 = 1;
/// Most bytes of an input or output message.
const MAX_MESSAGE: i32 = 4096;

/// What a host function does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It returns.
    Return {
        /// Its result, if it has one.
        result: Option<Value>,
        /// Ticks to be spent after the call.
        ticks: u128,
    },
    /// It waits for the answer to a raw reveal request, to be written by [`finish_reveal`].
    Reveal {
        /// The request.
        request: Vec<u8>,
        /// Address for the answer.
        destination: i32,
        /// Most bytes of it.
        max_bytes: i32,
    },
    /// The reference raises an exception: the machine gets stuck.
    Raise(Exception),
}

/// An exception of the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exception {
    /// Arguments of the wrong number or type: only in modules that were not validated.
    BadInput,
    /// A library function was given an argument it does not accept: how the reference prints it.
    InvalidArgument(&'static str),
    /// A crash of the interpreter with its message.
    Crash(Crash),
    /// A function of the new durable storage without that storage: not even a stuck state (§9.3).
    NoNds,
}

/// Why a host function has no memory to work on: [`super::NO_MEMORY_IN_INIT`] or [`super::ONE_MEMORY_EXPECTED`].
pub type Crash = &'static str;

/// Why a call ended early.
enum Stop {
    Code(Code),
    Raise(Exception),
    Fail(PvmError),
}

impl From<Code> for Stop {
    fn from(code: Code) -> Self {
        Stop::Code(code)
    }
}

impl From<PvmError> for Stop {
    fn from(error: PvmError) -> Self {
        Stop::Fail(error)
    }
}

impl From<soru_merkle::TreeError> for Stop {
    fn from(error: soru_merkle::TreeError) -> Self {
        Stop::Fail(error.into())
    }
}

impl From<DurableError> for Stop {
    fn from(error: DurableError) -> Self {
        Stop::Code(match error {
            DurableError::OutOfBounds => Code::InvalidAccess,
            DurableError::ReadOnly => Code::ReadonlyValue,
            DurableError::InvalidKey => Code::InvalidKey,
            DurableError::ValueNotFound => Code::NotAValue,
            DurableError::TreeNotFound => Code::NotANode,
            DurableError::IoTooLarge => Code::InputOutputTooLarge,
            DurableError::IndexTooLarge => Code::InvalidSubkeyIndex,
            DurableError::Negative => Code::GenericInvalidAccess,
            DurableError::State(error) => return Stop::Fail(error),
        })
    }
}

type Step<T> = Result<T, Stop>;

struct Call<'a> {
    memory: Result<&'a mut dyn GuestMemory, Crash>,
    storage: &'a mut Storage,
}

/// A result that is not an error, and its ticks.
type Success = (i64, u128);

/// Calls a host function. `memory` is memory 0 of the caller, or the crash of a caller that has not exactly one.
///
/// Errors are those of the state tree only; what the rules foresee is in the outcome.
pub fn call<'a>(
    function: HostFunction,
    arguments: &[Value],
    memory: Result<&'a mut dyn GuestMemory, Crash>,
    storage: &'a mut Storage,
) -> Result<Outcome, PvmError> {
    match (Call { memory, storage }).dispatch(function, arguments) {
        Ok(outcome) => Ok(outcome),
        // an error costs nothing
        Err(Stop::Code(code)) => Ok(result(function, code as i64, 0)),
        Err(Stop::Raise(exception)) => Ok(Outcome::Raise(exception)),
        Err(Stop::Fail(error)) => Err(error),
    }
}

/// A result in the function's own type.
fn result(function: HostFunction, value: i64, ticks: u128) -> Outcome {
    let value = match function {
        HostFunction::StoreListSize => Value::I64(value),
        _ => Value::I32(value as i32),
    };
    Outcome::Return { result: Some(value), ticks }
}

/// Writes the answer to a reveal (§6.4). Gives the result and its ticks; nothing when the reference has no next state: the answer
/// does not fit the memory, or `max_bytes` is negative.
pub fn finish_reveal(
    answer: &[u8],
    destination: i32,
    max_bytes: i32,
    memory: &mut dyn GuestMemory,
) -> Result<Option<(i32, u128)>, PvmError> {
    let Ok(max_bytes) = usize::try_from(max_bytes) else { return Ok(None) };
    let answer = &answer[..answer.len().min(max_bytes)];
    match write(memory, destination, answer)? {
        Ok(()) => Ok(Some((answer.len() as i32, PER_BYTE * answer.len() as u128))),
        Err(_) => Ok(None),
    }
}

impl Call<'_> {
    fn dispatch(&mut self, function: HostFunction, arguments: &[Value]) -> Step<Outcome> {
        use HostFunction as F;
        use Value::{I32, I64};
        let (value, ticks) = match (function, arguments) {
            _ if function.is_nds() => return Err(Stop::Raise(Exception::NoNds)),
            (F::ReadInput, &[I32(info), I32(dst), I32(max)]) => self.ready()?.read_input(info, dst, max)?,
            (F::WriteOutput, &[I32(src), I32(size)]) => self.ready()?.write_output(src, size)?,
            (F::WriteDebug, arguments) => {
                self.ready()?;
                return match arguments {
                    [I32(_), I32(_)] => Ok(Outcome::Return { result: None, ticks: 0 }),
                    _ => Err(Stop::Raise(Exception::BadInput)),
                };
            }
            (F::StoreHas, &[I32(key), I32(len)]) => self.ready()?.store_has(key, len)?,
            (F::StoreExists, &[I32(key), I32(len)]) => self.ready()?.store_exists(key, len)?,
            (F::StoreListSize, &[I32(key), I32(len)]) => self.ready()?.store_list_size(key, len)?,
            (F::StoreGetNthKey, &[I32(key), I32(len), I64(index), I32(dst), I32(max)]) => {
                self.ready()?.store_get_nth_key(key, len, index, dst, max)?
            }
            (F::StoreDelete, &[I32(key), I32(len)]) => self.ready()?.store_delete(key, len, false)?,
            (F::StoreDeleteValue, &[I32(key), I32(len)]) => self.ready()?.store_delete(key, len, true)?,
            (F::StoreCopy, &[I32(from), I32(from_len), I32(to), I32(to_len)]) => {
                self.ready()?.store_transfer((from, from_len), (to, to_len), false)?
            }
            (F::StoreMove, &[I32(from), I32(from_len), I32(to), I32(to_len)]) => {
                self.ready()?.store_transfer((from, from_len), (to, to_len), true)?
            }
            (F::StoreValueSize, &[I32(key), I32(len)]) => self.ready()?.store_value_size(key, len)?,
            (F::StoreRead, &[I32(key), I32(len), I32(offset), I32(dst), I32(max)]) => {
                self.ready()?.store_read(key, len, offset, dst, max)?
            }
            (F::StoreWrite, &[I32(key), I32(len), I32(offset), I32(src), I32(size)]) => {
                self.ready()?.store_write(key, len, offset, src, size)?
            }
            (F::StoreGetHash, &[I32(key), I32(len), I32(dst), I32(max)]) => {
                self.ready()?.store_get_hash(key, len, dst, max)?
            }
            (F::StoreCreate, &[I32(key), I32(len), I32(size)]) => self.ready()?.store_create(key, len, size)?,
            (F::RevealPreimage, &[I32(src), I32(size), I32(destination), I32(max_bytes)]) => {
                let mut request = vec![0];
                request.extend(self.ready()?.read_request(src, size)?);
                return Ok(Outcome::Reveal { request, destination, max_bytes });
            }
            (F::Reveal, &[I32(src), I32(size), I32(destination), I32(max_bytes)]) => {
                return Ok(Outcome::Reveal { request: self.ready()?.read_request(src, size)?, destination, max_bytes });
            }
            // the only function that never looks at memory
            (F::RevealMetadata, &[I32(destination), I32(max_bytes)]) => {
                return Ok(Outcome::Reveal { request: vec![1], destination, max_bytes });
            }
            _ => return Err(Stop::Raise(Exception::BadInput)),
        };
        Ok(result(function, value, ticks))
    }

    /// Goes on only when there is a memory: the reference looks for it before anything else.
    fn ready(&mut self) -> Step<&mut Self> {
        self.memory()?;
        Ok(self)
    }

    fn memory(&mut self) -> Step<&mut dyn GuestMemory> {
        match &mut self.memory {
            Ok(memory) => Ok(*memory),
            Err(crash) => Err(Stop::Raise(Exception::Crash(crash))),
        }
    }

    fn read(&mut self, address: i32, length: i32) -> Step<Vec<u8>> {
        Ok(read(self.memory()?, address, length)??)
    }

    fn write(&mut self, address: i32, data: &[u8]) -> Step<()> {
        Ok(write(self.memory()?, address, data)??)
    }

    fn key(&mut self, address: i32, length: i32) -> Step<Key> {
        if length > MAX_KEY_LENGTH as i32 {
            return Err(Code::KeyTooLarge.into());
        }
        let bytes = self.read(address, length)?;
        Ok(Key::parse(&bytes)?)
    }

    fn read_request(&mut self, address: i32, length: i32) -> Step<Vec<u8>> {
        if length > MAX_MESSAGE {
            return Err(Code::InputOutputTooLarge.into());
        }
        self.read(address, length)
    }

    /// Whether `length` bytes can be stored at `address`, by the reference's rule, which wants one byte more.
    fn check_address(&mut self, address: i32, length: i32) -> Step<()> {
        match u64::try_from(length) {
            Ok(length) if u64::from(address as u32) + length < self.memory()?.size() => Ok(()),
            _ => Err(Code::MemoryInvalidAccess.into()),
        }
    }

    fn read_input(&mut self, info: i32, destination: i32, max_bytes: i32) -> Step<Success> {
        self.check_address(info, 8)?;
        let max_bytes = max_bytes.min(MAX_MESSAGE);
        self.check_address(destination, max_bytes)?;
        let Some(message) = self.storage.input.pop()? else { return Ok((0, 0)) };
        // not negative after the check above
        let length = message.payload.len().min(max_bytes as usize);
        self.write(destination, &message.payload[..length])?;
        let mut place = message.level.0.to_le_bytes().to_vec();
        place.extend_from_slice(&(message.counter as i32).to_le_bytes());
        self.write(info, &place)?;
        Ok((length as i64, PER_BYTE * length as u128))
    }

    fn write_output(&mut self, source: i32, size: i32) -> Step<Success> {
        if size > MAX_MESSAGE {
            return Err(Code::InputOutputTooLarge.into());
        }
        let message = self.read(source, size)?;
        match self.storage.output.push(&message)? {
            Ok(()) => Ok((0, 0)),
            Err(PushError::Full) => Err(Code::FullOutbox.into()),
            Err(PushError::NoOutbox) => Err(Code::GenericInvalidAccess.into()),
        }
    }

    fn store_exists(&mut self, key: i32, length: i32) -> Step<Success> {
        let path = self.key(key, length)?;
        Ok((self.storage.durable.exists(&path)?.into(), key_ticks(length)))
    }

    fn store_has(&mut self, key: i32, length: i32) -> Step<Success> {
        let path = self.key(key, length)?;
        let value = self.storage.durable.value(&path)?.is_some();
        let count = self.storage.durable.count(&path)?;
        let answer = match (value, count) {
            (false, 0) => 0,
            (true, 1) => 1,
            (false, _) => 2,
            (true, _) => 3,
        };
        Ok((answer, key_ticks(length)))
    }

    fn store_list_size(&mut self, key: i32, length: i32) -> Step<Success> {
        let path = self.key(key, length)?;
        let count = self.storage.durable.count(&path)?;
        Ok((i64::try_from(count).unwrap_or(i64::MAX), key_ticks(length)))
    }

    /// Cuts a result at `max_size` bytes and writes it.
    fn answer(&mut self, mut answer: Vec<u8>, destination: i32, max_size: i32) -> Step<i64> {
        match usize::try_from(max_size) {
            Ok(max_size) => answer.truncate(max_size),
            Err(_) => return Err(Stop::Raise(Exception::InvalidArgument("String.sub / Bytes.sub"))),
        }
        self.write(destination, &answer)?;
        Ok(answer.len() as i64)
    }

    fn store_get_nth_key(&mut self, key: i32, length: i32, index: i64, destination: i32, max: i32) -> Step<Success> {
        let path = self.key(key, length)?;
        let name = self.storage.durable.subkey(&path, index)?;
        Ok((self.answer(name.into_bytes(), destination, max)?, key_ticks(length)))
    }

    fn store_get_hash(&mut self, key: i32, length: i32, destination: i32, max: i32) -> Step<Success> {
        let path = self.key(key, length)?;
        let hash = self.storage.durable.directory_hash(&path)?;
        Ok((self.answer(hash.to_vec(), destination, max)?, key_ticks(length)))
    }

    fn store_delete(&mut self, key: i32, length: i32, value_only: bool) -> Step<Success> {
        let path = self.key(key, length)?;
        if value_only {
            self.storage.durable.delete_value(&path)?;
        } else {
            self.storage.durable.delete(&path)?;
        }
        Ok((0, key_ticks(length)))
    }

    fn store_transfer(&mut self, from: (i32, i32), to: (i32, i32), remove: bool) -> Step<Success> {
        let from_key = self.key(from.0, from.1)?;
        let to_key = self.key(to.0, to.1)?;
        if remove {
            self.storage.durable.rename(&from_key, &to_key)?;
        } else {
            self.storage.durable.copy(&from_key, &to_key)?;
        }
        Ok((0, key_ticks(from.1) + key_ticks(to.1) - ACCESS))
    }

    fn store_create(&mut self, key: i32, length: i32, size: i32) -> Step<Success> {
        let path = self.key(key, length)?;
        let size = u64::try_from(size).map_err(|_| Code::ValueSizeExceeded)?;
        if self.storage.durable.create(&path, size)? {
            Ok((0, key_ticks(length)))
        } else {
            Err(Code::ValueAlreadyExists.into())
        }
    }

    fn store_value_size(&mut self, key: i32, length: i32) -> Step<Success> {
        let path = self.key(key, length)?;
        let value = self.storage.durable.value(&path)?.ok_or(DurableError::ValueNotFound)?;
        let size = value.length() as i32;
        // beyond 2 GiB the size wraps to what looks like an error, at an error's cost
        Ok((size.into(), if size < 0 { 0 } else { key_ticks(length) }))
    }

    fn store_read(&mut self, key: i32, length: i32, offset: i32, destination: i32, max: i32) -> Step<Success> {
        let path = self.key(key, length)?;
        let bytes = self.storage.durable.read(&path, offset.into(), max.into())?;
        self.write(destination, &bytes)?;
        Ok((bytes.len() as i64, key_ticks(length) + PER_BYTE * bytes.len() as u128))
    }

    fn store_write(&mut self, key: i32, length: i32, offset: i32, source: i32, size: i32) -> Step<Success> {
        let path = self.key(key, length)?;
        let present = self.storage.durable.value(&path)?.map_or(0, |value| value.length() as i32);
        if present > present.wrapping_add(size) {
            return Err(Code::ValueSizeExceeded.into());
        }
        check_read(self.memory()?, source, size)??;
        if !path.is_writable() {
            return Err(Code::ReadonlyValue.into());
        }
        if size > MAX_IO as i32 {
            return Err(Code::InputOutputTooLarge.into());
        }
        let bytes = self.read(source, size)?;
        self.storage.durable.write(&path, offset.into(), &bytes)?;
        Ok((0, key_ticks(length) + PER_BYTE * bytes.len() as u128))
    }
}

/// Ticks for a key of `length` bytes and one access.
fn key_ticks(length: i32) -> u128 {
    PER_BYTE * u128::try_from(length).unwrap_or(0) + ACCESS
}
