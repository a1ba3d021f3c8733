//! Values with a place in the tree, and the lazy containers built from them (`spec/pvm.md` §3): maps, vectors and chunked
//! byte vectors that read an element when it is asked for, remember what was changed, and write only that back.
//!
//! A type says once where each of its parts stands, with [`tree_record!`](crate::tree_record), [`tree_union!`](crate::tree_union)
//! or [`tree_leaf!`](crate::tree_leaf); reading and writing both follow from it. Reading a value touches exactly its
//! non-lazy leaves, so recording a read gives the proof of §2.2.

mod chunked;
mod key;
mod leaf;
mod macros;
mod map;
mod overlay;
mod value;
mod vector;
mod writer;

pub use chunked::{CHUNK_SIZE, Chunk, ChunkedBytes};
pub use key::{Int32Key, Key, NameKey, ZKey};
pub use leaf::{Int31, OptionLeaf, Text, VarBytes};
pub use map::LazyMap;
pub use value::{ContainerError, Either, Nothing, Optional, TreeValue, read_union, subtree, write_union};
pub use vector::{LazyVector, Vector, ZVector};
pub use writer::{HashWriter, Writer};
