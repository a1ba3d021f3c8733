//! The layout in which the reference prints JSON: boxes filled up to 78 columns (`{ "a": 1, "b": [ 2, 3 ] }`). Scripts
//! and people diff such files, so ours look the same.

use serde_json::Value;

const WIDTH: usize = 78;

/// `value` laid out for people, without a final newline.
pub fn pretty(value: &Value) -> String {
    let mut printer = Printer { out: String::new(), column: 0 };
    printer.value(value, 0);
    printer.out
}

struct Printer {
    out: String,
    column: usize,
}

/// Length of a value on one line.
fn flat(value: &Value) -> usize {
    match value {
        Value::Array(items) if items.is_empty() => 2,
        Value::Object(fields) if fields.is_empty() => 2,
        Value::Array(items) => 2 + items.iter().map(|item| flat(item) + 2).sum::<usize>(),
        Value::Object(fields) => 2 + fields.iter().map(|(key, value)| field_flat(key, value) + 2).sum::<usize>(),
        leaf => leaf.to_string().chars().count(),
    }
}

fn field_flat(key: &str, value: &Value) -> usize {
    quoted(key).chars().count() + 2 + flat(value)
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

impl Printer {
    fn text(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    /// A blank, or a new line indented by `indent` when the next `size` columns would not fit.
    fn blank(&mut self, size: usize, indent: usize) {
        if self.column + 1 + size > WIDTH {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n(' ', indent));
            self.column = indent;
        } else {
            self.text(" ");
        }
    }

    /// Prints a value that is followed, without a blank, by `trail` more columns.
    fn value(&mut self, value: &Value, trail: usize) {
        let base = self.column;
        match value {
            Value::Array(items) if !items.is_empty() => {
                self.text("[ ");
                for (index, item) in items.iter().enumerate() {
                    let after = if index + 1 == items.len() { 2 + trail } else { 1 };
                    if index > 0 {
                        self.text(",");
                        self.blank(flat(item) + after, base + 2);
                    }
                    self.value(item, after);
                }
                self.text(" ]");
            }
            Value::Object(fields) if !fields.is_empty() => {
                self.text("{ ");
                for (index, (key, item)) in fields.iter().enumerate() {
                    let after = if index + 1 == fields.len() { 2 + trail } else { 1 };
                    if index > 0 {
                        self.text(",");
                        self.blank(field_flat(key, item) + after, base + 2);
                    }
                    let start = self.column;
                    self.text(&format!("{}:", quoted(key)));
                    self.blank(flat(item) + after, start + 2);
                    self.value(item, after);
                }
                self.text(" }");
            }
            leaf => self.text(&leaf.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Printed by the reference's client and node.
    const PRINTED: [&str; 2] = [
        r#"{ "smart-rollup-address": "sr1KEsdg3ivZmc3YgdhJFDbhmQmY5wT9Nd2D",
  "etherlink": false,
  "smart-rollup-node-operator":
    { "operating": "tz1gjaF81ZRRvdzjobyfVNsAeSC6PScjfQwN",
      "batching": [ "tz1gjaF81ZRRvdzjobyfVNsAeSC6PScjfQwN" ],
      "cementing": "tz1gjaF81ZRRvdzjobyfVNsAeSC6PScjfQwN",
      "executing_outbox": "tz1gjaF81ZRRvdzjobyfVNsAeSC6PScjfQwN" },
  "fee-parameters": {}, "mode": "operator" }"#,
        r#"{ "transactions":
    [ { "parameters": { "string": "hello from the rollup" },
        "destination": "KT1WTww7kWqJXsLAF8Erfp47t5meXepWQfe2" } ],
  "kind": "untyped" }"#,
    ];

    #[test]
    fn looks_like_the_reference() {
        for text in PRINTED {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(pretty(&value), text);
        }
    }
}
