//! `/local/batcher/…` and `/admin/batcher/…`: messages on their way into a batch (`spec/node.md` §4.15, §6.2 R41–R43, R53).

use super::reply::Reply;
use super::{Arguments, injector, switch};
use crate::batcher::{Batcher, BatcherError, CAPACITY, Message, MessageId, MessageStatus, Refused};
use crate::node::Node;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use soru_tezos::codec::HexBytes;
use std::fmt;

fn batcher(node: &Node) -> Result<&Batcher, Reply> {
    node.batcher.as_ref().ok_or_else(|| Reply::permanent("sc_rollup.node.no_batcher"))
}

/// An order in a query: a natural number.
pub(super) fn order(arguments: &Arguments, name: &str) -> Result<Option<u64>, Reply> {
    let Some(text) = arguments.get(name) else { return Ok(None) };
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Reply::raised("Invalid_argument(\"Z.of_substring_base: invalid digit\")".to_owned()));
    }
    let order = text.parse().map_err(|_| Reply::bad_argument(name, text, "it must be between 0 and 2^64 - 1"))?;
    Ok(Some(order))
}

/// `POST /local/batcher/injection`.
pub(super) fn inject(node: &Node, arguments: &Arguments, body: &[u8]) -> Result<Reply, Reply> {
    let (order, once) = (order(arguments, "order")?, switch(arguments, "drop_duplicate")?);
    let messages = messages(body)?;
    let ids = batcher(node)?.register(messages, order, once).map_err(|error| match error {
        BatcherError::Refused(Refused::Full) => Reply::error(json!({
            "kind": "permanent", "id": "batcher.heap_insertion_failed", "error": "no space left in heap",
        })),
        other => Reply::failure(&other.to_string()),
    })?;
    Reply::json(&ids)
}

/// A list of texts: as many as can wait, and at most one of those that are too many.
struct Texts(Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Sequence;
        impl<'de> Visitor<'de> for Sequence {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a sequence")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while texts.len() <= CAPACITY {
                    match sequence.next_element()? {
                        Some(text) => texts.push(text),
                        None => return Ok(Texts(texts)),
                    }
                }
                while sequence.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_seq(Sequence)
    }
}

/// A list of texts in hexadecimal.
fn messages(body: &[u8]) -> Result<Vec<HexBytes>, Reply> {
    let Texts(texts) = serde_json::from_slice(body).map_err(|error| match body.first() {
        Some(b'[') if error.is_eof() => Reply::bad_body("JSON.of_buffer unclosed array"),
        _ => Reply::bad_body(&error.to_string()),
    })?;
    let message = |text: String| {
        hex::decode(&text).map(HexBytes::from).map_err(|error| match error {
            hex::FromHexError::InvalidHexCharacter { c, .. } => Reply::bad_body(&format!(
                "Unhandled error Invalid_argument(\"Hex.to_char: {} is an invalid char\")",
                u32::from(c)
            )),
            other => Reply::bad_body(&other.to_string()),
        })
    };
    texts.into_iter().map(message).collect()
}

/// `GET /local/batcher/queue` and below.
pub(super) fn answer(node: &Node, rest: &[&str]) -> Result<Reply, Reply> {
    let Some(text) = rest.get(1) else {
        let waiting: Vec<Value> = batcher(node)?.waiting().iter().map(shown).collect();
        return Reply::json(&waiting);
    };
    let id: MessageId = text.parse().map_err(|_| {
        Reply::bad_path(&format!("local/batcher/queue/{text}"), "Invalid L2 message id", "l2_message_id")
    })?;
    let known = batcher(node)?.status(&id);
    let Some((status, content)) = known else { return Reply::json(&json!({"status": "unknown"})) };
    let mut answer = json!({"content": content});
    let status = match status {
        MessageStatus::Pending => json!({"status": "pending_batch"}),
        MessageStatus::Batched(operation) => injector::operation_status(node, &operation)?,
    };
    if let (Value::Object(answer), Value::Object(status)) = (&mut answer, status) {
        answer.extend(status);
    }
    Reply::json(&answer)
}

fn shown(message: &Message) -> Value {
    let mut shown = json!({
        "id": message.id,
        "message": {"content": message.content, "counter": message.counter.to_string()},
    });
    if let Some(order) = message.order {
        shown["order"] = json!(order.to_string());
    }
    shown
}

/// `DELETE /admin/batcher/queue`: messages up to an order, or all.
pub(super) fn clear(node: &Node, arguments: &Arguments) -> Result<Reply, Reply> {
    batcher(node)?.forget(order(arguments, "order_below")?, switch(arguments, "drop_no_order")?)?;
    Reply::json(&json!({}))
}
