//! Contracts on the ledger: the order of what they emit, what a failure undoes, big maps on their way, constants, storage
//! that is paid ahead.

use serde_json::{Value, json};
use soru_michelson::syntax::{parse_expression, parse_script, print_line};
use soru_sandbox::block::{Baker, ChainStart};
use soru_sandbox::ledger::{Application, BlockContext, Ledger};
use soru_sandbox::{BOOTSTRAP, SandboxConfig};
use soru_tezos::contract::Contract;
use soru_tezos::hash::{BlockHash, ChainId, ContractHash};
use soru_tezos::micheline::Micheline;
use soru_tezos::number::Z;
use soru_tezos::operation::{
    IncreasePaidStorage, ManagerBody, ManagerOperation, Operation, Origination, Parameters, RegisterGlobalConstant,
    Script, Transaction,
};
use soru_tezos::scalar::{Level, Mutez, Nat, Timestamp};
use std::time::Instant;

/// A ledger that applies one operation at a time.
pub struct Chain {
    pub ledger: Ledger,
    baker: Baker,
    counter: u64,
}

fn expr(text: &str) -> Micheline {
    parse_expression(text).unwrap().expr
}

impl Chain {
    pub fn new() -> Chain {
        let start = ChainStart::new(&SandboxConfig::new(""), Timestamp(1_767_225_600)).unwrap();
        let baker = Baker::well_known().unwrap();
        Chain { ledger: Ledger::new(&start, baker.public_key()), baker, counter: 0 }
    }

    /// The block to come.
    pub fn next(&self) -> BlockContext {
        let level = Level(self.ledger.level.0 + 1);
        BlockContext {
            chain_id: ChainId::ZERO,
            level,
            timestamp: Timestamp(1_767_225_600 + i64::from(level.0)),
            predecessor: BlockHash::ZERO,
            predecessor_timestamp: Timestamp(1_767_225_599 + i64::from(level.0)),
            baker: self.baker.public_key().hash(),
        }
    }

    /// Applies one operation of the first account in a block of its own; its metadata.
    pub fn apply_with_gas(&mut self, body: impl Into<ManagerBody>, gas: u64) -> Value {
        let context = self.next();
        self.counter += 1;
        let content = ManagerOperation {
            source: BOOTSTRAP[0].address.parse().unwrap(),
            fee: Mutez(1_000),
            counter: Nat(self.counter),
            gas_limit: Nat(gas),
            storage_limit: Nat(60_000),
            body: body.into(),
        };
        let operation = Operation::unsigned(BlockHash::ZERO, vec![content]);
        let mut block = Application::begin(&self.ledger, context);
        let receipts = block.apply(&operation, operation.hash()).unwrap();
        self.ledger = block.finish().unwrap().0;
        serde_json::to_value(&receipts[0].metadata).unwrap()
    }

    pub fn apply(&mut self, body: impl Into<ManagerBody>) -> Value {
        self.apply_with_gas(body, 1_000_000)
    }

    #[track_caller]
    pub fn originate(&mut self, code: &str, storage: &str) -> String {
        let script = Script { code: parse_script(code).unwrap().expr, storage: expr(storage) };
        let done = self.apply(Origination { balance: Mutez(0), delegate: None, script });
        let result = &done["operation_result"];
        assert_eq!(result["status"], "applied", "{result}");
        result["originated_contracts"][0].as_str().unwrap().to_owned()
    }

    pub fn call(&mut self, contract: &str, value: &str) -> Value {
        self.apply(calling(contract, expr(value)))
    }

    fn storage(&self, contract: &str) -> String {
        print_line(&self.ledger.contracts[&contract.parse::<ContractHash>().unwrap()].storage)
    }
}

fn calling(contract: &str, value: Micheline) -> Transaction {
    let destination = Contract::Originated(contract.parse().unwrap());
    Transaction { amount: Mutez(0), destination, parameters: Parameters { entrypoint: Default::default(), value } }
}

/// Kind, nonce and status of the internal operations.
fn internal(metadata: &Value) -> Vec<(String, u64, String)> {
    let list = metadata["internal_operation_results"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    list.iter().map(|it| (text(&it["kind"]), it["nonce"].as_u64().unwrap(), text(&it["result"]["status"]))).collect()
}

/// A contract that keeps the words it is told, but one; one that passes words on; and one that tells both and says so.
fn talkers(chain: &mut Chain) -> (String, String) {
    let keeper = chain.originate(
        "parameter string ; storage (list string) ;
         code { UNPAIR ; DUP ; PUSH string \"boom\" ; IFCMPEQ { FAILWITH } {} ; CONS ; NIL operation ; PAIR }",
        "{}",
    );
    let relay = chain.originate(
        "parameter string ; storage address ;
         code { UNPAIR ; DUP 2 ; CONTRACT string ; ASSERT_SOME ; PUSH mutez 0 ; DIG 2 ; TRANSFER_TOKENS ;
                NIL operation ; SWAP ; CONS ; PAIR }",
        &format!("\"{keeper}\""),
    );
    let teller = chain.originate(
        "parameter (pair string string) ; storage (pair address address) ;
         code { UNPAIR ; UNPAIR ; DUP 3 ; CAR ; CONTRACT string ; ASSERT_SOME ; PUSH mutez 0 ; DIG 2 ; TRANSFER_TOKENS ;
                DUP 3 ; CDR ; CONTRACT string ; ASSERT_SOME ; PUSH mutez 0 ; DIG 3 ; TRANSFER_TOKENS ;
                UNIT ; EMIT %done ; NIL operation ; SWAP ; CONS ; SWAP ; CONS ; DIG 1 ; CONS ; PAIR }",
        &format!("Pair \"{relay}\" \"{keeper}\""),
    );
    (keeper, teller)
}

#[test]
fn what_is_emitted_runs_depth_first() {
    let mut chain = Chain::new();
    let (keeper, teller) = talkers(&mut chain);
    let done = chain.call(&teller, "Pair \"first\" \"second\"");
    let applied = |kind: &str, nonce| (kind.to_owned(), nonce, "applied".to_owned());
    let wanted = [applied("transaction", 0), applied("transaction", 3), applied("transaction", 1), applied("event", 2)];
    assert_eq!(internal(&done), wanted, "{done}");
    assert_eq!(chain.storage(&keeper), "{ \"second\" ; \"first\" }");
    let event = &done["internal_operation_results"][3];
    assert_eq!(
        (&event["tag"], &event["type"], &event["payload"]),
        (&json!("done"), &json!({"prim": "unit"}), &json!({"prim": "Unit"}))
    );
}

#[test]
fn a_failure_undoes_all_but_the_fee() {
    let mut chain = Chain::new();
    let (keeper, teller) = talkers(&mut chain);
    let before = chain.ledger.contracts.clone();
    let statuses =
        |done: &Value| internal(done).into_iter().map(|(_, nonce, status)| (nonce, status)).collect::<Vec<_>>();
    let list =
        |items: &[(u64, &str)]| items.iter().map(|(nonce, status)| (*nonce, (*status).to_owned())).collect::<Vec<_>>();
    let done = chain.call(&teller, "Pair \"first\" \"boom\"");
    assert_eq!(done["operation_result"]["status"], "backtracked");
    assert_eq!(statuses(&done), list(&[(0, "backtracked"), (3, "backtracked"), (1, "failed"), (2, "skipped")]));
    let errors = &done["internal_operation_results"][2]["result"]["errors"];
    assert_eq!(errors[1]["with"], json!({"string": "boom"}));
    let done = chain.call(&teller, "Pair \"boom\" \"second\"");
    assert_eq!(statuses(&done), list(&[(0, "backtracked"), (3, "failed"), (1, "skipped"), (2, "skipped")]));
    assert!(chain.ledger.contracts == before);
    assert_eq!(chain.storage(&keeper), "{}");
    let payer: soru_tezos::key::PublicKeyHash = BOOTSTRAP[0].address.parse().unwrap();
    assert_eq!(chain.ledger.accounts[&payer].counter, 5);
    // numbers given out in what was undone are given out again
    let done = chain.call(&teller, "Pair \"first\" \"second\"");
    assert_eq!(internal(&done)[0].1, 0);
}

#[test]
fn gas_bounds_what_runs() {
    let mut chain = Chain::new();
    let looping = chain.originate(
        "parameter unit ; storage unit ;
         code { DROP ; PUSH bool True ; LOOP { PUSH bool True } ; UNIT ; NIL operation ; PAIR }",
        "Unit",
    );
    let done = chain.apply_with_gas(calling(&looping, expr("Unit")), 5_000);
    let ids: Vec<&str> =
        done["operation_result"]["errors"].as_array().unwrap().iter().map(|e| e["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["proto.025-PsUshuai.michelson_v1.runtime_error", "proto.025-PsUshuai.gas_exhausted.operation"]);
}

#[test]
fn big_maps_travel_between_contracts() {
    let mut chain = Chain::new();
    let keeper = chain.originate(
        "parameter (big_map string nat) ; storage (option (big_map string nat)) ;
         code { CAR ; SOME ; NIL operation ; PAIR }",
        "None",
    );
    let maker = chain.originate(
        &format!(
            "parameter nat ; storage (big_map string nat) ;
             code {{ UNPAIR ; SOME ; DIP {{ DUP }} ; PUSH string \"x\" ; UPDATE ; PUSH address \"{keeper}\" ;
                    CONTRACT (big_map string nat) ; ASSERT_SOME ; PUSH mutez 0 ; DIG 2 ; TRANSFER_TOKENS ;
                    NIL operation ; SWAP ; CONS ; PAIR }}"
        ),
        "{ Elt \"a\" 1 }",
    );
    let done = chain.call(&maker, "9");
    let diffs = |value: &Value| {
        let list = value["lazy_storage_diff"].as_array().cloned().unwrap_or_default();
        let id = |item: &Value| item["id"].as_str().unwrap().to_owned();
        let action = |item: &Value| {
            let diff = &item["diff"];
            let source = diff["source"].as_str().map(|source| format!(" {source}")).unwrap_or_default();
            format!("{}{source}", diff["action"].as_str().unwrap())
        };
        list.iter().map(|item| (id(item), action(item))).collect::<Vec<_>>()
    };
    let pair = |id: &str, action: &str| (id.to_owned(), action.to_owned());
    assert_eq!(diffs(&done["operation_result"]), [pair("-1", "copy 4"), pair("4", "update")]);
    let inner = &done["internal_operation_results"][0];
    assert_eq!(inner["parameters"]["value"], json!({"int": "-1"}));
    assert_eq!(diffs(&inner["result"]), [pair("5", "copy -1")]);
    assert_eq!(chain.storage(&keeper), "Some 5");
    assert!(chain.ledger.big_maps.keys().all(|id| *id > 0));
    assert_eq!(chain.ledger.big_maps[&5].size, 2 * 65 + 2 + 2);
    // the map that is replaced goes, and its bytes are not given back
    let done = chain.call(&maker, "10");
    let result = &done["internal_operation_results"][0]["result"];
    assert_eq!(diffs(result), [pair("5", "remove"), pair("6", "copy -1")]);
    assert_eq!(result["paid_storage_size_diff"], Value::Null);
}

#[test]
fn contracts_make_contracts_with_big_maps() {
    let mut chain = Chain::new();
    let factory = chain.originate(
        "parameter nat ; storage (pair (big_map string nat) (option address)) ;
         code { UNPAIR ; SOME ; SWAP ; CAR ; DUP ; DIG 2 ; PUSH string \"n\" ; UPDATE ; PUSH mutez 0 ; NONE key_hash ;
                CREATE_CONTRACT { parameter unit ; storage (big_map string nat) ; code { CDR ; NIL operation ; PAIR } } ;
                DIP { SOME ; SWAP ; PAIR } ; NIL operation ; SWAP ; CONS ; PAIR }",
        "Pair { Elt \"a\" 1 } None",
    );
    let done = chain.call(&factory, "7");
    assert_eq!(done["operation_result"]["status"], "applied", "{done}");
    let result = &done["internal_operation_results"][0]["result"];
    let child = result["originated_contracts"][0].as_str().unwrap();
    assert_eq!(done["operation_result"]["originated_contracts"], json!([child]));
    assert_eq!(done["operation_result"]["lazy_storage_diff"][0]["id"], json!("-1"));
    assert_eq!(result["lazy_storage_diff"][0]["diff"]["source"], json!("-1"));
    assert_eq!((chain.storage(child).as_str(), chain.ledger.big_maps[&5].size), ("5", 2 * (65 + 2)));
    assert!(chain.storage(&factory).starts_with("Pair 4 (Some 0x"));
    let size = result["storage_size"].as_str().unwrap();
    assert_eq!(result["paid_storage_size_diff"], json!(size));
    assert!(size.parse::<u64>().unwrap() > 2 * 65 + 33);
}

#[test]
fn constants_are_registered_once_and_used() {
    let mut chain = Chain::new();
    let register = |chain: &mut Chain, text: &str| chain.apply(RegisterGlobalConstant { value: expr(text) });
    let done = register(&mut chain, "999");
    let result = &done["operation_result"];
    assert_eq!((&result["status"], &result["storage_size"]), (&json!("applied"), &json!("68")), "{result}");
    assert_eq!(result["balance_updates"][0]["change"], json!("-17000"));
    let name = result["global_address"].as_str().unwrap().to_owned();
    let again = register(&mut chain, "999");
    assert_eq!(
        again["operation_result"]["errors"],
        json!([
            {"kind": "branch", "id": "proto.025-PsUshuai.Expression_already_registered"},
            {"kind": "permanent", "id": "proto.025-PsUshuai.context.storage_error",
             "existing_key": ["global_constant", "74e7b7c46bc84c10ab191f72680f0e98bdd3757f041bf1dbb26b8d5ae71fffcc", "len"]}
        ])
    );
    let code = format!(
        "parameter unit ; storage int ; code {{ DROP ; PUSH int (constant \"{name}\") ; NIL operation ; PAIR }}"
    );
    let contract = chain.originate(&code, "0");
    chain.call(&contract, "Unit");
    assert_eq!(chain.storage(&contract), "999");
}

#[test]
fn storage_is_paid_ahead() {
    let mut chain = Chain::new();
    let contract = chain.originate("parameter string ; storage string ; code { CAR ; NIL operation ; PAIR }", "\"\"");
    let destination: ContractHash = contract.parse().unwrap();
    let done = chain.apply(IncreasePaidStorage { amount: Z::from(10i64), destination });
    assert_eq!(done["operation_result"]["balance_updates"][0]["change"], json!("-2500"), "{done}");
    let done = chain.call(&contract, "\"twelve bytes\"");
    assert_eq!(done["operation_result"]["paid_storage_size_diff"], json!("2"));
    let done = chain.apply(IncreasePaidStorage { amount: Z::from(10i64), destination: ContractHash::ZERO });
    assert_eq!(
        done["operation_result"]["errors"],
        json!([{"kind": "permanent", "id": "proto.025-PsUshuai.context.storage_error",
                "missing_key": ["contracts", "index", "01000000000000000000000000000000000000000000", "paid_bytes"],
                "function": "get"}])
    );
    let done = chain.apply(IncreasePaidStorage { amount: Z::from(0i64), destination });
    assert_eq!(done["operation_result"]["errors"][0]["id"], "proto.025-PsUshuai.contract.negative_storage_input");
}

/// A call of a contract with a large big map takes as long as one with a small one.
#[test]
fn large_big_maps_cost_nothing() {
    let mut chain = Chain::new();
    let contract = chain.originate(
        "parameter (list (pair nat string)) ; storage (big_map nat string) ;
         code { UNPAIR ; ITER { UNPAIR ; DIP { SOME } ; UPDATE } ; NIL operation ; PAIR }",
        "{}",
    );
    for chunk in 0..25 {
        let items: Vec<String> = (0..400).map(|item| format!("Pair {} \"{item}\"", chunk * 400 + item)).collect();
        let done = chain.call(&contract, &format!("{{ {} }}", items.join(" ; ")));
        assert_eq!(done["operation_result"]["status"], "applied", "{}", done["operation_result"]["errors"]);
    }
    assert_eq!(chain.ledger.big_map_entries.len(), 10_000);
    let body = calling(&contract, expr("{ Pair 5000 \"changed\" ; Pair 20000 \"new\" }"));
    let fastest = (0..10).map(|_| {
        let start = Instant::now();
        chain.apply(body.clone());
        start.elapsed()
    });
    let fastest = fastest.min().unwrap();
    println!("a call with a big map of 10,000 entries takes {fastest:?}");
    assert!(fastest.as_millis() < 20, "{fastest:?}");
}
