//! The constants of real networks: what a node answers follows from what it was activated with.

use crate::common;
use serde_json::Value;
use soru_protocol::constants::{Constants, Parametric, reference_sandbox, shown_by};
use soru_protocol::protocol::Protocol;
use std::collections::BTreeSet;

fn check(name: &str, activation: &Value, answer: &Value) {
    let mut chosen = activation.clone();
    chosen.as_object_mut().unwrap().retain(|key, _| !key.starts_with("bootstrap"));
    let parametric = reference_sandbox().with_overrides(&chosen).unwrap();
    let from_scratch: Parametric = serde_json::from_value(activation.clone()).unwrap();
    assert_eq!(parametric, from_scratch, "{name}");
    let ours = serde_json::to_string(&Constants::of(parametric)).unwrap();
    assert_eq!(ours, serde_json::to_string(answer).unwrap(), "{name}");
}

#[test]
fn a_recorded_network() {
    let data: Value = serde_json::from_str(include_str!("../data/constants.json")).unwrap();
    check("data", &data["activation_parameters"], &data["constants"]);
}

#[test]
fn all_recorded_networks() {
    let Some(recorded) = common::vectors("recorded") else { return };
    let mut seen = 0;
    for name in common::folders(&recorded) {
        let meta: Value = common::json(&recorded.join(&name).join("meta.json"));
        if meta["constants"].is_object() {
            check(&name, &meta["activation_parameters"], &meta["constants"]);
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} networks");
}

/// All names of an object and of those in it.
fn names(value: &Value, all: &mut BTreeSet<String>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        all.insert(name.clone());
        names(value, all);
    }
}

/// As many different names as the encodings of each protocol have, without those of what is not chosen here (seed,
/// dictator, the canonical rollup of 025).
#[test]
fn older_protocols_have_their_own_names() {
    let constants = serde_json::to_value(Constants::of(reference_sandbox())).unwrap();
    assert_eq!(shown_by(Protocol::Ushuaia, constants.clone()), constants);
    let expected = [91, 92, 101, 112, 112, 112, 117, 117, 117, 125];
    for (protocol, expected) in Protocol::ALL.into_iter().zip(expected) {
        let shown = shown_by(protocol, constants.clone());
        let mut all = BTreeSet::new();
        names(&shown, &mut all);
        assert_eq!(all.len(), expected, "{protocol:?}");
        // what clients read is there in each of them
        for name in
            ["hard_gas_limit_per_operation", "minimal_block_delay", "cost_per_byte", "smart_rollup_stake_amount"]
        {
            assert_eq!(shown[name], constants[name], "{protocol:?} {name}");
        }
    }
    let mumbai = shown_by(Protocol::Mumbai, constants);
    assert!(mumbai["dal_parametric"]["availability_threshold"].is_number());
    assert_eq!(mumbai["ratio_of_frozen_deposits_slashed_per_double_endorsement"]["denominator"], 2);
}
