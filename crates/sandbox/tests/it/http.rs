//! The layer 1 as its clients see it, over HTTP.

use crate::support::{Layer1, address, address as address_of, manual, secret, transfer};
use serde_json::{Value, json};
use soru_sandbox::{BlockTime, Sandbox, SandboxConfig};
use soru_tezos::codec::Encode;
use soru_tezos::contract::Contract;
use soru_tezos::hash::{SmartRollupAddress, StateHash};
use soru_tezos::key::Scheme;
use soru_tezos::operation::{
    AddMessages, Cement, ExecuteOutboxMessage, Operation, Originate, Origination, Parameters, Publish, RecoverBond,
    Reveal, Script, Transaction,
};
use soru_tezos::rollup::{Commitment, PvmKind};
use soru_tezos::scalar::{Level, Mutez, Nat, Ticks};
use soru_tezos::sign::SecretKey;
use std::time::Duration;

const HEAD: &str = "/chains/main/blocks/head";

#[tokio::test]
async fn a_new_chain_looks_like_a_reference_sandbox() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    assert_eq!(layer1.value("/version").await["network_version"]["chain_name"], "SANDBOXED_TEZOS");
    assert_eq!(layer1.value("/chains/main/chain_id").await, "NetXdQprcVkpaWU");
    assert_eq!(
        layer1.value("/chains/main/blocks/genesis/hash").await,
        "BLockGenesisGenesisGenesisGenesisGenesisf79b5d1CoW2"
    );
    assert_eq!(
        layer1.value("/chains/main/blocks/head~9999/hash").await,
        layer1.value("/chains/main/blocks/0/hash").await
    );
    assert_eq!(layer1.value(&format!("{HEAD}/header")).await["level"], 2);
    let first = layer1.value("/chains/NetXdQprcVkpaWU/blocks/1/protocols").await;
    assert_eq!(first["next_protocol"], "PsUshuai9QapM5TGj1JpuVGkdxz5GykdnEvS6Rh8SUVrARvZLCY");

    let head = layer1.bake().await;
    assert_eq!(head["header"]["level"], 3);
    let hash = head["hash"].as_str().unwrap().to_owned();
    let raw: String =
        serde_json::from_value(layer1.value(&format!("/chains/main/blocks/{hash}/header/raw")).await).unwrap();
    assert_eq!(soru_tezos::hash::BlockHash::of_header(&hex::decode(raw).unwrap()).to_string(), hash);
    assert_eq!(layer1.value(&format!("{HEAD}-1/hash")).await, head["header"]["predecessor"]);
    assert_eq!(layer1.value(&format!("{HEAD}/operations")).await, json!([[], [], [], []]));
    assert_eq!(layer1.value("/chains/main/levels/checkpoint").await["level"], 1);
    let constants = layer1.value(&format!("{HEAD}/context/constants")).await;
    assert_eq!(constants["smart_rollup_challenge_window_in_blocks"], 40);
    assert_eq!(layer1.balance(&address(1).to_string()).await, 4_000_000_000_000);
    assert_eq!(
        layer1.value(&format!("{HEAD}/context/contracts/{}/manager_key", address(5))).await,
        json!(secret(5).public_key())
    );
    layer1.sandbox.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_answered_as_by_the_reference() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    for (path, status) in [
        ("/nowhere", 404),
        ("/chains/main", 405),
        ("/chains/nonsense/chain_id", 400),
        ("/chains/main/blocks/nonsense/hash", 400),
        ("/chains/main/blocks/-1/hash", 400),
        ("/chains/main/blocks/99999/hash", 404),
        ("/chains/main/blocks/BKrCRZRjtG85AtcLpqtNC3Q2MJf39nPU4PPFNmnDwCQXgFs77nd", 404),
        ("/chains/main/blocks/head/operations/3/0", 500),
        ("/chains/main/blocks/head/operation_hashes/3/0", 404),
        ("/chains/main/blocks/head/context/contracts/garbage", 400),
        ("/chains/main/blocks/head/context/contracts/KT1WTww7kWqJXsLAF8Erfp47t5meXepWQfe2", 404),
        ("/chains/main/blocks/genesis/context/smart_rollups/all", 404),
        ("/chains/main/mempool/pending_operations?version=1", 400),
        ("/injection/operation", 405),
        ("/monitor/heads/nonsense", 400),
    ] {
        let answer = layer1.get(path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        if status == 400 {
            assert_eq!(answer.content_type, "text/plain", "{path}");
        }
    }
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    for (path, body) in [
        ("/injection/operation", "\"zz\"".to_owned()),
        ("/injection/operation", "{".to_owned()),
        ("/injection/operation", deep.clone()),
        ("/chains/main/blocks/head/helpers/forge/operations", deep),
        ("/chains/main/blocks/head/helpers/scripts/simulate_operation", "\u{0}\u{ff}".to_owned()),
        ("/sandbox/bake", "{\"blocks\": 0}".to_owned()),
    ] {
        let request = reqwest::Client::new().post(format!("{}{path}", layer1.sandbox.url())).body(body);
        assert_eq!(layer1.send(request).await.status, 400, "{path}");
    }
    let large = reqwest::Client::new().post(format!("{}/injection/operation", layer1.sandbox.url()));
    assert_eq!(layer1.send(large.body(vec![b'a'; 20 << 20])).await.status, 413);
}

#[tokio::test]
async fn a_transfer_to_a_new_account_that_then_reveals_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    for (index, scheme) in [Scheme::Ed25519, Scheme::Secp256k1, Scheme::P256, Scheme::Bls].into_iter().enumerate() {
        let key = SecretKey::from_bytes(scheme, &[index as u8 + 1; 32]).unwrap();
        let account = key.public_key_hash();
        let before = layer1.balance(&address(1).to_string()).await;
        let receipt = layer1.include(1, transfer(account, 5_000_000)).await;
        assert_eq!(receipt["operation_result"]["status"], "applied");
        assert_eq!(receipt["operation_result"]["allocated_destination_contract"], true);
        let burned = 257 * 250;
        assert_eq!(layer1.balance(&address(1).to_string()).await, before - 5_000_000 - 100_000 - burned);
        assert_eq!(layer1.balance(&account.to_string()).await, 5_000_000);
        assert_eq!(layer1.value(&format!("{HEAD}/context/contracts/{account}/manager_key")).await, Value::Null);

        let mut operation = layer1.signed(1, vec![transfer(address(2), 7)]).await;
        operation.contents[0].source = account;
        operation.contents[0].counter = Nat(layer1.next_counter(&account).await);
        key.sign_operation(&mut operation).unwrap();
        assert_eq!(layer1.simulate(&operation).await.ids(), ["contract.unrevealed_key"]);

        let mut reveal = operation.contents[0].clone();
        reveal.body = Reveal { public_key: key.public_key(), proof: key.proof_of_possession() }.into();
        operation.contents[0].counter = Nat(reveal.counter.0 + 1);
        operation.contents.insert(0, reveal);
        key.sign_operation(&mut operation).unwrap();
        let answer = layer1.inject(&operation).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let block = layer1.bake().await;
        let contents = &block["operations"][3][0]["contents"];
        assert_eq!(contents[1]["metadata"]["operation_result"]["status"], "applied", "{contents}");
        assert_eq!(
            layer1.value(&format!("{HEAD}/context/contracts/{account}/manager_key")).await,
            json!(key.public_key())
        );
    }
}

#[tokio::test]
async fn operations_that_are_not_taken_in() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    layer1.include(2, transfer(address(3), 1)).await;
    let good = layer1.signed(2, vec![transfer(address(3), 1)]).await;
    let sign = |mut operation: Operation, number: usize| {
        secret(number).sign_operation(&mut operation).unwrap();
        operation
    };
    let with = |change: &dyn Fn(&mut Operation)| {
        let mut operation = good.clone();
        change(&mut operation);
        sign(operation, 2)
    };
    let poor = with(&|operation| operation.contents[0].fee = Mutez(5_000_000_000_000));
    for (operation, id, sentence) in [
        (with(&|o| o.contents[0].counter = Nat(1)), "contract.counter_in_the_past", "Counter 1 already used"),
        (with(&|o| o.contents[0].counter = Nat(9)), "contract.counter_in_the_future", "Counter 9 not yet reached"),
        (poor, "contract.balance_too_low", "too low"),
        (with(&|o| o.contents[0].gas_limit = Nat(2_000_000)), "gas_limit_too_high", "gas_limit_too_high"),
        (with(&|o| o.contents[0].gas_limit = Nat(10)), "validate.operation.insufficient_gas_for_manager", "gas"),
        (with(&|o| o.contents[0].storage_limit = Nat(70_000)), "storage_limit_too_high", "storage_limit_too_high"),
    ] {
        let simulated = layer1.simulate(&operation).await;
        assert_eq!((simulated.status, simulated.ids()[0].as_str()), (500, id));
        let injected = layer1.inject(&operation).await;
        assert_eq!(
            (injected.status, injected.ids()),
            (500, vec!["async_injection_failed".to_owned(), "failure".to_owned()])
        );
        assert!(injected.text.contains(sentence), "{}", injected.text);
    }
    let wrong_key = layer1.inject(&sign(good.clone(), 1)).await;
    assert!(wrong_key.text.contains("The operation signature is invalid"), "{}", wrong_key.text);
    let unknown = layer1.inject(&with(&|o| o.branch.0 = [0; 32])).await;
    assert!(unknown.text.contains("Unknown branch (BKiHLREqU3Jk), cannot inject the operation."), "{}", unknown.text);
    let mut truncated = good.to_bytes();
    truncated.truncate(100);
    let answer = layer1.post("/injection/operation", &json!(hex::encode(&truncated))).await;
    assert_eq!(answer.status, 500);
    assert!(answer.text.contains("parsing error"), "{}", answer.text);

    // one operation of an account waits for a block; another replaces it only if it pays more
    assert_eq!(layer1.inject(&good).await.status, 200);
    let other = layer1.inject(&with(&|o| o.contents[0].gas_limit = Nat(99_999))).await;
    assert!(other.text.contains("already has the operation"), "{}", other.text);
    assert_eq!(layer1.inject(&with(&|o| o.contents[0].fee = Mutez(200_000))).await.status, 200);
    let pending = layer1.value("/chains/main/mempool/pending_operations").await;
    assert_eq!(pending["validated"].as_array().unwrap().len(), 1);
    assert_eq!(pending["validated"][0]["contents"][0]["fee"], "200000");
    layer1.bake().await;
    assert_eq!(layer1.value("/chains/main/mempool/pending_operations").await["validated"], json!([]));
}

#[tokio::test]
async fn a_failing_batch_pays_its_fees_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    let bodies = vec![transfer(address(2), 5), transfer(address(2), 9_000_000_000_000), transfer(address(2), 6)];
    let operation = layer1.signed(1, bodies).await;
    let before = layer1.balance(&address(2).to_string()).await;
    assert_eq!(layer1.inject(&operation).await.status, 200);
    let block = layer1.bake().await;
    let statuses: Vec<&str> = (0..3)
        .map(|index| {
            block["operations"][3][0]["contents"][index]["metadata"]["operation_result"]["status"].as_str().unwrap()
        })
        .collect();
    assert_eq!(statuses, ["backtracked", "failed", "skipped"]);
    assert_eq!(layer1.balance(&address(2).to_string()).await, before);
    assert_eq!(layer1.balance(&address(1).to_string()).await, 4_000_000_000_000 - 300_000);
}

#[tokio::test]
async fn a_restart_continues_the_same_chain() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    layer1.include(1, transfer(address(2), 42)).await;
    let head = layer1.value(HEAD).await;
    let refused = Sandbox::start(manual(directory.path())).await.map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("in use by another process"), "{refused}");
    layer1.sandbox.stop().await;

    let again = Layer1::manual(directory.path()).await;
    assert_eq!(again.value(HEAD).await, head);
    assert_eq!(again.balance(&address(2).to_string()).await, 4_000_000_000_042);
    assert_eq!(again.bake().await["header"]["predecessor"], head["hash"]);
}

#[tokio::test]
async fn addresses_and_directories_that_cannot_be_used() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(&directory.path().join("one")).await;
    let taken = layer1.sandbox.address();
    let config = SandboxConfig { rpc_addr: taken, ..manual(&directory.path().join("two")) };
    let error = Sandbox::start(config).await.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains(&taken.to_string()) && error.contains("in use") && error.contains("--rpc-addr"), "{error}");

    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Sandbox::start(manual(&file.join("data"))).await.map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("--data-dir"), "{error}");
}

#[tokio::test]
async fn heads_are_told_as_they_come() {
    let directory = tempfile::tempdir().unwrap();
    let config =
        SandboxConfig { block_time: BlockTime::Interval(Duration::from_millis(50)), ..manual(directory.path()) };
    let layer1 = Layer1::start(config).await;
    let url = format!("{}/monitor/heads/main", layer1.sandbox.url());
    let mut response = reqwest::get(url).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    let mut text = String::new();
    while text.lines().count() < 5 {
        text.push_str(std::str::from_utf8(&response.chunk().await.unwrap().unwrap()).unwrap());
    }
    let heads: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    for pair in heads.windows(2) {
        assert_eq!(pair[1]["predecessor"], pair[0]["hash"]);
        assert!(pair[1]["timestamp"].as_str() > pair[0]["timestamp"].as_str());
    }
    let bootstrapped = reqwest::get(format!("{}/monitor/bootstrapped", layer1.sandbox.url())).await.unwrap();
    assert!(bootstrapped.text().await.unwrap().starts_with("{\"block\":\"B"));
    let stopping = std::time::Instant::now();
    layer1.sandbox.stop().await;
    assert!(stopping.elapsed() < Duration::from_secs(2), "an open stream must not hold up the end");
}

#[tokio::test]
async fn a_block_is_made_when_an_operation_arrives() {
    let directory = tempfile::tempdir().unwrap();
    let config = SandboxConfig { block_time: BlockTime::OnOperation, ..manual(directory.path()) };
    let layer1 = Layer1::start(config).await;
    let operation = layer1.signed(1, vec![transfer(address(2), 1)]).await;
    assert_eq!(layer1.inject(&operation).await.status, 200);
    for _ in 0..100 {
        if layer1.value(&format!("{HEAD}/header")).await["level"] == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(layer1.value(&format!("{HEAD}/operation_hashes/3")).await, json!([operation.hash()]));
    assert_eq!(layer1.value(&format!("{HEAD}/operations/3/0")).await["hash"], json!(operation.hash()));
}

#[tokio::test]
async fn forging_and_parsing_are_inverse() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    let operation = layer1.signed(1, vec![transfer(address(2), 1)]).await;
    let forged = layer1.post(&format!("{HEAD}/helpers/forge/operations"), &json!(operation)).await;
    assert_eq!(forged.json(), json!(hex::encode(operation.unsigned_bytes())));
    let data = hex::encode(&operation.to_bytes()[32..]);
    let body = json!({"operations": [{"branch": operation.branch, "data": data}]});
    let parsed = layer1.post(&format!("{HEAD}/helpers/parse/operations"), &body).await;
    assert_eq!(parsed.json(), json!([operation_as_read(&operation)]));
    let item = json!({"protocol": "PsUshuai9QapM5TGj1JpuVGkdxz5GykdnEvS6Rh8SUVrARvZLCY", "branch": operation.branch,
        "contents": operation.contents, "signature": operation.signature});
    let applied = layer1.post(&format!("{HEAD}/helpers/preapply/operations"), &json!([item])).await;
    assert_eq!(
        applied.json()[0]["contents"][0]["metadata"]["operation_result"]["status"],
        "applied",
        "{}",
        applied.text
    );
}

fn operation_as_read(operation: &Operation) -> Operation {
    Operation::from_signed_bytes(&operation.to_bytes()).unwrap().0
}

fn michelson(text: &str) -> soru_tezos::micheline::Micheline {
    soru_michelson::syntax::parse_expression(text).unwrap().expr
}

/// The contracts and messages of the documentation's tour, on one layer 1.
#[tokio::test]
async fn contracts_and_rollups() {
    let directory = tempfile::tempdir().unwrap();
    let layer1 = Layer1::manual(directory.path()).await;
    let code = michelson("{ parameter string ; storage string ; code { CAR ; NIL operation ; PAIR } }");
    let script = Script { code, storage: michelson("\"\"") };
    let receipt = layer1.include(1, Origination { balance: Mutez(0), delegate: None, script }.into()).await;
    let address = receipt["operation_result"]["originated_contracts"][0].as_str().unwrap().to_owned();
    let contract: Contract = address.parse().unwrap();
    let path = format!("{HEAD}/context/contracts/{address}");
    assert_eq!(layer1.value(&format!("{path}/storage")).await, json!({"string": ""}));
    let call = |value: &str| {
        let parameters = Parameters { entrypoint: Default::default(), value: michelson(value) };
        Transaction { amount: Mutez(0), destination: contract, parameters }.into()
    };
    let receipt = layer1.include(2, call("\"Hello world\"")).await;
    assert_eq!(receipt["operation_result"]["status"], "applied", "{receipt}");
    assert_eq!(receipt["operation_result"]["paid_storage_size_diff"], "11");
    assert_eq!(layer1.value(&format!("{path}/storage")).await, json!({"string": "Hello world"}));
    let wrong = layer1.include(2, call("42")).await;
    assert_eq!(wrong["operation_result"]["status"], "failed");
    assert!(wrong["operation_result"]["errors"][0]["id"].as_str().unwrap().ends_with("bad_contract_parameter"));
    assert_eq!(layer1.value(&format!("{path}/entrypoints")).await, json!({"entrypoints": {}}));
    assert_eq!(layer1.value(&format!("{path}/entrypoints/default")).await, json!({"prim": "string"}));

    let originate = Originate {
        pvm_kind: PvmKind::Wasm200,
        kernel: vec![0, 0x61, 0x73, 0x6d, 1, 0, 0, 0].into(),
        parameters_ty: michelson("bytes"),
        whitelist: None,
    };
    let receipt = layer1.include(1, originate.into()).await;
    let result = &receipt["operation_result"];
    assert_eq!((result["status"].as_str(), result["size"].as_str()), (Some("applied"), Some("6552")), "{receipt}");
    let rollup: SmartRollupAddress = result["address"].as_str().unwrap().parse().unwrap();
    let path = format!("{HEAD}/context/smart_rollups/smart_rollup/{rollup}");
    assert_eq!(layer1.value(&format!("{HEAD}/context/smart_rollups/all")).await, json!([rollup]));
    let genesis = layer1.value(&format!("{path}/genesis_info")).await;
    assert_eq!(genesis["commitment_hash"], result["genesis_commitment_hash"]);
    assert_eq!(layer1.value(&format!("{path}/kind")).await, "wasm_2_0_0");
    let origination = genesis["level"].as_i64().unwrap() as i32;

    let messages = |size: usize| AddMessages { message: vec![vec![7; size].into()] }.into();
    assert_eq!(layer1.include(1, messages(4_095)).await["operation_result"]["status"], "applied");
    let large = layer1.include(1, messages(4_096)).await;
    assert!(
        large["operation_result"]["errors"][0]["id"].as_str().unwrap().ends_with("smart_rollup_inbox_message_encoding")
    );

    let unknown = SmartRollupAddress([9; 20]);
    let failed = layer1.include(1, Cement { rollup: unknown }.into()).await;
    assert!(failed["operation_result"]["errors"][0]["id"].as_str().unwrap().ends_with("smart_rollup_does_not_exist"));
    assert_eq!(layer1.get(&format!("{HEAD}/context/smart_rollups/smart_rollup/{unknown}/kind")).await.status, 500);

    layer1.post("/sandbox/bake", &json!({"blocks": 12})).await;
    let commitment = Commitment {
        compressed_state: StateHash([1; 32]),
        inbox_level: Level(origination + 10),
        predecessor: serde_json::from_value(genesis["commitment_hash"].clone()).unwrap(),
        number_of_ticks: Ticks(1),
    };
    let published = layer1.include(3, Publish { rollup, commitment }.into()).await;
    assert_eq!(published["operation_result"]["status"], "applied", "{published}");
    let owner = format!("{HEAD}/context/contracts/{}", address_of(3));
    assert_eq!(layer1.value(&format!("{owner}/frozen_bonds")).await, "10000000000");
    assert_eq!(
        layer1.value(&format!("{path}/staker/{}/staked_on_commitment", address_of(3))).await["hash"],
        json!(commitment.hash())
    );
    let early = layer1.include(3, Cement { rollup }.into()).await;
    assert!(
        early["operation_result"]["errors"][0]["id"].as_str().unwrap().ends_with("smart_rollup_commitment_too_recent")
    );
    let execute =
        ExecuteOutboxMessage { rollup, cemented_commitment: commitment.hash(), output_proof: vec![1, 2, 3].into() };
    let refused = layer1.include(3, execute.into()).await;
    assert!(
        refused["operation_result"]["errors"][0]["id"].as_str().unwrap().ends_with("invalid_last_cemented_commitment")
    );
    layer1.post("/sandbox/bake", &json!({"blocks": 40})).await;
    let cemented = layer1.include(4, Cement { rollup }.into()).await;
    assert_eq!(cemented["operation_result"]["status"], "applied", "{cemented}");
    let recovered = layer1.include(5, RecoverBond { rollup, staker: address_of(3) }.into()).await;
    assert_eq!(recovered["operation_result"]["status"], "applied", "{recovered}");
    assert_eq!(layer1.value(&format!("{owner}/frozen_bonds")).await, "0");

    // everything is there again after a restart
    let head = layer1.value(HEAD).await;
    let inbox = layer1.value(&format!("{HEAD}/context/smart_rollups/all/inbox")).await;
    layer1.sandbox.stop().await;
    let again = Layer1::manual(directory.path()).await;
    assert_eq!(again.value(HEAD).await, head);
    assert_eq!(again.value(&format!("{HEAD}/context/smart_rollups/all/inbox")).await, inbox);
    again.sandbox.stop().await;
}
