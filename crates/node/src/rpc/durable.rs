//! `durable/wasm_2_0_0/…`: reading the durable storage (`spec/node.md` §6.2, R31–R34).

use super::Arguments;
use super::reply::Reply;
use serde_json::{Value, json};
use soru_pvm::Pvm;
use soru_pvm::durable::{DurableError, Key};

pub(super) fn answer(machine: &Pvm, what: &str, arguments: &Arguments) -> Result<Reply, Reply> {
    let text = arguments.get("key").map_or("", String::as_str);
    let key = Key::parse(text.as_bytes())
        .map_err(|_| Reply::failure(&format!("Tezos_scoru_wasm.Durable.Invalid_key({text:?})")))?;
    let durable = machine.durable();
    match what {
        "value" => Reply::json(&match durable.value(&key).map_err(failed)? {
            Some(value) => json!(hex::encode(value.read(0, whole(value.length()))?)),
            None => Value::Null,
        }),
        "length" => Reply::json(&durable.value(&key).map_err(failed)?.map(|value| value.length().to_string())),
        "subkeys" => Reply::json(&durable.subkeys(&key).map_err(failed)?),
        _ => {
            let mut values = vec![];
            for name in durable.subkeys(&key).map_err(failed)? {
                let mut steps = key.steps();
                if !name.is_empty() {
                    steps.push(&name);
                }
                if let Some(value) = durable.value_at(&steps)? {
                    values.push(json!({"key": name, "value": hex::encode(value.read(0, whole(value.length()))?)}));
                }
            }
            Reply::json(&values)
        }
    }
}

fn whole(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

fn failed(error: DurableError) -> Reply {
    Reply::failure(&error.to_string())
}
