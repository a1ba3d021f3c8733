//! Gas of recorded operations against the formulas. Publications and cementations are compared where chains are replayed.

use crate::common::{json_lines, recordings};
use serde_json::Value;
use soru_protocol::gas::{self, Work};
use soru_tezos::key::PublicKeyHash;
use std::collections::BTreeMap;

#[test]
fn recorded_receipts() {
    // Largest relative error by kind, and number of receipts.
    let mut errors: BTreeMap<String, (f64, usize)> = BTreeMap::new();
    for folder in recordings() {
        chain(&json_lines(&folder.join("l1.jsonl.gz")), &mut errors);
    }
    println!("{errors:?}");
    for (kind, (error, _)) in &errors {
        let allowed = match kind.as_str() {
            "reveal" | "smart_rollup_add_messages" => 0.0,
            "smart_rollup_execute_outbox_message" => 0.25,
            _ => 0.02,
        };
        assert!(*error <= allowed, "{kind}: off by {error}");
    }
    assert!(errors["smart_rollup_add_messages"].1 > 10 && errors["smart_rollup_refute"].1 > 10);
}

fn chain(lines: &[Value], errors: &mut BTreeMap<String, (f64, usize)>) {
    let mut before = 3;
    for line in lines {
        let sizes: BTreeMap<&str, u64> = line["operations_raw"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|raw| (raw["hash"].as_str().unwrap(), raw["raw"].as_str().unwrap().len() as u64 / 2 - 64))
            .collect();
        for operation in line["block"]["operations"][3].as_array().into_iter().flatten() {
            for (number, content) in operation["contents"].as_array().unwrap().iter().enumerate() {
                let result = &content["metadata"]["operation_result"];
                if result["status"] != "applied" {
                    continue;
                }
                let length = |value: &Value| value.as_str().unwrap().len() as u64 / 2;
                let count = |value: &Value| value.as_array().map(|list| list.len() as u64);
                let kind = content["kind"].as_str().unwrap();
                let work = match kind {
                    "reveal" => gas::total([]),
                    "smart_rollup_add_messages" => gas::total(
                        content["message"].as_array().unwrap().iter().map(|m| gas::add_external_message(length(m))),
                    ),
                    "smart_rollup_originate" => gas::work(Work::Originate {
                        kernel: length(&content["kernel"]),
                        whitelist: count(&content["whitelist"]),
                    }),
                    "smart_rollup_recover_bond" => gas::work(Work::RecoverBond),
                    "smart_rollup_execute_outbox_message" => gas::work(Work::ExecuteOutboxMessage {
                        proof: length(&content["output_proof"]),
                        calls: count(&content["metadata"]["internal_operation_results"]).unwrap_or(0),
                        whitelist: result.get("whitelist_update").map(|u| count(&u["whitelist"]).unwrap_or(0)),
                    }),
                    "smart_rollup_refute" => gas::work(match content["refutation"]["step"].as_array() {
                        _ if content["refutation"]["refutation_kind"] == "start" => {
                            before = 3;
                            Work::StartGame
                        }
                        Some(chunks) => {
                            let states = chunks.iter().filter(|chunk| chunk.get("state").is_some()).count() as u64;
                            let work = Work::Dissect { chunks: chunks.len() as u64, states, before };
                            before = chunks.len() as u64;
                            work
                        }
                        None => Work::Prove { ends: result["game_status"] != "ongoing" },
                    }),
                    _ => continue,
                };
                let source: PublicKeyHash = content["source"].as_str().unwrap().parse().unwrap();
                let size = sizes[operation["hash"].as_str().unwrap()];
                let signature = (number == 0).then(|| gas::signature(source.scheme, size));
                let ours = gas::total([gas::MANAGER_OPERATION, work].into_iter().chain(signature)).0 as f64;
                let recorded: f64 = result["consumed_milligas"].as_str().unwrap().parse().unwrap();
                let entry = errors.entry(kind.to_owned()).or_default();
                entry.0 = entry.0.max((ours / recorded - 1.0).abs());
                entry.1 += 1;
            }
        }
    }
}
