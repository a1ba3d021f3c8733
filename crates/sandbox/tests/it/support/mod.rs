//! A sandbox over HTTP, and accounts that sign for it.
#![allow(dead_code)]

pub mod shape;

use serde_json::{Value, json};
use soru_sandbox::{BOOTSTRAP, BlockTime, Sandbox, SandboxConfig};
use soru_tezos::codec::Encode;
use soru_tezos::contract::Contract;
use soru_tezos::hash::BlockHash;
use soru_tezos::key::PublicKeyHash;
use soru_tezos::micheline::{Micheline, Prim};
use soru_tezos::operation::{ManagerBody, ManagerOperation, Operation, Originate, Origination, Script, Transaction};
use soru_tezos::rollup::PvmKind;
use soru_tezos::scalar::{Mutez, Nat};
use soru_tezos::sign::SecretKey;
use std::path::Path;
use std::time::Duration;

/// A running layer 1 and a client of it.
pub struct Layer1 {
    pub sandbox: Sandbox,
    client: reqwest::Client,
}

/// Status, content type and body of an answer.
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub text: String,
}

/// The answer to a recorded request: for a stream, its first line.
pub struct Replayed {
    pub status: u16,
    pub content_type: String,
    pub text: String,
    /// The body, if it is JSON; else null.
    pub json: Value,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The ids of a trace, without the protocol's prefix.
    pub fn ids(&self) -> Vec<String> {
        let trace = self.json();
        let ids = trace.as_array().unwrap().iter().map(|error| error["id"].as_str().unwrap());
        ids.map(|id| id.trim_start_matches("proto.025-PsUshuai.").to_owned()).collect()
    }
}

/// A stream of one JSON document a line.
pub struct Lines {
    response: reqwest::Response,
    rest: String,
}

impl Lines {
    pub async fn next(&mut self) -> Value {
        loop {
            if let Some((line, rest)) = self.rest.split_once('\n') {
                let value = serde_json::from_str(line).unwrap();
                self.rest = rest.to_owned();
                return value;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(10), self.response.chunk()).await.unwrap().unwrap();
            self.rest.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        }
    }
}

impl Layer1 {
    pub async fn start(config: SandboxConfig) -> Layer1 {
        // reqwest wants a provider to be chosen even where nothing is encrypted; all but the first choice fail
        let _ = rustls::crypto::ring::default_provider().install_default();
        Layer1 { sandbox: Sandbox::start(config).await.unwrap(), client: reqwest::Client::new() }
    }

    /// Blocks on demand, in `directory`, on a free port.
    pub async fn manual(directory: &Path) -> Layer1 {
        Layer1::start(manual(directory)).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.client.get(format!("{}{path}", self.sandbox.url()))).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.client.post(format!("{}{path}", self.sandbox.url())).json(body)).await
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let content_type =
            response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
        Answer { status: response.status().as_u16(), content_type, text: response.text().await.unwrap() }
    }

    /// Sends a recorded request, to `path` in place of its own.
    pub async fn replay(&self, recorded: &Value, path: &str) -> Replayed {
        let method = recorded["method"].as_str().unwrap().parse().unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.sandbox.url()));
        let headers = recorded["request_headers"].as_object();
        for (name, value) in headers.into_iter().flatten() {
            request = request.header(name, value.as_str().unwrap());
        }
        let body = match (recorded.get("body"), recorded["body_raw"].as_str()) {
            (Some(body), _) => Some(body.to_string()),
            (None, Some(text)) => Some(text.to_owned()),
            (None, None) => None,
        };
        if let Some(body) = body {
            if headers.is_none_or(|headers| !headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"))) {
                request = request.header("content-type", "application/json");
            }
            request = request.body(body);
        }
        let mut response = request.send().await.unwrap();
        let content_type =
            response.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
        let status = response.status().as_u16();
        let text = match recorded.get("chunks") {
            None => response.text().await.unwrap(),
            Some(chunks) if chunks.as_array().is_some_and(Vec::is_empty) => String::new(),
            Some(_) => {
                let first = tokio::time::timeout(Duration::from_secs(2), response.chunk()).await;
                String::from_utf8(first.unwrap().unwrap().unwrap_or_default().to_vec()).unwrap()
            }
        };
        let json = serde_json::from_str(text.trim_end()).unwrap_or_default();
        Replayed { status, content_type, text, json }
    }

    pub async fn value(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!((answer.status, answer.content_type.as_str()), (200, "application/json"), "{path}: {}", answer.text);
        assert!(answer.text.ends_with('\n'));
        answer.json()
    }

    pub async fn bake(&self) -> Value {
        let answer = self.post("/sandbox/bake", &json!({"blocks": 1})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.value("/chains/main/blocks/head").await
    }

    pub async fn balance(&self, account: &str) -> u64 {
        let value = self.value(&format!("/chains/main/blocks/head/context/contracts/{account}/balance")).await;
        value.as_str().unwrap().parse().unwrap()
    }

    pub async fn branch(&self) -> BlockHash {
        serde_json::from_value(self.value("/chains/main/blocks/head~2/hash").await).unwrap()
    }

    pub async fn next_counter(&self, account: &PublicKeyHash) -> u64 {
        let counter = self.value(&format!("/chains/main/blocks/head/context/contracts/{account}/counter")).await;
        counter.as_str().unwrap().parse::<u64>().unwrap() + 1
    }

    /// Signs a batch of one account with generous limits.
    pub async fn signed(&self, signer: usize, bodies: Vec<ManagerBody>) -> Operation {
        let key = secret(signer);
        let source = key.public_key_hash();
        let first = self.next_counter(&source).await;
        let contents = bodies.into_iter().enumerate().map(|(index, body)| ManagerOperation {
            source,
            fee: Mutez(100_000),
            counter: Nat(first + index as u64),
            gas_limit: Nat(100_000),
            storage_limit: Nat(50_000),
            body,
        });
        let mut operation = Operation::unsigned(self.branch().await, contents.collect());
        key.sign_operation(&mut operation).unwrap();
        operation
    }

    pub async fn inject(&self, operation: &Operation) -> Answer {
        self.post("/injection/operation", &json!(hex::encode(operation.to_bytes()))).await
    }

    /// Injects, bakes, and gives the receipt of the first content.
    pub async fn include(&self, signer: usize, body: ManagerBody) -> Value {
        let operation = self.signed(signer, vec![body]).await;
        let answer = self.inject(&operation).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json(), json!(operation.hash()));
        let block = self.bake().await;
        let included = block["operations"][3].as_array().unwrap();
        let found = included.iter().find(|found| found["hash"] == json!(operation.hash()));
        found.unwrap_or_else(|| panic!("not included: {included:?}"))["contents"][0]["metadata"].clone()
    }

    /// Originates a contract written in Michelson.
    pub async fn originate(&self, signer: usize, code: &str, storage: &str) -> Contract {
        let read = |text: &str| soru_michelson::syntax::parse_expression(text).unwrap().expr;
        let script = Script { code: read(code), storage: read(storage) };
        let receipt = self.include(signer, Origination { balance: Mutez(0), delegate: None, script }.into()).await;
        let made = receipt["operation_result"]["originated_contracts"][0].as_str();
        made.unwrap_or_else(|| panic!("not originated: {receipt}")).parse().unwrap()
    }

    /// Originates a rollup whose kernel does nothing.
    pub async fn originate_rollup(&self, signer: usize) -> String {
        self.originate_rollup_for(signer, None).await
    }

    /// The same, private if members are given.
    pub async fn originate_rollup_for(&self, signer: usize, whitelist: Option<Vec<PublicKeyHash>>) -> String {
        let originate = Originate {
            pvm_kind: PvmKind::Wasm200,
            kernel: vec![0, 0x61, 0x73, 0x6d, 1, 0, 0, 0].into(),
            parameters_ty: Micheline::word(Prim::bytes),
            whitelist,
        };
        let receipt = self.include(signer, originate.into()).await;
        receipt["operation_result"]["address"].as_str().unwrap_or_else(|| panic!("{receipt}")).to_owned()
    }

    /// Opens a stream.
    pub async fn stream(&self, path: &str) -> Lines {
        Lines {
            response: self.client.get(format!("{}{path}", self.sandbox.url())).send().await.unwrap(),
            rest: String::new(),
        }
    }

    pub async fn simulate(&self, operation: &Operation) -> Answer {
        let chain_id = self.value("/chains/main/chain_id").await;
        let body = json!({"operation": operation, "chain_id": chain_id});
        self.post("/chains/main/blocks/head/helpers/scripts/simulate_operation?version=1", &body).await
    }
}

pub fn manual(directory: &Path) -> SandboxConfig {
    SandboxConfig {
        rpc_addr: "127.0.0.1:0".parse().unwrap(),
        block_time: BlockTime::Manual,
        ..SandboxConfig::new(directory)
    }
}

/// The key of the bootstrap account of this number, from 1.
pub fn secret(number: usize) -> SecretKey {
    BOOTSTRAP[number - 1].secret_key.parse().unwrap()
}

pub fn address(number: usize) -> PublicKeyHash {
    BOOTSTRAP[number - 1].address.parse().unwrap()
}

pub fn transfer(destination: impl Into<Contract>, amount: u64) -> ManagerBody {
    Transaction { amount: Mutez(amount), destination: destination.into(), parameters: Default::default() }.into()
}
