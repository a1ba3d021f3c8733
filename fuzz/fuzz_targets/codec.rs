//! What the layer 1 sends: operations, rollup types, headers and Micheline in binary, and blocks with their receipts in JSON.
//! The first byte tells what the rest is read as. What can be read can be written, and read again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use soru_tezos::codec::{Decode, Encode};
use soru_tezos::{block, header, micheline, operation, receipt, rollup};
use std::fmt::Debug;

fn binary<T: Decode + Encode + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(value) = T::from_bytes(bytes) {
        let again = T::from_bytes(&value.to_bytes()).expect("what was written can be read");
        assert_eq!(value, again);
    }
}

/// Whether a JSON value has numbers with a fraction: there are none in what the layer 1 sends, and the parser rounds them.
fn has_fractions(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(values) => values.iter().any(has_fractions),
        Value::Object(fields) => fields.values().any(has_fractions),
        _ => false,
    }
}

fn json<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
    if let Ok(value) = serde_json::from_slice::<T>(bytes) {
        if serde_json::from_slice(bytes).is_ok_and(|value| has_fractions(&value)) {
            return;
        }
        let text = serde_json::to_string(&value).expect("what was read can be written");
        let again: T = serde_json::from_str(&text).expect("what was written can be read");
        assert_eq!(text, serde_json::to_string(&again).expect("and written again"));
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 16 {
        0 => binary::<operation::Operation>(bytes),
        1 => _ = operation::Operation::from_unsigned_bytes(bytes),
        2 => binary::<micheline::Micheline>(bytes),
        3 => binary::<rollup::InboxMessage>(bytes),
        4 => binary::<rollup::OutboxMessage>(bytes),
        5 => binary::<rollup::Refutation>(bytes),
        6 => binary::<rollup::GameState>(bytes),
        7 => binary::<header::RawHeader>(bytes),
        8 => binary::<rollup::RevealRequest>(bytes),
        9 => json::<block::Block>(bytes),
        10 => json::<block::BlockOperation>(bytes),
        11 => json::<receipt::SimulationResult>(bytes),
        12 => json::<micheline::Micheline>(bytes),
        13 => json::<operation::ManagerOperation>(bytes),
        14 => json::<rollup::Refutation>(bytes),
        _ => json::<rollup::GameState>(bytes),
    }
});
