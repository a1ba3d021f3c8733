//! A signer in another program or machine, by the protocols of `octez-signer` (`spec/node.md` §10.4).

mod bson;
mod http;
mod socket;

pub use socket::SocketError;

use super::signer::{Signer, SignerError};
use crate::rpc::RpcError;
use futures::future::BoxFuture;
use http::HttpSigner;
use socket::SocketSigner;
use soru_tezos::codec::Encode;
use soru_tezos::key::{PublicKey, PublicKeyHash, Scheme, Signature};
use soru_tezos::operation::BlsProof;
use soru_tezos::sign::{SecretKey, Watermark};
use std::time::Duration;

/// Why a remote signer did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Of one behind HTTP.
    #[error(transparent)]
    Http(#[from] RpcError),
    /// Of one behind a socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
}

/// How long the answer of a signer behind a socket is waited for: a person may have to confirm there.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// What stands before a request when it is signed, so that the signature is good for nothing else: a request to a signer, to sign.
const SIGNED_REQUEST: [u8; 2] = [4, 1];

/// How a signer is spoken to.
enum Line {
    Http(HttpSigner),
    Socket(SocketSigner),
}

/// Calls a method of whichever line it is.
macro_rules! on {
    ($line:expr, $($call:tt)*) => {
        match $line {
            Line::Http(signer) => signer.$($call)*.await,
            Line::Socket(signer) => signer.$($call)*.await,
        }
    };
}

/// A key in a remote signer.
pub struct RemoteSigner {
    line: Line,
    address: PublicKeyHash,
    public: PublicKey,
    own: Vec<SecretKey>,
}

impl RemoteSigner {
    /// A key of the signer at `base`: `http://…`, `https://…`, `tcp://host:port` or `unix:/path`. Its public key is asked for
    /// unless it is known. A signer that answers only whom it knows is sent requests signed with one of the `own` keys.
    ///
    /// # Errors
    /// When the signer cannot be reached, or does not have the key.
    pub async fn connect(
        base: &str,
        address: PublicKeyHash,
        public: Option<PublicKey>,
        own: Vec<SecretKey>,
        patience: Duration,
    ) -> Result<RemoteSigner, RemoteError> {
        let line = match base.split_once(':') {
            Some(("tcp" | "unix", _)) => Line::Socket(SocketSigner::new(base, patience)?),
            _ => Line::Http(HttpSigner::new(base)?),
        };
        let public = match public.filter(|public| public.hash() == address) {
            Some(public) => public,
            None => on!(&line, public_key(&address))?,
        };
        Ok(RemoteSigner { line, address, public, own })
    }

    fn failed(&self, problem: impl std::fmt::Display) -> SignerError {
        SignerError { address: self.address, problem: format!("remote signer: {problem}") }
    }

    /// The signature that authenticates a request to sign `message`, if the signer wants one.
    async fn authentication(&self, message: &[u8]) -> Result<Option<Signature>, SignerError> {
        let authorized = on!(&self.line, authorized_keys()).map_err(|error| self.failed(error))?;
        let Some(authorized) = authorized else { return Ok(None) };
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
        key.sign(Watermark::None, &request).map(Some).map_err(|error| self.failed(error))
    }

    async fn ask_signature(&self, watermark: Watermark, bytes: &[u8]) -> Result<Signature, SignerError> {
        let message = [watermark.to_bytes().as_slice(), bytes].concat();
        let authentication = self.authentication(&message).await?;
        let signature = on!(&self.line, sign(&self.address, &message, authentication.as_ref()));
        let signature = signature.map_err(|error| self.failed(error))?;
        // better to say it here than to have the layer 1 refuse the operation
        if !self.public.verify(watermark, bytes, &signature) {
            return Err(self.failed("its signature is not that of the key"));
        }
        Ok(signature)
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
            let proof = on!(&self.line, proof_of_possession(&self.address)).map_err(|error| self.failed(error))?;
            match proof {
                Signature::Bls(proof) if self.public.verify_possession(&BlsProof(proof)) => Ok(Some(BlsProof(proof))),
                _ => Err(self.failed("its proof of possession is not that of the key")),
            }
        })
    }
}
