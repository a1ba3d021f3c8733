//! What clients cannot do to a server: keep others out, by their number or by being slow.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use futures::stream;
use soru_http::{Limits, Workers, serve};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_secs(20);

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(limits: Limits) -> Server {
        let endless = || async {
            let block = Bytes::from(vec![b'x'; 1 << 16]);
            Body::from_stream(stream::repeat_with(move || Ok::<_, Infallible>(block.clone())))
        };
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/silent", get(|| async { Body::from_stream(stream::pending::<Result<Bytes, Infallible>>()) }))
            .route("/endless", get(endless));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let task = tokio::spawn(serve(listener, router, limits, stop.clone()));
        Server { address, stop, task }
    }

    async fn sent(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    async fn answers_within(&self, time: Duration) -> bool {
        let mut stream = self.sent("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        let mut answer = String::new();
        let read = tokio::time::timeout(time, stream.read_to_string(&mut answer)).await;
        read.is_ok_and(|read| read.is_ok()) && answer.ends_with("here")
    }
}

/// Waits until the other side closes.
async fn closed(stream: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    // a connection that is reset is closed too
    let _ = tokio::time::timeout(LONG, stream.read_to_end(&mut rest)).await.unwrap();
    String::from_utf8_lossy(&rest).into_owned()
}

#[tokio::test]
async fn connections_beyond_the_bound_wait() {
    let server = Server::start(Limits { connections: 3, ..Limits::default() }).await;
    let mut idle = vec![server.sent("").await, server.sent("GET / HT").await];
    assert!(server.answers_within(LONG).await);
    idle.push(server.sent("GET /silent HTTP/1.1\r\nhost: x\r\n\r\n").await);
    assert!(!server.answers_within(SHORT).await);
    idle.pop();
    assert!(server.answers_within(LONG).await);
}

#[tokio::test]
async fn who_asks_nothing_makes_room() {
    let server = Server::start(Limits { connections: 4, head: SHORT, ..Limits::default() }).await;
    let began = Instant::now();
    let mut slow = [
        server.sent("").await,
        server.sent("GET / HTTP/1.1\r\nhost:").await,
        server.sent("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await,
    ];
    let mut follows = server.sent("GET /silent HTTP/1.1\r\nhost: x\r\n\r\n").await;
    for stream in &mut slow {
        closed(stream).await;
    }
    assert!(began.elapsed() >= SHORT);
    assert!(server.answers_within(LONG).await);
    // who waits for an answer is not idle
    let mut answer = [0; 15];
    follows.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    let mut rest = [0; 1_000];
    while let Ok(read) = tokio::time::timeout(SHORT * 2, follows.read(&mut rest)).await {
        assert!(read.unwrap() > 0, "a stream without news ended");
    }
}

#[tokio::test]
async fn who_takes_no_answer_makes_room() {
    let server = Server::start(Limits { connections: 1, stall: SHORT, ..Limits::default() }).await;
    let stalled = server.sent("GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let began = Instant::now();
    while !server.answers_within(SHORT).await {
        assert!(began.elapsed() < LONG, "the place is not free");
    }
    drop(stalled);
}

#[tokio::test]
async fn stopping_waits_for_nobody_long() {
    let server = Server::start(Limits { grace: SHORT, ..Limits::default() }).await;
    let mut silent = server.sent("GET /silent HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut half = server.sent("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{").await;
    assert!(server.answers_within(LONG).await);
    server.stop.cancel();
    tokio::time::timeout(LONG, server.task).await.unwrap().unwrap();
    closed(&mut silent).await;
    closed(&mut half).await;
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn work_waits_for_its_turn() {
    let workers = Workers::new(2);
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let work = (0..8).map(|number| {
        let (now, most) = (now.clone(), most.clone());
        workers.run(move || {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(10));
            now.fetch_sub(1, Ordering::SeqCst);
            number
        })
    });
    let done = futures::future::join_all(work).await;
    assert_eq!(done.into_iter().map(Result::unwrap).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    assert_eq!(most.load(Ordering::SeqCst), 2);
    assert!(workers.run(|| std::panic::resume_unwind(Box::new(()))).await.is_err());
    assert_eq!(workers.run(|| 1).await.unwrap(), 1);
}
