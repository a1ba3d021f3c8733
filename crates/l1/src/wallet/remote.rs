//! A signer behind HTTP, by the protocol of `octez-signer` (`spec/node.md` §10.4).

use super::signer::{Signer, SignerError};
use crate::rpc::{RpcClient, RpcError};
use futures::future::BoxFuture;
use serde::Deserialize;
use soru_tezos::key::{PublicKey, PublicKeyHash, Scheme, Signature};
use soru_tezos::operation::BlsProof;
use soru_tezos::sign::Watermark;

/// A key in a remote signer.
pub struct RemoteSigner {
    rpc: RpcClient,
    address: PublicKeyHash,
    public: PublicKey,
}

#[derive(Deserialize)]
struct PublicKeyAnswer {
    public_key: PublicKey,
}

#[derive(Deserialize)]
struct SignatureAnswer {
    signature: Signature,
}

#[derive(Deserialize)]
struct PossessionAnswer {
    bls_prove_possession: Signature,
}

#[derive(Deserialize)]
struct AuthorizedKeys {
    authorized_keys: Option<Vec<PublicKeyHash>>,
}

impl RemoteSigner {
    /// A key of the signer at `base`, an http or https address. Its public key is asked for unless it is known.
    ///
    /// # Errors
    /// When the signer cannot be reached, or does not have the key.
    pub async fn connect(
        base: &str,
        address: PublicKeyHash,
        public: Option<PublicKey>,
    ) -> Result<RemoteSigner, RpcError> {
        let rpc = RpcClient::new(base)?;
        let public = match public.filter(|public| public.hash() == address) {
            Some(public) => public,
            None => rpc.get::<PublicKeyAnswer>(&format!("keys/{address}")).await?.public_key,
        };
        Ok(RemoteSigner { rpc, address, public })
    }

    fn failed(&self, problem: impl std::fmt::Display) -> SignerError {
        SignerError { address: self.address, problem: format!("remote signer: {problem}") }
    }

    async fn ask_signature(&self, watermark: Watermark, bytes: &[u8]) -> Result<Signature, SignerError> {
        let authorized: AuthorizedKeys = self.rpc.get("authorized_keys").await.map_err(|error| self.failed(error))?;
        if authorized.authorized_keys.is_some() {
            return Err(self.failed("it wants requests to be signed by an authorized key, which is not supported"));
        }
        let message = hex::encode([watermark.to_bytes().as_slice(), bytes].concat());
        let answer: SignatureAnswer =
            self.rpc.post(&format!("keys/{}", self.address), &message).await.map_err(|error| self.failed(error))?;
        // better to say it here than to have the layer 1 refuse the operation
        if !self.public.verify(watermark, bytes, &answer.signature) {
            return Err(self.failed("its signature is not that of the key"));
        }
        Ok(answer.signature)
    }
}

impl Signer for RemoteSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign<'a>(&'a self, watermark: Watermark, bytes: &'a [u8]) -> BoxFuture<'a, Result<Signature, SignerError>> {
        Box::pin(self.ask_signature(watermark, bytes))
    }

    fn proof_of_possession(&self) -> BoxFuture<'_, Result<Option<BlsProof>, SignerError>> {
        Box::pin(async {
            if self.public.scheme() != Scheme::Bls {
                return Ok(None);
            }
            let path = format!("bls_prove_possession/{}", self.address);
            let answer: PossessionAnswer = self.rpc.get(&path).await.map_err(|error| self.failed(error))?;
            match answer.bls_prove_possession {
                Signature::Bls(proof) if self.public.verify_possession(&BlsProof(proof)) => Ok(Some(BlsProof(proof))),
                _ => Err(self.failed("its proof of possession is not that of the key")),
            }
        })
    }
}
