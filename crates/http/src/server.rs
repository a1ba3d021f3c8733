//! Accepting connections: no more at a time than a bound, so that whoever opens many takes neither the file descriptors of a
//! store nor the memory of the rest. Connections beyond the bound wait with the operating system for one to end.

use crate::connection::Impatient;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What a server allows its clients.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections that are open at a time; at least one is.
    pub connections: usize,
    /// How long a connection may take to bring the head of its first request, and of each that follows the last answer.
    pub head: Duration,
    /// How long a client may take nothing of an answer that it could take.
    pub stall: Duration,
    /// How long answers may take to end once the server is told to stop.
    pub grace: Duration,
}

impl Default for Limits {
    /// 800 connections: fewer than the file descriptors that systems give a process, 1,024. Two minutes for a request, since
    /// programs keep connections for 90 seconds at most; one for taking an answer, two seconds for stopping.
    fn default() -> Self {
        Limits {
            connections: 800,
            head: Duration::from_secs(120),
            stall: Duration::from_secs(60),
            grace: Duration::from_secs(2),
        }
    }
}

/// Answers requests until `stop`; then requests that began are given [`Limits::grace`] to end.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = open.join_next() => {}
            (stream, place) = accept(&listener, &places) => {
                open.spawn(answer(stream, place, router.clone(), limits, stop.clone()));
            }
        }
    }
    drop(listener);
    let ended = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.grace, ended).await.is_err() {
        tracing::debug!("{} connections are closed before their end", open.len());
    }
    open.shutdown().await;
}

/// The next connection, once there is a place for it.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    /// How long to wait when the system has no more descriptors or memory.
    const EXHAUSTED: Duration = Duration::from_secs(1);
    let Ok(place) = Arc::clone(places).acquire_owned().await else {
        // nobody closes the semaphore
        return std::future::pending().await;
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
}

/// Whether a connection failed before it was taken.
fn is_of_the_client(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset)
}

/// Answers the requests of one connection.
async fn answer(
    stream: TcpStream,
    _place: OwnedSemaphorePermit,
    router: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    // small chunks of a stream are wanted at once
    let _ = stream.set_nodelay(true);
    let stream = TokioIo::new(Impatient::new(stream, limits.stall));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .serve_connection(stream, TowerToHyperService::new(router));
    tokio::pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::trace!("a connection ended: {error}");
                }
                return;
            }
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
