//! Tickets on their way through a rollup: minted by a contract, held by the rollup, sent out again by messages of its outbox
//! which are proven in a cemented state, and handed on by accounts.

use crate::replay::own;
use crate::support::{Layer1, address, manual};
use serde_json::{Value, json};
use soru_michelson::syntax::parse_expression;
use soru_protocol::Protocol;
use soru_protocol::inbox::{LevelInbox, LevelStart, messages_of_block};
use soru_protocol::pvm::originate;
use soru_pvm::output_proof::produce_output_proof;
use soru_pvm::reveal::NoReveals;
use soru_pvm::{FastConfig, FastEngine, Pvm, Reveals};
use soru_sandbox::SandboxConfig;
use soru_tezos::block::Block;
use soru_tezos::codec::Encode;
use soru_tezos::contract::Contract;
use soru_tezos::hash::{ContractHash, SmartRollupAddress};
use soru_tezos::micheline::Micheline;
use soru_tezos::number::N;
use soru_tezos::operation::{
    AddMessages, Cement, ExecuteOutboxMessage, ManagerBody, Originate, Origination, Parameters, Publish, Script,
    Transaction, TransferTicket,
};
use soru_tezos::rollup::{Commitment, OutboxMessage, OutboxTransaction, OutboxTypedTransaction, PvmKind};
use soru_tezos::scalar::{Level, Mutez, Ticks};
use std::sync::Arc;

const HEAD: &str = "/chains/main/blocks/head";

/// Mints tickets of content "gold" and sends them to an address.
const MINT: &str = "{ parameter (pair address nat) ; storage unit ;
    code { CAR ; UNPAIR ; CONTRACT (ticket string) ; IF_NONE { PUSH string \"none\" ; FAILWITH } {} ;
           DIP { PUSH string \"gold\" ; TICKET ; IF_NONE { PUSH string \"zero\" ; FAILWITH } {} } ;
           PUSH mutez 0 ; DIG 2 ; TRANSFER_TOKENS ; UNIT ; NIL operation ; DIG 2 ; CONS ; PAIR } }";

/// Keeps what it gets.
const CHEST: &str = "{ parameter (ticket string) ; storage (list (ticket string)) ;
    code { UNPAIR ; CONS ; NIL operation ; PAIR } }";

fn michelson(text: &str) -> Micheline {
    parse_expression(text).unwrap().expr
}

/// A layer 1 with the two contracts and a rollup whose kernel copies messages to its outbox.
struct Stage {
    layer1: Layer1,
    mint: ContractHash,
    chest: ContractHash,
    rollup: SmartRollupAddress,
    /// The rollup's machine, after the level `evaluated`.
    pvm: Pvm,
    evaluated: i32,
    /// The newest commitment.
    commitment: Commitment,
}

impl Stage {
    async fn new(config: SandboxConfig) -> Stage {
        let layer1 = Layer1::start(config).await;
        let mut contracts = Vec::new();
        for (code, storage) in [(MINT, "Unit"), (CHEST, "{}")] {
            let script = Script { code: michelson(code), storage: michelson(storage) };
            let receipt = layer1.include(1, Origination { balance: Mutez(0), delegate: None, script }.into()).await;
            let result = &receipt["operation_result"];
            contracts.push(result["originated_contracts"][0].as_str().unwrap().parse::<ContractHash>().unwrap());
        }
        let meta: Value =
            serde_json::from_slice(&std::fs::read(own("s3_game_inbox_3_0_0").join("meta.json")).unwrap()).unwrap();
        let kernel = hex::decode(meta["kernels"]["echo"]["hex"].as_str().unwrap()).unwrap();
        let body = Originate {
            pvm_kind: PvmKind::Wasm200,
            kernel: kernel.clone().into(),
            parameters_ty: michelson("ticket string"),
            whitelist: None,
        };
        let receipt = layer1.include(1, body.into()).await;
        let rollup: SmartRollupAddress = receipt["operation_result"]["address"].as_str().unwrap().parse().unwrap();
        let pvm = originate(Protocol::Ushuaia, PvmKind::Wasm200, &kernel).unwrap();
        let evaluated = layer1.value(&format!("{HEAD}/header")).await["level"].as_i64().unwrap() as i32;
        let commitment = Commitment::genesis(pvm.state_hash().unwrap(), Level(evaluated));
        Stage { layer1, mint: contracts[0], chest: contracts[1], rollup, pvm, evaluated, commitment }
    }

    async fn block(&self, level: i32) -> Block {
        serde_json::from_value(self.layer1.value(&format!("/chains/main/blocks/{level}")).await).unwrap()
    }

    /// Mints tickets for an address.
    async fn mint(&self, to: &str, amount: u32) -> Value {
        let value = michelson(&format!("Pair \"{to}\" {amount}"));
        let parameters = Parameters { entrypoint: Default::default(), value };
        let destination = Contract::Originated(self.mint);
        self.layer1.include(1, Transaction { amount: Mutez(0), destination, parameters }.into()).await
    }

    /// Evaluates a commitment period, publishes its commitment and cements it.
    async fn cement_next(&mut self, period: i32) {
        let engine = FastEngine::new(FastConfig::default()).unwrap();
        let reveals: Arc<dyn Reveals> = Arc::new(NoReveals);
        let mut ticks = 0;
        while self.layer1.value(&format!("{HEAD}/header")).await["level"].as_i64().unwrap() as i32
            <= self.evaluated + period
        {
            self.layer1.bake().await;
        }
        for level in self.evaluated + 1..=self.evaluated + period {
            let block = self.block(level).await;
            let mut inbox = LevelInbox::start(&LevelStart {
                predecessor_timestamp: self.block(level - 1).await.header.shell.timestamp,
                predecessor: block.header.shell.predecessor,
                migration: None,
            });
            messages_of_block(&block).iter().for_each(|message| inbox.add(message).unwrap());
            inbox.end();
            let messages = inbox.into_payloads().into_iter().map(Into::into);
            ticks += self.pvm.eval_inbox_level(&engine, &reveals, Level(level), messages).unwrap().ticks.0;
        }
        self.evaluated += period;
        self.commitment = Commitment {
            compressed_state: self.pvm.state_hash().unwrap(),
            inbox_level: Level(self.evaluated),
            predecessor: self.commitment.hash(),
            number_of_ticks: Ticks(i64::try_from(ticks).unwrap()),
        };
        let rollup = self.rollup;
        let published = self.layer1.include(2, Publish { rollup, commitment: self.commitment }.into()).await;
        assert_eq!(published["operation_result"]["status"], "applied", "{published}");
        self.layer1.bake().await;
        let cemented = self.layer1.include(2, Cement { rollup }.into()).await;
        assert_eq!(cemented["operation_result"]["commitment_hash"], json!(self.commitment.hash()), "{cemented}");
    }

    async fn held(&self, holder: &str) -> u32 {
        let kind = if holder.starts_with("sr1") { "smart_rollups/smart_rollup" } else { "contracts" };
        let body = json!({"ticketer": self.mint, "content_type": {"prim": "string"}, "content": {"string": "gold"}});
        let answer = self.layer1.post(&format!("{HEAD}/context/{kind}/{holder}/ticket_balance"), &body).await;
        answer.json().as_str().unwrap().parse().unwrap()
    }
}

#[tokio::test]
async fn through_a_rollup_and_between_accounts() {
    let directory = tempfile::tempdir().unwrap();
    let constants = json!({
        "smart_rollup_commitment_period_in_blocks": 4, "smart_rollup_challenge_window_in_blocks": 2,
    });
    let mut stage = Stage::new(SandboxConfig { constants, ..manual(directory.path()) }).await;
    let (rollup, chest) = (stage.rollup.to_string(), stage.chest.to_string());

    // in: the message is in the inbox, the tickets are the rollup's
    let receipt = stage.mint(&rollup, 10).await;
    let internal = &receipt["internal_operation_results"][0]["result"];
    let token = json!({"ticketer": stage.mint, "content_type": {"prim": "string"}, "content": {"string": "gold"}});
    let moved = |updates: Value| json!([{"ticket_token": token, "updates": updates}]);
    assert_eq!(internal["ticket_receipt"], moved(json!([{"account": rollup, "amount": "10"}])), "{receipt}");
    assert_eq!(stage.held(&rollup).await, 10);

    // out: two calls at once, a typed call, and one of more than there is
    let gold = |amount: u32| michelson(&format!("Pair \"{}\" \"gold\" {amount}", stage.mint));
    let call = |amount: u32| OutboxTransaction {
        parameters: gold(amount),
        destination: stage.chest,
        entrypoint: Default::default(),
    };
    let typed = |ty: &str| {
        OutboxMessage::AtomicTransactionBatchTyped(vec![OutboxTypedTransaction {
            parameters: gold(4),
            parameters_ty: michelson(ty),
            destination: stage.chest,
            entrypoint: Default::default(),
        }])
    };
    let messages = [
        OutboxMessage::AtomicTransactionBatch(vec![call(3), call(2)]),
        typed("ticket string"),
        OutboxMessage::AtomicTransactionBatch(vec![call(2)]),
        // what is sent would be tickets, if it were called so
        typed("pair address string nat"),
    ];
    let message = messages.iter().map(|message| message.to_bytes().into()).collect();
    let added = stage.layer1.include(1, AddMessages { message }.into()).await;
    assert_eq!(added["operation_result"]["status"], "applied", "{added}");
    let outbox = Level(stage.layer1.value(&format!("{HEAD}/header")).await["level"].as_i64().unwrap() as i32);
    stage.cement_next(4).await;
    assert_eq!(stage.pvm.outbox(outbox).unwrap().len(), 4);

    let execute = |index: u64| -> ManagerBody {
        let output_proof = produce_output_proof(&stage.pvm.tree().unwrap(), outbox, index).unwrap().into();
        let cemented_commitment = stage.commitment.hash();
        ExecuteOutboxMessage { rollup: stage.rollup, cemented_commitment, output_proof }.into()
    };
    let done = stage.layer1.include(3, execute(0)).await;
    assert_eq!(done["operation_result"]["status"], "applied", "{done}");
    let out = moved(json!([{"account": rollup, "amount": "-5"}]));
    assert_eq!(done["operation_result"]["ticket_updates"], out, "{done}");
    for (internal, amount) in done["internal_operation_results"].as_array().unwrap().iter().zip(["3", "2"]) {
        assert_eq!(
            internal["result"]["ticket_receipt"],
            moved(json!([{"account": chest, "amount": amount}])),
            "{done}"
        );
    }
    assert_eq!((stage.held(&rollup).await, stage.held(&chest).await), (5, 5));
    let done = stage.layer1.include(3, execute(1)).await;
    assert_eq!(done["operation_result"]["status"], "applied", "{done}");
    assert_eq!((stage.held(&rollup).await, stage.held(&chest).await), (1, 9));
    let refused = stage.layer1.include(3, execute(2)).await;
    let errors = &refused["operation_result"]["errors"];
    assert_eq!(errors[0]["id"], "proto.025-PsUshuai.Negative_ticket_balance", "{refused}");
    assert_eq!((&errors[0]["balance"], errors[0]["key"].as_str().unwrap().len()), (&json!("-1"), 54));
    assert_eq!((stage.held(&rollup).await, stage.held(&chest).await), (1, 9));
    let refused = stage.layer1.include(3, execute(3)).await;
    let internal = &refused["internal_operation_results"][0]["result"];
    let of_types = |name: &str| format!("proto.025-PsUshuai.michelson_v1.{name}");
    let differ = json!({
        "kind": "permanent", "id": of_types("inconsistent_types"), "loc": -1, "first_type": michelson("ticket string"),
        "other_type": michelson("pair address string nat"),
    });
    let bad = json!({"kind": "permanent", "id": of_types("bad_contract_parameter"), "contract": chest});
    assert_eq!(internal["errors"], json!([bad, differ, differ]), "{refused}");
    assert_eq!(refused["operation_result"]["status"], "backtracked", "{refused}");
    assert_eq!((stage.held(&rollup).await, stage.held(&chest).await), (1, 9));
    let path = format!("{HEAD}/context/smart_rollups/smart_rollup/{rollup}/consumed_outputs/{outbox}");
    assert_eq!(stage.layer1.value(&path).await, json!([0, 1]));

    // between accounts, and from an account to a contract
    let (alice, bob) = (address(4), address(5));
    let receipt = stage.mint(&alice.to_string(), 5).await;
    assert_eq!(receipt["operation_result"]["status"], "applied", "{receipt}");
    let transfer = |amount: u32, destination: Contract| {
        TransferTicket {
            ticket_contents: michelson("\"gold\""),
            ticket_ty: michelson("string"),
            ticket_ticketer: Contract::Originated(stage.mint),
            ticket_amount: N::from(u64::from(amount)),
            destination,
            entrypoint: Default::default(),
        }
        .into()
    };
    let sent = stage.layer1.include(4, transfer(2, bob.into())).await;
    let both = json!([
        {"account": alice, "amount": "-2"}, {"account": bob, "amount": "2"},
    ]);
    assert_eq!(sent["operation_result"]["ticket_updates"], moved(both), "{sent}");
    let sent = stage.layer1.include(4, transfer(3, Contract::Originated(stage.chest))).await;
    assert_eq!(sent["operation_result"]["status"], "applied", "{sent}");
    assert_eq!(
        sent["internal_operation_results"][0]["result"]["ticket_receipt"],
        moved(json!([{"account": chest, "amount": "3"}])),
        "{sent}"
    );
    let refused = stage.layer1.include(4, transfer(1, bob.into())).await;
    assert_eq!(refused["operation_result"]["errors"][0]["balance"], "-1", "{refused}");
    let held = [stage.held(&alice.to_string()).await, stage.held(&bob.to_string()).await, stage.held(&chest).await];
    assert_eq!(held, [0, 2, 12]);
    stage.layer1.sandbox.stop().await;
}
