//! A layer 1 that misbehaves behind its address: what a rollup node says of it, and how it goes on once it is well again
//! (`spec/node.md` §4.2).

use crate::common::arena::Arena;
use crate::common::manual::ManualLayer1;
use crate::common::{ECHO, Program, SORU, ask, eventually};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What lies at the address of the layer 1.
#[derive(Clone, PartialEq)]
enum Mode {
    /// The server at an address.
    To(String),
    /// The same, but blocks that are asked for never come.
    NoBlocks(String),
    /// Something that answers every request with these bytes.
    Answer(Vec<u8>),
}

/// An address of which what lies behind it may change. All its connections end then.
struct Wire {
    address: String,
    state: Arc<Mutex<State>>,
}

struct State {
    mode: Mode,
    open: Vec<TcpStream>,
    /// Whether a block was asked for that does not come.
    withheld: bool,
}

impl Wire {
    fn new(mode: Mode) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { mode, open: vec![], withheld: false }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, shared) = (stream.unwrap(), Arc::clone(&shared));
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Wire { address, state }
    }

    fn becomes(&self, mode: Mode) {
        let mut state = self.state.lock().unwrap();
        state.mode = mode;
        state.open.drain(..).for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    }
}

/// Errors are those of connections that end.
fn serve(mut client: TcpStream, shared: &Arc<Mutex<State>>) -> Option<()> {
    let mode = shared.lock().unwrap().mode.clone();
    let (address, whole) = match &mode {
        Mode::Answer(bytes) => {
            client.read(&mut [0; 4096]).ok().filter(|read| *read > 0)?;
            return client.write_all(bytes).ok();
        }
        Mode::To(address) => (address, true),
        Mode::NoBlocks(address) => (address, false),
    };
    let mut server = TcpStream::connect(address.trim_start_matches("http://")).ok()?;
    let (mut answers, mut asker) = (server.try_clone().ok()?, client.try_clone().ok()?);
    shared.lock().unwrap().open.extend([client.try_clone().ok()?, server.try_clone().ok()?]);
    std::thread::spawn(move || std::io::copy(&mut answers, &mut asker));
    let mut buffer = [0; 4096];
    loop {
        let read = client.read(&mut buffer).ok().filter(|read| *read > 0)?;
        if !whole && String::from_utf8_lossy(&buffer[..read]).contains("metadata=always") {
            shared.lock().unwrap().withheld = true;
            continue;
        }
        server.write_all(&buffer[..read]).ok()?;
    }
}

fn answer(status: &str, length: usize, body: &str) -> Mode {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    Mode::Answer([head.as_bytes(), body.as_bytes()].concat())
}

#[test]
fn the_node_says_so_and_goes_on() {
    let mut arena = Arena::new(ECHO, json!({}));
    let right = Mode::To(arena.layer1.endpoint.clone());
    let wire = Wire::new(answer("200 OK", 40, "<html>Welcome to your new router!</html>"));
    let node = arena.admit("b1", "observer", &[]);
    for word in &mut arena.players[node].words {
        match word.as_str() {
            "0.1" => *word = "0.02".to_owned(),
            endpoint if endpoint == arena.layer1.endpoint => *word = wire.address.clone(),
            _ => {}
        }
    }
    let words = arena.players[node].words.clone();
    let address = arena.players[node].address.clone();
    let mut program = Program::start(SORU, &arena.layer1.dir(), &words);
    program.says("<html>Welcome to your");
    for (mode, sign) in [
        (answer("500 Internal Server Error", 4, "oops"), "answered 500: oops"),
        (answer("200 OK", 500, "{\"hash\": \"BL"), "end of file before message length reached"),
        (Mode::Answer(vec![0xff; 100]), "invalid HTTP"),
    ] {
        wire.becomes(mode);
        program.says(sign);
    }
    wire.becomes(right.clone());
    program.says("node is listening to");
    let reaches_head = |layer1: &ManualLayer1| {
        let path = format!("/global/block/{}/hash", layer1.level());
        let head = layer1.get("/chains/main/blocks/head/hash");
        eventually("the node reaches the head", || ask(&address, "GET", &path).filter(|reached| *reached == head));
    };
    arena.layer1.bake();
    reaches_head(&arena.layer1);

    // another chain, further than this one
    let other = ManualLayer1::new(&json!({}));
    while other.level() < arena.layer1.level() + 5 {
        other.bake();
    }
    wire.becomes(Mode::To(other.endpoint.clone()));
    program.says("is not the one that this data directory follows: there is no rollup");
    let health = ask(&address, "GET", "/health").unwrap();
    assert!(health["degraded"] == true && health["stopped"].as_str().unwrap().contains(&wire.address), "{health}");
    wire.becomes(right.clone());
    arena.layer1.bake();
    program.says("Processing blocks again");
    reaches_head(&arena.layer1);
    assert!(program.is_running());

    // a layer 1 that withholds its blocks does not keep the node from stopping
    wire.becomes(Mode::NoBlocks(arena.layer1.endpoint.clone()));
    arena.layer1.bake();
    eventually("the node asks for the block", || wire.state.lock().unwrap().withheld.then_some(()));
    let begin = Instant::now();
    program.signal("TERM");
    let (code, said) = program.ended();
    assert_eq!(code, Some(0), "{said}");
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());

    // where it was begun, it is not begun again on the other chain
    wire.becomes(Mode::To(other.endpoint.clone()));
    arena.run(node).fails_saying(&["is not the one that this data directory follows", "another data directory"]);
}
