//! Rules that recorded chains do not reach: each refusal of a publication, pruning, recovery, draws.

use crate::replay;
use serde_json::json;
use soru_protocol::constants::{Parametric, Preset};
use soru_protocol::game::{Move, ProofContext};
use soru_protocol::pvm::WasmSteps;
use soru_protocol::rollup::{Env, Origination, PastPeriod, Published, Rollup};
use soru_protocol::{Protocol, RollupError as E, dal};
use soru_tezos::codec::{Decode, Encode, HexBytes};
use soru_tezos::hash::{CommitmentHash, SmartRollupAddress, StateHash};
use soru_tezos::key::{PublicKeyHash, Scheme};
use soru_tezos::micheline::Micheline;
use soru_tezos::number::N;
use soru_tezos::rollup::{Commitment, GameResult, GameState, GameStatus, LossReason, Proof, PvmKind, Stakers, Step};
use soru_tezos::scalar::{Level, Mutez, Ticks};

const ORIGINATION: Level = Level(10);
const RICH: Mutez = Mutez::of_tez(20_000);

/// A new rollup with a commitment every 10 levels, a window of 40, 5 commitments kept.
struct World {
    parametric: Parametric,
    rollup: Rollup,
}

fn key(byte: u8) -> PublicKeyHash {
    PublicKeyHash { scheme: Scheme::Ed25519, hash: [byte; 20] }
}

fn state(byte: u8) -> StateHash {
    StateHash([byte; 32])
}

impl World {
    fn new(whitelist: Option<&[PublicKeyHash]>) -> Self {
        let parametric = Preset::Dailynet.constants();
        let origination = Origination {
            address: SmartRollupAddress([7; 20]),
            kind: PvmKind::Wasm200,
            parameters_type: &Micheline::unit(),
            genesis_state: state(0),
            whitelist,
        };
        let rollup = Rollup::originate(&replay::env(&parametric, ORIGINATION), &origination).unwrap();
        World { parametric, rollup }
    }

    fn genesis(&self) -> CommitmentHash {
        self.rollup.genesis_info.commitment_hash
    }

    fn publish(&mut self, level: i32, staker: u8, commitment: &Commitment) -> Result<Published, E> {
        let env = replay::env(&self.parametric, Level(level));
        let before = self.rollup.clone();
        let done = self.rollup.publish(&env, key(staker), RICH, commitment);
        if done.is_err() {
            assert_eq!(self.rollup, before);
        }
        done
    }

    fn cement(&mut self, level: i32) -> Result<CommitmentHash, E> {
        self.rollup.cement(&replay::env(&self.parametric, Level(level))).map(|done| done.commitment_hash)
    }
}

fn commitment(byte: u8, inbox_level: i32, predecessor: CommitmentHash) -> Commitment {
    let number_of_ticks = Ticks(1_000_000_000_000_000);
    Commitment { compressed_state: state(byte), inbox_level: Level(inbox_level), predecessor, number_of_ticks }
}

#[test]
fn refused_publications() {
    let mut world = World::new(None);
    let genesis = world.genesis();
    let good = commitment(1, 20, genesis);
    let idle = Commitment { number_of_ticks: Ticks(0), ..good };
    assert_eq!(world.publish(30, 1, &idle), Err(E::ZeroTickCommitment));
    assert_eq!(
        world.publish(30, 1, &commitment(1, 10, genesis)),
        Err(E::CommitmentTooOld { last_cemented_inbox_level: Level(10), commitment_inbox_level: Level(10) })
    );
    assert_eq!(world.publish(500_000, 1, &commitment(1, 440_000, genesis)), Err(E::TooFarAhead));
    let unknown = commitment(9, 20, genesis).hash();
    assert_eq!(world.publish(30, 1, &commitment(1, 30, unknown)), Err(E::UnknownCommitment { commitment: unknown }));
    assert_eq!(
        world.publish(30, 1, &commitment(1, 25, genesis)),
        Err(E::BadInboxLevel { expected: Level(20), provided: Level(25) })
    );
    assert_eq!(
        world.publish(20, 1, &good),
        Err(E::CommitmentFromFuture { current_level: Level(20), inbox_level: Level(20) })
    );
    let env = replay::env(&world.parametric, Level(21));
    let poor = world.rollup.publish(&env, key(1), Mutez(5), &good).unwrap_err();
    let trace = serde_json::to_value(poor.trace(Protocol::Ushuaia)).unwrap();
    assert_eq!(trace[0]["min_expected_balance"], "10000000000");
    assert_eq!(
        trace[1],
        json!({ "kind": "temporary", "id": "proto.025-PsUshuai.contract.balance_too_low",
        "contract": key(1), "balance": "5", "amount": "10000000000" })
    );
    assert_eq!(trace[2]["amounts"], json!(["5", "10000000000"]));

    let done = world.publish(21, 1, &good).unwrap();
    assert_eq!((done.published_at_level, done.balance_updates.len()), (Level(21), 2));
    assert_eq!(world.publish(22, 1, &good), Err(E::DoublePublish { commitment: good.hash() }));
    assert_eq!(world.publish(22, 1, &commitment(2, 20, genesis)), Err(E::StakerDoubleStake));
    assert_eq!(world.publish(61, 2, &good).unwrap().published_at_level, Level(21));
    assert_eq!(world.publish(62, 3, &good), Err(E::CommitmentPastCurfew));
}

#[test]
fn private_rollups() {
    let mut world = World::new(Some(&[key(1)]));
    let good = commitment(1, 20, world.genesis());
    assert_eq!(world.publish(30, 2, &good), Err(E::StakerNotInWhitelist));
    world.publish(30, 1, &good).unwrap();
    let env = replay::env(&world.parametric, ORIGINATION);
    let originate = |whitelist: &[PublicKeyHash]| {
        let address = SmartRollupAddress([7; 20]);
        let parameters_type = &Micheline::unit();
        let genesis_state = state(0);
        let whitelist = Some(whitelist);
        Rollup::originate(
            &env,
            &Origination { address, kind: PvmKind::Wasm200, parameters_type, genesis_state, whitelist },
        )
    };
    assert_eq!(originate(&[]), Err(E::EmptyWhitelist));
    assert!(matches!(originate(&[key(1), key(1)]), Err(E::DuplicatedKeyInWhitelist { .. })));
}

#[test]
fn cementing_prunes_and_bonds_come_back() {
    let mut world = World::new(None);
    let mut chain = vec![world.genesis()];
    for period in 1..=8 {
        let next = commitment(period, 10 + 10 * i32::from(period), chain[chain.len() - 1]);
        world.publish(21 + 10 * i32::from(period), 1, &next).unwrap();
        chain.push(next.hash());
    }
    assert_eq!(world.rollup.recover_bond(key(2)), Err(E::NotStaked));
    assert_eq!(world.cement(70), Err(E::CommitmentTooRecent { current_level: Level(70), min_level: Level(71) }));
    for (period, hash) in chain.iter().enumerate().skip(1) {
        assert_eq!(world.rollup.recover_bond(key(1)), Err(E::NotStakedOnLccOrAncestor));
        let env = replay::env(&world.parametric, Level(61 + 10 * period as i32));
        assert!(world.rollup.can_be_cemented(&env, hash) && !world.rollup.can_be_cemented(&env, &chain[0]));
        assert_eq!(world.cement(61 + 10 * period as i32), Ok(*hash));
        // The newest five are kept.
        let kept: Vec<bool> = chain[..=period].iter().map(|hash| world.rollup.commitment(hash).is_ok()).collect();
        let wanted: Vec<bool> = (0..=period).map(|index| index + 5 > period).collect();
        assert_eq!(kept, wanted, "period {period}");
    }
    assert_eq!(world.cement(1_000), Err(E::NoValidCommitmentToCement));
    assert_eq!(world.rollup.recover_bond(key(1)).unwrap().balance_updates.len(), 2);
    assert!(!world.rollup.is_staker(&key(1)));
    assert_eq!(Rollup::from_bytes(&world.rollup.to_bytes()).unwrap(), world.rollup);
}

#[test]
fn periods_of_earlier_protocols() {
    let parametric = Preset::Dailynet.constants();
    let past = [
        PastPeriod { commitment_period: 60, next_protocol_activation: Level(1_000) },
        PastPeriod { commitment_period: 30, next_protocol_activation: Level(2_000) },
    ];
    let env = Env { past_periods: &past, ..replay::env(&parametric, Level(5_000)) };
    for (level, next) in [(900, 960), (940, 1_000), (941, 971), (1_970, 2_000), (1_971, 1_981), (3_000, 3_010)] {
        assert_eq!(env.next_commitment_level(Level(level)), Level(next));
    }
}

/// A conflict of keys 1 (refuter) and 2 over level 20, in which a game has started at level 30.
fn disputed() -> (World, Stakers) {
    let mut world = World::new(None);
    let (ours, theirs) = (commitment(1, 20, world.genesis()), commitment(2, 20, world.genesis()));
    world.publish(21, 1, &ours).unwrap();
    world.publish(21, 2, &theirs).unwrap();
    let refuter = (key(1), ours.hash());
    let defender = (key(2), theirs.hash());
    let env = replay::env(&world.parametric, Level(29));
    assert!(matches!(world.rollup.check_game_start(&env, refuter, defender), Err(E::GameStartTooEarly { .. })));
    let env = replay::env(&world.parametric, Level(30));
    world.rollup.check_game_start(&env, refuter, defender).unwrap();
    let start = |rollup: &mut Rollup, refuter, defender| {
        let inbox = soru_protocol::skip_list::first_cell(soru_tezos::rollup::LevelProof {
            hash: soru_tezos::hash::PayloadHashesHash([0; 32]),
            level: Level(1),
        });
        rollup.start_game(&env, refuter, defender, inbox, dal::first_snapshot())
    };
    let wrong = (key(1), theirs.hash());
    assert_eq!(
        start(&mut world.rollup, wrong, defender),
        Err(E::WrongStakerForConflictCommitment { player: key(1), commitment: theirs.hash() })
    );
    assert_eq!(start(&mut world.rollup, refuter, (key(3), theirs.hash())), Err(E::NotStaked));
    start(&mut world.rollup, refuter, defender).unwrap();
    assert_eq!(start(&mut world.rollup, defender, refuter), Err(E::GameAlreadyStarted));
    assert_eq!(world.cement(70), Err(E::Disputed));
    (world, Stakers::new(key(1), key(2)))
}

fn prove(world: &mut World, level: i32, player: u8, opponent: u8) -> Result<GameStatus, E> {
    // A proof that shows nothing of the state it starts from.
    let pvm_step = [&[3, 0, 2], &[0; 32][..], &[9; 32], &[0xd0], &[0; 32]].concat();
    let step = Step::Proof(Proof { pvm_step: HexBytes(pvm_step), input_proof: None });
    let env = replay::env(&world.parametric, Level(level));
    let context =
        ProofContext { reveals: &world.parametric.rollup.reveal_activation_level, dal: &world.parametric.dal };
    let played = Move { player: key(player), opponent: key(opponent), choice: &N::from(0), step: &step };
    world.rollup.play(&env, &played, &context, &WasmSteps).map(|done| done.game_status)
}

#[test]
fn a_late_player_loses_and_pays() {
    let (mut world, stakers) = disputed();
    let early = replay::env(&world.parametric, Level(70));
    assert_eq!(
        world.rollup.clone().time_out(&early, stakers),
        Err(E::TimeoutLevelNotReached { blocks_left: 0, staker: key(1) })
    );
    let late = replay::env(&world.parametric, Level(71));
    let done = world.rollup.time_out(&late, stakers).unwrap();
    let result = GameResult::Loser { reason: LossReason::Timeout, player: key(1) };
    assert_eq!(done.game_status, GameStatus::Ended(result));
    let changes: Vec<i64> = done.balance_updates.iter().map(|update| update.change.0).collect();
    assert_eq!(changes, [-10_000_000_000, 10_000_000_000, -5_000_000_000, 5_000_000_000]);
    assert!(!world.rollup.is_staker(&key(1)) && world.rollup.is_staker(&key(2)));
    assert_eq!(world.rollup.time_out(&late, stakers), Err(E::NoGame));
    // The loser's commitment stands for nobody any more.
    world.cement(71).unwrap();
}

#[test]
fn two_wrong_proofs_are_a_draw() {
    let (mut world, stakers) = disputed();
    assert_eq!(prove(&mut world, 31, 2, 1), Err(E::WrongTurn));
    assert_eq!(prove(&mut world, 31, 1, 3), Err(E::NoGame));
    assert_eq!(prove(&mut world, 35, 1, 2), Ok(GameStatus::Ongoing));
    let running = world.rollup.game(&stakers).unwrap();
    assert!(matches!(running.game.game_state, GameState::FinalMove { .. }));
    assert_eq!((running.timeout.alice, running.timeout.bob, running.timeout.last_turn_level), (35, 40, Level(35)));
    assert_eq!(Rollup::from_bytes(&world.rollup.to_bytes()).unwrap(), world.rollup);
    let late = replay::env(&world.parametric, Level(76));
    assert_eq!(world.rollup.timeout_result(&late, &stakers), Ok(GameResult::Draw));
    assert_eq!(prove(&mut world, 40, 2, 1), Ok(GameStatus::Ended(GameResult::Draw)));
    assert!(world.rollup.stakers.is_empty() && world.rollup.games.is_empty());
    assert_eq!(world.cement(71), Err(E::NoValidCommitmentToCement));
}

#[test]
fn a_player_without_bond_forfeits() {
    let (mut world, _) = disputed();
    world.rollup.stakers.remove(&key(2));
    let lost = GameResult::Loser { reason: LossReason::ConflictResolved, player: key(2) };
    assert_eq!(prove(&mut world, 35, 1, 2), Ok(GameStatus::Ended(lost)));
    assert!(world.rollup.is_staker(&key(1)));
}
