//! Who signs: behind a trait, so that keys in files, behind passwords and in other machines look the same.

use futures::future::BoxFuture;
use soru_tezos::key::{PublicKey, PublicKeyHash, Signature};
use soru_tezos::operation::BlsProof;
use soru_tezos::sign::{SecretKey, Watermark};

/// Why something was not signed.
#[derive(Debug, thiserror::Error)]
#[error("{address} could not sign: {problem}")]
pub struct SignerError {
    /// Whose key it is.
    pub address: PublicKeyHash,
    /// What went wrong.
    pub problem: String,
}

/// A key that can sign.
pub trait Signer: Send + Sync {
    /// The public key.
    fn public_key(&self) -> &PublicKey;

    /// The address.
    fn address(&self) -> PublicKeyHash {
        self.public_key().hash()
    }

    /// Signs bytes under a watermark.
    fn sign<'a>(&'a self, watermark: Watermark, bytes: &'a [u8]) -> BoxFuture<'a, Result<Signature, SignerError>>;

    /// The proof that the reveal of a BLS key needs; nothing for others.
    fn proof_of_possession(&self) -> BoxFuture<'_, Result<Option<BlsProof>, SignerError>>;
}

/// A key held in memory.
pub struct MemorySigner {
    secret: SecretKey,
    public: PublicKey,
}

impl MemorySigner {
    /// A signer from a secret key.
    pub fn new(secret: SecretKey) -> Self {
        let public = secret.public_key();
        MemorySigner { secret, public }
    }
}

impl Signer for MemorySigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign<'a>(&'a self, watermark: Watermark, bytes: &'a [u8]) -> BoxFuture<'a, Result<Signature, SignerError>> {
        let signed = self
            .secret
            .sign(watermark, bytes)
            .map_err(|error| SignerError { address: self.address(), problem: error.to_string() });
        Box::pin(std::future::ready(signed))
    }

    fn proof_of_possession(&self) -> BoxFuture<'_, Result<Option<BlsProof>, SignerError>> {
        Box::pin(std::future::ready(Ok(self.secret.proof_of_possession())))
    }
}
