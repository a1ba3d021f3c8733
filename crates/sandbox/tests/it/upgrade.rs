//! Chains of older protocols, and upgrades in the middle of a run.

use crate::support::{Layer1, address, manual, transfer};
use serde_json::json;
use soru_protocol::protocol::Protocol;
use soru_sandbox::{Sandbox, SandboxConfig, Upgrade};
use soru_tezos::hash::SmartRollupAddress;
use soru_tezos::operation::Cement;

const HEAD: &str = "/chains/main/blocks/head";

fn upgrade(level: u32, protocol: Protocol) -> Upgrade {
    Upgrade { level, protocol }
}

#[tokio::test]
async fn a_chain_changes_its_protocol() {
    let directory = tempfile::tempdir().unwrap();
    let upgrades = vec![upgrade(4, Protocol::Tallinn), upgrade(6, Protocol::Ushuaia)];
    let config =
        || SandboxConfig { protocol: Protocol::ParisC, upgrades: upgrades.clone(), ..manual(directory.path()) };
    let layer1 = Layer1::start(config()).await;
    let protocols = |level: u32| format!("/chains/main/blocks/{level}/protocols");
    let [paris, tallinn, ushuaia] = [Protocol::ParisC, Protocol::Tallinn, Protocol::Ushuaia].map(Protocol::hash_text);
    assert_eq!(layer1.value(&protocols(1)).await["next_protocol"], paris);
    assert_eq!(layer1.value(&protocols(2)).await, json!({"protocol": paris, "next_protocol": paris}));
    let missing = Cement { rollup: SmartRollupAddress([9; 20]) };
    let failed = layer1.include(1, missing.clone().into()).await;
    assert_eq!(failed["operation_result"]["errors"][0]["id"], "proto.020-PsParisC.smart_rollup_does_not_exist");
    let rollup = format!("{HEAD}/context/smart_rollups/smart_rollup/{}/kind", missing.rollup);
    assert_eq!(layer1.get(&rollup).await.json()[0]["id"], "proto.020-PsParisC.smart_rollup_does_not_exist");

    layer1.include(1, transfer(address(2), 1)).await;
    assert_eq!(layer1.value(&protocols(4)).await, json!({"protocol": paris, "next_protocol": tallinn}));
    let first = layer1.bake().await;
    assert_eq!((&first["protocol"], &first["header"]["proto"]), (&json!(tallinn), &json!(2)));
    assert_eq!(layer1.value(&format!("{HEAD}/context/protocol/first_level")).await, 5);
    layer1.bake().await;
    let failed = layer1.include(1, missing.into()).await;
    assert_eq!(failed["operation_result"]["errors"][0]["id"], "proto.025-PsUshuai.smart_rollup_does_not_exist");
    let head = layer1.value(HEAD).await;
    assert_eq!((&head["protocol"], &head["header"]["proto"]), (&json!(ushuaia), &json!(3)));
    let listed = layer1.value("/chains/main/protocols").await;
    let listed: Vec<_> = listed.as_array().unwrap().iter().map(|entry| entry["protocol"].clone()).collect();
    assert_eq!(listed[1..], [json!(paris), json!(tallinn), json!(ushuaia)]);
    assert_eq!(
        layer1.value("/config/network/user_activated_upgrades").await,
        json!([{"level": 4, "replacement_protocol": tallinn}, {"level": 6, "replacement_protocol": ushuaia}])
    );

    // the chain goes on after a restart, and an upgrade is made again on another branch
    layer1.sandbox.stop().await;
    let layer1 = Layer1::start(config()).await;
    assert_eq!(layer1.value(HEAD).await, head);
    assert_eq!(layer1.post("/sandbox/reorg", &json!({"depth": 4})).await.status, 200);
    assert_eq!(layer1.value(&protocols(4)).await, json!({"protocol": paris, "next_protocol": tallinn}));
    assert_eq!(layer1.value(HEAD).await["protocol"], ushuaia);
    layer1.sandbox.stop().await;
}

#[tokio::test]
async fn every_protocol_starts() {
    for protocol in Protocol::ALL {
        let directory = tempfile::tempdir().unwrap();
        let layer1 = Layer1::start(SandboxConfig { protocol, ..manual(directory.path()) }).await;
        let block = layer1.bake().await;
        assert_eq!(block["protocol"], protocol.hash_text());
        let votes_on_issuance = (Protocol::Oxford..=Protocol::Seoul).contains(&protocol);
        assert_eq!(block["header"]["adaptive_issuance_vote"].is_string(), votes_on_issuance, "{protocol:?}");
        let constants = layer1.value(&format!("{HEAD}/context/constants")).await;
        assert_eq!(constants["preserved_cycles"].is_number(), protocol <= Protocol::Oxford, "{protocol:?}");
        assert_eq!(constants["smart_rollup_private_enable"].is_boolean(), protocol >= Protocol::Oxford);
        layer1.sandbox.stop().await;
    }
}

#[tokio::test]
async fn upgrades_go_up() {
    for wrong in [
        vec![upgrade(4, Protocol::Ushuaia)],
        vec![upgrade(4, Protocol::Rio)],
        vec![upgrade(5, Protocol::Tallinn), upgrade(5, Protocol::Ushuaia)],
    ] {
        let directory = tempfile::tempdir().unwrap();
        let protocol = if wrong.len() == 2 { Protocol::Rio } else { Protocol::Ushuaia };
        let config = SandboxConfig { protocol, upgrades: wrong, ..manual(directory.path()) };
        let error = Sandbox::start(config).await.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("goes back"), "{error}");
    }
}
