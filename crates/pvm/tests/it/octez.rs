//! The traces recorded in the upstream repository (`spec/pvm.md` §12): seven kernels under eight versions, the hash of the state and the
//! size of the proof at many thousands of ticks each.
//!
//! `SORU_OCTEZ_SRC=<checkout> cargo test --release -p soru-pvm --test it octez -- --nocapture`, where the checkout has at least
//! `src/lib_scoru_wasm/regressions/expected`, `src/lib_scoru_wasm/test/{messages,wasm_kernels}` and
//! `src/proto_alpha/lib_protocol/test/integration/wasm_kernel`.

use soru_pvm::input::{END_OF_LEVEL, START_OF_LEVEL, info_per_level};
use soru_pvm::tick_state::TickState;
use soru_pvm::{InputPlace, InputRequest, Parameters, Pvm, Tick, Version};
use soru_tezos::blake2b::hash256;
use soru_tezos::hash::{BlockHash, ContextHash, StateHash};
use soru_tezos::scalar::Level;
use std::path::Path;

/// What is recorded of a kernel (§12.1): so many ticks checked, then so many skipped, and so on.
struct Recording {
    kernel: &'static str,
    /// Hash of the kernel (§12.3).
    blake2b: &'static str,
    /// Imported function and number of its parameters, for the kernels made of nothing else.
    import: Option<(&'static str, usize)>,
    ticks_per_snapshot: u128,
    with_messages: bool,
    hashes: (u128, u128),
    proofs: (u128, u128),
}

const fn link(
    kernel: &'static str,
    import: &'static str,
    parameters: usize,
    with_messages: bool,
    blake2b: &'static str,
) -> Recording {
    let import = Some((import, parameters));
    Recording { kernel, blake2b, import, ticks_per_snapshot: 5_000, with_messages, hashes: (1, 0), proofs: (1, 0) }
}

const RECORDINGS: [Recording; 7] = [
    link("link_reveal", "reveal", 4, false, "df53dc5c1b8edc4eb73c6e6f7dd19a0fcf6979c59947badf07fca8a14147ba8b"),
    link(
        "link_store_create",
        "store_create",
        3,
        true,
        "eec9a2194ebcf64e65ee0ced5a437154a84825402d550d23f14d688a3db8bec7",
    ),
    link(
        "link_store_delete_value",
        "store_delete_value",
        2,
        true,
        "bdeb1795ff86957df55bfcc883babbba3be1752be18acd1cc429144c159bdc8a",
    ),
    link(
        "link_store_exists",
        "store_exists",
        2,
        false,
        "93b6f6183db9adf4fe83e30448c5c68884ece9d80a61551763fddbd536da5463",
    ),
    link(
        "link_store_get_hash",
        "__internal_store_get_hash",
        4,
        true,
        "fd1b828896c3a32d546511d2489cfb308efeb312fd8f3cc8c7fd711936f3f02f",
    ),
    Recording {
        kernel: "echo",
        blake2b: "b10b9bd8328324883e63e34582b67493137e3ec10b345506e37476bdd2d74768",
        import: None,
        ticks_per_snapshot: 5_000,
        with_messages: false,
        hashes: (1, 137),
        proofs: (11, 23),
    },
    Recording {
        kernel: "tx_no_verify",
        blake2b: "c30fa0cfb30d38edfe66e5affdd1d1181f7deabaf741246e7ba37929dcc29ad7",
        import: None,
        ticks_per_snapshot: 6_000_000,
        with_messages: true,
        hashes: (1, 10_037),
        proofs: (3, 30_893),
    },
];

const VERSIONS: [(Version, &str); 8] = [
    (Version::V0, "v0"),
    (Version::V1, "v1"),
    (Version::V2, "v2"),
    (Version::V3, "v3"),
    (Version::V4, "v4"),
    (Version::V5, "v5"),
    (Version::V6, "v6"),
    (Version::Experimental, "v_experimental"),
];

fn leb(bytes: &mut &[u8]) -> usize {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return value;
        }
    }
}

/// A number in five bytes, as the upstream assembler writes sizes.
fn padded(value: usize) -> [u8; 5] {
    std::array::from_fn(|index| ((value >> (7 * index)) & 0x7f) as u8 | if index < 4 { 0x80 } else { 0 })
}

/// The same module with the sizes of sections and function bodies written in five bytes (§12.3).
fn with_padded_sizes(module: &[u8]) -> Vec<u8> {
    const CODE: u8 = 10;
    let (head, mut rest) = module.split_at(8);
    let mut out = head.to_vec();
    while let Some((&id, after)) = rest.split_first() {
        rest = after;
        let size = leb(&mut rest);
        let (mut content, after) = rest.split_at(size);
        rest = after;
        let mut section = Vec::new();
        if id == CODE {
            let before = content;
            let bodies = leb(&mut content);
            section.extend_from_slice(&before[..before.len() - content.len()]);
            for _ in 0..bodies {
                let size = leb(&mut content);
                let (body, after) = content.split_at(size);
                content = after;
                section.extend_from_slice(&padded(size));
                section.extend_from_slice(body);
            }
        }
        section.extend_from_slice(content);
        out.push(id);
        out.extend_from_slice(&padded(section.len()));
        out.extend_from_slice(&section);
    }
    out
}

fn kernel(recording: &Recording, source: &Path) -> Vec<u8> {
    let read = |path: &str| std::fs::read(source.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let kernel = match (recording.import, recording.kernel) {
        (Some((import, parameters)), _) => {
            let parameters = "i32 ".repeat(parameters);
            let text = format!(
                r#"(module (import "smart_rollup_core" "{import}" (func (param {parameters}) (result i32)))
                     (memory 1) (export "mem" (memory 0)) (func (export "kernel_run") nop))"#
            );
            with_padded_sizes(&wat::parse_str(text).unwrap())
        }
        (None, "echo") => {
            with_padded_sizes(&read("src/proto_alpha/lib_protocol/test/integration/wasm_kernel/echo.wasm"))
        }
        _ => read("src/lib_scoru_wasm/test/wasm_kernels/tx-kernel-no-verif.wasm"),
    };
    assert_eq!(hex::encode(hash256(&kernel)), recording.blake2b, "the kernel {}", recording.kernel);
    kernel
}

/// The machine at the snapshot at which the recording starts (§12.2).
fn start(recording: &Recording, version: Version, source: &Path) -> Pvm {
    let parameters = Parameters {
        ticks_per_snapshot: Tick(recording.ticks_per_snapshot),
        outbox_validity_period: 10,
        outbox_message_limit: 100,
        maximum_reboots_per_input: 1000,
    };
    let mut pvm = Pvm::originate(version, &kernel(recording, source), parameters).unwrap();
    let mut messages = vec![START_OF_LEVEL.to_vec(), info_per_level(0, &BlockHash([0; 32]))];
    for name in ["deposit", "withdrawal"].into_iter().filter(|_| recording.with_messages) {
        let path = source.join(format!("src/lib_scoru_wasm/test/messages/{name}.out"));
        messages.push([vec![0, 0], std::fs::read(path).unwrap()].concat());
    }
    messages.push(END_OF_LEVEL.to_vec());
    for (counter, message) in (0..).zip(messages) {
        pvm.set_input(InputPlace { level: Level(0), counter }, message.into()).unwrap();
    }
    while !matches!(pvm.state().tick_state, TickState::Snapshot) {
        pvm.pad(Tick(u128::MAX));
        pvm.step().unwrap();
    }
    assert_eq!(pvm.info().unwrap().tick, Tick(recording.ticks_per_snapshot));
    pvm
}

/// Ticks from `at` to the next that is checked, where `at` counts from the start; none if `at` itself is.
fn until_checked((check, skip): (u128, u128), at: u128) -> u128 {
    let place = at % (check + skip);
    if place < check { 0 } else { check + skip - place }
}

/// Hashes and proof sizes as upstream prints them.
fn replay(recording: &Recording, version: Version, source: &Path) -> (Vec<String>, Vec<String>) {
    let mut pvm = start(recording, version, source);
    let first = pvm.info().unwrap().tick;
    let (mut hashes, mut proofs) = (Vec::new(), Vec::new());
    while pvm.info().unwrap().request == InputRequest::None {
        let at = pvm.info().unwrap().tick.since(first).0;
        let to_hash = until_checked(recording.hashes, at);
        let to_proof = until_checked(recording.proofs, at);
        if to_hash == 0 || to_proof == 0 {
            let tree = pvm.tree().unwrap();
            if to_hash == 0 {
                hashes.push(ContextHash::from(StateHash(tree.hash().unwrap().0)).to_string());
            }
            pvm = Pvm::from_tree(&tree).unwrap();
        }
        if to_proof == 0 {
            let proof = pvm.prove_step(None).unwrap().encode().unwrap();
            proofs.push(format!("{}, {}", pvm.info().unwrap().tick, proof.len()));
        }
        let next = (until_checked(recording.hashes, at + 1)).min(until_checked(recording.proofs, at + 1));
        let most = Tick(1 + next);
        let runs = matches!(pvm.state().tick_state, TickState::Snapshot | TickState::Running(..));
        if most == Tick(1) || !runs && pvm.pad(most) == Tick(0) {
            pvm.step().unwrap();
        } else if runs {
            pvm.advance(most).unwrap();
        }
    }
    (hashes, proofs)
}

fn compare(source: &Path, recording: &Recording, kind: &str, version: &str, ours: &[String]) -> Result<(), String> {
    let name = format!("kernel {} run ({kind}- {version}).out", recording.kernel);
    let path = source.join("src/lib_scoru_wasm/regressions/expected/tezos_scoru_wasm_regressions.ml").join(&name);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut recorded: Vec<&str> = text.lines().collect();
    while recorded.last().is_some_and(|line| line.is_empty()) {
        recorded.pop();
    }
    match recorded.iter().zip(ours).position(|(recorded, ours)| recorded != ours) {
        Some(at) => Err(format!("{name}, line {}: recorded {}, got {}", at + 1, recorded[at], ours[at])),
        None if recorded.len() != ours.len() => Err(format!("{name}: {} of {} lines", ours.len(), recorded.len())),
        None => Ok(()),
    }
}

#[test]
fn octez_regression_traces() {
    let Some(source) = std::env::var_os("SORU_OCTEZ_SRC") else {
        println!("skipped: SORU_OCTEZ_SRC names no upstream checkout");
        return;
    };
    let source = Path::new(&source);
    let mut failed = Vec::new();
    let (mut traces, mut lines) = (0, 0);
    for recording in &RECORDINGS {
        for (version, name) in VERSIONS {
            let (hashes, proofs) = replay(recording, version, source);
            let both = [("hash", &hashes), ("proof", &proofs)];
            let mut wrong: Vec<String> = both
                .into_iter()
                .filter_map(|(kind, ours)| compare(source, recording, kind, name, ours).err())
                .collect();
            let verdict = if wrong.is_empty() { "agree" } else { "DIFFER" };
            println!("{} {name}: {} hashes and {} proof sizes {verdict}", recording.kernel, hashes.len(), proofs.len());
            traces += 2;
            lines += hashes.len() + proofs.len();
            failed.append(&mut wrong);
        }
    }
    println!("{traces} traces, {lines} lines, {} differ", failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
