//! BSON of a JSON object, as far as protocol parameters need it: the activation command of block 1 carries them in this
//! form, all numbers as doubles.

use serde_json::{Map, Value};

const DOUBLE: u8 = 0x01;
const STRING: u8 = 0x02;
const OBJECT: u8 = 0x03;
const ARRAY: u8 = 0x04;
const BOOLEAN: u8 = 0x08;
const NULL: u8 = 0x0a;

/// The document of an object.
pub fn document(object: &Map<String, Value>) -> Vec<u8> {
    elements(object.iter().map(|(key, value)| (key.clone(), value)))
}

fn elements<'a>(items: impl Iterator<Item = (String, &'a Value)>) -> Vec<u8> {
    let mut body = Vec::new();
    for (key, value) in items {
        let (tag, content) = element(value);
        body.push(tag);
        body.extend_from_slice(key.as_bytes());
        body.push(0);
        body.extend(content);
    }
    body.push(0);
    let mut out = length(body.len() + 4).to_vec();
    out.extend(body);
    out
}

fn element(value: &Value) -> (u8, Vec<u8>) {
    match value {
        Value::Null => (NULL, Vec::new()),
        Value::Bool(flag) => (BOOLEAN, vec![u8::from(*flag)]),
        Value::Number(number) => (DOUBLE, number.as_f64().unwrap_or(f64::NAN).to_le_bytes().to_vec()),
        Value::String(text) => {
            let mut out = length(text.len() + 1).to_vec();
            out.extend_from_slice(text.as_bytes());
            out.push(0);
            (STRING, out)
        }
        Value::Array(items) => {
            (ARRAY, elements(items.iter().enumerate().map(|(index, item)| (index.to_string(), item))))
        }
        Value::Object(object) => (OBJECT, document(object)),
    }
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The beginning of the parameters of a recorded chain.
    #[test]
    fn like_the_reference() {
        let value = json!({"consensus_rights_delay": 2, "cost_per_byte": "250", "smart_rollup_arith_pvm_enable": true,
            "dal_parametric": {"attestation_lags": [1]}});
        let Value::Object(object) = value else { unreachable!() };
        let hex = hex::encode(document(&object));
        for part in [
            "01636f6e73656e7375735f7269676874735f64656c61790000000000000000400",
            "02636f73745f7065725f62797465000400000032353000",
            "08736d6172745f726f6c6c75705f61726974685f70766d5f656e61626c650001",
            "036461",
            "046174746573746174696f6e5f6c616773001000000001300000000000",
        ] {
            assert!(hex.contains(part), "{part} in {hex}");
        }
    }
}
