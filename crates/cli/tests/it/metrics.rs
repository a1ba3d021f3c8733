//! The metrics of a node (`spec/node.md` §7): which there are, and what they tell of a node that runs.

use crate::common::arena::Arena;
use crate::common::{ECHO, PATIENCE, SORU, eventually, run};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

/// Names without the prefix that most have, types and labels, as the reference lists them. Of its list are missing
/// `dal_batcher_queue_length`, `dal_injections_queue_length` and `riscv_states`: this node has neither.
const METRICS: &str = "\
octez_injector_included_size gauge tags;index
octez_injector_injected_size gauge tags;index
octez_injector_queue_size gauge tags;index
octez_injector_signer_balance gauge tags;index;pkh
batcher_batches_size gauge
batcher_get_time gauge
batcher_inject_time gauge
batcher_last_batch_level gauge
batcher_last_batch_time gauge
batcher_message_queue_size gauge
batcher_messages_size gauge
block_timeout gauge opponent;start_level
challenge_window gauge
commitment_period gauge
dal_attestation_lag gauge
dal_enabled gauge
dal_number_of_slots gauge
gc_oldest_available_level gauge
gc_process_time gauge
genesis_level gauge
inbox_external_messages_number gauge
inbox_fetch_time gauge
inbox_internal_messages_number gauge
inbox_level gauge
inbox_process_time gauge
inbox_total_time gauge
lcc_level_l1 gauge
lcc_level_local gauge
lpc_level_l1 gauge
lpc_level_local gauge
node_info counter version;commit_hash;commit_date
number_of_conflicts gauge
performance_connections gauge
performance_context gauge
performance_cpu_percentage gauge
performance_data gauge
performance_disk_percentage gauge
performance_elapsed_time counter
performance_file_descriptors gauge
performance_logs gauge
performance_mem_percentage gauge
performance_resident gauge
performance_storage gauge
performance_virtual gauge
performance_wasm gauge
protocol counter protocol
rollup_node_info counter rollup_address;mode;genesis_level;genesis_hash;pvm_kind;history_mode
state_of_refutation_game gauge opponent;start_level";

fn prefixed(name: &str) -> String {
    if name.starts_with("octez_") { name.to_owned() } else { format!("octez_sc_rollup_node_{name}") }
}

/// Whole names with types and labels.
fn expected() -> Vec<(String, String, String)> {
    let row = |line: &str| {
        let mut words = line.split(' ').map(str::to_owned);
        let mut next = || words.next().unwrap_or_default();
        (prefixed(&next()), next(), next())
    };
    METRICS.lines().map(row).collect()
}

/// Names and types in the text format; each has a description before.
fn heads(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with('#')).collect();
    let head = |pair: &[&str]| {
        let (help, kind) = (pair[0].strip_prefix("# HELP ").unwrap(), pair[1].strip_prefix("# TYPE ").unwrap());
        let (name, kind) = kind.split_once(' ').unwrap();
        assert!(help.split_once(' ').is_some_and(|(named, text)| named == name && !text.is_empty()), "{help}");
        (name.to_owned(), kind.to_owned())
    };
    lines.chunks_exact(2).map(head).collect()
}

fn without_performance(all: Vec<(String, String)>) -> Vec<(String, String)> {
    all.into_iter().filter(|(name, _)| !name.contains("_performance_")).collect()
}

#[test]
fn the_metrics_that_there_are() {
    let dir = tempfile::tempdir().unwrap();
    let node = |words: &[&str]| run(SORU, dir.path(), &[&["node"], words].concat()).ok();
    let expected = expected();
    let types: Vec<(String, String)> = expected.iter().map(|(name, kind, _)| (name.clone(), kind.clone())).collect();
    assert_eq!(heads(&node(&["list", "metrics"])), types);
    let fewer = node(&["list", "metrics", "--disable-performance-metrics"]);
    assert_eq!(heads(&fewer), without_performance(types));
    let table = node(&["dump-metrics"]);
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("Name,Type,Description,Labels"));
    for (line, (name, kind, labels)) in lines.by_ref().zip(&expected) {
        let (shown, rest) = line.split_once(',').unwrap();
        let (shown_kind, rest) = rest.split_once(",\"").unwrap();
        let (_, shown_labels) = rest.rsplit_once("\",").unwrap();
        assert_eq!((shown, &*shown_kind.to_lowercase(), shown_labels), (&**name, &**kind, &**labels));
    }
    assert_eq!((lines.next(), table.lines().count()), (None, expected.len() + 1));
}

/// The head and the body of an answer.
fn get(address: &str, method: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

/// Values by name and labels.
fn samples(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').map(|(name, value)| (name, value.parse().unwrap())).unwrap()).collect()
}

#[test]
fn what_they_tell() {
    let mut arena = Arena::new(ECHO, json!({"smart_rollup_commitment_period_in_blocks": 4}));
    let index = arena.admit("b1", "operator", &["--metrics-addr", "127.0.0.1:0"]);
    arena.launch(index);
    let program = arena.players[index].program.as_ref().unwrap();
    let address = program.says("Starting metrics server on");
    arena.send(1);
    while arena.layer1.level() % 5 != 1 {
        arena.step();
    }
    let level = arena.layer1.level();
    let text = eventually("what is measured in the background is there", || {
        let (head, text) = get(&address, "GET", "/metrics");
        assert!(head.starts_with("http/1.1 200") && head.contains("content-type: text/plain; version=0.0.4"), "{head}");
        Some(text).filter(|text| text.contains("signer_balance{") && text.contains("performance_resident "))
    });
    let types: Vec<(String, String)> = expected().into_iter().map(|(name, kind, _)| (name, kind)).collect();
    assert_eq!(heads(&text), types);
    let samples = samples(&text);
    let of = |name: &str| samples.get(&*prefixed(name)).copied();
    for (name, value) in [
        ("inbox_level", level),
        ("genesis_level", arena.origination),
        ("commitment_period", 4),
        ("challenge_window", 10),
        ("lcc_level_local", arena.origination),
        ("number_of_conflicts", 0),
        ("inbox_internal_messages_number", 3),
        ("inbox_external_messages_number", 0),
    ] {
        assert_eq!(of(name), Some(value as f64), "{name}\n{text}");
    }
    for name in ["inbox_total_time", "performance_resident", "performance_storage", "performance_file_descriptors"] {
        assert!(of(name).is_some_and(|value| value > 0.0), "{name}\n{text}");
    }
    let operator =
        "tags=\"publish, add_messages, cement, timeout, refute, execute_outbox_message, publish_dal_commitment\"";
    let with_operator =
        |name: &str| samples.keys().any(|key| key.starts_with(&format!("{name}{{")) && key.contains("index=\"0\""));
    assert!(
        with_operator("octez_injector_queue_size") && with_operator("octez_injector_signer_balance"),
        "{operator}\n{text}"
    );
    let info = samples.keys().find(|key| key.contains("rollup_node_info{")).unwrap();
    for label in ["rollup_address=\"sr1", "mode=\"operator\"", "pvm_kind=\"wasm_2_0_0\"", "history_mode=\"full\""] {
        assert!(info.contains(label), "{info}");
    }
    for (method, path) in [("GET", "/"), ("GET", "/metrics/x"), ("POST", "/metrics")] {
        let (head, body) = get(&address, method, path);
        assert!(head.starts_with("http/1.1 400") && body == "Bad request", "{head}\n{body}");
    }
}
