//! Many operations at once, by many connections: none is lost.

use crate::support::{Layer1, manual, transfer};
use serde_json::json;
use soru_sandbox::{BOOTSTRAP_BALANCE, BlockTime, FundedAccount, SandboxConfig, made_account};
use soru_tezos::operation::{ManagerOperation, Operation};
use soru_tezos::scalar::{Mutez, Nat};
use std::sync::Arc;
use std::time::{Duration, Instant};

const HEAD: &str = "/chains/main/blocks/head";
const CONNECTIONS: u32 = 16;
/// Transfers of one account, one in a block.
const IN_A_ROW: u64 = 5;

/// 1,000 transfers with `SORU_LONG=1`, else fewer.
fn accounts() -> u32 {
    if std::env::var_os("SORU_LONG").is_some_and(|value| value == "1") { 200 } else { 32 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfers_by_many_connections_are_all_applied() {
    let directory = tempfile::tempdir().unwrap();
    let keys: Vec<_> = (1..=accounts()).map(|number| made_account(number).unwrap()).collect();
    let funded = keys.iter().map(|key| FundedAccount { public_key: key.public_key(), balance: BOOTSTRAP_BALANCE });
    let config = SandboxConfig {
        accounts: funded.collect(),
        block_time: BlockTime::Interval(Duration::from_millis(100)),
        ..manual(directory.path())
    };
    let layer1 = Arc::new(Layer1::start(config).await);
    let sink = made_account(999_999).unwrap().public_key_hash();
    let began = Instant::now();
    let tasks = (0..CONNECTIONS as usize).map(|connection| {
        let (layer1, keys) = (layer1.clone(), keys.clone());
        tokio::spawn(async move {
            for key in keys.iter().skip(connection).step_by(CONNECTIONS as usize) {
                let source = key.public_key_hash();
                for _ in 0..IN_A_ROW {
                    let counter = layer1.next_counter(&source).await;
                    let content = ManagerOperation {
                        source,
                        fee: Mutez(1_000),
                        counter: Nat(counter),
                        gas_limit: Nat(3_000),
                        storage_limit: Nat(300),
                        body: transfer(sink, 1_000_000),
                    };
                    let mut operation = Operation::unsigned(layer1.branch().await, vec![content]);
                    key.sign_operation(&mut operation).unwrap();
                    let answer = layer1.inject(&operation).await;
                    assert_eq!(answer.status, 200, "{}", answer.text);
                    // the next one wants the counter that this one leaves
                    while layer1.next_counter(&source).await == counter {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let sent = u64::from(accounts()) * IN_A_ROW;
    println!("{sent} transfers by {CONNECTIONS} connections in {:?}", began.elapsed());
    assert_eq!(layer1.balance(&sink.to_string()).await, sent * 1_000_000);
    let pending = layer1.value("/chains/main/mempool/pending_operations").await;
    assert_eq!(pending["validated"], json!([]));
    let level = layer1.value(&format!("{HEAD}/header")).await["level"].as_u64().unwrap();
    let mut applied = 0;
    for level in 3..=level {
        for operation in layer1.value(&format!("/chains/main/blocks/{level}/operations/3")).await.as_array().unwrap() {
            assert_eq!(operation["contents"][0]["metadata"]["operation_result"]["status"], "applied");
            applied += 1;
        }
    }
    assert_eq!(applied, sent);
}
