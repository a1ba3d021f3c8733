//! Proofs of single ticks by the real machine: those recorded by real nodes, and games that each kind of input decides.

use crate::common;
use crate::replay;
use num_bigint::BigUint;
use serde_json::Value;
use soru_protocol::constants::{Parametric, Preset};
use soru_protocol::game::{Input, Move, ProofContext, RunningGame, StepProofs, Timeout};
use soru_protocol::inbox::{SerializedInboxProof, start_of};
use soru_protocol::pvm::WasmSteps;
use soru_protocol::rollup::{Origination, Rollup, Staker};
use soru_protocol::{RollupError, dal, skip_list};
use soru_pvm::exact::StepInput;
use soru_pvm::reveal::{DalParameters, dal_parameters_answer, metadata_answer};
use soru_pvm::state::InputRequest as Awaited;
use soru_pvm::{InputPlace, Parameters, Pvm, Tick, Version, level_messages};
use soru_tezos::codec::{Decode, HexBytes};
use soru_tezos::hash::{BlockHash, PayloadHashesHash, SmartRollupAddress, StateHash};
use soru_tezos::key::{PublicKeyHash, Scheme};
use soru_tezos::micheline::Micheline;
use soru_tezos::number::N;
use soru_tezos::operation::{ManagerBody, Operation};
use soru_tezos::rollup::{
    DalPageId, DissectionChunk, Game, GameResult, GameState, GameStatus, InputProof, InputRequest, LevelProof,
    LossReason, Player, Proof, PvmKind, Refutation, RevealProof, Stakers, Step,
};
use soru_tezos::scalar::{Level, Mutez};
use std::path::Path;

const WASM: PvmKind = PvmKind::Wasm200;

fn verify(proof: &Proof, input: Option<&Input>) -> Option<InputRequest> {
    WasmSteps.verify(WASM, &proof.pvm_step.0, input, &|_, _| true)
}

/// Proofs that real nodes have made. Of a first input the level of the origination is not recorded: one level fits.
#[test]
fn recorded_upstream() {
    let Some(upstream) = common::vectors("upstream") else { return };
    let recorded = common::json(&upstream.join("refutation_proofs.json"));
    let mut verified = 0;
    for case in recorded["proofs"].as_array().unwrap().iter().filter(|case| case["pvm"] == "wasm_2_0_0") {
        let proof = Proof::from_bytes(&hex::decode(case["hex"].as_str().unwrap()).unwrap()).unwrap();
        let ends = WasmSteps.ends(WASM, &proof.pvm_step.0).unwrap();
        assert_eq!(ends.start.to_string(), case["before"].as_str().unwrap());
        assert_eq!(ends.stop.to_string(), case["after"].as_str().unwrap());
        match &proof.input_proof {
            None => assert_eq!(verify(&proof, None), Some(InputRequest::NoInputRequired), "{}", case["index"]),
            Some(InputProof::FirstInput) => {
                let fits = |level: &i32| {
                    let input = Input::Message(start_of(Level(*level)));
                    verify(&proof, Some(&input)) == Some(InputRequest::Initial)
                };
                assert_eq!((0..100).filter(fits).count(), 1, "{}", case["index"]);
            }
            Some(InputProof::InboxProof { level, message_counter, serialized_proof }) => {
                let inbox = SerializedInboxProof::parse(&serialized_proof.0).unwrap();
                let next = N(&message_counter.0 + 1u8);
                let message = inbox.verify(*level, &next, &inbox.inclusion_proof[0]).unwrap().unwrap();
                let request = InputRequest::FirstAfter { level: *level, counter: message_counter.clone() };
                assert_eq!(verify(&proof, Some(&Input::Message(message))), Some(request), "{}", case["index"]);
            }
            Some(other) => panic!("{other:?}"),
        }
        verified += 1;
    }
    println!("{verified} proofs of wasm ticks verified");
    assert_eq!(verified, 7);
}

/// The proofs of a recorded game: whole they hold, damaged they show nothing else.
#[test]
fn damaged_proofs_do_not_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recorded/s3_game_inbox_3_0_0");
    let mut proofs = 0;
    for line in common::json_lines(&folder.join("l1.jsonl.gz")) {
        for raw in line["operations_raw"].as_array().into_iter().flatten() {
            let (operation, _) =
                Operation::from_signed_bytes(&hex::decode(raw["raw"].as_str().unwrap()).unwrap()).unwrap();
            for content in &operation.contents {
                let ManagerBody::SmartRollupRefute(refute) = &content.body else { continue };
                let Refutation::Move { step: Step::Proof(proof), .. } = &refute.refutation else { continue };
                proofs += u32::from(damage(proof));
            }
        }
    }
    assert!(proofs > 0);
}

/// Flips bits all over a proof; false when it does not hold to begin with.
fn damage(proof: &Proof) -> bool {
    let input = match &proof.input_proof {
        Some(InputProof::InboxProof { level, message_counter, serialized_proof }) => {
            let inbox = SerializedInboxProof::parse(&serialized_proof.0).unwrap();
            let next = N(&message_counter.0 + 1u8);
            inbox.verify(*level, &next, &inbox.inclusion_proof[0]).unwrap().map(Input::Message)
        }
        // the rollup of the recording was originated at level 2
        Some(InputProof::FirstInput) => Some(Input::Message(start_of(Level(3)))),
        _ => None,
    };
    let honest = WasmSteps.ends(WASM, &proof.pvm_step.0).unwrap();
    if verify(proof, input.as_ref()).is_none() {
        return false;
    }
    for place in 0..proof.pvm_step.0.len() {
        let mut damaged = proof.clone();
        damaged.pvm_step.0[place] ^= 1 << (place % 8);
        let Some(ends) = WasmSteps.ends(WASM, &damaged.pvm_step.0) else { continue };
        // it may be another proof of the same step, but never of another one
        if verify(&damaged, input.as_ref()).is_some() && ends.start == honest.start {
            assert_eq!(ends.stop, honest.stop, "byte {place}");
        }
    }
    for length in [0, 1, 67, proof.pvm_step.0.len() - 1] {
        assert!(WasmSteps.ends(WASM, &proof.pvm_step.0[..length]).is_none());
    }
    true
}

fn key(byte: u8) -> PublicKeyHash {
    PublicKeyHash { scheme: Scheme::Ed25519, hash: [byte; 20] }
}

const ORIGINATION: Level = Level(10);

/// A rollup in a game of keys 1 and 2 about the tick after the present one of a machine: key 1 is to move, and key 2 claims
/// that `claimed` is the state after it.
fn disputed(pvm: &Pvm, claimed: Option<StateHash>, parametric: &Parametric) -> Rollup {
    let env = replay::env(parametric, ORIGINATION);
    let origination = Origination {
        address: SmartRollupAddress([3; 20]),
        kind: WASM,
        parameters_type: &Micheline::unit(),
        genesis_state: StateHash([0; 32]),
        whitelist: None,
    };
    let mut rollup = Rollup::originate(&env, &origination).unwrap();
    for (player, index) in [(key(1), 0), (key(2), 1)] {
        rollup.stakers.insert(player, Staker { index, level: Level(20), bond: Mutez(10_000_000_000) });
    }
    let tick = pvm.info().unwrap().tick.0;
    let chunk = |state_hash, tick: u128| DissectionChunk { state_hash, tick: N(BigUint::from(tick)) };
    let dissection = vec![chunk(Some(pvm.state_hash().unwrap()), tick), chunk(claimed, tick + 1)];
    let snapshot = skip_list::first_cell(LevelProof { hash: PayloadHashesHash([0; 32]), level: Level(1) });
    let game = Game {
        turn: Player::Alice,
        inbox_snapshot: snapshot,
        dal_snapshot: dal::first_snapshot(),
        start_level: Level(30),
        inbox_level: Level(20),
        game_state: GameState::Dissecting { dissection, default_number_of_sections: 32 },
    };
    let timeout = Timeout { alice: 40, bob: 40, last_turn_level: Level(30) };
    rollup.games.insert(Stakers::new(key(1), key(2)), RunningGame { game, timeout });
    rollup
}

/// What becomes of a proof in such a game.
fn played(rollup: &Rollup, parametric: &Parametric, proof: &Proof) -> Result<GameStatus, RollupError> {
    let mut rollup = rollup.clone();
    let choice = match &rollup.games.values().next().unwrap().game.game_state {
        GameState::Dissecting { dissection, .. } => dissection[0].tick.clone(),
        GameState::FinalMove { agreed_start_chunk, .. } => agreed_start_chunk.tick.clone(),
    };
    let step = Step::Proof(proof.clone());
    let context = ProofContext { reveals: &parametric.rollup.reveal_activation_level, dal: &parametric.dal };
    let played = Move { player: key(1), opponent: key(2), choice: &choice, step: &step };
    rollup.check_move_in_block(&played).unwrap();
    let env = replay::env(parametric, Level(31));
    rollup.play(&env, &played, &context, &WasmSteps).map(|done| done.game_status)
}

/// A machine that waits for a reveal, having read a level.
fn waiting(case: &Value) -> Pvm {
    let version: Version = case["version"].as_str().unwrap().parse().unwrap();
    let parameters = Parameters { ticks_per_snapshot: Tick(3_000), ..Parameters::of_version(version) };
    let kernel = hex::decode(case["kernel"].as_str().unwrap()).unwrap();
    let mut pvm = Pvm::originate(version, &kernel, parameters).unwrap();
    for (counter, message) in (0..).zip(level_messages(0, &BlockHash([0; 32]), None, [])) {
        pvm.set_input(InputPlace { level: Level(12), counter }, message).unwrap();
    }
    while pvm.info().unwrap().request == Awaited::None {
        if pvm.pad(Tick(10_000)) == Tick(0) && pvm.advance(Tick(10_000)).unwrap() == Tick(0) {
            pvm.step().unwrap();
        }
    }
    pvm
}

fn reveal(reveal_proof: RevealProof) -> Option<InputProof> {
    Some(InputProof::RevealProof { reveal_proof })
}

#[test]
fn every_kind_of_reveal_decides_a_game() {
    let cases = common::json(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/reveals.json"));
    let mut parametric = Preset::Dailynet.constants();
    parametric.dal.feature_enable = false;
    let activation = &mut parametric.rollup.reveal_activation_level;
    (activation.dal_page, activation.dal_parameters) = (Level(0), Level(0));
    let mut disabled = parametric.clone();
    let activation = &mut disabled.rollup.reveal_activation_level;
    (activation.metadata, activation.dal_page, activation.dal_parameters) = (Level(13), Level(13), Level(13));
    let dal = &parametric.dal;
    let dal_parameters = dal_parameters_answer(&DalParameters {
        number_of_slots: dal.number_of_slots.into(),
        attestation_lag: dal.attestation_lag.into(),
        slot_size: dal.slot_size.into(),
        page_size: dal.page_size.into(),
    });
    let page = |page_index| DalPageId { published_level: Level(9), slot_index: 3, page_index };
    let no_page =
        |page_index| RevealProof::DalPageProof { dal_page_id: page(page_index), dal_proof: HexBytes(vec![2, 0, 0, 0]) };
    let preimages = cases["reveal_preimage"]["preimages"].as_object().unwrap();
    let asked = cases["reveal_preimage"]["request"].as_str().unwrap();
    let preimage = preimages.iter().find(|(hash, _)| asked.ends_with(hash.as_str())).unwrap().1;
    let preimage = hex::decode(preimage.as_str().unwrap()).unwrap();
    let raw = |data: &[u8]| RevealProof::RawDataProof { raw_data: HexBytes(data.to_vec()) };
    let metadata = metadata_answer(&SmartRollupAddress([3; 20]), ORIGINATION);
    // the kernel, the answer, its proof, and a proof that is not asked for
    let rows: [(&str, &[u8], RevealProof, RevealProof); 5] = [
        ("reveal_preimage", &preimage, raw(&preimage), RevealProof::MetadataProof),
        ("reveal_metadata", &metadata, RevealProof::MetadataProof, raw(&metadata)),
        ("reveal_dal_parameters_pending", &dal_parameters, RevealProof::DalParametersProof, raw(&dal_parameters)),
        ("reveal_dal_page_pending", &[], no_page(7), no_page(8)),
        ("reveal_undecodable_pending", &[], raw(&[]), no_page(7)),
    ];
    let lost = |player| GameStatus::Ended(GameResult::Loser { reason: LossReason::ConflictResolved, player });
    for (name, answer, shown, other) in rows {
        let pvm = waiting(&cases[name]);
        let request = hex::decode(cases[name]["request"].as_str().unwrap()).unwrap();
        assert_eq!(pvm.info().unwrap().request, Awaited::Reveal(request.into()), "{name}");
        let prove = |answer: &[u8]| {
            let proof = pvm.prove_step(Some(StepInput::Reveal(answer.to_vec().into()))).unwrap();
            (HexBytes(proof.encode().unwrap()), StateHash(proof.after.0))
        };
        let (pvm_step, after) = prove(answer);
        let proof = Proof { pvm_step: pvm_step.clone(), input_proof: reveal(shown) };

        // it refutes a wrong claim, and a claim that the machine is blocked, but not the truth
        for claimed in [Some(StateHash([9; 32])), None] {
            let rollup = disputed(&pvm, claimed, &parametric);
            assert_eq!(played(&rollup, &parametric, &proof), Ok(lost(key(2))), "{name}");
            for input_proof in [None, reveal(other.clone()), Some(InputProof::FirstInput)] {
                let wrong = Proof { pvm_step: pvm_step.clone(), input_proof };
                assert_eq!(played(&rollup, &parametric, &wrong), Ok(GameStatus::Ongoing), "{name}");
            }
        }
        let rollup = disputed(&pvm, Some(after), &parametric);
        assert_eq!(played(&rollup, &parametric, &proof), Ok(GameStatus::Ongoing), "{name}");

        // it defends the truth in a final move
        let mut defence = rollup.clone();
        let running = defence.games.get_mut(&Stakers::new(key(1), key(2))).unwrap();
        let GameState::Dissecting { dissection, .. } = running.game.game_state.clone() else { unreachable!() };
        running.game.game_state = GameState::FinalMove {
            agreed_start_chunk: dissection[0].clone(),
            refuted_stop_chunk: dissection[1].clone(),
        };
        assert_eq!(played(&defence, &parametric, &proof), Ok(lost(key(2))), "{name}");

        // with the layer off nothing but this claim shows that there is no page: neither a cell, nor bytes that are no proof
        if name == "reveal_dal_page_pending" {
            let refuted = disputed(&pvm, Some(StateHash([9; 32])), &parametric);
            for bytes in
                [&[][..], &[2], &[2, 0, 0], &[2, 0, 0, 0, 0], &[2, 255, 0, 0], &[2, 0, 255, 1], &[1, 0, 0, 0], &[0; 64]]
            {
                let dal_proof = HexBytes(bytes.to_vec());
                let input_proof = reveal(RevealProof::DalPageProof { dal_page_id: page(7), dal_proof });
                let wrong = Proof { pvm_step: pvm_step.clone(), input_proof };
                assert_eq!(played(&refuted, &parametric, &wrong), Ok(GameStatus::Ongoing), "{bytes:?}");
            }
        }

        // where the reveal is not enabled, the well-known preimage answers
        if matches!(name, "reveal_metadata" | "reveal_dal_parameters_pending" | "reveal_dal_page_pending") {
            let rollup = disputed(&pvm, Some(StateHash([9; 32])), &disabled);
            assert_eq!(played(&rollup, &disabled, &proof), Ok(GameStatus::Ongoing), "{name}");
            let empty = Proof { pvm_step: prove(&[]).0, input_proof: reveal(raw(&[])) };
            assert_eq!(played(&rollup, &disabled, &empty), Ok(lost(key(2))), "{name}");
        }
    }
}
