//! Signers behind HTTP.

use super::RemoteError;
use crate::rpc::RpcClient;
use serde::Deserialize;
use soru_tezos::key::{PublicKey, PublicKeyHash, Signature};

/// A signer at an http or https address.
pub(super) struct HttpSigner {
    rpc: RpcClient,
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

impl HttpSigner {
    pub(super) fn new(base: &str) -> Result<HttpSigner, RemoteError> {
        Ok(HttpSigner { rpc: RpcClient::new(base)? })
    }

    pub(super) async fn public_key(&self, address: &PublicKeyHash) -> Result<PublicKey, RemoteError> {
        Ok(self.rpc.get::<PublicKeyAnswer>(&format!("keys/{address}")).await?.public_key)
    }

    pub(super) async fn authorized_keys(&self) -> Result<Option<Vec<PublicKeyHash>>, RemoteError> {
        Ok(self.rpc.get::<AuthorizedKeys>("authorized_keys").await?.authorized_keys)
    }

    pub(super) async fn sign(
        &self,
        address: &PublicKeyHash,
        message: &[u8],
        authentication: Option<&Signature>,
    ) -> Result<Signature, RemoteError> {
        let query = authentication.map_or_else(String::new, |signature| format!("?authentication={signature}"));
        let answer: SignatureAnswer = self.rpc.post(&format!("keys/{address}{query}"), &hex::encode(message)).await?;
        Ok(answer.signature)
    }

    pub(super) async fn proof_of_possession(&self, address: &PublicKeyHash) -> Result<Signature, RemoteError> {
        let answer: PossessionAnswer = self.rpc.get(&format!("bls_prove_possession/{address}")).await?;
        Ok(answer.bls_prove_possession)
    }
}
