//! A recorded chain served as a layer 1 over HTTP, read only: heads as a stream, blocks, and what of the context a rollup
//! node asks for. Forks can be added: copies of recorded blocks under other hashes and without operations.

use super::recording::Chain;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{Response, StatusCode, Uri};
use serde_json::{Value, json};
use soru_tezos::hash::BlockHash;
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, RwLock};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

struct Entry {
    level: i64,
    predecessor: String,
    block: Value,
    inbox: Value,
}

struct Inner {
    meta: Value,
    blocks: RwLock<HashMap<String, Entry>>,
    head: watch::Sender<String>,
    hashes: Vec<String>,
    first: i64,
}

/// A layer 1 that repeats a recording.
#[derive(Clone)]
pub struct Replay(Arc<Inner>);

impl Replay {
    /// A chain whose head is at `level`.
    pub fn new(chain: &Chain, level: i64) -> Replay {
        let mut blocks = HashMap::new();
        let mut hashes = vec![];
        for row in &chain.rows {
            let hash = row["hash"].as_str().unwrap().to_owned();
            hashes.push(hash.clone());
            let block = row["block"].clone();
            let predecessor = block["header"]["predecessor"].as_str().unwrap().to_owned();
            let level = row["level"].as_i64().unwrap();
            blocks.insert(hash, Entry { level, predecessor, block, inbox: row["inbox"].clone() });
        }
        let first = chain.rows[0]["level"].as_i64().unwrap();
        let head = watch::channel(hashes[usize::try_from(level - first).unwrap()].clone()).0;
        Replay(Arc::new(Inner { meta: chain.meta.clone(), blocks: RwLock::new(blocks), head, hashes, first }))
    }

    pub fn last_level(&self) -> i64 {
        self.0.first + self.0.hashes.len() as i64 - 1
    }

    /// Moves the head to the recorded block of a level.
    pub fn set_head(&self, level: i64) {
        let hash = &self.0.hashes[usize::try_from(level - self.0.first).unwrap()];
        self.0.head.send_replace(hash.clone());
    }

    /// Replaces the last `depth` blocks below and at `level` by empty ones and makes the last of them, whose hash it
    /// gives, the head.
    pub fn fork(&self, level: i64, depth: i64) -> String {
        let mut blocks = self.0.blocks.write().unwrap();
        let mut predecessor = self.0.hashes[usize::try_from(level - depth - self.0.first).unwrap()].clone();
        for level in level - depth + 1..=level {
            let original = &blocks[&self.0.hashes[usize::try_from(level - self.0.first).unwrap()]];
            let mut block = original.block.clone();
            let mut bytes = original.predecessor.parse::<BlockHash>().unwrap().0;
            bytes[0] ^= 0xff;
            bytes[1] = depth as u8;
            let hash = BlockHash(bytes).to_string();
            block["hash"] = json!(hash);
            block["header"]["predecessor"] = json!(predecessor);
            block["operations"][3] = json!([]);
            let inbox = original.inbox.clone();
            blocks.insert(hash.clone(), Entry { level, predecessor, block, inbox });
            predecessor = hash;
        }
        drop(blocks);
        self.0.head.send_replace(predecessor.clone());
        predecessor
    }

    /// Serves on a free port of the loopback address, or on a given one.
    pub async fn serve(&self, port: u16) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(self.clone());
        (address, tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }))
    }

    fn find(&self, id: &str) -> Option<String> {
        let head = self.0.head.borrow().clone();
        let blocks = self.0.blocks.read().unwrap();
        match id.parse::<i64>() {
            Ok(level) => {
                let mut hash = head;
                while blocks.get(&hash)?.level > level {
                    hash = blocks[&hash].predecessor.clone();
                }
                (blocks[&hash].level == level).then_some(hash)
            }
            Err(_) if id == "head" => Some(head),
            Err(_) => blocks.contains_key(id).then(|| id.to_owned()),
        }
    }

    fn get(&self, path: &[&str], query: &HashMap<String, String>) -> Option<Value> {
        if path == ["chains", "main", "blocks"] {
            let blocks = self.0.blocks.read().unwrap();
            let mut hash = query.get("head")?.clone();
            let mut hashes = vec![];
            for _ in 0..query.get("length")?.parse::<usize>().ok()? {
                hashes.push(hash.clone());
                match blocks.get(&hash) {
                    Some(entry) if entry.level > self.0.first => hash = entry.predecessor.clone(),
                    _ => break,
                }
            }
            return Some(json!([hashes]));
        }
        let ["chains", "main", "blocks", id, rest @ ..] = path else { return None };
        let hash = self.find(id)?;
        let blocks = self.0.blocks.read().unwrap();
        let entry = blocks.get(&hash)?;
        let (block, metadata) = (&entry.block, &entry.block["metadata"]);
        Some(match rest {
            [] => block.clone(),
            ["hash"] => json!(hash),
            ["header", "shell"] => block["header"].clone(),
            ["protocols"] => {
                json!({"protocol": metadata["protocol"], "next_protocol": metadata["next_protocol"]})
            }
            ["context", "constants"] => self.0.meta["constants"].clone(),
            ["context", "contracts", _, "balance"] => json!("4000000000000"),
            ["context", "smart_rollups", "all", "inbox"] => entry.inbox.clone(),
            ["context", "smart_rollups", "smart_rollup", rollup, rest @ ..] => {
                let level = entry.level;
                drop(blocks);
                self.rollup(level, rollup, rest)?
            }
            _ => return None,
        })
    }

    /// What the operations up to a level say about a rollup.
    fn rollup(&self, level: i64, rollup: &str, rest: &[&str]) -> Option<Value> {
        let (mut genesis, mut cemented, mut staked) = (None, None, HashMap::new());
        let blocks = self.0.blocks.read().unwrap();
        for hash in self.0.hashes.iter().take_while(|hash| blocks[*hash].level <= level) {
            let block = &blocks[hash].block;
            for operation in block["operations"][3].as_array().into_iter().flatten() {
                for content in operation["contents"].as_array().unwrap() {
                    let result = &content["metadata"]["operation_result"];
                    if result["status"] != "applied" {
                        continue;
                    }
                    match content["kind"].as_str().unwrap() {
                        "smart_rollup_originate" if result["address"] == rollup => {
                            let level = blocks[hash].level;
                            let commitment = &result["genesis_commitment_hash"];
                            genesis = Some(json!({"level": level, "commitment_hash": commitment}));
                            cemented = Some(json!({"hash": commitment, "level": level}));
                        }
                        "smart_rollup_cement" if content["rollup"] == rollup => {
                            let (hash, level) = (&result["commitment_hash"], &result["inbox_level"]);
                            cemented = Some(json!({"hash": hash, "level": level}));
                        }
                        "smart_rollup_publish" if content["rollup"] == rollup => {
                            let mut commitment = content["commitment"].clone();
                            commitment["hash"] = result["staked_hash"].clone();
                            staked.insert(content["source"].as_str().unwrap().to_owned(), commitment);
                        }
                        _ => {}
                    }
                }
            }
        }
        match rest {
            ["genesis_info"] => genesis,
            ["kind"] => Some(json!("wasm_2_0_0")),
            ["whitelist"] => Some(Value::Null),
            ["last_cemented_commitment_hash_with_level"] => cemented,
            ["staker", key, "staked_on_commitment"] => Some(staked.remove(*key).unwrap_or(Value::Null)),
            _ => None,
        }
    }

    fn heads(&self) -> Response<Body> {
        let receiver = self.0.head.subscribe();
        let state = (self.clone(), receiver, true);
        let chunks = futures::stream::unfold(state, |(replay, mut receiver, first)| async move {
            if !first {
                receiver.changed().await.ok()?;
            }
            let hash = receiver.borrow_and_update().clone();
            let mut header = replay.0.blocks.read().unwrap()[&hash].block["header"].clone();
            header["hash"] = json!(hash);
            header["protocol_data"] = json!("");
            Some((Ok::<_, Infallible>(Bytes::from(format!("{header}\n"))), (replay, receiver, false)))
        });
        Response::new(Body::from_stream(chunks))
    }
}

async fn answer(State(replay): State<Replay>, uri: Uri) -> Response<Body> {
    let path: Vec<&str> = uri.path().split('/').filter(|segment| !segment.is_empty()).collect();
    if path == ["monitor", "heads", "main"] {
        return replay.heads();
    }
    let Query(query) = Query::<HashMap<String, String>>::try_from_uri(&uri).unwrap();
    match replay.get(&path, &query) {
        Some(value) => Response::new(Body::from(format!("{value}\n"))),
        None => {
            println!("layer 1 has no {uri}");
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}
