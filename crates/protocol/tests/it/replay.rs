//! Replaying the rollup operations of a recorded chain through the rules, and comparing each with its receipt.
#![allow(dead_code)]

use crate::common::{json, json_lines};
use serde_json::{Value, json};
use soru_protocol::constants::Parametric;
use soru_protocol::game::{Move, ProofContext};
use soru_protocol::inbox::{self, LevelInbox, LevelStart};
use soru_protocol::pvm::{WasmOutputs, WasmSteps, genesis_state};
use soru_protocol::rollup::{Env, Origination, Rollup, origination_size};
use soru_protocol::{Protocol, RollupError, dal, gas};
use soru_tezos::block::{Block, BlockOperation};
use soru_tezos::hash::{OperationHash, SmartRollupAddress};
use soru_tezos::key::PublicKeyHash;
use soru_tezos::operation::ManagerBody;
use soru_tezos::receipt::{InternalBody, ManagerReceipt, OperationResult};
use soru_tezos::rollup::{DalSnapshot, Inbox, Refutation};
use soru_tezos::scalar::{Level, Mutez};
use std::collections::BTreeMap;
use std::path::Path;

/// A recorded chain, replayed up to some level.
pub struct Chain {
    pub name: String,
    pub parametric: Parametric,
    pub inbox: Inbox,
    pub dal: DalSnapshot,
    pub rollups: BTreeMap<SmartRollupAddress, Rollup>,
    /// Number of receipts compared, by kind and status.
    pub compared: BTreeMap<String, usize>,
    /// Unsigned sizes of the operations of the block.
    sizes: BTreeMap<OperationHash, u64>,
    /// Number of inboxes compared.
    pub levels: usize,
    previous_header: Value,
}

pub fn env(parametric: &Parametric, level: Level) -> Env<'_> {
    Env { protocol: Protocol::Ushuaia, level, constants: &parametric.rollup, past_periods: &[] }
}

/// Replays a whole recorded chain; `after` sees it after each level.
pub fn replay(folder: &Path, mut after: impl FnMut(&Chain)) -> Chain {
    let meta = json(&folder.join("meta.json"));
    let mut lines = json_lines(&folder.join("l1.jsonl.gz")).into_iter();
    let first = lines.next().unwrap();
    let header = first["block"]["header"].clone();
    let start = LevelStart {
        predecessor_timestamp: serde_json::from_value(header["timestamp"].clone()).unwrap(),
        predecessor: serde_json::from_value(header["predecessor"].clone()).unwrap(),
        migration: Some(Protocol::Ushuaia),
    };
    let (inbox, _) = inbox::first_inbox(Level(1), &start);
    let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(serde_json::to_value(&inbox).unwrap(), first["inbox"], "{name}: inbox of level 1");
    let mut chain = Chain {
        name,
        parametric: serde_json::from_value(meta["activation_parameters"].clone()).unwrap(),
        inbox,
        dal: dal::first_snapshot(),
        rollups: BTreeMap::new(),
        compared: BTreeMap::new(),
        levels: 1,
        sizes: BTreeMap::new(),
        previous_header: header,
    };
    for line in lines {
        chain.level(&line);
        after(&chain);
    }
    chain
}

/// The fields of a receipt that are compared: all but gas, which is exact for some kinds only.
fn comparable(kind: &str, result: &OperationResult) -> Value {
    let exact_gas = ["smart_rollup_publish", "smart_rollup_cement"].contains(&kind);
    let mut fields = serde_json::to_value(result).unwrap();
    fields
        .as_object_mut()
        .unwrap()
        .retain(|key, _| !["status", "consumed_milligas"][..if exact_gas { 1 } else { 2 }].contains(&key.as_str()));
    fields
}

impl Chain {
    fn level(&mut self, line: &Value) {
        let block: Block = serde_json::from_value(line["block"].clone())
            .unwrap_or_else(|error| panic!("{}: block {}: {error}", self.name, line["level"]));
        let level = block.level();
        let inbox_before = self.inbox.clone();
        self.next_inbox(&block);
        let raw = line["operations_raw"].as_array().unwrap().iter();
        let size = |raw: &Value| raw["raw"].as_str().unwrap().len() as u64 / 2 - 64;
        self.sizes = raw.map(|raw| (raw["hash"].as_str().unwrap().parse().unwrap(), size(raw))).collect();
        let ours = serde_json::to_value(&self.inbox).unwrap();
        assert_eq!(ours, line["inbox"], "{}: inbox of level {level}", self.name);
        self.levels += 1;
        for operation in block.manager_operations() {
            self.operation(level, operation, &inbox_before);
        }
        self.dal = dal::after_unused_level(&self.dal, &self.parametric.dal, level);
        self.previous_header = line["block"]["header"].clone();
    }

    fn next_inbox(&mut self, block: &Block) {
        let start = LevelStart {
            predecessor_timestamp: serde_json::from_value(self.previous_header["timestamp"].clone()).unwrap(),
            predecessor: block.header.shell.predecessor,
            migration: (block.level() == Level(2)).then_some(Protocol::Ushuaia),
        };
        let mut messages = LevelInbox::start(&start);
        for message in inbox::messages_of_block(block) {
            messages.add(&message).unwrap();
        }
        messages.end();
        self.inbox = inbox::next_inbox(&self.inbox, messages.witness());
    }

    fn operation(&mut self, level: Level, operation: &BlockOperation, inbox: &Inbox) {
        let before = self.rollups.clone();
        let mut failed = false;
        let mut originations = 0;
        for (number, receipt) in operation.managers().enumerate() {
            let result = &receipt.metadata.as_ref().unwrap().operation_result;
            failed |= !matches!(result, OperationResult::Applied(_));
            let at = format!("{}: level {level}, operation {} no. {number}", self.name, operation.hash);
            self.content(&at, level, (operation.hash, originations, number), receipt, inbox);
            originations += i32::from(receipt.operation.body.kind().contains("originat"));
        }
        if failed {
            self.rollups = before;
        }
    }

    fn content(
        &mut self,
        at: &str,
        level: Level,
        nonce: (OperationHash, i32, usize),
        receipt: &ManagerReceipt,
        inbox: &Inbox,
    ) {
        let recorded = &receipt.metadata.as_ref().unwrap().operation_result;
        if let OperationResult::Failed { errors } = recorded
            && errors.iter().any(|error| error.name().starts_with("gas_exhausted"))
        {
            return;
        }
        if matches!(recorded, OperationResult::Skipped) {
            return;
        }
        let Some(ours) = self.apply(level, nonce, receipt, inbox) else { return };
        let key = format!("{} {}", receipt.operation.body.kind(), recorded.status());
        *self.compared.entry(key).or_default() += 1;
        match (ours, recorded) {
            (Ok(ours), OperationResult::Applied(_) | OperationResult::Backtracked { .. }) => {
                assert_eq!(ours, comparable(receipt.operation.body.kind(), recorded), "{at}");
            }
            (Err(error), OperationResult::Failed { errors }) => {
                assert_eq!(&error.trace(Protocol::Ushuaia), errors, "{at}");
            }
            (ours, recorded) => panic!("{at}: ours {ours:?}, recorded {recorded:?}"),
        }
    }

    /// Applies an operation on a rollup. Gives the fields of its receipt; nothing for other kinds.
    fn apply(
        &mut self,
        level: Level,
        nonce: (OperationHash, i32, usize),
        receipt: &ManagerReceipt,
        inbox: &Inbox,
    ) -> Option<Result<Value, RollupError>> {
        let source = receipt.operation.source;
        let address = match &receipt.operation.body {
            ManagerBody::SmartRollupOriginate(_) => return Some(self.originate(level, nonce, receipt)),
            ManagerBody::SmartRollupPublish(body) => body.rollup,
            ManagerBody::SmartRollupCement(body) => body.rollup,
            ManagerBody::SmartRollupRecoverBond(body) => body.rollup,
            ManagerBody::SmartRollupRefute(body) => body.rollup,
            ManagerBody::SmartRollupTimeout(body) => body.rollup,
            ManagerBody::SmartRollupExecuteOutboxMessage(body) => body.rollup,
            _ => return None,
        };
        let signature = match nonce.2 {
            0 => gas::signature(source.scheme, self.sizes[&nonce.0]),
            _ => gas::total([]),
        };
        let gas = |work| gas::total([gas::MANAGER_OPERATION, signature, gas::work(work)]);
        let env = env(&self.parametric, level);
        let Some(rollup) = self.rollups.get_mut(&address) else {
            return Some(Err(RollupError::DoesNotExist { rollup: address }));
        };
        Some(match &receipt.operation.body {
            ManagerBody::SmartRollupPublish(body) => {
                // Accounts of the recordings are rich.
                rollup.publish(&env, source, Mutez::of_tez(1_000_000), &body.commitment).map(|done| {
                    json!({ "staked_hash": done.staked_hash, "published_at_level": done.published_at_level,
                            "balance_updates": done.balance_updates, "consumed_milligas": gas(done.work) })
                })
            }
            ManagerBody::SmartRollupCement(_) => rollup
                .cement(&env)
                .map(|done| json!({ "inbox_level": done.inbox_level, "commitment_hash": done.commitment_hash, "consumed_milligas": gas(done.work) })),
            ManagerBody::SmartRollupRecoverBond(body) => {
                rollup.recover_bond(body.staker).map(|done| json!({ "balance_updates": done.balance_updates }))
            }
            ManagerBody::SmartRollupTimeout(body) => rollup
                .time_out(&env, body.stakers)
                .map(|done| json!({ "game_status": done.game_status, "balance_updates": done.balance_updates })),
            ManagerBody::SmartRollupRefute(body) => {
                refute(rollup, &env, &self.parametric, source, body.opponent, &body.refutation, inbox, &self.dal)
            }
            ManagerBody::SmartRollupExecuteOutboxMessage(body) => {
                let proof = &body.output_proof.0;
                rollup
                    .execute_outbox_message::<RollupError>(&env, &body.cemented_commitment, proof, &WasmOutputs, |_| Ok(()))
                    .map(|done| {
                        compare_calls(&done.calls, receipt);
                        let bytes = u64::try_from(done.paid_storage_size_diff).unwrap();
                        let mut fields = json!({ "balance_updates": burned(source, bytes), "ticket_updates": [] });
                        if let Some(update) = done.whitelist_update {
                            fields["whitelist_update"] = serde_json::to_value(update).unwrap();
                        }
                        if bytes > 0 {
                            fields["paid_storage_size_diff"] = json!(bytes.to_string());
                        }
                        fields
                    })
            }
            _ => return None,
        })
    }

    fn originate(
        &mut self,
        level: Level,
        nonce: (OperationHash, i32, usize),
        receipt: &ManagerReceipt,
    ) -> Result<Value, RollupError> {
        let ManagerBody::SmartRollupOriginate(body) = &receipt.operation.body else { unreachable!() };
        let env = env(&self.parametric, level);
        let genesis_state = genesis_state(Protocol::Ushuaia, body.pvm_kind, &body.kernel.0).unwrap();
        let origination = Origination {
            address: SmartRollupAddress::originated_by(&nonce.0, nonce.1),
            kind: body.pvm_kind,
            parameters_type: &body.parameters_ty,
            genesis_state,
            whitelist: body.whitelist.as_deref(),
        };
        let rollup = Rollup::originate(&env, &origination)?;
        let size = origination_size(env.constants, &body.parameters_ty);
        let fields = json!({
            "balance_updates": burned(receipt.operation.source, size),
            "address": rollup.address,
            "genesis_commitment_hash": rollup.genesis_info.commitment_hash,
            "size": size.to_string(),
        });
        self.rollups.insert(rollup.address, rollup);
        Ok(fields)
    }
}

/// The receipt of storage paid by an account.
fn burned(payer: PublicKeyHash, bytes: u64) -> Value {
    if bytes == 0 {
        return json!([]);
    }
    let amount = bytes * 250;
    json!([
        { "kind": "contract", "contract": payer, "change": format!("-{amount}"), "origin": "block" },
        { "kind": "burned", "category": "storage fees", "change": amount.to_string(), "origin": "block" },
    ])
}

fn compare_calls(calls: &[soru_protocol::rollup::OutboxCall], receipt: &ManagerReceipt) {
    let internal = &receipt.metadata.as_ref().unwrap().internal_operation_results;
    let recorded: Vec<_> = internal
        .iter()
        .filter_map(|internal| match &internal.body {
            InternalBody::Transaction(transaction) => Some(transaction),
            _ => None,
        })
        .map(|transaction| json!([transaction.destination, transaction.parameters.entrypoint]))
        .collect();
    let ours: Vec<_> = calls.iter().map(|call| json!([call.destination, call.entrypoint])).collect();
    assert_eq!(ours, recorded[..ours.len().min(recorded.len())]);
}

#[allow(clippy::too_many_arguments)]
fn refute(
    rollup: &mut Rollup,
    env: &Env<'_>,
    parametric: &Parametric,
    source: PublicKeyHash,
    opponent: PublicKeyHash,
    refutation: &Refutation,
    inbox: &Inbox,
    dal: &DalSnapshot,
) -> Result<Value, RollupError> {
    match refutation {
        Refutation::Start { player_commitment_hash, opponent_commitment_hash } => {
            let (ours, theirs) = ((source, *player_commitment_hash), (opponent, *opponent_commitment_hash));
            rollup.start_game(env, ours, theirs, inbox.old_levels_messages.clone(), dal.clone())?;
            Ok(json!({ "game_status": "ongoing", "balance_updates": [] }))
        }
        Refutation::Move { choice, step } => {
            let context = ProofContext { reveals: &parametric.rollup.reveal_activation_level, dal: &parametric.dal };
            let done = rollup.play(env, &Move { player: source, opponent, choice, step }, &context, &WasmSteps)?;
            Ok(json!({ "game_status": done.game_status, "balance_updates": done.balance_updates }))
        }
    }
}
