//! Who plays: one honest operator, and adversaries of all sorts.

use super::Random;
use super::machine::{Machine, Story, Trace};
use super::world::{Act, ORIGINATION, World};
use num_bigint::BigUint;
use soru_protocol::game::{DissectionRule, honest_ticks};
use soru_protocol::inbox::SerializedInboxProof;
use soru_tezos::codec::{Encode, HexBytes};
use soru_tezos::hash::{CommitmentHash, InboxHash, StateHash};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::number::N;
use soru_tezos::rollup::{
    Commitment, DissectionChunk, Game, GameState, InputProof, InputRequest, Proof, Stakers, Step,
};
use soru_tezos::scalar::{Level, Ticks};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Blocks on top of a level before the honest operator publishes for it: no reorganisation is deeper.
pub const FINALITY: i32 = 3;

fn small(number: &N) -> u64 {
    u64::try_from(&number.0).unwrap_or(u64::MAX)
}

fn commitment(state: StateHash, level: i32, predecessor: CommitmentHash, ticks: u64) -> Commitment {
    Commitment {
        compressed_state: state,
        inbox_level: Level(level),
        predecessor,
        number_of_ticks: Ticks(i64::try_from(ticks).unwrap()),
    }
}

fn rule(world: &World) -> DissectionRule {
    DissectionRule::of(world.rollup.kind, world.env().protocol.wasm().ticks_per_snapshot)
}

/// The section of a dissection whose end a story contradicts, and whose start it does not.
fn contradicted<'a>(
    dissection: &'a [DissectionChunk],
    story: &Story,
) -> Option<(&'a DissectionChunk, &'a DissectionChunk)> {
    let agrees = |chunk: &DissectionChunk| story.hash_at(small(&chunk.tick)) == chunk.state_hash;
    let place = dissection.windows(2).position(|pair| agrees(&pair[0]) && !agrees(&pair[1]))?;
    Some((&dissection[place], &dissection[place + 1]))
}

/// A dissection of a section as a story has it.
fn dissect(world: &World, sections: u8, (start, stop): (&DissectionChunk, &DissectionChunk), story: &Story) -> Step {
    let chunk = |tick: &N| DissectionChunk { state_hash: story.hash_at(small(tick)), tick: tick.clone() };
    let mut chunks = vec![start.clone()];
    chunks.extend(honest_ticks(rule(world), sections, &start.tick, &stop.tick).iter().map(chunk));
    chunks.push(chunk(&stop.tick));
    Step::Dissection(chunks)
}

/// The proof of the tick after `tick`, as far as the real trace and the game's inbox give one.
fn prove(world: &World, game: &Game, trace: &Trace, tick: u64) -> Option<Step> {
    let state = trace.at(tick)?;
    let (input_proof, message) = match state.request() {
        InputRequest::Initial => (Some(InputProof::FirstInput), Some((ORIGINATION + 1, 0, vec![0, 1]))),
        InputRequest::FirstAfter { level, counter } => {
            let next = small(&counter) + 1;
            let history = |hash: &InboxHash| world.cells.get(hash).cloned();
            let payloads = world.payloads(level.0).iter().map(Vec::as_slice);
            let (proof, found) =
                SerializedInboxProof::produce(level, next, &game.inbox_snapshot, history, payloads).ok()?;
            let serialized_proof = HexBytes(proof.to_bytes());
            let found = found.filter(|found| found.level <= game.inbox_level);
            let message = found.map(|found| (found.level.0, small(&found.counter), found.payload));
            (Some(InputProof::InboxProof { level, message_counter: counter, serialized_proof }), message)
        }
        _ => (None, None),
    };
    let message = message.as_ref().map(|(level, counter, payload)| (*level, *counter, payload.as_slice()));
    let pvm_step = HexBytes(state.prove(message));
    Some(Step::Proof(Proof { pvm_step, input_proof }))
}

/// What a story answers in a game when it is its turn.
fn answer(world: &World, game: &Game, story: &Story) -> Option<(N, Step)> {
    match &game.game_state {
        GameState::Dissecting { dissection, default_number_of_sections } => {
            let (start, stop) = contradicted(dissection, story)?;
            let step = if stop.tick.0 == &start.tick.0 + 1u8 {
                prove(world, game, &story.trace, small(&start.tick))?
            } else {
                dissect(world, *default_number_of_sections, (start, stop), story)
            };
            Some((start.tick.clone(), step))
        }
        GameState::FinalMove { agreed_start_chunk, .. } => {
            let tick = agreed_start_chunk.tick.clone();
            let step = prove(world, game, &story.trace, small(&tick))?;
            Some((tick, step))
        }
    }
}

/// A period as the honest operator computed it.
#[derive(Clone)]
struct Period {
    level: i32,
    /// The history's cell at that level: another branch has another.
    cell: InboxHash,
    commitment: Commitment,
    story: Story,
    end: Machine,
}

/// The honest operator.
pub struct Honest {
    pub key: PublicKeyHash,
    first: Machine,
    periods: Vec<Period>,
    /// Chance in percent that it acts in a block when nothing presses.
    pub diligence: u64,
}

impl Honest {
    pub fn new(key: PublicKeyHash, first: Machine, diligence: u64) -> Honest {
        Honest { key, first, periods: Vec::new(), diligence }
    }

    /// Computes what has become final, and forgets what no longer is on the chain.
    fn follow(&mut self, world: &World) {
        while self.periods.last().is_some_and(|last| world.cell_at(last.level) != Some(last.cell)) {
            self.periods.pop();
        }
        loop {
            let (from, start, predecessor) = match self.periods.last() {
                Some(last) => (last.level, last.end.clone(), last.commitment.hash()),
                None => (ORIGINATION, self.first.clone(), world.rollup.genesis_info.commitment_hash),
            };
            let level = world.env().next_commitment_level(Level(from)).0;
            if level + FINALITY > world.level {
                return;
            }
            let trace = Trace::run(start, from + 1, world.levels(from + 1, level));
            let end = trace.end();
            let commitment = commitment(end.hash(), level, predecessor, trace.ticks);
            let Some(cell) = world.cell_at(level) else { return };
            self.periods.push(Period { level, cell, commitment, story: Story::of(trace), end });
        }
    }

    fn period(&self, level: Level) -> Option<&Period> {
        self.periods.iter().find(|period| period.level == level.0)
    }

    /// What it does in the next block.
    pub fn acts(&mut self, world: &World, random: &mut Random) -> Vec<(PublicKeyHash, Act)> {
        self.follow(world);
        let me = self.key;
        let rollup = &world.rollup;
        let mut acts = Vec::new();
        let diligent = random.percent(self.diligence);
        let next = self.periods.iter().find(|period| {
            !rollup.is_staked_on(&me, &period.commitment.hash())
                && rollup.last_cemented().unwrap().1.inbox_level.0 < period.level
        });
        if let Some(period) = next.filter(|period| rollup.commitments.contains_key(&period.commitment.predecessor)) {
            // the window for publications closes
            let first = rollup.first_publication.get(&Level(period.level)).map_or(world.level, |first| first.0);
            let pressing = world.level - first > world.parametric.rollup.challenge_window_in_blocks / 2;
            if diligent || pressing {
                acts.push((me, Act::Publish(period.commitment)));
            }
        }
        for conflict in rollup.conflicts(&world.env(), &me) {
            let (ours, theirs) = (conflict.our_commitment.hash(), conflict.their_commitment.hash());
            let playing = rollup.game(&Stakers::new(me, conflict.other)).is_ok();
            if !playing && rollup.check_game_start(&world.next_env(), (me, ours), (conflict.other, theirs)).is_ok() {
                acts.push((me, Act::Start { ours, opponent: conflict.other, theirs }));
            }
        }
        for (stakers, running) in rollup.games_of(&me) {
            let opponent = if stakers.alice() == me { stakers.bob() } else { stakers.alice() };
            if stakers.staker(running.game.turn) != me {
                if rollup.timeout_result(&world.next_env(), stakers).is_ok() {
                    acts.push((me, Act::TimeOut(*stakers)));
                }
                continue;
            }
            let waited = world.level - running.timeout.last_turn_level.0;
            let pressing = running.timeout.left(running.game.turn) - waited < 10;
            let Some(period) = self.period(running.game.inbox_level).filter(|_| diligent || pressing) else { continue };
            let (choice, step) = answer(world, &running.game, &period.story)
                .unwrap_or_else(|| panic!("no answer at level {} to {:?}", world.level, running.game));
            acts.push((me, Act::Play { opponent, choice, step }));
        }
        acts.push((me, Act::Cement));
        acts
    }

    /// What the operator owns, its bond included.
    pub fn wealth(&self, world: &World) -> u64 {
        world.balances[&self.key] + world.rollup.frozen_bond(&self.key).0
    }

    /// What must hold after every block: nothing of the operator's is lost (anybody may give it its bond back), and what is
    /// cemented is true.
    pub fn check(&self, world: &World, wealth_before: u64) {
        assert!(self.wealth(world) >= wealth_before, "the honest bond is lost at level {}", world.level);
        let (hash, commitment) = world.rollup.last_cemented().unwrap();
        if commitment.inbox_level.0 > ORIGINATION {
            let true_one = self.period(commitment.inbox_level).map(|period| period.commitment.hash());
            assert_eq!(Some(hash), true_one, "a wrong commitment is cemented at level {}", world.level);
        }
    }
}

/// How an adversary cheats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Invents states from some tick on.
    WrongStates,
    /// Computes with another inbox.
    WrongInbox,
    /// Claims another number of ticks.
    WrongTicks,
    /// Makes moves that are none, between some that are.
    Junk,
    /// Never moves.
    Silent,
    /// Moves when its clock has almost run out, or just has.
    Late,
    /// Publishes at every level, with every mutez it has, and attacks everybody.
    Flood,
    /// Copies what the honest operator has published, and disputes what it finds.
    Copy,
}

impl Strategy {
    pub const ALL: [Strategy; 8] = [
        Strategy::WrongStates,
        Strategy::WrongInbox,
        Strategy::WrongTicks,
        Strategy::Junk,
        Strategy::Silent,
        Strategy::Late,
        Strategy::Flood,
        Strategy::Copy,
    ];
}

/// An adversary.
pub struct Adversary {
    pub key: PublicKeyHash,
    pub strategy: Strategy,
    /// What it says about the commitments it has made.
    stories: BTreeMap<CommitmentHash, Story>,
}

impl Adversary {
    pub fn new(key: PublicKeyHash, strategy: Strategy) -> Adversary {
        Adversary { key, strategy, stories: BTreeMap::new() }
    }

    /// What it does in the next block.
    pub fn acts(
        &mut self,
        world: &World,
        honest: &Honest,
        publishing: bool,
        random: &mut Random,
    ) -> Vec<(PublicKeyHash, Act)> {
        let mut acts = Vec::new();
        let me = self.key;
        let eager = self.strategy == Strategy::Flood;
        if publishing && random.percent(if eager { 90 } else { 35 }) {
            acts.extend(self.publication(world, honest, random).map(|commitment| (me, Act::Publish(commitment))));
        }
        let rollup = &world.rollup;
        if random.percent(if eager { 100 } else { 30 }) {
            for conflict in rollup.conflicts(&world.env(), &me) {
                let (ours, theirs) = (conflict.our_commitment.hash(), conflict.their_commitment.hash());
                acts.push((me, Act::Start { ours, opponent: conflict.other, theirs }));
            }
        }
        for (stakers, running) in rollup.games_of(&me) {
            let opponent = if stakers.alice() == me { stakers.bob() } else { stakers.alice() };
            if random.percent(10) {
                acts.push((me, Act::TimeOut(*stakers)));
            }
            if stakers.staker(running.game.turn) != me {
                continue;
            }
            let waited = world.level + 1 - running.timeout.last_turn_level.0;
            let left = running.timeout.left(running.game.turn) - waited;
            let moves = match self.strategy {
                Strategy::Silent => false,
                Strategy::Late => left < 3 && random.percent(60),
                _ => random.percent(50),
            };
            if moves && let Some((choice, step)) = self.play(world, &running.game, random) {
                acts.push((me, Act::Play { opponent, choice, step }));
            }
        }
        if random.percent(20) {
            acts.push((me, Act::Cement));
            acts.push((me, Act::Recover(if random.percent(50) { me } else { honest.key })));
        }
        acts
    }

    /// A commitment on one that is stored, mostly a wrong one.
    fn publication(&mut self, world: &World, honest: &Honest, random: &mut Random) -> Option<Commitment> {
        let rollup = &world.rollup;
        if self.strategy == Strategy::Copy && random.percent(70) {
            let newest =
                honest.periods.iter().rev().find(|period| rollup.commitments.contains_key(&period.commitment.hash()));
            if let Some(period) = newest {
                self.stories.insert(period.commitment.hash(), period.story.clone());
                return Some(period.commitment);
            }
        }
        // on what it said itself, on the last cemented commitment, or on a true one
        let (lcc, _) = rollup.last_cemented().ok()?;
        let own = rollup.staked_on(&self.key).ok().flatten();
        let known: Vec<CommitmentHash> = honest.periods.iter().map(|period| period.commitment.hash()).collect();
        let on = match (own, random.below(4)) {
            (Some(own), 0 | 1) => own,
            (_, 2) if !known.is_empty() => known[random.below(known.len() as u64) as usize],
            _ => lcc,
        };
        let from = rollup.commitments.get(&on)?.inbox_level.0;
        let level = world.env().next_commitment_level(Level(from)).0;
        if level >= world.level {
            return None;
        }
        let start = match honest.period(Level(from)) {
            Some(period) if period.commitment.hash() == on => period.end.clone(),
            // on a lie there is nothing to compute: anything will do
            _ => honest.first.clone(),
        };
        let mut levels = world.levels(from + 1, level);
        if matches!(self.strategy, Strategy::WrongInbox | Strategy::Late) {
            let place = random.below(levels.len() as u64) as usize;
            let mut payloads = levels[place].as_ref().clone();
            match random.below(3) {
                0 => drop(payloads.remove(1)),
                1 => payloads.insert(2, vec![1, 66]),
                _ => payloads[1].push(9),
            }
            levels[place] = Arc::new(payloads);
        }
        let trace = Trace::run(start, from + 1, levels);
        let salt = random.next();
        let story = match self.strategy {
            Strategy::WrongInbox | Strategy::Late => Story::of(trace),
            Strategy::WrongTicks => {
                let by = 1 + random.below(3) * random.below(trace.ticks);
                let ticks = if random.percent(50) { trace.ticks + by } else { trace.ticks.saturating_sub(by).max(1) };
                Story::lie(trace, u64::MAX, ticks, salt)
            }
            _ => {
                let (from, ticks) = (1 + random.below(trace.ticks), trace.ticks);
                Story::lie(trace, from, ticks, salt)
            }
        };
        let state = story.hash_at(story.ticks)?;
        let made = commitment(state, level, on, story.ticks);
        self.stories.insert(made.hash(), story);
        Some(made)
    }

    fn play(&self, world: &World, game: &Game, random: &mut Random) -> Option<(N, Step)> {
        let rollup = &world.rollup;
        let hashes = rollup.commitments_at(game.inbox_level)?;
        let mine = hashes.iter().find(|hash| rollup.is_staked_on(&self.key, hash))?;
        let story = self.stories.get(mine)?;
        let junk = self.strategy == Strategy::Junk && random.percent(60) || random.percent(8);
        if junk {
            return Some(self.junk(world, game, story, random));
        }
        answer(world, game, story).or_else(|| Some(self.junk(world, game, story, random)))
    }

    /// A move that breaks a rule, or proves nothing, or refuses a section it has no reason to.
    fn junk(&self, world: &World, game: &Game, story: &Story, random: &mut Random) -> (N, Step) {
        let (dissection, sections) = match &game.game_state {
            GameState::Dissecting { dissection, default_number_of_sections } => {
                (dissection.clone(), *default_number_of_sections)
            }
            GameState::FinalMove { agreed_start_chunk, refuted_stop_chunk } => {
                (vec![agreed_start_chunk.clone(), refuted_stop_chunk.clone()], 32)
            }
        };
        let place = random.below(dissection.len() as u64 - 1) as usize;
        let (start, stop) = (&dissection[place], &dissection[place + 1]);
        let invented =
            Story::lie(story.trace.clone(), small(&start.tick) + 1, story.ticks.max(small(&stop.tick)), random.next());
        let step = match random.below(6) {
            // a valid dissection of any section, with invented states
            0 | 1 => dissect(world, sections, (start, stop), &invented),
            // ticks that do not increase
            2 => match dissect(world, sections, (start, stop), &invented) {
                Step::Dissection(mut chunks) => {
                    let last = chunks.len() - 1;
                    chunks.swap(last / 2, last);
                    Step::Dissection(chunks)
                }
                proof => proof,
            },
            3 => Step::Dissection(Vec::new()),
            // a true step of another tick, or one that is none
            4 => {
                let tick = random.below(story.trace.ticks);
                prove(world, game, &story.trace, tick).unwrap_or(Step::Dissection(Vec::new()))
            }
            _ => Step::Proof(Proof { pvm_step: HexBytes(vec![7; 100]), input_proof: None }),
        };
        let choice = if random.percent(10) { N(BigUint::from(random.next())) } else { start.tick.clone() };
        (choice, step)
    }
}
