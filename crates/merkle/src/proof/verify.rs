//! Verifying a proof (`spec/pvm.md` §2.5): rebuild what its bytes show, compare the hash, run the computation on the partial
//! tree.

use super::rebuild::{Wrong, rebuild};
use super::shown::ShownNode;
use super::{DecodeError, Head, Proof, ProofBytes, ProofError};
use crate::digest::Digester;
use crate::hash::NodeHash;
use crate::node::Node;
use crate::tree::Tree;

impl ProofBytes {
    /// Checks the proof by running `f` on what it shows. Returns the result of `f` and the hash of the tree that `f` leaves.
    ///
    /// # Errors
    /// Whatever is wrong with the proof; [`ProofError::Tree`] with [`TreeError::Blinded`] when it shows less than `f` reads and
    /// `f` passed over it. An error of `f` itself is [`ProofError::Step`].
    pub fn verify<T, E>(&self, f: impl FnOnce(&mut Tree) -> Result<T, E>) -> Result<(T, NodeHash), ProofError<E>> {
        self.verify_hashing(|tree, _| f(tree))
    }

    /// [`ProofBytes::verify`] for an `f` that may leave parts of which only the hash is known, in the tree that nobody looks
    /// into any more: with a [`HashWriter`](crate::containers::HashWriter) on the digester.
    ///
    /// # Errors
    /// Those of [`ProofBytes::verify`].
    pub fn verify_hashing<T, E>(
        &self,
        f: impl FnOnce(&mut Tree, &mut Digester) -> Result<T, E>,
    ) -> Result<(T, NodeHash), ProofError<E>> {
        let (root, mut digester) = self.rebuild()?;
        let mut tree = Tree { node: Node::Shown(root) };
        let result = f(&mut tree, &mut digester).map_err(ProofError::Step)?;
        let actual = digester.tree(&tree)?;
        if actual != self.head.after || tree.node.kind() != self.head.after_kind {
            return Err(ProofError::After { claimed: self.head.after, actual });
        }
        Ok((result, actual))
    }

    /// Checks only that the shown tree has the hash it claims.
    pub fn check_before(&self) -> Result<(), ProofError<std::convert::Infallible>> {
        self.rebuild().map(|_| ())
    }

    fn rebuild<E>(&self) -> Result<(ShownNode, Digester), ProofError<E>> {
        let Head { version, before, before_kind, .. } = self.head;
        if version & 2 == 0 {
            return Err(ProofError::NotBinary(version));
        }
        let (root, digester) = rebuild(&self.bytes).map_err(|(wrong, offset)| match wrong {
            Wrong::Bytes(reason) => ProofError::Decode(DecodeError { offset, reason }),
            Wrong::Shape(reason) => ProofError::Malformed(reason),
            Wrong::Tree(error) => ProofError::Tree(error),
        })?;
        if root.hash() != before || root.kind() != before_kind {
            return Err(ProofError::Before { claimed: before, actual: root.hash() });
        }
        Ok((root, digester))
    }
}

impl Proof {
    /// [`ProofBytes::verify`] of its encoding.
    ///
    /// # Errors
    /// Those, and [`ProofError::Encode`] where it has none.
    pub fn verify<T, E>(&self, f: impl FnOnce(&mut Tree) -> Result<T, E>) -> Result<(T, NodeHash), ProofError<E>> {
        self.to_bytes()?.verify(f)
    }

    /// [`ProofBytes::check_before`] of its encoding.
    ///
    /// # Errors
    /// Those, and [`ProofError::Encode`] where it has none.
    pub fn check_before(&self) -> Result<(), ProofError<std::convert::Infallible>> {
        self.to_bytes()?.check_before()
    }
}
