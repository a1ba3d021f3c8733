//! Batches against a layer 1 that simulates: limits, fees, caps, reveals, and the node's injector on top.

use crate::common::{Reply, Request, Stub, recorded};
use serde_json::{Value, json};
use soru_l1::fees::{BatchError, BatchOptions, FeeParameters, Item, inject, prepare_batch, sign_and_check};
use soru_l1::heads::Reorg;
use soru_l1::injector::{Injector, Kind, Outcome, QueueLimits, Status};
use soru_l1::wallet::{MemorySigner, Signer};
use soru_tezos::codec::{Decode, Encode};
use soru_tezos::hash::{BlockHash, OperationHash, SmartRollupAddress};
use soru_tezos::header::BlockRef;
use soru_tezos::operation::{AddMessages, Cement, ManagerBody, Operation, Transaction};
use soru_tezos::scalar::{Level, Mutez, Nat};
use soru_tezos::sign::{SecretKey, Watermark};
use std::sync::{Arc, Mutex};

const SECRET: &str = "edsk3gUfUPyBSfrS9CCgmCiQsTCHGkviBDusMxDJstFtojtc1zcpsh";

/// A layer 1 on which cementing rollups whose address starts with a non-zero byte fails, messages use 179.119 units of gas,
/// and transfers allocate their destination.
#[derive(Default)]
struct Chain {
    revealed: bool,
    injected: Mutex<Vec<Operation>>,
    blocks: Mutex<Vec<Vec<Operation>>>,
}

fn receipts(operation: &Value) -> Value {
    let operation: Operation = serde_json::from_value(operation.clone()).unwrap();
    let mut failed = false;
    let contents: Vec<Value> = operation
        .contents
        .iter()
        .map(|content| {
            let mut json = serde_json::to_value(content).unwrap();
            let result = match &content.body {
                _ if failed => json!({ "status": "skipped" }),
                ManagerBody::SmartRollupCement(cement) if cement.rollup.0[0] != 0 => {
                    failed = true;
                    json!({ "status": "failed", "errors": [{
                        "kind": "temporary", "id": "proto.025-PsUshuai.smart_rollup_no_valid_commitment_to_cement"
                    }] })
                }
                ManagerBody::SmartRollupCement(_) => json!({
                    "status": "applied", "consumed_milligas": "4839196", "inbox_level": 12,
                    "commitment_hash": "src12UJzB8mg7yU6nWPzicH7ofJbFjyJEbHvwtZdfRXi8DQHNp1LY8"
                }),
                ManagerBody::Transaction(_) => json!({
                    "status": "applied", "consumed_milligas": "168847", "allocated_destination_contract": true
                }),
                _ => json!({ "status": "applied", "consumed_milligas": "179119" }),
            };
            json["metadata"] = json!({ "operation_result": result });
            json
        })
        .collect();
    json!({ "contents": contents })
}

impl Chain {
    fn answer(&self, request: &Request) -> Reply {
        let path = request.path.split('?').next().unwrap();
        let ok = |value: Value| Reply::Json(200, value);
        if path.ends_with("/context/constants") {
            let rows = recorded();
            return ok(
                rows.iter().find(|row| row["path"] == path.replace(block_of(path), "head")).unwrap()["response"]
                    .clone(),
            );
        }
        if path.ends_with("/counter") {
            return ok(json!("41"));
        }
        if path.ends_with("/manager_key") {
            let key = SECRET.parse::<SecretKey>().unwrap().public_key();
            return ok(if self.revealed { json!(key) } else { Value::Null });
        }
        if path.ends_with("/chain_id") {
            return ok(json!("NetXdQprcVkpaWU"));
        }
        if path.ends_with("/hash") {
            return ok(json!(BlockHash([7; 32])));
        }
        if path.ends_with("/protocols") {
            let protocol = "PsUshuai9QapM5TGj1JpuVGkdxz5GykdnEvS6Rh8SUVrARvZLCY";
            return ok(json!({ "protocol": protocol, "next_protocol": protocol }));
        }
        if path.ends_with("/simulate_operation") {
            return ok(receipts(&request.body["operation"]));
        }
        if path.ends_with("/preapply/operations") {
            return ok(json!([receipts(&request.body[0])]));
        }
        if path == "/injection/operation" {
            let bytes = hex::decode(request.body.as_str().unwrap()).unwrap();
            let (operation, signed) = Operation::from_signed_bytes(&bytes).unwrap();
            let key = SECRET.parse::<SecretKey>().unwrap().public_key();
            assert!(key.verify(Watermark::Operation, &bytes[..signed], operation.signature.as_ref().unwrap()));
            self.injected.lock().unwrap().push(operation);
            return ok(json!(OperationHash::of_bytes(&bytes)));
        }
        if path.ends_with("/operations/3") {
            let blocks = self.blocks.lock().unwrap();
            let operations: Vec<Value> = blocks
                .last()
                .into_iter()
                .flatten()
                .map(|operation| {
                    let mut value = receipts(&serde_json::to_value(operation).unwrap());
                    value["hash"] = json!(operation.hash());
                    value["branch"] = json!(operation.branch);
                    value
                })
                .collect();
            return ok(json!(operations));
        }
        Reply::Text(404, String::new())
    }
}

fn block_of(path: &str) -> &str {
    path.strip_prefix("/chains/main/blocks/").unwrap().split('/').next().unwrap()
}

async fn start(revealed: bool) -> (Arc<Chain>, Stub, MemorySigner) {
    let chain = Arc::new(Chain { revealed, ..Chain::default() });
    let answering = Arc::clone(&chain);
    let stub = Stub::start(move |request| answering.answer(request)).await;
    (chain, stub, MemorySigner::new(SECRET.parse().unwrap()))
}

fn messages() -> AddMessages {
    AddMessages { message: vec![b"hello".to_vec().into()] }
}

fn transfer() -> Transaction {
    let destination = "tz1gjaF81ZRRvdzjobyfVNsAeSC6PScjfQwN".parse().unwrap();
    Transaction { amount: Mutez::of_tez(1), destination, parameters: Default::default() }
}

#[tokio::test]
async fn limits_and_fees_follow_the_simulation() {
    let (chain, stub, signer) = start(true).await;
    let options = BatchOptions::client(FeeParameters::default());
    let prepared = prepare_batch(&stub.client, &signer, &[messages().into()], &options).await.unwrap();
    assert!(!prepared.reveal_added);
    let content = &prepared.operation.contents[0];
    assert_eq!((content.counter, content.gas_limit, content.storage_limit), (Nat(42), Nat(280), Nat(0)));
    // 100 mutez, a tenth of a mutez per gas, one per byte of the whole signed operation
    let size = prepared.operation.to_bytes().len() as u64;
    assert_eq!(content.fee, Mutez(100 + 28 + size));
    let signed = sign_and_check(&stub.client, &signer, prepared, &options).await.unwrap();
    assert_eq!(inject(&stub.client, &signed.operation).await.unwrap(), signed.hash);
    assert_eq!(chain.injected.lock().unwrap()[0], {
        let bytes = signed.operation.to_bytes();
        Operation::from_bytes(&bytes).unwrap()
    });
    assert!(stub.paths().contains(&"/chains/main/blocks/head~2/hash".to_owned()));
}

#[tokio::test]
async fn an_unknown_key_is_revealed_first() {
    let (_, stub, signer) = start(false).await;
    let options = BatchOptions::client(FeeParameters { burn_cap: Mutez::of_tez(1), ..FeeParameters::default() });
    let items: Vec<Item> = vec![transfer().into(), messages().into()];
    let prepared = prepare_batch(&stub.client, &signer, &items, &options).await.unwrap();
    assert!(prepared.reveal_added);
    let contents = &prepared.operation.contents;
    let kinds: Vec<&str> = contents.iter().map(|content| content.body.kind()).collect();
    assert_eq!(kinds, ["reveal", "transaction", "smart_rollup_add_messages"]);
    assert_eq!(contents.iter().map(|content| content.counter.0).collect::<Vec<_>>(), [42, 43, 44]);
    // no gas is added to what never varies; an allocated account counts 257 bytes
    assert_eq!((contents[0].gas_limit, contents[1].gas_limit), (Nat(180), Nat(169)));
    assert_eq!((contents[1].storage_limit, prepared.burn), (Nat(277), Mutez(64_250)));
    assert_eq!(prepared.estimates[1].storage, Some(257));
}

#[tokio::test]
async fn what_is_fixed_stays() {
    let (_, stub, signer) = start(true).await;
    let options = BatchOptions {
        counter: Some(Nat(7)),
        ..BatchOptions::client(FeeParameters { burn_cap: Mutez::of_tez(1), ..FeeParameters::default() })
    };
    let item = Item {
        fee: Some(Mutez(5_000)),
        gas_limit: Some(Nat(1_500)),
        storage_limit: Some(Nat(300)),
        ..Item::from(transfer())
    };
    let prepared = prepare_batch(&stub.client, &signer, &[item], &options).await.unwrap();
    let content = &prepared.operation.contents[0];
    assert_eq!(
        (content.fee, content.counter, content.gas_limit, content.storage_limit),
        (Mutez(5_000), Nat(7), Nat(1_500), Nat(300))
    );
    assert_eq!(prepared.estimates[0].gas, None);
}

#[tokio::test]
async fn caps_stop_with_the_option_to_give() {
    let (_, stub, signer) = start(true).await;
    let options = BatchOptions::client(FeeParameters::default());
    let error = prepare_batch(&stub.client, &signer, &[transfer().into()], &options).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "The operation will burn ꜩ0.06425 which is higher than the configured burn cap (ꜩ0).\n Use `--burn-cap 0.06425` to emit this operation."
    );
    let item = |fee| Item { fee: Some(fee), ..Item::from(messages()) };
    let error = prepare_batch(&stub.client, &signer, &[item(Mutez::of_tez(50))], &options).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "The proposed fee (ꜩ50) are higher than the configured fee cap (ꜩ1).\n Use `--fee-cap 50` to emit this operation anyway."
    );
    let error = prepare_batch(&stub.client, &signer, &[item(Mutez(1))], &options).await.unwrap_err();
    assert!(matches!(error, BatchError::FeeTooLow { fee: Mutez(1), .. }));
    let low = BatchOptions::client(FeeParameters { force_low_fee: true, ..FeeParameters::default() });
    prepare_batch(&stub.client, &signer, &[item(Mutez(1))], &low).await.unwrap();
    let cement = Cement { rollup: SmartRollupAddress([1; 20]) };
    match prepare_batch(&stub.client, &signer, &[cement.into(), messages().into()], &options).await.unwrap_err() {
        BatchError::Simulation { trace, result, .. } => {
            assert_eq!(trace[0].name(), "smart_rollup_no_valid_commitment_to_cement");
            assert_eq!(result.contents.len(), 2);
        }
        other => panic!("{other}"),
    }
    assert!(matches!(prepare_batch(&stub.client, &signer, &[], &options).await, Err(BatchError::Empty)));
}

#[tokio::test]
async fn the_injector_leaves_out_what_fails_and_finds_the_rest() {
    let (chain, stub, signer) = start(true).await;
    let signers: Vec<Arc<dyn Signer>> = vec![Arc::new(signer)];
    let limits = QueueLimits { attempts: 0, ..QueueLimits::default() };
    let mut injector = Injector::new(stub.client.clone(), signers, Box::new(Kind::default_fees), limits);
    let good = injector.add(Cement { rollup: SmartRollupAddress([0; 20]) }, None).unwrap();
    let bad = injector.add(Cement { rollup: SmartRollupAddress([1; 20]) }, None).unwrap();
    let sent = injector.add(messages(), None).unwrap();
    let block = |level| BlockRef { level: Level(level), hash: BlockHash([level as u8; 32]) };
    let events = injector.inject(block(10)).await.unwrap();
    assert_eq!(events.len(), 1);
    assert!(matches!(&events[0].outcome, Outcome::Discarded(trace) if trace.len() == 1));
    assert_eq!(events[0].operation.id, bad);
    let operation = chain.injected.lock().unwrap()[0].clone();
    let kinds: Vec<&str> = operation.contents.iter().map(|content| content.body.kind()).collect();
    assert_eq!(kinds, ["smart_rollup_cement", "smart_rollup_add_messages"]);
    assert_eq!(injector.queue().status(&sent), Some(Status::Injected { hash: operation.hash(), index: 1 }));

    // the only key is busy: what is added now has to wait
    injector.add(messages(), None).unwrap();
    assert!(injector.inject(block(11)).await.unwrap().is_empty());
    assert_eq!(chain.injected.lock().unwrap().len(), 1);

    chain.blocks.lock().unwrap().push(vec![operation.clone()]);
    let way = Reorg { old_chain: Vec::new(), new_chain: vec![block(12)] };
    let events = injector.on_chain(&way).await.unwrap();
    assert!(events.iter().all(|event| event.outcome == Outcome::Included(block(12))));
    assert_eq!(
        injector.queue().status(&good),
        Some(Status::Included { hash: operation.hash(), index: 0, block: block(12) })
    );
    injector.inject(block(12)).await.unwrap();
    assert_eq!(chain.injected.lock().unwrap().len(), 2);

    // the block is left: its operations are sent again
    let way = Reorg { old_chain: vec![block(12)], new_chain: Vec::new() };
    assert_eq!(injector.on_chain(&way).await.unwrap().len(), 2);
    assert_eq!(injector.queue().status(&good), Some(Status::Injected { hash: operation.hash(), index: 0 }));
    injector.inject(block(13)).await.unwrap();
    let times = chain.injected.lock().unwrap().iter().filter(|injected| **injected == operation).count();
    assert_eq!(times, 2, "the same bytes again");
}

#[tokio::test]
async fn the_injector_keeps_everything_while_the_node_is_away() {
    let (_, stub, signer) = start(true).await;
    let client = stub.client.clone();
    drop(stub);
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let mut injector =
        Injector::new(client, vec![Arc::new(signer)], Box::new(Kind::default_fees), QueueLimits::default());
    injector.add(messages(), None).unwrap();
    let head = BlockRef { level: Level(1), hash: BlockHash([1; 32]) };
    assert!(injector.inject(head).await.is_err());
    assert_eq!(injector.queue().counts(), (1, 0, 0));
}
