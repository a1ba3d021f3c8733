//! Reading typed leaves out of a state tree (`spec/pvm.md` §3.1, combinators `value` and `value_option`).

use crate::error::PvmError;
use soru_merkle::Tree;
use soru_tezos::codec::Decoded;

/// A path as users read it.
pub(crate) fn show(path: &[&str]) -> String {
    path.join("/")
}

/// The leaf at `path`, if there is one.
pub(crate) fn optional<T>(
    tree: &Tree,
    path: &[&str],
    read: impl FnOnce(&[u8]) -> Decoded<T>,
) -> Result<Option<T>, PvmError> {
    match tree.read(path, read)? {
        None => Ok(None),
        Some(value) => value.map(Some).map_err(|source| PvmError::Leaf { path: show(path), source }),
    }
}

/// The leaf at `path`, which every state has.
pub(crate) fn required<T>(tree: &Tree, path: &[&str], read: impl FnOnce(&[u8]) -> Decoded<T>) -> Result<T, PvmError> {
    optional(tree, path, read)?.ok_or_else(|| PvmError::Missing(show(path)))
}

/// The directory (or leaf) at `path`, the empty directory if there is none.
pub(crate) fn subtree(tree: &Tree, path: &[&str]) -> Result<Tree, PvmError> {
    Ok(tree.find_tree(path)?.unwrap_or_else(Tree::empty))
}
