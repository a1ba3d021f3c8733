//! What errors of the layer 1 say to people, in the reference client's words where it has them.

use serde_json::Value;
use soru_tezos::rpc_error::TezosError;
use soru_tezos::scalar::Mutez;

/// Errors that say all there is to say with one sentence.
const SENTENCES: &[(&str, &str)] = &[
    ("smart_rollup_outbox_message_already_applied", "Outbox message already applied"),
    ("smart_rollup_outbox_level_expired", "The outbox level is too old: its messages can no longer be executed"),
    ("smart_rollup_invalid_outbox_message_index", "Invalid rollup outbox message index"),
    ("smart_rollup_invalid_outbox_level", "Invalid outbox level"),
    ("smart_rollup_invalid_output_proof", "Invalid output proof"),
    ("smart_rollup_invalid_last_cemented_commitment", "The commitment is not cemented, or cemented too long ago"),
    ("smart_rollup_add_zero_messages", "Tried to add zero messages to a smart rollup"),
    ("smart_rollup_invalid_parameters_type", "Invalid parameters type for smart rollup"),
    ("smart_rollup_inbox_message_encoding", "Failed to encode a rollup management protocol inbox message value"),
    (
        "smart_rollup_not_staked_on_lcc_or_ancestor",
        "Attempted to withdraw while not staked on the last cemented commitment or its ancestor.",
    ),
    ("smart_rollup_not_staked", "This implicit account is not a staker of this smart rollup."),
    ("smart_rollup_no_valid_commitment_to_cement", "No valid commitment to cement."),
    ("smart_rollup_commitment_disputed", "Attempted to cement a disputed commitment."),
    (
        "smart_rollup_staker_not_in_whitelist",
        "The rollup is private and the submitter of the commitment is not present in the whitelist.",
    ),
    ("gas_exhausted.operation", "The gas limit of the operation is not enough for it"),
    ("storage_exhausted.operation", "The storage limit of the operation is not enough for it"),
];

fn text<'a>(error: &'a TezosError, field: &str) -> &'a str {
    error.fields.get(field).and_then(Value::as_str).unwrap_or("?")
}

fn tez(error: &TezosError, field: &str) -> String {
    text(error, field).parse::<Mutez>().map_or_else(|_| "?".to_owned(), Mutez::to_tez)
}

fn shown(error: &TezosError, field: &str) -> String {
    match error.fields.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "?".to_owned(),
    }
}

/// One error as lines of text.
pub fn describe(error: &TezosError) -> String {
    let name = error.name();
    if let Some((_, sentence)) = SENTENCES.iter().find(|(known, _)| *known == name) {
        return (*sentence).to_owned();
    }
    match name {
        "contract.balance_too_low" => format!(
            "Balance of contract {} too low ({}) to spend {}",
            text(error, "contract"),
            tez(error, "balance"),
            tez(error, "amount")
        ),
        "tez.subtraction_underflow" => match error.fields.get("amounts").and_then(Value::as_array).map(Vec::as_slice) {
            Some([balance, amount]) => {
                let tez = |value: &Value| {
                    value.as_str().and_then(|t| t.parse::<Mutez>().ok()).map_or("?".into(), Mutez::to_tez)
                };
                format!("Underflowing subtraction of {} tez and {} tez", tez(balance), tez(amount))
            }
            _ => "Underflowing subtraction".to_owned(),
        },
        "contract.counter_in_the_past" => format!(
            "Counter {} already used for contract {} (expected {})",
            shown(error, "found"),
            text(error, "contract"),
            shown(error, "expected")
        ),
        "contract.counter_in_the_future" => format!(
            "Counter {} not yet reached for contract {} (expected {})",
            shown(error, "found"),
            text(error, "contract"),
            shown(error, "expected")
        ),
        "implicit.empty_implicit_contract" => format!("Empty implicit contract ({})", text(error, "implicit")),
        "smart_rollup_does_not_exist" => format!("Smart rollup {} does not exist", text(error, "rollup")),
        "smart_rollup_commitment_too_recent" => format!(
            "Attempted to cement a commitment before its refutation deadline.\nCurrent level: {},\nminimal level: {}",
            shown(error, "current_level"),
            shown(error, "min_level")
        ),
        "smart_rollup_unknown_commitment" => format!("Commitment {} does not exist", text(error, "commitment")),
        "michelson_v1.runtime_error" => format!("Runtime error in contract {}", text(error, "contract_handle")),
        "michelson_v1.script_rejected" => {
            match error.fields.get("with").map(|value| serde_json::from_value(value.clone())) {
                Some(Ok(value)) => {
                    format!("script reached FAILWITH instruction\nwith {}", soru_michelson::syntax::print_line(&value))
                }
                _ => "script reached FAILWITH instruction".to_owned(),
            }
        }
        "michelson_v1.bad_contract_parameter" => {
            format!("Invalid argument passed to contract {}.", text(error, "contract"))
        }
        "contract.non_existing_contract" => format!("Contract {} does not exist", text(error, "contract")),
        _ => error.to_string(),
    }
}

/// A whole trace, an error a line.
pub fn describe_all(trace: &[TezosError]) -> String {
    trace.iter().map(describe).collect::<Vec<_>>().join("\n")
}
