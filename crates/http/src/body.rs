//! Bodies of requests: each has a largest size and a time to come in, and all that are held together have a bound too.

use axum::body::{Body, HttpBody};
use axum::http::StatusCode;
use bytes::Bytes;
use futures::StreamExt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a client may take to send a body.
const TIME: Duration = Duration::from_secs(60);

/// How many bodies of the largest size may be held at a time.
const TOGETHER: usize = 8;

/// Reads the bodies of a server's requests.
#[derive(Debug, Clone)]
pub struct Bodies {
    most: usize,
    time: Duration,
    left: Arc<Semaphore>,
}

/// Why a body is not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is larger than any may be.
    #[error("it has more than {0} bytes")]
    TooLarge(usize),
    /// It did not come in time.
    #[error("it did not come within {} seconds", .0.as_secs())]
    TooSlow(Duration),
    /// Other bodies take all the memory there is for them.
    #[error("too many large requests are being answered; try again later")]
    Busy,
    /// The connection broke.
    #[error("it ended early")]
    Broken,
}

impl Refused {
    /// What the request is answered with.
    pub fn status(self) -> StatusCode {
        match self {
            Refused::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Refused::TooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Refused::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Refused::Broken => StatusCode::BAD_REQUEST,
        }
    }
}

/// A body. Dropping it makes room for others.
#[derive(Debug)]
pub struct Held {
    bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl Deref for Held {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.bytes
    }
}

impl From<Bytes> for Held {
    /// A body that no client sent, and that takes no room of theirs.
    fn from(bytes: Bytes) -> Held {
        Held { bytes, _room: None }
    }
}

impl Bodies {
    /// Bodies of at most `most` bytes each, and of eight times as many in all.
    pub fn new(most: usize) -> Bodies {
        let most = most.clamp(1, Semaphore::MAX_PERMITS / TOGETHER).min(u32::MAX as usize);
        Bodies { most, time: TIME, left: Arc::new(Semaphore::new(most * TOGETHER)) }
    }

    /// The same, with another time to come in than a minute.
    #[must_use]
    pub fn within(self, time: Duration) -> Bodies {
        Bodies { time, ..self }
    }

    /// The whole body.
    ///
    /// # Errors
    /// When it is too large, too slow or broken, or when there is no room for it.
    pub async fn read(&self, body: Body) -> Result<Held, Refused> {
        tokio::time::timeout(self.time, self.gather(body)).await.unwrap_or(Err(Refused::TooSlow(self.time)))
    }

    async fn gather(&self, body: Body) -> Result<Held, Refused> {
        // of a length that is told, nothing is read that is too much
        if body.size_hint().lower() > self.most as u64 {
            return Err(Refused::TooLarge(self.most));
        }
        let mut chunks = body.into_data_stream();
        let (mut blocks, mut room) = (Blocks::default(), None::<OwnedSemaphorePermit>);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| Refused::Broken)?;
            if chunk.len() > self.most - blocks.length {
                return Err(Refused::TooLarge(self.most));
            }
            let wanted = u32::try_from(chunk.len()).map_err(|_| Refused::TooLarge(self.most))?;
            let more = Arc::clone(&self.left).try_acquire_many_owned(wanted).map_err(|_| Refused::Busy)?;
            match &mut room {
                Some(room) => room.merge(more),
                None => room = Some(more),
            }
            blocks.append(&chunk);
        }
        Ok(Held { bytes: blocks.whole().into(), _room: room })
    }
}

/// Bytes of a body as they come. One vector that grows would leave the memory of all its smaller selves behind.
#[derive(Default)]
struct Blocks {
    /// All full but the last.
    blocks: Vec<Vec<u8>>,
    length: usize,
}

impl Blocks {
    /// Bytes of a block.
    const FULL: usize = 1 << 18;

    fn append(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len();
        while !bytes.is_empty() {
            match self.blocks.last_mut() {
                Some(block) if block.len() < Blocks::FULL => {
                    let (now, later) = bytes.split_at(bytes.len().min(Blocks::FULL - block.len()));
                    block.extend_from_slice(now);
                    bytes = later;
                }
                _ => self.blocks.push(Vec::new()),
            }
        }
    }

    fn whole(mut self) -> Vec<u8> {
        if self.blocks.len() > 1 { self.blocks.concat() } else { self.blocks.pop().unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;
    use std::convert::Infallible;

    fn chunks(sizes: &[usize]) -> Body {
        let chunks: Vec<_> = sizes.iter().map(|size| Ok::<_, Infallible>(Bytes::from(vec![7; *size]))).collect();
        Body::from_stream(stream::iter(chunks))
    }

    #[tokio::test]
    async fn bodies_have_a_bound_each_and_together() {
        let bodies = Bodies::new(10);
        assert_eq!(bodies.read(Body::empty()).await.unwrap().len(), 0);
        assert_eq!(bodies.read(chunks(&[4, 6])).await.unwrap().len(), 10);
        assert_eq!(bodies.read(chunks(&[4, 7])).await.unwrap_err(), Refused::TooLarge(10));
        let mut held = Vec::new();
        for _ in 0..TOGETHER {
            held.push(bodies.read(chunks(&[5, 5])).await.unwrap());
        }
        assert_eq!(bodies.read(chunks(&[1])).await.unwrap_err(), Refused::Busy);
        // what needs no room is read all the same
        assert_eq!(bodies.read(Body::empty()).await.unwrap().len(), 0);
        held.pop();
        assert_eq!(bodies.read(chunks(&[1, 9])).await.unwrap().len(), 10);
    }

    #[tokio::test]
    async fn bodies_of_many_blocks_are_whole() {
        let bodies = Bodies::new(4 * Blocks::FULL);
        let part = |number: usize| Bytes::from(vec![number as u8; number * 1_000]);
        let body = Body::from_stream(stream::iter((0..40).map(part).map(Ok::<_, Infallible>)));
        let wanted: Vec<u8> = (0..40).flat_map(part).collect();
        assert!(wanted.len() > 2 * Blocks::FULL);
        assert_eq!(bodies.read(body).await.unwrap()[..], wanted);
    }

    #[tokio::test]
    async fn bodies_that_do_not_come_take_no_room() {
        let time = Duration::from_millis(20);
        let bodies = Bodies::new(10).within(time);
        let first = stream::iter([Ok::<_, Infallible>(Bytes::from_static(b"1234567890"))]);
        let slow = Body::from_stream(first.chain(stream::pending()));
        assert_eq!(bodies.read(slow).await.unwrap_err(), Refused::TooSlow(time));
        let broken = Body::from_stream(stream::iter([Err::<Bytes, _>(std::io::Error::other("gone"))]));
        assert_eq!(bodies.read(broken).await.unwrap_err(), Refused::Broken);
        assert_eq!(bodies.left.available_permits(), 80);
    }
}
