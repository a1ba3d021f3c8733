//! Endless answers: one JSON document after the other, as they come (`spec/protocol.md` §9.1).

use super::error::{RpcError, RpcResult};
use super::http::RpcClient;
use bytes::{Buf, BytesMut};
use futures::stream::{BoxStream, StreamExt};
use reqwest::Url;
use serde::de::DeserializeOwned;
use std::collections::VecDeque;
use std::marker::PhantomData;

/// Most bytes of one document.
const MAX_DOCUMENT: usize = 16 << 20;

/// The documents of an endless answer.
pub struct Documents<T> {
    client: RpcClient,
    url: Url,
    chunks: BoxStream<'static, Result<bytes::Bytes, reqwest::Error>>,
    buffer: BytesMut,
    ready: VecDeque<T>,
    _kind: PhantomData<T>,
}

impl<T: DeserializeOwned> Documents<T> {
    /// The next document; nothing when the node ends the stream. Safe to cancel.
    pub async fn next(&mut self) -> RpcResult<Option<T>> {
        loop {
            if let Some(document) = self.ready.pop_front() {
                return Ok(Some(document));
            }
            let Some(chunk) = self.chunks.next().await else { return Ok(None) };
            let chunk = chunk.map_err(|error| self.client.stream_error(&self.url, error))?;
            // reading the same beginning again and again would take long, were it that of an endless document
            let may_end = self.buffer.is_empty() || chunk.iter().any(|byte| matches!(byte, b'}' | b']' | b'"' | b'\n'));
            self.buffer.extend_from_slice(&chunk);
            let blank = self.buffer.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            self.buffer.advance(blank);
            if may_end {
                self.split()?;
            }
            if self.buffer.len() > MAX_DOCUMENT {
                return Err(RpcError::TooLarge { url: self.url.to_string(), limit: MAX_DOCUMENT });
            }
        }
    }

    /// Takes all complete documents out of the buffer. The stream of one connection may cut a document anywhere.
    fn split(&mut self) -> RpcResult<()> {
        let mut documents = serde_json::Deserializer::from_slice(&self.buffer).into_iter::<T>();
        let mut consumed = 0;
        loop {
            match documents.next() {
                Some(Ok(document)) => {
                    self.ready.push_back(document);
                    consumed = documents.byte_offset();
                }
                Some(Err(error)) if !error.is_eof() => {
                    return Err(RpcError::unreadable(&self.url, &self.buffer, &error));
                }
                _ => break,
            }
        }
        drop(documents);
        let _ = self.buffer.split_to(consumed);
        Ok(())
    }
}

impl RpcClient {
    /// Opens an endless answer of JSON documents.
    pub async fn stream<T: DeserializeOwned>(&self, path: &str) -> RpcResult<Documents<T>> {
        let (url, response) = self.open_stream(path).await?;
        Ok(Documents {
            client: self.clone(),
            url,
            chunks: response.bytes_stream().boxed(),
            buffer: BytesMut::new(),
            ready: VecDeque::new(),
            _kind: PhantomData,
        })
    }
}
