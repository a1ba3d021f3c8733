//! Recorded errors, enacted again: operations that the reference refused, or applied without success, are simulated on a
//! chain of ours with the same constants, accounts, contracts and rollups, and must end with errors of the same ids and kinds.
//! The recording is not part of the project; without it the test is skipped.

use crate::replay::lines;
use crate::support::{Layer1, manual};
use serde_json::{Value, json};
use soru_sandbox::SandboxConfig;
use std::path::Path;

const HEAD: &str = "/chains/main/blocks/head";

/// Cases that need what this chain does not have, and why. What happens in games, and to executed outbox messages, is compared
/// block by block where whole chains are replayed.
const ELSEWHERE: &[(&str, &str)] = &[
    ("dissection", "needs a game"),
    ("refute start", "needs commitments in conflict"),
    ("second move", "needs a game"),
    ("proof: ", "needs a game"),
    ("timeout before", "needs a game"),
    ("execute", "needs a cemented commitment of a kernel"),
    ("cement attempt", "needs commitments"),
    ("publish of", "needs commitments"),
    ("publish for", "names the first commitment of that very rollup"),
    ("publish at", "names the first commitment of that very rollup"),
    ("second manager operation", "is about the mempool: see operations_that_are_not_taken_in"),
    ("branch older", "is about the mempool: see operations_that_are_not_taken_in"),
    ("unknown branch", "is about the mempool: see operations_that_are_not_taken_in"),
    ("register a global constant", "needs the constant to be there"),
];

/// The ids and kinds of all errors of an answer, in order.
fn ids(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => match (&object.get("id"), &object.get("kind")) {
            (Some(Value::String(id)), Some(Value::String(kind))) => found.push(format!("{kind} {id}")),
            _ => object.values().for_each(|value| ids(value, found)),
        },
        Value::Array(items) => items.iter().for_each(|value| ids(value, found)),
        _ => {}
    }
}

fn outcome(status: &Value, response: &Value) -> (u64, Vec<String>) {
    let mut found = Vec::new();
    ids(response, &mut found);
    (status.as_u64().unwrap(), found)
}

async fn chain_of(meta: &Value, directory: &Path) -> (Layer1, Vec<(String, String)>) {
    let mut constants = meta["activation_parameters"].clone();
    constants.as_object_mut().unwrap().shift_remove("bootstrap_accounts");
    let layer1 = Layer1::start(SandboxConfig { constants, ..manual(directory) }).await;
    let mut names = Vec::new();
    for (name, contract) in meta["contracts"].as_object().unwrap() {
        let storage = match name.as_str() {
            "grow" => "0x4142",
            "storer" => "\"\"",
            "spin" => "0",
            _ => "Unit",
        };
        let code = format!("{{ {} }}", contract["code"].as_str().unwrap());
        let made = layer1.originate(1, &code, storage).await;
        names.push((contract["address"].as_str().unwrap().to_owned(), made.to_string()));
    }
    for rollup in meta["rollups"].as_object().unwrap().values() {
        let members = serde_json::from_value(rollup["whitelist"].clone()).unwrap();
        let made = layer1.originate_rollup_for(1, members).await;
        names.push((rollup["address"].as_str().unwrap().to_owned(), made));
    }
    for account in ["unrevealed", "poor"] {
        let account = &meta["extra_accounts"][account]["pkh"];
        let funded = layer1.post("/sandbox/fund", &json!({"account": account, "amount": "1000000"})).await;
        assert_eq!(funded.status, 200, "{}", funded.text);
    }
    (layer1, names)
}

#[tokio::test]
async fn recorded_errors_have_the_same_ids() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/recorded/s4_errors");
    if !folder.exists() {
        println!("skipped: {} is not there", folder.display());
        return;
    }
    let meta: Value = serde_json::from_slice(&std::fs::read(folder.join("meta.json")).unwrap()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let (layer1, names) = chain_of(&meta, directory.path()).await;
    assert_eq!(layer1.post("/sandbox/bake", &json!({"blocks": 12})).await.status, 200);
    let branch = layer1.value(&format!("{HEAD}~2/hash")).await;
    let mut wrong = Vec::new();
    let (mut same, mut elsewhere) = (0, 0);
    for case in lines(&folder.join("errors.jsonl.gz")) {
        let name = case["name"].as_str().unwrap();
        if case["kind"] != "operation" || case.get("simulate").is_none() {
            continue;
        }
        if ELSEWHERE.iter().any(|(start, _)| name.starts_with(start)) {
            elsewhere += 1;
            continue;
        }
        let ours = names.iter().fold(case["operation"].to_string(), |text, (theirs, ours)| text.replace(theirs, ours));
        let mut operation: Value = serde_json::from_str(&ours).unwrap();
        operation["branch"] = branch.clone();
        let recorded = &case["simulate"];
        let counter = |value: &Value| value.as_str().unwrap().parse::<i64>().unwrap();
        // the counter the reference expected is the one we expect
        let first = counter(&operation["contents"][0]["counter"]);
        let expected = recorded["response"][0].get("expected").map_or(first, counter);
        let source = operation["contents"][0]["source"].as_str().unwrap().to_owned();
        let next = counter(&layer1.value(&format!("{HEAD}/context/contracts/{source}/counter")).await) + 1;
        for content in operation["contents"].as_array_mut().unwrap() {
            content["counter"] = json!((counter(&content["counter"]) - expected + next).to_string());
        }
        let body = json!({"operation": operation, "chain_id": meta["chain_id"]});
        let answer = layer1.post(&format!("{HEAD}/helpers/scripts/simulate_operation"), &body).await;
        let wanted = outcome(&recorded["status"], &recorded["response"]);
        let found = outcome(&json!(answer.status), &serde_json::from_str(&answer.text).unwrap_or_default());
        if wanted == found {
            same += 1;
        } else {
            wrong.push(format!("{name}: {wanted:?} recorded, {found:?}"));
        }
    }
    println!("{same} errors with the same ids, {elsewhere} elsewhere");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), same + wrong.len(), wrong.join("\n"));
    assert!(same > 30);
}
