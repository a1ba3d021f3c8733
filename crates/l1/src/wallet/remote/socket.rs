//! Signers behind a socket, by the binary protocol of `octez-signer`: a message is its length in two bytes and that many
//! bytes. A request begins with its tag; an answer with 0 before what was asked for, or 1 before the errors.

use super::{RemoteError, bson};
use reqwest::Url;
use soru_tezos::codec::{Decode, DecodeError, Decoded, Encode, Problem, Reader, put_dynamic, put_flag};
use soru_tezos::key::{PublicKey, PublicKeyHash, Scheme, Signature};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Why a signer behind a socket did not answer as it should. Every variant names the signer.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The address is of neither form.
    #[error(
        "'{text}' is not the address of a signer: {problem}; give one like tcp://host:7732 or unix:/path/to/socket"
    )]
    Address {
        /// The text given, shortened.
        text: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Nobody answers there, or the connection broke.
    #[error("cannot reach the signer at {signer}: {problem}")]
    Unreachable {
        /// The signer.
        signer: String,
        /// What the system said.
        problem: std::io::Error,
    },
    /// No answer in time.
    #[error("no answer from the signer at {signer} within {} s", after.as_secs_f32())]
    Timeout {
        /// The signer.
        signer: String,
        /// How long was waited.
        after: Duration,
    },
    /// The connection ended inside the answer.
    #[error("the signer at {signer} closed the connection before the end of its answer")]
    CutOff {
        /// The signer.
        signer: String,
    },
    /// The request does not fit a message.
    #[error(
        "a request of {length} bytes is too long for the signer at {signer}, which takes {MAX_MESSAGE} at most: use http"
    )]
    TooLong {
        /// The signer.
        signer: String,
        /// Length of the request.
        length: usize,
    },
    /// The answer is not of the expected form.
    #[error("the answer of the signer at {signer} cannot be read: {problem}")]
    Decode {
        /// The signer.
        signer: String,
        /// What is wrong with it.
        problem: DecodeError,
    },
    /// The signer refused.
    #[error("the signer at {signer} refused: {errors}")]
    Refused {
        /// The signer.
        signer: String,
        /// Its errors.
        errors: String,
    },
}

/// Most bytes of a message.
const MAX_MESSAGE: usize = u16::MAX as usize;

/// Where a signer listens.
enum Listens {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

/// A signer at `tcp://host:port` or `unix:/path`.
pub(super) struct SocketSigner {
    listens: Listens,
    text: String,
    patience: Duration,
}

/// Tags of the requests.
mod tag {
    pub(super) const SIGN: u8 = 0;
    pub(super) const PUBLIC_KEY: u8 = 1;
    pub(super) const AUTHORIZED_KEYS: u8 = 2;
    pub(super) const PROVE_POSSESSION: u8 = 7;
}

/// The scheme of BLS signatures: that of the protocols since 023.
const BLS_VERSION: u8 = 2;

impl SocketSigner {
    /// The signer at an address; an answer is waited for as long as `patience`.
    pub(super) fn new(base: &str, patience: Duration) -> Result<SocketSigner, SocketError> {
        let wrong = |problem: &str| SocketError::Address {
            text: base.chars().take(200).collect(),
            problem: problem.to_owned(),
        };
        let listens = match base.strip_prefix("unix:") {
            Some(path) => {
                let path = path.strip_prefix("//").unwrap_or(path);
                if !path.starts_with('/') {
                    return Err(wrong("the path of its socket must be absolute"));
                }
                Listens::Unix(path.into())
            }
            None => {
                let url = Url::parse(base).map_err(|error| wrong(&error.to_string()))?;
                let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong("it names no host"))?;
                let port = url.port().ok_or_else(|| wrong("it names no port"))?;
                // the system wants addresses of version 6 without brackets
                Listens::Tcp { host: host.trim_matches(['[', ']']).to_owned(), port }
            }
        };
        Ok(SocketSigner { listens, text: base.to_owned(), patience })
    }

    pub(super) async fn public_key(&self, address: &PublicKeyHash) -> Result<PublicKey, RemoteError> {
        let mut request = vec![tag::PUBLIC_KEY];
        address.encode(&mut request);
        self.ask(&request, PublicKey::decode).await
    }

    pub(super) async fn authorized_keys(&self) -> Result<Option<Vec<PublicKeyHash>>, RemoteError> {
        const WHAT: &str = "authorized keys";
        let read = |reader: &mut Reader<'_>| {
            let at = reader.clone();
            match reader.byte(WHAT)? {
                0 => Ok(None),
                1 => Vec::<PublicKeyHash>::decode(reader).map(Some),
                tag => Err(at.error(WHAT, Problem::Tag(tag))),
            }
        };
        self.ask(&[tag::AUTHORIZED_KEYS], read).await
    }

    pub(super) async fn sign(
        &self,
        address: &PublicKeyHash,
        message: &[u8],
        authentication: Option<&Signature>,
    ) -> Result<Signature, RemoteError> {
        let mut request = vec![tag::SIGN];
        if address.scheme == Scheme::Bls {
            request.push(Scheme::Bls as u8);
            address.encode(&mut request);
            request.push(BLS_VERSION);
        } else {
            address.encode(&mut request);
        }
        put_dynamic(&mut request, message);
        if let Some(signature) = authentication {
            request.extend_from_slice(signature.as_bytes());
        }
        let read = |reader: &mut Reader<'_>| match address.scheme {
            Scheme::Bls => reader.array("signature").map(Signature::Bls),
            _ => reader.array("signature").map(Signature::Generic),
        };
        self.ask(&request, read).await
    }

    pub(super) async fn proof_of_possession(&self, address: &PublicKeyHash) -> Result<Signature, RemoteError> {
        let mut request = vec![tag::PROVE_POSSESSION];
        address.encode(&mut request);
        // no other key to prove
        put_flag(&mut request, false);
        self.ask(&request, |reader| reader.array("proof of possession").map(Signature::Bls)).await
    }

    fn unreachable(&self, problem: std::io::Error) -> SocketError {
        match problem.kind() {
            std::io::ErrorKind::UnexpectedEof => SocketError::CutOff { signer: self.text.clone() },
            _ => SocketError::Unreachable { signer: self.text.clone(), problem },
        }
    }

    /// Sends a request on a connection of its own, and reads the answer with `read`.
    async fn ask<T>(&self, request: &[u8], read: impl FnOnce(&mut Reader<'_>) -> Decoded<T>) -> Result<T, RemoteError> {
        let length = u16::try_from(request.len())
            .map_err(|_| SocketError::TooLong { signer: self.text.clone(), length: request.len() })?;
        let message = [&length.to_be_bytes(), request].concat();
        let answer = tokio::time::timeout(self.patience, self.exchange(&message)).await;
        let answer = answer
            .map_err(|_| SocketError::Timeout { signer: self.text.clone(), after: self.patience })?
            .map_err(|problem| self.unreachable(problem))?;
        Ok(self.read(&answer, read)?)
    }

    async fn exchange(&self, message: &[u8]) -> std::io::Result<Vec<u8>> {
        match &self.listens {
            Listens::Tcp { host, port } => {
                let stream = tokio::net::TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                exchange(stream, message).await
            }
            #[cfg(unix)]
            Listens::Unix(path) => exchange(tokio::net::UnixStream::connect(path).await?, message).await,
            #[cfg(not(unix))]
            Listens::Unix(_) => Err(std::io::ErrorKind::Unsupported.into()),
        }
    }

    fn read<T>(&self, answer: &[u8], read: impl FnOnce(&mut Reader<'_>) -> Decoded<T>) -> Result<T, SocketError> {
        const WHAT: &str = "answer";
        let mut reader = Reader::new(answer);
        let at = reader.clone();
        let value = reader.byte(WHAT).and_then(|tag| match tag {
            0 => {
                let value = read(&mut reader)?;
                reader.finish(WHAT)?;
                Ok(Ok(value))
            }
            1 => {
                let errors = reader.list("errors", |reader| reader.dynamic("error"))?;
                reader.finish(WHAT)?;
                Ok(Err(errors.into_iter().map(bson::describe_error).collect::<Vec<_>>().join("; ")))
            }
            tag => Err(at.error(WHAT, Problem::Tag(tag))),
        });
        let signer = || self.text.clone();
        value
            .map_err(|problem| SocketError::Decode { signer: signer(), problem })?
            .map_err(|errors| SocketError::Refused { signer: signer(), errors })
    }
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, message: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(message).await?;
    stream.flush().await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}
