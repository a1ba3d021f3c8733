//! The typed client against answers recorded from the reference, and against bad servers.

use crate::common::{Reply, Stub, recorded, replay};
use serde_json::{Value, json};
use soru_l1::fees::LimitConstants;
use soru_l1::rpc::{BlockId, Method, RpcClient, RpcError};
use soru_tezos::codec::Encode;
use soru_tezos::contract::Contract;
use soru_tezos::hash::{ContractHash, SmartRollupAddress};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::operation::Operation;
use soru_tezos::receipt::SimulationResult;
use soru_tezos::rollup::{PvmKind, Stakers};
use soru_tezos::scalar::{Level, Mutez};
use soru_tezos::sign::SecretKey;

const HEAD: BlockId = BlockId::HEAD;

#[tokio::test]
async fn recorded_answers_about_the_chain() {
    let rows = recorded();
    let stub = Stub::start(move |request| replay(&rows, request)).await;
    let l1 = &stub.client;
    assert_eq!(l1.version().await.unwrap().network_version.chain_name, "SANDBOXED_TEZOS");
    assert_eq!(l1.chain_id().await.unwrap().to_string(), "NetXdQprcVkpaWU");
    assert!(l1.is_bootstrapped().await.unwrap().bootstrapped);
    assert_eq!(l1.savepoint().await.unwrap().level, Level(0));
    assert_eq!(l1.checkpoint().await.unwrap().level, Level(29));
    let header = l1.header(HEAD).await.unwrap();
    assert_eq!(header.header.hash(), header.hash);
    assert_eq!(l1.block_hash(HEAD).await.unwrap(), header.hash);
    assert_eq!(l1.shell_header(HEAD).await.unwrap(), header.header.shell);
    let protocols = l1.protocols(HEAD).await.unwrap();
    assert_eq!(protocols.protocol, header.protocol);
    assert!(l1.live_blocks(HEAD).await.unwrap().contains(&header.header.shell.predecessor));
    assert!(l1.operations(HEAD, 3).await.is_err(), "only recorded without ?metadata=always");
    assert_eq!(l1.operation_hashes(HEAD).await.unwrap().len(), 4);
    assert!(l1.operation_hashes_of(HEAD, 3).await.unwrap().is_empty());
    let filter = l1.mempool_filter().await.unwrap();
    assert_eq!(filter.minimal_fees, Some(Mutez(100)));
    assert!(l1.pending_operations().await.unwrap().validated.is_empty());
    let constants: LimitConstants = l1.constants(HEAD).await.unwrap();
    assert_eq!((constants.cost_per_byte, constants.origination_size), (Mutez(250), 257));
    let _: Value = l1.get("/chains/main/blocks/genesis/header").await.unwrap();
    l1.header(BlockId::Genesis).await.unwrap();
    l1.header(Level(1)).await.unwrap();
}

#[tokio::test]
async fn recorded_answers_about_accounts() {
    let rows = recorded();
    let stub = Stub::start(move |request| replay(&rows, request)).await;
    let l1 = &stub.client;
    let known: PublicKeyHash = "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx".parse().unwrap();
    let unknown: PublicKeyHash = "tz1Ke2h7sDdakHJQh8WX4Z372du1KChsksyU".parse().unwrap();
    let contract: ContractHash = "KT1WTww7kWqJXsLAF8Erfp47t5meXepWQfe2".parse().unwrap();
    let missing: ContractHash = "KT18amZmM5W7qDWVt2pH6uj7sCEd3kbzLrHT".parse().unwrap();
    let info = l1.contract(HEAD, &known.into()).await.unwrap().unwrap();
    assert_eq!(l1.balance(HEAD, &known.into()).await.unwrap(), info.balance);
    assert_eq!(Some(l1.counter(HEAD, &known).await.unwrap()), info.counter);
    assert_eq!(l1.manager_key(HEAD, &known).await.unwrap().unwrap().hash(), known);
    assert_eq!(l1.manager_key(HEAD, &unknown).await.unwrap(), None);
    assert_eq!(l1.contract(HEAD, &Contract::Originated(missing)).await.unwrap(), None);
    assert!(l1.balance(HEAD, &missing.into()).await.unwrap_err().is_not_found());
    assert_eq!(l1.script(HEAD, &missing).await.unwrap(), None);
    let script = l1.script(HEAD, &contract).await.unwrap().unwrap();
    assert_eq!(l1.contract(HEAD, &contract.into()).await.unwrap().unwrap().script.unwrap(), script);
    assert_eq!(l1.storage(HEAD, &contract).await.unwrap().unwrap(), script.storage);
    assert!(l1.entrypoints(HEAD, &contract).await.unwrap().is_some());
    assert!(l1.entrypoint_type(HEAD, &contract, &Default::default()).await.unwrap().is_some());
    assert!(l1.entrypoint_type(HEAD, &contract, &"nope".parse().unwrap()).await.unwrap().is_none());
    assert_eq!(l1.delegate(HEAD, &contract.into()).await.unwrap(), None);
    assert_eq!(l1.delegate(HEAD, &known.into()).await.unwrap(), Some(known));
}

#[tokio::test]
async fn recorded_answers_about_rollups() {
    let rows = recorded();
    let stub = Stub::start(move |request| replay(&rows, request)).await;
    let l1 = &stub.client;
    let rollup: SmartRollupAddress = "sr1KEsdg3ivZmc3YgdhJFDbhmQmY5wT9Nd2D".parse().unwrap();
    let operator: PublicKeyHash = "tz1gjaF81ZRRvdzjobyfVNsAeSC6PScjfQwN".parse().unwrap();
    let other: PublicKeyHash = "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx".parse().unwrap();
    assert!(l1.all_rollups(HEAD).await.unwrap().contains(&rollup));
    assert!(l1.inbox(HEAD).await.unwrap().level > Level(0));
    assert_eq!(l1.rollup_kind(HEAD, &rollup).await.unwrap(), PvmKind::Wasm200);
    let genesis = l1.genesis_info(HEAD, &rollup).await.unwrap();
    assert!(l1.last_cemented(HEAD, &rollup).await.unwrap().level >= genesis.level);
    assert!(l1.staked_on(HEAD, &rollup, &operator).await.unwrap().is_some());
    assert_eq!(l1.staked_on(HEAD, &rollup, &other).await.unwrap(), None);
    assert_eq!(l1.stakers(HEAD, &rollup).await.unwrap(), [operator]);
    assert!(l1.games(HEAD, &rollup, &operator).await.unwrap().is_empty());
    assert!(l1.conflicts(HEAD, &rollup, &operator).await.unwrap().is_empty());
    let stakers = Stakers::new(operator, other);
    assert_eq!(l1.game_timeout(HEAD, &rollup, &stakers).await.unwrap(), None);
    assert_eq!(l1.timeout_reached(HEAD, &rollup, &stakers).await.unwrap(), None);
    let commitment = "src135WEhRvXF36bx3m8Ry6UhJtGvBWFMDCjyRtSPAg2BDjvxbdQ5t".parse().unwrap();
    let found = l1.commitment(HEAD, &rollup, &commitment).await.unwrap();
    assert_eq!(found.hash(), commitment);
    l1.can_be_cemented(HEAD, &rollup, &commitment).await.unwrap();
    let zero = "src12UJzB8mg7yU6nWPzicH7ofJbFjyJEbHvwtZdfRXi8DQHNp1LY8".parse().unwrap();
    let error = l1.commitment(HEAD, &rollup, &zero).await.unwrap_err();
    assert!(error.has("smart_rollup_unknown_commitment"), "{error}");
    assert_eq!(l1.commitments_of_level(HEAD, &rollup, Level(5)).await.unwrap().len(), 1);
    assert_eq!(l1.commitments_of_level(HEAD, &rollup, Level(6)).await.unwrap(), []);
    assert_eq!(l1.consumed_outputs(HEAD, &rollup, Level(5)).await.unwrap(), Vec::<i32>::new());
    assert_eq!(l1.whitelist(HEAD, &rollup).await.unwrap(), None);
    assert_eq!(l1.last_whitelist_update(HEAD, &rollup).await.unwrap(), None);
}

/// Simulations and pre-applications: answers read and write back unchanged, and our signatures are those recorded.
#[tokio::test]
async fn recorded_simulations() {
    // bootstrap4, who signed the recorded pre-applications
    let key: SecretKey = "edsk2uqQB9AY4FvioK2YMdfmyMrer5R8mGFyuaLLFfSRo8EoyNdht3".parse().unwrap();
    let (mut simulations, mut signatures) = (0, 0);
    for row in recorded() {
        let path = row["path"].as_str().unwrap();
        if row["status"] != 200 || !(path.contains("simulate_operation") || path.contains("preapply/operations")) {
            continue;
        }
        let results: Vec<Value> = row["response"].as_array().cloned().unwrap_or_else(|| vec![row["response"].clone()]);
        for result in results {
            let read: SimulationResult = serde_json::from_value(result.clone()).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), result, "{path}");
            simulations += 1;
        }
        if path.contains("preapply") {
            let recorded: Operation = serde_json::from_value(row["body"][0].clone()).unwrap();
            let mut ours = Operation::unsigned(recorded.branch, recorded.contents.clone());
            key.sign_operation(&mut ours).unwrap();
            assert_eq!(ours.signature, recorded.signature);
            assert_eq!(ours.to_bytes(), recorded.to_bytes());
            signatures += 1;
        }
    }
    println!("{simulations} simulations, {signatures} signatures");
    assert!(simulations > 0 && signatures > 0);
}

#[tokio::test]
async fn bodies_of_requests() {
    let stub = Stub::start(|request| match request.path.as_str() {
        path if path.contains("simulate") => Reply::Json(200, json!({ "contents": [] })),
        path if path.contains("preapply") => Reply::Json(200, json!([{ "contents": [] }])),
        _ => Reply::Json(200, json!("ooZtzNj52LcS19nZNN1LYMtZ76u4z7Tcd4vScXFni3y6kmPoJai")),
    })
    .await;
    let l1 = &stub.client;
    let chain = "NetXdQprcVkpaWU".parse().unwrap();
    let protocol = "PsUshuai9QapM5TGj1JpuVGkdxz5GykdnEvS6Rh8SUVrARvZLCY".parse().unwrap();
    let branch = "BLockGenesisGenesisGenesisGenesisGenesisf79b5d1CoW2".parse().unwrap();
    let operation = Operation::unsigned(branch, Vec::new());
    l1.simulate(HEAD, &chain, &operation, true).await.unwrap();
    l1.preapply(HEAD, &protocol, &operation).await.unwrap();
    l1.inject(&[0xab, 0xcd]).await.unwrap();
    let requests = stub.requests.lock().unwrap();
    assert_eq!(
        requests[0].path,
        "/chains/main/blocks/head/helpers/scripts/simulate_operation?version=1&successor_level=true"
    );
    assert_eq!(
        requests[0].body,
        json!({ "operation": { "branch": branch, "contents": [] }, "chain_id": "NetXdQprcVkpaWU" })
    );
    assert_eq!(requests[1].body, json!([{ "protocol": protocol, "branch": branch, "contents": [] }]));
    assert_eq!((requests[2].path.as_str(), &requests[2].body), ("/injection/operation?chain=main", &json!("abcd")));
}

#[tokio::test]
async fn failures_are_told_apart() {
    let stub = Stub::start(|request| match request.path.as_str() {
        "/silence/chain_id" => Reply::Silence,
        "/large" => Reply::Text(200, "[".repeat(5 << 20)),
        "/text" => Reply::Text(200, "<html>".to_owned()),
        "/blank" => Reply::Text(200, " ".repeat(17 << 20)),
        "/endless" => Reply::Text(200, format!("\"{}", "a".repeat(17 << 20))),
        "/trace" => Reply::Json(
            500,
            json!([{ "kind": "temporary", "id": "proto.025-PsUshuai.smart_rollup_does_not_exist", "rollup": "sr1" }]),
        ),
        "/unavailable" => Reply::Text(503, "down for maintenance".to_owned()),
        "/forbidden" => Reply::Text(401, String::new()),
        _ => Reply::Text(404, String::new()),
    })
    .await;
    let l1 = &stub.client;
    let ask = async |path: &'static str| l1.get::<Value>(path).await.unwrap_err();
    assert!(matches!(ask("/silence/chain_id").await, RpcError::Timeout { .. }));
    assert!(matches!(ask("/large").await, RpcError::TooLarge { limit, .. } if limit == 4 << 20));
    let error = ask("/text").await;
    assert!(
        matches!(error, RpcError::Decode { .. }) && error.to_string().contains("begins with \"<html>\""),
        "{error}"
    );
    let stream = async |path: &'static str| l1.stream::<Value>(path).await.unwrap().next().await;
    assert!(matches!(stream("/text").await, Err(RpcError::Decode { .. })));
    assert!(matches!(stream("/blank").await, Ok(None)));
    assert!(matches!(stream("/endless").await, Err(RpcError::TooLarge { .. })));
    let error = ask("/trace").await;
    assert!(error.has("smart_rollup_does_not_exist") && !error.is_connection(), "{error}");
    assert!(ask("/unavailable").await.is_connection());
    assert!(matches!(ask("/forbidden").await, RpcError::Status { status: 401, .. }));
    assert!(ask("/nowhere").await.is_not_found());
    assert_eq!(l1.get_optional::<Value>("/nowhere").await.unwrap(), None);
    let raw = l1.raw(Method::GET, "/unavailable", None).await.unwrap();
    assert_eq!((raw.status, raw.body.as_ref()), (503, b"down for maintenance".as_slice()));

    let nobody = RpcClient::new("http://127.0.0.1:1").unwrap();
    let error = nobody.chain_id().await.unwrap_err();
    assert!(matches!(&error, RpcError::Unreachable { .. }) && error.is_connection(), "{error}");
    for wrong in ["", "localhost:8732", "ftp://localhost", "http://"] {
        assert!(matches!(RpcClient::new(wrong), Err(RpcError::Address { .. })), "{wrong}");
    }
    RpcClient::new("https://localhost/with/a/path").unwrap();
}

#[tokio::test]
async fn an_address_with_a_path_keeps_it() {
    let stub = Stub::start(|_| Reply::Json(200, json!("NetXdQprcVkpaWU"))).await;
    let l1 = RpcClient::new(&format!("{}/node", stub.client.endpoint())).unwrap();
    l1.chain_id().await.unwrap();
    assert_eq!(stub.paths(), ["/node/chains/main/chain_id"]);
}
