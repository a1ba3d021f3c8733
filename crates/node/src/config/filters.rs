//! Which outbox messages the node executes by itself (`spec/node.md` §2, §4.11).

use serde::{Deserialize, Serialize};
use soru_tezos::contract::Entrypoint;
use soru_tezos::hash::ContractHash;
use soru_tezos::rollup::OutboxMessage;

/// Lets some outbox messages through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutboxFilter {
    /// Which calls it lets through: a message passes with all its calls or not at all.
    pub transaction: TransactionFilter,
}

/// Lets some calls of contracts through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransactionFilter {
    /// Contracts that may be called.
    pub destination: Among,
    /// Entrypoints that may be called.
    pub entrypoint: Among,
}

/// Any value, or one of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Among {
    /// The word `any`.
    Any(Any),
    /// The values.
    Listed(Vec<String>),
}

/// The word `any`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Any {
    /// It.
    Any,
}

impl Among {
    fn has(&self, value: &str) -> bool {
        match self {
            Among::Any(Any::Any) => true,
            Among::Listed(values) => values.iter().any(|listed| listed == value),
        }
    }
}

impl OutboxFilter {
    /// Whether a message passes. What is no batch of calls never does: updates of the whitelist need no filter.
    pub fn passes(&self, message: &OutboxMessage) -> bool {
        let TransactionFilter { destination, entrypoint } = &self.transaction;
        let call = |contract: &ContractHash, called: &Entrypoint| {
            destination.has(&contract.to_string()) && entrypoint.has(called.as_str())
        };
        match message {
            OutboxMessage::AtomicTransactionBatch(calls) => {
                calls.iter().all(|it| call(&it.destination, &it.entrypoint))
            }
            OutboxMessage::AtomicTransactionBatchTyped(calls) => {
                calls.iter().all(|it| call(&it.destination, &it.entrypoint))
            }
            OutboxMessage::WhitelistUpdate(_) | OutboxMessage::CanonicalRollupSignal(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const CALLED: &str = "KT1ThEdxfUcWUwqsdergy3QnbCWGHSUHeHJq";
    const OTHER: &str = "KT18amZmM5W7qDWVt2pH6uj7sCEd3kbzLrHT";

    fn filter(destination: serde_json::Value, entrypoint: serde_json::Value) -> OutboxFilter {
        let written = json!({"transaction": {"destination": destination, "entrypoint": entrypoint}});
        let filter: OutboxFilter = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(serde_json::to_value(&filter).unwrap(), written);
        filter
    }

    #[test]
    fn all_calls_of_a_batch_must_pass() {
        let call = |to: &str, entrypoint: &str| json!({"parameters": {"prim": "Unit"}, "destination": to, "entrypoint": entrypoint});
        let batch = |calls: Vec<serde_json::Value>| -> OutboxMessage {
            serde_json::from_value(json!({"transactions": calls, "kind": "untyped"})).unwrap()
        };
        let one = batch(vec![call(CALLED, "default")]);
        let two = batch(vec![call(CALLED, "default"), call(OTHER, "aux")]);
        assert!(filter(json!("any"), json!("any")).passes(&two));
        assert!(filter(json!([CALLED]), json!("any")).passes(&one));
        assert!(!filter(json!([CALLED]), json!("any")).passes(&two));
        assert!(filter(json!([CALLED, OTHER]), json!(["default", "aux"])).passes(&two));
        assert!(!filter(json!("any"), json!(["aux"])).passes(&one));
        assert!(!filter(json!("any"), json!([])).passes(&one));
        let update: OutboxMessage = serde_json::from_value(json!({"kind": "whitelist_update"})).unwrap();
        assert!(!filter(json!("any"), json!("any")).passes(&update));
        for wrong in [json!({"transaction": {"destination": "some", "entrypoint": "any"}}), json!({"transaction": {}})]
        {
            assert!(serde_json::from_value::<OutboxFilter>(wrong).is_err());
        }
    }
}
