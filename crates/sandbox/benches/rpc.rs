//! What a client waits for: operations a second through injection and a block, the latency of `simulate_operation`, and a call
//! of a contract with 10,000 entries in its big map.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use serde_json::{Value, json};
use soru_sandbox::{BlockTime, FundedAccount, Sandbox, SandboxConfig, made_account};
use soru_tezos::codec::Encode;
use soru_tezos::contract::Contract;
use soru_tezos::hash::BlockHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::operation::{ManagerBody, ManagerOperation, Operation, Origination, Parameters, Script, Transaction};
use soru_tezos::scalar::{Mutez, Nat};
use soru_tezos::sign::SecretKey;
use std::time::{Duration, Instant};

const ACCOUNTS: u32 = 1_000;
const CONNECTIONS: usize = 16;
const SIMULATIONS: usize = 2_000;
const ENTRIES: u32 = 10_000;
const B: &str = "/chains/main/blocks/head";

struct Client {
    http: reqwest::Client,
    url: String,
}

impl Client {
    async fn get(&self, path: &str) -> Value {
        self.http.get(format!("{}{path}", self.url)).send().await.unwrap().json().await.unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.http.post(format!("{}{path}", self.url)).json(body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn signed(&self, key: &SecretKey, body: ManagerBody) -> Operation {
        let source = key.public_key_hash();
        let counter = self.get(&format!("{B}/context/contracts/{source}/counter")).await;
        let content = ManagerOperation {
            source,
            fee: Mutez(1_000_000),
            counter: Nat(counter.as_str().unwrap().parse::<u64>().unwrap() + 1),
            gas_limit: Nat(1_000_000),
            storage_limit: Nat(60_000),
            body,
        };
        let branch: BlockHash = serde_json::from_value(self.get(&format!("{B}~2/hash")).await).unwrap();
        let mut operation = Operation::unsigned(branch, vec![content]);
        key.sign_operation(&mut operation).unwrap();
        operation
    }

    async fn include(&self, key: &SecretKey, body: ManagerBody) -> Value {
        let operation = self.signed(key, body).await;
        self.post("/injection/operation", &json!(hex::encode(operation.to_bytes()))).await;
        self.post("/sandbox/bake", &json!({})).await;
        let found =
            self.get(&format!("{B}/operations/3/0")).await["contents"][0]["metadata"]["operation_result"].clone();
        assert_eq!(found["status"], "applied", "{found}");
        found
    }
}

fn shown(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
    println!("{what}: median {:?}, p99 {:?}, most {:?} ({} times)", at(50), at(99), at(100), times.len());
}

fn michelson(text: &str) -> Micheline {
    soru_michelson::syntax::parse_expression(text).unwrap().expr
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let directory = tempfile::tempdir().unwrap();
    let keys: Vec<SecretKey> = (1..=ACCOUNTS).map(|number| made_account(number).unwrap()).collect();
    let funded =
        keys.iter().map(|key| FundedAccount { public_key: key.public_key(), balance: Mutez::of_tez(1_000_000) });
    let sandbox = Sandbox::start(SandboxConfig {
        rpc_addr: "127.0.0.1:0".parse().unwrap(),
        block_time: BlockTime::Manual,
        accounts: funded.collect(),
        ..SandboxConfig::new(directory.path())
    })
    .await
    .unwrap();
    let client = std::sync::Arc::new(Client { http: reqwest::Client::new(), url: sandbox.url() });
    client.post("/sandbox/bake", &json!({"blocks": 3})).await;

    let to = keys[0].public_key_hash();
    let transfer = || Transaction { amount: Mutez(1), destination: to.into(), parameters: Default::default() };
    let branch: BlockHash = serde_json::from_value(client.get(&format!("{B}~2/hash")).await).unwrap();
    let signed = keys.iter().map(|key| {
        let content = ManagerOperation {
            source: key.public_key_hash(),
            fee: Mutez(1_000),
            counter: Nat(1),
            gas_limit: Nat(2_500),
            storage_limit: Nat(0),
            body: transfer().into(),
        };
        let mut operation = Operation::unsigned(branch, vec![content]);
        key.sign_operation(&mut operation).unwrap();
        json!(hex::encode(operation.to_bytes()))
    });
    let signed: Vec<Value> = signed.collect();
    let began = Instant::now();
    let mut tasks = Vec::new();
    for part in signed.chunks(signed.len().div_ceil(CONNECTIONS)) {
        let (client, part) = (client.clone(), part.to_vec());
        tasks.push(tokio::spawn(async move {
            for operation in part {
                client.post("/injection/operation", &operation).await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let injected = began.elapsed();
    let mut applied = 0;
    while applied < signed.len() {
        client.post("/sandbox/bake", &json!({})).await;
        applied += client.get(&format!("{B}/operation_hashes/3")).await.as_array().unwrap().len();
    }
    let all = began.elapsed();
    let rate = |elapsed: Duration| f64::from(ACCOUNTS) / elapsed.as_secs_f64();
    println!(
        "{ACCOUNTS} transfers by {CONNECTIONS} connections: injected {:.0}/s, in blocks {:.0}/s",
        rate(injected),
        rate(all)
    );

    let chain_id = client.get("/chains/main/chain_id").await;
    let body = json!({"operation": client.signed(&keys[1], transfer().into()).await, "chain_id": chain_id});
    let mut times = Vec::new();
    for _ in 0..SIMULATIONS {
        let began = Instant::now();
        client.post(&format!("{B}/helpers/scripts/simulate_operation"), &body).await;
        times.push(began.elapsed());
    }
    shown("simulate_operation of a transfer", times);

    // a map that is filled by 1,000 entries a call
    let code = "{ parameter (or (pair %fill nat nat) (nat %touch)) ; storage (big_map nat nat) ; code { UNPAIR ; \
        IF_LEFT { UNPAIR ; DUP 2 ; DUP 2 ; COMPARE ; LT ; \
                  LOOP { DIG 2 ; DUP 2 ; DUP ; DIP { SOME } ; UPDATE ; DUG 2 ; PUSH nat 1 ; ADD ; DUP 2 ; DUP 2 ; COMPARE ; LT } ; DROP 2 } \
                { DUP 2 ; DUP 2 ; GET ; IF_NONE { PUSH nat 0 } { PUSH nat 1 ; ADD } ; SOME ; SWAP ; UPDATE } ; \
        NIL operation ; PAIR } }";
    let script = Script { code: michelson(code), storage: michelson("{}") };
    let made = client.include(&keys[2], Origination { balance: Mutez(0), delegate: None, script }.into()).await;
    let contract: Contract = made["originated_contracts"][0].as_str().unwrap().parse().unwrap();
    let call = |entrypoint: &str, value: &str| -> ManagerBody {
        let parameters = Parameters { entrypoint: entrypoint.parse().unwrap(), value: michelson(value) };
        Transaction { amount: Mutez(0), destination: contract, parameters }.into()
    };
    for from in (0..ENTRIES).step_by(500) {
        client.include(&keys[2], call("fill", &format!("Pair {from} {}", from + 500))).await;
    }
    let mut times = Vec::new();
    for index in 0..200 {
        let operation = client.signed(&keys[2], call("touch", &(index * 37).to_string())).await;
        let bytes = json!(hex::encode(operation.to_bytes()));
        let began = Instant::now();
        client.post("/injection/operation", &bytes).await;
        client.post("/sandbox/bake", &json!({})).await;
        times.push(began.elapsed());
    }
    shown("call of a contract with 10,000 entries in a big map, injected and in a block", times);
    let body = json!({"operation": client.signed(&keys[2], call("touch", "5000")).await, "chain_id": chain_id});
    let mut times = Vec::new();
    for _ in 0..500 {
        let began = Instant::now();
        client.post(&format!("{B}/helpers/scripts/simulate_operation"), &body).await;
        times.push(began.elapsed());
    }
    shown("simulate_operation of that call", times);
    sandbox.stop().await;
}
