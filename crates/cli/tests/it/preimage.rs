//! A kernel that asks for data nobody has (`spec/node.md` §4.10): at the very beginning the node ends and says why; later it
//! stops at that level, says so, keeps answering, and goes on when the data appears, on disk or at the service.

use crate::common::manual::ManualLayer1;
use crate::common::{Program, SORU, ask, eventually, free_port, run, words};
use serde_json::{Value, json};
use soru_tezos::hash::RevealHash;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

const EARLY: &[u8] = b"a page that is asked for before the first commitment";
const LATE: &[u8] = b"a page that is not there yet";
const SERVED: &[u8] = b"a page of the service";

/// A message of 33 bytes is the hash of a page, which it asks for and keeps under `/page`.
const ASKS: &str = r#"(module
  (import "smart_rollup_core" "read_input" (func $read_input (param i32 i32 i32) (result i32)))
  (import "smart_rollup_core" "reveal_preimage" (func $reveal (param i32 i32 i32 i32) (result i32)))
  (import "smart_rollup_core" "store_write" (func $write (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "mem") 1)
  (data (i32.const 0) "/page")
  (func (export "kernel_run") (local $n i32)
    (block $done
      (loop $next
        (local.set $n (call $read_input (i32.const 100) (i32.const 128) (i32.const 4096)))
        (br_if $done (i32.le_s (local.get $n) (i32.const 0)))
        (br_if $next (i32.ne (i32.load8_u (i32.const 128)) (i32.const 1)))
        (br_if $next (i32.ne (local.get $n) (i32.const 34)))
        (local.set $n (call $reveal (i32.const 129) (i32.const 33) (i32.const 8192) (i32.const 4096)))
        (drop (call $write (i32.const 0) (i32.const 5) (i32.const 0) (i32.const 8192) (local.get $n)))
        (br $next)))))"#;

/// Serves [`SERVED`] by its hash; gives the address.
fn service() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let wanted = lines.next().unwrap_or_default();
            lines.find(String::is_empty);
            let found = wanted.contains(&RevealHash::of_data(SERVED).to_hex());
            let (status, body) = if found { ("200 OK", SERVED) } else { ("404 Not Found", &b""[..]) };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
        }
    });
    format!("http://{address}")
}

#[test]
fn a_missing_preimage_ends_the_node_at_the_beginning_and_is_waited_for_later() {
    let layer1 = ManualLayer1::new(&json!({"smart_rollup_commitment_period_in_blocks": 2}));
    let dir = layer1.dir();
    std::fs::write(dir.join("kernel.wasm"), wat::parse_str(ASKS).unwrap()).unwrap();
    let sentence = "-w none originate smart rollup asker from b5 of kind wasm_2_0_0 of type bytes with kernel \
                    kernel.wasm --burn-cap 9";
    run(SORU, &dir, &layer1.client(&words(sentence, &[]))).ok();
    layer1.bake();
    let rollup = layer1.get("/chains/main/blocks/head/context/smart_rollups/all")[0].as_str().unwrap().to_owned();
    let post = |page: &[u8]| {
        let message = format!("hex:[\"{}\"]", RevealHash::of_data(page).to_hex());
        run(SORU, &dir, &layer1.client(&words("-w none send smart rollup message _ from b5", &[&message]))).ok();
        layer1.bake();
    };
    let put = |page: &[u8]| {
        std::fs::create_dir_all(dir.join("r/wasm_2_0_0")).unwrap();
        std::fs::write(dir.join("r/wasm_2_0_0").join(RevealHash::of_data(page).to_hex()), page).unwrap();
    };
    let address = format!("127.0.0.1:{}", free_port());
    let (_, port) = address.split_once(':').unwrap();
    let service = service();
    let sentence = "node -d w -E _ run observer for _ --data-dir r --rpc-port _ --pre-images-endpoint _ \
                    --reconnection-delay 0.1";
    let node = words(sentence, &[&layer1.endpoint, &rollup, port, &service]);
    // a longer page before leaves its end behind
    let shown = |page: &[u8]| {
        let path = "/global/block/head/durable/wasm_2_0_0/value?key=/page";
        let value = hex::decode(ask(&address, "GET", path)?.as_str()?).ok()?;
        value.starts_with(page).then_some(())
    };
    let at_head = || ask(&address, "GET", "/global/block/head/level").is_some_and(|level| level == layer1.level());

    post(EARLY);
    run(SORU, &dir, &node).fails_saying(&[&RevealHash::of_data(EARLY).to_hex(), "preimage"]);
    put(EARLY);
    let mut program = Program::start(SORU, &dir, &[&node[..], &["--stop-with-stdin"]].concat());
    eventually("the first page is there", || shown(EARLY));
    (0..2).for_each(|_| layer1.bake());

    post(LATE);
    let missing = RevealHash::of_data(LATE).to_hex();
    let health: Value = eventually("the node says why it stopped", || {
        ask(&address, "GET", "/health").filter(|health| health["stopped"].to_string().contains(&missing))
    });
    assert_eq!((&health["healthy"], &health["degraded"]), (&json!(false), &json!(true)), "{health}");
    layer1.bake();
    assert!(program.is_running() && !at_head());
    put(LATE);
    layer1.bake();
    eventually("the node goes on", || at_head().then_some(()));
    assert_eq!(shown(LATE), Some(()));

    // what the service has needs no waiting
    post(SERVED);
    eventually("the page of the service is there", || shown(SERVED));
    let kept = dir.join("r/wasm_2_0_0").join(RevealHash::of_data(SERVED).to_hex());
    assert_eq!(std::fs::read(kept).unwrap(), SERVED);
    assert_eq!(program.stop(), Some(0));
}
