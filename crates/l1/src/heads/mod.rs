//! The heads of a layer 1 as an endless sequence that survives lost connections, and the ways between heads
//! (`spec/node.md` §4.2).

mod backoff;
mod predecessors;
mod reorg;

pub use predecessors::Predecessors;
pub use reorg::{Reorg, reorg};

use crate::rpc::{Documents, RpcClient, RpcError};
use soru_tezos::hash::BlockHash;
use soru_tezos::header::MonitoredHead;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// State of the connection, for whoever shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// Not yet tried, or being tried again after a failure.
    Down {
        /// Failed attempts since it was last up.
        attempts: u32,
        /// Why the last one failed.
        problem: Option<String>,
    },
    /// Heads come in.
    Up,
}

/// The heads of a node. Connects, and connects again, for as long as it is asked.
pub struct HeadStream {
    client: RpcClient,
    first_delay: Duration,
    documents: Option<Documents<MonitoredHead>>,
    /// Attempts since the last success, and when the next is due.
    attempts: u32,
    next_attempt: Option<Instant>,
    last: Option<BlockHash>,
    last_at: Instant,
    patience: Duration,
    state: watch::Sender<Connection>,
    predecessors: Arc<Predecessors>,
}

/// Longest silence of a fresh connection.
const FIRST_PATIENCE: Duration = Duration::from_secs(300);
/// Shortest silence after which a connection counts as dead.
const LEAST_PATIENCE: Duration = Duration::from_secs(10);
/// A connection is dead after so many times the interval of the last two heads.
const INTERVALS: u32 = 10;

impl HeadStream {
    /// Heads of the node behind `client`; `delay` is the wait before the first new attempt after a failure.
    pub fn new(client: RpcClient, delay: Duration) -> Self {
        let predecessors = Arc::new(Predecessors::new(client.clone()));
        HeadStream {
            client,
            first_delay: delay,
            documents: None,
            attempts: 0,
            next_attempt: None,
            last: None,
            last_at: Instant::now(),
            patience: FIRST_PATIENCE,
            state: watch::Sender::new(Connection::Down { attempts: 0, problem: None }),
            predecessors,
        }
    }

    /// The predecessors, filled from the stream as well.
    pub fn predecessors(&self) -> Arc<Predecessors> {
        Arc::clone(&self.predecessors)
    }

    /// The state of the connection, now and later.
    pub fn state(&self) -> watch::Receiver<Connection> {
        self.state.subscribe()
    }

    /// The next head that differs from the last one. Waits however long it takes; safe to cancel.
    pub async fn next(&mut self) -> MonitoredHead {
        loop {
            let documents = match &mut self.documents {
                Some(documents) => documents,
                None => match self.connect().await {
                    Some(documents) => self.documents.insert(documents),
                    None => continue,
                },
            };
            let silence = self.patience.saturating_sub(self.last_at.elapsed());
            let problem = match tokio::time::timeout(silence, documents.next()).await {
                Ok(Ok(Some(head))) => match self.take(head) {
                    Some(head) => return head,
                    None => continue,
                },
                Ok(Ok(None)) => "the node closed the stream of heads".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no head for {} s", self.patience.as_secs()),
            };
            self.lose(problem);
        }
    }

    /// Drops the connection, as after a failure of another request to the same node.
    pub fn lose(&mut self, problem: String) {
        tracing::warn!(endpoint = self.client.endpoint(), problem, "lost the connection to the layer 1");
        self.documents = None;
        self.attempts = self.attempts.saturating_add(1);
        self.next_attempt = Some(Instant::now() + backoff::delay(self.first_delay, self.attempts, backoff::random()));
        self.state.send_replace(Connection::Down { attempts: self.attempts, problem: Some(problem) });
    }

    async fn connect(&mut self) -> Option<Documents<MonitoredHead>> {
        if let Some(due) = self.next_attempt {
            tokio::time::sleep_until(due.into()).await;
        }
        match self.client.monitor_heads(None).await {
            Ok(documents) => {
                self.next_attempt = None;
                self.last_at = Instant::now();
                self.patience = FIRST_PATIENCE;
                Some(documents)
            }
            Err(error) => {
                self.failed(error);
                None
            }
        }
    }

    fn failed(&mut self, error: RpcError) {
        self.lose(error.to_string());
    }

    fn take(&mut self, head: MonitoredHead) -> Option<MonitoredHead> {
        self.predecessors.remember(head.hash, head.shell.predecessor);
        if self.attempts > 0 {
            tracing::info!(endpoint = self.client.endpoint(), "connected to the layer 1 again");
        }
        if self.attempts > 0 || *self.state.borrow() != Connection::Up {
            self.attempts = 0;
            self.state.send_replace(Connection::Up);
        }
        let now = Instant::now();
        if self.last == Some(head.hash) {
            self.last_at = now;
            return None;
        }
        if self.last.is_some() {
            self.patience = ((now - self.last_at) * INTERVALS).max(LEAST_PATIENCE);
        }
        self.last_at = now;
        self.last = Some(head.hash);
        Some(head)
    }
}
