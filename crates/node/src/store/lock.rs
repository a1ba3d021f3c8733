//! The lock of a data directory: one process at a time (`spec/node.md` §5.1).

use super::StoreError;
use std::fs::{File, TryLockError};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// Holds the data directory for this process; released when dropped, or by the system when the process ends.
#[derive(Debug)]
pub struct DataDirLock {
    file: File,
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
            Ok(()) => Ok(DataDirLock { file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked(path)),
            Err(TryLockError::Error(e)) => Err(failed("lock it", &path, e)),
        }
    }

    /// Writes into the lock file where the process that holds it answers requests.
    pub fn announce(&self, address: SocketAddr) -> std::io::Result<()> {
        let ip = match address.ip() {
            ip if !ip.is_unspecified() => ip,
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        self.file.set_len(0)?;
        write!(&self.file, "http://{}", SocketAddr::new(ip, address.port()))
    }

    /// Where the process that holds a directory answers requests, if it said so.
    pub fn holder(data_dir: &Path) -> Option<String> {
        let text = std::fs::read_to_string(data_dir.join("lock")).ok()?;
        text.starts_with("http://").then(|| text.trim().to_owned())
    }
}
