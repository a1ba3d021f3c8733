//! The constants of real networks: what a node answers follows from what it was activated with.

use crate::common;
use serde_json::Value;
use soru_protocol::constants::{Constants, Parametric, reference_sandbox};

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
