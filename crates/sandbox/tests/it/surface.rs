//! The paths of `spec/protocol.md` §9.2 to §9.4, each asked: it is in the OpenAPI document, and what it answers is of the
//! shape that the specification says.

use crate::support::{Layer1, address, transfer};
use serde_json::{Value, json};

const B: &str = "/chains/main/blocks/head";

/// What an answer begins with.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    Text,
    Amount,
    Number,
    Flag,
    Object,
    List,
    Null,
    /// 404 without a body.
    Absent,
    /// 500 with an error of this name.
    Error(&'static str),
}

use Shape::*;

fn shape_of(value: &Value) -> Shape {
    match value {
        Value::String(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => Amount,
        Value::String(_) => Text,
        Value::Number(_) => Number,
        Value::Bool(_) => Flag,
        Value::Object(_) => Object,
        Value::Array(_) => List,
        Value::Null => Null,
    }
}

/// `GET` paths with what they answer; `$a` is an account, `$k` a contract, `$r` a rollup, `$c` its first commitment, `$u` a
/// rollup that does not exist, `$s` somebody who staked nothing.
const READS: &[(&str, Shape)] = &[
    ("/version", Object),
    ("/openapi.json", Object),
    ("/protocols", List),
    ("/config/network/user_activated_upgrades", List),
    ("/config/network/user_activated_protocol_overrides", List),
    ("/config/history_mode", Object),
    ("/network/connections", List),
    ("/chains/main/chain_id", Text),
    ("/chains/main/is_bootstrapped", Object),
    ("/chains/main/blocks", List),
    ("/chains/main/blocks?length=2", List),
    ("/chains/main/protocols", List),
    ("/chains/main/levels/checkpoint", Object),
    ("/chains/main/levels/savepoint", Object),
    ("/chains/main/levels/caboose", Object),
    ("/chains/main/mempool/pending_operations", Object),
    ("/chains/main/mempool/pending_operations?version=2&validated=true&refused=false", Object),
    ("/chains/main/mempool/filter?include_default=true", Object),
    ("$b", Object),
    ("$b?metadata=always", Object),
    ("$b?metadata=never", Object),
    ("$b/hash", Text),
    ("$b/header", Object),
    ("$b/header/shell", Object),
    ("$b/header/raw", Text),
    ("$b/header/protocol_data", Object),
    ("$b/header/protocol_data/raw", Text),
    ("$b/metadata", Object),
    ("$b/protocols", Object),
    ("$b/live_blocks", List),
    ("$b/operations", List),
    ("$b/operations/3", List),
    ("$b/operations/3/0", Object),
    ("$b/operations/3/0?metadata=never", Object),
    ("$b/operations/3/99", Error("failure")),
    ("$b/operation_hashes", List),
    ("$b/operation_hashes/3", List),
    ("$b/operation_hashes/3/0", Text),
    ("$b/operation_hashes/3/99", Absent),
    ("$b/resulting_context_hash", Text),
    ("$b/context/constants", Object),
    ("$b/context/constants/parametric", Object),
    ("$b/context/contracts", List),
    ("$b/context/contracts/$a", Object),
    ("$b/context/contracts/$a/balance", Amount),
    ("$b/context/contracts/$a/spendable", Amount),
    ("$b/context/contracts/$a/frozen_bonds", Amount),
    ("$b/context/contracts/$a/balance_and_frozen_bonds", Amount),
    ("$b/context/contracts/$a/spendable_and_frozen_bonds", Amount),
    ("$b/context/contracts/$a/full_balance", Amount),
    ("$b/context/contracts/$a/staked_balance", Amount),
    ("$b/context/contracts/$a/unstaked_frozen_balance", Amount),
    ("$b/context/contracts/$a/unstaked_finalizable_balance", Amount),
    ("$b/context/contracts/$a/unstake_requests", Null),
    ("$b/context/contracts/$a/counter", Amount),
    ("$b/context/contracts/$a/manager_key", Text),
    ("$b/context/contracts/$a/delegate", Text),
    ("$b/context/contracts/$a/script", Absent),
    ("$b/context/contracts/$k", Object),
    ("$b/context/contracts/$k/balance", Amount),
    ("$b/context/contracts/$k/script", Object),
    ("$b/context/contracts/$k/storage", Object),
    ("$b/context/contracts/$k/storage/used_space", Amount),
    ("$b/context/contracts/$k/storage/paid_space", Amount),
    ("$b/context/contracts/$k/entrypoints", Object),
    ("$b/context/contracts/$k/entrypoints/default", Object),
    ("$b/context/contracts/$k/entrypoints/nothing", Absent),
    ("$b/context/contracts/$k/delegate", Absent),
    ("$b/context/contracts/$k/counter", Absent),
    ("$b/context/contracts/$k/all_ticket_balances", List),
    ("$b/context/big_maps/4", List),
    ("$b/context/big_maps/4/$e", Object),
    ("$b/context/big_maps/5/$e", Absent),
    ("$b/context/delegates", List),
    ("$b/context/delegates/$a", Object),
    ("$b/context/delegates/$a/staking_balance", Amount),
    ("$b/context/delegates/$s", Error("delegate.not_registered")),
    ("$b/context/destination/$a/index", Null),
    ("$b/context/adaptive_issuance_launch_cycle", Number),
    ("$b/context/issuance/current_yearly_rate", Text),
    ("$b/context/total_supply", Amount),
    ("$b/context/dal/skip_list_cells_of_level", List),
    ("$b/context/dal/commitments_history", Object),
    ("$b/context/dal/published_slot_headers", List),
    ("$b/context/dal/past_parameters/2", Object),
    ("$b/context/smart_rollups/all", List),
    ("$b/context/smart_rollups/all/inbox", Object),
    ("$R/kind", Text),
    ("$R/genesis_info", Object),
    ("$R/last_cemented_commitment_hash_with_level", Object),
    ("$R/commitment/$c", Object),
    ("$R/commitment/$c/stakers_indexes", Error("context.storage_error")),
    ("$R/commitment/$c/can_be_cemented", Flag),
    ("$R/staker/$a/staked_on_commitment", Error("smart_rollup_not_staked")),
    ("$R/staker/$a/games", List),
    ("$R/staker/$a/conflicts", List),
    ("$R/staker/$a/index", Error("context.storage_error")),
    ("$R/stakers", List),
    ("$R/staker1/$a/staker2/$s/timeout", Null),
    ("$R/staker1/$a/staker2/$s/timeout_reached", Null),
    ("$R/inbox_level/9999/commitments", Null),
    ("$R/whitelist", Null),
    ("$R/last_whitelist_update", Null),
    ("$R/consumed_outputs/3", List),
    ("$b/context/smart_rollups/smart_rollup/$u/kind", Error("smart_rollup_does_not_exist")),
    ("$b/helpers/current_level", Object),
    ("$b/helpers/current_level?offset=3", Object),
    ("$b/helpers/levels_in_current_cycle", Object),
    ("$b/helpers/baking_rights", List),
    ("$b/helpers/attestation_rights", List),
    ("$b/helpers/validators", List),
    ("$b/helpers/round", Number),
    ("$b/votes/current_period", Object),
    ("$b/votes/successor_period", Object),
    ("$b/votes/current_quorum", Number),
    ("$b/votes/current_proposal", Null),
    ("$b/votes/proposals", List),
    ("$b/votes/ballots", Object),
    ("$b/votes/ballot_list", List),
    ("$b/votes/listings", List),
    ("$b/votes/total_voting_power", Amount),
    ("/sandbox/time", Object),
    ("/sandbox/snapshot", List),
];

const CODE: &str = "{ parameter (or (pair %view int (contract int)) (int %default)) ; storage (pair (big_map string int) int) ; \
    code { UNPAIR ; IF_LEFT { UNPAIR ; DIP { PUSH mutez 0 } ; ADD_ONE ; TRANSFER_TOKENS ; NIL operation ; SWAP ; CONS ; PAIR } \
    { DROP ; NIL operation ; PAIR } } ; view \"twice\" int int { CAR ; PUSH int 2 ; MUL } }";

#[tokio::test]
async fn every_path_answers_its_shape() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    let code = CODE.replace("ADD_ONE", "PUSH int 1 ; ADD");
    let contract = layer1.originate(1, &code, "Pair { Elt \"a\" 7 } 3").await.to_string();
    let rollup = layer1.originate_rollup(1).await;
    let transferred = layer1.signed(1, vec![transfer(address(2), 1)]).await;
    assert_eq!(layer1.inject(&transferred).await.status, 200);
    let head = layer1.bake().await;
    let document = layer1.value("/openapi.json").await;
    let at = format!("{B}/context/smart_rollups/smart_rollup/{rollup}");
    let genesis = layer1.value(&format!("{at}/genesis_info")).await;
    let packed = layer1
        .post(&format!("{B}/helpers/scripts/pack_data"), &json!({"data": {"string": "a"}, "type": {"prim": "string"}}))
        .await;
    let packed = hex::decode(packed.json()["packed"].as_str().unwrap()).unwrap();
    let key = soru_tezos::hash::ScriptExprHash(soru_tezos::blake2b::hash256(&packed)).to_string();
    let fill = |path: &str| {
        path.replace("$R", "$b/context/smart_rollups/smart_rollup/$r")
            .replace("$b", B)
            .replace("$a", &address(3).to_string())
            .replace("$k", &contract)
            .replace("$r", &rollup)
            .replace("$c", genesis["commitment_hash"].as_str().unwrap())
            .replace("$u", "sr163Lv22CdE8QagCwf48PWDTquk6isQwv57")
            .replace("$s", "tz1Ke2h7sDdakHJQh8WX4Z372du1KChsksyU")
            .replace("$e", &key)
    };
    for (path, wanted) in READS {
        let path = fill(path);
        let answer = layer1.get(&path).await;
        let found = match answer.status {
            200 => {
                assert_eq!(answer.content_type, "application/json", "{path}");
                assert!(answer.text.ends_with('\n'), "{path}");
                shape_of(&answer.json())
            }
            404 => Absent,
            500 => match wanted {
                Error(name) if answer.ids()[0] == *name => *wanted,
                _ => panic!("{path}: {}", answer.text),
            },
            status => panic!("{path}: {status} {}", answer.text),
        };
        assert_eq!(found, *wanted, "{path}: {}", answer.text);
        assert!(is_documented(&document, "get", &path), "{path} is not in the document");
    }
    assert_eq!(head["operations"][3][0]["hash"], json!(transferred.hash()));

    posts(&layer1, &document, &contract, &rollup).await;
    layer1.sandbox.stop().await;
}

/// Whether a path of the document fits.
fn is_documented(document: &Value, method: &str, path: &str) -> bool {
    let path: Vec<&str> = path.split('?').next().unwrap_or_default().split('/').collect();
    document["paths"].as_object().unwrap().iter().any(|(template, item)| {
        let template: Vec<&str> = template.split('/').collect();
        let same = |(name, segment): (&&str, &&str)| name.starts_with('{') || name == segment;
        template.len() == path.len() && template.iter().zip(&path).all(same) && item.get(method).is_some()
    })
}

/// The services that take a body.
async fn posts(layer1: &Layer1, document: &Value, contract: &str, rollup: &str) {
    let operation = layer1.signed(2, vec![transfer(address(1), 5)]).await;
    let unsigned = json!({"branch": operation.branch, "contents": operation.contents});
    let simulated = json!({"operation": operation, "chain_id": "NetXdQprcVkpaWU"});
    let protocol = layer1.value(&format!("{B}/protocols")).await["next_protocol"].clone();
    let mut signed = json!(operation);
    signed["protocol"] = protocol;
    let forged = layer1.post(&format!("{B}/helpers/forge/operations"), &unsigned).await.json();
    let data =
        format!("{}{}", &forged.as_str().unwrap()[64..], hex::encode(operation.signature.as_ref().unwrap().as_bytes()));
    let int = json!({"prim": "int"});
    let pair = json!({"prim": "pair", "args": [int, int, int]});
    let script = json!([
        {"prim": "parameter", "args": [int]}, {"prim": "storage", "args": [int]},
        {"prim": "code", "args": [[{"prim": "CAR"}, {"prim": "NIL", "args": [{"prim": "operation"}]}, {"prim": "PAIR"}]]},
    ]);
    let ticket = json!({"ticketer": contract, "content_type": int, "content": {"int": "1"}});
    let kt1 = format!("{B}/context/contracts/{contract}");
    let scripts = |name: &str| format!("{B}/helpers/scripts/{name}");
    let helpers = |name: &str| format!("{B}/helpers/{name}");
    let mode = json!({"unparsing_mode": "Optimized", "normalize_types": true});
    let view = json!({"contract": contract, "view": "twice", "input": {"int": "21"}, "chain_id": "NetXdQprcVkpaWU", "unparsing_mode": "Readable"});
    let called =
        json!({"contract": contract, "entrypoint": "view", "input": {"int": "41"}, "chain_id": "NetXdQprcVkpaWU"});
    let run = json!({"script": script, "storage": {"int": "0"}, "input": {"int": "5"}, "amount": "0", "chain_id": "NetXdQprcVkpaWU"});
    let passes = json!({"protocol_data": {}, "operations": [[], [], [], [signed]]});
    let cases = [
        (helpers("forge/operations"), unsigned.clone(), ""),
        (
            helpers("parse/operations"),
            json!({"operations": [{"branch": operation.branch, "data": data}]}),
            "/0/contents",
        ),
        (helpers("preapply/operations?version=1"), json!([signed]), "/0/contents/0/metadata/operation_result/status"),
        (helpers("preapply/block"), passes, "/operations/3/applied/0/hash"),
        (scripts("run_operation"), simulated.clone(), "/contents/0/metadata/operation_result/consumed_milligas"),
        (scripts("simulate_operation?version=1&successor_level=true"), simulated, "/contents/0/metadata"),
        (scripts("run_code"), run.clone(), "/storage/int"),
        (scripts("run_view"), called, "/data/int"),
        (scripts("run_script_view"), view, "/data/int"),
        (scripts("typecheck_code"), json!({"program": script, "gas": "10000"}), "/gas"),
        (scripts("typecheck_data"), json!({"data": {"int": "1"}, "type": int}), "/gas"),
        (scripts("pack_data"), json!({"data": {"int": "1"}, "type": int}), "/packed"),
        (
            scripts("normalize_data"),
            json!({"data": {"int": "1"}, "type": int, "unparsing_mode": "Optimized"}),
            "/normalized",
        ),
        (scripts("normalize_type"), json!({"type": pair}), "/normalized/args/1/args/1"),
        (scripts("normalize_script"), json!({"script": script, "unparsing_mode": "Readable"}), "/normalized/0"),
        (scripts("entrypoints"), run.clone(), "/entrypoints"),
        (scripts("entrypoint"), run, "/entrypoint_type"),
        (format!("{kt1}/script/normalized"), mode.clone(), "/code/0"),
        (format!("{kt1}/storage/normalized"), mode, "/prim"),
        (format!("{kt1}/big_map_get"), json!({"key": {"string": "a"}, "type": {"prim": "string"}}), "/int"),
        (format!("{kt1}/ticket_balance"), ticket.clone(), ""),
        (format!("{B}/context/smart_rollups/smart_rollup/{rollup}/ticket_balance"), ticket, ""),
    ];
    for (path, body, place) in cases {
        let answer = layer1.post(&path, &body).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert!(answer.json().pointer(place).is_some(), "{path}: no {place} in {}", answer.text);
        assert!(is_documented(document, "post", &path), "{path} is not in the document");
        let without = layer1.post(&path, &json!("nonsense")).await;
        assert_eq!((without.status, without.content_type.as_str()), (400, "text/plain"), "{path}: {}", without.text);
        assert_eq!(layer1.get(&path).await.status, 405, "{path}");
    }
    let twice = layer1
        .post(&scripts("run_script_view"), &json!({"contract": contract, "view": "twice", "input": {"int": "21"}}))
        .await;
    assert_eq!(twice.json(), json!({"data": {"int": "42"}}));
    let more = layer1
        .post(&scripts("run_view"), &json!({"contract": contract, "entrypoint": "view", "input": {"int": "41"}}))
        .await;
    assert_eq!(more.json(), json!({"data": {"int": "42"}}));
    let missing =
        layer1.post(&format!("{kt1}/big_map_get"), &json!({"key": {"string": "b"}, "type": {"prim": "string"}})).await;
    assert_eq!(missing.json(), Value::Null);
}

#[tokio::test]
async fn blocks_have_many_names() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    assert_eq!(layer1.post("/sandbox/bake", &json!({"blocks": 4})).await.status, 200);
    let hash = |level: u32| {
        let layer1 = &layer1;
        async move { layer1.value(&format!("/chains/main/blocks/{level}/hash")).await.as_str().unwrap().to_owned() }
    };
    let (head, third, genesis) = (hash(6).await, hash(3).await, hash(0).await);
    let names = [
        ("head".to_owned(), &head),
        ("head~0".to_owned(), &head),
        ("head~3".to_owned(), &third),
        ("head-3".to_owned(), &third),
        (head.clone(), &head),
        (format!("{head}~3"), &third),
        (format!("{head}-3"), &third),
        ("3".to_owned(), &third),
        ("4~1".to_owned(), &third),
        ("genesis".to_owned(), &genesis),
        ("savepoint".to_owned(), &genesis),
        ("caboose".to_owned(), &genesis),
        ("head~9999".to_owned(), &genesis),
        ("checkpoint~1".to_owned(), &third),
    ];
    for (name, wanted) in names {
        assert_eq!(layer1.value(&format!("/chains/main/blocks/{name}/hash")).await, json!(wanted), "{name}");
    }
    for (name, status) in [("7", 404), ("nonsense", 400), ("head~", 400), ("-1", 400), ("head~x", 400)] {
        assert_eq!(layer1.get(&format!("/chains/main/blocks/{name}/hash")).await.status, status, "{name}");
    }
    // a block with and without receipts
    let whole = layer1.value(&format!("{B}?metadata=always")).await;
    assert!(whole["metadata"]["baker"].is_string());
    layer1.sandbox.stop().await;
}

/// The document names every path with its parameters, and each reference in it leads somewhere.
#[tokio::test]
async fn the_document_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    let document = layer1.value("/openapi.json").await;
    assert_eq!(document["openapi"], "3.0.3");
    for (path, item) in document["paths"].as_object().unwrap() {
        let named = path.split('/').filter(|segment| segment.starts_with('{')).count();
        assert_eq!(item["parameters"].as_array().unwrap().len(), named, "{path}");
        // what is in the document is answered: by anything but 404 or 405 where the example exists
        if let Some(get) = item.get("get").filter(|get| get.get("x-stream").is_none()) {
            assert!(get["summary"].is_string());
            let mut asked = path.clone();
            for parameter in item["parameters"].as_array().unwrap() {
                let name = format!("{{{}}}", parameter["name"].as_str().unwrap());
                asked = asked.replace(&name, parameter["example"].as_str().unwrap());
            }
            let answer = layer1.get(&asked).await;
            assert!(![400, 405].contains(&answer.status), "{asked}: {}", answer.text);
        }
    }
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
    layer1.sandbox.stop().await;
}
