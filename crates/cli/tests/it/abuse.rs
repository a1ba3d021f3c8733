//! Hostile requests to a rollup node and to its metrics server: they are refused, others are answered meanwhile, and the
//! node's memory stays bounded.

use crate::common::arena::Arena;
use crate::common::{ECHO, PATIENCE, ask};
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const INJECTION: &str = "/local/batcher/injection";

struct Scene {
    arena: Arena,
    node: usize,
    rpc: String,
    metrics: String,
}

impl Scene {
    fn new() -> Scene {
        let mut arena = Arena::new(ECHO, json!({}));
        let node = arena.admit("batching:b1", "batcher", &["--metrics-addr", "127.0.0.1:0"]);
        arena.start(node);
        let metrics = arena.players[node].program.as_ref().unwrap().says("Starting metrics server on");
        let rpc = arena.players[node].address.trim_start_matches("http://").to_owned();
        Scene { arena, node, rpc, metrics }
    }

    /// Memory of the node in kB, now.
    fn resident(&self) -> u64 {
        self.arena.players[self.node].program.as_ref().unwrap().resident()
    }

    fn others_are_answered(&self) {
        let began = Instant::now();
        assert!(ask(&self.rpc, "GET", "/global/block/head/hash").is_some());
        assert!(raw(&self.metrics, b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").starts_with("HTTP/1.1 200"));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}

/// Sends bytes as they are, and reads the beginning of the answer.
fn raw(address: &str, bytes: &[u8]) -> String {
    let mut stream = opened(address, b"");
    // the other side may close before it has read all
    let _ = stream.write_all(bytes);
    let mut answer = [0; 400];
    let read = stream.read(&mut answer).unwrap_or(0);
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

/// A connection over which some bytes were sent.
fn opened(address: &str, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[test]
fn whatever_is_sent_the_node_stays() {
    let mut scene = Scene::new();
    let before = scene.resident();

    // bodies that are no messages
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000)).into_bytes();
    for (what, body) in [
        ("deep lists", nested("[", "]")),
        ("deep objects", nested("{\"a\":", "}")),
        ("deep and open", vec![b'['; 100_000]),
        ("invalid UTF-8", b"[\"\xff\xfe\"]".to_vec()),
        ("half a surrogate", b"[\"\\ud800\"]".to_vec()),
        ("no hexadecimal", b"[\"0g\"]".to_vec()),
        ("half a byte", b"[\"012\"]".to_vec()),
        ("a large number", b"[1e999999]".to_vec()),
        ("nothing", Vec::new()),
        ("zeros", vec![0; 1_000]),
    ] {
        let answer = raw(&scene.rpc, &post(INJECTION, &body));
        assert!(answer.starts_with("HTTP/1.1 400"), "{what}: {answer}");
    }
    let many = [&b"["[..], &b"\"\",".repeat(1_000_000), b"\"\"]"].concat();
    let answer = raw(&scene.rpc, &post(INJECTION, &many));
    assert!(answer.contains("no space left in heap"), "{answer}");
    for path in
        ["/%ff%fe", "/global/block/%00", "/global/block/head/outbox/99999999999999999999/messages", "/../../etc"]
    {
        let answer = raw(&scene.rpc, format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
    }
    for junk in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"GET\r\n\r\n", &vec![b'a'; 1 << 20]] {
        for address in [&scene.rpc, &scene.metrics] {
            let answer = raw(address, junk);
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        }
    }

    // large ones: of a length that is told, and of none
    let large = post(INJECTION, &vec![b' '; 20 << 20]);
    let answer = raw(&scene.rpc, &large);
    // who refuses may close the connection before its answer is read
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
    for address in [&scene.rpc, &scene.metrics] {
        let head = format!("POST {INJECTION} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
        let mut stream = opened(address, head.as_bytes());
        let piece = [&b"100000\r\n"[..], &vec![b' '; 1 << 20], b"\r\n"].concat();
        let sent = (0..25).take_while(|_| stream.write_all(&piece).is_ok()).count();
        assert!(sent < 25, "{address} read {sent} MB of one body");
    }
    scene.others_are_answered();

    // slow clients, and streams that nobody reads
    let slow: Vec<TcpStream> = (0..100)
        .map(|index| match index % 4 {
            0 => opened(&scene.rpc, b"GET /global"),
            1 => opened(
                &scene.rpc,
                format!("POST {INJECTION} HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n[").as_bytes(),
            ),
            2 => opened(&scene.rpc, b""),
            _ => opened(&scene.metrics, b"GET /met"),
        })
        .collect();
    let mut streams: Vec<TcpStream> = (0..500)
        .map(|index| {
            let path = if index % 2 == 0 { "monitor_blocks" } else { "monitor_finalized_blocks" };
            opened(&scene.rpc, format!("GET /global/{path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes())
        })
        .collect();
    scene.others_are_answered();
    for _ in 0..5 {
        scene.arena.step();
    }
    let head = scene.arena.layer1.get("/chains/main/blocks/head/hash");
    for stream in streams.iter_mut().step_by(100) {
        let mut told = String::new();
        while !told.contains(head.as_str().unwrap()) {
            let mut buffer = [0; 4_096];
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0, "the stream ended: {told}");
            told.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    }
    scene.others_are_answered();
    let after = scene.resident();
    println!("{before} kB, then {after} kB");
    assert!(after < before + 100_000, "{before} kB, then {after} kB");

    // and none of them keeps it from stopping
    let began = Instant::now();
    assert_eq!(scene.arena.players[scene.node].program.take().unwrap().stop(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    drop((slow, streams));
}
