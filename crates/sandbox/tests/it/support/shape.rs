//! Comparing an answer with a recorded one by shape: status, content type, keys, types, and kinds of text.

use super::Replayed;
use serde_json::Value;
use std::collections::BTreeSet;

/// One difference.
#[derive(Debug)]
pub struct Difference {
    /// Where: `status`, or a path in the answer (`[]` any element of a list).
    pub place: String,
    /// What was recorded, and what came.
    pub what: String,
}

/// How an answer differs from the recorded one.
pub fn differences(recorded: &Value, answer: &Replayed) -> Vec<Difference> {
    let status = recorded["status"].as_u64().unwrap_or_default();
    if status != u64::from(answer.status) {
        let text: String = answer.text.chars().take(200).collect();
        return vec![Difference {
            place: "status".into(),
            what: format!("{status} recorded, {}: {text}", answer.status),
        }];
    }
    let mut found = Vec::new();
    let kind = recorded["headers"]["content-type"].as_str().unwrap_or_default();
    let has_body =
        recorded.get("response").is_some() || recorded["response_text"].as_str().is_some_and(|text| !text.is_empty());
    if has_body && kind != answer.content_type {
        found.push(Difference {
            place: "content-type".into(),
            what: format!("{kind} recorded, {}", answer.content_type),
        });
    }
    let compare = |wanted: &Value, got: &Value, found: &mut Vec<Difference>| {
        if status == 500 {
            errors(wanted, got, found);
        }
        shapes("", wanted, got, found);
    };
    if let Some(wanted) = recorded.get("response") {
        compare(wanted, &answer.json, &mut found);
    } else if let Some(first) = recorded["chunks"].as_array().and_then(|chunks| chunks.first()) {
        match serde_json::from_str(first.as_str().unwrap_or_default()) {
            Ok(wanted) => compare(&wanted, &answer.json, &mut found),
            Err(_) if answer.text.is_empty() => {
                found.push(Difference { place: "body".into(), what: "nothing came".into() })
            }
            Err(_) => {}
        }
    }
    found
}

fn errors(wanted: &Value, got: &Value, found: &mut Vec<Difference>) {
    let ids = |trace: &Value| -> Vec<String> {
        trace.as_array().into_iter().flatten().map(|error| format!("{} {}", error["kind"], error["id"])).collect()
    };
    if ids(wanted) != ids(got) {
        found.push(Difference { place: "errors".into(), what: format!("{:?} recorded, {:?}", ids(wanted), ids(got)) });
    }
}

/// The kind of a text: a number, a time, a hash or address by its first letters, hexadecimal digits, a word.
fn kind(text: &str) -> String {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if number && (digits == "0" || !digits.starts_with('0')) {
        return "number in a text".into();
    }
    if text.len() == 20 && text.ends_with('Z') && text.as_bytes()[10] == b'T' {
        return "time".into();
    }
    if text.len() >= 36 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        if text.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()) {
            return "hex".into();
        }
        // the second letter of some hashes depends on the hash
        let letters = if text.starts_with(['B', 'P', 'o']) { 1 } else { 2 };
        return format!("{}…", &text[..letters]);
    }
    "text".into()
}

fn kind_of(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        Value::Number(_) => "number".into(),
        Value::String(text) => kind(text),
        Value::Array(_) => "list".into(),
        Value::Object(_) => "object".into(),
    }
}

fn shapes(place: &str, wanted: &Value, got: &Value, found: &mut Vec<Difference>) {
    match (wanted, got) {
        (Value::Object(wanted), Value::Object(got)) => {
            for (key, value) in wanted {
                match got.get(key) {
                    Some(ours) => shapes(&format!("{place}/{key}"), value, ours, found),
                    None => found.push(Difference { place: format!("{place}/{key}"), what: "missing".into() }),
                }
            }
            for key in got.keys().filter(|key| !wanted.contains_key(*key)) {
                found.push(Difference { place: format!("{place}/{key}"), what: "not recorded".into() });
            }
        }
        // lists of the same length element by element; else each element of ours is like one of theirs
        (Value::Array(wanted), Value::Array(got)) if wanted.len() == got.len() => {
            for (wanted, got) in wanted.iter().zip(got) {
                shapes(&format!("{place}[]"), wanted, got, found);
            }
        }
        (Value::Array(wanted), Value::Array(got)) => {
            let mut seen = BTreeSet::new();
            for ours in got {
                let like = |theirs: &Value| {
                    let mut found = Vec::new();
                    shapes(&format!("{place}[]"), theirs, ours, &mut found);
                    found
                };
                let nearest = wanted.iter().map(like).min_by_key(Vec::len).unwrap_or_default();
                found.extend(nearest.into_iter().filter(|difference| seen.insert(difference.place.clone())));
            }
        }
        (wanted, got) => {
            let (wanted_kind, got_kind) = (kind_of(wanted), kind_of(got));
            if wanted_kind != got_kind {
                let what = format!(
                    "{wanted_kind} recorded, {got_kind}: {}",
                    got.to_string().chars().take(60).collect::<String>()
                );
                found.push(Difference { place: if place.is_empty() { "body".into() } else { place.into() }, what });
            }
        }
    }
}
