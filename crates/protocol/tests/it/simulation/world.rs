//! A layer 1 with one rollup and nothing else: blocks, balances, the inbox, and what must hold after every block.

use super::machine::Steps;
use imbl::{OrdMap, Vector};
use soru_protocol::constants::{Parametric, Preset};
use soru_protocol::game::{Move, ProofContext};
use soru_protocol::inbox::{self, LevelInbox, LevelStart, history_hash};
use soru_protocol::rollup::{Env, Origination, Rollup};
use soru_protocol::{Protocol, RollupError, dal};
use soru_tezos::codec::HexBytes;
use soru_tezos::hash::{BlockHash, CommitmentHash, InboxHash, SmartRollupAddress, StateHash};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::micheline::Micheline;
use soru_tezos::number::N;
use soru_tezos::receipt::{Balance, BalanceUpdate};
use soru_tezos::rollup::{Commitment, DalSnapshot, HistoryCell, Inbox, InboxMessage, PvmKind, Stakers, Step};
use soru_tezos::scalar::{Level, Mutez, Timestamp};
use std::sync::Arc;

/// Level of the rollup's origination.
pub const ORIGINATION: i32 = 2;

/// What somebody does in a block.
#[derive(Debug, Clone)]
pub enum Act {
    Publish(Commitment),
    Cement,
    Start { ours: CommitmentHash, opponent: PublicKeyHash, theirs: CommitmentHash },
    Play { opponent: PublicKeyHash, choice: N, step: Step },
    TimeOut(Stakers),
    Recover(PublicKeyHash),
}

/// The chain after some block.
#[derive(Clone)]
pub struct World {
    pub parametric: Arc<Parametric>,
    steps: Arc<Steps>,
    pub level: i32,
    pub rollup: Rollup,
    pub inbox: Inbox,
    dal: DalSnapshot,
    /// Cells of the inbox's history.
    pub cells: OrdMap<InboxHash, HistoryCell>,
    /// Messages of each level, from 1 on.
    payloads: Vector<Arc<Vec<Vec<u8>>>>,
    pub balances: OrdMap<PublicKeyHash, u64>,
    /// Mutez that are no longer anybody's, less those made from nothing.
    burnt: i64,
    supply: i64,
}

impl World {
    pub fn new(
        (kind, steps): (PvmKind, Steps),
        genesis_state: StateHash,
        parametric: Parametric,
        balances: OrdMap<PublicKeyHash, u64>,
    ) -> World {
        let start = LevelStart {
            predecessor_timestamp: Timestamp(0),
            predecessor: BlockHash([0; 32]),
            migration: Some(Protocol::Ushuaia),
        };
        let (inbox, first) = inbox::first_inbox(Level(1), &start);
        let supply = balances.values().map(|balance| *balance as i64).sum();
        let env = env(&parametric, ORIGINATION);
        let origination = Origination {
            address: SmartRollupAddress([7; 20]),
            kind,
            parameters_type: &Micheline::unit(),
            genesis_state,
            whitelist: None,
        };
        let rollup = Rollup::originate(&env, &origination).unwrap();
        let mut world = World {
            level: 1,
            rollup,
            cells: OrdMap::unit(inbox::inbox_hash(&inbox), inbox.old_levels_messages.clone()),
            inbox,
            dal: dal::first_snapshot(),
            payloads: Vector::unit(Arc::new(first.into_payloads())),
            balances,
            burnt: 0,
            supply,
            parametric: Arc::new(parametric),
            steps: Arc::new(steps),
        };
        while world.level < ORIGINATION {
            world.next_block(0, &[], Vec::new());
        }
        world
    }

    pub fn env(&self) -> Env<'_> {
        env(&self.parametric, self.level)
    }

    /// The rules in the next block.
    pub fn next_env(&self) -> Env<'_> {
        env(&self.parametric, self.level + 1)
    }

    /// Messages of a level.
    pub fn payloads(&self, level: i32) -> &Arc<Vec<Vec<u8>>> {
        &self.payloads[usize::try_from(level - 1).unwrap()]
    }

    /// Messages of the levels `from..=to`.
    pub fn levels(&self, from: i32, to: i32) -> Vec<Arc<Vec<Vec<u8>>>> {
        (from..=to).map(|level| self.payloads(level).clone()).collect()
    }

    /// The cell of the history at a level.
    pub fn cell_at(&self, level: i32) -> Option<InboxHash> {
        let mut cell = self.inbox.old_levels_messages.clone();
        while cell.content.level.0 > level {
            cell = self.cells.get(cell.back_pointers.first()?)?.clone();
        }
        Some(history_hash(&cell))
    }

    /// Makes the next block. `salt` tells branches apart; acts that are refused are left out.
    pub fn next_block(&mut self, salt: u64, messages: &[Vec<u8>], acts: Vec<(PublicKeyHash, Act)>) {
        self.level += 1;
        for (source, act) in acts {
            let _ = self.act(source, &act);
        }
        let mut predecessor = [0; 32];
        predecessor[..4].copy_from_slice(&self.level.to_be_bytes());
        predecessor[4..12].copy_from_slice(&salt.to_be_bytes());
        let mut level = LevelInbox::start(&LevelStart {
            predecessor_timestamp: Timestamp(i64::from(self.level)),
            predecessor: BlockHash(predecessor),
            migration: (self.level == 2).then_some(Protocol::Ushuaia),
        });
        for message in messages {
            level.add(&InboxMessage::External(HexBytes(message.clone()))).unwrap();
        }
        level.end();
        self.inbox = inbox::next_inbox(&self.inbox, level.witness());
        self.cells.insert(inbox::inbox_hash(&self.inbox), self.inbox.old_levels_messages.clone());
        self.payloads.push_back(Arc::new(level.into_payloads()));
        self.dal = dal::after_unused_level(&self.dal, &self.parametric.dal, Level(self.level));
        let frozen: u64 = self.rollup.stakers.values().map(|staker| staker.bond.0).sum();
        let owned = self.balances.values().sum::<u64>() + frozen;
        assert_eq!(owned as i64 + self.burnt, self.supply, "tez appeared or vanished at level {}", self.level);
    }

    /// Mutez that were taken from losers and not given to winners.
    pub fn slashed(&self) -> u64 {
        u64::try_from(self.burnt).unwrap()
    }

    /// What the rules make of an act in the present block.
    fn act(&mut self, source: PublicKeyHash, act: &Act) -> Result<(), RollupError> {
        let parametric = self.parametric.clone();
        let env = env(&parametric, self.level);
        let balance = Mutez(self.balances.get(&source).copied().unwrap_or(0));
        let rollup = &mut self.rollup;
        let updates = match act {
            Act::Publish(commitment) => rollup.publish(&env, source, balance, commitment)?.balance_updates,
            Act::Cement => {
                rollup.cement(&env)?;
                Vec::new()
            }
            Act::Start { ours, opponent, theirs } => {
                let (refuter, defender) = ((source, *ours), (*opponent, *theirs));
                rollup.check_game_start(&env, refuter, defender)?;
                let inbox = self.inbox.old_levels_messages.clone();
                rollup.start_game(&env, refuter, defender, inbox, self.dal.clone())?;
                Vec::new()
            }
            Act::Play { opponent, choice, step } => {
                let context =
                    ProofContext { reveals: &parametric.rollup.reveal_activation_level, dal: &parametric.dal };
                let played = Move { player: source, opponent: *opponent, choice, step };
                rollup.check_move_in_block(&played)?;
                rollup.play(&env, &played, &context, self.steps.as_ref())?.balance_updates
            }
            Act::TimeOut(stakers) => rollup.time_out(&env, *stakers)?.balance_updates,
            Act::Recover(staker) => rollup.recover_bond(*staker)?.balance_updates,
        };
        assert_eq!(updates.iter().map(|update| update.change.0).sum::<i64>(), 0, "{updates:?}");
        updates.iter().for_each(|update| self.book(update));
        Ok(())
    }

    fn book(&mut self, update: &BalanceUpdate) {
        match &update.balance {
            Balance::Contract(soru_tezos::contract::Contract::Implicit(key)) => {
                let balance = self.balances.entry(*key).or_insert(0);
                *balance = balance.checked_add_signed(update.change.0).expect("nobody pays more than it has");
            }
            Balance::FrozenBonds { .. } => {}
            _ => self.burnt += update.change.0,
        }
    }
}

fn env(parametric: &Parametric, level: i32) -> Env<'_> {
    Env { protocol: Protocol::Ushuaia, level: Level(level), constants: &parametric.rollup, past_periods: &[] }
}

/// Constants with which histories are short.
pub fn constants(period: i32, window: i32, timeout: i32, sections: u8) -> Parametric {
    let mut parametric = Preset::Dailynet.constants();
    parametric.rollup.commitment_period_in_blocks = period;
    parametric.rollup.challenge_window_in_blocks = window;
    parametric.rollup.max_lookahead_in_blocks = 400;
    parametric.rollup.timeout_period_in_blocks = timeout;
    parametric.rollup.number_of_sections_in_dissection = sections;
    parametric.dal.feature_enable = false;
    parametric
}
