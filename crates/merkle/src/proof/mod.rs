//! Merkle proofs (`spec/pvm.md` §2): a tree in which all that a computation did not load is replaced by hashes, enough for
//! anybody to repeat the computation and to know the hash of its result.

mod decode;
mod display;
mod encode;
mod produce;
mod rebuild;
mod shown;
mod verify;

use bytes::Bytes;

use crate::error::TreeError;
use crate::hash::{Kind, NodeHash};
use crate::step::Step;

pub use decode::DecodeError;
pub use encode::EncodeError;
pub(crate) use produce::Recorder;
pub use produce::{produce_proof, produce_proof_hashing};
pub(crate) use shown::ShownNode;

/// Deepest nesting of proof nodes that is produced or read, which bounds recursion. A proof this deep would be several times
/// larger than an operation of the layer 1 may be.
const MAX_NESTING: usize = 1024;

/// A tree proof (§2.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// Bit 0: stream proof; bit 1: binary tree. [`Proof::VERSION`] in proofs made here.
    pub version: i16,
    /// What the tree was before the computation: a directory in practice.
    pub before_kind: Kind,
    /// Hash of the tree before the computation.
    pub before: NodeHash,
    /// What the tree is after the computation.
    pub after_kind: Kind,
    /// Hash of the tree after the computation.
    pub after: NodeHash,
    /// What is shown of the tree before the computation.
    pub state: ProofTree,
}

/// What stands in front of a proof.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Head {
    version: i16,
    before_kind: Kind,
    before: NodeHash,
    after_kind: Kind,
    after: NodeHash,
}

/// A proof as it travels: what it claims is read, what it shows is read when it is verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProofBytes {
    head: Head,
    bytes: Bytes,
}

impl ProofBytes {
    /// Reads what the proof in `bytes` claims.
    ///
    /// # Errors
    /// When there is none; whether what it shows can be read is only known once it is verified.
    pub fn new(bytes: impl Into<Bytes>) -> Result<ProofBytes, DecodeError> {
        let bytes = bytes.into();
        Ok(ProofBytes { head: decode::Reader::head_of(&bytes)?, bytes })
    }

    /// Hash of the tree before the computation, as claimed.
    pub fn before(&self) -> NodeHash {
        self.head.before
    }

    /// Hash of the tree after the computation, as claimed.
    pub fn after(&self) -> NodeHash {
        self.head.after
    }

    /// The same proof, of a computation that only reads (§2.5).
    pub fn cast_read_only(mut self) -> ProofBytes {
        self.head.after = self.head.before;
        self.head.after_kind = self.head.before_kind;
        self
    }

    /// The bytes, as they were given.
    pub fn as_bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// What a proof shows of a leaf or a directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ProofTree {
    /// A leaf that was read.
    Value(Bytes),
    /// A leaf that was not read.
    BlindedValue(NodeHash),
    /// A directory with at most two entries, in byte order (in proofs made here).
    Node(Vec<(Step, ProofTree)>),
    /// A directory that was not looked into.
    BlindedNode(NodeHash),
    /// A directory with more entries: its root inode.
    Inode {
        /// Number of entries.
        length: u64,
        /// Inodes of the entries with index 0 and with index 1.
        children: Children,
    },
    /// A directory whose topmost inodes have one child each.
    Extender {
        /// Number of entries.
        length: u64,
        /// Indices followed from the root inode.
        segment: Vec<bool>,
        /// The inode they lead to.
        inner: Box<InodeProof>,
    },
}

/// The inodes of the entries with index 0 and with index 1.
pub type Children = [Option<Box<InodeProof>>; 2];

/// What a proof shows of an inode below the root inode of a directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InodeProof {
    /// An inode that was not loaded.
    Blinded(NodeHash),
    /// A bucket.
    Values(Vec<(Step, ProofTree)>),
    /// A fork.
    Tree {
        /// Number of entries below.
        length: u64,
        /// Inodes of the entries with index 0 and with index 1.
        children: Children,
    },
    /// A chain of forks with one child each.
    Extender {
        /// Number of entries below.
        length: u64,
        /// Indices followed.
        segment: Vec<bool>,
        /// The inode they lead to.
        inner: Box<InodeProof>,
    },
}

/// Why a proof could not be produced, or does not hold. `E` is the error of the proven computation.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError<E> {
    /// The version says that the proof is not about a binary tree.
    #[error("proof version {0} is not that of a binary tree")]
    NotBinary(i16),
    /// The shown parts cannot belong to any tree.
    #[error("malformed proof: {0}")]
    Malformed(&'static str),
    /// The shown tree is not the one it claims to be.
    #[error("the proof claims to start from {claimed}, but shows a tree with hash {actual}")]
    Before {
        /// What the proof says.
        claimed: NodeHash,
        /// What it shows.
        actual: NodeHash,
    },
    /// The computation ends elsewhere.
    #[error("the proof claims to end in {claimed}, but the step leads to {actual}")]
    After {
        /// What the proof says.
        claimed: NodeHash,
        /// What the computation gives.
        actual: NodeHash,
    },
    /// The bytes are not those of a proof.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A proof that cannot be encoded cannot be verified: proofs are checked as they travel.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The proof nests deeper than is accepted.
    #[error("the proof nests deeper than {MAX_NESTING} levels")]
    TooDeep,
    /// Reading the tree failed; [`TreeError::Blinded`] when the proof shows too little.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The computation failed.
    #[error("the proven step failed: {0}")]
    Step(E),
}

impl Proof {
    /// Version of a tree proof of a binary tree.
    pub const VERSION: i16 = 2;

    /// The proof as it travels.
    ///
    /// # Errors
    /// Those of [`Proof::encode`].
    pub fn to_bytes(&self) -> Result<ProofBytes, EncodeError> {
        let Proof { version, before_kind, before, after_kind, after, .. } = *self;
        let head = Head { version, before_kind, before, after_kind, after };
        Ok(ProofBytes { head, bytes: self.encode()?.into() })
    }

    /// The same proof, of a computation that only reads (§2.5).
    pub fn cast_read_only(mut self) -> Proof {
        self.after = self.before;
        self.after_kind = self.before_kind;
        self
    }
}
