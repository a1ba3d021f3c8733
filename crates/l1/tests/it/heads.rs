//! The stream of heads: cut documents, lost connections, a layer 1 that comes later, predecessors.

use crate::common::{Reply, Stub, recorded};
use serde_json::{Value, json};
use soru_l1::heads::{Connection, HeadStream, Predecessors};
use soru_l1::rpc::RpcClient;
use soru_tezos::hash::BlockHash;
use soru_tezos::header::{BlockRef, MonitoredHead};
use soru_tezos::scalar::Level;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A head like the recorded one at another level.
fn head(level: i32) -> (BlockHash, String) {
    let row = recorded().into_iter().find(|row| row["path"] == "/monitor/heads/main").unwrap();
    let mut value: Value = serde_json::from_str(row["chunks"][0].as_str().unwrap()).unwrap();
    let hash = |level: i32| BlockHash([level as u8; 32]);
    value["level"] = json!(level);
    value["hash"] = json!(hash(level));
    value["predecessor"] = json!(hash(level - 1));
    (hash(level), format!("{value}\n"))
}

#[test]
fn the_recorded_head_reads_and_writes_back() {
    let row = recorded().into_iter().find(|row| row["path"] == "/monitor/heads/main").unwrap();
    let text = row["chunks"][0].as_str().unwrap();
    let head: MonitoredHead = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&head).unwrap(), text.trim_end());
}

#[tokio::test]
async fn survives_cuts_repetitions_and_closed_connections() {
    let connections = AtomicUsize::new(0);
    let streams = Mutex::new(Vec::new());
    let stub = Stub::start(move |request| {
        assert_eq!(request.path, "/monitor/heads/main");
        let (sender, receiver) = tokio::sync::mpsc::channel(16);
        match connections.fetch_add(1, Ordering::SeqCst) {
            0 => {
                // two heads in one chunk, one cut in the middle, one twice; then the node closes
                let (second, third) = (head(2).1, head(3).1);
                let (front, back) = third.split_at(third.len() / 2);
                for chunk in [format!("{}{second}", head(1).1), front.to_owned(), back.to_owned(), head(3).1] {
                    sender.try_send(chunk).unwrap();
                }
            }
            1 => return Reply::Text(503, "restarting".to_owned()),
            _ => {
                // the present head comes first again
                sender.try_send(head(3).1).unwrap();
                sender.try_send(head(4).1).unwrap();
                streams.lock().unwrap().push(sender);
            }
        }
        Reply::Stream(receiver)
    })
    .await;
    let mut heads = HeadStream::new(stub.client.clone(), Duration::from_millis(20));
    let state = heads.state();
    assert!(matches!(*state.borrow(), Connection::Down { attempts: 0, .. }));
    for level in 1..=4 {
        let next = tokio::time::timeout(Duration::from_secs(10), heads.next()).await.unwrap();
        assert_eq!((next.shell.level, next.hash), (Level(level), head(level).0));
        assert_eq!(*state.borrow(), Connection::Up);
    }
    assert_eq!(stub.paths().len(), 3);
    // what the stream told need not be asked for
    let before = heads.predecessors().predecessor(BlockRef { level: Level(3), hash: head(3).0 }, None).await.unwrap();
    assert_eq!(before, BlockRef { level: Level(2), hash: head(2).0 });
}

#[tokio::test]
async fn waits_for_a_layer_1_that_comes_later() {
    let place = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = place.local_addr().unwrap();
    drop(place);
    let client = RpcClient::new(&format!("http://{address}")).unwrap();
    let mut heads = HeadStream::new(client, Duration::from_millis(20));
    let state = heads.state();
    let nothing = tokio::time::timeout(Duration::from_millis(150), heads.next()).await;
    assert!(nothing.is_err());
    assert!(matches!(&*state.borrow(), Connection::Down { attempts: 1.., problem: Some(_) }));
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let streams = Mutex::new(Vec::new());
    let _stub = Stub::serve(listener, move |_| {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        sender.try_send(head(7).1).unwrap();
        streams.lock().unwrap().push(sender);
        Reply::Stream(receiver)
    });
    let next = tokio::time::timeout(Duration::from_secs(20), heads.next()).await.unwrap();
    assert_eq!(next.shell.level, Level(7));
}

#[tokio::test]
async fn predecessors_are_asked_for_once() {
    let chain = |level: i32| head(level).0;
    let stub = Stub::start(move |request| {
        let length: i32 = request.path.split("length=").nth(1).unwrap().split('&').next().unwrap().parse().unwrap();
        let from = 50;
        assert!(request.path.ends_with(&format!("&head={}", chain(from))), "{}", request.path);
        Reply::Json(200, json!([(0..length).map(|back| chain(from - back)).collect::<Vec<_>>()]))
    })
    .await;
    let predecessors = Predecessors::new(stub.client.clone());
    let mut block = BlockRef { level: Level(50), hash: chain(50) };
    for level in (40..50).rev() {
        block = predecessors.predecessor(block, Some(10)).await.unwrap();
        assert_eq!(block, BlockRef { level: Level(level), hash: chain(level) });
    }
    assert_eq!(stub.paths().len(), 1);
    assert!(stub.paths()[0].contains("length=11"));
}

#[tokio::test]
async fn a_node_without_history_is_named_as_the_cause() {
    let stub = Stub::start(|_| Reply::Json(200, json!([[head(9).0]]))).await;
    let block = BlockRef { level: Level(9), hash: head(9).0 };
    let error = Predecessors::new(stub.client.clone()).predecessor(block, None).await.unwrap_err();
    assert!(error.to_string().contains("archive"), "{error}");
}
