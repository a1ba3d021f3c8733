//! Hostile operations on a game that is being played: each is refused with the protocol's error, and changes nothing but its
//! sender's balance and counter.

use crate::replay::{own, replay};
use serde_json::{Value, json};
use soru_sandbox::block::Baker;
use soru_sandbox::ledger::{Application, BlockContext, Ledger, Signed};
use soru_tezos::codec::{Decode, Encode, HexBytes};
use soru_tezos::hash::{BlockHash, ChainId, SmartRollupAddress};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::number::N;
use soru_tezos::operation::{ManagerBody, ManagerOperation, Operation, Refute, Timeout};
use soru_tezos::rollup::{DissectionChunk, Game, GameState, InputProof, Proof, Refutation, RevealProof, Stakers, Step};
use soru_tezos::scalar::{Mutez, Nat, Timestamp};

/// A chain in the middle of a game.
struct Table {
    ledger: Ledger,
    rollup: SmartRollupAddress,
    game: Game,
    /// Who is to move, and the other.
    mover: PublicKeyHash,
    other: PublicKeyHash,
}

/// The first game state of a recorded chain that `wanted` likes.
fn table(wanted: impl Fn(&Game) -> bool) -> Table {
    for ledger in replay(&own("s3_game_inbox_3_0_0")).into_values() {
        let rollup = ledger.rollups.values().next();
        let game = rollup.and_then(|rollup| rollup.games.iter().next().map(|game| (rollup.address, game)));
        let Some((rollup, (stakers, running))) = game.filter(|(_, (_, running))| wanted(&running.game)) else {
            continue;
        };
        let game = running.game.clone();
        let (mover, other) = (stakers.staker(game.turn), stakers.staker(game.turn.opponent()));
        return Table { rollup, mover, other, game, ledger };
    }
    panic!("the recording has no such game")
}

impl Table {
    fn chunks(&self) -> Vec<DissectionChunk> {
        match &self.game.game_state {
            GameState::Dissecting { dissection, .. } => dissection.clone(),
            GameState::FinalMove { .. } => panic!("a final move"),
        }
    }

    /// What becomes of an operation in the next block.
    fn refusal(&self, source: PublicKeyHash, body: ManagerBody) -> Value {
        let context = BlockContext {
            chain_id: ChainId([0; 4]),
            level: self.ledger.level.after(1),
            timestamp: Timestamp(0),
            predecessor: BlockHash([1; 32]),
            predecessor_timestamp: Timestamp(0),
            baker: Baker::well_known().unwrap().address(),
        };
        let content = ManagerOperation {
            source,
            fee: Mutez(10_000),
            counter: Nat(self.ledger.accounts[&source].counter + 1),
            gas_limit: Nat(100_000),
            storage_limit: Nat(0),
            body,
        };
        let operation = Operation::unsigned(BlockHash([0; 32]), vec![content]);
        let mut next = Application::begin(&self.ledger, context);
        if let Err(trace) = next.check(&operation, Signed::Unchecked) {
            return json!(trace);
        }
        let receipts = next.apply(&operation, operation.hash()).unwrap();
        let result = &receipts[0].metadata.as_ref().unwrap().operation_result;
        assert_eq!(result.status(), "failed", "{result:?}");
        let after = next.ledger();
        assert!(after.rollups == self.ledger.rollups);
        for (key, account) in &after.accounts {
            let mut before = self.ledger.accounts[key].clone();
            if *key == source {
                before.balance = Mutez(before.balance.0 - 10_000);
                before.counter += 1;
            }
            assert_eq!(*account, before, "{key}");
        }
        json!(result.errors())
    }

    fn plays(&self, player: PublicKeyHash, opponent: PublicKeyHash, choice: N, step: Step) -> Value {
        let refutation = Refutation::Move { choice, step };
        self.refusal(player, Refute { rollup: self.rollup, opponent, refutation }.into())
    }
}

fn error(kind: &str, id: &str, fields: Value) -> Value {
    let mut error = json!({"kind": kind, "id": format!("proto.025-PsUshuai.{id}")});
    error.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!([error])
}

fn proof(pvm_step: Vec<u8>) -> Step {
    Step::Proof(Proof { pvm_step: HexBytes(pvm_step), input_proof: None })
}

#[test]
fn moves_that_are_none() {
    let table = table(|game| {
        let GameState::Dissecting { dissection, .. } = &game.game_state else { return false };
        dissection.len() == 33
    });
    let (mover, other) = (table.mover, table.other);
    let chunks = table.chunks();
    let choice = chunks[3].tick.clone();
    let stranger = *table.ledger.accounts.keys().find(|key| **key != mover && **key != other).unwrap();
    let valid = |step: &Step| table.plays(mover, other, choice.clone(), step.clone());

    // who may move where
    let no_game = error("temporary", "smart_rollup_no_game", json!({}));
    assert_eq!(table.plays(mover, stranger, choice.clone(), proof(vec![])), no_game);
    assert_eq!(table.plays(stranger, mover, choice.clone(), proof(vec![])), no_game);
    let wrong_turn = error("temporary", "smart_rollup_wrong_turn", json!({}));
    assert_eq!(table.plays(other, mover, choice.clone(), Step::Dissection(chunks.clone())), wrong_turn);
    let refutation = Refutation::Move { choice: choice.clone(), step: Step::Dissection(chunks.clone()) };
    let elsewhere = SmartRollupAddress([9; 20]);
    assert_eq!(table.refusal(mover, Refute { rollup: elsewhere, opponent: other, refutation }.into()), no_game);
    for (rollup, stakers) in [(elsewhere, Stakers::new(mover, other)), (table.rollup, Stakers::new(mover, stranger))] {
        assert_eq!(table.refusal(stranger, Timeout { rollup, stakers }.into()), no_game);
    }
    let start = |player: PublicKeyHash, opponent, rollup| {
        let hash = table.ledger.rollups[&table.rollup].genesis_info.commitment_hash;
        let refutation = Refutation::Start { player_commitment_hash: hash, opponent_commitment_hash: hash };
        let refused = error(
            "permanent",
            "smart_rollup_wrong_staker_for_conflict_commitment",
            json!({"player": player, "commitment": hash}),
        );
        assert_eq!(table.refusal(player, Refute { rollup, opponent, refutation }.into()), refused);
    };
    start(mover, other, table.rollup);
    start(stranger, other, elsewhere);

    // proofs that are none
    let unreadable = error("permanent", "smart_rollup_proof_check", json!({"reason": "Cannot unserialize proof"}));
    let mut longest = [&[3, 0, 2], &[0; 64][..], &[0xd0], &[0; 32]].concat();
    longest.resize(30_000, 0);
    for bytes in [vec![], vec![3], vec![7; 100], longest] {
        assert_eq!(valid(&proof(bytes)), unreadable);
    }

    // dissections that are none
    let none = N::from(12_345);
    let not_found = error("temporary", "Dissection_choice_not_found", json!({"choice": "12345"}));
    assert_eq!(table.plays(mover, other, none, Step::Dissection(chunks.clone())), not_found);
    let last = chunks.last().unwrap().tick.clone();
    let not_found = error("temporary", "Dissection_choice_not_found", json!({"choice": last}));
    assert_eq!(table.plays(mover, other, last, Step::Dissection(chunks.clone())), not_found);
    let sections = |given: &str| {
        let fields = json!({"expected": "32", "given": given});
        error("temporary", "smart_rollup_dissection_number_of_sections_mismatch", fields)
    };
    assert_eq!(valid(&Step::Dissection(Vec::new())), sections("0"));
    assert_eq!(valid(&Step::Dissection(chunks[..12].to_vec())), sections("11"));

    // a dissection that is right but for its ticks
    let (start, stop) = (&chunks[3], &chunks[4]);
    let rule = soru_protocol::game::DissectionRule::Aligned(50_000_000_000_000);
    let ticks = soru_protocol::game::honest_ticks(rule, 32, &start.tick, &stop.tick);
    let mut right = vec![start.clone()];
    right.extend(ticks.into_iter().map(|tick| DissectionChunk { state_hash: start.state_hash, tick }));
    right.push(DissectionChunk { state_hash: None, tick: stop.tick.clone() });
    let not_increasing = error("permanent", "smart_rollup_dissection_ticks_not_increasing", json!({}));
    let mut unordered = right.clone();
    (unordered[5].tick, unordered[6].tick) = (right[6].tick.clone(), right[5].tick.clone());
    assert_eq!(valid(&Step::Dissection(unordered)), not_increasing);
    let mut repeated = right.clone();
    repeated[7].tick = right[6].tick.clone();
    assert_eq!(valid(&Step::Dissection(repeated)), not_increasing);
    let mut gap = right.clone();
    gap[9].state_hash = None;
    let shape = error("permanent", "smart_rollup_dissection_invalid_successive_states_shape", json!({}));
    assert_eq!(valid(&Step::Dissection(gap)), shape);
    let mut same = right.clone();
    same[32].state_hash = stop.state_hash;
    let stop_hash = error("temporary", "smart_rollup_dissection_stop_hash_mismatch", json!({"hash": stop.state_hash}));
    assert_eq!(valid(&Step::Dissection(same)), stop_hash);
}

/// What is longer than the protocol reads is not even an operation.
#[test]
fn proofs_that_are_too_long() {
    let reveal = |bytes: usize| {
        let reveal_proof = RevealProof::RawDataProof { raw_data: HexBytes(vec![1; bytes]) };
        let input_proof = Some(InputProof::RevealProof { reveal_proof });
        Step::Proof(Proof { pvm_step: HexBytes(vec![3]), input_proof }).to_bytes()
    };
    assert!(Step::from_bytes(&reveal(4096)).is_ok());
    assert!(Step::from_bytes(&reveal(4097)).is_err());
}
