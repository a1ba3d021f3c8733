//! Finding vectors: those beside the workspace, and the few this crate carries.

use std::path::{Path, PathBuf};

/// The folder of vectors beside the workspace, if there is one.
pub fn shared_vectors(folder: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2)?;
    let beside = [root.join("../shared/vectors"), root.join("../../shared/vectors")];
    let found = beside.iter().map(|base| base.join(folder)).find(|path| path.is_dir());
    if found.is_none() {
        println!("skipped: no {folder} vectors beside the workspace");
    }
    found
}

/// All JSON files of a folder, in order.
pub fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
}
