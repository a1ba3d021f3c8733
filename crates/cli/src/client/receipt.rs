//! Receipts as text, line for line as the reference's client prints them: scripts read this (`spec/node.md` §10.6).

use soru_michelson::syntax::print;
use soru_tezos::blake2b;
use soru_tezos::contract::{Contract, Destination};
use soru_tezos::micheline::Micheline;
use soru_tezos::operation::{ManagerBody, Origination, Parameters};
use soru_tezos::receipt::{
    Applied, Balance, BalanceUpdate, InternalBody, InternalReceipt, ManagerReceipt, OperationResult, Origin,
    OriginationResult, TicketUpdate, TransactionResult,
};
use soru_tezos::rollup::{GameResult, GameStatus, LossReason, Refutation, Step, WhitelistUpdate};
use soru_tezos::scalar::{Milligas, Mutez};
use std::fmt::{Display, Write};

/// Columns of a line.
const WIDTH: usize = 78;

/// The sign of the currency.
pub const TEZ: &str = "ꜩ";

/// Text that grows line by line, indented by the depth of the block it stands in.
struct Lines {
    out: String,
    indent: usize,
}

impl Lines {
    fn line(&mut self, text: impl Display) {
        let _ = writeln!(self.out, "{:1$}{text}", "", self.indent);
    }

    fn block(&mut self, head: impl Display, body: impl FnOnce(&mut Self)) {
        self.line(head);
        self.indent += 2;
        body(self);
        self.indent -= 2;
    }

    /// `label: expression`; further lines of the expression are aligned with its first.
    fn expression(&mut self, label: &str, expression: &Micheline) {
        let text = print(expression);
        let mut lines = text.lines();
        self.line(format_args!("{label}: {}", lines.next().unwrap_or_default()));
        let align = label.len() + 2;
        lines.for_each(|line| self.line(format_args!("{:align$}{line}", "")));
    }

    /// `label: expression` on one line, or the expression as a block below the label.
    fn broken_expression(&mut self, label: &str, expression: &Micheline) {
        let text = print(expression);
        let one_line = text.lines().nth(1).is_none();
        // bytes have no place to break
        if one_line && (text.starts_with("0x") || self.indent + label.len() + 2 + text.chars().count() <= WIDTH) {
            self.line(format_args!("{label}: {text}"));
        } else {
            self.block(format_args!("{label}:"), |lines| text.lines().for_each(|line| lines.line(line)));
        }
    }

    fn list<T: Display>(&mut self, head: &str, items: &[T]) {
        if !items.is_empty() {
            self.block(head, |lines| items.iter().for_each(|item| lines.line(item)));
        }
    }
}

/// An amount of gas in units, with its thousandths: `1929.997`.
pub fn gas(amount: Milligas) -> String {
    match (amount.0 / 1000, amount.0 % 1000) {
        (units, 0) => units.to_string(),
        (units, rest) => format!("{units}.{rest:03}"),
    }
}

/// An amount of tez with its sign: `ꜩ1.638`.
pub fn tez(amount: Mutez) -> String {
    format!("{TEZ}{}", amount.to_tez())
}

/// The text of a batch of manager operations with their results, indented by `indent`.
pub fn text<'a>(receipts: impl Iterator<Item = &'a ManagerReceipt>, indent: usize) -> String {
    let mut lines = Lines { out: String::new(), indent };
    receipts.for_each(|receipt| manager(&mut lines, receipt));
    lines.out
}

fn manager(lines: &mut Lines, receipt: &ManagerReceipt) {
    let operation = &receipt.operation;
    lines.block("Manager signed operations:", |lines| {
        lines.line(format_args!("From: {}", operation.source));
        lines.line(format_args!("Fee to the baker: {}", tez(operation.fee)));
        lines.line(format_args!("Expected counter: {}", operation.counter));
        lines.line(format_args!("Gas limit: {}", operation.gas_limit));
        lines.line(format_args!("Storage limit: {} bytes", operation.storage_limit));
        let metadata = receipt.metadata.as_ref();
        balance_updates(lines, metadata.map_or(&[], |metadata| &metadata.balance_updates));
        lines.block(title(&operation.body), |lines| {
            let before = lines.indent;
            body(lines, &Contract::from(operation.source).into(), &operation.body);
            if let Some(metadata) = metadata {
                result(lines, operation_name(&operation.body), &metadata.operation_result);
                if !metadata.internal_operation_results.is_empty() {
                    lines.block("Internal operations:", |lines| {
                        metadata.internal_operation_results.iter().for_each(|receipt| internal(lines, receipt));
                    });
                }
            }
            lines.indent = before;
        });
    });
}

fn title(body: &ManagerBody) -> &'static str {
    match body {
        ManagerBody::Reveal(_) => "Revelation of manager public key:",
        ManagerBody::Transaction(_) => "Transaction:",
        ManagerBody::Origination(_) => "Origination:",
        ManagerBody::Delegation(_) => "Delegation:",
        ManagerBody::RegisterGlobalConstant(_) => "Register Global:",
        ManagerBody::SetDepositsLimit(_) => "Set deposits limit:",
        ManagerBody::IncreasePaidStorage(_) => "Increase paid storage:",
        ManagerBody::UpdateConsensusKey(_) => "Update_consensus_key:",
        ManagerBody::UpdateCompanionKey(_) => "Update_companion_key:",
        ManagerBody::TransferTicket(_) => "Transfer tickets:",
        ManagerBody::SmartRollupOriginate(_) => "Smart rollup origination:",
        ManagerBody::SmartRollupAddMessages(_) => "Smart rollup messages submission:",
        ManagerBody::SmartRollupCement(_) => "Smart rollup commitment cementing:",
        ManagerBody::SmartRollupPublish(_) => "Smart rollup commitment publishing:",
        ManagerBody::SmartRollupRefute(_) => "Smart rollup refutation move:",
        ManagerBody::SmartRollupTimeout(_) => "Smart rollup refutation timeout:",
        ManagerBody::SmartRollupExecuteOutboxMessage(_) => "Smart rollup output message execution:",
        ManagerBody::SmartRollupRecoverBond(_) => "Smart rollup bond retrieval:",
        ManagerBody::DalPublishCommitment(_) => "Data availability slot header publishing:",
    }
}

/// How the status line names an operation.
fn operation_name(body: &ManagerBody) -> &'static str {
    match body {
        ManagerBody::Reveal(_) => "revelation",
        ManagerBody::Transaction(_) => "transaction",
        ManagerBody::Origination(_) => "origination",
        ManagerBody::Delegation(_) => "delegation",
        ManagerBody::RegisterGlobalConstant(_) => "global constant registration",
        ManagerBody::SetDepositsLimit(_) => "deposits limit modification",
        ManagerBody::IncreasePaidStorage(_) => "paid storage increase",
        ManagerBody::UpdateConsensusKey(_) => "consensus key update",
        ManagerBody::UpdateCompanionKey(_) => "companion key update",
        ManagerBody::TransferTicket(_) => "tickets transfer",
        ManagerBody::SmartRollupOriginate(_) => "smart rollup origination",
        ManagerBody::SmartRollupAddMessages(_) => "smart rollup messages submission",
        ManagerBody::SmartRollupCement(_) => "smart rollup commitment cementing",
        ManagerBody::SmartRollupPublish(_) => "smart rollup commitment publishing",
        ManagerBody::SmartRollupRefute(_) => "smart rollup refutation move",
        ManagerBody::SmartRollupTimeout(_) => "smart rollup refutation timeout",
        ManagerBody::SmartRollupExecuteOutboxMessage(_) => "smart output message execution",
        ManagerBody::SmartRollupRecoverBond(_) => "smart rollup bond retrieval",
        ManagerBody::DalPublishCommitment(_) => "data availability slot header publishing",
    }
}

fn parameters(lines: &mut Lines, parameters: &Parameters) {
    if !parameters.entrypoint.is_default() {
        lines.line(format_args!("Entrypoint: {}", parameters.entrypoint));
    }
    if parameters.value != Micheline::unit() {
        lines.expression("Parameter", &parameters.value);
    }
}

fn origination(lines: &mut Lines, source: &Destination, origination: &Origination, then: impl FnOnce(&mut Lines)) {
    lines.line(format_args!("From: {source}"));
    lines.line(format_args!("Credit: {}", tez(origination.balance)));
    lines.line("Script:");
    lines.indent += 2;
    print(&origination.script.code).lines().for_each(|line| lines.line(line));
    lines.broken_expression("Initial storage", &origination.script.storage);
    then(lines);
    match &origination.delegate {
        None => lines.line("No delegate for this contract"),
        Some(delegate) => lines.line(format_args!("Delegate: {delegate}")),
    }
}

fn body(lines: &mut Lines, source: &Destination, body: &ManagerBody) {
    match body {
        ManagerBody::Reveal(reveal) => {
            lines.line(format_args!("Contract: {source}"));
            lines.line(format_args!("Key: {}", reveal.public_key));
            if let Some(proof) = &reveal.proof {
                lines.line(format_args!("Proof of possession: {proof}"));
            }
        }
        ManagerBody::Transaction(transaction) => {
            lines.line(format_args!("Amount: {}", tez(transaction.amount)));
            lines.line(format_args!("From: {source}"));
            lines.line(format_args!("To: {}", transaction.destination));
            parameters(lines, &transaction.parameters);
        }
        // what follows the script of an external origination stands in its block
        ManagerBody::Origination(it) => origination(lines, source, it, |_| ()),
        ManagerBody::Delegation(it) => delegation(lines, source, it.delegate.as_ref()),
        ManagerBody::RegisterGlobalConstant(it) => lines.expression("Value", &it.value),
        ManagerBody::SetDepositsLimit(it) => {
            lines.line(format_args!("Delegate: {source}"));
            match it.limit {
                None => lines.line("Unlimited deposits"),
                Some(limit) => lines.line(format_args!("Limit: {}", limit.to_tez())),
            }
        }
        ManagerBody::IncreasePaidStorage(it) => {
            lines.line(format_args!("Increased size: {} bytes", it.amount));
            lines.line(format_args!("From: {source}"));
            lines.line(format_args!("To: {}", it.destination));
        }
        ManagerBody::UpdateConsensusKey(it) => update_key(lines, it),
        ManagerBody::UpdateCompanionKey(it) => update_key(lines, &it.0),
        ManagerBody::TransferTicket(it) => {
            lines.expression("Ticket content", &it.ticket_contents);
            lines.expression("Ticket content type", &it.ticket_ty);
            lines.line(format_args!("Ticket ticketer: {}", it.ticket_ticketer));
            lines.line(format_args!("Ticket amount: {}", it.ticket_amount));
            lines.line(format_args!("Destination: {}", it.destination));
            if !it.entrypoint.is_default() {
                lines.line(format_args!("Entrypoint: {}", it.entrypoint));
            }
            lines.line(format_args!("From: {source}"));
        }
        ManagerBody::SmartRollupOriginate(it) => {
            lines.line(format_args!("Kind: {}", it.pvm_kind.name()));
            lines.expression("Parameter type", &it.parameters_ty);
            lines.line(format_args!("Kernel Blake2B hash: '{}'", hex::encode(blake2b::hash256(&it.kernel.0))));
            if let Some(whitelist) = &it.whitelist {
                lines.line(format_args!("Whitelist: {}", addresses(whitelist)));
            }
        }
        ManagerBody::SmartRollupAddMessages(_) => {}
        ManagerBody::SmartRollupCement(it) => lines.line(format_args!("Address: {}", it.rollup)),
        ManagerBody::SmartRollupPublish(it) => {
            lines.line(format_args!("Address: {}", it.rollup));
            let commitment = &it.commitment;
            lines.block("Commitment:", |lines| {
                lines.line(format_args!("compressed_state: {}", commitment.compressed_state));
                lines.line(format_args!("inbox_level: {}", commitment.inbox_level));
                lines.line(format_args!("predecessor: {}", commitment.predecessor));
                lines.line(format_args!("number_of_ticks: {}", commitment.number_of_ticks));
            });
        }
        ManagerBody::SmartRollupRefute(it) => {
            lines.line(format_args!("Address: {}", it.rollup));
            lines.line(format_args!("Staker: {}", it.opponent));
            refutation(lines, &it.refutation);
        }
        ManagerBody::SmartRollupTimeout(it) => {
            lines.line(format_args!("Address: {}", it.rollup));
            lines.line(format_args!("First staker (Alice): {}", it.stakers.alice()));
            lines.line(format_args!("Second staker (Bob): {}", it.stakers.bob()));
        }
        ManagerBody::SmartRollupExecuteOutboxMessage(it) => {
            lines.line(format_args!("Address: {}", it.rollup));
            lines.line(format_args!("Cemented commitment: {}", it.cemented_commitment));
        }
        ManagerBody::SmartRollupRecoverBond(it) => {
            lines.line(format_args!("Address: {}", it.rollup));
            lines.line(format_args!("Staker: {}", it.staker));
        }
        ManagerBody::DalPublishCommitment(it) => {
            lines.line(format_args!("Slot: {}", it.slot_header.slot_index));
        }
    }
}

fn update_key(lines: &mut Lines, update: &soru_tezos::operation::UpdateKey) {
    lines.line(format_args!("Public key hash: {}", update.pk.hash()));
    if let Some(proof) = &update.proof {
        lines.line(format_args!("Proof of possession: {proof}"));
    }
}

fn delegation(lines: &mut Lines, source: &Destination, delegate: Option<&soru_tezos::key::PublicKeyHash>) {
    lines.line(format_args!("Contract: {source}"));
    match delegate {
        None => lines.line("To: nobody"),
        Some(delegate) => lines.line(format_args!("To: {delegate}")),
    }
}

fn addresses<T: Display>(list: &[T]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn refutation(lines: &mut Lines, refutation: &Refutation) {
    match refutation {
        Refutation::Start { player_commitment_hash, opponent_commitment_hash } => lines.line(format_args!(
            "Refutation: Start game between commitment hashes {player_commitment_hash} and {opponent_commitment_hash}"
        )),
        Refutation::Move { choice, step } => {
            let step = match step {
                Step::Dissection(chunks) => format!("dissection of {} sections", chunks.len().saturating_sub(1)),
                Step::Proof(_) => "proof".to_owned(),
            };
            lines.line(format_args!("Refutation: Tick: {choice}, step: {step}"));
        }
    }
}

fn game_status(status: &GameStatus) -> String {
    match status {
        GameStatus::Ongoing => "Game ongoing".to_owned(),
        GameStatus::Ended(GameResult::Draw) => "Game ended: Draw".to_owned(),
        GameStatus::Ended(GameResult::Loser { reason, player }) => {
            let reason = match reason {
                LossReason::ConflictResolved => "conflict resolved",
                LossReason::Timeout => "timeout",
            };
            format!("Game ended: {player} lost because: {reason}")
        }
    }
}

fn result(lines: &mut Lines, name: &str, result: &OperationResult) {
    match result {
        OperationResult::Skipped => lines.line("This operation was skipped."),
        OperationResult::Failed { .. } => lines.line("This operation FAILED."),
        OperationResult::Applied(it) => {
            lines.line(format_args!("This {name} was successfully applied"));
            applied(lines, it);
        }
        OperationResult::Backtracked { result, .. } => {
            lines.line(format_args!("This {name} was BACKTRACKED, its expected effects were NOT applied."));
            applied(lines, result);
        }
    }
}

fn consumed(lines: &mut Lines, amount: Milligas) {
    lines.line(format_args!("Consumed gas: {}", gas(amount)));
}

fn size_line(lines: &mut Lines, label: &str, bytes: u64) {
    if bytes > 0 {
        lines.line(format_args!("{label}: {bytes} bytes"));
    }
}

fn transaction_result(lines: &mut Lines, it: &TransactionResult) {
    lines.list("Originated contracts:", &it.originated_contracts);
    if let Some(storage) = &it.storage {
        lines.broken_expression("Updated storage", storage);
    }
    if let Some(diff) = &it.lazy_storage_diff {
        lazy_storage(lines, diff);
    }
    size_line(lines, "Storage size", it.storage_size.0);
    size_line(lines, "Paid storage size diff", it.paid_storage_size_diff.0);
    consumed(lines, it.consumed_milligas);
    balance_updates(lines, &it.balance_updates);
    ticket_updates(lines, &it.ticket_updates);
}

fn origination_result(lines: &mut Lines, it: &OriginationResult) {
    lines.list("Originated contracts:", &it.originated_contracts);
    size_line(lines, "Storage size", it.storage_size.0);
    if let Some(diff) = &it.lazy_storage_diff {
        lazy_storage(lines, diff);
    }
    size_line(lines, "Paid storage size diff", it.paid_storage_size_diff.0);
    consumed(lines, it.consumed_milligas);
    balance_updates(lines, &it.balance_updates);
}

fn applied(lines: &mut Lines, it: &Applied) {
    match it {
        Applied::Transaction(it) => transaction_result(lines, it),
        Applied::Origination(it) => origination_result(lines, it),
        Applied::RollupTransaction(it) => {
            consumed(lines, it.consumed_milligas);
            ticket_updates(lines, &it.ticket_updates);
        }
        Applied::RegisterGlobalConstant(it) => {
            balance_updates(lines, &it.balance_updates);
            consumed(lines, it.consumed_milligas);
            size_line(lines, "Storage size", it.storage_size.0);
            lines.line(format_args!("Global address: {}", it.global_address));
        }
        Applied::IncreasePaidStorage(it) => {
            balance_updates(lines, &it.balance_updates);
            consumed(lines, it.consumed_milligas);
        }
        Applied::TransferTicket(it) => {
            size_line(lines, "Paid storage size diff", it.paid_storage_size_diff.0);
            ticket_updates(lines, &it.ticket_updates);
            consumed(lines, it.consumed_milligas);
            balance_updates(lines, &it.balance_updates);
        }
        Applied::SmartRollupOriginate(it) => {
            consumed(lines, it.consumed_milligas);
            size_line(lines, "Storage size", it.size.0);
            lines.line(format_args!("Address: {}", it.address));
            lines.line(format_args!("Genesis commitment hash: {}", it.genesis_commitment_hash));
            balance_updates(lines, &it.balance_updates);
        }
        Applied::SmartRollupCement(it) => {
            consumed(lines, it.consumed_milligas);
            lines.line(format_args!("Inbox level: {}", it.inbox_level));
            lines.line(format_args!("Commitment hash: {}", it.commitment_hash));
        }
        Applied::SmartRollupPublish(it) => {
            consumed(lines, it.consumed_milligas);
            lines.line(format_args!("Hash of commit: {}", it.staked_hash));
            lines.line(format_args!("Commitment published at level: {}", it.published_at_level));
            balance_updates(lines, &it.balance_updates);
        }
        Applied::SmartRollupGame(it) => {
            consumed(lines, it.consumed_milligas);
            lines.line(format_args!("Refutation game status: {}", game_status(&it.game_status)));
            balance_updates(lines, &it.balance_updates);
        }
        Applied::SmartRollupExecuteOutboxMessage(it) => {
            size_line(lines, "Paid storage size diff", it.paid_storage_size_diff.0);
            consumed(lines, it.consumed_milligas);
            balance_updates(lines, &it.balance_updates);
            ticket_updates(lines, &it.ticket_updates);
            match &it.whitelist_update {
                None => {}
                Some(WhitelistUpdate::Public) => lines.line("Rollup is now public"),
                Some(WhitelistUpdate::Update { whitelist }) => {
                    lines.line(format_args!("New whitelist: {}", addresses(whitelist)));
                }
            }
        }
        Applied::SmartRollupRecoverBond(it) => {
            balance_updates(lines, &it.balance_updates);
            consumed(lines, it.consumed_milligas);
        }
        Applied::Gas(_)
        | Applied::Delegation(_)
        | Applied::UpdateKey(_)
        | Applied::DalPublishCommitment(_)
        | Applied::Other(_) => {
            consumed(lines, it.consumed_milligas());
            balance_updates(lines, it.balance_updates());
        }
    }
}

fn internal(lines: &mut Lines, receipt: &InternalReceipt) {
    let head = match &receipt.body {
        InternalBody::Transaction(_) => "Internal Transaction:",
        InternalBody::Origination(_) => "Internal Origination:",
        InternalBody::Delegation(_) => "Internal Delegation:",
        InternalBody::Event(_) => "Internal Event:",
    };
    lines.block(head, |lines| {
        let source = &receipt.source;
        match &receipt.body {
            InternalBody::Transaction(it) => {
                lines.line(format_args!("Amount: {}", tez(it.amount)));
                lines.line(format_args!("From: {source}"));
                lines.line(format_args!("To: {}", it.destination));
                parameters(lines, &it.parameters);
            }
            InternalBody::Origination(it) => origination(lines, source, it, |lines| lines.indent -= 2),
            InternalBody::Delegation(it) => delegation(lines, source, it.delegate.as_ref()),
            InternalBody::Event(it) => {
                lines.line(format_args!("From: {source}"));
                lines.expression("Type", &it.ty);
                if let Some(tag) = it.tag.as_ref().filter(|tag| !tag.is_default()) {
                    lines.line(format_args!("Tag: {tag}"));
                }
                lines.expression("Payload", it.payload.as_ref().unwrap_or(&Micheline::unit()));
            }
        }
        result(lines, receipt.body.kind(), &receipt.result);
    });
}

/// The account of a balance update, as the table names it.
fn account(update: &BalanceUpdate) -> String {
    let name = match &update.balance {
        Balance::Contract(contract) => contract.to_string(),
        Balance::BlockFees => "payload fees(the block proposer)".to_owned(),
        Balance::FrozenBonds { contract, rollup } => format!("Frozen_bonds({contract},{rollup})"),
        Balance::Burned(category) | Balance::Minted(category) => {
            category.replace("smart_rollup_", "smart rollup ").replace('_', " ")
        }
        Balance::Other(object) => {
            let text = |field: &str| object.get(field).and_then(|value| value.as_str()).unwrap_or_default();
            match text("category") {
                "" => text("kind").to_owned(),
                category => category.to_owned(),
            }
        }
    };
    match &update.origin {
        Origin::Block => name,
        Origin::Migration => format!("migration {name}"),
        Origin::Subsidy => format!("subsidy {name}"),
        Origin::Simulation => format!("simulation {name}"),
        Origin::DelayedOperation { delayed_operation_hash } => {
            format!("delayed operation({delayed_operation_hash}) {name}")
        }
    }
}

fn balance_updates(lines: &mut Lines, updates: &[BalanceUpdate]) {
    if updates.is_empty() {
        return;
    }
    let rows: Vec<(String, i64)> = updates.iter().map(|update| (account(update), update.change.0)).collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 3;
    lines.block("Balance updates:", |lines| {
        for (name, change) in rows {
            let dots = ".".repeat(width - name.len());
            let sign = if change < 0 { '-' } else { '+' };
            lines.line(format_args!("{name} {dots} {sign}{}", tez(Mutez(change.unsigned_abs()))));
        }
    });
}

fn ticket_updates(lines: &mut Lines, updates: &[TicketUpdate]) {
    if updates.is_empty() {
        return;
    }
    lines.block("Ticket updates:", |lines| {
        for update in updates {
            lines.line(format_args!("Ticketer: {}", update.ticket_token.ticketer));
            lines.expression("Content type", &update.ticket_token.content_type);
            lines.expression("Content", &update.ticket_token.content);
            lines.block("Account updates:", |lines| {
                for account in &update.updates {
                    let amount = account.amount.to_string();
                    let plus = if amount.starts_with('-') || amount == "0" { "" } else { "+" };
                    lines.line(format_args!("{} ... {plus}{amount}", account.account));
                }
            });
        }
    });
}

/// Changes of big maps, one a line.
fn lazy_storage(lines: &mut Lines, diff: &serde_json::Value) {
    let entries = diff.as_array().map(Vec::as_slice).unwrap_or_default();
    let expression = |value: &serde_json::Value| match serde_json::from_value::<Micheline>(value.clone()) {
        Ok(expression) => soru_michelson::syntax::print_line(&expression),
        Err(_) => value.to_string(),
    };
    let mut rows = Vec::new();
    for entry in entries.iter().filter(|entry| entry["kind"] == "big_map") {
        let id = entry["id"].as_str().unwrap_or("?");
        let diff = &entry["diff"];
        match diff["action"].as_str() {
            Some("alloc") => rows.push(format!(
                "New map({id}) of type (big_map {} {})",
                expression(&diff["key_type"]),
                expression(&diff["value_type"])
            )),
            Some("copy") => rows.push(format!("Copied map({}) into map({id})", diff["source"].as_str().unwrap_or("?"))),
            Some("remove") => rows.push(format!("Cleared map({id})")),
            _ => {}
        }
        for update in diff["updates"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let key = expression(&update["key"]);
            rows.push(match update.get("value") {
                Some(value) => format!("Set map({id})[{key}] to {}", expression(value)),
                None => format!("Unset map({id})[{key}]"),
            });
        }
    }
    lines.list("Updated big_maps:", &rows);
}
