//! Outbox messages that the node executes by itself, seen from outside (`spec/node.md` §3.3, §4.11): calls of contracts that
//! its filter lets through, and updates of a private rollup's whitelist.

use crate::common::arena::{AUTHOR, Arena};
use crate::common::manual::ACCOUNTS;
use crate::common::{ECHO, SORU, run, words};
use serde_json::{Value, json};
use soru_tezos::codec::Encode;
use soru_tezos::rollup::OutboxMessage;
use std::time::Duration;

/// What the nodes get to react to a block; what is not done in that time is done after the next.
const REACTION: Duration = Duration::from_millis(50);

/// Keeps what each of its entrypoints was last called with.
const CONTRACT: &str = "parameter (or (string %default) (string %aux)); storage (pair string string); \
                        code { UNPAIR; IF_LEFT { UPDATE 1 } { UPDATE 2 }; NIL operation; PAIR };";

/// Commitments of three blocks, cemented soon.
fn constants() -> Value {
    json!({"smart_rollup_commitment_period_in_blocks": 3, "smart_rollup_challenge_window_in_blocks": 3})
}

pub fn encoded(message: &Value) -> Vec<u8> {
    serde_json::from_value::<OutboxMessage>(message.clone()).unwrap().to_bytes()
}

pub fn call(destination: &str, entrypoint: &str, parameters: &Value) -> Value {
    json!({"destination": destination, "entrypoint": entrypoint, "parameters": parameters})
}

fn update(accounts: &[usize]) -> Vec<u8> {
    let members: Vec<&str> = accounts.iter().map(|account| ACCOUNTS[*account].0).collect();
    encoded(&json!({"whitelist": members, "kind": "whitelist_update"}))
}

impl Arena {
    /// The levels of blocks in which outbox messages were executed.
    pub fn executions(&self) -> Vec<i64> {
        let executed = |content: &Value| {
            content["kind"] == "smart_rollup_execute_outbox_message"
                && content["metadata"]["operation_result"]["status"] == "applied"
        };
        let levels = self.origination..=self.layer1.level();
        levels
            .flat_map(|level| vec![level; self.layer1.contents(level).iter().filter(|it| executed(it)).count()])
            .collect()
    }

    /// Originates [`CONTRACT`]; gives its address.
    pub fn originate_contract(&mut self) -> String {
        let sentence = "-w none originate contract keeper transferring 0 from _ running _ --init _ --burn-cap 1";
        let values = [AUTHOR, CONTRACT, r#"Pair "" """#];
        run(SORU, &self.layer1.dir(), &self.layer1.client(&words(sentence, &values))).ok();
        let level = self.step();
        let result = &self.layer1.contents(level)[0]["metadata"]["operation_result"];
        result["originated_contracts"][0].as_str().unwrap().to_owned()
    }
}

/// Through a crash and a reorganisation each message that passes the filter is executed once; one whose execution fails is
/// not tried again and again.
#[test]
fn calls_are_executed_once_cemented() {
    let mut arena = Arena::new(ECHO, constants());
    arena.reaction = REACTION;
    let contract = arena.originate_contract();
    let other = "KT1ThEdxfUcWUwqsdergy3QnbCWGHSUHeHJq";
    let index = arena.admit("b1", "operator", &["--injector-attempts", "1"]);
    let config = json!({
        "smart-rollup-address": arena.address,
        "mode": "operator",
        "execute-outbox-messages-filter": [{"transaction": {"destination": [contract], "entrypoint": "any"}}],
    });
    let data = arena.layer1.dir().join(format!("node{index}"));
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("config.json"), config.to_string()).unwrap();
    arena.start(index);

    let text = |text: &str| json!({"string": text});
    let untyped = |calls: &[Value]| encoded(&json!({"transactions": calls, "kind": "untyped"}));
    let mut typed = [call(&contract, "default", &text("left")), call(&contract, "aux", &text("right"))];
    typed.iter_mut().for_each(|call| call["parameters_ty"] = json!({"prim": "string"}));
    let posted = arena.post(&[
        untyped(&[call(&contract, "default", &text("of no type"))]),
        untyped(&[call(&contract, "default", &json!({"int": "1"}))]),
        untyped(&[call(other, "default", &text("not in the filter"))]),
        untyped(&[call(&contract, "aux", &text("a")), call(other, "default", &text("b"))]),
        encoded(&json!({"transactions": typed, "kind": "typed"})),
    ]);
    // it knows of cementations as soon as they happen, and acts upon the next block
    arena.until("the outbox is cemented", 30, |arena| {
        let cemented = arena.rollup("last_cemented_commitment_hash_with_level");
        cemented["level"].as_i64().unwrap() >= posted
    });
    arena.layer1.copy_chain("l1", "saved");
    arena.until("two messages are executed", 40, |arena| arena.executions().len() == 2);
    let storage = format!("/chains/main/blocks/head/context/contracts/{contract}/storage");
    let kept = json!({"prim": "Pair", "args": [text("left"), text("right")]});
    assert_eq!(arena.layer1.get(&storage), kept);

    // on another branch nothing was executed, and the node is another one
    arena.kill(index);
    arena.layer1.copy_chain("saved", "l1");
    assert!(arena.executions().is_empty());
    arena.players[index].awaited = false;
    arena.post(&[b"another branch".to_vec()]);
    arena.players[index].awaited = true;
    arena.start(index);
    arena.until("they are executed again", 50, |arena| arena.executions().len() == 2);
    assert_eq!(arena.layer1.get(&storage), kept);
    let consumed = arena.rollup(&format!("consumed_outputs/{posted}"));
    assert_eq!(consumed, json!([0, 4]));
    for _ in 0..3 {
        arena.step();
    }
    assert_eq!(arena.executions().len(), 2);
    let pending = arena.players[index].get(&format!("/local/outbox/pending/executable?outbox_level={posted}"));
    let indexes: Vec<&Value> = pending[0]["messages"].as_array().unwrap().iter().map(|m| &m["message_index"]).collect();
    assert_eq!(indexes, [1, 2, 3]);
    let said = arena.players[index].program.take().unwrap().killed();
    let tried = |message: i64| said.matches(&format!("Executing message {message} of the outbox")).count();
    assert!(tried(1) <= 1 && said.contains("Message 1 of the outbox"), "{said}");
    assert_eq!((tried(2), tried(3)), (0, 0), "{said}");
}

/// The node executes the newest update, goes on as long as it is in the list, and ends when it is not.
#[test]
fn the_whitelist_decides_who_goes_on() {
    let listed = json!([ACCOUNTS[0].0]).to_string();
    let mut arena = Arena::with(ECHO, constants(), &["--whitelist", &listed]);
    arena.reaction = REACTION;
    let refused = [
        "The operator is not in the whitelist.",
        "Please restart the rollup node in bailout mode if you still have stakes.",
        ACCOUNTS[1].0,
    ];
    let member = arena.admit("b1", "operator", &[]);
    let stranger = arena.admit("b2", "operator", &[]);
    let bailing = arena.admit("b2", "bailout", &[]);
    arena.run(stranger).fails_saying(&refused);
    // whoever bails out need not be listed, but must have something to recover
    arena.run(bailing).fails_saying(&["does not has any stake"]);
    arena.start(member);

    // of two updates in one period the newer counts: layer 1 would not take the other one any more
    arena.post(&[update(&[0])]);
    let level = arena.post(&[update(&[2]), update(&[0, 1])]);
    let last = |arena: &Arena| arena.rollup("last_whitelist_update");
    let updated = json!({"message_index": "1", "outbox_level": level});
    arena.until("the whitelist is updated", 40, |arena| last(arena) == updated);
    assert_eq!(arena.rollup("whitelist").as_array().unwrap().len(), 2);
    assert!(arena.players[member].program.as_mut().unwrap().is_running());
    arena.start(stranger);
    for _ in 0..4 {
        arena.step();
    }
    assert_eq!((last(&arena), arena.executions().len()), (updated, 1));

    // without the one that executes it
    arena.post(&[update(&[1])]);
    let program = arena.players[stranger].program.as_mut().unwrap();
    assert!(program.is_running());
    arena.until("the member left", 60, |arena| arena.rollup("whitelist") == json!([ACCOUNTS[1].0]));
    let (code, said) = arena.players[member].program.take().unwrap().ended();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(refused[0]) && said.contains(refused[1]), "{said}");
    arena.step();
    assert!(arena.players[stranger].program.as_mut().unwrap().is_running());
    arena.run(member).fails_saying(&refused[..2]);
}
