//! Games that nobody wins (`spec/protocol.md` §5.6, §5.8, §5.9): a tick that neither player can prove, and a last move that
//! never comes. Both lose their bonds, and all of it is burnt.

use crate::replay::own;
use crate::support::{Layer1, address, manual};
use serde_json::{Value, json};
use soru_protocol::Protocol;
use soru_protocol::pvm::originate;
use soru_pvm::exact::StepInput;
use soru_pvm::{InputPlace, Pvm};
use soru_sandbox::SandboxConfig;
use soru_tezos::codec::HexBytes;
use soru_tezos::hash::{CommitmentHash, SmartRollupAddress, StateHash};

use soru_tezos::key::PublicKeyHash;
use soru_tezos::micheline::{Micheline, Prim};
use soru_tezos::number::N;
use soru_tezos::operation::{ManagerBody, Originate, Publish, Refute, Timeout};
use soru_tezos::rollup::{Commitment, Proof, PvmKind, Refutation, Stakers, Step};
use soru_tezos::scalar::{Level, Ticks};

const HEAD: &str = "/chains/main/blocks/head";
const BOND: u64 = 10_000_000_000;
const TIMEOUT: i32 = 6;
/// Two stakers, whose commitments are both wrong.
const LIARS: [usize; 2] = [2, 3];

struct Stage {
    layer1: Layer1,
    rollup: SmartRollupAddress,
    origination: Level,
    pvm: Pvm,
}

impl Stage {
    async fn new(config: SandboxConfig) -> Stage {
        let layer1 = Layer1::start(config).await;
        let meta: Value =
            serde_json::from_slice(&std::fs::read(own("s3_game_inbox_3_0_0").join("meta.json")).unwrap()).unwrap();
        let kernel = hex::decode(meta["kernels"]["echo"]["hex"].as_str().unwrap()).unwrap();
        let parameters_ty = Micheline::word(Prim::bytes);
        let body =
            Originate { pvm_kind: PvmKind::Wasm200, kernel: kernel.clone().into(), parameters_ty, whitelist: None };
        let receipt = layer1.include(1, body.into()).await;
        let rollup = receipt["operation_result"]["address"].as_str().unwrap().parse().unwrap();
        let pvm = originate(Protocol::Ushuaia, PvmKind::Wasm200, &kernel).unwrap();
        let level = layer1.value(&format!("{HEAD}/header")).await["level"].as_i64().unwrap();
        Stage { layer1, rollup, origination: Level(level as i32), pvm }
    }

    async fn level(&self) -> i32 {
        self.layer1.value(&format!("{HEAD}/header")).await["level"].as_i64().unwrap() as i32
    }

    async fn bake_beyond(&self, level: i32) {
        while self.level().await <= level {
            self.layer1.bake().await;
        }
    }

    async fn applied(&self, signer: usize, body: impl Into<ManagerBody>) -> Value {
        let receipt = self.layer1.include(signer, body.into()).await;
        assert_eq!(receipt["operation_result"]["status"], "applied", "{receipt}");
        receipt["operation_result"].clone()
    }

    async fn about_rollup(&self, rest: &str) -> Value {
        self.layer1.value(&format!("{HEAD}/context/smart_rollups/smart_rollup/{}/{rest}", self.rollup)).await
    }

    async fn frozen(&self, account: PublicKeyHash) -> u64 {
        let bonds = self.layer1.value(&format!("{HEAD}/context/contracts/{account}/frozen_bonds")).await;
        bonds.as_str().unwrap().parse().unwrap()
    }

    /// A commitment of one tick that ends in a state that is none.
    fn lie(&self, liar: usize) -> Commitment {
        let genesis = Commitment::genesis(self.pvm.state_hash().unwrap(), self.origination);
        Commitment {
            compressed_state: StateHash([liar as u8; 32]),
            inbox_level: self.origination.after(3),
            predecessor: genesis.hash(),
            number_of_ticks: Ticks(1),
        }
    }

    /// Both stake, and the second attacks the first: a game about a section of one tick.
    async fn start_game(&self) {
        self.bake_beyond(self.origination.0 + 6).await;
        let [first, second] = LIARS.map(|liar| self.lie(liar));
        for (liar, commitment) in LIARS.iter().zip([first, second]) {
            self.applied(*liar, Publish { rollup: self.rollup, commitment }).await;
            assert_eq!(self.frozen(address(*liar)).await, BOND);
        }
        let [player_commitment_hash, opponent_commitment_hash]: [CommitmentHash; 2] = [second.hash(), first.hash()];
        let start = Refutation::Start { player_commitment_hash, opponent_commitment_hash };
        self.applied(LIARS[1], self.refute(LIARS[0], start)).await;
    }

    fn refute(&self, opponent: usize, refutation: Refutation) -> Refute {
        Refute { rollup: self.rollup, opponent: address(opponent), refutation }
    }

    /// A true step of the machine, without the proof of what it reads: it proves nothing.
    fn unproven(&self) -> Refutation {
        let payload = vec![0, 1].into();
        let place = InputPlace { level: self.origination.after(1), counter: 0 };
        let step = self.pvm.prove_step(Some(StepInput::Message { place, payload })).unwrap();
        let proof = Proof { pvm_step: HexBytes(step.encode().unwrap()), input_proof: None };
        Refutation::Move { choice: N::from(0), step: Step::Proof(proof) }
    }

    /// Nobody has a bond any more, and nobody got anything for them.
    async fn check_burnt(&self, result: &Value) {
        assert_eq!(result["game_status"], json!({"result": {"kind": "draw"}}), "{result}");
        let mut expected = vec![];
        let stakers = Stakers::new(address(LIARS[0]), address(LIARS[1]));
        for contract in [stakers.alice(), stakers.bob()] {
            let bond_id = json!({"smart_rollup": self.rollup});
            expected.push(json!({
                "kind": "freezer", "category": "bonds", "contract": contract, "bond_id": bond_id,
                "change": format!("-{BOND}"), "origin": "block",
            }));
            expected.push(json!({
                "kind": "burned", "category": "smart_rollup_refutation_punishments", "change": BOND.to_string(),
                "origin": "block",
            }));
            assert_eq!(self.frozen(contract).await, 0);
            assert_eq!(self.about_rollup(&format!("staker/{contract}/games")).await, json!([]));
        }
        assert_eq!(result["balance_updates"], json!(expected));
        assert_eq!(self.about_rollup("stakers").await, json!([]));
    }

    async fn balances(&self) -> [u64; 2] {
        let [first, second] = LIARS.map(|liar| address(liar).to_string());
        [self.layer1.balance(&first).await, self.layer1.balance(&second).await]
    }
}

#[tokio::test]
async fn neither_can_prove_and_neither_comes() {
    let directory = tempfile::tempdir().unwrap();
    let constants = json!({
        "smart_rollup_commitment_period_in_blocks": 3, "smart_rollup_challenge_window_in_blocks": 200,
        "smart_rollup_timeout_period_in_blocks": TIMEOUT,
    });
    let stage = Stage::new(SandboxConfig { constants, ..manual(directory.path()) }).await;

    // the last moves of both are void
    let before = stage.balances().await;
    stage.start_game().await;
    let moved = stage.applied(LIARS[1], stage.refute(LIARS[0], stage.unproven())).await;
    assert_eq!(moved["game_status"], "ongoing", "{moved}");
    let game = &stage.about_rollup(&format!("staker/{}/games", address(LIARS[0]))).await[0]["game"];
    assert_eq!(game["game_state"]["kind"], "Final_move", "{game}");
    let ended = stage.applied(LIARS[0], stage.refute(LIARS[1], stage.unproven())).await;
    stage.check_burnt(&ended).await;
    // a publication and a move or two cost fees besides
    for (before, after) in before.into_iter().zip(stage.balances().await) {
        let paid = before - after - BOND;
        assert!(paid < 1_000_000, "{paid}");
    }

    // the last move does not come: whoever notices ends it
    stage.start_game().await;
    stage.applied(LIARS[1], stage.refute(LIARS[0], stage.unproven())).await;
    let stakers = Stakers::new(address(LIARS[0]), address(LIARS[1]));
    let timeout = Timeout { rollup: stage.rollup, stakers };
    let early = stage.layer1.include(4, timeout.clone().into()).await;
    let id = early["operation_result"]["errors"][0]["id"].as_str().unwrap();
    assert!(id.ends_with("smart_rollup_timeout_level_not_reached"), "{early}");
    stage.bake_beyond(stage.level().await + TIMEOUT).await;
    let path = format!("staker1/{}/staker2/{}/timeout_reached", address(LIARS[0]), address(LIARS[1]));
    assert_eq!(stage.about_rollup(&path).await, json!({"kind": "draw"}));
    let rewarded = stage.layer1.balance(&address(4).to_string()).await;
    let ended = stage.applied(4, timeout).await;
    stage.check_burnt(&ended).await;
    assert!(stage.layer1.balance(&address(4).to_string()).await < rewarded);
    stage.layer1.sandbox.stop().await;
}
