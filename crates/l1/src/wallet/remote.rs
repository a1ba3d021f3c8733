//! A signer behind HTTP, by the protocol of `octez-signer` (`spec/node.md` §10.4).

use super::signer::{Signer, SignerError};
use crate::rpc::{RpcClient, RpcError};
use futures::future::BoxFuture;
use serde::Deserialize;
use soru_tezos::codec::Encode;
use soru_tezos::key::{PublicKey, PublicKeyHash, Scheme, Signature};
use soru_tezos::operation::BlsProof;
use soru_tezos::sign::{SecretKey, Watermark};

/// What stands before a request when it is signed, so that the signature is good for nothing else: a request to a signer, to sign.
const SIGNED_REQUEST: [u8; 2] = [4, 1];

/// A key in a remote signer.
pub struct RemoteSigner {
    rpc: RpcClient,
    address: PublicKeyHash,
    public: PublicKey,
    own: Vec<SecretKey>,
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
    /// A key of the signer at `base`, an http or https address. Its public key is asked for unless it is known. A signer that
    /// answers only whom it knows is sent requests signed with one of the `own` keys.
    ///
    /// # Errors
    /// When the signer cannot be reached, or does not have the key.
    pub async fn connect(
        base: &str,
        address: PublicKeyHash,
        public: Option<PublicKey>,
        own: Vec<SecretKey>,
    ) -> Result<RemoteSigner, RpcError> {
        let rpc = RpcClient::new(base)?;
        let public = match public.filter(|public| public.hash() == address) {
            Some(public) => public,
            None => rpc.get::<PublicKeyAnswer>(&format!("keys/{address}")).await?.public_key,
        };
        Ok(RemoteSigner { rpc, address, public, own })
    }

    fn failed(&self, problem: impl std::fmt::Display) -> SignerError {
        SignerError { address: self.address, problem: format!("remote signer: {problem}") }
    }

    /// The query that authenticates a request to sign `message`, if the signer wants one.
    async fn authentication(&self, message: &[u8]) -> Result<String, SignerError> {
        let answer: AuthorizedKeys = self.rpc.get("authorized_keys").await.map_err(|error| self.failed(error))?;
        let Some(authorized) = answer.authorized_keys else { return Ok(String::new()) };
        let key = self.own.iter().find(|key| authorized.contains(&key.public_key_hash())).ok_or_else(|| {
            let list: Vec<String> = authorized.iter().map(ToString::to_string).collect();
            let known = if list.is_empty() { "none".to_owned() } else { list.join(", ") };
            self.failed(format!(
                "it wants requests signed by an authorized key ({known}): import the secret key of one"
            ))
        })?;
        let mut request = SIGNED_REQUEST.to_vec();
        self.address.encode(&mut request);
        request.extend_from_slice(message);
        let signature = key.sign(Watermark::None, &request).map_err(|error| self.failed(error))?;
        Ok(format!("?authentication={signature}"))
    }

    async fn ask_signature(&self, watermark: Watermark, bytes: &[u8]) -> Result<Signature, SignerError> {
        let message = [watermark.to_bytes().as_slice(), bytes].concat();
        let path = format!("keys/{}{}", self.address, self.authentication(&message).await?);
        let answer: SignatureAnswer =
            self.rpc.post(&path, &hex::encode(message)).await.map_err(|error| self.failed(error))?;
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
