//! The lock of a data directory: one process at a time (`spec/node.md` §5.1).

use super::StoreError;
use std::fs::{File, TryLockError};
use std::path::Path;

/// Holds the data directory for this process; released when dropped, or by the system when the process ends.
#[derive(Debug)]
pub struct DataDirLock {
    _file: File,
}

impl DataDirLock {
    /// Makes the directory if needed and takes its lock, without waiting.
    pub fn acquire(data_dir: &Path) -> Result<DataDirLock, StoreError> {
        let failed = |action, path: &Path, e: std::io::Error| StoreError::DataDir {
            path: path.to_owned(),
            action,
            reason: e.to_string(),
        };
        if data_dir.join("identity.json").exists() {
            return Err(StoreError::LayerOneDirectory(data_dir.to_owned()));
        }
        std::fs::create_dir_all(data_dir).map_err(|e| failed("create it", data_dir, e))?;
        let path = data_dir.join("lock");
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|e| failed("write the lock file", &path, e))?;
        match file.try_lock() {
            Ok(()) => Ok(DataDirLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked(path)),
            Err(TryLockError::Error(e)) => Err(failed("lock it", &path, e)),
        }
    }
}
