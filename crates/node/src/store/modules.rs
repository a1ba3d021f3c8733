//! Compiled kernels on disk, so that a node that starts again need not compile its kernel again: files beside the store, of which
//! nothing depends. What is in them is `soru_pvm::fast`'s business, which does not believe them either.

use soru_pvm::ModuleStore;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Name of the directory in the data directory.
const DIRECTORY: &str = "wasm-cache";
/// Largest file that is read.
const MAX_FILE: u64 = 1 << 30;

/// The directory of compiled kernels in a node's data directory. It is made when the first is saved, for the owner alone: its
/// files are run as native code.
pub struct ModuleDirectory {
    path: PathBuf,
    saved: AtomicU64,
}

impl ModuleDirectory {
    /// The one in this data directory.
    pub fn new(data_dir: &Path) -> ModuleDirectory {
        ModuleDirectory { path: data_dir.join(DIRECTORY), saved: AtomicU64::new(0) }
    }

    /// Writes a file beside the place it is for and moves it there when it is whole.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut directory = DirBuilder::new();
        let mut file = OpenOptions::new();
        file.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
            directory.mode(0o700);
            file.mode(0o600);
        }
        directory.recursive(true).create(&self.path)?;
        let number = self.saved.fetch_add(1, Ordering::Relaxed);
        let beside = self.path.join(format!("{name}.{}.{number}.tmp", std::process::id()));
        let written = file
            .open(&beside)
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| fs::rename(&beside, self.path.join(name)));
        if written.is_err() {
            let _ = fs::remove_file(&beside);
        }
        written
    }
}

impl ModuleStore for ModuleDirectory {
    fn load(&self, name: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = fs::File::open(self.path.join(name)).ok()?;
        file.take(MAX_FILE).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    fn save(&self, name: &str, bytes: &[u8]) {
        // a full disk costs a compilation at the next start, no more
        if let Err(error) = self.replace(name, bytes) {
            tracing::warn!("cannot keep a compiled kernel in {}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn files_are_replaced_whole_and_readable_by_the_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let modules = ModuleDirectory::new(&dir.path().join("data"));
        assert_eq!(modules.load("a.module"), None);
        modules.save("a.module", b"one");
        modules.save("a.module", b"another");
        modules.save("b.module", b"");
        assert_eq!(modules.load("a.module").unwrap(), b"another");
        let mut names: Vec<_> = fs::read_dir(&modules.path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["a.module", "b.module"], "nothing half-written is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&modules.path), mode(&modules.path.join("a.module"))), (0o700, 0o600));
        }
    }

    #[test]
    fn a_place_that_cannot_be_written_is_done_without() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(DIRECTORY), b"a file where the directory should be").unwrap();
        let modules = ModuleDirectory::new(dir.path());
        modules.save("a.module", b"one");
        assert_eq!(modules.load("a.module"), None);
    }
}
