//! The durable storage (`spec/pvm.md` §7): values under keys like file names, as a directory of the state tree.

use crate::cbv::ChunkedBytes;
use crate::error::PvmError;
use soru_merkle::{Tree, TreeError};

/// Most bytes of a key: 250 less what the machine adds itself.
pub const MAX_KEY_LENGTH: usize = 240;

/// Most bytes of one read or write.
pub const MAX_IO: usize = 2048;

/// The step below a key that holds its value; kernels cannot write it in a key.
const VALUE: &str = "@";

/// Keys that the machine itself reads and writes (§7.3).
pub mod keys {
    /// The kernel.
    pub const KERNEL: &[&str] = &["kernel", "boot.wasm"];
    /// The last kernel that started.
    pub const FALLBACK_KERNEL: &[&str] = &["readonly", "kernel", "boot.wasm"];
    /// A value here asks for another run in the same level.
    pub const REBOOT: &[&str] = &["kernel", "env", "reboot"];
    /// Set when the last run trapped.
    pub const STUCK: &[&str] = &["readonly", "kernel", "env", "stuck"];
    /// Set when the last kernel could not start.
    pub const UPGRADE_ERROR: &[&str] = &["readonly", "kernel", "env", "upgrade_error"];
    /// Set when the last level asked for too many runs.
    pub const TOO_MANY_REBOOT: &[&str] = &["readonly", "kernel", "env", "too_many_reboot"];
    /// Runs left for this level, four bytes little endian.
    pub const REBOOT_COUNTER: &[&str] = &["readonly", "kernel", "env", "reboot_counter"];
    /// The version of the machine.
    pub const VERSION: &[&str] = &["readonly", "wasm_version"];
    /// A value here asks for the new durable storage (v6).
    pub const ACTIVATE_NDS: &[&str] = &["kernel", "env", "activate_nds"];
}

/// A key that passed the rules of §7.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    text: String,
    writable: bool,
}

impl Key {
    /// Reads a key as kernels write it; the empty text is the root. Gives [`DurableError::InvalidKey`].
    pub fn parse(text: &[u8]) -> Result<Key, DurableError> {
        if text.len() > MAX_KEY_LENGTH {
            return Err(DurableError::InvalidKey);
        }
        if text.is_empty() {
            return Ok(Key { text: String::new(), writable: false });
        }
        let Some((b'/', steps)) = text.split_first() else { return Err(DurableError::InvalidKey) };
        let valid = |step: &[u8]| {
            !step.is_empty()
                && step.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        };
        if !steps.split(|byte| *byte == b'/').all(valid) {
            return Err(DurableError::InvalidKey);
        }
        let text = String::from_utf8_lossy(steps).into_owned();
        let writable = text != "readonly" && !text.starts_with("readonly/");
        Ok(Key { text, writable })
    }

    /// The steps of the key.
    pub fn steps(&self) -> Vec<&str> {
        if self.text.is_empty() { Vec::new() } else { self.text.split('/').collect() }
    }

    /// Whether a kernel may write here.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    fn assert_writable(&self) -> Result<(), DurableError> {
        if self.writable { Ok(()) } else { Err(DurableError::ReadOnly) }
    }
}

/// The answers of durable storage that a kernel sees as error codes (§8.2), and the ones it never sees.
#[derive(Debug, thiserror::Error)]
pub enum DurableError {
    /// An offset beyond the value.
    #[error("offset out of the value's bounds")]
    OutOfBounds,
    /// A write below `/readonly`.
    #[error("the key is read-only")]
    ReadOnly,
    /// A key that breaks the rules.
    #[error("not a valid key")]
    InvalidKey,
    /// No value under the key.
    #[error("the key has no value")]
    ValueNotFound,
    /// Nothing under the key.
    #[error("there is nothing under the key")]
    TreeNotFound,
    /// More bytes than [`MAX_IO`] at once.
    #[error("more than 2048 bytes at once")]
    IoTooLarge,
    /// An index beyond the directory.
    #[error("the directory has no entry of that index")]
    IndexTooLarge,
    /// A negative offset or count.
    #[error("a negative offset or size")]
    Negative,
    /// The state itself cannot be read.
    #[error(transparent)]
    State(#[from] PvmError),
}

impl From<TreeError> for DurableError {
    fn from(error: TreeError) -> Self {
        DurableError::State(error.into())
    }
}

type Outcome<T> = Result<T, DurableError>;

/// The durable storage: the subtree `durable` of the state. Clones are cheap and independent.
#[derive(Clone)]
pub struct Durable {
    tree: Tree,
}

fn value_path<'a>(steps: &[&'a str]) -> Vec<&'a str> {
    let mut path = Vec::with_capacity(steps.len() + 1);
    path.extend_from_slice(steps);
    path.push(VALUE);
    path
}

impl Durable {
    /// The storage kept in `tree`.
    pub fn new(tree: Tree) -> Durable {
        Durable { tree }
    }

    /// Its tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Whether anything stands under the key.
    pub fn exists(&self, key: &Key) -> Outcome<bool> {
        Ok(self.tree.find_tree(&key.steps())?.is_some())
    }

    /// The value under `steps`, if any.
    pub fn value_at(&self, steps: &[&str]) -> Result<Option<ChunkedBytes>, PvmError> {
        self.tree.find_tree(&value_path(steps))?.map(ChunkedBytes::decode).transpose()
    }

    /// The value of a key, if any.
    pub fn value(&self, key: &Key) -> Outcome<Option<ChunkedBytes>> {
        Ok(self.value_at(&key.steps())?)
    }

    /// Whether `steps` holds a value: reads its length, as the reference does.
    pub fn has_value(&self, steps: &[&str]) -> Result<bool, PvmError> {
        Ok(self.value_at(steps)?.is_some())
    }

    /// The whole subtree of a value, to compare or hash.
    pub fn value_tree(&self, steps: &[&str]) -> Result<Option<Tree>, PvmError> {
        Ok(self.tree.find_tree(&value_path(steps))?)
    }

    /// Number of entries of the key's directory; its value counts as one.
    pub fn count(&self, key: &Key) -> Outcome<u64> {
        Ok(self.tree.length(&key.steps())?)
    }

    /// Names of the sub-keys in listing order, `""` standing for the value.
    pub fn subkeys(&self, key: &Key) -> Outcome<Vec<String>> {
        let entries = self.tree.list(&key.steps(), 0, None)?;
        Ok(entries.into_iter().map(|(step, _)| entry_name(&step)).collect())
    }

    /// Name of the entry at `index`; the index is cut to 63 bits as in the reference (§15.5).
    pub fn subkey(&self, key: &Key, index: i64) -> Outcome<String> {
        let directory = self.tree.find_tree(&key.steps())?.ok_or(DurableError::TreeNotFound)?;
        let index = (index << 1) >> 1;
        let index = u64::try_from(index).map_err(|_| DurableError::Negative)?;
        let entries = directory.list::<&str>(&[], index, Some(1))?;
        entries.first().map(|(step, _)| entry_name(step)).ok_or(DurableError::IndexTooLarge)
    }

    /// Hash of the key's directory.
    pub fn directory_hash(&self, key: &Key) -> Outcome<[u8; 32]> {
        let directory = self.tree.find_tree(&key.steps())?.ok_or(DurableError::TreeNotFound)?;
        Ok(directory.hash()?.0)
    }

    /// Reads at most `count` bytes of a value from `offset` on.
    pub fn read(&self, key: &Key, offset: i64, count: i64) -> Outcome<Vec<u8>> {
        if count > MAX_IO as i64 {
            return Err(DurableError::IoTooLarge);
        }
        let value = self.value(key)?.ok_or(DurableError::ValueNotFound)?;
        let offset = u64::try_from(offset).map_err(|_| DurableError::OutOfBounds)?;
        if offset >= value.length() {
            return Err(DurableError::OutOfBounds);
        }
        let count = usize::try_from(count).map_err(|_| DurableError::Negative)?;
        Ok(value.read(offset, count)?)
    }

    /// Writes `data` into a value from `offset` on, creating or growing it.
    pub fn write(&mut self, key: &Key, offset: i64, data: &[u8]) -> Outcome<()> {
        key.assert_writable()?;
        if data.len() > MAX_IO {
            return Err(DurableError::IoTooLarge);
        }
        let steps = key.steps();
        let mut value = self.value_at(&steps)?.unwrap_or_else(|| ChunkedBytes::allocate(0));
        if offset > value.length() as i64 {
            return Err(DurableError::OutOfBounds);
        }
        let offset = u64::try_from(offset).map_err(|_| DurableError::Negative)?;
        value.write(offset, data)?;
        self.put(&steps, value)?;
        Ok(())
    }

    /// Creates a value of `size` zeros. False if there is a value already.
    pub fn create(&mut self, key: &Key, size: u64) -> Outcome<bool> {
        key.assert_writable()?;
        let steps = key.steps();
        if self.tree.find_tree(&value_path(&steps))?.is_some() {
            return Ok(false);
        }
        self.put(&steps, ChunkedBytes::allocate(size))?;
        Ok(true)
    }

    /// Removes everything under the key.
    pub fn delete(&mut self, key: &Key) -> Outcome<()> {
        key.assert_writable()?;
        Ok(self.remove_at(&key.steps())?)
    }

    /// Removes the value of the key, not its sub-keys.
    pub fn delete_value(&mut self, key: &Key) -> Outcome<()> {
        key.assert_writable()?;
        Ok(self.tree.remove(&value_path(&key.steps()))?)
    }

    /// Puts what stands under `from` under `to` too, in place of what was there.
    pub fn copy(&mut self, from: &Key, to: &Key) -> Outcome<()> {
        to.assert_writable()?;
        let moved = self.tree.find_tree(&from.steps())?.ok_or(DurableError::TreeNotFound)?;
        Ok(self.tree.add_tree(&to.steps(), moved)?)
    }

    /// Removes what stands under `from`, then puts it under `to`.
    pub fn rename(&mut self, from: &Key, to: &Key) -> Outcome<()> {
        from.assert_writable()?;
        to.assert_writable()?;
        let moved = self.tree.find_tree(&from.steps())?.ok_or(DurableError::TreeNotFound)?;
        self.tree.remove(&from.steps())?;
        Ok(self.tree.add_tree(&to.steps(), moved)?)
    }

    // What the machine does itself is not bound by the read-only rule.

    fn put(&mut self, steps: &[&str], value: ChunkedBytes) -> Result<(), PvmError> {
        Ok(self.tree.add_tree(&value_path(steps), value.encode()?)?)
    }

    /// Replaces the value of `steps` by `data`.
    pub fn set_at(&mut self, steps: &[&str], data: &[u8]) -> Result<(), PvmError> {
        self.put(steps, ChunkedBytes::of_bytes(data)?)
    }

    /// Makes sure that `steps` holds a value, the empty one if there is none (the reference writes nothing at offset 0).
    pub fn touch_at(&mut self, steps: &[&str]) -> Result<(), PvmError> {
        let value = self.value_at(steps)?.unwrap_or_else(|| ChunkedBytes::allocate(0));
        self.put(steps, value)
    }

    /// Removes everything under `steps`.
    pub fn remove_at(&mut self, steps: &[&str]) -> Result<(), PvmError> {
        Ok(self.tree.remove(steps)?)
    }

    /// Puts what stands under `from` (which must exist) under `to`.
    pub fn copy_at(&mut self, from: &[&str], to: &[&str]) -> Result<(), PvmError> {
        let moved = self.tree.find_tree(from)?.ok_or(PvmError::NoKernel)?;
        Ok(self.tree.add_tree(to, moved)?)
    }
}

fn entry_name(step: &[u8]) -> String {
    if step == VALUE.as_bytes() { String::new() } else { String::from_utf8_lossy(step).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn keys_follow_their_syntax() {
        let long = format!("/{}", "a".repeat(239));
        for text in ["", "/a", "/A.b-c_9/d", "/readonly", "/readonlyx", long.as_str()] {
            assert!(Key::parse(text.as_bytes()).is_ok(), "{text}");
        }
        for text in ["/", "a", "/a/", "//a", "/a//b", "/a b", "/@", "/é", format!("{long}a").as_str()] {
            assert!(Key::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(!key("").is_writable() && !key("/readonly").is_writable() && !key("/readonly/x").is_writable());
        assert!(key("/readonlyx").is_writable() && key("/a/readonly").is_writable());
    }

    #[test]
    fn values_grow_across_chunks_and_keep_zeros() {
        let mut durable = Durable::new(Tree::empty());
        assert!(durable.create(&key("/v"), 510).unwrap());
        assert!(!durable.create(&key("/v"), 1).unwrap());
        durable.write(&key("/v"), 510, b"abcd").unwrap();
        assert_eq!(durable.read(&key("/v"), 508, 2048).unwrap(), b"\0\0abcd");
        assert!(matches!(durable.read(&key("/v"), 514, 1), Err(DurableError::OutOfBounds)));
        assert!(matches!(durable.write(&key("/v"), 515, b""), Err(DurableError::OutOfBounds)));
        assert!(matches!(durable.write(&key("/v"), -1, b"x"), Err(DurableError::Negative)));
        assert!(matches!(durable.write(&key("/readonly/v"), 0, b"x"), Err(DurableError::ReadOnly)));
        assert!(matches!(durable.read(&key("/v"), 0, 2049), Err(DurableError::IoTooLarge)));
    }

    #[test]
    fn values_and_subkeys_live_side_by_side() {
        let mut durable = Durable::new(Tree::empty());
        durable.write(&key("/a"), 0, b"1").unwrap();
        durable.write(&key("/a/b"), 0, b"2").unwrap();
        assert_eq!(durable.count(&key("/a")).unwrap(), 2);
        assert_eq!(durable.subkeys(&key("/a")).unwrap(), ["", "b"]);
        durable.delete_value(&key("/a")).unwrap();
        assert!(durable.value(&key("/a")).unwrap().is_none());
        durable.rename(&key("/a"), &key("/a/b/c")).unwrap();
        assert_eq!(durable.read(&key("/a/b/c/b"), 0, 9).unwrap(), b"2");
        durable.delete(&key("/a/b/c/b")).unwrap();
        assert!(!durable.exists(&key("/a")).unwrap());
    }
}
