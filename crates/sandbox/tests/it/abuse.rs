//! Hostile requests: the sandbox refuses them, answers others meanwhile, and its memory stays bounded.

use crate::support::{Layer1, manual};
use serde_json::json;
use soru_sandbox::SandboxConfig;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const FORGE: &str = "/chains/main/blocks/head/helpers/forge/operations";
const HEAD: &str = "/chains/main/blocks/head/hash";

/// Memory of this process in kB, now.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

async fn others_are_answered(layer1: &Layer1) {
    let began = Instant::now();
    layer1.value(HEAD).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// Sends bytes as they are, and reads the status line of the answer.
async fn raw(layer1: &Layer1, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(layer1.sandbox.address()).await.unwrap();
    // the other side may close before it has read all
    let _ = stream.write_all(bytes).await;
    let mut answer = vec![0; 200];
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut answer)).await.unwrap().unwrap_or(0);
    let text = String::from_utf8_lossy(&answer[..read]).into_owned();
    text.lines().next().unwrap_or_default().to_owned()
}

fn post(path: &str, kind: &str, body: &[u8]) -> Vec<u8> {
    let head =
        format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn bodies_that_are_no_operations() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    let bodies: [(&str, Vec<u8>); 8] = [
        ("deep lists", nested("[", "]").into_bytes()),
        ("deep objects", nested("{\"args\":", "}").into_bytes()),
        ("deep and open", "[".repeat(100_000).into_bytes()),
        ("invalid UTF-8", b"{\"branch\": \"\xff\xfe\"}".to_vec()),
        ("half a surrogate", b"{\"branch\": \"\\ud800\"}".to_vec()),
        ("a large number", b"{\"branch\": 1e999999}".to_vec()),
        ("nothing", Vec::new()),
        ("zeros", vec![0; 1_000]),
    ];
    let paths = [
        FORGE,
        "/injection/operation",
        "/chains/main/blocks/head/helpers/scripts/run_operation",
        "/chains/main/blocks/head/helpers/scripts/run_code",
        "/chains/main/blocks/head/helpers/scripts/pack_data",
        "/chains/main/blocks/head/helpers/preapply/operations",
        "/chains/main/blocks/head/helpers/preapply/block",
        "/sandbox/fund",
        "/sandbox/set-constants",
    ];
    for path in paths {
        for (what, body) in &bodies {
            let answer = raw(&layer1, &post(path, "application/json", body)).await;
            assert_eq!(answer, "HTTP/1.1 400 Bad Request", "{what} to {path}");
        }
    }
    others_are_answered(&layer1).await;
    layer1.sandbox.stop().await;
}

/// An expression that nests as deep as is read at all is worked on, or refused, by every service that takes one.
#[tokio::test]
async fn expressions_at_the_limit_of_depth() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    let mut ty = json!({"prim": "unit"});
    let mut data = json!({"prim": "Unit"});
    for _ in 0..290 {
        ty = json!({"prim": "option", "args": [ty]});
        data = json!({"prim": "Some", "args": [data]});
    }
    let script = json!([
        {"prim": "parameter", "args": [{"prim": "unit"}]},
        {"prim": "storage", "args": [ty]},
        {"prim": "code", "args": [[{"prim": "CDR"}, {"prim": "NIL", "args": [{"prim": "operation"}]}, {"prim": "PAIR"}]]},
    ]);
    let typed = json!({"data": data, "type": ty});
    let code = json!({"script": script, "storage": data, "input": {"prim": "Unit"}, "amount": "0"});
    for (service, body) in [
        ("pack_data", &typed),
        ("typecheck_data", &typed),
        ("normalize_data", &typed),
        ("normalize_type", &typed),
        ("run_code", &code),
        ("entrypoints", &code),
        ("normalize_script", &code),
    ] {
        let answer = layer1.post(&format!("/chains/main/blocks/head/helpers/scripts/{service}"), body).await;
        let refused = answer.status == 500 && answer.text.contains("\"id\":\"proto.025-PsUshuai.");
        assert!(answer.status == 200 || refused, "{service}: {} {}", answer.status, answer.text);
    }
    layer1.sandbox.stop().await;
}

/// Memory is that of a whole process, so what is measured runs in one of its own.
#[test]
fn memory_stays_bounded() {
    for name in ["large_bodies_are_not_kept", "idle_streams_are_cheap_and_all_are_told"] {
        let name = format!("abuse::{name}");
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let ran = child.args(["--ignored", "--exact", &name, "--nocapture"]).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success() && said.contains("1 passed"), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
        said.lines().filter(|line| line.contains("kB")).for_each(|line| println!("{line}"));
    }
}

#[tokio::test]
#[ignore = "run by memory_stays_bounded in a process of its own"]
async fn large_bodies_are_not_kept() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    let body = vec![b' '; 20 << 20];
    let bytes = post(FORGE, "application/json", &body);
    drop(body);
    let before = resident();
    for _ in 0..3 {
        let answer = raw(&layer1, &bytes).await;
        // who refuses may close the connection before its answer is read
        assert!(answer == "HTTP/1.1 413 Payload Too Large" || answer.is_empty(), "{answer}");
    }
    // length unknown: in pieces, and never ending
    let mut stream = TcpStream::connect(layer1.sandbox.address()).await.unwrap();
    let head = format!("POST {FORGE} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = [&b"100000\r\n"[..], &vec![b' '; 1 << 20], b"\r\n"].concat();
    let mut sent = 0;
    while sent < 20 && stream.write_all(&piece).await.is_ok() {
        sent += 1;
    }
    assert!(sent < 20, "the sandbox read {sent} MB of one body");
    others_are_answered(&layer1).await;
    let after = resident();
    println!("large bodies: {before} kB, then {after} kB");
    assert!(after < before + 60_000, "{before} kB, then {after} kB");
    layer1.sandbox.stop().await;
}

#[tokio::test]
async fn slow_clients_keep_nobody_waiting() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    let mut slow = Vec::new();
    for begun in 0..100 {
        let mut stream = TcpStream::connect(layer1.sandbox.address()).await.unwrap();
        let beginning = match begun % 3 {
            0 => "GET /chains/main".to_owned(),
            1 => format!("POST {FORGE} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{{"),
            _ => String::new(),
        };
        stream.write_all(beginning.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    for _ in 0..10 {
        others_are_answered(&layer1).await;
    }
    layer1.bake().await;
    let began = Instant::now();
    layer1.sandbox.stop().await;
    assert!(began.elapsed() < Duration::from_secs(10), "stopping took {:?}", began.elapsed());
}

#[tokio::test]
#[ignore = "run by memory_stays_bounded in a process of its own"]
async fn idle_streams_are_cheap_and_all_are_told() {
    const STREAMS: usize = 500;
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    let before = resident();
    let mut streams = Vec::new();
    for index in 0..STREAMS {
        let path = if index % 2 == 0 { "/monitor/heads/main" } else { "/chains/main/mempool/monitor_operations" };
        let mut stream = TcpStream::connect(layer1.sandbox.address()).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
        streams.push(stream);
    }
    others_are_answered(&layer1).await;
    let head = layer1.bake().await;
    let hash = head["hash"].as_str().unwrap();
    for stream in streams.iter_mut().step_by(100) {
        let mut told = String::new();
        let mut buffer = [0; 4_096];
        while !told.contains(hash) {
            let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer)).await.unwrap().unwrap();
            assert!(read > 0, "the stream ended: {told}");
            told.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    }
    // streams nobody reads: what waits for them is bounded by the system's buffers
    assert_eq!(layer1.post("/sandbox/bake", &json!({"blocks": 50})).await.status, 200);
    others_are_answered(&layer1).await;
    let after = resident();
    println!("{STREAMS} streams: {before} kB, then {after} kB");
    assert!(after < before + 60_000, "{before} kB, then {after} kB for {STREAMS} streams");
    drop(streams);
    layer1.sandbox.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_bound_wait() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::start(SandboxConfig { max_connections: 5, ..manual(directory.path()) }).await;
    let connect = || TcpStream::connect(layer1.sandbox.address());
    // this client keeps its connection
    others_are_answered(&layer1).await;
    let mut idle = Vec::new();
    for _ in 0..4 {
        idle.push(connect().await.unwrap());
    }
    let mut late = connect().await.unwrap();
    late.write_all(b"GET /version HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = [0; 15];
    assert!(tokio::time::timeout(Duration::from_millis(300), late.read_exact(&mut answer)).await.is_err());
    others_are_answered(&layer1).await;
    idle.pop();
    tokio::time::timeout(Duration::from_secs(10), late.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    // those that are idle keep nobody from stopping it
    layer1.sandbox.stop().await;
    drop(idle);
}
