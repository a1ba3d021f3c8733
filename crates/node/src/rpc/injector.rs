//! `/local/injector/…` and `/admin/injector/…`: operations on their way to layer 1 (`spec/node.md` §4.12, §6.3, R44,
//! R50–R52).

use super::reply::Reply;
use super::{Arguments, batcher, switch};
use crate::config::OperationKind;
use crate::inject::Group;
use crate::node::Node;
use crate::store::StoreError;
use serde_json::{Map, Value, json};
use soru_l1::injector::{OperationId, Status, Waiting};
use soru_tezos::hash::CommitmentHash;
use soru_tezos::header::BlockRef;
use soru_tezos::operation::ManagerBody;
use soru_tezos::scalar::Level;

/// `GET /local/injector/operation/<id>/status`.
pub(super) fn status(node: &Node, text: &str) -> Result<Reply, Reply> {
    let id: OperationId = text.parse().map_err(|_| {
        let reason = format!("failed to decode Base58Check-encoded data (injector_operation_hash): {text:?}");
        Reply::bad_path(&format!("local/injector/operation/{text}"), &reason, "injector_operation_hash")
    })?;
    Reply::json(&operation_status(node, &id)?)
}

/// Where an operation stands.
pub(super) fn operation_status(node: &Node, id: &OperationId) -> Result<Value, Reply> {
    let found = node.queues.groups().iter().find_map(|group| {
        let queue = group.queue.lock();
        Some((queue.status(id)?, queue.operation(id)?.body.clone()))
    });
    let Some((status, body)) = found else { return Ok(json!({"status": "unknown"})) };
    let operation = operation(node, &body)?;
    let (hash, index, block) = match status {
        Status::Waiting => return Ok(json!({"status": "pending_injection", "operation": operation})),
        Status::Injected { hash, index } => {
            let layer1 = json!({"operation_hash": hash, "operation_index": index});
            return Ok(json!({"status": "injected", "operation": operation, "layer1": layer1}));
        }
        Status::Included { hash, index, block } => (hash, index, block),
    };
    let BlockRef { level, hash: block } = block;
    let store = &node.store;
    let mut answer = json!({
        "status": "included",
        "operation": operation,
        "layer1": {"operation_hash": hash, "operation_index": index, "block_hash": block, "level": level},
        "finalized": store.finalized_level()?.is_some_and(|finalized| level <= finalized),
        "cemented": store.last_cemented()?.is_some_and(|(_, cemented)| level <= cemented),
    });
    if let Some(hash) = commitment_of(node, level)?
        && let Some(publication) = store.publication(&hash)?
        && let Some(published) = publication.own
        && let Some(commitment) = store.commitment(&hash)?
    {
        answer["status"] = json!("committed");
        answer["commitment"] = json!(commitment);
        answer["hash"] = json!(hash);
        answer["first_published_at_level"] = json!(publication.first);
        answer["published_at_level"] = json!(published);
    }
    Ok(answer)
}

/// Our commitment that covers the inbox of a level, if it is made.
fn commitment_of(node: &Node, level: Level) -> Result<Option<CommitmentHash>, StoreError> {
    let period = node.current_constants().rollup.commitment_period_in_blocks.max(1);
    let genesis = node.store.metadata().genesis_info.level;
    let into = level.since(genesis).rem_euclid(period);
    let end = if into == 0 { level } else { level.after(period - into) };
    Ok(node.store.block_of_level(end)?.and_then(|block| block.commitment))
}

/// An operation in the node's own form: short names, and fields that layer 1 does not need.
fn operation(node: &Node, body: &ManagerBody) -> Result<Value, Reply> {
    let fields = |kind: &str, fields: Value| {
        let mut object = Map::new();
        object.insert("kind".to_owned(), json!(kind));
        if let Value::Object(fields) = fields {
            object.extend(fields);
        }
        Value::Object(object)
    };
    Ok(match body {
        ManagerBody::SmartRollupAddMessages(add) => fields("add_messages", json!({"message": add.message})),
        ManagerBody::SmartRollupCement(cement) => {
            // layer 1 is not told which: it is the one after the last
            let genesis = node.store.metadata().genesis_info.level;
            let last = node.store.last_cemented()?.map_or(genesis, |(_, level)| level);
            let next = commitment_of(node, last.after(1))?;
            fields("cement", json!({"rollup": cement.rollup, "commitment": next}))
        }
        ManagerBody::SmartRollupPublish(publish) => {
            fields("publish", json!({"rollup": publish.rollup, "commitment": publish.commitment}))
        }
        ManagerBody::SmartRollupRefute(refute) => {
            let (rollup, opponent) = (refute.rollup, refute.opponent);
            fields("refute", json!({"rollup": rollup, "opponent": opponent, "refutation": refute.refutation}))
        }
        ManagerBody::SmartRollupTimeout(timeout) => {
            fields("timeout", json!({"rollup": timeout.rollup, "stakers": timeout.stakers}))
        }
        ManagerBody::SmartRollupRecoverBond(recover) => {
            fields("recover", json!({"rollup": recover.rollup, "staker": recover.staker}))
        }
        ManagerBody::SmartRollupExecuteOutboxMessage(execute) => fields(
            "execute_outbox_message",
            json!({
                "rollup": execute.rollup,
                "cemented_commitment": execute.cemented_commitment,
                "proof": execute.output_proof,
            }),
        ),
        other => fields(other.kind(), json!(other)),
    })
}

/// A kind of operation in a query.
fn tag(arguments: &Arguments) -> Result<Option<OperationKind>, Reply> {
    let Some(text) = arguments.get("tag") else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Reply::bad_argument("tag", text, "Invalid operation kind"))
}

/// The groups that a query is about.
fn groups<'n>(node: &'n Node, tag: Option<OperationKind>) -> impl Iterator<Item = &'n Group> + use<'n> {
    node.queues.groups().iter().filter(move |group| tag.is_none_or(|tag| group.kinds.contains(&tag)))
}

/// `GET /admin/injector/queues`.
pub(super) fn queues(node: &Node, arguments: &Arguments) -> Result<Reply, Reply> {
    let shown = |waiting: &Waiting| {
        let mut shown = operation(node, &waiting.body)?;
        if waiting.failures > 0 {
            shown["errors"] = json!({"count": waiting.failures});
        }
        Ok(shown)
    };
    let queue = |group: &Group| {
        let waiting: Vec<Waiting> = group.queue.lock().waiting().cloned().collect();
        let queue: Vec<Value> = waiting.iter().map(shown).collect::<Result<_, Reply>>()?;
        Ok(json!({"tags": group.kinds, "queue": queue}))
    };
    let queues: Vec<Value> = groups(node, tag(arguments)?).map(queue).collect::<Result<_, Reply>>()?;
    Reply::json(&queues)
}

/// `GET /admin/injector/queues/total`.
pub(super) fn total(node: &Node) -> Result<Reply, Reply> {
    let sizes: Vec<(&Group, usize)> = groups(node, None).map(|group| (group, group.queue.lock().counts().0)).collect();
    let total: usize = sizes.iter().map(|(_, size)| size).sum();
    let injectors: Vec<Value> =
        sizes.iter().map(|(group, size)| json!({"tags": group.kinds, "queue_size": size})).collect();
    Reply::json(&json!({"injectors": injectors, "total": total}))
}

/// `DELETE /admin/injector/queues`: operations that wait, of a kind, with an order strictly below one; or everything.
pub(super) fn clear(node: &Node, arguments: &Arguments) -> Result<Reply, Reply> {
    let (tag, below) = (tag(arguments)?, batcher::order(arguments, "order_below")?);
    let without_order = switch(arguments, "drop_no_order")?;
    for group in groups(node, tag) {
        let cleared = group.queue.change(|queue| {
            if tag.is_none() && below.is_none() {
                return queue.clear();
            }
            queue.remove_where(|operation| {
                let kind = tag.is_none_or(|tag| crate::inject::injector_kind(tag) == operation.kind());
                kind && below.is_none_or(|below| operation.order.map_or(without_order, |order| order < below))
            });
        });
        cleared.map_err(|error| Reply::failure(&error.to_string()))?;
    }
    Reply::json(&json!({}))
}
